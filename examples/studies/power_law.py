"""Power-law fits for scaling studies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares


@dataclass(frozen=True)
class PowerLaw:
    """`loss = floor + factor * size ** -exponent`.

    Attributes:
        floor: Irreducible loss.
        factor: Loss above the floor at size 1.
        exponent: Decay exponent; 0.1 means a fifth less for a tenfold size.
        r2: Coefficient of determination on logarithms.
    """

    floor: float
    factor: float
    exponent: float
    r2: float

    def __call__(self, sizes: Sequence[float] | np.ndarray) -> np.ndarray:
        """Returns the loss at the given sizes."""
        return self.floor + self.factor * np.asarray(sizes, dtype=float) ** -self.exponent


def fit_power_law(sizes: Sequence[float], losses: Sequence[float]) -> PowerLaw:
    """Fits a power law with a floor (Hestness et al. 2017; Kaplan et al. 2020) by least squares on logarithms.

    With fewer than four sizes, the floor is fixed at 0, since it cannot be determined.

    Args:
        sizes: Numbers of days, parameters or floating-point operations; positive, at least two distinct values.
        losses: Loss, or one minus the score, at each size; positive.

    Returns:
        The fitted curve.

    Raises:
        ValueError: If the lists differ in length, are too short, or contain numbers that are not positive.
    """
    x, y = np.asarray(sizes, dtype=float), np.asarray(losses, dtype=float)
    if x.shape != y.shape or x.ndim != 1 or len(set(x.tolist())) < 2:
        raise ValueError(f"Pass a loss for each of at least two different sizes, got {len(x)} sizes, {len(y)} losses.")
    if not (np.isfinite(x).all() and np.isfinite(y).all() and (x > 0).all() and (y > 0).all()):
        raise ValueError("Sizes and losses must be finite and positive; pass 1 - score for scores.")
    slope, offset = np.polyfit(np.log(x), np.log(y), 1)
    floor, factor, exponent = 0.0, float(np.exp(offset)), float(-slope)
    if len(set(x.tolist())) >= 4 and exponent > 0:
        lowest = float(y.min())

        def misfit(p: np.ndarray) -> np.ndarray:
            return np.log(lowest * p[0] + np.exp(p[1] - p[2] * np.log(x))) - np.log(y)

        best = min(
            (
                least_squares(misfit, [share, offset, exponent], bounds=([0, -np.inf, 0], [0.999, np.inf, 5]))
                for share in (0.0, 0.3, 0.7)
            ),
            key=lambda found: found.cost,
        )
        floor, factor, exponent = lowest * float(best.x[0]), float(np.exp(best.x[1])), float(best.x[2])
    left = np.log(floor + factor * x**-exponent) - np.log(y)
    spread = float(np.square(np.log(y) - np.log(y).mean()).sum())
    return PowerLaw(floor, factor, exponent, 1 - float(np.square(left).sum()) / spread if spread > 0 else 1.0)
