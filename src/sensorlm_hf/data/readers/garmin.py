"""Garmin: FIT files of a watch, and the export of an account (`DI_CONNECT`).

| file | used for | times |
|---|---|---|
| `*.fit`, also in `UploadedFiles*.zip` | see [`sensorlm_hf.data.readers.garmin_fit`] | UTC |
| `*_sleepData.json` | sleep events | UTC |
| `*_summarizedActivities.json` | activity events | UTC |
| `UDSFile_*.json` | label `resting_heart_rate` (bpm) | local date |

The daily totals of the account's export contain no minutes; heart rate and steps are in the FIT files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import tzinfo

from ...days import SensorDay
from ...schema import SchemaLike
from .device_days import Batch
from .device_reader import DeviceExport, file_kind, read_device
from .device_times import date_of, seconds_of
from .export_files import ExportFile, objects
from .garmin_fit import read_fit
from .minutes import UTC, to_float
from .quality import ReadReport


def _sleeps(batch: Batch, file: ExportFile) -> None:
    for place, entry in enumerate(objects(file.json(), file.label, "the file")):
        where = f"{file.label}, entry {place}"
        start, end = entry.get("sleepStartTimestampGMT"), entry.get("sleepEndTimestampGMT")
        if start is None or end is None:
            batch.add_sleep(None, None)
            continue
        begun = seconds_of(start, UTC, where, "sleepStartTimestampGMT")
        batch.add_sleep(begun, seconds_of(end, UTC, where, "sleepEndTimestampGMT"))


def _activities(batch: Batch, file: ExportFile) -> None:
    for part in objects(file.json(), file.label, "the file"):
        entries = objects(part.get("summarizedActivitiesExport"), file.label, "`summarizedActivitiesExport`")
        for place, entry in enumerate(entries):
            where = f"{file.label}, activity {place}"
            try:
                start = to_float(entry.get("beginTimestamp", entry.get("startTimeGmt")), finite=True) / 1000.0
                length = to_float(entry.get("elapsedDuration", entry.get("duration")), finite=True) / 1000.0
            except (TypeError, ValueError):
                raise ValueError(
                    f"{where}: `beginTimestamp` and `duration` must be numbers of milliseconds, got"
                    f" {entry.get('beginTimestamp')!r} and {entry.get('duration')!r}."
                ) from None
            batch.add_workout(start, start + length, str(entry.get("activityType") or ""))


def _summaries(batch: Batch, file: ExportFile) -> None:
    for place, entry in enumerate(objects(file.json(), file.label, "the file")):
        bpm = entry.get("restingHeartRate")
        if isinstance(bpm, (int, float)) and bpm > 0:
            day = date_of(entry.get("calendarDate"), f"{file.label}, entry {place}", "calendarDate")
            batch.daily.append((day, "resting_heart_rate", float(bpm)))


GARMIN = DeviceExport(
    kind="garmin",
    title="Garmin",
    kinds=(
        file_kind(r".*\.fit", read_fit, rb".{8}\.FIT"),
        file_kind(r".*_sleepData\.json", _sleeps),
        file_kind(r".*_summarizedActivities\.json", _activities),
        file_kind(r"UDSFile_.*\.json", _summaries),
    ),
    looked_for="*.fit, *_sleepData.json, *_summarizedActivities.json and UDSFile_*.json",
    why_zone="Garmin writes times in UTC, and its files do not contain the person's time zone.",
    unused=(
        (r".*\.(tcx|gpx)", "the same workouts are in the FIT files"),
        (r".*(user|customer|profile|social|contact).*\.json", "reveals who the person is"),
        (r".*\.json", "daily summaries, plans and scores, without minutes"),
    ),
    labels=("resting_heart_rate",),
)


def read_garmin(
    export: str | os.PathLike,
    timezone: str | tzinfo | None = None,
    *,
    schema: SchemaLike = "sensorlm-26",
    subject_id: str | None = None,
    day_start: str = "00:00",
    report: ReadReport | None = None,
    skip_bad: bool = True,
) -> Iterator[SensorDay]:
    """Reads one person's Garmin data as local days: FIT files, or the export of the account.

    Heart rate is the mean of a minute's samples. Steps are the growth of the watch's counters of walking and running,
    spread evenly over the time since the counters were written before; if that is more than an hour, they are dropped.
    Minutes without steps count 0 while the watch was worn (heart rates at most 15 minutes apart).

    Written from the format's description; not yet compared with files of a real watch.

    Args:
        export: A FIT file, or a folder or zip with FIT files or with the export's `DI_CONNECT` folder; zips in it are
            read as well.
        timezone: IANA time zone of the person. Required.
        schema: Schema of the days.
        subject_id: Subject id; by default `"garmin-"` and a hash of the first file's content.
        day_start: Local time `"HH:MM"` at which windows start, or `"first"`: at the first observed minute.
        report: Collects what was used, dropped or unusual; without one, dropped items are logged.
        skip_bad: Whether to skip and note unreadable files, if others can be read, instead of raising.

    Yields:
        Days in chronological order; days without any observed minute are omitted.

    Raises:
        FileNotFoundError: If the path does not exist or contains no Garmin file.
        ValueError: If the zone is missing or unknown, or a file is damaged; the message names the file.
        ImportError: If there are FIT files and fitdecode (extra `[garmin]`) is not installed.
    """
    return read_device(
        GARMIN,
        export,
        timezone,
        schema=schema,
        subject_id=subject_id,
        day_start=day_start,
        report=report,
        skip_bad=skip_bad,
    )
