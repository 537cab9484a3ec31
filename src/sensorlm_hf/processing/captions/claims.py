"""Claims about a day: a fact and the range of its values in which the claim is true, false or undecided.

Levels ("high", "low") are relative to the population: their thresholds are quantiles of simulated days, in
`claim_thresholds`. Durations and times have the thresholds of ordinary language. Between "true" and "false" a claim is
undecided, so that no day that could be described either way counts as an example.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from .activity_phrases import ACTIVITY_GROUPS, ACTIVITY_PHRASES
from .claim_thresholds import QUANTILES
from .day_facts import FACT_INDEX, MOOD_VALENCE, PARTS, DayFacts

INFINITY = math.inf
Range = tuple[float, float]

TRUE, FALSE, UNDECIDED = 1, 0, -1
"""Values of a claim for a day."""

GRADES = ("very_high", "high", "average", "low", "very_low")
"""Grades of a level."""


@dataclass(frozen=True)
class Claim:
    """A claim about one fact of a day.

    Attributes:
        kind: Kind of the claim, such as `"steps"`; claims of a kind share their wordings.
        name: Name within the kind, such as `"high"` or `"running"`.
        fact: Name of the fact, one of `FACT_NAMES`.
        true: Lowest and highest value at which the claim is true.
        possible: Lowest and highest value at which it is not false; contains `true`.
        needs: Channel keys or modalities of which at least one must be visible; empty if the claim needs none.
        negated: Whether the claim is true where it would be false, and the reverse.
        detail: Part of the day, for claims about a part.
    """

    kind: str
    name: str
    fact: str
    true: Range
    possible: Range
    needs: frozenset[str] = frozenset()
    negated: bool = False
    detail: str = ""

    def __post_init__(self) -> None:
        if self.fact not in FACT_INDEX:
            raise ValueError(f"Claim {self.key!r}: unknown fact {self.fact!r}; the names are in FACT_NAMES.")
        (low, high), (least, most) = self.true, self.possible
        if not least <= low <= high <= most:
            raise ValueError(f"Claim {self.key!r}: `possible` {self.possible} must contain `true` {self.true}.")

    @property
    def key(self) -> str:
        """Identifier of the claim, such as `"steps/high"` or `"not activity/running"`."""
        where = f"/{self.detail}" if self.detail else ""
        return f"{'not ' if self.negated else ''}{self.kind}/{self.name}{where}"

    def __call__(self, facts: DayFacts) -> int:
        """Returns 1 if the claim is true of a day, 0 if false, -1 if the day does not decide it."""
        value = facts[self.fact]
        if math.isnan(value):
            return UNDECIDED
        if self.true[0] <= value <= self.true[1]:
            return FALSE if self.negated else TRUE
        if self.possible[0] <= value <= self.possible[1]:
            return UNDECIDED
        return TRUE if self.negated else FALSE

    def negate(self) -> Claim:
        """Returns the claim that is true where this one is false."""
        return replace(self, negated=not self.negated)


def evaluate(claims: Sequence[Claim], values: np.ndarray) -> np.ndarray:
    """Evaluates claims on the facts of days.

    Args:
        claims: The claims.
        values: `(days, len(FACT_NAMES))`: the `values` of their [`DayFacts`].

    Returns:
        `(days, claims)` int8: 1, 0 or -1 as in [`Claim.__call__`].
    """
    return evaluate_table(ClaimTable(claims), values)


class ClaimTable:
    """Claims as columns, to evaluate them at once."""

    def __init__(self, claims: Sequence[Claim]) -> None:
        self.column = np.array([FACT_INDEX[claim.fact] for claim in claims], dtype=np.intp)
        bounds = np.array([(*claim.true, *claim.possible) for claim in claims], dtype=np.float64).reshape(-1, 4)
        self.low, self.high, self.least, self.most = bounds.T
        self.negated = np.array([claim.negated for claim in claims], dtype=bool)


def evaluate_table(table: ClaimTable, values: np.ndarray) -> np.ndarray:
    """Evaluates a [`ClaimTable`]; see [`evaluate`]."""
    x = values[:, table.column]
    true = (x >= table.low) & (x <= table.high)
    false = (x < table.least) | (x > table.most)
    result = np.full(x.shape, UNDECIDED, dtype=np.int8)
    result[np.where(table.negated, false, true)] = TRUE
    result[np.where(table.negated, true, false)] = FALSE
    return result


LEVEL_NEEDS: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        ("heart_rate", "heart_rate_peak", "heart_rate_lowest", "heart_rate_range", "sleep_heart_rate",
         "exercise_heart_rate"),
        frozenset({"HR"}),
    ),
    "heart_rate_rest": frozenset({"hr_at_rest_mean"}),
    "rmssd": frozenset({"rmssd_percentile_0595"}),
    "sdnn": frozenset({"sdnn_percentile_0595"}),
    **dict.fromkeys(("steps", "step_share", "cadence", "longest_still"), frozenset({"steps"})),
    **dict.fromkeys(("movement", "sleep_movement"), frozenset({"log_energy"})),
    **dict.fromkeys(("skin_temperature", "skin_temperature_range"), frozenset({"wrist_temperatures"})),
    **dict.fromkeys(("skin_conductance", "skin_conductance_range"), frozenset({"eda_level_real"})),
    "altitude": frozenset({"altim_std"}),
}  # fmt: skip
"""Kinds of levels with the channels that they need; each has all [`GRADES`]."""

PART_LEVELS: dict[str, tuple[str, ...]] = {"heart_rate": PARTS, "steps": PARTS[1:], "movement": PARTS[1:]}
"""Levels that also exist for parts of the day, as kind `<level>_part`; at night, nearly everybody lies still."""

LEVEL_FACTS: tuple[str, ...] = (
    *LEVEL_NEEDS,
    *(f"{level}:{part}" for level, parts in PART_LEVELS.items() for part in parts),
)
"""Facts with thresholds in `claim_thresholds`."""


def _levels() -> Iterable[Claim]:
    for kind, needs in LEVEL_NEEDS.items():
        yield from _grades(kind, kind, needs)
    for level, parts in PART_LEVELS.items():
        for part in parts:
            yield from _grades(f"{level}_part", f"{level}:{part}", LEVEL_NEEDS[level], part)


def _grades(kind: str, fact: str, needs: frozenset[str], part: str = "") -> Iterable[Claim]:
    q12, q25, q33, q40, q50, q60, q67, q75, q88 = QUANTILES[fact]
    ranges = {
        "very_high": ((q88, INFINITY), (q67, INFINITY)),
        "high": ((q67, INFINITY), (q50, INFINITY)),
        "average": ((q40, q60), (q25, q75)),
        "low": ((-INFINITY, q33), (-INFINITY, q50)),
        "very_low": ((-INFINITY, q12), (-INFINITY, q33)),
    }
    for grade, (true, possible) in ranges.items():
        yield Claim(kind, grade, fact, true, possible, needs, detail=part)


def _at_least(true: float, false: float) -> tuple[Range, Range]:
    """True from `true` on, false below `false`."""
    return (true, INFINITY), (false, INFINITY)


def _at_most(true: float, false: float) -> tuple[Range, Range]:
    """True up to `true`, false above `false`."""
    return (-INFINITY, true), (-INFINITY, false)


_SINGLE: tuple[tuple[str, str, str, tuple[Range, Range]], ...] = (
    ("wear", "always", "observed", _at_least(0.97, 0.9)),
    ("wear", "mostly", "observed", _at_least(0.85, 0.7)),
    ("wear", "half", "observed", _at_most(0.65, 0.8)),
    ("gap", "none", "longest_gap", _at_most(4, 15)),
    ("gap", "short", "longest_gap", ((8, 45), (4, 75))),
    ("gap", "over_hour", "longest_gap", _at_least(65, 55)),
    ("gap", "hours", "longest_gap", _at_least(150, 100)),
    ("gap", "several", "gaps", _at_least(3, 2)),
    ("night_wear", "worn", "night_observed", _at_least(0.85, 0.4)),
    ("night_wear", "off", "night_observed", _at_most(0.15, 0.5)),
    ("sleep_duration", "very_short", "sleep_minutes", _at_most(345, 385)),
    ("sleep_duration", "short", "sleep_minutes", _at_most(400, 435)),
    ("sleep_duration", "normal", "sleep_minutes", ((420, 510), (390, 540))),
    ("sleep_duration", "long", "sleep_minutes", _at_least(500, 465)),
    ("sleep_duration", "very_long", "sleep_minutes", _at_least(555, 510)),
    ("sleep_hours", "over_nine", "sleep_minutes", _at_least(545, 535)),
    ("sleep_hours", "over_eight", "sleep_minutes", _at_least(485, 475)),
    ("sleep_hours", "under_eight", "sleep_minutes", _at_most(475, 485)),
    ("sleep_hours", "under_seven", "sleep_minutes", _at_most(415, 425)),
    ("sleep_hours", "under_six", "sleep_minutes", _at_most(355, 365)),
    ("bedtime", "early", "bedtime", _at_most(10.6, 11.1)),
    ("bedtime", "late", "bedtime", _at_least(12.0, 11.5)),
    ("bedtime", "very_late", "bedtime", _at_least(13.0, 12.4)),
    ("bedtime", "before_midnight", "bedtime", _at_most(11.9, 12.1)),
    ("bedtime", "after_midnight", "bedtime", _at_least(12.1, 11.9)),
    ("wake_time", "very_early", "wake_time", _at_most(5.75, 6.25)),
    ("wake_time", "early", "wake_time", _at_most(6.5, 7.0)),
    ("wake_time", "late", "wake_time", _at_least(8.0, 7.5)),
    ("wake_time", "very_late", "wake_time", _at_least(9.0, 8.3)),
    ("sleep_breaks", "interrupted", "sleep_breaks", _at_least(1, 1)),
    ("sleep_breaks", "uninterrupted", "sleep_breaks", _at_most(0, 0)),
    ("nap", "any", "nap_minutes", _at_least(10, 1)),
    ("nap", "short", "nap_minutes", ((8, 40), (5, 50))),
    ("nap", "long", "nap_minutes", _at_least(55, 45)),
    ("sleep_any", "slept", "sleep_any", _at_least(1, 1)),
    ("sleep_any", "none", "sleep_any", _at_most(0, 0)),
    ("exercise", "any", "exercise_minutes", _at_least(8, 1)),
    ("exercise", "none", "exercise_minutes", _at_most(0, 4)),
    ("exercise_count", "one", "exercise_bouts", ((1, 1), (1, 1))),
    ("exercise_count", "several", "exercise_bouts", _at_least(2, 2)),
    ("exercise_count", "many", "exercise_bouts", _at_least(3, 3)),
    ("exercise_total", "short", "exercise_minutes", ((8, 32), (5, 42))),
    ("exercise_total", "over_hour", "exercise_minutes", _at_least(63, 57)),
    ("exercise_total", "couple_hours", "exercise_minutes", ((105, 150), (85, 180))),
    ("exercise_total", "hours", "exercise_minutes", _at_least(170, 125)),
    ("exercise_time", "early", "exercise_first", _at_most(9.5, 11.0)),
    ("exercise_time", "late", "exercise_last", _at_least(17.5, 16.0)),
)

_LENGTHS: dict[str, tuple[Range, Range]] = {
    "short": ((5, 32), (3, 42)),
    "over_hour": _at_least(63, 57),
    "long": _at_least(75, 55),
    "hours": _at_least(125, 100),
}
"""Lengths of the longest bout of an activity, in minutes."""


def _activities() -> Iterable[Claim]:
    named = [("activity", name, name) for name in ACTIVITY_PHRASES]
    named += [("group", group.name, f"group {group.name}") for group in ACTIVITY_GROUPS]
    for kind, name, fact in named:
        yield Claim(kind, name, f"minutes:{fact}", *_at_least(5, 1))
        for part in PARTS:
            yield Claim(f"{kind}_part", name, f"{part}:{fact}", *_at_least(8, 1), detail=part)
        for length, ranges in _LENGTHS.items():
            yield Claim(f"{kind}_length", name, f"longest:{fact}", *ranges, detail=length)


@cache
def all_claims() -> tuple[Claim, ...]:
    """Returns all claims, none negated."""
    claims = list(_levels())
    claims += [Claim(kind, name, fact, true, possible) for kind, name, fact, (true, possible) in _SINGLE]
    for part in PARTS:
        claims.append(Claim("gap_part", "off", f"unobserved:{part}", *_at_least(40, 10), detail=part))
        claims.append(Claim("exercise_part", "any", f"exercise:{part}", *_at_least(8, 1), detail=part))
    claims += _activities()
    claims += [Claim("mood", name, f"mood:{name}", *_at_least(1, 1)) for name in MOOD_VALENCE]
    claims.append(Claim("mood", "good", "mood_valence", *_at_least(1, 0)))
    claims.append(Claim("mood", "bad", "mood_valence", *_at_most(-1, 0)))
    return tuple(claims)


@cache
def claims_by_kind() -> dict[str, tuple[int, ...]]:
    """Returns the positions in [`all_claims`] of each kind."""
    positions: dict[str, list[int]] = {}
    for position, claim in enumerate(all_claims()):
        positions.setdefault(claim.kind, []).append(position)
    return {kind: tuple(found) for kind, found in positions.items()}


@cache
def _all_table() -> ClaimTable:
    return ClaimTable(all_claims())


def evaluate_all(facts: Sequence[DayFacts]) -> np.ndarray:
    """Evaluates [`all_claims`] on days: `(days, claims)` int8."""
    return evaluate_table(_all_table(), np.stack([item.values for item in facts]))
