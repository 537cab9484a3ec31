"""Accelerometer features against independent formulas: pandas, SciPy and plain loops."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sensorlm_hf.data.signals import acceleration_features, step_times
from sensorlm_hf.data.signals.acceleration import FEATURES, NOISE_ENERGY_G2

RATE = 32.0


def wrist(minutes: int = 3, seed: int = 0) -> np.ndarray:
    """Acceleration of a moving wrist in g: coloured noise biased towards one axis, plus gravity."""
    rng = np.random.default_rng(seed)
    smooth = np.cumsum(rng.normal(size=(int(minutes * 60 * RATE), 3)), axis=0)
    smooth -= pd.DataFrame(smooth).rolling(64, min_periods=1, center=True).mean().to_numpy()
    return smooth * [0.05, 0.02, 0.01] + [0.1, -0.3, 0.9]


def slow_features(minute: np.ndarray) -> dict[str, float]:
    """Features of one minute, computed directly from their documented definitions."""
    movement = minute - minute.mean(axis=0)
    eigenvalues, vectors = np.linalg.eigh(np.cov(minute, rowvar=False, bias=True))
    component = pd.Series(movement @ vectors[:, -1])
    jerk = component.diff().dropna()
    sides = np.sign(component)
    crossings = [i for i in range(1, len(sides)) if sides[i] != sides[i - 1]]
    gaps = np.diff(crossings) / RATE
    ranges = sum(minute[:, axis].max() - minute[:, axis].min() for axis in range(3))
    edges = [0.01 * 1000 ** (i / 14) for i in range(15)]
    return {
        "log_energy": float(np.log(np.mean(np.sum(movement**2, axis=1)) + NOISE_ENERGY_G2)),
        "log_energy_ratio": float(np.log(component.pow(2).sum() / np.sum(movement**2))),
        "jerk_auto": float((jerk * jerk.shift(-1)).sum() / (jerk**2).sum()),
        "zero_crossing_avg": float(np.mean(gaps)),
        "zero_crossing_std": float(np.std(gaps)),
        "axis_mean": float(np.mean([minute[:, axis].mean() for axis in range(3)])),
        "kurtosis": float(stats.kurtosis(np.linalg.norm(minute, axis=1), fisher=False)),
        "covariance": float(np.log((eigenvalues[2] + NOISE_ENERGY_G2) / (eigenvalues[0] + NOISE_ENERGY_G2))),
        "sleep_coefficient": float(sum(ranges >= edge for edge in edges)),
    }


def test_features_match_independent_formulas() -> None:
    acc = wrist()
    features = acceleration_features(acc, RATE)
    assert set(features) == set(FEATURES)
    for minute in range(3):
        expected = slow_features(acc[int(minute * 60 * RATE) : int((minute + 1) * 60 * RATE)])
        for name, value in expected.items():
            assert features[name][minute] == pytest.approx(value, rel=1e-9), name


def test_minutes_are_aligned_for_any_rate_and_offset() -> None:
    acc = wrist(minutes=4)
    shifted = acceleration_features(acc, RATE, offset_s=45.0)
    assert len(shifted["log_energy"]) == 5
    assert np.isnan(shifted["log_energy"][0])  # a quarter of a minute
    second = acc[int(15 * RATE) : int(75 * RATE)]
    assert shifted["log_energy"][1] == pytest.approx(slow_features(second)["log_energy"])
    odd = acceleration_features(acc, 31.7)  # 1902 samples per minute, 7680 samples in total
    assert np.flatnonzero(~np.isnan(odd["log_energy"])).tolist() == [0, 1, 2, 3]


def test_gaps_are_excluded_and_half_empty_minutes_are_missing() -> None:
    acc = wrist()
    acc[100:900, 1] = np.nan
    acc[int(70 * RATE) : int(115 * RATE)] = np.nan
    features = acceleration_features(acc, RATE)
    first = np.delete(acc[: int(60 * RATE)], np.s_[100:900], axis=0)
    for name in ("log_energy", "log_energy_ratio", "axis_mean", "kurtosis", "covariance", "sleep_coefficient"):
        assert features[name][0] == pytest.approx(slow_features(first)[name], rel=1e-9), name
        assert np.isnan(features[name][1]), name
    assert np.isnan(features["steps"]).tolist() == [False, True, False]


def test_stationary_wrist_is_observed_without_ratios() -> None:
    acc = np.tile([0.0, 0.0, 1.0], (int(60 * RATE), 1))
    features = {name: float(value[0]) for name, value in acceleration_features(acc, RATE).items()}
    assert features["log_energy"] == pytest.approx(np.log(NOISE_ENERGY_G2))
    assert features["sleep_coefficient"] == features["steps"] == features["covariance"] == 0.0
    for name in ("log_energy_ratio", "jerk_auto", "zero_crossing_avg", "zero_crossing_std", "kurtosis"):
        assert np.isnan(features[name]), name


def gait(seconds: float, hz: float, amplitude: float = 0.4) -> np.ndarray:
    time = np.arange(int(seconds * RATE)) / RATE
    noise = np.random.default_rng(1).normal(0, 0.02, (len(time), 3))
    return (
        noise
        + np.stack([amplitude * np.sin(2 * np.pi * hz * time), 0 * time, 1 + 0 * time], axis=1) * [0, 1, 1]
        + (np.stack([0 * time, 0 * time, amplitude * np.sin(2 * np.pi * hz * time)], axis=1))
    )


@pytest.mark.parametrize("hz", [1.6, 2.4])
def test_step_count_of_walking_and_running(hz: float) -> None:
    assert len(step_times(gait(60, hz), RATE)) == pytest.approx(60 * hz, abs=2)
    steps = acceleration_features(gait(120, hz), RATE)["steps"]
    assert steps.tolist() == pytest.approx([60 * hz] * 2, abs=2)


def test_stillness_and_single_gestures_are_not_steps() -> None:
    still = gait(60, 1.8, amplitude=0.0)
    assert len(step_times(still, RATE)) == 0
    gesture = still.copy()
    for second in (10, 30, 50):
        gesture[int(second * RATE) : int((second + 0.3) * RATE), 2] += 1.0
    assert len(step_times(gesture, RATE)) == 0
    assert len(step_times(np.full((1000, 3), np.nan), RATE)) == 0


def test_invalid_input_raises() -> None:
    with pytest.raises(ValueError, match=r"shape \(samples, 3\)"):
        acceleration_features(np.zeros(10), RATE)
    with pytest.raises(ValueError, match="above 0 Hz"):
        acceleration_features(np.zeros((10, 3)), 0)
    with pytest.raises(ValueError, match="at least 8 Hz"):
        step_times(np.zeros((10, 3)), 4)
    assert np.isnan(acceleration_features(wrist()[::8], 4.0)["steps"]).all()
