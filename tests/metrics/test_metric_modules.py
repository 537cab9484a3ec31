"""The metrics as `evaluate` modules, loaded from the package without a network."""

from __future__ import annotations

import evaluate
import numpy as np
import pytest

from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.metrics import (
    METRIC_MODULE,
    METRICS,
    caption_scores,
    classification_scores,
    load_metric,
    retrieval_ranks,
    retrieval_scores,
)
from sensorlm_hf.processing.captions import CaptionBuilder


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("evaluate.config.HF_METRICS_CACHE", str(tmp_path))
    monkeypatch.setattr("evaluate.config.HF_EVALUATE_CACHE", str(tmp_path))


def test_every_module_loads_from_its_path() -> None:
    assert METRICS == ("caption_quality", "faithfulness", "recall_at_k", "zero_shot_classification")
    for name in METRICS:
        assert isinstance(evaluate.load(METRIC_MODULE, name), evaluate.EvaluationModule)
    with pytest.raises(ValueError, match="use one of caption_quality, faithfulness"):
        evaluate.load(METRIC_MODULE)


def test_batched_classification_matches_function() -> None:
    rng = np.random.default_rng(0)
    references, scores = rng.integers(0, 3, 30), rng.random((30, 3))
    metric = load_metric("zero_shot_classification")
    for rows in np.split(np.arange(30), 3):
        metric.add_batch(predictions=scores[rows], references=references[rows])
    assert metric.compute() == classification_scores(references, scores)


def test_retrieval_module() -> None:
    ranks = retrieval_ranks(np.random.default_rng(1).random((20, 20)))
    assert load_metric("recall_at_k").compute(predictions=ranks, ks=(1, 3)) == retrieval_scores(ranks, (1, 3))


def test_captioning_module() -> None:
    predictions, references = ["a run and a nap", "two walks"], ["a run and a sleep", "a walk"]
    result = load_metric("caption_quality").compute(predictions=predictions, references=references)
    assert result == caption_scores(predictions, references)


def test_faithfulness_module() -> None:
    days = simulate_days(2, seed=5)
    captions = CaptionBuilder(days[0].schema, key="low_level_caption").batch(days)
    result = load_metric("faithfulness").compute(predictions=captions, days=days)
    assert result["faithfulness"] == 1


def test_unknown_name_raises() -> None:
    with pytest.raises(ValueError, match="available metrics are caption_quality"):
        load_metric("bleu")
