"""The sentences: complete, without duplicates, and without the wording of captions and prompts."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from sensorlm_hf.activities import ACTIVITIES, canonical_activity
from sensorlm_hf.evaluation.held_out_sentences import ACTIVITY_SENTENCES, CONCEPT_PAIRS, UNRELATED_LABELS
from sensorlm_hf.evaluation.quantities import QUANTITIES
from sensorlm_hf.evaluation.tasks import ACTIVITY_TEMPLATES, TASKS, all_prompts

SENTENCES = [text for texts in ACTIVITY_SENTENCES.values() for text in texts]
OPPOSITES = [text for pair in CONCEPT_PAIRS for text in (pair.high, pair.low)]


def test_every_activity_has_at_least_four_sentences() -> None:
    assert tuple(ACTIVITY_SENTENCES) == TASKS["activity"].class_names
    assert min(map(len, ACTIVITY_SENTENCES.values())) >= 4
    assert len(SENTENCES) >= 80


def test_no_sentence_occurs_twice() -> None:
    counted = Counter(text.strip().lower().rstrip(".") for text in (*SENTENCES, *OPPOSITES, *UNRELATED_LABELS))
    assert [text for text, count in counted.items() if count > 1] == []
    assert all(text == text.strip() and text for text in (*SENTENCES, *OPPOSITES, *UNRELATED_LABELS))


def test_most_sentences_avoid_the_name_of_the_activity() -> None:
    named = [
        text for name, texts in ACTIVITY_SENTENCES.items() for text in texts if re.search(rf"\b{name}\b", text, re.I)
    ]
    assert len(named) <= 5, named


def test_sentences_share_no_wording_with_the_prompts() -> None:
    prompts = {prompt.lower() for prompt in all_prompts()}
    starts = tuple(template.partition("{}")[0].lower() for template in ACTIVITY_TEMPLATES)
    assert not any(text.lower() in prompts or text.lower().startswith(starts) for text in (*SENTENCES, *OPPOSITES))


def test_sentences_say_no_time_of_day() -> None:
    clock = re.compile(r"\b(morning|afternoon|evening|night|noon|midnight|breakfast|dinner|lunch|\d+ ?(am|pm))\b", re.I)
    assert [text for text in SENTENCES if clock.search(text)] == []


def test_every_pair_is_about_a_known_quantity() -> None:
    assert len(CONCEPT_PAIRS) >= 40
    assert {pair.quantity for pair in CONCEPT_PAIRS} == set(QUANTITIES)
    assert len({pair.name for pair in CONCEPT_PAIRS}) == len(CONCEPT_PAIRS)
    assert all(pair.high != pair.low for pair in CONCEPT_PAIRS)


@pytest.mark.parametrize("label", UNRELATED_LABELS)
def test_unrelated_labels_are_no_activity(label: str) -> None:
    assert canonical_activity(label) is None
    assert not any(activity.name.lower() in label.lower() for activity in ACTIVITIES)


def test_there_are_enough_unrelated_labels() -> None:
    assert len(UNRELATED_LABELS) >= 15
