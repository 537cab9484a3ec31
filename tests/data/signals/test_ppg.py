"""Beat detection in photoplethysmograms, and heart-rate variability compared with NeuroKit2."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from sensorlm_hf.data.signals import beat_features, hrv_per_minute, ppg_beats

neurokit2 = pytest.importorskip("neurokit2")
RATE = 64.0


def pulses(rr_ms: np.ndarray, rate: float = RATE) -> np.ndarray:
    """A pulse wave whose systolic peaks are separated by the given intervals."""
    peaks = 1.0 + np.cumsum(np.concatenate([[0.0], rr_ms])) / 1000.0
    time = np.arange(int((peaks[-1] + 1.0) * rate)) / rate
    wave = sum(np.exp(-0.5 * np.square((time - peak) / 0.09)) for peak in peaks)
    wave += sum(0.3 * np.exp(-0.5 * np.square((time - peak - 0.28) / 0.1)) for peak in peaks)
    return wave + np.random.default_rng(0).normal(0, 0.002, len(time))


def intervals(count: int = 300, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 850 + 40 * np.sin(np.arange(count) / 3.0) + rng.normal(0, 15, count)


def test_beats_have_sub_sample_precision() -> None:
    rr = intervals()
    times, found = ppg_beats(pulses(rr), RATE, offset_s=30.0)
    assert len(found) == pytest.approx(len(rr), abs=2)
    assert times[0] == pytest.approx(30.0 + 1.0 + rr[0] / 1000.0, abs=0.05)
    matched = found[: len(rr)][5:-5]
    error = min(np.abs(matched - rr[5 + shift : 5 + shift + len(matched)]).mean() for shift in (0, 1))
    assert error < 4.0  # ms; a sample is 15.6 ms
    true = np.sqrt(np.mean(np.diff(rr[10:-10]) ** 2))
    assert np.sqrt(np.mean(np.diff(found[10:-10]) ** 2)) == pytest.approx(true, rel=0.05)


def test_intervals_do_not_span_gaps() -> None:
    wave = pulses(intervals())
    wave[int(60 * RATE) : int(75 * RATE)] = np.nan
    times, found = ppg_beats(wave, RATE)
    assert found.max() < 1200
    assert not ((times > 60) & (times < 75)).any()
    assert (times > 76).sum() > 150


def test_empty_or_flat_signal_has_no_beats() -> None:
    for wave in (np.full(2000, np.nan), np.zeros(2000), np.zeros(0), pulses(intervals(5))[:300]):
        assert [len(part) for part in ppg_beats(wave, RATE)] == [0, 0]
    with pytest.raises(ValueError, match="at least 16 Hz"):
        ppg_beats(np.zeros(100), 4.0)
    with pytest.raises(ValueError, match="vector of samples"):
        ppg_beats(np.zeros((100, 2)), RATE)


def test_variability_matches_neurokit() -> None:
    rr = intervals(360)
    times = np.cumsum(rr) / 1000.0
    features = hrv_per_minute(times, rr, 5)
    inside = times < 300.0  # the window of minute 2
    peaks = np.round(np.concatenate([[0.0], times[inside]]) * 10_000).astype(int)
    expected = neurokit2.hrv_time(peaks, sampling_rate=10_000)
    assert features["rmssd"][2] == pytest.approx(float(expected["HRV_RMSSD"].iloc[0]), rel=0.01)
    assert features["sdnn"][2] == pytest.approx(float(expected["HRV_SDNN"].iloc[0]), rel=0.01)
    assert features["rr_median"][2] == pytest.approx(float(expected["HRV_MedianNN"].iloc[0]), abs=0.2)
    assert features["rr_p20"][2] == pytest.approx(float(expected["HRV_Prc20NN"].iloc[0]), abs=0.2)
    assert features["rr_p80"][2] == pytest.approx(float(expected["HRV_Prc80NN"].iloc[0]), abs=0.2)


def test_heart_rate_uses_intervals_of_the_minute() -> None:
    rr = np.array([1000.0] * 60 + [500.0] * 120 + [5000.0])
    features = beat_features(np.cumsum(rr) / 1000.0 - 0.01, rr, 3)
    assert features["HR"][:2].tolist() == [60.0, 120.0]
    assert np.isnan(features["HR"][2])  # an artefact


def test_missing_neurokit_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "neurokit2", None)
    with pytest.raises(ImportError, match=r"sensorlm-hf\[signals\]"):
        ppg_beats(np.zeros(1000), RATE)
