"""Google Fit: the folder `Fit` of Google Takeout.

| file | used for | times |
|---|---|---|
| `All Data/*.json` | heart rate (bpm), steps, oxygen saturation (%), segments of sleep | UTC, nanoseconds |
| `All Sessions/*.json` | sleep and activity events | UTC |
| `Daily activity metrics/YYYY-MM-DD.csv` | steps of a quarter of an hour, if `All Data` contains none | with offset |

The same steps are in several data sources; if Google's merged one is in the export, only that is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import tzinfo
from typing import Any

import numpy as np

from ...days import SensorDay
from ...documents import value_type
from ...schema import SchemaLike
from .device_days import Batch, merge_segments
from .device_reader import DeviceExport, file_kind, read_device
from .device_times import seconds_of
from .export_files import ExportFile, objects
from .minutes import UTC, to_float
from .quality import ReadReport
from .sources import numbers

_QUANTITIES = {"com.google.heart_rate.bpm": "HR", "com.google.oxygen_saturation": "spo2"}
_STEPS, _SLEEP = "com.google.step_count.delta", "com.google.sleep.segment"
_ASLEEP = {2: None, 4: "light", 5: "deep", 6: "rem"}
_AWAKE = 1
_QUARTERS = "quarters of an hour"
_MERGED = ("merge_step_deltas", "estimated_steps")


def _stream(batch: Batch, file: ExportFile) -> None:
    root = file.json()
    if not isinstance(root, dict):
        raise ValueError(f"{file.label}: must be an object with `Data Points`, got {value_type(root)}.")
    source = str(root.get("Data Source", ""))
    samples: dict[str, tuple[list[float], list[float]]] = {}
    steps: list[tuple[float, float, float]] = []
    segments: list[tuple[float, float]] = []
    for place, point in enumerate(objects(root.get("Data Points") or [], file.label, "`Data Points`")):
        where = f"{file.label}, data point {place}"
        kind = str(point.get("dataTypeName") or [*source.split(":"), ""][1])
        if kind not in (*_QUANTITIES, _STEPS, _SLEEP):
            batch.report.note("records-unused", "info", "records without a channel", kind)
            continue
        start, end = (_seconds(point, f"{edge}TimeNanos", where) for edge in ("start", "end"))
        value = _value(point, where)
        if kind in _QUANTITIES:
            times, values = samples.setdefault(_QUANTITIES[kind], ([], []))
            times.append(start)
            values.append(value)
        elif kind == _STEPS:
            steps.append((start, end, value))
        elif int(value) in _ASLEEP:
            segments.append((start, end))
            stage = _ASLEEP[int(value)]
            if stage:
                batch.stages.append((start, end, stage))
        elif int(value) == _AWAKE:
            batch.stages.append((start, end, "awake"))
    for quantity, (times, values) in samples.items():
        batch.add_samples(quantity, times, values)
    if steps:
        batch.add_steps(source or file.base, *zip(*steps, strict=True))
    for start, end in merge_segments(segments):
        batch.add_sleep(start, end)


def _seconds(point: dict[str, Any], name: str, where: str) -> float:
    try:
        return int(point[name]) / 1e9
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{where}: `{name}` must be nanoseconds since 1970, got {point.get(name)!r}.") from None


def _value(point: dict[str, Any], where: str) -> float:
    try:
        held = point["fitValue"][0]["value"]
        return to_float(held["fpVal"] if "fpVal" in held else held["intVal"])
    except (KeyError, IndexError, TypeError, ValueError):
        raise ValueError(
            f"{where}: `fitValue` must be a list of one value with `fpVal` or `intVal`, got {point.get('fitValue')!r}."
        ) from None


def _session(batch: Batch, file: ExportFile) -> None:
    entry = file.json()
    if not isinstance(entry, dict):
        raise ValueError(f"{file.label}: must be an object with `fitnessActivity`, got {value_type(entry)}.")
    start, end = (seconds_of(entry.get(f"{edge}Time"), UTC, file.label, f"{edge}Time") for edge in ("start", "end"))
    name = str(entry.get("fitnessActivity") or "").replace(".", " ")
    if name == "sleep":
        batch.add_sleep(start, end)
    else:
        batch.add_workout(start, end, name)


def _quarters(batch: Batch, file: ExportFile) -> None:
    day = file.base[:10]
    frame = file.csv(("Start time", "End time"))
    column = next((name for name in frame.columns if name.lower() == "step count"), None)
    if column is None:
        return
    counts = numbers(frame, column, file.label).to_numpy()
    edges = []
    for name in ("Start time", "End time"):
        cells = enumerate(frame[name], 2)
        edges.append(
            np.array([seconds_of(f"{day}T{cell}", batch.zone, f"{file.label}, row {row}", name) for row, cell in cells])
        )
    starts, ends = edges
    ends = np.where(ends < starts, ends + 86_400.0, ends)  # the last quarter ends at 00:00
    known = np.isfinite(counts)
    batch.add_steps(_QUARTERS, starts[known].tolist(), ends[known].tolist(), counts[known].tolist())


def _choose_steps(batch: Batch) -> None:
    """Keeps one of several copies of the same steps: Google's merged stream, else the streams, else the quarters."""
    streams = [name for name in batch.steps if name != _QUARTERS]
    merged = [name for mark in _MERGED for name in streams if mark in name]
    kept = merged[:1] or streams or [_QUARTERS]
    for name in [name for name in batch.steps if name not in kept]:
        count = sum(len(starts) for starts, _, _ in batch.steps.pop(name))
        message = "step records that another source contains as well"
        batch.report.note("steps-other-source", "dropped", message, name, count)


GOOGLE_FIT = DeviceExport(
    kind="google-fit",
    title="Google Fit",
    kinds=(
        file_kind(r".*\.json", _stream, rb".*\"Data Points\""),
        file_kind(r".*\.json", _session, rb"(?=.*\"fitnessActivity\")(?=.*\"startTime\")"),
        file_kind(r"\d{4}-\d\d-\d\d\.csv", _quarters, rb"[^\n]*Start time,End time"),
    ),
    looked_for="All Data/*.json, All Sessions/*.json and Daily activity metrics/YYYY-MM-DD.csv",
    why_zone="Google Fit writes times in UTC.",
    unused=((r".*\.tcx", "reveals where the person was"), (r".*\.(json|csv)", "totals of days, and no channel for it")),
    finish=_choose_steps,
)


def read_google_fit(
    export: str | os.PathLike,
    timezone: str | tzinfo | None = None,
    *,
    schema: SchemaLike = "sensorlm-26",
    subject_id: str | None = None,
    day_start: str = "00:00",
    report: ReadReport | None = None,
    skip_bad: bool = True,
) -> Iterator[SensorDay]:
    """Reads one person's Google Fit data from Google Takeout as local days.

    Steps of a quarter of an hour are spread evenly over it; they are read only if the export contains no streams of
    steps.

    Written from descriptions of the format; not yet compared with an export of a real account.

    Args:
        export: The folder `Takeout` or `Fit`, the zip, or one of the files.
        timezone: IANA time zone of the person. Required.
        schema: Schema of the days.
        subject_id: Subject id; by default `"google-fit-"` and a hash of the first file's content.
        day_start: Local time `"HH:MM"` at which windows start, or `"first"`: at the first observed minute.
        report: Collects what was used, dropped or unusual; without one, dropped items are logged.
        skip_bad: Whether to skip and note unreadable files, if others can be read, instead of raising.

    Yields:
        Days in chronological order; days without any observed minute are omitted.

    Raises:
        FileNotFoundError: If the path does not exist or contains no file of Google Fit.
        ValueError: If the zone is missing or unknown, or a file is damaged; the message names file and place.
    """
    return read_device(
        GOOGLE_FIT,
        export,
        timezone,
        schema=schema,
        subject_id=subject_id,
        day_start=day_start,
        report=report,
        skip_bad=skip_bad,
    )
