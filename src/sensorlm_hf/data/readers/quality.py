"""Reports of what a reader used and what it left out and why: nothing is dropped silently."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ...days import SensorDay

logger = logging.getLogger(__name__)

NOTE_LEVELS = ("info", "kept", "dropped")
"""`info`: informational; `kept`: unusual, but used; `dropped`: left out of the days."""


@dataclass
class Note:
    """An issue found by a reader, with the number of occurrences.

    Attributes:
        code: Stable identifier, such as `"exercise-zero-length"`.
        level: One of [`NOTE_LEVELS`].
        message: Description, in one sentence.
        count: Number of occurrences (rows, minutes, entries or files, depending on the message).
        examples: Up to five locations or descriptions, in order of occurrence.
        places: Counts by location (a file, a person or a day, depending on the reader), for the first thousand.
    """

    code: str
    level: str
    message: str
    count: int = 0
    examples: list[str] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)


@dataclass
class DayQuality:
    """Data quality of one emitted window.

    Attributes:
        sample_id: Identifier of the window, [`SensorDay.sample_id`].
        subject_id: Subject id.
        observed_minutes: `{channel key: minutes with a value}`, only channels with at least one.
        events: Number of events of each kind.
        start: Start of the window, ISO 8601.
        unobserved_minutes: Minutes without any value.
        longest_gap: Longest run of minutes without any value.
        implausible_minutes: `{channel key: minutes with an implausible value}`.
        overlapping_logs: Number of activities that begin during another one.
        dropped: `{reason: count}` of what the reader left out of this day.
    """

    sample_id: str
    subject_id: str
    observed_minutes: dict[str, int]
    events: dict[str, int]
    start: str = ""
    unobserved_minutes: int = 0
    longest_gap: int = 0
    implausible_minutes: dict[str, int] = field(default_factory=dict)
    overlapping_logs: int = 0
    dropped: dict[str, int] = field(default_factory=dict)


class ReadReport:
    """Collects what a reader used, dropped or found unusual. Pass one to a reader and inspect it afterwards.

    Readers are generators: the report is complete once the generator is exhausted.

    Attributes:
        files_read: Files with values or events.
        files_unused: `{file: reason}`.
        notes: Notes by code.
        days: One [`DayQuality`] per emitted window.
    """

    MAX_EXAMPLES = 5
    MAX_PLACES = 1000

    def __init__(self) -> None:
        self._dropped_before: dict[str, int] = {}
        self.files_read: list[str] = []
        self.files_unused: dict[str, str] = {}
        self.notes: dict[str, Note] = {}
        self.days: list[DayQuality] = []

    def note(self, code: str, level: str, message: str, example: str = "", count: int = 1) -> None:
        """Counts an occurrence; `message` and `level` are those of the first occurrence of `code`.

        Raises:
            ValueError: If `level` is not one of [`NOTE_LEVELS`].
        """
        if level not in NOTE_LEVELS:
            raise ValueError(f"A note's `level` must be one of {', '.join(NOTE_LEVELS)}, got {level!r}.")
        if count < 1:
            return
        entry = self.notes.setdefault(code, Note(code, level, message))
        entry.count += count
        if example and len(entry.examples) < self.MAX_EXAMPLES:
            entry.examples.append(example)
        if example and (example in entry.places or len(entry.places) < self.MAX_PLACES):
            entry.places[example] = entry.places.get(example, 0) + count

    def count(self, code: str) -> int:
        """Returns how often `code` was noted; 0 if never."""
        return self.notes[code].count if code in self.notes else 0

    def add_day(self, day: SensorDay) -> None:
        """Records the data quality of an emitted window."""
        observed = day.mask.sum(axis=0)
        kinds: dict[str, int] = {}
        for event in day.events:
            kinds[event.kind] = kinds.get(event.kind, 0) + 1
        minutes = {key: int(n) for key, n in zip(day.schema.keys, observed, strict=True) if n}
        low, high = np.array([channel.valid_range for channel in day.schema]).T
        with np.errstate(invalid="ignore"):
            outside = ((day.values < low) | (day.values > high)).sum(axis=0)
        seen = np.flatnonzero(np.concatenate([[True], day.mask.any(axis=1), [True]]))
        dropped = {note.code: note.count for note in self.dropped}
        self.days.append(
            DayQuality(
                sample_id=day.sample_id,
                subject_id=day.subject_id,
                observed_minutes=minutes,
                events=kinds,
                start=day.start.isoformat(),
                unobserved_minutes=len(day) - int(day.mask.any(axis=1).sum()),
                longest_gap=int(np.diff(seen).max()) - 1,
                implausible_minutes={key: int(n) for key, n in zip(day.schema.keys, outside, strict=True) if n},
                overlapping_logs=_overlaps(day),
                dropped={
                    code: count - self._dropped_before.get(code, 0)
                    for code, count in dropped.items()
                    if count > self._dropped_before.get(code, 0)
                },
            )
        )
        self._dropped_before = dropped

    @property
    def dropped(self) -> list[Note]:
        """Notes with level `dropped`."""
        return [note for note in self.notes.values() if note.level == "dropped"]

    def merge(self, other: ReadReport, prefix: str = "") -> None:
        """Merges the report of another part of the same recording.

        Args:
            other: Report of the part; its days are appended.
            prefix: Prefix for its file names.
        """
        self.files_read += [prefix + name for name in other.files_read]
        self.files_unused |= {prefix + name: why for name, why in other.files_unused.items()}
        self.days += other.days
        for code, note in other.notes.items():
            mine = self.notes.setdefault(code, Note(code, note.level, note.message))
            mine.count += note.count
            mine.examples = (mine.examples + note.examples)[: self.MAX_EXAMPLES]
            for place, count in note.places.items():
                if place in mine.places or len(mine.places) < self.MAX_PLACES:
                    mine.places[place] = mine.places.get(place, 0) + count

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as plain JSON types."""
        return {
            "files_read": list(self.files_read),
            "files_unused": dict(self.files_unused),
            "notes": [asdict(note) for note in self.notes.values()],
            "days": [asdict(day) for day in self.days],
        }

    def summary(self) -> str:
        """Returns the report as a few lines of text for a terminal."""
        lines = [f"{len(self.days)} days from {len(self.files_read)} files"]
        for level in reversed(NOTE_LEVELS):
            for note in self.notes.values():
                if note.level == level:
                    lines.append(f"{level:>7}  {note.count:>6} x {note.message}")
                    lines.extend(f"                   {example}" for example in note.examples)
        unused: dict[str, list[str]] = {}
        for name, reason in self.files_unused.items():
            unused.setdefault(reason, []).append(name)
        for reason, names in unused.items():
            lines.append(f" unused  {len(names):>6} x {reason}")
        return "\n".join(lines)


def _overlaps(day: SensorDay) -> int:
    """Counts activities that begin during another one."""
    count, latest = 0, -1_000_000
    for event in day.events_of("activity"):
        count += event.start_minute < latest
        latest = max(latest, event.end_minute)
    return count


BAD_FILE = "bad-file"
"""Code of the note about files that could not be read."""


def finish(days: Iterator[SensorDay], report: ReadReport, *, warn: bool, source: str) -> Iterator[SensorDay]:
    """Yields days, records them, and logs what was dropped if the caller did not request a report.

    Args:
        days: The days of a reader.
        report: The report that the reader writes to.
        warn: Whether to log a warning at the end when something was dropped.
        source: Name of the reader, for the message.

    Raises:
        ValueError: If there was no day because files could not be read; the message is that of the first of them.
    """
    known = set(report.notes[BAD_FILE].places) if BAD_FILE in report.notes else set()
    before, empty = report.count(BAD_FILE), True
    for day in days:
        report.add_day(day)
        empty = False
        yield day
    count = report.count(BAD_FILE) - before
    if empty and count:
        problem = next((place for place in report.notes[BAD_FILE].places if place not in known), "")
        more = f" ({count - 1} more could not be read either.)" if count > 1 else ""
        raise ValueError(f"{problem or 'Files could not be read.'}{more}")
    if warn and report.dropped:
        what = "; ".join(f"{note.count} x {note.message}" for note in report.dropped)
        logger.warning("%s left things out: %s. Pass report=ReadReport() for the details.", source, what)
