"""Access to an export's files, in a folder or zip, with errors that give the file and line."""

from __future__ import annotations

import io
import os
import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import pandas as pd

from ...documents import parse_json, value_type
from ...io import check_file, open_file
from .archives import TAR_SUFFIXES, MemberStream, TarArchive, ZipArchive
from .progress import now_reading
from .table_dates import decimal_points

_PART = re.compile(r"(?:-\d+)*(?: ?\(\d+\))?\.(?:zip|tgz|tar\.gz|tar)$", re.IGNORECASE)


def is_system_file(name: str) -> bool:
    """Returns whether a path is a file that macOS or Windows puts beside people's files, such as `._data.csv`."""
    parts = name.split("/")
    return "__MACOSX" in parts or parts[-1].startswith("._") or parts[-1] in (".DS_Store", "Thumbs.db", "desktop.ini")


class Source:
    """The files in a folder or archive, by relative paths with forward slashes.

    Files of archives in the folder or zip count as files of a folder of the archive's name (`part-1.zip/a.csv`). Files
    that macOS and Windows add are left out. Zips are never unpacked. Use it as a context manager.

    Args:
        path: Folder, zip or tar.
        nested: Whether archives in it are opened.

    Attributes:
        names: Names of the files, sorted.
        unreadable: `{archive in the folder: why it cannot be read}`.

    Raises:
        FileNotFoundError: If the path does not exist.
        ValueError: If it is a file but not a readable archive.
    """

    def __init__(self, path: str | os.PathLike, *, nested: bool = True) -> None:
        self.path = Path(path)
        self.unreadable: dict[str, str] = {}
        self._archive: ZipArchive | TarArchive | None = None
        self._inner: dict[str, ZipArchive | TarArchive] = {}
        if self.path.is_dir():
            names = [
                (Path(folder) / name).relative_to(self.path).as_posix()
                for folder, _, held in os.walk(self.path)
                for name in held
            ]
        elif self.path.is_file():
            tar = self.path.name.lower().endswith(TAR_SUFFIXES)
            self._archive = (TarArchive if tar else ZipArchive)(self.path, str(self.path))
            names = self._archive.names
        else:
            if self.path.exists() or self.path.is_symlink():
                check_file(self.path)
            raise FileNotFoundError(f"There is no folder or file at {self.path}.")
        names = [name for name in names if not is_system_file(name)]
        if nested:
            for name in [name for name in names if self._is_archive(name)]:
                self._open_inner(name)
        inside = [f"{name}/{held}" for name, archive in self._inner.items() for held in archive.names]
        self.names = sorted([*names, *(name for name in inside if not is_system_file(name))])

    def _is_archive(self, name: str) -> bool:
        # A tar must be decompressed to be searched, so only tars that are called like an export are.
        lowered = name.lower()
        called = lowered.rsplit("/", 1)[-1].startswith("takeout")
        return lowered.endswith(".zip") or (self._archive is None and called and lowered.endswith(TAR_SUFFIXES))

    def _open_inner(self, name: str) -> None:
        try:
            if self._archive is None:
                tar = name.lower().endswith(TAR_SUFFIXES)
                self._inner[name] = (TarArchive if tar else ZipArchive)(self.path / name, f"{self.path}/{name}")
            elif isinstance(self._archive, ZipArchive):
                self._inner[name] = self._archive.inner(name)
        except ValueError as error:
            self.unreadable[name] = str(error)

    def __enter__(self) -> Source:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for archive in (*self._inner.values(), *([self._archive] if self._archive is not None else [])):
            archive.close()

    def plain_names(self) -> list[str]:
        """Returns the names of the files without the archives among them."""
        archives = {*self._inner, *self.unreadable}
        return [name for name in self.names if name not in archives]

    def check_one_export(self, names: Iterable[str], what: str) -> None:
        """Checks that files are from one export: from no archive, from one, or from the numbered parts of one.

        Args:
            names: The files.
            what: What they are an export of, for the message.

        Raises:
            ValueError: If they are from several, which may be of several people or of one person twice.
        """
        used = {held for name in names if (held := self._holder(name)) is not None}
        exports = {_PART.sub("", held.rsplit("/", 1)[-1]).lower() for held in used}
        if len(exports) > 1:
            raise ValueError(
                f"{self.path} contains several {what} exports: {', '.join(sorted(used))}. If they are of several"
                " people, use --folder-of-people; if of one person, keep only the newest, which contains the others."
            )

    def _holder(self, name: str) -> str | None:
        return next((held for held in self._inner if name.startswith(f"{held}/")), None)

    def label(self, name: str) -> str:
        """Returns a file's label for messages."""
        held = self._holder(name)
        if held is not None:
            return f"{self._inner[held].label}:{name[len(held) + 1 :]}"
        return f"{self.path}/{name}" if self._archive is None else f"{self.path}:{name}"

    def read_bytes(self, name: str) -> bytes:
        """Returns a file's bytes.

        Raises:
            ValueError: If the file is damaged or encrypted.
        """
        now_reading(name)
        held = self._holder(name)
        if held is not None:
            return self._inner[held].read(name[len(held) + 1 :])
        if self._archive is not None:
            return self._archive.read(name)
        with open_file(self.path / name) as file:
            return file.read()

    def open(self, name: str) -> IO[bytes] | MemberStream:
        """Opens a file for streaming, as files may be larger than memory. The caller must close it."""
        now_reading(name)
        held = self._holder(name)
        if held is not None:
            return self._inner[held].open(name[len(held) + 1 :])
        return open_file(self.path / name) if self._archive is None else self._archive.open(name)

    def read_text(self, name: str) -> str:
        """Returns a file's text; UTF-8, with or without byte order mark.

        Raises:
            ValueError: If the file is damaged, empty or not UTF-8.
        """
        return decode_text(self.read_bytes(name), self.label(name))


def decode_text(data: bytes, label: str) -> str:
    """Returns the text of a file's bytes; UTF-8, with or without byte order mark.

    Raises:
        ValueError: If it is empty or not UTF-8.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ValueError(f"{label}, line {line}: not UTF-8 text ({error.reason}); save the file as UTF-8.") from None
    if not text.strip():
        raise ValueError(f"{label} is empty; export it again, or remove it from the folder.")
    return text


def load_json(text: str, label: str) -> Any:
    """Parses JSON.

    Raises:
        ValueError: If it is not JSON; the message names the line.
    """
    return parse_json(text, label)


def load_json_list(text: str, label: str) -> list[dict[str, Any]]:
    """Parses a JSON list of objects.

    Args:
        text: The file's text.
        label: How messages call the file.

    Raises:
        ValueError: If it is not JSON (the message names the line) or not a list of objects (it names the entry).
    """
    data = load_json(text, label)
    if not isinstance(data, list):
        answer = isinstance(data, dict) and any(str(key).startswith("activities-") for key in data)
        hint = " It is an answer of Fitbit's Web API, which `convert fitbit-api` reads." if answer else ""
        raise ValueError(f"{label}: must contain a JSON list of entries, got {value_type(data)}.{hint}")
    if set(map(type, data)) - {dict}:
        for position, entry in enumerate(data):
            if isinstance(entry, dict):
                continue
            raise ValueError(f"{label}: entry {position} must be an object, got {value_type(entry)}.")
    return data


def line_of(text: str, position: int, marker: str) -> str:
    """Returns `"line N"` for the `position`-th occurrence (from 0) of a key that each entry of a list has once."""
    at = -1
    for _ in range(position + 1):
        at = text.find(marker, at + 1)
        if at < 0:
            return f"entry {position}"
    return f"line {text.count(chr(10), 0, at) + 1}"


def load_csv(text: str, label: str, columns: Sequence[str]) -> pd.DataFrame:
    """Parses CSV text into text cells, empty where missing, and checks its columns.

    Args:
        text: The file's text, with a header line.
        label: How messages call the file.
        columns: Columns that must be there, after stripping blanks.

    Raises:
        ValueError: If it is not CSV or a column is missing; the message names the line or the columns found.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows with more cells than the header
            header = text.lstrip("\ufeff").partition("\n")[0]
            check_width(header, label)
            saved_again = header.count(";") > header.count(",")  # by Excel in a country with a decimal comma
            frame = pd.read_csv(
                io.StringIO(text), sep=";" if saved_again else ",", dtype=str, keep_default_na=False, index_col=False
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError, ValueError) as error:
        raise ValueError(f"{label}: not valid CSV: {error}") from None
    frame = frame.fillna("")  # rows with fewer cells than the header
    frame.columns = pd.Index(unique_names([str(name).strip() for name in frame.columns]))
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise ValueError(
            f"{label}, line 1: lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}; it has"
            f" {', '.join(frame.columns)}."
        )
    return frame


MAX_COLUMNS = 10_000
"""Largest number of columns of a table."""


def check_width(header: str, label: str) -> None:
    """Raises a ValueError if a header has more than [`MAX_COLUMNS`], for which pandas takes minutes."""
    width = max(map(header.count, ",;\t|")) + 1
    if width > MAX_COLUMNS:
        raise ValueError(f"{label}, line 1: has {width:,} columns; a table may have at most {MAX_COLUMNS:,}.")


def unique_names(names: Sequence[str]) -> list[str]:
    """Returns names of columns with a number after those that an earlier column has: `a`, `a.1`."""
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        seen[name] = seen.get(name, -1) + 1
        unique.append(f"{name}.{seen[name]}" if seen[name] else name)
    return unique


def numbers(frame: pd.DataFrame, column: str, label: str, first_line: int = 2) -> pd.Series:
    """Returns a column of text cells as float64, NaN where empty.

    Args:
        frame: The table.
        column: Name of the column.
        label: How messages call the file.
        first_line: Line of the first row in the file.

    Raises:
        ValueError: If a cell is not a number; the message gives its line.
    """
    cells = decimal_points(frame[column])
    parsed = pd.to_numeric(cells.where(cells.str.strip() != ""), errors="coerce").astype("float64")
    wrong = parsed.isna() & (cells.str.strip() != "") & ~cells.str.strip().str.lower().isin(("nan", "na", "null"))
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise ValueError(f"{label}, line {row + first_line}: {column} must be a number, got {cells.iloc[row]!r}.")
    return parsed
