"""Ranks of the right match, R@k and the median rank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def retrieval_ranks(similarities: np.ndarray) -> np.ndarray:
    """Ranks the right candidate of each query.

    Args:
        similarities: `(N, N)`; row = query, column = candidate, the right candidate of query i is i.

    Returns:
        `(N,)` ranks from 1. A tie takes the mean of the places that the tied candidates share, so that a model which
        gives every candidate the same score is ranked in the middle and not first.

    Raises:
        ValueError: If the matrix is not square or not finite.
    """
    similarities = np.asarray(similarities, dtype=float)
    if similarities.ndim != 2 or similarities.shape[0] != similarities.shape[1] or len(similarities) == 0:
        raise ValueError(f"`similarities` must be a square matrix, got shape {similarities.shape}.")
    if not np.isfinite(similarities).all():
        raise ValueError("`similarities` must be finite.")
    right = np.diagonal(similarities)[:, None]
    above = (similarities > right).sum(axis=1)
    tied = (similarities == right).sum(axis=1) - 1
    return 1 + above + tied / 2


def retrieval_scores(ranks: np.ndarray, ks: Sequence[int] = (1, 5, 10)) -> dict[str, float]:
    """Returns `R@k` for each k, the share of queries whose rank is at most k, and `median_rank`.

    Raises:
        ValueError: If there is no rank or a k is below 1.
    """
    ranks = np.asarray(ranks, dtype=float)
    if ranks.ndim != 1 or len(ranks) == 0 or min(ks) < 1:
        raise ValueError(f"`ranks` must be (N,) with N >= 1 and every k at least 1, got {ranks.shape} and {list(ks)}.")
    scores = {f"R@{k}": float(np.mean(ranks <= k)) for k in ks}
    return {**scores, "median_rank": float(np.median(ranks))}
