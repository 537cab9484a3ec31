"""`evaluate` module: R@k and the median rank, of ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate
import numpy as np

from sensorlm_hf.evaluation.metrics import retrieval_scores


class RecallAtK(evaluate.Metric):
    """See [`retrieval_scores`]: `predictions` are ranks from 1, as [`retrieval_ranks`] gives them.

    It takes ranks, not matrices of similarities, which would go through a table of Arrow at two seconds a call.
    """

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="Share of queries whose right candidate is among the first k, and the median rank.",
            citation="",
            inputs_description="predictions: (N,) rank of the right candidate of each query, from 1.",
            features=datasets.Features({"predictions": datasets.Value("float64")}),
        )

    def _compute(self, predictions: Any, ks: Sequence[int] = (1, 5, 10)) -> dict[str, float]:
        return retrieval_scores(np.asarray(predictions, dtype=float), ks)
