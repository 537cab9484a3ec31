"""Whoop: the CSV files of an account's export."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensorlm_hf import Event
from sensorlm_hf.data.convert import convert_recording
from sensorlm_hf.data.folders import load_sensor_days
from sensorlm_hf.data.readers import ReadReport, detect_source, read_whoop

BERLIN = "Europe/Berlin"
CYCLES = """Cycle start time,Cycle end time,Cycle timezone,Recovery score %,Resting heart rate (bpm),\
Heart rate variability (ms),Day Strain,Sleep onset,Wake onset
2024-02-29 23:10:00,2024-03-01 23:30:00,UTC+01:00,67,52,48,10.5,2024-02-29 23:10:00,2024-03-01 06:40:30
2024-03-01 23:30:00,,UTC+01:00,,53,,,2024-03-01 23:30:00,
"""
SLEEPS = """Cycle start time,Cycle timezone,Sleep onset,Wake onset,Nap
2024-02-29 23:10:00,UTC+01:00,2024-02-29 23:10:00,2024-03-01 06:40:30,false
2024-02-29 23:10:00,UTCZ,2024-03-01 12:00:00,2024-03-01 12:30:00,true
"""
WORKOUTS = """Cycle start time,Cycle timezone,Workout start time,Workout end time,Activity name,Average HR (bpm)
2024-02-29 23:10:00,UTC+01:00,2024-03-01 18:00:00,2024-03-01 18:45:00,Running,140
2024-02-29 23:10:00,UTC+01:00,2024-03-01 19:00:00,,Cycling,120
"""


@pytest.fixture
def export(tmp_path: Path) -> Path:
    folder = tmp_path / "my_whoop_data"
    folder.mkdir()
    for name, text in (("physiological_cycles", CYCLES), ("sleeps", SLEEPS), ("workouts", WORKOUTS)):
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    (folder / "journal_entries.csv").write_text("Cycle start time,Question text\n", encoding="utf-8")
    return folder


def test_days_have_events_and_labels_but_no_minutes(export: Path) -> None:
    report = ReadReport()
    first, second = read_whoop(export, BERLIN, subject_id="p", report=report)
    assert [day.start.date().isoformat() for day in (first, second)] == ["2024-02-29", "2024-03-01"]
    assert not first.mask.any()
    assert not second.mask.any()
    assert first.events == (Event("sleep", "sleep", 1390, 1841),)
    assert first.labels == {}
    assert second.events == (
        Event("sleep", "sleep", -50, 401),
        Event("sleep", "nap", 780, 810),
        Event("activity", "running", 1080, 1125),
    )
    assert second.labels == {
        "recovery_score": 67.0,
        "resting_heart_rate": 52.0,
        "heart_rate_variability": 48.0,
        "day_strain": 10.5,
    }
    assert {code: note.count for code, note in report.notes.items()} == {
        "cycle-without-wake": 1,
        "exercise-without-times": 1,
    }
    assert list(report.files_unused) == ["journal_entries.csv"]
    assert detect_source(export) == "whoop"


def test_conversion(export: Path, tmp_path: Path) -> None:
    done = convert_recording(export, tmp_path / "days", timezone=BERLIN)
    assert (done.kind, done.days) == ("whoop", {"train": 2})
    labels = load_sensor_days(tmp_path / "days", "train")[1]["labels"]
    assert labels["recovery_score"] == 67.0


def test_a_spreadsheet_that_changed_the_times_is_rejected(export: Path) -> None:
    changed = SLEEPS.replace("2024-02-29 23:10:00", "29/02/2024 23:10").replace(",", ";")
    (export / "sleeps.csv").write_text(changed, encoding="utf-8")
    with pytest.raises(ValueError, match=r"sleeps\.csv, row 2: `Sleep onset` must be a time such as 2024-03-01"):
        list(read_whoop(export, BERLIN, skip_bad=False))
    (export / "sleeps.csv").write_text("Cycle start time,Nap\n", encoding="utf-8")
    with pytest.raises(ValueError, match="lacks the columns Cycle timezone, Sleep onset, Wake onset"):
        list(read_whoop(export, BERLIN, skip_bad=False))


def test_renamed_files_are_recognised_by_their_columns(export: Path) -> None:
    for number, name in enumerate(("physiological_cycles", "sleeps", "workouts")):
        (export / f"{name}.csv").rename(export / f"whoop {number}.csv")
    assert [len(day.events) for day in read_whoop(export, BERLIN)] == [1, 3]
    assert detect_source(export / "whoop 0.csv") == "whoop"


def test_days_may_start_at_another_time(export: Path) -> None:
    (export / "workouts.csv").write_text(
        WORKOUTS.replace("2024-03-01 18:00:00", "2024-03-02 01:00:00").replace(
            "2024-03-01 18:45:00", "2024-03-02 01:45:00"
        )
    )
    days = list(read_whoop(export, BERLIN, day_start="04:00"))
    assert [day.events[-1] for day in days if day.events[-1].label == "running"] == [
        Event("activity", "running", 21 * 60, 21 * 60 + 45)
    ]
