"""Oura: saved answers of the API and CSV files of the account's export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sensorlm_hf import Event, get_schema
from sensorlm_hf.data.readers import ReadReport, detect_source, read_any, read_oura

BERLIN = "Europe/Berlin"
SLEEP: dict[str, Any] = {
    "bedtime_end": "2024-03-01T07:00:00+01:00",
    "bedtime_start": "2024-03-01T06:30:00+01:00",
    "day": "2024-03-01",
    "heart_rate": {"interval": 300.0, "items": [51.0, None, 53.0], "timestamp": "2024-03-01T06:30:00.000+01:00"},
    "hrv": {"interval": 300.0, "items": [40.0, 42.0], "timestamp": "2024-03-01T06:30:00.000+01:00"},
    "sleep_phase_5_min": "421324",
    "type": "long_sleep",
}
HEART = [
    {"bpm": 57, "source": "rest", "timestamp": "2024-03-01T12:19:48+00:00"},
    {"bpm": 58, "source": "awake", "timestamp": "2024-03-01T12:24:48Z"},
]


def write(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def test_answers_of_the_api(tmp_path: Path) -> None:
    folder = tmp_path / "api"
    write(folder / "hr.json", {"data": HEART, "next_token": None})
    nap = {**SLEEP, "bedtime_start": "2024-03-01T14:00:00+01:00", "bedtime_end": "2024-03-01T14:20:00+01:00"}
    nap |= {"type": "late_nap", "heart_rate": None, "hrv": None, "sleep_phase_5_min": None}
    write(folder / "sleep.json", {"data": [SLEEP, nap, {**nap, "type": "deleted"}]})
    walk = {"activity": "walking", "start_datetime": "2024-03-01T17:00:00+01:00", "intensity": "easy"}
    write(folder / "w.json", {"data": [{**walk, "end_datetime": "2024-03-01T17:30:00+01:00", "source": "manual"}]})
    report = ReadReport()
    (day,) = read_oura(folder, BERLIN, schema="sensorlm-34", report=report)
    assert day.events == (
        Event("sleep", "sleep", 390, 420),
        Event("sleep", "nap", 840, 860),
        Event("activity", "walking", 1020, 1050),
    )
    heart = day.channel("HR")
    assert {int(minute): float(heart[minute]) for minute in np.flatnonzero(~np.isnan(heart))} == {
        390: 51,
        400: 53,
        799: 57,
        804: 58,
    }
    assert day.channel("rmssd0595")[389:401].tolist()[1:-1] == [40] * 5 + [42] * 5
    order = ["awake", "light", "deep", "rem", "light", "awake"]
    held = {stage: day.channel(f"sleep_stage_{stage}")[390:420].reshape(6, 5) for stage in set(order)}
    for place, stage in enumerate(order):
        assert [name for name, share in held.items() if share[place].all()] == [stage]
    assert report.count("exercise-manual") == report.count("sleep-not-sleep") == 1
    assert detect_source(folder) == detect_source(folder / "hr.json") == "oura"
    assert list(read_any(folder, timezone=BERLIN, schema="sensorlm-34")) == [day]


def test_account_export_has_the_same_fields(tmp_path: Path) -> None:
    folder = tmp_path / "App Data"
    write(folder / "heartrate.csv", "timestamp;bpm;source\n2024-03-01T12:19:48.000Z;57;rest\n")
    cells = [json.dumps(value) if isinstance(value, dict) else value for value in SLEEP.values()]
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
    write(folder / "sleepmodel.csv", ";".join(SLEEP) + "\n" + ";".join(quoted) + "\n")
    write(folder / "dailysleep.csv", "id;day;score\nx;2024-03-01;80\n")
    report = ReadReport()
    (day,) = read_oura(tmp_path, BERLIN, subject_id="p", report=report)
    write(tmp_path / "api" / "all.json", {"heartrate": HEART[:1], "sleep": [SLEEP]})
    assert list(read_oura(tmp_path / "api", BERLIN, subject_id="p")) == [day]
    assert list(report.files_unused) == ["App Data/dailysleep.csv"]
    assert detect_source(tmp_path) == "oura"
    assert detect_source(folder / "heartrate.csv", mapped=True) == "table"


def test_met_fills_a_channel_of_ones_own_schema(tmp_path: Path) -> None:
    met = {"interval": 60.0, "items": [1.1, 2.5], "timestamp": "2024-03-01T04:00:00.000+01:00"}
    path = write(tmp_path / "daily.json", {"data": [{"class_5_min": "123", "met": met, "steps": 8000}]})
    report = ReadReport()
    assert list(read_oura(path, BERLIN, report=report)) == []
    assert report.count("samples-unused") == 2
    channel = {"key": "met", "label": "metabolic rate", "unit": "MET", "mean": 1.5, "std": 1, "valid_range": [0, 25]}
    schema = get_schema({"name": "mine", "channels": [channel]})
    (day,) = read_oura(path, BERLIN, schema=schema)
    assert day.channel("met")[240:242].tolist() == [np.float32(1.1), 2.5]


def test_damaged_files_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "hr.json", {"data": [HEART[0], {**HEART[1], "bpm": "high"}]})
    with pytest.raises(ValueError, match=r"hr\.json, entry 1: `bpm` must be a number, got 'high'"):
        list(read_oura(path, BERLIN))
    write(path, {"data": [HEART[0], {**HEART[1], "timestamp": "noon"}]})
    with pytest.raises(ValueError, match="entry 1: `timestamp` must be a time"):
        list(read_oura(path, BERLIN))
    write(path, json.dumps({"data": HEART})[:-10])
    with pytest.raises(ValueError, match="truncated"):
        list(read_oura(path, BERLIN))
    write(path, {"data": [{**SLEEP, "hrv": {"interval": 0, "items": []}}]})
    with pytest.raises(ValueError, match="`interval` must be a number of seconds above 0"):
        list(read_oura(path, BERLIN))
    with pytest.raises(FileNotFoundError, match="No Oura data"):
        read_oura(write(tmp_path / "other.json", "{}"), BERLIN)
