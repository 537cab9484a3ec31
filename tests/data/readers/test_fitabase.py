"""Fitabase: the CSV files of a study of several people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sensorlm_hf import Event
from sensorlm_hf.data.readers import ReadReport, detect_source, read_any, read_fitabase

CHICAGO = "America/Chicago"


def write(folder: Path, **tables: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in tables.items():
        (folder / f"{name.removeprefix('f_')}_merged.csv").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return write(
        tmp_path / "study",
        heartrate_seconds="Id,Time,Value\n"
        "1002,4/12/2024 7:21:00 AM,120\n1001,4/12/2024 7:21:00 AM,60\n1001,4/12/2024 7:21:05 AM,62\n"
        "1001,4/12/2024 7:30:00 AM,70\n",
        minuteStepsNarrow="Id,ActivityMinute,Steps\n1001,4/12/2024 7:22:00 AM,10\n1002,4/12/2024 7:21:00 AM,90\n",
        minuteSleep="Id,date,value,logId\n1001,4/12/2024 12:10:30 AM,1,5\n1001,4/12/2024 12:11:30 AM,2,5\n",
        f_30secondSleepStages="Id,LogId,Time,Level,ShortWakes,SleepStage\n"
        "1001,5,4/12/2024 12:10:30 AM,light,,light\n1001,5,4/12/2024 12:11:00 AM,light,wake,wake\n",
        hourlySteps="Id,ActivityHour,StepTotal\n1001,4/12/2024 7:00:00 AM,10\n",
    )


def test_each_id_is_a_person(study: Path) -> None:
    report = ReadReport()
    first, second = read_fitabase(study, CHICAGO, schema="sensorlm-34", report=report)
    assert (first.subject_id, second.subject_id) == ("1001", "1002")
    assert first.channel("HR")[441] == 61
    assert first.channel("steps")[441:451].tolist() == [0, 10, 0, 0, 0, 0, 0, 0, 0, 0]
    assert second.channel("HR")[441] == 120
    assert second.channel("steps")[441] == 90
    assert first.events == (Event("sleep", "sleep", 10, 13),)
    assert second.events == ()
    assert first.channel("sleep_stage_light")[10:12].tolist() == [0.5, 0]
    assert first.channel("sleep_stage_awake")[10:12].tolist() == [0, 0.5]
    assert list(report.files_unused) == ["hourlySteps_merged.csv"]
    assert detect_source(study) == "fitabase"
    assert [day.subject_id for day in read_any(study, timezone=CHICAGO)] == ["1001", "1002"]
    with pytest.raises(ValueError, match=r"`subject_id` is 'me', but .* contains 2 people"):
        list(read_fitabase(study, CHICAGO, subject_id="me"))


def test_times_are_local(tmp_path: Path) -> None:
    rows = "1,3/10/2024 1:59:00 AM,60\n1,3/10/2024 3:00:00 AM,62\n"  # clocks go forward at 2:00
    path = write(tmp_path, heartrate_seconds="Id,Time,Value\n" + rows) / "heartrate_seconds_merged.csv"
    (day,) = read_fitabase(path, CHICAGO)
    assert np.flatnonzero(day.mask[:, 0]).tolist() == [119, 120]


def test_damaged_files_are_named(tmp_path: Path) -> None:
    write(tmp_path, heartrate_seconds="Id,Time,Value\n1,2024-03-01 08:00,60\n")
    with pytest.raises(ValueError, match=r"row 2: `Time` must be a time such as 4/12/2024 7:21:00 AM, got '2024"):
        list(read_fitabase(tmp_path, CHICAGO))
    write(tmp_path, heartrate_seconds="Id,Time,Value\n", f_30secondSleepStages="Id,Time\n")
    with pytest.raises(ValueError, match="lacks the column SleepStage or Level"):
        list(read_fitabase(tmp_path, CHICAGO))


def test_the_hour_that_clocks_repeat_follows_the_first_of_each_person(tmp_path: Path) -> None:
    times = ("1:59:00 AM", "1:00:00 AM", "1:59:00 AM", "2:00:00 AM")  # clocks go back at 2:00
    rows = [f"{who},11/3/2024 {time},{60 + who}\n" for time in times for who in (1, 2)]
    write(tmp_path, heartrate_seconds="Id,Time,Value\n" + "".join(rows))
    report = ReadReport()
    for day in read_fitabase(tmp_path, CHICAGO, report=report):
        assert np.flatnonzero(day.mask[:, 0]).tolist() == [119, 120, 179, 180]
    assert report.count("repeated-hour") == 4
