"""Finds out what a recording is, and reads it."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from datetime import tzinfo
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from ...days import SensorDay
from ...schema import SchemaLike
from .fitbit import classify, read_fitbit
from .mmash import is_mmash_folder, read_mmash
from .quality import ReadReport
from .sources import Source
from .table import TABLE_SUFFIXES, TableLike, read_table

SOURCES = ("fitbit", "mmash", "table")
"""Kinds of sources that [`read_any`] knows."""


def _tables(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.name.lower().endswith(TABLE_SUFFIXES))


def detect_source(path: str | os.PathLike) -> str:
    """Tells what kind of source a path is.

    Args:
        path: A Fitbit export (folder or zip), an MMASH folder, or a table file or a folder above such files.

    Returns:
        One of [`SOURCES`].

    Raises:
        FileNotFoundError: If there is nothing at the path.
        ValueError: If it is none of them; the message says what was looked for.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no folder or file at {path}.")
    if path.is_file():
        if path.name.lower().endswith(TABLE_SUFFIXES):
            return "table"
        if path.suffix.lower() != ".zip" and not zipfile.is_zipfile(path):
            raise ValueError(
                f"{path} is no source that can be read: give a table ({', '.join(TABLE_SUFFIXES)}), a Fitbit export"
                " (folder or zip) or an MMASH folder."
            )
    if path.is_dir() and (is_mmash_folder(path) or any(p.is_dir() and is_mmash_folder(p) for p in path.iterdir())):
        return "mmash"
    with Source(path) as source:
        if any(classify(name) for name in source.names):
            return "fitbit"
        held = len(source.names)
    if path.is_dir() and _tables(path):
        return "table"
    raise ValueError(
        f"Nothing readable in {path} ({held} files): looked for a Fitbit export (heart_rate-YYYY-MM-DD.json,"
        f" steps-YYYY-MM-DD.json, ...), MMASH (user_N/Actigraph.csv, RR.csv) and tables ({', '.join(TABLE_SUFFIXES)})."
    )


def read_any(
    source: TableLike,
    *,
    timezone: str | tzinfo | None = None,
    schema: SchemaLike = "sensorlm-26",
    subject_id: str | None = None,
    day_start: str | None = None,
    report: ReadReport | None = None,
) -> Iterator[SensorDay]:
    """Reads a recording, whatever it is; see [`read_fitbit`], [`read_mmash`] and [`read_table`].

    Args:
        source: Path, DataFrame or array.
        timezone: Local zone. Required for Fitbit and for tables whose times name none; `"Europe/Rome"` for MMASH
            unless given.
        schema: Schema of the days.
        subject_id: Name of the person, for sources that do not tell people apart.
        day_start: Local time at which windows start; not for MMASH, whose window starts with the recording.
        report: Filled with what was used, dropped and found odd.

    Yields:
        The days of the source.

    Raises:
        FileNotFoundError: If there is nothing at the path.
        ValueError: If the source is of no known kind, or damaged.
    """
    start = day_start or "00:00"
    if isinstance(source, (np.ndarray, pd.DataFrame)):
        return read_table(
            source, schema=schema, timezone=timezone, subject_id=subject_id, day_start=start, report=report
        )
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(f"`source` must be a path, a DataFrame or a NumPy array, got {type(source).__name__}.")
    path = Path(source)
    kind = detect_source(path)
    if kind == "fitbit":
        return read_fitbit(path, timezone, schema=schema, subject_id=subject_id, day_start=start, report=report)
    if kind == "mmash":
        if day_start is not None:
            raise ValueError("`day_start` does not apply to MMASH: its window starts with the recording. Leave it out.")
        return read_mmash(path, timezone=timezone or "Europe/Rome", schema=schema, report=report)
    tables = [path] if path.is_file() else _tables(path)
    return chain.from_iterable(
        read_table(table, schema=schema, timezone=timezone, subject_id=subject_id, day_start=start, report=report)
        for table in tables
    )
