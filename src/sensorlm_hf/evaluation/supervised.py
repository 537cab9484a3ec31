"""Supervised classifiers: linear probes, few-shot learning, and a gradient boosting baseline."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._extras import requires_extra
from ..days import SensorDay
from ..metrics import classification_scores, score_classifier
from .tasks import SHOTS, ProbeTask, labelled_days

with requires_extra("eval", "Probing"):
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

logger = logging.getLogger(__name__)

FOLDS = 5
"""Number of cross-validation folds; folds are split by person."""

QUANTILES = (0.01, 0.1, 0.5, 0.9, 0.97, 0.99)
"""Quantiles of each channel in the summary features."""


def _two_classes(days: Sequence[SensorDay], task: Any) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Like [`labelled_days`], but raises if the labels cover fewer than two classes or two people."""
    rows, references, people = labelled_days(days, task, allow_none=True)
    if len(set(references.tolist())) < 2 or len(set(people)) < 2:
        raise ValueError(
            f"Task {task.name!r} needs days of at least two classes and two people; labels[{task.label_key!r}]"
            f" of the {len(days)} days has {len(set(references.tolist()))} classes of {len(set(people))} people."
        )
    return rows, references, people


def person_folds(references: np.ndarray, people: Sequence[str], folds: int = FOLDS, seed: int = 0) -> np.ndarray:
    """Splits items into folds by person, stratified by class where possible.

    Args:
        references: `(N,)` classes.
        people: `(N,)` person of each item; all items of a person are in one fold.
        folds: Number of folds; fewer if there are fewer people.
        seed: Seed.

    Returns:
        `(N,)` fold index of each item.
    """
    names, person = np.unique(np.asarray(people, dtype=str), return_inverse=True)
    folds = min(folds, len(names))
    if np.bincount(references).max() < folds:  # no class has enough items to stratify: split people at random
        return np.random.default_rng(seed).permutation(len(names))[person] % folds
    part = np.empty(len(references), dtype=int)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # small classes cannot be in every fold
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
    """Predicts each item with a classifier fitted on other people.

    Args:
        features: `(N, D)` features; must be finite unless the classifier accepts NaN.
        references: `(N,)` classes.
        people: `(N,)` person of each item.
        classes: Number of classes; those missing from the training folds get probability 0.
        folds: Number of folds.
        seed: Seed of the folds.
        make: Factory of a scikit-learn classifier; defaults to [`logistic_probe`].

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
    """Creates the probe: logistic regression on standardised features with `C=1`."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))


def fit_predict(model: Any, seen: np.ndarray, labels: np.ndarray, new: np.ndarray, classes: int) -> np.ndarray:
    """Fits a classifier and returns `(len(new), classes)` probabilities, 0 for classes missing from training."""
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
    """Cross-validates a linear probe on frozen embeddings, split by person.

    Args:
        embeddings: `(len(days), D)` embeddings of the days.
        days: Labelled days.
        task: Task to predict.
        folds: Number of folds, split by person.
        seed: Seed of the folds.

    Returns:
        Result of [`score_classifier`], with `days` and `people`.

    Raises:
        ValueError: If the embeddings do not match the days, or too few days have labels.
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
    """Fits the probe on a few labelled days per class.

    People are split into `folds` folds. The probe is fitted on `shots` days per class from all but one fold, at most
    one per person and class if there are enough people, and scored on all days of the remaining fold. This is repeated
    with different draws.

    Args:
        embeddings: `(len(days), D)` embeddings.
        days: Labelled days.
        task: Task to predict.
        shots: Numbers of labelled days per class.
        repeats: Number of draws for each number of shots.
        folds: Number of folds, split by person; the first fold of each draw is the test set.
        seed: Seed.

    Returns:
        `shots`, `{number: {"auroc", "f1", "balanced_accuracy", "auroc_std", "classes"}}`: means over the draws, the
        standard deviation of the AUROC, and the number of classes with enough days; numbers for which fewer than two
        classes have enough days are omitted. Also `days` and `chance`.

    Raises:
        ValueError: If a number is below 1, the embeddings do not match the days, or too few days have labels.
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
            logger.warning("Task %s has too few days for %d per class; skipped.", task.name, number)
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
    """Draws `number` rows from each class with enough rows, from different people first."""
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
    """Summarises a day with time-independent statistics.

    Returns:
        `(9 * channels,)` float32: mean, standard deviation, [`QUANTILES`] and observed share of each channel; NaN where
        nothing was observed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of a missing channel is NaN
        quantiles = np.nanquantile(day.values, QUANTILES, axis=0)
        moments = [np.nanmean(day.values, axis=0), np.nanstd(day.values, axis=0)]
    return np.concatenate([*moments, *quantiles, day.mask.mean(axis=0)]).astype(np.float32)


def summary_table(days: Sequence[SensorDay]) -> np.ndarray:
    """Returns the summary features of days, `(days, 9 * channels)`.

    Raises:
        ValueError: If there are no days, or their schemas differ.
    """
    if not days:
        raise ValueError("There are no days; pass at least one.")
    for position, day in enumerate(days):
        if day.schema != days[0].schema:
            raise ValueError(
                f"days[{position}] has schema {day.schema.name!r}, days[0] has {days[0].schema.name!r}; features of"
                " different channels cannot be combined."
            )
    return np.stack([summary_features(day) for day in days])


def gradient_boosting(classes: int = 20, *, iterations: int | None = None) -> HistGradientBoostingClassifier:
    """Creates the gradient boosting classifier of the supervised baseline, with smaller trees for few classes."""
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
    """Cross-validates gradient boosting on summary features, split by person.

    Args:
        days: Labelled days to score.
        task: A [`Task`] or [`ProbeTask`].
        folds: Number of folds, split by person.
        seed: Seed of the folds.
        features: `(len(days), F)` features, which may contain NaN; defaults to [`summary_table`].
        iterations: Number of trees per class; defaults to the number used to calibrate the difficulty of the simulator.
        train_days: Days of other people to train on instead of cross-validating.

    Returns:
        Result of [`score_classifier`], with `days`, `people` and, if given, the number of labelled `train_days`.

    Raises:
        ValueError: If too few days have labels, features do not match the days, or a person is also in `train_days`.
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
                f"{len(both)} people are in both `train_days` and `days` (such as {min(both)}), which would inflate the"
                " scores. Split by person."
            )
        table = summary_table([train_days[row] for row in seen])
        scores = fit_predict(make(), table, labels, features[rows], count)
        counts = {"train_days": len(seen)}
    result = score_classifier(references, scores, people, task.class_names, seed=seed)
    return {**result, "days": len(rows), "people": len(set(people)), **counts}
