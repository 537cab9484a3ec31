"""Bootstrap intervals by subject: the vectorised version against a loop, and coverage."""

from __future__ import annotations

import numpy as np
import pytest

from sensorlm_hf.metrics import (
    bootstrap_by_person,
    classification_intervals,
    classification_scores,
    interval,
    person_weights,
)


def test_days_of_a_subject_are_resampled_together() -> None:
    people = ["a", "a", "b", "c", "c", "c"]
    weights = person_weights(people, 50, seed=1)
    assert weights.shape == (50, 6)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3:].std(axis=1) == 0).all()
    assert (weights[:, [0, 2, 3]].sum(axis=1) == 3).all()


@pytest.mark.parametrize("ties", [False, True])
def test_vectorised_classification_intervals_match_loop(ties: bool) -> None:
    rng = np.random.default_rng(0)
    references = rng.integers(0, 4, 60)
    references[references == 3] = np.where(
        np.arange((references == 3).sum()) < 2, 3, 0
    )  # a rare class, sometimes absent from a resample
    scores = rng.random((60, 4)) + 0.4 * (references[:, None] == np.arange(4))
    scores = np.round(scores, 1) if ties else scores
    people = [str(i // 5) for i in range(60)]
    quick = classification_intervals(references, scores, people, resamples=60, seed=3)
    for name, ends in quick.items():
        slow = bootstrap_by_person(
            lambda rows, name=name: classification_scores(references[rows], scores[rows])[name],
            people,
            resamples=60,
            seed=3,
        )
        assert ends == pytest.approx(slow)


def test_repeated_days_per_subject_widen_interval() -> None:
    rng = np.random.default_rng(4)
    right = np.repeat(rng.integers(0, 2, 30), 20)  # a subject is either always or never classified correctly
    by_person = bootstrap_by_person(lambda rows: right[rows].mean(), [str(i // 20) for i in range(600)], resamples=300)
    by_day = bootstrap_by_person(lambda rows: right[rows].mean(), [str(i) for i in range(600)], resamples=300)
    assert by_person[1] - by_person[0] > 3 * (by_day[1] - by_day[0])


def test_coverage_of_mean_interval() -> None:
    rng = np.random.default_rng(9)
    inside = 0
    for trial in range(60):
        values = rng.normal(size=40)
        low, high = bootstrap_by_person(
            lambda rows, values=values: values[rows].mean(), [str(i) for i in range(40)], resamples=200, seed=trial
        )
        inside += low <= 0 <= high
    assert 50 <= inside <= 60


def test_interval_ignores_undefined_scores() -> None:
    assert interval(np.array([1.0, np.nan, 3.0]), 0.9) == pytest.approx([1.1, 2.9])
    assert np.isnan(interval(np.array([np.nan]))).all()
    with pytest.raises(ValueError, match="between 0 and 1"):
        interval(np.array([1.0]), 95)


def test_invalid_input_raises() -> None:
    with pytest.raises(ValueError, match="0 rows"):
        person_weights([])
    with pytest.raises(ValueError, match="the same length"):
        classification_intervals(np.zeros(3, int), np.zeros((3, 2)), ["a"])
