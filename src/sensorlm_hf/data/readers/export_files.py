"""The files of a device's export: a folder, an archive or a single file."""

from __future__ import annotations

import csv
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pandas as pd

from ...documents import value_type
from ...io import open_file
from .archives import ARCHIVE_SUFFIXES, READ_ERRORS, MemberStream, gunzip
from .progress import now_reading
from .sources import Source, check_width, decode_text, load_json, unique_names

HEAD_BYTES = 4096
"""Bytes at the start of a file by which its type is recognised."""


@dataclass(frozen=True)
class ExportFile:
    """A file of an export, which is read when needed.

    Attributes:
        name: Path inside the export, with forward slashes.
        source: The folder or archive that contains it; `None` for a single file.
        path: Path of a single file.
    """

    name: str
    source: Source | None
    path: Path

    @property
    def base(self) -> str:
        """Name without its folders, and without `.gz`."""
        return self.name.rsplit("/", 1)[-1].removesuffix(".gz")

    @property
    def _packed(self) -> bool:
        return self.name.endswith(".gz") and not self.name.lower().endswith(ARCHIVE_SUFFIXES)

    @property
    def label(self) -> str:
        """How messages call the file."""
        return str(self.path) if self.source is None else self.source.label(self.name)

    def siblings(self) -> list[ExportFile]:
        """Returns the files of the same export; of a single file, those in its folder and below."""
        if self.source is not None:
            return [ExportFile(name, self.source, self.path) for name in self.source.plain_names()]
        folder = self.path.parent
        return [
            ExportFile(held.relative_to(folder).as_posix(), None, held) for held in folder.rglob("*") if held.is_file()
        ]

    def _open(self) -> IO[bytes] | MemberStream:
        return open_file(self.path) if self.source is None else self.source.open(self.name)

    def data(self) -> bytes:
        """Returns the file's bytes, decompressed if its name ends in `.gz`.

        Raises:
            ValueError: If the file cannot be read.
        """
        try:
            now_reading(self.name)
            with self._open() as stream:
                held = stream.read()
            return gunzip(held, self.label) if self._packed else held
        except OSError as error:
            raise ValueError(f"{self.label} cannot be read: {error.strerror or error}.") from None

    def head(self) -> bytes:
        """Returns the first [`HEAD_BYTES`] bytes; none if the file cannot be read."""
        try:
            with self._open() as stream:
                held = stream.read(HEAD_BYTES)
            return zlib.decompressobj(31).decompress(held, HEAD_BYTES) if self._packed else held
        except (ValueError, *READ_ERRORS):
            return b""

    def text(self) -> str:
        """Returns the file's text, UTF-8 with or without byte order mark.

        Raises:
            ValueError: If the file cannot be read, is empty or is not UTF-8.
        """
        return decode_text(self.data(), self.label)

    def json(self) -> Any:
        """Returns the file's JSON value.

        Raises:
            ValueError: If the file cannot be read or is not JSON; the message gives the line.
        """
        return load_json(self.text(), self.label)

    def csv(self, columns: Sequence[str] = (), skip: int = 0) -> pd.DataFrame:
        """Returns the file's table as text cells, empty where missing.

        Cells are separated by commas, or by semicolons or tabs if the header has more of them. Empty cells after the
        last column are ignored; some apps end each line with a comma.

        Args:
            columns: Columns that must be there.
            skip: Lines before the header.

        Raises:
            ValueError: If the file cannot be read, lacks a column or has a row with too many cells.
        """
        lines = self.text().splitlines()[skip:]
        header = lines[0] if lines else ""
        check_width(header, self.label)
        separator = max(",;\t", key=header.count)
        reader = csv.reader(lines, delimiter=separator)
        try:
            rows = [row for row in reader if any(row)]
        except csv.Error as error:
            raise ValueError(f"{self.label}, line {skip + reader.line_num}: not valid CSV: {error}") from None
        names = unique_names([name.strip() for name in rows[0]]) if rows else []
        missing = [name for name in columns if name not in names]
        if missing:
            raise ValueError(
                f"{self.label}, line {skip + 1}: lacks the column{'s' if len(missing) > 1 else ''}"
                f" {', '.join(missing)}; it has {', '.join(names)}."
            )
        width = len(names)
        for place, row in enumerate(rows[1:], skip + 2):
            if len(row) > width and any(row[width:]):
                raise ValueError(f"{self.label}, row {place}: {len(row)} cells, but the header has {width} columns.")
        cells = [[*row[:width], *[""] * (width - len(row))] for row in rows[1:]]
        return pd.DataFrame(cells, columns=names, dtype=object)


def objects(value: Any, label: str, what: str) -> list[dict[str, Any]]:
    """Returns a JSON value that must be a list of objects.

    Raises:
        ValueError: If it is not; the message says what was expected.
    """
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise ValueError(f"{label}: {what} must be a list of objects, got {value_type(value)}.")
    return value


class ExportFiles:
    """The files of a folder, an archive or a single file. Use it as a context manager.

    Args:
        path: Folder, archive or file.

    Attributes:
        files: The files, sorted by name.
        unreadable: `{archive inside: why it cannot be read}`.

    Raises:
        FileNotFoundError: If the path does not exist.
        ValueError: If it is a damaged archive.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        path = Path(path)
        single = path.is_file() and not path.name.lower().endswith(ARCHIVE_SUFFIXES)
        self._source = None if single else Source(path)
        self.unreadable = {} if self._source is None else self._source.unreadable
        names = [path.name] if self._source is None else self._source.plain_names()
        self.files = [ExportFile(name, self._source, path) for name in names]

    def __enter__(self) -> ExportFiles:
        return self

    def __exit__(self, *error: Any) -> None:
        if self._source is not None:
            self._source.__exit__(*error)
