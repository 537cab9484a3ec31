"""Samsung Health: the CSV and JSON files of *Download personal data*.

| file | used for |
|---|---|
| `com.samsung.shealth.tracker.heart_rate.*.csv`, `*.heart_rate.binning_data.json` | heart rate (bpm) |
| `com.samsung.shealth.tracker.pedometer_step_count.*.csv` | steps of each device |
| `com.samsung.shealth.step_daily_trend.*.csv`, its `*.binning_data.json` | steps per ten minutes of the local day |
| `*.hrv.binning_data.json` | RMSSD and SDNN (ms), in the minutes that they were computed from |
| `com.samsung.shealth.tracker.oxygen_saturation.*.csv`, `*.oxygen_saturation.*.json` | oxygen saturation (%) |
| `*.skin_temperature.binning_data.json` | skin temperature (degC) |
| `com.samsung.shealth.sleep.*.csv`, `com.samsung.health.sleep_stage.*.csv` | sleep events, stages |
| `com.samsung.shealth.exercise.*.csv`, `*.exercise.live_data.json` | activity events, heart rate in workouts |

Times in the CSV files are UTC; their column `time_offset` is not needed. JSON files count milliseconds since 1970.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo

import numpy as np
import pandas as pd

from ...days import SensorDay
from ...schema import SchemaLike
from .device_days import Batch
from .device_reader import DeviceExport, file_kind, read_device
from .device_times import local_seconds, seconds_of
from .export_files import ExportFile, objects
from .local_times import seconds_of_local_times
from .minutes import UTC, to_float
from .quality import ReadReport
from .sources import numbers

_STAGES = {"40001": "awake", "40002": "light", "40003": "deep", "40004": "rem"}

MAX_SAMPLE_SECONDS = 600
"""A row that covers more is an average, whose minutes are in a JSON file of its own."""

_TREND = "daily trend of "

DAILY_BINS = 144
"""Bins of ten minutes in a day."""

EXERCISES = {
    1001: "walking", 1002: "running", 2001: "baseball", 2002: "softball", 2003: "cricket", 3001: "golf",
    3002: "billiards", 3003: "bowling", 4001: "hockey", 4002: "rugby", 4003: "basketball", 4004: "soccer",
    4005: "handball", 4006: "american football", 5001: "volleyball", 5002: "beach volleyball", 6001: "squash",
    6002: "tennis", 6003: "badminton", 6004: "table tennis", 6005: "racquetball", 7001: "tai chi", 7002: "boxing",
    7003: "martial arts", 8001: "ballet", 8002: "dancing", 8003: "ballroom dancing", 9001: "pilates", 9002: "yoga",
    10001: "stretching", 10002: "jump rope", 10007: "circuit training", 11001: "inline skating", 11004: "archery",
    11005: "horseback riding", 11007: "cycling", 11009: "roller skating", 12001: "aerobics", 13001: "hiking",
    13002: "rock climbing", 13003: "backpacking", 13004: "mountain biking", 13005: "orienteering", 14001: "swimming",
    14003: "canoeing", 14004: "sailing", 14005: "scuba diving", 14006: "snorkeling", 14007: "kayaking",
    15001: "step machine", 15002: "weight machine", 15003: "exercise bike", 15004: "rowing machine",
    15005: "treadmill", 15006: "elliptical trainer", 16001: "cross country skiing", 16002: "skiing",
    16004: "ice skating", 16006: "ice hockey", 16007: "snowboarding", 16008: "alpine skiing", 16009: "snowshoeing",
}  # fmt: skip
"""Names of the numbers of `exercise_type` in Samsung's documentation."""


class _Table:
    """A CSV file whose columns may be preceded by the name of the table.

    Args:
        file: The file; its first line may be the table's name, its version and a number.
        columns: Names without the table that must be there.
    """

    def __init__(self, file: ExportFile, *columns: str) -> None:
        first = file.head().decode("utf-8-sig", errors="replace").partition("\n")[0]
        self.file, self.first_row = file, 3 if first.startswith("com.samsung.") and "start_time" not in first else 2
        self.frame = file.csv(skip=self.first_row - 2)
        for column in columns:
            if self.name(column) is None:
                raise ValueError(f"{file.label}: lacks the column {column}; it has {', '.join(self.frame.columns)}.")

    def name(self, column: str) -> str | None:
        """Returns the full name of a column, or None."""
        return next((name for name in self.frame.columns if name == column or name.endswith(f".{column}")), None)

    def cells(self, column: str) -> pd.Series:
        """Returns the cells of a column, empty if there is none."""
        name = self.name(column)
        return pd.Series("", index=self.frame.index) if name is None else self.frame[name].str.strip()

    def numbers(self, column: str) -> np.ndarray:
        """Returns a column as float64, NaN where empty."""
        return numbers(self.frame, str(self.name(column)), self.file.label, self.first_row).to_numpy()

    def times(self, column: str) -> np.ndarray:
        """Returns the seconds since 1970 of a column, NaN where empty."""
        times = np.full(len(self.frame), np.nan)
        for row, cell in enumerate(self.cells(column)):
            if cell.isdigit():  # some versions write milliseconds
                times[row] = int(cell) / 1000.0
            elif cell:
                times[row] = seconds_of(cell, UTC, f"{self.file.label}, line {row + self.first_row}", column)
        return times

    def spans(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns start and end times; a row without an end has no length."""
        starts = self.times("start_time")
        ends = self.times("end_time") if self.name("end_time") else np.full(len(starts), np.nan)
        return starts, np.where(np.isnan(ends), starts, ends)


def _samples(batch: Batch, file: ExportFile, quantity: str, column: str) -> None:
    table = _Table(file, "start_time", column)
    starts, ends = table.spans()
    long = ends - starts > MAX_SAMPLE_SECONDS
    message = "averages over more than ten minutes, whose minutes are in JSON files"
    batch.report.note("samples-averaged", "info", message, file.base, int(long.sum()))
    batch.add_samples(quantity, starts[~long].tolist(), table.numbers(column)[~long].tolist())


def _heart(batch: Batch, file: ExportFile) -> None:
    _samples(batch, file, "HR", "heart_rate")


def _oxygen(batch: Batch, file: ExportFile) -> None:
    _samples(batch, file, "spo2", "spo2")


def _bins(batch: Batch, file: ExportFile, quantity: str, *names: str, whole: bool = False) -> None:
    """Adds the bins of a JSON file: at their start, or in every minute of the bin if `whole`."""
    times: list[float] = []
    values: list[float] = []
    for place, entry in enumerate(objects(file.json(), file.label, "the file")):
        name = next((name for name in names if entry.get(name) is not None), None)
        if name is None or entry.get("start_time") is None:
            continue
        try:
            start, value = to_float(entry["start_time"], finite=True) / 1000.0, to_float(entry[name])
            end = to_float(entry.get("end_time", entry["start_time"]), finite=True) / 1000.0
        except (TypeError, ValueError):
            raise ValueError(
                f"{file.label}, entry {place}: `start_time` must be milliseconds since 1970 and `{name}` a number, got"
                f" {entry['start_time']!r} and {entry[name]!r}."
            ) from None
        covered = max(round((min(end - start, MAX_SAMPLE_SECONDS)) / 60.0), 1) if whole else 1
        times += [start + 60.0 * minute for minute in range(covered)]
        values += [value] * covered
    batch.add_samples(quantity, times, values)


def _heart_bins(batch: Batch, file: ExportFile) -> None:
    _bins(batch, file, "HR", "heart_rate")


def _oxygen_bins(batch: Batch, file: ExportFile) -> None:
    _bins(batch, file, "spo2", "spo2")


def _temperature_bins(batch: Batch, file: ExportFile) -> None:
    _bins(batch, file, "temperature", "temperature", "mean")


def _variability_bins(batch: Batch, file: ExportFile) -> None:
    for quantity in ("rmssd", "sdnn"):
        _bins(batch, file, quantity, quantity, whole=True)


def _steps(batch: Batch, file: ExportFile) -> None:
    table = _Table(file, "start_time", "end_time", "count")
    starts, ends = table.spans()
    counts, devices = table.numbers("count"), table.cells("deviceuuid").to_numpy()
    for device in np.unique(devices.astype(str)):
        mine = devices == device
        batch.add_steps(device, starts[mine].tolist(), ends[mine].tolist(), counts[mine].tolist())


def _daily_bins(batch: Batch, file: ExportFile) -> None:
    """Reads the bins of ten minutes of each local day, whose file is named in the table; see `day_bins`."""
    table = _Table(file, "day_time", "binning_data")
    sources = table.cells("source_type") if table.name("source_type") else table.cells("deviceuuid")
    for row, (name, source) in enumerate(zip(table.cells("binning_data"), sources, strict=True), table.first_row):
        if not name:
            continue
        where = f"{file.label}, line {row}"
        bins = next((held for held in file.siblings() if held.base == name), None)
        if bins is None:
            message = "files of the steps of a day that the export names but does not contain"
            batch.report.note("file-missing", "dropped", message, where)
            continue
        _add_bins(batch, bins, table.cells("day_time").iloc[row - table.first_row], source, where)


def _add_bins(batch: Batch, bins: ExportFile, written: str, source: str, where: str) -> None:
    entries = objects(bins.json(), bins.label, "the file")
    if len(entries) != DAILY_BINS:
        message = f"files of the steps of a day that do not have its {DAILY_BINS} bins of ten minutes"
        batch.report.note("not-minutes", "dropped", message, bins.name)
        return
    # The day is written as its midnight in UTC, wherever the person is.
    midnight = int(written) / 1000.0 if written.isdigit() else seconds_of(written, UTC, where, "day_time")
    counts = []
    for place, entry in enumerate(entries):
        try:
            counts.append(to_float(entry.get("count", 0), finite=True))
        except (TypeError, ValueError):
            raise ValueError(
                f"{bins.label}, entry {place}: `count` must be a number, got {entry.get('count')!r}."
            ) from None
    walked = np.flatnonzero(np.array(counts) > 0)
    day = np.datetime64(int(midnight // 86_400), "D")
    first = day.astype("datetime64[us]") + walked * np.timedelta64(600, "s")
    edges = (first, first + np.timedelta64(600, "s"))
    starts, ends = (seconds_of_local_times(edge, batch.zone)[0] for edge in edges)
    batch.add_steps(f"{_TREND}{day}, {source}", starts.tolist(), ends.tolist(), np.array(counts)[walked].tolist())


def _finish(batch: Batch) -> None:
    """Keeps the bins of days for which no device has records of its own, which are finer and count the same steps."""
    trends = {device: batch.steps.pop(device) for device in sorted(batch.steps) if device.startswith(_TREND)}
    recorded = np.sort(
        np.concatenate([starts for parts in batch.steps.values() for starts, _, _ in parts] or [np.zeros(0)])
    )
    unused = 0
    for device, parts in trends.items():
        day = datetime.fromisoformat(device.removeprefix(_TREND)[:10])
        edges = [local_seconds(day, batch.zone), local_seconds(day + timedelta(days=1), batch.zone)]
        low, high = np.searchsorted(recorded, edges)
        if high > low:
            unused += 1
        else:
            batch.steps[_TREND + device.rpartition(", ")[2]] += parts
    message = "days whose steps are in bins of ten minutes as well as in records, which are used"
    batch.report.note("steps-in-bins", "info", message, count=unused)


def _sleeps(batch: Batch, file: ExportFile) -> None:
    starts, ends = _Table(file, "start_time", "end_time").spans()
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        batch.add_sleep(start, end)


def _stages(batch: Batch, file: ExportFile) -> None:
    table = _Table(file, "start_time", "end_time", "stage")
    starts, ends = table.spans()
    for start, end, code in zip(starts.tolist(), ends.tolist(), table.cells("stage"), strict=True):
        if code in _STAGES:
            batch.stages.append((start, end, _STAGES[code]))
        else:
            batch.report.note("sleep-stage-unknown", "dropped", "stages of sleep with an unknown number", code)


def _exercises(batch: Batch, file: ExportFile) -> None:
    table = _Table(file, "start_time", "exercise_type")
    starts, ends = table.spans()
    if table.name("duration"):
        lengths = table.numbers("duration") / 1000.0
        ends = np.where((ends == starts) & np.isfinite(lengths), starts + lengths, ends)
    for start, end, code in zip(starts.tolist(), ends.tolist(), table.cells("exercise_type"), strict=True):
        name = EXERCISES.get(int(code)) if code.isdigit() else None
        if name is None:
            batch.report.note(
                "exercise-sport-unknown", "kept", "exercises with a number of a sport without a name", code
            )
        batch.add_workout(start, end, name or "workout")


def _name(table: str) -> str:
    return rf"com\.samsung\.s?health\.(?:tracker\.)?{table}(?:\.\d+)?\.csv"


SAMSUNG = DeviceExport(
    kind="samsung",
    title="Samsung Health",
    kinds=(
        file_kind(_name("heart_rate"), _heart),
        file_kind(r".*\.csv", _heart, rb"[^\n]*(?:\n[^\n]*)?com\.samsung\.health\.heart_rate\.heart_rate"),
        file_kind(r".*heart_rate\.binning_data\.json", _heart_bins),
        file_kind(r".*\.exercise\.live_data\.json", _heart_bins),
        file_kind(_name("pedometer_step_count"), _steps),
        file_kind(_name("step_daily_trend"), _daily_bins),
        file_kind(r".*\.hrv\.binning_data\.json", _variability_bins),
        file_kind(_name("oxygen_saturation"), _oxygen),
        file_kind(r".*\.oxygen_saturation(?:\.raw)?\.binning(?:_data)?\.json", _oxygen_bins),
        file_kind(r".*\.skin_temperature\.binning_data\.json", _temperature_bins),
        file_kind(_name("sleep"), _sleeps),
        file_kind(_name("sleep_stage"), _stages),
        file_kind(_name("exercise"), _exercises),
    ),
    looked_for="com.samsung.shealth.tracker.heart_rate.*.csv, ...pedometer_step_count.*.csv, ...sleep.*.csv and others",
    why_zone="Samsung Health writes times in UTC.",
    finish=_finish,
    unused=(
        (r".*location_data.*", "reveals where the person was"),
        (r".*(profile|social|device).*", "reveals who the person is"),
        (r".*step_daily_trend.*\.json", "steps of a day, read with the table that names it"),
        (r".*pedometer_day_summary.*", "totals of days"),
        (r".*\.(csv|json)", "no channel for it"),
    ),
)


def read_samsung(
    export: str | os.PathLike,
    timezone: str | tzinfo | None = None,
    *,
    schema: SchemaLike = "sensorlm-26",
    subject_id: str | None = None,
    day_start: str = "00:00",
    report: ReadReport | None = None,
    skip_bad: bool = True,
) -> Iterator[SensorDay]:
    """Reads one person's Samsung Health export as local days.

    A heart rate fills the minute of its start. Rows that cover more than ten minutes are averages; their minutes are in
    JSON files. Steps are spread evenly over their record. Minutes without steps count 0 while the watch was worn (heart
    rates at most 15 minutes apart).

    Written from descriptions of the format; not yet compared with an export of a real account.

    Args:
        export: The folder or zip with the CSV files and the folder `jsons`, or one of the files.
        timezone: IANA time zone of the person. Required.
        schema: Schema of the days.
        subject_id: Subject id; by default `"samsung-"` and a hash of the first file's content.
        day_start: Local time `"HH:MM"` at which windows start, or `"first"`: at the first observed minute.
        report: Collects what was used, dropped or unusual; without one, dropped items are logged.
        skip_bad: Whether to skip and note unreadable files, if others can be read, instead of raising.

    Yields:
        Days in chronological order; days without any observed minute are omitted.

    Raises:
        FileNotFoundError: If the path does not exist or contains no file of Samsung Health.
        ValueError: If the zone is missing or unknown, or a file is damaged; the message names file and place.
    """
    return read_device(
        SAMSUNG,
        export,
        timezone,
        schema=schema,
        subject_id=subject_id,
        day_start=day_start,
        report=report,
        skip_bad=skip_bad,
    )
