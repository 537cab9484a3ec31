"""Health Auto Export (iOS app): its JSON and CSV files of Apple Health.

| metric | used for |
|---|---|
| `heart_rate` (`Avg`), `Heart Rate [Avg] (count/min)` | heart rate (bpm) |
| `step_count`, `Step Count (count)` | steps |
| `heart_rate_variability`, `Heart Rate Variability (ms)` | SDNN (ms) |
| `blood_oxygen_saturation`, `Blood Oxygen Saturation (%)` | oxygen saturation (%) |
| `resting_heart_rate` | label `resting_heart_rate` (bpm) |
| `sleep_analysis` | sleep events, stages |
| workouts | activity events, heart rate in workouts |

The app writes local times, with an offset in JSON. It can add up minutes, hours or days; only minutes, and samples that
are not added up, have a place in a day of minutes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import tzinfo
from typing import Any

import numpy as np

from ...days import SensorDay
from ...schema import SchemaLike
from .device_days import Batch, merge_segments
from .device_reader import DeviceExport, file_kind, read_device
from .device_times import seconds_of
from .export_files import ExportFile, objects
from .minutes import moment_of, to_float
from .quality import ReadReport
from .sources import numbers

METRICS = {
    "heart_rate": ("HR", ("count/min", "bpm")),
    "step_count": ("steps", ("count", "steps")),
    "heart_rate_variability": ("sdnn", ("ms",)),
    "blood_oxygen_saturation": ("spo2", ("%",)),
    "resting_heart_rate": ("resting", ("count/min", "bpm")),
}
"""Metrics of the app, what they measure, and the units in which they are read."""

_SLEEP = "sleep_analysis"
_STAGES = {"core": "light", "deep": "deep", "rem": "rem", "awake": "awake"}
_ASLEEP = ("core", "deep", "rem", "asleep", "unspecified")
_COLUMN = re.compile(r"(.+?)(?: \[(\w+)\])? \(([^()]+)\)")
_HOUR = 3600.0


def _json(batch: Batch, file: ExportFile) -> None:
    root = file.json()
    data = root.get("data") if isinstance(root, dict) else None
    if not isinstance(data, dict):
        raise ValueError(f"{file.label}: must be an object with `data`, which has `metrics` or `workouts`.")
    for metric in objects(data.get("metrics") or [], file.label, "`metrics`"):
        name, where = str(metric.get("name")), f"{file.label}, {metric.get('name')}"
        entries = objects(metric.get("data") or [], where, "`data`")
        if name == _SLEEP:
            _sleep(batch, entries, where)
        elif name in METRICS:
            _check_unit(name, str(metric.get("units", METRICS[name][1][0])), where)
            times = [seconds_of(entry.get("date"), batch.zone, where, "date") for entry in entries]
            values = [_quantity(entry, where) for entry in entries]
            _metric(batch, METRICS[name][0], times, values, where, added_up=_added_up(times))
        else:
            batch.report.note("records-unused", "info", "records without a channel", name, len(entries))
    for workout in objects(data.get("workouts") or [], file.label, "`workouts`"):
        _workout(batch, workout, f"{file.label}, workout")


def _quantity(entry: dict[str, Any], where: str) -> float:
    value = entry.get("Avg", entry.get("avg", entry.get("qty")))
    try:
        return to_float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{where}: `Avg` or `qty` must be a number, got {value!r}.") from None


def _check_unit(name: str, unit: str, where: str) -> None:
    allowed = METRICS[name][1]
    if unit not in allowed:
        raise ValueError(
            f"{where}: the unit must be {' or '.join(allowed)}, got {unit!r}; choose it in the app's settings."
        )


def _added_up(times: list[float]) -> bool:
    """Returns whether values are sums or means of hours or days: those are hours apart, samples only by chance.

    They start on whole hours, which in some zones are quarters of an hour in UTC.
    """
    return len(times) > 1 and times[0] % 900 == 0 and all((time - times[0]) % _HOUR == 0 for time in times)


def _metric(batch: Batch, what: str, times: list[float], values: list[float], where: str, *, added_up: bool) -> None:
    if what == "resting":
        for time, bpm in zip(times, values, strict=True):
            day = moment_of(int(time // 60), batch.zone).date()
            batch.daily.append((day, "resting_heart_rate", round(bpm, 1)))
    elif added_up:
        message = "values of hours or days; export them again with minutes as the app's aggregation"
        batch.report.note("not-minutes", "dropped", message, where, len(times))
    elif what == "steps":
        batch.add_steps("phone and watch", times, [time + 60.0 for time in times], values)
    elif what == "spo2":
        batch.add_samples(what, times, [value * 100.0 if value <= 1.0 else value for value in values])
    else:
        batch.add_samples(what, times, values)


def _sleep(batch: Batch, entries: list[dict[str, Any]], where: str) -> None:
    segments: list[tuple[float, float]] = []
    for entry in entries:
        if entry.get("sleepStart") is not None:  # a night
            start, end = (seconds_of(entry.get(name), batch.zone, where, name) for name in ("sleepStart", "sleepEnd"))
            batch.add_sleep(start, end)
        elif entry.get("startDate") is not None:  # a stage
            start, end = (seconds_of(entry.get(name), batch.zone, where, name) for name in ("startDate", "endDate"))
            state = str(entry.get("value", "")).strip().lower()
            if state in _ASLEEP:
                segments.append((start, end))
            if state in _STAGES:
                batch.stages.append((start, end, _STAGES[state]))
        else:
            batch.add_sleep(None, None)
    for start, end in merge_segments(segments):
        batch.add_sleep(start, end)


def _workout(batch: Batch, workout: dict[str, Any], where: str) -> None:
    if workout.get("start") is None or workout.get("end") is None:
        batch.add_workout(None, None, "")
        return
    start, end = (seconds_of(workout[name], batch.zone, where, name) for name in ("start", "end"))
    batch.add_workout(start, end, str(workout.get("name") or ""))
    rates = objects(workout.get("heartRateData") or [], where, "`heartRateData`")
    times = [seconds_of(rate.get("date"), batch.zone, where, "date") for rate in rates]
    batch.add_samples("HR", times, [_quantity(rate, where) for rate in rates])


def _csv(batch: Batch, file: ExportFile) -> None:
    """Reads a table of metrics, whose columns are `Metric [Avg] (unit)`."""
    frame = file.csv()
    first = frame.columns[0]
    cells = enumerate(frame[first], 2)
    times = np.array([seconds_of(cell, batch.zone, f"{file.label}, row {row}", first) for row, cell in cells])
    added_up = _added_up(times.tolist())
    for column in frame.columns[1:]:
        match = _COLUMN.fullmatch(column)
        name = match[1].strip().lower().replace(" ", "_") if match else ""
        if match is None or name not in METRICS or match[2] not in (None, "Avg"):
            batch.report.note("columns-unused", "info", "columns without a channel", column)
            continue
        where = f"{file.label}, {column}"
        _check_unit(name, match[3], where)
        values = numbers(frame, column, file.label).to_numpy()
        known = np.isfinite(values)
        if known.any():
            held = times[known].tolist(), values[known].tolist()
            _metric(batch, METRICS[name][0], *held, where, added_up=added_up)


HEALTH_AUTO_EXPORT = DeviceExport(
    kind="health-auto-export",
    title="Health Auto Export",
    kinds=(
        file_kind(r".*\.json", _json, rb"\s*\{\s*\"data\"\s*:\s*\{\s*\"(?:metrics|workouts)\""),
        file_kind(r".*\.csv", _csv, rb"\"?Date/Time\"?,[^\n]*\((?:count/min|count|kcal|kJ|ms|%|bpm|steps)\)"),
    ),
    looked_for="JSON with `data` and `metrics`, and CSV with `Date/Time` and columns such as `Step Count (count)`",
    why_zone="Times in the app's CSV files are local, without an offset.",
    labels=("resting_heart_rate",),
)


def read_health_auto_export(
    export: str | os.PathLike,
    timezone: str | tzinfo | None = None,
    *,
    schema: SchemaLike = "sensorlm-26",
    subject_id: str | None = None,
    day_start: str = "00:00",
    report: ReadReport | None = None,
    skip_bad: bool = True,
) -> Iterator[SensorDay]:
    """Reads one person's files of the app Health Auto Export as local days.

    Values of hours or days are dropped and counted: choose minutes, or no aggregation, in the app.

    Written from descriptions of the format; not yet compared with an export of a real account.

    Args:
        export: A JSON or CSV file of the app, or a folder or zip of them.
        timezone: IANA time zone of the person. Required.
        schema: Schema of the days.
        subject_id: Subject id; by default `"health-auto-export-"` and a hash of the first file's content.
        day_start: Local time `"HH:MM"` at which windows start, or `"first"`: at the first observed minute.
        report: Collects what was used, dropped or unusual; without one, dropped items are logged.
        skip_bad: Whether to skip and note unreadable files, if others can be read, instead of raising.

    Yields:
        Days in chronological order; days without any observed minute are omitted.

    Raises:
        FileNotFoundError: If the path does not exist or contains no file of the app.
        ValueError: If the zone is missing or unknown, or a file is damaged; the message names file and place.
    """
    return read_device(
        HEALTH_AUTO_EXPORT,
        export,
        timezone,
        schema=schema,
        subject_id=subject_id,
        day_start=day_start,
        report=report,
        skip_bad=skip_bad,
    )
