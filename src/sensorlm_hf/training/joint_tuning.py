"""Tuning of all parts of a CoCa model together, on captions and on statements of known truth."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..data.collator import SensorDayDataset, SensorLMCollator
from ..modeling import SensorLMForConditionalGeneration, statement_sigmoid_loss, statement_softmax_loss
from ..modeling.losses_sensorlm import caption_loss, caption_targets, clip_loss, positive_pairs
from .losses import clamp_logit_scale
from .short_run import run_steps, training_only

_STATEMENTS_AT_ONCE = 32


def tune_jointly(
    model: SensorLMForConditionalGeneration,
    days: SensorDayDataset,
    collator: SensorLMCollator,
    *,
    steps: int,
    batch_size: int = 64,
    captions_per_batch: int | None = None,
    learning_rate: float = 5e-4,
    muon_learning_rate: float = 1e-3,
    language_model_learning_rate: float = 1e-4,
    adam_beta2: float = 0.98,
    weight_decay: float = 1e-4,
    max_grad_norm: float = 1.0,
    bf16: bool = False,
    num_workers: int = 1,
    seed: int = 0,
    checkpoint: str | os.PathLike | None = None,
    progress: bool | None = None,
) -> dict[str, Any]:
    """Trains sensor tower, text tower, sentence encoder and decoder together.

    [`align_sentence_encoder`] can only teach the encoder what the embeddings of days already tell. This run lets the
    sensor tower learn what statements are about, such as bedtimes and gaps, while the losses of captions keep what it
    knows. The loss is the sum of

    - the contrastive loss of days and captions,
    - the caption loss of the decoder, weighted as in the configuration,
    - the sigmoid loss over all pairs of days and statements, and the softmax loss that ranks the days of each
      statement, as in `align_sentence_encoder`.

    The gate of the encoder stays as it is; fit it and the probabilities afterwards with [`calibrate_sentence_encoder`].

    Args:
        model: A model of objective `coca` with a sentence encoder; see [`add_sentence_encoder`]. It is trained in
            place; its mode and the `requires_grad` of its parameters are restored.
        days: Training days.
        collator: Collates batches with `statements`. Its `labels`, if any, are the targets of the decoder; otherwise
            all tokens of the captions are.
        steps: Number of optimizer steps.
        batch_size: Days per step, each of which is compared with all statements.
        captions_per_batch: Days per step, the first of the batch, of which the caption is used too. Captions take most
            of the time of a step. All are used by default.
        learning_rate: Peak learning rate of AdamW, reached after 5 % of the steps, then decayed linearly to 0.
        muon_learning_rate: Peak learning rate of Muon, which trains the matrices; see [`MuonWithAdamW`].
        language_model_learning_rate: Peak learning rate of the layers of the sentence encoder, trained by AdamW.
        adam_beta2: Decay rate of AdamW's second moment.
        weight_decay: Decoupled weight decay of the matrices.
        max_grad_norm: Maximum gradient norm for clipping.
        bf16: Whether the forward pass computes in bfloat16.
        num_workers: Number of dataloader workers.
        seed: Seed of the data order.
        checkpoint: File from which a run that was cut off resumes; removed at the end.
        progress: Whether to show a progress bar; by default only in a terminal.

    Returns:
        `steps`, `days_seen`, `train_days` (size of the dataset), `train_runtime` (seconds), and averages over the last
        10 % of the steps: `final_loss`, and its parts `contrastive_loss`, `caption_loss` and `statement_loss`. The
        parts count from the last resumption, if that was later.

    Raises:
        ValueError: If the model has no sentence encoder, the collator no statements, an argument is out of range, the
            loss is not finite, or the checkpoint belongs to another run.
    """
    if getattr(model.sensorlm.text_model, "sentence_encoder", None) is None:
        raise ValueError("The model has no sentence encoder; add one with `add_sentence_encoder`.")
    if not collator.statements:
        raise ValueError("`tune_jointly` needs statements; give the collator `statements=128`, for instance.")
    if captions_per_batch is not None and captions_per_batch < 2:
        raise ValueError(
            f"`captions_per_batch` must be at least 2, since they are contrasted, got {captions_per_batch}."
        )
    trained = [(name, p) for name, p in model.named_parameters() if ".sentence_encoder.gate." not in name]
    history: list[tuple[float, ...]] = []

    def compute_loss(batch: dict[str, torch.Tensor], step: int) -> torch.Tensor:
        parts = _losses(model, batch, captions_per_batch, bf16)
        history.append(tuple(part.item() for part in parts))
        contrastive, caption, statements = parts
        return contrastive + model.config.caption_loss_weight * caption + statements

    with training_only(model, trained):
        model.train()
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
            description="joint tuning",
            progress=progress,
            after_step=lambda: clamp_logit_scale(model),
            # Adam moves a parameter by its learning rate at most; scale and bias are single numbers.
            rates={"sentence_encoder.language_model": language_model_learning_rate, "statement_": 4 * learning_rate},
            checkpoint=None if checkpoint is None else Path(checkpoint),
        )
    last = history[-max(1, steps // 10) :]
    names = ("contrastive_loss", "caption_loss", "statement_loss")
    return record | {name: sum(column) / len(last) for name, column in zip(names, zip(*last, strict=True), strict=True)}


def _losses(
    model: SensorLMForConditionalGeneration, batch: dict[str, torch.Tensor], captions: int | None, bf16: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Computes the contrastive loss, the caption loss and the loss of statements of a batch."""
    base: Any = model.sensorlm
    ids, mask = batch["input_ids"][:captions], batch["attention_mask"][:captions]
    targets = caption_targets(ids, mask, None if "labels" not in batch else batch["labels"][:captions])
    scored = targets != -100
    with torch.autocast(ids.device.type, torch.bfloat16, enabled=bf16):
        sensor = base.sensor_model(batch["sensor_values"], batch["sensor_mask"])
        text = base.text_model(ids, mask)
        statements = _embed_statements(base.text_model.sentence_encoder, batch)
        caption = text.pooler_output.new_zeros((), dtype=torch.float32)
        if scored.any():  # otherwise the captions are only contrasted
            tokens, token_mask = model.decoder.sensor_tokens(sensor)
            hidden = model.decoder(
                text.last_hidden_state,
                mask,
                sensor_tokens=tokens[: len(ids)],
                sensor_token_mask=None if token_mask is None else token_mask[: len(ids)],
            ).last_hidden_state
            caption = caption_loss(model.decoder.lm_head(hidden[:, :-1][scored]), targets[scored])
    days, texts, statements = (
        nn.functional.normalize(part.float(), dim=-1) for part in (sensor.pooler_output, text.pooler_output, statements)
    )
    groups = positive_pairs(batch["text_group_ids"][: len(ids)])
    contrastive = clip_loss(days[: len(ids)], texts, base.temperature(), groups)
    scale, truth = base.statement_logit_scale.exp(), batch["statement_truth"]
    judged = statement_sigmoid_loss(days, statements, truth, scale, base.statement_logit_bias)
    return contrastive, caption, judged + statement_softmax_loss(days, statements, truth, scale)


def _embed_statements(encoder: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Embeds statements with the encoder alone: the gate keeps the causal layers out of them."""
    embeds = []
    ids, mask = batch["statement_ids"], batch["statement_mask"]
    for some, keys in zip(ids.split(_STATEMENTS_AT_ONCE), mask.split(_STATEMENTS_AT_ONCE), strict=True):
        longest = int(keys.sum(dim=1).max())  # the collator sorts statements by length and pads them on the right
        embeds.append(encoder.embed(encoder.meaning(some[:, :longest], keys[:, :longest].bool())))
    return torch.cat(embeds)


__all__ = ["tune_jointly"]
