"""Days for the caption tests: smooth channels with steps, spikes and gaps, and a log of events."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from sensorlm_hf.days import Event, SensorDay
from sensorlm_hf.schema import SchemaLike, get_schema

ACTIVITIES = ("running", "weight lifting", "yoga", "walk", "office work", "elliptical", "meal", "hiking", "cooking")
MOODS = ("calm", "stressed", "happy")


def make_day(seed: int, schema: SchemaLike = "sensorlm-26", minutes: int = 1440, gaps: bool = True) -> SensorDay:
    """Makes a day; every third has no events, every fifth has a channel that was never observed."""
    rng = np.random.default_rng(seed)
    schema = get_schema(schema)
    points = rng.normal(size=(minutes // 60 + 2, len(schema)))
    at = np.arange(minutes) / 60
    slow = np.stack([np.interp(at, np.arange(len(points)), points[:, c]) for c in range(len(schema))], axis=1)
    values = np.array(schema.means) + np.array(schema.stds) * (slow + 0.2 * rng.normal(size=slow.shape))
    for c, channel in enumerate(schema):
        if channel.non_negative:
            values[:, c] = np.maximum(values[:, c], 0)
    if gaps:
        start = int(rng.integers(0, max(1, minutes - 90)))
        values[start : start + 45] = np.nan
        values[: minutes // 4, int(rng.integers(len(schema)))] = np.nan
    if seed % 5 == 0:
        values[:, int(rng.integers(len(schema)))] = np.nan
    events = []
    if seed % 3:
        for label in rng.choice(ACTIVITIES, size=int(rng.integers(0, 12))):
            start = int(rng.integers(-30, minutes - 1))
            end = max(start, 0) + int(rng.integers(5, 120))
            events.append(Event("activity", str(label), start, end))
        events.append(Event("sleep", "sleep", -60, max(30, minutes // 4)))
        if rng.random() < 0.5:
            events.append(Event("sleep", "nap", minutes // 2, minutes // 2 + 40))
    if seed % 2:
        for label in rng.choice(MOODS, size=int(rng.integers(1, 4))):
            minute = int(rng.integers(minutes))
            events.append(Event("mood", str(label), minute, minute))
    start = datetime(2024, 3, 1 + seed % 28, 22, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    return SensorDay(values, start, f"p{seed:03d}", schema, tuple(events))


def make_days(count: int, **more: object) -> list[SensorDay]:
    """Makes days 0 to `count`."""
    return [make_day(seed, **more) for seed in range(count)]  # type: ignore[arg-type]
