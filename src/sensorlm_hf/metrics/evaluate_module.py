"""The metrics of the package as a module for `evaluate.load`, selected by configuration name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import datasets
import evaluate
import numpy as np

from sensorlm_hf.metrics import caption_scores, classification_scores, fact_faithfulness, retrieval_scores

_TEXT, _NUMBER = datasets.Value("string"), datasets.Value("float64")

_COMPUTE: dict[str, tuple[Callable[..., dict[str, Any]], str, str, dict[str, Any]]] = {
    "caption_quality": (
        lambda predictions, references, **options: caption_scores(predictions, references, **options),
        "BLEU-4 (0 to 100), ROUGE-L (0 to 1), CIDEr-D (0 to 10); METEOR and BERTScore on request.",
        "predictions: generated captions; references: one reference each. compute(meteor=..., bertscore_model=...).",
        {"predictions": _TEXT, "references": _TEXT},
    ),
    "faithfulness": (
        lambda predictions, **options: fact_faithfulness(predictions, **options),
        "Share of claims in captions (numbers, trends, events) that are supported by the facts of the days.",
        "predictions: captions. compute(days=..., language=...): the SensorDays, one per caption.",
        {"predictions": _TEXT},
    ),
    # Ranks rather than similarity matrices, which take two seconds per call to convert to an Arrow table.
    "recall_at_k": (
        lambda predictions, **options: retrieval_scores(np.asarray(predictions, dtype=float), **options),
        "Share of queries whose correct candidate is among the first k, and the median rank.",
        "predictions: (N,) rank of the correct candidate of each query, starting from 1. compute(ks=...).",
        {"predictions": _NUMBER},
    ),
    "zero_shot_classification": (
        lambda predictions, references: classification_scores(
            np.asarray(references), np.asarray(predictions, dtype=float)
        ),
        "AUROC (one-vs-rest, macro), F1 (macro), balanced accuracy and accuracy, as reported in the SensorLM paper.",
        "predictions: (N, classes) scores; references: (N,) class indices.",
        {"predictions": datasets.Sequence(_NUMBER), "references": datasets.Value("int64")},
    ),
}
"""Function, description, inputs and features of each metric."""

_OPTIONS = {
    "caption_quality": ("meteor", "bertscore_model"),
    "faithfulness": ("days", "language", "tolerance"),
    "recall_at_k": ("ks",),
    "zero_shot_classification": (),
}
"""Options of `compute` of each metric."""


class SensorLMMetric(evaluate.Metric):
    """See [`caption_scores`], [`fact_faithfulness`], [`retrieval_scores`] and [`classification_scores`].

    `evaluate.combine` passes all options to all metrics, so a metric ignores those of the others.
    """

    @property
    def name(self) -> str:
        """Name of the metric, by which `evaluate.combine` tells equal results apart."""
        return str(self.config_name)

    def _info(self) -> evaluate.MetricInfo:
        if self.config_name not in _COMPUTE:
            raise ValueError(
                f"Unknown metric {self.config_name!r}; use one of {', '.join(_COMPUTE)} as the configuration name."
            )
        _, description, inputs, features = _COMPUTE[self.config_name]
        return evaluate.MetricInfo(
            description=description,
            citation="Zhang et al., SensorLM, NeurIPS 2025, arXiv 2506.09108",
            inputs_description=inputs,
            features=datasets.Features(features),
        )

    def _compute(self, **inputs: Any) -> dict[str, Any]:
        mine = {"predictions", "references", *_OPTIONS[self.config_name]}
        known = mine.union(*_OPTIONS.values())
        unknown = sorted(set(inputs) - known)
        if unknown:
            options = ", ".join(_OPTIONS[self.config_name]) or "none"
            raise TypeError(f"{self.config_name} has no option {', '.join(unknown)}; its options: {options}.")
        if self.config_name == "faithfulness" and "days" not in inputs:
            raise TypeError("faithfulness compares captions with days: give compute(days=...), one day per caption.")
        return _COMPUTE[self.config_name][0](**{name: value for name, value in inputs.items() if name in mine})
