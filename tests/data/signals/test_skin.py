"""Slow signals compared with pandas and NumPy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sensorlm_hf.data.signals import (
    altitude_features,
    conductance_features,
    level_and_slope,
    pressure_to_altitude,
    temperature_features,
)


def slow(seed: int = 0, minutes: int = 5, rate: float = 4.0) -> np.ndarray:
    return 3.0 + 0.1 * np.cumsum(np.random.default_rng(seed).normal(0, 0.1, int(minutes * 60 * rate)))


def test_level_and_slope_match_pandas_and_polyfit() -> None:
    signal = slow()
    series = pd.Series(signal, pd.date_range("2024-03-01", periods=len(signal), freq="250ms"))
    level, slope = level_and_slope(signal, 4.0)
    np.testing.assert_allclose(level, series.resample("1min").mean())
    expected = [np.polyfit(np.arange(240) / 240, part, 1)[0] for part in signal.reshape(5, 240)]
    np.testing.assert_allclose(slope, expected, atol=1e-12)


def test_slope_is_unaffected_by_gaps() -> None:
    time = np.arange(480) / 240.0
    signal = 30.0 + 0.5 * time
    signal[50:150] = np.nan
    signal[250:450] = np.nan
    level, slope = level_and_slope(signal, 4.0)
    assert slope[0] == pytest.approx(0.5)
    assert level[0] == pytest.approx(np.nanmean(signal[:240]))
    assert np.isnan(level[1])
    assert np.isnan(slope[1])


def test_conductance_is_missing_without_skin_contact() -> None:
    signal = slow()
    signal[240:300] = 0.0  # a quarter of minute 1
    signal[480:720] = 0.004
    features = conductance_features(signal, 4.0)
    assert features["leads_contact_counts"].tolist() == [240, 180, 0, 240, 240]
    assert features["eda_level_real"][1] == pytest.approx(signal[300:480].mean())
    assert np.flatnonzero(np.isnan(features["eda_level_real"])).tolist() == [2]
    assert set(conductance_features(signal, 4.0)) == {
        "eda_level_real",
        "ceda_slope_real_micro_siemens",
        "leads_contact_counts",
    }


def test_low_sampling_rates_have_no_slope() -> None:
    features = temperature_features(np.array([30.0, 31.0, np.nan]), 1 / 60)
    assert features["wrist_temperatures"][:2].tolist() == [30.0, 31.0]
    assert np.isnan(features["skin_temperature_slope"]).all()


def test_altitude_std_per_minute() -> None:
    altitude = 100 + np.cumsum(np.random.default_rng(2).normal(0, 0.05, 180))
    altitude[70:110] = np.nan  # two thirds of minute 1
    spread = altitude_features(altitude, 1.0)["altim_std"]
    assert spread[0] == pytest.approx(np.std(altitude[:60]))
    assert np.isnan(spread[1])
    assert spread[2] == pytest.approx(np.std(altitude[120:]))


def test_pressure_to_altitude_matches_standard_atmosphere() -> None:
    # ISO 2533: 1013.25 hPa at 0 m, 954.61 hPa at 500 m, 898.76 hPa at 1000 m.
    np.testing.assert_allclose(pressure_to_altitude(np.array([1013.25, 954.61, 898.76])), [0, 500, 1000], atol=0.5)


def test_invalid_shapes_raise() -> None:
    with pytest.raises(ValueError, match="vector of samples"):
        level_and_slope(np.zeros((3, 2)), 4.0)
    with pytest.raises(ValueError, match="at least 0 seconds"):
        level_and_slope(np.zeros(3), 4.0, offset_s=-1)
