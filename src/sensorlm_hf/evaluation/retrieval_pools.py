"""Retrieval in pools of many sizes: how R@k falls as candidates grow in number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .metrics import interval, person_weights, retrieval_ranks, retrieval_scores
from .tasks import RETRIEVAL_POOLS

WAYS = ("sensor_to_text", "text_to_sensor")
"""Query days for texts, and query texts for days."""


def pool_ranks(
    sensor: np.ndarray, text: np.ndarray, pool: int, *, seed: int = 0
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Ranks the right candidate of every day and text within pools of a size.

    Args:
        sensor: `(N, D)` embeddings of days.
        text: `(N, D)` embeddings of their captions.
        pool: Number of candidates. The items are shuffled and cut into pools; those that fill none are left out.
        seed: Seed of the pools.

    Returns:
        `(M,)` rows of the items, and for each of [`WAYS`] their `(M,)` ranks from 1.

    Raises:
        ValueError: If the embeddings do not match, or a pool is larger than their number or below 2.
    """
    if sensor.shape != text.shape or sensor.ndim != 2:
        raise ValueError(f"`sensor` and `text` must be (N, D) alike, got {sensor.shape} and {text.shape}.")
    if not 2 <= pool <= len(sensor):
        raise ValueError(f"`pool` must be between 2 and the number of items ({len(sensor)}), got {pool}.")
    order = np.random.default_rng(seed).permutation(len(sensor))
    order = order[: len(order) // pool * pool]
    ranks: dict[str, list[np.ndarray]] = {way: [] for way in WAYS}
    for rows in order.reshape(-1, pool):
        similarity = sensor[rows] @ text[rows].T
        ranks[WAYS[0]].append(retrieval_ranks(similarity))
        ranks[WAYS[1]].append(retrieval_ranks(similarity.T))
    return order, {way: np.concatenate(found) for way, found in ranks.items()}


def retrieval_curve(
    sensor: np.ndarray,
    text: np.ndarray,
    people: Sequence[str],
    *,
    pools: Sequence[int] = RETRIEVAL_POOLS,
    seed: int = 0,
    resamples: int = 1000,
) -> dict[str, Any]:
    """Scores retrieval both ways in pools of several sizes.

    Args:
        sensor: `(N, D)` embeddings of days.
        text: `(N, D)` embeddings of their captions.
        people: `(N,)` whose each day is.
        pools: Numbers of candidates; those above N are left out.
        seed: Seed of pools and bootstrap.
        resamples: Resamples of people for the intervals.

    Returns:
        `{"pools": {size: {"sensor_to_text": {"R@1", "R@5", "R@10", "median_rank", "intervals"}, "text_to_sensor": ...,
        "chance", "days"}}}`; intervals are of the three shares, with the ranks as they came out of the pools.

    Raises:
        ValueError: If no pool fits.
    """
    sizes = sorted({pool for pool in pools if 2 <= pool <= len(sensor)})
    if not sizes:
        raise ValueError(f"None of the pools {list(pools)} fits {len(sensor)} days; give a smaller one.")
    results: dict[int, dict[str, Any]] = {}
    for pool in sizes:
        rows, ranks = pool_ranks(sensor, text, pool, seed=seed)
        weights = person_weights([people[row] for row in rows], resamples, seed).astype(float)
        total = weights.sum(axis=1)
        entry: dict[str, Any] = {
            way: {
                **retrieval_scores(found),
                "intervals": {f"R@{k}": interval(weights @ (found <= k) / total) for k in (1, 5, 10)},
            }
            for way, found in ranks.items()
        }
        entry["chance"] = {**{f"R@{k}": min(1.0, k / pool) for k in (1, 5, 10)}, "median_rank": (pool + 1) / 2}
        results[pool] = {**entry, "days": len(rows)}
    return {"pools": results}
