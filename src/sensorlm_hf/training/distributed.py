"""Exact losses of a batch that is distributed over processes or too large for one similarity matrix.

A contrastive loss compares every recording with every text of the *global* batch. Each process computes the rows of its
own recordings and texts and returns its **share**: the mean of the shares over all processes is the loss of the global
batch. Since DDP and FSDP average gradients over processes, every parameter, including the learned temperature and bias,
gets the gradient that a single process would compute on the global batch.

Plain `all_gather` and `accelerate.gather` do not achieve this, because no gradient flows back to the process on which
an embedding was computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch.utils.checkpoint import checkpoint

from ..modeling.losses_sensorlm import (
    clip_loss,
    contrastive_cross_entropy,
    positive_pairs,
    siglip_loss,
)

EXCHANGES = ("gather", "ring")
"""How embeddings are exchanged: all-gather, or text embeddings around a ring (sigmoid loss only)."""


def world_size(group: Any = None) -> int:
    """Returns the number of processes in a group; 1 without `torch.distributed`."""
    return dist.get_world_size(group) if dist.is_available() and dist.is_initialized() else 1


def rank_of(group: Any = None) -> int:
    """Returns the rank of this process in a group; 0 without `torch.distributed`."""
    return dist.get_rank(group) if dist.is_available() and dist.is_initialized() else 0


class _AllGather(torch.autograd.Function):
    """Concatenates the rows of all processes by rank; the gradient of a row is summed over all processes."""

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
    """Gathers the rows of all processes, differentiably.

    Args:
        rows: `(n, ...)`, the same shape on every process.
        group: Process group; all processes by default.

    Returns:
        `(world * n, ...)`, ordered by rank. In the backward pass, the gradients of a row are summed over all processes.
    """
    return rows if world_size(group) == 1 else _AllGather.apply(rows, group)


def check_even(counts: Sequence[int], names: Sequence[str], device: torch.device, group: Any = None) -> None:
    """Checks that all processes have the same counts.

    Collectives of unequal sizes abort or hang instead of raising, so the sizes are compared first in a collective of
    fixed size.

    Args:
        counts: Counts of this process.
        names: Name of each count, for the error message.
        device: Device of the collective.
        group: Process group.

    Raises:
        ValueError: On every process, if a count differs between processes; the message lists the count of each rank.
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
                f"Every process must have the same {name}, got {row} on ranks 0 to {len(row) - 1}. Use batches of"
                " equal size: drop the last incomplete batch (`drop_last`), as PersonSampler does."
            )


class Ring:
    """Sends tensors to the next process and receives those of the previous one.

    Args:
        group: Process group; all processes by default.
    """

    def __init__(self, group: Any = None) -> None:
        self.group = group
        self.size = world_size(group)
        self.rank = rank_of(group)

    def pass_on(self, tensors: Sequence[torch.Tensor]) -> tuple[list[torch.Tensor], list[Any]]:
        """Starts an asynchronous exchange: sends to the next rank, receives from the previous one.

        Args:
            tensors: Contiguous tensors, of the same shapes on every process. They must not be modified before the
                exchange has completed.

        Returns:
            The buffers for the tensors of the previous rank, and the requests to wait for before reading them.
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
    """The sigmoid loss with text embeddings that are passed around a ring.

    Neither the text embeddings of other processes nor any similarities are saved for the backward pass. They are
    recomputed in a second pass around the ring, in which the gradient of each text accumulates on the way until it
    returns to its own process. Memory therefore does not depend on the number of processes.
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
            # Gradients move once more than the texts, which returns them to their own process after the last step.
            (arrived,), grad_requests = ring.pass_on([visiting_grad])
            for request in [*requests, *grad_requests]:
                request.wait()
            visiting, visiting_grad = arriving, arrived
        return sensor_grad, visiting_grad, scale_grad, bias_grad, None, None, None


def _signs(groups: torch.Tensor, visiting: torch.Tensor, offset: int | None, dtype: torch.dtype) -> torch.Tensor:
    """Returns +1 for positive pairs and -1 for negatives; `offset` is the column of the first row's own text."""
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
    """Computes this process's share of the sigmoid loss, in memory independent of the number of processes.

    Args:
        sensor_embeds: `(n, D)` embeddings of unit length on this process.
        text_embeds: `(n, D)` embeddings of unit length on this process.
        logit_scale: Factor on the similarities, a scalar.
        logit_bias: Bias, a scalar.
        groups: `(n,)` integers, equal for texts with the same content on any process.
        ring: The ring; all processes by default.
        chunk_size: Number of recordings whose similarities are computed at once; by default all of this process.

    Returns:
        The mean over this process's recordings of the sum over all texts, a scalar. It cannot be differentiated twice.
    """
    # Autocast would compute the similarities in half precision, but not those of the backward pass.
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
    """Losses of a batch over several processes, or of a large batch on a single process; see [`compute_losses`].

    Each process gets its share; the mean of the shares over processes is the loss of the global batch.

    Args:
        exchange: `"gather"` or `"ring"`. The ring is implemented for the sigmoid loss; others always gather.
        chunk_size: Number of recordings whose similarities are computed at once; by default all. With it, the
            similarity matrix is computed in chunks and recomputed in the backward pass, so memory grows linearly with
            the batch instead of quadratically.
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

    @property
    def is_needed(self) -> bool:
        """Whether there are several processes or chunks; without, a model's own losses are the same."""
        return world_size(self.group) > 1 or self.chunk_size is not None

    # Collectives break compiled graphs, and the loss is a small part of a step.
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
            sensor_embeds: `(n, D)` embeddings of unit length on this process.
            text_embeds: `(n, D)` embeddings of unit length on this process.
            logit_scale: Factor on the similarities, a scalar.
            logit_bias: Bias of the sigmoid loss; `None` selects the softmax loss.
            text_group_ids: `(n,)` integers, equal for texts with the same content, on any process. By default every
                text is its own group.

        Returns:
            The share, a scalar.

        Raises:
            ValueError: If the number of rows differs between processes, or only some of them have groups.
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
        # Both sides in one collective, so that the backward pass needs one reduction.
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

    def reduce_caption(self, part: torch.Tensor) -> torch.Tensor:
        """Returns this process's share of the caption loss.

        Args:
            part: Summed loss of this process, divided by the number of scored tokens in the global batch.
        """
        return part * world_size(self.group)

    @torch.compiler.disable
    def reduce_statements(self, mean: torch.Tensor, decided: torch.Tensor) -> torch.Tensor:
        """Returns this process's share of the sigmoid loss of statements, a mean over decided pairs.

        Args:
            mean: Mean over the decided pairs of this process.
            decided: Number of these pairs.
        """
        decided = decided.to(mean.dtype)  # a quotient of integers would be in single precision
        total = self.total_over_processes(decided)
        return mean * decided * world_size(self.group) / total.clamp(min=1)

    def total_over_processes(self, number: torch.Tensor) -> torch.Tensor:
        """Returns the sum of a number over all processes, without gradient."""
        total = number.detach().clone()
        if world_size(self.group) > 1:
            dist.all_reduce(total, group=self.group)
        return total


class EvaluationLosses(GlobalLosses):
    """Losses of an evaluation batch: the same number on every process, without gradient.

    Distributed loaders pad the last batch of an epoch with rows from its beginning. These are excluded, so that an
    evaluation gives the same numbers on any number of processes.

    Args:
        rows: Number of real rows in the global batch, which come first in the order of ranks; all by default.
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
        """Computes the contrastive loss of the global batch; see [`GlobalLosses.contrastive`]."""
        check_even([len(sensor_embeds)], ["number of rows"], sensor_embeds.device, self.group)
        sensor, text = self.gathered(sensor_embeds), self.gathered(text_embeds)
        positives = None if text_group_ids is None else positive_pairs(self.gathered(text_group_ids))
        if logit_bias is not None:
            return siglip_loss(sensor, text, logit_scale.detach(), logit_bias.detach(), positives)
        return clip_loss(sensor, text, logit_scale.detach(), positives)

    def reduce_caption(self, part: torch.Tensor) -> torch.Tensor:
        """Returns the caption loss of the global batch, the sum of the parts of all processes."""
        return self.total_over_processes(part)

    def reduce_statements(self, mean: torch.Tensor, decided: torch.Tensor) -> torch.Tensor:
        """Returns the sigmoid loss of statements, the mean over the decided pairs of all processes."""
        decided = decided.to(mean.dtype)
        return self.total_over_processes(mean * decided) / self.total_over_processes(decided).clamp(min=1)


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
    """Returns the contrastive loss of some rows against the global batch."""
    positives = positive_pairs(groups, all_groups, offset=offset)
    if bias is not None:
        return siglip_loss(sensor, all_texts, scale, bias, positives)
    with torch.autocast(sensor.device.type, enabled=False):
        by_sensor = contrastive_cross_entropy(scale * (sensor @ all_texts.T), positives)
        by_text = contrastive_cross_entropy(scale * (text @ all_sensors.T), positives)
    return (by_sensor + by_text) / 2
