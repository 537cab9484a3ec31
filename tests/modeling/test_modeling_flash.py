"""Flash attention on CPU: transformers' own integration code runs with slow kernels in place of the GPU kernels.

The kernels are those of FlashAttention 3, which transformers imports from `flash_attn_interface`. The replacements
below follow its documentation: rows without padding, concatenated, and a causal mask aligned to the last key.
"""

from __future__ import annotations

import copy
import sys
from types import ModuleType

import pytest
import torch
from model_cases import days, gaps, in_steps, small_model, texts, to_left
from transformers import DynamicCache, modeling_flash_attention_utils

from sensorlm_hf.modeling import OBJECTIVES, SensorLMModel

VALUES, MASK = days(), gaps()
IDS, ATTENTION = texts()


def flash_attn_func(q, k, v, softmax_scale=None, causal=False):
    """Attention of `(B, Q, heads, d)` over `(B, K, heads, d)`; query `Q - 1` attends to all keys."""
    scores = torch.einsum("bqhd,bkhd->bhqk", q, k) * softmax_scale
    if causal:
        queries, keys = scores.shape[2:]
        seen = torch.ones(queries, keys, dtype=torch.bool).tril(keys - queries)
        scores = scores.masked_fill(~seen, -torch.inf)
    return torch.einsum("bhqk,bkhd->bqhd", scores.softmax(-1), v)


def flash_attn_varlen_func(
    q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, softmax_scale=None, causal=False
):
    """The same for rows of any length, concatenated in `(tokens, heads, d)`."""
    assert cu_seqlens_q[-1] == len(q)
    assert cu_seqlens_k[-1] == len(k)
    assert cu_seqlens_q.diff().max() == max_seqlen_q
    assert cu_seqlens_k.diff().max() == max_seqlen_k
    rows = []
    for row in range(len(cu_seqlens_q) - 1):
        of_q, of_k = slice(*cu_seqlens_q[row : row + 2]), slice(*cu_seqlens_k[row : row + 2])
        rows.append(flash_attn_func(q[None, of_q], k[None, of_k], v[None, of_k], softmax_scale, causal)[0])
    return torch.cat(rows)


@pytest.fixture
def calls(monkeypatch) -> list[str]:
    """Installs the slow kernels in place of the fast ones; returns the names of the kernels called."""
    made: list[str] = []
    module = ModuleType("flash_attn_interface")

    def counted(kernel):
        def call(q, k, v, *args, **kwargs):
            made.append(kernel.__name__)
            return kernel(q, k, v, *args, **kwargs)

        call.__wrapped__ = kernel  # transformers reads the signature
        return call

    module.flash_attn_func = counted(flash_attn_func)
    module.flash_attn_varlen_func = counted(flash_attn_varlen_func)
    module.flash_attn_with_kvcache = None
    monkeypatch.setitem(sys.modules, "flash_attn_interface", module)
    monkeypatch.setattr(modeling_flash_attention_utils, "_loaded_implementation", None)
    return made


def with_flash(model: SensorLMModel) -> SensorLMModel:
    """A copy that dispatches to flash attention; `set_attn_implementation` would require a GPU."""
    model = copy.deepcopy(model)
    for module in model.modules():
        if hasattr(module, "config"):
            module.config._attn_implementation = "flash_attention_3"
    return model


def close(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-4)


def assert_same_losses_and_gradients(reference: SensorLMModel, *inputs: torch.Tensor | None) -> None:
    outputs = []
    for model in (copy.deepcopy(reference), with_flash(reference)):
        output = model.train()(*inputs)
        output.loss.backward()
        outputs.append((output, {name: p.grad for name, p in model.named_parameters()}))
    (expected, gradients), (output, ours) = outputs
    close(output.loss, expected.loss)
    close(output.sensor_embeds, expected.sensor_embeds)
    assert gradients.keys() == ours.keys()
    for name, gradient in gradients.items():
        assert (gradient is None) == (ours[name] is None), name
        if gradient is not None:
            close(ours[name], gradient)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_flash_attention_matches_reference(objective, calls):
    model = small_model(objective)
    for ids, attention in ((IDS, ATTENTION), to_left(IDS, ATTENTION, 2)):
        assert_same_losses_and_gradients(model, VALUES, MASK, ids, attention)
    assert "flash_attn_varlen_func" in calls
    calls.clear()
    assert_same_losses_and_gradients(model, VALUES, None, IDS, None)
    assert set(calls) == {"flash_attn_func"}


@pytest.mark.parametrize("queries", [0, 5, 9])
def test_equal_numbers_of_queries_and_sensor_tokens(queries, calls):
    """The sensor token mask must not be applied to texts or caption queries, even if the shapes match."""
    mask = torch.zeros_like(MASK)
    for row, patches in enumerate((9, 4, 9, 6)):
        mask[row, : 10 * patches, :2] = True  # a patch is 10 minutes of two channels
    model = small_model("coca", num_caption_queries=queries)
    assert model.base_model.sensor_model(VALUES, mask).token_mask.sum(dim=1).tolist() == [9, 4, 9, 6]
    assert_same_losses_and_gradients(model, VALUES, mask, IDS, ATTENTION)
    assert calls


@torch.no_grad()
@pytest.mark.parametrize("queries", [0, 5])
def test_cached_steps_match(queries, calls):
    reference = small_model("cap", num_caption_queries=queries)
    model = with_flash(reference)
    ids, attention = to_left(IDS, ATTENTION)
    full = reference(VALUES, MASK, ids, attention).logits
    key_values, token_mask = model.encode_for_captions(VALUES, MASK)
    inputs = {"past_key_values": DynamicCache(config=model.config), "sensor_key_values": key_values}
    for step, output in in_steps(model, ids, attention, (4, 5, 8, 9), sensor_token_mask=token_mask, **inputs):
        real = attention[:, step].bool()
        close(output.logits[real], full[:, step][real])
    assert calls


@pytest.mark.parametrize("num_beams", [1, 3])
def test_captions_match(num_beams, calls):
    reference = small_model("coca")
    arguments = {"input_ids": IDS, "attention_mask": ATTENTION, "num_beams": num_beams, "max_new_tokens": 5}
    expected = reference.generate(sensor_values=VALUES, sensor_mask=MASK, **arguments)
    result = with_flash(reference).generate(sensor_values=VALUES, sensor_mask=MASK, **arguments)
    assert torch.equal(result, expected)
    assert calls


def test_missing_flash_attention_raises():
    with pytest.raises(ImportError, match="FlashAttention"):
        small_model("siglip").set_attn_implementation("flash_attention_2")
    with pytest.raises(ValueError, match='attn_implementation="eager"'):
        small_model("siglip").set_attn_implementation("quick")
