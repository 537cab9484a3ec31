"""Answers of Fitbit's Web API, saved as JSON by scripts: intraday heart rate and steps, sleep, HRV and SpO2.

| answer | used for |
|---|---|
| `activities-heart-intraday`, `activities-steps-intraday` | heart rate (bpm), steps |
| `sleep` | sleep events and stages |
| `hrv`, `minutes` with `rmssd` | RMSSD of five minutes (ms) |
| `minutes` with numbers | oxygen saturation (%) |
| `activities-heart`, `restingHeartRate` | label `resting_heart_rate` (bpm) |

Times are local. A file may hold one answer or a list of them. Intraday times have no date: it is that of the answer's
summary, or in the name of the file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, tzinfo
from typing import Any

import numpy as np

from ...days import SensorDay
from ...schema import SchemaLike
from .device_days import Batch
from .device_reader import DeviceExport, file_kind, read_device
from .device_times import date_of, naive_time
from .export_files import ExportFile, objects
from .local_times import REPEATED_HOUR, seconds_of_local_times
from .minutes import to_float
from .quality import ReadReport
from .wear_rules import MAX_STEPS_MINUTES

_STAGES = {"wake": "awake", "awake": "awake", "light": "light", "deep": "deep", "rem": "rem"}
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_SPREAD = np.arange(5)  # an RMSSD is of five minutes


def _answers(batch: Batch, file: ExportFile) -> None:
    root = file.json()
    for place, answer in enumerate(objects(root if isinstance(root, list) else [root], file.label, "the file")):
        where = f"{file.label}, answer {place}" if isinstance(root, list) else file.label
        _daily(batch, answer, where)
        for kind, take in (("heart", _heart), ("steps", _steps)):
            if f"activities-{kind}-intraday" in answer:
                take(batch, answer, f"activities-{kind}", file, where)
        for entry in _list(answer, "sleep", where):
            _sleep(batch, entry, where)
        for entry in _list(answer, "hrv", where):
            _variability(batch, entry, where)
        if "minutes" in answer:
            _oxygen(batch, answer, where)


def _list(answer: dict[str, Any], name: str, where: str) -> list[dict[str, Any]]:
    return objects(answer.get(name) or [], where, f"`{name}`")


def _number(value: Any, where: str, name: str) -> float:
    try:
        return to_float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{where}: `{name}` must be a number, got {value!r}.") from None


def _local(batch: Batch, moments: Sequence[datetime], where: str) -> np.ndarray:
    """Seconds since 1970 of local times, in their order."""
    stamps = np.array(moments, dtype="datetime64[us]")
    seconds, second = seconds_of_local_times(stamps, batch.zone)
    batch.report.note("repeated-hour", "info", REPEATED_HOUR, where, int(second.sum()))
    return seconds


def _daily(batch: Batch, answer: dict[str, Any], where: str) -> None:
    for entry in _list(answer, "activities-heart", where):
        value = entry.get("value")
        bpm = value.get("restingHeartRate") if isinstance(value, dict) else None
        if bpm:
            day = date_of(entry.get("dateTime"), where, "dateTime")
            batch.daily.append((day, "resting_heart_rate", _number(bpm, where, "restingHeartRate")))


def _day(answer: dict[str, Any], kind: str, file: ExportFile, where: str) -> date:
    """The date of intraday values: of the only summary beside them, or in the file's name."""
    summaries = _list(answer, kind, where)
    if len(summaries) == 1:
        return date_of(summaries[0].get("dateTime"), where, "dateTime")
    named = _DATE.findall(file.base)
    if len(named) != 1:
        raise ValueError(
            f"{where}: the times of `{kind}-intraday` have no date. Save each answer with its `{kind}`, or name the"
            f" file after the day: {kind.removeprefix('activities-')}-2024-03-01.json."
        )
    return date_of(named[0], where, "the date in the name")


def _intraday(
    batch: Batch, answer: dict[str, Any], kind: str, file: ExportFile, where: str
) -> tuple[np.ndarray, list[float], float]:
    """Seconds since 1970 and values of an intraday answer, and the seconds between them."""
    part = answer[f"{kind}-intraday"]
    if not isinstance(part, dict):
        raise ValueError(f"{where}: `{kind}-intraday` must be an object, got {type(part).__name__}.")
    rows = _list(part, "dataset", where)
    if not rows:
        return np.zeros(0), [], 60.0
    day = _day(answer, kind, file, where).isoformat()
    moments = [naive_time(f"{day}T{row.get('time')}", where, "time") for row in rows]
    unit = {"second": 1.0, "minute": 60.0, "hour": 3600.0}.get(str(part.get("datasetType", "minute")), 60.0)
    return (
        _local(batch, moments, where),
        [_number(row.get("value"), where, "value") for row in rows],
        unit * _number(part.get("datasetInterval", 1), where, "datasetInterval"),
    )


def _heart(batch: Batch, answer: dict[str, Any], kind: str, file: ExportFile, where: str) -> None:
    times, values, _ = _intraday(batch, answer, kind, file, where)
    batch.add_samples("HR", times.tolist(), values)


def _steps(batch: Batch, answer: dict[str, Any], kind: str, file: ExportFile, where: str) -> None:
    times, values, seconds = _intraday(batch, answer, kind, file, where)
    counts = np.array(values)
    walked = counts != 0  # all minutes are listed with 0, also those in which nobody wore the device
    if seconds > 60.0 * MAX_STEPS_MINUTES:
        batch.report.note("not-minutes", "dropped", "steps of more than an hour", where, int(walked.sum()))
    else:
        starts = times[walked]
        batch.add_steps("fitbit", starts.tolist(), (starts + seconds).tolist(), counts[walked].tolist())


def _sleep(batch: Batch, entry: dict[str, Any], where: str) -> None:
    start, end = (naive_time(entry.get(name), where, name) for name in ("startTime", "endTime"))
    begun, ended = _local(batch, [start, end], where).tolist()
    main = entry.get("isMainSleep")
    batch.add_sleep(begun, ended, main if isinstance(main, bool) else None)
    levels = entry.get("levels")
    if entry.get("type") == "classic" or not isinstance(levels, dict):
        return
    short: list[tuple[float, float, str]] = []
    for part in ("shortData", "data"):
        for stage in _list(levels, part, where):
            name = _STAGES.get(str(stage.get("level")))
            moment = _local(batch, [naive_time(stage.get("dateTime"), where, "dateTime")], where)[0]
            length = _number(stage.get("seconds"), where, "seconds")
            if name is None:
                continue
            if part == "shortData":  # short awakenings, which the longer stages contain
                short.append((moment, moment + length, name))
                continue
            for first, last, other in _without(moment, moment + length, name, short):
                batch.stages.append((first, last, other))
    batch.stages += short


def _without(
    start: float, end: float, name: str, short: Sequence[tuple[float, float, str]]
) -> Iterator[tuple[float, float, str]]:
    """Yields what short stages leave of a longer one."""
    for first, last, _ in sorted(short):
        if start < last and first < end:
            if start < first:
                yield start, first, name
            start = max(start, last)
    if start < end:
        yield start, end, name


def _variability(batch: Batch, entry: dict[str, Any], where: str) -> None:
    rows = _list(entry, "minutes", where)
    values = [row["value"].get("rmssd") if isinstance(row.get("value"), dict) else None for row in rows]
    moments = [naive_time(row.get("minute"), where, "minute") for row in rows]
    if moments:
        times = (_local(batch, moments, where)[:, None] + 60.0 * _SPREAD).ravel()
        spread = np.repeat([_number(value, where, "rmssd") for value in values], len(_SPREAD))
        batch.add_samples("rmssd", times.tolist(), spread.tolist())


def _oxygen(batch: Batch, answer: dict[str, Any], where: str) -> None:
    rows = _list(answer, "minutes", where)
    moments = [naive_time(row.get("minute"), where, "minute") for row in rows]
    if moments:
        values = [_number(row.get("value"), where, "value") for row in rows]
        # 50.0 means "could not be measured".
        batch.add_samples("spo2", _local(batch, moments, where).tolist(), [v if v > 50 else np.nan for v in values])


FITBIT_API = DeviceExport(
    kind="fitbit-api",
    title="Fitbit Web API",
    kinds=(
        file_kind(r".*\.json", _answers, rb"[\s\[{]*\"activities-(?:heart|steps)(?:-intraday)?\""),
        file_kind(r".*\.json", _answers, rb"[\s\[{]*\"(?:sleep|hrv)\"\s*:\s*\[", identifies=False),
        file_kind(r".*\.json", _answers, rb"[\s\[{]*\"dateTime\"\s*:\s*\"[\d-]+\"\s*,\s*\"minutes\"", identifies=False),
    ),
    looked_for="*.json with activities-heart-intraday, activities-steps-intraday, sleep, hrv or minutes",
    why_zone="Fitbit's Web API answers with local times, without an offset.",
    labels=("resting_heart_rate",),
)


def read_fitbit_api(
    export: str | os.PathLike,
    timezone: str | tzinfo | None = None,
    *,
    schema: SchemaLike = "sensorlm-26",
    subject_id: str | None = None,
    day_start: str = "00:00",
    report: ReadReport | None = None,
    skip_bad: bool = True,
) -> Iterator[SensorDay]:
    """Reads one person's saved answers of Fitbit's Web API as local days.

    Heart rate is the mean of a minute's samples. The RMSSD of five minutes applies to all of them. Minutes without
    steps count 0 while the device was worn (heart rates at most 15 minutes apart).

    Written from the API's description; not yet compared with answers for a real account.

    Args:
        export: A JSON file, or a folder or zip of one person's files.
        timezone: IANA time zone of the account. Required.
        schema: Schema of the days.
        subject_id: Subject id; by default `"fitbit-api-"` and a hash of the first file's content.
        day_start: Local time `"HH:MM"` at which windows start, or `"first"`: at the first observed minute.
        report: Collects what was used, dropped or unusual; without one, dropped items are logged.
        skip_bad: Whether to skip and note unreadable files, if others can be read, instead of raising.

    Yields:
        Days in chronological order; days without any observed minute are omitted.

    Raises:
        FileNotFoundError: If the path does not exist or contains no answer of the API.
        ValueError: If the zone is missing or unknown, or a file is damaged; the message names file and place.
    """
    return read_device(
        FITBIT_API,
        export,
        timezone,
        schema=schema,
        subject_id=subject_id,
        day_start=day_start,
        report=report,
        skip_bad=skip_bad,
    )
