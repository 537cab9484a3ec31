"""Implausible values: detection of wrong units, and warnings.

This file is uploaded to the Hub with the feature extractor, so it only imports numpy.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Conversion = tuple[str, Callable[[np.ndarray], np.ndarray]]

_CONVERSIONS: dict[str, list[Conversion]] = {
    "degC": [
        ("kelvin (subtract 273.15)", lambda x: x - 273.15),
        ("degrees Fahrenheit (subtract 32, times 5/9)", lambda x: (x - 32) * 5 / 9),
    ],
    "bpm": [
        ("beats per second (times 60)", lambda x: x * 60),
        ("seconds between beats (60 divided by the value)", lambda x: 60 / x),
        ("milliseconds between beats (60000 divided by the value)", lambda x: 60_000 / x),
    ],
    "ms": [
        ("seconds (times 1000)", lambda x: x * 1000),
        ("microseconds (divide by 1000)", lambda x: x / 1000),
    ],
    "fraction": [("percent (divide by 100)", lambda x: x / 100)],
    "%": [("fractions of 1 (times 100)", lambda x: x * 100)],
    "uS": [
        ("siemens (times 1000000)", lambda x: x * 1e6),
        ("nanosiemens (divide by 1000)", lambda x: x / 1000),
        ("ohms of resistance (1000000 divided by the value)", lambda x: 1e6 / x),
        ("kilohms of resistance (1000 divided by the value)", lambda x: 1e3 / x),
    ],
    "steps/min": [
        ("steps per hour (divide by 60)", lambda x: x / 60),
        ("steps per second (times 60)", lambda x: x * 60),
    ],
    "m": [
        ("centimetres (divide by 100)", lambda x: x / 100),
        ("kilometres (times 1000)", lambda x: x * 1000),
        ("feet (times 0.3048)", lambda x: x * 0.3048),
    ],
}

# Raw sensor registers, only considered if no unit explains the values: 310 is more likely kelvin than 31.0.
_SCALES: dict[str, list[Conversion]] = {
    "degC": [
        ("tenths of a degree (divide by 10)", lambda x: x / 10),
        ("hundredths of a degree (divide by 100)", lambda x: x / 100),
        ("thousandths of a degree (divide by 1000)", lambda x: x / 1000),
    ],
}

# Beat intervals are often stored in place of rates, and vice versa.
_RATE_FOR_INTERVAL: Conversion = ("beats per minute (60000 divided by the value)", lambda x: 60_000 / x)

_MISSING_CODES = (-9999.0, -999.0, -99.0, -1.0, 0.0, 255.0, 999.0, 9999.0, 32767.0, 65535.0)


def guess_unit_mistake(
    values: np.ndarray, *, unit: str, mean: float, std: float, valid_range: tuple[float, float]
) -> str | None:
    """Guesses why a channel's values are outside the range of its sensor.

    A conversion explains them if it moves at least 90 % of them into the range and their median within three
    population standard deviations of the population mean; among several, the closest wins. Pure scale factors,
    such as tenths of a degree, are tried after all units.

    Args:
        values: `(n,)` observed values of one channel, in chronological order.
        unit: Unit that the channel should have, such as `"degC"`.
        mean: Population mean in that unit.
        std: Population standard deviation in that unit.
        valid_range: Lowest and highest plausible value in that unit.

    Returns:
        A sentence such as `"The values look like kelvin (subtract 273.15)."`, or None if nothing explains them.
    """
    values = np.asarray(values, dtype=np.float64)
    low, high = valid_range
    outside = values[(values < low) | (values > high)]
    if outside.size == 0:
        return None
    code = float(outside[0])
    if code in _MISSING_CODES and np.mean(outside == code) >= 0.9:
        return f"The value {code:g} looks like a code for 'missing': replace it with NaN."
    if unit.endswith("/min") and outside.size > 10 and np.all(np.diff(values) >= 0):
        return "The values never decrease, like a running total: give the count of each minute."
    z_scores = ("z-scores (give physical units; the extractor normalises)", _z_decoder(mean, std))
    units = [*_CONVERSIONS.get(unit, ()), z_scores]
    if unit == "ms" and low > 0:
        units.append(_RATE_FOR_INTERVAL)
    for candidates in (units, _SCALES.get(unit, [])):
        best: tuple[float, str] | None = None
        for name, convert in candidates:
            with np.errstate(divide="ignore", invalid="ignore"):
                converted = convert(values)
            if np.mean((converted >= low) & (converted <= high)) < 0.9:
                continue
            distance = abs(float(np.median(converted)) - mean) / std
            if distance <= 3 and (best is None or distance < best[0]):
                best = (distance, name)
        if best is not None:
            return f"The values look like {best[1]}."
    return None


def _z_decoder(mean: float, std: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda z: z * std + mean


def guess_for(channel: Mapping[str, Any], values: np.ndarray) -> str | None:
    """Returns [`guess_unit_mistake`] for a channel given as the dict of a configuration."""
    return guess_unit_mistake(
        values, unit=channel["unit"], mean=channel["mean"], std=channel["std"], valid_range=channel["valid_range"]
    )


class ImplausibleValues:
    """Counts values treated as missing, for a single warning per call."""

    def __init__(self, channels: Sequence[Mapping[str, Any]]) -> None:
        self.channels = channels
        self.counts: dict[int, int] = {}
        self.samples: dict[int, np.ndarray] = {}

    def add(self, column: int, n: int, values: np.ndarray) -> None:
        """Adds `n` values of a channel; `values` are those of the day with the most of them."""
        self.counts[column] = self.counts.get(column, 0) + n
        self.samples.setdefault(column, values)

    def warn(self) -> None:
        """Issues a single warning, attributed to the caller's caller."""
        if not self.counts:
            return
        parts = []
        for column in sorted(self.counts):
            channel, n = self.channels[column], self.counts[column]
            low, high = channel["valid_range"]
            text = f"{channel['key']}: {n} value{'s' * (n > 1)} outside {low:g} to {high:g} {channel['unit']}"
            guess = guess_for(channel, self.samples[column])
            parts.append(f"{text}. {guess}" if guess else f"{text}.")
        warnings.warn(f"Implausible values count as missing. {' '.join(parts)}", UserWarning, stacklevel=3)
