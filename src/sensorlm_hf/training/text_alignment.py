"""Aligns the sentence encoder of a CoCa model with its trained sensor tower, without training the tower.

The sensor tower is run once; its embeddings are the fixed targets of the text side, so a step costs only the forward
and backward pass of the encoder. Captions stay as they were, since other weights generate them; the gate of the encoder
is fitted to leave texts in the language of captions to the causal layers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from huggingface_hub.utils import tqdm
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from torch import nn

from .._extras import requires_extra
from ..activities import ACTIVITIES
from ..data.collator import UNRELATED_SHARE, log_is_complete
from ..data.device_profiles import PROFILES, apply_profile
from ..days import SensorDay
from ..embedding import encode_sensor, encode_text
from ..modeling import SensorLMForConditionalGeneration, statement_sigmoid_loss, statement_softmax_loss
from ..modeling.modeling_sensorlm import MAX_CLIP_LOGIT_SCALE
from ..processing import SensorLMProcessor
from ..processing.captions.claims import all_claims
from ..processing.captions.day_facts import DayFacts, day_facts
from ..processing.captions.statements import Statement, StatementBank, truth
from ..processing.captions.unrelated import unrelated_text

with requires_extra("train", "Alignment of a sentence encoder"):
    from sklearn.linear_model import LogisticRegression

HEAD_STATEMENTS = 24_000
"""Statements with whose fixed states the head is trained first."""

HEAD_STEPS = 800
"""Steps of the head; each compares 512 statements with 512 days."""

_LENGTH = 3.0
"""Median length of the vectors that the head returns, for which embeddings have a length of 0.95."""

_SCALE = 30.0  # initial scale of the similarities
_AT_ONCE = 512
_FEWEST_DAYS = 100
"""Days that a temperature is fitted to."""


class _Head(nn.Module):
    """The head of a sentence encoder in coordinates in which it is learned quickly.

    Most of what a statement can be about occupies directions in which the embeddings of days hardly differ. In whitened
    coordinates all directions count alike. [`write`] returns to those of the encoder, without changing a result.

    Args:
        head: The head of the encoder.
        states: `(N, width)` states of statements.
        sensor: `(M, D)` normalized embeddings of days.
    """

    def __init__(self, head: nn.Sequential, states: torch.Tensor, sensor: torch.Tensor) -> None:
        super().__init__()
        self.head = head
        self.input = nn.Linear(head[0].in_features, head[0].out_features)
        self.output = nn.Linear(head[2].in_features, head[2].out_features)
        self.register_buffer("mean", states.mean(dim=0))
        self.register_buffer("deviation", states.std(dim=0) + 1e-6)
        second = sensor.double().T @ sensor.double() / len(sensor)
        values, vectors = torch.linalg.eigh(second)
        scales = (values.clamp(min=0) + 0.05 * values.mean()).rsqrt()
        self.register_buffer("whitening", (vectors * scales @ vectors.T).float())

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Maps states `(N, width)` to normalized embeddings `(N, D)`."""
        hidden = nn.functional.gelu(self.input((states - self.mean) / self.deviation))
        return nn.functional.normalize(self.output(hidden) @ self.whitening, dim=-1)

    @torch.no_grad()
    def write(self, states: torch.Tensor) -> None:
        """Writes the head of the encoder, with vectors of a suitable length for the given states `(N, width)`."""
        scaled = self.input.weight / self.deviation
        self.head[0].weight.copy_(scaled)
        self.head[0].bias.copy_(self.input.bias - scaled @ self.mean)
        weight, bias = self.whitening.T @ self.output.weight, self.whitening.T @ self.output.bias
        self.head[2].weight.copy_(weight)
        self.head[2].bias.copy_(bias)
        factor = _LENGTH / self.head(states).norm(dim=-1).median()
        self.head[2].weight.mul_(factor)
        self.head[2].bias.mul_(factor)


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
    head_steps: int = HEAD_STEPS,
    head_statements: int = HEAD_STATEMENTS,
    statements: int = 128,
    learning_rate: float = 2e-3,
    language_model_learning_rate: float = 1e-4,
    seed: int = 0,
    progress: bool | None = None,
) -> dict[str, Any]:
    """Trains the sentence encoder of a model on statements of known truth (see [`StatementBank`]).

    1. Days, and the same days as other devices would have recorded them, are embedded by the sensor tower.
    2. The head of the encoder is trained with fixed states of the encoder.
    3. Encoder and head are trained together.
    4. Logistic regression sets the gate, which distinguishes captions from other texts.
    5. Logistic regression calibrates the probability of a text from its similarity to a day; a fitted temperature
       calibrates the choice between activities.

    The loss is the sigmoid loss, which compares every day with every statement, plus the softmax loss, which ranks the
    days of each statement.

    Args:
        model: Result of [`add_sentence_encoder`]; trained in place.
        processor: Its processor.
        days: Training days.
        captions: Texts in the language of captions, which are left to the causal layers: captions of days, prompts.
        steps: Number of optimizer steps of encoder and head.
        head_steps: Number of optimizer steps of the head alone.
        head_statements: Number of statements on which the head is trained alone.
        statements: Statements per step of encoder and head.
        learning_rate: Peak learning rate of the head, reached after 5 % of the steps, then decayed linearly to 0.
        language_model_learning_rate: That of the encoder.
        seed: Seed of the statements.
        progress: Whether to show progress bars; by default only in a terminal.

    Returns:
        `steps`, `days`, `views` and averages over the last 10 % of the steps: `head_loss`, `final_loss`.

    Raises:
        ValueError: If the model has no sentence encoder, there are no days or captions, or a number is below 1.
    """
    _check(model, days, captions)
    encoder: Any = model.sensorlm.text_model.sentence_encoder
    for name, value in (("steps", steps), ("head_steps", head_steps), ("head_statements", head_statements)):
        if value < 1:
            raise ValueError(f"`{name}` must be at least 1, got {value}.")
    shown = sys.stderr.isatty() if progress is None else progress
    rng = np.random.default_rng(seed)
    model.eval()
    views = _Views(model, processor, days, rng, shown)
    bank = StatementBank("train")
    base = model.sensorlm
    scalars = [base.statement_logit_scale, base.statement_logit_bias]
    with torch.no_grad():
        base.statement_logit_scale.fill_(np.log(_SCALE))

    texts, known = _statements(views, bank, head_statements, rng)
    states = _states(encoder, processor, texts, shown)
    torch.manual_seed(seed)
    head = _Head(encoder.head, states, views.embeds)
    table = torch.from_numpy(known)

    def of_fixed_states() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        rows = torch.from_numpy(rng.integers(len(views.facts), size=_AT_ONCE))
        columns = torch.from_numpy(rng.integers(len(texts), size=_AT_ONCE))
        return views.embeds[rows], head(states[columns]), table[rows][:, columns]

    of_head = [*head.input.parameters(), *head.output.parameters()]
    # Adam moves a parameter by its learning rate at most; scale and bias are single numbers.
    groups = [_group(of_head, learning_rate), _group(scalars, 5 * learning_rate)]
    head_loss = _train(base, groups, of_fixed_states, head_steps, shown, "head")

    def of_encoder() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        rows = rng.choice(len(views.facts), size=min(_AT_ONCE, len(views.facts)), replace=False)
        texts, known = _statements(views, bank, statements, rng, rows)
        return views.embeds[rows], head(_meanings(encoder, processor, texts)), torch.from_numpy(known)

    groups = [
        _group(of_head, learning_rate),
        _group(encoder.language_model.parameters(), language_model_learning_rate),
        _group(scalars, learning_rate / 2),
    ]
    final_loss = _train(base, groups, of_encoder, steps, shown, "sentence encoder")

    head.write(_states(encoder, processor, texts[:2000], False))
    _fit(model, processor, views, captions, seed)
    return {
        "steps": steps,
        "days": len(days),
        "views": len(views.facts),
        "head_loss": head_loss,
        "final_loss": final_loss,
    }


def calibrate_sentence_encoder(
    model: SensorLMForConditionalGeneration,
    processor: SensorLMProcessor,
    days: Sequence[SensorDay],
    captions: Sequence[str],
    *,
    seed: int = 0,
    progress: bool | None = None,
) -> None:
    """Repeats the last two steps of [`align_sentence_encoder`] after further training of the model.

    Logistic regression sets the gate of the sentence encoder and calibrates the probability of a text from its
    similarity to a day; the temperature is fitted to the choice between activities. Nothing else changes.

    Args:
        model: A model with a sentence encoder; changed in place.
        processor: Its processor.
        days: Training days.
        captions: Texts in the language of captions.
        seed: Seed of the statements.
        progress: Whether to show progress bars; by default only in a terminal.

    Raises:
        ValueError: If the model has no sentence encoder, or there are no days or captions.
    """
    _check(model, days, captions)
    model.eval()
    shown = sys.stderr.isatty() if progress is None else progress
    _fit(model, processor, _Views(model, processor, days, np.random.default_rng(seed), shown), captions, seed)


def _check(model: Any, days: Sequence[SensorDay], captions: Sequence[str]) -> None:
    if getattr(model.sensorlm.text_model, "sentence_encoder", None) is None:
        raise ValueError("The model has no sentence encoder; add one with `add_sentence_encoder`.")
    if not len(days) or not len(captions):
        raise ValueError(f"Give days and captions, got {len(days)} days and {len(captions)} captions.")


def _fit(model: Any, processor: Any, views: _Views, captions: Sequence[str], seed: int) -> None:
    """Sets the gate and calibrates probabilities."""
    rng = np.random.default_rng((seed, 1))  # does not depend on the number of statements before
    _fit_gate(model.sensorlm.text_model.sentence_encoder, processor, views, StatementBank("train"), captions, rng)
    _calibrate(model, processor, views, rng)


def _statements(
    views: _Views, bank: StatementBank, count: int, rng: np.random.Generator, rows: np.ndarray | None = None
) -> tuple[list[str], np.ndarray]:
    """Draws statements and unrelated texts, and compares them with all views or those of the given rows."""
    others = round(count * UNRELATED_SHARE)
    drawn: dict[str, Statement] = {}
    while len(drawn) < count - others:
        some = rng.choice(rows if rows is not None else len(views.facts), size=min(128, len(views.facts)))
        wanted = min(300, count - others - len(drawn))
        for statement in bank.sample([views.facts[row] for row in some], wanted, rng):
            drawn.setdefault(statement.text, statement)
    texts = [*drawn, *(unrelated_text(rng) for _ in range(others))]
    known = views.truth(list(drawn.values()), np.arange(len(views.facts)) if rows is None else rows)
    return texts, np.pad(known, ((0, 0), (0, others)))


def _group(parameters: Iterable[nn.Parameter], learning_rate: float) -> dict[str, Any]:
    return {"params": list(parameters), "lr": learning_rate}


def _train(
    base: Any,
    groups: list[dict[str, Any]],
    batch: Callable[[], tuple[torch.Tensor, torch.Tensor, torch.Tensor]],
    steps: int,
    shown: bool,
    what: str,
) -> float:
    """Minimizes the loss of statements; returns its average over the last 10 % of the steps."""
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.0)
    warmup = max(1, round(0.05 * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup, (steps - step) / max(1, steps - warmup))
    )
    losses = []
    for _ in tqdm(range(steps), desc=what, disable=not shown):
        sensor, embeds, truth_table = batch()
        scale = base.statement_logit_scale.exp()
        loss = statement_sigmoid_loss(sensor, embeds, truth_table, scale, base.statement_logit_bias)
        loss = loss + statement_softmax_loss(sensor, embeds, truth_table, scale)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    optimizer.zero_grad()
    return float(np.mean(losses[-max(1, steps // 10) :]))


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
def _states(encoder: Any, processor: Any, texts: Sequence[str], shown: bool, size: int = 512) -> torch.Tensor:
    """Returns the encoder's mean states of many texts, `(texts, width)`."""
    parts = range(0, len(texts), size)
    shown_parts = tqdm(parts, desc="statements", disable=not shown)
    return torch.cat([_meanings(encoder, processor, texts[start : start + size], 64) for start in shown_parts])


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
    fitted = LogisticRegression(C=10.0, max_iter=5000, class_weight="balanced").fit(states, is_caption)
    encoder.gate.weight.copy_(torch.from_numpy(fitted.coef_))
    encoder.gate.bias.copy_(torch.from_numpy(fitted.intercept_))


@torch.no_grad()
def _calibrate(model: Any, processor: Any, views: _Views, rng: np.random.Generator) -> None:
    """Fits scale and bias with wordings that were not used for training, and with the names of activities.

    Labels are mostly names, and their probabilities differ more from those of sentences than sentences among each
    other, so both kinds of text have half of the weight.
    """
    rows = rng.choice(len(views.facts), size=min(1000, len(views.facts)), replace=False)
    texts, known = _statements(views, StatementBank("validation"), 1000, rng, rows)
    exercises = {activity.name for activity in ACTIVITIES if activity.benchmark}
    named = [
        Statement(f"A day with {claim.name}.", claim.key, (claim,))
        for claim in all_claims()
        if claim.kind == "activity" and claim.name in exercises
    ]
    texts += [statement.text for statement in named]
    known = np.concatenate([known, views.truth(named, rows)], axis=1)
    similarity = views.embeds[rows].numpy() @ encode_text(model, processor, texts).T
    decided = known >= 0
    is_name = np.broadcast_to(np.arange(len(texts)) >= len(texts) - len(named), known.shape)[decided]
    weights = np.where(is_name, 0.5 / max(is_name.sum(), 1), 0.5 / max((~is_name).sum(), 1))
    chosen = rng.permutation(len(weights))[:400_000]
    x, y = similarity[decided][chosen][:, None], known[decided][chosen]
    weights = weights[chosen] * len(chosen) / weights[chosen].sum()
    fitted = LogisticRegression(C=1e6, max_iter=1000).fit(x, y, weights)
    scale = float(fitted.coef_[0, 0])
    if scale > 0:  # otherwise nothing was learned, and there is nothing to calibrate
        model.sensorlm.statement_logit_scale.fill_(float(np.log(scale)))
        model.sensorlm.statement_logit_bias.fill_(float(fitted.intercept_[0]))
    _fit_temperature(model, processor, views, sorted(exercises))


@torch.no_grad()
def _fit_temperature(model: Any, processor: Any, views: _Views, exercises: Sequence[str]) -> None:
    """Fits the temperature with which the softmax over activities gives calibrated probabilities.

    Days with exactly one of the activities are classified (Guo et al., "On calibration of modern neural networks", ICML
    2017). The temperature of training is that of a batch of captions, not of a choice between labels. Complete days
    need a lower temperature than days of simpler devices; the result is the geometric mean of both.
    """
    logged = np.array([[facts[f"minutes:{name}"] >= 5 for name in exercises] for facts in views.facts])
    texts = encode_text(model, processor, [f"A day with {name}." for name in exercises])
    complete = views.visible.sum(axis=1) == views.visible.sum(axis=1).max()
    fitted = []
    for chosen in (complete, ~complete):
        rows = np.flatnonzero(chosen & (logged.sum(axis=1) == 1))
        if len(rows) < _FEWEST_DAYS:
            return
        similarity, classes = views.embeds[rows].numpy().astype(np.float64) @ texts.T, logged[rows].argmax(axis=1)
        loss = partial(_cross_entropy, similarity, classes)
        fitted.append(minimize_scalar(loss, bounds=(0.0, MAX_CLIP_LOGIT_SCALE), method="bounded").x)
    model.sensorlm.logit_scale.fill_(float(np.mean(fitted)))


def _cross_entropy(similarity: np.ndarray, classes: np.ndarray, log_scale: float) -> float:
    scores = np.exp(log_scale) * similarity
    return float((logsumexp(scores, axis=1) - scores[np.arange(len(classes)), classes]).mean())


__all__ = ["align_sentence_encoder", "calibrate_sentence_encoder"]
