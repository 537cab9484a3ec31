"""Cached gradients compared with those of the whole batch. For several processes see test_distributed.py."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from sensorlm_hf.training.distributed import GlobalLosses
from sensorlm_hf.training.grad_cache import cached_backward

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from distributed_parity import gradients, micro_batches, small_model


def whole(objective: str, batch: dict[str, Any]) -> tuple[Any, dict[str, torch.Tensor]]:
    model = small_model(objective)
    output = model(**batch)
    output.loss.backward()
    return output, gradients(model)


@pytest.mark.parametrize("size", [1, 5, 12, 100])
@pytest.mark.parametrize("objective", ["clip", "siglip", "cap", "coca"])
def test_gradients_and_losses_match_whole_batch(objective: str, size: int) -> None:
    batch = micro_batches()[0]
    output, expected = whole(objective, batch)
    # A contrastive model has a single loss, which its output only returns as `loss`.
    expected_parts = {
        "contrastive_loss": output.loss if objective in ("clip", "siglip") else output.contrastive_loss,
        "caption_loss": output.get("caption_loss"),
    }
    model = small_model(objective)
    outcome = cached_backward(model, batch, mini_batch_size=size)
    assert outcome.loss.item() == pytest.approx(output.loss.item(), rel=1e-12)
    for name in ("contrastive_loss", "caption_loss"):
        value, wanted = getattr(outcome, name), expected_parts[name]
        assert (value is None) == (wanted is None)
        if value is not None:
            assert value.item() == pytest.approx(wanted.item(), rel=1e-12)
            assert not value.requires_grad
    found = gradients(model)
    assert set(found) == set(expected)
    for name, grad in expected.items():
        torch.testing.assert_close(found[name], grad, rtol=1e-10, atol=1e-14, msg=name)


def test_gradient_accumulation_does_not_increase_negatives() -> None:
    batch = micro_batches()[0]
    _, expected = whole("clip", batch)
    model = small_model("clip")
    for start in range(0, 12, 4):
        (model(**{name: tensor[start : start + 4] for name, tensor in batch.items()}).loss / 3).backward()
    found = gradients(model)
    assert max((found[name] - grad).abs().max().item() for name, grad in expected.items()) > 1e-3


def with_dropout(objective: str) -> Any:
    model = small_model(objective)
    for module in model.modules():
        if hasattr(module, "attention_dropout"):
            module.attention_dropout = 0.3
        elif isinstance(getattr(module, "dropout", None), float):
            module.dropout = 0.3
    return model


@pytest.mark.parametrize("objective", ["siglip", "coca"])
def test_dropout_is_replayed_in_second_pass(objective: str) -> None:
    """The reference samples the mini-batches' dropout in the order of the first pass, in a single graph."""
    batch = micro_batches()[0]
    reference = with_dropout(objective)
    torch.manual_seed(7)
    first, second = reference(**batch).loss.item(), reference(**batch).loss.item()
    assert first != second, "the model has no dropout to replay"

    model = with_dropout(objective)
    torch.manual_seed(7)
    outcome = cached_backward(model, batch, mini_batch_size=4)
    found = gradients(model)

    # With the same random numbers and weights, a step along the gradient changes the loss as predicted.
    step = 1e-6
    norm = sum(grad.square().sum() for grad in found.values()).sqrt().item()
    losses = []
    for sign in (1, -1):
        moved = with_dropout(objective)
        with torch.no_grad():
            for name, parameter in moved.named_parameters():
                parameter += sign * step * found[name].view_as(parameter) / norm
        torch.manual_seed(7)
        losses.append(cached_backward(moved, batch, mini_batch_size=4).loss.item())
    assert (losses[0] - losses[1]) / (2 * step) == pytest.approx(norm, rel=1e-4)
    assert outcome.loss.item() == pytest.approx(sum(losses) / 2, rel=1e-6)


def test_random_state_advances_after_cached_step() -> None:
    model, batch = with_dropout("siglip"), micro_batches()[0]
    torch.manual_seed(3)
    first = cached_backward(model, batch, mini_batch_size=4).loss.item()
    second = cached_backward(model, batch, mini_batch_size=4).loss.item()
    assert first != second


def test_memory_is_limited_to_mini_batch() -> None:
    sizes: list[int] = []
    model = small_model("coca")
    model.base_model.sensor_model.register_forward_hook(lambda module, inputs, output: sizes.append(len(output[0])))
    cached_backward(model, micro_batches()[0], mini_batch_size=5, losses=GlobalLosses(chunk_size=4))
    assert sizes == [5, 5, 2, 5, 5, 2]


def test_invalid_sizes_raise() -> None:
    with pytest.raises(ValueError, match="`mini_batch_size` must be at least 1, got 0"):
        cached_backward(small_model("clip"), micro_batches()[0], mini_batch_size=0)
