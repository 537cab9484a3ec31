"""Converts plans to arrays with one entry per minute, for many windows at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...activities import ACTIVITIES
from ...days import MINUTES_PER_DAY
from .behaviours import BEHAVIOURS
from .people import NOISE_STREAM, Person, stream
from .plan import CODE, STYLE, Bout, Night, Plan, plan_day, simulate_night

LEAD = 60
"""Minutes simulated before a window starts, so that slow signals have settled."""

SPAN = LEAD + MINUTES_PER_DAY
"""Minutes simulated for a window."""

AWAKE = -1
"""Stage of a minute out of bed."""

_ZERO_STYLE = (0.0,) * STYLE


@dataclass(frozen=True)
class Window:
    """One person's activities around one window; minutes count from the window's start.

    Attributes:
        person: The person.
        day: Index of the local day on which it starts.
        bouts: Everyday bouts in order of precedence, lowest first.
        exercises: True exercises that overlap the window.
        sleeps: Start, end and stages of nights.
        naps: Start and end of naps.
        tension: Start, size and decay of tense episodes.
        meals: Start of meals.
    """

    person: Person
    day: int
    bouts: tuple[Bout, ...]
    exercises: tuple[Bout, ...]
    sleeps: tuple[tuple[int, int, np.ndarray], ...]
    naps: tuple[tuple[int, int], ...]
    tension: tuple[tuple[float, float, float], ...]
    meals: tuple[int, ...]


def plan_window(seed: int, person: Person, day: int) -> Window:
    """Plans the activities around the window that starts on a day."""
    offset = person.start_minute
    nights = [simulate_night(seed, person, day - 1), simulate_night(seed, person, day)]
    plans = [plan_day(seed, person, day, nights[0], nights[1])]
    if offset:
        nights.append(simulate_night(seed, person, day + 1))
        plans.append(plan_day(seed, person, day + 1, nights[1], nights[2]))
    return _gather(person, day, plans, nights, offset)


def _gather(person: Person, day: int, plans: Sequence[Plan], nights: Sequence[Night], offset: int) -> Window:
    bouts, exercises, naps, tension, meals = [], [], [], [], []
    for number, plan in enumerate(plans):
        move = number * MINUTES_PER_DAY - offset
        bouts += [bout.shifted(move) for bout in plan.bouts]
        exercises += [bout.shifted(move) for bout in plan.exercises]
        naps += [(start + move, end + move) for start, end in plan.naps]
        tension += [(start + move, size, decay) for start, size, decay in plan.tension]
        meals += [start + move for start in plan.meals]
    moves = [(number - 1) * MINUTES_PER_DAY - offset for number in range(len(nights))]
    sleeps = [(night.bed + move, night.wake + move, night.stages) for night, move in zip(nights, moves, strict=True)]
    return Window(
        person,
        day,
        tuple(bouts),
        tuple(e for e in exercises if e.end > 0 and e.start < MINUTES_PER_DAY),
        tuple(s for s in sleeps if s[1] > -LEAD and s[0] < MINUTES_PER_DAY),
        tuple(n for n in naps if n[1] > -LEAD and n[0] < MINUTES_PER_DAY),
        tuple(tension),
        tuple(meals),
    )


_NAP_STAGES = np.ones(200, np.int8)

_MOVEMENT = np.array(
    [
        [getattr(b.movement, n) for n in ("energy", "rhythm", "frequency", "spread", "tilt", "burst")]
        for b in BEHAVIOURS
    ],
    np.float32,
)
_PATTERN = np.array([[b.pattern.period, b.pattern.duty, b.pattern.high, b.pattern.low] for b in BEHAVIOURS], np.float32)
_MET = np.array([a.met for a in ACTIVITIES], np.float32)
_CADENCE = np.array([a.cadence for a in ACTIVITIES], np.float32)
_STEP_SHARE = np.array([a.step_share for a in ACTIVITIES], np.float32)
_ALTITUDE = np.array([a.altitude for a in ACTIVITIES], np.float32)
_OUTDOOR = np.array([a.environment == "outdoor" for a in ACTIVITIES])
_WATER = np.array([a.water for a in ACTIVITIES])
_EXERCISE = np.array([a.benchmark for a in ACTIVITIES])
_LEISURELY = np.array(
    [
        a.name in ("walking", "hiking", "outdoor cycling", "indoor cycling", "swimming", "dancing", "elliptical")
        for a in ACTIVITIES
    ]
)
_WALKS = np.array([a.step_share >= 0.9 and not a.benchmark for a in ACTIVITIES])
_STYLE_SPREAD = np.array([0.16, 0.09, 0.10, 0.10, 0.13], np.float32)


NOISE = (
    "burst", "floor", "rhythm", "frequency", "spread", "tilt", "arousal", "busy", "heart slow", "heart small",
    "heart fast", "skin", "beats", "hrv slow", "sdnn", "rmssd", "rr", "entropy rr", "entropy rrd", "spectrum", "bands",
    "steps", "posture", "jerk", "energy code", "covariance", "energy ratio", "crossing spread", "crossing mean", "axis",
    "kurtosis", "sleep code", "sweat drift", "storm", "sweat floor", "sweat slope", "contact", "warmth",
    "warmth slope", "altitude", "altitude floor", "oxygen slow", "oxygen", "desaturation", "trust", "coverage", "surge",
    "stride", "fidget", "warmth scale",
)  # fmt: skip
"""Names of the standard-score rows sampled for each window, one per source of noise."""

UNIFORM = ("lost beats", "night beats", "step size", "stairs", "stair size", "stage", "trust", "arousals",
           "arousal size")  # fmt: skip
"""Names of the uniform-number rows sampled for each window."""

_NOISE_ROW = {name: row for row, name in enumerate(NOISE)}
_UNIFORM_ROW = {name: row for row, name in enumerate(UNIFORM)}


@dataclass
class Minutes:
    """State of the windows of a chunk, minute by minute; arrays are `(windows, SPAN)` unless stated otherwise.

    Attributes:
        code: Index of the activity in [`ACTIVITIES`], int.
        stage: [`AWAKE`], or a sleep stage, int8.
        since: Minutes since the bout began.
        clock: Minute of the local day, 0 to 1439.
        met: Energy cost, METs, before the limits of the body are applied.
        effort: Effort relative to the bout's mean, from the activity's pattern.
        cadence: Cadence while stepping, steps per minute.
        step_share: Probability that a step is counted in the minute.
        energy, rhythm, frequency, spread, tilt: Movement of the wrist; see [`Movement`].
        altitude: Spread of altitude.
        outdoor, water, exercise, blind: Flags.
        noise: `(windows, len(NOISE), SPAN)` standard scores; read by [`Minutes.z`].
        uniform: `(windows, len(UNIFORM), SPAN)` uniform numbers; read by [`Minutes.u`].
    """

    code: np.ndarray
    stage: np.ndarray
    since: np.ndarray
    clock: np.ndarray
    met: np.ndarray
    effort: np.ndarray
    cadence: np.ndarray
    step_share: np.ndarray
    energy: np.ndarray
    rhythm: np.ndarray
    frequency: np.ndarray
    spread: np.ndarray
    tilt: np.ndarray
    altitude: np.ndarray
    outdoor: np.ndarray
    water: np.ndarray
    exercise: np.ndarray
    blind: np.ndarray
    noise: np.ndarray
    uniform: np.ndarray

    def z(self, name: str) -> np.ndarray:
        """Returns a row of standard scores of [`NOISE`], `(windows, SPAN)`."""
        return self.noise[:, _NOISE_ROW[name]]

    def u(self, name: str) -> np.ndarray:
        """Returns a row of uniform numbers of [`UNIFORM`], `(windows, SPAN)`."""
        return self.uniform[:, _UNIFORM_ROW[name]]


def _assign_bouts(
    index: int, window: Window, bout_at: np.ndarray, stage: np.ndarray, rows: list[tuple[float, ...]]
) -> None:
    """Writes each minute's bout into `bout_at` and its sleep stage into `stage`; adds the bouts to `rows`."""

    def assign(code: int, start: int, end: int, style: tuple[float, ...], blind: bool = False) -> None:
        first, last = max(start + LEAD, 0), min(end + LEAD, SPAN)
        if last > first:
            bout_at[first:last] = len(rows)
            rows.append((index, code, start, end, blind, *style))

    assign(CODE["watching television"], -LEAD, MINUTES_PER_DAY, _ZERO_STYLE)
    for bout in window.bouts:
        assign(bout.code, bout.start, bout.end, bout.style)
    sleeping = CODE["sleeping"]
    spans = [*window.sleeps, *((start, end, _NAP_STAGES) for start, end in window.naps)]
    for start, end, stages in spans:
        assign(sleeping, start, end, _ZERO_STYLE)
        first, last = max(start + LEAD, 0), min(end + LEAD, SPAN)
        if last > first:
            stage[first:last] = stages[first - start - LEAD : last - start - LEAD]
    for bout in window.exercises:
        assign(bout.code, bout.start, bout.end, bout.style, bout.blind)


def expand_windows(seed: int, windows: Sequence[Window]) -> Minutes:
    """Expands the plans of windows to minutes and samples their noise.

    Each window has its own random stream, so that the result does not depend on the other windows in the chunk.
    """
    shape = (len(windows), SPAN)
    bout_at, stage = np.empty(shape, np.int32), np.full(shape, AWAKE, np.int8)
    noise = np.empty((len(windows), len(NOISE), SPAN), np.float32)
    uniform = np.empty((len(windows), len(UNIFORM), SPAN), np.float32)
    rows: list[tuple[float, ...]] = []
    for index, window in enumerate(windows):
        _assign_bouts(index, window, bout_at[index], stage[index], rows)
        rng = stream(seed, NOISE_STREAM, window.person.number, window.day)
        rng.standard_normal(dtype=np.float32, out=noise[index])
        rng.random(dtype=np.float32, out=uniform[index])

    def z(name: str) -> np.ndarray:
        return noise[:, _NOISE_ROW[name]]

    table = np.array(rows, np.float32)
    owner, codes = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
    # Movement differs between people (habits) and between bouts (styles).
    habit = np.array([w.person.habit for w in windows], np.float32)[owner]
    active = np.array([w.person.active for w in windows], np.float32)[owner]
    capacity = np.array([w.person.capacity for w in windows], np.float32)[owner]
    style = np.clip(table[:, 5:], -2.5, 2.5)
    move = _MOVEMENT[codes].copy()
    mixed = 0.55 * habit[:, :5] + 0.85 * style[:, :5]
    move[:, 0] *= np.exp(0.9 * _STYLE_SPREAD[0] * mixed[:, 0])
    move[:, 1:5] += _STYLE_SPREAD[1:] * mixed[:, 1:]
    low, high = _CADENCE[codes].T
    cadence = low + (high - low) * np.clip(0.5 + 0.22 * style[:, 7] + 0.12 * habit[:, 5], 0, 1)
    exercise = _EXERCISE[codes]
    # People pace themselves: fitter people run at more METs, and most stay below their capacity.
    pace = np.where(exercise, 0.88 * (capacity / 11) ** 0.6, 1.0) * np.exp(0.17 * style[:, 6])
    # Some walks, rides and swims are leisurely: done for transport or company, not for exercise.
    ease = np.where(_LEISURELY[codes], 1 / (1 + 0.7 * np.maximum(style[:, 9] - 0.6, 0)), 1.0)
    met = 1 + (_MET[codes] - 1) * (pace * ease).astype(np.float32)
    move[:, 0] *= np.sqrt(ease)
    cadence *= ease**0.3
    share = np.where(exercise | _WALKS[codes], _STEP_SHARE[codes], np.clip(_STEP_SHARE[codes] * active, 0, 0.95))
    altitude = _ALTITUDE[codes] * np.exp(0.45 * style[:, 8])

    code_at = codes[bout_at]
    time = np.arange(-LEAD, MINUTES_PER_DAY, dtype=np.float32)
    starts = np.array([w.person.start_minute for w in windows], np.float32)[:, None]
    since = time - table[:, 2][bout_at]
    period, duty, up, down = (_PATTERN[codes, k][bout_at] for k in range(4))
    wave = np.mod(since + 3 * style[:, 6][bout_at], np.maximum(period, 1.0)) < duty * period
    effort = np.where(period > 0, np.where(wave, up, down), np.float32(1.0))
    energy = move[:, 0][bout_at] * effort * (1 + move[:, 5][bout_at] * 0.8 * z("burst"))
    floor = np.float32(0.008) + 0.02 * np.abs(z("floor"))
    return Minutes(
        code=code_at,
        stage=stage,
        since=since,
        clock=np.mod(time + starts, np.float32(MINUTES_PER_DAY)),
        met=met[bout_at],
        effort=effort,
        cadence=cadence.astype(np.float32)[bout_at],
        step_share=share.astype(np.float32)[bout_at],
        energy=np.clip(energy, 0, 1.6) + floor,
        rhythm=np.clip(move[:, 1][bout_at] + 0.06 * z("rhythm"), 0, 1),
        frequency=np.clip(move[:, 2][bout_at] + 0.06 * z("frequency"), 0, 1),
        spread=np.clip(move[:, 3][bout_at] + 0.08 * z("spread"), 0, 1),
        tilt=np.clip(move[:, 4][bout_at] + 0.12 * z("tilt"), -1, 1),
        altitude=altitude.astype(np.float32)[bout_at],
        outdoor=_OUTDOOR[code_at],
        water=_WATER[code_at],
        exercise=_EXERCISE[code_at],
        blind=table[:, 4].astype(bool)[bout_at],
        noise=noise,
        uniform=uniform,
    )
