"""Recordings as the dataset builder takes them: in parts that processes share, by split, with pseudonyms.

Apart from the builder, since streaming from it makes `datasets` replace `Path` and `open` in its module.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...days import SensorDay
from ..privacy import pseudonym
from .detect import LABEL_TYPES, detect_source, read_any
from .mmash import is_mmash_folder
from .quality import ReadReport
from .table import TABLE_SUFFIXES


@dataclass(frozen=True)
class Recording:
    """A recording and how to read it; see [`read_any`] for the attributes.

    Attributes:
        path: Where it is.
        kind: Kind of source.
        salt: Secret of the pseudonyms; None keeps the people's names.
    """

    path: str
    kind: str
    schema: str = "sensorlm-26"
    timezone: str | None = None
    day_start: str | None = None
    mapping: str | None = None
    subject_id: str | None = None
    skip_bad: bool = False
    salt: str | None = None

    def parts(self) -> list[str]:
        """Returns paths that can be read apart from one another, in a fixed order.

        Raises:
            FileNotFoundError: If there is nothing at the path.
            ValueError: If it is a recording of another kind.
        """
        root = Path(self.path)
        found = detect_source(root)
        if found != self.kind:
            raise ValueError(
                f"{root} is a recording of the kind {found!r}, not {self.kind!r}; name that configuration."
            )
        if self.kind == "mmash" and not is_mmash_folder(root):
            return sorted(str(path) for path in root.iterdir() if path.is_dir() and is_mmash_folder(path))
        if self.kind == "table" and root.is_dir():
            return sorted(str(p) for p in root.rglob("*") if p.is_file() and p.name.lower().endswith(TABLE_SUFFIXES))
        return [str(root)]

    def days(self, part: str) -> Iterator[tuple[str, SensorDay]]:
        """Yields each day of a part with the name of its person before any pseudonym."""
        days = read_any(
            part,
            kind=self.kind,
            timezone=self.timezone,
            schema=self.schema,
            subject_id=self.subject_id,
            day_start=self.day_start,
            mapping=self.mapping,
            report=ReadReport(),
            skip_bad=self.skip_bad,
        )
        for day in days:
            who = day.subject_id
            yield who, day if self.salt is None else replace(day, subject_id=pseudonym(who, self.salt))

    def example(self) -> tuple[int, Mapping[str, Any]]:
        """Returns the length of its windows and an example of every label.

        Raises:
            ValueError: If it holds no day.
        """
        for part in self.parts():
            for _, day in self.days(part):
                return len(day), {**day.labels, **LABEL_TYPES.get(self.kind, {})}
        raise ValueError(f"There is no day with an observed minute in {self.path}.")

    def fingerprint(self) -> str:
        """Returns a hash that changes when a file of the recording does: names, sizes and times of change."""
        digest = hashlib.blake2b(repr(self).encode(), digest_size=8)
        root = Path(self.path)
        files = [root] if root.is_file() else sorted(Path(f) / n for f, _, names in os.walk(root) for n in names)
        for path in files:
            status = path.stat()
            digest.update(f"{path.relative_to(root).as_posix()}:{status.st_size}:{status.st_mtime_ns}\0".encode())
        return digest.hexdigest()
