"""Retrieval between days and captions in both directions, for one or several pool sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..days import SensorDay
from ..metrics import interval, person_weights, retrieval_ranks, retrieval_scores
from .encode import encode_days, encode_texts
from .tasks import RETRIEVAL_POOLS

DIRECTIONS = ("sensor_to_text", "text_to_sensor")
"""Retrieval directions: days as queries for texts, and texts as queries for days."""

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
    """Evaluates retrieval between days and captions in both directions, for one pool size.

    Args:
        model: A [`SensorLMModel`] with a text tower, in evaluation mode.
        processor: The processor of the model.
        days: Days.
        captions: One caption per day.
        pool: Number of candidates; see [`pool_ranks`].
        seed: Seed for pools and bootstrap.
        batch_size: Number of days or captions per batch.
        progress: Whether to show a progress bar.
        embeddings: `(len(days), D)` precomputed embeddings of `days`.

    Returns:
        Result of [`retrieval_curve`] for this pool size, and `pool`.

    Raises:
        ValueError: If there are fewer days than `pool`, not exactly one caption per day, or `embeddings` do not match.
    """
    if len(days) != len(captions):
        raise ValueError(f"Pass one caption per day, got {len(days)} days and {len(captions)} captions.")
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
    """Returns the rank of the correct candidate for every day and text within pools of one size.

    Args:
        sensor: `(N, D)` embeddings of days.
        text: `(N, D)` embeddings of their captions.
        pool: Number of candidates. The items are shuffled and split into pools; an incomplete last pool is dropped,
            since R@k depends on the pool size.
        seed: Seed of the pools.

    Returns:
        `(M,)` rows of the items, and for each direction in [`DIRECTIONS`] their `(M,)` ranks, starting from 1.

    Raises:
        ValueError: If the embeddings differ in shape, or `pool` is below 2 or larger than their number.
    """
    if sensor.shape != text.shape or sensor.ndim != 2:
        raise ValueError(f"`sensor` and `text` must both be (N, D), got {sensor.shape} and {text.shape}.")
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
    """Scores retrieval in both directions for several pool sizes.

    Args:
        sensor: `(N, D)` embeddings of days.
        text: `(N, D)` embeddings of their captions.
        people: `(N,)` person of each day.
        pools: Pool sizes; those above N are skipped.
        seed: Seed for pools and bootstrap.
        resamples: Number of bootstrap resamples of people.

    Returns:
        For each pool size, `sensor_to_text` and `text_to_sensor` with R@1, R@5, R@10 and the median rank; `chance`, the
        same for a random ranking; `intervals`, the 95 % confidence intervals of R@k over people by direction, given the
        ranks; and `days`.

    Raises:
        ValueError: If all pool sizes exceed the number of days.
    """
    sizes = sorted({pool for pool in pools if 2 <= pool <= len(sensor)})
    if not sizes:
        raise ValueError(f"All pool sizes {list(pools)} exceed the number of days ({len(sensor)}); pass a smaller one.")
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
