"""Precision and size of stored days."""

from __future__ import annotations

from pathlib import Path

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest

from sensorlm_hf import SensorDay, get_schema, load_sensor_days, write_days
from sensorlm_hf.data.shards import DayWriter, days_table, round_values
from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.schema import list_schemas


@pytest.mark.parametrize("name", list_schemas())
def test_rounding_preserves_channel_precision(name: str) -> None:
    schema = get_schema(name)
    values = np.stack([day.values for day in simulate_days(3, schema=name)])
    rounded = round_values(values, schema)
    assert np.array_equal(np.isnan(values), np.isnan(rounded))
    error = np.abs(rounded - values.astype(np.float64))
    assert np.nanmax(error / np.array(schema.stds)) <= 1 / 128
    small = error <= np.maximum(np.abs(values) / 128, np.array(schema.stds) / 1024) * (1 + 1e-6)
    assert small[~np.isnan(values)].all()
    assert np.array_equal(rounded, round_values(rounded, schema), equal_nan=True)
    steps = values[..., schema.index("steps")]
    whole = steps[steps == np.round(steps)]
    assert len(whole)
    assert set(whole.tolist()) <= set(rounded[..., schema.index("steps")].ravel().tolist())


def test_rounding_edge_cases() -> None:
    schema = get_schema("sensorlm-26")
    row = np.full((1, 26), np.nan)
    row[0, :4] = [0.0, -72.03, 1e-9, 3e4]
    assert round_values(row, schema)[0, :4].tolist() == [0.0, -72.0, 0.0, 30000.0]


def test_compact_shards_are_small_and_readable_with_plain_parquet(tmp_path: Path) -> None:
    days = simulate_days(64, seed=1)
    for precision in ("exact", "compact"):
        write_days(days, tmp_path / precision, precision=precision)
    sizes = {p: sum(f.stat().st_size for f in (tmp_path / p / "data").iterdir()) / 64 for p in ("exact", "compact")}
    assert sizes["compact"] < 45_000 < sizes["exact"] < 100_000
    rows = datasets.load_dataset(str(tmp_path / "compact"), split="train", cache_dir=str(tmp_path / "cache"))
    assert rows.features["values"] == datasets.Array2D((1440, 26), "float32")
    first = SensorDay.from_row(rows.with_format("numpy")[0])
    assert np.array_equal(first.values, round_values(days[0].values, days[0].schema), equal_nan=True)
    assert [
        SensorDay.from_row(row) for row in load_sensor_days(tmp_path / "exact", "train", cache_dir=tmp_path / "cache2")
    ] == days
    metadata = pq.ParquetFile(next((tmp_path / "exact" / "data").iterdir())).metadata
    columns = [metadata.row_group(0).column(i) for i in range(metadata.num_columns)]
    values = next(column for column in columns if column.path_in_schema.startswith("values"))
    assert (values.compression, "BYTE_STREAM_SPLIT" in values.encodings) == ("ZSTD", True)


def test_table_matches_datasets_output() -> None:
    from sensorlm_hf.data.rows import dataset_row, sensor_day_features

    days = simulate_days(3)
    features = sensor_day_features(days[0].schema, len(days[0]), days[0].labels)
    expected = datasets.Dataset.from_list([dataset_row(day, features) for day in days], features=features)
    made = datasets.Dataset(days_table(days, features))
    assert made.features == expected.features
    for a, b in zip(made, expected, strict=True):
        assert SensorDay.from_row(a) == SensorDay.from_row(b)


def test_multiple_splits_are_written_atomically(tmp_path: Path) -> None:
    days = simulate_days(6)
    with DayWriter(tmp_path, days_per_shard=2) as writer:
        for position, day in enumerate(days):
            writer.add("test" if position % 3 == 0 else "train", day)
    assert writer.counts == {"test": 2, "train": 4}
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [
        "test-00000.parquet", "train-00000.parquet", "train-00001.parquet",
    ]  # fmt: skip

    def fail() -> None:
        with DayWriter(tmp_path / "b", days_per_shard=1) as writer:
            writer.add("train", days[0])
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        fail()
    assert not list((tmp_path / "b").rglob("*.p*"))
    with pytest.raises(ValueError, match="`precision` must be one of exact, compact"):
        DayWriter(tmp_path, precision="float8")
