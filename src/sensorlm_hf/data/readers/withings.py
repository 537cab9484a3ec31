"""Withings: the CSV files of *Download your data*.

| file | used for |
|---|---|
| `raw_*_hr.csv` | heart rate (bpm) |
| `raw_tracker_steps.csv` | steps |
| `raw_*_sleep-state.csv` | stages of sleep |
| `sleep.csv` | sleep events |
| `activities.csv` | activity events |

A row of a raw file has a start and, in square brackets, the durations in seconds and values that follow one another.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import tzinfo

from ...days import SensorDay
from ...schema import SchemaLike
from .device_days import Batch
from .device_reader import DeviceExport, file_kind, read_device
from .device_times import seconds_of
from .export_files import ExportFile
from .quality import ReadReport

_STATES = {0: "awake", 1: "light", 2: "deep", 3: "rem"}
_HEADER = rb"\"?start\"?[,;]\"?duration\"?[,;]\"?value"


def _series(batch: Batch, file: ExportFile) -> Iterator[tuple[float, float, float]]:
    """Yields start, end and value of everything in a raw file."""
    frame = file.csv(("start", "duration", "value"))
    for row, (start, durations, values) in enumerate(
        zip(frame["start"], frame["duration"], frame["value"], strict=True), 2
    ):
        where = f"{file.label}, row {row}"
        moment = seconds_of(start, batch.zone, where, "start")
        lengths, held = _list(durations, where, "duration"), _list(values, where, "value")
        if len(lengths) != len(held):
            raise ValueError(f"{where}: {len(lengths)} durations, but {len(held)} values; there must be as many.")
        for length, value in zip(lengths, held, strict=True):
            yield moment, moment + length, value
            moment += length


def _list(cell: str, where: str, name: str) -> list[float]:
    try:
        return [float(part) for part in cell.strip().strip("[]").split(",") if part.strip()]
    except ValueError:
        raise ValueError(f"{where}: `{name}` must be numbers such as [60,60], got {cell!r}.") from None


def _heart(batch: Batch, file: ExportFile) -> None:
    series = list(_series(batch, file))
    batch.add_samples("HR", [start for start, _, _ in series], [value for _, _, value in series])


def _steps(batch: Batch, file: ExportFile) -> None:
    series = list(_series(batch, file))
    if series:
        batch.add_steps(file.base, *zip(*series, strict=True))


def _states(batch: Batch, file: ExportFile) -> None:
    for start, end, value in _series(batch, file):
        if value in _STATES:
            batch.stages.append((start, end, _STATES[int(value)]))
        else:
            batch.report.note("sleep-stage-unknown", "dropped", "stages of sleep with an unknown number", f"{value:g}")


def _mattress_states(batch: Batch, file: ExportFile) -> None:
    """The mattress writes 0 or 1 in some versions, awake or asleep, which is no stage; then none is read."""
    series = list(_series(batch, file))
    if all(value in (0, 1) for _, _, value in series):
        message = "states of a sleep mattress that only tell asleep from awake"
        batch.report.note("sleep-state-only", "info", message, file.base, len(series))
    else:
        _states(batch, file)


def _sleeps(batch: Batch, file: ExportFile) -> None:
    frame = file.csv(("from", "to"))
    for row, (start, end) in enumerate(zip(frame["from"], frame["to"], strict=True), 2):
        where = f"{file.label}, row {row}"
        begun = seconds_of(start, batch.zone, where, "from")
        batch.add_sleep(begun, seconds_of(end, batch.zone, where, "to"))


def _activities(batch: Batch, file: ExportFile) -> None:
    frame = file.csv(("from", "to", "Activity type"))
    for row, (start, end, name) in enumerate(zip(frame["from"], frame["to"], frame["Activity type"], strict=True), 2):
        where = f"{file.label}, row {row}"
        begun = seconds_of(start, batch.zone, where, "from")
        batch.add_workout(begun, seconds_of(end, batch.zone, where, "to"), name)


WITHINGS = DeviceExport(
    kind="withings",
    title="Withings",
    kinds=(
        file_kind(r"raw_.*hr\.csv", _heart, _HEADER),
        file_kind(r"raw_.*steps\.csv", _steps, _HEADER),
        file_kind(r"raw_tracker_sleep-state\.csv", _states, _HEADER),
        file_kind(r"raw_.*sleep-state\.csv", _mattress_states, _HEADER),
        file_kind(r"sleep\.csv", _sleeps, rb"\"?from\"?,\"?to\"?,", identifies=False),
        file_kind(r"activities\.csv", _activities, rb"\"?from\"?,\"?to\"?,[^\n]*Activity type"),
    ),
    looked_for="raw_tracker_hr.csv, raw_tracker_steps.csv, raw_*_sleep-state.csv, sleep.csv and activities.csv",
    why_zone="Days begin at the person's midnight.",
    unused=(
        (r".*(latitude|longitude|gps|location).*", "reveals where the person was"),
        (r"aggregates_.*\.csv", "totals of days, without minutes"),
        (r".*\.csv", "no channel for it"),
    ),
)


def read_withings(
    export: str | os.PathLike,
    timezone: str | tzinfo | None = None,
    *,
    schema: SchemaLike = "sensorlm-26",
    subject_id: str | None = None,
    day_start: str = "00:00",
    report: ReadReport | None = None,
    skip_bad: bool = True,
) -> Iterator[SensorDay]:
    """Reads one person's Withings export as local days.

    A heart rate fills the minute of its start. Steps are spread evenly over their record. Minutes without steps count 0
    while the watch was worn (heart rates at most 15 minutes apart).

    Written from descriptions of the format; not yet compared with an export of a real account.

    Args:
        export: The folder or zip with the CSV files, or one of them.
        timezone: IANA time zone of the person. Required.
        schema: Schema of the days.
        subject_id: Subject id; by default `"withings-"` and a hash of the first file's content.
        day_start: Local time `"HH:MM"` at which windows start, or `"first"`: at the first observed minute.
        report: Collects what was used, dropped or unusual; without one, dropped items are logged.
        skip_bad: Whether to skip and note unreadable files, if others can be read, instead of raising.

    Yields:
        Days in chronological order; days without any observed minute are omitted.

    Raises:
        FileNotFoundError: If the path does not exist or contains no Withings file.
        ValueError: If the zone is missing or unknown, or a file is damaged; the message names file and place.
    """
    return read_device(
        WITHINGS,
        export,
        timezone,
        schema=schema,
        subject_id=subject_id,
        day_start=day_start,
        report=report,
        skip_bad=skip_bad,
    )
