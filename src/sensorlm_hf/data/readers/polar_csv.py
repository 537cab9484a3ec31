"""A session that Polar Flow's *Export session (CSV)* wrote: a table with one row, followed by one with its samples.

The date is DD-MM-YYYY, and times are those of the watch, without an offset. The rows after the second header are
`Sample rate, Time, HR (bpm), ...`, of which the first cell is only filled in the first row.
"""

from __future__ import annotations

import csv
from datetime import datetime

import numpy as np

from .device_days import Batch
from .device_times import local_seconds
from .export_files import ExportFile

SESSION_HEAD = rb"\"?Name\"?[,;]\"?Sport\"?[,;]\"?Date\"?[,;]\"?Start time\"?[,;]\"?Duration\"?"
"""How such a file begins."""

_SAMPLES = ("Time", "HR (bpm)")


def read_session_csv(batch: Batch, file: ExportFile) -> None:
    """Adds the workout and its heart rates.

    Raises:
        ValueError: If the file is damaged; the message gives the line.
    """
    lines = file.text().splitlines()
    separator = max(",;", key=lines[0].count)
    rows = list(csv.reader(lines, delimiter=separator))
    if len(rows) < 2:
        raise ValueError(f"{file.label}, line 2: the session's row is missing. The file seems to be truncated.")
    session = dict(zip((name.strip() for name in rows[0]), (cell.strip() for cell in rows[1]), strict=False))
    written = f"{session.get('Date', '')} {session.get('Start time', '')}"
    try:
        start = local_seconds(datetime.strptime(written, "%d-%m-%Y %H:%M:%S"), batch.zone)
    except ValueError:
        raise ValueError(
            f"{file.label}, line 2: `Date` and `Start time` must be like 31-12-2024 and 08:00:00, got {written!r}."
        ) from None
    length = _seconds(session.get("Duration", ""), f"{file.label}, line 2", "Duration")
    batch.add_workout(start, start + length, session.get("Sport", "").replace("_", " "))
    if len(rows) > 2:
        _samples(batch, file, rows[2:], start)


def _samples(batch: Batch, file: ExportFile, rows: list[list[str]], start: float) -> None:
    names = [name.strip() for name in rows[0]]
    if any(name not in names for name in _SAMPLES):
        message = "workouts without heart rates, which are only events of days that other files observe"
        batch.report.note("no-heart-rate", "info", message, file.base)
        return
    clock, rate = (names.index(name) for name in _SAMPLES)
    times, values = [], []
    for line, row in enumerate(rows[1:], 4):
        if not any(row):
            continue
        where = f"{file.label}, line {line}"
        if len(row) <= max(clock, rate):
            raise ValueError(f"{where}: has {len(row)} cells instead of {len(names)}.")
        times.append(start + _seconds(row[clock], where, "Time"))
        try:
            values.append(float(row[rate].replace(",", ".")) if row[rate].strip() else np.nan)
        except ValueError:
            raise ValueError(f"{where}: `HR (bpm)` must be a number, got {row[rate]!r}.") from None
    batch.add_samples("HR", times, values)


def _seconds(text: str, where: str, name: str) -> float:
    """Seconds of a duration HH:MM:SS, which may have a fraction."""
    parts = text.strip().split(":")
    try:
        hours, minutes, seconds = (float(part) for part in parts)
    except ValueError:
        raise ValueError(f"{where}: `{name}` must be like 00:30:00, got {text!r}.") from None
    return hours * 3600.0 + minutes * 60.0 + seconds
