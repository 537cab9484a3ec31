"""Phrases of an opening, most important first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ...days import MINUTES_PER_DAY
from .opening_facts import (
    ACTIVE_STEPS,
    COUNTABLE,
    LONG_NAP_MINUTES,
    QUIET_STEPS,
    RESTING,
    SHORT_NAP_MINUTES,
    SHORT_RECORDING_MINUTES,
    Bouts,
    OpeningFacts,
    merge_spans,
    total_minutes,
)
from .opening_words import bare_duration_in_words, duration_in_words, number_in_words, with_article
from .sentences import RandomChoices

WORKING_DAY_MINUTES = 180
"""Minimum of logged work on a working day."""

GAP_MINUTES = 150
"""Minimum duration of a span without data that is mentioned."""

SHORT_NIGHT_MINUTES, LONG_NIGHT_MINUTES = 330, 570
"""A night's sleep that lies inside the window is short below the first and long from the second."""

_MIN_EXERCISE, _MIN_EVERYDAY, _MIN_REST, _MIN_SLEEP, _MIN_CUT_SLEEP = 8, 20, 120, 15, 45
_MAX_EXERCISES, _MAX_EVERYDAY = 3, 2
_ON_MACHINE = {"elliptical": "the elliptical trainer", "rowing machine": "the rowing machine"}
_PARTS = ((5, "night"), (8, "early morning"), (12, "morning"), (14, "midday"), (18, "afternoon"), (22, "evening"))
_COARSE = ((5, "night"), (12, "morning"), (18, "afternoon"), (22, "evening"))


@dataclass(frozen=True)
class OpeningDetail:
    """A phrase of the sentence.

    Attributes:
        text: The phrase, for a list after "with".
        kind: `"activity"`, `"sleep"`, `"nap"`, `"signal"` or `"gap"`.
        timed: Whether there can be "time for" it.
        when: When it took place, an adverbial.
        start: First minute, to order activities.
        stands_out: Whether it is exercise.
    """

    text: str
    kind: str
    timed: bool = False
    when: str = ""
    start: int = 0
    stands_out: bool = False


@dataclass(frozen=True)
class OpeningContent:
    """The parts of an opening, most important first; the head is a noun phrase without its article."""

    head: str
    plain: bool
    details: tuple[OpeningDetail, ...]
    silent: bool = False


def opening_content(facts: OpeningFacts, choose: RandomChoices) -> OpeningContent:
    """Chooses what an opening says about a day, and words it."""
    exercises = sorted(
        (b for b in facts.bouts if b.is_exercise and b.is_remarkable and b.name and b.minutes >= _MIN_EXERCISE),
        key=lambda b: (-b.met * b.minutes, b.spans),
    )[:_MAX_EXERCISES]
    worked = total_minutes(merge_spans(span for b in facts.bouts if b.is_work for span in b.spans))
    working = worked >= WORKING_DAY_MINUTES
    everyday = [b for b in facts.bouts if not b.is_exercise and b.is_remarkable and b.name]
    everyday = sorted((b for b in everyday if b.minutes >= _MIN_EVERYDAY), key=lambda b: (-b.minutes, b.spans))
    if not everyday:
        rests = [b for b in facts.bouts if b.name.lower() in RESTING and b.minutes >= _MIN_REST]
        everyday = sorted(rests, key=lambda b: (-b.minutes, b.spans))[:1]
    main = exercises or everyday[:_MAX_EVERYDAY]
    details = [
        OpeningDetail(
            _activity(b, choose), "activity", True, _when(b.spans, facts, choose), b.spans[0][0], b in exercises
        )
        for b in main
    ]
    slept = _sleep(facts, choose)
    if slept is not None:
        details.append(slept)
    nap = _naps(facts)
    if nap is not None:
        details.append(nap)
    signals = [] if exercises else _signals(facts, choose, len(details))
    details = [*details[: len(main)], *signals, *details[len(main) :]]
    if not facts.observed:
        return OpeningContent("day", True, tuple(details), silent=True)
    head, plain = _head(facts, exercises, working, choose)
    # "A recording in the evening" need not repeat that its content was in the evening.
    details = [replace(d, when="") if facts.short and d.when and head.endswith(d.when) else d for d in details]
    if not details and plain and not facts.short:
        details.append(OpeningDetail(f"{duration_in_words(facts.observed, choose)} of recorded signals", "signal"))
    elif 0 < facts.observed < SHORT_RECORDING_MINUTES and not facts.short:
        details.append(OpeningDetail(f"only {duration_in_words(facts.observed, choose)} of recorded signals", "signal"))
    else:
        gap = None if facts.short else _gap(facts, choose)
        if gap is not None:
            details.append(OpeningDetail(gap, "gap"))
    return OpeningContent(head, plain, tuple(details))


def _head(facts: OpeningFacts, exercises: Sequence[Bouts], working: bool, choose: RandomChoices) -> tuple[str, bool]:
    """Returns the noun phrase of the sentence, and whether it says nothing by itself."""
    if facts.short or facts.minutes > 1.25 * MINUTES_PER_DAY:
        length = facts.observed
        days = round(length / MINUTES_PER_DAY)
        span = (
            f"{number_in_words(days)} days"
            if length > 1.25 * MINUTES_PER_DAY and days > 1
            else duration_in_words(length, choose)
        )
        where = ""
        if facts.short:
            hours = facts.hours[facts.worn] if facts.observed else facts.hours
            for table in (_PARTS, _COARSE):
                part, share = _main_part(hours, table)
                if share >= 0.75:
                    where = f" {_in_part(part)}"
                    break
        return f"recording of {span}{where}", False
    tired = (facts.steps is None or facts.steps < QUIET_STEPS) and not exercises and not working
    if tired and facts.in_bed >= 16 * 60:
        return "day spent mostly in bed", False
    level = facts.level
    if tired and facts.resting >= 16 * 60 and level in ("quiet", "calm", None):
        level = "restful"
    strenuous = any(b.known is not None and b.met >= 5 and b.minutes >= 20 for b in exercises)
    if strenuous and level in ("quiet", "calm"):
        level = f"otherwise {level}"
    words = [*([level] if level else []), *(["working"] if working else []), "day"]
    return " ".join(words), len(words) == 1


def _activity(bouts: Bouts, choose: RandomChoices) -> str:
    duration = duration_in_words(bouts.minutes, choose)
    words = bouts.name.split()
    if bouts.known in _ON_MACHINE and bouts.name.lower() == bouts.known:
        return f"{duration} on {_ON_MACHINE[bouts.known]}"
    if words[-1].lower() in COUNTABLE and len(bouts.spans) == 1:
        named = bouts.name if words[0].lower() in ("a", "an", "the") else with_article(bouts.name)
        return f"{named} of {duration}"
    if bouts.is_exercise and bouts.minutes < 18 and len(bouts.spans) == 1 and choose.next() % 2:
        return f"a short session of {bouts.name}"
    return f"{duration} of {bouts.name}"


def _when(spans: Sequence[tuple[int, int]], facts: OpeningFacts, choose: RandomChoices) -> str:
    """Returns when something took place, as an adverbial."""
    if len(spans) == 1:
        start, end = spans[0]
        if end - start > 180:
            first, last = (_part(int(facts.hours[m]), _COARSE) for m in (start, end - 1))
            if first != last:
                return f"from the {first} into the {last}"
            return _in_part(first)
        return _in_part(_part(int(facts.hours[(start + end) // 2]), _PARTS))
    parts = list(dict.fromkeys(_part(int(facts.hours[(start + end) // 2]), _COARSE) for start, end in spans))
    if len(parts) == 1:
        return _in_part(parts[0])
    if len(parts) == 2:
        return f"split between the {parts[0]} and the {parts[1]}"
    return ("spread over the day", "in the course of the day", "over the day")[choose.next() % 3]


def _sleep(facts: OpeningFacts, choose: RandomChoices) -> OpeningDetail | None:
    total = total_minutes(facts.sleeps)
    if total < (_MIN_CUT_SLEEP if any(facts.cut) else _MIN_SLEEP):
        return None
    first, last = facts.sleeps[0][0], facts.sleeps[-1][1]
    one_night = last - first - total <= 60 and not 9 <= int(facts.hours[(first + last) // 2]) < 21
    if one_night and not facts.short and total < 240 and facts.cut in ((True, False), (False, True)):
        ordinal = "last" if facts.cut[0] else "first"
        return OpeningDetail(f"the {ordinal} {bare_duration_in_words(total)} of a night's sleep", "sleep")
    if one_night and not any(facts.cut) and first > 0 and last < facts.minutes and total >= 120:
        if total < SHORT_NIGHT_MINUTES:
            return OpeningDetail(f"a short night of {duration_in_words(total, choose)}", "sleep")
        if total >= LONG_NIGHT_MINUTES:
            return OpeningDetail(f"a long night of {duration_in_words(total, choose)}", "sleep")
    return OpeningDetail(f"{duration_in_words(total, choose)} of sleep", "sleep", True)


def _naps(facts: OpeningFacts) -> OpeningDetail | None:
    if not facts.naps:
        return None
    if len(facts.naps) > 1:
        return OpeningDetail(f"{number_in_words(len(facts.naps))} naps", "nap", True)
    start, end = facts.naps[0]
    size = "short " if end - start <= SHORT_NAP_MINUTES else "long " if end - start >= LONG_NAP_MINUTES else ""
    return OpeningDetail(f"a {size}nap", "nap", True, _in_part(_part(int(facts.hours[(start + end) // 2]), _PARTS)))


def _signals(facts: OpeningFacts, choose: RandomChoices, others: int) -> list[OpeningDetail]:
    details = []
    if facts.level == "active" and (facts.steps is None or facts.steps < ACTIVE_STEPS):
        # What makes the day active, rather than a number of steps that does not.
        return [OpeningDetail(f"{duration_in_words(facts.raised, choose)} of raised heart rate", "signal")]
    if facts.steps is not None:
        details.append(OpeningDetail(_step_count(facts.steps, facts.steps_complete, choose), "signal"))
    if facts.heart_rate is not None and others + len(details) < 2:
        beats = number_in_words(5 * round(facts.heart_rate / 5))
        phrases = (
            f"an average heart rate of about {beats} beats per minute",
            f"a heart rate of around {beats} beats per minute on average",
            f"a heart rate that averaged about {beats} beats per minute",
        )
        details.append(OpeningDetail(phrases[choose.next() % 3], "signal"))
    return details


def _step_count(steps: int, complete: bool, choose: RandomChoices) -> str:
    noun = "steps" if complete else "recorded steps"
    if steps == 0:
        return "no recorded steps"
    if steps < 50:
        return f"hardly any {noun}"
    about = ("about", "some", "roughly")[choose.next() % 3]
    if steps < 950:
        hundreds = max(1, round(steps / 100))
        return f"about a hundred {noun}" if hundreds == 1 else f"{about} {number_in_words(hundreds)} hundred {noun}"
    halves = {1000: "a thousand", 1500: "fifteen hundred", 2000: "two thousand", 2500: "twenty-five hundred"}
    nearest = 500 * round(steps / 500)
    if nearest in halves:
        return f"{'about' if nearest == 1000 else about} {halves[nearest]} {noun}"
    return f"{about} {number_in_words(round(steps / 1000))} thousand {noun}"


def _gap(facts: OpeningFacts, choose: RandomChoices) -> str | None:
    """Returns when nothing was recorded for long, as an adverbial."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], ~facts.worn, [False]]).view(np.int8))).tolist()
    gaps = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= GAP_MINUTES]
    if not gaps:
        return None
    if len(gaps) > 1:
        return f"for {duration_in_words(total_minutes(gaps), choose)} in all"
    start, end = gaps[0]
    segments = _segments(facts.hours)
    shares = [(part, a, b, max(0, min(b, end) - max(a, start)) / (b - a)) for part, a, b in segments]
    covered = [item for item in shares if item[3] >= 0.6]
    if len(covered) == 1 and covered[0][3] * (covered[0][2] - covered[0][1]) >= 0.6 * (end - start):
        part, _, _, share = covered[0]
        return f"throughout the {part}" if share >= 0.95 else f"for most of the {part}"
    if end == facts.minutes:
        part = _part(int(facts.hours[start]), _PARTS)
        return f"from {part if part == 'midday' else f'the {part}'} on"
    if start == 0:
        part = _part(int(facts.hours[end]), _PARTS)
        return f"until {part if part == 'midday' else f'the {part}'}"
    middle = _part(int(facts.hours[(start + end) // 2]), _COARSE)
    if end - start < 300:
        return f"for {duration_in_words(end - start, choose)} {_in_part(middle)}"
    first, last = (_part(int(facts.hours[m]), _COARSE) for m in (start, end - 1))
    if first == last:
        return f"for {duration_in_words(end - start, choose)}"
    return f"from the {first} into the {last}"


def _segments(hours: np.ndarray) -> list[tuple[str, int, int]]:
    """Splits the window into its parts of the day."""
    names = [_part(hour, _COARSE) for hour in range(24)]
    found = np.array([sorted(set(names)).index(name) for name in names])[hours]
    edges = [0, *(np.flatnonzero(np.diff(found)) + 1).tolist(), len(hours)]
    # The night before a day that begins at midnight is not the night that ends it.
    names[0] = "small hours" if edges[1] < len(hours) and hours[0] == 0 else names[0]
    return [(names[int(hours[a])], a, b) for a, b in pairwise(edges)]


def _main_part(hours: np.ndarray, table: Sequence[tuple[int, str]]) -> tuple[str, float]:
    names = [_part(int(hour), table) for hour in hours]
    best = max(sorted(set(names)), key=names.count) if names else "day"
    return best, names.count(best) / max(len(names), 1)


def _part(hour: int, table: Sequence[tuple[int, str]]) -> str:
    """Returns the part of the day of a local hour."""
    name = "night"
    for (_, own), (until, _) in zip(table[1:], table[:-1], strict=True):
        if hour >= until:
            name = own
    return "night" if hour >= table[-1][0] else name


def _in_part(part: str) -> str:
    return {"night": "at night", "midday": "around midday"}.get(part, f"in the {part}")
