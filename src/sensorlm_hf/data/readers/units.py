"""Unit conversion from a source's units to those of a schema's channels."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..._extras import requires_extra

_SAME = {"µ": "u", "μ": "u", "°": "deg"}
_ALIASES = {
    "beats/min": "bpm",
    "count/min": "bpm",
    "mcS": "uS",
    "siemens": "S",
    "celsius": "degC",
    "fahrenheit": "degF",
    "C": "degC",
    "F": "degF",
    "steps": "steps/min",
    "normalised": "dimensionless",
    "device code": "dimensionless",
    "a.u.": "dimensionless",
    "nat": "dimensionless",
    "ratio": "dimensionless",
}
"""Unit names that pint does not know or interprets differently: C is the coulomb, F the farad, nat a pressure."""

_DEFINITIONS = ("beat = count", "step = count = _ = steps", "fraction = count", "bpm = beat / minute")


@lru_cache(maxsize=1)
def _registry() -> Any:
    with requires_extra("units", "Converting units", "give the values in the schema's units"):
        import pint
    registry: Any = pint.UnitRegistry(autoconvert_offset_to_baseunit=True)
    for definition in _DEFINITIONS:
        registry.define(definition)
    return registry


def _plain(unit: str) -> str:
    text = unit.strip()
    for sign, letter in _SAME.items():
        text = text.replace(sign, letter)
    return _ALIASES.get(text, text)


def convert_units(values: np.ndarray, given: str, wanted: str, where: str) -> np.ndarray:
    """Converts values by [pint](https://pint.readthedocs.io).

    Args:
        values: Any shape.
        given: Unit of the values: `"degF"`, `"kelvin"`, `"S"`, `"1/s"`, `"percent"`, `"ms"`, `"count/min"`, ...
        wanted: Unit of a schema's channel.
        where: Label of the values for messages.

    Returns:
        Values in the wanted unit, float64; the same array if the units are the same, for which pint is not needed.

    Raises:
        ValueError: If a unit is unknown or the two do not measure the same thing.
        ImportError: If pint is needed and not installed.
    """
    have, want = _plain(given), _plain(wanted)
    if have == want:
        return np.asarray(values, dtype=np.float64)
    registry = _registry()
    try:
        source, target = registry.parse_units(have), registry.parse_units(want)
    except Exception as error:  # pint raises various error types, including tokenizer errors
        raise ValueError(f"{where}: cannot parse the unit {given!r} or {wanted!r}: {error}") from None
    if source.dimensionality != target.dimensionality:
        raise ValueError(f"{where}: {given!r} cannot be converted to {wanted!r}; they measure different things.")
    # Temperature scales have offsets, so values are converted as quantities rather than by a factor.
    return np.asarray(registry.Quantity(np.asarray(values, dtype=np.float64), source).to(target).magnitude)
