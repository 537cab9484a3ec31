"""Reads the export of a consumer device: finds its files by name and content, and turns them into days."""

from __future__ import annotations

import codecs
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from ...days import SensorDay
from ...schema import SchemaLike, get_schema
from .damage import damage_of
from .device_days import Batch, DeviceDays
from .export_files import ExportFile, ExportFiles
from .foreign_files import foreign_hint
from .minutes import resolve_timezone
from .quality import ReadReport, finish
from .windows import parse_window_start


@dataclass(frozen=True)
class FileKind:
    """A kind of file of an export.

    Attributes:
        pattern: Matches the file's name without folders.
        read: Adds the file's content to a batch.
        content: Must match at the start of the file's head; None: the name is enough.
        identifies: Whether such a file shows which device the export is from.
    """

    pattern: re.Pattern[str]
    read: Callable[[Batch, ExportFile], None]
    content: re.Pattern[bytes] | None = None
    identifies: bool = True

    def matches(self, file: ExportFile) -> bool:
        """Returns whether a file is of this kind."""
        if not self.pattern.fullmatch(file.base):
            return False
        return self.content is None or self.content.match(file.head().removeprefix(codecs.BOM_UTF8)) is not None


def file_kind(
    pattern: str, read: Callable[[Batch, ExportFile], None], content: bytes = b"", *, identifies: bool = True
) -> FileKind:
    """Returns a [`FileKind`] of regular expressions; that of the name ignores case, and dots match line ends."""
    inside = re.compile(content, re.DOTALL) if content else None
    return FileKind(re.compile(pattern, re.IGNORECASE), read, inside, identifies)


@dataclass(frozen=True)
class DeviceExport:
    """How to read the exports of a device.

    Attributes:
        kind: Source type.
        title: Name of the device or app.
        kinds: Kinds of files, of which the first that matches a file is used.
        looked_for: Names of files, for the message if there is none.
        why_zone: Why the time zone is needed.
        unused: `(pattern of the name, reason)` of known files that are not used.
        labels: Labels that days may have; all are numbers.
        finish: Called with everything that was read, before it becomes days.
        alone: Whether files are recognised only if there are no others, because exports of devices contain such files.
    """

    kind: str
    title: str
    kinds: Sequence[FileKind]
    looked_for: str
    why_zone: str
    unused: Sequence[tuple[str, str]] = ()
    labels: tuple[str, ...] = ()
    finish: Callable[[Batch], None] | None = None
    alone: bool = False

    def find(self, file: ExportFile) -> FileKind | None:
        """Returns the kind of a file, or None if the reader does not use it."""
        return next((kind for kind in self.kinds if kind.matches(file)), None)

    def recognises(self, files: Sequence[ExportFile]) -> bool:
        """Returns whether files are an export of this device."""
        if self.alone and not all(self.find(file) for file in files):
            return False
        return any(kind.identifies and kind.matches(file) for file in files for kind in self.kinds)


def read_device(
    export: DeviceExport,
    path: str | os.PathLike,
    timezone: str | tzinfo | None,
    *,
    schema: SchemaLike,
    subject_id: str | None,
    day_start: str,
    report: ReadReport | None,
    skip_bad: bool,
    days: Callable[[DeviceDays], Iterator[SensorDay]] = DeviceDays.days,
) -> Iterator[SensorDay]:
    """Reads one person's export of a device.

    Args:
        export: How to read it.
        path: Folder, zip or file.
        timezone: IANA time zone of the person.
        schema: Schema of the days.
        subject_id: Subject id; by default the source type and a hash of the first file's content.
        day_start: Local time `"HH:MM"` at which windows start, or `"first"`.
        report: Collects what was used, dropped or unusual; without one, dropped items are logged.
        skip_bad: Whether to skip and note unreadable files, if others can be read, instead of raising.
        days: Turns what was read into days.

    Yields:
        Days in chronological order.

    Raises:
        FileNotFoundError: If the path does not exist or contains no file of the device.
        ValueError: If the zone is missing or unknown, or a file is damaged; the message names file and place.
    """
    zone = resolve_timezone(timezone, export.why_zone)
    start = parse_window_start(day_start)
    wanted = get_schema(schema)
    used = report or ReadReport()
    with ExportFiles(path) as files:
        held = [file.name for file in files.files]
        if not any(export.find(file) for file in files.files):
            raise FileNotFoundError(
                f"No {export.title} data in {path}: looked for {export.looked_for} among {len(held)} files."
                f"{foreign_hint(held, files.unreadable)}"
            )

    def read() -> Iterator[SensorDay]:
        batch = Batch(zone, used)
        who = subject_id
        with ExportFiles(path) as files:
            for name, problem in files.unreadable.items():
                _take_problem(ValueError(problem), used, skip_bad)
                used.files_unused[name] = "not a readable archive"
            for file in files.files:
                kind = export.find(file)
                if kind is None:
                    _note_unused(export, file, used)
                    continue
                part = Batch(zone, used)
                try:
                    if who is None:
                        who = f"{export.kind}-{hashlib.sha256(file.data()).hexdigest()[:8]}"
                    with damage_of(file.label):
                        kind.read(part, file)
                        part.check_times(file.label)
                except ValueError as error:
                    _take_problem(error, used, skip_bad)
                    continue
                used.files_read.append(file.name)
                batch.merge(part)
        if export.finish is not None:
            export.finish(batch)
        if not batch.people:
            yield from days(DeviceDays(who or export.kind, wanted, start, batch))
        elif subject_id is not None and len(batch.people) > 1:
            raise ValueError(
                f"`subject_id` is {subject_id!r}, but {path} contains {len(batch.people)} people; leave it out."
            )
        for person in sorted(batch.people):
            yield from days(DeviceDays(subject_id or person, wanted, start, batch.people[person]))

    return finish(read(), used, warn=report is None, source=f"The {export.title} reader")


def _take_problem(error: ValueError, report: ReadReport, skip_bad: bool) -> None:
    if not skip_bad:
        raise error
    report.note("bad-file", "dropped", "files that could not be read", str(error))


def _note_unused(export: DeviceExport, file: ExportFile, report: ReadReport) -> None:
    for pattern, reason in export.unused:
        if re.fullmatch(pattern, file.base, re.IGNORECASE):
            report.files_unused[file.name] = reason
            return
