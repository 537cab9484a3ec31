"""Column mappings: units, wide and long tables, time formats, datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pytest

from sensorlm_hf.data.readers import ReadReport, read_table
from sensorlm_hf.data.readers.table_mapping import load_mapping

WIDE = """
time: {column: at, unit: ms}
subject: who
timezone: Europe/Rome
columns:
  pulse: {channel: HR, unit: 1/s}
  skin: {channel: wrist_temperatures, unit: degF}
  cadence: {channel: steps, aggregate: mean}
"""
LONG = """
layout: long
time: when
timezone: Europe/Rome
variable: metric
value: reading
unit: unit
columns: {pulse: HR, skin: wrist_temperatures}
"""
NOON = pd.Timestamp("2024-03-01T12:00", tz="Europe/Rome")


def wide() -> pd.DataFrame:
    times = [int((NOON + pd.Timedelta(seconds=s)).timestamp() * 1000) for s in (0, 30, 60)]
    return pd.DataFrame(
        {"at": times, "who": "p1", "pulse": [1.0, 1.2, 1.5], "skin": [90.0, 91.0, 95.0], "cadence": [100.0, 110.0, 9.0]}
    )


def long() -> pd.DataFrame:
    rows: list[tuple[str, str, float, str]] = [
        ("2024-03-01T12:00:00", "pulse", 1.0, "1/s"),
        ("2024-03-01T12:00:30", "pulse", 72.0, "bpm"),
        ("2024-03-01T12:00:10", "skin", 305.15, "kelvin"),
        ("2024-03-01T12:01:00", "steps", 40.0, "count/min"),
        ("2024-03-01T12:01:20", "steps", 20.0, "count/min"),
        ("2024-03-01T12:01:20", "humidity", 0.4, "percent"),
    ]
    return pd.DataFrame(rows, columns=["when", "metric", "reading", "unit"])


def save(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mapping.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_wide_table_with_unit_conversion(tmp_path: Path) -> None:
    pytest.importorskip("pint")
    (day,) = read_table(wide(), mapping=save(tmp_path, WIDE))
    assert day.sample_id == "p1@2024-03-01T00:00+0100"
    assert day.channel("HR")[720:722].tolist() == [66.0, 90.0]
    assert day.channel("wrist_temperatures")[720] == pytest.approx((90.5 - 32) / 1.8, rel=1e-6)
    assert day.channel("steps")[720] == 105.0


def test_long_table_with_per_row_units(tmp_path: Path) -> None:
    pytest.importorskip("pint")
    report = ReadReport()
    (day,) = read_table(long(), mapping=save(tmp_path, LONG), report=report)
    assert day.channel("HR")[720] == 66.0
    assert day.channel("wrist_temperatures")[720] == 32.0
    assert day.channel("steps")[721] == 60.0
    assert report.notes["variable-unused"].examples == ["humidity"]
    assert int(day.mask.sum()) == 3


@pytest.mark.parametrize("form", ["csv", "parquet", "dataset", "stream"])
def test_files_and_datasets_match(tmp_path: Path, form: str) -> None:
    pytest.importorskip("pint")
    mapping = load_mapping(save(tmp_path, LONG))
    expected = list(read_table(long(), mapping=mapping))
    source: Any = tmp_path / f"long.{form}"
    if form == "csv":
        long().to_csv(source, index=False)
    elif form == "parquet":
        long().to_parquet(source)
    else:
        source = datasets.Dataset.from_pandas(long())
        source = source.to_iterable_dataset() if form == "stream" else source
    assert list(read_table(source, mapping=mapping)) == expected


def test_dataset_of_days_round_trips() -> None:
    mapping = {"time": {"column": "at", "unit": "ms"}, "timezone": "Europe/Rome", "columns": {"pulse": "HR"}}
    days = list(read_table(wide(), mapping=mapping, subject_id="p1"))
    rows = datasets.Dataset.from_list([day.to_row() for day in days])
    assert list(read_table(rows)) == list(read_table(rows.to_iterable_dataset())) == days


def test_custom_time_formats(tmp_path: Path) -> None:
    table = pd.DataFrame({"when": ["03/01/2024 01:05:00 PM", "03/01/2024 01:06:30 PM"], "HR": [60.0, 70.0]})
    mapping = {"time": {"column": "when", "format": "%m/%d/%Y %I:%M:%S %p"}, "timezone": "Europe/Rome"}
    (day,) = read_table(table, mapping=mapping)
    assert day.channel("HR")[785:787].tolist() == [60.0, 70.0]
    path = tmp_path / "day.csv"
    table.assign(when=["03/01/2024 01:05:00 PM", "03/01/2024 01:06:30 XM"]).to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"day\.csv, line 3: the time must be of the form"):
        read_table(path, mapping=mapping)
    with pytest.raises(ValueError, match=r"day\.csv, line 2: .* the day or the month first"):
        read_table(path, timezone="UTC", time_column="when")
    far = table.assign(when=["03/01/2024 01:05:00 PM", "03/01/9999 01:06:30 PM"])
    with pytest.raises(ValueError, match="row 1: the time is centuries away from 1970"):
        read_table(far, mapping=mapping)


@pytest.mark.parametrize(("rate", "minutes"), [(25.0, 2), (1 / 20, 2), (1 / 300, 2)])
def test_any_sampling_rate(rate: float, minutes: int) -> None:
    times = NOON + pd.to_timedelta(np.arange(int(600 * rate)) / rate, unit="s")
    (day,) = read_table(pd.DataFrame({"time": times, "HR": 60.0}))
    assert int(day.mask[:, 0].sum()) == (10 if rate > 1 / 60 else minutes)


def test_arguments_override_mapping(tmp_path: Path) -> None:
    pytest.importorskip("pint")
    (day,) = read_table(wide(), mapping=save(tmp_path, WIDE), timezone="UTC", columns={"pulse": "hr_at_rest_mean"})
    assert day.channel("hr_at_rest_mean")[660] == pytest.approx(1.1)
    assert not day.mask[:, day.schema.index("HR")].any()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("columns: [HR]", "`columns` must map columns to channels"),
        ("a: 1", r"Unknown fields \['a'\]"),
        ("columns: {pulse: {channel: HR, units: bpm}}", "must map to a channel key"),
        ("columns: {pulse: {channel: HR, aggregate: median}}", "`aggregate` must be one of mean, sum, got 'median'"),
        ("layout: tall", "`layout` must be one of wide, long"),
        ("layout: long", "needs `variable`"),
        ("variable: x", "belong to `layout: long`"),
        ("time: {column: a, unit: hours}", "must be one of s, ms"),
        ("day_start: 18:00", "day_start` must be a string, got 1080"),
        ("columns: {pulse: HR", r"mapping\.yaml, line 1: not valid YAML"),
        ("- a", "must be a YAML mapping"),
    ],
)
def test_invalid_mapping_raises(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_mapping(save(tmp_path, text))


def test_mapping_that_does_not_match_table_raises(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'pulse' to 'heart', not a channel"):
        read_table(wide(), mapping={"columns": {"pulse": "heart"}})
    with pytest.raises(ValueError, match="names 'puls', but its columns are at"):
        read_table(wide(), mapping={"columns": {"puls": "HR"}})
    with pytest.raises(ValueError, match="the mapping names the column 'metrics'"):
        read_table(long(), mapping={"layout": "long", "variable": "metrics", "value": "reading", "time": "when"})
    with pytest.raises(ValueError, match="no variable is a channel"):
        read_table(
            long().query("metric == 'skin'"), mapping={"layout": "long", "variable": "metric", "value": "reading"}
        )
    pytest.importorskip("pint")
    with pytest.raises(ValueError, match="column 'pulse': 'degF' cannot be converted to 'bpm'"):
        read_table(wide(), mapping={"columns": {"pulse": {"channel": "HR", "unit": "degF"}}})
    with pytest.raises(FileNotFoundError):
        read_table(wide(), mapping=tmp_path / "none.yaml")


def test_implausible_values_and_dropped_hours_are_reported() -> None:
    times = pd.date_range("2024-10-26T22:00", "2024-10-27T23:00", freq="min", tz="UTC", inclusive="left")
    rates = np.full(len(times), 60.0)
    rates[5] = 400.0
    report = ReadReport()
    days = list(read_table(pd.DataFrame({"time": times, "HR": rates}), timezone="Europe/Rome", report=report))
    assert [len(day) for day in days] == [1440]
    assert (report.count("implausible-HR"), report.count("clock-change")) == (1, 60)
