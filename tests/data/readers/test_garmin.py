"""Garmin: FIT files and account exports that the tests write in the documented format."""

from __future__ import annotations

import gzip
import json
import zipfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fit_files import FIT_EPOCH, fit_file, message

from sensorlm_hf import Event
from sensorlm_hf.data.readers import ReadReport, detect_source, read_any, read_garmin

pytest.importorskip("fitdecode")
BERLIN = "Europe/Berlin"
WALKING, RUNNING = 6, 1


def at(hour: int, minute: int, second: int = 0, day: int = 1) -> int:
    """FIT time of a UTC time in March 2024."""
    return int(datetime(2024, 3, day, hour, minute, second, tzinfo=timezone.utc).timestamp()) - FIT_EPOCH


def heart(time: int, bpm: int) -> bytes:
    return message(55, (253, "uint32", time), (27, "uint8", bpm))


def heart16(time: int, bpm: int) -> bytes:
    return message(55, (26, "uint16", time & 0xFFFF), (27, "uint8", bpm))


def counter(time: int, total: int, activity: int = WALKING) -> bytes:
    return message(55, (253, "uint32", time), (5, "enum", activity), (3, "uint32", total))


def write(path: Path, *messages: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(fit_file(*messages))
    return path


def read_one(path: Path, **options: Any) -> Any:
    (day,) = read_garmin(path, BERLIN, **options)
    return day


def test_heart_rate_is_averaged_and_16_bit_times_count_from_the_last_time(tmp_path: Path) -> None:
    base = at(7, 0)
    rollover = base + (0x10000 - (base & 0xFFFF)) + 5  # the 16 bits start again from 0 before it
    path = write(tmp_path / "day.fit", heart(base, 60), heart16(base + 30, 64), heart16(rollover, 70), heart(base, 0))
    report = ReadReport()
    day = read_one(path, report=report)
    observed = np.flatnonzero(day.mask[:, day.schema.index("HR")])
    assert observed.tolist() == [480, 480 + (rollover - base) // 60]
    assert day.channel("HR")[observed].tolist() == [62, 70]
    assert report.count("implausible-HR") == 1
    assert day.sample_id.startswith("garmin-")


def test_steps_are_the_growth_of_the_counters(tmp_path: Path) -> None:
    path = write(
        tmp_path / "day.fit",
        *(heart(at(7, minute), 70) for minute in (0, 10, 20)),
        counter(at(7, 0), 1000),
        counter(at(7, 2), 1100),
        counter(at(7, 3), 50, RUNNING),
        counter(at(7, 4), 200, RUNNING),
        counter(at(7, 10), 1130),
        counter(at(9, 0), 9000),  # two hours later
        counter(at(9, 1), 900, RUNNING),
    )
    report = ReadReport()
    steps = read_one(path, report=report).channel("steps")
    assert steps[480:482].tolist() == [50, 50]
    assert steps[482] == 0
    assert steps[483] == 150
    assert steps[484:490].tolist() == [5] * 6
    assert steps[490:501].tolist() == [0] * 11  # worn
    assert np.isnan(steps[501])
    counted = {code: note.count for code, note in report.notes.items() if note.level == "dropped"}
    assert counted == {"steps-first-reading": 2, "steps-long-record": 1, "implausible-steps": 1}


def test_counters_start_again_at_local_midnight_and_after_a_reset(tmp_path: Path) -> None:
    path = write(
        tmp_path / "day.fit",
        counter(at(22, 59), 8000),
        counter(at(23, 0), 8010),  # midnight in Berlin: still the day that ends
        counter(at(23, 1), 20),
        counter(at(23, 2), 5),  # fell within the day
    )
    first, second = read_garmin(path, BERLIN)
    assert first.channel("steps")[1439] == 10
    assert second.channel("steps")[:2].tolist() == [20, 5]


def test_the_same_file_twice_changes_nothing(tmp_path: Path) -> None:
    messages = (heart(at(7, 0), 60), counter(at(7, 0), 10), counter(at(7, 1), 40))
    write(tmp_path / "once" / "a.fit", *messages)
    write(tmp_path / "twice" / "a.fit", *messages)
    write(tmp_path / "twice" / "b.fit", *messages)
    report = ReadReport()
    assert read_one(tmp_path / "twice", subject_id="p", report=report) == read_one(tmp_path / "once", subject_id="p")
    assert report.count("samples-twice") == 1


def test_sleep_levels_rmssd_and_spo2(tmp_path: Path) -> None:
    levels = ((0, 1), (1, 2), (2, 3), (3, 4), (4, 0))
    path = write(
        tmp_path / "sleep.fit",
        *(message(275, (253, "uint32", at(1, minute)), (0, "enum", level)) for minute, level in levels),
        message(371, (253, "uint32", at(1, 5)), (0, "uint16", 42 * 128)),
        message(269, (253, "uint32", at(1, 1)), (0, "uint8", 96)),
        message(269, (253, "uint32", at(1, 2)), (0, "uint8", 0xFF)),  # FIT's mark of a missing value
    )
    day = read_one(path, schema="sensorlm-34")
    assert day.events == (Event("sleep", "sleep", 120, 125),)
    stages = [day.channel(f"sleep_stage_{stage}")[120:124].tolist() for stage in ("awake", "light", "deep", "rem")]
    assert stages == np.eye(4).tolist()
    assert np.isnan(day.channel("sleep_stage_rem")[124])
    assert day.channel("rmssd0595")[119:126].tolist()[1:6] == [42.0] * 5
    assert np.flatnonzero(day.mask[:, day.schema.index("rmssd0595")]).tolist() == [120, 121, 122, 123, 124]
    assert day.channel("spo2")[121] == 96
    assert np.isnan(day.channel("spo2")[122])


def session(start: int, seconds: int, sport: int, sub_sport: int = 0) -> bytes:
    return message(
        18,
        (253, "uint32", start + seconds),
        (2, "uint32", start),
        (7, "uint32", seconds * 1000),
        (5, "enum", sport),
        (6, "enum", sub_sport),
    )


def test_workouts_have_the_most_specific_known_name(tmp_path: Path) -> None:
    path = write(
        tmp_path / "run.fit",
        message(20, (253, "uint32", at(8, 0)), (3, "uint8", 120)),
        message(20, (253, "uint32", at(8, 0, 30)), (3, "uint8", 130)),
        session(at(8, 0), 1800, RUNNING, 1),
        session(at(10, 0), 1800, 2, 7),
        session(at(11, 0), 1800, 10, 20),
        session(at(12, 0), 1800, 0, 0),
        session(at(13, 0), 30, RUNNING),
    )
    report = ReadReport()
    day = read_one(path, report=report)
    names = [(event.label, event.start_minute, event.end_minute) for event in day.events_of("activity")]
    assert names == [
        ("treadmill running", 540, 570),
        ("outdoor cycling", 660, 690),
        ("weight lifting", 720, 750),
        ("workout", 780, 810),
    ]
    assert day.channel("HR")[540] == 125
    assert report.count("exercise-zero-length") == 1


def test_account_export_with_fit_files_in_a_zip(tmp_path: Path) -> None:
    root = tmp_path / "export" / "DI_CONNECT"
    uploaded = root / "DI-Connect-Uploaded-Files"
    wellness = root / "DI-Connect-Wellness"
    uploaded.mkdir(parents=True)
    wellness.mkdir()
    with zipfile.ZipFile(uploaded / "UploadedFiles_0-_Part1.zip", "w") as packed:
        packed.writestr("me_1.fit", fit_file(heart(at(7, 0), 60), session(at(8, 0), 1800, RUNNING)))
        packed.writestr("__MACOSX/._me_1.fit", b"clutter")
    sleeps = [
        {"sleepStartTimestampGMT": "2024-03-01T00:10:00.0", "sleepEndTimestampGMT": "2024-03-01T05:40:30.0"},
        {"calendarDate": "2024-03-02", "sleepWindowConfirmationType": "OFF_WRIST"},
    ]
    (wellness / "2024-01-01_2024-04-09_1_sleepData.json").write_text(json.dumps(sleeps))
    run = {"activityType": "running", "beginTimestamp": (at(8, 0, 1) + FIT_EPOCH) * 1000.0, "duration": 1799000.0}
    ride = {"activityType": "road_biking", "beginTimestamp": (at(10, 0) + FIT_EPOCH) * 1000.0, "duration": 600000.0}
    (wellness / "me_0_summarizedActivities.json").write_text(json.dumps([{"summarizedActivitiesExport": [run, ride]}]))
    day = {"calendarDate": "2024-03-01", "totalSteps": 9000, "restingHeartRate": 52}
    (wellness / "UDSFile_2024-01-01_2024-04-09.json").write_text(json.dumps([day]))
    (wellness / "user_profile.json").write_text("{}")
    report = ReadReport()
    read = read_one(tmp_path / "export", report=report)
    assert read.channel("HR")[480] == 60
    assert read.events == (
        Event("sleep", "sleep", 70, 401),
        Event("activity", "running", 540, 570),
        Event("activity", "outdoor cycling", 660, 670),
    )
    assert read.labels == {"resting_heart_rate": 52.0}
    assert report.count("sleep-without-times") == report.count("duplicate-log") == 1
    assert list(report.files_unused.values()) == ["reveals who the person is"]
    assert detect_source(tmp_path / "export") == "garmin"
    assert list(read_any(tmp_path / "export", timezone=BERLIN)) == [read]


def test_damaged_files_are_named_or_skipped(tmp_path: Path) -> None:
    good = write(tmp_path / "a.fit", heart(at(7, 0), 60))
    (tmp_path / "b.fit").write_bytes(good.read_bytes()[:-6])
    with pytest.raises(ValueError, match=r"b\.fit is a damaged or truncated FIT file"):
        list(read_garmin(tmp_path, BERLIN, skip_bad=False))
    report = ReadReport()
    assert read_one(tmp_path, report=report).channel("HR")[480] == 60
    assert report.count("bad-file") == 1
    with pytest.raises(FileNotFoundError, match="No Garmin data"):
        read_garmin(write(tmp_path / "other" / "a.txt"), BERLIN)
    with pytest.raises(ValueError, match="`timezone` is missing"):
        read_garmin(good)
    (tmp_path / "b.fit").unlink()
    (tmp_path / "c_sleepData.json").write_text('[{"sleepStartTimestampGMT": "noon", "sleepEndTimestampGMT": "x"}]')
    with pytest.raises(ValueError, match="entry 0: `sleepStartTimestampGMT` must be a time"):
        list(read_garmin(tmp_path, BERLIN, skip_bad=False))


def test_messages_before_the_clock_was_set_are_dropped(tmp_path: Path) -> None:
    path = write(tmp_path / "day.fit", heart(1000, 60), heart(at(7, 0), 61))
    report = ReadReport()
    day = read_one(path, report=report)
    assert day.mask.sum() == 1
    assert report.count("clock-not-set") == 1


def test_compressed_files(tmp_path: Path) -> None:
    (tmp_path / "a.fit").write_bytes(fit_file(heart(at(7, 0), 60)))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "a.fit.gz").write_bytes(gzip.compress(fit_file(heart(at(7, 0), 60))))
    (plain,), (packed,) = read_garmin(tmp_path / "a.fit", BERLIN), read_garmin(tmp_path / "b", BERLIN)
    assert packed == plain
    assert detect_source(tmp_path / "b") == detect_source(tmp_path / "b" / "a.fit.gz") == "garmin"
    (tmp_path / "b" / "a.fit.gz").write_bytes(gzip.compress(fit_file(heart(at(7, 0), 60)))[:-6])
    with pytest.raises(ValueError, match=r"a\.fit\.gz: cannot be decompressed"):
        list(read_garmin(tmp_path / "b" / "a.fit.gz", BERLIN))
