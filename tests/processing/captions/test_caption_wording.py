"""Wording files: template counts, slots, user-defined languages, and template filling."""

from __future__ import annotations

import string
from dataclasses import replace

import pytest
from caption_days import make_days

from sensorlm_hf.processing.captions import (
    CAPTION_KEYS,
    CaptionBuilder,
    Wording,
    get_wording,
    list_languages,
    register_language,
)
from sensorlm_hf.processing.captions.templates import capitalised, prepare, prepare_timed, slots_of
from sensorlm_hf.schema import get_schema, list_schemas

ENGLISH = get_wording("en")
SENTENCES = (
    *("statistics", "trends", "anomalies", "activities", "sleeps", "moods", "gaps"),
    *("summaries", "summaries_with_moods", "summaries_of_moods", "no_events", "no_structure", "no_data"),
)


def test_english_and_german_are_included() -> None:
    assert {"en", "de"} <= set(list_languages())


@pytest.mark.parametrize("language", list_languages())
def test_template_counts_match_reference(language: str) -> None:
    words = get_wording(language)
    assert len(words.statistics) >= 20
    assert len(words.activities) + len(words.sleeps) >= 20
    assert len(words.trends) >= 15
    assert len(words.anomalies) >= 15
    assert len(words.moods) >= 10
    assert len(words.gaps) >= 5


@pytest.mark.parametrize("language", list_languages())
def test_templates_are_unique_and_end_with_punctuation(language: str) -> None:
    words = get_wording(language)
    for kind in SENTENCES:
        sentences = getattr(words, kind)
        assert len(set(sentences)) == len(sentences), kind
        for sentence in sentences:
            assert sentence.endswith(".")
            assert "  " not in sentence
            assert sentence == sentence.strip()
            assert sentence[0].isupper() or (sentence[0] == "{" and sentence[1].isupper()), sentence


def test_german_covers_every_channel() -> None:
    words = get_wording("de")
    for name in list_schemas():
        for channel in get_schema(name):
            assert "Messwert" not in words.label(channel.label)["label"], channel.label
    assert words.label("glucose")["label"] == "der Messwert „glucose“"
    assert words.label("glucose")["at_label"] == "beim Messwert „glucose“"


def test_german_covers_package_activities_and_moods() -> None:
    from sensorlm_hf.activities import ACTIVITIES
    from sensorlm_hf.data.readers.mmash_files import ACTIVITIES as diary
    from sensorlm_hf.data.simulate import MOODS

    words = get_wording("de")
    for label in [*diary.values(), *(activity.name for activity in ACTIVITIES), "sleep", "nap"]:
        assert "„" not in words.noun(label), label
    for mood in (*MOODS, "positive", "neutral", "negative"):
        assert "„" not in words.mood(mood), mood
    assert words.noun("Quidditch") == "„Quidditch“"


def test_english_nouns() -> None:
    assert [
        ENGLISH.noun(n) for n in ("nap", "easy run", "evening walk", "running", "the commute", "rowing machine")
    ] == [
        "a nap",
        "an easy run",
        "an evening walk",
        "running",
        "the commute",
        "rowing machine training",
    ]
    assert [ENGLISH.join(items) for items in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]


def test_filling_templates() -> None:
    assert prepare("{Label} is 5 % of {mean}.", label="heart rate") == "Heart rate is 5 %% of %(mean)s."
    assert prepare("{label}", label="100 %") == "100 %%"
    assert prepare("{{x}} {label}", label="{mean}") == "{x} {mean}"
    assert capitalised("pNN20") == "pNN20"
    assert capitalised("RR median") == "RR median"
    assert capitalised("eine Spitze") == "Eine Spitze"
    assert capitalised("") == ""
    timed = prepare_timed("Between {span} or {Time}.", ENGLISH, "minutes")
    german = prepare_timed("{Moment} war {moment} {label}.", get_wording("de"), "clock")
    assert german == "Um %(time)s Uhr war um %(time)s Uhr %(label)s."
    assert timed == "Between minutes %(start)s and %(end)s or Minute %(time)s."
    assert prepare_timed("From {start} to {end}.", ENGLISH, "clock") == "From %(start)s to %(end)s."
    assert slots_of("{A_trend} of {label}") == {"a_trend", "label"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"statistics": ()}, "`statistics` must be a list"),
        ({"statistics": "one"}, "`statistics` must be a list"),
        ({"statistics": ("{Label} averaged {mean}.",)}, r"lacks the slots \['max', 'min', 'std'\]"),
        ({"trends": ("{Label} {moved} up from {start}.",)}, "needs {span}, or {start} and {end}"),
        ({"trends": ("{Label} {danced} between {span}.",)}, r"unknown slots \['danced'\]"),
        ({"anomalies": ("{Label}: {an_anomaly}.",)}, r"lacks the slots \['time'\]"),
        ({"moods": ("{label}.",)}, r"lacks the slots \['time'\]"),
        ({"moods": ("{Moment}: {label}.",)}, "give `moment`, or write {time}"),
        ({"moment": {"minutes": "at {time}"}}, "`moment` lacks clock"),
        ({"moment": {"minutes": "at {time}", "clock": "then"}}, r"moment\[clock\] 'then' lacks the slots \['time'\]"),
        ({"moods": ("{label",)}, "malformed"),
        ({"moods": ("{} at {time}",)}, "invalid slot"),
        ({"groups": {"Heart": "Heart"}}, "`groups` lacks Activity, Sleep, EDA"),
        ({"trend_words": {}}, "`trend_words` lacks|unknown slots"),
        ({"span": {"minutes": "{start}", "clock": "{start} {end}"}}, r"lacks the slots \['end'\]"),
    ],
)
def test_invalid_wording_raises(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(ENGLISH, **change)


def test_custom_language() -> None:
    words = {
        kind: tuple(s.upper() for s in getattr(ENGLISH, kind)) for kind in ("no_events", "no_structure", "no_data")
    }
    loud = replace(ENGLISH, name="Loud", **words)
    register_language("loud-test", loud)
    assert "loud-test" in list_languages()
    assert get_wording("loud-test") is loud
    assert loud.signature() != ENGLISH.signature()
    assert replace(ENGLISH).signature() == ENGLISH.signature()
    day = make_days(1)[0].crop(0, 1)
    by_name, by_hand = CaptionBuilder(language="loud-test"), CaptionBuilder(templates=loud)
    for key in CAPTION_KEYS:
        assert by_name(day, key=key) == by_hand(day, key=key)
    with pytest.raises(TypeError, match="must be a Wording"):
        register_language("x", {})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="`code`"):
        register_language("", loud)


def test_every_template_is_used() -> None:
    build = CaptionBuilder(key="middle_low_caption", max_tokens=4000)
    words: Wording = build.wording
    starts = {kind: set() for kind in ("statistics", "trends", "anomalies")}
    text = " ".join(build.batch(make_days(30)))
    for kind, seen in starts.items():
        for sentence in getattr(words, kind):
            longest = max((part for part, *_ in string.Formatter().parse(sentence)), key=len)
            if longest in text:
                seen.add(sentence)
        assert len(seen) == len(getattr(words, kind)), kind
