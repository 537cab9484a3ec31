"""Chest straps: variability described as the readers describe real beats."""

from __future__ import annotations

import numpy as np
import pytest

from sensorlm_hf.data.readers.hrv import hrv_per_minute
from sensorlm_hf.data.simulate import simulate_days


@pytest.fixture(scope="module")
def devices() -> dict[bool, list]:
    days = simulate_days(120, seed=9, days_per_person=1)
    strap = [d for d in days if "strap" in str(d.labels["device"])]
    watch = [d for d in days if d.labels["device"] == "multi-sensor watch"][: len(strap)]
    assert strap
    return {True: strap, False: watch}


def relative_change(days: list, key: str) -> float:
    """Change from minute to minute as a share of the spread over the day; 1.4 for white noise."""
    shares = []
    for day in days:
        values = day.channel(key)
        shares.append(np.nanstd(np.diff(values)) / np.nanstd(values))
    return float(np.median(shares))


@pytest.mark.parametrize("key", ["rmssd_percentile_0595", "hrv_shannon_entropy_rr", "hrv_percent_good"])
def test_a_straps_minutes_change_slowly(devices: dict[bool, list], key: str) -> None:
    assert relative_change(devices[True], key) < 0.7  # a mean of five white values: 0.63


def test_a_watchs_minutes_are_its_own(devices: dict[bool, list]) -> None:
    strap, watch = (relative_change(devices[kind], "hrv_shannon_entropy_rr") for kind in (True, False))
    assert watch > 1.3 * strap


def test_entropy_of_differences_is_that_of_the_readers(devices: dict[bool, list]) -> None:
    """Normal differences of an RMSSD, put through the reader, have the entropy that straps report for that RMSSD."""
    rng = np.random.default_rng(0)
    day = devices[True][0]
    rmssd, entropy = day.channel("rmssd_percentile_0595"), day.channel("hrv_shannon_entropy_rrd")
    for wanted in (15.0, 30.0, 50.0):
        rr = 850 + rng.normal(0, wanted / np.sqrt(2), 20_000)
        found = hrv_per_minute(np.cumsum(rr) / 1000, rr, 250)
        reader = np.nanmedian(found["entropy_rrd"])
        assert np.nanmedian(found["rmssd"]) == pytest.approx(wanted, rel=0.05)
        near = np.abs(rmssd - wanted) < 2
        if near.any():
            assert np.nanmedian(entropy[near]) == pytest.approx(reader, abs=0.25)
    assert np.isfinite(entropy).any()
