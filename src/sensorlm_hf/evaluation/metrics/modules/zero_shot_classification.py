"""`evaluate` module: macro one-vs-rest AUROC, macro F1, balanced accuracy and accuracy of scores over classes."""

from __future__ import annotations

from typing import Any

import datasets
import evaluate
import numpy as np

from sensorlm_hf.evaluation.metrics import classification_scores


class ZeroShotClassification(evaluate.Metric):
    """See [`classification_scores`]: `predictions` are rows of scores, `references` class numbers."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="AUROC (one-vs-rest, macro), F1 (macro), balanced accuracy and accuracy, as SensorLM reports.",
            citation="Zhang et al., SensorLM, NeurIPS 2025, arXiv 2506.09108",
            inputs_description="predictions: (N, classes) scores; references: (N,) class numbers.",
            features=datasets.Features(
                {
                    "predictions": datasets.Sequence(datasets.Value("float64")),
                    "references": datasets.Value("int64"),
                }
            ),
        )

    def _compute(self, predictions: Any, references: Any) -> dict[str, Any]:
        return classification_scores(np.asarray(references), np.asarray(predictions, dtype=float))
