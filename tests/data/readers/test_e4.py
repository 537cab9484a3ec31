"""Empatica E4: synthetic sessions in the real format, and a real recording if available."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sensorlm_hf.data.readers import ReadReport, read_e4

START = 1_680_686_620.0  # 2023-04-05 09:23:40 UTC
ROME = "Europe/Rome"


def write_session(folder: Path, minutes: int = 4, start: float = START, **files: str) -> Path:
    """A session in E4 format: CRLF line endings, a start row, a rate row, six decimals."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    seconds = minutes * 60
    acc = np.round(rng.normal(0, 6, (seconds * 32, 3)) + np.array([10, -20, 60])).astype(int)
    offsets = 2.0 + 0.8 * np.arange(int((seconds - 2) / 0.8))
    content = {
        "ACC": f"{start:f}, {start:f}, {start:f}\r\n32.000000, 32.000000, 32.000000\r\n"
        + "\r\n".join(f"{x},{y},{z}" for x, y, z in acc),
        "BVP": f"{start:.2f}\r\n64.000000\r\n" + "\r\n".join(["-0.00"] * (seconds * 64)),
        "EDA": f"{start:f}\r\n4.000000\r\n" + "\r\n".join(f"{2 + i / 2400:f}" for i in range(seconds * 4)),
        "TEMP": f"{start:f}\r\n4.000000\r\n" + "\r\n".join(["31.61"] * (seconds * 4)),
        "HR": f"{start + 10:f}\r\n1.000000\r\n" + "\r\n".join(f"{70 + i / 60:.2f}" for i in range(seconds - 10)),
        "IBI": f"{start:f}, IBI\r\n" + "\r\n".join(f"{offset:f},0.800000" for offset in offsets),
        "tags": f"{start + 30:.2f}\r\n",
        **files,
    }
    for name, text in content.items():
        (folder / f"{name}.csv").write_text(text + "\r\n" if text else "", newline="")
    return folder


def read_one(path: Path, **options: Any) -> Any:
    (day,) = read_e4(path, options.pop("timezone", ROME), **options)
    return day


def test_signals_are_averaged_per_local_minute(tmp_path: Path) -> None:
    report = ReadReport()
    day = read_one(write_session(tmp_path / "s01"), report=report, subject_id="p1")
    assert day.sample_id == "p1@2023-04-05T00:00+0200"
    first = 11 * 60 + 24  # 11:23:40 local; minute 11:23 has only 20 s of data
    for key in ("log_energy", "eda_level_real", "wrist_temperatures", "HR"):
        assert np.flatnonzero(~np.isnan(day.channel(key))).tolist() == list(range(first, first + 4)), key
    assert day.channel("wrist_temperatures")[first] == np.float32(31.61)
    assert day.channel("eda_level_real")[first] == pytest.approx(2 + (80 + 119.5) / 2400, abs=1e-5)
    assert day.channel("ceda_slope_real_micro_siemens")[first] == pytest.approx(0.1, abs=1e-4)
    # HR starts ten seconds after the rest: 11:24:00 is its tenth second.
    assert day.channel("HR")[first] == pytest.approx(70 + (10 + 69) / 2 / 60, abs=0.01)
    assert day.channel("axis_mean")[first] == pytest.approx(50 / 3 / 64, abs=0.01)
    assert day.channel("hrv_rr_median")[first + 1] == pytest.approx(800, abs=0.5)
    assert report.count("tags") == 1
    assert list(report.files_unused) == ["BVP.csv"]


def test_beats_from_bvp(tmp_path: Path) -> None:
    pytest.importorskip("neurokit2")
    time = np.arange(4 * 60 * 64) / 64
    wave = 50 * np.exp(3 * (np.cos(2 * np.pi * time / 0.9) - 1))
    text = f"{START:.2f}\r\n64.000000\r\n" + "\r\n".join(f"{value:.2f}" for value in wave)
    day = read_one(write_session(tmp_path, BVP=text), beats="bvp")
    assert day.channel("hrv_rr_median")[11 * 60 + 25] == pytest.approx(900, abs=2)


def test_zip_session_folder_and_subject_ids(tmp_path: Path) -> None:
    write_session(tmp_path / "all" / "1680686620_A00204")
    write_session(tmp_path / "all" / "1680700000_A00204", start=START + 7200)
    write_session(tmp_path / "all" / "anna")
    days = list(read_e4(tmp_path / "all", ROME))
    assert sorted(day.subject_id for day in days) == ["A00204", "anna"]
    both = next(day for day in days if day.subject_id == "A00204")
    assert np.flatnonzero(both.mask[:, 0]).tolist() == [*range(684, 688), *range(804, 808)]
    archive = tmp_path / "1680686620_A00204.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted((tmp_path / "all" / "anna").iterdir()):
            packed.write(path, path.name)
    single = read_one(archive)
    assert single.subject_id == "A00204"
    assert np.array_equal(single.values, read_one(tmp_path / "all" / "anna").values, equal_nan=True)


def test_day_start(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s")
    assert read_one(folder, day_start="first").start.isoformat() == "2023-04-05T11:23:00+02:00"
    assert read_one(folder, day_start="11:00").channel("wrist_temperatures")[24] == np.float32(31.61)
    assert read_one(folder, timezone="Asia/Tokyo").start.isoformat() == "2023-04-05T00:00:00+09:00"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"EDA": f"{START:f}\r\n4.000000\r\n0.1\r\nwet"}, r"EDA\.csv, line 4: must contain 1 number, got 'wet'"),
        ({"ACC": f"{START:f},{START:f},{START:f}\r\n32,32,32\r\n1,2\r\n1,2,3"}, r"ACC\.csv, line 3: .*3 numbers"),
        ({"TEMP": "31.61\r\n4.0\r\n31.6"}, r"TEMP\.csv, line 1: must be the start in UTC seconds"),
        ({"HR": f"{START:f}"}, r"HR\.csv, line 2: must be the rate"),
        ({"EDA": "10.0\r\n4.0\r\n1.0"}, r"EDA\.csv, line 1: .*the clock was not set"),
        ({"IBI": f"{START:f}, IBI\r\n5.0,0.8\r\n4.0,0.8"}, r"IBI\.csv, line 3: the offset is less"),
    ],
)
def test_error_reports_file_and_line(tmp_path: Path, files: dict[str, str], message: str) -> None:
    write_session(tmp_path / "bad", **files)
    write_session(tmp_path / "good")
    with pytest.raises(ValueError, match=message):
        list(read_e4(tmp_path, ROME, skip_bad=False))
    report = ReadReport()
    assert [day.subject_id for day in read_e4(tmp_path, ROME, report=report)] == ["good"]
    assert report.count("bad-file") == 1


def test_missing_arguments_and_sessions_raise(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="The E4 records in UTC"):
        read_e4(write_session(tmp_path / "s"))
    with pytest.raises(ValueError, match="'ibi' or 'bvp'"):
        read_e4(tmp_path / "s", ROME, beats="ecg")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="No E4 session"):
        read_e4(tmp_path / "empty", ROME)


def test_real_recording_matches_pandas(real_data: Path) -> None:
    folder = real_data / "empatica_e4"
    day = read_one(folder)
    assert int(day.mask.any(axis=1).sum()) in (61, 62)
    for name, key in (("TEMP", "wrist_temperatures"), ("HR", "HR")):
        text = (folder / f"{name}.csv").read_text().split()
        start, rate = float(text[0]), float(text[1])
        values = pd.Series([float(cell) for cell in text[2:]])
        values.index = pd.to_datetime(start + np.arange(len(values)) / rate, unit="s", utc=True)
        minutes = values.resample("1min").agg(["mean", "count"])
        minutes = minutes[minutes["count"] >= 30 * rate]["mean"].tz_convert(ROME)
        mine = day.channel(key)
        assert np.flatnonzero(~np.isnan(mine)).tolist() == [t.hour * 60 + t.minute for t in minutes.index]
        np.testing.assert_allclose(mine[~np.isnan(mine)], minutes, rtol=1e-5)


def test_empty_files_and_cut_lines_are_left_out(tmp_path: Path) -> None:
    whole = read_one(write_session(tmp_path / "whole" / "s1"), subject_id="p")
    cut = write_session(tmp_path / "cut" / "s1", IBI="", TEMP="")
    acc = cut / "ACC.csv"
    acc.write_bytes(acc.read_bytes().rstrip() + b"\r\n3,6")
    report = ReadReport()
    day = read_one(tmp_path / "cut", subject_id="p", report=report)
    for key in ("HR", "eda_level_real", "log_energy"):
        assert np.array_equal(day.channel(key), whole.channel(key), equal_nan=True), key
    assert np.isnan(day.channel("wrist_temperatures")).all()
    assert report.count("cut-line") == 1
    assert {name for name, why in report.files_unused.items() if why == "the file is empty"} == {
        "s1/IBI.csv",
        "s1/TEMP.csv",
    }
