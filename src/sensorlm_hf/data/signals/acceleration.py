"""Per-minute features of a wrist accelerometer: amount, regularity and direction of movement.

The channels have the names of the accelerometer features in the public SensorLM release. Neither the formulas nor the
device codes are public, so the formulas are our own interpretation of each name, in physical units. The *ranking* of
minutes should agree with the device's, but the *scale* does not. Fit the normalisation to your own data
([`SensorLMFeatureExtractor.fit_normalization`]) before training on them.

Movement is the acceleration within a minute minus its mean on each axis, which removes gravity while the posture of the
wrist is constant. The first principal component is the projection of movement on the direction in which it varies most.
"""

from __future__ import annotations

import numpy as np
from scipy import signal as filters

from .blocks import MIN_SHARE, check_rate, minute_blocks, minute_count

NOISE_ENERGY_G2 = 1e-6
"""Energy below which movement is sensor noise, g^2: (1 mg)^2. Keeps logarithms finite on a table."""

SLEEP_EDGES_G = np.geomspace(0.01, 10.0, 15)
"""Edges of the 16 logarithmic bins of the sleep coefficient, g: from the resolution of a wrist sensor to its range."""

STEP_BAND_HZ = (0.5, 3.0)
"""Band of walking and running at the wrist."""

STEP_PROMINENCE_G = 0.1
"""Minimum peak height of the filtered magnitude at a step, g."""

STEP_INTERVAL_S = (0.25, 1.2)
"""Minimum and maximum time between two steps of one bout."""

MIN_BOUT_STEPS = 6
"""Minimum number of regular peaks in a row; fewer are gestures, not walking."""

FEATURES = (
    "steps",
    "jerk_auto",
    "log_energy",
    "covariance",
    "log_energy_ratio",
    "zero_crossing_std",
    "zero_crossing_avg",
    "axis_mean",
    "kurtosis",
    "sleep_coefficient",
)
"""Channels that [`acceleration_features`] fills."""


def acceleration_features(acc_g: np.ndarray, rate_hz: float, offset_s: float = 0.0) -> dict[str, np.ndarray]:
    """Computes features of a 3-axis accelerometer per minute.

    * `steps` (steps/min): peaks of the magnitude in the band of gait that follow one another regularly, see
      [`step_times`].
    * `log_energy` (ln g^2): logarithm of the mean squared length of movement.
    * `log_energy_ratio` (ln): logarithm of the share of that energy in the first principal component, `ln(1/3)` for
      movement in all directions to 0 for movement along one line.
    * `jerk_auto` (ratio, -1 to 1): lag-one autocorrelation of the jerk of the first principal component over its
      energy; slow movement is near 1, noise near -0.5.
    * `zero_crossing_avg`, `zero_crossing_std` (s): mean and standard deviation of the time between zero crossings of
      the first principal component.
    * `axis_mean` (g): mean of the three axes' means, which indicates posture.
    * `kurtosis` (ratio): fourth standardised moment of the magnitude, 3 for a normal distribution.
    * `covariance` (ln): logarithm of the condition number of the axes' covariance; noise is added to both eigenvalues.
    * `sleep_coefficient` (code 0 to 15): sum over the axes of maximum minus minimum, in 16 logarithmic bins.

    All are missing in minutes with less than half of the samples recorded; ratios are missing if the wrist does not
    move beyond the sensor's noise.

    Args:
        acc_g: `(samples, 3)` acceleration in g, evenly sampled; NaN where nothing was recorded.
        rate_hz: Samples per second; at least 8 for steps, which are missing below.
        offset_s: Time of the first sample, seconds from the start of minute 0.

    Returns:
        `{channel key: (minutes,) float64}` for every name in [`FEATURES`], NaN where missing.

    Raises:
        ValueError: If the shape or the rate is wrong.
    """
    acc = np.asarray(acc_g, dtype=np.float64)
    if acc.ndim != 2 or acc.shape[1] != 3:
        raise ValueError(f"`acc_g` must have shape (samples, 3) in g, got {acc.shape}.")
    rate = check_rate(rate_hz)
    minutes = minute_count(len(acc), rate, offset_s)
    result = {name: np.full(minutes, np.nan) for name in FEATURES}
    enough = np.zeros(minutes, dtype=bool)
    for first, block in minute_blocks(acc, rate, offset_s):
        part = slice(first, first + len(block))
        recorded = ~np.isnan(block).any(axis=2)
        enough[part] = recorded.sum(axis=1) >= MIN_SHARE * rate * 60.0
        rows = np.flatnonzero(enough[part])
        if len(rows):
            for name, feature in _describe(block[rows], recorded[rows], rate).items():
                result[name][first + rows] = feature
    if rate >= 8.0:
        beats = (step_times(acc, rate) + offset_s) // 60
        counts = np.bincount(beats.astype(np.int64), minlength=minutes)[:minutes]
        result["steps"] = np.where(enough, counts, np.nan)
    return result


def _describe(block: np.ndarray, recorded: np.ndarray, rate: float) -> dict[str, np.ndarray]:
    """Features of complete minutes, `(minutes, samples, 3)`; only `recorded` samples are used."""
    count = recorded.sum(axis=1)
    held = np.where(recorded[..., None], block, 0.0)
    mean = held.sum(axis=1) / count[:, None]
    movement = np.where(recorded[..., None], block - mean[:, None], 0.0)
    covariance = np.einsum("msi,msj->mij", movement, movement) / count[:, None, None]
    eigenvalues, vectors = np.linalg.eigh(covariance)  # ascending
    eigenvalues = np.maximum(eigenvalues, 0.0)
    energy = eigenvalues.sum(axis=1)
    component = np.einsum("msi,mi->ms", movement, vectors[:, :, 2])
    low = np.where(recorded[..., None], block, np.inf).min(axis=1)
    high = np.where(recorded[..., None], block, -np.inf).max(axis=1)
    moves = energy > NOISE_ENERGY_G2
    average, spread = _zero_crossings(component, recorded, rate)
    return {
        "log_energy": np.log(energy + NOISE_ENERGY_G2),
        "log_energy_ratio": np.log(_ratio(eigenvalues[:, 2], energy, moves)),
        "jerk_auto": _jerk_autocorrelation(component, recorded, moves),
        "zero_crossing_avg": np.where(moves, average, np.nan),
        "zero_crossing_std": np.where(moves, spread, np.nan),
        "axis_mean": mean.mean(axis=1),
        "kurtosis": _kurtosis(np.sqrt(np.square(held).sum(axis=2)), recorded, count),
        "covariance": np.log((eigenvalues[:, 2] + NOISE_ENERGY_G2) / (eigenvalues[:, 0] + NOISE_ENERGY_G2)),
        "sleep_coefficient": np.digitize((high - low).sum(axis=1), SLEEP_EDGES_G).astype(np.float64),
    }


def _ratio(above: np.ndarray, below: np.ndarray, where: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(len(above), np.nan), where=where)


def _jerk_autocorrelation(component: np.ndarray, recorded: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Lag-one autocorrelation of the first difference; the rate cancels."""
    known = recorded[:, 1:] & recorded[:, :-1]
    jerk = np.where(known, np.diff(component, axis=1), 0.0)
    energy = np.square(jerk).sum(axis=1)
    return _ratio((jerk[:, 1:] * jerk[:, :-1]).sum(axis=1), energy, moves & (energy > 0))


def _zero_crossings(component: np.ndarray, recorded: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the seconds between zero crossings, NaN with fewer than 2 and 3 crossings."""
    average, spread = np.full(len(component), np.nan), np.full(len(component), np.nan)
    for row, (values, known) in enumerate(zip(component, recorded, strict=True)):
        places = np.flatnonzero(known & (values != 0))  # an exact zero is on neither side
        if not len(places):
            continue
        sides = values[places] > 0
        crossings = places[1:][sides[1:] != sides[:-1]]
        if len(crossings) > 1:
            gaps = np.diff(crossings) / rate
            average[row] = gaps.mean()
            spread[row] = gaps.std() if len(gaps) > 1 else np.nan
    return average, spread


def _kurtosis(magnitude: np.ndarray, recorded: np.ndarray, count: np.ndarray) -> np.ndarray:
    centred = np.where(recorded, magnitude - (np.where(recorded, magnitude, 0).sum(axis=1) / count)[:, None], 0.0)
    square = np.square(centred)
    second = square.sum(axis=1) / count
    return _ratio(np.square(square).sum(axis=1) / count, np.square(second), second > NOISE_ENERGY_G2)


def step_times(acc_g: np.ndarray, rate_hz: float) -> np.ndarray:
    """Finds steps in a wrist accelerometer.

    The magnitude is filtered to the band of gait and searched for peaks, as in the windowed peak detection that
    Brajdic and Harle found among the best of the simple methods ("Walk detection and step counting on unconstrained
    smartphones", UbiComp 2013); a peak counts if it belongs to a run of at least six in regular succession, which
    keeps gestures out. This is an approximation: steps with a still arm are missed, and rhythmic hand movement may be
    counted.

    Args:
        acc_g: `(samples, 3)` acceleration in g; NaN where nothing was recorded.
        rate_hz: Samples per second, at least 8.

    Returns:
        `(steps,)` times of the steps, seconds from the first sample.

    Raises:
        ValueError: If the rate is below 8 Hz, which is too low to detect gait.
    """
    rate = check_rate(rate_hz)
    if rate < 8.0:
        raise ValueError(f"Steps need a rate of at least 8 Hz, got {rate:g} Hz.")
    magnitude = np.sqrt(np.square(np.asarray(acc_g, dtype=np.float64)).sum(axis=1))
    known = ~np.isnan(magnitude)
    if known.sum() < 3 * rate:
        return np.empty(0)
    magnitude = np.where(known, magnitude, np.median(magnitude[known]))
    band = filters.butter(2, STEP_BAND_HZ, "bandpass", fs=rate, output="sos")
    smooth = filters.sosfiltfilt(band, magnitude)
    least = max(int(STEP_INTERVAL_S[0] * rate), 1)
    peaks, _ = filters.find_peaks(smooth, prominence=STEP_PROMINENCE_G, distance=least)
    peaks = peaks[known[peaks]]
    if not len(peaks):
        return np.empty(0)
    bout = np.concatenate([[0], np.cumsum(np.diff(peaks) > STEP_INTERVAL_S[1] * rate)])
    return peaks[np.bincount(bout)[bout] >= MIN_BOUT_STEPS] / rate
