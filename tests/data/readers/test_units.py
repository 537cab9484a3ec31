"""Unit conversion."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from sensorlm_hf import get_schema
from sensorlm_hf.data.readers import units
from sensorlm_hf.data.readers.units import convert_units
from sensorlm_hf.schema import list_schemas

pytest.importorskip("pint")


@pytest.mark.parametrize(
    ("value", "given", "wanted", "expected"),
    [
        (98.6, "degF", "degC", 37.0),
        (98.6, "°F", "degC", 37.0),
        (305.15, "kelvin", "degC", 32.0),
        (2e-6, "S", "uS", 2.0),
        (2.0, "µS", "uS", 2.0),
        (1.2, "Hz", "bpm", 72.0),
        (0.85, "s", "ms", 850.0),
        (97.0, "%", "fraction", 0.97),
        (2.0, "steps/s", "steps/min", 120.0),
        (0.002, "s^2", "ms^2", 2000.0),
        (5.0, "nat", "nat", 5.0),
    ],
)
def test_convert_units(value: float, given: str, wanted: str, expected: float) -> None:
    assert convert_units(np.array([value, np.nan]), given, wanted, "x")[0] == pytest.approx(expected)
    assert np.isnan(convert_units(np.array([np.nan]), given, wanted, "x")[0])


def test_incompatible_or_unknown_units_raise() -> None:
    with pytest.raises(ValueError, match=r"column 'pulse': 'm/s' cannot be converted to 'bpm'"):
        convert_units(np.zeros(1), "m/s", "bpm", "column 'pulse'")
    with pytest.raises(ValueError, match="cannot parse the unit 'furlongz'"):
        convert_units(np.zeros(1), "furlongz", "bpm", "x")


def test_every_schema_unit_is_known() -> None:
    for name in list_schemas():
        for channel in get_schema(name):
            whole = convert_units(np.ones(1), channel.unit, channel.unit, channel.key)
            parts = convert_units(np.ones(1), f"({units._plain(channel.unit)})", channel.unit, channel.key)
            assert whole == parts == 1.0, channel.key  # the parentheses force a conversion through pint


def test_missing_pint_raises_only_when_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pint", None)
    units._registry.cache_clear()
    assert convert_units(np.ones(1), "count/min", "bpm", "x") == 1.0
    with pytest.raises(ImportError, match=r"sensorlm-hf\[units\]"):
        convert_units(np.ones(1), "degF", "degC", "x")
