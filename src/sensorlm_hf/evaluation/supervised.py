"""Classifiers that are trained with labels: linear probes, few-shot learning, and gradient boosting as a baseline."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._extras import requires_extra
from ..days import SensorDay
from .metrics import classification_scores, score_classifier
from .tasks import SHOTS, ProbeTask, labelled_days

with requires_extra("eval", "Probing"):
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

logger = logging.getLogger(__name__)

FOLDS = 5
"""Folds of people in cross-validation; each is scored by a classifier fitted on the others."""

QUANTILES = (0.01, 0.1, 0.5, 0.9, 0.97, 0.99)
"""Quantiles of a channel among the summary features."""


def _two_classes(days: Sequence[SensorDay], task: Any) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Returns what [`labelled_days`] does; refuses labels of fewer than two classes or two people."""
    rows, references, people = labelled_days(days, task, allow_none=True)
    if len(set(references.tolist())) < 2 or len(set(people)) < 2:
        raise ValueError(
            f"Task {task.name!r} needs days of two classes and two people; labels[{task.label_key!r}] of the"
            f" {len(days)} days gives {len(set(references.tolist()))} classes of {len(set(people))} people."
        )
    return rows, references, people


def person_folds(references: np.ndarray, people: Sequence[str], folds: int = FOLDS, seed: int = 0) -> np.ndarray:
    """Splits items into folds by person, with about the same class shares in each.

    Args:
        references: `(N,)` classes.
        people: `(N,)` person of each item; all items of a person are in one fold.
        folds: Number of folds; fewer if there are fewer people.
        seed: Seed.

    Returns:
        `(N,)` fold of each item.
    """
    names, person = np.unique(np.asarray(people, dtype=str), return_inverse=True)
    folds = min(folds, len(names))
    if np.bincount(references).max() < folds:  # no class has an item for every fold: split people at random
        return np.random.default_rng(seed).permutation(len(names))[person] % folds
    part = np.empty(len(references), dtype=int)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class of few items cannot be in every fold
        for number, (_, test) in enumerate(splitter.split(np.zeros((len(references), 1)), references, list(people))):
            part[test] = number
    return part


def cross_validated(
    features: np.ndarray,
    references: np.ndarray,
    people: Sequence[str],
    classes: int,
    *,
    folds: int = FOLDS,
    seed: int = 0,
    make: Any = None,
) -> np.ndarray:
    """Predicts each item by a classifier that was fitted on other people.

    Args:
        features: `(N, D)`, finite unless the classifier of `make` accepts NaN.
        references: `(N,)` classes.
        people: `(N,)` person of each item.
        classes: Number of classes; those missing from the training folds get probability 0.
        folds: Number of folds.
        seed: Seed of the folds.
        make: Makes a scikit-learn classifier; by default [`logistic_probe`].

    Returns:
        `(N, classes)` probabilities.
    """
    part = person_folds(references, people, folds, seed)
    scores = np.zeros((len(references), classes))
    for number in range(int(part.max()) + 1):
        test = part == number
        scores[test] = fit_predict(
            (make or logistic_probe)(), features[~test], references[~test], features[test], classes
        )
    return scores


def logistic_probe() -> Any:
    """Makes the probe: logistic regression on standardised features, inverse penalty 1."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))


def fit_predict(model: Any, seen: np.ndarray, labels: np.ndarray, new: np.ndarray, classes: int) -> np.ndarray:
    """Fits a classifier and returns the probabilities of all classes, `(len(new), classes)`; 0 for unseen classes."""
    scores = np.zeros((len(new), classes))
    known = np.unique(labels)
    if len(known) == 1:
        scores[:, known[0]] = 1
        return scores
    model.fit(seen, labels)
    scores[:, model.classes_] = model.predict_proba(new)
    return scores


def evaluate_probe(
    embeddings: np.ndarray,
    days: Sequence[SensorDay],
    task: ProbeTask,
    *,
    folds: int = FOLDS,
    seed: int = 0,
) -> dict[str, Any]:
    """Cross-validates a linear probe on frozen embeddings, with people kept apart.

    Args:
        embeddings: `(len(days), D)` embeddings of the days.
        days: The days with labels.
        task: What to predict.
        folds: Number of folds of people.
        seed: Seed of the folds.

    Returns:
        What [`score_classifier`] returns, with `days` and `people`.

    Raises:
        ValueError: If embeddings do not fit the days, or the task labels too few.
    """
    _check(embeddings, days)
    rows, references, people = _two_classes(days, task)
    count = len(task.class_names)
    scores = cross_validated(embeddings[rows], references, people, count, folds=folds, seed=seed)
    result = score_classifier(references, scores, people, task.class_names, seed=seed)
    return {**result, "days": len(rows), "people": len(set(people))}


def evaluate_few_shot(
    embeddings: np.ndarray,
    days: Sequence[SensorDay],
    task: ProbeTask,
    *,
    shots: Sequence[int] = SHOTS,
    repeats: int = 5,
    folds: int = 2,
    seed: int = 0,
) -> dict[str, Any]:
    """Fits the probe on few labelled days of each class.

    People are split into two halves (`folds` folds). The probe is fitted on `shots` days per class of all but one fold,
    at most one per person and class where there are enough people, and scored on all days of that fold. This is
    repeated with other draws.

    Args:
        embeddings: `(len(days), D)` embeddings.
        days: The days with labels.
        task: What to predict.
        shots: Numbers of days per class.
        repeats: Draws of each number.
        folds: Number of folds of people, of which the first of each draw is tested.
        seed: Seed.

    Returns:
        `shots`, `{number: {"auroc", "f1", "balanced_accuracy", "auroc_std", "classes"}}`: means over the draws, the
        standard deviation of the AUROC, and the number of classes that had as many days; numbers for which fewer than
        two classes have enough days are left out. Also `days` and `chance`.

    Raises:
        ValueError: If a number is below 1, embeddings do not fit the days, or the task labels too few.
    """
    _check(embeddings, days)
    if not shots or min(shots) < 1 or repeats < 1:
        raise ValueError(f"`shots` and `repeats` must be at least 1, got {list(shots)} and {repeats}.")
    rows, references, people = _two_classes(days, task)
    features, count = embeddings[rows], len(task.class_names)
    results: dict[int, dict[str, Any]] = {}
    for number in shots:
        draws = []
        for repeat in range(repeats):
            rng = np.random.default_rng([seed, number, repeat])
            test = person_folds(references, people, folds, seed + repeat) == 0
            chosen = _draw(references, np.asarray(people), ~test, number, rng)
            known = np.unique(references[chosen])
            tested = np.flatnonzero(test & np.isin(references, known))
            if len(known) < 2 or len(np.unique(references[tested])) < 2:
                continue
            probabilities = fit_predict(logistic_probe(), features[chosen], references[chosen], features[tested], count)
            scores = classification_scores(references[tested], probabilities)
            draws.append([scores["auroc"], scores["f1"], scores["balanced_accuracy"], len(known)])
        if not draws:
            logger.warning("Task %s has too few days for %d per class; left out.", task.name, number)
            continue
        auroc, f1, balanced, known_classes = np.mean(draws, axis=0).tolist()
        results[number] = {
            "auroc": auroc,
            "f1": f1,
            "balanced_accuracy": balanced,
            "auroc_std": float(np.std([draw[0] for draw in draws])),
            "classes": known_classes,
        }
    return {"shots": results, "days": len(rows), "chance": {"auroc": 0.5, "balanced_accuracy": 1 / count}}


def _draw(
    references: np.ndarray, people: np.ndarray, allowed: np.ndarray, number: int, rng: np.random.Generator
) -> np.ndarray:
    """Draws `number` rows of each class that has as many, of different people first."""
    chosen: list[int] = []
    for k in np.unique(references[allowed]):
        own = rng.permutation(np.flatnonzero(allowed & (references == k)))
        if len(own) < number:
            continue
        _, first = np.unique(people[own], return_index=True)
        first = np.sort(first)
        rest = np.setdiff1d(np.arange(len(own)), first)
        chosen += own[np.concatenate([first, rest])][:number].tolist()
    return np.array(chosen, dtype=int)


def _check(embeddings: np.ndarray, days: Sequence[SensorDay]) -> None:
    if embeddings.ndim != 2 or len(embeddings) != len(days) or not np.isfinite(embeddings).all():
        raise ValueError(
            f"`embeddings` must be finite with a row for each of the {len(days)} days, got shape {embeddings.shape}."
        )


def summary_features(day: SensorDay) -> np.ndarray:
    """Summarises a day by statistics that ignore time.

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
    """Makes the gradient boosting classifier of the supervised baseline; smaller trees for few classes."""
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
    """Cross-validates gradient boosting on summary features with labels, with people kept apart.

    Args:
        days: Labelled days on which it is scored.
        task: A [`Task`] or [`ProbeTask`].
        folds: Number of folds of people.
        seed: Seed of the folds.
        features: `(len(days), F)` features, by default [`summary_table`]; NaN is allowed.
        iterations: Trees per class; by default those that calibrated the simulator's difficulty.
        train_days: Days of other people to train on, instead of cross-validation.

    Returns:
        What [`score_classifier`] returns, with `days`, `people` and, if given, the number of labelled `train_days`.

    Raises:
        ValueError: If the task labels too few days, features do not fit them, or a person is also in `train_days`.
    """
    rows, references, people = _two_classes(days, task)
    if features is None:
        features = summary_table(days)
    if len(features) != len(days):
        raise ValueError(f"`features` must have a row for each of the {len(days)} days, got {len(features)}.")
    count = len(task.class_names)

    def make() -> HistGradientBoostingClassifier:
        return gradient_boosting(count, iterations=iterations)

    counts: dict[str, Any] = {}
    if train_days is None:
        scores = cross_validated(features[rows], references, people, count, folds=folds, seed=seed, make=make)
    else:
        seen, labels, trained_on = _two_classes(train_days, task)
        both = set(trained_on) & set(people)
        if both:
            raise ValueError(
                f"{len(both)} people are in `train_days` and in `days` ({min(both)}); scores would reward"
                " memorised people. Split by person."
            )
        table = summary_table([train_days[row] for row in seen])
        scores = fit_predict(make(), table, labels, features[rows], count)
        counts = {"train_days": len(seen)}
    result = score_classifier(references, scores, people, task.class_names, seed=seed)
    return {**result, "days": len(rows), "people": len(set(people)), **counts}
