"""Zero-shot classification with predefined embeddings, compared with hand computations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from evaluation_cases import at, embedded_day, stubs

from sensorlm_hf.evaluation import Task, class_embeddings, evaluate_zero_shot

TASK = Task(
    name="direction",
    description="Where it goes.",
    class_names=("east", "north", "west"),
    phrases=(("east",), ("north", "up"), ("west",)),
    members={"east": 0, "north": 1, "west": 2},
    label_key="way",
    templates=("{}",),
)
TEXTS = {"east": at(0), "north": at(80), "up": at(100), "west": at(180)}


def test_class_embedding_is_normalised_mean_of_prompts() -> None:
    model, processor = stubs({**TEXTS, "go east": at(20), "go north": at(60), "go up": at(90), "go west": at(180)})
    rows = class_embeddings(model, processor, TASK.phrases, ("{}", "go {}"))
    assert processor.batches == [8], "all prompts should be encoded in one call"
    north = np.mean([at(80), at(60), at(100), at(90)], axis=0)
    assert rows[0] == pytest.approx(at(10), abs=1e-6)
    assert rows[1] == pytest.approx(north / np.linalg.norm(north), abs=1e-6)
    assert rows[2] == pytest.approx(at(180), abs=1e-6)


def test_scores_by_hand() -> None:
    model, processor = stubs(TEXTS)
    # Two of east (one nearer to north), one of north, one of west, and one that the task does not label.
    days = [
        embedded_day(at(10), 0, way="east"),
        embedded_day(at(60), 1, way="east"),
        embedded_day(at(85), 2, way="north"),
        embedded_day(at(170), 3, way="west"),
        embedded_day(at(200), 4, way="south"),
        embedded_day(at(200), 5),
    ]
    result = evaluate_zero_shot(model, processor, days, TASK)
    assert result["days"] == 4
    assert result["classes"] == ["east", "north", "west"]
    assert result["support"] == [2, 1, 1]
    assert result["accuracy"] == 3 / 4
    assert result["balanced_accuracy"] == pytest.approx((1 / 2 + 1 + 1) / 3)
    # east: precision 1, recall 1/2; north: precision 1/2, recall 1; west: both 1
    assert result["f1"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    # Both days of east lie nearer to it than the others; north and west are each the best of their class.
    assert result["auroc"] == 1.0
    # A uniform guess over 3 classes: recall 1/3, precision = share.
    f1 = [2 * share * (1 / 3) / (share + 1 / 3) for share in (1 / 2, 1 / 4, 1 / 4)]
    assert result["chance"] == pytest.approx({"auroc": 0.5, "f1": np.mean(f1), "balanced_accuracy": 1 / 3})
    # Always east: its precision is 1/2, its recall 1.
    assert result["majority"] == pytest.approx({"auroc": 0.5, "f1": (2 / 3) / 3, "balanced_accuracy": 1 / 3})


def test_chance_scores_match_random_guessing() -> None:
    """Compares with the mean scores of many uniform guesses."""
    model, processor = stubs(TEXTS)
    names = ["east"] * 6 + ["north"] * 3 + ["west"]
    days = [embedded_day(at(0), number, way=name) for number, name in enumerate(names)]
    told = evaluate_zero_shot(model, processor, days, TASK)["chance"]
    rng = np.random.default_rng(0)
    truth = np.repeat([TASK.members[name] for name in names], 20_000)
    guess = rng.integers(0, 3, len(truth))
    recall = [np.mean(guess[truth == k] == k) for k in range(3)]
    precision = [np.mean(truth[guess == k] == k) for k in range(3)]
    f1 = [2 * p * r / (p + r) for p, r in zip(precision, recall, strict=True)]
    assert told["balanced_accuracy"] == pytest.approx(np.mean(recall), abs=0.01)
    assert told["f1"] == pytest.approx(np.mean(f1), abs=0.01)


def test_classes_without_days_are_excluded_from_means() -> None:
    model, processor = stubs(TEXTS)
    days = [embedded_day(at(5), 0, way="east"), embedded_day(at(175), 1, way="west")]
    result = evaluate_zero_shot(model, processor, days, TASK)
    assert result["auroc_per_class"] == [1.0, None, 1.0]
    assert (result["auroc"], result["f1"], result["balanced_accuracy"]) == (1.0, 1.0, 1.0)
    # Random guessing still chooses among three classes.
    assert result["chance"]["balanced_accuracy"] == pytest.approx(1 / 3)
    assert result["chance"]["f1"] == pytest.approx(2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3))


def test_auroc_is_undefined_for_one_class() -> None:
    model, processor = stubs(TEXTS)
    result = evaluate_zero_shot(model, processor, [embedded_day(at(5), 0, way="east")], TASK)
    assert math.isnan(result["auroc"])
    assert result["auroc_per_class"] == [None, None, None]
    assert result["balanced_accuracy"] == 1.0


def test_days_are_ranked_by_probability_at_model_temperature() -> None:
    """A day close to all texts must not outrank a day that is far from all texts except its own."""
    texts = {"east": at(0), "north": at(80), "up": at(80), "west": at(180)}
    days = [embedded_day(at(40), 0, way="north"), embedded_day(at(-80), 1, way="east")]
    model, processor = stubs(texts, scale=50.0)
    # The cosine with east is 0.77 for the first day and 0.17 for the second; the probability is 1/2 and nearly 1.
    assert evaluate_zero_shot(model, processor, days, TASK)["auroc_per_class"][0] == 1.0


def test_precomputed_embeddings_are_used() -> None:
    model, processor = stubs(TEXTS)
    days = [embedded_day(at(5), 0, way="east"), embedded_day(at(5), 1), embedded_day(at(175), 2, way="west")]
    rows = np.array([at(175), at(0), at(5)], np.float32)  # the wrong way round
    result = evaluate_zero_shot(model, processor, days, TASK, embeddings=rows)
    assert (result["accuracy"], result["auroc"]) == (0.0, 0.0)
    assert processor.batches == [4], "only prompts should be encoded"
    with pytest.raises(ValueError, match="a row for each of the 3 days, got 2"):
        evaluate_zero_shot(model, processor, days, TASK, embeddings=rows[:2])


def test_days_without_labels_raise() -> None:
    model, processor = stubs(TEXTS)
    with pytest.raises(
        ValueError, match=r"None of the 1 days has a label for task 'direction', which uses labels\['way'\]"
    ):
        evaluate_zero_shot(model, processor, [embedded_day(at(5), 0, way="down")], TASK)


@pytest.mark.parametrize(
    ("phrases", "templates", "words"),
    [
        ([["east"]], ["A day."], "must contain `{}` exactly once, as the placeholder for the phrase, got 'A day.'"),
        ([["east"]], ["{} and {}"], "once"),
        ([["east"]], [], "at least one template"),
        ([], ["{}"], "one class"),
        ([["east"], []], ["{}"], "one phrase per class"),
    ],
)
def test_invalid_prompts_raise(phrases: list[list[str]], templates: list[str], words: str) -> None:
    model, processor = stubs(TEXTS)
    with pytest.raises(ValueError, match=words):
        class_embeddings(model, processor, phrases, templates)
