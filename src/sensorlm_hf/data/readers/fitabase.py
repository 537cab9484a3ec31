"""Fitabase: the CSV files of a study with Fitbit devices; each row has the id of a person.

| file | used for |
|---|---|
| `heartrate_seconds*.csv` | heart rate (bpm) |
| `minuteStepsNarrow*.csv` | steps |
| `minuteSleep*.csv` | sleep events |
| `30secondSleepStages*.csv` | stages of sleep |

Times are local, as M/D/YYYY with AM or PM.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import tzinfo

import numpy as np
import pandas as pd

from ...days import SensorDay
from ...schema import SchemaLike
from .device_days import Batch
from .device_reader import DeviceExport, file_kind, read_device
from .export_files import ExportFile
from .local_times import REPEATED_HOUR, seconds_of_local_times
from .quality import ReadReport
from .sources import numbers

_FORMAT = "%m/%d/%Y %I:%M:%S %p"
_STAGES = {"wake": "awake", "light": "light", "deep": "deep", "rem": "rem"}


def _times(batch: Batch, frame: pd.DataFrame, column: str, label: str) -> np.ndarray:
    """Returns the seconds since 1970 of a column of local times."""
    parsed = pd.to_datetime(frame[column].str.strip(), format=_FORMAT, errors="coerce")
    if parsed.isna().any():
        row = int(parsed.isna().to_numpy().argmax())
        raise ValueError(
            f"{label}, row {row + 2}: `{column}` must be a time such as 4/12/2024 7:21:00 AM, got"
            f" {frame[column].iloc[row]!r}."
        )
    people = np.unique(frame["Id"].str.strip().to_numpy().astype(str), return_inverse=True)[1]
    seconds, second = seconds_of_local_times(parsed.to_numpy(), batch.zone, people)
    batch.report.note("repeated-hour", "info", REPEATED_HOUR, label, int(second.sum()))
    return seconds


def _people(frame: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    ids = frame["Id"].str.strip().to_numpy().astype(str)
    for person in np.unique(ids):
        yield str(person), ids == person


def _heart(batch: Batch, file: ExportFile) -> None:
    frame = file.csv(("Id", "Time", "Value"))
    times, values = _times(batch, frame, "Time", file.label), numbers(frame, "Value", file.label).to_numpy()
    for person, mine in _people(frame):
        batch.person(person).add_samples("HR", times[mine].tolist(), values[mine].tolist())


def _steps(batch: Batch, file: ExportFile) -> None:
    frame = file.csv(("Id", "ActivityMinute", "Steps"))
    times = _times(batch, frame, "ActivityMinute", file.label)
    counts = numbers(frame, "Steps", file.label).to_numpy()
    for person, mine in _people(frame):
        starts = times[mine]
        batch.person(person).add_steps("fitbit", starts.tolist(), (starts + 60).tolist(), counts[mine].tolist())


def _sleep(batch: Batch, file: ExportFile) -> None:
    frame = file.csv(("Id", "date", "logId"))
    minutes = pd.DataFrame(
        {"Id": frame["Id"].str.strip(), "log": frame["logId"], "time": _times(batch, frame, "date", file.label)}
    )
    for _, log in minutes.groupby(["Id", "log"], sort=True):
        # Minutes of a log may start on half minutes.
        start, end = float(log["time"].min()), float(log["time"].max()) + 60.0
        batch.person(str(log["Id"].iloc[0])).add_sleep(start, end)


def _stages(batch: Batch, file: ExportFile) -> None:
    frame = file.csv(("Id", "Time"))
    column = next((name for name in ("SleepStage", "Level") if name in frame.columns), None)
    if column is None:
        raise ValueError(f"{file.label}: lacks the column SleepStage or Level; it has {', '.join(frame.columns)}.")
    times = _times(batch, frame, "Time", file.label)
    for person, start, stage in zip(frame["Id"].str.strip(), times.tolist(), frame[column], strict=True):
        if stage.strip().lower() in _STAGES:
            batch.person(person).stages.append((start, start + 30.0, _STAGES[stage.strip().lower()]))


FITABASE = DeviceExport(
    kind="fitabase",
    title="Fitabase",
    kinds=(
        file_kind(r"heartrate_seconds.*\.csv", _heart, rb"\"?Id\"?,"),
        file_kind(r"minuteStepsNarrow.*\.csv", _steps, rb"\"?Id\"?,"),
        file_kind(r"minuteSleep.*\.csv", _sleep, rb"\"?Id\"?,"),
        file_kind(r"30secondSleepStages.*\.csv", _stages, rb"\"?Id\"?,"),
    ),
    looked_for="heartrate_seconds*.csv, minuteStepsNarrow*.csv, minuteSleep*.csv and 30secondSleepStages*.csv",
    why_zone="Fitabase writes local times, without an offset.",
    unused=((r".*\.csv", "totals of hours or days, wide copies of the same minutes, and no channel for it"),),
)


def read_fitabase(
    export: str | os.PathLike,
    timezone: str | tzinfo | None = None,
    *,
    schema: SchemaLike = "sensorlm-26",
    subject_id: str | None = None,
    day_start: str = "00:00",
    report: ReadReport | None = None,
    skip_bad: bool = True,
) -> Iterator[SensorDay]:
    """Reads the people of a Fitabase study as local days.

    The study may contain many people, whose ids in the files are the subject ids. Minutes without steps count 0 while
    the device was worn (heart rates at most 15 minutes apart).

    Written from published files of the format.

    Args:
        export: The folder or zip with the CSV files, or one of them.
        timezone: IANA time zone of the people. Required.
        schema: Schema of the days.
        subject_id: Subject id instead of the id in the files; only if they contain one person.
        day_start: Local time `"HH:MM"` at which windows start, or `"first"`: at the first observed minute.
        report: Collects what was used, dropped or unusual; without one, dropped items are logged.
        skip_bad: Whether to skip and note unreadable files, if others can be read, instead of raising.

    Yields:
        Days by person, then in chronological order; days without any observed minute are omitted.

    Raises:
        FileNotFoundError: If the path does not exist or contains no Fitabase file.
        ValueError: If the zone is missing or unknown, or a file is damaged; the message names file and place.
    """
    return read_device(
        FITABASE,
        export,
        timezone,
        schema=schema,
        subject_id=subject_id,
        day_start=day_start,
        report=report,
        skip_bad=skip_bad,
    )
