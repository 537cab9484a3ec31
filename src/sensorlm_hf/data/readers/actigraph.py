"""ActiGraph: ActiLife's epochs (`.agd`, `.csv` with ten lines before the table), and raw recordings (`.gt3x`).

| column | used for |
|---|---|
| `steps`, `Steps` | steps of the epoch |
| `hr`, `HR` | heart rate (bpm), of epochs up to a minute |
| table `sleep`, `inBedTimestamp`, `outBedTimestamp` | sleep events |

Counts of the axes, inclinometer and light have no channel. Raw recordings (`.gt3x`) become features of the
accelerometer, see [`sensorlm_hf.data.readers.gt3x`]. Times are those of the device's clock, in the person's zone. An
ActiGraph counts 0 steps while nobody wears it.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from typing import Any

import numpy as np

from ...days import SensorDay
from ...schema import SchemaLike
from .databases import database_of
from .device_days import Batch
from .device_reader import DeviceExport, file_kind, read_device
from .device_times import local_seconds
from .export_files import ExportFile
from .gt3x import read_gt3x
from .local_times import seconds_of_device_clock
from .quality import ReadReport
from .sources import numbers

PREAMBLE_LINES = 10
"""Lines before a table."""

_TICKS_EPOCH = datetime(1, 1, 1)
_TICKS_PER_SECOND = 10_000_000
_LATEST_TICKS = 9999 * 365 * 86_400 * _TICKS_PER_SECOND
_DATE_PARTS = {"yyyy": "%Y", "yy": "%y", "MM": "%m", "M": "%m", "dd": "%d", "d": "%d"}


def _local(ticks: Any) -> datetime:
    """The local time of a number of .NET ticks, 100 ns since year 1."""
    if not isinstance(ticks, (int, float)) or not 0 <= ticks < _LATEST_TICKS:
        raise ValueError(f"contains {str(ticks)[:80]!r} where a time in .NET ticks must be; export it again.")
    return _TICKS_EPOCH + timedelta(seconds=ticks // _TICKS_PER_SECOND)


def _epochs(batch: Batch, times: list[float], seconds: float, steps: np.ndarray | None, bpm: np.ndarray | None) -> None:
    """Adds the epochs of a recording; an epoch without heart rate has 0."""
    if steps is not None:
        batch.add_steps("ActiGraph", times, [time + seconds for time in times], steps.tolist())
    if bpm is None:
        return
    if seconds <= 60:
        batch.add_samples("HR", times, np.where(bpm == 0, np.nan, bpm).tolist())
    else:
        message = "heart rates of epochs longer than a minute"
        batch.report.note("not-minutes", "dropped", message, count=int((bpm > 0).sum()))


def _agd(batch: Batch, file: ExportFile) -> None:
    with database_of(file.data(), file.label, ".agd database") as database:
        _read_database(batch, database, file.label)


def _read_database(batch: Batch, database: sqlite3.Connection, label: str) -> None:
    settings = dict(database.execute("SELECT settingName, settingValue FROM settings"))
    try:
        seconds = float(settings["epochlength"])
    except (KeyError, ValueError, TypeError):
        raise ValueError(
            f"{label}: the setting `epochlength` must be a number of seconds, got {settings.get('epochlength')!r}."
        ) from None
    names = {str(row[1]).lower(): str(row[1]) for row in database.execute("PRAGMA table_info(data)")}
    if "datatimestamp" not in names:
        raise ValueError(f"{label}: the table `data` lacks the column dataTimestamp; it has {', '.join(names)}.")
    held = [names[column] for column in ("steps", "hr") if column in names]
    rows = database.execute(f"SELECT {', '.join([names['datatimestamp'], *held])} FROM data ORDER BY 1").fetchall()
    stamps = np.array([_local(row[0]) for row in rows], dtype="datetime64[us]")
    times = seconds_of_device_clock(stamps, batch.zone)[0].tolist()
    columns = {name.lower(): _numbers([row[n] for row in rows], name) for n, name in enumerate(held, 1)}
    _epochs(batch, times, seconds, columns.get("steps"), columns.get("hr"))
    sleep = {str(row[1]) for row in database.execute("PRAGMA table_info(sleep)")}
    if {"inBedTimestamp", "outBedTimestamp"} <= sleep:
        for start, end in database.execute("SELECT inBedTimestamp, outBedTimestamp FROM sleep"):
            batch.add_sleep(local_seconds(_local(start), batch.zone), local_seconds(_local(end), batch.zone))


def _numbers(cells: list[Any], column: str) -> np.ndarray:
    """A column of numbers, NaN where a cell is empty. SQLite stores any type in any column."""
    wrong = next((cell for cell in cells if cell is not None and not isinstance(cell, (int, float))), None)
    if wrong is not None:
        raise ValueError(f"contains {str(wrong)[:80]!r} in the column {column}, which must be numbers.")
    return np.array([np.nan if cell is None else cell for cell in cells], dtype=float)


def _table(batch: Batch, file: ExportFile) -> None:
    lines = file.text().splitlines()
    preamble = "\n".join(lines[:PREAMBLE_LINES])
    written = re.search(r"date format (\S+)", preamble)
    if written is None:
        raise ValueError(f"{file.label}, line 1: must name the format of dates, such as `date format M/d/yyyy`.")
    date_format = re.sub("|".join(_DATE_PARTS), lambda part: _DATE_PARTS[part[0]], written[1])
    start = _start(preamble, date_format, file.label)
    epoch = re.search(r"Epoch Period[^\d\n]*(?:\([^)]*\))?\s*(\d+):(\d+):(\d+)", preamble)
    if epoch is None:
        raise ValueError(f"{file.label}: the lines before the table must contain `Epoch Period (hh:mm:ss) 00:01:00`.")
    seconds = int(epoch[1]) * 3600 + int(epoch[2]) * 60 + int(epoch[3])
    if seconds < 1:
        raise ValueError(f"{file.label}: this is raw acceleration, not epochs; export epochs from ActiLife.")
    if not any(letter.isalpha() for letter in "".join(lines[PREAMBLE_LINES : PREAMBLE_LINES + 1])):
        raise ValueError(
            f"{file.label}, line {PREAMBLE_LINES + 1}: must be the names of columns; export it with headers."
        )
    frame = file.csv(skip=PREAMBLE_LINES)
    columns = {name.strip().lower(): name for name in frame.columns}
    first = local_seconds(start, batch.zone)
    times = [first + seconds * row for row in range(len(frame))]  # elapsed time, also where clocks change
    if "date" in columns and "time" in columns:
        cells = zip(frame[columns["date"]], frame[columns["time"]], strict=True)
        moments = [
            _moment(f"{date.strip()} {clock.strip()}", date_format, f"{file.label}, line {row}")
            for row, (date, clock) in enumerate(cells, PREAMBLE_LINES + 2)
        ]
        times = seconds_of_device_clock(np.array(moments, dtype="datetime64[us]"), batch.zone)[0].tolist()
    held = {
        key: numbers(frame, columns[key], file.label, PREAMBLE_LINES + 2).to_numpy()
        for key in ("steps", "hr")
        if key in columns
    }
    _epochs(batch, times, float(seconds), held.get("steps"), held.get("hr"))


def _start(preamble: str, date_format: str, label: str) -> datetime:
    clock, day = re.search(r"Start Time\s+(\S+)", preamble), re.search(r"Start Date\s+(\S+)", preamble)
    if clock is None or day is None:
        raise ValueError(f"{label}: the lines before the table must contain `Start Time` and `Start Date`.")
    return _moment(f"{day[1]} {clock[1]}", date_format, label)


def _moment(text: str, date_format: str, where: str) -> datetime:
    try:
        return datetime.strptime(text, f"{date_format} %H:%M:%S")
    except ValueError:
        raise ValueError(f"{where}: a time must be like {date_format} %H:%M:%S, got {text!r}.") from None


ACTIGRAPH = DeviceExport(
    kind="actigraph",
    title="ActiGraph",
    kinds=(
        file_kind(r".*\.agd", _agd),
        file_kind(r".*\.gt3x", read_gt3x),
        file_kind(r".*\.csv", _table, rb"\"?-+ ?Data (?:Table )?File Created By ActiGraph"),
    ),
    looked_for="*.agd, *.gt3x, and *.csv that begins with `Data Table File Created By ActiGraph`",
    why_zone="ActiGraph writes the times of the device's clock, without an offset.",
)


def read_actigraph(
    export: str | os.PathLike,
    timezone: str | tzinfo | None = None,
    *,
    schema: SchemaLike = "sensorlm-26",
    subject_id: str | None = None,
    day_start: str = "00:00",
    report: ReadReport | None = None,
    skip_bad: bool = True,
) -> Iterator[SensorDay]:
    """Reads one person's ActiGraph recordings as local days.

    Epochs are spread evenly over their minutes. In epochs, an ActiGraph counts 0 steps while nobody wears it, and the
    reader does not find out when that was; in raw recordings it does, see [`minutes_not_worn`].

    Written from descriptions of the format; not yet compared with files of a real device.

    Args:
        export: An `.agd`, `.csv` or `.gt3x` file, or a folder or zip of one person's files.
        timezone: IANA time zone of the person. Required.
        schema: Schema of the days.
        subject_id: Subject id; by default `"actigraph-"` and a hash of the first file's content.
        day_start: Local time `"HH:MM"` at which windows start, or `"first"`: at the first observed minute.
        report: Collects what was used, dropped or unusual; without one, dropped items are logged.
        skip_bad: Whether to skip and note unreadable files, if others can be read, instead of raising.

    Yields:
        Days in chronological order; days without any observed minute are omitted.

    Raises:
        FileNotFoundError: If the path does not exist or contains no epochs of an ActiGraph.
        ValueError: If the zone is missing or unknown, or a file is damaged; the message names file and place.
    """
    return read_device(
        ACTIGRAPH,
        export,
        timezone,
        schema=schema,
        subject_id=subject_id,
        day_start=day_start,
        report=report,
        skip_bad=skip_bad,
    )
