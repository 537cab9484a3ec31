"""Facts of a day for qualitative statements: levels, totals, times and durations, each known or undecided.

[`day_facts`] turns a day into one vector of numbers, NaN where the day does not decide a fact: the channel was not
observed, the device was off for too long, or the log cannot tell. `claims` compares these numbers with thresholds, and
`statements` words the result. This level is an addition to the three caption levels of the SensorLM paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...activities import ACTIVITIES, canonical_activity
from ...days import Event, SensorDay
from .activity_phrases import ACTIVITY_GROUPS, NAP
from .day_levels import PARTS, Channels, level_facts, wear_facts

MOOD_VALENCE = {
    "calm": 1, "happy": 1, "content": 1, "energetic": 1,
    "tired": -1, "stressed": -1, "anxious": -1, "sad": -1, "irritable": -1,
}  # fmt: skip
"""Moods with wordings: 1 for pleasant ones, -1 for unpleasant ones."""

SIMILAR_ACTIVITIES: Mapping[str, tuple[str, ...]] = {
    "walking": ("hiking", "walking to work", "golf", "shopping"),
    "running": ("treadmill running",),
    "hiking": ("walking",),
    "outdoor cycling": ("cycling to work",),
    "stair climbing": ("hiking",),
    "weight lifting": ("HIIT",),
    "HIIT": ("weight lifting",),
    "resting": ("reading", "watching television", "sleeping", "using a phone or computer"),
    "office work": ("using a phone or computer",),
    "using a phone or computer": ("office work",),
    "manual work": ("housework", "gardening"),
    "socialising": ("meal",),
}
"""Activities that a plain reading of the first one's name may include: after one of them, its absence is undecided."""

EXERCISES = tuple(activity.name for activity in ACTIVITIES if activity.benchmark)
"""Activities that count as exercise."""

_NAMES = (*(activity.name for activity in ACTIVITIES), NAP)
_CODE = {name: code for code, name in enumerate(_NAMES)}
_IS_EXERCISE = np.array([activity.benchmark for activity in ACTIVITIES] + [False])
_GROUP_MEMBERS = np.array([[name in group.members for name in _NAMES] for group in ACTIVITY_GROUPS], dtype=bool)

_LEVELS = (
    "heart_rate", "heart_rate_peak", "heart_rate_lowest", "heart_rate_rest", "heart_rate_range",
    *(f"heart_rate:{part}" for part in PARTS),
    "rmssd", "sdnn", "steps", *(f"steps:{part}" for part in PARTS), "step_share", "cadence", "longest_still",
    "movement", *(f"movement:{part}" for part in PARTS),
    "skin_temperature", "skin_temperature_range", "skin_conductance", "skin_conductance_range", "altitude",
    "sleep_heart_rate", "sleep_movement", "exercise_heart_rate",
)  # fmt: skip
_WEAR = ("observed", "longest_gap", "gaps", "night_observed", *(f"unobserved:{part}" for part in PARTS))
_SLEEP = ("sleep_any", "sleep_minutes", "bedtime", "wake_time", "sleep_breaks", "nap_minutes")
_EXERCISE = (
    "exercise_minutes", "exercise_bouts", "exercise_longest", "exercise_first", "exercise_last",
    *(f"exercise:{part}" for part in PARTS),
)  # fmt: skip
_MOODS = ("mood_valence", *(f"mood:{name}" for name in MOOD_VALENCE))
_DOINGS = tuple(
    f"{what}:{name}"
    for name in (*_NAMES, *(f"group {group.name}" for group in ACTIVITY_GROUPS))
    for what in ("minutes", "longest", *PARTS)
)

FACT_NAMES: tuple[str, ...] = (*_LEVELS, *_WEAR, *_SLEEP, *_EXERCISE, *_MOODS, *_DOINGS)
"""Names of all facts in the order of [`DayFacts.values`].

Activities have `minutes:<name>`, `longest:<name>` (the longest bout) and minutes per part of the day
(`morning:<name>`); groups of activities are named `group <name>`.
"""

FACT_INDEX: dict[str, int] = {name: index for index, name in enumerate(FACT_NAMES)}
"""Position of each fact in [`DayFacts.values`]."""

WHOLE_DAY = (1200, 1560)
"""Minutes of windows whose totals count as those of a day."""

_FIRST_DOING = FACT_INDEX[_DOINGS[0]]
_DIARY = 4  # logged everyday activities from which a log counts as a diary of the day
_SLEEP_CHANNELS = ("sleep_coefficient", "sleep_stage_light", "sleep_stage_deep", "sleep_stage_rem")
_TOTALS = frozenset(
    {"steps", "gaps", "longest_gap", "observed", "step_share", "longest_still", "heart_rate_range", "exercise_bouts"}
)  # facts of complete days
_CROPPED = frozenset({"heart_rate", "heart_rate_peak", "cadence", "movement", "skin_temperature", "skin_conductance",
                      "rmssd", "sdnn", "sleep_heart_rate", "sleep_movement", "exercise_heart_rate"})  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class DayFacts:
    """Facts of one day.

    Attributes:
        values: `(len(FACT_NAMES),)` float64, NaN where the day does not decide a fact. Levels are in the units of
            their channels, durations in minutes, shares between 0 and 1, times in hours of the local clock; `bedtime`
            counts hours from noon, so that it rises through midnight.
        sample_id: Identifier of the day.
    """

    values: np.ndarray
    sample_id: str = ""

    def __post_init__(self) -> None:
        if self.values.shape != (len(FACT_NAMES),):
            raise ValueError(f"`values` must have shape ({len(FACT_NAMES)},), one per fact, got {self.values.shape}.")

    def __getitem__(self, name: str) -> float:
        try:
            return float(self.values[FACT_INDEX[name]])
        except KeyError:
            raise KeyError(f"There is no fact {name!r}; the names are in FACT_NAMES.") from None

    @classmethod
    def from_dict(cls, known: Mapping[str, float], sample_id: str = "") -> DayFacts:
        """Builds facts from a mapping; all others are undecided.

        Raises:
            ValueError: If a name is unknown.
        """
        unknown = [name for name in known if name not in FACT_INDEX]
        if unknown:
            raise ValueError(f"Unknown facts {', '.join(map(repr, unknown))}; the names are in FACT_NAMES.")
        values = np.full(len(FACT_NAMES), np.nan)
        for name, value in known.items():
            values[FACT_INDEX[name]] = value
        return cls(values, sample_id)


def day_facts(day: SensorDay, *, log_complete: bool = True, cropped: bool = False) -> DayFacts:
    """Computes the facts of a day from its signals and its log.

    Args:
        day: The day.
        log_complete: Whether to assume that everything that happened is in the log, so that exercise, naps and breaks
            of sleep that are not logged did not happen. Otherwise what is not logged is undecided. Everyday
            activities, which few people log, are only ruled out by a log that lists several of them; a mood only by
            one of the opposite kind; and a night without a logged sleep is undecided if the device was on.
        cropped: Whether all but one event of the day was masked (see [`SensorDay.crop`]). Totals, times and gaps of the
            day are then undecided; levels are those within the event, and its activity and part of day are known.

    Returns:
        The facts.

    Raises:
        TypeError: If `day` is not a [`SensorDay`].
    """
    if not isinstance(day, SensorDay):
        raise TypeError(f"`day` must be a SensorDay, got {type(day).__name__}.")
    part, hour = _clock(day)
    channels = Channels(day)
    facts: dict[str, float] = {}
    observed = day.values == day.values
    worn = observed.any(axis=1)
    level_facts(facts, channels, part)
    wear_facts(facts, worn, part)
    sleeps, naps = _sleeps(day)
    _sleep_facts(facts, day, channels, sleeps, naps, hour, log_complete)
    doings = _activity_facts(facts, day, channels, part, hour, sleeps, naps, log_complete)
    _mood_facts(facts, day.events_of("mood"), log_complete)
    whole = WHOLE_DAY[0] <= len(day) <= WHOLE_DAY[1]
    values = np.full(len(FACT_NAMES), np.nan)
    for name, value in facts.items():
        if cropped and name not in _CROPPED and not (name == "exercise_minutes" and value > 0):
            if name == "sleep_any" and value == 1:
                values[FACT_INDEX[name]] = 1
            continue
        if not whole and name in _TOTALS:
            continue
        values[FACT_INDEX[name]] = value
    values[_FIRST_DOING:] = doings.ravel()
    return DayFacts(values, day.sample_id)


@lru_cache(maxsize=4096)
def _canonical(label: str) -> str | None:
    return canonical_activity(label)


def _clock(day: SensorDay) -> tuple[np.ndarray, np.ndarray]:
    """Part of day and hour of the local clock of each minute."""
    minutes = np.arange(len(day))
    if day.start.utcoffset() == day.end.utcoffset():
        clock = (day.start.hour * 60 + day.start.minute + minutes) % 1440
    else:  # the clocks change at full quarters of an hour, counted from the hour
        first = -(day.start.minute % 15)
        quarters = [day.clock(m) for m in range(first, len(day), 15)]
        base = np.array([q.hour * 60 + q.minute for q in quarters])
        index = (minutes - first) // 15
        clock = (base[index] + (minutes - first) % 15) % 1440
    return clock // 360, clock / 60


def _sleeps(day: SensorDay) -> tuple[list[Event], list[Event]]:
    """Sleep periods and naps."""
    events = day.events_of("sleep")
    naps = [event for event in events if "nap" in event.label.lower()]
    return [event for event in events if event not in naps], naps


def _inside(event: Event, minutes: int) -> tuple[int, int]:
    return max(event.start_minute, 0), min(event.end_minute, minutes)


def _sleep_facts(
    facts: dict[str, float],
    day: SensorDay,
    channels: Channels,
    sleeps: list[Event],
    naps: list[Event],
    hour: np.ndarray,
    log_complete: bool,
) -> None:
    minutes = len(day)
    facts["nap_minutes"] = float(sum(e.duration for e in naps)) if naps or log_complete else np.nan
    if not sleeps:
        off = facts.get("night_observed", 1.0) < 0.1 or all(channels.full(key) is None for key in _SLEEP_CHANNELS)
        facts["sleep_any"] = 1.0 if naps else 0.0 if off and log_complete else np.nan
        return
    facts["sleep_any"] = 1.0
    pieces = [_inside(e, minutes) for e in sleeps]
    main = int(np.argmax([end - start for start, end in pieces]))
    # Pieces of one night lie less than three hours apart; the night is as long as they are together.
    first = last = main
    length, breaks = sleeps[main].duration, 0
    while first > 0 and 0 <= sleeps[first].start_minute - sleeps[first - 1].end_minute < 180:
        breaks += sleeps[first].start_minute - sleeps[first - 1].end_minute >= 5
        first -= 1
        length += sleeps[first].duration
    while last + 1 < len(sleeps) and 0 <= sleeps[last + 1].start_minute - sleeps[last].end_minute < 180:
        breaks += sleeps[last + 1].start_minute - sleeps[last].end_minute >= 5
        last += 1
        length += sleeps[last].duration
    facts["sleep_minutes"] = float(length)
    facts["sleep_breaks"] = float(breaks) if breaks or log_complete else np.nan
    # The bedtime of a day is that of its evening; if it was not logged, that of the night that is.
    begins = [e.start_minute for e in sleeps if 0 < e.start_minute < minutes and e.duration >= 120]
    bed = begins[-1] if begins else sleeps[first].start_minute
    facts["bedtime"] = (_hour_at(hour, bed) - 12) % 24
    ends = [e.end_minute for e in sleeps[: last + 1] if 0 < e.end_minute <= minutes and e.duration >= 120]
    if ends:
        facts["wake_time"] = _hour_at(hour, ends[-1])
    asleep = np.zeros(minutes, dtype=bool)
    for start, end in pieces:
        asleep[start:end] = True
    facts["sleep_heart_rate"] = channels.mean_where("HR", asleep)
    facts["sleep_movement"] = channels.mean_where("log_energy", asleep)


def _hour_at(hour: np.ndarray, minute: int) -> float:
    if 0 <= minute < len(hour):
        return float(hour[minute])
    edge = 0 if minute < 0 else len(hour) - 1
    return float((hour[edge] + (minute - edge) / 60) % 24)


def _activity_facts(
    facts: dict[str, float],
    day: SensorDay,
    channels: Channels,
    part: np.ndarray,
    hour: np.ndarray,
    sleeps: list[Event],
    naps: list[Event],
    log_complete: bool,
) -> np.ndarray:
    """Adds the facts of exercise; returns minutes, longest bout and minutes per part of each activity and group."""
    table = np.zeros((len(_NAMES), 6))
    bouts: list[tuple[int, int]] = []
    everyday, unknown = 0, False
    named = [(event, _canonical(event.label)) for event in day.events_of("activity")]
    for event, name in (*named, *((event, "sleeping") for event in sleeps), *((event, NAP) for event in naps)):
        if name is None:
            unknown = True
            continue
        start, end = _inside(event, len(day))
        row = table[_CODE[name]]
        row[0] += end - start
        row[1] = max(row[1], end - start)
        row[2:] += np.bincount(part[start:end], minlength=4)
        if _IS_EXERCISE[_CODE[name]]:
            bouts.append((start, end))
        elif event.kind == "activity":
            everyday += 1
    done = table[:, 0] > 0
    ruled_out = np.full(len(_NAMES), log_complete and not unknown)
    ruled_out &= _IS_EXERCISE | (everyday >= _DIARY)
    ruled_out[_CODE[NAP]] = log_complete
    ruled_out[_CODE["sleeping"]] = facts["sleep_any"] == 0
    for name, others in SIMILAR_ACTIVITIES.items():
        if any(done[_CODE[other]] for other in others):
            ruled_out[_CODE[name]] = False
    maximum = np.where(_GROUP_MEMBERS, table[:, 1], 0.0).max(axis=1, initial=0.0)
    groups = _GROUP_MEMBERS.astype(np.float64) @ table
    groups[:, 1] = maximum
    open_groups = (groups[:, 0] == 0) & (_GROUP_MEMBERS & ~ruled_out).any(axis=1)
    # What was done at one time of day may also have been done at another, unless the log is complete.
    if not log_complete or unknown:
        groups[:, 2:][groups[:, 2:] == 0] = np.nan
        table[:, 2:][table[:, 2:] == 0] = np.nan
    groups[open_groups] = np.nan
    table[~done & ~ruled_out] = np.nan
    if bouts or (log_complete and not unknown):
        known = log_complete and not unknown
        lengths = [end - start for start, end in bouts]
        facts["exercise_minutes"] = float(sum(lengths))
        facts["exercise_longest"] = float(max(lengths, default=0))
        facts["exercise_bouts"] = float(len(bouts)) if known or len(bouts) > 1 else np.nan
        counts = np.zeros(4)
        exercising = np.zeros(len(day), dtype=bool)
        for start, end in bouts:
            counts += np.bincount(part[start:end], minlength=4)
            exercising[start:end] = True
        for name, count in zip(PARTS, counts.tolist(), strict=True):
            facts[f"exercise:{name}"] = count if count or known else np.nan
        if bouts:
            facts["exercise_first"] = float(hour[min(start for start, _ in bouts)])
            facts["exercise_last"] = float(hour[max(start for start, _ in bouts)])
            facts["exercise_heart_rate"] = channels.mean_where("HR", exercising)
    return np.concatenate([table, groups])


def _mood_facts(facts: dict[str, float], moods: tuple[Event, ...], log_complete: bool) -> None:
    logged = {event.label.lower() for event in moods} & set(MOOD_VALENCE)
    signs = {MOOD_VALENCE[name] for name in logged}
    if logged and log_complete:
        facts["mood_valence"] = float(sum(signs))
    for name, sign in MOOD_VALENCE.items():
        if name in logged:
            facts[f"mood:{name}"] = 1.0
        elif log_complete and signs == {-sign}:
            facts[f"mood:{name}"] = 0.0
