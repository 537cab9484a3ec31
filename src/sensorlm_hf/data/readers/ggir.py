"""GGIR: epochs and nights that the R package computed from raw acceleration.

| file | used for |
|---|---|
| epochs (`timestamp`, `ENMO`, ...) | channel `enmo` (mg), if the schema has it |
| time series of part 5 (`timenum`, `ACC`, `SleepPeriodTime`) | the same; sleep events |
| `part4_nightsummary_sleep*.csv` | sleep events |

GGIR's averages cannot be turned into the accelerometer features of the shipped schemas: read the raw recording for
them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo

import numpy as np

from ...days import SensorDay
from ...schema import SchemaLike
from .device_days import Batch, merge_segments
from .device_reader import DeviceExport, file_kind, read_device
from .device_times import date_of, local_seconds, seconds_of
from .export_files import ExportFile
from .quality import ReadReport
from .sources import numbers


def _epochs(batch: Batch, file: ExportFile) -> None:
    """Epochs whose ENMO is in g."""
    frame = file.csv(("timestamp", "ENMO"))
    times = [
        seconds_of(cell, batch.zone, f"{file.label}, row {row}", "timestamp")
        for row, cell in enumerate(frame["timestamp"], 2)
    ]
    batch.add_samples("enmo", times, (1000.0 * numbers(frame, "ENMO", file.label)).tolist())


def _series(batch: Batch, file: ExportFile) -> None:
    """Epochs of part 5, whose acceleration is in mg."""
    frame = file.csv(("timenum", "ACC"))
    times = numbers(frame, "timenum", file.label).to_numpy()
    values = numbers(frame, "ACC", file.label).to_numpy()
    if "invalidepoch" in frame.columns:
        invalid = numbers(frame, "invalidepoch", file.label).to_numpy() == 1
        batch.report.note("not-worn", "dropped", "epochs in which GGIR found no device worn", count=int(invalid.sum()))
        values = np.where(invalid, np.nan, values)
    batch.add_samples("enmo", times.tolist(), values.tolist())
    if "SleepPeriodTime" in frame.columns and len(times) > 1:
        asleep = times[numbers(frame, "SleepPeriodTime", file.label).to_numpy() == 1]
        length = float(np.median(np.diff(times)))
        for start, end in merge_segments([(time, time + length) for time in asleep.tolist()], pause=length):
            batch.add_sleep(start, end)


def _nights(batch: Batch, file: ExportFile) -> None:
    """Nights of part 4: hours from midnight before the night, so that 31.5 is 7:30 on the next morning."""
    frame = file.csv(("calendar_date", "sleeponset", "wakeup"))
    onsets, wakes = (numbers(frame, name, file.label).to_numpy() for name in ("sleeponset", "wakeup"))
    for row, (cell, onset, wake) in enumerate(zip(frame["calendar_date"], onsets, wakes, strict=True), 2):
        if np.isnan(onset) or np.isnan(wake):
            batch.add_sleep(None, None)
            continue
        day = date_of(cell.strip(), f"{file.label}, row {row}", "calendar_date")
        midnight = datetime(day.year, day.month, day.day)
        start, end = (local_seconds(midnight + timedelta(hours=float(hours)), batch.zone) for hours in (onset, wake))
        batch.add_sleep(start, end, True)


GGIR = DeviceExport(
    kind="ggir",
    title="GGIR",
    kinds=(
        file_kind(r"part4_nightsummary_sleep.*\.csv", _nights),
        file_kind(r".*\.csv", _series, rb"[^\n]*\"?timenum\"?[,;][^\n]*\"?ACC\"?"),
        file_kind(r".*\.csv", _epochs, rb"\"?timestamp\"?[,;][^\n]*\"?ENMO\"?"),
    ),
    looked_for="epochs (timestamp, ENMO), time series of part 5 (timenum, ACC) and part4_nightsummary_sleep*.csv",
    why_zone="GGIR's nights are in local time.",
    unused=((r"part[245]_.*\.csv", "summaries of days and people, without minutes"),),
)


def read_ggir(
    export: str | os.PathLike,
    timezone: str | tzinfo | None = None,
    *,
    schema: SchemaLike = "sensorlm-26",
    subject_id: str | None = None,
    day_start: str = "00:00",
    report: ReadReport | None = None,
    skip_bad: bool = True,
) -> Iterator[SensorDay]:
    """Reads one person's output of GGIR as local days.

    The mean acceleration above gravity (ENMO, mg) fills the channel `enmo`, which no shipped schema has.

    Written from descriptions of the output; not yet compared with files of a real study.

    Args:
        export: A CSV file of GGIR, or a folder or zip of one person's files.
        timezone: IANA time zone of the person. Required.
        schema: Schema of the days.
        subject_id: Subject id; by default `"ggir-"` and a hash of the first file's content.
        day_start: Local time `"HH:MM"` at which windows start, or `"first"`: at the first observed minute.
        report: Collects what was used, dropped or unusual; without one, dropped items are logged.
        skip_bad: Whether to skip and note unreadable files, if others can be read, instead of raising.

    Yields:
        Days in chronological order; days without any observed minute are omitted.

    Raises:
        FileNotFoundError: If the path does not exist or contains no file of GGIR.
        ValueError: If the zone is missing or unknown, or a file is damaged; the message names file and place.
    """
    return read_device(
        GGIR,
        export,
        timezone,
        schema=schema,
        subject_id=subject_id,
        day_start=day_start,
        report=report,
        skip_bad=skip_bad,
    )
