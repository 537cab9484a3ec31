"""Short training runs of a part of a model: a fixed number of steps, with a checkpoint to resume from."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.utils import tqdm
from torch import nn

from ..data.collator import SensorDayDataset, SensorLMCollator
from ..io import atomic_write
from .muon import MuonWithAdamW
from .sampler import PersonSampler
from .schedule import RsqrtSchedule

_WARMUP = 0.05
"""Fraction of the steps over which the learning rate rises."""


@contextmanager
def training_only(model: nn.Module, trained: Sequence[tuple[str, nn.Parameter]]) -> Iterator[None]:
    """Freezes all other parameters during the block, and restores modes and `requires_grad` after it."""
    needed_grad = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    modes = [(module, module.training) for module in model.modules()]
    model.requires_grad_(False)
    for _, parameter in trained:
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        for parameter, needed in needed_grad:
            parameter.requires_grad_(needed)
        for module, training in modes:
            module.training = training


def run_steps(
    trained: Sequence[tuple[str, nn.Parameter]],
    days: SensorDayDataset,
    collator: SensorLMCollator,
    compute_loss: Callable[[dict[str, torch.Tensor], int], torch.Tensor],
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
    rates: Mapping[str, float] | None = None,
    checkpoint: Path | None = None,
    save_steps: int = 100,
) -> dict[str, Any]:
    """Trains parameters with Muon and AdamW; the learning rates rise over 5 % of the steps and then fall linearly to 0.

    Args:
        trained: Names and parameters.
        days: Training days.
        collator: Collates batches.
        compute_loss: Computes the loss of a batch, which is on the device of the parameters, given the number of steps
            before it.
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
        rates: Learning rates of AdamW that differ; see [`parameter_groups`].
        checkpoint: File with the state of the run, from which a run that was cut off resumes to the same result; it is
            removed at the end. No state is saved by default.
        save_steps: Steps between two checkpoints.

    Returns:
        `steps`, `days_seen`, `train_days` (size of the dataset), `train_runtime` (seconds), and `final_loss`, the
        average over the last 10 % of the steps.

    Raises:
        ValueError: If `steps`, `batch_size` or `save_steps` is not positive, the loss is not finite, or the checkpoint
            belongs to another run.
    """
    for name, value in (("steps", steps), ("batch_size", batch_size), ("save_steps", save_steps)):
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
        rates=rates,
    )
    warmup = max(1, math.ceil(_WARMUP * steps))
    # The cool-down begins where the warm-up ends, so the rate rises and falls linearly.
    factor = RsqrtSchedule(steps, warmup, cooldown_steps=steps - warmup, timescale=steps)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    run = {"steps": steps, "batch_size": batch_size, "seed": seed, "train_days": len(days)}
    losses: list[float] = []
    elapsed = 0.0
    if checkpoint is not None and checkpoint.is_file():
        losses, elapsed = _load(checkpoint, run, trained, optimizer, schedule)
    loader = torch.utils.data.DataLoader(
        days,
        batch_sampler=_Batches(PersonSampler(days.people(), batch_size, seed=seed), len(losses), steps),
        collate_fn=collator,
        num_workers=num_workers,
    )
    started = time.monotonic() - elapsed
    shown = sys.stderr.isatty() if progress is None else progress
    with tqdm(loader, initial=len(losses), total=steps, desc=description, unit="step", disable=not shown) as batches:
        for batch in batches:
            loss = compute_loss({name: value.to(device) for name, value in batch.items()}, len(losses))
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
            if checkpoint is not None and len(losses) % save_steps == 0 and len(losses) < steps:
                _save(checkpoint, run, trained, optimizer, schedule, losses, time.monotonic() - started)
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    optimizer.zero_grad()
    last = max(1, steps // 10)
    return {
        "steps": steps,
        "days_seen": steps * min(batch_size, len(days)),
        "train_days": len(days),
        "train_runtime": round(time.monotonic() - started, 2),
        "final_loss": sum(losses[-last:]) / last,
    }


class _Batches(torch.utils.data.Sampler[list[int]]):
    """The batches of a number of steps, over as many epochs as needed.

    Args:
        sampler: Order of the days.
        start: Number of batches to skip.
        stop: Number of batches, with those that are skipped.
    """

    def __init__(self, sampler: PersonSampler, start: int, stop: int) -> None:
        self._sampler, self._start, self._stop = sampler, start, stop

    def __len__(self) -> int:
        return self._stop - self._start

    def __iter__(self) -> Iterator[list[int]]:
        size = self._sampler.batch_size
        per_epoch = max(1, len(self._sampler) // size)
        for epoch in range(self._start // per_epoch, math.ceil(self._stop / per_epoch)):
            self._sampler.set_epoch(epoch)
            rows = list(self._sampler)
            for number in range(per_epoch):
                if self._start <= epoch * per_epoch + number < self._stop:
                    yield rows[number * size : (number + 1) * size]


def _save(
    path: Path,
    run: dict[str, int],
    trained: Sequence[tuple[str, nn.Parameter]],
    optimizer: MuonWithAdamW,
    schedule: Any,
    losses: list[float],
    elapsed: float,
) -> None:
    state = {
        "run": run,
        "parameters": {name: parameter.detach() for name, parameter in trained},
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "losses": losses,
        "elapsed": elapsed,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path, durable=True) as partial:
        torch.save(state, partial)


def _load(
    path: Path,
    run: dict[str, int],
    trained: Sequence[tuple[str, nn.Parameter]],
    optimizer: MuonWithAdamW,
    schedule: Any,
) -> tuple[list[float], float]:
    """Restores a run; returns its losses and its duration in seconds so far."""
    state = torch.load(path, weights_only=True)
    if state["run"] != run or set(state["parameters"]) != {name for name, _ in trained}:
        raise ValueError(
            f"{path} belongs to another run: {state['run']} instead of {run}, or with other parameters. Remove it to"
            " start again."
        )
    with torch.no_grad():
        for name, parameter in trained:
            parameter.copy_(state["parameters"][name])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    return list(state["losses"]), float(state["elapsed"])


__all__ = ["run_steps", "training_only"]
