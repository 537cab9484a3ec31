"""Metrics of the paper's tasks, as plain functions of arrays and strings, and as `evaluate` modules."""

from .captioning import bert_scores, caption_scores, cider_scores, meteor_scores
from .claims import Claim, ClaimReader, claims_of
from .faithfulness import Tolerance, fact_faithfulness
from .loading import METRIC_MODULE, METRICS, load_metric
from .scores import (
    bootstrap_by_person,
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
    "Tolerance",
    "bert_scores",
    "bootstrap_by_person",
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
    "person_weights",
    "retrieval_ranks",
    "retrieval_scores",
    "score_classifier",
]
