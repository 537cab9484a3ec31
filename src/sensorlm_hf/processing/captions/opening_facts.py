"""What an opening of a caption may say about a day: its log, its sleep, its steps and heart rate."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from ...activities import ACTIVITY_BY_NAME, canonical_activity
from ...days import MINUTES_PER_DAY, Event, SensorDay
from ...schema import Channel, SensorSchema

QUIET_STEPS, CALM_STEPS, BUSY_STEPS, ACTIVE_STEPS, VERY_ACTIVE_STEPS = 3000, 5000, 8000, 10_000, 15_000
"""Steps of a day below which it is quiet or calm, and from which it is busy, active or very active."""

RAISED_BEATS = 50
"""A heart rate this far above the day's 10th percentile is raised, in beats per minute."""

ACTIVE_RAISED_MINUTES, CALM_RAISED_MINUTES = 60, 15
"""Minutes with a raised heart rate from which a day is active, and below which it may be calm."""

CHARACTER_COVERAGE = 0.6
"""Share of the waking daytime, 8:00 to 22:00, that must be observed to call a day quiet, calm, ordinary or busy."""

SHORT_RECORDING_MINUTES = 360
"""Less observed time than this is called a recording, not a day."""

SHORT_NAP_MINUTES, LONG_NAP_MINUTES, LONGEST_NAP_MINUTES = 30, 75, 150
"""A nap is short up to the first and long from the second; from the third it counts as sleep."""

_DAY_HOURS = (8, 22)
_EXERCISES = frozenset({"cardio", "strength", "mind-body", "sport"})
RESTING = frozenset({"resting", "sitting", "lying down", "lying", "relaxing", "in bed", "watching television"})
_UNREMARKABLE = frozenset((
    *RESTING, "meal", "self-care", "using a phone or computer", "sleeping", "eating", "caffeine", "smoking",
    "alcohol", "small screen use", "large screen use", "light movement",
))  # fmt: skip
_WORK = re.compile(r"\b(work|working|labour|office)\b")
_MASS = frozenset((
    "yoga", "vinyasa", "pilates", "tennis", "padel", "football", "soccer", "futsal", "basketball", "golf",
    "crossfit", "tabata", "zumba", "aerobics", "work", "labour",
))  # fmt: skip
COUNTABLE = frozenset((
    "appointment", "class", "climb", "commute", "drive", "flight", "game", "hike", "jog", "lesson", "match", "meal",
    "meeting", "party", "practice run", "race", "ride", "run", "session", "shift", "stroll", "swim", "tour", "trip",
    "visit", "walk", "workout",
))  # fmt: skip
_MAX_LABEL_WORDS = 5


@dataclass(frozen=True)
class Bouts:
    """What was logged under one name: minutes inside the window, without overlaps, and the spans."""

    name: str
    known: str | None
    minutes: int
    spans: tuple[tuple[int, int], ...]

    @property
    def met(self) -> float:
        """Energy cost in METs; that of moderate activity if unknown."""
        return 4.0 if self.known is None else ACTIVITY_BY_NAME[self.known].met

    @property
    def is_exercise(self) -> bool:
        """Whether it is exercise, or unknown and not one of the everyday names."""
        if self.known is None:
            return self.name.lower() not in _UNREMARKABLE and not self.is_work
        return ACTIVITY_BY_NAME[self.known].category in _EXERCISES

    @property
    def is_work(self) -> bool:
        """Whether the log says that it was work; a diary's "sitting" is not."""
        known = self.known is None or self.known in ("office work", "manual work")
        return known and _WORK.search(self.name.lower()) is not None and "house" not in self.name.lower()

    @property
    def is_remarkable(self) -> bool:
        """Whether it is worth a place in the sentence."""
        return self.name.lower() not in _UNREMARKABLE and (self.known not in _UNREMARKABLE or self.known is None)


@dataclass(frozen=True)
class OpeningFacts:
    """The facts of a day that an opening may mention."""

    minutes: int
    hours: np.ndarray
    worn: np.ndarray
    short: bool
    level: str | None
    bouts: tuple[Bouts, ...]
    sleeps: tuple[tuple[int, int], ...]
    naps: tuple[tuple[int, int], ...]
    cut: tuple[bool, bool]
    in_bed: int
    resting: int
    steps: int | None
    steps_complete: bool
    heart_rate: float | None
    raised: int

    @classmethod
    def of(cls, day: SensorDay) -> OpeningFacts:
        """Collects the facts of a day."""
        worn = ~np.isnan(day.values).all(axis=1)
        hours = _local_hours(day)
        length = len(day)
        observed = int(worn.sum())
        short = 0 < observed < SHORT_RECORDING_MINUTES or length < 2 * SHORT_RECORDING_MINUTES
        first, last = (int(np.argmax(worn)), length - int(np.argmax(worn[::-1]))) if observed else (0, length)
        logged = [event for event in day.events if event.kind != "mood"]
        if short and any(event.end_minute <= first or event.start_minute >= last for event in logged):
            short = length < 2 * SHORT_RECORDING_MINUTES
        # A short recording is described by what was logged during it.
        begin, end = (first, last) if short else (0, length)
        clipped = [(event, *_clip(event, begin, end)) for event in logged]
        clipped = [item for item in clipped if item[1] < item[2]]
        naps = [(a, b) for e, a, b in clipped if e.kind == "sleep" and _is_nap(e, b - a, hours[(a + b) // 2])]
        nights = [(e, a, b) for e, a, b in clipped if e.kind == "sleep" and (a, b) not in naps]
        asleep = merge_spans((a, b) for _, a, b in nights)
        bouts = _by_name([(e, a, b) for e, a, b in clipped if e.kind == "activity"])
        resting = merge_spans([*asleep, *(span for b in bouts if _plain(b) in RESTING for span in b.spans)])
        bed = merge_spans([*asleep, *(s for b in bouts if re.search(r"\bbed\b", b.name.lower()) for s in b.spans)])
        in_bed = any(re.search(r"\bbed\b", b.name.lower()) for b in bouts)
        taken, beats = _plausible(day, _is_steps), _plausible(day, _is_heart_rate)
        awake = (hours >= _DAY_HOURS[0]) & (hours < _DAY_HOURS[1])
        for a, b in [*asleep, *naps]:
            awake[a:b] = False
        return cls(
            minutes=length,
            hours=hours,
            worn=worn,
            short=short,
            level=None if short or length > 1.25 * MINUTES_PER_DAY else _level(taken, beats, awake),
            bouts=bouts,
            sleeps=asleep,
            naps=merge_spans(naps),
            cut=(any(e.start_minute < 0 for e, _, _ in nights), any(e.end_minute > length for e, _, _ in nights)),
            in_bed=total_minutes(bed) if in_bed else 0,
            resting=total_minutes(resting),
            steps=None if taken is None else round(float(np.nansum(taken))),
            steps_complete=taken is not None and (short or _covered(taken, awake | worn) >= 0.9),
            heart_rate=None if beats is None else float(np.nanmean(beats)),
            raised=_raised(beats) or 0,
        )

    @property
    def observed(self) -> int:
        """Minutes with any value."""
        return int(self.worn.sum())


def _plain(bouts: Bouts) -> str:
    return bouts.name.lower() if bouts.name.lower() in RESTING else (bouts.known or bouts.name.lower())


def _local_hours(day: SensorDay) -> np.ndarray:
    """Returns the local hour of each minute."""
    if day.start.utcoffset() == day.end.utcoffset():
        first = day.start.hour * 60 + day.start.minute
        return (first + np.arange(len(day))) // 60 % 24
    return np.array([day.clock(minute).hour for minute in range(len(day))])


def _clip(event: Event, begin: int, end: int) -> tuple[int, int]:
    return max(event.start_minute, begin), min(event.end_minute, end)


def merge_spans(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Merges spans of minutes that overlap or touch."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def total_minutes(spans: Iterable[tuple[int, int]]) -> int:
    """Returns the minutes of spans that do not overlap."""
    return sum(end - start for start, end in spans)


def _is_nap(event: Event, minutes: int, hour: int) -> bool:
    daytime = 5 <= hour < 22
    return "nap" in event.label.lower().split() and minutes < LONGEST_NAP_MINUTES and daytime


def _by_name(clipped: Iterable[tuple[Event, int, int]]) -> tuple[Bouts, ...]:
    spans: dict[str, list[tuple[int, int]]] = {}
    known: dict[str, str | None] = {}
    for event, start, end in clipped:
        name, activity = _name_of(event.label)
        spans.setdefault(name, []).append((start, end))
        known[name] = activity
    return tuple(
        Bouts(name, known[name], total_minutes(merged), merged)
        for name, merged in ((name, merge_spans(own)) for name, own in spans.items())
    )


def _name_of(label: str) -> tuple[str, str | None]:
    """Returns the name of an activity as it reads in a sentence, and the activity of the ontology."""
    known = canonical_activity(label)
    words = re.sub(r"[^\w\s'’&+/-]", " ", label).replace("_", " ").split()
    words = [word.lower() if word[1:] == word[1:].lower() else word for word in words]
    name = " ".join(words)
    if not re.search(r"\w", name) or len(words) > _MAX_LABEL_WORDS or len(name) > 48:
        return known or "", known
    if known is None or name in ACTIVITY_BY_NAME:
        return name, known
    # "An hour of bike" is not English; the ontology's name is.
    last = words[-1].lower()
    fits = last.endswith("ing") or last in _MASS or last in COUNTABLE
    return (name if fits else known), known


def _find(schema: SensorSchema, wanted: Callable[[Channel], bool]) -> int | None:
    return next((i for i, channel in enumerate(schema) if wanted(channel)), None)


def _plausible(day: SensorDay, wanted: Callable[[Channel], bool]) -> np.ndarray | None:
    """Returns the values of a channel, NaN where they are out of its valid range; None if nothing is left."""
    column = _find(day.schema, wanted)
    if column is None:
        return None
    low, high = list(day.schema)[column].valid_range
    values = day.values[:, column].astype(np.float64)
    values[(values < low) | (values > high)] = np.nan
    return None if np.isnan(values).all() else values


def _is_steps(channel: Channel) -> bool:
    named = channel.key.lower() in ("steps", "step_count", "stepcount") or channel.label.lower() in (
        "steps",
        "step count",
    )
    return named and channel.unit.lower() in ("steps/min", "steps", "steps per minute", "count", "a.u.")


def _is_heart_rate(channel: Channel) -> bool:
    named = channel.key.lower() in ("hr", "heart_rate", "heartrate") or channel.label.lower() == "heart rate"
    return named and channel.unit.lower() in ("bpm", "beats/min", "beats per minute", "1/min", "a.u.")


def _covered(values: np.ndarray, during: np.ndarray) -> float:
    return float((~np.isnan(values))[during].mean()) if during.any() else 0.0


def _raised(beats: np.ndarray | None) -> int | None:
    """Returns the minutes with a raised heart rate, None if it was observed too briefly."""
    if beats is None or np.count_nonzero(~np.isnan(beats)) < SHORT_RECORDING_MINUTES:
        return None
    return int(np.count_nonzero(beats >= np.nanpercentile(beats, 10) + RAISED_BEATS))


def _level(steps: np.ndarray | None, beats: np.ndarray | None, awake: np.ndarray) -> str | None:
    """Returns the character of the day, None if too little is known."""
    enough = awake.sum() >= 240
    raised = _raised(beats)
    pulse_seen = beats is not None and enough and _covered(beats, awake) >= CHARACTER_COVERAGE
    if steps is None:
        if raised is None:
            return None
        if raised >= ACTIVE_RAISED_MINUTES:
            return "active"
        return "calm" if pulse_seen and raised == 0 else None
    total = float(np.nansum(steps))
    if total >= VERY_ACTIVE_STEPS:
        return "very active"
    if total >= ACTIVE_STEPS or (raised is not None and raised >= ACTIVE_RAISED_MINUTES):
        return "active"
    if not enough or _covered(steps, awake) < CHARACTER_COVERAGE:
        return None
    if total >= BUSY_STEPS:
        return "busy"
    calm = pulse_seen and raised is not None and raised < CALM_RAISED_MINUTES
    if total < QUIET_STEPS and (raised is None or raised < CALM_RAISED_MINUTES):
        return "quiet"
    return "calm" if total < CALM_STEPS and calm else "ordinary"
