"""Summary features and gradient boosting on them."""

from __future__ import annotations

import numpy as np
import pytest

from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.evaluation.baselines import evaluate_gradient_boosting, summary_features, summary_table
from sensorlm_hf.evaluation.tasks import PROBE_TASKS, get_task


def test_features_by_hand() -> None:
    day = simulate_days(1, seed=5)[0]
    features = summary_features(day).reshape(9, 26)
    heart = day.channel("HR").astype(float)
    assert features[0, 0] == pytest.approx(np.nanmean(heart), rel=1e-5)
    assert features[1, 0] == pytest.approx(np.nanstd(heart), rel=1e-4)
    assert features[4, 0] == pytest.approx(np.nanmedian(heart), rel=1e-5)
    assert features[8, 0] == pytest.approx(np.isfinite(heart).mean(), rel=1e-5)


def test_boosting_tells_indoors_from_outdoors() -> None:
    task = get_task("environment")
    days = [day for day in simulate_days(400, seed=8, days_per_person=2) if task.class_of(day) is not None]
    result = evaluate_gradient_boosting(days, task, iterations=15, folds=2)
    assert result["auroc"] > 0.65
    assert result["days"] == len(days)
    assert result["chance"]["auroc"] == 0.5


def test_boosting_learns_from_other_people() -> None:
    task = get_task("environment")
    days = simulate_days(400, seed=8, days_per_person=2)
    train, test = days[:300], days[300:]
    result = evaluate_gradient_boosting(test, task, iterations=15, train_days=train)
    assert result["auroc"] > 0.65
    assert result["days"] == sum(task.class_of(day) is not None for day in test)
    assert result["train_days"] == sum(task.class_of(day) is not None for day in train)
    with pytest.raises(ValueError, match="in `train_days` and in `days`"):
        evaluate_gradient_boosting(test, task, train_days=days)


def test_bad_input() -> None:
    days = simulate_days(6, seed=5, days_per_person=1)
    with pytest.raises(ValueError, match="at least one"):
        summary_table([])
    with pytest.raises(ValueError, match=r"days\[6\]"):
        summary_table([*days, *simulate_days(1, schema="sensorlm-34")])
    with pytest.raises(ValueError, match="a row for each"):
        evaluate_gradient_boosting(days * 5, PROBE_TASKS["hypertension"], features=np.zeros((1, 3)))
