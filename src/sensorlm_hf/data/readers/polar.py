"""Polar Flow: the export of an account.

| file | used for | times |
|---|---|---|
| `247ohr_*.json` | heart rate all day (bpm) | local |
| `activity-YYYY-MM-DD-*.json` | steps per minute | local |
| `training-session*.json` | activity events; heart rate in workouts | local, with an offset if the file has it |
| `sleep_result_*.json` | sleep events and stages | with offset |
| `*.csv` of a session | activity events; heart rate in workouts | local |

Beat intervals (`ppi_samples_*`), nightly recovery, routes, MET and daily summaries are not read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any

import numpy as np

from ...activities import canonical_activity
from ...days import SensorDay
from ...documents import value_type
from ...schema import SchemaLike
from .device_days import Batch
from .device_reader import DeviceExport, file_kind, read_device
from .device_times import date_of, duration_seconds, naive_time, seconds_of
from .export_files import ExportFile, objects
from .local_times import REPEATED_HOUR, seconds_of_local_times
from .minutes import to_float
from .polar_csv import SESSION_HEAD, read_session_csv
from .quality import ReadReport

_STAGES = {"WAKE": "awake", "REM": "rem", "NONREM1": "light", "NONREM2": "light", "NONREM3": "deep"}


def _number(value: Any, where: str, name: str) -> float:
    try:
        return to_float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{where}: `{name}` must be a number, got {value!r}.") from None


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be an object, got {value_type(value)}.")
    return value


def _heart(batch: Batch, file: ExportFile) -> None:
    root = _object(file.json(), file.label)
    for day in objects(root.get("deviceDays"), file.label, "`deviceDays`"):
        date = date_of(day.get("date"), file.label, "date")
        where = f"{file.label}, {date.isoformat()}"
        midnight = datetime(date.year, date.month, date.day)
        moments, values = [], []
        for sample in objects(day.get("samples") or [], where, "`samples`"):
            seconds = _number(sample.get("secondsFromDayStart"), where, "secondsFromDayStart")
            # The seconds are those of the watch's clock, so a change of clocks lies between, not before them.
            moments.append(midnight + timedelta(seconds=seconds))
            values.append(_number(sample.get("heartRate"), where, "heartRate"))
        batch.add_samples("HR", _recorded(batch, moments, where), values)


def _steps(batch: Batch, file: ExportFile) -> None:
    root = _object(file.json(), file.label)
    date = date_of(root.get("date"), file.label, "date").isoformat()
    samples = _object(root.get("samples") or {}, f"{file.label}: `samples`")
    moments, counts = [], []
    for place, sample in enumerate(objects(samples.get("steps") or [], file.label, "`samples.steps`")):
        where = f"{file.label}, step sample {place}"
        text = sample.get("localTime")
        if isinstance(text, str) and "T" not in text:
            text = f"{date}T{text}"
        moments.append(naive_time(text, where, "localTime"))
        counts.append(_number(sample.get("value"), where, "value"))
    starts = _recorded(batch, moments, file.label)
    batch.add_steps("watch", starts, [start + 60.0 for start in starts], counts)


def _recorded(batch: Batch, moments: list[datetime], where: str) -> list[float]:
    """Seconds since 1970 of the watch's local times, in their order."""
    seconds, second = seconds_of_local_times(np.array(moments, dtype="datetime64[us]"), batch.zone)
    batch.report.note("repeated-hour", "info", REPEATED_HOUR, where, int(second.sum()))
    return seconds.tolist()


def _session(batch: Batch, file: ExportFile) -> None:
    root = _object(file.json(), file.label)
    zone = _zone(root, batch.zone)
    parts = objects(root.get("exercises") or [], file.label, "`exercises`")
    for place, part in enumerate(parts or [root]):
        where = f"{file.label}, exercise {place}"
        own = _zone(part, zone)
        if part.get("startTime") is None:  # old sessions have it only at the top
            part = {**part, "startTime": root.get("startTime"), "stopTime": part.get("stopTime", root.get("stopTime"))}
        if part.get("startTime") is None:
            batch.add_workout(None, None, "")
        else:
            start = seconds_of(part["startTime"], own, where, "startTime")
            end = _end(part, start, own, where)
            batch.add_workout(start, end, _sport(batch, part, root))
            _regular_heart(batch, part, start, where)
        _dated_heart(batch, part, own, where)


def _zone(part: dict[str, Any], zone: tzinfo) -> tzinfo:
    minutes = part.get("timezoneOffsetMinutes", part.get("timezoneOffset", part.get("timeZoneOffset")))
    whole = isinstance(minutes, int) and not isinstance(minutes, bool) and abs(minutes) < 24 * 60
    return timezone(timedelta(minutes=minutes)) if whole and minutes is not None else zone


def _end(part: dict[str, Any], start: float, zone: tzinfo, where: str) -> float | None:
    if part.get("stopTime") is not None:
        return seconds_of(part["stopTime"], zone, where, "stopTime")
    if part.get("durationMillis") is not None:
        return start + _number(part["durationMillis"], where, "durationMillis") / 1000.0
    return None if part.get("duration") is None else start + duration_seconds(part["duration"], where, "duration")


def _sport(batch: Batch, part: dict[str, Any], root: dict[str, Any]) -> str:
    """The name of the sport. Newer exports contain only its number in a catalogue that they lack."""
    for sport in (part.get("sport"), root.get("sport")):
        if isinstance(sport, str) and sport:
            return sport
    # A session is named after its sport, unless the person renamed it; other names are not read.
    name = root.get("name")
    if isinstance(name, str) and canonical_activity(name):
        return name
    batch.report.note("exercise-sport-unknown", "kept", "exercises of which the export contains only a sport's number")
    return "workout"


def _regular_heart(batch: Batch, part: dict[str, Any], start: float, where: str) -> None:
    """Heart rates at a fixed interval, as in newer exports."""
    samples = part.get("samples")
    series = samples.get("samples") if isinstance(samples, dict) else None
    for one in objects(series or [], where, "`samples.samples`"):
        if str(one.get("type")).endswith("HEART_RATE"):
            interval = _number(one.get("intervalMillis"), where, "intervalMillis") / 1000.0
            values = one.get("values")
            if not isinstance(values, list) or interval <= 0:
                raise ValueError(f"{where}: a series needs `values`, a list, and `intervalMillis` above 0.")
            times = [start + interval * place for place in range(len(values))]
            batch.add_samples("HR", times, [_number(value, where, "values") for value in values])


def _dated_heart(batch: Batch, part: dict[str, Any], zone: tzinfo, where: str) -> None:
    """Heart rates with their times, as in older exports."""
    samples = part.get("samples")
    rates = samples.get("heartRate") if isinstance(samples, dict) else None
    times, values = [], []
    for sample in objects(rates or [], where, "`samples.heartRate`"):
        if sample.get("value") is not None:  # no contact with the skin
            times.append(seconds_of(sample.get("dateTime"), zone, where, "dateTime"))
            values.append(_number(sample["value"], where, "value"))
    batch.add_samples("HR", times, values)


def _sleep(batch: Batch, file: ExportFile) -> None:
    for entry in objects(file.json(), file.label, "the file"):
        where = f"{file.label}, night {entry.get('night')}"
        result = _object(entry.get("sleepResult"), f"{where}: `sleepResult`")
        night = _object(result.get("hypnogram"), f"{where}: `hypnogram`")
        start = seconds_of(night.get("sleepStart"), batch.zone, where, "sleepStart")
        end = seconds_of(night.get("sleepEnd"), batch.zone, where, "sleepEnd")
        batch.add_sleep(start, end, True)
        changes = []
        for change in objects(night.get("sleepStateChanges") or [], where, "`sleepStateChanges`"):
            offset = duration_seconds(change.get("offsetFromStart"), where, "offsetFromStart")
            changes.append((start + offset, _STAGES.get(str(change.get("state")))))
        changes.sort(key=lambda change: change[0])
        for (begun, stage), until in zip(changes, [time for time, _ in changes[1:]] + [end], strict=True):
            if stage is not None and begun < end:
                batch.stages.append((begun, min(until, end), stage))


POLAR = DeviceExport(
    kind="polar",
    title="Polar Flow",
    kinds=(
        file_kind(r"247ohr[_-].*\.json", _heart),
        file_kind(r"activity-\d{4}-\d\d-\d\d.*\.json", _steps),
        file_kind(r"training-session.*\.json", _session),
        file_kind(r"sleep_result_.*\.json", _sleep),
        file_kind(r".*\.csv", read_session_csv, SESSION_HEAD),
    ),
    looked_for="247ohr_*.json, activity-*.json, training-session*.json, sleep_result_*.json and sessions as CSV",
    why_zone="Polar writes most times as those of the watch, without an offset.",
    unused=(
        (r"(account|calendar|profile|products|sport-profiles).*", "reveals who the person is"),
        (r"ppi_samples.*\.json", "beat intervals, which are not read"),
        (r".*\.json", "scores, plans and tests, without minutes"),
    ),
)


def read_polar(
    export: str | os.PathLike,
    timezone: str | tzinfo | None = None,
    *,
    schema: SchemaLike = "sensorlm-26",
    subject_id: str | None = None,
    day_start: str = "00:00",
    report: ReadReport | None = None,
    skip_bad: bool = True,
) -> Iterator[SensorDay]:
    """Reads one person's Polar Flow export as local days.

    Heart rate is the mean of a minute's samples. Minutes without steps count 0 while the watch was worn (heart rates
    at most 15 minutes apart).

    Written from descriptions of the format; not yet compared with an export of a real account.

    Args:
        export: The folder or zip with the JSON files, or one of them.
        timezone: IANA time zone of the person. Required; sessions and sleeps that contain an offset use theirs.
        schema: Schema of the days.
        subject_id: Subject id; by default `"polar-"` and a hash of the first file's content.
        day_start: Local time `"HH:MM"` at which windows start, or `"first"`: at the first observed minute.
        report: Collects what was used, dropped or unusual; without one, dropped items are logged.
        skip_bad: Whether to skip and note unreadable files, if others can be read, instead of raising.

    Yields:
        Days in chronological order; days without any observed minute are omitted.

    Raises:
        FileNotFoundError: If the path does not exist or contains no file of Polar Flow.
        ValueError: If the zone is missing or unknown, or a file is damaged; the message names file and place.
    """
    return read_device(
        POLAR,
        export,
        timezone,
        schema=schema,
        subject_id=subject_id,
        day_start=day_start,
        report=report,
        skip_bad=skip_bad,
    )
