"""Losses over several processes, compared with one process and the whole batch."""

from __future__ import annotations

import logging
import math
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.distributed as dist

from sensorlm_hf.modeling.losses_sensorlm import clip_loss, positive_pairs, siglip_loss
from sensorlm_hf.training.distributed import GlobalLosses, Ring, all_gather, ring_siglip_loss
from sensorlm_hf.training.fsdp import prepare_for_fsdp2, restore_scalars, scalars_to_vectors
from sensorlm_hf.training.losses import clamp_logit_scale, compute_losses, unwrap_sensorlm

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from distributed_parity import (
    CASES,
    TOLERANCE,
    WRONG,
    compare,
    free_port,
    gradients,
    micro_batches,
    part_of,
    small_model,
    start,
)

THREE = [
    "clip gather DDP",
    "siglip gather DDP",
    "siglip ring chunked DDP",
    "cap gather DDP",
    "coca gather DDP",
    "coca gather FSDP2",
    "coca GradCache DDP",
]


@pytest.fixture(scope="module")
def two_ranks() -> list[dict[str, Any]]:
    return compare(2)


@pytest.fixture(scope="module")
def three_ranks() -> list[dict[str, Any]]:
    return compare(3, {name: CASES[name] for name in THREE})


def assert_equal(ranks: list[dict[str, Any]], name: str) -> None:
    for rank in ranks:
        assert rank[name]["loss"] < TOLERANCE
        assert {key: diff for key, diff in rank[name]["gradients"].items() if not diff < TOLERANCE} == {}


@pytest.mark.parametrize("name", CASES)
def test_two_processes_match_loss_and_gradients_of_one(two_ranks: list[dict[str, Any]], name: str) -> None:
    assert_equal(two_ranks, name)


@pytest.mark.parametrize("name", THREE)
def test_three_processes_match_loss_and_gradients_of_one(three_ranks: list[dict[str, Any]], name: str) -> None:
    assert_equal(three_ranks, name)


@pytest.mark.parametrize("name", WRONG)
def test_comparison_detects_common_mistakes(two_ranks: list[dict[str, Any]], name: str) -> None:
    assert max(two_ranks[0][name]["gradients"].values()) > 1e-2


@pytest.mark.parametrize("objective", ["clip", "siglip", "coca"])
def test_comparison_includes_logit_scale_and_bias(two_ranks: list[dict[str, Any]], objective: str) -> None:
    prefix = "sensorlm." if objective == "coca" else ""
    expected = {f"{prefix}{name}" for name in ("logit_scale", "logit_bias")[: 1 + (objective == "siglip")]}
    assert expected <= set(two_ranks[0][f"{objective} gather DDP"]["gradients"])


def collectives(rank: int, port: int, folder: str) -> None:
    """Results of each collective primitive on two processes; runs in a subprocess."""
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    dist.init_process_group("gloo", rank=rank, world_size=2)
    seen: dict[str, Any] = {}
    rows = torch.full((2, 3), float(rank + 1), requires_grad=True)
    gathered = all_gather(rows)
    seen["gathered"] = gathered.detach()
    (gathered * torch.arange(4.0)[:, None] * (rank + 1)).sum().backward()
    seen["grad"] = rows.grad
    (arrived,), requests = Ring().pass_on([torch.tensor([float(rank)])])
    for request in requests:
        request.wait()
    seen["arrived"] = arrived
    half = dist.new_group([0, 1])
    (arrived,), requests = Ring(half).pass_on([torch.tensor([rank + 10.0])])
    for request in requests:
        request.wait()
    seen["arrived in a group"] = arrived
    embeds = torch.nn.functional.normalize(torch.randn(2 + rank, 4), dim=1)
    scale = torch.tensor(5.0)
    groups = torch.zeros(2, dtype=torch.long) if rank else None
    for name, batch, ids in (("uneven", embeds, None), ("groups", embeds[:2], groups)):
        try:
            GlobalLosses().contrastive(batch, batch, scale, None, ids)
        except ValueError as error:
            seen[name] = str(error)
    plain = small_model("clip").eval()
    messages: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("sensorlm_hf.modeling.modeling_sensorlm").addHandler(handler)
    part = part_of(micro_batches()[0], rank, 2)
    with torch.no_grad():
        losses = [plain(**part).loss for _ in range(2)]
        seen["global"] = compute_losses(plain, part, GlobalLosses()).loss
    seen["local"], seen["warnings"] = losses[0], messages
    # The processes stay synchronised after an error.
    total = GlobalLosses().total_over_processes(torch.tensor(rank + 1))
    seen["total"] = int(total)
    torch.save(seen, Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("collectives")
    start(collectives, 2, free_port(), str(folder))
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


def test_all_gather_is_ordered_by_rank_and_sums_gradients(seen: list[dict[str, Any]]) -> None:
    expected = torch.tensor([1.0, 1.0, 2.0, 2.0])[:, None].expand(4, 3)
    assert torch.equal(seen[0]["gathered"], expected)
    assert torch.equal(seen[1]["gathered"], expected)
    # Row k gets factor k from rank 0 and 2 k from rank 1.
    assert torch.equal(seen[0]["grad"], torch.tensor([[0.0], [3.0]]).expand(2, 3))
    assert torch.equal(seen[1]["grad"], torch.tensor([[6.0], [9.0]]).expand(2, 3))


def test_plain_forward_pass_warns_once_that_its_loss_is_local(seen: list[dict[str, Any]]) -> None:
    with torch.no_grad():
        whole = small_model("clip").eval()(**micro_batches()[0]).loss
    shares = torch.stack([rank["global"] for rank in seen])
    torch.testing.assert_close(shares.mean(), whole)
    local = torch.stack([rank["local"] for rank in seen]).mean()
    assert abs(local - whole) > 0.05
    for rank in seen:
        (message,) = rank["warnings"]
        assert "of all 2 processes" in message
        assert "SensorLMTrainer" in message
        assert "compute_losses" in message


def test_ring_passes_to_next_rank(seen: list[dict[str, Any]]) -> None:
    assert [float(rank["arrived"]) for rank in seen] == [1.0, 0.0]
    assert [float(rank["arrived in a group"]) for rank in seen] == [11.0, 10.0]


def test_uneven_batches_raise_on_every_process_without_deadlock(seen: list[dict[str, Any]]) -> None:
    for rank in seen:
        assert "same number of rows, got [2, 3] on ranks 0 to 1" in rank["uneven"]
        assert "with or without `text_group_ids`" in rank["groups"]
        assert rank["total"] == 3


def unit_rows(count: int, seed: int) -> torch.Tensor:
    rows = torch.randn(count, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(rows, dim=1)


GROUPS = torch.tensor([4, 7, 4, 1, 0, 7, 9])


@pytest.mark.parametrize("chunk", [None, 1, 3, 7, 100])
@pytest.mark.parametrize("sigmoid", [False, True])
def test_chunked_loss_and_gradients_match_whole(chunk: int | None, sigmoid: bool) -> None:
    def leaves() -> list[torch.Tensor]:
        numbers = [torch.tensor(4.0, dtype=torch.float64), torch.tensor(-3.0, dtype=torch.float64)]
        return [leaf.requires_grad_() for leaf in [unit_rows(7, 0), unit_rows(7, 1), *numbers[: 1 + sigmoid]]]

    whole, parts = leaves(), leaves()
    positives = positive_pairs(GROUPS)
    expected = siglip_loss(*whole, positives) if sigmoid else clip_loss(*whole, positives)
    bias = parts[3] if sigmoid else None
    found = GlobalLosses(chunk_size=chunk).contrastive(*parts[:3], bias, GROUPS)
    (3 * expected).backward()
    (3 * found).backward()
    assert found.item() == pytest.approx(expected.item(), rel=1e-14)
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(other.grad, one.grad, rtol=1e-12, atol=1e-14)


def test_ring_gradients_match_finite_differences() -> None:
    inputs = (unit_rows(4, 2), unit_rows(4, 3), torch.tensor(2.0).double(), torch.tensor(-1.0).double())
    leaves = tuple(tensor.requires_grad_() for tensor in inputs)
    assert torch.autograd.gradcheck(lambda *x: ring_siglip_loss(*x, GROUPS[:4], chunk_size=3), leaves)


def test_half_precision_embeddings_are_compared_in_float32() -> None:
    sensor, text = unit_rows(6, 4).bfloat16(), unit_rows(6, 5).bfloat16()
    scale, bias, groups = torch.tensor(9.0), torch.tensor(-5.0), torch.arange(6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = ring_siglip_loss(sensor, text, scale, bias, groups)
        whole = siglip_loss(sensor, text, scale, bias)
    assert found.dtype == whole.dtype == torch.float32
    assert found.item() == pytest.approx(siglip_loss(sensor.float(), text.float(), scale, bias).item(), rel=1e-6)
    assert whole.item() == pytest.approx(found.item(), rel=1e-6)


class Wrapper(torch.nn.Module):
    """Like DDP or a compiled module: a module that holds the model and calls it."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, **inputs: Any) -> Any:
        return self.module(**inputs)


@pytest.mark.parametrize("chunk", [None, 5])
@pytest.mark.parametrize("objective", ["clip", "siglip", "cap", "coca"])
def test_losses_from_embeddings_match_model(objective: str, chunk: int | None) -> None:
    batch = micro_batches()[0]
    reference, model = small_model(objective), small_model(objective)
    expected = reference(**batch)
    expected.loss.backward()
    found = compute_losses(Wrapper(model), batch, GlobalLosses(chunk_size=chunk))
    found.loss.backward()
    assert unwrap_sensorlm(Wrapper(model)) is model
    parts = {"contrastive_loss": expected.get("contrastive_loss"), "caption_loss": expected.get("caption_loss")}
    if objective in ("clip", "siglip"):
        parts["contrastive_loss"] = expected.loss
    for name, wanted in {"loss": expected.loss, **parts}.items():
        value = getattr(found, name)
        assert (value is None) == (wanted is None), name
        if value is not None:
            assert value.item() == pytest.approx(wanted.item(), rel=1e-12), name
    grads = gradients(model)
    for name, grad in gradients(reference).items():
        torch.testing.assert_close(grads[name], grad, rtol=1e-10, atol=1e-14, msg=name)
    assert found.outputs.get("logits_per_sensor") is None, "similarities should only be computed in the loss"
    assert found.outputs.get("logits") is None, "the head should only run on scored positions"


def test_losses_use_given_labels() -> None:
    batch = micro_batches()[0]
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    labels[::2] = -100
    batch["labels"] = labels
    model = small_model("coca")
    expected, found = model(**batch), compute_losses(model, batch, GlobalLosses())
    assert found.caption_loss is not None
    assert found.caption_loss.item() == pytest.approx(expected.caption_loss.item(), rel=1e-12)
    without = model(**{**batch, "labels": None}).caption_loss
    assert found.caption_loss.item() != pytest.approx(without.item(), rel=1e-3)


@pytest.mark.parametrize("weights", [(1.0, 2.0), (0.5, 3.0)])
def test_joint_loss_is_weighted_sum_of_parts(weights: tuple[float, float]) -> None:
    model, batch = small_model("coca"), micro_batches()[0]
    model.config.contrastive_loss_weight, model.config.caption_loss_weight = weights
    output = model(**batch)
    for losses in (output, compute_losses(model, batch, GlobalLosses())):
        assert losses.contrastive_loss.item() > 0
        assert losses.caption_loss.item() > 0
        total = weights[0] * losses.contrastive_loss + weights[1] * losses.caption_loss
        assert losses.loss.item() == pytest.approx(total.item(), rel=1e-14)


def test_base_model_of_coca_has_only_contrastive_loss() -> None:
    captioner, batch = small_model("coca"), micro_batches()[0]
    found = compute_losses(captioner.base_model, batch, GlobalLosses())
    assert found.caption_loss is None
    assert found.loss.item() == pytest.approx(captioner(**batch).contrastive_loss.item(), rel=1e-12)
    with pytest.raises(ValueError, match="SensorLMModel of objective 'cap' has no loss"):
        compute_losses(small_model("cap").base_model, batch, GlobalLosses())


@pytest.mark.parametrize("objective", ["clip", "coca"])
def test_temperature_is_clamped_after_step_and_keeps_learning(objective: str) -> None:
    model, batch = small_model(objective), micro_batches()[0]
    scale = model.base_model.logit_scale
    with torch.no_grad():
        scale.fill_(7.0)
    outputs = model(**batch)
    assert outputs.logit_scale.item() == pytest.approx(100.0, rel=1e-12), "the temperature in use should be limited"
    assert scale.item() == 7.0, "a forward pass should not modify the parameter"
    clamp_logit_scale(Wrapper(model))
    assert scale.item() == pytest.approx(math.log(100), rel=1e-12)
    optimizer = torch.optim.SGD([scale], lr=1.0)
    for sign in (-1, 1):  # a step that would increase it stays at the limit; one that decreases it is applied
        optimizer.zero_grad()
        model(**batch).logit_scale.mul(sign * 0.01).backward()
        assert scale.grad.abs().item() == pytest.approx(1.0, rel=1e-12)
        optimizer.step()
        clamp_logit_scale(model)
        assert scale.item() == pytest.approx(math.log(100) - (sign > 0), rel=1e-12)


@pytest.mark.parametrize("objective", ["clip", "siglip", "coca"])
def test_logit_scale_and_bias_in_output_are_copies(objective: str) -> None:
    """FSDP2 frees the storage of unsharded parameters after the forward pass, before the loss is computed."""
    model = small_model(objective)
    output = model(**micro_batches()[0], return_loss=False)
    storages = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    for name in ("logit_scale", "logit_bias")[: 1 + (objective == "siglip")]:
        assert output[name].untyped_storage().data_ptr() not in storages, name


@pytest.mark.parametrize("objective", ["siglip", "cap"])
def test_only_softmax_temperature_is_clamped(objective: str) -> None:
    model = small_model(objective)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    if objective == "siglip":
        with torch.no_grad():
            model.logit_scale.fill_(7.0)
        before["logit_scale"] = torch.full_like(before["logit_scale"], 7.0)
    clamp_logit_scale(model)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_scalars_to_vectors_preserves_loss() -> None:
    model = small_model("siglip")
    batch = micro_batches()[0]
    expected = model(**batch).loss.item()
    scalars_to_vectors(model)
    assert model.logit_scale.shape == model.logit_bias.shape == (1,)
    assert model(**batch).loss.item() == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("objective", "named", "left"),
    [
        ("siglip", "SensorLMEncoderLayer,SensorLMCrossAttentionLayer", ["SensorLMEncoderLayer"]),
        ("coca", None, ["SensorLMCrossAttentionLayer", "SensorLMEncoderLayer"]),
        ("clip", None, ["SensorLMEncoderLayer"]),
    ],
)
def test_fsdp2_wraps_existing_layers(objective: str, named: str | None, left: list[str]) -> None:
    plugin = SimpleNamespace(transformer_cls_names_to_wrap=None if named is None else named.split(","))
    accelerator = SimpleNamespace(is_fsdp2=True, state=SimpleNamespace(fsdp_plugin=plugin))
    model = small_model(objective)
    prepare_for_fsdp2(model, accelerator)
    assert plugin.transformer_cls_names_to_wrap == left
    assert model.base_model.logit_scale.shape == (1,)
    scalars = {name: tensor.ndim for name, tensor in restore_scalars(model.state_dict()).items() if "logit_" in name}
    assert set(scalars.values()) == {0}


def test_fsdp2_with_unknown_layers_raises() -> None:
    plugin = SimpleNamespace(transformer_cls_names_to_wrap=["LlamaDecoderLayer"])
    accelerator = SimpleNamespace(is_fsdp2=True, state=SimpleNamespace(fsdp_plugin=plugin))
    with pytest.raises(
        ValueError, match="names LlamaDecoderLayer, none of which the model contains; it has SensorLMEncode"
    ):
        prepare_for_fsdp2(small_model("siglip"), accelerator)
    model = small_model("siglip")
    prepare_for_fsdp2(model, SimpleNamespace(is_fsdp2=False))
    assert model.logit_scale.ndim == 0


@pytest.mark.parametrize(
    ("options", "words"), [({"exchange": "star"}, "gather, ring, got 'star'"), ({"chunk_size": 0}, "at least 1, got 0")]
)
def test_invalid_options_raise(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        GlobalLosses(**options)


def test_other_model_types_raise() -> None:
    with pytest.raises(TypeError, match="SensorLMForConditionalGeneration, plain or wrapped, got Linear"):
        unwrap_sensorlm(torch.nn.Linear(1, 1))
