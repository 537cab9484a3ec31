"""Event-level zero-shot classification: what was a person doing in this stretch of the day?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import softmax

from ..days import Event, SensorDay
from .encode import encode_days
from .tasks import EventTask, Task
from .zero_shot import class_embeddings, scored


class EventCrops(NamedTuple):
    """Events of a task, each as a window of its own.

    Attributes:
        days: Windows in which everything but the event is masked, with the event as their only one.
        classes: `(N,)` class of each.
        rows: `(N,)` which day each comes from.
    """

    days: list[SensorDay]
    classes: np.ndarray
    rows: np.ndarray


def crop_to_event(day: SensorDay, event: Event) -> SensorDay:
    """Returns a day with everything outside one event unobserved, and no other event.

    Raises:
        ValueError: If the event lies outside the window.
    """
    start, end = max(event.start_minute, 0), min(event.end_minute, len(day))
    return day.crop(start, end).with_events([event])


def event_crops(days: Sequence[SensorDay], task: EventTask) -> EventCrops:
    """Cuts out the events that a task labels and that last long enough, with anything observed in them.

    Raises:
        ValueError: If there is no such event.
    """
    crops, classes, rows = [], [], []
    for row, day in enumerate(days):
        for event in day.events:
            k = task.class_of(event)
            start, end = max(event.start_minute, 0), min(event.end_minute, len(day))
            if k is not None and end - start >= task.min_minutes and day.mask[start:end].any():
                crops.append(crop_to_event(day, event))
                classes.append(k)
                rows.append(row)
    if not crops:
        raise ValueError(
            f"None of the {len(days)} days has an event of task {task.name!r} of at least {task.min_minutes} observed"
            f" minutes; the task knows the labels {', '.join(task.members)}."
        )
    return EventCrops(crops, np.array(classes), np.array(rows))


def event_scores(model: Any, processor: Any, embeddings: np.ndarray, task: Task | EventTask) -> np.ndarray:
    """Returns the probability of each class of a task for embedded crops or days, `(N, classes)`."""
    cosine = embeddings @ class_embeddings(model, processor, task.phrases, task.templates).T
    return softmax(cosine * float(model.logit_scale.detach().exp()), axis=1)


def evaluate_event_level(
    model: Any,
    processor: Any,
    days: Sequence[SensorDay],
    task: EventTask,
    *,
    batch_size: int = 64,
    progress: bool = False,
) -> dict[str, Any]:
    """Classifies the events that a task labels, without training on it.

    Args:
        model: A [`SensorLMModel`] with a text tower, in evaluation mode.
        processor: Its processor.
        days: Days with events.
        task: What to tell apart.
        batch_size: Crops embedded at once.
        progress: Whether to show a progress bar.

    Returns:
        What [`scored`] returns, `events`, how many were used, and `days`, how many they come from.

    Raises:
        ValueError: If the task labels no event of these days.
    """
    crops = event_crops(days, task)
    embeddings = encode_days(model, processor, crops.days, batch_size=batch_size, progress=progress)
    scores = event_scores(model, processor, embeddings, task)
    people = [day.subject_id for day in crops.days]
    return {
        **scored(crops.classes, scores, people, task.class_names),
        "events": len(crops.days),
        "days": len(set(crops.rows.tolist())),
    }
