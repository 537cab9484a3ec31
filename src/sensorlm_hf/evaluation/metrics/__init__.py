"""Metrics of the paper's tasks, as plain functions of arrays and strings, and as `evaluate` modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import lazy_names

if TYPE_CHECKING:
    from .bertscore import bert_scores
    from .bootstrap import bootstrap_by_person, classification_intervals, interval, person_weights
    from .captioning import caption_scores
    from .cider import cider_scores
    from .claims import Claim, ClaimReader, claims_of
    from .classification import classification_scores
    from .faithfulness import Tolerance, fact_faithfulness
    from .loading import METRICS, load_metric, metric_path
    from .meteor import meteor_scores
    from .retrieval import retrieval_ranks, retrieval_scores

__all__ = [
    "METRICS",
    "Claim",
    "ClaimReader",
    "Tolerance",
    "bert_scores",
    "bootstrap_by_person",
    "caption_scores",
    "cider_scores",
    "claims_of",
    "classification_intervals",
    "classification_scores",
    "fact_faithfulness",
    "interval",
    "load_metric",
    "meteor_scores",
    "metric_path",
    "person_weights",
    "retrieval_ranks",
    "retrieval_scores",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Claim": "claims",
        "ClaimReader": "claims",
        "METRICS": "loading",
        "Tolerance": "faithfulness",
        "bert_scores": "bertscore",
        "bootstrap_by_person": "bootstrap",
        "caption_scores": "captioning",
        "cider_scores": "cider",
        "claims_of": "claims",
        "classification_intervals": "bootstrap",
        "classification_scores": "classification",
        "fact_faithfulness": "faithfulness",
        "interval": "bootstrap",
        "load_metric": "loading",
        "meteor_scores": "meteor",
        "metric_path": "loading",
        "person_weights": "bootstrap",
        "retrieval_ranks": "retrieval",
        "retrieval_scores": "retrieval",
    },
)
