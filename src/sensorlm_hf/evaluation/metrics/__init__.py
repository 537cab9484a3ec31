"""Metrics of the paper's tasks, as plain functions of arrays and strings."""

from .captioning import caption_scores
from .classification import classification_scores
from .retrieval import retrieval_ranks, retrieval_scores

__all__ = ["caption_scores", "classification_scores", "retrieval_ranks", "retrieval_scores"]
