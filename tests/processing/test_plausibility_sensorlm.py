from __future__ import annotations

import numpy as np
import pytest

from sensorlm_hf.processing.plausibility_sensorlm import guess_unit_mistake

SKIN = {"unit": "degC", "mean": 31.7, "std": 2.6, "valid_range": (10.0, 41.0)}
RATE = {"unit": "bpm", "mean": 76.0, "std": 16.0, "valid_range": (25.0, 240.0)}
STEPS = {"unit": "steps/min", "mean": 5.0, "std": 19.0, "valid_range": (0.0, 400.0)}


@pytest.mark.parametrize(
    ("values", "channel", "guess"),
    [
        ([304.0, 305.0, 306.5], SKIN, "kelvin"),
        ([89.0, 90.5, 91.0], SKIN, "Fahrenheit"),
        ([3170.0, 3260.0], SKIN, "hundredths"),
        ([31_700.0, 32_600.0], SKIN, "thousandths"),
        ([1.2, 1.3, 1.25], RATE, "beats per second"),
        ([0.8, 0.79, 0.75], RATE, "seconds between beats"),
        ([800.0, 790.0, 750.0], RATE, "milliseconds between beats"),
        ([-1.2, 0.3, 0.1], RATE, "z-scores"),
        ([0.0, 0.0, 70.0, 0.0], RATE, "code for 'missing'"),
        ([255.0, 70.0, 255.0], RATE, "The value 255 looks like a code"),
        (np.arange(0, 9000, 90.0), STEPS, "running total"),
        ([12.0] * 5, {**RATE, "unit": "a.u."}, None),
        ([500.0, 3.0, 9000.0], RATE, None),
        ([70.0, 80.0], RATE, None),
        ([], RATE, None),
    ],
)
def test_unit_guesses(values, channel, guess):
    text = guess_unit_mistake(np.array(values), **channel)
    if guess is None:
        assert text is None
    else:
        assert guess in text
        assert text.endswith(".")


def test_conversion_must_explain_nearly_all_values():
    values = np.r_[np.full(8, 304.0), 50.0, 60.0]  # two of ten values fit neither kelvin nor any other unit
    assert guess_unit_mistake(values, **SKIN) is None
    assert "kelvin" in guess_unit_mistake(values[:9], **{**SKIN, "valid_range": (-300.0, 41.0)})
