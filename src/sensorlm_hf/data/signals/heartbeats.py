"""Heart-rate variability per minute from beat-to-beat (RR) intervals.

The features of a minute are computed over the five minutes around it. This is the length that the Task Force of the
European Society of Cardiology and the North American Society of Pacing and Electrophysiology sets for short-term
recordings ("Heart rate variability: standards of measurement, physiological interpretation, and clinical use",
Circulation 93:1043-1065, 1996; "Task Force" below).
The window is centred: minute `m` uses the beats of minutes `m - 2` to `m + 2`.

Selection of beats:

* An interval is *valid* if it is between 0.3 and 2 s (200 to 30 beats per minute) and differs by at most 20 % from the
  median of up to 11 intervals around it; larger differences are ectopic or missed beats (the 20 % rule goes back to
  Malik et al., "Heart rate variability in relation to prognosis after myocardial infarction", Eur Heart J
  10:1060-1074, 1989). The median, unlike the previous interval, keeps a wrong beat from invalidating the next.
* A successive difference is used if both intervals are valid, there is no gap between the beats, and the second
  interval differs from the first by at most 20 %.

A minute is missing if valid intervals cover less than 60 s of the five minutes; RMSSD and the entropies of RR are known
to be stable from about one minute (Shaffer and Ginsberg, "An overview of heart rate variability
metrics and norms", Front Public Health 5:258, 2017).

The reference's own definitions are not public. The names of two of its channels (`..._0595`) suggest that it trims RR
intervals to their 5th to 95th percentile, which is not done here. The bin width of the entropies is our choice: a
Gaussian with the reference's mean SDNN is within 0.15 nat of the reference's mean entropy.
"""

from __future__ import annotations

import numpy as np

from ...schema import SensorSchema

RR_RANGE_MS = (300.0, 2000.0)
"""Range of plausible intervals, ms; others are artefacts."""

MAX_CHANGE = 0.20
"""Maximum relative change of a normal beat from the preceding interval and from the local median."""

WINDOW_MINUTES = 5
"""Length of the window around each minute."""

MIN_COVERED_S = 60.0
"""Minimum time covered by valid intervals in the window, seconds."""

MAX_GAP_S = 2.5
"""Maximum pause before a beat, in addition to its own interval, for it to follow the previous beat, seconds. Tolerates
timestamps in whole seconds and late timestamps."""

ENTROPY_BIN_MS = 1000.0 / 128.0
"""Bin width of the RR histogram, the Task Force's 7.8125 ms (1/128 s)."""

FEATURES = ("percent_valid", "rr_p80", "rr_p20", "rr_median", "rmssd", "sdnn", "entropy_rr", "entropy_rrd", "pnn20")
"""Names of the features of [`hrv_per_minute`]."""

CHANNEL_OF_FEATURE = {
    "percent_valid": ("hrv_percent_good", "percent_good"),
    "rr_p80": ("hrv_rr_80th_percentile_mean",),
    "rr_p20": ("hrv_rr_20th_percentile_mean",),
    "rr_median": ("hrv_rr_median", "rr_med"),
    "rmssd": ("rmssd_percentile_0595", "rmssd0595"),
    "sdnn": ("sdnn_percentile_0595", "sdnn0595"),
    "entropy_rr": ("hrv_shannon_entropy_rr", "ShEnRR"),
    "entropy_rrd": ("hrv_shannon_entropy_rrd",),
    "pnn20": ("pnn20",),
}
"""Channels of the shipped schemas that hold each feature; a user's schema gets those whose key it has."""


def valid_intervals(rr_ms: np.ndarray) -> np.ndarray:
    """Returns which beat intervals are normal rather than artefacts, `(n,)` bool.

    Args:
        rr_ms: `(n,)` RR intervals in ms, in chronological order; NaN is never valid.
    """
    rr = np.asarray(rr_ms, dtype=np.float64)
    possible = (rr >= RR_RANGE_MS[0]) & (rr <= RR_RANGE_MS[1])
    index = np.flatnonzero(possible)
    if not len(index):
        return possible
    inside = rr[index]
    padded = np.pad(inside, 5, constant_values=np.nan)
    median = np.nanmedian(np.lib.stride_tricks.sliding_window_view(padded, 11), axis=1)
    possible[index] = np.abs(inside - median) <= MAX_CHANGE * median
    return possible


def successive_differences(beat_s: np.ndarray, rr_ms: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Returns each interval's difference from the previous one, `(n,)` float64 in ms; NaN where it is not used.

    Args:
        beat_s: `(n,)` times at which the intervals end, in seconds.
        rr_ms: `(n,)` RR intervals in ms.
        valid: `(n,)` bool from [`valid_intervals`].
    """
    difference = np.full(len(rr_ms), np.nan)
    if len(rr_ms) < 2:
        return difference
    change = np.diff(rr_ms)
    follows = np.diff(beat_s) - rr_ms[1:] / 1000.0 <= MAX_GAP_S
    counts = valid[1:] & valid[:-1] & follows & (np.abs(change) <= MAX_CHANGE * rr_ms[:-1])
    difference[1:][counts] = change[counts]
    return difference


def _entropy(values: np.ndarray) -> float:
    """Shannon entropy of a histogram with the Task Force's bin width, in nats."""
    bins = np.floor(values / ENTROPY_BIN_MS).astype(np.int64)
    counts = np.bincount(bins - bins.min())
    shares = counts[counts > 0] / len(values)
    return float(-(shares * np.log(shares)).sum())


def hrv_per_minute(beat_s: np.ndarray, rr_ms: np.ndarray, minutes: int) -> dict[str, np.ndarray]:
    """Computes features per minute from the beats of the five minutes centred on it.

    * `percent_valid`: fraction of the five minutes covered by valid intervals, 0 to 1; low at the edges of a recording,
      where less was recorded. Missing if the five minutes contain no beat.
    * `rr_median`, `rr_p20`, `rr_p80`: median, 20th and 80th percentile of the valid intervals, ms.
    * `sdnn`: standard deviation of the valid intervals, `n - 1` in the denominator (Task Force), ms.
    * `rmssd`: root of the mean squared successive difference (Task Force), ms.
    * `pnn20`: fraction of successive differences whose absolute value is above 20 ms, 0 to 1.
    * `entropy_rr`, `entropy_rrd`: Shannon entropy of the histograms of the intervals and of their successive
      differences, bins of 1/128 s, nats.

    Args:
        beat_s: `(n,)` times at which the intervals end, seconds from the start of minute 0, not decreasing; beats
            outside the requested minutes are used for the windows at the edges.
        rr_ms: `(n,)` RR intervals in ms.
        minutes: Number of minutes.

    Returns:
        `{feature: (minutes,) float64}` for every name in [`FEATURES`], NaN where missing.

    Raises:
        ValueError: If the arrays differ in length or times decrease.
    """
    beats, rr = np.asarray(beat_s, dtype=np.float64), np.asarray(rr_ms, dtype=np.float64)
    if beats.shape != rr.shape or beats.ndim != 1:
        raise ValueError(f"`beat_s` and `rr_ms` must be vectors of equal length, got shapes {beats.shape}, {rr.shape}.")
    if np.any(np.diff(beats) < 0):
        place = int(np.argmax(np.diff(beats) < 0)) + 1
        raise ValueError(f"`beat_s` must not decrease, but beat {place} comes before beat {place - 1}; sort by time.")
    result = {name: np.full(minutes, np.nan) for name in FEATURES}
    valid = valid_intervals(rr)
    difference = successive_differences(beats, rr, valid)
    half = WINDOW_MINUTES // 2
    starts = (np.arange(minutes) - half) * 60.0
    first = np.searchsorted(beats, starts, side="left")
    last = np.searchsorted(beats, starts + WINDOW_MINUTES * 60.0, side="left")
    for minute in np.flatnonzero(last > first):
        window = slice(first[minute], last[minute])
        inside = rr[window][valid[window]]
        covered = inside.sum() / 1000.0
        result["percent_valid"][minute] = min(covered / (WINDOW_MINUTES * 60.0), 1.0)
        if covered < MIN_COVERED_S:
            continue
        quantiles = np.percentile(inside, (20, 50, 80))
        result["rr_p20"][minute], result["rr_median"][minute], result["rr_p80"][minute] = quantiles
        result["sdnn"][minute] = inside.std(ddof=1)
        result["entropy_rr"][minute] = _entropy(inside)
        steps = difference[window]
        # The first difference involves a beat before the window, so it belongs to the previous window.
        steps = steps[1:][~np.isnan(steps[1:])]
        if len(steps) >= len(inside) // 2 and len(steps) > 1:
            result["rmssd"][minute] = np.sqrt(np.mean(np.square(steps)))
            result["pnn20"][minute] = np.mean(np.abs(steps) > 20.0)
            result["entropy_rrd"][minute] = _entropy(steps)
    return result


def fill_hrv(values: np.ndarray, schema: SensorSchema, features: dict[str, np.ndarray]) -> None:
    """Writes features to the matching columns of a day; channels that the schema lacks are skipped.

    Args:
        values: `(minutes, channels)`, written in place.
        schema: Schema of the columns.
        features: From [`hrv_per_minute`].
    """
    for name, feature in features.items():
        for key in CHANNEL_OF_FEATURE[name]:
            if key in schema:
                values[:, schema.index(key)] = feature


def beat_features(beat_s: np.ndarray, rr_ms: np.ndarray, minutes: int) -> dict[str, np.ndarray]:
    """Returns all channels derived from beats: those of [`hrv_per_minute`], and heart rate.

    `HR` (bpm) is 60 s over the mean of the intervals of 0.3 to 2 s that end in the minute.

    Args:
        beat_s: `(n,)` times at which the intervals end, seconds from the start of minute 0, not decreasing.
        rr_ms: `(n,)` RR intervals in ms.
        minutes: Number of minutes.

    Returns:
        `{channel key: (minutes,) float64}` for the channels of the shipped schemas, NaN where missing.
    """
    features = hrv_per_minute(beat_s, rr_ms, minutes)
    channels = {key: features[name] for name, keys in CHANNEL_OF_FEATURE.items() for key in keys}
    rr, place = np.asarray(rr_ms, dtype=np.float64), np.asarray(beat_s, dtype=np.float64) // 60
    counts = (rr >= RR_RANGE_MS[0]) & (rr <= RR_RANGE_MS[1]) & (place >= 0) & (place < minutes)
    where = place[counts].astype(np.int64)
    total, count = np.bincount(where, rr[counts], minlength=minutes), np.bincount(where, minlength=minutes)
    channels["HR"] = np.divide(60_000.0 * count, total, out=np.full(minutes, np.nan), where=count > 0)
    return channels
