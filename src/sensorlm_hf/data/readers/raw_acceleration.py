"""Raw acceleration of days or weeks as minute features, a few hours at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from ..signals import acceleration_features, axis_statistics, minutes_not_worn
from .device_days import Batch

CHUNK_SECONDS = 6 * 3600
"""Time of which features are computed at once; a walk over its end may lose a few steps."""

LONGEST_GAP_SECONDS = 1.0
"""Samples further apart are not connected: the device did not record between them."""

Samples = tuple[np.ndarray, np.ndarray]
"""Seconds since 1970 `(n,)`, ascending, and acceleration `(n, 3)` in g."""


def add_acceleration(batch: Batch, parts: Iterable[Samples], rate_hz: float, label: str = "") -> None:
    """Adds the minute features of a recording, without the time in which nobody wore the device.

    Samples are interpolated to even times, because devices keep their rate to about one percent.

    Args:
        batch: Takes the features.
        parts: Samples in order of time, in parts of any length.
        rate_hz: Nominal rate.
        label: Name of the file, for the note on minutes that were not worn.
    """
    found: list[tuple[dict[str, np.ndarray], int]] = []
    statistics: list[np.ndarray] = []
    for times, acc in _chunks(parts):
        first = int(times[0] // 60)
        # Not `arange` with a step, whose rounding at times of 1e9 s would add up.
        grid = times[0] + np.arange(int((times[-1] - times[0]) * rate_hz + 0.5) + 1) / rate_hz
        even = np.column_stack([np.interp(grid, times, axis) for axis in acc.T])
        even[_in_gaps(grid, times)] = np.nan
        offset = float(grid[0] - 60.0 * first)
        found.append((acceleration_features(even, rate_hz, offset), first))
        statistics.append(axis_statistics(even, rate_hz, offset))
    if not found:
        return
    begin = min(first for _, first in found)
    whole = np.full(
        (max(first + len(part) for (_, first), part in zip(found, statistics, strict=True)) - begin, 5, 3), np.nan
    )
    whole[:, 0] = 0.0
    for (_, first), part in zip(found, statistics, strict=True):
        whole[first - begin : first - begin + len(part)] = part
    not_worn = minutes_not_worn(whole)
    for (features, first), part in zip(found, statistics, strict=True):
        off = not_worn[first - begin : first - begin + len(part)]
        batch.features.append(({key: np.where(off, np.nan, values) for key, values in features.items()}, first))
    count = int((not_worn & (whole[:, 0, 0] > 0)).sum())
    batch.report.note(
        "not-worn", "dropped", "minutes in which the device lay still, so that nobody wore it", label, count
    )


def _chunks(parts: Iterable[Samples]) -> Iterator[Samples]:
    """Yields the samples of each [`CHUNK_SECONDS`] from 1970."""
    held: list[Samples] = []
    number = -1
    for times, acc in parts:
        numbers = (times // CHUNK_SECONDS).astype(np.int64)
        for current in np.unique(numbers):
            mine = numbers == current
            if held and current != number:
                yield _joined(held)
                held = []
            number = int(current)
            held.append((times[mine], acc[mine]))
    if held:
        yield _joined(held)


def _joined(held: list[Samples]) -> Samples:
    times = np.concatenate([times for times, _ in held])
    acc = np.concatenate([acc for _, acc in held])
    order = np.argsort(times, kind="stable")
    return times[order], acc[order]


def _in_gaps(grid: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Which times lie between two samples that are too far apart."""
    place = np.searchsorted(times, grid, side="right").clip(1, len(times) - 1) if len(times) > 1 else None
    if place is None:
        return np.zeros(len(grid), dtype=bool)
    before, after = times[place - 1], times[place]
    return (after - before > LONGEST_GAP_SECONDS) & (grid > before) & (grid < after)
