"""Classification scores compared with scikit-learn and hand computations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from sensorlm_hf.metrics import classification_scores


def pairwise_auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    """AUROC by definition: how often a positive outranks a negative, counting ties as half."""
    wins = sum((p > n) + 0.5 * (p == n) for p in positive for n in negative)
    return wins / (len(positive) * len(negative))


def test_scores_match_definition_and_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    references = rng.integers(0, 4, 60)
    scores = np.round(rng.normal(size=(60, 4)) + 0.8 * np.eye(4)[references], 1)
    result = classification_scores(references, scores)
    for k in range(4):
        expected = pairwise_auroc(scores[references == k, k], scores[references != k, k])
        assert result["auroc_per_class"][k] == pytest.approx(expected)
    # scikit-learn's multiclass AUROC requires probabilities; rescaling rows would change the one-vs-rest order, so the
    # comparison uses scores that already are probabilities.
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    ours = classification_scores(references, probabilities)
    assert ours["auroc"] == pytest.approx(roc_auc_score(references, probabilities, multi_class="ovr"))
    assert result["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(references, scores.argmax(1)))


def test_scores_by_hand() -> None:
    scores = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]])
    result = classification_scores(np.array([0, 0, 1, 1]), scores)
    assert result["auroc"] == pytest.approx(0.75)
    assert result["accuracy"] == 0.75
    assert result["balanced_accuracy"] == pytest.approx((1.0 + 0.5) / 2)
    assert result["f1"] == pytest.approx((0.8 + 2 / 3) / 2)


def test_absent_classes_are_excluded_and_reported() -> None:
    scores = np.eye(3)[[0, 0, 1]]
    result = classification_scores(np.array([0, 0, 1]), scores)
    assert result["auroc_per_class"] == [1.0, 1.0, None]
    assert result["auroc"] == result["f1"] == result["balanced_accuracy"] == 1.0
    assert result["support"] == [2, 1, 0]


def test_auroc_is_undefined_for_single_class() -> None:
    assert math.isnan(classification_scores(np.zeros(3, int), np.eye(3)[[0, 0, 1]])["auroc"])


def test_equal_scores_are_at_chance() -> None:
    assert classification_scores(np.array([0, 1, 0, 1]), np.zeros((4, 2)))["auroc"] == 0.5


@pytest.mark.parametrize(
    ("references", "scores", "words"),
    [
        (np.array([0, 1]), np.zeros((3, 2)), "got"),
        (np.array([0, 2]), np.zeros((2, 2)), "from 0 to 1"),
        (np.array([0, 1]), np.array([[0, 1], [np.nan, 0]]), "row 1"),
        (np.array([], int), np.zeros((0, 2)), "N >= 1"),
    ],
)
def test_invalid_input_raises(references: np.ndarray, scores: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        classification_scores(references, scores)
