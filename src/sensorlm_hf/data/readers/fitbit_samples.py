"""The samples of Fitbit's JSON files as arrays, all at once; a file of many years has millions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

STAMP = "MM/DD/YY HH:MM:SS"
"""How the files write times, in UTC."""

_BETWEEN = np.array([2, 5, 8, 11, 14])
_SEPARATORS = np.frombuffer(b"// ::", dtype=np.uint8)
_DIGITS = np.setdiff1d(np.arange(len(STAMP)), _BETWEEN)


class _Pulse(msgspec.Struct, gc=False):
    bpm: float
    confidence: float = 1.0


class _Sample(msgspec.Struct, gc=False):
    dateTime: str
    value: _Pulse


_HEART_RATES = msgspec.json.Decoder(list[_Sample])


def heart_rates(text: str) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Returns the samples of `heart_rate*.json`.

    Args:
        text: The file's text.

    Returns:
        Epoch minutes `(n,)` int64, heart rates in bpm `(n,)` and confidences `(n,)` float64; None if the file does not
        have the usual form, so that the caller can say where.
    """
    try:
        samples = _HEART_RATES.decode(text)
    except msgspec.DecodeError:
        return None
    minutes = minutes_of_stamps([sample.dateTime for sample in samples])
    if minutes is None:
        return None
    pulses = [sample.value for sample in samples]
    bpm = np.array([pulse.bpm for pulse in pulses], dtype=np.float64)
    return minutes, bpm, np.array([pulse.confidence for pulse in pulses], dtype=np.float64)


def minutes_of_stamps(stamps: Sequence[Any]) -> np.ndarray | None:
    """Returns the epoch minutes of times written as [`STAMP`], UTC.

    Args:
        stamps: What the JSON file has as times.

    Returns:
        `(n,)` int64; None if any is not such a time, so that the caller can say which.
    """
    width = len(STAMP)
    try:
        joined = "".join(stamps).encode("ascii")
    except (TypeError, UnicodeEncodeError):
        return None
    if len(joined) != width * len(stamps) or set(map(len, stamps)) - {width}:
        return None
    text = np.frombuffer(joined, dtype=np.uint8).reshape(-1, width)
    digits = text[:, _DIGITS].astype(np.int64) - ord("0")
    if (text[:, _BETWEEN] != _SEPARATORS).any() or digits.min(initial=0) < 0 or digits.max(initial=0) > 9:
        return None
    month, day, year, hour, minute, second = (10 * digits[:, ::2] + digits[:, 1::2]).T
    # As `strptime` does: 69 to 99 are years of the 20th century.
    months = 12 * (year + np.where(year < 69, 2000, 1900) - 1970) + month - 1
    starts = months.astype("datetime64[M]").astype("datetime64[D]")
    lengths = ((months + 1).astype("datetime64[M]").astype("datetime64[D]") - starts).astype(np.int64)
    valid = (month >= 1) & (month <= 12) & (day >= 1) & (day <= lengths) & (hour < 24) & (minute < 60) & (second < 60)
    if not valid.all():
        return None
    return 1440 * (starts.astype(np.int64) + day - 1) + 60 * hour + minute


def plain_numbers(values: Sequence[Any]) -> np.ndarray | None:
    """Returns numbers of a JSON file, which may all be strings.

    Args:
        values: What the JSON file has as values.

    Returns:
        `(n,)` float64; None if any is not a number, so that the caller can say which.
    """
    kinds = set(map(type, values))
    if kinds - {int, float} and kinds != {str}:
        return None
    try:
        return np.array(values, dtype=np.float64)
    except (OverflowError, ValueError):
        return None
