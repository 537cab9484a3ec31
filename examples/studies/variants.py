"""Training of the models of a study, with identical settings, each once."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from sensorlm_hf.checkpoints import training_record
from sensorlm_hf.evaluation import save_results
from sensorlm_hf.training import PretrainOptions, SensorLMTrainingArguments, pretrain

SETTINGS = "study_settings.json"
"""File in the folder of a variant with its training settings, written before training starts."""


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
    """Trains a model of a study, unless it exists; resumes an interrupted run from its last checkpoint.

    All variants are trained on a GPU if available, with a warm-up over a tenth of the steps and without evaluation
    during training. The settings are stored in the folder, and a folder with different settings is rejected, so that
    changed settings never return the model of an earlier study.

    Args:
        options: Pretraining options.
        folder: Folder of the variant, for checkpoints and the model.
        epochs: Number of epochs.
        max_steps: Number of optimizer steps; overrides `epochs` if positive.
        batch_size: Number of days per batch.
        learning_rate: Peak learning rate; the default is for small models.
        muon_learning_rate: Peak learning rate of Muon for the matrices inside the towers; see
            [`SensorLMTrainingArguments`].
        seed: Seed of the run.
        bf16: Whether to compute in bfloat16.

    Returns:
        Metrics of the run; see [`pretrain`].

    Raises:
        ValueError: If the folder contains a model or run with different or unknown settings.
        RuntimeError: If the run was terminated (SIGTERM) after saving a checkpoint.
    """
    folder = Path(folder)
    arguments: dict[str, Any] = {
        "num_train_epochs": epochs,
        "max_steps": max_steps,
        "per_device_train_batch_size": batch_size,
        "learning_rate": learning_rate,
        "muon_learning_rate": muon_learning_rate,
        "warmup_steps": 0.1,
        "bf16": bf16,
        "seed": seed,
    }
    _check_settings(folder, {"options": _as_stored(options), "arguments": arguments})
    metrics = training_record(folder)
    if metrics is not None:
        return metrics
    metrics = pretrain(
        options,
        SensorLMTrainingArguments(
            output_dir=str(folder),
            per_device_eval_batch_size=batch_size,
            use_cpu=not torch.cuda.is_available(),
            eval_strategy="no",
            save_strategy="epoch",
            save_total_limit=1,
            report_to="none",
            **arguments,
        ),
        resume=True,
    )
    if "stopped" in metrics:
        raise RuntimeError(
            f"Training was stopped after {metrics['days_seen']} days ({metrics['stopped']}); a checkpoint is in"
            f" {folder}. Run the same command again to continue."
        )
    return metrics


def _as_stored(options: PretrainOptions) -> dict[str, Any]:
    """Returns the options that affect a model, with the hundreds of prompts as a digest."""
    stored = {name: value for name, value in options.as_json().items() if name != "num_proc"}
    digest = hashlib.blake2b("\n".join(options.prompts).encode(), digest_size=12).hexdigest()
    return json.loads(json.dumps({**stored, "prompts": digest}))


def _check_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Writes the settings of a new variant, or checks that they match the existing ones."""
    path = folder / SETTINGS
    if not path.is_file():
        if folder.is_dir() and any(folder.iterdir()):
            raise ValueError(
                f"{folder} is not empty and has no {SETTINGS}, so its training settings are unknown. Choose another"
                " folder, or remove this one."
            )
        save_results(settings, path)
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    differing = [
        f"{name} was {found[part].get(name)!r} and is {settings[part].get(name)!r}"
        for part in ("options", "arguments")
        for name in {**found[part], **settings[part]}
        if found[part].get(name) != settings[part].get(name)
    ]
    if differing:
        raise ValueError(
            f"{folder} contains a model of another study: {', '.join(differing)}. Choose another folder, or remove this"
            " one."
        )
