"""Leave-pair-out evaluation: it detects signal, reports chance without signal, and does not leak items."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from pair_probe import leave_pair_out, spread_by_chance

from sensorlm_hf.evaluation.supervised import logistic_probe


def make(signal: float, people: int = 10, each: int = 3) -> tuple[np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(1)
    positive = np.tile([True, False, True, False, False], people * each)[: people * each]
    features = rng.normal(size=(people * each, 3))
    features[:, 0] += signal * positive
    return features, positive, [f"p{i // each}" for i in range(people * each)]


def test_leave_pair_out_detects_signal() -> None:
    auroc, pairs = leave_pair_out(*make(signal=6))
    assert auroc > 0.97
    features, positive, groups = make(signal=6)
    assert pairs == positive.sum() * (~positive).sum()
    low, high = spread_by_chance(features, positive, groups, draws=20)
    assert 0 <= low < 0.5 < high < 0.97


def test_leave_pair_out_matches_definition() -> None:
    features, positive, groups = make(signal=0.7, people=5, each=2)
    who = np.array(groups)
    right = []
    for i, j in itertools.product(np.flatnonzero(positive), np.flatnonzero(~positive)):
        kept = (who != who[i]) & (who != who[j])
        probe = logistic_probe().fit(features[kept], positive[kept])
        up, down = probe.predict_proba(features[[i, j]])[:, 1]
        right.append(1.0 if up > down else 0.5 * (up == down))
    assert leave_pair_out(features, positive, groups) == (pytest.approx(np.mean(right)), len(right))


def test_uninformative_features_are_at_chance() -> None:
    _, positive, groups = make(signal=0)
    auroc, _ = leave_pair_out(np.full((len(positive), 2), np.nan), positive, groups)
    assert auroc == 0.5


def test_no_pairs_gives_nan() -> None:
    auroc, pairs = leave_pair_out(np.zeros((4, 1)), np.ones(4, dtype=bool), ["a", "b", "c", "d"])
    assert np.isnan(auroc)
    assert pairs == 0


def test_invalid_input_raises() -> None:
    with pytest.raises(ValueError, match=r"shape \(4, 1\), 3 classes and 4 groups"):
        leave_pair_out(np.zeros((4, 1)), np.ones(3, dtype=bool), ["a", "b", "c", "d"])
