"""Leave-pair-out AUROC of a linear probe for small numbers of people, and its chance range."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from sensorlm_hf.evaluation.supervised import fit_predict, logistic_probe


def leave_pair_out(features: np.ndarray, positive: np.ndarray, groups: Sequence[str]) -> tuple[float, int]:
    """Ranks every pair of a positive and a negative item with a probe trained on the other groups.

    With few people, scores pooled over folds are biased, since holding out a positive changes the prevalence in
    training. Ranking pairs is nearly unbiased (Airola et al., "An experimental comparison of
    cross-validation techniques for estimating the area under the ROC curve", Computational Statistics & Data Analysis
    55(4), 2011, doi:10.1016/j.csda.2010.11.018).

    Args:
        features: `(N, D)`; NaN is replaced by the mean of its column.
        positive: `(N,)` whether each item is of the positive class.
        groups: `(N,)` group of each item, such as the person; groups are held out as a unit.

    Returns:
        AUROC, the share of correctly ranked pairs (ties count half, nan without pairs), and the number of pairs.

    Raises:
        ValueError: If the arguments differ in length.
    """
    features, positive = np.asarray(features, dtype=float), np.asarray(positive, dtype=bool)
    if features.ndim != 2 or not len(features) == len(positive) == len(groups):
        raise ValueError(
            "Pass one row of features, one class and one group per item, got features of shape"
            f" {features.shape}, {len(positive)} classes and {len(groups)} groups."
        )
    column = np.nansum(features, axis=0) / np.maximum(np.isfinite(features).sum(axis=0), 1)
    features = np.where(np.isfinite(features), features, column)
    who = np.asarray(groups)
    right, pairs = 0.0, 0
    for one, other in itertools.combinations_with_replacement(sorted(set(groups)), 2):
        out = (who == one) | (who == other)
        up, down = np.flatnonzero(out & positive), np.flatnonzero(out & ~positive)
        # For two different groups, only pairs across them count; pairs within a group count when it is paired with
        # itself.
        couples = [(i, j) for i in up for j in down if one == other or who[i] != who[j]]
        if not couples or len(set(positive[~out].tolist())) < 2:
            continue
        scores = np.zeros(len(who))
        scores[out] = fit_predict(logistic_probe(), features[~out], positive[~out].astype(int), features[out], 2)[:, 1]
        right += sum(1.0 if scores[i] > scores[j] else 0.5 * (scores[i] == scores[j]) for i, j in couples)
        pairs += len(couples)
    return (right / pairs if pairs else float("nan")), pairs


def spread_by_chance(
    features: np.ndarray, positive: np.ndarray, groups: Sequence[str], draws: int = 100, seed: int = 0
) -> tuple[float, float]:
    """Returns the 95 % range of [`leave_pair_out`] under shuffled classes.

    Args:
        features: See [`leave_pair_out`].
        positive: See [`leave_pair_out`].
        groups: See [`leave_pair_out`].
        draws: Number of shuffles.
        seed: Seed of the shuffles.

    Returns:
        The 2.5 % and 97.5 % quantiles of AUROC over the draws.
    """
    rng = np.random.default_rng(seed)
    found = [leave_pair_out(features, rng.permutation(positive), groups)[0] for _ in range(draws)]
    low, high = np.nanquantile(found, [0.025, 0.975])
    return float(low), float(high)
