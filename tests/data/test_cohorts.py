"""Cohorts on disk, written by one process or with Ray."""

from __future__ import annotations

import sys
from pathlib import Path

import datasets
import numpy as np
import pytest
from huggingface_hub import DatasetCard

from sensorlm_hf import SensorDay
from sensorlm_hf.data import SensorDaysConfig, write_cohort
from sensorlm_hf.data.cards import DayStatistics
from sensorlm_hf.data.cohorts import cohort_shards
from sensorlm_hf.data.shards import round_values
from sensorlm_hf.data.simulate import simulate_days


def test_each_subject_is_in_exactly_one_shard() -> None:
    config = SensorDaysConfig(people=57, days_per_person=3)
    shards = cohort_shards("x", config, days_per_shard=16)
    dealt = [person for shard in shards for person in range(shard.start_person, shard.start_person + shard.people)]
    assert dealt == list(range(57))
    assert max(shard.people * 3 for shard in shards) == 15
    assert [shard.number for shard in shards if shard.split == "train"] == list(range(10))
    assert cohort_shards("x", config, days_per_shard=1)[0].people == 1


def test_cohort_has_card_and_is_written_atomically(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = write_cohort(tmp_path / "set", people=10, days_per_person=2, seed=3, days_per_shard=5)
    assert counts == {"train": 18, "test": 2}
    card = DatasetCard.load(tmp_path / "set" / "README.md")
    assert card.data.license == "apache-2.0"
    assert [split["num_examples"] for split in card.data.dataset_info["splits"]] == [18, 2]
    rows = datasets.load_dataset(str(tmp_path / "set"), split="train", cache_dir=str(tmp_path / "cache"))
    made = simulate_days(18, 3, days_per_person=2)
    for row, day in zip(rows, made, strict=True):
        back = SensorDay.from_row(row)
        assert back.sample_id == day.sample_id
        assert np.array_equal(back.values, round_values(day.values, day.schema), equal_nan=True)
    monkeypatch.setattr("sensorlm_hf.data.cohorts.write_card", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_cohort(tmp_path / "broken", people=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "set"]


def test_partial_statistics_combine_to_total() -> None:
    days = simulate_days(5, seed=1)
    whole, parts = DayStatistics(), DayStatistics()
    for day in days:
        whole.add("train", day)
        part = DayStatistics()
        part.add("train", day)
        parts.merge(part)
    parts.merge(DayStatistics())
    left, right = whole.to_dict(), parts.to_dict()
    for a, b in zip(left.pop("channels"), right.pop("channels"), strict=True):
        assert [a[key] for key in ("key", "unit")] == [b[key] for key in ("key", "unit")]
        numbers = ("observed", "mean", "std", "min", "max")
        np.testing.assert_allclose([a[key] for key in numbers], [b[key] for key in numbers], rtol=1e-10)
    assert left == right


def test_invalid_sizes_raise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="at least 1, got 0 and 1"):
        write_cohort(tmp_path / "x", people=2, days_per_shard=0)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"sensorlm-hf\[ray\]"):
        write_cohort(tmp_path / "x", people=2, ray_address="local")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_ray_output_matches_single_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="needs the extra: pip install 'sensorlm-hf[ray]'")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    paths = [str(Path(__file__).resolve().parents[2] / "src"), *filter(None, sys.path)]
    monkeypatch.setenv("PYTHONPATH", ":".join(dict.fromkeys(paths)))
    options = {"people": 12, "days_per_person": 2, "seed": 5, "days_per_shard": 6}
    assert write_cohort(tmp_path / "one", **options) == write_cohort(
        tmp_path / "ray", **options, ray_address="local", num_proc=2
    )
    one, ray = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        for name in ("one", "ray")
    )
    assert one == ray
    assert Path("README.md") in one
    assert Path("data/train-00003.parquet") in one
