"""Dataset builder configurations for recordings."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pytest

from sensorlm_hf import SensorDay, SensorDays, cli, load_sensor_days
from sensorlm_hf.data.convert import convert_recording
from sensorlm_hf.data.readers import ReadReport, read_any
from sensorlm_hf.data.readers.detect import SOURCES
from sensorlm_hf.data.rows import split_of


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    folder = tmp_path / "tables"
    folder.mkdir()
    for number in range(4):
        times = pd.date_range("2024-03-01T08:00", periods=4, freq="12h", tz="Europe/Rome")
        frame = pd.concat(
            pd.DataFrame({"time": times, "HR": 60.0 + number, "steps": 5.0, "subject_id": f"anna{number}{who}"})
            for who in "abc"
        )
        frame.assign(time=frame["time"].map(lambda t: t.isoformat())).to_csv(folder / f"{number}.csv", index=False)
    return folder


def builder(tables: Path, cache: Path, **options: object) -> SensorDays:
    given = {"recording": str(tables), "salt": "x", "validation_share": 0.2, "test_share": 0.3, **options}
    return SensorDays("table", cache_dir=str(cache), **given)


def read(rows: datasets.Dataset | datasets.IterableDataset) -> list[SensorDay]:
    return sorted((SensorDay.from_row(row) for row in rows), key=lambda day: day.sample_id)


def test_recording_is_split_by_subject(tables: Path, tmp_path: Path) -> None:
    made = builder(tables, tmp_path / "cache", keep_ids=True)
    made.download_and_prepare()
    splits = made.as_dataset()
    expected = sorted(read_any(tables), key=lambda day: day.sample_id)
    assert sorted((day for rows in splits.values() for day in read(rows)), key=lambda day: day.sample_id) == expected
    for split, rows in splits.items():
        assert {split_of(who, 0.2, 0.3) for who in rows["subject_id"]} == {split}
    assert made.info.features["values"] == datasets.Array2D((1440, 26), "float32")


def test_multiprocessing_and_streaming_give_same_rows(tables: Path, tmp_path: Path) -> None:
    one, two = builder(tables, tmp_path / "one"), builder(tables, tmp_path / "two")
    one.download_and_prepare()
    two.download_and_prepare(num_proc=2)
    for split, rows in one.as_dataset().items():
        assert read(rows) == read(two.as_dataset(split)) == read(one.as_streaming_dataset(split))
    names = {day.subject_id for rows in one.as_dataset().values() for day in read(rows)}
    assert len(names) == 12
    assert not any("anna" in name for name in names)


def test_changed_file_invalidates_cache(tables: Path, tmp_path: Path) -> None:
    first = builder(tables, tmp_path / "cache")
    assert first.cache_dir == builder(tables, tmp_path / "cache").cache_dir
    frame = pd.read_csv(tables / "0.csv")
    frame.assign(HR=99.25).to_csv(tables / "0.csv", index=False)
    assert first.cache_dir != builder(tables, tmp_path / "cache").cache_dir
    assert first.cache_dir != builder(tables, tmp_path / "cache", salt="y").cache_dir


def test_missing_arguments_raise(tables: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs `recording`"):
        SensorDays("mmash", cache_dir=str(tmp_path))
    with pytest.raises(ValueError, match="Give `salt`"):
        SensorDays("table", cache_dir=str(tmp_path), recording=str(tables))
    with pytest.raises(ValueError, match="is a recording of the kind 'table', not 'e4'"):
        SensorDays("e4", cache_dir=str(tmp_path), recording=str(tables), keep_ids=True, timezone="UTC")
    assert set(SOURCES) < set(SensorDays.builder_configs)


def test_real_recordings(real_data: Path, tmp_path: Path) -> None:
    made = SensorDays(
        "e4", cache_dir=str(tmp_path), recording=str(real_data / "empatica_e4"), timezone="Europe/Rome", salt="x"
    )
    made.download_and_prepare()
    (row,) = made.as_dataset("train").with_format("numpy")
    (day,) = read_any(real_data / "empatica_e4", timezone="Europe/Rome")
    assert np.array_equal(row["values"], day.values, equal_nan=True)
    mmash = SensorDays("mmash", cache_dir=str(tmp_path), recording=str(real_data / "mmash" / "user_11"), salt="x")
    mmash.download_and_prepare()
    assert mmash.as_dataset("train")[0]["labels"]["age"] > 18


# Folders with several subjects


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Fitbit exports of three subjects, each a folder or a zip, among unrelated files."""
    folder = tmp_path / "study"
    for number in (10, 2, 1):
        entries = [
            {"dateTime": f"07/05/21 10:{minute:02d}:00", "value": {"bpm": 60 + number, "confidence": 3}}
            for minute in range(30)
        ]
        export = folder / f"anna_{number}" / "Takeout"
        export.mkdir(parents=True)
        (export / "heart_rate-2021-07-05.json").write_text(json.dumps(entries))
        (export / "distance-2021-07-05.json").write_text("[]")
    packed = shutil.make_archive(str(folder / "anna_2"), "zip", folder / "anna_2")
    assert Path(packed).is_file()
    shutil.rmtree(folder / "anna_2")
    (folder / "people.txt").write_text("who is who")
    (folder / ".hidden").mkdir()
    return folder


def test_folder_of_subjects_assigns_days_to_each(study: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"timezone": "Europe/Berlin", "keep_ids": True, "precision": "exact"}
    done = convert_recording(study, tmp_path / "out", folder_of_people=True, **options)
    rows = load_sensor_days(tmp_path / "out", "train", cache_dir=tmp_path / "cache")
    days = [SensorDay.from_row(row) for row in rows]
    assert [(day.subject_id, day.channel("HR")[720]) for day in days] == [
        ("anna_1", 61),
        ("anna_2", 62),
        ("anna_10", 70),
    ]
    assert [day.subject_id for day in done.report.days] == ["anna_1", "anna_2", "anna_10"]
    assert done.report.files_read == [
        f"{name}/Takeout/heart_rate-2021-07-05.json" for name in ("anna_1", "anna_2.zip", "anna_10")
    ]
    assert len(done.report.files_unused) == 3
    built = SensorDays(
        "fitbit",
        cache_dir=str(tmp_path / "cache2"),
        recording=str(study),
        timezone="Europe/Berlin",
        keep_ids=True,
        folder_of_people=True,
    )
    built.download_and_prepare(num_proc=2)
    assert read(built.as_dataset("train")) == sorted(days, key=lambda day: day.sample_id)


def test_folder_of_people_read_as_one_subject_is_reported(study: Path, tmp_path: Path) -> None:
    done = convert_recording(study, tmp_path / "out", timezone="Europe/Berlin")
    assert done.people == {"train": 1}
    assert done.report.notes["file-name-twice"].examples == [
        "distance-2021-07-05.json",  # of anna_1 and anna_10; a zip inside a folder is not read
        "heart_rate-2021-07-05.json",
    ]
    assert "--folder-of-people" in done.report.notes["file-name-twice"].message


def test_unreadable_subjects_raise_or_are_skipped(study: Path, tmp_path: Path) -> None:
    (study / "anna_2.zip").write_bytes((study / "anna_2.zip").read_bytes()[:200])
    options: dict[str, Any] = {"timezone": "Europe/Berlin", "folder_of_people": True, "keep_ids": True}
    with pytest.raises(ValueError, match=r"anna_2\.zip is neither a folder nor a readable zip"):
        convert_recording(study, tmp_path / "out", skip_bad=False, **options)
    assert not (tmp_path / "out").exists()
    done = convert_recording(study, tmp_path / "out", **options)
    assert done.people == {"train": 2}
    assert done.report.notes["bad-file"].count == 1
    (study / "anna_1.csv").write_text("time,HR\n")
    with pytest.raises(ValueError, match=r"both 'anna_1' and 'anna_1\.csv', which give the same subject id"):
        convert_recording(study, tmp_path / "out2", **options)
    with pytest.raises(ValueError, match="pass only one of the two"):
        convert_recording(study / "anna_10", tmp_path / "out2", subject_id="x", **options)
    with pytest.raises(FileNotFoundError, match="contains no recordings"):
        convert_recording(study / ".hidden", tmp_path / "out2", **options)
    with pytest.raises(ValueError, match="are for paths, got a DataFrame"):
        convert_recording(pd.DataFrame(), tmp_path / "out2", **options)


def test_partial_reports_are_merged() -> None:
    whole, parts = ReadReport(), ReadReport()
    for number in range(3):
        part = ReadReport()
        for report in (whole, part):
            report.note("odd", "kept", "odd things", f"at {number}", count=number + 1)
            report.note("gone", "dropped", "things left out", "everywhere")
            report.files_read.append(f"{number}.csv")
        parts.merge(part)
    assert parts.to_dict() == whole.to_dict()
    assert parts.notes["gone"].places == {"everywhere": 3}


# Ray


def test_missing_ray_raises(tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"sensorlm-hf\[ray\]"):
        convert_recording(tables, tmp_path / "out", ray_address="local")
    with pytest.raises(ValueError, match="`num_proc` must be at least 1"):
        convert_recording(tables, tmp_path / "out", ray_address="local", num_proc=0)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_ray_output_matches_single_process(
    tables: Path, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ray = pytest.importorskip("ray", reason="needs the extra: pip install 'sensorlm-hf[ray]'")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    paths = [str(Path(__file__).resolve().parents[2] / "src"), *filter(None, sys.path)]
    monkeypatch.setenv("PYTHONPATH", ":".join(dict.fromkeys(paths)))
    monkeypatch.setattr("sensorlm_hf.data.recordings_ray.ITEMS_PER_BATCH", 2)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        for source, options in (
            (tables, {"validation_share": 0.2, "test_share": 0.3, "days_per_shard": 5}),
            (study, {"timezone": "Europe/Berlin", "folder_of_people": True}),
        ):
            given: dict[str, Any] = {"salt": "x", **options}
            one, two = tmp_path / "one" / source.name, tmp_path / "two" / source.name
            first = convert_recording(source, one, **given)
            second = convert_recording(source, two, ray_address="auto", num_proc=2, **given)
            assert first.report.to_dict() == second.report.to_dict()
            files = [sorted(p.relative_to(root) for p in root.rglob("*") if p.is_file()) for root in (one, two)]
            assert files[0] == files[1]
            assert len(files[0]) > 2
            assert all((one / name).read_bytes() == (two / name).read_bytes() for name in files[0])
        # A damaged subject fails with the reader's error message and leaves no output.
        (study / "anna_10" / "Takeout" / "heart_rate-2021-07-05.json").write_text("[{")
        command = ["convert", "fitbit", str(study), str(tmp_path / "bad"), "--timezone", "Europe/Berlin"]
        assert cli.main([*command, "--folder-of-people", "--ray", "auto", "--num-proc", "2"]) == 2
        assert "heart_rate-2021-07-05.json, line 1: not valid JSON" in capsys.readouterr().err
        assert not list(tmp_path.glob("*bad*"))
    finally:
        ray.shutdown()
