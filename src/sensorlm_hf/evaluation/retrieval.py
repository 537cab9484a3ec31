"""Retrieval between days and captions, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..days import SensorDay
from .encode import encode_days, encode_texts
from .metrics import retrieval_ranks, retrieval_scores


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
    """Ranks captions for days and days for captions, in pools of a fixed size.

    The days are shuffled and cut into pools; ranks are gathered over all of them. Days that do not fill a last pool
    are left out, since R@k depends on the pool's size.

    Args:
        model: A [`SensorLMModel`] with a text tower, in evaluation mode.
        processor: Its processor.
        days: Days.
        captions: One caption a day.
        pool: Number of candidates.
        seed: Seed of the pools.
        batch_size: Days or captions embedded at once.
        progress: Whether to show a progress bar.
        embeddings: `(len(days), D)` embeddings of `days`, when they are there already.

    Returns:
        `sensor_to_text` and `text_to_sensor`, each with R@1, R@5, R@10 and the median rank; `chance` with the same for
        a random order; `pool` and `days`.

    Raises:
        ValueError: If there are fewer days than a pool takes, not one caption a day, or `embeddings` do not fit.
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
    order = np.random.default_rng(seed).permutation(len(days))
    ways: dict[str, list[np.ndarray]] = {"sensor_to_text": [], "text_to_sensor": []}
    for start in range(0, len(days) - pool + 1, pool):
        rows = order[start : start + pool]
        similarity = embeddings[rows] @ texts[rows].T
        ways["sensor_to_text"].append(retrieval_ranks(similarity))
        ways["text_to_sensor"].append(retrieval_ranks(similarity.T))
    return {
        **{name: retrieval_scores(np.concatenate(ranks)) for name, ranks in ways.items()},
        "chance": {**{f"R@{k}": min(1.0, k / pool) for k in (1, 5, 10)}, "median_rank": (pool + 1) / 2},
        "pool": pool,
        "days": len(days) // pool * pool,
    }
