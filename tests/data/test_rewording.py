"""Rewording of activity names."""

from __future__ import annotations

import numpy as np
import pytest

from sensorlm_hf.activities import ACTIVITIES, ACTIVITY_BY_NAME
from sensorlm_hf.data.collator import SensorLMCollator
from sensorlm_hf.data.rewording import (
    all_other_words,
    attribute_words,
    description_words,
    intensity_words,
    other_words,
    reword_events,
)
from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.processing import SensorLMFeatureExtractor, SensorLMProcessor, train_tokenizer


def test_wording_follows_attributes() -> None:
    assert intensity_words(ACTIVITY_BY_NAME["office work"])[0] == "sitting"
    assert intensity_words(ACTIVITY_BY_NAME["housework"])[0] == "light activity"
    assert intensity_words(ACTIVITY_BY_NAME["hiking"])[0] == "moderate activity"
    assert intensity_words(ACTIVITY_BY_NAME["running"])[0] == "vigorous activity"
    assert attribute_words(ACTIVITY_BY_NAME["tennis"])[0] == "outdoor sport"
    assert attribute_words(ACTIVITY_BY_NAME["pilates"])[0] == "indoor strength training"
    assert attribute_words(ACTIVITY_BY_NAME["cooking"]) == ()


def test_descriptions_mention_several_attributes() -> None:
    told = {activity.name: description_words(activity) for activity in ACTIVITIES if activity.benchmark}
    assert told["treadmill running"][0] == "steady vigorous indoor cardio on foot at a running pace"
    assert told["hiking"][0] == ("stop-and-go moderate outdoor cardio on foot at a walking pace up and down for hours")
    assert told["pilates"][0] == "steady light indoor strength training off one's feet"
    # Most exercises have a unique full description.
    fullest = [words[0] for words in told.values()]
    assert sum(fullest.count(words) == 1 for words in fullest) >= 16
    assert all(len(set(words)) == len(words) and "  " not in " ".join(words) for words in told.values())
    assert description_words(ACTIVITY_BY_NAME["cooking"]) == ()


def test_every_known_activity_has_alternative_wordings() -> None:
    assert all(other_words("activity", activity.name) for activity in ACTIVITIES)
    assert other_words("activity", "juggling") == ()
    assert other_words("mood", "calm") == ()
    words = all_other_words()
    assert len(words) == len(set(words))
    assert {"jog", "sitting", "outdoor sport", "sleeping"} <= set(words)


def test_rewording_changes_only_names() -> None:
    day = next(d for d in simulate_days(12, seed=5) if len(d.events_of("activity")) > 3)
    other = reword_events(day, 1.0, np.random.default_rng(0))
    assert other.values is day.values or np.array_equal(other.values, day.values, equal_nan=True)
    assert other.labels == day.labels
    spans = sorted((e.kind, e.start_minute, e.end_minute) for e in day.events)
    assert sorted((e.kind, e.start_minute, e.end_minute) for e in other.events) == spans
    before = {(e.kind, e.start_minute, e.end_minute): e.label for e in day.events}
    pairs = {(before[e.kind, e.start_minute, e.end_minute], e.label) for e in other.events if e.kind != "mood"}
    assert all(old != new for old, new in pairs)
    assert len({old for old, _ in pairs}) == len(pairs)  # one wording for all events with the same label
    for event in other.events:
        old = before[event.kind, event.start_minute, event.end_minute]
        assert event.kind == "mood" or event.label in [w for group in other_words(event.kind, old) for w in group]


def test_zero_share_changes_nothing() -> None:
    day = simulate_days(1, seed=5)[0]
    assert reword_events(day, 0.0, np.random.default_rng(0)) == day


@pytest.fixture(scope="module")
def processor() -> SensorLMProcessor:
    return SensorLMProcessor(SensorLMFeatureExtractor(), train_tokenizer(["The person logged running and sleep."] * 3))


def test_collator_rewords_only_in_training(processor: SensorLMProcessor) -> None:
    days = simulate_days(24, seed=6)
    plain = SensorLMCollator(processor, max_length=200)
    reworded = SensorLMCollator(processor, max_length=200, label_rewording=0.9)
    told, other = (
        [processor.tokenizer.decode(ids, skip_special_tokens=True) for ids in collator(days)["input_ids"]]
        for collator in (plain, reworded)
    )
    assert sum(a != b for a, b in zip(told, other, strict=True)) > 15
    # Groups depend on the events, not on their wording.
    assert plain(days)["text_group_ids"].tolist() == reworded(days)["text_group_ids"].tolist()
    same = SensorLMCollator(processor, max_length=200, label_rewording=0.9, training=False)
    quiet = SensorLMCollator(processor, max_length=200, training=False)
    assert same(days)["input_ids"].tolist() == quiet(days)["input_ids"].tolist()


def test_invalid_share_raises(processor: SensorLMProcessor) -> None:
    with pytest.raises(ValueError, match="label_rewording"):
        SensorLMCollator(processor, label_rewording=1.5)
