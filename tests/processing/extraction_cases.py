"""Schemas and days for the feature extractor tests."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np

from sensorlm_hf.days import SensorDay
from sensorlm_hf.schema import get_schema

SCHEMA = get_schema("sensorlm-26")
KEYS = list(SCHEMA.keys)
MEAN, STD = np.array(SCHEMA.means), np.array(SCHEMA.stds)
LOW, HIGH = np.array([channel.valid_range for channel in SCHEMA]).T
TINY = {
    "name": "ring",
    "channels": [
        {"key": "pulse", "label": "heart rate", "unit": "bpm", "mean": 70.0, "std": 10.0, "valid_range": [25, 240]},
        {"key": "warmth", "unit": "degC", "mean": 33.0, "std": 2.0, "valid_range": [10, 41]},
        {"key": "steps", "unit": "steps/min", "mean": 5.0, "std": 20.0, "valid_range": [0, 400], "non_negative": True},
    ],
}


def plausible(days: int = 1, seed: int = 0, gaps: bool = True) -> np.ndarray:
    """Days within the plausible range of every channel, by default with gaps."""
    rng = np.random.default_rng(seed)
    values = np.clip(MEAN + STD * rng.standard_normal((days, 1440, 26)), LOW, HIGH).astype(np.float32)
    if gaps:
        for day in values:
            for _ in range(5):
                start, column = rng.integers(0, 1430), rng.integers(0, 26)
                day[start : start + rng.integers(1, 300), column : column + 4] = np.nan
    return values


def sensor_day(values: np.ndarray, schema=SCHEMA) -> SensorDay:
    """A day of one subject."""
    return SensorDay(values, datetime(2024, 3, 1, tzinfo=timezone.utc), "p001", schema)


def ring(**columns) -> np.ndarray:
    """A plausible six-minute day from a ring, with some columns replaced."""
    base = {"pulse": [70.0] * 6, "warmth": [33.0] * 6, "steps": [5.0] * 6, **columns}
    return np.array([base[key] for key in ("pulse", "warmth", "steps")], dtype=np.float32).T
