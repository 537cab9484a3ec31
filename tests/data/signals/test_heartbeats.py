"""Heart-rate variability against hand-computed values and independent formulas."""

from __future__ import annotations

import numpy as np
import pytest

from sensorlm_hf import get_schema
from sensorlm_hf.data.signals.heartbeats import (
    CHANNEL_OF_FEATURE,
    FEATURES,
    fill_hrv,
    hrv_per_minute,
    successive_differences,
    valid_intervals,
)


def beats_of(rr_ms: np.ndarray) -> np.ndarray:
    return np.cumsum(rr_ms) / 1000.0


def test_alternating_intervals_have_known_features() -> None:
    rr = np.tile([800.0, 840.0], 400)  # 656 s
    features = hrv_per_minute(beats_of(rr), rr, 11)
    middle = {name: float(values[5]) for name, values in features.items()}
    assert middle["rmssd"] == pytest.approx(40.0)
    assert middle["pnn20"] == 1.0
    assert middle["sdnn"] == pytest.approx(20.0, rel=2e-3)
    assert middle["rr_p20"] == 800.0
    assert middle["rr_p80"] == 840.0
    assert middle["rr_median"] in (800.0, 820.0, 840.0)
    assert middle["percent_valid"] == pytest.approx(1.0, abs=0.005)
    assert middle["entropy_rr"] == pytest.approx(np.log(2), abs=1e-4)  # two equally populated bins
    assert middle["entropy_rrd"] == pytest.approx(np.log(2), abs=1e-4)
    assert features["percent_valid"][0] == pytest.approx(0.6, abs=0.005)  # only three of its five minutes exist


def test_constant_intervals_have_no_variability() -> None:
    rr = np.full(700, 1000.0)
    features = hrv_per_minute(beats_of(rr), rr, 10)
    for name in ("rmssd", "sdnn", "pnn20", "entropy_rr", "entropy_rrd"):
        assert features[name][4] == 0.0


def test_gaussian_intervals_match_independent_formulas() -> None:
    rng = np.random.default_rng(3)
    rr = rng.normal(800.0, 45.0, 2000)
    beats = beats_of(rr)
    features = hrv_per_minute(beats, rr, 20)
    for minute in (4, 10, 15):
        inside = (beats >= 60 * (minute - 2)) & (beats < 60 * (minute + 3))
        part = rr[inside]
        change = part[1:] - part[:-1]
        change = change[np.abs(change) <= 0.2 * part[:-1]]
        assert features["rmssd"][minute] == pytest.approx(np.sqrt(np.mean(change**2)), rel=1e-9)
        assert features["sdnn"][minute] == pytest.approx(np.std(part, ddof=1), rel=0.02)
        # Differential entropy of a Gaussian minus the log of the bin width.
        expected = np.log(45.0 * np.sqrt(2 * np.pi * np.e) / 7.8125)
        assert features["entropy_rr"][minute] == pytest.approx(expected, abs=0.15)


def test_artefacts_and_ectopic_beats_are_excluded() -> None:
    rr = np.tile([800.0, 840.0], 400)
    clean = hrv_per_minute(beats_of(rr), rr, 10)
    broken = rr.copy()
    broken[300], broken[301] = 450.0, 1190.0  # early beat, compensatory pause
    broken[320] = 1640.0  # missed beat
    broken[340] = 250.0
    broken[350] = np.nan
    valid = valid_intervals(broken)
    assert np.flatnonzero(~valid).tolist() == [300, 301, 320, 340, 350]
    features = hrv_per_minute(beats_of(np.nan_to_num(broken, nan=800.0)), broken, 10)
    assert features["rmssd"][4] == pytest.approx(clean["rmssd"][4])
    assert features["sdnn"][4] == pytest.approx(clean["sdnn"][4], rel=1e-2)
    assert features["percent_valid"][4] < clean["percent_valid"][4]


def test_neighbours_of_invalid_beat_stay_valid_and_short_input_works() -> None:
    rr = np.array([800.0] * 8 + [1500.0] + [800.0] * 8)
    assert np.flatnonzero(~valid_intervals(rr)).tolist() == [8]
    assert valid_intervals(np.array([])).tolist() == []
    assert valid_intervals(np.array([810.0])).tolist() == [True]
    assert valid_intervals(np.array([100.0, np.nan, 5000.0])).tolist() == [False, False, False]


def test_successive_differences_do_not_span_gaps() -> None:
    beats = np.array([0.8, 1.6, 11.6, 12.4])
    rr = np.array([800.0, 800.0, 820.0, 800.0])
    difference = successive_differences(beats, rr, np.ones(4, dtype=bool))
    np.testing.assert_array_equal(difference, [np.nan, 0.0, np.nan, -20.0])
    assert np.isnan(successive_differences(beats[:1], rr[:1], np.ones(1, dtype=bool))).all()


def test_minutes_with_too_few_or_no_beats_are_missing() -> None:
    rr = np.full(70, 800.0)  # 56 s
    features = hrv_per_minute(beats_of(rr), rr, 8)
    assert features["percent_valid"][1] == pytest.approx(56 / 300)
    assert np.isnan(features["rmssd"]).all()
    assert np.isnan(features["percent_valid"][3:]).all()
    empty = hrv_per_minute(np.empty(0), np.empty(0), 8)
    assert set(empty) == set(FEATURES)
    assert all(np.isnan(values).all() for values in empty.values())


def test_invalid_input_raises() -> None:
    with pytest.raises(ValueError, match="equal length"):
        hrv_per_minute(np.zeros(3), np.zeros(2), 5)
    with pytest.raises(ValueError, match="beat 2 comes before beat 1"):
        hrv_per_minute(np.array([1.0, 2.0, 1.5]), np.full(3, 800.0), 5)


@pytest.mark.parametrize(("name", "filled"), [("sensorlm-26", 8), ("sensorlm-34", 6)])
def test_features_fill_schema_channels(name: str, filled: int) -> None:
    schema = get_schema(name)
    values = np.full((3, len(schema)), np.nan)
    fill_hrv(values, schema, {feature: np.full(3, float(i)) for i, feature in enumerate(FEATURES)})
    assert int((~np.isnan(values)).all(axis=0).sum()) == filled
    key = next(key for key in CHANNEL_OF_FEATURE["sdnn"] if key in schema)
    assert values[0, schema.index(key)] == FEATURES.index("sdnn")
