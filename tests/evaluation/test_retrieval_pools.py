"""Retrieval in pools of many sizes."""

from __future__ import annotations

import numpy as np
import pytest

from sensorlm_hf.evaluation.metrics import retrieval_ranks
from sensorlm_hf.evaluation.retrieval_pools import pool_ranks, retrieval_curve


def embeddings(n: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    sensor = rng.normal(size=(n, 16))
    text = sensor + noise * rng.normal(size=(n, 16))
    return tuple(x / np.linalg.norm(x, axis=1, keepdims=True) for x in (sensor, text))


def test_one_pool_of_all_is_the_whole_matrix() -> None:
    sensor, text = embeddings(40, 1.0)
    rows, ranks = pool_ranks(sensor, text, 40)
    expected = retrieval_ranks(sensor @ text.T)
    assert ranks["sensor_to_text"].tolist() == expected[rows].tolist()
    assert ranks["text_to_sensor"].tolist() == retrieval_ranks(text @ sensor.T)[rows].tolist()


def test_recall_falls_as_pools_grow() -> None:
    sensor, text = embeddings(600, 1.0)
    people = [str(i // 4) for i in range(600)]
    curve = retrieval_curve(sensor, text, people, pools=(10, 100, 600, 10_000))["pools"]
    assert list(curve) == [10, 100, 600]
    recall = [curve[pool]["sensor_to_text"]["R@1"] for pool in curve]
    assert recall[0] > recall[1] > recall[2]
    for pool, entry in curve.items():
        assert entry["days"] == 600 // pool * pool
        assert entry["chance"]["R@10"] == 10 / max(pool, 10)
        low, high = entry["text_to_sensor"]["intervals"]["R@5"]
        assert low <= entry["text_to_sensor"]["R@5"] <= high


def test_a_model_that_knows_nothing_is_at_chance() -> None:
    rng = np.random.default_rng(1)
    curve = retrieval_curve(
        rng.normal(size=(1000, 8)), rng.normal(size=(1000, 8)), [str(i) for i in range(1000)], pools=(50,)
    )
    assert curve["pools"][50]["sensor_to_text"]["R@5"] == pytest.approx(0.1, abs=0.03)
    assert curve["pools"][50]["sensor_to_text"]["median_rank"] == pytest.approx(25.5, abs=3)


def test_bad_input() -> None:
    sensor, text = embeddings(10, 1.0)
    with pytest.raises(ValueError, match=r"None of the pools \[100\] fits 10 days"):
        retrieval_curve(sensor, text, ["a"] * 10, pools=(100,))
    with pytest.raises(ValueError, match="between 2 and"):
        pool_ranks(sensor, text, 11)
    with pytest.raises(ValueError, match="alike"):
        pool_ranks(sensor, text[:5], 2)
