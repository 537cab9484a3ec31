"""Whole sentences of statements: their keys, their splits, and their distance from the sentences of evaluations."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

from sensorlm_hf.activities import ACTIVITIES
from sensorlm_hf.evaluation.held_out_sentences import ACTIVITY_SENTENCES, CONCEPT_PAIRS
from sensorlm_hf.processing.captions.claims import LEVEL_NEEDS, all_claims
from sensorlm_hf.processing.captions.day_facts import DayFacts
from sensorlm_hf.processing.captions.statement_diaries import DIARIES, diary_sentences
from sensorlm_hf.processing.captions.statements import StatementBank

CLAIMS = {claim.key: claim for claim in all_claims()}


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def test_every_key_is_a_claim_and_no_sentence_is_used_twice() -> None:
    assert set(DIARIES) <= set(CLAIMS)
    counts = Counter(" ".join(words(text)) for sentences in DIARIES.values() for text in sentences)
    assert [text for text, count in counts.items() if count > 1] == []


def test_every_exercise_and_both_sides_of_every_level_have_sentences() -> None:
    for activity in ACTIVITIES:
        if activity.benchmark:
            assert len(DIARIES[f"activity/{activity.name}"]) >= 40
    for kind in LEVEL_NEEDS:
        for grade in ("high", "low", "very_high", "very_low"):
            assert len(DIARIES[f"{kind}/{grade}"]) >= 5


@pytest.mark.parametrize("key", sorted(DIARIES))
def test_sentences_are_divided_into_splits(key: str) -> None:
    train, validation = (diary_sentences(CLAIMS[key], split) for split in ("train", "validation"))
    assert len(train) > len(validation)
    assert not set(train) & set(validation)
    assert sorted((*train, *validation)) == sorted(DIARIES[key])
    assert diary_sentences(CLAIMS[key].negate(), "train") == ()
    for text in DIARIES[key]:
        assert text == text.strip()
        assert text.isascii()
        assert not re.search(r"[{}\[\]|]|  ", text), text


def test_no_sentence_contains_one_of_an_evaluation() -> None:
    held_out = [words(text) for texts in ACTIVITY_SENTENCES.values() for text in texts]
    held_out += [words(text) for pair in CONCEPT_PAIRS for text in (pair.high, pair.low)]
    joined = [f" {' '.join(found)} " for found in held_out if len(found) > 2]  # a word or two is no sentence
    for sentences in DIARIES.values():
        for text in sentences:
            own = f" {' '.join(words(text))} "
            assert not any(found in own or own in found for found in joined), text
            for found in joined:  # and shares no six words in a row with any
                parts = found.split()
                shared = any(f" {' '.join(parts[i : i + 6])} " in own for i in range(len(parts) - 5))
                assert not shared, (text, found)


def test_samples_mix_sentences_and_templates() -> None:
    facts = [DayFacts.from_dict({"minutes:swimming": 40, "steps": 30_000.0, "bedtime": 13.5})] * 4
    drawn = StatementBank().sample(facts, 600, np.random.default_rng(0))
    single = [s for s in drawn if len(s.claims) == 1 and not s.claims[0].negated and s.key in DIARIES]
    whole = [s for s in single if s.text in DIARIES[s.key]]
    assert 0.25 < len(whole) / len(single) < 0.55
    assert all(s(facts[0]) == 1 for s in whole if s.key in ("activity/swimming", "bedtime/very_late"))
