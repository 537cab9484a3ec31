"""Computes the facts of sensor days: statistics, trends, anomalies and missing spans.

This module is language-independent; `templates` and `builder` turn facts into text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...schema import SensorSchema
from .structure import (
    ANOMALY_TYPES,
    POOL_MINUTES,
    TREND_TYPES,
    Anomalies,
    Trends,
    find_anomalies,
    find_trends,
)

BLOCK_DAYS = 32
"""Days held in memory at a time; a day of float64 is about 0.3 MB."""

MAX_GAP_MINUTES = POOL_MINUTES // 2
"""Maximum gap inside a pooled point, in minutes."""

_SAMPLE = 60  # stride of the minutes checked first to find the observed channels


@dataclass(frozen=True)
class FactTable:
    """Facts of a block of days, as columns.

    A row is one channel of one day: channel `columns[d][j]` of day `d` is row `offsets[d] + j`.

    Attributes:
        offsets: First row of each day.
        observed: `(rows,)` fraction of observed minutes, before any interpolation.
        statistics: `(rows, 4)`: mean, max, min and population standard deviation over observed minutes; NaN where
            nothing was observed. None if not requested.
        trends: Trends by row; None if not requested.
        anomalies: Anomalies by row; None if not requested.
        gaps: Spans `(start, end)` per day in which no channel was observed; None if not requested.
    """

    offsets: list[int]
    observed: np.ndarray
    statistics: np.ndarray | None = None
    trends: Trends | None = None
    anomalies: Anomalies | None = None
    gaps: list[list[tuple[int, int]]] | None = None


def fact_table(
    days: Sequence[np.ndarray],
    schema: SensorSchema,
    columns: Sequence[Sequence[int]] | None = None,
    *,
    imputed: bool = False,
    statistics: bool = True,
    structure: bool = True,
) -> FactTable:
    """Computes the facts of a block of days.

    Args:
        days: Arrays of shape `(minutes, channels)`, physical units, NaN for missing; all with the same number of pooled
            points. Not modified.
        schema: Schema of the days.
        columns: Channels to use, per day; all if None.
        imputed: Whether to interpolate gaps first (see [`fill_gaps`]), as the SensorLM release does. Otherwise only
            observed values count.
        statistics: Whether to compute mean, max, min and std.
        structure: Whether to compute trends, anomalies and gaps.

    Returns:
        The facts as columns.
    """
    everything = range(len(schema))
    offsets, observed, numbers, points, gaps = [0], [], [], [], []
    for i, day in enumerate(days):
        wanted = everything if columns is None else columns[i]
        x = np.ascontiguousarray(day.T) if columns is None else day.T[list(wanted)]
        missing = x != x
        complete = not missing.any()
        n_missing = np.zeros(len(x), dtype=np.intp) if complete else np.count_nonzero(missing, axis=1)
        observed.append(1 - n_missing / x.shape[1])
        if structure:
            gaps.append([] if complete and len(x) else _gaps(day, missing))
        if imputed and not complete:
            x = fill_gaps(x, missing, [schema.channels[c].mean for c in wanted])
            missing, complete, n_missing = np.zeros_like(missing), True, np.zeros_like(n_missing)
        if statistics:
            numbers.append(_statistics(x, missing, complete, x.shape[1] - n_missing))
        if structure:
            points.append(_pool(x, missing, complete))
        offsets.append(offsets[-1] + len(x))
    trends, anomalies = None, None
    if structure:
        stacked = np.concatenate(points) if points else np.zeros((0, 0))
        trends, anomalies = find_trends(stacked), find_anomalies(stacked)
    return FactTable(
        offsets,
        np.concatenate(observed) if observed else np.zeros(0),
        (np.concatenate(numbers) if numbers else np.zeros((0, 4))) if statistics else None,
        trends,
        anomalies,
        gaps if structure else None,
    )


def _statistics(x: np.ndarray, missing: np.ndarray, complete: bool, count: np.ndarray) -> np.ndarray:
    """Mean, max, min and std of each row of `(channels, minutes)` with `count` observed minutes, as `(channels, 4)`."""
    first = x[:, 0] if complete else x[np.arange(len(x)), missing.argmin(axis=1)]
    result = np.empty((len(x), 4))
    np.fmax.reduce(x, axis=1, out=result[:, 1])
    np.fmin.reduce(x, axis=1, out=result[:, 2])
    # Sums of differences from one of the values take a single pass, are exactly 0 for constant channels and lose hardly
    # any digits, since the distance of a value from the mean is at most sqrt(n) standard deviations.
    difference = x.astype(np.float64)  # converted first: numpy is slow for differences of mixed types
    difference -= first.astype(np.float64)[:, None]
    if not complete:
        np.copyto(difference, 0.0, where=missing)
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN: nothing observed
        mean = np.add.reduce(difference, axis=1) / count
        difference *= difference
        square = np.add.reduce(difference, axis=1) / count
    result[:, 0] = first + mean
    result[:, 3] = np.sqrt(np.maximum(square - mean * mean, 0.0))
    return result


def _pool(x: np.ndarray, missing: np.ndarray, complete: bool) -> np.ndarray:
    """Returns the means of observed minutes per segment, `(channels, segments)`; NaN where too little was observed.

    A segment has no value if none of its minutes was observed, or if a single gap covers more than half of it, so every
    gap longer than a segment separates the values before and after it. Channels that are only measured every few
    minutes have no such gaps.
    """
    x = x.astype(np.float64)
    partial = -x.shape[1] % POOL_MINUTES
    shape = (len(x), (x.shape[1] + partial) // POOL_MINUTES, POOL_MINUTES)
    if complete and not partial:
        return x.reshape(shape).sum(axis=2) / POOL_MINUTES
    np.copyto(x, 0.0, where=missing)
    gaps = missing
    if partial:
        x = np.pad(x, ((0, 0), (0, partial)))
        gaps = np.pad(missing, ((0, 0), (0, partial)))
        missing = np.pad(missing, ((0, 0), (0, partial)), constant_values=True)
    sums = x.reshape(shape).sum(axis=2)
    n_missing = missing.view(np.uint8).reshape(shape).sum(axis=2, dtype=np.uint8)
    with np.errstate(invalid="ignore"):
        points = sums / (POOL_MINUTES - n_missing.astype(np.float64))
    if not complete:
        points[_in_long_gap(gaps).reshape(shape)[:, :, : POOL_MINUTES - MAX_GAP_MINUTES].any(axis=2)] = np.nan
    return points


def _in_long_gap(missing: np.ndarray) -> np.ndarray:
    """Returns whether each minute and the [`MAX_GAP_MINUTES`] after it are missing; flat, over all channels."""
    run, length = missing.ravel(), 1
    while length <= MAX_GAP_MINUTES:
        step = min(length, MAX_GAP_MINUTES + 1 - length)
        longer = np.zeros_like(run)
        np.logical_and(run[:-step], run[step:], out=longer[:-step])
        run, length = longer, length + step
    return run


def _gaps(day: np.ndarray, missing: np.ndarray) -> list[tuple[int, int]]:
    """Returns the spans in which no channel of the day was observed; the rows of `missing` are some of its channels."""
    flags = np.logical_and.reduce(missing, axis=0) if len(missing) else np.ones(len(day), dtype=bool)
    suspects = np.flatnonzero(flags)
    if not len(suspects):
        return []
    flags[suspects] = np.isnan(day[suspects]).all(axis=1)
    return spans(flags)


def is_observed(day: np.ndarray) -> list[bool]:
    """Returns whether each channel of `(minutes, channels)` has any observed value."""
    if not np.isnan(day[0]).any():
        return [True] * day.shape[1]
    seen = ~np.isnan(day[::_SAMPLE]).all(axis=0)
    unseen = np.flatnonzero(~seen)
    if len(unseen):
        seen[unseen] = ~np.isnan(day.T[unseen]).all(axis=1)
    return seen.tolist()


def fill_gaps(x: np.ndarray, missing: np.ndarray, defaults: Sequence[float]) -> np.ndarray:
    """Fills gaps by linear interpolation and extends the edge values.

    Args:
        x: `(channels, minutes)`, physical units. Not modified.
        missing: Where nothing was observed.
        defaults: Value of each channel that was not observed at all: its population mean.

    Returns:
        A filled float64 copy.
    """
    filled = x.astype(np.float64)
    minutes = np.arange(x.shape[1])
    for row in np.flatnonzero(missing.any(axis=1)).tolist():
        n_missing = missing[row]
        if n_missing.all():
            filled[row] = defaults[row]
        else:
            filled[row, n_missing] = np.interp(minutes[n_missing], minutes[~n_missing], filled[row, ~n_missing])
    return filled


def spans(flags: np.ndarray) -> list[tuple[int, int]]:
    """Returns the spans `(start, end)`, end exclusive, in which a `(minutes,)` bool array is True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).view(np.int8))).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def blocks(count: int, size: int = BLOCK_DAYS) -> Iterator[slice]:
    """Splits `count` days into slices of at most `size`."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def facts_as_dicts(table: FactTable, days: Sequence[np.ndarray], schema: SensorSchema) -> list[dict[str, Any]]:
    """Converts the columns of a table of all channels to one plain dict per day.

    Args:
        table: Facts of all channels, with statistics and structure.
        days: The arrays that the facts were computed from, for the missing spans.
        schema: Schema of the days.

    Returns:
        Per day `{channel key: {"mean", "max", "min", "std", "trends", "anomalies", "missing", "observed"}}`. Trends are
        `[start, end, type]`, anomalies `[minute, type]`, missing spans `[start, end]`, all in minutes of the window;
        statistics are None if there are no observed values.
    """
    if table.trends is None or table.anomalies is None or table.statistics is None:
        raise ValueError("`table` must contain statistics and structure.")
    trends: list[list[list[Any]]] = [[] for _ in range(table.offsets[-1])]
    anomalies: list[list[list[Any]]] = [[] for _ in range(table.offsets[-1])]
    found = table.trends
    for row, start, end, kind in zip(
        found.row.tolist(), found.start.tolist(), found.end.tolist(), found.kind.tolist(), strict=True
    ):
        trends[row].append([start, end, TREND_TYPES[kind]])
    odd = table.anomalies
    for row, minute, kind in zip(odd.row.tolist(), odd.minute.tolist(), odd.kind.tolist(), strict=True):
        anomalies[row].append([minute, ANOMALY_TYPES[kind]])
    numbers, shares = table.statistics.tolist(), table.observed.tolist()
    result = []
    for first, day in zip(table.offsets, days, strict=False):
        facts: dict[str, Any] = {}
        for c, channel in enumerate(schema):
            row = first + c
            mean, high, low, std = (number if number == number else None for number in numbers[row])
            facts[channel.key] = {
                "mean": mean,
                "max": high,
                "min": low,
                "std": std,
                "trends": trends[row],
                "anomalies": anomalies[row],
                "missing": [list(span) for span in spans(np.isnan(day[:, c]))] if shares[row] < 1 else [],
                "observed": shares[row],
            }
        result.append(facts)
    return result
