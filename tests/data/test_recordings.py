"""The builder's configurations for recordings."""

from __future__ import annotations

from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pytest

from sensorlm_hf import SensorDay, SensorDays
from sensorlm_hf.data.readers import read_any
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


def test_a_recording_becomes_splits_by_person(tables: Path, tmp_path: Path) -> None:
    made = builder(tables, tmp_path / "cache", keep_ids=True)
    made.download_and_prepare()
    splits = made.as_dataset()
    expected = sorted(read_any(tables), key=lambda day: day.sample_id)
    assert sorted((day for rows in splits.values() for day in read(rows)), key=lambda day: day.sample_id) == expected
    for split, rows in splits.items():
        assert {split_of(who, 0.2, 0.3) for who in rows["subject_id"]} == {split}
    assert made.info.features["values"] == datasets.Array2D((1440, 26), "float32")


def test_processes_and_streams_give_the_same_rows(tables: Path, tmp_path: Path) -> None:
    one, two = builder(tables, tmp_path / "one"), builder(tables, tmp_path / "two")
    one.download_and_prepare()
    two.download_and_prepare(num_proc=2)
    for split, rows in one.as_dataset().items():
        assert read(rows) == read(two.as_dataset(split)) == read(one.as_streaming_dataset(split))
    names = {day.subject_id for rows in one.as_dataset().values() for day in read(rows)}
    assert len(names) == 12
    assert not any("anna" in name for name in names)


def test_a_changed_file_is_read_again(tables: Path, tmp_path: Path) -> None:
    first = builder(tables, tmp_path / "cache")
    assert first.cache_dir == builder(tables, tmp_path / "cache").cache_dir
    frame = pd.read_csv(tables / "0.csv")
    frame.assign(HR=99.25).to_csv(tables / "0.csv", index=False)
    assert first.cache_dir != builder(tables, tmp_path / "cache").cache_dir
    assert first.cache_dir != builder(tables, tmp_path / "cache", salt="y").cache_dir


def test_what_is_missing_is_asked_for(tables: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs `recording`"):
        SensorDays("mmash", cache_dir=str(tmp_path))
    with pytest.raises(ValueError, match="Give `salt`"):
        SensorDays("table", cache_dir=str(tmp_path), recording=str(tables))
    with pytest.raises(ValueError, match="is a recording of the kind 'table', not 'e4'"):
        SensorDays("e4", cache_dir=str(tmp_path), recording=str(tables), keep_ids=True, timezone="UTC")
    assert set(SOURCES) < set(SensorDays.builder_configs)


def test_the_recordings(real_data: Path, tmp_path: Path) -> None:
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
