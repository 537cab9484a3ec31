"""Exact losses of a batch that is spread over processes, or too large for one matrix of similarities.

A contrastive loss compares every recording with every text of the *global* batch. Each process computes the rows of its
own recordings and texts; what it returns is its **share**: the mean of the shares over all processes is the loss of the
whole batch, and since DDP and FSDP average gradients over processes, every parameter gets the gradient that one process
with the whole batch would compute, the learned temperature and bias included.

Plain `all_gather` and `accelerate.gather` do not: they carry no gradient back to the process an embedding came from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch.utils.checkpoint import checkpoint

from ..modeling import SensorLMForConditionalGeneration, SensorLMModel
from ..modeling.losses_sensorlm import (
    caption_targets,
    clip_loss,
    contrastive_cross_entropy,
    positive_pairs,
    siglip_loss,
)
from ..modeling.modeling_sensorlm import MAX_CLIP_LOGIT_SCALE

EXCHANGES = ("gather", "ring")
"""How embeddings travel: all to everyone at once, or texts from neighbour to neighbour (sigmoid loss only)."""


def world_size(group: Any = None) -> int:
    """Returns the number of processes of a group; 1 without `torch.distributed`."""
    return dist.get_world_size(group) if dist.is_available() and dist.is_initialized() else 1


def rank_of(group: Any = None) -> int:
    """Returns the number of this process in a group; 0 without `torch.distributed`."""
    return dist.get_rank(group) if dist.is_available() and dist.is_initialized() else 0


class _AllGather(torch.autograd.Function):
    """Rows of all processes, in the order of their ranks; the gradient of a row is the sum over all processes."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, group: Any) -> torch.Tensor:
        ctx.group, ctx.rows = group, len(rows)
        parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(world_size(group))]
        dist.all_gather(parts, rows.contiguous(), group=group)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None]:
        total = grads[0].contiguous().clone()
        dist.all_reduce(total, group=ctx.group)
        start = rank_of(ctx.group) * ctx.rows
        return total[start : start + ctx.rows], None


def all_gather(rows: torch.Tensor, group: Any = None) -> torch.Tensor:
    """Gathers rows of all processes, with gradients.

    Args:
        rows: `(n, ...)`, the same shape on every process.
        group: Process group; all processes by default.

    Returns:
        `(world * n, ...)` in the order of ranks. In the backward pass each process's rows receive the sum of what all
        processes computed for them.
    """
    return rows if world_size(group) == 1 else _AllGather.apply(rows, group)


def check_even(counts: Sequence[int], names: Sequence[str], device: torch.device, group: Any = None) -> None:
    """Raises on every process unless all agree on these numbers.

    One small collective of fixed size comes first, because collectives of unequal sizes abort or hang the processes
    instead of raising.

    Args:
        counts: Numbers of this process.
        names: What they count.
        device: Device of the collective.
        group: Process group.

    Raises:
        ValueError: If a number differs between processes; it lists the number of each rank.
    """
    if world_size(group) == 1:
        return
    mine = torch.tensor(list(counts), dtype=torch.int64, device=device)
    parts = [torch.empty_like(mine) for _ in range(world_size(group))]
    dist.all_gather(parts, mine, group=group)
    table = torch.stack(parts).T.tolist()
    for name, row in zip(names, table, strict=True):
        if len(set(row)) > 1:
            raise ValueError(
                f"Every process must bring the same {name}, got {row} on ranks 0 to {len(row) - 1}. Give each process"
                " batches of one size: drop the last short batch (`drop_last`), as PersonSampler does."
            )


class Ring:
    """Passes tensors to the next process and takes those of the previous one.

    Args:
        group: Process group; all processes by default.
    """

    def __init__(self, group: Any = None) -> None:
        self.group = group
        self.size = world_size(group)
        self.rank = rank_of(group)

    def pass_on(self, tensors: Sequence[torch.Tensor]) -> tuple[list[torch.Tensor], list[Any]]:
        """Starts sending tensors to the next rank.

        Args:
            tensors: Contiguous tensors, of the same shapes on every process. They must stay unchanged until the
                exchange has ended.

        Returns:
            Where the tensors of the previous rank arrive, and the requests to wait for first.
        """
        received = [torch.empty_like(tensor) for tensor in tensors]
        if self.size == 1:
            for target, tensor in zip(received, tensors, strict=True):
                target.copy_(tensor)
            return received, []
        following, previous = (self.rank + 1) % self.size, (self.rank - 1) % self.size
        if self.group is not None:
            following, previous = (dist.get_global_rank(self.group, rank) for rank in (following, previous))
        operations = [dist.P2POp(dist.isend, tensor, following, self.group) for tensor in tensors]
        operations += [dist.P2POp(dist.irecv, target, previous, self.group) for target in received]
        return received, dist.batch_isend_irecv(operations)


def _rows(count: int, chunk: int | None) -> Iterator[slice]:
    step = count if chunk is None else chunk
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


class _RingSigmoid(torch.autograd.Function):
    """The sigmoid loss with texts that travel around a ring.

    Neither the texts of other processes nor any similarities are kept for the backward pass: a second lap makes them
    again, and each text's gradient travels with it until it is home. Memory therefore does not depend on the number of
    processes.
    """

    @staticmethod
    def forward(
        ctx: Any,
        sensor: torch.Tensor,
        text: torch.Tensor,
        scale: torch.Tensor,
        bias: torch.Tensor,
        groups: torch.Tensor,
        ring: Ring,
        chunk: int | None,
    ) -> torch.Tensor:
        ctx.save_for_backward(sensor, text, scale, bias, groups)
        ctx.ring, ctx.chunk = ring, chunk
        total = sensor.new_zeros(())
        visiting = [text.contiguous(), groups.contiguous()]
        for lap in range(ring.size):
            last = lap == ring.size - 1
            arriving, requests = ([], []) if last else ring.pass_on(visiting)
            for rows in _rows(len(sensor), chunk):
                signs = _signs(groups[rows], visiting[1], rows.start if lap == 0 else None, sensor.dtype)
                logits = scale * (sensor[rows] @ visiting[0].T) + bias
                total -= torch.nn.functional.logsigmoid(signs * logits).sum()
            for request in requests:
                request.wait()
            visiting = arriving
        return total / len(sensor)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        sensor, text, scale, bias, groups = ctx.saved_tensors
        ring = ctx.ring
        sensor_grad, scale_grad, bias_grad = torch.zeros_like(sensor), torch.zeros_like(scale), torch.zeros_like(bias)
        visiting = [text.contiguous(), groups.contiguous()]
        visiting_grad = torch.zeros_like(visiting[0])
        for lap in range(ring.size):
            last = lap == ring.size - 1
            arriving, requests = ([], []) if last else ring.pass_on(visiting)
            for rows in _rows(len(sensor), ctx.chunk):
                signs = _signs(groups[rows], visiting[1], rows.start if lap == 0 else None, sensor.dtype)
                cosines = sensor[rows] @ visiting[0].T
                # d/dx of -log sigmoid(z x) is -z sigmoid(-z x).
                slopes = -signs * torch.sigmoid(-signs * (scale * cosines + bias)) * (grads[0] / len(sensor))
                sensor_grad[rows] += scale * (slopes @ visiting[0])
                visiting_grad += scale * (slopes.T @ sensor[rows])
                scale_grad += (slopes * cosines).sum()
                bias_grad += slopes.sum()
            # Gradients go one step further than the texts: after the last lap they are home.
            (arrived,), grad_requests = ring.pass_on([visiting_grad])
            for request in [*requests, *grad_requests]:
                request.wait()
            visiting, visiting_grad = arriving, arrived
        return sensor_grad, visiting_grad, scale_grad, bias_grad, None, None, None


def _signs(groups: torch.Tensor, visiting: torch.Tensor, offset: int | None, dtype: torch.dtype) -> torch.Tensor:
    """Returns +1 for pairs that belong together and -1 for others; `offset` is where a recording's own texts begin."""
    if offset is None:
        return (groups[:, None] == visiting[None, :]).to(dtype) * 2 - 1
    return positive_pairs(groups, visiting, offset=offset).to(dtype) * 2 - 1


def ring_siglip_loss(
    sensor_embeds: torch.Tensor,
    text_embeds: torch.Tensor,
    logit_scale: torch.Tensor,
    logit_bias: torch.Tensor,
    groups: torch.Tensor,
    *,
    ring: Ring | None = None,
    chunk_size: int | None = None,
) -> torch.Tensor:
    """This process's share of the sigmoid loss, in memory that does not grow with the number of processes.

    Args:
        sensor_embeds: `(n, D)` rows of length 1, of this process.
        text_embeds: `(n, D)` rows of length 1, of this process.
        logit_scale: Factor on the similarities, a scalar.
        logit_bias: Bias, a scalar.
        groups: `(n,)` integers, equal for texts that say the same, on whichever process.
        ring: The ring; all processes by default.
        chunk_size: Recordings whose similarities are held at once; all of this process by default.

    Returns:
        The mean over this process's recordings of the sum over all texts, a scalar. It has no second derivative.
    """
    # Autocast would compute the similarities in half precision; a Function's backward runs outside of it.
    with torch.autocast(sensor_embeds.device.type, enabled=False):
        wide = torch.promote_types(sensor_embeds.dtype, torch.float32)
        shape: tuple[int, ...] = ()
        return _RingSigmoid.apply(
            sensor_embeds.to(wide),
            text_embeds.to(wide),
            logit_scale.to(wide).reshape(shape),
            logit_bias.to(wide).reshape(shape),
            groups,
            ring or Ring(),
            chunk_size,
        )


class GlobalLosses:
    """Losses of a batch over several processes, or of a large one on a single process; see [`compute_losses`].

    What it returns is this process's share; its mean over processes is the loss of the global batch.

    Args:
        exchange: `"gather"` or `"ring"`; the ring serves the sigmoid loss alone, others gather whatever is chosen.
        chunk_size: Recordings whose similarities are held at once. By default all; with it the matrix of similarities
            is made in parts, twice, and memory grows with the batch rather than with its square.
        group: Process group; all processes by default.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, exchange: str = "gather", chunk_size: int | None = None, group: Any = None) -> None:
        if exchange not in EXCHANGES:
            raise ValueError(f"`exchange` must be one of {', '.join(EXCHANGES)}, got {exchange!r}.")
        if chunk_size is not None and chunk_size < 1:
            raise ValueError(f"`chunk_size` must be at least 1, got {chunk_size}.")
        self.exchange = exchange
        self.chunk_size = chunk_size
        self.group = group

    # Collectives do not belong into compiled graphs; the loss is a tiny part of a step.
    @torch.compiler.disable
    def contrastive(
        self,
        sensor_embeds: torch.Tensor,
        text_embeds: torch.Tensor,
        logit_scale: torch.Tensor,
        logit_bias: torch.Tensor | None,
        text_group_ids: torch.Tensor | None,
    ) -> torch.Tensor:
        """Computes this process's share of the contrastive loss.

        Args:
            sensor_embeds: `(n, D)` rows of length 1, of this process.
            text_embeds: `(n, D)` rows of length 1, of this process.
            logit_scale: Factor on the similarities, a scalar.
            logit_bias: Bias of the sigmoid loss; `None` chooses the softmax loss.
            text_group_ids: `(n,)` integers, equal for texts that say the same; comparable between processes.

        Returns:
            The share, a scalar.

        Raises:
            ValueError: If the processes bring unequal numbers of rows, or only some of them bring groups.
        """
        count, device = len(sensor_embeds), sensor_embeds.device
        check_even(
            [count, sensor_embeds.shape[1], int(text_group_ids is not None)],
            ["number of rows", "width of embeddings", "kind of batch (with or without `text_group_ids`)"],
            device,
            self.group,
        )
        offset = rank_of(self.group) * count
        groups = text_group_ids
        if groups is None:
            groups = torch.arange(offset, offset + count, device=device)
        if logit_bias is not None and (self.exchange == "ring" or world_size(self.group) == 1):
            return ring_siglip_loss(
                sensor_embeds,
                text_embeds,
                logit_scale,
                logit_bias,
                groups,
                ring=Ring(self.group),
                chunk_size=self.chunk_size,
            )
        # One exchange for both sides, so that one reduction brings the gradients back.
        both = all_gather(torch.cat([sensor_embeds, text_embeds], dim=1), self.group)
        all_sensors, all_texts = both.chunk(2, dim=1)
        all_groups = groups
        if world_size(self.group) > 1:
            parts = [torch.empty_like(groups) for _ in range(world_size(self.group))]
            dist.all_gather(parts, groups.contiguous(), group=self.group)
            all_groups = torch.cat(parts)
        total = sensor_embeds.new_zeros(())
        for rows in _rows(count, self.chunk_size):
            arguments = (
                sensor_embeds[rows],
                text_embeds[rows],
                all_sensors,
                all_texts,
                logit_scale,
                logit_bias,
                groups[rows],
                all_groups,
                offset + rows.start,
            )
            if self.chunk_size is None:
                part = _share_of_rows(*arguments)
            else:
                part = checkpoint(_share_of_rows, *arguments, use_reentrant=False, preserve_rng_state=False)
            total = total + part * ((rows.stop - rows.start) / count)
        return total

    def caption_divisor(self, tokens: torch.Tensor) -> torch.Tensor:
        """Returns the number of tokens by which this process divides its summed caption loss.

        Args:
            tokens: Number of scored tokens of this process, a scalar.

        Returns:
            The mean number of scored tokens of a process: longer captions on one process then weigh as much as they
            would in one batch.
        """
        return self.total_over_processes(tokens) / world_size(self.group)

    def reduce_caption(self, share: torch.Tensor) -> torch.Tensor:
        """Returns the caption loss given this process's share of it."""
        return share

    def total_over_processes(self, number: torch.Tensor) -> torch.Tensor:
        """Returns the sum of a number over the processes; it carries no gradient."""
        total = number.detach().clone()
        if world_size(self.group) > 1:
            dist.all_reduce(total, group=self.group)
        return total


class EvaluationLosses(GlobalLosses):
    """The losses of an evaluation batch, the same number on every process; they carry no gradient.

    Loaders fill the last batch of an epoch up with rows that were there before. Given how many rows are real, these are
    left out, so that an evaluation gives the same numbers on any number of processes.

    Args:
        rows: Real rows of the global batch, the first ones in the order of ranks; all by default.
        group: Process group; all processes by default.
    """

    def __init__(self, rows: int | None = None, group: Any = None) -> None:
        super().__init__(group=group)
        self.rows = rows

    def gathered(self, tensor: torch.Tensor) -> torch.Tensor:
        """Returns the real rows of all processes, without gradient."""
        tensor = tensor.detach().contiguous()
        if world_size(self.group) > 1:
            parts = [torch.empty_like(tensor) for _ in range(world_size(self.group))]
            dist.all_gather(parts, tensor, group=self.group)
            tensor = torch.cat(parts)
        return tensor[: self.rows]

    def is_real(self, count: int) -> torch.Tensor:
        """Returns which of this process's `count` rows are real, `(count,)` bool."""
        start = rank_of(self.group) * count
        end = world_size(self.group) * count if self.rows is None else self.rows
        return torch.arange(start, start + count) < end

    @torch.compiler.disable
    def contrastive(
        self,
        sensor_embeds: torch.Tensor,
        text_embeds: torch.Tensor,
        logit_scale: torch.Tensor,
        logit_bias: torch.Tensor | None,
        text_group_ids: torch.Tensor | None,
    ) -> torch.Tensor:
        """Computes the contrastive loss of the whole batch; see [`GlobalLosses.contrastive`]."""
        check_even([len(sensor_embeds)], ["number of rows"], sensor_embeds.device, self.group)
        sensor, text = self.gathered(sensor_embeds), self.gathered(text_embeds)
        positives = None if text_group_ids is None else positive_pairs(self.gathered(text_group_ids))
        if logit_bias is not None:
            return siglip_loss(sensor, text, logit_scale.detach(), logit_bias.detach(), positives)
        return clip_loss(sensor, text, logit_scale.detach(), positives)

    def reduce_caption(self, share: torch.Tensor) -> torch.Tensor:
        """Returns the mean of the shares."""
        return self.total_over_processes(share) / world_size(self.group)


def _share_of_rows(
    sensor: torch.Tensor,
    text: torch.Tensor,
    all_sensors: torch.Tensor,
    all_texts: torch.Tensor,
    scale: torch.Tensor,
    bias: torch.Tensor | None,
    groups: torch.Tensor,
    all_groups: torch.Tensor,
    offset: int,
) -> torch.Tensor:
    """The contrastive loss of some rows against the whole batch."""
    positives = positive_pairs(groups, all_groups, offset=offset)
    if bias is not None:
        return siglip_loss(sensor, all_texts, scale, bias, positives)
    with torch.autocast(sensor.device.type, enabled=False):
        by_sensor = contrastive_cross_entropy(scale * (sensor @ all_texts.T), positives)
        by_text = contrastive_cross_entropy(scale * (text @ all_sensors.T), positives)
    return (by_sensor + by_text) / 2


def unwrap_sensorlm(model: Any) -> Any:
    """Returns the [`SensorLMForConditionalGeneration`] or [`SensorLMModel`] that DDP, FSDP, PEFT or a compiler wraps.

    Raises:
        TypeError: If there is none.
    """
    for module in model.modules():
        if isinstance(module, (SensorLMForConditionalGeneration, SensorLMModel)):
            return module
    raise TypeError(
        f"Give a SensorLMModel or SensorLMForConditionalGeneration, plain or wrapped, got {type(model).__name__}."
    )


@dataclass
class Losses:
    """Losses of a batch.

    Attributes:
        loss: Scalar, the weighted sum of the losses below.
        contrastive_loss: Scalar, unweighted; `None` for `cap`.
        caption_loss: Scalar, unweighted; `None` for the contrastive objectives.
        outputs: Output of the model; without one where it ran in several parts.
    """

    loss: torch.Tensor
    contrastive_loss: torch.Tensor | None = None
    caption_loss: torch.Tensor | None = None
    outputs: Any = None


def compute_losses(model: Any, inputs: Mapping[str, Any], losses: GlobalLosses) -> Losses:
    """Runs a model and computes the losses of a batch over processes from its embeddings.

    Args:
        model: A [`SensorLMModel`] or [`SensorLMForConditionalGeneration`], plain or wrapped by DDP, FSDP2, PEFT or a
            compiler.
        inputs: Keyword arguments of its forward pass.
        losses: How the losses are computed.

    Returns:
        The losses. On several processes they are shares, see [`GlobalLosses`].

    Raises:
        ValueError: If the processes bring unequal numbers of rows.
    """
    inputs = dict(inputs)
    groups = inputs.pop("text_group_ids", None)
    if unwrap_sensorlm(model).config.is_generative:
        inputs.update(caption_inputs(inputs, losses))
    outputs = model(**inputs, return_loss=False)
    contrastive = None
    if outputs.get("text_embeds") is not None:
        contrastive = losses.contrastive(
            outputs["sensor_embeds"], outputs["text_embeds"], outputs["logit_scale"], outputs.get("logit_bias"), groups
        )
    return weighted_losses(unwrap_sensorlm(model).config, outputs, contrastive, losses)


def caption_inputs(inputs: Mapping[str, Any], losses: GlobalLosses) -> dict[str, torch.Tensor]:
    """Returns what a forward pass needs to compute this process's share of the caption loss.

    Args:
        inputs: `input_ids`, and where there are `attention_mask` and `labels`.
        losses: How the losses are computed.

    Returns:
        `labels` and `num_items_in_batch`.
    """
    ids, mask, labels = inputs["input_ids"], inputs.get("attention_mask"), inputs.get("labels")
    targets = caption_targets(ids, mask, labels)
    if labels is None:
        labels = ids if mask is None else ids.masked_fill(mask == 0, -100)
    return {"labels": labels, "num_items_in_batch": losses.caption_divisor((targets != -100).sum())}


def weighted_losses(config: Any, outputs: Any, contrastive: torch.Tensor | None, losses: GlobalLosses) -> Losses:
    """Combines a contrastive loss with the caption loss in a model's outputs, as the objective weights them.

    Args:
        config: Configuration of the model.
        outputs: Output of the model.
        contrastive: The contrastive loss, if the objective has one.
        losses: How the losses are computed.
    """
    caption = outputs.get("caption_loss")
    if caption is None:
        return Losses(contrastive, contrastive, None, outputs)  # type: ignore[arg-type]
    caption = losses.reduce_caption(caption)
    if contrastive is None:
        return Losses(caption, None, caption, outputs)
    loss = config.contrastive_loss_weight * contrastive + config.caption_loss_weight * caption
    return Losses(loss, contrastive, caption, outputs)


@torch.no_grad()
def clamp_logit_scale(model: Any) -> None:
    """Limits the temperature factor to 100, as CLIP does; call it after each optimizer step.

    The forward pass only limits the value it uses, so the parameter would stop learning once beyond the limit.

    Args:
        model: A [`SensorLMModel`] or [`SensorLMForConditionalGeneration`], plain or wrapped.
    """
    base = unwrap_sensorlm(model).base_model
    if base.logit_scale is not None and base.logit_bias is None:
        base.logit_scale.clamp_(max=MAX_CLIP_LOGIT_SCALE)


SCALARS = ("logit_scale", "logit_bias")


def scalars_to_vectors(model: Any) -> None:
    """Gives the learned temperature and bias one dimension, which FSDP2 needs to shard them. Do this before wrapping.

    [`SensorLMTrainer`] saves them as scalars again.
    """
    inner = unwrap_sensorlm(model).base_model
    for name in SCALARS:
        parameter = getattr(inner, name)
        if parameter is not None and parameter.ndim == 0:
            vector = torch.nn.Parameter(parameter.detach().reshape(1), requires_grad=parameter.requires_grad)
            setattr(inner, name, vector)


def restore_scalars(state: dict[str, Any]) -> dict[str, Any]:
    """Returns weights whose temperature and bias are scalars, as the model has them; FSDP2 trains them as vectors."""
    return {
        name: tensor.reshape(()) if name.split(".")[-1] in SCALARS and tensor.numel() == 1 else tensor
        for name, tensor in state.items()
    }


def prepare_for_fsdp2(model: Any, accelerator: Any) -> None:
    """Prepares a model for `accelerator.prepare` where that is to shard it with FSDP2; does nothing elsewhere.

    The temperature and the bias become vectors (see [`scalars_to_vectors`]). Accelerate refuses to wrap layers that a
    model lacks, and not every objective has all of them: only captioners have cross attention. So only those that are
    there stay named; if none are named, all blocks of the towers are wrapped.

    Args:
        model: A [`SensorLMModel`].
        accelerator: The `Accelerator`.

    Raises:
        ValueError: If the model has none of the layers that the configuration names.
    """
    if not accelerator.is_fsdp2:
        return
    scalars_to_vectors(model)
    plugin = accelerator.state.fsdp_plugin
    stacks = [module for module in model.modules() if isinstance(module, torch.nn.ModuleList)]
    blocks = {type(block).__name__ for stack in stacks for block in stack}
    named = plugin.transformer_cls_names_to_wrap or sorted(blocks)
    found = [name for name in named if name in {type(module).__name__ for module in model.modules()}]
    if not found:
        raise ValueError(
            f"`fsdp_transformer_layer_cls_to_wrap` names {', '.join(named)}, none of which the model has; it has"
            f" {', '.join(sorted(blocks))}."
        )
    plugin.transformer_cls_names_to_wrap = found
