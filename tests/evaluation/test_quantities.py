"""Quantities of days made by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from sensorlm_hf import Event, SensorDay, get_schema
from sensorlm_hf.evaluation.quantities import QUANTITIES, clock_minutes, get_quantity, measure_days

SCHEMA = get_schema("sensorlm-26")
MIDNIGHT = datetime(2024, 3, 1, tzinfo=timezone.utc)


def day(
    events: Sequence[Event] = (), start: datetime = MIDNIGHT, labels: dict[str, Any] | None = None, **channels: Any
) -> SensorDay:
    """A day with some channels; the others are missing."""
    values = np.full((1440, 26), np.nan)
    for key, minutes in channels.items():
        values[:, SCHEMA.index(key)] = minutes
    return SensorDay(values, start, "p", events=tuple(events), labels=labels or {})


def of(name: str, one: SensorDay) -> float:
    return QUANTITIES[name](one)


def test_every_quantity_is_described_and_unknown_on_an_empty_day() -> None:
    empty = day()
    for name, quantity in QUANTITIES.items():
        assert quantity.name == name
        assert quantity.unit
        assert quantity.description
        assert set(quantity.channels) <= set(SCHEMA.keys)
        expected = {"wear_minutes": 0.0, "longest_gap": 1440.0}.get(name, math.nan)
        assert quantity(empty) == pytest.approx(expected, nan_ok=True), name


def test_heart_rate() -> None:
    heart = np.where(np.arange(1440) < 1080, 60.0, 100.0)
    heart[:144] = 50
    heart[700] = 180
    one = day(HR=heart)
    assert of("mean_heart_rate", one) == pytest.approx(heart.mean())
    assert of("peak_heart_rate", one) == 180
    assert of("resting_heart_rate", one) == 50
    assert of("heart_rate_spread", one) == pytest.approx(heart.std())
    assert math.isnan(of("mean_heart_rate", day(HR=np.where(np.arange(1440) < 59, 60.0, np.nan))))
    assert of("mean_heart_rate", day(HR=np.where(np.arange(1440) < 60, 60.0, np.nan))) == 60


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("rmssd", "rmssd_percentile_0595"),
        ("skin_temperature", "wrist_temperatures"),
        ("skin_conductance", "eda_level_real"),
        ("movement", "log_energy"),
    ],
)
def test_levels_are_means(name: str, key: str) -> None:
    assert of(name, day(**{key: np.repeat([20.0, 30.0], 720)})) == 25
    assert QUANTITIES[name].visible_in((key,))
    assert not QUANTITIES[name].visible_in(("HR", "steps"))


def test_steps_by_part_of_the_day_in_local_time() -> None:
    steps = np.zeros(1440)
    steps[6 * 60 : 6 * 60 + 10] = 100  # morning
    steps[13 * 60] = 30  # afternoon
    steps[21 * 60] = 7  # evening
    steps[23 * 60] = 1
    one = day(steps=steps)
    assert [of(n, one) for n in ("steps", "steps_morning", "steps_afternoon", "steps_evening")] == [1038, 1000, 30, 7]
    later = day(steps=np.roll(steps, -600), start=datetime(2024, 3, 1, 10, tzinfo=timezone.utc))
    assert [of(n, later) for n in ("steps_morning", "steps_afternoon", "steps_evening")] == [1000, 30, 7]
    assert of("cadence", one) == 100
    assert math.isnan(of("cadence", day(steps=np.full(1440, 59.0))))


def test_steps_are_unknown_if_most_of_the_time_is_missing() -> None:
    steps = np.ones(1440)
    steps[5 * 60 : 5 * 60 + 211] = np.nan
    one = day(steps=steps)
    assert math.isnan(of("steps_morning", one))
    assert of("steps_afternoon", one) == 300
    assert of("steps", one) == 1440 - 211


def test_waking_minutes_without_steps() -> None:
    steps = np.zeros(1440)
    steps[720:1080] = 20
    night = Event("sleep", "sleep", -60, 480)
    assert of("sedentary_share", day([night], steps=steps)) == pytest.approx(600 / 960)
    assert math.isnan(of("sedentary_share", day(steps=steps))), "sleep was not logged"


def test_sleep() -> None:
    nights = [Event("sleep", "sleep", -60, 420), Event("sleep", "nap", 800, 840), Event("sleep", "sleep", 1410, 1900)]
    one = day(nights)
    assert of("sleep_minutes", one) == 450
    assert of("nap_minutes", one) == 40
    assert of("bedtime", one) == 11.5, "23:30"
    assert of("wake_time", one) == 7
    assert of("bedtime", day([Event("sleep", "sleep", 90, 500)])) == 13.5, "after midnight is later than before"
    assert math.isnan(of("bedtime", day(nights[:1])))
    assert math.isnan(of("wake_time", day(nights[2:])))
    assert of("nap_minutes", day(nights[:1])) == 0


def test_wear() -> None:
    heart = np.ones(1440) * 60
    heart[100:200] = heart[900:1200] = np.nan
    assert of("wear_minutes", day(HR=heart)) == 1040
    assert of("longest_gap", day(HR=heart)) == 300
    assert of("longest_gap", day(HR=heart, steps=1.0)) == 0


def test_exercise() -> None:
    logged = [Event("activity", "running", 100, 130), Event("activity", "HIIT", 1430, 1460)]
    other = Event("activity", "housework", 200, 300)
    assert of("exercise_minutes", day([*logged, other])) == 40
    assert of("exercise_minutes", day([other])) == 0
    assert of("exercise_minutes", day(labels={"main_activity": "none"})) == 0
    assert math.isnan(of("exercise_minutes", day(labels={"main_activity": "running"}))), "its duration is not logged"


def test_the_clock_when_it_changes() -> None:
    start = datetime(2024, 3, 31, tzinfo=ZoneInfo("Europe/Berlin"))
    clock = clock_minutes(day(start=start))
    assert clock[119] == 119
    assert clock[120] == 180
    assert clock[-1] == 59


def test_channels_that_a_schema_lacks() -> None:
    own = {"name": "pulse", "channels": [{"key": "HR", "mean": 70.0, "std": 10.0}]}
    one = SensorDay(np.full((1440, 1), 70.0), MIDNIGHT, "p", schema=own, events=(Event("sleep", "sleep", 0, 400),))
    assert of("mean_heart_rate", one) == 70
    assert all(math.isnan(of(name, one)) for name in ("steps", "cadence", "sedentary_share", "rmssd"))


def test_measuring_days() -> None:
    table = measure_days([day(HR=60.0), day()], ["mean_heart_rate", "steps", "steps"])
    assert list(table) == ["mean_heart_rate", "steps"]
    assert table["mean_heart_rate"].tolist() == pytest.approx([60, math.nan], nan_ok=True)
    assert measure_days([], ["steps"])["steps"].shape == (0,)
    with pytest.raises(ValueError, match="Unknown quantity 'mood'; available quantities are mean_heart_rate"):
        get_quantity("mood")
    assert QUANTITIES["wear_minutes"].visible_in(("HR",))
