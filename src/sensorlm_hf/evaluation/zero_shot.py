"""Zero-shot classification of days, and of single events, from descriptions of the classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from scipy.special import logsumexp, softmax

from ..days import Event, SensorDay
from ..metrics import classification_curves, score_classifier
from .encode import encode_days, encode_texts, logit_scale
from .tasks import EventTask, Task, labelled_days


def class_embeddings(
    model: Any, processor: Any, phrases: Sequence[Sequence[str]], templates: Sequence[str]
) -> np.ndarray:
    """Embeds classes as prompt ensembles.

    Args:
        model: A [`SensorLMModel`] with a text tower.
        processor: The processor of the model.
        phrases: Phrases that describe each class.
        templates: Sentences with one `{}` placeholder for the phrase.

    Returns:
        `(classes, D)`; each row is the mean embedding of all prompts of a class, normalized to unit length.

    Raises:
        ValueError: If a class has no phrase, or a template does not have exactly one `{}`.
    """
    embedded = _prompts(model, processor, phrases, templates)
    ends = np.cumsum([len(group) for group in phrases])
    return _unit(np.stack([part.mean(axis=(0, 1)) for part in np.split(embedded, ends[:-1])]))


def _prompts(model: Any, processor: Any, phrases: Sequence[Sequence[str]], templates: Sequence[str]) -> np.ndarray:
    """Embeds the prompts of all phrases of all classes, `(phrases, templates, D)`."""
    for template in templates:
        if template.count("{}") != 1:
            raise ValueError(
                f"A template must contain `{{}}` exactly once, as the placeholder for the phrase, got {template!r}."
            )
    if not templates or not all(phrases) or not phrases:
        raise ValueError("Pass at least one template, one class, and one phrase per class.")
    prompts = [template.format(phrase) for group in phrases for phrase in group for template in templates]
    embedded = encode_texts(model, processor, prompts)
    return embedded.reshape(len(prompts) // len(templates), len(templates), -1)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def class_probabilities(model: Any, processor: Any, embeddings: np.ndarray, task: Task | EventTask) -> np.ndarray:
    """Returns the probability of each class of a task for embedded days or events, `(N, classes)`.

    They equal the probabilities of the zero-shot pipeline. The softmax over classes preserves the ranking within a day
    and makes days comparable: otherwise, a day with high similarity to all texts would outrank the others for every
    class.

    A class with several phrases, such as the sports that count as cardio, is as probable as its phrases are on average.
    """
    means = _unit(_prompts(model, processor, task.phrases, task.templates).mean(axis=1))
    logits = logit_scale(model) * (embeddings @ means.T)
    ends = np.cumsum([len(group) for group in task.phrases])
    joined = [logsumexp(part, axis=1) - np.log(part.shape[1]) for part in np.split(logits, ends[:-1], axis=1)]
    return softmax(np.stack(joined, axis=1), axis=1)


def _classify(
    model: Any,
    processor: Any,
    embeddings: np.ndarray,
    classes: np.ndarray,
    people: Sequence[str],
    task: Task | EventTask,
    seed: int,
    curves: bool,
) -> dict[str, Any]:
    scores = class_probabilities(model, processor, embeddings, task)
    result = score_classifier(classes, scores, people, task.class_names, seed=seed)
    if curves:
        result["curves"] = classification_curves(classes, scores, task.class_names)
    return result


def evaluate_zero_shot(
    model: Any,
    processor: Any,
    days: Sequence[SensorDay],
    task: Task,
    *,
    batch_size: int = 64,
    progress: bool = False,
    embeddings: np.ndarray | None = None,
    seed: int = 0,
    curves: bool = False,
) -> dict[str, Any]:
    """Classifies the days that have a label for a task, without training on it.

    Args:
        model: A [`SensorLMModel`] with a text tower, in evaluation mode.
        processor: The processor of the model.
        days: Days; those without a class of the task are skipped.
        task: Classification task.
        batch_size: Number of days per batch.
        progress: Whether to show a progress bar.
        embeddings: `(len(days), D)` precomputed embeddings of `days`.
        seed: Bootstrap seed.
        curves: Whether to add [`classification_curves`] under `curves`.

    Returns:
        Result of [`score_classifier`], and `days`, the number of days used.

    Raises:
        ValueError: If none of the days has a label for the task, or `embeddings` do not match the days.
    """
    rows, classes, people = labelled_days(days, task)
    if embeddings is not None and len(embeddings) != len(days):
        raise ValueError(f"`embeddings` must have a row for each of the {len(days)} days, got {len(embeddings)}.")
    if embeddings is None:
        chosen = encode_days(model, processor, [days[i] for i in rows], batch_size=batch_size, progress=progress)
    else:
        chosen = embeddings[rows]
    return {**_classify(model, processor, chosen, classes, people, task, seed, curves), "days": len(rows)}


class EventCrops(NamedTuple):
    """Events of a task, each as a day with everything else masked.

    Attributes:
        days: Days in which only the event is observed and logged.
        classes: `(N,)` class of each event.
        rows: `(N,)` index of the day of each event.
    """

    days: list[SensorDay]
    classes: np.ndarray
    rows: np.ndarray


def crop_to_event(day: SensorDay, event: Event) -> SensorDay:
    """Returns a copy of a day with everything outside one event masked and all other events removed.

    Raises:
        ValueError: If the event is outside the window.
    """
    start, end = max(event.start_minute, 0), min(event.end_minute, len(day))
    return replace(day.crop(start, end), events=(event,))


def labelled_events(days: Sequence[SensorDay], task: EventTask) -> Iterator[tuple[int, Event, int]]:
    """Yields the day index, event and class of each labelled event that is long enough and at least partly observed."""
    for row, day in enumerate(days):
        for event in day.events:
            k = task.class_of(event)
            start, end = max(event.start_minute, 0), min(event.end_minute, len(day))
            if k is not None and end - start >= task.min_minutes and day.mask[start:end].any():
                yield row, event, k


def event_crops(days: Sequence[SensorDay], task: EventTask) -> EventCrops:
    """Crops days to the events with a class of a task; see [`labelled_events`].

    Raises:
        ValueError: If there is no such event.
    """
    found = list(labelled_events(days, task))
    if not found:
        raise ValueError(
            f"None of the {len(days)} days has an event of task {task.name!r} of at least {task.min_minutes} observed"
            f" minutes; the labels of the task are {', '.join(task.members)}."
        )
    crops = [crop_to_event(days[row], event) for row, event, _ in found]
    return EventCrops(crops, np.array([k for _, _, k in found]), np.array([row for row, _, _ in found]))


def evaluate_event_level(
    model: Any,
    processor: Any,
    days: Sequence[SensorDay] | EventCrops,
    task: EventTask,
    *,
    batch_size: int = 64,
    progress: bool = False,
    embeddings: np.ndarray | None = None,
    seed: int = 0,
    curves: bool = False,
) -> dict[str, Any]:
    """Classifies the events with a class of a task, without training on it.

    Args:
        model: A [`SensorLMModel`] with a text tower, in evaluation mode.
        processor: The processor of the model.
        days: Days with events, or the result of [`event_crops`].
        task: Classification task.
        batch_size: Number of events per batch.
        progress: Whether to show a progress bar.
        embeddings: `(events, D)` precomputed embeddings of the crops.
        seed: Bootstrap seed.
        curves: Whether to add [`classification_curves`] under `curves`.

    Returns:
        Result of [`score_classifier`], with `events`, the number of events, and `days`, the number of days with an
        event.

    Raises:
        ValueError: If no event has a class of the task, or `embeddings` do not match the crops.
    """
    crops = days if isinstance(days, EventCrops) else event_crops(days, task)
    if embeddings is None:
        embeddings = encode_days(model, processor, crops.days, batch_size=batch_size, progress=progress)
    elif len(embeddings) != len(crops.days):
        raise ValueError(
            f"`embeddings` must have a row for each of the {len(crops.days)} events, got {len(embeddings)}."
        )
    people = [day.subject_id for day in crops.days]
    result = _classify(model, processor, embeddings, crops.classes, people, task, seed, curves)
    return {**result, "events": len(crops.days), "days": len(set(crops.rows.tolist()))}
