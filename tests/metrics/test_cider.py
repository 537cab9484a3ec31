"""CIDEr-D by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sensorlm_hf.metrics import cider_scores


def test_identical_captions_of_at_least_four_words_score_ten() -> None:
    texts = ["a run of forty minutes", "she slept for nine hours"]
    assert cider_scores(texts, texts) == pytest.approx([10, 10])


def test_disjoint_captions_score_zero() -> None:
    assert cider_scores(["a b c d", "e f g h"], ["i j k l", "m n o p"]).tolist() == [0, 0]


def test_single_word_captions_by_hand() -> None:
    # Only 1-grams exist: a cosine of 1 for one of four n-gram sizes, times 10.
    assert cider_scores(["run", "nap"], ["run", "nap"]) == pytest.approx([2.5, 2.5])


def test_two_words_by_hand() -> None:
    # Each word occurs in the references of one of two captions: weight ln 2, which cancels. Unigrams: (run, fast)
    # against (run, slow), cosine 1/2; bigrams: none shared. No penalty, as both have two words.
    score = cider_scores(["run fast", "nap"], ["run slow", "nap"])[0]
    assert score == pytest.approx(10 * (1 / 2) / 4)


def test_word_in_every_reference_has_zero_weight() -> None:
    # "the" is in both references: weight 0. "the run" is left with the correct word "run" and the bigram.
    scores = cider_scores(["the run", "the nap"], ["the run", "the nap"])
    assert scores == pytest.approx([5, 5])
    assert cider_scores(["the", "the"], ["the run", "the nap"]).tolist() == [0, 0]


def test_length_penalty_by_hand() -> None:
    # One word against two: cosine of unigrams 1 / sqrt 2, penalty exp(-1 / 72).
    score = cider_scores(["run", "nap"], ["run fast", "nap"])[0]
    assert score == pytest.approx(10 * math.exp(-1 / 72) / math.sqrt(2) / 4)


def test_repeating_a_word_does_not_increase_score() -> None:
    once, twice = (
        cider_scores(["run x y z", "nap"], ["run", "nap"])[0],
        cider_scores(["run run run z", "nap"], ["run", "nap"])[0],
    )
    # Counts are clipped to the reference: the numerator stays the same while the vector norm grows.
    assert twice < once


def test_several_references_are_averaged() -> None:
    several = cider_scores(["run", "nap"], [["run", "walk"], ["nap"]])[0]
    assert several == pytest.approx((2.5 + 0) / 2)


def test_tokenization_ignores_case_and_punctuation_and_keeps_decimals() -> None:
    assert cider_scores(["Run, at 27.6!", "nap"], ["run at 27.6", "nap"])[0] == pytest.approx(7.5)
    assert cider_scores(["27.6", "nap"], ["27.9", "nap"])[0] == 0


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        (["a"], ["a"], "at least two"),
        (["a", "b"], ["a"], "2 and 1"),
        (["a", "b"], [["a"], []], r"references\[1\]"),
    ],
)
def test_invalid_input_raises(predictions: list, references: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cider_scores(predictions, references)


def test_scores_are_between_zero_and_ten() -> None:
    rng = np.random.default_rng(0)
    words = np.array(["run", "nap", "walk", "sleep", "yoga", "the", "a"])
    texts = [" ".join(rng.choice(words, rng.integers(1, 12))) for _ in range(40)]
    scores = cider_scores(texts[:20], texts[20:])
    assert ((scores >= 0) & (scores <= 10)).all()
