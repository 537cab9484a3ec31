"""Contrastive batches larger than memory allows, by gradient caching (GradCache; Gao et al., 2021).

Plain gradient accumulation does not enlarge a contrastive batch: the recordings of one micro-batch never meet the texts
of another, so there are no more negatives than in a small batch. Here all mini-batches are embedded first, without the
states that a backward pass needs; the loss of the whole batch and its gradient on the embeddings follow; then every
mini-batch is embedded again, and that gradient is passed on through it. Loss and gradients are those of the whole
batch, memory is that of a mini-batch, and the price is one more forward pass of the towers.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.checkpoint import get_device_states, set_device_states

from ..modeling.losses_sensorlm import caption_loss
from .distributed import GlobalLosses, losses_by, sensorlm_of, world_size


@dataclass
class CachedLoss:
    """Losses of a batch whose gradients are in place already.

    Attributes:
        loss: The loss, or this process's share of it; detached.
        contrastive_loss: Its contrastive part, if the objective has one.
        caption_loss: Its caption part, if the objective has one.
    """

    loss: torch.Tensor
    contrastive_loss: torch.Tensor | None = None
    caption_loss: torch.Tensor | None = None


class _RandomState:
    """The state of the random generators before a forward pass, to be restored before its repetition."""

    def __init__(self, *tensors: torch.Tensor) -> None:
        self._cpu = torch.get_rng_state()
        self._devices, self._states = get_device_states(*tensors)

    def restored(self) -> AbstractContextManager[None]:
        """Returns a context with this state, after which the generators go on as if it had not been."""
        return _Restored(self)


class _Restored(AbstractContextManager[None]):
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


class _Embedding:
    """First pass: keeps what the loss needs of a mini-batch."""

    embeddings_only = True

    def __init__(self) -> None:
        self.sensors: list[torch.Tensor] = []
        self.texts: list[torch.Tensor] = []
        self.scale: torch.Tensor | None = None
        self.bias: torch.Tensor | None = None

    def contrastive(self, sensor: Any, text: Any, scale: Any, bias: Any, groups: Any) -> torch.Tensor:
        self.sensors.append(sensor.detach())
        self.texts.append(text.detach())
        self.scale, self.bias = scale.detach(), None if bias is None else bias.detach()
        return sensor.new_zeros(())


class _Repeating:
    """Second pass: losses whose gradients, summed over the mini-batches, are those of the whole batch."""

    embeddings_only = False

    def __init__(self, parts: int, world: int) -> None:
        self.parts = parts
        self.world = world
        self.rows = slice(0, 0)
        self.loss: torch.Tensor | None = None
        self.gradients: tuple[torch.Tensor, ...] = ()
        self.tokens: torch.Tensor | None = None

    def contrastive(self, sensor: Any, text: Any, scale: Any, bias: Any, groups: Any) -> torch.Tensor:
        if self.loss is None:
            raise RuntimeError("The contrastive loss was not computed before its gradients are passed on.")
        by_sensor, by_text, by_scale, *by_bias = self.gradients
        carrier = (sensor * by_sensor[self.rows]).sum() + (text * by_text[self.rows]).sum()
        # Every mini-batch brings its part of what the two learned numbers receive once.
        carrier = carrier + (scale * by_scale).sum() / self.parts
        if by_bias:
            carrier = carrier + (bias * by_bias[0]).sum() / self.parts
        # The gradient of the carrier, with the value of the loss.
        return carrier - carrier.detach() + self.loss / self.parts

    def caption(self, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return caption_loss(scores, targets, total=self.tokens) * self.world


def cached_backward(
    model: Any,
    inputs: dict[str, torch.Tensor],
    *,
    mini_batch_size: int,
    losses: GlobalLosses | None = None,
    backward: Callable[[torch.Tensor], None] = torch.Tensor.backward,
    no_sync: Callable[[], AbstractContextManager[Any]] = nullcontext,
    context: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> CachedLoss:
    """Computes the loss of a batch and adds its gradients to the parameters, holding one mini-batch at a time.

    Random numbers drawn by the model (dropout) are the same in both passes, so the gradients belong to the loss that is
    returned.

    Args:
        model: A [`SensorLMModel`], plain or wrapped by DDP or FSDP2.
        inputs: Keyword arguments of its forward pass; every tensor has one row for each recording.
        mini_batch_size: Recordings that pass through the model at once; the same on all processes.
        losses: How the loss of the batch is computed; over all processes by default.
        backward: Called with the loss of each mini-batch.
        no_sync: Context in which all mini-batches but the last run, so that gradients are exchanged once.
        context: Context of every forward pass, such as autocast.

    Returns:
        The losses, detached. On several processes they are shares; see [`GlobalLosses`].

    Raises:
        ValueError: If `mini_batch_size` is below 1, or processes bring unequal numbers of rows.
    """
    if mini_batch_size < 1:
        raise ValueError(f"`mini_batch_size` must be at least 1, got {mini_batch_size}.")
    losses = GlobalLosses() if losses is None else losses
    inner = sensorlm_of(model)
    rows = len(inputs["input_ids"])
    parts = [slice(start, min(start + mini_batch_size, rows)) for start in range(0, rows, mini_batch_size)]
    batches = [{name: tensor[part] for name, tensor in inputs.items()} for part in parts]
    repeating = _Repeating(len(parts), world_size(losses.group))
    states = [None] * len(parts)
    if inner.config.is_contrastive:
        states = _embed(model, batches, inputs, losses, repeating, context)
    if inner.config.is_generative:
        targets = inner._caption_targets(inputs["input_ids"], inputs.get("attention_mask"), inputs.get("labels"))
        repeating.tokens = losses.total_over_processes((targets != -100).sum())
    totals: dict[str, torch.Tensor | None] = {"loss": None, "contrastive_loss": None, "caption_loss": None}
    for number, (part, batch, state) in enumerate(zip(parts, batches, states, strict=True)):
        repeating.rows = part
        with nullcontext() if number == len(parts) - 1 else no_sync():
            with nullcontext() if state is None else state.restored(), losses_by(repeating, model), context():
                output = model(**batch)
            backward(output["loss"])
        for name, total in totals.items():
            value = output.get(name)
            if value is not None:
                totals[name] = value.detach() if total is None else total + value.detach()
    return CachedLoss(**totals)


def _embed(
    model: Any,
    batches: list[dict[str, torch.Tensor]],
    inputs: dict[str, torch.Tensor],
    losses: GlobalLosses,
    repeating: _Repeating,
    context: Callable[[], AbstractContextManager[Any]],
) -> list[Any]:
    """Embeds all mini-batches and fills in the loss and its gradients; returns the random states to restore."""
    embedding, states = _Embedding(), []
    with torch.no_grad(), losses_by(embedding, model):
        for batch in batches:
            states.append(_RandomState(*batch.values()))
            with context():
                model(**batch)
    leaves = [torch.cat(embedding.sensors), torch.cat(embedding.texts), embedding.scale]
    leaves += [] if embedding.bias is None else [embedding.bias]
    with torch.enable_grad():
        leaves = [leaf.clone().requires_grad_() for leaf in leaves if leaf is not None]
        sensor, text, scale, *bias = leaves
        loss = losses.contrastive(sensor, text, scale, bias[0] if bias else None, inputs.get("text_group_ids"))
        repeating.gradients = torch.autograd.grad(loss, leaves)
    repeating.loss = loss.detach()
    return states
