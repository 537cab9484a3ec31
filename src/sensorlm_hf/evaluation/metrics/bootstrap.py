"""Confidence intervals that resample people: days of one person are no independent observations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import rankdata

RESAMPLES = 1000
"""Resamples unless said otherwise."""


def person_weights(people: Sequence[str], resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """Draws people with replacement, as many as there are, again and again.

    Args:
        people: `(N,)` whose each row is.
        resamples: How often.
        seed: Seed.

    Returns:
        `(resamples, N)` int32: how often each row occurs in each resample; rows of one person share it.

    Raises:
        ValueError: If there is no row, or `resamples` is below 1.
    """
    if len(people) == 0 or resamples < 1:
        raise ValueError(f"Give at least one row and one resample, got {len(people)} rows and {resamples}.")
    names, person = np.unique(np.asarray(people, dtype=str), return_inverse=True)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    return drawn[:, person].astype(np.int32)


def interval(values: np.ndarray, level: float = 0.95) -> list[float]:
    """Returns the percentile interval of bootstrap values, `[low, high]`; nan values (undefined resamples) are left
    out, and both ends are nan if nothing else is there.

    Raises:
        ValueError: If `level` is no share between 0 and 1.
    """  # noqa: D205
    if not 0 < level < 1:
        raise ValueError(f"`level` must lie between 0 and 1, such as 0.95, got {level}.")
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    if not len(values):
        return [float("nan"), float("nan")]
    return [float(v) for v in np.quantile(values, [(1 - level) / 2, (1 + level) / 2])]


def bootstrap_by_person(
    statistic: Callable[[np.ndarray], float],
    people: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> list[float]:
    """Computes the interval of any statistic.

    Args:
        statistic: Takes row numbers `(M,)`, repeated as drawn, and returns a number; nan where it is not defined.
        people: `(N,)` whose each row is.
        resamples: How often to resample.
        level: Share of the bootstrap values inside the interval.
        seed: Seed.

    Returns:
        `[low, high]`.

    Example:
        >>> import numpy as np
        >>> right = np.array([1, 1, 0, 1, 0, 1])
        >>> low, high = bootstrap_by_person(lambda rows: right[rows].mean(), ["a", "a", "b", "b", "c", "c"])
        >>> bool(low <= right.mean() <= high)
        True
    """
    weights = person_weights(people, resamples, seed)
    rows = np.arange(len(people))
    return interval(np.array([statistic(np.repeat(rows, drawn)) for drawn in weights]), level)


def classification_intervals(
    references: np.ndarray,
    scores: np.ndarray,
    people: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, list[float]]:
    """Returns the intervals of the four numbers of [`classification_scores`].

    The same as [`bootstrap_by_person`] over `classification_scores`, but each class is sorted once for all resamples.

    Args:
        references: `(N,)` classes.
        scores: `(N, K)` scores.
        people: `(N,)` whose each row is.
        resamples: How often to resample.
        level: Share of the bootstrap values inside the interval.
        seed: Seed.

    Returns:
        `{"auroc": [low, high], "f1": ..., "balanced_accuracy": ..., "accuracy": ...}`.
    """
    references, scores = np.asarray(references), np.asarray(scores, dtype=float)
    if not len(references) == len(scores) == len(people):
        raise ValueError(
            f"`references`, `scores` and `people` must be of one length, got {len(references)}, {len(scores)} and"
            f" {len(people)}."
        )
    weights = person_weights(people, resamples, seed).astype(float)
    truth = references[:, None] == np.arange(scores.shape[1])
    guess = scores.argmax(axis=1)[:, None] == np.arange(scores.shape[1])
    support = weights @ truth
    hits, named = weights @ (truth & guess), weights @ guess
    present = support > 0
    count = present.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = np.where(present, hits / support, 0.0)
        f1 = np.where(present, 2 * hits / (support + named), 0.0)
    areas = np.stack([_weighted_auroc(truth[:, k], scores[:, k], weights) for k in range(scores.shape[1])], axis=1)
    defined = ~np.isnan(areas)
    with np.errstate(invalid="ignore"):
        auroc = np.where(defined, areas, 0).sum(axis=1) / defined.sum(axis=1)
    values = {
        "auroc": auroc,
        "f1": f1.sum(axis=1) / count,
        "balanced_accuracy": recall.sum(axis=1) / count,
        "accuracy": hits.sum(axis=1) / weights.sum(axis=1),
    }
    return {name: interval(value, level) for name, value in values.items()}


def _weighted_auroc(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of a class in each resample, `(R,)`; a tie counts half, nan where a side is empty."""
    place = rankdata(scores, method="dense").astype(int) - 1
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))
    own = np.add.reduceat(weights[:, order] * truth[order], starts, axis=1)
    others = np.add.reduceat(weights[:, order] * ~truth[order], starts, axis=1)
    below = np.cumsum(others, axis=1) - others
    with np.errstate(invalid="ignore", divide="ignore"):
        return (own * (below + others / 2)).sum(axis=1) / (own.sum(axis=1) * others.sum(axis=1))
