"""Logged events in absolute time, their names, and their assignment to windows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import tzinfo

from ...activities import canonical_activity
from ...days import MINUTES_PER_DAY, Event
from .minutes import moment_of
from .quality import ReadReport

NAP_BELOW_MINUTES = 180
"""A daytime sleep shorter than this is a nap."""

DAYTIME = (7, 21)
"""Local hours, `[from, to)`, in which a short sleep counts as a nap."""


@dataclass(frozen=True, order=True)
class Span:
    """An event in epoch minutes, `end` exclusive; see [`Event`] for the rest."""

    start: int
    end: int
    kind: str
    label: str


def activity_label(name: str) -> str:
    """Returns the canonical name of an activity; unknown names are lower-cased, with blanks for underscores."""
    cleaned = " ".join(str(name).replace("_", " ").split())
    return canonical_activity(cleaned) or cleaned.lower()


def activity_span(start: float, end: float, name: str, report: ReadReport, *, manual: bool = False) -> Span | None:
    """Returns an activity in whole minutes; None if it has no name or an impossible length, which is noted.

    Args:
        start: Seconds since 1970.
        end: Seconds since 1970, exclusive.
        name: Name that the device gives it.
        report: Collects what is dropped or unusual.
        manual: Whether it was entered by hand, which is noted.
    """
    what = f"{name or 'no name'} of {(end - start) / 60:.0f} min"
    label = activity_label(name)
    if not label:
        report.note("exercise-without-name", "dropped", "exercises without a name", what)
    elif end - start < 60:
        report.note("exercise-zero-length", "dropped", "exercises shorter than a minute", what)
    elif end - start > 60.0 * MINUTES_PER_DAY:
        report.note("exercise-over-a-day", "dropped", "exercises longer than 24 hours", what)
    else:
        if manual:
            report.note("exercise-manual", "kept", "exercises entered manually, with unverified times", what)
        return Span(int(start // 60), int(-(-end // 60)), "activity", label)
    return None


def sleep_label(start: int, end: int, zone: tzinfo, *, main: bool | None = None) -> str:
    """Returns `"nap"` or `"sleep"`.

    A sleep is a nap if the device does not mark it as the main sleep, or if it is shorter than three hours and starts
    between 7:00 and 21:00.

    Args:
        start: Epoch minute.
        end: Epoch minute, exclusive.
        zone: Local zone.
        main: Whether the device marks it as the main sleep; None if unknown.
    """
    short = end - start < NAP_BELOW_MINUTES and DAYTIME[0] <= moment_of(start, zone).hour < DAYTIME[1]
    return "nap" if main is False or short else "sleep"


def without_duplicates(spans: Iterable[Span], report: ReadReport) -> list[Span]:
    """Returns the spans sorted by start, without duplicates, which are noted."""
    ordered = sorted(spans)
    unique = list(dict.fromkeys(ordered))
    report.note("duplicate-log", "dropped", "log entries listed twice, kept once", count=len(ordered) - len(unique))
    return unique


def note_overlaps(spans: Iterable[Span], report: ReadReport) -> None:
    """Notes overlapping activities; both are kept, because people may do two things at once."""
    latest: Span | None = None
    for span in sorted(s for s in spans if s.kind == "activity"):
        if latest is not None and span.start < latest.end:
            report.note(
                "overlapping-log",
                "kept",
                "activities that overlap another; both are kept",
                f"{latest.label} and {span.label} share {min(latest.end, span.end) - span.start} minutes",
            )
        if latest is None or span.end > latest.end:
            latest = span


def events_in_window(spans: Iterable[Span], start: int, length: int = MINUTES_PER_DAY) -> tuple[Event, ...]:
    """Returns the events that overlap a window, with their true start and end, which may be outside it.

    Args:
        spans: Logged events.
        start: Epoch minute of the window's start.
        length: Minutes of the window.
    """
    return tuple(
        Event(span.kind, span.label, span.start - start, span.end - start)
        for span in spans
        if span.start < start + length and max(span.end, span.start + 1) > start
    )
