"""Zero-shot classification: days against descriptions of classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import softmax

from ..days import SensorDay
from .encode import encode_days, encode_texts
from .metrics import classification_intervals, classification_scores
from .tasks import Task


def class_embeddings(
    model: Any, processor: Any, phrases: Sequence[Sequence[str]], templates: Sequence[str]
) -> np.ndarray:
    """Embeds classes as prompt ensembles.

    Args:
        model: A [`SensorLMModel`] with a text tower.
        processor: Its processor.
        phrases: For each class the phrases that stand for it.
        templates: Sentences with one `{}` for the phrase.

    Returns:
        `(classes, D)`; each row is the mean of the embeddings of all its prompts, scaled to length 1.

    Raises:
        ValueError: If a class has no phrase, or a template has no single `{}`.
    """
    for template in templates:
        if template.count("{}") != 1:
            raise ValueError(f"A template must hold `{{}}` once, where the phrase goes, got {template!r}.")
    if not templates or not all(phrases) or not phrases:
        raise ValueError("Give at least one template, one class, and one phrase for each class.")
    prompts = [[template.format(phrase) for phrase in group for template in templates] for group in phrases]
    embedded = encode_texts(model, processor, [prompt for group in prompts for prompt in group])
    ends = np.cumsum([len(group) for group in prompts])
    means = np.stack([part.mean(axis=0) for part in np.split(embedded, ends[:-1])])
    return means / np.linalg.norm(means, axis=1, keepdims=True)


def evaluate_zero_shot(
    model: Any,
    processor: Any,
    days: Sequence[SensorDay],
    task: Task,
    *,
    batch_size: int = 64,
    progress: bool = False,
    embeddings: np.ndarray | None = None,
) -> dict[str, Any]:
    """Classifies the days that a task labels, without training on it.

    Args:
        model: A [`SensorLMModel`] with a text tower, in evaluation mode.
        processor: Its processor.
        days: Days; those to which the task gives no class are left out.
        task: What to tell apart.
        batch_size: Days embedded at once.
        progress: Whether to show a progress bar.
        embeddings: `(len(days), D)` embeddings of `days`, when they are there already.

    Returns:
        What [`scored`] returns, and `days`, how many were used.

    Raises:
        ValueError: If the task labels none of the days, or `embeddings` do not fit them.
    """
    classes = [task.class_of(day) for day in days]
    used = [i for i, k in enumerate(classes) if k is not None]
    if not used:
        raise ValueError(
            f"None of the {len(days)} days has a label for task {task.name!r}; it reads labels[{task.label_key!r}],"
            f" which must be one of {', '.join(task.members)}."
        )
    if embeddings is not None and len(embeddings) != len(days):
        raise ValueError(f"`embeddings` must have a row for each of the {len(days)} days, got {len(embeddings)}.")
    references = np.array([classes[i] for i in used])
    if embeddings is None:
        chosen = encode_days(model, processor, [days[i] for i in used], batch_size=batch_size, progress=progress)
    else:
        chosen = embeddings[used]
    cosine = chosen @ class_embeddings(model, processor, task.phrases, task.templates).T
    # The probabilities that the pipeline gives. A softmax over the classes keeps the order within a day and makes days
    # comparable: a day that lies close to every text would otherwise outrank the rest for all classes.
    scores = softmax(cosine * float(model.logit_scale.detach().exp()), axis=1)
    people = [days[i].subject_id for i in used]
    return {**scored(references, scores, people, task.class_names), "days": len(used)}


def scored(
    references: np.ndarray, scores: np.ndarray, people: Sequence[str], class_names: Sequence[str], *, seed: int = 0
) -> dict[str, Any]:
    """Scores a classifier, with what guessing would reach and with intervals.

    Args:
        references: `(N,)` class of each item.
        scores: `(N, K)` scores.
        people: `(N,)` whose each item is.
        class_names: The classes.
        seed: Seed of the bootstrap.

    Returns:
        The scores of [`classification_scores`]; `intervals`, 95 % bootstrap intervals over people; `classes`;
        `chance` (AUROC 0.5; F1 and balanced accuracy of a uniform guess) and `majority` (always the largest class).
    """
    support = np.bincount(references, minlength=len(class_names))
    share = support[support > 0] / len(references)
    # A uniform guess over K classes is right for a class of share p with recall 1/K and precision p.
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
