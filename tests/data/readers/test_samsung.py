"""Samsung Health: files that the tests write as the export is described."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sensorlm_hf import Event
from sensorlm_hf.data.readers import ReadReport, detect_source, read_any, read_samsung

BERLIN = "Europe/Berlin"
HEART = "com.samsung.health.heart_rate."


def ms(hour: int, minute: int = 0, second: int = 0) -> int:
    """Milliseconds since 1970 of a UTC time on 1 March 2024."""
    return int(datetime(2024, 3, 1, hour, minute, second, tzinfo=timezone.utc).timestamp() * 1000)


def table(folder: Path, name: str, columns: str, *rows: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.20240305123456.csv"
    # Each row ends with a comma, and the first line names the table.
    path.write_text("\n".join([f"{name},6313007,3", columns, *(f"{row}," for row in rows)]) + "\n", encoding="utf-8")
    return path


def bins(folder: Path, name: str, *entries: dict[str, Any]) -> None:
    place = folder / "jsons" / "a"
    place.mkdir(parents=True, exist_ok=True)
    (place / f"0a1b.{name}.json").write_text(json.dumps(entries), encoding="utf-8")


def heart(folder: Path, *rows: str) -> Path:
    columns = f"tag_id,{HEART}start_time,{HEART}time_offset,{HEART}end_time,{HEART}heart_rate"
    return table(folder, "com.samsung.shealth.tracker.heart_rate", columns, *rows)


def test_times_are_utc_and_long_rows_are_left_to_their_bins(tmp_path: Path) -> None:
    heart(
        tmp_path,
        "21312,2024-03-01 08:00:29.253,UTC+0300,2024-03-01 08:00:29.253,61.0",
        "21312,2024-03-01 09:00:00.000,UTC+0300,2024-03-01 09:59:59.000,90.0",
        "21312,2024-03-01 08:10:00.000,UTC+28550,,0.0",
    )
    bins(
        tmp_path,
        f"{HEART}binning_data",
        {"heart_rate": 70.0, "heart_rate_min": 65, "start_time": ms(9, 0), "end_time": ms(9, 0, 59)},
        {"heart_rate": 72.0, "start_time": ms(9, 1), "end_time": ms(9, 1, 59)},
    )
    report = ReadReport()
    (day,) = read_samsung(tmp_path, BERLIN, report=report)
    hr = day.channel("HR")
    assert {int(m): float(hr[m]) for m in np.flatnonzero(~np.isnan(hr))} == {540: 61, 600: 70, 601: 72}
    assert report.count("samples-averaged") == report.count("implausible-HR") == 1
    assert detect_source(tmp_path) == "samsung"
    assert list(read_any(tmp_path, timezone=BERLIN)) == [day]


def test_a_table_saved_again_without_its_first_line(tmp_path: Path) -> None:
    path = heart(tmp_path, "21312,2024-03-01 08:00:29.253,UTC+0300,,61.0")
    again = tmp_path / "again" / "pulse.csv"
    again.parent.mkdir()
    again.write_text(path.read_text(encoding="utf-8").partition("\n")[2], encoding="utf-8")
    (day,) = read_samsung(again, BERLIN)
    assert day.channel("HR")[540] == 61
    assert detect_source(again) == "samsung"


def test_steps_sleeps_stages_and_exercises(tmp_path: Path) -> None:
    heart(tmp_path, "1,2024-03-01 08:00:00.000,UTC+0100,,60", "1,2024-03-01 08:10:00.000,UTC+0100,,61")
    prefix = "com.samsung.health.step_count."
    columns = ",".join(f"{prefix}{name}" for name in ("start_time", "end_time", "count", "deviceuuid"))
    table(
        tmp_path,
        "com.samsung.shealth.tracker.pedometer_step_count",
        columns,
        "2024-03-01 08:01:00.000,2024-03-01 08:03:00.000,60,watch",
        "2024-03-01 08:02:00.000,2024-03-01 08:03:00.000,50,phone",
    )
    sleep = "com.samsung.health.sleep."
    table(
        tmp_path,
        "com.samsung.shealth.sleep",
        f"sleep_score,{sleep}start_time,{sleep}end_time",
        "80,2024-03-01 00:10:00.000,2024-03-01 05:40:30.000",
    )
    table(
        tmp_path,
        "com.samsung.health.sleep_stage",
        "start_time,sleep_id,stage,end_time",
        "2024-03-01 00:10:00.000,x,40002,2024-03-01 00:12:00.000",
        "2024-03-01 00:12:00.000,x,40004,2024-03-01 00:13:30.000",
        "2024-03-01 00:13:30.000,x,7,2024-03-01 00:14:00.000",
    )
    exercise = "com.samsung.health.exercise."
    table(
        tmp_path,
        "com.samsung.shealth.exercise",
        f"{exercise}start_time,{exercise}exercise_type,{exercise}end_time,{exercise}duration",
        "2024-03-01 17:00:00.000,1002,2024-03-01 17:30:00.000,1800000",
        "2024-03-01 18:00:00.000,15005,,600000",
        "2024-03-01 19:00:00.000,424242,2024-03-01 19:30:00.000,1",
    )
    table(tmp_path, "com.samsung.health.user_profile", "text_value", "me")
    report = ReadReport()
    (day,) = read_samsung(tmp_path, BERLIN, schema="sensorlm-34", report=report)
    assert day.channel("steps")[540:551].tolist() == [0, 30, 50, 0, 0, 0, 0, 0, 0, 0, 0]
    assert day.events == (
        Event("sleep", "sleep", 70, 401),
        Event("activity", "running", 1080, 1110),
        Event("activity", "treadmill running", 1140, 1150),
        Event("activity", "workout", 1200, 1230),
    )
    assert day.channel("sleep_stage_light")[70:74].tolist() == [1, 1, 0, 0]
    assert day.channel("sleep_stage_rem")[70:74].tolist() == [0, 0, 1, 0.5]
    assert report.count("sleep-stage-unknown") == report.count("exercise-sport-unknown") == 1
    assert list(report.files_unused.values()) == ["reveals who the person is"]


def test_bins_of_variability_oxygen_and_temperature(tmp_path: Path) -> None:
    bins(
        tmp_path,
        "com.samsung.health.hrv.binning_data",
        {"start_time": ms(2), "end_time": ms(2, 3), "sdnn": 50.0, "rmssd": 40.0},
        {"start_time": ms(2, 0, 30), "end_time": ms(2, 3, 30), "sdnn": 60.0, "rmssd": 44.0},
        {"start_time": ms(2, 9), "end_time": ms(2, 10), "sdnn": None, "rmssd": None},
    )
    bins(tmp_path, "com.samsung.health.oxygen_saturation.binning", {"start_time": ms(3), "spo2": 96.0})
    bins(tmp_path, "com.samsung.health.skin_temperature.binning_data", {"start_time": ms(4), "temperature": 33.5})
    (day,) = read_samsung(tmp_path, BERLIN, schema="sensorlm-34")
    assert day.channel("rmssd0595")[180:183].tolist() == [42, 42, 42]
    assert day.channel("sdnn0595")[180:183].tolist() == [55, 55, 55]
    assert day.mask[:, day.schema.index("rmssd0595")].sum() == 3
    assert day.channel("spo2")[240] == 96
    assert day.channel("wrist_temperatures")[300] == 33.5


def test_damaged_files_are_named(tmp_path: Path) -> None:
    heart(tmp_path, "21312,yesterday,UTC+0300,,61.0")
    with pytest.raises(ValueError, match=r"heart_rate.*csv, line 3: `start_time` must be a time"):
        list(read_samsung(tmp_path, BERLIN, skip_bad=False))
    table(tmp_path, "com.samsung.shealth.tracker.heart_rate", "tag_id", "1")
    with pytest.raises(ValueError, match="lacks the column start_time"):
        list(read_samsung(tmp_path, BERLIN, skip_bad=False))
    bins(tmp_path, f"{HEART}binning_data", {"heart_rate": "high", "start_time": ms(1)})
    report = ReadReport()
    with pytest.raises(ValueError, match=r"lacks the column start_time.* \(1 more could not be read either\.\)"):
        list(read_samsung(tmp_path, BERLIN, report=report))
    assert report.count("bad-file") == 2


def test_an_exercise_without_start_is_noted(tmp_path: Path) -> None:
    heart(tmp_path, "1,2024-03-01 08:00:00.000,UTC+0100,,60")
    exercise = "com.samsung.health.exercise."
    columns = f"{exercise}start_time,{exercise}exercise_type,{exercise}end_time,{exercise}duration"
    table(tmp_path, "com.samsung.shealth.exercise", columns, ",1002,2024-03-01 17:30:00.000,")
    report = ReadReport()
    (day,) = read_samsung(tmp_path, BERLIN, report=report)
    assert (day.events, report.count("exercise-without-times")) == ((), 1)


def test_bins_of_a_local_day_count_where_no_device_has_records(tmp_path: Path) -> None:
    def trend(day: str, name: str, counts: dict[int, int]) -> str:
        entries = [{"count": counts[place]} if place in counts else {} for place in range(144)]
        bins(tmp_path, name.removesuffix(".json").removeprefix("0a1b."), *entries)
        return f"{int(datetime.fromisoformat(day + 'T00:00:00+00:00').timestamp() * 1000)},-2,{name}"

    rows = [
        trend("2024-03-01", "0a1b.one.binning_data.json", {48: 100}),  # 8:00 local
        trend("2024-03-02", "0a1b.two.binning_data.json", {48: 100}),
        f"{ms(0)},-2,0a1b.lost.binning_data.json",
        f"{ms(0)},-2,",
    ]
    table(tmp_path, "com.samsung.shealth.step_daily_trend", "day_time,source_type,binning_data", *rows)
    columns = "start_time,end_time,count,deviceuuid"
    minute = "2024-03-02 10:00:00.000,2024-03-02 10:01:00.000,30,W"
    table(tmp_path, "com.samsung.shealth.tracker.pedometer_step_count", columns, minute)
    report = ReadReport()
    first, second = read_samsung(tmp_path, BERLIN, report=report)
    assert np.flatnonzero(~np.isnan(first.channel("steps"))).tolist() == list(range(480, 490))
    assert first.channel("steps")[480] == 10
    assert np.flatnonzero(~np.isnan(second.channel("steps"))).tolist() == [660]
    assert report.count("steps-in-bins") == report.count("file-missing") == 1
