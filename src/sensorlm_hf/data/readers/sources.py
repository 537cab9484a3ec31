"""Access to an export's files, in a folder or zip, with errors that give the file and line."""

from __future__ import annotations

import io
import json
import os
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import pandas as pd


class Source:
    """The files in a folder or zip, by relative paths with forward slashes. Zips are never unpacked.

    Use it as a context manager.

    Args:
        path: Folder or zip file.

    Raises:
        FileNotFoundError: If the path does not exist.
        ValueError: If it is a file but not a readable zip.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self._zip: zipfile.ZipFile | None = None
        if self.path.is_dir():
            self.names = sorted(
                (Path(folder) / name).relative_to(self.path).as_posix()
                for folder, _, names in os.walk(self.path)
                for name in names
            )
        elif self.path.is_file():
            try:
                self._zip = zipfile.ZipFile(self.path)
            except (zipfile.BadZipFile, EOFError) as error:
                raise ValueError(
                    f"{self.path} is neither a folder nor a readable zip ({error}). If it is a zip, it may be"
                    " truncated: download it again."
                ) from None
            self.names = sorted(info.filename for info in self._zip.infolist() if not info.is_dir())
        else:
            raise FileNotFoundError(f"There is no folder or file at {self.path}.")

    def __enter__(self) -> Source:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._zip is not None:
            self._zip.close()

    def label(self, name: str) -> str:
        """Returns a file's label for messages."""
        return f"{self.path}/{name}" if self._zip is None else f"{self.path}:{name}"

    def read_bytes(self, name: str) -> bytes:
        """Returns a file's bytes.

        Raises:
            ValueError: If the file is damaged or encrypted.
        """
        if self._zip is None:
            return (self.path / name).read_bytes()
        try:
            return self._zip.read(name)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError) as error:
            raise ValueError(f"{self.label(name)} cannot be read from the zip: {error}") from None

    def open(self, name: str) -> IO[bytes]:
        """Opens a file for streaming, as files may be larger than memory. The caller must close it."""
        if self._zip is None:
            return (self.path / name).open("rb")
        try:
            return self._zip.open(name)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError) as error:
            raise ValueError(f"{self.label(name)} cannot be read from the zip: {error}") from None

    def read_text(self, name: str) -> str:
        """Returns a file's text; UTF-8, with or without byte order mark.

        Raises:
            ValueError: If the file is damaged, empty or not UTF-8.
        """
        data = self.read_bytes(name)
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            raise ValueError(
                f"{self.label(name)}, line {line}: not UTF-8 text ({error.reason}); save the file as UTF-8."
            ) from None
        if not text.strip():
            raise ValueError(f"{self.label(name)} is empty; export it again, or remove it from the folder.")
        return text


def load_json_list(text: str, label: str) -> list[dict[str, Any]]:
    """Parses a JSON list of objects.

    Args:
        text: The file's text.
        label: How messages call the file.

    Raises:
        ValueError: If it is not JSON (the message names the line) or not a list of objects (it names the entry).
    """
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        cut = "" if text.rstrip().endswith(("]", "}")) else " The file seems to be truncated."
        raise ValueError(f"{label}, line {error.lineno}: not valid JSON: {error.msg}.{cut}") from None
    if not isinstance(data, list):
        raise ValueError(f"{label}: must contain a JSON list of entries, got {type(data).__name__}.")
    for position, entry in enumerate(data):
        if not isinstance(entry, dict):
            raise ValueError(f"{label}: entry {position} must be an object, got {type(entry).__name__}.")
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
            frame = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, index_col=False)
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError, ValueError) as error:
        raise ValueError(f"{label}: not valid CSV: {error}") from None
    frame = frame.fillna("")  # rows with fewer cells than the header
    frame.columns = [str(name).strip() for name in frame.columns]
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise ValueError(
            f"{label}, line 1: lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}; it has"
            f" {', '.join(frame.columns)}."
        )
    return frame


def numbers(frame: pd.DataFrame, column: str, label: str) -> pd.Series:
    """Returns a column of text cells as float64, NaN where empty.

    Raises:
        ValueError: If a cell is not a number; the message gives its line.
    """
    cells = frame[column]
    parsed = pd.to_numeric(cells.where(cells.str.strip() != ""), errors="coerce").astype("float64")
    wrong = parsed.isna() & (cells.str.strip() != "") & ~cells.str.strip().str.lower().isin(("nan", "na", "null"))
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise ValueError(f"{label}, line {row + 2}: {column} must be a number, got {cells.iloc[row]!r}.")
    return parsed
