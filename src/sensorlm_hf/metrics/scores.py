"""Classification and retrieval metrics, with bootstrap confidence intervals over people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

from .._extras import requires_extra

with requires_extra("eval", "Evaluation"):
    from sklearn.metrics import confusion_matrix, f1_score, recall_score, roc_auc_score, roc_curve

RESAMPLES = 1000
"""Default number of bootstrap resamples."""

CALIBRATION_BINS = 15
"""Default number of bins of the calibration error."""

MAX_ROC_POINTS = 120
"""Maximum number of points of a ROC curve."""


def classification_scores(references: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    """Computes the classification metrics of the paper: one-vs-rest macro AUROC, macro F1 and balanced accuracy.

    Args:
        references: `(N,)` integer class of each item.
        scores: `(N, K)` scores, higher is more likely. AUROC depends only on their order, the other metrics only on
            the argmax of each row (the first of ties).

    Returns:
        `auroc`, `f1`, `balanced_accuracy`, `accuracy`; `auroc_per_class`, a list of K with None for a class with no
        items or all items; and `support`, the number of items per class. Macro averages are over the classes that
        occur in the references. `auroc` is nan if there is only one class.

    Raises:
        ValueError: If shapes do not match, a class is out of range or a score is not finite.
    """
    references, scores = np.asarray(references), np.asarray(scores, dtype=float)
    if scores.ndim != 2 or references.shape != scores.shape[:1] or len(references) == 0:
        raise ValueError(
            f"`references` must be (N,) and `scores` (N, classes) with N >= 1, got {references.shape} and"
            f" {scores.shape}."
        )
    classes = scores.shape[1]
    if not np.issubdtype(references.dtype, np.integer) or references.min() < 0 or references.max() >= classes:
        raise ValueError(f"`references` must be integers from 0 to {classes - 1}.")
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


def score_classifier(
    references: np.ndarray, scores: np.ndarray, people: Sequence[str], class_names: Sequence[str], *, seed: int = 0
) -> dict[str, Any]:
    """Scores a classifier, with confidence intervals and the scores of trivial baselines.

    Args:
        references: `(N,)` class of each item.
        scores: `(N, K)` scores.
        people: `(N,)` person of each item.
        class_names: Names of the classes.
        seed: Bootstrap seed.

    Returns:
        The scores of [`classification_scores`]; `intervals`, 95 % bootstrap confidence intervals over people;
        `classes`; `chance` (AUROC 0.5; F1 and balanced accuracy of a uniform guess) and `majority` (always predicting
        the largest class).
    """
    support = np.bincount(references, minlength=len(class_names))
    share = support[support > 0] / len(references)
    # A uniform guess over K classes has recall 1/K and precision p for a class of share p.
    guess = 1 / len(class_names)
    largest = np.zeros_like(scores)
    largest[:, support.argmax()] = 1
    majority = classification_scores(references, largest)
    return {
        **classification_scores(references, scores),
        "intervals": classification_intervals(references, scores, people, seed=seed),
        "classes": list(class_names),
        "chance": {
            "auroc": 0.5,
            "f1": float(np.mean(2 * share * guess / (share + guess))),
            "balanced_accuracy": guess,
        },
        "majority": {name: majority[name] for name in ("auroc", "f1", "balanced_accuracy")},
    }


def classification_curves(references: np.ndarray, scores: np.ndarray, class_names: Sequence[str]) -> dict[str, Any]:
    """Returns ROC curves and a confusion matrix, small enough for a JSON file.

    Args:
        references: `(N,)` classes.
        scores: `(N, K)` scores.
        class_names: Names of the classes.

    Returns:
        `roc`, `{class: [false positive rates, true positive rates]}` of the classes for which it is defined,
        with at most [`MAX_ROC_POINTS`] points; and `confusion`, a `K x K` list of counts, true by predicted class.
    """
    roc = {}
    for k, name in enumerate(class_names):
        truth = references == k
        if truth.any() and not truth.all():
            false, true, _ = roc_curve(truth, scores[:, k])
            kept = np.unique(np.linspace(0, len(false) - 1, MAX_ROC_POINTS).round().astype(int))
            roc[name] = [np.round(false[kept], 4).tolist(), np.round(true[kept], 4).tolist()]
    counts = confusion_matrix(references, scores.argmax(axis=1), labels=range(len(class_names)))
    return {"roc": roc, "confusion": counts.tolist()}


def retrieval_ranks(similarities: np.ndarray) -> np.ndarray:
    """Returns the rank of the correct candidate of each query.

    Args:
        similarities: `(N, N)` similarities of queries (rows) and candidates (columns); candidate i is correct for query
            i.

    Returns:
        `(N,)` ranks, starting from 1. Ties get their mean rank, so that a model with equal scores for all candidates
        ranks in the middle rather than first.

    Raises:
        ValueError: If the matrix is not square or not finite.
    """
    similarities = np.asarray(similarities, dtype=float)
    if similarities.ndim != 2 or similarities.shape[0] != similarities.shape[1] or len(similarities) == 0:
        raise ValueError(f"`similarities` must be a square matrix, got shape {similarities.shape}.")
    if not np.isfinite(similarities).all():
        raise ValueError("`similarities` must be finite.")
    right = np.diagonal(similarities)[:, None]
    above = (similarities > right).sum(axis=1)
    tied = (similarities == right).sum(axis=1) - 1
    return 1 + above + tied / 2


def retrieval_scores(ranks: np.ndarray, ks: Sequence[int] = (1, 5, 10)) -> dict[str, float]:
    """Returns `R@k` for each k, the share of queries whose rank is at most k, and `median_rank`.

    Raises:
        ValueError: If `ranks` is empty or a k is below 1.
    """
    ranks = np.asarray(ranks, dtype=float)
    if ranks.ndim != 1 or len(ranks) == 0 or min(ks) < 1:
        raise ValueError(f"`ranks` must be (N,) with N >= 1 and every k at least 1, got {ranks.shape} and {list(ks)}.")
    scores = {f"R@{k}": float(np.mean(ranks <= k)) for k in ks}
    return {**scores, "median_rank": float(np.median(ranks))}


def person_weights(people: Sequence[str], resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """Draws bootstrap resamples of people, since days of the same person are not independent.

    Args:
        people: `(N,)` person of each row.
        resamples: Number of resamples.
        seed: Seed.

    Returns:
        `(resamples, N)` int32: the count of each row in each resample, the same for all rows of a person.

    Raises:
        ValueError: If there are no rows, or `resamples` is below 1.
    """
    if len(people) == 0 or resamples < 1:
        raise ValueError(f"Pass at least one row and one resample, got {len(people)} rows and {resamples}.")
    names, person = np.unique(np.asarray(people, dtype=str), return_inverse=True)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    return drawn[:, person].astype(np.int32)


def interval(values: np.ndarray, level: float = 0.95) -> list[float]:
    """Returns the percentile confidence interval of bootstrap values, `[low, high]`.

    Undefined values (nan) are ignored; both ends are nan if all values are undefined.

    Raises:
        ValueError: If `level` is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"`level` must be between 0 and 1, such as 0.95, got {level}.")
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    if not len(values):
        return [float("nan"), float("nan")]
    return [float(v) for v in np.quantile(values, [(1 - level) / 2, (1 + level) / 2])]


def bootstrap_by_person(
    statistic: Callable[[np.ndarray], float],
    people: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> list[float]:
    """Computes the bootstrap confidence interval of a statistic, resampling people.

    Args:
        statistic: Function of `(M,)` row indices, repeated as often as drawn; returns nan if undefined.
        people: `(N,)` person of each row.
        resamples: Number of resamples.
        level: Confidence level.
        seed: Seed.

    Returns:
        `[low, high]`.

    Example:
        >>> import numpy as np
        >>> right = np.array([1, 1, 0, 1, 0, 1])
        >>> low, high = bootstrap_by_person(lambda rows: right[rows].mean(), ["a", "a", "b", "b", "c", "c"])
        >>> bool(low <= right.mean() <= high)
        True
    """
    weights = person_weights(people, resamples, seed)
    rows = np.arange(len(people))
    return interval(np.array([statistic(np.repeat(rows, drawn)) for drawn in weights]), level)


def classification_intervals(
    references: np.ndarray,
    scores: np.ndarray,
    people: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, list[float]]:
    """Returns confidence intervals of the four metrics of [`classification_scores`].

    Equivalent to [`bootstrap_by_person`] over `classification_scores`, but sorts each class only once.

    Args:
        references: `(N,)` classes.
        scores: `(N, K)` scores.
        people: `(N,)` person of each row.
        resamples: Number of resamples.
        level: Confidence level.
        seed: Seed.

    Returns:
        `{"auroc": [low, high], "f1": ..., "balanced_accuracy": ..., "accuracy": ...}`.
    """
    references, scores = np.asarray(references), np.asarray(scores, dtype=float)
    if not len(references) == len(scores) == len(people):
        raise ValueError(
            f"`references`, `scores` and `people` must have the same length, got {len(references)}, {len(scores)} and"
            f" {len(people)}."
        )
    weights = person_weights(people, resamples, seed).astype(float)
    truth = references[:, None] == np.arange(scores.shape[1])
    guess = scores.argmax(axis=1)[:, None] == np.arange(scores.shape[1])
    support = weights @ truth
    hits, named = weights @ (truth & guess), weights @ guess
    present = support > 0
    count = present.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = np.where(present, hits / support, 0.0)
        f1 = np.where(present, 2 * hits / (support + named), 0.0)
    areas = np.stack([weighted_auroc(truth[:, k], scores[:, k], weights) for k in range(scores.shape[1])], axis=1)
    defined = ~np.isnan(areas)
    with np.errstate(invalid="ignore"):
        auroc = np.where(defined, areas, 0).sum(axis=1) / defined.sum(axis=1)
    values = {
        "auroc": auroc,
        "f1": f1.sum(axis=1) / count,
        "balanced_accuracy": recall.sum(axis=1) / count,
        "accuracy": hits.sum(axis=1) / weights.sum(axis=1),
    }
    return {name: interval(value, level) for name, value in values.items()}


def weighted_auroc(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Computes the AUROC of a score in each resample of the rows.

    Args:
        truth: `(N,)` bool, True for the rows that should score high.
        scores: `(N,)` scores.
        weights: `(R, N)` count of each row in each resample, see [`person_weights`]; `np.ones((1, N))` for the AUROC
            of all rows.

    Returns:
        `(R,)`; ties count half, nan if a side is empty.
    """
    place = rankdata(scores, method="dense").astype(int) - 1
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))
    own = np.add.reduceat(weights[:, order] * truth[order], starts, axis=1)
    others = np.add.reduceat(weights[:, order] * ~truth[order], starts, axis=1)
    below = np.cumsum(others, axis=1) - others
    with np.errstate(invalid="ignore", divide="ignore"):
        return (own * (below + others / 2)).sum(axis=1) / (own.sum(axis=1) * others.sum(axis=1))


def calibration_error(probabilities: np.ndarray, truths: np.ndarray, bins: int = CALIBRATION_BINS) -> float:
    """Computes the expected calibration error: how far probabilities are from the share of correct answers.

    Answers are grouped into `bins` of equal width by their probability. The error is the absolute difference between
    the mean probability and the share of correct answers of a bin, averaged over bins, weighted by their answers.

    Args:
        probabilities: `(N,)` probability of each answer, from 0 to 1.
        truths: `(N,)` bool, whether the answer was correct.
        bins: Number of bins.

    Returns:
        The error, from 0 (calibrated) to 1.

    Raises:
        ValueError: If the shapes are not `(N,)` with N >= 1, a probability is not between 0 and 1, a truth is neither
            true nor false, or `bins` is below 1.

    Example:
        >>> calibration_error([0.9, 0.9, 0.5, 0.5], [True, True, True, False])
        0.05
    """
    probabilities, truths = np.asarray(probabilities, dtype=float), np.asarray(truths, dtype=float)
    if probabilities.ndim != 1 or probabilities.shape != truths.shape or len(truths) == 0:
        raise ValueError(
            f"`probabilities` and `truths` must be (N,) with N >= 1, got {probabilities.shape} and {truths.shape}."
        )
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError(
            f"`probabilities` must be between 0 and 1, got {probabilities.min():g} to {probabilities.max():g}."
        )
    if not np.isin(truths, (0, 1)).all():
        raise ValueError(f"`truths` must be true or false, got {np.unique(truths)[:5].tolist()}.")
    if bins < 1:
        raise ValueError(f"`bins` must be at least 1, got {bins}.")
    # A bin includes its upper end, as in Guo et al. 2017, so that 1 is in the last one.
    place = np.clip(np.ceil(probabilities * bins).astype(int) - 1, 0, bins - 1)
    difference = np.bincount(place, probabilities, bins) - np.bincount(place, truths, bins)
    return round(float(np.abs(difference).sum() / len(truths)), 12)
