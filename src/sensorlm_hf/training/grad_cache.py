"""Contrastive batches larger than memory allows, by gradient caching (GradCache; Gao et al., 2021).

Plain gradient accumulation does not enlarge a contrastive batch: recordings are only compared with texts of the same
micro-batch, so the number of negatives stays that of a small batch. Gradient caching first embeds all mini-batches
without storing activations, then computes the loss of the full batch and its gradient with respect to the embeddings,
and finally embeds every mini-batch again to backpropagate that gradient. Loss and gradients are those of the full
batch, memory is that of a mini-batch, and the cost is one additional forward pass of the towers.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils.checkpoint import get_device_states, set_device_states

from .distributed import GlobalLosses
from .losses import Losses, caption_inputs, has_caption_loss, unwrap_sensorlm, weighted_losses


class _RandomState:
    """State of the random number generators before a forward pass, restored before it is repeated."""

    def __init__(self, *tensors: torch.Tensor) -> None:
        self._cpu = torch.get_rng_state()
        self._devices, self._states = get_device_states(*tensors)

    def restore(self) -> AbstractContextManager[None]:
        """Returns a context with this state; the generators' current state is restored on exit."""
        return _RestoredState(self)


class _RestoredState(AbstractContextManager[None]):
    def __init__(self, state: _RandomState) -> None:
        self._state = state
        self._fork = torch.random.fork_rng(devices=state._devices)

    def __enter__(self) -> None:
        self._fork.__enter__()
        torch.set_rng_state(self._state._cpu)
        if self._state._states:
            set_device_states(self._state._devices, self._state._states)

    def __exit__(self, *error: Any) -> None:
        self._fork.__exit__(*error)


@dataclass
class _Cache:
    """The contrastive loss of the batch and its gradients.

    Attributes:
        loss: The loss, detached.
        gradients: Gradients with respect to sensor embeddings, text embeddings, temperature and, for the sigmoid loss,
            bias.
        states: State of the random number generators before each mini-batch.
    """

    loss: torch.Tensor
    gradients: tuple[torch.Tensor, ...]
    states: list[_RandomState] = field(default_factory=list)

    def surrogate(self, outputs: Any, rows: slice, parts: int) -> torch.Tensor:
        """Returns a scalar for a mini-batch; over all mini-batches values and gradients sum to those of the loss.

        Args:
            outputs: Output of the model for the mini-batch.
            rows: Rows of the mini-batch.
            parts: Number of mini-batches.
        """
        grad_sensor, grad_text, grad_scale, *grad_bias = self.gradients
        scalar = (outputs["sensor_embeds"] * grad_sensor[rows]).sum() + (outputs["text_embeds"] * grad_text[rows]).sum()
        # Temperature and bias are shared by all mini-batches, so each contributes a part of their gradient.
        scalar = scalar + (outputs["logit_scale"] * grad_scale).sum() / parts
        if grad_bias:
            scalar = scalar + (outputs["logit_bias"] * grad_bias[0]).sum() / parts
        return scalar - scalar.detach() + self.loss / parts


def cached_backward(
    model: Any,
    inputs: dict[str, torch.Tensor],
    *,
    mini_batch_size: int,
    losses: GlobalLosses | None = None,
    backward: Callable[[torch.Tensor], None] = torch.Tensor.backward,
    no_sync: Callable[[], AbstractContextManager[Any]] = nullcontext,
    context: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Losses:
    """Computes the loss of a batch and accumulates its gradients, with the memory of one mini-batch.

    Dropout masks are the same in both forward passes, so the gradients are those of the returned loss.

    Args:
        model: A [`SensorLMModel`] or [`SensorLMForConditionalGeneration`], plain or wrapped by DDP or FSDP2.
        inputs: Keyword arguments of its forward pass; every tensor has one row per recording.
        mini_batch_size: Recordings per forward pass; must be the same on all processes.
        losses: How the loss of the batch is computed; over all processes by default.
        backward: Called with the loss of each mini-batch.
        no_sync: Context for all mini-batches except the last, so that gradients are synchronized once.
        context: Context of every forward pass, such as autocast.

    Returns:
        The losses, detached. On several processes they are shares; see [`GlobalLosses`].

    Raises:
        ValueError: If `mini_batch_size` is below 1, the number of rows differs between processes, or the model has no
            loss, or there are statements.
    """
    if mini_batch_size < 1:
        raise ValueError(f"`mini_batch_size` must be at least 1, got {mini_batch_size}.")
    if inputs.get("statement_truth") is not None:
        raise ValueError(
            "Gradient caching divides a batch into mini-batches of days, but statements are related to all days of a"
            " batch. Train without statements, or leave `contrastive_mini_batch_size` unset."
        )
    losses = GlobalLosses() if losses is None else losses
    inputs = dict(inputs)
    groups = inputs.pop("text_group_ids", None)
    if has_caption_loss(model):
        inputs.update(caption_inputs(inputs, losses))
    num_items = inputs.pop("num_items_in_batch", None)
    rows = len(inputs["input_ids"])
    parts = [slice(start, min(start + mini_batch_size, rows)) for start in range(0, rows, mini_batch_size)]
    batches = [{name: tensor[part] for name, tensor in inputs.items()} for part in parts]
    cache = _embed(model, batches, groups, losses, context) if unwrap_sensorlm(model).config.is_contrastive else None
    total = Losses(torch.zeros(()))
    for number, (part, batch) in enumerate(zip(parts, batches, strict=True)):
        with nullcontext() if number == len(parts) - 1 else no_sync():
            with nullcontext() if cache is None else cache.states[number].restore(), context():
                outputs = model(**batch, return_loss=False, num_items_in_batch=num_items)
                contrastive = None if cache is None else cache.surrogate(outputs, part, len(parts))
                result = weighted_losses(model, outputs, contrastive, losses)
            backward(result.loss)
        for name in ("loss", "contrastive_loss", "caption_loss"):  # there are no statements
            value, before = getattr(result, name), getattr(total, name)
            if value is not None:
                value = value.detach()
                setattr(total, name, value if number == 0 else before + value)
    return total


def _embed(
    model: Any,
    batches: list[dict[str, torch.Tensor]],
    groups: torch.Tensor | None,
    losses: GlobalLosses,
    context: Callable[[], AbstractContextManager[Any]],
) -> _Cache:
    """Embeds all mini-batches; returns the contrastive loss, its gradients and the random states."""
    states, outputs = [], []
    with torch.no_grad():
        for batch in batches:
            states.append(_RandomState(*batch.values()))
            with context():
                # In training, the decoder only runs if there are labels or a loss is requested.
                outputs.append(
                    model(**{name: tensor for name, tensor in batch.items() if name != "labels"}, return_loss=False)
                )
    leaves = [torch.cat([output[name] for output in outputs]) for name in ("sensor_embeds", "text_embeds")]
    leaves.append(outputs[0]["logit_scale"])
    if outputs[0].get("logit_bias") is not None:
        leaves.append(outputs[0]["logit_bias"])
    with torch.enable_grad():
        leaves = [leaf.detach().clone().requires_grad_() for leaf in leaves]
        sensor, text, scale, *bias = leaves
        loss = losses.contrastive(sensor, text, scale, bias[0] if bias else None, groups)
        gradients = torch.autograd.grad(loss, leaves)
    return _Cache(loss.detach(), gradients, states)
