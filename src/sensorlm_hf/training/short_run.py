"""Short training runs of a part of a model: a fixed number of steps, without checkpoints."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from huggingface_hub.utils import tqdm
from torch import nn

from ..data.collator import SensorDayDataset, SensorLMCollator
from .muon import MuonWithAdamW
from .sampler import PersonSampler
from .schedule import RsqrtSchedule

_WARMUP = 0.05
"""Fraction of the steps over which the learning rate rises."""


def run_steps(
    trained: Sequence[tuple[str, nn.Parameter]],
    days: SensorDayDataset,
    collator: SensorLMCollator,
    compute_loss: Callable[[dict[str, torch.Tensor]], torch.Tensor],
    *,
    steps: int,
    batch_size: int,
    learning_rate: float,
    muon_learning_rate: float,
    adam_beta2: float,
    weight_decay: float,
    max_grad_norm: float,
    num_workers: int,
    seed: int,
    description: str,
    progress: bool | None = None,
    after_step: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Trains parameters with Muon and AdamW; the learning rates rise over 5 % of the steps and then fall linearly to 0.

    Args:
        trained: Names and parameters.
        days: Training days.
        collator: Collates batches.
        compute_loss: Computes the loss of a batch, which is on the device of the parameters.
        steps: Number of optimizer steps.
        batch_size: Days per step.
        learning_rate: Peak learning rate of AdamW.
        muon_learning_rate: Peak learning rate of Muon; see [`MuonWithAdamW`].
        adam_beta2: Decay rate of AdamW's second moment.
        weight_decay: Decoupled weight decay of the matrices.
        max_grad_norm: Maximum gradient norm for clipping.
        num_workers: Number of dataloader workers.
        seed: Seed of the data order.
        description: Label of the progress bar.
        progress: Whether to show a progress bar; by default only in a terminal.
        after_step: Called after every optimizer step.

    Returns:
        `steps`, `days_seen`, `train_days` (size of the dataset), `train_runtime` (seconds), and `final_loss`, the
        average over the last 10 % of the steps.

    Raises:
        ValueError: If `steps` or `batch_size` is not positive, or the loss is not finite.
    """
    for name, value in (("steps", steps), ("batch_size", batch_size)):
        if value <= 0:
            raise ValueError(f"`{name}` must be above 0, got {value}.")
    parameters = [parameter for _, parameter in trained]
    device = parameters[0].device
    optimizer = MuonWithAdamW(
        trained,
        learning_rate=learning_rate,
        muon_learning_rate=muon_learning_rate,
        weight_decay=weight_decay,
        betas=(0.9, adam_beta2),
    )
    warmup = max(1, math.ceil(_WARMUP * steps))
    # The cool-down begins where the warm-up ends, so the rate rises and falls linearly.
    factor = RsqrtSchedule(steps, warmup, cooldown_steps=steps - warmup, timescale=steps)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    sampler = PersonSampler(days.people(), batch_size, seed=seed)
    loader = torch.utils.data.DataLoader(
        days,
        batch_size=batch_size,
        sampler=sampler,
        collate_fn=collator,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
    )
    losses: list[float] = []
    started = time.monotonic()
    shown = sys.stderr.isatty() if progress is None else progress
    for batch in tqdm(_batches(loader, sampler, steps), total=steps, desc=description, unit="step", disable=not shown):
        loss = compute_loss({name: value.to(device) for name, value in batch.items()})
        if not torch.isfinite(loss):
            raise ValueError(f"The loss became {loss.item()} at step {len(losses)}; lower `learning_rate`.")
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, max_grad_norm)
        optimizer.step()
        if after_step is not None:
            after_step()
        schedule.step()
        losses.append(loss.item())
    optimizer.zero_grad()
    last = max(1, steps // 10)
    return {
        "steps": steps,
        "days_seen": steps * min(batch_size, len(days)),
        "train_days": len(days),
        "train_runtime": round(time.monotonic() - started, 2),
        "final_loss": sum(losses[-last:]) / last,
    }


def _batches(loader: Any, sampler: PersonSampler, steps: int) -> Iterator[dict[str, torch.Tensor]]:
    epoch, given = 0, 0
    while True:
        sampler.set_epoch(epoch)
        for batch in loader:
            yield batch
            given += 1
            if given == steps:
                return
        epoch += 1


__all__ = ["run_steps"]
