"""Reads table files as programs and people write them: CSV in any dialect, JSON, Excel workbooks, Parquet.

Delimited text may have lines before its header, `,`, `;`, tab or `|` as delimiter, a delimiter at the end of each row,
and UTF-8, UTF-16 or Windows-1252 as encoding. Cells stay as they are; [`sensorlm_hf.data.readers.table_values`] reads
numbers, and [`sensorlm_hf.data.readers.table_times`] times.
"""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..._extras import requires_extra
from ...documents import parse_json
from ...io import open_file
from .archives import ZipArchive, gunzip
from .damage import describe
from .quality import ReadReport
from .sources import check_width
from .table_columns import SUBJECT_COLUMNS, plain_name

CSV_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
JSON_SUFFIXES = (".json", ".jsonl")
EXCEL_SUFFIXES = (".xlsx",)

BAD_SHARE = 0.05
"""Share of unreadable rows that are left out and counted; if there are more, the table is read wrongly and refused."""

MAX_CELLS = 20_000_000
"""Largest number of cells of a sheet of a workbook, a few hundred MB of memory."""

_DELIMITERS = (",", ";", "\t", "|")
HEAD_BYTES = 1 << 16
_HEAD_LINES = 60
_SKIPPED = re.compile(r"Skipping line (\d+): expected (\d+) fields, saw (\d+)")
_NOT_A_NAME = re.compile(r"[-+]?\d[\d.,:/\-T Z]*")
_BEYOND = "cells beyond the header"


@dataclass(frozen=True)
class Dialect:
    """How delimited text is written.

    Attributes:
        delimiter: Delimiter of the cells.
        names: Column names; unique.
        header_line: Line of the header, from 0.
        encoding: Encoding of the file.
    """

    delimiter: str
    names: tuple[str, ...]
    header_line: int
    encoding: str


def read_table_text(path: Path, label: str, report: ReadReport, subject: str | None = None) -> tuple[pd.DataFrame, int]:
    """Reads a file of delimited text.

    Args:
        path: The file; `.gz` is decompressed.
        label: Label of the file for messages.
        report: Collects the lines that are left out.
        subject: Column of people, if the caller names it; people's ids are not read as numbers (`007`).

    Returns:
        The table, whose index is the rows' distance from the first line after the header, and the number of that line.

    Raises:
        ValueError: If the file is empty or not delimited text; the message gives the line.
    """
    with open_file(path) as file:
        data = file.read()
    if path.name.lower().endswith(".gz"):
        data = gunzip(data, label)
    return parse_table_text(data, label, report, tab=".tsv" in path.name.lower(), subject=subject)


def parse_table_text(
    data: bytes, label: str, report: ReadReport, *, tab: bool = False, subject: str | None = None
) -> tuple[pd.DataFrame, int]:
    """Parses delimited text; see [`read_table_text`].

    Args:
        data: Content of the file.
        label: Label of the file for messages.
        report: Collects the lines that are left out.
        tab: Whether the file's suffix says that the delimiter is a tab.
        subject: Column of people.
    """
    if not data.strip(b"\x00\xff\xfe\xef\xbb\xbf \t\r\n"):
        raise ValueError(f"{label} is empty; export it again, or remove it from the folder.")
    dialect = find_dialect(data, tab, label, report)
    wanted = {plain_name(name) for name in (*SUBJECT_COLUMNS, *([subject] if subject else []))}
    texts = {name: str for name in dialect.names if plain_name(name) in wanted}
    first_line = dialect.header_line + 2
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            frame = pd.read_csv(
                io.BytesIO(data),
                sep=dialect.delimiter,
                skiprows=dialect.header_line + 1,
                header=None,
                names=[*dialect.names, _BEYOND],
                index_col=False,
                encoding=dialect.encoding,
                skip_blank_lines=False,  # so that the line of a row is known
                skipinitialspace=True,
                on_bad_lines="warn",
                dtype=texts,
                low_memory=False,
            )
    except pd.errors.EmptyDataError:
        raise ValueError(f"{label} has no rows below its header in line {first_line - 1}.") from None
    except (pd.errors.ParserError, UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"{label}: not valid CSV: {str(error).strip()}") from None
    lines = _kept_lines(caught, len(frame), first_line, label, report)
    frame.index = pd.Index(lines, name=None) - first_line
    frame = _without_overflow(frame, first_line, label, report)
    return _without_cut_line(frame, data, dialect, first_line, label, report), first_line


def _kept_lines(
    caught: Sequence[warnings.WarningMessage], rows: int, first_line: int, label: str, report: ReadReport
) -> list[int]:
    """Lines of the rows that pandas kept; it warns of those that it skips for having too many cells."""
    skipped = [match for entry in caught for match in _SKIPPED.finditer(str(entry.message))]
    if not skipped:
        return list(range(first_line, first_line + rows))
    number, expected, seen = (int(group) for group in skipped[0].groups())
    if len(skipped) > max(1, BAD_SHARE * (rows + len(skipped))):
        raise ValueError(
            f"{label}, line {number}: has {seen} cells, but the header has {expected - 1}; put cells that contain the"
            " delimiter in quotes."
        )
    lost = {int(match[1]) for match in skipped}
    for line in sorted(lost):
        report.note("bad-line", "dropped", "lines with more cells than the header", f"{label}, line {line}")
    return [line for line in range(first_line, first_line + rows + len(lost)) if line not in lost]


def _without_overflow(frame: pd.DataFrame, first_line: int, label: str, report: ReadReport) -> pd.DataFrame:
    """Drops the column for cells beyond the header: empty where rows end with a delimiter."""
    beyond = frame[_BEYOND].notna()
    if beyond.mean() > BAD_SHARE and beyond.sum() > 1:
        line = int(frame.index[int(beyond.to_numpy().argmax())]) + first_line
        raise ValueError(
            f"{label}, line {line}: has more cells than the header, from {frame[_BEYOND][beyond].iloc[0]} on; name"
            " their columns in the header, or put cells that contain the delimiter in quotes."
        )
    for row in frame.index[beyond]:
        report.note(
            "bad-line", "dropped", "lines with more cells than the header", f"{label}, line {int(row) + first_line}"
        )
    return frame.loc[~beyond].drop(columns=_BEYOND)


def _without_cut_line(
    frame: pd.DataFrame, data: bytes, dialect: Dialect, first_line: int, label: str, report: ReadReport
) -> pd.DataFrame:
    """Drops a last line that ends in the middle: its last number may be cut too."""
    if dialect.encoding.startswith("utf-16") or len(frame) < 2 or data.endswith((b"\n", b"\r")):
        return frame
    last = re.split(rb"[\r\n]", data[-HEAD_BYTES:])[-1]
    if b'"' in last or last.count(dialect.delimiter.encode()) >= len(dialect.names) - 1:
        return frame
    line = int(frame.index[-1]) + first_line
    report.note("cut-line", "dropped", "last lines that end in the middle of a row", f"{label}, line {line}")
    return frame.iloc[:-1]


def find_dialect(data: bytes, tab: bool, label: str, report: ReadReport) -> Dialect:
    """Finds encoding, delimiter and header of delimited text.

    Args:
        data: Content of the file.
        tab: Whether a tab is the delimiter if nothing is found.
        label: Label of the file for messages.
        report: Told about a file that is not in Unicode and about lines before the header.

    Raises:
        ValueError: If the text has no known encoding; the message gives the line.
    """
    encoding = _encoding(data, label, report)
    text = data[:HEAD_BYTES].decode(encoding, errors="ignore")
    lines = text.splitlines()
    if len(data) > HEAD_BYTES:
        lines = lines[:-1]
    lines = lines[:_HEAD_LINES]
    best: tuple[float, str, int, list[str]] | None = None
    for delimiter in _DELIMITERS:
        rows = [_cells(line, delimiter, label, place) for place, line in enumerate(lines, 1)]
        header = _header_of(rows)
        if header is not None:
            place, score = header
            if best is None or score > best[0]:
                best = score, delimiter, place, rows[place]
    if best is None:
        first = next((place for place, line in enumerate(lines) if line.strip()), None)
        if first is None:
            raise ValueError(f"{label}: its first {len(lines)} lines are empty; a table begins with its header.")
        delimiter = "\t" if tab else ","
        names = _cells(lines[first], delimiter, label, first + 1)
        best = 0.0, delimiter, first, names
    _, delimiter, place, names = best
    check_width(lines[place], label)
    before = sum(bool(line.strip()) for line in lines[:place])
    report.note("preamble", "info", "lines before the header of a table, not read", label, before)
    return Dialect(delimiter, _unique_names(names), place, encoding)


def _cells(line: str, delimiter: str, label: str, number: int) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error as error:  # a cell of more than 128 kB
        raise ValueError(f"{label}, line {number}: not valid CSV: {error}.") from None


def _header_of(rows: list[list[str]]) -> tuple[int, float] | None:
    """Line of the header and a score of the delimiter: the most frequent number of cells, times the lines with it."""
    counts = Counter(len(row) for row in rows if len(row) > 1)
    if not counts:
        return None
    width, lines = max(counts.items(), key=lambda item: (item[1], item[0]))
    for place, row in enumerate(rows):
        cells = len(row)
        while cells and not row[cells - 1].strip():
            cells -= 1  # a delimiter at the end of the header
        named = [cell.strip() for cell in row[:cells]]
        if (
            cells > 1
            and 0 <= width - cells <= 1
            and any(re.search(r"[^\W\d_]", cell) for cell in named)
            and not any(_NOT_A_NAME.fullmatch(cell) for cell in named)
        ):
            return place, float(width * lines)
    return None


def _unique_names(cells: Sequence[str]) -> tuple[str, ...]:
    names = [cell.strip().strip("\ufeff").strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    made: list[str] = []
    for place, name in enumerate(names):
        plain = name or f"Unnamed: {place}"
        number, unique = 0, plain
        while unique in made:
            number += 1
            unique = f"{plain}.{number}"
        made.append(unique)
    return tuple(made)


def _encoding(data: bytes, label: str, report: ReadReport) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            data.decode(encoding)
        except UnicodeDecodeError as error:
            if encoding == "cp1252":
                line = data[: error.start].count(b"\n") + 1
                raise ValueError(f"{label}, line {line}: not UTF-8 text ({error.reason}); save it as UTF-8.") from None
        else:
            if encoding == "cp1252":
                report.note("not-unicode", "info", "tables that are not UTF-8, read as Windows-1252", label)
            return encoding
    raise AssertionError  # the loop returns or raises


def read_json_table(data: bytes, label: str) -> pd.DataFrame:
    """Reads a JSON list of rows, an object with one such list (`{"data": [...]}`), or JSON lines.

    Raises:
        ValueError: If it is not JSON or contains no list of rows.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ValueError(f"{label}, line {line}: not UTF-8 text ({error.reason}); save it as UTF-8.") from None
    try:
        content: Any = parse_json(text, label)
    except ValueError as error:
        lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        try:
            content = [parse_json(line, f"{label}, line {number}") for number, line in lines]
        except ValueError:
            raise error from None
    found = content
    if isinstance(content, dict):
        lists = [value for value in content.values() if isinstance(value, list) and value]
        found = lists[0] if len(lists) == 1 else None
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        what = f"an object with {', '.join(map(str, content))}" if isinstance(content, dict) else type(content).__name__
        raise ValueError(
            f'{label}: a table in JSON must be a list of rows, [{{"time": ..., "HR": ...}}, ...], alone or as the only'
            f" list of an object; got {what}."
        )
    return pd.DataFrame(found)


def _not_a_workbook(label: str, error: Exception) -> ValueError:
    return ValueError(f"{label}: not a readable Excel workbook: {describe(error)}. Save it again, or as CSV.")


def _rows_of_sheet(sheet: Any, label: str) -> list[list[Any]]:
    """Cells of a sheet. A cell far to the right or down makes openpyxl fill everything up to it."""
    rows: list[list[Any]] = []
    cells = 0
    try:
        for row in sheet.iter_rows(values_only=True):
            cells += max(len(row), 1)
            if cells > MAX_CELLS:
                raise ValueError(f"sheet {sheet.title!r} has more than {MAX_CELLS:,} cells; save it as CSV")
            rows.append(list(row))
    except Exception as error:  # openpyxl reads the sheet only now
        raise _not_a_workbook(label, error) from None
    return rows


def read_excel_table(path: Path, label: str, report: ReadReport) -> tuple[pd.DataFrame, int]:
    """Reads the first sheet of an Excel workbook that has a table; see [`read_table_text`].

    Raises:
        ValueError: If it is not a readable workbook, or no sheet contains a table.
        ImportError: If openpyxl is not installed.
    """
    try:
        ZipArchive(path, label).close()  # also checks how much it expands
    except ValueError as error:
        raise ValueError(
            f"{label}: not a readable Excel workbook; save it again as .xlsx, or as CSV ({error})."
        ) from None
    with requires_extra("excel", "Reading Excel workbooks", "save the sheet as CSV"):
        import openpyxl  # type: ignore[import-untyped,import-not-found,unused-ignore]
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # openpyxl raises KeyError, BadZipFile and others
        raise _not_a_workbook(label, error) from None
    try:
        for sheet in book.worksheets:
            rows = _rows_of_sheet(sheet, label)
            header = _header_of([["" if cell is None else str(cell) for cell in row] for row in rows[:_HEAD_LINES]])
            if header is None:
                continue
            names = _unique_names(["" if cell is None else str(cell) for cell in rows[header[0]]])
            others = len(book.worksheets) - 1
            report.note("sheet-unused", "info", "sheets of a workbook that are not read", label, others)
            cells = [row[: len(names)] for row in rows[header[0] + 1 :]]
            return pd.DataFrame(cells, columns=list(names)), header[0] + 2
    finally:
        book.close()
    raise ValueError(f"{label}: no sheet contains a table with a header of at least two columns.")
