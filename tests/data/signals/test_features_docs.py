"""The feature table documents every channel, and custom normalization constants are saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sensorlm_hf import SensorDay, SensorLMFeatureExtractor, get_schema
from sensorlm_hf.data.readers.minutes import EPOCH
from sensorlm_hf.data.signals import acceleration_features, fill_channels

DOCS = Path(__file__).resolve().parents[3] / "docs" / "features.md"


def test_every_channel_is_documented() -> None:
    text = DOCS.read_text(encoding="utf-8")
    short = {"hrv_rr_80th_percentile_mean": "80th", "hrv_rr_20th_percentile_mean": "20th"}
    short |= {"hrv_shannon_entropy_rrd": "_rrd`", "zero_crossing_std": "_std`"}
    for channel in get_schema("sensorlm-26"):
        assert short.get(channel.key, f"`{channel.key}`") in text, channel.key


def test_custom_normalization_is_computed_and_saved(tmp_path: Path) -> None:
    schema = get_schema("sensorlm-26")
    rng = np.random.default_rng(0)
    features = acceleration_features(rng.normal(0, 0.3, (1440 * 60 * 8, 3)) * rng.uniform(0.2, 2), 8.0)
    values = np.full((1440, 26), np.nan)
    fill_channels(values, schema, features)
    day = SensorDay(values, EPOCH, "p", schema)
    fitted = SensorLMFeatureExtractor(schema="sensorlm-26").fit_normalization([day], name="my-watch")
    fitted.save_pretrained(tmp_path)
    back = SensorLMFeatureExtractor.from_pretrained(tmp_path)
    (energy,) = [channel for channel in back.channels if channel["key"] == "log_energy"]
    assert energy["mean"] == pytest.approx(np.nanmean(values[:, schema.index("log_energy")]), rel=1e-5)
    assert energy["std"] == pytest.approx(np.nanstd(values[:, schema.index("log_energy")]), rel=1e-4)
