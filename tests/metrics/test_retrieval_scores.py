"""Retrieval ranks and scores by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sensorlm_hf.metrics import retrieval_ranks, retrieval_scores


def test_ranks_by_hand() -> None:
    similarities = np.array([[3, 1, 2], [5, 4, 6], [0, 0, 0]])
    assert retrieval_ranks(similarities).tolist() == [1, 3, 2]  # the last row is a three-way tie: the middle rank


def test_constant_model_ranks_in_the_middle() -> None:
    ranks = retrieval_ranks(np.ones((101, 101)))
    assert np.all(ranks == 51)
    assert retrieval_scores(ranks)["R@10"] == 0


def test_scores_by_hand() -> None:
    scores = retrieval_scores(np.array([1, 2, 6, 20]))
    assert scores == {"R@1": 0.25, "R@5": 0.5, "R@10": 0.75, "median_rank": 4.0}


@pytest.mark.parametrize("bad", [np.zeros((2, 3)), np.zeros((0, 0)), np.array([[np.nan]])])
def test_invalid_input_raises(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="similarities"):
        retrieval_ranks(bad)


def test_k_below_one_raises() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        retrieval_scores(np.array([1]), ks=(0,))
