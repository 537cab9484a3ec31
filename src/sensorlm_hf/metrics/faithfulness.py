"""Faithfulness: the share of claims in captions that are supported by the facts of the days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..days import MINUTES_PER_DAY, SensorDay
from ..processing.captions import CaptionBuilder, Wording
from .claims import Claim, ClaimReader, claim_reader

_MIN_ACTIVITY = 20
"""Minimum duration of activities in captions, in minutes; a day without any may be described as without entries."""


@dataclass(frozen=True)
class Tolerance:
    """Tolerances within which a claim counts as confirmed.

    Generated captions need not match to the last digit, but merely plausible claims must be rejected. The defaults are
    our own; the chance level in the evaluation (the caption of another day) shows how many claims they accept by
    chance.

    Attributes:
        relative: Tolerance of a number as a fraction of the true value,
        spread: or as a fraction of the population standard deviation of the channel, whichever is larger; at least
            0.05, since captions have one decimal.
        overlap: Minimum intersection over union of a span (trend, event, gap) and a true one of the same kind.
        minutes: Tolerance of a point in time (peak, drop, mood), in minutes; 40 is one step of the pooled signal.
    """

    relative: float = 0.1
    spread: float = 0.1
    overlap: float = 0.5
    minutes: int = 40

    def __post_init__(self) -> None:
        for name in ("relative", "spread", "minutes"):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must not be negative, got {getattr(self, name)}.")
        if not 0 < self.overlap <= 1:
            raise ValueError(f"`overlap` must be above 0 and at most 1, got {self.overlap}.")


def fact_faithfulness(
    captions: Sequence[str],
    days: Sequence[SensorDay],
    *,
    language: str | Wording = "en",
    tolerance: Tolerance | None = None,
) -> dict[str, Any]:
    """Checks the claims of captions against the facts of their days.

    Captions are parsed into claims with the templates of their language (see [`ClaimReader`]), and each claim is
    checked against [`CaptionBuilder.facts`] and the log of the day:

    | claim | confirmed if |
    |---|---|
    | number (mean, max, min, std of a channel; four per sentence) | it is close to the number of the day |
    | trend of a channel | the day has one of the same direction in the same channel at about the same time |
    | peak or drop of a channel | the day has one of the same type in the same channel at about that time |
    | activity or sleep | the log has it; if times are given, at about those times |
    | mood | the log has it; if a time is given, at about that time |
    | gap | no channel was observed at about that time |
    | absence ("nothing was logged") | nothing was logged, detected or recorded |
    | a number that matches no template | never |

    Args:
        captions: Captions, one per day, in any case.
        days: The days, all with the same schema.
        language: Language of the captions.
        tolerance: Tolerances; see [`Tolerance`].

    Returns:
        `faithfulness`, the share of confirmed claims over all captions (nan without claims); `claims`, their number;
        `by_kind`, `{kind: {"confirmed", "claims"}}`; `silent`, the share of captions without any claim; and
        `confirmed_per_caption` and `claims_per_caption`, lists for bootstrap confidence intervals.

    Raises:
        ValueError: If there is not exactly one caption per day, or the schemas of the days differ.
        TypeError: If a caption is not a string.
    """
    if len(captions) != len(days) or not days:
        raise ValueError(f"Pass one caption per day, at least one, got {len(captions)} captions and {len(days)} days.")
    schema = days[0].schema
    for position, day in enumerate(days):
        if day.schema != schema:
            raise ValueError(
                f"days[{position}] has schema {day.schema.name!r}, days[0] has {schema.name!r}; score them separately."
            )
    reader = ClaimReader(schema, language) if isinstance(language, Wording) else claim_reader(schema, language)
    allowed = tolerance or Tolerance()
    claims = [reader(caption) for caption in captions]
    facts = CaptionBuilder(schema).facts_batch(list(days))
    verdicts = [
        [_FactChecker(day, own, reader, allowed)(claim) for claim in said]
        for day, own, said in zip(days, facts, claims, strict=True)
    ]
    by_kind: dict[str, dict[str, int]] = {}
    for said, right in zip(claims, verdicts, strict=True):
        for claim, verdict in zip(said, right, strict=True):
            entry = by_kind.setdefault(claim.kind, {"confirmed": 0, "claims": 0})
            entry["confirmed"] += verdict
            entry["claims"] += 1
    confirmed, total = [sum(row) for row in verdicts], [len(row) for row in verdicts]
    return {
        "faithfulness": sum(confirmed) / sum(total) if sum(total) else float("nan"),
        "claims": sum(total),
        "by_kind": dict(sorted(by_kind.items())),
        "silent": float(np.mean([count == 0 for count in total])),
        "confirmed_per_caption": confirmed,
        "claims_per_caption": total,
    }


class _FactChecker:
    """Checks claims about one day."""

    def __init__(
        self, day: SensorDay, facts: Mapping[str, Mapping[str, Any]], reader: ClaimReader, tolerance: Tolerance
    ) -> None:
        self.day, self.facts, self.reader, self.tolerance = day, facts, reader, tolerance

    def __call__(self, claim: Claim) -> bool:
        """Returns whether the facts confirm a claim."""
        return bool(getattr(self, f"_{claim.kind}")(claim))

    def _unread(self, claim: Claim) -> bool:
        return False

    def _number(self, claim: Claim) -> bool:
        true = self.facts[claim.subject][claim.what]
        if true is None:
            return False
        spread = self.day.schema[claim.subject].std
        allowed = max(0.05, self.tolerance.relative * abs(true), self.tolerance.spread * spread)
        return abs(claim.value - true) <= allowed + 1e-9

    def _trend(self, claim: Claim) -> bool:
        start, end = self._span(claim)
        return any(
            kind == claim.what and self._overlaps(start, end, first, last)
            for first, last, kind in self.facts[claim.subject]["trends"]
        )

    def _anomaly(self, claim: Claim) -> bool:
        at, _ = self._span(claim)
        return any(
            kind == claim.what and abs(minute - at) <= self.tolerance.minutes
            for minute, kind in self.facts[claim.subject]["anomalies"]
        )

    def _event(self, claim: Claim) -> bool:
        spans = [
            (max(event.start_minute, 0), min(event.end_minute, len(self.day)))
            for event in self.day.events
            if event.kind != "mood" and self._matches(self.reader.wording.noun, event.label, claim.subject)
        ]
        if claim.start is None:
            return bool(spans)
        start, end = self._span(claim)
        return any(self._overlaps(start, end, *span) for span in spans)

    def _mood(self, claim: Claim) -> bool:
        minutes = [
            event.start_minute
            for event in self.day.events_of("mood")
            if self._matches(self.reader.wording.mood, event.label, claim.subject)
        ]
        if claim.start is None:
            return bool(minutes)
        at, _ = self._span(claim)
        return any(abs(max(minute, 0) - at) <= self.tolerance.minutes for minute in minutes)

    def _gap(self, claim: Claim) -> bool:
        start, end = self._span(claim)
        empty = np.concatenate([[False], ~self.day.mask.any(axis=1), [False]])
        edges = np.flatnonzero(empty[1:] != empty[:-1])
        return any(self._overlaps(start, end, a, b) for a, b in zip(edges[::2], edges[1::2], strict=True))

    def _absence(self, claim: Claim) -> bool:
        if claim.what == "no_data":
            return not self.day.mask.any()
        if claim.what == "no_events":
            return not any(event.kind != "activity" or event.duration >= _MIN_ACTIVITY for event in self.day.events)
        described = [self.facts[channel.key] for channel in self.day.schema if channel.in_every_caption]
        return not any(facts["trends"] or facts["anomalies"] for facts in described)

    @staticmethod
    def _matches(word: Any, label: str, phrase: str) -> bool:
        return " ".join(word(label).lower().split()) == phrase

    def _span(self, claim: Claim) -> tuple[int, int]:
        """Returns the times of a claim in minutes from the start of the window."""
        start = claim.start if claim.start is not None else 0
        end = claim.end if claim.end is not None else start
        if claim.clock:
            is_span = claim.kind in ("trend", "event", "gap")
            start = self._minute(start, 0)
            end = self._minute(end, start + 1) if is_span else start
        return start, end

    def _minute(self, clock: int, least: int) -> int:
        """Returns the first minute, at or after `least`, at a given wall-clock time, accounting for clock changes."""
        day = self.day
        if day.start.utcoffset() == day.end.utcoffset():
            first = day.start.hour * 60 + day.start.minute
            return (clock - first - least) % MINUTES_PER_DAY + least
        for minute in range(least, least + MINUTES_PER_DAY + 1):
            shown = day.clock(minute)
            if shown.hour * 60 + shown.minute == clock:
                return minute
        return least  # a time skipped by a clock change

    def _overlaps(self, start: int, end: int, first: int, last: int) -> bool:
        both = min(end, last) - max(start, first)
        either = max(end, last) - min(start, first)
        return both > 0 and both / either >= self.tolerance.overlap
