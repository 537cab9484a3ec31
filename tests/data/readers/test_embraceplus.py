"""EmbracePlus digital biomarkers: synthetic files in the real format, and real recordings if available."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sensorlm_hf.data.readers import ReadReport, detect_source, read_embraceplus

MADRID = "Europe/Madrid"
DAY = pd.Timestamp("2026-05-16T00:00", tz="UTC")

Cells = dict[int, Any]


def write(folder: Path, kind: str, column: str, cells: Cells, reasons: Cells | None = None, who: str = "1-1-P") -> Path:
    """A biomarker file for a UTC date: 1440 rows, empty where no cell is given."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"timestamp_unix,timestamp_iso,participant_full_id,{column},missing_value_reason"]
    for minute in range(1440):
        moment = DAY + pd.Timedelta(minutes=minute)
        reason = "" if minute in cells else (reasons or {}).get(minute, "device_not_recording")
        stamp = f"{int(moment.timestamp() * 1000)},{moment:%Y-%m-%dT%H:%M:%SZ}"
        lines.append(f"{stamp},{who},{cells.get(minute, '')},{reason}")
    path = folder / f"{kind}.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_minutes_are_local_and_missing_reasons_are_counted(tmp_path: Path) -> None:
    folder = tmp_path / "P" / "2026-05-16"
    write(folder, "pulse-rate", "pulse_rate_bpm", {600: 61, 601: 300}, {602: "worn_during_motion"})
    write(folder, "temperature", "temperature_celsius", {600: 31.25, 601: 31.5})
    write(folder, "met", "met", {600: 1.2})
    report = ReadReport()
    (day,) = read_embraceplus(tmp_path, MADRID, report=report)
    assert day.sample_id == "1-1-P@2026-05-16T00:00+0200"
    assert day.channel("HR")[720] == 61.0
    assert np.isnan(day.channel("HR")[721])
    assert day.channel("wrist_temperatures")[720:722].tolist() == [31.25, 31.5]
    assert report.count("implausible-HR") == 1
    assert report.count("missing-pulse-rate-worn_during_motion") == 1
    assert report.count("missing-pulse-rate-device_not_recording") == 1437
    assert report.files_unused == {"P/2026-05-16/met.csv": "no channel for it"}


def test_minutes_with_low_wear_time_are_missing(tmp_path: Path) -> None:
    write(tmp_path, "wearing-detection", "wearing_detection_percentage", {600: 100, 601: 30, 602: 52})
    write(tmp_path, "eda", "eda_scl_usiemens", {600: 1.5, 601: 0.1, 602: 1.25})
    report = ReadReport()
    (day,) = read_embraceplus(tmp_path, "UTC", report=report)
    assert day.channel("eda_level_real")[600] == 1.5
    assert np.isnan(day.channel("eda_level_real")[601])
    assert day.channel("eda_level_real")[602] == 1.25
    assert report.count("not-worn") == 1


def test_sleep_and_walks_become_events(tmp_path: Path) -> None:
    stages = {**dict.fromkeys(range(60, 200), 101), **dict.fromkeys(range(100, 110), 102), 30: 0, 31: 101}
    write(tmp_path, "sleep-detection", "sleep_detection_stage", stages)
    classes = {**dict.fromkeys(range(600, 615), "walking"), **dict.fromkeys(range(620, 629), "walking"), 700: "still"}
    write(tmp_path, "activity-classification", "activity_class", classes)
    write(tmp_path, "step-counts", "step_counts", {600: 100})
    report = ReadReport()
    (day,) = read_embraceplus(tmp_path, "UTC", report=report)
    events = [(e.kind, e.label, e.start_minute, e.end_minute) for e in day.events]
    assert events == [("sleep", "sleep", 60, 200), ("activity", "walking", 600, 615)]
    assert report.count("sleep-short") == 1


def test_care_lab_file_names_with_two_participants(tmp_path: Path) -> None:
    folder = tmp_path / "participant_data" / "2026-05-16"
    for who in ("1-1-001", "1-1-002"):
        path = write(folder / who, "pulse-rate", "pulse_rate_bpm", {600: 61}, who=who)
        path.rename(path.with_name(f"{who}_2026-05-16_pulse-rate.csv"))
    assert [day.subject_id for day in read_embraceplus(tmp_path, "UTC")] == ["1-1-001", "1-1-002"]
    assert {day.subject_id for day in read_embraceplus(tmp_path, "UTC", subject_id="me")} == {"me"}


def test_error_reports_damaged_file(tmp_path: Path) -> None:
    path = write(tmp_path, "pulse-rate", "pulse_rate_bpm", {600: 61})
    write(tmp_path, "eda", "eda_scl_usiemens", {600: 1.5})
    text = path.read_text()
    for wrong, message in (
        (text.replace(",61,", ",fast,"), r"pulse-rate\.csv, line 602: pulse_rate_bpm must be a number, got 'fast'"),
        (text.replace("pulse_rate_bpm", "pulse"), r"line 1: lacks the column pulse_rate_bpm"),
        (text.replace("participant_full_id", "who"), r"line 1: lacks the column participant_full_id"),
        (text.replace("1778889600000", "1778889600"), r"line 2: timestamp_unix must be milliseconds"),
        ("", "is empty"),
    ):
        path.write_text(wrong)
        with pytest.raises(ValueError, match=message):
            list(read_embraceplus(tmp_path, "UTC", skip_bad=False))
        report = ReadReport()
        (day,) = read_embraceplus(tmp_path, "UTC", report=report)
        assert day.channel("eda_level_real")[600] == 1.5
        assert report.count("bad-file") == 1
    with pytest.raises(ValueError, match="EmbracePlus records in UTC"):
        read_embraceplus(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="No EmbracePlus biomarker"):
        read_embraceplus(tmp_path / "empty", "UTC")


def test_real_recordings_match_pandas(real_data: Path, tmp_path: Path) -> None:
    root = real_data / "embraceplus" / "HN"
    days = list(read_embraceplus(root, MADRID))
    frames = [pd.read_csv(path) for path in sorted(root.rglob("pulse-rate.csv"))]
    pulse = pd.concat(frames).set_index("timestamp_iso")["pulse_rate_bpm"]
    pulse.index = pd.to_datetime(pulse.index).tz_convert(MADRID)
    assert [day.start.date().isoformat() for day in days] == sorted({str(t.date()) for t in pulse.dropna().index})
    for day in days:
        local = pulse[pulse.index.date == day.start.date()]
        expected = np.full(1440, np.nan)
        expected[local.index.hour * 60 + local.index.minute] = local
        np.testing.assert_array_equal(day.channel("HR"), expected.astype(np.float32))
    assert sum(int(day.mask.any(axis=1).sum()) for day in days) == 1470
    (night,) = [event for day in days for event in day.events_of("sleep")]
    assert 300 < night.duration < 420
    first, *_ = read_embraceplus(root, MADRID, day_start="first")
    assert int(first.mask.any(axis=1).sum()) > 1400
    (sparse,) = read_embraceplus(real_data / "embraceplus" / "PRUEBA", MADRID)
    assert int(sparse.mask.any(axis=1).sum()) == 27
    shutil.make_archive(str(tmp_path / "hn"), "zip", root)
    assert list(read_embraceplus(tmp_path / "hn.zip", MADRID)) == days


def test_minutes_given_twice(tmp_path: Path) -> None:
    folder = tmp_path / "P" / "2026-05-16"
    for kind, column, cells in (
        ("pulse-rate", "pulse_rate_bpm", (61, 81, 62, 62)),
        ("step-counts", "step_counts", (10, 12, 20, 20)),
    ):
        path = write(folder, kind, column, {600: cells[0], 601: cells[2]})
        lines = path.read_text().splitlines()
        again = [lines[601].replace(f",{cells[0]},", f",{cells[1]},"), lines[602]]
        path.write_text("\n".join([*lines, *again]) + "\n")
    report = ReadReport()
    (day,) = read_embraceplus(tmp_path, MADRID, report=report)
    assert day.channel("HR")[720:722].tolist() == [71.0, 62.0]
    assert day.channel("steps")[720:722].tolist() == [12.0, 20.0]
    assert report.count("minute-given-twice") == 2


def test_tables_of_the_same_name_are_no_biomarkers(tmp_path: Path) -> None:
    (tmp_path / "p01_temperature.csv").write_text("time,wrist_temperatures\n2024-03-01T08:00Z,33.1\n")
    assert detect_source(tmp_path) == "table"
