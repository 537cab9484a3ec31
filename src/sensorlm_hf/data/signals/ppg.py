"""Detects heartbeats in a photoplethysmogram (PPG, also called BVP)."""

from __future__ import annotations

import numpy as np

from ..._extras import requires_extra
from .blocks import check_rate

MIN_RATE_HZ = 16.0
"""Minimum sampling rate for timing pulses."""

MIN_PIECE_S = 10.0
"""Shorter segments between gaps are skipped: the detector needs a few beats to find its thresholds."""

MAX_PAUSE_S = 2.0
"""Maximum time between two pulses of one beat interval, seconds."""


def ppg_beats(ppg: np.ndarray, rate_hz: float, offset_s: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Finds heartbeats in a photoplethysmogram.

    The signal is filtered and searched for systolic peaks by NeuroKit2's `ppg_clean` and `ppg_findpeaks` (method of
    Elgendi et al., "Systolic peak detection in acceleration photoplethysmograms measured from emergency responders in
    tropical conditions", PLoS ONE 8:e76585, 2013). A parabola through each peak and its neighbours times it between
    samples: at 64 Hz a sample is 16 ms, which alone would add about 11 ms to RMSSD. Which intervals are normal beats is
    left to [`sensorlm_hf.data.signals.heartbeats`].

    Args:
        ppg: `(samples,)` in any unit, evenly sampled; NaN where nothing was recorded.
        rate_hz: Samples per second, at least 16.
        offset_s: Time of the first sample, seconds from the start of minute 0.

    Returns:
        `(n,)` times at which beat intervals end, seconds from the start of minute 0, and `(n,)` intervals in ms; the
        arguments of [`hrv_per_minute`].

    Raises:
        ValueError: If the shape or the rate is wrong.
        ImportError: If NeuroKit2 is not installed.
    """
    with requires_extra("signals", "Finding beats in a PPG", "use the device's own beat intervals"):
        import neurokit2
    values = np.asarray(ppg, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"`ppg` must be a vector of samples, got shape {values.shape}.")
    rate = check_rate(rate_hz)
    if rate < MIN_RATE_HZ:
        raise ValueError(f"Beats need a PPG of at least {MIN_RATE_HZ:g} Hz, got {rate:g} Hz.")
    times, intervals = [], []
    for low, high in _segments(values):
        if (high - low) < MIN_PIECE_S * rate or np.ptp(values[low:high]) == 0:
            continue
        clean = np.asarray(neurokit2.ppg_clean(values[low:high], sampling_rate=rate))
        found = neurokit2.ppg_findpeaks(clean, sampling_rate=rate)["PPG_Peaks"]
        peaks = _between_samples(clean, np.asarray(found, dtype=np.int64))
        seconds = offset_s + (low + peaks) / rate
        gaps = np.diff(seconds)
        good = gaps <= MAX_PAUSE_S
        times.append(seconds[1:][good])
        intervals.append(gaps[good] * 1000.0)
    if not times:
        return np.empty(0), np.empty(0)
    return np.concatenate(times), np.concatenate(intervals)


def _segments(values: np.ndarray) -> list[tuple[int, int]]:
    """Segments without a gap, as `(first, end)`."""
    known = np.concatenate([[False], ~np.isnan(values), [False]])
    edges = np.flatnonzero(known[1:] != known[:-1])
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _between_samples(signal: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """Moves each peak to the top of the parabola through it and its neighbours; by at most half a sample."""
    inner = peaks[(peaks > 0) & (peaks < len(signal) - 1)]
    before, at, after = signal[inner - 1], signal[inner], signal[inner + 1]
    bend = before - 2.0 * at + after
    shift = np.divide(0.5 * (before - after), bend, out=np.zeros(len(inner)), where=bend < 0)
    return inner + np.clip(shift, -0.5, 0.5)
