"""Trends, peaks and drops of many channels at once.

The algorithm is that of the public SensorLM captioning release (Zhang et al., NeurIPS 2025, arXiv:2506.09108): least-
squares slopes over windows of 6, 8 and 12 pooled points, and `scipy.signal.find_peaks` on the pooled channel and its
negative. Here both are vectorised over a matrix of channels with numpy. Where the outcome depends on the last bit (a
slope at its threshold, ties between slopes or neighbouring peaks), the affected windows or channels are recomputed
exactly as in the release, so that the results are bit-identical.

A pooled point is NaN where too little was observed. Windows containing such a point are excluded, and both flanks of a
peak must be observed: gaps are never described as trends or anomalies.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

POOL_MINUTES = 40
"""Minutes averaged into one point."""

MIN_SLOPES = {6: 1.5, 8: 1.3, 12: 1.0}
"""Minimum slope of a trend by window length in points, in channel ranges per 40 points."""

MAX_TRENDS = 3
"""Trends kept per channel."""

MAX_OVERLAP = 0.3
"""Maximum overlap of two trends of a channel, as a fraction of the shorter one."""

TREND_TYPES = ("decreasing", "stable", "increasing")
"""Types of trends, in the order of [`Trends.kind`]."""

ANOMALY_TYPES = ("peak", "drop")
"""Types of anomalies, in the order of [`Anomalies.kind`]."""

_MIN_CHANGE, _STABLE_SLOPE, _STABLE_RANGE = 0.2, 0.01, 0.1
_PEAK_HEIGHT, _DROP_HEIGHT = 0.6, -0.4
_PROMINENCE, _DISTANCE, _WIDTH = 0.5, 5, 4.0
_ROUNDING = 1e-14  # a range below this fraction of the values is rounding error of a sum of 40 numbers
_NEAR = 1e-9  # slopes closer than this share of the range are compared with the reference's own arithmetic

FloatArray = np.ndarray
IntArray = np.ndarray


@dataclass(frozen=True)
class Trends:
    """Trends of a matrix of channels, sorted by row, then start, then rank.

    Attributes:
        row: Row of the matrix.
        start: Reported first minute.
        end: Reported last minute.
        kind: Index into [`TREND_TYPES`].
        rank: 0 for the row's strongest trend, then 1, 2.
        strength: End-to-end change as a fraction of the channel's range; 0.2 for stable trends.
    """

    row: IntArray
    start: IntArray
    end: IntArray
    kind: IntArray
    rank: IntArray
    strength: FloatArray


@dataclass(frozen=True)
class Anomalies:
    """Peaks and drops of a matrix of channels, sorted by row, peaks before drops, then minute.

    Attributes:
        row: Row of the matrix.
        minute: Reported minute.
        kind: Index into [`ANOMALY_TYPES`].
        strength: Prominence as a fraction of the channel's range.
    """

    row: IntArray
    minute: IntArray
    kind: IntArray
    strength: FloatArray


@dataclass(frozen=True)
class _Windows:
    start: IntArray  # (windows,) first point
    last: IntArray  # (windows,) last point
    size: IntArray  # (windows,)
    weights: FloatArray  # (points, windows): slope = centred points @ weights
    inside: FloatArray  # (points, windows): 1 where the window contains the point
    min_slope: FloatArray  # (windows,) of a trend, in units of the range; the division by 40 is left to the caller
    compatible: np.ndarray  # (windows, windows) bool


@cache
def _windows(points: int) -> _Windows:
    spans = [(i, size) for size in MIN_SLOPES for i in range(0, points - size + 1, size // 2)]
    start = np.array([i for i, _ in spans], dtype=np.intp)
    size = np.array([size for _, size in spans], dtype=np.intp)
    last = start + size - 1
    weights = np.zeros((points, len(spans)))
    inside = np.zeros((points, len(spans)))
    for column, (i, length) in enumerate(spans):
        x = np.arange(length) - (length - 1) / 2
        weights[i : i + length, column] = x / (x @ x)
        inside[i : i + length, column] = 1
    overlap = np.maximum(0, np.minimum.outer(last, last) - np.maximum.outer(start, start)) * POOL_MINUTES
    shorter = np.minimum.outer(last - start, last - start) * POOL_MINUTES
    compatible = overlap / shorter <= MAX_OVERLAP
    min_slope = np.array([MIN_SLOPES[s] for s in size.tolist()])
    return _Windows(start, last, size, weights, inside, min_slope, compatible)


def spreads(points: FloatArray) -> FloatArray:
    """Returns the range of each pooled channel; 0 if it is only rounding error or nothing was observed.

    Args:
        points: `(rows, points)`, NaN where nothing was observed.

    Returns:
        `(rows,)`.
    """
    if points.shape[1] == 0:
        return np.zeros(len(points))
    high = np.fmax.reduce(points, axis=1)
    low = np.fmin.reduce(points, axis=1)
    spread = high - low
    size = np.maximum(np.abs(high), np.abs(low))
    return np.where(spread > _ROUNDING * size, spread, 0.0)


def find_trends(points: FloatArray) -> Trends:
    """Finds at most three trends in each pooled channel.

    A window is increasing or decreasing when its slope passes [`MIN_SLOPES`] and its ends differ by more than a fifth
    of the channel's range; it is stable when slope and range are close to zero. Windows are selected by change, then
    slope, then length, unless they overlap previously selected ones too much.

    Args:
        points: `(rows, points)` pooled channels, one point per [`POOL_MINUTES`]; NaN where nothing was observed.

    Returns:
        The trends of all rows.
    """
    windows = _windows(points.shape[1])
    spread = spreads(points)
    live = np.flatnonzero(spread > 0)
    if len(windows.start) == 0 or len(live) == 0:
        none = np.zeros(0, dtype=np.intp)
        return Trends(none, none, none, none, none, np.zeros(0))
    points, spread = np.ascontiguousarray(points[live]), spread[live]
    missing = np.isnan(points)
    gaps = bool(missing.any())
    # The mean is subtracted before the product to preserve the precision of small slopes on large values.
    centred = points - points.mean(axis=1, keepdims=True) if not gaps else _centred(points, missing)
    slope = centred @ windows.weights
    threshold = windows.min_slope * spread[:, None] / 40
    flat = _STABLE_SLOPE * spread[:, None]
    steepness = np.abs(slope)
    unsure = np.minimum(np.abs(steepness - threshold), np.abs(steepness - flat)) <= _NEAR * spread[:, None]
    valid = None
    if gaps:
        valid = missing @ windows.inside == 0
        unsure &= valid
    for r, k in zip(*np.nonzero(unsure), strict=True):
        slope[r, k] = _reference_slope(points[r, windows.start[k] : windows.last[k] + 1])
        steepness[r, k] = abs(slope[r, k])
    change = np.abs(points[:, windows.last] - points[:, windows.start])
    moving = (steepness > threshold) & (change > _MIN_CHANGE * spread[:, None])
    level = (steepness < flat) & ~moving
    if valid is not None:
        moving &= valid
        level &= valid
    level_r, level_k = np.nonzero(level)
    if len(level_r):
        # Short windows repeat their last point, which changes neither their maximum nor their minimum.
        reach = np.minimum(windows.start[level_k][:, None] + np.arange(max(MIN_SLOPES)), windows.last[level_k][:, None])
        inside = points[level_r[:, None], reach]
        narrow = inside.max(axis=1) - inside.min(axis=1) < _STABLE_RANGE * spread[level_r]
        level_r, level_k = level_r[narrow], level_k[narrow]
    move_r, move_k = np.nonzero(moving)
    row = np.concatenate([move_r, level_r])
    k = np.concatenate([move_k, level_k])
    kind = np.concatenate([np.sign(slope[move_r, move_k]).astype(np.intp) + 1, np.ones(len(level_r), dtype=np.intp)])
    by = np.concatenate([change[move_r, move_k], _MIN_CHANGE * spread[level_r]])
    then = np.concatenate([steepness[move_r, move_k], np.ones(len(level_r))])
    order = _ranked(row, k, by, then, windows)
    order = _resolve_ties(order, row, k, kind, by, then, points, spread, windows)
    row, k, kind, by = row[order], k[order], kind[order], by[order]
    taken, rank = _take(row, k, len(points), windows)
    row, k, kind, by = row[taken], k[taken], kind[taken], by[taken]
    order = np.lexsort((rank, windows.start[k], row))
    row, k, kind, by, rank = row[order], k[order], kind[order], by[order], rank[order]
    return Trends(
        row=live[row],
        start=(windows.start[k] + 1) * POOL_MINUTES,
        end=(windows.last[k] + 1) * POOL_MINUTES,
        kind=kind,
        rank=rank,
        strength=by / spread[row],
    )


def _centred(points: FloatArray, missing: np.ndarray) -> FloatArray:
    count = points.shape[1] - missing.sum(axis=1, keepdims=True)
    filled = np.where(missing, 0.0, points)
    return np.where(missing, 0.0, filled - filled.sum(axis=1, keepdims=True) / count)


def _reference_slope(window: FloatArray) -> float:
    """The slope as `scipy.stats.linregress(range(len(window)), window)` computes it, to the last bit."""
    ssx, ssxy, _, _ = np.cov(np.arange(len(window)), window, bias=True).flat
    return float(ssxy / ssx)


def _ranked(row: IntArray, k: IntArray, by: FloatArray, then: FloatArray, windows: _Windows) -> IntArray:
    # `k` last: candidates that are equal otherwise keep the order of the windows.
    return np.lexsort((k, -windows.size[k], -then, -by, row))


def _resolve_ties(
    order: IntArray,
    row: IntArray,
    k: IntArray,
    kind: IntArray,
    by: FloatArray,
    then: FloatArray,
    points: FloatArray,
    spread: FloatArray,
    windows: _Windows,
) -> IntArray:
    """Re-ranks windows of a row with equal change and nearly equal slopes."""
    if len(order) < 2:
        return order
    a, b = order[:-1], order[1:]
    near = (row[a] == row[b]) & (by[a] == by[b]) & (np.abs(then[a] - then[b]) <= _NEAR * spread[row[a]])
    near &= (kind[a] != 1) & (kind[b] != 1)
    if not near.any():
        return order
    for c in np.union1d(a[near], b[near]):
        then[c] = abs(_reference_slope(points[row[c], windows.start[k[c]] : windows.last[k[c]] + 1]))
    return _ranked(row, k, by, then, windows)


def _take(row: IntArray, k: IntArray, rows: int, windows: _Windows) -> tuple[IntArray, IntArray]:
    """Selects candidates, sorted by row and rank, greedily; returns their positions and ranks."""
    alive = np.arange(len(row))
    chosen = np.zeros(rows, dtype=np.intp)
    taken, ranks = [], []
    for rank in range(MAX_TRENDS):
        if len(alive) == 0:
            break
        first = np.ones(len(alive), dtype=bool)
        first[1:] = row[alive[1:]] != row[alive[:-1]]
        best = alive[first]
        taken.append(best)
        ranks.append(np.full(len(best), rank))
        chosen[row[best]] = k[best]
        alive = alive[windows.compatible[chosen[row[alive]], k[alive]]]
    if not taken:
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
    return np.concatenate(taken), np.concatenate(ranks)


def find_anomalies(points: FloatArray) -> Anomalies:
    """Finds peaks and drops in each pooled channel.

    They are those of `scipy.signal.find_peaks` with a prominence of half the channel's range, five points apart and at
    most four points wide, no lower than 0.6 ranges above (peaks) or no higher than 0.4 ranges above (drops, on the
    negative) the channel's mean. A channel with gaps is searched segment by segment.

    Args:
        points: `(rows, points)` pooled channels, one point per [`POOL_MINUTES`]; NaN where nothing was observed.

    Returns:
        The anomalies of all rows.
    """
    spread = spreads(points)
    live = np.flatnonzero(spread > 0)
    points, spread = points[live], spread[live]
    missing = np.isnan(points)
    if missing.any():
        mean = np.where(missing, 0.0, points).sum(axis=1) / (points.shape[1] - missing.sum(axis=1))
    else:
        mean = points.sum(axis=1) / max(points.shape[1], 1)
    # All rows are concatenated, separated by NaN: comparisons with NaN are false, so no peak touches a separator.
    width = points.shape[1] + 1
    line = np.full(len(points) * width + 1, np.nan)
    line[1:].reshape(len(points), width)[:, :-1] = points
    starts = np.flatnonzero(line[1:] != line[:-1]) + 1  # of plateaus
    ends = np.append(starts[1:], len(line)) - 1
    value = line[starts]
    found = []
    for kind, (sign, height) in enumerate(((1.0, _PEAK_HEIGHT), (-1.0, _DROP_HEIGHT))):
        signed = sign * value
        top = np.flatnonzero((signed[1:-1] > signed[:-2]) & (signed[1:-1] > signed[2:])) + 1
        at = (starts[top] + ends[top]) // 2
        row = (at - 1) // width
        high = signed[top] >= sign * mean[row] + height * spread[row]
        at, row = at[high], row[high]
        row, column, prominence = _select_peaks(sign * points, at - 1 - row * width, row, spread, sign * mean, height)
        found.append((live[row], (column + 1) * POOL_MINUTES, np.full(len(row), kind), prominence / spread[row]))
    row, minute, kinds, strength = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((minute, kinds, row))
    return Anomalies(row[order], minute[order], kinds[order], strength[order])


def _select_peaks(
    x: FloatArray, column: IntArray, row: IntArray, spread: FloatArray, mean: FloatArray, height: float
) -> tuple[IntArray, IntArray, FloatArray]:
    """Applies distance, prominence and width to the maxima that are high enough, as `find_peaks` does."""
    prominence, width = _prominences(x, column, row, spread)
    good = (prominence >= _PROMINENCE * spread[row]) & (width <= _WIDTH)
    # Conflicts between close maxima are only resolved where a remaining one could be reported.
    wanted = np.zeros(len(x), dtype=bool)
    wanted[row[good]] = True
    keep = wanted[row]
    column, row, prominence, good = column[keep], row[keep], prominence[keep], good[keep]
    if len(row) == 0:
        return row, column, prominence
    stretch = np.cumsum(np.isnan(np.pad(x, ((0, 0), (0, 1)), constant_values=np.nan)).ravel())
    stretch = stretch[row * (x.shape[1] + 1) + column]
    kept, tied = _enforce_distance(column, x[row, column], stretch)
    good &= kept
    if tied.any():
        rows = np.unique(row[tied])
        good &= ~np.isin(row, rows)
        exact = [_reference_peaks(x[r], r, spread[r], mean[r], height) for r in rows]
        parts = [(row[good], column[good], prominence[good]), *exact]
        row, column, prominence = (np.concatenate(p) for p in zip(*parts, strict=True))
        return row, column, prominence
    return row[good], column[good], prominence[good]


def _prominences(x: FloatArray, column: IntArray, row: IntArray, spread: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Prominence and width at half prominence of maxima; 0 and infinity where the prominence cannot reach its limit."""
    prominence = np.zeros(len(row))
    width = np.full(len(row), np.inf)
    top = x[row, column]
    near = np.flatnonzero(top - np.fmin.reduce(x, axis=1)[row] >= _PROMINENCE * spread[row])
    if len(near) == 0:
        return prominence, width
    line, at, top = x[row[near]], column[near][:, None], top[near][:, None]
    place = np.arange(x.shape[1])
    outside = ~(line <= top)  # higher than the peak, or not observed
    left_wall = np.where(outside & (place < at), place, -1).max(axis=1, keepdims=True)
    right_wall = np.where(outside & (place > at), place, x.shape[1]).min(axis=1, keepdims=True)
    left_floor = np.where((place > left_wall) & (place <= at), line, np.inf).min(axis=1, keepdims=True)
    right_floor = np.where((place < right_wall) & (place >= at), line, np.inf).min(axis=1, keepdims=True)
    value = top - np.maximum(left_floor, right_floor)
    prominence[near] = value[:, 0]
    half = top - value * 0.5
    below = ~(half < line)
    left = np.where(below & (place < at), place, -1).max(axis=1)
    right = np.where(below & (place > at), place, x.shape[1]).min(axis=1)
    n = np.arange(len(near))
    half = half[:, 0]
    left_y, right_y = line[n, left], line[n, right]
    left_at = np.where(left_y < half, left + (half - left_y) / (line[n, left + 1] - left_y), left)
    right_at = np.where(right_y < half, right - (half - right_y) / (line[n, right - 1] - right_y), right)
    width[near] = right_at - left_at
    return prominence, width


def _enforce_distance(column: IntArray, top: FloatArray, stretch: IntArray) -> tuple[np.ndarray, np.ndarray]:
    """Drops maxima closer than the distance to a higher one that stays.

    Returns:
        Which maxima remain, and which are close to one of equal height, for which the reference's sort order decides.
    """
    count = len(top)
    tied = np.zeros(count, dtype=bool)
    links = []
    # Maxima are at least two points apart, so only the next two on either side can be too close.
    for step in range(1, (_DISTANCE - 1) // 2 + 1):
        a = np.arange(count - step)
        b = a + step
        close = (stretch[a] == stretch[b]) & (column[b] - column[a] < _DISTANCE)
        a, b = a[close], b[close]
        same = top[a] == top[b]
        tied[a[same]] = True
        tied[b[same]] = True
        higher = top[a] > top[b]
        links.append((np.where(higher, a, b), np.where(higher, b, a)))
    winner = np.concatenate([link[0] for link in links])
    loser = np.concatenate([link[1] for link in links])
    undecided = np.ones(count, dtype=bool)
    kept = np.zeros(count, dtype=bool)
    while undecided.any():
        pending = undecided[winner] & undecided[loser]
        beaten = np.zeros(count, dtype=bool)
        beaten[loser[pending]] = True
        stays = undecided & ~beaten
        kept |= stays
        undecided &= ~stays
        undecided[loser[stays[winner]]] = False
    return kept, tied


def _reference_peaks(
    x: FloatArray, row: int, spread: float, mean: float, height: float
) -> tuple[IntArray, IntArray, FloatArray]:
    from scipy.signal import find_peaks  # imported late: it takes longer than captioning a thousand days

    edges = np.flatnonzero(np.diff(np.concatenate([[True], np.isnan(x), [True]]).astype(np.int8)))
    columns, prominences = [np.zeros(0, dtype=np.intp)], [np.zeros(0)]
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        at, found = find_peaks(
            x[first:last],
            height=mean + height * spread,
            distance=_DISTANCE,
            prominence=_PROMINENCE * spread,
            width=(None, _WIDTH),
        )
        columns.append(at + first)
        prominences.append(found["prominences"])
    column = np.concatenate(columns)
    return np.full(len(column), row), column, np.concatenate(prominences)
