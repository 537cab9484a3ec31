"""Fitbit exports: synthetic files in the real formats, and real recordings if available."""

from __future__ import annotations

import json
import logging
import zipfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from sensorlm_hf import SensorDay
from sensorlm_hf.data.readers import ReadReport, read_fitbit

TREE = "Takeout/Fitbit/Global Export Data"
BERLIN = "Europe/Berlin"


def stamp(moment: datetime) -> str:
    return moment.strftime("%m/%d/%y %H:%M:%S")


def heart(moment: datetime, bpm: int, confidence: int = 3) -> dict[str, Any]:
    return {"dateTime": stamp(moment), "value": {"bpm": bpm, "confidence": confidence}}


def steps(moment: datetime, count: int) -> dict[str, Any]:
    return {"dateTime": stamp(moment), "value": str(count)}


def exercise(name: str, start: datetime, minutes: float, kind: str = "auto_detected") -> dict[str, Any]:
    return {
        "logId": 1,
        "activityName": name,
        "startTime": stamp(start),
        "duration": int(minutes * 60_000),
        "logType": kind,
    }


def sleep(start: str, end: str, *, main: bool = True, levels: dict[str, Any] | None = None) -> dict[str, Any]:
    entry: dict[str, Any] = {"logId": 2, "startTime": start, "endTime": end, "mainSleep": main, "type": "classic"}
    if levels is not None:
        entry.update(type="stages", levels=levels)
    return entry


def write(folder: Path, files: dict[str, Any]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        else:  # one entry per line, as in Fitbit exports
            path.write_text("[" + ",\n".join(json.dumps(entry) for entry in content) + "]", encoding="utf-8")
    return folder


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=timezone.utc)  # type: ignore[misc,arg-type]


def minutes_of_heart(start: datetime, count: int, bpm: int = 60) -> list[dict[str, Any]]:
    return [heart(start + timedelta(minutes=i), bpm) for i in range(count)]


def read_one(folder: Path, **options: Any) -> SensorDay:
    days = list(read_fitbit(folder, options.pop("timezone", BERLIN), **options))
    assert len(days) == 1
    return days[0]


def test_heart_rate_is_averaged_per_minute_in_local_time(tmp_path: Path) -> None:
    # Berlin is at UTC+2 in July: 22:00 UTC is minute 0 of the next local day.
    night = utc(2021, 7, 4, 22)
    entries = [
        heart(night, 60),
        heart(night + timedelta(seconds=20), 66),
        heart(night + timedelta(minutes=5, seconds=59), 80),
        heart(utc(2021, 7, 5, 21, 59, 59), 100),
        heart(utc(2021, 7, 5, 22), 55),
    ]
    days = list(read_fitbit(write(tmp_path, {"heart_rate-2021-07-05.json": entries}), BERLIN, subject_id="p1"))
    assert [day.sample_id for day in days] == ["p1@2021-07-05T00:00+0200", "p1@2021-07-06T00:00+0200"]
    rate = days[0].channel("HR")
    assert rate[[0, 5, 1439]].tolist() == [63.0, 80.0, 100.0]
    assert int(days[0].mask.sum()) == 3  # steps are missing without a steps file
    assert days[1].channel("HR")[0] == 55.0
    assert days[0].start.tzinfo == ZoneInfo(BERLIN)


def test_zero_confidence_samples_are_dropped_unless_all_are_zero(tmp_path: Path) -> None:
    noon = utc(2021, 7, 5, 10)
    entries = [heart(noon, 90, 2), heart(noon + timedelta(seconds=5), 70, 0), heart(noon + timedelta(minutes=1), 70, 0)]
    report = ReadReport()
    day = read_one(write(tmp_path / "a", {"heart_rate-2021-07-05.json": entries}), report=report)
    assert day.channel("HR")[720] == 90.0
    assert np.isnan(day.channel("HR")[721])
    assert report.count("heart-rate-no-confidence") == 2
    only = [heart(noon, 70, 0)]
    assert read_one(write(tmp_path / "b", {"heart_rate-2021-07-05.json": only})).channel("HR")[720] == 70.0


def test_implausible_heart_rate_is_missing_and_counted(tmp_path: Path) -> None:
    noon = utc(2021, 7, 5, 10)
    report = ReadReport()
    entries = [heart(noon, 0), heart(noon + timedelta(seconds=9), 64), heart(noon + timedelta(minutes=1), 300)]
    day = read_one(write(tmp_path, {"heart_rate.json": entries}), report=report)
    assert day.channel("HR")[720] == 64.0
    assert np.isnan(day.channel("HR")[721])
    assert report.count("implausible-HR") == 2


def test_unlisted_steps_are_zero_only_where_the_device_was_worn(tmp_path: Path) -> None:
    noon = utc(2021, 7, 5, 10)
    files = {
        "heart_rate-2021-07-05.json": minutes_of_heart(noon, 3),
        "steps-2021-07-01.json": [steps(noon + timedelta(minutes=1), 40), steps(noon + timedelta(minutes=9), 0)],
    }
    values = read_one(write(tmp_path, files)).channel("steps")
    assert values[720:723].tolist() == [0.0, 40.0, 0.0]
    assert values[729] == 0.0  # listed, so observed, though nothing else was
    assert int((~np.isnan(values)).sum()) == 4


def test_steps_are_missing_on_days_without_steps_file(tmp_path: Path) -> None:
    files = {
        "heart_rate-2021-07-05.json": minutes_of_heart(utc(2021, 7, 5, 10), 3),
        "heart_rate-2021-07-06.json": minutes_of_heart(utc(2021, 7, 6, 10), 3),
        "steps-2021-07-05.json": [steps(utc(2021, 7, 5, 10), 7)],
    }
    first, second = read_fitbit(write(tmp_path, files), BERLIN)
    assert int(first.mask[:, first.schema.index("steps")].sum()) == 3
    assert not second.mask[:, second.schema.index("steps")].any()


def test_duplicate_minutes_are_not_summed(tmp_path: Path) -> None:
    noon = utc(2021, 7, 5, 10)
    report = ReadReport()
    files = {
        "steps-2021-07-05.json": [steps(noon, 30), steps(noon + timedelta(minutes=1), 5)],
        "steps-2021-07-05 (1).json": [steps(noon, 30), steps(noon + timedelta(minutes=1), 8)],
    }
    values = read_one(write(tmp_path, files), report=report).channel("steps")
    assert values[720:722].tolist() == [30.0, 8.0]
    assert report.count("steps-listed-twice") == 2


@pytest.mark.parametrize(("date", "offset", "left_out"), [("2021-10-31", 2, 1), ("2021-03-28", 1, 0)])
def test_windows_start_at_midnight_after_clock_change(tmp_path: Path, date: str, offset: int, left_out: int) -> None:
    midnight = datetime.fromisoformat(date).replace(tzinfo=timezone.utc) - timedelta(hours=offset)
    hours = [midnight + timedelta(hours=h) for h in range(49)]
    report = ReadReport()
    folder = write(tmp_path, {f"heart_rate-{date}.json": [heart(m, 50 + i) for i, m in enumerate(hours)]})
    first, second = list(read_fitbit(folder, BERLIN, report=report))[:2]
    assert (first.start.hour, second.start.hour) == (0, 0)
    elapsed = second.start.astimezone(timezone.utc) - first.start.astimezone(timezone.utc)
    assert elapsed == timedelta(hours=25 if left_out else 23)
    assert first.channel("HR")[::60].tolist() == list(range(50, 74))
    shift = 25 if left_out else 23
    assert second.channel("HR")[0] == 50 + shift
    assert report.count("clock-change") == left_out


def test_day_start(tmp_path: Path) -> None:
    folder = write(tmp_path, {"heart_rate.json": [heart(utc(2021, 7, 5, 15, 59), 60), heart(utc(2021, 7, 5, 16), 70)]})
    first, second = read_fitbit(folder, BERLIN, day_start="18:00")
    assert first.start.isoformat() == "2021-07-04T18:00:00+02:00"
    assert first.channel("HR")[1439] == 60.0
    assert second.start.isoformat() == "2021-07-05T18:00:00+02:00"
    assert second.channel("HR")[0] == 70.0


def test_day_start_first(tmp_path: Path) -> None:
    # A week of daily files, whose windows are yielded before later files are read; two days are missing, and clocks go
    # forward on the 28th.
    start = utc(2021, 3, 25, 7, 41)
    files: dict[str, Any] = {}
    for moment in (start + timedelta(minutes=10 * i) for i in range(7 * 144)):
        if not timedelta(days=2) <= moment - start < timedelta(days=4):
            files.setdefault(f"heart_rate-{moment.date().isoformat()}.json", []).append(heart(moment, 60 + moment.hour))
    files["sleep-2021-03-01.json"] = [sleep("2021-03-25T23:00:00.000", "2021-03-26T06:00:00.000")]
    files["resting_heart_rate-2021-01-01.json"] = [
        {"dateTime": "03/26/21 00:00:00", "value": {"date": "03/26/21", "value": 51.0, "error": 2.0}}
    ]
    days = list(read_fitbit(write(tmp_path, files), BERLIN, day_start="first"))
    assert [day.start.isoformat() for day in days] == [
        "2021-03-25T08:41:00+01:00",
        "2021-03-26T08:41:00+01:00",
        "2021-03-29T09:41:00+02:00",
        "2021-03-30T09:41:00+02:00",
        "2021-03-31T09:41:00+02:00",
    ]
    assert all(np.flatnonzero(day.mask[:, 0]).tolist() == list(range(0, 1440, 10)) for day in days)
    assert [(event.label, event.start_minute) for event in days[0].events] == [("sleep", 14 * 60 + 19)]
    assert [day.labels for day in days[:2]] == [{}, {"resting_heart_rate": 51.0}]


def test_exercises_use_utc_and_sleep_uses_local_time(tmp_path: Path) -> None:
    files = {
        "heart_rate-2020-07-05.json": minutes_of_heart(utc(2020, 7, 4, 14), 1440),
        "exercise-0.json": [exercise("Run", utc(2020, 7, 5, 4, 20, 30), 45.0)],
        "sleep-2020-07-01.json": [sleep("2020-07-05T00:21:00.000", "2020-07-05T07:05:30.000")],
    }
    day = read_one(write(tmp_path, files), timezone="Australia/Melbourne")
    (run,) = day.events_of("activity")
    assert (run.label, run.start_minute, run.end_minute) == ("running", 14 * 60 + 20, 14 * 60 + 20 + 46)
    (night,) = day.events_of("sleep")
    assert (night.label, night.start_minute, night.end_minute) == ("sleep", 21, 426)


def test_events_keep_their_full_extent_in_each_overlapping_window(tmp_path: Path) -> None:
    files = {
        "heart_rate.json": minutes_of_heart(utc(2021, 7, 4, 10), 2880),
        "sleep.json": [sleep("2021-07-05T23:00:00.000", "2021-07-06T07:00:00.000")],
    }
    days = list(read_fitbit(write(tmp_path, files), BERLIN))
    edges = [[(e.start_minute, e.end_minute) for e in day.events] for day in days]
    assert edges == [[], [(1380, 1860)], [(-60, 420)]]


def test_sleep_across_a_clock_change_is_measured_in_elapsed_minutes(tmp_path: Path) -> None:
    files = {
        "heart_rate.json": minutes_of_heart(utc(2021, 10, 30, 22), 600),
        "sleep.json": [sleep("2021-10-31T00:30:00.000", "2021-10-31T08:00:00.000")],
    }
    (night,) = read_one(write(tmp_path, files)).events
    assert (night.start_minute, night.end_minute) == (30, 540)  # 7.5 hours of wall-clock time, 8.5 hours of sleep


def test_naps_are_distinguished_from_nights(tmp_path: Path) -> None:
    files = {
        "heart_rate.json": minutes_of_heart(utc(2021, 7, 4, 22), 1440),
        "sleep.json": [
            sleep("2021-07-05T00:10:00.000", "2021-07-05T02:00:00.000"),
            sleep("2021-07-05T14:00:00.000", "2021-07-05T15:10:00.000"),
            sleep("2021-07-05T18:00:00.000", "2021-07-05T22:10:00.000", main=False),
        ],
    }
    assert [e.label for e in read_one(write(tmp_path, files)).events] == ["sleep", "nap", "nap"]


def test_invalid_logs_are_dropped_and_manual_or_overlapping_logs_are_noted(tmp_path: Path) -> None:
    noon = utc(2021, 7, 5, 10)
    files = {
        "heart_rate.json": minutes_of_heart(noon, 5),
        "exercise-0.json": [
            exercise("Run", noon, 0),
            exercise("Run", noon, 1441),
            exercise("Weights", noon, 225, "manual"),
            exercise("Zorbing  Downhill", noon + timedelta(minutes=200), 60),
        ],
        "exercise-100.json": [exercise("Weights", noon, 225, "manual"), exercise("", noon, 20)],
        "sleep.json": [sleep("2021-07-05T12:00:00.000", "2021-07-05T11:00:00.000")],
    }
    report = ReadReport()
    day = read_one(write(tmp_path, files), report=report)
    assert [(e.label, e.duration) for e in day.events] == [("weight lifting", 225), ("zorbing downhill", 60)]
    counts = {code: report.count(code) for code in report.notes}
    assert counts == {
        "exercise-zero-length": 1,
        "exercise-over-a-day": 1,
        "exercise-manual": 2,
        "exercise-without-name": 1,
        "sleep-impossible": 1,
        "duplicate-log": 1,
        "overlapping-log": 1,
    }
    assert "25 minutes" in report.notes["overlapping-log"].examples[0]


def test_resting_heart_rate_label_skips_empty_days(tmp_path: Path) -> None:
    resting = [
        {"dateTime": "07/05/21 00:00:00", "value": {"date": "07/05/21", "value": 57.26, "error": 6.8}},
        {"dateTime": "07/06/21 00:00:00", "value": {"date": None, "value": 0.0, "error": 0.0}},
    ]
    files = {
        "heart_rate.json": [heart(utc(2021, 7, 5, 10), 60), heart(utc(2021, 7, 6, 10), 60)],
        "resting_heart_rate-2021-03-08.json": resting,
    }
    days = list(read_fitbit(write(tmp_path, files), BERLIN))
    assert [day.labels for day in days] == [{"resting_heart_rate": 57.3}, {}]


def test_hrv_rows_use_local_time_and_cover_five_minutes(tmp_path: Path) -> None:
    files = {
        f"{TREE}/heart_rate-2021-07-05.json": [heart(utc(2021, 7, 5, 10), 60)],
        "Takeout/Fitbit/Heart Rate Variability/Heart Rate Variability Details - 2021-07-05.csv": (
            "timestamp,rmssd,coverage,low_frequency,high_frequency\n"
            "2021-07-05T02:00:00,38.5,0.95,512.1,301.2\n2021-07-05T02:05:00,41.25,0.9,500.0,280.0\n"
        ),
        f"{TREE}/calories-2021-07-05.json": [],
    }
    report = ReadReport()
    day = read_one(write(tmp_path, files), report=report)
    rmssd = day.channel("rmssd_percentile_0595")
    assert rmssd[120:130].tolist() == [38.5] * 5 + [41.25] * 5
    assert int((~np.isnan(rmssd)).sum()) == 10
    assert report.files_unused == {f"{TREE}/calories-2021-07-05.json": "no channel for it"}


def test_sleep_stages_and_spo2_fill_34_channel_schema(tmp_path: Path) -> None:
    levels = {
        "data": [
            {"dateTime": "2021-07-05T01:00:00.000", "level": "light", "seconds": 90},
            {"dateTime": "2021-07-05T01:01:30.000", "level": "deep", "seconds": 510},
        ],
        "shortData": [{"dateTime": "2021-07-05T01:05:00.000", "level": "wake", "seconds": 30}],
    }
    files = {
        "heart_rate.json": minutes_of_heart(utc(2021, 7, 4, 22, 50), 30),
        "sleep.json": [sleep("2021-07-05T01:00:00.000", "2021-07-05T01:10:00.000", levels=levels)],
        "Minute SpO2 - 2021-07-05.csv": "timestamp,value\n2021-07-04T23:00:12Z,96.4\n2021-07-04T23:01:12Z,50.0\n",
    }
    report = ReadReport()
    day = read_one(write(tmp_path, files), schema="sensorlm-34", report=report)
    light, deep, wake = (day.channel(f"sleep_stage_{name}") for name in ("light", "deep", "awake"))
    assert light[59:63].tolist() == [0.0, 1.0, 0.5, 0.0]
    assert deep[60:63].tolist() == [0.0, 0.5, 1.0]
    assert (wake[65], deep[65]) == (0.5, 0.5)
    assert light[50] == deep[79] == 0.0  # worn and not logged as asleep
    assert np.isnan(light[80])  # not worn
    assert day.channel("spo2")[60] == np.float32(96.4)
    assert np.isnan(day.channel("spo2")[61])
    assert report.count("spo2-placeholder") == 1


def test_files_without_matching_channel_are_reported(tmp_path: Path) -> None:
    files = {
        "heart_rate.json": [heart(utc(2021, 7, 5, 10), 60)],
        "steps.json": [steps(utc(2021, 7, 5, 10), 5)],
        "Minute SpO2 - 2021-07-05.csv": "timestamp,value\n2021-07-04T23:00:12Z,96.4\n",
    }
    only_rate = {"name": "rate", "channels": [{"key": "HR", "mean": 70.0, "std": 10.0, "valid_range": [30, 220]}]}
    report = ReadReport()
    day = read_one(write(tmp_path, files), schema=only_rate, report=report)
    assert day.values[720].tolist() == [60.0]
    assert report.files_read == ["heart_rate.json"]
    assert sorted(report.files_unused) == ["Minute SpO2 - 2021-07-05.csv", "steps.json"]


def test_folder_tree_zip_and_flat_files_match(tmp_path: Path) -> None:
    entries = {
        "heart_rate-2021-07-05.json": minutes_of_heart(utc(2021, 7, 5, 10), 30),
        "steps-2021-07-01.json": [steps(utc(2021, 7, 5, 10), 12)],
        "exercise-0.json": [exercise("Walk", utc(2021, 7, 5, 10), 25)],
    }
    flat = write(tmp_path / "flat", entries)
    tree = write(tmp_path / "tree", {f"{TREE}/{name}": content for name, content in entries.items()})
    archive = tmp_path / "takeout.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(tree.rglob("*.json")):
            packed.write(path, path.relative_to(tree).as_posix())
    before = sorted(tmp_path.rglob("*"))
    days = [list(read_fitbit(source, BERLIN)) for source in (flat, tree, archive)]
    assert days[1] == days[2]
    assert np.array_equal(days[0][0].values, days[1][0].values, equal_nan=True)
    assert days[0][0].events == days[1][0].events
    assert sorted(tmp_path.rglob("*")) == before  # the zip was not extracted


def test_long_export_is_streamed_in_order(tmp_path: Path) -> None:
    start = utc(2021, 1, 1, 12)
    files = {
        f"heart_rate-{(start + timedelta(days=d)).date()}.json": [heart(start + timedelta(days=d), 50 + d)]
        for d in range(20)
    }
    files["steps-2021-01-01.json"] = [steps(start + timedelta(days=d), d) for d in range(20)]
    folder = write(tmp_path, files)
    (folder / "heart_rate-2021-01-20.json").write_text("broken")
    days = read_fitbit(folder, "UTC", skip_bad=False)
    seen = [next(days) for _ in range(15)]
    assert [float(day.channel("HR")[720]) for day in seen] == [50.0 + d for d in range(15)]
    assert [float(day.channel("steps")[720]) for day in seen] == list(range(15))
    with pytest.raises(ValueError, match=r"heart_rate-2021-01-20\.json, line 1"):
        list(days)


def test_bad_files_raise_with_location_or_are_skipped(tmp_path: Path) -> None:
    noon = utc(2021, 7, 5, 10)
    good = {"heart_rate-2021-07-05.json": minutes_of_heart(noon, 5)}
    wrong_time = [steps(noon, 1), steps(noon, 2)]
    wrong_time[1]["dateTime"] = "07/05/21 10:01 PM"
    cases: dict[str, tuple[Any, str]] = {
        "cut": ('[{"dateTime":"07/05/21 10:00:00","value":"1"},\n{"dateTi', r"steps\.json, line 2.*truncated"),
        "time": (wrong_time, r"steps\.json, line 2.*MM/DD/YY"),
        "value": ([steps(noon, 1), {"dateTime": stamp(noon), "value": "many"}], r"steps\.json, line 2.*'many'"),
        "object": ('{"a": 1}', r"steps\.json.*list of entries"),
        "entry": ("[1]", r"steps\.json.*entry 0"),
        "no time": ('[{"value": "1"}]', r"steps\.json.*entry 0 lacks `dateTime`"),
        "number as time": ('[{"dateTime": 5, "value": "1"}]', r"steps\.json, line 1.*got 5"),
    }
    for name, (content, message) in cases.items():
        folder = write(tmp_path / name, {**good, "steps.json": content})
        with pytest.raises(ValueError, match=message):
            list(read_fitbit(folder, BERLIN, skip_bad=False))
        report = ReadReport()
        assert len(list(read_fitbit(folder, BERLIN, report=report))) == 1
        assert report.count("bad-file") == 1
    (tmp_path / "cut" / "steps.json").write_bytes(b'[{"dateTime":"07/05/21 10:00:00",\n"value":"\xff"}]')
    with pytest.raises(ValueError, match=r"steps\.json, line 2: not UTF-8"):
        list(read_fitbit(tmp_path / "cut", BERLIN, skip_bad=False))


def test_damaged_logs_raise_or_are_skipped_entirely(tmp_path: Path) -> None:
    noon = utc(2021, 7, 5, 10)
    endless = {**exercise("Run", noon, 1), "duration": None}
    broken = sleep("2021-07-05T01:00:00.000", "2021-07-05T09:00:00.000", levels={"data": [{"level": "deep"}]})
    restless = sleep("2021-07-05T01:00:00.000", "")
    hrv = "timestamp,rmssd\n2021-07-05T01:00:00,{}\n"
    cases: dict[str, tuple[str, Any, str]] = {
        "duration": ("exercise-0.json", [exercise("Walk", noon, 30), endless], r"line 2: `duration`.*None"),
        "start": ("exercise-0.json", [{"activityName": "Run"}], r"entry 0 lacks `startTime`"),
        "stages": ("sleep.json", [broken], r"sleep\.json, line 1: `levels\.data`"),
        "end": ("sleep.json", [restless], r"sleep\.json, line 1: `endTime`"),
        "resting": ("resting_heart_rate.json", [{"value": {"date": "2021-07-05", "value": 60}}], r"MM/DD/YY"),
        "number": ("Heart Rate Variability Details - 2021-07-05.csv", hrv.format("abc"), r"line 2: rmssd.*'abc'"),
        "cells": ("Heart Rate Variability Details - 2021-07-05.csv", hrv.format("30,1,2"), r"not valid CSV"),
        "column": ("Heart Rate Variability Details - 2021-07-05.csv", "timestamp\n", r"lacks the column rmssd"),
    }
    for name, (file, content, message) in cases.items():
        folder = write(tmp_path / name, {"heart_rate.json": minutes_of_heart(noon, 5), file: content})
        with pytest.raises(ValueError, match=message):
            list(
                read_fitbit(folder, BERLIN, schema="sensorlm-26" if name != "stages" else "sensorlm-34", skip_bad=False)
            )
        report = ReadReport()
        day = read_one(folder, report=report, schema="sensorlm-34" if name == "stages" else "sensorlm-26")
        assert day.events == ()
        assert report.count("bad-file") == 1


def test_a_damaged_member_of_a_zip_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as packed:  # stored, so that the damage is in the data
        packed.writestr("heart_rate-2024-03-01.json", json.dumps(minutes_of_heart(utc(2024, 3, 1, 8), 3)))
        packed.writestr("steps-2024-03-01.json", json.dumps([steps(utc(2024, 3, 1, 8), 12)]))
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"12"', b'"13"', 1) if b'"12"' in data else data.replace(b"12}", b"13}", 1))
    with pytest.raises(ValueError, match=r"steps-2024-03-01\.json cannot be read from the archive"):
        list(read_fitbit(path, BERLIN, skip_bad=False))
    report = ReadReport()
    (day,) = read_fitbit(path, BERLIN, report=report)
    assert report.count("bad-file") == 1
    assert day.channel("HR")[540] == 60


def test_truncated_zip_and_non_fitbit_folders_raise(tmp_path: Path) -> None:
    archive = tmp_path / "half.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr(f"{TREE}/heart_rate-2021-07-05.json", json.dumps(minutes_of_heart(utc(2021, 7, 5), 500)))
    archive.write_bytes(archive.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"half\.zip is neither a folder nor a readable zip"):
        read_fitbit(archive, BERLIN)
    with pytest.raises(FileNotFoundError, match="no folder or file"):
        read_fitbit(tmp_path / "nowhere", BERLIN)
    write(tmp_path / "other", {"notes.txt": "hello", "sleep.json": []})
    with pytest.raises(FileNotFoundError, match=r"looked for heart_rate-YYYY-MM-DD\.json.*2 files"):
        read_fitbit(tmp_path / "other", BERLIN)


def test_timezone_is_required_and_typos_get_suggestions(tmp_path: Path) -> None:
    folder = write(tmp_path, {"heart_rate.json": minutes_of_heart(utc(2021, 7, 5), 5)})
    with pytest.raises(ValueError, match="UTC, but sleep in local time"):
        read_fitbit(folder)
    with pytest.raises(ValueError, match="'Australia/Melbourne'"):
        read_fitbit(folder, "Australia/Melborne")
    with pytest.raises(ValueError, match="'Europe/Berlin'"):
        read_fitbit(folder, "berlin")
    with pytest.raises(ValueError, match=r"`day_start` must be .* or 'first', got '24:00'"):
        read_fitbit(folder, BERLIN, day_start="24:00")


def test_drops_are_logged_without_report(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write(
        tmp_path,
        {
            "heart_rate.json": minutes_of_heart(utc(2021, 7, 5), 5),
            "exercise-0.json": [exercise("Run", utc(2021, 7, 5), 0)],
        },
    )
    with caplog.at_level(logging.WARNING, logger="sensorlm_hf"):
        list(read_fitbit(folder, BERLIN))
        assert "1 x exercises shorter than a minute" in caplog.text
        caplog.clear()
        list(read_fitbit(folder, BERLIN, report=ReadReport()))
        assert not caplog.records


MELBOURNE = "Australia/Melbourne"


@pytest.fixture(scope="module")
def recordings(real_data: Path) -> Path:
    return real_data / "fitbit_takeout"


@pytest.fixture(scope="module")
def real(recordings: Path) -> tuple[dict[str, SensorDay], ReadReport]:
    report = ReadReport()
    return {d.start.date().isoformat(): d for d in read_fitbit(recordings, MELBOURNE, report=report)}, report


@pytest.fixture
def days(real: tuple[dict[str, SensorDay], ReadReport]) -> dict[str, SensorDay]:
    return real[0]


class TestRealRecordings:
    def test_each_heart_rate_file_is_one_local_day(self, recordings: Path, days: dict[str, SensorDay]) -> None:
        names = sorted(p.stem.removeprefix("heart_rate-") for p in recordings.glob("heart_rate-*.json"))
        assert sorted(days) == names
        assert all((d.start.hour, d.start.minute, len(d)) == (0, 0, 1440) for d in days.values())

    @pytest.mark.parametrize("date", ["2020-05-09", "2020-07-05", "2020-07-16"])
    def test_minutes_match_pandas(self, recordings: Path, days: dict[str, SensorDay], date: str) -> None:
        frames = []
        for path in recordings.glob("heart_rate-*.json"):
            raw = pd.json_normalize(json.loads(path.read_text()))
            frames.append(raw[raw["value.confidence"] > 0])
        raw = pd.concat(frames)
        times = pd.to_datetime(raw["dateTime"], format="%m/%d/%y %H:%M:%S", utc=True).dt.tz_convert(MELBOURNE)
        rate = raw["value.bpm"].astype(float).set_axis(pd.DatetimeIndex(times)).resample("min").mean()
        grid = pd.date_range(date, periods=1440, freq="min", tz=MELBOURNE)
        expected = rate.reindex(grid).to_numpy()
        np.testing.assert_allclose(days[date].channel("HR"), expected, rtol=1e-6)
        raw = pd.DataFrame(json.loads((recordings / "steps.json").read_text()))
        raw.index = pd.to_datetime(raw["dateTime"], format="%m/%d/%y %H:%M:%S", utc=True).dt.tz_convert(MELBOURNE)
        listed = raw["value"].astype(float).reindex(grid).to_numpy()
        expected_steps = np.where(np.isnan(listed) & ~np.isnan(expected), 0.0, listed)
        np.testing.assert_array_equal(days[date].channel("steps"), expected_steps)

    def test_run_coincides_with_high_heart_rate_and_steps(self, recordings: Path, days: dict[str, SensorDay]) -> None:
        day = days["2020-07-05"]
        (run,) = [e for e in day.events_of("activity") if e.label == "running"]
        assert run.start_minute == 950  # logged at 05:50:30 UTC, 15:50:30 in Melbourne
        logged = pd.DataFrame(json.loads((recordings / "exercise.json").read_text())).set_index("startTime")
        assert run.duration == pytest.approx(logged.loc["07/05/20 05:50:30", "duration"] / 60_000, abs=2)
        inside = day.values[run.start_minute : run.end_minute]
        rate, pace = day.schema.index("HR"), day.schema.index("steps")
        assert np.nanmean(inside[:, rate]) > np.nanmean(day.values[:, rate]) + 30
        assert np.nanmean(inside[:, pace]) > 100
        others = np.delete(day.values[:, pace], slice(run.start_minute, run.end_minute))
        assert np.nanmean(others) < 20

    def test_sleep_is_local_with_low_heart_rate(self, recordings: Path, days: dict[str, SensorDay]) -> None:
        logged = pd.DataFrame(json.loads((recordings / "sleep.json").read_text())).set_index("dateOfSleep")
        edges = pd.to_datetime(logged.loc["2020-05-09", ["startTime", "endTime"]])
        expected = ((edges - pd.Timestamp("2020-05-09")) / pd.Timedelta("1min")).tolist()
        night = days["2020-05-09"].events_of("sleep")[0]
        assert [night.start_minute, night.end_minute] == expected
        for day in days.values():
            for event in day.events_of("sleep"):
                low, high = max(event.start_minute, 0), min(event.end_minute, 1440)
                if high < 1440:  # the first hour in bed is near resting heart rate
                    awake = np.delete(day.channel("HR"), slice(low, high))
                    assert np.nanmean(day.channel("HR")[low:high]) < np.nanmean(awake)
                    assert np.nanmean(day.channel("steps")[low:high]) < 2

    def test_manual_log_is_kept_with_note(self, real: tuple[dict[str, SensorDay], ReadReport]) -> None:
        days, report = real
        assert [(e.label, e.duration) for e in days["2020-06-21"].events_of("activity")] == [("weight lifting", 225)]
        assert report.count("exercise-manual") == 1
        assert report.notes["exercise-manual"].level == "kept"
        assert sum("estimated_oxygen" in name for name in report.files_unused) == 17
