"""Wear detection: the rule beside a direct computation on the samples."""

from __future__ import annotations

import numpy as np
import pytest

from sensorlm_hf.data.signals import axis_statistics, minutes_not_worn

RATE = 5


def recording(hours: float, deviation: float, seed: int = 0, axes: int = 3) -> np.ndarray:
    """Acceleration around gravity, of which the last `axes` move."""
    rng = np.random.default_rng(seed)
    acc = np.tile([0.3, -0.4, 0.85], (int(hours * 3600 * RATE), 1))
    acc[:, 3 - axes :] += rng.normal(0, deviation, (len(acc), axes))
    return acc


def oracle(acc: np.ndarray) -> np.ndarray:
    """Judges each block from the samples of its window."""
    minutes = -(-len(acc) // (60 * RATE))
    found = np.zeros(minutes, dtype=bool)
    for start in range(0, minutes, 15):
        low, high = max(start - 22, 0), min(start - 22 + 60, minutes)
        window = acc[low * 60 * RATE : high * 60 * RATE]
        window = window[~np.isnan(window).any(axis=1)]
        if len(window) < 30 * 60 * RATE:
            continue
        still = (window.std(axis=0) < 0.013) & (np.ptp(window, axis=0) < 0.05)
        found[start : start + 15] = still.sum() >= 2
    return found


def test_the_rule_equals_the_direct_computation() -> None:
    parts = [recording(1.5, 0.2, 1), recording(2.2, 0.004, 2), recording(0.3, 0.1, 3), recording(1.7, 0.0, 4)]
    acc = np.concatenate(parts)
    acc[7000:9000] = np.nan
    acc[30_000:41_000] = np.nan
    found = minutes_not_worn(axis_statistics(acc, RATE))
    assert found.any()
    assert not found.all()
    np.testing.assert_array_equal(found, oracle(acc))


@pytest.mark.parametrize(("deviation", "axes", "not_worn"), [(0.004, 3, True), (0.3, 1, True), (0.3, 2, False)])
def test_two_axes_must_be_still(deviation: float, axes: int, not_worn: bool) -> None:
    found = minutes_not_worn(axis_statistics(recording(2, deviation, axes=axes), RATE))
    assert (found == not_worn).all()


def test_short_recordings_are_undecided() -> None:
    assert not minutes_not_worn(axis_statistics(recording(0.45, 0.0), RATE)).any()


def test_statistics_join_over_chunks() -> None:
    acc = recording(1, 0.05)
    parts = [axis_statistics(acc[start : start + 20 * 60 * RATE], RATE) for start in range(0, len(acc), 20 * 60 * RATE)]
    np.testing.assert_allclose(np.concatenate(parts), axis_statistics(acc, RATE), rtol=1e-12)
