"""Retrieval between days and captions, both ways, in pools of one size or of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..days import SensorDay
from .encode import encode_days, encode_texts
from .metrics import interval, person_weights, retrieval_ranks, retrieval_scores
from .tasks import RETRIEVAL_POOLS

DIRECTIONS = ("sensor_to_text", "text_to_sensor")
"""Days as queries for texts, and texts as queries for days."""

_KS = (1, 5, 10)


def evaluate_retrieval(
    model: Any,
    processor: Any,
    days: Sequence[SensorDay],
    captions: Sequence[str],
    *,
    pool: int = 100,
    seed: int = 0,
    batch_size: int = 64,
    progress: bool = False,
    embeddings: np.ndarray | None = None,
) -> dict[str, Any]:
    """Ranks captions for days and days for captions, in pools of one size.

    Args:
        model: A [`SensorLMModel`] with a text tower, in evaluation mode.
        processor: Its processor.
        days: Days.
        captions: One caption per day.
        pool: Number of candidates; see [`pool_ranks`].
        seed: Seed of the pools and the bootstrap.
        batch_size: Days or captions embedded at once.
        progress: Whether to show a progress bar.
        embeddings: `(len(days), D)` embeddings of `days`, if already computed.

    Returns:
        What [`retrieval_curve`] returns for the pool, and `pool`.

    Raises:
        ValueError: If there are fewer days than a pool takes, not one caption per day, or `embeddings` do not fit.
    """
    if len(days) != len(captions):
        raise ValueError(f"Give one caption a day, got {len(days)} days and {len(captions)} captions.")
    if not 2 <= pool <= len(days):
        raise ValueError(f"`pool` must be between 2 and the number of days ({len(days)}), got {pool}.")
    if embeddings is not None and len(embeddings) != len(days):
        raise ValueError(f"`embeddings` must have a row for each of the {len(days)} days, got {len(embeddings)}.")
    if embeddings is None:
        embeddings = encode_days(model, processor, days, batch_size=batch_size, progress=progress)
    texts = encode_texts(model, processor, captions, batch_size=batch_size, progress=progress)
    people = [day.subject_id for day in days]
    return {**retrieval_curve(embeddings, texts, people, pools=(pool,), seed=seed)[pool], "pool": pool}


def pool_ranks(
    sensor: np.ndarray, text: np.ndarray, pool: int, *, seed: int = 0
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Ranks the correct candidate of every day and text within pools of one size.

    Args:
        sensor: `(N, D)` embeddings of days.
        text: `(N, D)` embeddings of their captions.
        pool: Number of candidates. The items are shuffled and cut into pools; those that do not fill a last pool are
            left out, since R@k depends on the pool's size.
        seed: Seed of the pools.

    Returns:
        `(M,)` rows of the items, and for each of [`DIRECTIONS`] their `(M,)` ranks from 1.

    Raises:
        ValueError: If the embeddings do not match, or a pool is larger than their number or below 2.
    """
    if sensor.shape != text.shape or sensor.ndim != 2:
        raise ValueError(f"`sensor` and `text` must be (N, D) alike, got {sensor.shape} and {text.shape}.")
    if not 2 <= pool <= len(sensor):
        raise ValueError(f"`pool` must be between 2 and the number of items ({len(sensor)}), got {pool}.")
    order = np.random.default_rng(seed).permutation(len(sensor))
    order = order[: len(order) // pool * pool]
    similarities = [sensor[rows] @ text[rows].T for rows in order.reshape(-1, pool)]
    ranks = [[retrieval_ranks(matrix), retrieval_ranks(matrix.T)] for matrix in similarities]
    return order, {way: np.concatenate([pair[i] for pair in ranks]) for i, way in enumerate(DIRECTIONS)}


def retrieval_curve(
    sensor: np.ndarray,
    text: np.ndarray,
    people: Sequence[str],
    *,
    pools: Sequence[int] = RETRIEVAL_POOLS,
    seed: int = 0,
    resamples: int = 1000,
) -> dict[int, dict[str, Any]]:
    """Scores retrieval both ways in pools of several sizes.

    Args:
        sensor: `(N, D)` embeddings of days.
        text: `(N, D)` embeddings of their captions.
        people: `(N,)` person of each day.
        pools: Numbers of candidates; those above N are left out.
        seed: Seed of pools and bootstrap.
        resamples: Resamples of people for the intervals.

    Returns:
        For each pool size `sensor_to_text` and `text_to_sensor`, each with R@1, R@5, R@10 and the median rank;
        `chance` with the same for a random order; `intervals`, by direction, the 95 % confidence intervals of R@k over
        people, given the ranks; and `days`.

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
        results[pool] = {
            **{way: retrieval_scores(found, _KS) for way, found in ranks.items()},
            "chance": {**{f"R@{k}": min(1.0, k / pool) for k in _KS}, "median_rank": (pool + 1) / 2},
            "intervals": {
                way: {f"R@{k}": interval(weights @ (found <= k) / total) for k in _KS} for way, found in ranks.items()
            },
            "days": len(rows),
        }
    return results
