"""Dataset cards."""

from __future__ import annotations

from pathlib import Path

import datasets
import numpy as np
import pytest
from huggingface_hub import DatasetCard

from sensorlm_hf.data import sensor_day_features
from sensorlm_hf.data.cards import DayStatistics, card_text, write_card
from sensorlm_hf.data.shards import DayWriter
from sensorlm_hf.data.simulate import simulate_days

DAYS = simulate_days(6, seed=2, days_per_person=2)
FEATURES = sensor_day_features(DAYS[0].schema, 1440, DAYS[0].labels)


def statistics() -> DayStatistics:
    gathered = DayStatistics()
    for position, day in enumerate(DAYS):
        gathered.add("test" if position > 3 else "train", day)
    return gathered


def test_statistics_cover_all_observed_minutes() -> None:
    values = np.stack([day.values for day in DAYS]).reshape(-1, 26).astype(np.float64)
    rows = statistics().channels()
    np.testing.assert_allclose([row["mean"] for row in rows], np.nanmean(values, axis=0))
    np.testing.assert_allclose([row["std"] for row in rows], np.nanstd(values, axis=0))
    np.testing.assert_allclose([row["observed"] for row in rows], 1 - np.isnan(values).mean(axis=0))
    np.testing.assert_allclose([row["min"] for row in rows], np.nanmin(values, axis=0))
    np.testing.assert_allclose([row["max"] for row in rows], np.nanmax(values, axis=0))
    assert statistics().to_dict()["people"] == {"train": 2, "test": 1}
    assert DayStatistics().channels() == []


def test_card_is_valid_for_hub_and_datasets(tmp_path: Path) -> None:
    with DayWriter(tmp_path, label_types=DAYS[0].labels) as writer:
        for position, day in enumerate(DAYS):
            writer.add("test" if position > 3 else "train", day)
    assert writer.features is not None
    text = card_text(
        statistics(), writer.features, name="Six days", source="Made up.", license="cc0-1.0",
        provenance={"device": "none"}, data_bytes={"train": 4, "test": 2},
    )  # fmt: skip
    card = DatasetCard.load(write_card(tmp_path, text))
    assert card.data.license == "cc0-1.0"
    assert card.data.dataset_info["splits"][0]["num_examples"] == 4
    assert card.data.size_categories == ["n<1K"]
    for words in (
        "| HR | bpm |",
        "No person appears in more than one split",
        "- device: none",
        "- licence: cc0-1.0",
        "## Events",
    ):
        assert words in card.text
    loaded = datasets.load_dataset(str(tmp_path), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 4, "test": 2}
    assert loaded["train"].features == writer.features


def test_empty_data_and_identifying_fields_raise() -> None:
    with pytest.raises(ValueError, match="at least one day"):
        card_text(DayStatistics(), FEATURES, name="x", source="x")
    named = sensor_day_features(labels={"full_name": "x"})
    with pytest.raises(ValueError, match=r"labels\.full_name"):
        card_text(statistics(), named, name="x", source="x")
