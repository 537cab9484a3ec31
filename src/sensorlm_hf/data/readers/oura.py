"""Oura: the account's export (`App Data`, CSV) and documents of the API v2 (JSON).

Both have the same fields, so files are recognised by their content, whatever their name.

| document | used for | times |
|---|---|---|
| heart rate (`bpm`, `source`, `timestamp`) | channel `HR` | with offset |
| sleep (`bedtime_start`, ...) | sleep events; RMSSD of five minutes and heart rate of the night; stages | with offset |
| workout (`activity`, `start_datetime`, ...) | activity events | with offset |
| daily activity (`class_5_min`, `met`) | channel `met` (MET), only if a schema has it | with offset |

Oura exports steps as totals of days, which have no place in minutes. Scores are not read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import tzinfo
from typing import Any

from ...days import SensorDay
from ...schema import SchemaLike
from .device_days import Batch
from .device_reader import DeviceExport, file_kind, read_device
from .device_times import seconds_of
from .export_files import ExportFile
from .minutes import to_float
from .quality import ReadReport

_PHASES = {"1": "deep", "2": "light", "3": "rem", "4": "awake"}
_NOT_SLEEP = ("deleted", "rest")
_DOCUMENTS = (
    rb"(?=.*\"bpm\")(?=.*\"source\")(?=.*\"timestamp\")|.*\"(?:bedtime_start|class_5_min)\""
    rb"|(?=.*\"start_datetime\")(?=.*\"activity\")(?=.*\"intensity\")"
)
_TABLES = (
    rb"(?=[^\n]*\btimestamp\b)(?=[^\n]*\bbpm\b)(?=[^\n]*\bsource\b)|[^\n]*\b(?:bedtime_start|class_5_min)\b"
    rb"|(?=[^\n]*\bstart_datetime\b)(?=[^\n]*\bactivity\b)(?=[^\n]*\bintensity\b)"
)


def _documents(batch: Batch, file: ExportFile) -> None:
    """Reads a JSON file: a list of documents, an answer of the API, or several lists by name."""
    value = file.json()
    if isinstance(value, dict):
        rows = [row for rows in value.values() if isinstance(rows, list) for row in rows]
    else:
        rows = value if isinstance(value, list) else []
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{file.label}: must contain lists of objects, such as the `data` of the API.")
    _Documents(batch, file.label).take_all(rows)


def _table(batch: Batch, file: ExportFile) -> None:
    """Reads a CSV file of the account's export, whose cells may be JSON."""
    rows = []
    for place, row in enumerate(file.csv().to_dict("records"), 2):
        try:
            rows.append({str(key): _cell(value) for key, value in row.items()})
        except json.JSONDecodeError as error:
            raise ValueError(f"{file.label}, row {place}: a cell is not valid JSON: {error.msg}.") from None
    _Documents(batch, file.label).take_all(rows)


def _cell(text: str) -> Any:
    text = text.strip()
    if text in ("", "null", "None"):
        return None
    return json.loads(text) if text[0] in "{[" else text


class _Documents:
    """Takes the documents of one file."""

    def __init__(self, batch: Batch, label: str) -> None:
        self.batch, self.label, self.where = batch, label, label
        self.heart: tuple[list[float], list[float]] = ([], [])

    def take_all(self, rows: list[dict[str, Any]]) -> None:
        for place, row in enumerate(rows):
            self.where = f"{self.label}, entry {place}"
            if "bpm" in row:
                self.heart[0].append(self._time(row, "timestamp"))
                self.heart[1].append(self._number(row, "bpm"))
            elif "bedtime_start" in row:
                self._sleep(row)
            elif "start_datetime" in row and "activity" in row:
                self._workout(row)
            elif "met" in row:
                self._series("met", row["met"], 60.0)
                self.batch.report.note("daily-totals", "info", "daily totals, such as steps, without minutes")
            else:
                self.batch.report.note("records-unused", "info", "records without a channel", self.label)
        self.batch.add_samples("HR", *self.heart)

    def _time(self, row: dict[str, Any], name: str) -> float:
        return seconds_of(row.get(name), self.batch.zone, self.where, name)

    def _number(self, row: dict[str, Any], name: str) -> float:
        try:
            return to_float(row.get(name), finite=True)
        except (TypeError, ValueError):
            raise ValueError(f"{self.where}: `{name}` must be a number, got {row.get(name)!r}.") from None

    def _sleep(self, row: dict[str, Any]) -> None:
        kind = row.get("type")
        start, end = self._time(row, "bedtime_start"), self._time(row, "bedtime_end")
        if kind in _NOT_SLEEP:
            message = "sleep periods that the person deleted, or that were only rest"
            self.batch.report.note("sleep-not-sleep", "dropped", message, str(kind))
        else:
            main = {"long_sleep": True, "late_nap": False}.get(str(kind))
            self.batch.add_sleep(start, end, main)
            fine = row.get("sleep_phase_30_sec")
            phases, step = (fine, 30.0) if fine else (row.get("sleep_phase_5_min"), 300.0)
            for place, code in enumerate(str(phases or "")):
                if code in _PHASES:
                    begun = start + step * place
                    if begun < end:
                        self.batch.stages.append((begun, min(begun + step, end), _PHASES[code]))
        # The ring measured, whatever the period was.
        self._series("HR", row.get("heart_rate"), 60.0)
        self._series("rmssd", row.get("hrv"), None)

    def _series(self, quantity: str, series: Any, covers: float | None) -> None:
        """Adds a series of equally spaced values.

        Args:
            quantity: What it measures.
            series: `{"interval": seconds, "items": [number or null], "timestamp": time of the first}`, or None.
            covers: Seconds to which an item applies; None: up to the next item, as for a measure of the whole interval.
        """
        if series is None:
            return
        if not isinstance(series, dict) or not isinstance(series.get("items"), list):
            raise ValueError(f"{self.where}: a series must be an object with `interval`, `items` and `timestamp`.")
        interval = self._number(series, "interval")
        if interval <= 0:
            raise ValueError(f"{self.where}: `interval` must be a number of seconds above 0, got {interval:g}.")
        start = self._time(series, "timestamp")
        try:
            items = [None if item is None else to_float(item) for item in series["items"]]
        except (TypeError, ValueError):
            raise ValueError(f"{self.where}: `items` must be numbers or null.") from None
        repeats = max(round((covers or interval) / 60.0), 1)
        times = [start + interval * place + 60.0 * n for place in range(len(items)) for n in range(repeats)]
        self.batch.add_samples(quantity, times, [item for item in items for _ in range(repeats)])

    def _workout(self, row: dict[str, Any]) -> None:
        start, end = self._time(row, "start_datetime"), self._time(row, "end_datetime")
        name = str(row.get("activity") or "")
        self.batch.add_workout(start, end, name, manual=row.get("source") == "manual")


OURA = DeviceExport(
    kind="oura",
    title="Oura",
    kinds=(
        file_kind(r".*\.json", _documents, _DOCUMENTS),
        file_kind(r".*\.csv", _table, _TABLES),
    ),
    looked_for="JSON or CSV files with `bpm` and `source`, `bedtime_start`, `class_5_min` or `start_datetime`",
    why_zone="Days begin at the person's midnight, and Oura's heart rate is in UTC.",
    unused=((r".*\.(csv|json)", "scores, daily totals and settings, without minutes"),),
)


def read_oura(
    export: str | os.PathLike,
    timezone: str | tzinfo | None = None,
    *,
    schema: SchemaLike = "sensorlm-26",
    subject_id: str | None = None,
    day_start: str = "00:00",
    report: ReadReport | None = None,
    skip_bad: bool = True,
) -> Iterator[SensorDay]:
    """Reads one person's Oura data as local days: the account's export, or saved answers of the API v2.

    Oura measures about every five minutes at rest: a heart rate fills the minute of its time, the RMSSD of five minutes
    all five. The steps of Oura are totals of days and are not read.

    Written from the format's description; not yet compared with files of a real ring.

    Args:
        export: A folder, zip, JSON or CSV file.
        timezone: IANA time zone of the person. Required.
        schema: Schema of the days.
        subject_id: Subject id; by default `"oura-"` and a hash of the first file's content.
        day_start: Local time `"HH:MM"` at which windows start, or `"first"`: at the first observed minute.
        report: Collects what was used, dropped or unusual; without one, dropped items are logged.
        skip_bad: Whether to skip and note unreadable files, if others can be read, instead of raising.

    Yields:
        Days in chronological order; days without any observed minute are omitted.

    Raises:
        FileNotFoundError: If the path does not exist or contains no Oura file.
        ValueError: If the zone is missing or unknown, or a file is damaged; the message names file and entry.
    """
    return read_device(
        OURA,
        export,
        timezone,
        schema=schema,
        subject_id=subject_id,
        day_start=day_start,
        report=report,
        skip_bad=skip_bad,
    )
