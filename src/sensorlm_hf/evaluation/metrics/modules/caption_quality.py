"""`evaluate` module: BLEU-4, ROUGE-L and CIDEr; METEOR and BERTScore on request."""

from __future__ import annotations

from typing import Any

import datasets
import evaluate

from sensorlm_hf.evaluation.metrics import caption_scores


class CaptionQuality(evaluate.Metric):
    """See [`caption_scores`]: generated captions against one reference each."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="BLEU-4 (0 to 100), ROUGE-L (0 to 1), CIDEr-D (0 to 10), METEOR and BERTScore on request.",
            citation="",
            inputs_description="predictions: generated captions; references: one reference each.",
            features=datasets.Features(
                {"predictions": datasets.Value("string"), "references": datasets.Value("string")}
            ),
        )

    def _compute(
        self, predictions: Any, references: Any, meteor: bool = False, bertscore_model: str | None = None
    ) -> dict[str, Any]:
        return caption_scores(predictions, references, meteor=meteor, bertscore_model=bertscore_model)
