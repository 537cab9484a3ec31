"""Quantities of a day that text can describe: average pulse, steps in the morning, bedtime, and so on.

They are computed from values, mask and logged events, in local time, and serve as the truth for pairs of opposite
sentences ([`evaluate_concepts`](sensorlm_hf.evaluation.english.evaluate_concepts)).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from ..activities import ACTIVITIES, NO_ACTIVITY
from ..days import MINUTES_PER_DAY, Event, SensorDay

MIN_MINUTES = 60
"""Minimum number of observed minutes for the level of a channel."""

MIN_SHARE = 0.5
"""Minimum observed share of a part of the day for its number of steps."""

BRISK_STEPS = 60
"""Minimum steps per minute of the minutes that count for the cadence."""

MIN_BRISK_MINUTES = 5
"""Minimum number of such minutes."""

PARTS_OF_DAY: dict[str, tuple[int, int]] = {"morning": (5, 12), "afternoon": (12, 17), "evening": (17, 22)}
"""First hour and hour after the last one, local time."""

NAP = "nap"
"""Label of sleep events that are not the main sleep."""

_EXERCISES = frozenset(activity.name.lower() for activity in ACTIVITIES if activity.benchmark)
_NAN = float("nan")


@dataclass(frozen=True)
class Quantity:
    """A quantity of a day.

    Attributes:
        name: Name of the quantity.
        unit: Unit.
        description: What it is, as a noun phrase.
        channels: Channels in which it can be seen; a model that sees none of them cannot know it. Empty if any channel
            will do.
        measure: Returns the quantity of a day, NaN if unknown.
    """

    name: str
    unit: str
    description: str
    channels: tuple[str, ...]
    measure: Callable[[SensorDay], float]

    def __call__(self, day: SensorDay) -> float:
        """Returns the quantity of a day, NaN if unknown."""
        return float(self.measure(day))

    def visible_in(self, channels: Iterable[str]) -> bool:
        """Returns whether the quantity can be seen in at least one of the channels."""
        return not self.channels or not set(self.channels).isdisjoint(channels)


def clock_minutes(day: SensorDay) -> np.ndarray:
    """Returns the local minute of the day, 0 to 1439, of each minute of a window, `(minutes,)`."""
    if day.start.utcoffset() == day.end.utcoffset():
        first = day.start.hour * 60 + day.start.minute
        return (first + np.arange(len(day))) % MINUTES_PER_DAY
    times = [day.clock(minute) for minute in range(len(day))]  # the clocks change in this window
    return np.array([time.hour * 60 + time.minute for time in times])


def _observed(day: SensorDay, key: str) -> np.ndarray:
    """Returns the observed values of a channel, empty if the schema lacks it."""
    if key not in day.schema:
        return np.zeros(0)
    values = day.channel(key)
    return values[~np.isnan(values)].astype(float)


def _level(key: str, statistic: Callable[[np.ndarray], float]) -> Callable[[SensorDay], float]:
    def measure(day: SensorDay) -> float:
        values = _observed(day, key)
        return statistic(values) if len(values) >= MIN_MINUTES else _NAN

    return measure


def _steps_between(day: SensorDay, first: int, after: int) -> float:
    """Returns the steps between two local hours; NaN if less than half of that time was observed."""
    if "steps" not in day.schema:
        return _NAN
    clock = clock_minutes(day)
    steps = day.channel("steps")[(clock >= first * 60) & (clock < after * 60)]
    known = ~np.isnan(steps)
    return steps[known].sum() if known.sum() >= MIN_SHARE * (after - first) * 60 else _NAN


def _steps_of(part: str) -> Callable[[SensorDay], float]:
    return lambda day: _steps_between(day, *PARTS_OF_DAY[part])


def _covered(day: SensorDay, events: Iterable[Event]) -> np.ndarray:
    """Returns which minutes of the window are inside one of the events, `(minutes,)` bool."""
    inside = np.zeros(len(day), dtype=bool)
    for event in events:
        inside[max(event.start_minute, 0) : max(event.end_minute, 0)] = True
    return inside


def _main_sleep(day: SensorDay) -> list[Event]:
    return [event for event in day.events_of("sleep") if event.label.lower() != NAP]


def _sedentary_share(day: SensorDay) -> float:
    asleep = _covered(day, day.events_of("sleep"))
    if not asleep.any() or "steps" not in day.schema:
        return _NAN
    steps = day.channel("steps")[~asleep]
    known = ~np.isnan(steps)
    return float(np.mean(steps[known] < 1)) if known.sum() >= MIN_MINUTES else _NAN


def _cadence(day: SensorDay) -> float:
    steps = _observed(day, "steps")
    brisk = steps[steps >= BRISK_STEPS]
    return float(np.median(brisk)) if len(brisk) >= MIN_BRISK_MINUTES else _NAN


def _sleep_minutes(day: SensorDay) -> float:
    asleep = _covered(day, _main_sleep(day))
    return float(asleep.sum()) if asleep.any() else _NAN


def _nap_minutes(day: SensorDay) -> float:
    sleeps = day.events_of("sleep")
    return float(_covered(day, [e for e in sleeps if e.label.lower() == NAP]).sum()) if sleeps else _NAN


def _bedtime(day: SensorDay) -> float:
    started = [event.start_minute for event in _main_sleep(day) if event.start_minute >= 0]
    if not started:
        return _NAN
    time = day.clock(started[-1])
    return (time.hour + time.minute / 60 - 12) % 24


def _wake_time(day: SensorDay) -> float:
    ended = [event.end_minute for event in _main_sleep(day) if event.end_minute <= len(day)]
    if not ended:
        return _NAN
    time = day.clock(ended[0])
    return time.hour + time.minute / 60


def _longest_gap(day: SensorDay) -> float:
    missing = np.concatenate([[False], ~day.mask.any(axis=1), [False]])
    edges = np.flatnonzero(np.diff(missing.astype(np.int8)))
    return float((edges[1::2] - edges[::2]).max(initial=0))


def _exercise_minutes(day: SensorDay) -> float:
    logged = day.events_of("activity")
    if not logged and day.labels.get("main_activity") != NO_ACTIVITY:
        return _NAN
    return float(_covered(day, [event for event in logged if event.label.lower() in _EXERCISES]).sum())


_ASLEEP = ("HR", "log_energy", "sleep_coefficient")
_EXERTION = ("HR", "steps", "log_energy")

QUANTITIES: dict[str, Quantity] = {
    quantity.name: quantity
    for quantity in (
        Quantity("mean_heart_rate", "bpm", "mean heart rate", ("HR",), _level("HR", np.mean)),
        Quantity("peak_heart_rate", "bpm", "highest heart rate of a minute", ("HR",), _level("HR", np.max)),
        Quantity(
            "resting_heart_rate",
            "bpm",
            "5th percentile of the heart rate",
            ("HR",),
            _level("HR", lambda values: float(np.percentile(values, 5))),
        ),
        Quantity("heart_rate_spread", "bpm", "standard deviation of the heart rate", ("HR",), _level("HR", np.std)),
        Quantity(
            "rmssd",
            "ms",
            "mean RMSSD, a measure of heart rate variability",
            ("rmssd_percentile_0595",),
            _level("rmssd_percentile_0595", np.mean),
        ),
        Quantity("steps", "steps", "number of steps", ("steps",), lambda day: _steps_between(day, 0, 24)),
        *(
            Quantity(
                f"steps_{part}",
                "steps",
                f"number of steps in the {part}, from {first} to {after} h",
                ("steps",),
                _steps_of(part),
            )
            for part, (first, after) in PARTS_OF_DAY.items()
        ),
        Quantity("sedentary_share", "fraction", "waking minutes without a step", ("steps",), _sedentary_share),
        Quantity("cadence", "steps/min", f"median cadence from {BRISK_STEPS} steps a minute", ("steps",), _cadence),
        Quantity(
            "skin_temperature",
            "degC",
            "mean skin temperature",
            ("wrist_temperatures",),
            _level("wrist_temperatures", np.mean),
        ),
        Quantity(
            "skin_conductance",
            "uS",
            "mean skin conductance level",
            ("eda_level_real",),
            _level("eda_level_real", np.mean),
        ),
        Quantity("sleep_minutes", "min", "logged sleep in the window, without naps", _ASLEEP, _sleep_minutes),
        Quantity("bedtime", "h after noon", "start of the last main sleep of the window", _ASLEEP, _bedtime),
        Quantity("wake_time", "h", "end of the first main sleep of the window", _ASLEEP, _wake_time),
        Quantity("nap_minutes", "min", "logged naps", _ASLEEP, _nap_minutes),
        Quantity("wear_minutes", "min", "minutes with any observed value", (), lambda day: day.mask.any(axis=1).sum()),
        Quantity("longest_gap", "min", "longest time without any observed value", (), _longest_gap),
        Quantity("exercise_minutes", "min", "logged exercise", _EXERTION, _exercise_minutes),
        Quantity(
            "movement", "device code", "mean log energy of movement", ("log_energy",), _level("log_energy", np.mean)
        ),
    )
}
"""Quantities by name."""


def get_quantity(name: str) -> Quantity:
    """Returns a quantity by name.

    Raises:
        ValueError: If there is no such quantity.
    """
    if name not in QUANTITIES:
        raise ValueError(f"Unknown quantity {name!r}; available quantities are {', '.join(QUANTITIES)}.")
    return QUANTITIES[name]


def measure_days(days: Iterable[SensorDay], names: Iterable[str]) -> dict[str, np.ndarray]:
    """Returns quantities of days, `{name: (N,) float}`, NaN where unknown.

    Raises:
        ValueError: If there is no such quantity.
    """
    wanted = [get_quantity(name) for name in dict.fromkeys(names)]
    rows = [[quantity(day) for quantity in wanted] for day in days]
    table = np.array(rows, dtype=float).reshape(len(rows), len(wanted))
    return {quantity.name: table[:, k] for k, quantity in enumerate(wanted)}
