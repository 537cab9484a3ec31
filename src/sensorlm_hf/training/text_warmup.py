"""Warm-up of the text tower: learning to read numbers from the channel statistics alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ..data.collator import SensorDayDataset, SensorLMCollator
from ..modeling import SensorLMModel
from .losses import clamp_logit_scale
from .short_run import run_steps


def warm_up_text_tower(
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
    """Trains the text tower to match captions to days by the numbers they contain.

    Two randomly initialized towers depend on each other: as long as the sensor embeddings do not encode means, the text
    tower has no incentive to read means from captions. With `embed_statistics` the sensor tower has a linear map of the
    channel statistics, which encodes them from the first step. The warm-up contrasts captions with this map instead of
    the complete sensor tower, so a step costs little more than the forward and backward pass of the text tower. Only
    the text tower, the map of the statistics, the temperature and the bias are trained.

    Args:
        model: A contrastive model with `embed_statistics`. It is trained in place; its mode is restored.
        days: Training days.
        collator: Collates batches. Captions should contain numbers (`low_level_caption`) and omit channels at random
            (`channel_omission`); otherwise only the channels that captions mention first are learned.
        steps: Number of optimizer steps.
        batch_size: Days per step.
        learning_rate: Peak learning rate of AdamW, reached after 5 % of the steps, then decayed linearly to 0.
        muon_learning_rate: Peak learning rate of Muon, which trains the matrices inside the text tower; see
            [`MuonWithAdamW`].
        adam_beta2: Decay rate of AdamW's second moment.
        weight_decay: Decoupled weight decay of the matrices.
        max_grad_norm: Maximum gradient norm for clipping.
        bf16: Whether to run the text tower in bfloat16.
        num_workers: Number of dataloader workers.
        seed: Seed of the data order.
        progress: Whether to show a progress bar; by default only in a terminal.

    Returns:
        `steps`, `days_seen`, `train_days` (size of the dataset), `train_runtime` (seconds), and averages over the last
        10 % of the steps: `final_loss` and `final_accuracy`, the fraction of days whose nearest caption in the batch is
        their own.

    Raises:
        ValueError: If the model has no text embedding or no statistics, an argument is out of range, or the loss is
            not finite.
    """
    objective, embeds = model.config.objective, model.config.sensor_config.embed_statistics
    model = model.base_model
    if not model.config.is_contrastive or model.sensor_model.statistics is None:
        raise ValueError(
            "The warm-up contrasts texts with the channel statistics of the sensor tower: it needs a model of objective"
            f" 'clip', 'siglip' or 'coca' with `embed_statistics=True`, got {objective!r} with"
            f" `embed_statistics={embeds}`."
        )
    parts: list[nn.Module] = [model.text_model, model.sensor_model.statistics]
    trained = [
        (name, parameter)
        for name, parameter in model.named_parameters()
        if name.startswith(("text_model.", "sensor_model.statistics.", "logit_"))
    ]
    hits: list[float] = []

    def compute_loss(batch: dict[str, torch.Tensor], step: int) -> torch.Tensor:
        loss, cosines = _statistics_loss(model, batch, bf16)
        groups = batch["text_group_ids"]
        hits.append((groups[cosines.argmax(dim=1)] == groups).float().mean().item())
        return loss

    was_training = model.training
    for part in parts:
        part.train()
    record = run_steps(
        trained,
        days,
        collator,
        compute_loss,
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        muon_learning_rate=muon_learning_rate,
        adam_beta2=adam_beta2,
        weight_decay=weight_decay,
        max_grad_norm=max_grad_norm,
        num_workers=num_workers,
        seed=seed,
        description="warm-up",
        progress=progress,
        after_step=lambda: clamp_logit_scale(model),
    )
    model.train(was_training)
    last = max(1, steps // 10)
    return {**record, "final_accuracy": sum(hits[-last:]) / last}


def _statistics_loss(
    model: SensorLMModel, batch: dict[str, torch.Tensor], bf16: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the contrastive loss between texts and channel statistics, and their cosine similarities."""
    with torch.autocast(batch["input_ids"].device.type, torch.bfloat16, enabled=bf16):
        text = model.get_text_features(batch["input_ids"], batch["attention_mask"]).pooler_output
    text = nn.functional.normalize(text.float(), dim=-1)
    embed_statistics: Any = model.sensor_model.statistics
    states = embed_statistics(batch["sensor_values"], batch["sensor_mask"])
    sensor = nn.functional.normalize(states.sum(dim=1).float(), dim=-1)
    loss = model._contrastive_loss(sensor, text, model.temperature(), batch["text_group_ids"])
    return loss, (sensor @ text.T).detach()


__all__ = ["warm_up_text_tower"]
