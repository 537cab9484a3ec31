"""Extreme values of the caption scores, and ROUGE-L by hand."""

from __future__ import annotations

import pytest

from sensorlm_hf.metrics import caption_scores


def test_identical_captions_have_maximum_scores() -> None:
    text = "the day has a run of forty minutes and a nap"
    assert caption_scores([text], [text]) == {"bleu4": pytest.approx(100), "rougeL": pytest.approx(1)}


def test_disjoint_captions_score_zero() -> None:
    scores = caption_scores(["a b c d e"], ["f g h i j"])
    assert scores["rougeL"] == 0
    assert scores["bleu4"] < 10  # smoothed, never quite 0


def test_rouge_l_by_hand() -> None:
    # Longest common subsequence "a c d": precision 3/4, recall 3/5.
    precision, recall = 3 / 4, 3 / 5
    expected = 2 * precision * recall / (precision + recall)
    assert caption_scores(["a x c d"], ["a b c d e"])["rougeL"] == pytest.approx(expected)


def test_different_lengths_raise() -> None:
    with pytest.raises(ValueError, match="got 2 and 1"):
        caption_scores(["a", "b"], ["a"])
