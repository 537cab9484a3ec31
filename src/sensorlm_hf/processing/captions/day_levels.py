"""Levels, totals and gaps of the signals of a day, for [`day_facts`]."""

from __future__ import annotations

import numpy as np

from ...days import SensorDay
from .facts import spans

PARTS = ("night", "morning", "afternoon", "evening")
"""Parts of the day by local clock: from 0, 6, 12 and 18 o'clock, six hours each."""

_OBSERVED_ENOUGH = 0.7  # of the minutes of a span, for its totals and levels to be known
_LEVEL_MINUTES = 30  # observed minutes that a level of the whole window needs


class Channels:
    """Channels of a day by key."""

    def __init__(self, day: SensorDay) -> None:
        self._day = day
        self._known: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self.minutes = len(day)

    def full(self, key: str) -> tuple[np.ndarray, np.ndarray] | None:
        """All minutes and where they were observed; None if there is no such channel or value."""
        if key not in self._known:
            if key not in self._day.schema:
                return None
            x = self._day.values[:, self._day.schema.index(key)].astype(np.float64)
            self._known[key] = x, x == x
        x, seen = self._known[key]
        return (x, seen) if seen.any() else None

    def mean(self, key: str) -> float:
        """Mean of the observed minutes; NaN if there are none."""
        found = self.full(key)
        return float(found[0].sum(where=found[1]) / found[1].sum()) if found is not None else np.nan

    def mean_of_parts(self, key: str, part: np.ndarray) -> list[float]:
        """Mean in each part of the day; NaN where too few of its minutes were observed."""
        found = self.full(key)
        if found is None:
            return [np.nan] * len(PARTS)
        sums, counts, wanted = _sums_of_parts(found, part)
        enough = (counts >= _OBSERVED_ENOUGH * wanted) & (counts > 0)
        return np.where(enough, sums / np.maximum(counts, 1), np.nan).tolist()

    def mean_where(self, key: str, where: np.ndarray) -> float:
        """Mean of some minutes; NaN if fewer than half of them were observed."""
        found = self.full(key)
        if found is None:
            return np.nan
        chosen = found[1] & where
        count = int(np.count_nonzero(chosen))
        return float(found[0].sum(where=chosen) / count) if count and 2 * count >= np.count_nonzero(where) else np.nan


def _sums_of_parts(found: tuple[np.ndarray, np.ndarray], part: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums, observed minutes and all minutes of each part of the day."""
    x, seen = found
    weights = np.where(seen, x, 0.0)
    return (
        np.bincount(part, weights, minlength=4),
        np.bincount(part, seen, minlength=4),
        np.bincount(part, minlength=4),
    )


def _quantiles(values: np.ndarray, *shares: float) -> list[float]:
    """Quantiles as of `np.quantile`, in a tenth of the time."""
    ordered = np.sort(values)
    places = [share * (len(ordered) - 1) for share in shares]
    return [
        float(ordered[int(at)] + (at - int(at)) * (ordered[min(int(at) + 1, len(ordered) - 1)] - ordered[int(at)]))
        for at in places
    ]


def level_facts(facts: dict[str, float], channels: Channels, part: np.ndarray) -> None:
    """Adds levels of all channels and totals of steps; `part` is the part of day of each minute."""
    heart = channels.full("HR")
    if heart is not None and heart[1].sum() >= min(_LEVEL_MINUTES, channels.minutes / 2):
        low, high = _quantiles(heart[0][heart[1]], 0.02, 0.98)
        facts.update(heart_rate=channels.mean("HR"), heart_rate_peak=high, heart_rate_lowest=low)
        facts["heart_rate_range"] = high - low
        for name, mean in zip(PARTS, channels.mean_of_parts("HR", part), strict=True):
            facts[f"heart_rate:{name}"] = mean
    facts["heart_rate_rest"] = channels.mean("hr_at_rest_mean")
    facts["rmssd"] = channels.mean("rmssd_percentile_0595")
    facts["sdnn"] = channels.mean("sdnn_percentile_0595")
    facts["movement"] = channels.mean("log_energy")
    for name, mean in zip(PARTS, channels.mean_of_parts("log_energy", part), strict=True):
        facts[f"movement:{name}"] = mean
    _step_facts(facts, channels, part)
    for key, fact in (("wrist_temperatures", "skin_temperature"), ("eda_level_real", "skin_conductance")):
        found = channels.full(key)
        if found is not None:
            facts[fact] = channels.mean(key)
            low, high = _quantiles(found[0][found[1]], 0.05, 0.95)
            facts[f"{fact}_range"] = high - low
    found = channels.full("altim_std")
    if found is not None:
        facts["altitude"] = float(np.maximum(found[0][found[1]], 0).mean())


def _step_facts(facts: dict[str, float], channels: Channels, part: np.ndarray) -> None:
    steps = channels.full("steps")
    if steps is None:
        return
    sums, counts, wanted = _sums_of_parts(steps, part)
    enough = (counts >= _OBSERVED_ENOUGH * wanted) & (wanted > 0)
    for code, name in enumerate(PARTS):
        facts[f"steps:{name}"] = float(sums[code]) if enough[code] else np.nan
    count, seen = np.where(steps[1], steps[0], 0.0), steps[1]
    awake = part > 0
    if counts[1:].sum() >= _OBSERVED_ENOUGH * wanted[1:].sum() and counts[1:].sum() > 0:
        facts["steps"] = float(sums.sum())
        facts["step_share"] = float(np.count_nonzero((count >= 5) & awake) / counts[1:].sum())
        still = spans(seen & (count < 10) & awake)
        facts["longest_still"] = float(max((end - start for start, end in still), default=0))
    # Cadence is that of the ten most active consecutive minutes, since single minutes are noisy.
    total = np.concatenate([[0.0], np.cumsum(count)])
    facts["cadence"] = float((total[10:] - total[:-10]).max() / 10) if len(total) > 10 else np.nan


def wear_facts(facts: dict[str, float], worn: np.ndarray, part: np.ndarray) -> None:
    """Adds the share of minutes with any value, and the gaps."""
    facts["observed"] = float(worn.mean())
    lengths = [end - start for start, end in spans(~worn)]
    facts["longest_gap"] = float(max(lengths, default=0))
    facts["gaps"] = float(sum(length >= 10 for length in lengths))
    there, seen = np.bincount(part, minlength=4).tolist(), np.bincount(part, worn, minlength=4).tolist()
    for name, wanted, count in zip(PARTS, there, seen, strict=True):
        if wanted:
            facts[f"unobserved:{name}"] = wanted - count
    if there[0] >= 180:
        facts["night_observed"] = seen[0] / there[0]
