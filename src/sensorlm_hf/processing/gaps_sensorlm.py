"""Fills gaps in normalised signals.

This file travels to the Hub with the feature extractor: it imports numpy alone.
"""

from __future__ import annotations

import numpy as np


def fill_gaps(values: np.ndarray, observed: np.ndarray, max_gap: int | None = None) -> None:
    """Fills unobserved values in place: linearly in time, at the edges with the nearest value, else with 0.

    Works on runs of missing minutes, over all days and channels at once.

    Args:
        values: `(days, minutes, channels)` float32, C-contiguous; what lies under unobserved places is overwritten.
        observed: The same shape, bool.
        max_gap: Longest run, in minutes, that is filled from its neighbours; longer runs become 0. None: any.
    """
    days, minutes, width = values.shape
    missing = np.zeros((days, width, minutes + 2), dtype=bool)
    np.logical_not(observed.transpose(0, 2, 1), out=missing[:, :, 1:-1])
    edges = np.flatnonzero(missing[:, :, 1:] != missing[:, :, :-1])
    series, minute = np.divmod(edges, minutes + 1)
    series, start, end = series[0::2], minute[0::2], minute[1::2]  # edges alternate: a run starts, a run ends
    if not start.size:
        return
    base = (series // width) * (minutes * width) + series % width  # flat position of minute 0 of the series
    flat = values.reshape(-1)
    left = flat[base + np.maximum(start - 1, 0) * width]
    right = flat[base + np.minimum(end, minutes - 1) * width]
    left, right = np.where(start > 0, left, right), np.where(end < minutes, right, left)
    length = end - start
    unknown = length == minutes
    if max_gap is not None:
        unknown |= length > max_gap
    left[unknown] = right[unknown] = 0
    slope = (right - left) / (length + 1).astype(np.float32)
    run = np.repeat(np.arange(len(length), dtype=np.int32), length)
    position = np.arange(run.size) - np.repeat(np.cumsum(length) - length, length)
    flat[(base + start * width)[run] + position * width] = left[run] + slope[run] * (position + 1).astype(np.float32)
