"""Splits recordings into independent parts, so that processes and machines can share them.

Separate from the dataset builder, because `datasets` patches `Path` and `open` in the builder's module when streaming.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Any, Union

from ...days import SensorDay
from ...schema import SchemaLike
from ..privacy import pseudonym
from .archives import ARCHIVE_SUFFIXES
from .detect import LABEL_TYPES, detect_source, read_any
from .mmash import is_mmash_folder, natural_sort_key
from .quality import DayQuality, ReadReport
from .table import TABLE_SUFFIXES
from .table_files import JSON_SUFFIXES
from .table_folders import of_the_same_people, share_a_layout, tables_below
from .table_mapping import TableMapping, load_mapping

ENTRY_SUFFIXES = (
    *(*ARCHIVE_SUFFIXES, ".xml", ".fit", ".fit.gz", ".gt3x", ".cwa", ".cwa.gz", ".db", ".agd", ".tcx", ".gpx"),
    *(suffix for suffix in TABLE_SUFFIXES if suffix not in JSON_SUFFIXES),
)
"""Suffixes of files that may contain a person's entire recording."""

PartItem = Union[tuple[SensorDay, DayQuality], ReadReport]
"""A day of a part with its data quality; after the last one, the report of everything else."""


@dataclass(frozen=True)
class Recording:
    """A recording and how to read it; see [`read_any`] for the attributes.

    Attributes:
        path: Path of the recording.
        kind: Source type.
        salt: Secret salt of the pseudonyms; None keeps the original subject ids.
        folder_of_people: Whether the path is a folder with one recording (folder or file) per person, named after the
            person.
    """

    path: str
    kind: str
    schema: SchemaLike = "sensorlm-26"
    timezone: str | tzinfo | None = None
    day_start: str | None = None
    mapping: TableMapping | Mapping[str, Any] | str | os.PathLike | None = None
    subject_id: str | None = None
    skip_bad: bool = True
    salt: str | None = None
    folder_of_people: bool = False

    def check(self) -> None:
        """Checks that the path has the expected source type.

        Raises:
            FileNotFoundError: If the path does not exist.
            ValueError: If it is a recording of another type.
        """
        found = detect_source(self.parts()[0] if self.folder_of_people else self.path, mapped=self.mapping is not None)
        if found != self.kind:
            raise ValueError(
                f"{self.path} is a recording of the kind {found!r}, not {self.kind!r}; name that configuration."
            )

    def parts(self) -> list[str]:
        """Returns paths that can be read independently, in a fixed order.

        Raises:
            FileNotFoundError: If the path does not exist.
            ValueError: If `folder_of_people` is set but the path is not such a folder, or `subject_id` is also set.
        """
        root = Path(self.path)
        if self.folder_of_people:
            if self.subject_id is not None:
                raise ValueError(
                    f"`subject_id` is {self.subject_id!r}, but with `folder_of_people` subject ids come from the"
                    " entries' names; pass only one of the two."
                )
            return people_in(root)
        if not root.exists():
            raise FileNotFoundError(f"There is no folder or file at {root}.")
        if self.kind == "mmash" and root.is_dir() and not is_mmash_folder(root):
            people = [path for path in root.iterdir() if path.is_dir() and is_mmash_folder(path)]
            return [str(path) for path in sorted(people, key=natural_sort_key)] or [str(root)]
        if self.kind == "table" and root.is_dir():
            tables = tables_below(root)
            if tables and share_a_layout(tables):
                subject = load_mapping(self.mapping).subject
                if len(of_the_same_people(tables, subject)) == len(tables):
                    return [str(path) for path in tables]
        return [str(root)]

    def read(self, part: str, report: ReadReport) -> Iterator[SensorDay]:
        """Yields the days of a part, of people as the recording names them.

        Args:
            part: One of [`Recording.parts`].
            report: Collects what was used, dropped or unusual.
        """
        subject = entry_name(Path(part)) if self.folder_of_people and self.kind != "mmash" else self.subject_id
        apart = self.folder_of_people or (self.kind == "table" and Path(part) != Path(self.path))
        try:
            yield from read_any(
                part,
                kind=self.kind,
                timezone=self.timezone,
                schema=self.schema,
                subject_id=subject,
                day_start=self.day_start,
                mapping=self.mapping,
                report=report,
                skip_bad=self.skip_bad,
            )
        except (ValueError, FileNotFoundError) as error:
            if not self.skip_bad or not apart:
                raise
            report.note("bad-file", "dropped", "files that could not be read", str(error))

    def items(self, part: str) -> Iterator[PartItem]:
        """Yields the days of a part as they are read, each with its data quality, and then the remaining report.

        A part can therefore be read remotely and without buffering; [`merge_items`] combines the items.
        """
        report = ReadReport()
        for day in self.read(part, report):
            yield day, report.days.pop()
        if self.folder_of_people:
            part_report, report = report, ReadReport()
            report.merge(part_report, prefix=f"{Path(part).name}/")
        yield report

    def days(self, part: str) -> Iterator[tuple[str, SensorDay]]:
        """Yields each day of a part with its original subject id."""
        for day in self.read(part, ReadReport()):
            who = day.subject_id
            yield who, day if self.salt is None else day.with_subject(pseudonym(who, self.salt))

    def example(self) -> tuple[int, Mapping[str, Any]]:
        """Returns the length of its windows and an example of every label.

        Raises:
            ValueError: If it contains no day.
        """
        for part in self.parts():
            for _, day in self.days(part):
                return len(day), {**day.labels, **LABEL_TYPES.get(self.kind, {})}
        raise ValueError(f"There is no day with an observed minute in {self.path}.")

    def fingerprint(self) -> str:
        """Returns a hash of the names, sizes and modification times of the recording's files."""
        digest = hashlib.blake2b(repr(self).encode(), digest_size=8)
        root = Path(self.path)
        files = [root] if root.is_file() else sorted(Path(f) / n for f, _, names in os.walk(root) for n in names)
        for path in files:
            status = path.stat()
            digest.update(f"{path.relative_to(root).as_posix()}:{status.st_size}:{status.st_mtime_ns}\0".encode())
        return digest.hexdigest()


def merge_items(items: Iterable[PartItem], report: ReadReport) -> Iterator[SensorDay]:
    """Yields the days of items and merges everything else into a report, from any process."""
    for item in items:
        if isinstance(item, ReadReport):
            report.merge(item)
        else:
            day, quality = item
            report.days.append(quality)
            yield day


def read_serially(recording: Recording, parts: Iterable[str]) -> Iterator[PartItem]:
    """Reads parts in this process."""
    for part in parts:
        yield from recording.items(part)


def people_in(folder: Path) -> list[str]:
    """Returns the entries of a folder with one recording per person, in natural order of their names.

    Hidden entries and files of other types, such as `participants.txt`, are skipped.

    Raises:
        FileNotFoundError: If the folder does not exist or contains no recordings.
        ValueError: If two entries would have the same subject id.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder of people's recordings at {folder}.")
    entries = [
        path
        for path in sorted(folder.iterdir(), key=natural_sort_key)
        if not path.name.startswith(".") and (path.is_dir() or path.name.lower().endswith(ENTRY_SUFFIXES))
    ]
    if not entries:
        raise FileNotFoundError(
            f"{folder} contains no recordings: looked for folders and files that end in {', '.join(ENTRY_SUFFIXES)}."
        )
    named: dict[str, str] = {}
    for path in entries:
        name = entry_name(path)
        if name in named:
            raise ValueError(
                f"{folder} contains both {named[name]!r} and {path.name!r}, which give the same subject id; put them"
                " in one folder, or rename one."
            )
        named[name] = path.name
    return [str(path) for path in entries]


def entry_name(path: Path) -> str:
    """Returns the subject id for a recording: the name of its folder or file without the suffix."""
    if path.is_dir():
        return path.name
    suffix = next(end for end in sorted(ENTRY_SUFFIXES, key=len, reverse=True) if path.name.lower().endswith(end))
    return path.name[: -len(suffix)]
