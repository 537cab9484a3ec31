"""Simulated logs of synthetic subjects, with realistic omissions and errors, and the ground-truth labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...activities import ACTIVITIES, NO_ACTIVITY
from ...days import MINUTES_PER_DAY, Event, LabelValue
from .layout import LEAD, Window
from .people import LOG_STREAM, stream
from .plan import Bout

MISSED_LOG, SHIFTED_LOG, WRONG_LABEL, LATE_LOG = 0.08, 0.05, 0.025, 0.12
"""Fractions of exercises that are not logged, logged at the wrong time, or logged as another one of their category, and
of exercises on the move that a device detects late."""

MOODS = ("calm", "happy", "content", "energetic", "tired", "stressed", "anxious", "sad", "irritable")
"""Moods that people log."""

_MOOD_BASE = np.array([1.5, 1.2, 1.3, 0.5, 0.9, 0.5, 0.3, 0.3, 0.3])
_MOOD_ANXIOUS = np.array([0.6, 0.75, 0.7, 0.8, 1.2, 1.7, 3.2, 1.5, 1.4])
_MOOD_AFTER_EXERCISE = np.array([1.0, 1.7, 1.3, 4.0, 0.9, 0.5, 0.5, 0.5, 0.5])
_MOOD_TENSE = np.array([-0.7, -0.35, -0.45, 0.0, 0.0, 1.0, 0.9, 0.15, 0.6])

_KINDS = {kind: [a.name for a in ACTIVITIES if a.benchmark and a.category == kind] for kind in
          {a.category for a in ACTIVITIES if a.benchmark}}  # fmt: skip


def log_events(
    seed: int, window: Window, code: np.ndarray, arousal: np.ndarray, gaps: Sequence[tuple[int, int]]
) -> tuple[Event, ...]:
    """Samples the logged events of a window.

    Args:
        seed: Seed of the cohort.
        window: The window.
        code: `(SPAN,)` index of the activity of each minute.
        arousal: `(SPAN,)` arousal of each minute.
        gaps: Spans in which the device was not worn.

    Returns:
        Events that overlap the window.
    """
    rng = stream(seed, LOG_STREAM, window.person.number, window.day)
    events = [event for bout in window.exercises if (event := _log_exercise(rng, bout)) is not None]
    for start, end, _ in window.sleeps:
        worn = not any(a <= start and end <= b for a, b in gaps)
        if rng.random() < (0.94 if worn else 0.25):
            events.append(Event("sleep", "sleep", start, end))
    for start, end in window.naps:
        if rng.random() < 0.7:
            events.append(Event("sleep", "nap", start, end))
    events += _log_everyday(rng, window, code)
    events += _log_moods(rng, window, arousal)
    return tuple(e for e in events if e.start_minute < MINUTES_PER_DAY and max(e.end_minute, e.start_minute + 1) > 0)


def _log_exercise(rng: np.random.Generator, bout: Bout) -> Event | None:
    missed, shifted, wrong, other, noticed, delay = rng.random(6).tolist()
    jitter = rng.normal(0, 1.5, 2).round().astype(int).tolist()
    shift = int(rng.normal(0, 35)) if shifted < SHIFTED_LOG else 0
    if missed < MISSED_LOG:
        return None
    activity = ACTIVITIES[bout.code]
    label = activity.name
    if wrong < WRONG_LABEL:
        others = [name for name in _KINDS[activity.category] if name != label]
        label = others[int(other * len(others))] if others else label
    # Some devices notice a walk, run or ride only after some minutes.
    late = int(3 + 9 * delay) if activity.locomotion and noticed < LATE_LOG else 0
    start = min(bout.start + shift + max(jitter[0], 0) + late, bout.end + shift - 5)
    return Event("activity", label, start, max(bout.end + shift + jitter[1], start + 5))


def _log_everyday(rng: np.random.Generator, window: Window, code: np.ndarray) -> list[Event]:
    """Logs everyday activities; few people do so."""
    edges = np.flatnonzero(np.diff(code)) + 1
    starts, ends = np.concatenate([[0], edges]), np.concatenate([edges, [len(code)]])
    chance = 0.75 if window.person.diarist else 0.03
    draws = rng.random(len(starts))
    events = []
    for start, end, draw in zip(starts.tolist(), ends.tolist(), draws.tolist(), strict=True):
        activity = ACTIVITIES[code[start]]
        if draw < chance and end - start >= 8 and not activity.benchmark and activity.name != "sleeping":
            events.append(Event("activity", activity.name, start - LEAD, end - LEAD))
    return events


def _log_moods(rng: np.random.Generator, window: Window, arousal: np.ndarray) -> list[Event]:
    person = window.person
    count = min(int(rng.poisson(person.mood_rate)), 6)
    events = []
    for minute, draw in zip(rng.integers(0, MINUTES_PER_DAY, count).tolist(), rng.random(count).tolist(), strict=True):
        if any(start <= minute < end for start, end, _ in window.sleeps):
            continue
        weights = _MOOD_BASE * (_MOOD_ANXIOUS if person.anxiety else 1.0)
        if any(0 <= minute - e.end < 180 for e in window.exercises):
            weights = weights * _MOOD_AFTER_EXERCISE
        weights = weights * np.exp(_MOOD_TENSE * float(np.clip(arousal[LEAD + minute], -1.5, 3)))
        if any(0 <= start - minute < 120 for start, _, _ in window.sleeps):
            weights[MOODS.index("tired")] *= 3
        label = MOODS[int(np.searchsorted(np.cumsum(weights), draw * weights.sum(), side="right"))]
        events.append(Event("mood", label, minute, minute))
    return events


def label_window(window: Window, stage: np.ndarray) -> dict[str, LabelValue]:
    """Returns the ground-truth labels of a window and its person, with the same keys for every window.

    Args:
        window: The window.
        stage: `(SPAN,)` sleep stage of each minute.
    """
    person = window.person
    inside = [(min(e.end, MINUTES_PER_DAY) - max(e.start, 0), e) for e in window.exercises]
    inside = [(minutes, bout) for minutes, bout in inside if minutes >= 10]
    longest = max(inside, key=lambda item: item[0])[1] if inside else None
    main = ACTIVITIES[longest.code] if longest is not None else None
    return {
        "simulated": True,
        "age": person.age,
        "sex": person.sex,
        "fitness": "low" if person.fitness < -0.6 else "high" if person.fitness > 0.6 else "average",
        "resting_heart_rate": round(person.heart_rate_rest, 1),
        "chronotype": "evening" if person.chronotype > 0.6 else "morning" if person.chronotype < -0.6 else "neither",
        "anxiety": person.anxiety,
        "hypertension": person.hypertension,
        "device": person.device.name,
        "weekend": person.is_weekend(window.day),
        "main_activity": main.name if main is not None else NO_ACTIVITY,
        "environment": main.environment if main is not None else "none",
        "main_activity_start": longest.start if longest is not None else -1,
        "main_activity_end": longest.end if longest is not None else -1,
        "exercises": len(inside),
        "sleep_minutes": int((stage[LEAD:] > 0).sum()),
    }
