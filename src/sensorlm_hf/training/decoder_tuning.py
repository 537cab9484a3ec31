"""Tuning of the caption decoder alone, with frozen towers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from transformers import DynamicCache

from ..data.collator import SensorDayDataset, SensorLMCollator
from ..modeling import SensorLMForConditionalGeneration
from ..modeling.losses_sensorlm import caption_loss, caption_targets
from .short_run import run_steps, training_only

_OF_TEXT = ("input_ids", "attention_mask", "labels")


def tune_decoder(
    model: SensorLMForConditionalGeneration,
    days: SensorDayDataset,
    collator: SensorLMCollator,
    *,
    steps: int,
    batch_size: int = 32,
    learning_rate: float = 5e-4,
    muon_learning_rate: float = 1e-3,
    adam_beta2: float = 0.98,
    weight_decay: float = 1e-4,
    max_grad_norm: float = 1.0,
    bf16: bool = False,
    first_tokens: int | None = None,
    whole_every: int = 4,
    num_workers: int = 1,
    seed: int = 0,
    checkpoint: str | os.PathLike | None = None,
    progress: bool | None = None,
) -> dict[str, Any]:
    """Trains the decoder on captions of another kind or style, and leaves everything else as it is.

    Only the parameters under `decoder` are trained, without a head that shares its weights with the token embedding.
    The embeddings of days and texts do not change, and with them neither do zero-shot classification and retrieval.

    Args:
        model: A model with a decoder of its own, of objective `cap` or `coca`. It is trained in place; its mode and the
            `requires_grad` of its parameters are restored.
        days: Training days.
        collator: Collates batches. Its `labels`, if any, are the targets; otherwise all tokens of the captions are.
        steps: Number of optimizer steps.
        batch_size: Days per step.
        learning_rate: Peak learning rate of AdamW, reached after 5 % of the steps, then decayed linearly to 0.
        muon_learning_rate: Peak learning rate of Muon, which trains the matrices; see [`MuonWithAdamW`].
        adam_beta2: Decay rate of AdamW's second moment.
        weight_decay: Decoupled weight decay of the matrices.
        max_grad_norm: Maximum gradient norm for clipping.
        bf16: Whether the forward pass computes in bfloat16.
        first_tokens: Number of tokens at the start of captions to which steps are limited, so that a new beginning is
            learned quickly; `None` for whole captions.
        whole_every: With `first_tokens`, one step in as many uses whole captions, so that the rest is not forgotten.
        num_workers: Number of dataloader workers.
        seed: Seed of the data order.
        checkpoint: File from which a run that was cut off resumes; removed at the end.
        progress: Whether to show a progress bar; by default only in a terminal.

    Returns:
        `steps`, `days_seen`, `train_days` (size of the dataset), `train_runtime` (seconds), and `final_loss`, the
        caption loss per token averaged over the last 10 % of the steps.

    Raises:
        ValueError: If the decoder is a pretrained language model, an argument is out of range, the loss is not finite,
            or the checkpoint belongs to another run.
    """
    if model.config.text_config.is_language_model:
        raise ValueError(
            "`tune_decoder` trains the decoder of SensorLM, but the decoder of this model is a pretrained language"
            " model. Adapt it with LoRA instead: `PretrainOptions(lora=('decoder',))`."
        )
    for name, value in (("first_tokens", first_tokens), ("whole_every", whole_every)):
        if value is not None and value < 1:
            raise ValueError(f"`{name}` must be at least 1, got {value}.")
    shared = {id(parameter) for parameter in model.sensorlm.parameters()}
    trained = [(name, p) for name, p in model.named_parameters() if name.startswith("decoder.") and id(p) not in shared]

    def compute_loss(batch: dict[str, torch.Tensor], step: int) -> torch.Tensor:
        if first_tokens is not None and (step + 1) % whole_every:
            batch = {name: value[:, :first_tokens] if name in _OF_TEXT else value for name, value in batch.items()}
        return _decoder_loss(model, batch, bf16)

    with training_only(model, trained):
        model.eval()
        model.decoder.train()
        return run_steps(
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
            description="decoder",
            progress=progress,
            checkpoint=None if checkpoint is None else Path(checkpoint),
        )


def _decoder_loss(
    model: SensorLMForConditionalGeneration, batch: dict[str, torch.Tensor], bf16: bool = False
) -> torch.Tensor:
    """Computes the caption loss; the frozen towers run without gradients, the contrastive text tower not at all."""
    targets = caption_targets(batch["input_ids"], batch["attention_mask"], batch.get("labels"))
    scored = targets != -100
    with torch.autocast(batch["input_ids"].device.type, torch.bfloat16, enabled=bf16):
        with torch.no_grad():
            sensor = model.sensorlm.sensor_model(batch["sensor_values"], batch["sensor_mask"])
            # With a cache texts are not pooled, so neither class token nor sentence encoder runs.
            text = model.sensorlm.text_model(
                batch["input_ids"], batch["attention_mask"], past_key_values=DynamicCache()
            )
        tokens, mask = model.decoder.sensor_tokens(sensor)
        hidden = model.decoder(
            text.last_hidden_state, batch["attention_mask"], sensor_tokens=tokens, sensor_token_mask=mask
        ).last_hidden_state
        return caption_loss(model.decoder.lm_head(hidden[:, :-1][scored]), targets[scored])


__all__ = ["tune_decoder"]
