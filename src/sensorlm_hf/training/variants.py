"""One of several models of a study, trained as the others are."""

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
    """Trains a model of a study, unless it is there; goes on where an interrupted one was after its last epoch.

    Only the options differ between the variants of a study. All are trained with the same arguments: a GPU where there
    is one, a warm-up of a tenth of the steps, no evaluation on the way.

    Args:
        options: What to train.
        folder: Folder of the variant; takes the model.
        epochs: Passes over the data.
        max_steps: Optimiser steps instead, if above 0.
        batch_size: Days in a batch.
        learning_rate: Peak learning rate; by default one for small models, which need fewer steps with it.
        muon_learning_rate: Peak rate of Muon for the matrices inside the towers; see [`SensorLMTrainingArguments`].
        seed: Seed of the run.
        bf16: Whether to compute in bfloat16, which many processors do faster.

    Returns:
        The numbers of the run; see [`pretrain`].

    Raises:
        ValueError: If the model in the folder was trained with other options or another seed.
        RuntimeError: If the system asked the run to end (SIGTERM); a checkpoint is kept, and no model is there yet.
    """
    metrics = training_record(folder)
    if metrics is not None:
        asked = {**options.as_json(), "seed": seed}
        # A record of before an option was there was made with its default.
        found = {**PretrainOptions().as_json(), **metrics["options"], "seed": metrics["seed"]}
        other = [name for name in asked if found.get(name) != asked[name]]
        if other:
            told = ", ".join(f"{name} was {found.get(name)!r} and is {asked[name]!r}" for name in other)
            raise ValueError(
                f"{folder} holds a model of another study: {told}. Choose another folder, or remove this one."
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
            f" {folder}. Run the same again to go on from it."
        )
    return metrics
