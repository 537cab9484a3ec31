"""Metrics of the paper's tasks, as functions of arrays and strings and as `evaluate` modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .captioning import bert_scores, caption_scores, cider_scores, meteor_scores
    from .claims import Claim, ClaimReader, claims_of
    from .faithfulness import Tolerance, fact_faithfulness
    from .loading import METRIC_MODULE, METRICS, load_metric
    from .openings import OpeningClaim, opening_faithfulness, read_opening
    from .scores import (
        bootstrap_by_person,
        calibration_error,
        classification_curves,
        classification_intervals,
        classification_scores,
        interval,
        person_weights,
        retrieval_ranks,
        retrieval_scores,
        score_classifier,
    )

__all__ = [
    "METRICS",
    "METRIC_MODULE",
    "Claim",
    "ClaimReader",
    "OpeningClaim",
    "Tolerance",
    "bert_scores",
    "bootstrap_by_person",
    "calibration_error",
    "caption_scores",
    "cider_scores",
    "claims_of",
    "classification_curves",
    "classification_intervals",
    "classification_scores",
    "fact_faithfulness",
    "interval",
    "load_metric",
    "meteor_scores",
    "opening_faithfulness",
    "person_weights",
    "read_opening",
    "retrieval_ranks",
    "retrieval_scores",
    "score_classifier",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Claim": "claims",
        "ClaimReader": "claims",
        "METRICS": "loading",
        "METRIC_MODULE": "loading",
        "OpeningClaim": "openings",
        "Tolerance": "faithfulness",
        "bert_scores": "captioning",
        "bootstrap_by_person": "scores",
        "calibration_error": "scores",
        "caption_scores": "captioning",
        "cider_scores": "captioning",
        "claims_of": "claims",
        "classification_curves": "scores",
        "classification_intervals": "scores",
        "classification_scores": "scores",
        "fact_faithfulness": "faithfulness",
        "interval": "scores",
        "load_metric": "loading",
        "meteor_scores": "captioning",
        "opening_faithfulness": "openings",
        "person_weights": "scores",
        "read_opening": "openings",
        "retrieval_ranks": "scores",
        "retrieval_scores": "scores",
        "score_classifier": "scores",
    },
)
