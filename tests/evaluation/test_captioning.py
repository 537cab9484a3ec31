"""Scoring of generated captions against those of the caption builder."""

from __future__ import annotations

import pytest
from evaluation_cases import at, embedded_day, stubs

from sensorlm_hf.evaluation import evaluate_captioning
from sensorlm_hf.metrics import caption_scores

EAST, NORTH, WEST = "a day of going far east", "the day went north instead", "west was where it all led"
TEXTS = {EAST: at(0), NORTH: at(90), WEST: at(180)}


def test_correct_captions_have_maximum_scores_in_any_case() -> None:
    model, processor = stubs(TEXTS)
    days = [embedded_day(at(angle), number) for number, angle in enumerate((5, 85, 170))]
    result = evaluate_captioning(model, processor, days, [EAST.upper(), NORTH.title(), WEST], max_new_tokens=9)
    assert result["bleu4"] == pytest.approx(100)
    assert result["rougeL"] == pytest.approx(1)
    assert result["days"] == 3
    assert model.options["max_new_tokens"] == 9


def test_wrong_captions_match_caption_scores() -> None:
    model, processor = stubs(TEXTS)
    days = [embedded_day(at(angle), number) for number, angle in enumerate((85, 85))]
    result = evaluate_captioning(model, processor, days, [EAST, NORTH])
    expected = caption_scores([NORTH, NORTH], [EAST, NORTH])
    assert {name: result[name] for name in expected} == expected
    assert 0 < result["rougeL"] < 1


def test_chance_uses_captions_of_other_days() -> None:
    model, processor = stubs(TEXTS)
    days = [embedded_day(at(angle), number) for number, angle in enumerate((5, 85))]
    chance = evaluate_captioning(model, processor, days, [EAST, NORTH])["chance"]
    expected = caption_scores([NORTH, EAST], [EAST, NORTH])
    assert {name: chance[name] for name in expected} == expected, "with two days, chance uses the caption of the other"
    assert chance["claims"] == 0  # captions without any sentence that matches a template
    for seed in range(5):
        # No day is paired with itself: the captions share no word.
        model, processor = stubs({"one": at(0), "two": at(90), "three": at(180)})
        days = [embedded_day(at(angle), number) for number, angle in enumerate((5, 85, 170))]
        result = evaluate_captioning(model, processor, days, ["one", "two", "three"], seed=seed)
        assert result["chance"]["rougeL"] == 0.0


def test_too_few_days_or_references_raise() -> None:
    model, processor = stubs(TEXTS)
    day = embedded_day(at(5))
    with pytest.raises(ValueError, match="got 1 days and 1 references"):
        evaluate_captioning(model, processor, [day], [EAST])
    with pytest.raises(ValueError, match="got 2 days and 3 references"):
        evaluate_captioning(model, processor, [day, day], [EAST, NORTH, WEST])
