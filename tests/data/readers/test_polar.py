"""Polar Flow: exports that the tests write as the format is described."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sensorlm_hf import Event
from sensorlm_hf.data.readers import ReadReport, detect_source, read_any, read_polar

BERLIN = "Europe/Berlin"
SESSION: dict[str, Any] = {
    "startTime": "2024-03-01T18:00:00.000",
    "stopTime": "2024-03-01T18:30:00.000",
    "timezoneOffsetMinutes": 60,
    "name": "Running",
}


def write(folder: Path, **files: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (folder / f"{name.replace('__', '-')}.json").write_text(json.dumps(value), encoding="utf-8")
    return folder


def heart(date: str, *samples: tuple[int, int]) -> dict[str, Any]:
    held = [{"heartRate": bpm, "secondsFromDayStart": seconds, "source": "x"} for seconds, bpm in samples]
    return {"deviceDays": [{"userId": 1, "date": date, "samples": held}]}


def test_heart_rate_and_steps_are_local(tmp_path: Path) -> None:
    steps = [{"localTime": f"08:{minute:02}:00", "value": count} for minute, count in ((0, 12), (1, 0), (2, 30))]
    folder = write(
        tmp_path,
        **{"247ohr_1_03__x": heart("2024-03-01", (28800, 61), (28830, 63), (29400, 0), (29460, 70))},
        **{"activity__2024__03__01__x": {"date": "2024-03-01", "samples": {"steps": steps, "mets": []}}},
        ppi_samples_1=[],
        **{"account__data__1": {"username": "me"}},
    )
    report = ReadReport()
    (day,) = read_polar(folder, BERLIN, report=report)
    assert day.channel("HR")[480] == 62
    assert day.channel("HR")[491] == 70
    assert day.channel("steps")[480:492].tolist() == [12, 0, 30, *[0] * 9]
    assert np.isnan(day.channel("steps")[492])
    assert report.count("implausible-HR") == 1
    assert sorted(report.files_unused.values()) == ["beat intervals, which are not read", "reveals who the person is"]
    assert detect_source(folder) == "polar"
    assert list(read_any(folder, timezone=BERLIN)) == [day]


def test_seconds_of_a_day_on_which_clocks_change_are_those_of_the_clock(tmp_path: Path) -> None:
    folder = write(tmp_path, **{"247ohr_1_03__x": heart("2024-03-31", (3600, 50), (4 * 3600, 60))})
    (day,) = read_polar(folder, BERLIN)
    assert np.flatnonzero(day.mask[:, 0]).tolist() == [60, 180]  # there is no hour from 2:00 to 3:00
    assert day.clock(180).hour == 4


def test_sessions_of_newer_and_older_exports(tmp_path: Path) -> None:
    series = [
        {"type": "SAMPLE_TYPE_HEART_RATE", "intervalMillis": 30000, "values": [100, 110, "NaN", 130]},
        {"type": "SAMPLE_TYPE_SPEED", "intervalMillis": 1000, "values": [9.5]},
    ]
    newer = {**SESSION, "sport": {"id": "1"}, "exercises": [{**SESSION, "samples": {"samples": series}}]}
    rates = [{"dateTime": "2024-03-01T20:00:00.000", "value": 90}, {"dateTime": "2024-03-01T20:00:01.000"}]
    old = {"startTime": "2024-03-01T20:00:00.000", "timezoneOffset": 0, "duration": "PT20M", "sport": "ROAD_BIKING"}
    older = {"exercises": [{**old, "samples": {"heartRate": rates}}]}
    renamed = {**SESSION, "startTime": "2024-03-01T12:00:00.000", "name": "With Anna", "durationMillis": 600000}
    del renamed["stopTime"]
    folder = write(tmp_path, training__session_a=newer, training__session__b=older, training__session_c=renamed)
    report = ReadReport()
    (day,) = read_polar(folder, BERLIN, report=report)
    assert day.events == (
        Event("activity", "workout", 720, 730),
        Event("activity", "running", 1080, 1110),
        Event("activity", "outdoor cycling", 1260, 1280),  # written with the offset of UTC
    )
    assert day.channel("HR")[[1080, 1081, 1260]].tolist() == [105, 130, 90]
    assert report.count("exercise-sport-unknown") == 1


def test_sleep_stages(tmp_path: Path) -> None:
    changes = [("PT0S", "WAKE"), ("PT2M", "NONREM2"), ("PT4M30S", "NONREM3"), ("PT6M", "REM"), ("PT9M", "WAKE")]
    night = {
        "sleepStart": "2024-03-01T00:10:00.000+01:00",
        "sleepEnd": "2024-03-01T00:18:00.000+01:00",
        "sleepStateChanges": [{"offsetFromStart": offset, "state": state} for offset, state in changes],
    }
    entry = {"night": "2024-03-01", "sleepResult": {"hypnogram": night}}
    folder = write(tmp_path, sleep_result_1=[entry], **{"247ohr_1_03__x": heart("2024-03-01", (28800, 61))})
    (day,) = read_polar(folder, BERLIN, schema="sensorlm-34")
    assert day.events_of("sleep") == (Event("sleep", "sleep", 10, 18),)
    assert day.channel("sleep_stage_awake")[10:18].tolist() == [1, 1, 0, 0, 0, 0, 0, 0]
    assert day.channel("sleep_stage_light")[10:18].tolist() == [0, 0, 1, 1, 0.5, 0, 0, 0]
    assert day.channel("sleep_stage_deep")[10:18].tolist() == [0, 0, 0, 0, 0.5, 1, 0, 0]
    assert day.channel("sleep_stage_rem")[10:18].tolist() == [0, 0, 0, 0, 0, 0, 1, 1]


def test_damaged_files_are_named(tmp_path: Path) -> None:
    folder = write(tmp_path, **{"247ohr_1_03__x": {"deviceDays": [{"date": "March"}]}})
    with pytest.raises(ValueError, match="`date` must be a date"):
        list(read_polar(folder, BERLIN, skip_bad=False))
    write(folder, **{"247ohr_1_03__x": heart("2024-03-01", (28800, 61))}, training__session_a={"exercises": 3})
    with pytest.raises(ValueError, match=r"training-session_a\.json: `exercises` must be a list of objects, got a num"):
        list(read_polar(folder, BERLIN, skip_bad=False))
    report = ReadReport()
    assert len(list(read_polar(folder, BERLIN, report=report))) == 1
    assert report.count("bad-file") == 1
    write(folder, training__session_a={**SESSION, "stopTime": None})
    assert len(list(read_polar(folder, BERLIN, report=report))) == 1
    assert report.count("exercise-without-times") == 1


def test_the_hour_that_clocks_repeat_follows_the_first(tmp_path: Path) -> None:
    day = "2024-10-27"
    seconds = [(3600, 40), (2 * 3600 + 1800, 50), (2 * 3600 + 600, 60), (3 * 3600, 70)]  # 2:30, 2:10 again, 3:00
    steps = [{"localTime": clock, "value": 5} for clock in ("01:00:00", "02:30:00", "02:10:00", "03:00:00")]
    files: dict[str, Any] = {"247ohr_1_10__x": heart(day, *seconds)}
    files["activity__2024__10__27__x"] = {"date": day, "samples": {"steps": steps}}
    report = ReadReport()
    (read,) = read_polar(write(tmp_path, **files), BERLIN, report=report)
    assert np.flatnonzero(read.mask[:, 0]).tolist() == [60, 150, 190, 240]
    assert np.flatnonzero(np.nan_to_num(read.channel("steps"))).tolist() == [60, 150, 190, 240]
    assert report.count("repeated-hour") == 2


def test_a_session_saved_as_csv(tmp_path: Path) -> None:
    head = "Name,Sport,Date,Start time,Duration,Total distance (km),Average heart rate (bpm)\n"
    session = "X,TRAIL_RUNNING,01-03-2024,08:00:00,00:30:00,5.0,140\n"
    samples = "Sample rate,Time,HR (bpm),Speed (km/h)\n1,00:00:00,101,\n,00:00:01,103,\n,00:01:00,,\n"
    path = tmp_path / "session.csv"
    path.write_text(head + session + samples, encoding="utf-8")
    (day,) = read_polar(path, BERLIN)
    assert day.channel("HR")[480] == 102
    assert day.mask.sum() == 1
    assert day.events == (Event("activity", "running", 480, 510),)
    assert detect_source(path) == "polar"
    path.write_text(head + session.replace("01-03-2024", "2024/01/03"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"line 2: `Date` and `Start time` must be like 31-12-2024 and 08:00:00"):
        list(read_polar(path, BERLIN))
    path.write_text(head + session + samples.replace("101", "fast"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"line 4: `HR \(bpm\)` must be a number, got 'fast'"):
        list(read_polar(path, BERLIN))
