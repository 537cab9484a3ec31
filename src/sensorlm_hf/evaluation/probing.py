"""Linear probes and few-shot learning on frozen embeddings of days."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._extras import requires_extra
from ..days import SensorDay
from .metrics import classification_scores
from .tasks import SHOTS, ProbeTask
from .zero_shot import scored

with requires_extra("eval", "Probing"):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

logger = logging.getLogger(__name__)

FOLDS = 5
"""Parts into which people are split; each is tested with a probe fitted on the others."""


def labelled(days: Sequence[SensorDay], task: Any) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Returns which days a task labels, `(N,)` rows, `(N,)` classes, and whose they are.

    Raises:
        ValueError: If it labels days of fewer than two classes or two people.
    """
    classes = [task.class_of(day) for day in days]
    rows = np.array([i for i, k in enumerate(classes) if k is not None], dtype=int)
    references = np.array([classes[i] for i in rows], dtype=int)
    people = [days[i].subject_id for i in rows]
    if len(set(references.tolist())) < 2 or len(set(people)) < 2:
        raise ValueError(
            f"Task {task.name!r} needs days of two classes and two people; labels[{task.label_key!r}] of the"
            f" {len(days)} days gives {len(set(references.tolist()))} classes of {len(set(people))} people."
        )
    return rows, references, people


def person_folds(references: np.ndarray, people: Sequence[str], folds: int = FOLDS, seed: int = 0) -> np.ndarray:
    """Splits items into parts by person, with about the same shares of classes in each.

    Args:
        references: `(N,)` classes.
        people: `(N,)` whose each item is; all items of a person are in one part.
        folds: Number of parts; fewer if there are fewer people.
        seed: Seed.

    Returns:
        `(N,)` number of the part of each item.
    """
    names, person = np.unique(np.asarray(people, dtype=str), return_inverse=True)
    folds = min(folds, len(names))
    if np.bincount(references).max() < folds:  # too few of any class to spread: split people at random
        return np.random.default_rng(seed).permutation(len(names))[person] % folds
    part = np.empty(len(references), dtype=int)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class of few items cannot be in every part
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
    """Predicts each item with a classifier that saw nothing of its person.

    Args:
        features: `(N, D)`, finite or as `make`'s classifier takes them.
        references: `(N,)` classes.
        people: `(N,)` whose each item is.
        classes: Number of classes; those that a training part lacks get probability 0.
        folds: Number of parts.
        seed: Seed of the parts.
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
    """Fits a classifier and returns the probabilities of all classes, `(len(new), classes)`; unseen ones get 0."""
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
    """Fits a linear probe on embeddings of some people and scores it on the others, each person once.

    Args:
        embeddings: `(len(days), D)` embeddings of the days, from a model that is not trained here.
        days: The days with labels.
        task: What to predict.
        folds: Number of parts of people.
        seed: Seed of the parts.

    Returns:
        What [`scored`] returns, with `days` and `people`.

    Raises:
        ValueError: If embeddings do not fit the days, or the task labels too few.
    """
    _check(embeddings, days)
    rows, references, people = labelled(days, task)
    count = len(task.class_names)
    scores = cross_validated(embeddings[rows], references, people, count, folds=folds, seed=seed)
    result = scored(references, scores, people, task.class_names, seed=seed)
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

    People are split into two halves (`folds` parts); the probe sees `shots` days a class of one part, at most one of a
    person and class where there are enough people, and is scored on all days of the other people. That is repeated with
    other draws.

    Args:
        embeddings: `(len(days), D)` embeddings.
        days: The days with labels.
        task: What to predict.
        shots: Numbers of days a class.
        repeats: Draws of each number.
        folds: Number of parts of people; one part is tested at a time, the first of each draw.
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
    rows, references, people = labelled(days, task)
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
            logger.warning("Task %s has too few days for %d a class; left out.", task.name, number)
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
    """Draws `number` rows of each class that has as many, different people first."""
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
