"""Faithfulness of openings: whether the plain English at the start of a caption is true of the day."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..activities import ACTIVITY_BY_NAME, canonical_activity
from ..days import SensorDay
from ..processing.captions.opening_facts import OpeningFacts, merge_spans, total_minutes
from ..processing.captions.opening_phrases import WORKING_DAY_MINUTES
from ..processing.captions.opening_words import number_in_words

SLEEP_TOLERANCE_MINUTES = 60
"""Difference between the hours of sleep in an opening and in the log up to which they agree."""

STEPS_TOLERANCE = 0.25
"""Relative difference between the steps in an opening and those counted up to which they agree."""

_NUMBERS = {number_in_words(value): value for value in range(1, 100)}
_NUMBER = "|".join(sorted(map(re.escape, _NUMBERS), key=len, reverse=True))
_CHARACTERS = "very active|active|busy|quiet|calm|ordinary|restful"
_HEAD = rf"(?:otherwise )?(?:recorded |(?:{_CHARACTERS}) )?(?:working )?(?:day|recording)"
_OPENING = re.compile(rf"^(?:this was |on )?an? {_HEAD}\b|\bstood out on an? {_HEAD}\b")
_CHARACTER = re.compile(rf"\b({_CHARACTERS})(?: working)? day\b")
_WORKING = re.compile(r"\bworking day\b")
_HOURS = rf"({_NUMBER})( and a half)? hours"
_SLEEP = re.compile(rf"\b{_HOURS} of sleep\b|\bnight of (?:about |nearly |just over )?{_HOURS}\b")
_NAP = re.compile(rf"\ba (?:short |long )?nap\b|\b(?:{_NUMBER}) naps\b")
_STEPS = re.compile(rf"\b({_NUMBER}|a) (hundred|thousand)(?: recorded)? steps\b")
_NAMES = "|".join(sorted((re.escape(name.lower()) for name in ACTIVITY_BY_NAME), key=len, reverse=True))
_ACTIVITY = re.compile(rf"\b({_NAMES})\b")
_NOT_ACTIVITIES = frozenset({"sleeping"})


@dataclass(frozen=True)
class OpeningClaim:
    """A statement of an opening that can be checked.

    Attributes:
        kind: `"character"`, `"work"`, `"activity"`, `"sleep"`, `"nap"` or `"steps"`.
        subject: The character or the activity; empty for other kinds.
        value: Minutes of sleep, or steps; 0 for other kinds.
    """

    kind: str
    subject: str = ""
    value: float = 0.0


def read_opening(caption: str) -> list[OpeningClaim]:
    """Parses the first sentence of a caption.

    Args:
        caption: A caption in any case, or an opening.

    Returns:
        Its claims; none if the caption has no opening.

    Raises:
        TypeError: If the caption is not a string.
    """
    if not isinstance(caption, str):
        raise TypeError(f"A caption must be a string, got {type(caption).__name__}.")
    text = " ".join(caption.lower().split()).partition(". ")[0].rstrip(".")
    return list(_claims(text)) if _OPENING.search(text) else []


def _claims(text: str) -> Iterator[OpeningClaim]:
    character = _CHARACTER.search(text)
    if character:
        yield OpeningClaim("character", character[1])
    if _WORKING.search(text):
        yield OpeningClaim("work")
    for name in dict.fromkeys(match[1] for match in _ACTIVITY.finditer(text)):
        if name not in _NOT_ACTIVITIES:
            yield OpeningClaim("activity", name)
    for match in _SLEEP.finditer(text):
        number, half = (match[1], match[2]) if match[1] else (match[3], match[4])
        yield OpeningClaim("sleep", value=60.0 * _NUMBERS[number] + (30 if half else 0))
    if _NAP.search(text):
        yield OpeningClaim("nap")
    for match in _STEPS.finditer(text):
        count = 1 if match[1] == "a" else _NUMBERS[match[1]]
        yield OpeningClaim("steps", value=count * (100.0 if match[2] == "hundred" else 1000.0))


def opening_faithfulness(captions: Sequence[str], days: Sequence[SensorDay]) -> dict[str, Any]:
    """Checks the openings of captions against the logs and signals of their days.

    | claim | confirmed if |
    |---|---|
    | character ("a calm day") | it is that of the day, by the thresholds of [`opening_sentence`] |
    | a working day | at least three hours of work were logged |
    | activity | it was logged |
    | hours of sleep | the log has as many, within an hour |
    | nap | one was logged |
    | steps | as many were counted, within a quarter |

    Args:
        captions: Captions in English, one per day, in any case.
        days: The days.

    Returns:
        `faithfulness`, the share of confirmed claims (nan without claims); `claims`, their number; `by_kind`, `{kind:
        {"confirmed", "claims"}}`; and `openings`, the share of captions that start with an opening.

    Raises:
        ValueError: If there is not exactly one caption per day.
        TypeError: If a caption is not a string.
    """
    if len(captions) != len(days) or not days:
        raise ValueError(f"Pass one caption per day, at least one, got {len(captions)} captions and {len(days)} days.")
    by_kind: dict[str, dict[str, int]] = {}
    opened = 0
    for caption, day in zip(captions, days, strict=True):
        claims = read_opening(caption)
        opened += bool(claims)
        facts = OpeningFacts.of(day) if claims else None
        for claim in claims:
            entry = by_kind.setdefault(claim.kind, {"confirmed": 0, "claims": 0})
            entry["claims"] += 1
            entry["confirmed"] += _confirmed(claim, facts, day)
    confirmed, total = (sum(entry[name] for entry in by_kind.values()) for name in ("confirmed", "claims"))
    return {
        "faithfulness": confirmed / total if total else float("nan"),
        "claims": total,
        "by_kind": dict(sorted(by_kind.items())),
        "openings": opened / len(days),
    }


def _confirmed(claim: OpeningClaim, facts: Any, day: SensorDay) -> bool:
    if claim.kind == "character":
        calm = claim.subject == "restful" and facts.level in ("quiet", "calm", None) and facts.resting >= 16 * 60
        return calm or claim.subject == facts.level
    if claim.kind == "work":
        return (
            total_minutes(merge_spans(span for b in facts.bouts if b.is_work for span in b.spans))
            >= WORKING_DAY_MINUTES
        )
    if claim.kind == "activity":
        logged = {canonical_activity(event.label) for event in day.events_of("activity")}
        return claim.subject in {name.lower() for name in logged if name is not None}
    if claim.kind == "sleep":
        return abs(total_minutes(facts.sleeps) - claim.value) <= SLEEP_TOLERANCE_MINUTES
    if claim.kind == "nap":
        return bool(facts.naps)
    return facts.steps is not None and abs(facts.steps - claim.value) <= STEPS_TOLERANCE * max(facts.steps, 1)


__all__ = ["SLEEP_TOLERANCE_MINUTES", "STEPS_TOLERANCE", "OpeningClaim", "opening_faithfulness", "read_opening"]
