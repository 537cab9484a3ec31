"""Finds out from an accelerometer when nobody wore the device."""

from __future__ import annotations

import numpy as np

from .blocks import MIN_SHARE, check_rate, minute_blocks, minute_count

STILL_DEVIATION_G, STILL_RANGE_G = 0.013, 0.05
"""Standard deviation and range below which an axis is still: 13 mg and 50 mg."""

WINDOW_MINUTES, BLOCK_MINUTES = 60, 15
"""A block is judged by the window around it."""

STILL_AXES = 2
"""Axes that must be still."""


def axis_statistics(acc_g: np.ndarray, rate_hz: float, offset_s: float = 0.0) -> np.ndarray:
    """Summarizes each minute, so that recordings of weeks can be judged as a whole.

    Args:
        acc_g: `(samples, 3)` acceleration in g, evenly sampled; NaN where nothing was recorded.
        rate_hz: Samples per second.
        offset_s: Time of the first sample, seconds from the start of minute 0.

    Returns:
        `(minutes, 5, 3)`: for each axis the share of recorded samples, mean, mean square, minimum and maximum; NaN
        besides the share where nothing was recorded.

    Raises:
        ValueError: If the rate is not above 0.
    """
    rate = check_rate(rate_hz)
    result = np.full((minute_count(len(acc_g), rate, offset_s), 5, 3), np.nan)
    result[:, 0] = 0.0
    for first, block in minute_blocks(np.asarray(acc_g, dtype=np.float64), rate, offset_s):
        recorded = ~np.isnan(block).any(axis=2)
        count = recorded.sum(axis=1)
        rows = np.flatnonzero(count)
        part = result[first + rows]
        known, values = recorded[rows][..., None], block[rows]
        part[:, 0] = (count[rows] / (rate * 60.0))[:, None]
        part[:, 1] = np.where(known, values, 0).sum(axis=1) / count[rows][:, None]
        part[:, 2] = np.where(known, np.square(values), 0).sum(axis=1) / count[rows][:, None]
        part[:, 3] = np.where(known, values, np.inf).min(axis=1)
        part[:, 4] = np.where(known, values, -np.inf).max(axis=1)
        result[first + rows] = part
    return result


def minutes_not_worn(statistics: np.ndarray) -> np.ndarray:
    """Returns the minutes in which a device lay still for so long that nobody can have worn it.

    The rule of van Hees et al. ("Separating movement and gravity components in an acceleration signal", PLoS ONE 2013,
    after their work of 2011): a block of 15 minutes was not worn if, in the hour around it, at least two of the three
    axes have a standard deviation below 13 mg and a range below 50 mg. A very quiet sleeper may be mistaken for a
    table, and a device that is carried in a bag for a person.

    Args:
        statistics: Result of [`axis_statistics`], of successive minutes.

    Returns:
        `(minutes,)` bool. Blocks are undecided, and False, if less than half of their hour was recorded.
    """
    share, mean, square, low, high = np.moveaxis(np.asarray(statistics, dtype=np.float64), 1, 0)
    weights = share[:, 0]
    not_worn = np.zeros(len(weights), dtype=bool)
    before = (WINDOW_MINUTES - BLOCK_MINUTES) // 2
    for start in range(0, len(weights), BLOCK_MINUTES):
        window = slice(max(start - before, 0), min(start - before + WINDOW_MINUTES, len(weights)))
        kept = weights[window] > 0
        total = weights[window].sum()
        if total < MIN_SHARE * WINDOW_MINUTES:
            continue
        share_of = (weights[window][kept] / total)[:, None]
        average = (share_of * mean[window][kept]).sum(axis=0)
        variance = (share_of * square[window][kept]).sum(axis=0) - np.square(average)
        extent = high[window][kept].max(axis=0) - low[window][kept].min(axis=0)
        still = (np.sqrt(np.maximum(variance, 0.0)) < STILL_DEVIATION_G) & (extent < STILL_RANGE_G)
        not_worn[start : start + BLOCK_MINUTES] = still.sum() >= STILL_AXES
    return not_worn
