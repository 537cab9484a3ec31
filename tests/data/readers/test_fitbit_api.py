"""Answers of Fitbit's Web API, as the tests write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sensorlm_hf import Event
from sensorlm_hf.data.readers import ReadReport, detect_source, read_any, read_fitbit, read_fitbit_api

BERLIN = "Europe/Berlin"


def intraday(kind: str, day: str | None, *rows: tuple[str, float], seconds: bool = False) -> dict[str, Any]:
    summary = [] if day is None else [{"dateTime": day, "value": {"restingHeartRate": 58}}]
    part = {"dataset": [{"time": time, "value": value} for time, value in rows], "datasetInterval": 1}
    unit = "second" if seconds else "minute"
    return {f"activities-{kind}": summary, f"activities-{kind}-intraday": {**part, "datasetType": unit}}


def write(path: Path, answer: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(answer), encoding="utf-8")
    return path


def test_heart_rate_steps_and_the_label_of_the_day(tmp_path: Path) -> None:
    heart = [("08:00:00", 61), ("08:00:15", 63), ("08:05:00", 70)]
    write(tmp_path / "heart" / "2024-03-01.json", intraday("heart", "2024-03-01", *heart, seconds=True))
    steps = [("00:00:00", 0), ("08:01:00", 12), ("08:02:00", 0)]
    write(tmp_path / "steps" / "2024-03-01.json", [intraday("steps", "2024-03-01", *steps)])
    (day,) = read_fitbit_api(tmp_path, BERLIN)
    assert day.channel("HR")[[480, 485]].tolist() == [62, 70]
    # A minute of 0 steps counts only while the device was worn.
    assert day.channel("steps")[480:486].tolist() == [0, 12, 0, 0, 0, 0]
    assert np.isnan(day.channel("steps")[0])
    assert day.labels == {"resting_heart_rate": 58.0}
    assert detect_source(tmp_path) == "fitbit-api"
    assert list(read_any(tmp_path, timezone=BERLIN)) == [day]


def test_the_date_may_be_in_the_name(tmp_path: Path) -> None:
    path = write(tmp_path / "heart_rate-2024-03-01.json", intraday("heart", None, ("08:00:00", 61)))
    (day,) = read_fitbit_api(path, BERLIN)
    assert (day.start.date().isoformat(), day.channel("HR")[480]) == ("2024-03-01", 61)
    with pytest.raises(ValueError, match="an answer of Fitbit's Web API, which `convert fitbit-api` reads"):
        list(read_fitbit(tmp_path, BERLIN))
    path = write(tmp_path / "other" / "heart.json", intraday("heart", None, ("08:00:00", 61)))
    with pytest.raises(ValueError, match=r"heart\.json: the times of `activities-heart-intraday` have no date"):
        list(read_fitbit_api(path, BERLIN))


def test_the_hour_that_clocks_repeat_follows_the_first(tmp_path: Path) -> None:
    rows = [("01:59:00", 60), ("02:30:00", 61), ("02:30:00", 71), ("03:00:00", 72)]
    path = write(tmp_path / "a.json", intraday("heart", "2024-10-27", *rows))
    report = ReadReport()
    (day,) = read_fitbit_api(path, BERLIN, report=report)
    hr = day.channel("HR")
    assert {int(m): float(hr[m]) for m in np.flatnonzero(~np.isnan(hr))} == {119: 60, 150: 61, 210: 71, 240: 72}
    assert report.count("repeated-hour") == 1


def test_sleep_stages_variability_and_oxygen(tmp_path: Path) -> None:
    levels = {
        "data": [
            {"dateTime": "2024-03-01T00:10:00.000", "level": "light", "seconds": 600},
            {"dateTime": "2024-03-01T00:20:00.000", "level": "deep", "seconds": 300},
        ],
        "shortData": [{"dateTime": "2024-03-01T00:12:00.000", "level": "wake", "seconds": 60}],
    }
    night = {"startTime": "2024-03-01T00:10:00.000", "endTime": "2024-03-01T00:25:00.000", "isMainSleep": True}
    write(tmp_path / "sleep.json", {"sleep": [{**night, "type": "stages", "levels": levels}], "summary": {}})
    write(tmp_path / "heart.json", intraday("heart", "2024-03-01", ("00:10:00", 50)))
    minute = {"minute": "2024-03-01T00:15:00.000", "value": {"rmssd": 26.6}}
    write(tmp_path / "hrv.json", {"hrv": [{"minutes": [minute], "dateTime": "2024-03-01"}]})
    oxygen = [{"value": 95.5, "minute": "2024-03-01T00:10:00"}, {"value": 50.0, "minute": "2024-03-01T00:11:00"}]
    write(tmp_path / "spo2.json", {"dateTime": "2024-03-01", "minutes": oxygen})
    (day,) = read_fitbit_api(tmp_path, BERLIN, schema="sensorlm-34")
    assert day.events == (Event("sleep", "sleep", 10, 25),)
    assert day.channel("sleep_stage_light")[10:20].tolist() == [1, 1, 0, 1, 1, 1, 1, 1, 1, 1]
    assert day.channel("sleep_stage_awake")[12] == 1
    assert day.channel("sleep_stage_deep")[20:25].tolist() == [1] * 5
    assert day.channel("rmssd0595")[15:20] == pytest.approx([26.6] * 5)
    assert day.channel("spo2")[10] == 95.5
    assert np.isnan(day.channel("spo2")[11])


def test_damaged_answers_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", intraday("heart", "2024-03-01", ("08:00", "x")))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"a\.json: `value` must be a number, got 'x'"):
        list(read_fitbit_api(path, BERLIN))
