"""Workouts as TCX and GPX files, which most apps export: Strava, Garmin Connect, Polar Flow, Suunto, Coros, ...

| part | used for |
|---|---|
| `Activity`, `trk` | activity events |
| `HeartRateBpm`, `hr` of a track point | heart rate (bpm) |

Times are UTC, or have an offset. Places, speed, cadence and power are not read.
"""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from datetime import tzinfo

from ...activities import canonical_activity
from ...days import SensorDay
from ...schema import SchemaLike
from .device_days import Batch
from .device_reader import DeviceExport, file_kind, read_device
from .device_times import seconds_of
from .export_files import ExportFile
from .minutes import UTC
from .quality import ReadReport


def _root(file: ExportFile) -> ElementTree.Element:
    """Parses a file. Files with a document type are rejected, as entities in it could fill the memory or read files."""
    text = file.text()
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError(f"{file.label}: a workout must not contain a document type; export it again.")
    try:
        return ElementTree.fromstring(text.strip())
    except ElementTree.ParseError as error:
        raise ValueError(f"{file.label}, line {error.position[0]}: not valid XML: {error}.") from None


def _name(element: ElementTree.Element) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def _all(element: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    return (inner for inner in element.iter() if _name(inner) == name)


def _text(element: ElementTree.Element, *names: str) -> str | None:
    """The text of the first element below, at any depth, that has one of the names; None if there is none."""
    found = next((inner for inner in element.iter() if _name(inner) in names and inner is not element), None)
    return None if found is None else " ".join("".join(found.itertext()).split())


def _add(batch: Batch, file: ExportFile, part: ElementTree.Element, point: str, name: str, times: list[float]) -> None:
    """Adds a workout: its track points, and the event from the earliest to the latest of its times."""
    moments, bpm = [], []
    for place, held in enumerate(_all(part, point)):
        where = f"{file.label}, track point {place}"
        written = _text(held, "Time", "time")
        if written is None:
            batch.report.note("points-without-time", "dropped", "track points without a time", file.base)
            continue
        moment = seconds_of(written, UTC, where, "time")
        times.append(moment)
        rate = _text(held, "HeartRateBpm", "hr", "heartrate")
        if rate:
            try:
                bpm.append(float(rate))
            except ValueError:
                raise ValueError(f"{where}: the heart rate must be a number, got {rate!r}.") from None
            moments.append(moment)
    batch.add_samples("HR", moments, bpm)
    if not bpm:
        message = "workouts without heart rates, which are only events of days that other files observe"
        batch.report.note("no-heart-rate", "info", message, file.base)
    batch.add_workout(min(times, default=None), max(times, default=None), name)


def _tcx(batch: Batch, file: ExportFile) -> None:
    for activity in _all(_root(file), "Activity"):
        times = []
        for lap in _all(activity, "Lap"):
            start, length = lap.get("StartTime"), _text(lap, "TotalTimeSeconds")
            if start:
                times.append(seconds_of(start, UTC, file.label, "StartTime"))
                try:
                    times.append(times[-1] + float(length or 0))
                except ValueError:
                    raise ValueError(f"{file.label}: `TotalTimeSeconds` must be a number, got {length!r}.") from None
        sport = activity.get("Sport") or ""
        _add(batch, file, activity, "Trackpoint", "workout" if sport in ("", "Other") else sport, times)


def _gpx(batch: Batch, file: ExportFile) -> None:
    for track in _all(_root(file), "trk"):
        kind = next((child.text for child in track if _name(child) == "type"), None) or ""
        title = next((child.text for child in track if _name(child) == "name"), None) or ""
        # A track's title is free text, which is only read if it names a sport.
        name = next((text for text in (kind, title) if canonical_activity(text)), None)
        _add(batch, file, track, "trkpt", name or (kind if kind and not kind.isdigit() else "workout"), [])


WORKOUTS = DeviceExport(
    kind="workouts",
    title="TCX and GPX",
    kinds=(
        file_kind(r".*\.tcx", _tcx),
        file_kind(r".*\.gpx", _gpx),
    ),
    looked_for="*.tcx and *.gpx",
    why_zone="TCX and GPX files contain times in UTC.",
    alone=True,
)


def read_workouts(
    export: str | os.PathLike,
    timezone: str | tzinfo | None = None,
    *,
    schema: SchemaLike = "sensorlm-26",
    subject_id: str | None = None,
    day_start: str = "00:00",
    report: ReadReport | None = None,
    skip_bad: bool = True,
) -> Iterator[SensorDay]:
    """Reads one person's workouts (TCX, GPX) as local days.

    Only the minutes of workouts are observed.

    Written from the schemas of the formats; not yet compared with files of real apps.

    Args:
        export: A TCX or GPX file, or a folder or zip of one person's files.
        timezone: IANA time zone of the person. Required.
        schema: Schema of the days.
        subject_id: Subject id; by default `"workouts-"` and a hash of the first file's content.
        day_start: Local time `"HH:MM"` at which windows start, or `"first"`: at the first observed minute.
        report: Collects what was used, dropped or unusual; without one, dropped items are logged.
        skip_bad: Whether to skip and note unreadable files, if others can be read, instead of raising.

    Yields:
        Days in chronological order; days without any observed minute are omitted.

    Raises:
        FileNotFoundError: If the path does not exist or contains no TCX or GPX file.
        ValueError: If the zone is missing or unknown, or a file is damaged; the message names file and place.
    """
    return read_device(
        WORKOUTS,
        export,
        timezone,
        schema=schema,
        subject_id=subject_id,
        day_start=day_start,
        report=report,
        skip_bad=skip_bad,
    )
