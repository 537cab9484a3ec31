"""Withings: the CSV files of an account's export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sensorlm_hf import Event
from sensorlm_hf.data.readers import ReadReport, detect_source, read_any, read_withings

BERLIN = "Europe/Berlin"


def raw(folder: Path, name: str, *rows: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"raw_{name}.csv"
    path.write_text("start,duration,value\n" + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def test_raw_files_and_logs(tmp_path: Path) -> None:
    raw(tmp_path, "hr_hr", '2024-03-01T08:00:00+01:00,"[60,60]","[61,63]"', "2024-03-01T08:10:00+01:00,[0],[70]")
    raw(tmp_path, "tracker_steps", '2024-03-01T08:01:00+01:00,"[120,60]","[60,9]"')
    raw(tmp_path, "tracker_sleep-state", '2024-03-01T00:10:00+01:00,"[120,60,60,60]","[1,2,3,8]"')
    raw(tmp_path, "sleep-monitor_sleep-state", "2024-03-01T00:10:00+01:00,[60],[1]")
    raw(tmp_path, "tracker_latitude", "2024-03-01T00:10:00+01:00,[0],[52.5]")
    sleep = "from,to,light (s)\n2024-03-01T00:10:00+01:00,2024-03-01T06:40:30+01:00,7200\n"
    (tmp_path / "sleep.csv").write_text(sleep, encoding="utf-8")
    activity = "from,to,Timezone,Activity type,Data\n2024-03-01T18:00:00+01:00,2024-03-01T18:30:00+01:00,x,Running,\n"
    (tmp_path / "activities.csv").write_text(activity, encoding="utf-8")
    (tmp_path / "aggregates_steps.csv").write_text("date,value\n2024-03-01,9000\n", encoding="utf-8")
    report = ReadReport()
    (day,) = read_withings(tmp_path, BERLIN, schema="sensorlm-34", report=report)
    assert day.channel("HR")[480:482].tolist() == [61, 63]
    assert day.channel("HR")[490] == 70
    assert day.channel("steps")[480:492].tolist()[:11] == [0, 30, 30, 9, 0, 0, 0, 0, 0, 0, 0]
    assert np.isnan(day.channel("steps")[491])
    assert day.channel("sleep_stage_light")[10:14].tolist() == [1, 1, 0, 0]
    assert day.channel("sleep_stage_rem")[13] == 1
    assert day.events == (Event("sleep", "sleep", 10, 401), Event("activity", "running", 1080, 1110))
    assert report.count("sleep-stage-unknown") == report.count("sleep-state-only") == 1
    assert sorted(report.files_unused) == ["aggregates_steps.csv", "raw_tracker_latitude.csv"]
    assert detect_source(tmp_path) == detect_source(tmp_path / "raw_hr_hr.csv") == "withings"
    assert list(read_any(tmp_path, timezone=BERLIN, schema="sensorlm-34")) == [day]


def test_damaged_files_are_named(tmp_path: Path) -> None:
    raw(tmp_path, "tracker_hr", '2024-03-01T08:00:00+01:00,"[60,60]",[61]')
    with pytest.raises(ValueError, match=r"raw_tracker_hr\.csv, row 2: 2 durations, but 1 values"):
        list(read_withings(tmp_path, BERLIN))
    raw(tmp_path, "tracker_hr", "2024-03-01T08:00:00+01:00,[x],[61]")
    with pytest.raises(ValueError, match=r"row 2: `duration` must be numbers such as"):
        list(read_withings(tmp_path, BERLIN))
    with pytest.raises(FileNotFoundError, match="No Withings data"):
        read_withings(raw(tmp_path / "b", "other"), BERLIN)


def test_of_two_devices_the_larger_count_is_kept(tmp_path: Path) -> None:
    raw(tmp_path, "tracker_steps", "2024-03-01T08:01:00+01:00,[60],[50]")
    raw(tmp_path, "phone_steps", "2024-03-01T08:01:00+01:00,[60],[48]")
    (day,) = read_withings(tmp_path, BERLIN)
    assert day.channel("steps")[481] == 50
