"""Pictures of days in datasets."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path

import datasets
import pytest

from sensorlm_hf.data import load_sensor_days, sensor_day_features, write_days
from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.days import SensorDay

pytest.importorskip("matplotlib")

from sensorlm_hf.plotting import add_pictures, plot_day, plot_heatmap

DAYS = simulate_days(3, seed=1)
SMALL = partial(plot_heatmap, width=400)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_days(DAYS, tmp_path / "days")
    return tmp_path / "days"


def test_pictures_survive_files_and_days_do_not_change(folder: Path, tmp_path: Path) -> None:
    from PIL import Image

    rows = add_pictures(datasets.load_dataset(str(folder), split="train"), SMALL)
    assert rows.features["picture"] == datasets.Image()
    rows.to_parquet(str(tmp_path / "days.parquet"))
    again = datasets.load_dataset("parquet", data_files=str(tmp_path / "days.parquet"), split="train")
    assert again.features == rows.features
    assert [SensorDay.from_row(row) for row in again] == DAYS
    assert isinstance(again[0]["picture"], Image.Image)
    assert again[0]["picture"].width == 400
    raw = again.cast_column("picture", datasets.Image(decode=False))
    for day, row in zip(DAYS, raw, strict=True):
        expected = io.BytesIO()
        SMALL(day).savefig(expected, format="png", metadata={"Software": None})
        assert row["picture"]["bytes"] == expected.getvalue()


def test_splits_streams_and_other_plots(folder: Path) -> None:
    splits = add_pictures(load_sensor_days(folder), partial(plot_day, width=400), column="plot", num_proc=2)
    assert isinstance(splits, datasets.DatasetDict)
    assert splits["train"].features["plot"] == datasets.Image()
    assert SensorDay.from_row(splits["train"][1]) == DAYS[1]
    stream = add_pictures(datasets.load_dataset(str(folder), split="train", streaming=True), SMALL)
    row = next(iter(stream))
    assert row["picture"]
    assert SensorDay.from_row(row) == DAYS[0]


def test_invalid_arguments_raise(folder: Path) -> None:
    rows = load_sensor_days(folder, split="train")
    with pytest.raises(TypeError, match="got list"):
        add_pictures(DAYS)
    with pytest.raises(ValueError, match="a column 'values' already"):
        add_pictures(rows, column="values")
    stream = datasets.IterableDataset.from_generator(lambda: iter([DAYS[0].to_row()]))
    with pytest.raises(ValueError, match="has no `features`"):
        add_pictures(stream)
    known = datasets.IterableDataset.from_generator(
        lambda: iter([DAYS[0].to_row()]), features=sensor_day_features("sensorlm-26", 1440, DAYS[0].labels)
    )
    assert next(iter(add_pictures(known, SMALL)))["picture"]
