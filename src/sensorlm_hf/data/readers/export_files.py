"""The files of a device's export: a folder, a zip, zips inside it, or a single file."""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

HEAD_BYTES = 4096
"""Bytes at the start of a file by which its type is recognised."""

_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError)


@dataclass(frozen=True)
class ExportFile:
    """A file of an export, which is read when needed.

    Attributes:
        name: Path inside the export, with forward slashes.
        label: How messages call the file.
        read: Returns the bytes, at most the given number of them (-1: all).
    """

    name: str
    label: str
    read: Callable[[int], bytes]

    @property
    def base(self) -> str:
        """Name without its folders."""
        return self.name.rsplit("/", 1)[-1]

    def data(self) -> bytes:
        """Returns the file's bytes.

        Raises:
            ValueError: If the file cannot be read.
        """
        try:
            return self.read(-1)
        except _ZIP_ERRORS as error:
            raise ValueError(f"{self.label} cannot be read: {error}") from None

    def head(self) -> bytes:
        """Returns the first [`HEAD_BYTES`] bytes; none if the file cannot be read."""
        try:
            return self.read(HEAD_BYTES)
        except _ZIP_ERRORS:
            return b""

    def text(self) -> str:
        """Returns the file's text, UTF-8 with or without byte order mark.

        Raises:
            ValueError: If the file cannot be read, is empty or is not UTF-8.
        """
        data = self.data()
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            raise ValueError(
                f"{self.label}, line {line}: not UTF-8 text ({error.reason}); save the file as UTF-8."
            ) from None
        if not text.strip():
            raise ValueError(f"{self.label} is empty; export it again, or remove it from the folder.")
        return text

    def json(self) -> Any:
        """Returns the file's JSON value.

        Raises:
            ValueError: If the file cannot be read or is not JSON; the message gives the line.
        """
        text = self.text()
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            cut = "" if text.rstrip().endswith(("]", "}")) else " The file seems to be truncated."
            raise ValueError(f"{self.label}, line {error.lineno}: not valid JSON: {error.msg}.{cut}") from None

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
        separator = max(",;\t", key=header.count)
        reader = csv.reader(lines, delimiter=separator)
        try:
            rows = [row for row in reader if any(row)]
        except csv.Error as error:
            raise ValueError(f"{self.label}, line {skip + reader.line_num}: not valid CSV: {error}") from None
        names = [name.strip() for name in rows[0]] if rows else []
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
        raise ValueError(f"{label}: {what} must be a list of objects, got {type(value).__name__}.")
    return value


class ExportFiles:
    """The files of a folder, a zip or a single file; zips inside it are opened as well, one level deep.

    Files that macOS adds to zips (`__MACOSX`, `._*`) are skipped. Use it as a context manager.

    Args:
        path: Folder, zip or file.

    Attributes:
        files: The files, sorted by name.
        bad: Names of damaged zips inside, with a message.

    Raises:
        FileNotFoundError: If the path does not exist.
        ValueError: If it is a damaged zip.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self._zips: list[zipfile.ZipFile] = []
        self.bad: list[tuple[str, str]] = []
        if self.path.is_dir():
            paths = sorted(Path(folder) / name for folder, _, names in os.walk(self.path) for name in names)
            self.files = [
                entry
                for path in paths
                if not _is_clutter(name := path.relative_to(self.path).as_posix())
                for entry in self._with_members(_on_disk(path, name), path)
            ]
        elif not self.path.is_file():
            raise FileNotFoundError(f"There is no folder or file at {self.path}.")
        elif self.path.suffix.lower() == ".zip":
            try:
                self.files = [
                    inner
                    for entry in self._members(self.path, "", str(self.path))
                    for inner in self._with_members(entry)
                ]
            except _ZIP_ERRORS as error:
                raise ValueError(
                    f"{self.path} is not a readable zip ({error}). It may be truncated: download it again."
                ) from None
        else:
            self.files = [_on_disk(self.path, self.path.name)]

    def __enter__(self) -> ExportFiles:
        return self

    def __exit__(self, *error: object) -> None:
        for packed in self._zips:
            packed.close()

    def _with_members(self, entry: ExportFile, path: Path | None = None) -> list[ExportFile]:
        """Returns the members of a zip, which is read from `path` if it is on disk, or a list of the file itself."""
        if not entry.name.lower().endswith(".zip"):
            return [entry]
        try:
            return self._members(path or io.BytesIO(entry.read(-1)), f"{entry.name}/", entry.label)
        except _ZIP_ERRORS as error:
            self.bad.append((entry.name, f"{entry.label} is not a readable zip: {error}"))
            return []

    def _members(self, source: Any, prefix: str, label: str) -> list[ExportFile]:
        packed = zipfile.ZipFile(source)
        self._zips.append(packed)

        def member(name: str) -> ExportFile:
            def read(size: int) -> bytes:
                with packed.open(name) as stream:
                    return stream.read(size)

            return ExportFile(f"{prefix}{name}", f"{label}:{name}", read)

        names = sorted(info.filename for info in packed.infolist() if not info.is_dir())
        return [member(name) for name in names if not _is_clutter(name)]


def _on_disk(path: Path, name: str) -> ExportFile:
    def read(size: int) -> bytes:
        with path.open("rb") as stream:
            return stream.read(size)

    return ExportFile(name, str(path), read)


def _is_clutter(name: str) -> bool:
    base = name.rsplit("/", 1)[-1]
    return name.startswith("__MACOSX/") or "/__MACOSX/" in name or base.startswith("._") or base == ".DS_Store"
