"""Rotary positions of the text tower, compared with transformers' Llama."""

from __future__ import annotations

import pytest
import torch
from model_cases import POSITIONS, VOCAB, days, gaps, small_config, small_model, texts, to_left
from transformers import DynamicCache, LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb

from sensorlm_hf.modeling import OBJECTIVES, load_pretrained
from sensorlm_hf.modeling.layers_sensorlm import _apply_rotary, rotary_embeddings

THETA = 100.0
MODELS = {objective: small_model(objective, rope_theta=THETA) for objective in OBJECTIVES}
VALUES, MASK = days(), gaps()
IDS, ATTENTION = texts()


def close(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_rotary_embedding_matches_llama():
    generator = torch.Generator().manual_seed(0)
    queries, keys = torch.randn(2, 3, 4, 7, 16, generator=generator)
    positions = torch.stack([torch.arange(7), torch.arange(7) + 5, torch.zeros(7).long()])
    config = LlamaConfig(
        hidden_size=64, num_attention_heads=4, rope_parameters={"rope_type": "default", "rope_theta": THETA}
    )
    expected = apply_rotary_pos_emb(queries, keys, *LlamaRotaryEmbedding(config)(queries, positions))
    turns = rotary_embeddings(positions, 16, THETA)
    for states, wanted in zip((queries, keys), expected, strict=True):
        close(_apply_rotary(states, turns), wanted)
    assert _apply_rotary(queries.bfloat16(), turns).dtype == torch.bfloat16


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_outputs_depend_only_on_relative_positions(objective):
    model, learned = MODELS[objective], small_model(objective)
    positions = torch.arange(IDS.shape[1])[None].expand_as(IDS)
    assert model.get_position_embeddings() is None
    for network, same in ((model, True), (learned, False)):
        tower = network.base_model.text_model
        states = [tower(IDS, ATTENTION, positions + moved).last_hidden_state[ATTENTION.bool()] for moved in (0, 6)]
        assert torch.allclose(*states, atol=1e-4) == same
    # Without positions, the order of the tokens would have no effect.
    swapped = IDS.clone()
    swapped[:, [1, 2]] = IDS[:, [2, 1]]
    tower = model.base_model.text_model
    states = [tower(ids, ATTENTION).last_hidden_state[0, -1] for ids in (IDS, swapped)]
    assert not torch.allclose(*states, atol=1e-3)


@pytest.mark.parametrize("objective", ["clip", "siglip", "coca"])
def test_outputs_do_not_depend_on_padding_side_or_batch(objective):
    model = MODELS[objective]
    expected = model.get_text_features(IDS, ATTENTION).pooler_output
    close(model.get_text_features(*to_left(IDS, ATTENTION, extra=3)).pooler_output, expected)
    for row, length in enumerate(ATTENTION.sum(dim=1)):
        close(model.get_text_features(IDS[row : row + 1, :length]).pooler_output, expected[row : row + 1])


@pytest.mark.parametrize("objective", ["cap", "coca"])
def test_cached_generation_matches_uncached(objective):
    model = MODELS[objective]
    with torch.no_grad():
        whole = model(VALUES, MASK, IDS, ATTENTION, return_loss=False).logits
        cache = DynamicCache(config=model.config)
        parts = [
            model(
                VALUES, MASK, IDS[:, at : at + 1], ATTENTION[:, : at + 1], past_key_values=cache, return_loss=False
            ).logits
            for at in range(IDS.shape[1])
        ]
    real = ATTENTION.bool()
    close(torch.cat(parts, dim=1)[real], whole[real])
    told = [
        model.generate(sensor_values=VALUES, sensor_mask=MASK, max_new_tokens=8, use_cache=use) for use in (True, False)
    ]
    assert torch.equal(*told)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_longer_texts_need_no_additional_weights(objective, tmp_path):
    model = small_model(objective, rope_theta=THETA)
    before, weights = model(VALUES, MASK, IDS, ATTENTION).loss, sum(p.numel() for p in model.parameters())
    long = torch.randint(3, VOCAB, (len(IDS), POSITIONS + 9), generator=torch.Generator().manual_seed(5))
    with pytest.raises(ValueError, match="positions for"):
        model(VALUES, MASK, long)
    model.resize_position_embeddings(POSITIONS + 9)
    assert sum(p.numel() for p in model.parameters()) == weights
    close(model(VALUES, MASK, IDS, ATTENTION).loss, before)
    model.save_pretrained(tmp_path)
    loaded = load_pretrained(tmp_path)
    assert loaded.config.text_config.rope_theta == THETA
    close(loaded(VALUES, MASK, long).loss, model(VALUES, MASK, long).loss)


def test_autocast_keeps_half_precision():
    model = MODELS["coca"]
    seen = []
    layer = model.base_model.text_model.encoder.layers[0].self_attn.out_proj
    handle = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].dtype))
    with torch.autocast("cpu", torch.bfloat16):
        model(VALUES, MASK, IDS, ATTENTION)
    handle.remove()
    assert seen == [torch.bfloat16]


def test_invalid_values_raise():
    with pytest.raises(ValueError, match="`rope_theta` must be above 0, got -1"):
        small_config("clip", rope_theta=-1)
    with pytest.raises(ValueError, match=r"width of a head is 3 \(24 / 8 heads\)"):
        small_config("clip", rope_theta=THETA, text_config={"hidden_size": 24, "num_attention_heads": 8})
    with pytest.raises(ValueError, match="has its own position embeddings"):
        small_config("clip", rope_theta=THETA, text_config={"language_model_config": {"model_type": "bert"}})
