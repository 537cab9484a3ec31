"""What pictures of a classifier need, small enough to be kept in JSON: ROC curves and confusions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._extras import requires_extra

with requires_extra("eval", "Evaluation"):
    from sklearn.metrics import confusion_matrix, roc_curve

MAX_POINTS = 120
"""Most points that are kept of a ROC curve."""


def classification_curves(references: np.ndarray, scores: np.ndarray, class_names: Sequence[str]) -> dict[str, Any]:
    """Returns ROC curves and confusions.

    Args:
        references: `(N,)` classes.
        scores: `(N, K)` scores.
        class_names: The classes.

    Returns:
        `roc`, `{class: [false positive rates, true positive rates]}` for the classes for which it is defined, thinned
        to [`MAX_POINTS`]; and `confusion`, `K` rows of counts: true class, then what was said.
    """
    roc = {}
    for k, name in enumerate(class_names):
        truth = references == k
        if truth.any() and not truth.all():
            false, true, _ = roc_curve(truth, scores[:, k])
            kept = np.unique(np.linspace(0, len(false) - 1, MAX_POINTS).round().astype(int))
            roc[name] = [np.round(false[kept], 4).tolist(), np.round(true[kept], 4).tolist()]
    counts = confusion_matrix(references, scores.argmax(axis=1), labels=range(len(class_names)))
    return {"roc": roc, "confusion": counts.tolist()}
