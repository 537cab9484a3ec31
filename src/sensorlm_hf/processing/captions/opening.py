"""`opening_sentence`: one sentence of plain English about a day, to open a caption.

It has no digits: durations, steps and heart rates are rounded and written in words, because the exact numbers follow in
the caption. Activities and sleep come from the log only; the character of the day comes from steps and heart rate.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from ...activities import ACTIVITY_BY_NAME, canonical_activity
from ...days import MINUTES_PER_DAY, Event, SensorDay
from ...schema import Channel, SensorSchema
from .sentences import RandomChoices, random_numbers

MAX_WORDS = 40
"""Maximum number of words of an opening."""

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

WORKING_DAY_MINUTES = 180
"""Minimum of logged work on a working day."""

GAP_MINUTES = 150
"""Minimum duration of a span without data that is mentioned."""

SHORT_NIGHT_MINUTES, LONG_NIGHT_MINUTES = 330, 570
"""A night's sleep that lies inside the window is short below the first and long from the second."""

SHORT_NAP_MINUTES, LONG_NAP_MINUTES, LONGEST_NAP_MINUTES = 30, 75, 150
"""A nap is short up to the first and long from the second; from the third it counts as sleep."""

_DAY_HOURS = (8, 22)
_MIN_EXERCISE, _MIN_EVERYDAY, _MIN_REST, _MIN_SLEEP, _MIN_CUT_SLEEP = 8, 20, 120, 15, 45
_MAX_EXERCISES, _MAX_EVERYDAY = 3, 2
_EXERCISES = frozenset({"cardio", "strength", "mind-body", "sport"})
_RESTING = frozenset({"resting", "sitting", "lying down", "lying", "relaxing", "in bed", "watching television"})
_UNREMARKABLE = frozenset(
    (
        *_RESTING,
        "meal",
        "self-care",
        "using a phone or computer",
        "sleeping",
        "eating",
        "caffeine",
        "smoking",
        "alcohol",
        "small screen use",
        "large screen use",
        "light movement",
    )
)
_WORK = re.compile(r"\b(work|working|labour|office)\b")
_ON_MACHINE = {"elliptical": "the elliptical trainer", "rowing machine": "the rowing machine"}
_MASS = frozenset(
    (
        "yoga",
        "vinyasa",
        "pilates",
        "tennis",
        "padel",
        "football",
        "soccer",
        "futsal",
        "basketball",
        "golf",
        "crossfit",
        "tabata",
        "zumba",
        "aerobics",
        "work",
        "labour",
    )
)
_COUNTABLE = frozenset(
    (
        *(
            "appointment",
            "class",
            "climb",
            "commute",
            "drive",
            "flight",
            "game",
            "hike",
            "jog",
            "lesson",
            "match",
            "meal",
        ),
        *(
            "meeting",
            "party",
            "practice run",
            "race",
            "ride",
            "run",
            "session",
            "shift",
            "stroll",
            "swim",
            "tour",
            "trip",
        ),
        *("visit", "walk", "workout"),
    )
)
_MAX_LABEL_WORDS = 5
_FRACTION = re.compile(r" and (a half|a quarter|three quarters)\b|(?<=hundred) and ")

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_DURATIONS = {
    5: "five minutes",
    10: "ten minutes",
    15: "a quarter of an hour",
    20: "twenty minutes",
    25: "twenty-five minutes",
    30: "half an hour",
    40: "forty minutes",
    45: "three quarters of an hour",
    50: "fifty minutes",
    60: "an hour",
    75: "an hour and a quarter",
    90: "an hour and a half",
    105: "an hour and three quarters",
}
_PARTS = ((5, "night"), (8, "early morning"), (12, "morning"), (14, "midday"), (18, "afternoon"), (22, "evening"))
_COARSE = ((5, "night"), (12, "morning"), (18, "afternoon"), (22, "evening"))


def opening_sentence(day: SensorDay, *, seed: int = 0, sample_id: str | None = None, shorter: int = 0) -> str:
    """Describes a day in one sentence of plain English, without digits.

    It says, as far as it is known: the character of the day, the main logged activities with rounded durations and the
    part of the day, the sleep and naps inside the window, and long spans without data. Without logged activities it
    gives the steps or the heart rate. Nothing is inferred that was neither logged nor observed.

    Args:
        day: The day, of any schema. Steps and heart rate are used if the schema has them.
        seed: Seed of the wording.
        sample_id: Seeds the wording together with `seed`; defaults to `day.sample_id`.
        shorter: Number of details to omit, starting from the last.

    Returns:
        A sentence of at most [`MAX_WORDS`] words.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If `shorter` is negative.

    Example:
        >>> opening_sentence(day)
        'A calm working day with an hour of weight lifting in the evening and seven hours of sleep.'
    """
    if not isinstance(day, SensorDay):
        raise TypeError(f"`day` must be a SensorDay, which has a start and a log, got {type(day).__name__}.")
    for name, number in (("seed", seed), ("shorter", shorter)):
        if isinstance(number, (bool, np.bool_)) or not isinstance(number, (int, np.integer)):
            raise TypeError(f"`{name}` must be an integer, got {number!r}.")
    if shorter < 0:
        raise ValueError(f"`shorter` must be at least 0, got {shorter}.")
    if sample_id is not None and not isinstance(sample_id, str):
        raise TypeError(f"`sample_id` must be a string or None, got {sample_id!r}.")
    numbers = random_numbers(int(seed), day.sample_id if sample_id is None else sample_id, "opening")
    content = _content(_Facts.of(day), RandomChoices(numbers))
    while True:
        # The same choices at every length, so that omitting a detail does not reword the others.
        sentence = _write(content, RandomChoices(numbers[::-1]), int(shorter))
        if len(sentence.split()) <= MAX_WORDS or shorter > len(content.details):
            return sentence
        shorter += 1


# Facts


@dataclass(frozen=True)
class _Bouts:
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
class _Facts:
    """The facts of a day that an opening may mention."""

    minutes: int
    hours: np.ndarray
    worn: np.ndarray
    short: bool
    level: str | None
    bouts: tuple[_Bouts, ...]
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
    def of(cls, day: SensorDay) -> _Facts:
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
        asleep = _merge((a, b) for _, a, b in nights)
        bouts = _by_name([(e, a, b) for e, a, b in clipped if e.kind == "activity"])
        resting = _merge([*asleep, *(span for b in bouts if _plain(b) in _RESTING for span in b.spans)])
        bed = _merge([*asleep, *(s for b in bouts if re.search(r"\bbed\b", b.name.lower()) for s in b.spans)])
        in_bed = any(re.search(r"\bbed\b", b.name.lower()) for b in bouts)
        steps, pulse = _find(day.schema, _is_steps), _find(day.schema, _is_heart_rate)
        taken = None if steps is None else day.values[:, steps].astype(np.float64)
        beats = None if pulse is None else day.values[:, pulse].astype(np.float64)
        if taken is not None and np.isnan(taken).all():
            taken = None
        if beats is not None and np.isnan(beats).all():
            beats = None
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
            naps=_merge(naps),
            cut=(any(e.start_minute < 0 for e, _, _ in nights), any(e.end_minute > length for e, _, _ in nights)),
            in_bed=_total(bed) if in_bed else 0,
            resting=_total(resting),
            steps=None if taken is None else round(float(np.nansum(taken))),
            steps_complete=taken is not None and (short or _covered(taken, awake | worn) >= 0.9),
            heart_rate=None if beats is None else float(np.nanmean(beats)),
            raised=_raised(beats) or 0,
        )

    @property
    def observed(self) -> int:
        return int(self.worn.sum())


def _plain(bouts: _Bouts) -> str:
    return bouts.name.lower() if bouts.name.lower() in _RESTING else (bouts.known or bouts.name.lower())


def _local_hours(day: SensorDay) -> np.ndarray:
    """Returns the local hour of each minute."""
    if day.start.utcoffset() == day.end.utcoffset():
        first = day.start.hour * 60 + day.start.minute
        return (first + np.arange(len(day))) // 60 % 24
    return np.array([day.clock(minute).hour for minute in range(len(day))])


def _clip(event: Event, begin: int, end: int) -> tuple[int, int]:
    return max(event.start_minute, begin), min(event.end_minute, end)


def _merge(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _total(spans: Iterable[tuple[int, int]]) -> int:
    return sum(end - start for start, end in spans)


def _is_nap(event: Event, minutes: int, hour: int) -> bool:
    daytime = 5 <= hour < 22
    return "nap" in event.label.lower().split() and minutes < LONGEST_NAP_MINUTES and daytime


def _by_name(clipped: Iterable[tuple[Event, int, int]]) -> tuple[_Bouts, ...]:
    spans: dict[str, list[tuple[int, int]]] = {}
    known: dict[str, str | None] = {}
    for event, start, end in clipped:
        name, activity = _name_of(event.label)
        spans.setdefault(name, []).append((start, end))
        known[name] = activity
    return tuple(
        _Bouts(name, known[name], _total(merged), merged)
        for name, merged in ((name, _merge(own)) for name, own in spans.items())
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
    fits = last.endswith("ing") or last in _MASS or last in _COUNTABLE
    return (name if fits else known), known


def _find(schema: SensorSchema, wanted: Callable[[Channel], bool]) -> int | None:
    return next((i for i, channel in enumerate(schema) if wanted(channel)), None)


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


# Phrases


@dataclass(frozen=True)
class _Detail:
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
class _Content:
    """The parts of an opening, most important first; the head is a noun phrase without its article."""

    head: str
    plain: bool
    details: tuple[_Detail, ...]
    silent: bool = False


def _content(facts: _Facts, choose: RandomChoices) -> _Content:
    exercises = sorted(
        (b for b in facts.bouts if b.is_exercise and b.is_remarkable and b.name and b.minutes >= _MIN_EXERCISE),
        key=lambda b: (-b.met * b.minutes, b.spans),
    )[:_MAX_EXERCISES]
    worked = _total(_merge(span for b in facts.bouts if b.is_work for span in b.spans))
    working = worked >= WORKING_DAY_MINUTES
    everyday = [b for b in facts.bouts if not b.is_exercise and b.is_remarkable and b.name]
    everyday = sorted((b for b in everyday if b.minutes >= _MIN_EVERYDAY), key=lambda b: (-b.minutes, b.spans))
    if not everyday:
        rests = [b for b in facts.bouts if b.name.lower() in _RESTING and b.minutes >= _MIN_REST]
        everyday = sorted(rests, key=lambda b: (-b.minutes, b.spans))[:1]
    main = exercises or everyday[:_MAX_EVERYDAY]
    details = [
        _Detail(_activity(b, choose), "activity", True, _when(b.spans, facts, choose), b.spans[0][0], b in exercises)
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
        return _Content("day", True, tuple(details), silent=True)
    head, plain = _head(facts, exercises, working, choose)
    # "A recording in the evening" need not repeat that its content was in the evening.
    details = [replace(d, when="") if facts.short and d.when and head.endswith(d.when) else d for d in details]
    if not details and plain and not facts.short:
        details.append(_Detail(f"{_duration(facts.observed, choose)} of recorded signals", "signal"))
    elif 0 < facts.observed < SHORT_RECORDING_MINUTES and not facts.short:
        details.append(_Detail(f"only {_duration(facts.observed, choose)} of recorded signals", "signal"))
    else:
        gap = None if facts.short else _gap(facts, choose)
        if gap is not None:
            details.append(_Detail(gap, "gap"))
    return _Content(head, plain, tuple(details))


def _head(facts: _Facts, exercises: Sequence[_Bouts], working: bool, choose: RandomChoices) -> tuple[str, bool]:
    """Returns the noun phrase of the sentence, and whether it says nothing by itself."""
    if facts.short or facts.minutes > 1.25 * MINUTES_PER_DAY:
        length = facts.observed
        days = round(length / MINUTES_PER_DAY)
        span = f"{_number(days)} days" if length > 1.25 * MINUTES_PER_DAY and days > 1 else _duration(length, choose)
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


def _activity(bouts: _Bouts, choose: RandomChoices) -> str:
    duration = _duration(bouts.minutes, choose)
    words = bouts.name.split()
    if bouts.known in _ON_MACHINE and bouts.name.lower() == bouts.known:
        return f"{duration} on {_ON_MACHINE[bouts.known]}"
    if words[-1].lower() in _COUNTABLE and len(bouts.spans) == 1:
        named = bouts.name if words[0].lower() in ("a", "an", "the") else _with_article(bouts.name)
        return f"{named} of {duration}"
    if bouts.is_exercise and bouts.minutes < 18 and len(bouts.spans) == 1 and choose.next() % 2:
        return f"a short session of {bouts.name}"
    return f"{duration} of {bouts.name}"


def _when(spans: Sequence[tuple[int, int]], facts: _Facts, choose: RandomChoices) -> str:
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


def _sleep(facts: _Facts, choose: RandomChoices) -> _Detail | None:
    total = _total(facts.sleeps)
    if total < (_MIN_CUT_SLEEP if any(facts.cut) else _MIN_SLEEP):
        return None
    first, last = facts.sleeps[0][0], facts.sleeps[-1][1]
    one_night = last - first - total <= 60 and not 9 <= int(facts.hours[(first + last) // 2]) < 21
    if one_night and not facts.short and total < 240 and facts.cut in ((True, False), (False, True)):
        ordinal = "last" if facts.cut[0] else "first"
        return _Detail(f"the {ordinal} {_bare_duration(total)} of a night's sleep", "sleep")
    if one_night and not any(facts.cut) and first > 0 and last < facts.minutes and total >= 120:
        if total < SHORT_NIGHT_MINUTES:
            return _Detail(f"a short night of {_duration(total, choose)}", "sleep")
        if total >= LONG_NIGHT_MINUTES:
            return _Detail(f"a long night of {_duration(total, choose)}", "sleep")
    return _Detail(f"{_duration(total, choose)} of sleep", "sleep", True)


def _naps(facts: _Facts) -> _Detail | None:
    if not facts.naps:
        return None
    if len(facts.naps) > 1:
        return _Detail(f"{_number(len(facts.naps))} naps", "nap", True)
    start, end = facts.naps[0]
    size = "short " if end - start <= SHORT_NAP_MINUTES else "long " if end - start >= LONG_NAP_MINUTES else ""
    return _Detail(f"a {size}nap", "nap", True, _in_part(_part(int(facts.hours[(start + end) // 2]), _PARTS)))


def _signals(facts: _Facts, choose: RandomChoices, others: int) -> list[_Detail]:
    details = []
    if facts.level == "active" and (facts.steps is None or facts.steps < ACTIVE_STEPS):
        # What makes the day active, rather than a number of steps that does not.
        return [_Detail(f"{_duration(facts.raised, choose)} of raised heart rate", "signal")]
    if facts.steps is not None:
        details.append(_Detail(_step_count(facts.steps, facts.steps_complete, choose), "signal"))
    if facts.heart_rate is not None and others + len(details) < 2:
        beats = _number(5 * round(facts.heart_rate / 5))
        phrases = (
            f"an average heart rate of about {beats} beats per minute",
            f"a heart rate of around {beats} beats per minute on average",
            f"a heart rate that averaged about {beats} beats per minute",
        )
        details.append(_Detail(phrases[choose.next() % 3], "signal"))
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
        return f"about a hundred {noun}" if hundreds == 1 else f"{about} {_number(hundreds)} hundred {noun}"
    halves = {1000: "a thousand", 1500: "fifteen hundred", 2000: "two thousand", 2500: "twenty-five hundred"}
    nearest = 500 * round(steps / 500)
    if nearest in halves:
        return f"{'about' if nearest == 1000 else about} {halves[nearest]} {noun}"
    return f"{about} {_number(round(steps / 1000))} thousand {noun}"


def _gap(facts: _Facts, choose: RandomChoices) -> str | None:
    """Returns when nothing was recorded for long, as an adverbial."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], ~facts.worn, [False]]).view(np.int8))).tolist()
    gaps = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= GAP_MINUTES]
    if not gaps:
        return None
    if len(gaps) > 1:
        return f"for {_duration(_total(gaps), choose)} in all"
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
        return f"for {_duration(end - start, choose)} {_in_part(middle)}"
    first, last = (_part(int(facts.hours[m]), _COARSE) for m in (start, end - 1))
    if first == last:
        return f"for {_duration(end - start, choose)}"
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


def _number(value: int) -> str:
    """Returns a number below 1000 in words."""
    if value < 20:
        return _ONES[value]
    if value < 100:
        tens, ones = divmod(value, 10)
        return _TENS[tens] + (f"-{_ONES[ones]}" if ones else "")
    hundreds, rest = divmod(value, 100)
    return f"{_ONES[hundreds]} hundred" + (f" and {_number(rest)}" if rest else "")


def _nearest(minutes: int) -> tuple[int, str]:
    """Returns a round duration near `minutes`, and its words."""
    if minutes > 112:
        halves = round(minutes / 30)
        hours, half = divmod(halves, 2)
        return 30 * halves, f"{_number(hours)}{' and a half' if half else ''} hours"
    best = min(_DURATIONS, key=lambda d: (abs(d - minutes), d))
    return best, _DURATIONS[best]


def _duration(minutes: int, choose: RandomChoices) -> str:
    """Returns a rounded duration in words: "an hour", "nearly two hours", "about half an hour"."""
    if minutes < 5:
        return "a few minutes"
    nearest, words = _nearest(minutes)
    draw = choose.next() % 3
    if abs(nearest - minutes) <= (2 if nearest < 60 else 4 if nearest < 120 else 10):
        return words
    if draw == 0:
        return f"{'just over' if minutes > nearest else 'nearly'} {words}"
    return f"about {words}"


def _bare_duration(minutes: int) -> str:
    """Returns a rounded duration after "the first" or "the last"."""
    if minutes < 75:
        return "hour"
    return "hour and a half" if minutes < 105 else _nearest(max(minutes, 113))[1]


def _with_article(phrase: str) -> str:
    word = phrase.split()[0]
    first = word[0].lower()
    if len(word) > 1 and word.isupper() and word.isalpha() and word != "HIIT":  # said as a word
        an = first in "aefhilmnorsx"
    elif word[0].isdigit():
        an = word.startswith("8") or re.match(r"1[18](?!\d)", word) is not None
    else:
        lower = word.lower()
        consonantal = re.match(r"(eu|uni|use|usu|uti|one|ur[aio])", lower) is not None
        an = (first in "aeiou" and not consonantal) or lower.startswith(("hour", "honest", "heir"))
    return f"{'an' if an else 'a'} {phrase}"


# Sentence


def _write(content: _Content, choose: RandomChoices, shorter: int) -> str:
    kept = content.details[: max(len(content.details) - shorter, 0)]
    pick: Any = lambda options: options[choose.next() % len(options)]  # noqa: E731
    items = [detail for detail in kept if detail.kind != "gap"]
    if content.silent:
        if not items:
            return "A day without any recorded signal."
        link = pick(("though the log has", "but the log names", "although the log lists"))
        return f"A day without any recorded signal, {link} {_join(_phrases(items))}."
    shape = choose.next()
    gap = "".join(
        pick((", though nothing was recorded", "; nothing was recorded", ", but nothing was recorded"))
        + f" {detail.text}"
        for detail in kept
        if detail.kind == "gap"
    )
    head = _with_article(content.head)
    if not items:
        bare = "a recorded day" if content.plain else head
        return _sentence(f"{bare}{gap}.")
    activities = [detail for detail in items if detail.kind == "activity"]
    texts = _phrases(items)
    listed = _join(texts)
    shapes = [f"{head} with {listed}{gap}.", f"this was {head} with {listed}{gap}."]
    if not content.plain:
        shapes.append(f"{head}, with {listed}{gap}.")
    if len(items) > 1 and not content.plain:
        shapes.append(f"{head}: {listed}{gap}.")
    if (
        len(activities) == 1
        and activities[0].stands_out
        and items[0] is activities[0]
        and (len(items) > 1 or not content.plain)
    ):
        rest = f" with {_join(texts[1:])}" if len(items) > 1 else ""
        shapes.append(f"{texts[0]} stood out on {head}{rest}{gap}.")
    if activities and not content.plain and all(detail.timed for detail in items):
        shapes.append(f"on {head}, there was time for {listed}{gap}.")
    if "recording" in content.head:
        shapes = [shapes[0], shapes[2], *(s for s in shapes if ": " in s)]
    return _sentence(shapes[shape % len(shapes)])


def _phrases(items: Sequence[_Detail]) -> list[str]:
    others = [f"{detail.text} {detail.when}".strip() for detail in items if detail.kind != "activity"]
    return [*_chronicle([detail for detail in items if detail.kind == "activity"]), *others]


def _chronicle(activities: Sequence[_Detail]) -> list[str]:
    """Lists activities by time; those at the same time of day share one adverbial."""
    ordered = sorted(activities, key=lambda detail: detail.start)
    groups: list[list[_Detail]] = []
    for detail in ordered:
        if groups and groups[-1][0].when == detail.when and detail.when.startswith(("in the", "around", "at ")):
            groups[-1].append(detail)
        else:
            groups.append([detail])
    return [f"{_join([detail.text for detail in group])} {group[0].when}".strip() for group in groups]


def _join(items: Sequence[str]) -> str:
    """Joins phrases with "and", after a comma where a phrase has an "and" of its own."""
    if len(items) == 1:
        return items[0]
    nested = any(" and " in _FRACTION.sub("", item) for item in items)
    return f"{', '.join(items[:-1])}{',' if nested else ''} and {items[-1]}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
