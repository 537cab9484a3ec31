"""Health Connect: databases that the tests write with the tables of an export."""

from __future__ import annotations

import sqlite3
import zipfile
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sensorlm_hf import Event
from sensorlm_hf.data.readers import ReadReport, detect_source, read_any, read_health_connect

BERLIN = "Europe/Berlin"
TABLES = {
    "heart_rate_record_series_table": "parent_key, beats_per_minute, epoch_millis",
    "steps_record_table": "app_info_id, start_time, end_time, count",
    "heart_rate_variability_rmssd_record_table": "time, heart_rate_variability_millis",
    "oxygen_saturation_record_table": "time, percentage",
    "resting_heart_rate_record_table": "time, beats_per_minute",
    "sleep_session_record_table": "row_id, start_time, end_time",
    "sleep_stages_table": "parent_key, stage_start_time, stage_end_time, stage_type",
    "exercise_session_record_table": "start_time, end_time, exercise_type, recording_method",
}


def ms(hour: int, minute: int = 0) -> int:
    return int(datetime(2024, 3, 1, hour, minute, tzinfo=timezone.utc).timestamp()) * 1000


def database(path: Path, **rows: list[tuple[Any, ...]]) -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        for table in rows:
            connection.execute(f"CREATE TABLE {table} ({TABLES[table]})")
            marks = ", ".join("?" * (TABLES[table].count(",") + 1))
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows[table])
    return path


def test_all_tables(tmp_path: Path) -> None:
    path = database(
        tmp_path / "health_connect_export.db",
        heart_rate_record_series_table=[(1, 60, ms(7)), (1, 64, ms(7)), (1, 70, ms(7, 10)), (1, None, ms(8))],
        steps_record_table=[(1, ms(7, 1), ms(7, 3), 60), (2, ms(7, 2), ms(7, 3), 50), (None, ms(7, 4), ms(7, 5), 9)],
        heart_rate_variability_rmssd_record_table=[(ms(2), 41.5)],
        oxygen_saturation_record_table=[(ms(2), 96.0)],
        resting_heart_rate_record_table=[(ms(3), 55), (ms(23, 30), 57)],
        sleep_session_record_table=[(1, ms(0, 10), ms(5, 40))],
        sleep_stages_table=[(1, ms(0, 10), ms(0, 12), 4), (1, ms(0, 12), ms(0, 13), 6), (1, ms(0, 13), ms(0, 14), 2)],
        exercise_session_record_table=[
            (ms(17), ms(17, 30), 33, 1),
            (ms(18), ms(18, 30), 0, 3),
            (ms(9), ms(9, 20), 61, 1),
        ],
    )
    report = ReadReport()
    (day,) = read_health_connect(path, BERLIN, schema="sensorlm-34", subject_id="p", report=report)
    assert day.channel("HR")[480] == 62
    assert day.channel("steps")[480:491].tolist() == [0, 30, 50, 0, 9, 0, 0, 0, 0, 0, 0]
    assert day.channel("rmssd0595")[180] == 41.5
    assert day.channel("spo2")[180] == 96
    assert day.labels == {"resting_heart_rate": 55.0}
    assert day.events == (
        Event("sleep", "sleep", 70, 400),
        Event("activity", "rowing machine", 600, 620),
        Event("activity", "running", 1080, 1110),
        Event("activity", "workout", 1140, 1170),
    )
    assert day.channel("sleep_stage_light")[70:73].tolist() == [1, 1, 0]
    assert day.channel("sleep_stage_rem")[72] == 1
    assert np.isnan(day.channel("sleep_stage_rem")[73])
    counted = ("rows-incomplete", "exercise-manual", "exercise-sport-unknown", "steps-two-trackers")
    assert [report.count(code) for code in counted] == [1, 1, 1, 1]
    packed = tmp_path / "Health Connect.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(path, "health_connect_export.db")
    assert detect_source(path) == detect_source(packed) == "health-connect"
    assert list(read_any(packed, timezone=BERLIN, schema="sensorlm-34", subject_id="p")) == [day]


def test_tables_may_be_missing(tmp_path: Path) -> None:
    path = database(tmp_path / "renamed.db", heart_rate_record_series_table=[(1, 60, ms(7))])
    assert detect_source(path) == "health-connect"
    (day,) = read_health_connect(path, BERLIN)
    assert day.mask.sum() == 1


def test_damaged_databases_are_named(tmp_path: Path) -> None:
    path = tmp_path / "health_connect_export.db"
    path.write_bytes(b"SQLite format 3\x00 cut")
    with pytest.raises(ValueError, match=r"health_connect_export\.db is not a readable Health Connect database"):
        list(read_health_connect(path, BERLIN))
