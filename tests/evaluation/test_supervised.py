"""Linear probes, few-shot learning and gradient boosting with subject-disjoint splits."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timezone

import numpy as np
import pytest

from sensorlm_hf import SensorDay
from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.evaluation.supervised import (
    cross_validated,
    evaluate_few_shot,
    evaluate_gradient_boosting,
    evaluate_probe,
    fit_predict,
    logistic_probe,
    person_folds,
    summary_features,
    summary_table,
)
from sensorlm_hf.evaluation.tasks import PROBE_TASKS, SHOTS, ProbeTask, get_task

COLOURS = ProbeTask("colour", "Which colour.", "colour", ("red", "green", "blue"), {"red": 0, "green": 1, "blue": 2})


def make(people: int = 30, days_each: int = 4, noise: float = 0.6) -> tuple[np.ndarray, list[SensorDay]]:
    """Days whose embedding encodes the colour, and the subject even more strongly."""
    rng = np.random.default_rng(0)
    rows, days = [], []
    for person in range(people):
        own = rng.normal(size=4)
        for _ in range(days_each):
            k = int(rng.integers(3))
            rows.append(np.concatenate([np.eye(3)[k] + noise * rng.normal(size=3), own]))
            start = datetime(2024, 3, 1, tzinfo=timezone.utc)
            days.append(SensorDay(np.zeros((5, 26)), start, f"p{person}", labels={"colour": COLOURS.class_names[k]}))
    return np.array(rows), days


def test_folds_are_subject_disjoint_and_stratified() -> None:
    _, days = make()
    references = np.array([COLOURS.class_of(day) for day in days])
    people = [day.subject_id for day in days]
    part = person_folds(references, people)
    assert set(part) == set(range(5))
    for person in set(people):
        assert len({part[i] for i in range(len(people)) if people[i] == person}) == 1
    assert (part == person_folds(references, people)).all()
    assert (part != person_folds(references, people, seed=1)).any()


def test_rare_classes_fall_back_to_random_subject_split() -> None:
    part = person_folds(np.array([0, 1, 2, 0, 1, 2]), ["a", "a", "b", "c", "d", "e"])
    assert part[0] == part[1]
    assert set(part) == set(range(5))


def test_probe_learns_label_but_not_subject() -> None:
    features, days = make()
    result = evaluate_probe(features, days, COLOURS)
    assert result["auroc"] > 0.85
    assert result["intervals"]["auroc"][0] < result["auroc"] < result["intervals"]["auroc"][1]
    assert (result["days"], result["people"]) == (120, 30)
    # If the label depends on the subject, embeddings that identify the subject must not help. With few subjects they
    # mislead: a label that is frequent among those held out is rarer among the others.
    features, days = make(90)
    marks = [{"colour": COLOURS.class_names[int(day.subject_id[1:]) % 3]} for day in days]
    marked = [dataclasses.replace(day, labels=mark) for day, mark in zip(days, marks, strict=True)]
    assert abs(evaluate_probe(features[:, 3:], marked, COLOURS)["auroc"] - 0.5) < 0.1


def test_probe_is_not_fitted_on_test_subjects() -> None:
    seen: list[tuple[set[float], set[float]]] = []

    class Spy:
        def fit(self, x: np.ndarray, y: np.ndarray) -> None:
            self.known, self.classes_ = set(x[:, 0]), np.unique(y)

        def predict_proba(self, x: np.ndarray) -> np.ndarray:
            seen.append((self.known, set(x[:, 0])))
            return np.full((len(x), len(self.classes_)), 1 / len(self.classes_))

    people = np.repeat(np.arange(10), 3)
    cross_validated(people[:, None].astype(float), np.tile([0, 1, 2], 10), people.astype(str), 3, make=Spy)
    assert len(seen) == 5
    assert all(not known & new for known, new in seen)


def test_few_shot_improves_with_number_of_days() -> None:
    features, days = make(people=60, noise=0.9)
    result = evaluate_few_shot(features, days, COLOURS, shots=(1, 10, 30), repeats=6)
    shots = result["shots"]
    assert shots[30]["auroc"] > shots[1]["auroc"] > 0.5
    assert shots[1]["classes"] == 3
    assert result == evaluate_few_shot(features, days, COLOURS, shots=(1, 10, 30), repeats=6)


def test_shots_beyond_class_size_are_skipped() -> None:
    features, days = make(people=12)
    assert set(evaluate_few_shot(features, days, COLOURS, shots=(1, 500), repeats=2)["shots"]) == {1}


def test_classes_absent_from_training_have_zero_probability() -> None:
    rng = np.random.default_rng(0)
    scores = fit_predict(logistic_probe(), rng.normal(size=(10, 2)), np.array([0, 2] * 5), rng.normal(size=(4, 2)), 4)
    assert (scores[:, [1, 3]] == 0).all()
    assert scores.sum(axis=1) == pytest.approx(np.ones(4))
    single = fit_predict(logistic_probe(), np.zeros((3, 2)), np.array([1, 1, 1]), np.zeros((2, 2)), 2)
    assert single.tolist() == [[0, 1], [0, 1]]


def test_conditions_use_boolean_labels() -> None:
    start = datetime(2024, 3, 1, tzinfo=timezone.utc)
    day = SensorDay(np.zeros((5, 26)), start, "p", labels={"anxiety": True, "hypertension": False})
    assert PROBE_TASKS["anxiety"].class_of(day) == 1
    assert PROBE_TASKS["hypertension"].class_of(day) == 0
    assert PROBE_TASKS["activity"].class_of(day) is None
    assert SHOTS == (1, 5, 10, 20, 50)


def test_invalid_input_raises() -> None:
    features, days = make(people=4)
    with pytest.raises(ValueError, match="a row for each"):
        evaluate_probe(features[:-1], days, COLOURS)
    with pytest.raises(ValueError, match=r"labels\['anxiety'\]"):
        evaluate_probe(features, days, PROBE_TASKS["anxiety"])
    with pytest.raises(ValueError, match="at least 1"):
        evaluate_few_shot(features, days, COLOURS, shots=(0,))


# Gradient boosting on summary features


def test_summary_features_by_hand() -> None:
    day = simulate_days(1, seed=5)[0]
    features = summary_features(day).reshape(9, 26)
    heart = day.channel("HR").astype(float)
    assert features[0, 0] == pytest.approx(np.nanmean(heart), rel=1e-5)
    assert features[1, 0] == pytest.approx(np.nanstd(heart), rel=1e-4)
    assert features[4, 0] == pytest.approx(np.nanmedian(heart), rel=1e-5)
    assert features[8, 0] == pytest.approx(np.isfinite(heart).mean(), rel=1e-5)


def test_boosting_distinguishes_indoors_from_outdoors() -> None:
    task = get_task("environment")
    days = [day for day in simulate_days(400, seed=8, days_per_person=2) if task.class_of(day) is not None]
    result = evaluate_gradient_boosting(days, task, iterations=15, folds=2)
    assert result["auroc"] > 0.65
    assert result["days"] == len(days)
    assert result["chance"]["auroc"] == 0.5


def test_boosting_is_trained_on_other_subjects() -> None:
    task = get_task("environment")
    days = simulate_days(400, seed=8, days_per_person=2)
    train, test = days[:300], days[300:]
    result = evaluate_gradient_boosting(test, task, iterations=15, train_days=train)
    assert result["auroc"] > 0.65
    assert result["days"] == sum(task.class_of(day) is not None for day in test)
    assert result["train_days"] == sum(task.class_of(day) is not None for day in train)
    with pytest.raises(ValueError, match="in both `train_days` and `days`"):
        evaluate_gradient_boosting(test, task, train_days=days)


def test_incompatible_days_raise() -> None:
    days = simulate_days(6, seed=5, days_per_person=1)
    with pytest.raises(ValueError, match="at least one"):
        summary_table([])
    with pytest.raises(ValueError, match=r"days\[6\]"):
        summary_table([*days, *simulate_days(1, schema="sensorlm-34")])
    with pytest.raises(ValueError, match="a row for each"):
        evaluate_gradient_boosting(days * 5, PROBE_TASKS["hypertension"], features=np.zeros((1, 3)))
