"""AUROC, F1 and balanced accuracy of scores over classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._extras import requires_extra

with requires_extra("eval", "Evaluation"):
    from sklearn.metrics import f1_score, recall_score, roc_auc_score


def classification_scores(references: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    """Scores a classifier as the paper does: one-vs-rest macro AUROC, macro F1 and balanced accuracy.

    Args:
        references: `(N,)` integer class of each item.
        scores: `(N, K)` real scores, larger = more likely. Only their order matters for AUROC, and only the largest
            of each row for the others (the first of equals).

    Returns:
        `auroc`, `f1`, `balanced_accuracy`, `accuracy`; `auroc_per_class`, a list of K with None where a class has no
        item or holds all of them; and `support`, items per class. Macro averages run over the classes that the
        references hold: a class that nobody has cannot be right or wrong. `auroc` is nan when there is only one.

    Raises:
        ValueError: If shapes do not fit, a class is out of range or a score is not finite.
    """
    references, scores = np.asarray(references), np.asarray(scores, dtype=float)
    if scores.ndim != 2 or references.shape != scores.shape[:1] or len(references) == 0:
        raise ValueError(
            f"`references` must be (N,) and `scores` (N, classes) with N >= 1, got {references.shape} and"
            f" {scores.shape}."
        )
    classes = scores.shape[1]
    if not np.issubdtype(references.dtype, np.integer) or references.min() < 0 or references.max() >= classes:
        raise ValueError(f"`references` must be whole numbers from 0 to {classes - 1}.")
    if not np.isfinite(scores).all():
        raise ValueError(f"`scores` must be finite; row {int(np.argwhere(~np.isfinite(scores))[0][0])} is not.")
    support = np.bincount(references, minlength=classes)
    per_class = [
        float(roc_auc_score(references == k, scores[:, k])) if 0 < support[k] < len(references) else None
        for k in range(classes)
    ]
    known = [value for value in per_class if value is not None]
    present = np.flatnonzero(support)
    predictions = scores.argmax(axis=1)
    options: dict[str, Any] = {"labels": present, "average": "macro", "zero_division": 0}
    return {
        "auroc": float(np.mean(known)) if known else float("nan"),
        "f1": float(f1_score(references, predictions, **options)),
        "balanced_accuracy": float(recall_score(references, predictions, **options)),
        "accuracy": float(np.mean(predictions == references)),
        "auroc_per_class": per_class,
        "support": support.tolist(),
    }
