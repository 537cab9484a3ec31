"""Each script in `dataset_scripts/` converts raw files to a folder that `datasets` loads without this package."""

from __future__ import annotations

import json
import runpy
import sys
from datetime import datetime, timedelta
from pathlib import Path

import datasets
import numpy as np
import pytest

from sensorlm_hf import SensorDay, load_sensor_days

SCRIPTS = Path(__file__).resolve().parents[1] / "dataset_scripts"
NAMES = sorted(path.stem for path in SCRIPTS.glob("*.py"))


def run(monkeypatch: pytest.MonkeyPatch, name: str, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, words)])
    try:
        runpy.run_path(str(SCRIPTS / f"{name}.py"), run_name="__main__")
    except SystemExit as done:
        if done.code:
            raise


def read(folder: Path, cache: Path, split: str = "train") -> list[SensorDay]:
    """Loads a folder with plain `datasets`, then converts the rows to days."""
    plain = datasets.load_dataset(str(folder), split=split, cache_dir=str(cache))
    days = [SensorDay.from_row(row) for row in load_sensor_days(folder, split, cache_dir=cache)]
    assert len(plain) == len(days)
    assert {"subject_id", "start", "timezone", "schema", "values", "events"} <= set(plain.column_names)
    return days


def fitbit_export(folder: Path) -> Path:
    """Two hours of a synthetic Fitbit export, with heart rate in UTC."""
    folder.mkdir()
    began = datetime(2024, 3, 1, 11, 0)
    minutes = [began + timedelta(minutes=i) for i in range(120)]
    hearts = [
        {"dateTime": f"{at:%m/%d/%y %H:%M:%S}", "value": {"bpm": 60 + i % 3, "confidence": 2}}
        for i, at in enumerate(minutes)
    ]
    (folder / "heart_rate-2024-03-01.json").write_text(json.dumps(hearts))
    return folder


def mmash_recordings(folder: Path) -> Path:
    """Ten minutes of a synthetic subject in MMASH format."""
    person = folder / "user_1"
    person.mkdir(parents=True)
    header = ",Axis1,Axis2,Axis3,Steps,HR,Inclinometer Off,Vector Magnitude,day,time"
    lines = [f"{s},900,800,700,{s % 2},70,0,1393.0,1,10:{s // 60:02d}:{s % 60:02d}" for s in range(600)]
    (person / "Actigraph.csv").write_text("\n".join([header, *lines]) + "\n")
    (person / "RR.csv").write_text(",ibi_s,day,time\n")
    (person / "Activity.csv").write_text(",Activity,Start,End,Day\n0,5,10:02,10:08,1\n")
    (person / "sleep.csv").write_text(",In Bed Date,In Bed Time,Out Bed Date,Out Bed Time,Onset Date,Onset Time\n")
    panas = [f"panas_{sign}_{hour}" for sign in ("pos", "neg") for hour in ("10", "14", "18", "22", "9+1")]
    scores = ",".join(["20"] * len(panas))
    (person / "questionnaire.csv").write_text(
        f",MEQ,STAI1,STAI2,Pittsburgh,Daily_stress,{','.join(panas)}\n0,50,30,30,5,20,{scores}\n"
    )
    (person / "user_info.csv").write_text(",Gender,Weight,Height,Age\n0,F,60,170,31\n")
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_every_script_has_help(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run(monkeypatch, name, "--help")
    out = capsys.readouterr().out
    assert out.startswith("usage: ")
    # Scripts that delegate to `sensorlm-hf convert` show the help of that command.
    assert f"python dataset_scripts/{name}.py" in out or "sensorlm-hf convert" in out


def test_simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "cohort"
    run(monkeypatch, "simulated", folder, "--people", 12, "--days_per_person", 1, "--seed", 7)
    assert f"Wrote simulated days to {folder}: 10 train, 1 validation, 1 test." in capsys.readouterr().out
    train, test = read(folder, tmp_path / "cache"), read(folder, tmp_path / "cache", "test")
    assert (len(train), len(test)) == (10, 1)
    assert not {day.subject_id for day in train} & {day.subject_id for day in test}
    assert all(day.labels["simulated"] for day in train)


def test_fitbit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    export, folder = fitbit_export(tmp_path / "export"), tmp_path / "days"
    run(monkeypatch, "fitbit", export, folder, "--timezone", "Europe/Berlin")
    assert f"Wrote 1 day (1 train) of 1 person to {folder}" in capsys.readouterr().out
    (day,) = read(folder, tmp_path / "cache")
    observed = np.flatnonzero(~np.isnan(day.channel("HR")))
    # 11:00 UTC is noon in Berlin.
    assert (observed[0], observed[-1]) == (720, 839)
    assert day.clock(720).isoformat() == "2024-03-01T12:00:00+01:00"


def test_mmash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    recordings, folder = mmash_recordings(tmp_path / "raw"), tmp_path / "days"
    run(monkeypatch, "mmash", recordings, folder)
    assert f"Wrote 1 day (1 train) of 1 person to {folder}" in capsys.readouterr().out
    (day,) = read(folder, tmp_path / "cache")
    assert np.nanmean(day.channel("HR")) == 70
    assert [event.label for event in day.events_of("activity")] != []


def test_fitbit_on_a_real_export(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "fitbit", real_data / "fitbit_takeout", tmp_path / "days", "--timezone", "Australia/Melbourne")
    days = read(tmp_path / "days", tmp_path / "cache")
    assert len(days) >= 17
    assert f"Wrote {len(days)} days" in capsys.readouterr().out
    assert all(day.start.tzinfo is not None and str(day.start.tzinfo) == "Australia/Melbourne" for day in days)


def test_mmash_on_real_recordings(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    some = tmp_path / "some"
    some.mkdir()
    for name in ("user_1", "user_11"):  # one of them without a sleep log
        (some / name).symlink_to(real_data / "mmash" / name)
    run(monkeypatch, "mmash", some, tmp_path / "days")
    days = read(tmp_path / "days", tmp_path / "cache")
    assert len({day.subject_id for day in days}) == 2
    assert "Wrote" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "words", "complaint"),
    [
        ("fitbit", ["FOLDER/none", "FOLDER/days", "--timezone", "Europe/Berlin"], "none"),
        ("fitbit", ["FOLDER", "FOLDER/days", "--timezone", "Europe/Berlin"], "FOLDER"),
        ("fitbit", ["FOLDER", "FOLDER/days", "--timezone", "Europe/Berlinn"], "Europe/Berlin"),
        ("fitbit", ["FOLDER", "FOLDER/days"], "`timezone` is missing"),
        ("mmash", ["FOLDER/none", "FOLDER/days"], "none"),
        ("simulated", ["FOLDER/days", "--people", "0"], "`people` must be at least 1, got 0"),
        ("simulated", ["FOLDER/days", "--people", "many"], "invalid int value"),
    ],
)
def test_invalid_input_has_one_sentence_message(
    name: str,
    words: list[str],
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as done:
        run(monkeypatch, name, *(word.replace("FOLDER", str(tmp_path)) for word in words))
    assert done.value.code == 2
    error = capsys.readouterr().err
    assert complaint.replace("FOLDER", str(tmp_path)) in error
    assert "Traceback" not in error
    assert not list(tmp_path.rglob("*.parquet"))


def test_existing_folder_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("simulated", tmp_path, "--people", 2, "--days_per_person", 1)
    run(monkeypatch, *words)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    with pytest.raises(SystemExit) as done:
        run(monkeypatch, *words, "--seed", 5)
    assert done.value.code == 2
    assert "already contains" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")} == before
