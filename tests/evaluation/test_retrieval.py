"""Retrieval compared with hand computations, and in pools of several sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from evaluation_cases import at, embedded_day, stubs

from sensorlm_hf.evaluation import evaluate_retrieval
from sensorlm_hf.evaluation.retrieval import pool_ranks, retrieval_curve
from sensorlm_hf.metrics import retrieval_ranks

ANGLES = (0, 40, 80, 120)


def days_at(*angles: float) -> list[Any]:
    return [embedded_day(at(angle), number) for number, angle in enumerate(angles)]


def test_perfect_model_ranks_first_in_both_directions() -> None:
    model, processor = stubs({f"t{angle}": at(angle) for angle in ANGLES})
    result = evaluate_retrieval(model, processor, days_at(*ANGLES), [f"t{angle}" for angle in ANGLES], pool=4)
    perfect = {"R@1": 1.0, "R@5": 1.0, "R@10": 1.0, "median_rank": 1.0}
    assert result["sensor_to_text"] == result["text_to_sensor"] == perfect
    assert result["chance"] == {"R@1": 0.25, "R@5": 1.0, "R@10": 1.0, "median_rank": 2.5}
    assert (result["pool"], result["days"]) == (4, 4)


def test_both_directions_by_hand() -> None:
    # Captions at 0, 90 and 100 degrees; days at 10, 20 and 98.
    model, processor = stubs({"a": at(0), "b": at(90), "c": at(100)})
    result = evaluate_retrieval(model, processor, days_at(10, 20, 98), ["a", "b", "c"], pool=3)
    # Day 20 is nearest to a, then to its own b. Caption b is nearest to the day at 98, then to its own at 20.
    assert result["sensor_to_text"] == pytest.approx({"R@1": 2 / 3, "R@5": 1.0, "R@10": 1.0, "median_rank": 1.0})
    assert result["text_to_sensor"] == pytest.approx({"R@1": 2 / 3, "R@5": 1.0, "R@10": 1.0, "median_rank": 1.0})
    # Captions at 0 and 65, days at 50 and 70: each caption is nearest to its own day, but the day at 50 to that at 65.
    model, processor = stubs({"a": at(0), "b": at(65)})
    result = evaluate_retrieval(model, processor, days_at(50, 70), ["a", "b"], pool=2)
    assert result["sensor_to_text"]["R@1"] == 0.5
    assert result["text_to_sensor"]["R@1"] == 1.0


def test_identical_captions_share_ranks() -> None:
    """Identical captions cannot be distinguished, so such days are ranked between the two."""
    model, processor = stubs({"same": at(0), "other": at(90)})
    result = evaluate_retrieval(model, processor, days_at(0, 0, 90), ["same", "same", "other"], pool=3)
    assert result["sensor_to_text"]["R@1"] == pytest.approx(1 / 3)
    assert result["sensor_to_text"]["median_rank"] == 1.5


def test_days_are_shuffled_into_equal_pools() -> None:
    model, processor = stubs({f"t{i}": at(i) for i in range(11)})
    days, captions = days_at(*range(11)), [f"t{i}" for i in range(11)]
    result = evaluate_retrieval(model, processor, days, captions, pool=4, seed=3)
    assert result["days"] == 8, "the three days that do not fill a pool should be dropped"
    assert result["sensor_to_text"]["R@1"] == 1.0
    # Every text is shifted by one: whether the correct one is ranked high depends on the pools.
    wrong = [captions[-1], *captions[:-1]]
    told = [evaluate_retrieval(model, processor, days, wrong, pool=4, seed=s)["sensor_to_text"] for s in (3, 3, 4)]
    assert told[0] == told[1]


def test_precomputed_embeddings_are_used() -> None:
    model, processor = stubs({"a": at(0), "b": at(90)})
    rows = np.array([at(90), at(0)], np.float32)
    result = evaluate_retrieval(model, processor, days_at(0, 90), ["a", "b"], pool=2, embeddings=rows)
    assert result["sensor_to_text"]["R@1"] == 0.0
    assert processor.batches == [2], "only texts should be encoded"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"captions": ["a"]}, "one caption per day, got 2 days and 1 captions"),
        ({"pool": 3}, r"`pool` must be between 2 and the number of days \(2\), got 3"),
        ({"pool": 1}, "between 2 and"),
        ({"embeddings": np.zeros((3, 2))}, "a row for each of the 2 days, got 3"),
    ],
)
def test_invalid_input_raises(change: dict[str, Any], words: str) -> None:
    model, processor = stubs({"a": at(0), "b": at(90)})
    options: dict[str, Any] = {"captions": ["a", "b"], "pool": 2, **change}
    with pytest.raises(ValueError, match=words):
        evaluate_retrieval(model, processor, days_at(0, 90), **options)


# Pools of several sizes


def embeddings(n: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    sensor = rng.normal(size=(n, 16))
    text = sensor + noise * rng.normal(size=(n, 16))
    return tuple(x / np.linalg.norm(x, axis=1, keepdims=True) for x in (sensor, text))


def test_single_pool_matches_full_matrix() -> None:
    sensor, text = embeddings(40, 1.0)
    rows, ranks = pool_ranks(sensor, text, 40)
    expected = retrieval_ranks(sensor @ text.T)
    assert ranks["sensor_to_text"].tolist() == expected[rows].tolist()
    assert ranks["text_to_sensor"].tolist() == retrieval_ranks(text @ sensor.T)[rows].tolist()


def test_recall_decreases_with_pool_size() -> None:
    sensor, text = embeddings(600, 1.0)
    people = [str(i // 4) for i in range(600)]
    curve = retrieval_curve(sensor, text, people, pools=(10, 100, 600, 10_000))
    assert list(curve) == [10, 100, 600]
    recall = [curve[pool]["sensor_to_text"]["R@1"] for pool in curve]
    assert recall[0] > recall[1] > recall[2]
    for pool, entry in curve.items():
        assert entry["days"] == 600 // pool * pool
        assert entry["chance"]["R@10"] == 10 / max(pool, 10)
        low, high = entry["intervals"]["text_to_sensor"]["R@5"]
        assert low <= entry["text_to_sensor"]["R@5"] <= high


def test_random_embeddings_are_at_chance() -> None:
    rng = np.random.default_rng(1)
    curve = retrieval_curve(
        rng.normal(size=(1000, 8)), rng.normal(size=(1000, 8)), [str(i) for i in range(1000)], pools=(50,)
    )
    assert curve[50]["sensor_to_text"]["R@5"] == pytest.approx(0.1, abs=0.03)
    assert curve[50]["sensor_to_text"]["median_rank"] == pytest.approx(25.5, abs=3)


def test_invalid_pool_sizes_raise() -> None:
    sensor, text = embeddings(10, 1.0)
    with pytest.raises(ValueError, match=r"All pool sizes \[100\] exceed the number of days \(10\)"):
        retrieval_curve(sensor, text, ["a"] * 10, pools=(100,))
    with pytest.raises(ValueError, match="between 2 and"):
        pool_ranks(sensor, text, 11)
    with pytest.raises(ValueError, match="must both be"):
        pool_ranks(sensor, text[:5], 2)
