"""The newer Google Takeout layout: CSV tables alongside JSON, temperature, skin conductance, altitude and moods."""

from __future__ import annotations

import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sensorlm_hf import SensorDay
from sensorlm_hf.data.readers import ReadReport, read_fitbit

ROOT = "Takeout/Fitbit"
GOOGLE = f"{ROOT}/Physical Activity_GoogleData"
OLD = f"{ROOT}/Global Export Data"
BERLIN = "Europe/Berlin"  # UTC+2 in May


def write(folder: Path, files: dict[str, Any]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return folder


def read_one(folder: Path, **options: Any) -> SensorDay:
    (day,) = read_fitbit(folder, BERLIN, **options)
    return day


def rates(*rows: str) -> str:
    return "timestamp,beats per minute,data source\n" + "".join(f"{row},Watch\n" for row in rows)


def classic(stamp: str, bpm: int, confidence: int = 3) -> dict[str, Any]:
    return {"dateTime": stamp, "value": {"bpm": bpm, "confidence": confidence}}


def test_tables_are_read_without_json(tmp_path: Path) -> None:
    files = {
        f"{GOOGLE}/heart_rate_2024-05-01.csv": rates("2024-05-01T10:00:04Z,60.0", "2024-05-01T10:00:09Z,66"),
        f"{GOOGLE}/heart_rate_variability_2024-05-01.csv": (
            "timestamp,root mean square of successive differences milliseconds,standard deviation milliseconds\n"
            "2024-05-01T01:00:00Z,38.5,52.0\n"
        ),
        f"{GOOGLE}/oxygen_saturation_2024-05-01.csv": (
            "timestamp,oxygen saturation percentage,data source\n2024-05-01T01:00:00Z,96.5,Watch\n"
            "2024-05-01T01:01:00Z,50,Watch\n"
        ),
        f"{GOOGLE}/gps_location_2024-05-01.csv": "timestamp,latitude\n",
    }
    report = ReadReport()
    day = read_one(write(tmp_path, files), schema="sensorlm-34", report=report)
    assert day.channel("HR")[720] == 63.0
    assert day.channel("rmssd0595")[180:186].tolist()[:5] == [38.5] * 5
    assert day.channel("sdnn0595")[180:185].tolist() == [52.0] * 5
    assert np.isnan(day.channel("sdnn0595")[185])
    assert day.channel("spo2")[180] == np.float32(96.5)
    assert np.isnan(day.channel("spo2")[181])
    assert report.files_unused == {f"{GOOGLE}/gps_location_2024-05-01.csv": "reveals where the person was"}


def test_json_takes_precedence_over_table_of_same_day(tmp_path: Path) -> None:
    files = {
        f"{OLD}/heart_rate-2024-05-01.json": [classic("05/01/24 10:00:00", 60), classic("05/01/24 10:01:00", 70, 0)],
        f"{GOOGLE}/heart_rate_2024-05-01.csv": rates("2024-05-01T10:00:00Z,60", "2024-05-01T10:01:00Z,70"),
        f"{GOOGLE}/heart_rate_2024-05-02.csv": rates("2024-05-02T10:00:00Z,80"),
    }
    report = ReadReport()
    first, second = read_fitbit(write(tmp_path, files), BERLIN, report=report)
    assert first.channel("HR")[720] == 60.0
    assert np.isnan(first.channel("HR")[721])  # the table contains the placeholder value without marking it as one
    assert second.channel("HR")[720] == 80.0
    assert report.count("twin-minutes") == 2


def test_steps_from_watch_and_phone_are_not_double_counted(tmp_path: Path) -> None:
    files = {
        f"{GOOGLE}/heart_rate_2024-05-01.csv": rates("2024-05-01T10:00:04Z,60", "2024-05-01T10:02:04Z,60"),
        f"{GOOGLE}/steps_2024-05-01.csv": (
            "timestamp,steps,data source\n2024-05-01T10:00:00Z,30,Watch\n2024-05-01T10:00:30Z,10,Phone\n"
            "2024-05-01T10:00:45Z,15,Phone\n2024-05-01T10:01:00Z,12,Phone\n"
        ),
    }
    report = ReadReport()
    assert read_one(write(tmp_path, files), report=report).channel("steps")[720:723].tolist() == [30.0, 12.0, 0.0]
    assert report.count("steps-two-trackers") == 1


def test_altitude_std_of_steady_climb(tmp_path: Path) -> None:
    files = {
        f"{OLD}/heart_rate-2024-05-01.json": [classic("05/01/24 10:00:00", 60), classic("05/01/24 10:05:00", 60)],
        f"{OLD}/altitude-2024-05-01.json": [{"dateTime": "05/01/24 10:00:00", "value": "10"}],
    }
    spread = read_one(write(tmp_path, files)).channel("altim_std")
    assert spread[720] == pytest.approx(3.048 / math.sqrt(12), rel=1e-6)
    assert spread[725] == 0.0  # worn, with no climb listed
    assert np.isnan(spread[721])


def test_temperature_baseline_comes_from_nearest_night(tmp_path: Path) -> None:
    header = (
        "type,sleep_start,sleep_end,temperature_samples,nightly_temperature,baseline_relative_sample_sum,"
        "baseline_relative_sample_sum_of_squares\n"
    )
    files = {
        f"{ROOT}/Temperature/Computed Temperature - 2024-05-01.csv": header
        + "SKIN,2024-05-01T23:00,2024-05-02T07:00,400,34.0,-200,1\nSKIN,2024-05-09T23:00,2024-05-10T07:00,400,33,0,1\n",
        f"{ROOT}/Temperature/Wrist Temperature - 2024-05-02.csv": (
            "recorded_time,temperature,sensor_type_enum\n2024-05-02T02:00,-1.25,UNKNOWN\n2024-05-02T02:01,0.5,UNKNOWN\n"
        ),
        f"{ROOT}/Temperature/Device Temperature - 2024-05-05.csv": (
            "recorded_time,temperature,sensor_type\n2024-05-05T02:00,-1.25,UNKNOWN\n"
        ),
    }
    report = ReadReport()
    day = read_one(write(tmp_path, files), report=report)
    assert day.channel("wrist_temperatures")[120:122].tolist() == [33.25, 35.0]  # the baseline is 34.5 degC
    assert report.count("temperature-without-baseline") == 1


def test_conductance_and_moods(tmp_path: Path) -> None:
    files = {
        f"{ROOT}/Mindfulness/Mindfulness Eda Data Sessions - 2024-05-01.csv": (
            "session_id,timestamp,valid_data,activation,scl_avg\na,1714557600,true,0,3.5\na,1714557630,true,0,4.5\n"
            "a,1714557660,false,0,9.0\n"
        ),
        f"{ROOT}/Stress Journal/Mood Logs.csv": "log_time,mood,note\n2024-05-01T10:02:00Z,Very Calm,private words\n",
    }
    report = ReadReport()
    day = read_one(write(tmp_path, files), report=report)
    assert day.channel("eda_level_real")[720] == 4.0
    assert np.isnan(day.channel("eda_level_real")[721])
    assert report.count("eda-invalid") == 1
    assert [(e.kind, e.label, e.start_minute) for e in day.events] == [("mood", "very calm", 722)]
    assert "private" not in repr(day)


def test_calories_fill_schema_with_calorie_channel(tmp_path: Path) -> None:
    schema = {
        "name": "energy",
        "channels": [
            {"key": "HR", "mean": 70.0, "std": 10.0, "valid_range": [30, 220]},
            {"key": "calories", "mean": 1.5, "std": 1.0, "valid_range": [0, 40], "unit": "kcal/min"},
        ],
    }
    files = {
        f"{OLD}/heart_rate-2024-05-01.json": [classic("05/01/24 10:00:00", 60)],
        f"{OLD}/calories-2024-05-01.json": [{"dateTime": "05/01/24 10:00:00", "value": "1.43"}],
    }
    folder = write(tmp_path, files)
    assert read_one(folder, schema=schema).values[720].tolist() == pytest.approx([60.0, 1.43])
    report = ReadReport()
    read_one(folder, report=report)
    assert list(report.files_unused.values()) == ["no channel for it"]


def test_zip_matches_folder(tmp_path: Path) -> None:
    files = {f"{GOOGLE}/heart_rate_2024-05-01.csv": rates("2024-05-01T10:00:04Z,60")}
    tree = write(tmp_path / "tree", files)
    with zipfile.ZipFile(tmp_path / "takeout.zip", "w") as packed:
        for path in tree.rglob("*.csv"):
            packed.write(path, path.relative_to(tree).as_posix())
    assert list(read_fitbit(tree, BERLIN)) == list(read_fitbit(tmp_path / "takeout.zip", BERLIN))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("heart_rate_2024-05-01.csv", rates("2024-05-01 10 PM,60"), r"line 2: `timestamp` must be an ISO 8601"),
        ("heart_rate_2024-05-01.csv", "timestamp,bpm\n", r"line 1: lacks the column beats per minute"),
        ("steps_2024-05-01.csv", "timestamp,steps\n2024-05-01T10:00:00Z,few\n", r"line 2: steps must be a number"),
        ("Mood Logs.csv", "when,note\n", r"line 1: a table of moods needs a column of times"),
        ("Mindfulness Eda Data Sessions.csv", "timestamp,scl_avg\nnow,1\n", r"line 2: timestamp must be a number"),
        ("Computed Temperature - 2024-05-01.csv", "sleep_start\n", r"line 1: lacks the columns temperature_samples"),
    ],
)
def test_damaged_tables_raise_or_are_skipped(tmp_path: Path, name: str, content: str, message: str) -> None:
    folder = write(tmp_path, {name: content, f"{OLD}/heart_rate-2024-04-01.json": [classic("05/01/24 10:00:00", 60)]})
    with pytest.raises(ValueError, match=message):
        list(read_fitbit(folder, BERLIN, skip_bad=False))
    report = ReadReport()
    assert len(list(read_fitbit(folder, BERLIN, report=report))) == 1
    assert report.count("bad-file") == 1


def test_google_health_tables(tmp_path: Path) -> None:
    fitness = "Takeout/Google Health/Health Fitness Data_GoogleData"
    stages = (
        "sleep_id,sleep_stage_id,sleep_stage_type,sleep_stage_start,sleep_stage_end\n"
        "501,1,LIGHT,2024-04-30T21:00:00Z,2024-05-01T01:00:00Z\n501,2,DEEP,2024-05-01T01:00:00Z,2024-05-01T04:00:00Z\n"
        "501,3,AWAKE,2024-05-01T04:00:00Z,2024-05-01T04:00:30Z\n"
    )
    files = {
        f"{GOOGLE}/heart_rate_2024-05-01.csv": rates("2024-05-01T10:00:04Z,60.0"),
        f"{GOOGLE}/body_temperature_2024-05-01.csv": (
            "timestamp,temperature celsius,data source\n2024-05-01T10:00:00Z,33.4,Band\n"
        ),
        f"{GOOGLE}/daily_resting_heart_rate.csv": (
            "timestamp,beats per minute,data source\n2024-05-01T00:00:00Z,58.4,Phone App\n"
        ),
        f"{GOOGLE}/oxygen_saturation_2024-05-01.csv": "no data",
        f"{OLD}/exercise-0.json": "",
        f"{fitness}/UserSleeps_2024-05-01.csv": (
            "sleep_id,sleep_type,sleep_start,sleep_end,sleep_last_updated\n"
            "501,STAGES,2024-04-30T21:00:00Z,2024-05-01T04:05:00Z,2024-05-02T05:00:00Z\n"
            "501,STAGES,2024-04-30T21:00:00Z,2024-05-01T04:00:00Z,2024-05-01T05:00:00Z\n"
        ),
        f"{fitness}/UserSleepStages_2024-05-01.csv": stages,
        f"{fitness}/UserExercises_2024-05-01.csv": (
            "exercise_start,exercise_end,activity_name\n2024-05-01T15:00:20Z,2024-05-01T15:39:40Z,Run\n"
        ),
    }
    report = ReadReport()
    day = read_one(write(tmp_path, files), schema="sensorlm-34", report=report)
    assert [(event.kind, event.start_minute, event.end_minute) for event in day.events] == [
        ("sleep", -60, 365),
        ("activity", 1020, 1060),
    ]
    assert day.labels["resting_heart_rate"] == 58.4
    assert day.channel("wrist_temperatures")[720] == np.float32(33.4)
    assert (day.channel("sleep_stage_light")[100], day.channel("sleep_stage_deep")[200]) == (1.0, 1.0)
    assert day.channel("sleep_stage_awake")[360] == 0.5
    assert sorted(report.files_unused.values()) == ["it contains no data"] * 2


def test_tables_fill_the_hours_without_json(tmp_path: Path) -> None:
    files = {
        f"{OLD}/heart_rate-2024-05-01.json": [classic("05/01/24 10:00:00", 60)],
        f"{GOOGLE}/heart_rate_2024-05-01.csv": rates(
            "2024-05-01T10:00:00Z,90", "2024-05-01T12:00:00Z,62", "2024-05-20T10:00:00Z,71"
        ),
    }
    report = ReadReport()
    first, last = read_fitbit(write(tmp_path, files), BERLIN, report=report)
    assert (first.channel("HR")[720], first.channel("HR")[840], last.channel("HR")[720]) == (60.0, 62.0, 71.0)
    assert report.count("twin-minutes") == 1


def test_apps_that_mirror_a_device_count_once(tmp_path: Path) -> None:
    rows = ("10:00:04Z,60,Watch", "10:00:20Z,0,App B", "10:00:30Z,62,Watch", "10:00:30Z,62,App A")
    steps = ("10:00:50Z,44,Watch", "10:02:00Z,30,Watch", "10:01:10Z,44,App A")
    files = {
        f"{GOOGLE}/heart_rate_2024-05-01.csv": "timestamp,beats per minute,data source\n"
        + "".join(f"2024-05-01T{row}\n" for row in rows),
        f"{GOOGLE}/steps_2024-05-01.csv": "timestamp,steps,data source\n"
        + "".join(f"2024-05-01T{row}\n" for row in steps),
    }
    report = ReadReport()
    day = read_one(write(tmp_path, files), report=report)
    assert day.channel("HR")[720] == 61.0
    assert np.nansum(day.channel("steps")) == 74.0
    assert (report.count("other-source"), report.count("steps-mirrored")) == (1, 1)


def test_tables_that_excel_saved_again(tmp_path: Path) -> None:
    text = "timestamp;beats per minute;data source\n01.05.2024 10:00;61,5;Watch\n"
    day = read_one(write(tmp_path, {f"{GOOGLE}/heart_rate_2024-05-01.csv": text}))
    assert day.channel("HR")[720] == 61.5


def test_an_edited_sleep_is_one_sleep(tmp_path: Path) -> None:
    files: dict[str, Any] = {f"{OLD}/heart_rate-2024-05-01.json": [classic("05/01/24 10:00:00", 60)]}
    for name, end in (("2024-04-30", "06:30"), ("2024-05-30", "06:35")):
        files[f"{OLD}/sleep-{name}.json"] = [
            {
                "logId": 1,
                "startTime": "2024-04-30T23:30:00.000",
                "endTime": f"2024-05-01T{end}:00.000",
                "mainSleep": True,
            }
        ]
    day = read_one(write(tmp_path, files))
    assert [(event.start_minute, event.end_minute) for event in day.events] == [(-30, 395)]
