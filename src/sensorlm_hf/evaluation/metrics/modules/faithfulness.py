"""`evaluate` module: the share of a caption's numbers, trends and events that the day's facts confirm."""

from __future__ import annotations

from typing import Any

import datasets
import evaluate

from sensorlm_hf.days import SensorDay
from sensorlm_hf.evaluation.metrics import fact_faithfulness


class Faithfulness(evaluate.Metric):
    """See [`fact_faithfulness`]: `predictions` are captions; the days are given to `compute` as `days`."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="Share of the claims of captions (numbers, trends, events) that the facts of the days confirm.",
            citation="",
            inputs_description="predictions: captions. compute(days=...): the SensorDays, one a caption.",
            features=datasets.Features({"predictions": datasets.Value("string")}),
        )

    def _compute(self, predictions: Any, days: list[SensorDay], language: str = "en") -> dict[str, Any]:
        return fact_faithfulness(predictions, days, language=language)
