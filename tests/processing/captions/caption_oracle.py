"""Reference caption facts: loops, `scipy.stats.linregress` and `scipy.signal.find_peaks`, one channel at a time.

The vectorised implementation is tested against this, and `benchmarks/captions.py` compares their speed. It shares no
code with the package. The constants (windows, thresholds) are those published with the SensorLM captioning release.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.signal import find_peaks
from scipy.stats import describe, linregress

POOL = 40
MIN_SLOPE = {6: 1.5, 8: 1.3, 12: 1.0}


def fill(x: np.ndarray, default: float) -> np.ndarray:
    """Interpolates gaps in time, extends the edges, and returns `default` if nothing was observed."""
    observed = ~np.isnan(x)
    if not observed.any():
        return np.full(len(x), default)
    minutes = np.arange(len(x))
    return np.interp(minutes, minutes[observed], x[observed])


def pool(x: np.ndarray) -> np.ndarray:
    """Means of the observed minutes of each 40-minute block; NaN if it has none, or a gap longer than half of it."""
    points = []
    for start in range(0, len(x), POOL):
        piece = x[start : start + POOL]
        seen = ~np.isnan(piece)
        gap, longest = 0, 0
        for minute in seen.tolist():
            gap = 0 if minute else gap + 1
            longest = max(longest, gap)
        if not seen.any() or longest > POOL // 2:
            points.append(math.nan)
        elif seen.all():
            points.append(float(np.mean(piece)))
        else:
            points.append(float(np.sum(np.where(seen, piece, 0.0)) / seen.sum()))
    return np.array(points)


def spread(points: np.ndarray) -> float:
    """Range of the pooled channel; 0 if it is only rounding error."""
    seen = points[~np.isnan(points)]
    if len(seen) == 0:
        return 0.0
    width = float(seen.max() - seen.min())
    return width if width > 1e-14 * float(np.abs(seen).max()) else 0.0


def trends(points: np.ndarray) -> list[list]:
    """Trends of one pooled channel as `[start, end, type]`, by start."""
    R = spread(points)
    if R == 0:
        return []
    found = []
    for window in (6, 8, 12):
        for i in range(0, len(points) - window + 1, window // 2):
            piece = points[i : i + window]
            if np.isnan(piece).any():
                continue
            slope = float(linregress(np.arange(window), piece).slope)
            change = abs(float(piece[-1] - piece[0]))
            span = ((i + 1) * POOL, (i + window) * POOL)
            if abs(slope) > MIN_SLOPE[window] * R / 40 and change > 0.2 * R:
                kind = "increasing" if slope > 0 else "decreasing"
                found.append((change, abs(slope), window, *span, kind))
            elif abs(slope) < 0.01 * R and float(piece.max() - piece.min()) < 0.1 * R:
                found.append((0.2 * R, 1.0, window, *span, "stable"))
    found.sort(key=lambda c: c[:3], reverse=True)
    taken: list[tuple] = []
    for candidate in found:
        start, end = candidate[3:5]
        for other in taken:
            overlap = max(0, min(end, other[4]) - max(start, other[3]))
            if overlap / min(end - start, other[4] - other[3]) > 0.3:
                break
        else:
            taken.append(candidate)
        if len(taken) == 3:
            break
    return [[c[3], c[4], c[5]] for c in sorted(taken, key=lambda c: c[3])]


def runs(points: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Runs of observed points, each with its first position."""
    pieces, start = [], None
    for i, missing in enumerate([*np.isnan(points), True]):
        if missing and start is not None:
            pieces.append((start, points[start:i]))
            start = None
        elif not missing and start is None:
            start = i
    return pieces


def anomalies(points: np.ndarray) -> list[list]:
    """Peaks and drops of one pooled channel as `[minute, type]`, peaks first."""
    R = spread(points)
    if R == 0:
        return []
    mean = float(points[~np.isnan(points)].mean())
    found = []
    for kind, sign, height in (("peak", 1.0, mean + 0.6 * R), ("drop", -1.0, -mean - 0.4 * R)):
        for first, piece in runs(points):
            at, _ = find_peaks(sign * piece, height=height, prominence=0.5 * R, distance=5, width=(None, 4))
            found.extend([(first + int(i) + 1) * POOL, kind] for i in at)
    return found


def statistics(x: np.ndarray) -> dict:
    """Mean, max, min and population standard deviation of the observed minutes."""
    seen = x[~np.isnan(x)]
    if len(seen) == 0:
        return dict.fromkeys(("mean", "max", "min", "std"))
    described = describe(seen, ddof=0)
    return {
        "mean": float(described.mean),
        "max": float(described.minmax[1]),
        "min": float(described.minmax[0]),
        "std": math.sqrt(described.variance),
    }


def channel_facts(x: np.ndarray) -> dict:
    """All facts of one channel, `(minutes,)`, from its observed minutes."""
    points = pool(x)
    return {**statistics(x), "trends": trends(points), "anomalies": anomalies(points)}
