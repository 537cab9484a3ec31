"""Whoop: the CSV export of an account. It contains events and daily values, but no minutes.

| file | used for | times |
|---|---|---|
| `sleeps.csv` | sleep events | local, with an offset in each row |
| `workouts.csv` | activity events | local, with an offset in each row |
| `physiological_cycles.csv` | labels of the day on which the person woke | local, with an offset in each row |

Whoop measures heart rate all day but does not export it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date, tzinfo

import numpy as np
import pandas as pd

from ...days import MINUTES_PER_DAY, SensorDay
from ...schema import SchemaLike
from .device_days import Batch, DeviceDays
from .device_reader import DeviceExport, file_kind, read_device
from .device_times import date_of, seconds_of
from .export_files import ExportFile
from .logs import events_in_window
from .minutes import local_day_of, moment_of, window_start
from .quality import ReadReport
from .sources import numbers

LABELS = {
    "Resting heart rate (bpm)": "resting_heart_rate",
    "Heart rate variability (ms)": "heart_rate_variability",
    "Respiratory rate (rpm)": "respiratory_rate",
    "Recovery score %": "recovery_score",
    "Day Strain": "day_strain",
}
"""Columns of `physiological_cycles.csv`, and the labels for them: bpm, ms (RMSSD), breaths per minute, %, 0 to 21."""

_ZONE = "Cycle timezone"


def _times(batch: Batch, frame: pd.DataFrame, file: ExportFile, column: str) -> list[float | None]:
    """Returns the times of a column, None where the cell is empty."""
    return [
        seconds_of(f"{time.strip()} {offset.strip()}", batch.zone, f"{file.label}, row {row}", column)
        if time.strip()
        else None
        for row, (time, offset) in enumerate(zip(frame[column], frame[_ZONE], strict=True), 2)
    ]


def _sleeps(batch: Batch, file: ExportFile) -> None:
    frame = file.csv((_ZONE, "Sleep onset", "Wake onset"))
    naps = frame["Nap"].str.lower() if "Nap" in frame.columns else [""] * len(frame)
    onsets, wakes = (_times(batch, frame, file, name) for name in ("Sleep onset", "Wake onset"))
    for onset, wake, nap in zip(onsets, wakes, naps, strict=True):
        batch.add_sleep(onset, wake, {"true": False, "false": True}.get(nap))


def _workouts(batch: Batch, file: ExportFile) -> None:
    frame = file.csv((_ZONE, "Workout start time", "Workout end time", "Activity name"))
    starts, ends = (_times(batch, frame, file, f"Workout {edge} time") for edge in ("start", "end"))
    for start, end, name in zip(starts, ends, frame["Activity name"], strict=True):
        batch.add_workout(start, end, name)


def _cycles(batch: Batch, file: ExportFile) -> None:
    try:
        frame = file.csv((_ZONE, "Wake onset"))
    except ValueError as error:
        raise ValueError(
            f"{error} Its values belong to the day of waking; give physiological_cycles.csv as exported."
        ) from None
    columns = {name: numbers(frame, name, file.label) for name in LABELS if name in frame.columns}
    for row, wake in enumerate(frame["Wake onset"].str.strip()):
        if not wake:
            batch.report.note("cycle-without-wake", "dropped", "days of which the person's waking is unknown")
            continue
        day = date_of(wake, f"{file.label}, row {row + 2}", "Wake onset")
        for name, values in columns.items():
            if np.isfinite(values.iloc[row]):
                batch.daily.append((day, LABELS[name], float(values.iloc[row])))


def _renamed(batch: Batch, file: ExportFile) -> None:
    """Reads a file of another name by its columns."""
    columns = file.csv().columns
    read = _workouts if "Workout start time" in columns else _sleeps if "Nap" in columns else _cycles
    read(batch, file)


WHOOP = DeviceExport(
    kind="whoop",
    title="Whoop",
    kinds=(
        file_kind(r"sleeps.*\.csv", _sleeps, rb"[^\n]*Cycle start time"),
        file_kind(r"workouts.*\.csv", _workouts, rb"[^\n]*Cycle start time"),
        file_kind(r"physiological_cycles.*\.csv", _cycles, rb"[^\n]*Cycle start time"),
        file_kind(r"(?!journal_entries).*\.csv", _renamed, rb"[^\n]*Cycle start time"),
    ),
    looked_for="physiological_cycles.csv, sleeps.csv and workouts.csv",
    why_zone="Days begin at the person's midnight.",
    unused=((r"journal_entries.*\.csv", "answers of a diary, which reveal habits"),),
    labels=tuple(LABELS.values()),
)


def _days(built: DeviceDays) -> Iterator[SensorDay]:
    """Yields the local days that have an event or a label; all of their minutes are missing."""
    built.prepare()
    person = built.person
    starts: set[date] = set(person.labels)
    for span in person.spans:
        for minute in (span.start, max(span.end - 1, span.start)):
            starts.add(local_day_of(minute, person.day_start or 0, person.zone))
    for day in sorted(starts):
        start = window_start(day, person.day_start or 0, person.zone)
        events = events_in_window(person.spans, start)
        if events or day in person.labels:
            yield SensorDay(
                values=np.full((MINUTES_PER_DAY, len(person.schema)), np.nan, dtype=np.float32),
                start=moment_of(start, person.zone),
                subject_id=person.subject_id,
                schema=person.schema,
                events=events,
                labels=person.labels.get(day, {}),
            )


def read_whoop(
    export: str | os.PathLike,
    timezone: str | tzinfo | None = None,
    *,
    schema: SchemaLike = "sensorlm-26",
    subject_id: str | None = None,
    day_start: str = "00:00",
    report: ReadReport | None = None,
    skip_bad: bool = True,
) -> Iterator[SensorDay]:
    """Reads one person's Whoop export as local days of events and labels.

    The export contains no minute values, so all values of the days are missing, and models have nothing to see. The
    days are useful beside those of another device: their sleeps, workouts and labels.

    Written from the format's description; not yet compared with an export of a real account.

    Args:
        export: The folder or zip with `physiological_cycles.csv`, `sleeps.csv` and `workouts.csv`, or one of them.
        timezone: IANA time zone of the person. Required.
        schema: Schema of the days.
        subject_id: Subject id; by default `"whoop-"` and a hash of the first file's content.
        day_start: Local time `"HH:MM"` at which windows start; `"first"` is midnight, because no minute is observed.
        report: Collects what was used, dropped or unusual; without one, dropped items are logged.
        skip_bad: Whether to skip and note unreadable files, if others can be read, instead of raising.

    Yields:
        Days with an event or a label, in chronological order. Labels are those of [`LABELS`].

    Raises:
        FileNotFoundError: If the path does not exist or contains no Whoop file.
        ValueError: If the zone is missing or unknown, or a file is damaged; the message names file and row. Times must
            be YYYY-MM-DD HH:MM:SS: a spreadsheet that saves the file again may change them.
    """
    return read_device(
        WHOOP,
        export,
        timezone,
        schema=schema,
        subject_id=subject_id,
        day_start=day_start,
        report=report,
        skip_bad=skip_bad,
        days=_days,
    )
