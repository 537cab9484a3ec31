"""Health Auto Export: JSON and CSV files as the app documents them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sensorlm_hf import Event
from sensorlm_hf.data.readers import ReadReport, detect_source, read_any, read_health_auto_export

BERLIN = "Europe/Berlin"
TABLE = """Date/Time,Heart Rate [Min] (count/min),Heart Rate [Avg] (count/min),Step Count (count),Weight (kg)
2024-03-01 08:00:00,58,61,12,
2024-03-01 08:01:00,59,62.5,,70
2024-03-01 8:02:00 AM,,,30,
"""


def metric(name: str, units: str, *entries: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "units": units, "data": list(entries)}


def at(clock: str, **values: Any) -> dict[str, Any]:
    return {"date": f"2024-03-01 {clock} +0100", **values}


def write(path: Path, *metrics: dict[str, Any], workouts: list[dict[str, Any]] | None = None) -> Path:
    path.write_text(json.dumps({"data": {"metrics": metrics, "workouts": workouts or []}}), encoding="utf-8")
    return path


def test_metrics_and_workouts(tmp_path: Path) -> None:
    night = {"sleepStart": "2024-03-01 00:10:00 +0100", "sleepEnd": "2024-03-01 06:40:30 +0100"}
    run = {"name": "Outdoor Run", "start": "2024-03-01 18:00:00 +0100", "end": "2024-03-01 18:30:00 +0100"}
    path = write(
        tmp_path / "HealthAutoExport-2024-03-01.json",
        metric("heart_rate", "count/min", at("08:00:05", Min=58, Max=64, Avg=61), at("08:10:00", Min=1, Max=9, Avg=66)),
        metric("step_count", "count", at("08:01:00", qty=12.5), at("08:02:00", qty=30)),
        metric("heart_rate_variability", "ms", at("03:00:30", qty=42)),
        metric("blood_oxygen_saturation", "%", at("03:00:00", qty=0.97), at("03:01:00", qty=96)),
        metric("resting_heart_rate", "count/min", at("00:00:00", qty=55)),
        metric("sleep_analysis", "hr", at("00:00:00", **night), at("00:00:00", totalSleep=7)),
        metric("weight_body_mass", "kg", at("07:00:00", qty=70)),
        workouts=[{**run, "heartRateData": [{"date": "2024-03-01 18:00:00 +0100", "Avg": 120}]}, {"name": "x"}],
    )
    report = ReadReport()
    (day,) = read_health_auto_export(path, BERLIN, schema="sensorlm-34", report=report)
    assert day.channel("HR")[[480, 490, 1080]].tolist() == [61, 66, 120]
    assert day.channel("steps")[480:484].tolist() == [0, 12.5, 30, 0]
    assert day.channel("sdnn0595")[180] == 42
    assert day.channel("spo2")[180:182].tolist() == [97, 96]
    assert day.labels == {"resting_heart_rate": 55.0}
    assert day.events == (Event("sleep", "sleep", 10, 401), Event("activity", "running", 1080, 1110))
    counted = {code: note.count for code, note in report.notes.items()}
    assert counted == {"records-unused": 1, "sleep-without-times": 1, "exercise-without-times": 1}
    assert detect_source(path) == "health-auto-export"
    assert list(read_any(path, timezone=BERLIN, schema="sensorlm-34")) == [day]


def test_stages_of_sleep(tmp_path: Path) -> None:
    def stage(start: str, end: str, value: str) -> dict[str, Any]:
        return {"startDate": f"2024-03-01 {start} +0100", "endDate": f"2024-03-01 {end} +0100", "value": value}

    path = write(
        tmp_path / "sleep.json",
        metric("heart_rate", "bpm", at("00:10:20", qty=50)),
        metric(
            "sleep_analysis",
            "hr",
            stage("00:05:00", "07:00:00", "In Bed"),
            stage("00:10:00", "00:12:00", "Core"),
            stage("00:12:00", "00:13:00", "Awake"),
            stage("00:13:00", "00:15:00", "Deep"),
        ),
    )
    (day,) = read_health_auto_export(path, BERLIN, schema="sensorlm-34")
    assert day.events == (Event("sleep", "sleep", 10, 15),)
    assert day.channel("sleep_stage_light")[10:15].tolist() == [1, 1, 0, 0, 0]
    assert day.channel("sleep_stage_deep")[10:15].tolist() == [0, 0, 0, 1, 1]


def test_tables_are_local(tmp_path: Path) -> None:
    path = tmp_path / "HealthMetrics-2024-03-01.csv"
    path.write_text(TABLE, encoding="utf-8")
    report = ReadReport()
    (day,) = read_health_auto_export(path, BERLIN, report=report)
    assert day.channel("HR")[480:482].tolist() == [61, 62.5]
    assert day.channel("steps")[480:483].tolist() == [12, 0, 30]
    assert report.notes["columns-unused"].examples == ["Heart Rate [Min] (count/min)", "Weight (kg)"]
    assert detect_source(path) == "health-auto-export"
    assert detect_source(path, mapped=True) == "table"


@pytest.mark.parametrize(("zone", "offset"), [(BERLIN, "+0100"), ("Asia/Kolkata", "+0530")])
def test_hours_and_days_have_no_minutes(tmp_path: Path, zone: str, offset: str) -> None:
    hours = [
        {**at(f"{hour:02}:00:00", Avg=60, qty=1000), "date": f"2024-03-01 {hour:02}:00:00 {offset}"}
        for hour in range(3)
    ]
    write(tmp_path / "a.json", metric("heart_rate", "bpm", *hours), metric("step_count", "count", *hours))
    table = tmp_path / "b.csv"
    table.write_text(TABLE.replace("08:01:00", "09:00:00").replace("8:02:00 AM", "10:00:00"), encoding="utf-8")
    report = ReadReport()
    assert list(read_health_auto_export(tmp_path, zone, report=report)) == []
    assert report.count("not-minutes") == 3 + 3 + 2 + 2


def test_units_and_damage_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", metric("heart_rate", "Hz", at("08:00:05", Avg=1.0)))
    with pytest.raises(ValueError, match=r"heart_rate: the unit must be count/min or bpm, got 'Hz'"):
        list(read_health_auto_export(path, BERLIN))
    write(path, metric("heart_rate", "bpm", at("08:00:05")))
    with pytest.raises(ValueError, match="`Avg` or `qty` must be a number, got None"):
        list(read_health_auto_export(path, BERLIN))


def test_json_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", metric("heart_rate", "bpm", at("08:01:00", Avg=61)))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    (day,) = read_health_auto_export(path, BERLIN)
    assert day.channel("HR")[481] == 61
