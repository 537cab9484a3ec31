"""Training of the variants of a study with identical settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..checkpoints import training_record
from .arguments import SensorLMTrainingArguments
from .pretrain import PretrainOptions, pretrain


def train_variant(
    options: PretrainOptions,
    folder: str | Path,
    *,
    epochs: float = 4,
    max_steps: int = -1,
    batch_size: int = 64,
    learning_rate: float = 1.5e-3,
    muon_learning_rate: float | None = None,
    seed: int = 0,
    bf16: bool = False,
) -> dict[str, Any]:
    """Trains a variant of a study unless it is trained already, or resumes it from the checkpoint of its last epoch.

    Variants of a study only differ in their options. All are trained with the same arguments: on a GPU if one is
    available, with a warm-up of 10 % of the steps and without intermediate evaluation.

    Args:
        options: Model, data and initialization.
        folder: Folder of the variant, where the model is saved.
        epochs: Number of epochs.
        max_steps: If above 0, number of optimizer steps instead of `epochs`.
        batch_size: Days per batch.
        learning_rate: Peak learning rate; the default suits small models.
        muon_learning_rate: Peak learning rate of Muon; see [`SensorLMTrainingArguments`].
        seed: Seed of the run.
        bf16: Whether to train in bfloat16.

    Returns:
        Metrics of the run; see [`pretrain`].

    Raises:
        ValueError: If the model in the folder was trained with other options or another seed.
        RuntimeError: If the run was stopped by SIGTERM; a checkpoint has been saved, but no model.
    """
    metrics = training_record(folder)
    if metrics is not None:
        wanted = {**options.as_json(), "seed": seed}
        # Options added after the record was written had their default value.
        found = {**PretrainOptions().as_json(), **metrics["options"], "seed": metrics["seed"]}
        other = [name for name in wanted if found.get(name) != wanted[name]]
        if other:
            changes = ", ".join(f"{name} was {found.get(name)!r} and is {wanted[name]!r}" for name in other)
            raise ValueError(
                f"{folder} contains a model of another study: {changes}. Choose another folder, or remove this one."
            )
        return metrics
    metrics = pretrain(
        options,
        SensorLMTrainingArguments(
            output_dir=str(folder),
            num_train_epochs=epochs,
            max_steps=max_steps,
            per_device_train_batch_size=batch_size,
            per_device_eval_batch_size=batch_size,
            learning_rate=learning_rate,
            muon_learning_rate=muon_learning_rate,
            warmup_steps=0.1,
            bf16=bf16,
            use_cpu=not torch.cuda.is_available(),
            eval_strategy="no",
            save_strategy="epoch",
            save_total_limit=1,
            seed=seed,
            report_to="none",
        ),
        resume=True,
    )
    if "stopped" in metrics:
        raise RuntimeError(
            f"Training was stopped after {metrics['days_seen']} days ({metrics['stopped']}); a checkpoint is in"
            f" {folder}. Run the same command again to resume."
        )
    return metrics
