"""Plans of simulated days: when a person sleeps, works, eats, moves, exercises and is tense.

Minutes count from the local midnight at which a day begins, so bedtime may exceed 1440. A plan depends only on (seed,
person, day), so that consecutive windows of a person are consistent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...activities import ACTIVITIES, ACTIVITY_BY_NAME
from .behaviours import BEHAVIOURS
from .people import NIGHT_STREAM, PLAN_STREAM, Person, pick, stream

WAKE, LIGHT, DEEP, REM = range(4)
"""Sleep stages as small integers; `WAKE` is awake in bed."""

CODE = {activity.name: index for index, activity in enumerate(ACTIVITIES)}
"""Index of an activity in [`ACTIVITIES`]."""

STYLE = 10
"""Standard scores drawn for each bout: six of movement, then effort, cadence, altitude and ease."""

_EXERCISES = tuple(activity for activity in ACTIVITIES if activity.benchmark)
_EXERCISE_BEHAVIOURS = tuple(BEHAVIOURS[CODE[activity.name]] for activity in _EXERCISES)


@dataclass(frozen=True)
class Bout:
    """A stretch of one activity.

    Attributes:
        code: Index in [`ACTIVITIES`].
        start: First minute.
        end: Minute after the last one.
        style: Standard scores of how this bout differs from the activity's mean; see [`STYLE`].
        blind: Whether the optical sensor is blocked throughout.
    """

    code: int
    start: int
    end: int
    style: tuple[float, ...]
    blind: bool = False

    def shifted(self, minutes: int) -> Bout:
        """Returns the bout shifted in time."""
        return Bout(self.code, self.start + minutes, self.end + minutes, self.style, self.blind)


@dataclass(frozen=True)
class Night:
    """A night's sleep, in minutes from the midnight at the start of the evening's day.

    Attributes:
        bed: Minute of falling asleep.
        wake: Minute of getting up; later than `bed`.
        stages: Stage of each minute in between.
    """

    bed: int
    wake: int
    stages: np.ndarray


@dataclass(frozen=True)
class Plan:
    """A day of a person, from getting up to bedtime.

    Attributes:
        wake: Minute of getting up.
        bed: Minute of falling asleep in the evening.
        bouts: Everyday bouts in order of precedence; the last one wins.
        exercises: Exercise bouts, which override all others and do not overlap.
        naps: Start and end of naps.
        tension: Start, size and decay (minutes) of tense episodes.
        meals: Start of meals.
    """

    wake: int
    bed: int
    bouts: tuple[Bout, ...]
    exercises: tuple[Bout, ...]
    naps: tuple[tuple[int, int], ...]
    tension: tuple[tuple[float, float, float], ...]
    meals: tuple[int, ...]


class _RandomNumbers:
    """Random numbers from one stream, drawn in blocks, since single draws from a Generator are slow."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._uniform: list[float] = []
        self._normal: list[float] = []

    def uniform(self) -> float:
        if not self._uniform:
            self._uniform = self._rng.random(64).tolist()
        return self._uniform.pop()

    def normal(self) -> float:
        if not self._normal:
            self._normal = self._rng.standard_normal(256).tolist()
        return self._normal.pop()

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.uniform()

    def style(self) -> tuple[float, ...]:
        return tuple(self.normal() for _ in range(STYLE))


def simulate_night(seed: int, person: Person, day: int) -> Night:
    """Simulates the night between a day and the next.

    Sleep consists of cycles of about 90 minutes, with most deep sleep in the first ones and most REM in the last ones
    (Carskadon and Dement, "Normal human sleep: an overview", in Principles and Practice of Sleep Medicine).
    """
    draws = _RandomNumbers(stream(seed, NIGHT_STREAM, person.number, day + 1))
    free_evening, free_morning = person.date_of(day).weekday() in (4, 5), person.is_weekend(day + 1)
    late = 42 * person.chronotype
    bed = 1388 + late + 40 * free_evening + 32 * draws.normal()
    rise = 1440 + (418 if person.occupation != "home" else 452) + 0.6 * late + (58 + 0.3 * late) * free_morning
    rise += 26 * draws.normal()
    need = person.sleep_need - 14 * person.anxiety + 25 * draws.normal()
    length = int(min(max(0.5 * (rise - bed) + 0.5 * need, 270), 630))
    start = int(min(max(bed, 1230), 1440 + 210))
    stages = np.full(length, LIGHT, np.int8)
    minute, cycle = 0, 0
    age_loss = max(0.4, 1 - 0.008 * max(person.age - 30, 0))
    latency = int(4 + 16 * draws.uniform() * (1.6 if person.anxiety else 1.0))
    stages[:latency] = WAKE
    minute = latency
    while minute < length:
        period = int(80 + 30 * draws.uniform())
        deep = int(max(0, (46 - 12 * cycle + 5 * draws.normal()) * age_loss))
        rem = int(max(0, 11 + 7 * cycle + 4 * draws.normal()))
        into = minute + int(8 + 8 * draws.uniform())
        stages[into : into + deep] = DEEP
        stages[max(minute + period - rem, minute) : minute + period] = REM
        for _ in range(2):
            awake = minute + int(period * draws.uniform())
            stages[awake : awake + int(1 + 4 * draws.uniform() ** 2 * (1.5 + 0.012 * person.age))] = WAKE
        minute += period
        cycle += 1
    return Night(start, start + length, stages)


def plan_day(seed: int, person: Person, day: int, night_before: Night, night_after: Night) -> Plan:
    """Samples the plan of a day.

    Args:
        seed: Seed of the cohort.
        person: The person.
        day: Number of the day; negative days come before the first.
        night_before: The night before the day.
        night_after: The night after the day.

    Returns:
        The plan.
    """
    draws = _RandomNumbers(stream(seed, PLAN_STREAM, person.number, day + 1))
    wake, bed = night_before.wake - 1440, night_after.bed
    weekend = person.is_weekend(day)
    wanted = _choose_exercises(draws, person, day, weekend)
    long = any(_EXERCISES[code].duration[1] > 200 for code, _ in wanted)
    works = person.occupation != "home" and not long and draws.uniform() < (0.08 if weekend else 0.94)
    bouts = _leisure(draws, person, wake, bed, weekend, person.summer(day))
    busy: list[tuple[float, float]] = []
    if works:
        busy = _work(draws, person, bouts, wake, bed)
    meals = _meals(draws, bouts, wake, bed)
    exercises = _place(draws, wanted, wake, bed, busy)
    _add_showers(draws, bouts, exercises)
    naps = []
    if draws.uniform() < 0.05 + 0.07 * (not works) + 0.002 * max(person.age - 50, 0):
        start = int(draws.between(max(wake + 300, 740), 1000))
        end = start + int(draws.between(20, 85))
        taken = [*busy, *((e.start - 20, e.end + 20) for e in exercises)]
        if end < bed - 200 and not any(a < end and start < b for a, b in taken):
            naps.append((start, end))
    tension = []
    for _ in range(4):
        if draws.uniform() < (0.42 if person.anxiety else 0.24) * (1.2 if works else 0.85):
            begin = draws.between(wake + 30, bed - 60)
            tension.append((begin, draws.between(0.6, 1.8) * (1.25 if person.anxiety else 1.0), draws.between(15, 70)))
    return Plan(wake, bed, tuple(bouts), tuple(exercises), tuple(naps), tuple(tension), tuple(meals))


def _choose_exercises(draws: _RandomNumbers, person: Person, day: int, weekend: bool) -> list[tuple[int, int]]:
    """Samples the exercises of a day as (code, minutes); most days have one, at most three."""
    amount = person.exercise_rate * (1.08 if weekend else 1.0)
    count = pick((0.13 / amount, 0.68, 0.155 * amount, 0.035 * amount), draws.uniform())
    summer = person.summer(day)
    shares = tuple(
        weight
        * (b.weekend if weekend else 1.0)
        * ((0.35 + 0.65 * (1 + b.season * summer)) if b.season else 1.0)
        * (1.6 if a.name == "golf" and person.age > 50 else 1.0)
        * (0.55 if a.name in ("football", "basketball", "HIIT") and person.age > 55 else 1.0)
        for a, b, weight in zip(_EXERCISES, _EXERCISE_BEHAVIOURS, person.exercise_weights, strict=True)
    )
    chosen: list[tuple[int, int]] = []
    for _ in range(count):
        code = pick(shares, draws.uniform())
        low, high = _EXERCISES[code].duration
        if not any(code == other for other, _ in chosen):
            chosen.append((code, int(low + (high - low) * draws.uniform() ** 1.25)))
    return sorted(chosen, key=lambda item: -item[1])


def _leisure(draws: _RandomNumbers, person: Person, wake: int, bed: int, weekend: bool, summer: float) -> list[Bout]:
    """Fills the waking day with everyday bouts."""
    names = ("using a phone or computer", "watching television", "reading", "housework", "cooking", "childcare",
             "shopping", "socialising", "resting", "gardening")  # fmt: skip
    parent = 25 <= person.age <= 50
    bouts = []
    minute = wake
    first = CODE["self-care"]
    end = minute + int(draws.between(15, 35))
    bouts.append(Bout(first, minute, end, draws.style()))
    minute = end
    while minute < bed:
        evening, day_time = minute > 1140, 560 < minute < 1140
        tidy = 1.0 + 0.5 * weekend
        shares = (
            1.6, 3.2 if evening else 0.7, 0.9, 0.6 if evening else 1.5 * tidy, 0.5, (1.0 if parent else 0.1),
            1.0 * tidy if day_time else 0.0, 1.0 if day_time else 0.8, 0.5,
            (0.5 * tidy * (1 + 0.6 * summer)) if day_time else 0.0,
        )  # fmt: skip
        code = CODE[names[pick(shares, draws.uniform())]]
        low, high = ACTIVITIES[code].duration
        end = min(minute + int(draws.between(low, high)), bed)
        if end > minute:
            bouts.append(Bout(code, minute, end, draws.style()))
        minute = end
    # Before bed: washing, then lying down.
    bouts.append(Bout(first, bed - 22, bed - 8, draws.style()))
    bouts.append(Bout(CODE["resting"], bed - 8, bed, draws.style()))
    return bouts


def _work(draws: _RandomNumbers, person: Person, bouts: list[Bout], wake: int, bed: int) -> list[tuple[float, float]]:
    """Adds a working day with its commutes to the bouts; returns the spans that are fully occupied."""
    kind = CODE["office work" if person.occupation == "office" else "manual work"]
    travels = person.commute != "none" and draws.uniform() < 0.85
    start = int(max(person.work_start + 18 * draws.normal(), wake + 55))
    end = int(min(start + 505 + 35 * draws.normal(), bed - 150))
    if end - start < 120:
        return []
    leave, home = start, end
    if travels:
        low, high = ACTIVITY_BY_NAME[person.commute].duration
        code = CODE[person.commute]
        there, back = (int(draws.between(low, high)) for _ in range(2))
        leave, home = start - there, end + back
        bouts.append(Bout(code, leave, start, draws.style()))
        bouts.append(Bout(code, end, home, draws.style()))
    bouts.append(Bout(kind, start, end, draws.style()))
    # Breaks are walks in office jobs and rests in manual jobs.
    pause = CODE["socialising"]
    for _ in range(3):
        begin = int(draws.between(start + 20, end - 30))
        bouts.append(Bout(pause, begin, begin + int(draws.between(5, 14)), draws.style()))
    return [(leave - 10, home + 5)]


def _meals(draws: _RandomNumbers, bouts: list[Bout], wake: int, bed: int) -> list[int]:
    code = CODE["meal"]
    meals = []
    times = (wake + draws.between(22, 60), draws.between(715, 815), min(draws.between(1075, 1230), bed - 90))
    for probability, time in zip((0.82, 0.93, 0.96), times, strict=True):
        skipped = draws.uniform() > probability
        length = int(draws.between(12, 32) if time < 1000 else draws.between(20, 55))
        if not skipped and wake <= time < bed - 60:
            bouts.append(Bout(code, int(time), int(time) + length, draws.style()))
            meals.append(int(time))
    return meals


def _place(
    draws: _RandomNumbers, wanted: list[tuple[int, int]], wake: int, bed: int, busy: list[tuple[float, float]]
) -> list[Bout]:
    """Finds a time for each exercise that overlaps neither work nor other exercise and ends well before bedtime."""
    placed: list[Bout] = []
    for code, minutes in wanted:
        activity = _EXERCISES[code]
        latest = min(bed - 70, 1330 if activity.environment == "indoor" else 1240) - minutes
        for _ in range(8):
            slot = draws.uniform()
            if slot < 0.25:
                time = draws.between(wake + 20, wake + 110)
            elif slot < 0.32:
                time = draws.between(715, 780)
            elif slot < 0.66:
                time = draws.between(1010, 1180)
            else:
                time = draws.between(540, 1100)
            time = int(min(max(time, wake + 15), latest))
            taken = [*busy, *((e.start - 25, e.end + 25) for e in placed)]
            if time < wake + 15 or any(a < time + minutes and time < b for a, b in taken):
                continue
            blind = activity.water and draws.uniform() < 0.6
            placed.append(Bout(code, time, time + minutes, draws.style(), blind))
            break
    return sorted(placed, key=lambda bout: bout.start)


def _add_showers(draws: _RandomNumbers, bouts: list[Bout], exercises: list[Bout]) -> None:
    """Adds a shower after most exercise."""
    for exercise in exercises:
        if draws.uniform() < 0.7:
            start = exercise.end + int(draws.between(3, 15))
            bouts.append(Bout(CODE["self-care"], start, start + int(draws.between(10, 20)), draws.style()))


def circadian(minute: np.ndarray, chronotype: np.ndarray) -> np.ndarray:
    """Circadian phase as a wave: 1 in the late afternoon, -1 in the early morning; later for evening types.

    Args:
        minute: Minute of the local day, any shape.
        chronotype: Standard score of the person; broadcastable.

    Returns:
        Wave of the same shape, -1 to 1.
    """
    peak = (990 + 45 * chronotype) * (2 * math.pi / 1440)
    return np.cos(minute * np.float32(2 * math.pi / 1440) - peak.astype(np.float32))
