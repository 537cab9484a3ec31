"""Splits signals of any rate into minutes, with a minimum recorded fraction per minute."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...schema import SensorSchema

MIN_SHARE = 0.5
"""Minimum fraction of a minute's samples required to compute features."""

_MINUTES_AT_ONCE = 60


def check_rate(rate_hz: float) -> float:
    """Returns a sampling rate as a float.

    Raises:
        ValueError: If it is not a number above 0.
    """
    if isinstance(rate_hz, bool) or not np.isfinite(rate_hz) or rate_hz <= 0:
        raise ValueError(f"`rate_hz` must be a sampling rate above 0 Hz, got {rate_hz!r}.")
    return float(rate_hz)


def minute_count(samples: int, rate_hz: float, offset_s: float = 0.0) -> int:
    """Returns the number of minutes that a signal overlaps, counted from the start of minute 0.

    Args:
        samples: Length of the signal.
        rate_hz: Samples per second.
        offset_s: Time of the first sample, seconds from the start of minute 0.
    """
    return int((offset_s + (samples - 1) / rate_hz) // 60) + 1 if samples else 0


def minute_blocks(
    signal: np.ndarray, rate_hz: float, offset_s: float = 0.0, minutes_at_once: int = _MINUTES_AT_ONCE
) -> Iterator[tuple[int, np.ndarray]]:
    """Splits a signal into minutes, in blocks, so that a day of raw data needs little memory.

    Args:
        signal: `(samples,)` or `(samples, axes)`, evenly sampled; NaN where nothing was recorded.
        rate_hz: Samples per second; need not be an integer.
        offset_s: Time of the first sample, seconds from the start of minute 0; at least 0.
        minutes_at_once: Minutes per block.

    Yields:
        `(first minute, (minutes, samples of a minute[, axes]) float64)`; NaN where a minute has no sample.

    Raises:
        ValueError: If the rate or the offset is out of range.
    """
    rate = check_rate(rate_hz)
    if offset_s < 0:
        raise ValueError(f"`offset_s` must be at least 0 seconds after the start of minute 0, got {offset_s}.")
    signal = np.asarray(signal)
    total = minute_count(len(signal), rate, offset_s)
    # Sample i is at offset + i / rate; a minute's samples are contiguous, so their edges suffice.
    edges = np.ceil((np.arange(total + 1) * 60.0 - offset_s) * rate - 1e-6).astype(np.int64).clip(0, len(signal))
    width = int(np.ceil(rate * 60.0))
    for first in range(0, total, minutes_at_once):
        count = min(minutes_at_once, total - first)
        block = np.full((count, width, *signal.shape[1:]), np.nan)
        for row in range(count):
            low, high = edges[first + row], edges[first + row + 1]
            block[row, : high - low] = signal[low:high]
        yield first, block


def fill_channels(values: np.ndarray, schema: SensorSchema, features: dict[str, np.ndarray]) -> None:
    """Writes features to the matching columns of a day; channels that the schema lacks are skipped.

    Args:
        values: `(minutes, channels)`, written in place.
        schema: Schema of the columns.
        features: `{channel key: (minutes,)}`.
    """
    for key, feature in features.items():
        if key in schema:
            values[:, schema.index(key)] = feature
