"""What simpler means reach: gradient boosting on summary features, the supervised ceiling beside zero-shot results."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._extras import requires_extra
from ..days import SensorDay
from .probing import FOLDS, cross_validated, fit_predict, labelled
from .zero_shot import scored

with requires_extra("eval", "The gradient boosting baseline"):
    from sklearn.ensemble import HistGradientBoostingClassifier

QUANTILES = (0.01, 0.1, 0.5, 0.9, 0.97, 0.99)
"""Quantiles of a channel among the summary features."""


def summary_features(day: SensorDay) -> np.ndarray:
    """Describes a day by numbers that know nothing of time.

    Returns:
        `(9 * channels,)` float32: mean, standard deviation, [`QUANTILES`] and observed share of each channel; NaN where
        nothing was observed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # an absent channel has NaN for a mean
        quantiles = np.nanquantile(day.values, QUANTILES, axis=0)
        moments = [np.nanmean(day.values, axis=0), np.nanstd(day.values, axis=0)]
    return np.concatenate([*moments, *quantiles, day.mask.mean(axis=0)]).astype(np.float32)


def summary_table(days: Sequence[SensorDay]) -> np.ndarray:
    """Returns the summary features of days, `(days, 9 * channels)`.

    Raises:
        ValueError: If there is no day, or the days differ in schema.
    """
    if not days:
        raise ValueError("There are no days; give at least one.")
    for position, day in enumerate(days):
        if day.schema != days[0].schema:
            raise ValueError(
                f"days[{position}] has schema {day.schema.name!r}, days[0] has {days[0].schema.name!r}; features of"
                " different channels cannot be compared."
            )
    return np.stack([summary_features(day) for day in days])


def gradient_boosting(classes: int = 20, *, iterations: int | None = None) -> HistGradientBoostingClassifier:
    """Makes the gradient boosting of the supervised ceiling; smaller trees for few classes."""
    if classes > 2:
        return HistGradientBoostingClassifier(
            max_iter=iterations or 60, learning_rate=0.1, max_leaf_nodes=12, max_features=0.3, random_state=0
        )
    return HistGradientBoostingClassifier(
        max_iter=iterations or 40, learning_rate=0.08, max_leaf_nodes=8, random_state=0
    )


def evaluate_gradient_boosting(
    days: Sequence[SensorDay],
    task: Any,
    *,
    folds: int = FOLDS,
    seed: int = 0,
    features: np.ndarray | None = None,
    iterations: int | None = None,
    train_days: Sequence[SensorDay] | None = None,
) -> dict[str, Any]:
    """Trains gradient boosting with labels on some people and scores it on the others, each person once.

    Args:
        days: Days with labels, on which it is scored.
        task: A [`Task`] or [`ProbeTask`].
        folds: Number of parts of people, each scored by trees that learnt from the others.
        seed: Seed of the parts.
        features: `(len(days), F)` features, by default [`summary_table`]; NaN is allowed.
        iterations: Trees a class; by default as many as the ceiling of the simulator's difficulty was set with.
        train_days: Days of other people to learn from, instead of those of the other parts.

    Returns:
        What [`scored`] returns, with `days`, `people` and, if `train_days` were given, how many of them have a label.

    Raises:
        ValueError: If the task labels too few days, features do not fit them, or a person is in `train_days` too.
    """
    rows, references, people = labelled(days, task)
    if features is None:
        features = summary_table(days)
    if len(features) != len(days):
        raise ValueError(f"`features` must have a row for each of the {len(days)} days, got {len(features)}.")
    count = len(task.class_names)

    def make() -> HistGradientBoostingClassifier:
        return gradient_boosting(count, iterations=iterations)

    told: dict[str, Any] = {}
    if train_days is None:
        scores = cross_validated(features[rows], references, people, count, folds=folds, seed=seed, make=make)
    else:
        seen, labels, learnt_from = labelled(train_days, task)
        both = set(learnt_from) & set(people)
        if both:
            raise ValueError(
                f"{len(both)} people are in `train_days` and in `days` ({min(both)}); scores would count what was"
                " learnt by heart. Split by person."
            )
        table = summary_table([train_days[row] for row in seen])
        scores = fit_predict(make(), table, labels, features[rows], count)
        told = {"train_days": len(seen)}
    result = scored(references, scores, people, task.class_names, seed=seed)
    return {**result, "days": len(rows), "people": len(set(people)), **told}
