"""Evaluation in free English: do the days that a sentence describes come first?

Three questions, none of which uses the words of the captions or prompts of this package
(`held_out_sentences.py`):

* [`evaluate_sentences`] ranks days, and [`evaluate_event_sentences`] single events, by sentences about an activity.
* [`evaluate_concepts`] compares pairs of opposite sentences with a measured quantity, such as a fast or slow pulse.
* [`evaluate_nonsense`] checks that labels which no day can match do not score higher than the true activity, and
  [`evaluate_calibration`] that probabilities are as high as the share of correct answers.

All of them can be restricted to the channels of a device profile (`sensorlm_hf.data.device_profiles`).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from scipy.special import softmax

from ..data.device_profiles import get_profile
from ..days import SensorDay
from ..metrics import calibration_error, interval, person_weights
from ..metrics.scores import CALIBRATION_BINS, weighted_auroc
from .encode import encode_texts, logit_scale
from .held_out_sentences import ACTIVITY_SENTENCES, CONCEPT_PAIRS, UNRELATED_LABELS, ConceptPair
from .profiles import ENGLISH_PROFILES, Profile, available_profiles, encode_profile
from .quantities import get_quantity, measure_days
from .tasks import ACTIVITY_TEMPLATES, EVENT_TASKS, TASKS, Task, labelled_days
from .zero_shot import EventCrops, class_embeddings, class_probabilities, event_crops, labelled_events

ENGLISH_PARTS = ("sentences", "events", "concepts", "nonsense", "calibration")
"""Parts of the results of [`evaluate_english`]."""

MIN_SIDE = 10
"""Minimum number of days per quartile; pairs with fewer are skipped."""


def _embedded(
    model: Any,
    processor: Any,
    days: Sequence[SensorDay],
    profile: Profile,
    embeddings: np.ndarray | None,
    batch_size: int,
    progress: bool,
    what: str = "days",
) -> np.ndarray:
    """Returns given embeddings after a check, or computes them."""
    if embeddings is None:
        return encode_profile(model, processor, days, profile, batch_size=batch_size, progress=progress)
    if len(embeddings) != len(days):
        raise ValueError(f"`embeddings` must have a row for each of the {len(days)} {what}, got {len(embeddings)}.")
    get_profile(profile)
    return np.asarray(embeddings)


def _labelled(
    model: Any,
    processor: Any,
    days: Sequence[SensorDay],
    task: Task,
    profile: Profile,
    embeddings: np.ndarray | None,
    batch_size: int,
    progress: bool,
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Returns embeddings, classes and people of the days with a label; the others are not embedded."""
    rows, classes, people = labelled_days(days, task)
    if embeddings is None:
        chosen = [days[row] for row in rows]
        vectors = encode_profile(model, processor, chosen, profile, batch_size=batch_size, progress=progress)
    else:
        vectors = _embedded(model, processor, days, profile, embeddings, batch_size, progress)[rows]
    return vectors, classes, people


def _mean(values: Any) -> float:
    """Returns the mean of the defined values, nan if there is none."""
    known = [value for value in values if math.isfinite(value)]
    return float(np.mean(known)) if known else math.nan


def _nan_mean(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the mean over rows of the defined values, `(R,)`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # undefined in this resample: nan
        return np.nanmean(np.stack(rows), axis=0)


def _rank_by_sentences(
    model: Any,
    processor: Any,
    embeddings: np.ndarray,
    classes: np.ndarray,
    people: Sequence[str],
    names: Sequence[str],
    sentences: Mapping[str, Sequence[str]],
    seed: int,
) -> dict[str, Any]:
    """Scores the ranking of items by the sentences about each class; see [`evaluate_sentences`]."""
    unknown = [name for name in sentences if name not in names]
    if unknown or not all(sentences.values()):
        raise ValueError(
            f"`sentences` must map activities to at least one sentence each, got {', '.join(map(repr, sentences))};"
            f" activities are {', '.join(names)}."
        )
    rows = np.flatnonzero(np.isfinite(embeddings).all(axis=1))
    embeddings, classes, people = embeddings[rows], classes[rows], [people[int(row)] for row in rows]
    present = [name for name in sentences if 0 < (classes == names.index(name)).sum() < len(classes)]
    if not present:
        raise ValueError(
            "At least two activities are needed, one of which has sentences; the data has"
            f" {', '.join(names[k] for k in np.unique(classes)) or 'none'}."
        )
    texts = [text for name in present for text in sentences[name]]
    vectors = dict(zip(texts, encode_texts(model, processor, texts), strict=True))
    weights = person_weights(people, seed=seed).astype(float)
    everyone = np.ones((1, len(rows)))
    found: dict[str, Any] = {}
    resampled = []
    for name in present:
        truth = classes == names.index(name)
        scores = {text: embeddings @ vectors[text] for text in sentences[name]}
        areas = {text: float(weighted_auroc(truth, score, everyone)[0]) for text, score in scores.items()}
        found[name] = {"auroc": _mean(areas.values()), "days": int(truth.sum()), "sentences": areas}
        resampled.append(_nan_mean([weighted_auroc(truth, score, weights) for score in scores.values()]))
    return {
        "auroc": _mean(entry["auroc"] for entry in found.values()),
        "interval": interval(_nan_mean(resampled)),
        "chance": 0.5,
        "sentences": len(texts),
        "days": len(rows),
        "people": len(set(people)),
        "by_activity": found,
    }


def evaluate_sentences(
    model: Any,
    processor: Any,
    days: Sequence[SensorDay],
    *,
    profile: Profile = "all",
    embeddings: np.ndarray | None = None,
    sentences: Mapping[str, Sequence[str]] = ACTIVITY_SENTENCES,
    batch_size: int = 64,
    progress: bool = False,
    seed: int = 0,
) -> dict[str, Any]:
    """Ranks days by sentences about activities, in free English.

    For each sentence, days are ranked by their cosine similarity. Days whose `main_activity` is the activity of the
    sentence should come before days with another main activity; days without exercise or label are not used.

    Args:
        model: A [`SensorLMModel`] with a text tower, in evaluation mode.
        processor: The processor of the model.
        days: Days.
        profile: Device profile; other channels are masked.
        embeddings: `(len(days), D)` precomputed embeddings of `days` under the profile, as from [`encode_profile`];
            rows of nan are left out.
        sentences: Sentences by activity.
        batch_size: Number of days per batch.
        progress: Whether to show progress bars.
        seed: Bootstrap seed.

    Returns:
        `auroc`, the mean over activities of the mean over their sentences; `interval`, its 95 % bootstrap confidence
        interval over people; `chance`; the numbers of `sentences`, `days` and `people`; and `by_activity`, the `auroc`,
        the number of `days` and the AUROC of each of the `sentences` of an activity. Activities without days are
        absent.

    Raises:
        ValueError: If the days have fewer than two main activities, `embeddings` do not match the days, an activity is
            unknown, or there is no such profile.
    """
    task = TASKS["activity"]
    vectors, classes, people = _labelled(model, processor, days, task, profile, embeddings, batch_size, progress)
    return _rank_by_sentences(model, processor, vectors, classes, people, task.class_names, sentences, seed)


def evaluate_event_sentences(
    model: Any,
    processor: Any,
    days: Sequence[SensorDay] | EventCrops,
    *,
    profile: Profile = "all",
    embeddings: np.ndarray | None = None,
    sentences: Mapping[str, Sequence[str]] = ACTIVITY_SENTENCES,
    batch_size: int = 64,
    progress: bool = False,
    seed: int = 0,
) -> dict[str, Any]:
    """Ranks logged exercises by sentences about activities: [`evaluate_sentences`] for events of `exercise_events`.

    Args:
        model: A [`SensorLMModel`] with a text tower, in evaluation mode.
        processor: The processor of the model.
        days: Days with events, or the result of [`event_crops`] for the task `exercise_events`.
        profile: Device profile; other channels are masked.
        embeddings: `(events, D)` precomputed embeddings of the crops under the profile.
        sentences: Sentences by activity.
        batch_size: Number of events per batch.
        progress: Whether to show progress bars.
        seed: Bootstrap seed.

    Returns:
        See [`evaluate_sentences`]; `days` are numbers of events, each of which is a day with everything else masked.

    Raises:
        ValueError: If the events have fewer than two activities, `embeddings` do not match the events, an activity is
            unknown, or there is no such profile.
    """
    task = EVENT_TASKS["exercise_events"]
    crops = days if isinstance(days, EventCrops) else event_crops(days, task)
    vectors = _embedded(model, processor, crops.days, profile, embeddings, batch_size, progress, "events")
    people = [day.subject_id for day in crops.days]
    return _rank_by_sentences(model, processor, vectors, crops.classes, people, task.class_names, sentences, seed)


def quartile_sides(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Selects the rows with the highest and lowest quarter of the known values.

    If more than half of the days share the value of both quartiles, such as no nap at all, the upper side is everything
    above it.

    Args:
        values: `(N,)` values, nan if unknown.

    Returns:
        Rows of the upper and of the lower side; both empty if all values are unknown.
    """
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return known, known
    low, high = np.quantile(values[known], [0.25, 0.75])
    upper = values[known] >= high if high > low else values[known] > low
    return known[upper], known[values[known] <= low]


def evaluate_concepts(
    model: Any,
    processor: Any,
    days: Sequence[SensorDay],
    *,
    profile: Profile = "all",
    embeddings: np.ndarray | None = None,
    pairs: Sequence[ConceptPair] = CONCEPT_PAIRS,
    min_side: int = MIN_SIDE,
    batch_size: int = 64,
    progress: bool = False,
    seed: int = 0,
) -> dict[str, Any]:
    """Compares pairs of opposite sentences with the quantity that they are about.

    The score of a day is its cosine similarity to the sentence for a high value minus that to the sentence for a low
    value. It should separate the days in the upper quartile of the quantity from those in the lower quartile.
    Quantities are measured on the complete days; pairs whose quantity is not visible in the channels of the profile are
    skipped.

    Args:
        model: A [`SensorLMModel`] with a text tower, in evaluation mode.
        processor: The processor of the model.
        days: Days; labels are not needed.
        profile: Device profile; other channels are masked.
        embeddings: `(len(days), D)` precomputed embeddings of `days` under the profile, as from [`encode_profile`];
            rows of nan are left out.
        pairs: Pairs of sentences.
        min_side: Minimum number of days per quartile; pairs with fewer are skipped.
        batch_size: Number of days per batch.
        progress: Whether to show progress bars.
        seed: Bootstrap seed.

    Returns:
        `auroc`, the mean over pairs (nan if all are skipped); `interval`, its 95 % bootstrap confidence interval over
        people; `chance`; the numbers of `pairs` and `days`; `by_quantity` with the mean `auroc` and the number of
        `pairs` of each quantity; `by_pair` with `auroc`, `quantity` and the number of days `high` and `low`; and
        `skipped`, the reason for each skipped pair.

    Raises:
        ValueError: If `min_side` is below 1, `embeddings` do not match the days, or there is no such profile or
            quantity.
    """
    if min_side < 1:
        raise ValueError(f"`min_side` must be at least 1, got {min_side}.")
    profile = get_profile(profile)
    skipped: dict[str, str] = {}
    for pair in pairs:
        if not get_quantity(pair.quantity).visible_in(profile.channels):
            skipped[pair.name] = f"{pair.quantity} is not visible with {profile.description}"
    vectors = _embedded(model, processor, days, profile, embeddings, batch_size, progress)
    visible = [pair for pair in pairs if pair.name not in skipped]
    measured = measure_days(days, [pair.quantity for pair in visible])
    unseen = ~np.isfinite(vectors).all(axis=1)
    sides: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for name, values in measured.items():
        sides[name] = quartile_sides(np.where(unseen, np.nan, values))
    used = []
    for pair in visible:
        fewest = min(map(len, sides[pair.quantity]))
        if fewest < min_side:
            skipped[pair.name] = f"{fewest} days with a {pair.quantity} on one side, {min_side} are needed"
        else:
            used.append(pair)
    found: dict[str, Any] = {}
    resampled = []
    if used:
        texts = encode_texts(model, processor, [text for pair in used for text in (pair.high, pair.low)])
        weights = person_weights([day.subject_id for day in days], seed=seed).astype(float)
        for k, pair in enumerate(used):
            high, low = sides[pair.quantity]
            rows = np.concatenate([high, low])
            truth = np.arange(len(rows)) < len(high)
            scores = vectors[rows] @ (texts[2 * k] - texts[2 * k + 1])
            area = float(weighted_auroc(truth, scores, np.ones((1, len(rows))))[0])
            found[pair.name] = {"auroc": area, "quantity": pair.quantity, "high": len(high), "low": len(low)}
            resampled.append(weighted_auroc(truth, scores, weights[:, rows]))
    by_quantity: dict[str, Any] = {}
    for name in dict.fromkeys(pair.quantity for pair in used):
        areas = [entry["auroc"] for entry in found.values() if entry["quantity"] == name]
        by_quantity[name] = {"auroc": _mean(areas), "pairs": len(areas)}
    return {
        "auroc": _mean(entry["auroc"] for entry in found.values()),
        "interval": interval(_nan_mean(resampled)) if resampled else [math.nan, math.nan],
        "chance": 0.5,
        "pairs": len(used),
        "days": int((~unseen).sum()),
        "by_quantity": by_quantity,
        "by_pair": found,
        "skipped": skipped,
    }


def evaluate_nonsense(
    model: Any,
    processor: Any,
    days: Sequence[SensorDay],
    *,
    profile: Profile = "all",
    embeddings: np.ndarray | None = None,
    labels: Sequence[str] = UNRELATED_LABELS,
    batch_size: int = 64,
    progress: bool = False,
) -> dict[str, Any]:
    """Compares the true activity of each day with labels that no day can match.

    Labels are embedded with the prompt templates of the activities, as in the zero-shot task.

    Args:
        model: A [`SensorLMModel`] with a text tower, in evaluation mode.
        processor: The processor of the model.
        days: Days; those without a main activity are not used.
        profile: Device profile; other channels are masked.
        embeddings: `(len(days), D)` precomputed embeddings of `days` under the profile.
        labels: Unrelated or meaningless labels.
        batch_size: Number of days per batch.
        progress: Whether to show progress bars.

    Returns:
        `any`, the share of days on which at least one of the labels is more similar than the true activity; `mean`, the
        share for a single label, averaged over labels; `by_label`, the share for each; `probability`, the mean
        probability of all labels together, next to the 20 activities; `chance` of `any` and `mean`; and the numbers of
        `labels` and `days`. Lower is better.

    Raises:
        ValueError: If there are no labels, no day has a main activity, `embeddings` do not match the days, or there is
            no such profile.
    """
    if not labels:
        raise ValueError("Pass at least one label in `labels`.")
    task = TASKS["activity"]
    vectors, classes, _ = _labelled(model, processor, days, task, profile, embeddings, batch_size, progress)
    seen = np.isfinite(vectors).all(axis=1)
    vectors, classes = vectors[seen], classes[seen]
    known = vectors @ class_embeddings(model, processor, task.phrases, task.templates).T
    others = vectors @ class_embeddings(model, processor, [(label,) for label in labels], ACTIVITY_TEMPLATES).T
    above = others > known[np.arange(len(known)), classes][:, None]
    probabilities = softmax(np.concatenate([known, others], axis=1) * logit_scale(model), axis=1)
    return {
        "any": float(above.any(axis=1).mean()),
        "mean": float(above.mean()),
        "by_label": {label: float(share) for label, share in zip(labels, above.mean(axis=0), strict=True)},
        "probability": float(probabilities[:, known.shape[1] :].sum(axis=1).mean()),
        "chance": {"any": len(labels) / (len(labels) + 1), "mean": 0.5},
        "labels": len(labels),
        "days": len(known),
    }


def evaluate_calibration(
    model: Any,
    processor: Any,
    days: Sequence[SensorDay],
    *,
    profile: Profile = "all",
    embeddings: np.ndarray | None = None,
    batch_size: int = 64,
    progress: bool = False,
    bins: int = CALIBRATION_BINS,
) -> dict[str, Any]:
    """Measures the calibration of zero-shot classification of the main activity.

    Args:
        model: A [`SensorLMModel`] with a text tower, in evaluation mode.
        processor: The processor of the model.
        days: Days; those without a main activity are not used.
        profile: Device profile; other channels are masked.
        embeddings: `(len(days), D)` precomputed embeddings of `days` under the profile.
        batch_size: Number of days per batch.
        progress: Whether to show progress bars.
        bins: Number of bins.

    Returns:
        `error`, the expected calibration error of the most probable class; its mean `confidence`; the `accuracy`; the
        number of `days`; and, for models that score labels independently (`multi_label=True` in the pipeline),
        `independent_error`, the calibration error over all days and activities, each of which is true of a day if it
        was logged on it.

    Raises:
        ValueError: If no day has a main activity, `embeddings` do not match the days, there is no such profile, or
            `bins` is below 1.
    """
    task = TASKS["activity"]
    vectors, classes, _ = _labelled(model, processor, days, task, profile, embeddings, batch_size, progress)
    seen = np.isfinite(vectors).all(axis=1)
    probabilities = class_probabilities(model, processor, vectors[seen], task)
    right = probabilities.argmax(axis=1) == classes[seen]
    confidence = np.clip(probabilities.max(axis=1), 0, 1)
    results = {
        "error": calibration_error(confidence, right, bins),
        "confidence": float(confidence.mean()),
        "accuracy": float(right.mean()),
        "days": len(right),
    }
    labels = class_embeddings(model, processor, task.phrases, task.templates)
    pair = (torch.as_tensor(rows, dtype=torch.float32, device=model.device) for rows in (vectors[seen], labels))
    with torch.no_grad():
        odds = model.base_model.statement_logits(*pair)
    if odds is not None:
        rows = np.asarray(labelled_days(days, task)[0])[seen]
        logged = [{event.label.lower() for event in days[int(row)].events} for row in rows]
        truths = np.array([[name.lower() in names for name in task.class_names] for names in logged])
        independent = odds.sigmoid().double().cpu().numpy()
        results["independent_error"] = calibration_error(independent.ravel(), truths.ravel(), bins)
    return results


def several_activities(classes: Sequence[int | None]) -> bool:
    """Returns whether there are at least two different classes, so that a ranking can be scored."""
    return len({k for k in classes if k is not None}) > 1


def evaluate_english(
    model: Any,
    processor: Any,
    days: Sequence[SensorDay],
    *,
    profiles: Sequence[Profile] = ENGLISH_PROFILES,
    embeddings: Mapping[str, np.ndarray] | None = None,
    crops: EventCrops | None = None,
    event_embeddings: Mapping[str, np.ndarray] | None = None,
    batch_size: int = 64,
    progress: bool = False,
    seed: int = 0,
) -> dict[str, Any]:
    """Runs the complete evaluation in free English.

    Args:
        model: A [`SensorLMModel`] with a text tower, in evaluation mode.
        processor: The processor of the model.
        days: Days.
        profiles: Device profiles, or their names; those with which no day has a value are skipped.
        embeddings: Precomputed embeddings of `days` by name of the profile; missing ones are computed.
        crops: Exercises of the days, [`event_crops`] of the task `exercise_events`; computed by default.
        event_embeddings: Precomputed embeddings of the exercises by name of the profile; missing ones are computed.
        batch_size: Number of days per batch.
        progress: Whether to show progress bars.
        seed: Bootstrap seed.

    Returns:
        By name of the profile, `sentences` ([`evaluate_sentences`]), `events` ([`evaluate_event_sentences`]),
        `concepts` ([`evaluate_concepts`]), `nonsense` ([`evaluate_nonsense`]) and `calibration`
        ([`evaluate_calibration`]). Parts for which the days have too few labels are absent.

    Raises:
        ValueError: If `embeddings` do not match, or there is no such profile.
    """
    task, event_task = TASKS["activity"], EVENT_TASKS["exercise_events"]
    options: dict[str, Any] = {"batch_size": batch_size, "progress": progress}
    ranked = several_activities([task.class_of(day) for day in days])
    if crops is None and several_activities([k for _, _, k in labelled_events(days, event_task)]):
        crops = event_crops(days, event_task)
    results: dict[str, Any] = {}
    for profile in available_profiles(days, profiles):
        name = profile.name
        given = (embeddings or {}).get(name)
        vectors = encode_profile(model, processor, days, profile, **options) if given is None else given
        shared: dict[str, Any] = {"profile": profile, "embeddings": vectors}
        parts = {"concepts": evaluate_concepts(model, processor, days, seed=seed, **shared)}
        if ranked:
            parts["sentences"] = evaluate_sentences(model, processor, days, seed=seed, **shared)
            parts["nonsense"] = evaluate_nonsense(model, processor, days, **shared)
            parts["calibration"] = evaluate_calibration(model, processor, days, **shared)
        if crops is not None and several_activities(crops.classes.tolist()):
            known = (event_embeddings or {}).get(name)
            shared = {"profile": profile, "embeddings": known, "seed": seed, **options}
            parts["events"] = evaluate_event_sentences(model, processor, crops, **shared)
        for part, result in parts.items():
            results.setdefault(part, {})[name] = result
    return {part: results[part] for part in ENGLISH_PARTS if part in results}
