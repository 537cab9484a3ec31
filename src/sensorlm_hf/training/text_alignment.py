"""Aligns the sentence encoder of a CoCa model with its trained sensor tower, without training the tower.

The sensor tower is run once; its embeddings are the fixed targets of the text side, so a step costs only the forward
and backward pass of the encoder. Captions stay as they were, since other weights generate them; the gate of the encoder
is fitted to leave texts in the language of captions to the causal layers.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from huggingface_hub.utils import tqdm
from torch import nn

from .._extras import requires_extra
from ..data.collator import UNRELATED_SHARE, log_is_complete
from ..data.device_profiles import PROFILES, apply_profile
from ..days import SensorDay
from ..embedding import encode_sensor
from ..modeling import SensorLMForConditionalGeneration, statement_sigmoid_loss, statement_softmax_loss
from ..processing import SensorLMProcessor
from ..processing.captions.day_facts import DayFacts, day_facts
from ..processing.captions.statements import Statement, StatementBank, truth
from ..processing.captions.unrelated import unrelated_text

with requires_extra("train", "Alignment of a sentence encoder"):
    from sklearn.linear_model import LogisticRegression, Ridge

INITIAL_STATEMENTS = 4000
"""Statements from which the first linear map of the encoder is computed."""

_LENGTH = 3.0
"""Length of the vectors that the first map returns, for which embeddings have a length of 0.95."""

_DAYS_AT_ONCE = 512


class _Views:
    """Days as several devices would have recorded them, embedded once."""

    def __init__(self, model: Any, processor: Any, days: Sequence[SensorDay], rng: np.random.Generator, progress: bool):
        schema = days[0].schema
        profiles = list(PROFILES.values())
        self.schema = schema
        self.facts: list[DayFacts] = []
        embeds, visible = [], []
        for start in tqdm(range(0, len(days), 64), desc="days", disable=not progress):
            some = list(days[start : start + 64])
            facts = [day_facts(day, log_complete=log_is_complete(day)) for day in some]
            reduced = [apply_profile(day, profiles[int(rng.integers(len(profiles)))]) for day in some]
            kept = [row for row, day in enumerate(reduced) if day.mask.any()]
            shown = some + [reduced[row] for row in kept]
            embeds.append(torch.as_tensor(encode_sensor(model, processor, shown)))
            visible.append(np.stack([day.mask.any(axis=0) for day in shown]))
            self.facts += facts + [facts[row] for row in kept]
        self.embeds = nn.functional.normalize(torch.cat(embeds).float(), dim=-1)
        self.visible = np.concatenate(visible)

    def truth(self, statements: Sequence[Statement], rows: np.ndarray) -> np.ndarray:
        return truth(statements, [self.facts[row] for row in rows], self.visible[rows], self.schema)


def align_sentence_encoder(
    model: SensorLMForConditionalGeneration,
    processor: SensorLMProcessor,
    days: Sequence[SensorDay],
    captions: Sequence[str],
    *,
    steps: int = 300,
    statements: int = 128,
    learning_rate: float = 1e-3,
    language_model_learning_rate: float = 1e-4,
    seed: int = 0,
    progress: bool | None = None,
) -> dict[str, Any]:
    """Trains the sentence encoder of a model on statements of known truth (see [`StatementBank`]).

    1. Days, and the same days as other devices would have recorded them, are embedded by the sensor tower.
    2. Ridge regression maps the encoder's states of statements to the directions that separate the days of which they
       are true from the others (Fisher's linear discriminant).
    3. From there, encoder and map are trained on the statements with the sigmoid and the softmax loss.
    4. Logistic regression sets the gate, which distinguishes captions from other texts.

    Args:
        model: Result of [`add_sentence_encoder`]; trained in place.
        processor: Its processor.
        days: Training days.
        captions: Texts in the language of captions, which are left to the causal layers: captions of days, prompts.
        steps: Number of optimizer steps.
        statements: Statements per step.
        learning_rate: Peak learning rate of the map, reached after 5 % of the steps, then decayed linearly to 0.
        language_model_learning_rate: That of the encoder.
        seed: Seed of the statements.
        progress: Whether to show a progress bar; by default only in a terminal.

    Returns:
        `steps`, `days`, `views` and averages over the last 10 % of the steps: `final_loss`.

    Raises:
        ValueError: If the model has no sentence encoder, or there are no days or captions.
    """
    encoder: Any = getattr(model.sensorlm.text_model, "sentence_encoder", None)
    if encoder is None:
        raise ValueError("The model has no sentence encoder; add one with `add_sentence_encoder`.")
    if not len(days) or not len(captions):
        raise ValueError(f"Give days and captions, got {len(days)} days and {len(captions)} captions.")
    if steps < 1:
        raise ValueError(f"`steps` must be at least 1, got {steps}.")
    shown = sys.stderr.isatty() if progress is None else progress
    rng = np.random.default_rng(seed)
    model.eval()
    views = _Views(model, processor, days, rng, shown)
    bank = StatementBank("train")
    _initialize_head(encoder, processor, views, bank, rng)

    base = model.sensorlm
    scalars = [base.statement_logit_scale, base.statement_logit_bias]
    optimizer = torch.optim.AdamW(
        [
            {"params": encoder.head.parameters(), "lr": learning_rate},
            {"params": encoder.language_model.parameters(), "lr": language_model_learning_rate},
            # Adam moves a parameter by its learning rate at most; these two are single numbers.
            {"params": scalars, "lr": 20 * learning_rate},
        ],
        betas=(0.9, 0.98),
        weight_decay=0.0,
    )
    warmup = max(1, round(0.05 * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup, (steps - step) / max(1, steps - warmup))
    )
    losses = []
    for _ in tqdm(range(steps), desc="sentence encoder", disable=not shown):
        rows = rng.choice(len(views.facts), size=min(_DAYS_AT_ONCE, len(views.facts)), replace=False)
        others = int(statements * UNRELATED_SHARE)
        drawn = bank.sample([views.facts[row] for row in rows[:128]], statements - others, rng)
        texts = [statement.text for statement in drawn] + [unrelated_text(rng) for _ in range(others)]
        known = np.pad(views.truth(drawn, rows), ((0, 0), (0, others)))
        embeds = nn.functional.normalize(encoder.embed(_meanings(encoder, processor, texts)), dim=-1)
        sensor, table = views.embeds[rows], torch.from_numpy(known)
        scale, bias = base.statement_logit_scale.exp(), base.statement_logit_bias
        loss = statement_sigmoid_loss(sensor, embeds, table, scale, bias)
        loss = loss + 0.1 * statement_softmax_loss(sensor, embeds, table, scale)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    optimizer.zero_grad()
    _fit_gate(encoder, processor, views, bank, captions, rng)
    last = max(1, steps // 10)
    return {
        "steps": steps,
        "days": len(days),
        "views": len(views.facts),
        "final_loss": float(np.mean(losses[-last:])),
    }


def _meanings(encoder: Any, processor: Any, texts: Sequence[str], size: int = 32) -> torch.Tensor:
    """Returns the encoder's mean states of texts, `(texts, width)`, in batches of similar length."""
    inputs = processor(text=list(texts))
    ids, keys = inputs["input_ids"][:, : encoder.max_tokens], inputs["attention_mask"][:, : encoder.max_tokens].bool()
    order = keys.sum(dim=1).argsort(stable=True)
    parts = []
    for rows in order.split(size):
        longest = int(keys[rows].sum(dim=1).max())
        parts.append(encoder.meaning(ids[rows, :longest], keys[rows, :longest]))
    return torch.cat(parts)[order.argsort()]


@torch.no_grad()
def _initialize_head(encoder: Any, processor: Any, views: _Views, bank: StatementBank, rng: Any) -> None:
    """Maps statements to the direction that separates the days of which they are true."""
    drawn: list[Statement] = []
    while len(drawn) < INITIAL_STATEMENTS:
        rows = rng.choice(len(views.facts), size=min(128, len(views.facts)), replace=False)
        drawn += bank.sample([views.facts[row] for row in rows], 200, rng)
    rows = rng.permutation(len(views.facts))[: 4 * _DAYS_AT_ONCE]
    sensor = views.embeds[rows].double().numpy()
    known = views.truth(drawn, rows)
    centred = sensor - sensor.mean(axis=0)
    covariance = centred.T @ centred / len(centred)
    whitening = np.linalg.inv(covariance + 0.05 * np.trace(covariance) / len(covariance) * np.eye(len(covariance)))
    chosen, targets = [], []
    for column in range(len(drawn)):
        true, false = known[:, column] == 1, known[:, column] == 0
        if min(true.sum(), false.sum()) >= 5:
            direction = whitening @ (sensor[true].mean(axis=0) - sensor[false].mean(axis=0))
            chosen.append(drawn[column].text)
            targets.append(direction / np.linalg.norm(direction))
    states = _meanings(encoder, processor, chosen).double().numpy()
    fitted = Ridge(alpha=1.0).fit(states, np.stack(targets))
    length = np.median(np.linalg.norm(fitted.predict(states), axis=1))
    encoder.head.weight.copy_(torch.from_numpy(fitted.coef_ * _LENGTH / length))
    encoder.head.bias.copy_(torch.from_numpy(fitted.intercept_ * _LENGTH / length))


@torch.no_grad()
def _fit_gate(
    encoder: Any, processor: Any, views: _Views, bank: StatementBank, captions: Sequence[str], rng: Any
) -> None:
    """Sets the gate so that captions are left to the causal layers, and other texts are not."""
    rows = rng.choice(len(views.facts), size=min(256, len(views.facts)), replace=False)
    texts = [statement.text for statement in bank.sample([views.facts[row] for row in rows], 2000, rng)]
    texts += [unrelated_text(rng) for _ in range(500)]
    states = torch.cat([_meanings(encoder, processor, some) for some in (list(captions), texts)]).double().numpy()
    is_caption = np.arange(len(states)) < len(captions)
    fitted = LogisticRegression(C=10.0, max_iter=2000, class_weight="balanced").fit(states, is_caption)
    encoder.gate.weight.copy_(torch.from_numpy(fitted.coef_))
    encoder.gate.bias.copy_(torch.from_numpy(fitted.intercept_))


__all__ = ["align_sentence_encoder"]
