"""The metrics as `evaluate` modules, loaded from the package without a network."""

from __future__ import annotations

import evaluate
import numpy as np
import pytest
import torch

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


def test_usual_arguments() -> None:
    """Single predictions, batches, arrays and tensors give the same."""
    scores, references = np.array([[0.1, 0.9], [0.8, 0.2], [0.4, 0.6]]), np.array([1, 0, 0])
    expected = load_metric("zero_shot_classification").compute(predictions=scores, references=references)
    one_by_one = load_metric("zero_shot_classification")
    for score, reference in zip(scores, references, strict=True):
        one_by_one.add(prediction=score, reference=reference)
    assert one_by_one.compute() == expected
    batches = load_metric("zero_shot_classification")
    for rows in (slice(0, 2), slice(2, 3)):
        batches.add_batch(predictions=torch.tensor(scores[rows]), references=torch.tensor(references[rows]))
    assert batches.compute() == expected
    with pytest.raises(ValueError, match="Mismatch in the number of predictions"):
        load_metric("caption_quality").compute(predictions=["a", "b"], references=["a"])


def test_combined_metrics() -> None:
    """`evaluate.combine` passes options to all metrics; each uses its own."""
    days = simulate_days(2, seed=5)
    captions = CaptionBuilder(days[0].schema, key="low_level_caption").batch(days)
    both = evaluate.combine([load_metric("caption_quality"), load_metric("faithfulness")])
    inputs = {"predictions": captions, "references": captions}
    expected = {
        **load_metric("caption_quality").compute(**inputs),
        **load_metric("faithfulness").compute(predictions=captions, days=days),
    }
    assert both.compute(**inputs, days=days) == expected
    batched = evaluate.combine([load_metric("caption_quality"), load_metric("faithfulness")], force_prefix=True)
    batched.add_batch(**inputs)
    found = batched.compute(days=days)
    assert found["caption_quality_bleu4"] == expected["bleu4"]
    assert found["faithfulness_faithfulness"] == expected["faithfulness"]
    ranks = evaluate.combine([load_metric("recall_at_k")])
    assert ranks.compute(predictions=[1, 2, 7])["R@5"] == pytest.approx(2 / 3)


def test_invalid_options_raise() -> None:
    with pytest.raises(TypeError, match=r"caption_quality has no option metor; its options: meteor, bertscore_model"):
        load_metric("caption_quality").compute(predictions=["a"], references=["a"], metor=True)
    with pytest.raises(TypeError, match=r"give compute\(days=...\)"):
        load_metric("faithfulness").compute(predictions=["a"], references=["a"])
