"""A first lesson for the text tower: to read numbers, from the statistics of the channels alone."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from typing import Any

import torch
from huggingface_hub.utils import tqdm
from torch import nn

from ..data.collator import SensorDayDataset, SensorLMCollator
from ..modeling import SensorLMModel
from .muon import MuonWithAdamW
from .sampler import PersonSampler
from .schedule import RsqrtSchedule

_WARMUP = 0.05
"""Share of the steps in which the rate rises."""


def teach_reading(
    model: SensorLMModel,
    days: SensorDayDataset,
    collator: SensorLMCollator,
    *,
    steps: int,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    muon_learning_rate: float = 4e-3,
    adam_beta2: float = 0.98,
    weight_decay: float = 1e-4,
    max_grad_norm: float = 1.0,
    bf16: bool = True,
    num_workers: int = 1,
    seed: int = 0,
    progress: bool | None = None,
) -> dict[str, Any]:
    """Trains the text tower, and the map of the statistics, to tell which caption has the numbers of which day.

    Two towers that start from nothing wait for each other: signals from which no mean is read yet teach nobody to read
    means. With `embed_statistics` the sensor side can tell a channel's statistics from the first step, without its
    patches, so a lesson costs little more than reading the captions. Only the text tower, the linear map of the
    statistics and the temperature learn; patches, pooling and decoder are left as they are.

    Args:
        model: A contrastive model with `embed_statistics`; changed in place, and left in the mode it was in.
        days: Days to learn from.
        collator: Makes the batches. Captions should tell numbers (`low_level_caption`), and leave channels out at
            random (`channel_omission`), or the first channels alone are learnt.
        steps: Optimizer steps.
        batch_size: Days in a step.
        learning_rate: Peak rate of AdamW; it rises over the first twentieth of the steps and falls to 0 in a line.
        muon_learning_rate: Peak rate of Muon, which trains the matrices inside the text tower; see [`MuonWithAdamW`].
        adam_beta2: Second moment's decay of AdamW.
        weight_decay: Decoupled decay of the matrices.
        max_grad_norm: Gradient norm at which gradients are clipped.
        bf16: Whether the text tower computes in bfloat16.
        num_workers: Processes that make batches.
        seed: Seed of the order of the days.
        progress: Whether to show a progress bar; by default where somebody watches.

    Returns:
        `steps`, `days_seen`, `train_days` (how many days there are), `train_runtime` (seconds), and the means of the
        last tenth: `final_loss`, and `final_accuracy`, the share of days that find their own caption first in a batch.

    Raises:
        ValueError: If the model has no text embedding or no statistics, or a number is out of range.
    """
    if not model.config.is_contrastive or model.sensor_model.statistics is None:
        raise ValueError(
            "The lesson compares texts with the statistics of the sensor tower: it needs a model of objective 'clip',"
            f" 'siglip' or 'coca' with `embed_statistics=True`, got {model.config.objective!r} with"
            f" `embed_statistics={model.config.sensor_config.embed_statistics}`."
        )
    for name, value in (("steps", steps), ("batch_size", batch_size)):
        if value <= 0:
            raise ValueError(f"`{name}` must be above 0, got {value}.")
    device = next(model.parameters()).device
    parts: list[nn.Module] = [model.text_model, model.sensor_model.statistics]
    learning = [
        (name, parameter)
        for name, parameter in model.named_parameters()
        if name.startswith(("text_model.", "sensor_model.statistics.", "logit_"))
    ]
    optimizer = MuonWithAdamW(
        learning,
        learning_rate=learning_rate,
        muon_learning_rate=muon_learning_rate,
        weight_decay=weight_decay,
        betas=(0.9, adam_beta2),
    )
    warmup = max(1, math.ceil(_WARMUP * steps))
    # Flat between warm-up and cool-down, which meet: a rise and a fall, in lines.
    line = RsqrtSchedule(steps, warmup, cooldown_steps=steps - warmup, timescale=steps)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, line)
    sampler = PersonSampler(days.people(), batch_size, seed=seed)
    loader = torch.utils.data.DataLoader(
        days,
        batch_size=batch_size,
        sampler=sampler,
        collate_fn=collator,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
    )
    was_training = model.training
    for part in parts:
        part.train()
    losses: list[float] = []
    hits: list[float] = []
    started = time.monotonic()
    shown = sys.stderr.isatty() if progress is None else progress
    for batch in tqdm(_batches(loader, sampler, steps), total=steps, desc="reading", unit="step", disable=not shown):
        batch = {name: value.to(device) for name, value in batch.items()}
        loss, cosines = _lesson(model, batch, bf16)
        if not torch.isfinite(loss):
            raise ValueError(f"The loss became {loss.item()} at step {len(losses)}; lower `learning_rate`.")
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([parameter for _, parameter in learning], max_grad_norm)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        groups = batch["text_group_ids"]
        hits.append((groups[cosines.argmax(dim=1)] == groups).float().mean().item())
    optimizer.zero_grad()
    model.train(was_training)
    last = max(1, steps // 10)
    return {
        "steps": steps,
        "days_seen": steps * min(batch_size, len(days)),
        "train_days": len(days),
        "train_runtime": round(time.monotonic() - started, 2),
        "final_loss": sum(losses[-last:]) / last,
        "final_accuracy": sum(hits[-last:]) / last,
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


def _lesson(model: SensorLMModel, batch: dict[str, torch.Tensor], bf16: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the contrastive loss of texts and statistics, and their cosines."""
    with torch.autocast(batch["input_ids"].device.type, torch.bfloat16, enabled=bf16):
        text = model.get_text_features(batch["input_ids"], batch["attention_mask"])
    states = model.sensor_model.statistics(batch["sensor_values"], batch["sensor_mask"])
    sensor = nn.functional.normalize(states.sum(dim=1).float(), dim=-1)
    loss = model._contrastive_loss(sensor, text, batch["text_group_ids"])
    return loss, (sensor @ text.T).detach()


__all__ = ["teach_reading"]
