"""Baselines with the same sensor tower but without language: supervised, SimCLR, and masked autoencoding."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import Trainer, TrainingArguments, set_seed

from sensorlm_hf.days import SensorDay
from sensorlm_hf.evaluation.encode import batched
from sensorlm_hf.evaluation.supervised import fit_predict, logistic_probe
from sensorlm_hf.metrics import score_classifier
from sensorlm_hf.modeling import SensorLMConfig, SensorLMForSensorClassification, SensorLMSensorModel

METHODS = ("supervised", "simclr", "mae")
"""Training methods without captions."""


def nt_xent(first: torch.Tensor, second: torch.Tensor, temperature: float = 0.1) -> torch.Tensor:
    """Computes the SimCLR loss between two views of each day, with all other views of the batch as negatives.

    Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", ICML 2020.

    Args:
        first: `(B, D)` projections of one view of each day.
        second: `(B, D)` projections of the other view.
        temperature: Softmax temperature.

    Returns:
        The mean loss over all `2 B` views.
    """
    views = nn.functional.normalize(torch.cat([first, second]), dim=-1)
    logits = views @ views.T / temperature
    logits = logits.masked_fill(torch.eye(len(views), dtype=torch.bool, device=views.device), float("-inf"))
    partner = torch.arange(len(views), device=views.device).roll(len(first))
    return nn.functional.cross_entropy(logits, partner)


class SimCLR(nn.Module):
    """Contrastive learning of augmented views of a day.

    Augmentations are random cropping in time (half to all of the day), channel dropout with probability `drop`, and
    noise and a random gain per channel.

    Args:
        config: Configuration of the model whose tower is trained.
        drop: Probability of dropping a channel.
        noise: Standard deviation of the noise, relative to that of the channel.
        temperature: See [`nt_xent`].
    """

    def __init__(self, config: Any, drop: float = 0.2, noise: float = 0.2, temperature: float = 0.1) -> None:
        super().__init__()
        self.tower = SensorLMSensorModel(config.sensor_config)
        width = config.sensor_config.hidden_size
        self.projection = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
        self.drop, self.noise, self.temperature = drop, noise, temperature

    def view(self, values: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns an augmented copy of days and their mask."""
        rows, minutes, channels = values.shape
        device = values.device
        length = ((0.5 + 0.5 * torch.rand(rows, 1, device=device)) * minutes).long()
        start = (torch.rand(rows, 1, device=device) * (minutes - length + 1)).long()
        clock = torch.arange(minutes, device=device)[None]
        shown = ((clock >= start) & (clock < start + length))[:, :, None]
        shown = shown & (torch.rand(rows, 1, channels, device=device) >= self.drop)
        kept = mask & shown
        kept = torch.where(kept.flatten(1).any(dim=1)[:, None, None], kept, mask)  # avoid empty views
        gain = 1 + self.noise * torch.randn(rows, 1, channels, device=device)
        return values * gain + self.noise * torch.randn_like(values), kept

    def forward(self, sensor_values: torch.Tensor, sensor_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        """Returns the loss of a batch of days."""
        first, second = (
            self.projection(self.tower(*self.view(sensor_values, sensor_mask.bool())).pooler_output) for _ in range(2)
        )
        return {"loss": nt_xent(first.float(), second.float(), self.temperature)}


class MaskedAutoencoder(nn.Module):
    """Reconstruction of masked patches from visible ones.

    He et al., "Masked Autoencoders Are Scalable Vision Learners", CVPR 2022, in the form of Xie et al., "SimMIM", CVPR
    2022: masked patches keep their position, and a linear layer predicts the values.

    Args:
        config: Configuration of the model whose tower is trained.
        hidden: Masking ratio.
    """

    def __init__(self, config: Any, hidden: float = 0.6) -> None:
        super().__init__()
        sensor = copy.deepcopy(config.sensor_config)
        self.tower = SensorLMSensorModel(sensor)
        self.tower.skip_missing_patches = False  # skipped patches cannot be reconstructed
        self.readout = nn.Linear(sensor.hidden_size, sensor.patch_minutes * sensor.patch_channels)
        self.hidden = hidden

    def forward(self, sensor_values: torch.Tensor, sensor_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        """Returns the mean squared error over the observed values of masked patches."""
        patches = self.tower.embeddings.patches
        mask = sensor_mask.bool()
        config = self.tower.config
        rows, minutes, channels = sensor_values.shape
        grid = (rows, minutes // config.patch_minutes, -(-channels // config.patch_channels))
        hide = torch.rand(grid, device=mask.device) < self.hidden
        hide = hide.repeat_interleave(config.patch_minutes, 1).repeat_interleave(config.patch_channels, 2)[
            ..., :channels
        ]
        states = self.tower(sensor_values, mask & ~hide).last_hidden_state
        target, counted = patches(sensor_values), patches(mask & hide)
        error = (self.readout(states).float() - target.float()).square() * counted
        return {"loss": error.sum() / counted.sum().clamp(min=1)}


class _Days(torch.utils.data.Dataset):
    """Days with their classes, for a `Trainer`."""

    def __init__(self, days: Sequence[SensorDay], classes: np.ndarray | None) -> None:
        self.days, self.classes = days, classes

    def __len__(self) -> int:
        return len(self.days)

    def __getitem__(self, row: int) -> tuple[SensorDay, int | None]:
        return self.days[row], None if self.classes is None else int(self.classes[row])


def train_module(
    module: nn.Module,
    feature_extractor: Any,
    days: Sequence[SensorDay],
    arguments: TrainingArguments,
    classes: np.ndarray | None = None,
) -> nn.Module:
    """Trains a module that returns a loss with `transformers.Trainer`.

    Args:
        module: Module with inputs `sensor_values`, `sensor_mask` and, with `classes`, `labels`.
        feature_extractor: Prepares the days.
        days: Training days.
        arguments: Trainer arguments.
        classes: `(len(days),)` classes.

    Returns:
        The module, in evaluation mode.
    """

    def collate(items: Sequence[tuple[SensorDay, int | None]]) -> dict[str, torch.Tensor]:
        inputs = feature_extractor([day for day, _ in items], return_tensors="pt", allow_empty=True)
        batch = {name: inputs[name] for name in ("sensor_values", "sensor_mask")}
        if classes is not None:
            batch["labels"] = torch.tensor([k for _, k in items])
        return batch

    arguments.remove_unused_columns = False
    Trainer(model=module, args=arguments, train_dataset=_Days(days, classes), data_collator=collate).train()
    return module.eval()


@torch.inference_mode()
def tower_features(
    tower: SensorLMSensorModel, feature_extractor: Any, days: Sequence[SensorDay], batch_size: int = 64
) -> np.ndarray:
    """Returns the pooled states of a tower, `(days, D)` float32."""
    device = next(tower.parameters()).device
    rows = []
    for batch in batched(days, batch_size):
        inputs = feature_extractor(batch, return_tensors="pt", allow_empty=True).to(device)
        rows.append(tower(inputs["sensor_values"], inputs["sensor_mask"]).pooler_output.float().cpu().numpy())
    return np.concatenate(rows)


@torch.inference_mode()
def _probabilities(model: Any, feature_extractor: Any, days: Sequence[SensorDay]) -> np.ndarray:
    rows = []
    for batch in batched(days, 64):
        inputs = feature_extractor(batch, return_tensors="pt", allow_empty=True).to(model.device)
        logits = model(inputs["sensor_values"], inputs["sensor_mask"]).logits
        rows.append(logits.float().softmax(dim=-1).cpu().numpy())
    return np.concatenate(rows)


def evaluate_tower(
    method: str,
    config: SensorLMConfig,
    feature_extractor: Any,
    train_days: Sequence[SensorDay],
    test_days: Sequence[SensorDay],
    task: Any,
    arguments: TrainingArguments,
) -> dict[str, Any]:
    """Trains the tower of a model without captions and evaluates it on other people.

    `"supervised"` trains it with the labels of the task, as an upper bound for this tower and number of days.
    `"simclr"` and `"mae"` train it on the training days without labels; a linear probe is then fitted on its features
    of the training days that the task labels.

    Args:
        method: One of [`METHODS`].
        config: Configuration of the model to compare with; the tower is randomly initialized.
        feature_extractor: Feature extractor of the model.
        train_days: Days to train on.
        test_days: Days of other people.
        task: A [`Task`] or [`ProbeTask`].
        arguments: Trainer arguments; `arguments.seed` also determines the initialization.

    Returns:
        Result of [`score_classifier`], with `method`, `train_days` and `days`.

    Raises:
        ValueError: If the method is unknown, a person is in both splits, or a split has no labelled days.
    """
    if method not in METHODS:
        raise ValueError(f"`method` must be one of {', '.join(METHODS)}, got {method!r}.")
    both = {day.subject_id for day in train_days} & {day.subject_id for day in test_days}
    if both:
        raise ValueError(
            f"{len(both)} people are in both the training and the test days (such as {min(both)}); split by person."
        )
    seen = [day for day in train_days if task.class_of(day) is not None]
    new = [day for day in test_days if task.class_of(day) is not None]
    if not seen or not new:
        raise ValueError(f"Task {task.name!r} labels {len(seen)} training and {len(new)} test days; it needs both.")
    labels, references = (np.array([task.class_of(day) for day in part]) for part in (seen, new))
    Path(arguments.output_dir).mkdir(parents=True, exist_ok=True)
    set_seed(arguments.seed)
    if method == "supervised":
        config = copy.deepcopy(config)
        config.num_labels = len(task.class_names)
        model = SensorLMForSensorClassification(config)
        train_module(model, feature_extractor, seen, arguments, labels)
        scores = _probabilities(model, feature_extractor, new)
    else:
        module = (SimCLR if method == "simclr" else MaskedAutoencoder)(config)
        train_module(module, feature_extractor, train_days, arguments)
        features = [tower_features(module.tower, feature_extractor, part) for part in (seen, new)]
        scores = fit_predict(logistic_probe(), features[0], labels, features[1], len(task.class_names))
    result = score_classifier(
        references, scores, [day.subject_id for day in new], task.class_names, seed=arguments.seed
    )
    return {**result, "method": method, "train_days": len(train_days), "days": len(new)}
