"""Google Fit: the folder of Google Takeout."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sensorlm_hf import Event
from sensorlm_hf.data.readers import ReadReport, detect_source, read_any, read_google_fit

BERLIN = "Europe/Berlin"
QUARTERS = """Start time,End time,Move Minutes count,Average heart rate (bpm),Step count
08:00:00.000+01:00,08:15:00.000+01:00,5,71,420
08:15:00.000+01:00,08:30:00.000+01:00,,,
23:45:00.000+01:00,00:00:00.000+01:00,,,15
"""


def nanos(hour: int, minute: int = 0) -> int:
    return int(datetime(2024, 3, 1, hour, minute, tzinfo=timezone.utc).timestamp()) * 10**9


def point(kind: str, start: int, end: int, **value: float) -> dict[str, Any]:
    return {
        "fitValue": [{"value": value}],
        "startTimeNanos": str(start),
        "endTimeNanos": end,
        "dataTypeName": f"com.google.{kind}",
    }


def stream(folder: Path, name: str, *points: dict[str, Any]) -> None:
    place = folder / "Takeout" / "Fit" / "All Data"
    place.mkdir(parents=True, exist_ok=True)
    source = f"derived:{points[0]['dataTypeName']}:com.google.android.gms:{name}"
    content = {"Data Source": source, "Data Points": points}
    (place / f"derived_{name}.json").write_text(json.dumps(content), encoding="utf-8")


def quarters(folder: Path) -> None:
    place = folder / "Takeout" / "Fit" / "Daily activity metrics"
    place.mkdir(parents=True, exist_ok=True)
    (place / "2024-03-01.csv").write_text(QUARTERS, encoding="utf-8")
    (place / "Daily activity metrics.csv").write_text("Date,Step count\n2024-03-01,9000\n", encoding="utf-8")


def test_streams_and_sessions(tmp_path: Path) -> None:
    stream(tmp_path, "bpm", point("heart_rate.bpm", nanos(7), nanos(7), fpVal=61.0))
    stream(
        tmp_path,
        "merge_step_deltas",
        point("step_count.delta", nanos(7, 1), nanos(7, 3), intVal=60),
    )
    stream(tmp_path, "raw_steps", point("step_count.delta", nanos(7, 1), nanos(7, 11), intVal=60))
    stream(
        tmp_path,
        "segments",
        point("sleep.segment", nanos(1), nanos(1, 2), intVal=4),
        point("sleep.segment", nanos(1, 2), nanos(1, 3), intVal=1),
        point("sleep.segment", nanos(1, 3), nanos(1, 5), intVal=6),
        point("sleep.segment", nanos(4), nanos(4, 10), intVal=3),
    )
    stream(tmp_path, "calories", point("calories.expended", nanos(7), nanos(8), fpVal=80.0))
    quarters(tmp_path)
    sessions = tmp_path / "Takeout" / "Fit" / "All Sessions"
    sessions.mkdir()
    session = {"startTime": "2024-03-01T17:00:00.123Z", "endTime": "2024-03-01T17:30:00Z", "duration": "1800s"}
    (sessions / "ride.json").write_text(json.dumps({"fitnessActivity": "biking", **session}), encoding="utf-8")
    report = ReadReport()
    (day,) = read_google_fit(tmp_path, BERLIN, schema="sensorlm-34", report=report)
    assert day.channel("HR")[480] == 61
    assert day.channel("steps")[481:484].tolist()[:2] == [30, 30]
    assert np.isnan(day.channel("steps")[483])
    assert np.nansum(day.channel("steps")) == 60
    assert day.events == (Event("sleep", "sleep", 120, 125), Event("activity", "outdoor cycling", 1080, 1110))
    assert day.channel("sleep_stage_light")[120:125].tolist() == [1, 1, 0, 0, 0]
    assert day.channel("sleep_stage_awake")[120:125].tolist() == [0, 0, 1, 0, 0]
    assert report.count("steps-other-source") == 3
    assert report.notes["records-unused"].examples == ["com.google.calories.expended"]
    assert detect_source(tmp_path) == "google-fit"
    assert list(read_any(tmp_path, timezone=BERLIN, schema="sensorlm-34")) == [day]


def test_quarters_of_an_hour_are_read_if_there_is_nothing_better(tmp_path: Path) -> None:
    quarters(tmp_path)
    report = ReadReport()
    (day,) = read_google_fit(tmp_path, BERLIN, report=report)
    assert day.channel("steps")[480:496].tolist()[:15] == [28] * 15
    assert np.isnan(day.channel("steps")[495])
    assert day.channel("steps")[1425:].tolist() == [1] * 15
    assert not day.mask[:, 0].any()  # a mean of a quarter of an hour is no heart rate of a minute
    assert detect_source(tmp_path) == "google-fit"
    assert list(report.files_unused.values()) == ["totals of days, and no channel for it"]


def test_a_takeout_with_fitbit_files_is_fitbit(tmp_path: Path) -> None:
    quarters(tmp_path)
    folder = tmp_path / "Takeout" / "Fitbit"
    folder.mkdir()
    heart = [{"dateTime": "07/05/21 10:00:00", "value": {"bpm": 61, "confidence": 3}}]
    (folder / "heart_rate-2021-07-05.json").write_text(json.dumps(heart), encoding="utf-8")
    assert detect_source(tmp_path) == "fitbit"


def test_damaged_files_are_named(tmp_path: Path) -> None:
    stream(tmp_path, "bpm", {**point("heart_rate.bpm", nanos(7), 0, fpVal=61.0), "startTimeNanos": "noon"})
    with pytest.raises(ValueError, match="data point 0: `startTimeNanos` must be nanoseconds since 1970, got 'noon'"):
        list(read_google_fit(tmp_path, BERLIN))
    stream(tmp_path, "bpm", {**point("heart_rate.bpm", nanos(7), 0), "fitValue": []})
    with pytest.raises(ValueError, match="`fitValue` must be a list of one value"):
        list(read_google_fit(tmp_path, BERLIN))


def test_a_stream_in_several_files_is_one_stream(tmp_path: Path) -> None:
    name = "merge_step_deltas"
    stream(tmp_path, name, point("step_count.delta", nanos(7, 1), nanos(7, 2), intVal=60))
    place = tmp_path / "Takeout" / "Fit" / "All Data"
    (place / f"derived_{name}.json").rename(place / f"derived_{name}(1).json")
    stream(tmp_path, name, point("step_count.delta", nanos(7, 3), nanos(7, 4), intVal=50))
    (day,) = read_google_fit(tmp_path, BERLIN)
    assert day.channel("steps")[[481, 483]].tolist() == [60, 50]
