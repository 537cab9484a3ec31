"""Power law fits."""

from __future__ import annotations

import numpy as np
import pytest
from power_law import fit_power_law

SIZES = np.array([100, 300, 1000, 3000, 10_000, 30_000])


def test_fit_without_floor() -> None:
    law = fit_power_law(SIZES, 2 * SIZES**-0.3)
    assert law.exponent == pytest.approx(0.3, abs=0.01)
    assert law(SIZES) == pytest.approx(2 * SIZES**-0.3, rel=0.01)
    assert law.r2 > 0.999


def test_floor_requires_four_sizes() -> None:
    losses = 0.05 + 3 * SIZES**-0.6
    law = fit_power_law(SIZES, losses)
    assert law.floor == pytest.approx(0.05, rel=0.05)
    assert law.exponent == pytest.approx(0.6, rel=0.05)
    assert fit_power_law(SIZES[:3], losses[:3]).floor == 0


def test_fit_with_noise_or_without_gain() -> None:
    rng = np.random.default_rng(0)
    law = fit_power_law(SIZES, SIZES**-0.2 * np.exp(0.05 * rng.normal(size=6)))
    assert law.exponent == pytest.approx(0.2, abs=0.05)
    flat = fit_power_law(SIZES, np.full(6, 0.4))
    assert flat(SIZES) == pytest.approx(np.full(6, 0.4), rel=0.01)


@pytest.mark.parametrize(
    ("sizes", "losses", "message"),
    [([1, 2], [0.1], "2 sizes, 1 losses"), ([5, 5], [1, 2], "two different"), ([1, 2], [0.1, 0], "positive")],
)
def test_invalid_input_raises(sizes: list, losses: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_power_law(sizes, losses)
