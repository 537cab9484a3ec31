"""The opening sentence of a caption: every claim holds, it reads as English, and it is the last to go."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from opening_oracle import problems

from sensorlm_hf.commands.caption import COMMAND
from sensorlm_hf.data.simulate import iter_simulated_days
from sensorlm_hf.days import Event, SensorDay
from sensorlm_hf.metrics.claims import ClaimReader
from sensorlm_hf.processing.captions import CAPTION_KEYS, CaptionBuilder, estimate_tokens, get_wording, opening_sentence
from sensorlm_hf.schema import get_schema

START = datetime(2024, 3, 1, tzinfo=timezone.utc)
STEPS = get_schema({"name": "steps-only", "channels": [{"key": "steps", "mean": 5, "std": 19, "unit": "steps/min"}]})
HEART = get_schema({"name": "heart-only", "channels": [{"key": "HR", "mean": 76, "std": 16, "unit": "bpm"}]})
OTHER = get_schema({"name": "other-only", "channels": [{"key": "glucose", "mean": 100, "std": 20, "unit": "mg/dL"}]})


@pytest.fixture(scope="module")
def days() -> list[SensorDay]:
    return list(iter_simulated_days(120, 31, days_per_person=1))


def make(
    *events: Event, steps: float | None = None, beats: float | None = None, start: datetime = START, minutes: int = 1440
) -> SensorDay:
    schema = get_schema("sensorlm-26")
    values = np.full((minutes, len(schema)), np.nan, dtype=np.float32)
    if steps is not None:
        values[:, schema.index("steps")] = steps / minutes
    if beats is not None:
        values[:, schema.index("HR")] = beats
    return SensorDay(values, start, "p1", schema, events)


def variants(day: SensorDay, count: int = 24) -> set[str]:
    """All wordings of a day, each of them true and well formed."""
    found = {opening_sentence(day, seed=seed) for seed in range(count)}
    for sentence in found:
        assert problems(sentence, day) == []
        well_formed(sentence)
    return found


def well_formed(sentence: str) -> None:
    assert re.fullmatch(r"[A-Z][^.!?\n]*\.", sentence), sentence
    assert len(sentence.split()) <= 40, sentence
    assert not re.search(r"  | [,;:.]|,,", sentence), sentence
    assert not re.search(r"\ba [aeio]\w|\ban (?!hour)[^aeioAEFHILMNORSX8]", sentence), sentence


def test_every_claim_about_simulated_days_is_true(days: list[SensorDay]) -> None:
    for day in days:
        for seed in range(3):
            sentence = opening_sentence(day, seed=seed)
            assert problems(sentence, day) == []
            well_formed(sentence)
            assert not re.search(r"\d", sentence)


def test_every_claim_about_crops_is_true(days: list[SensorDay]) -> None:
    rng = np.random.default_rng(0)
    for day in days:
        first, last = sorted(rng.choice(len(day) + 1, 2, replace=False).tolist())
        cropped = day.crop(first, last)
        sentence = opening_sentence(cropped)
        assert problems(sentence, cropped) == []
        well_formed(sentence)


def test_the_oracle_notices_false_claims(days: list[SensorDay]) -> None:
    day = make(Event("activity", "running", 600, 660), Event("sleep", "sleep", 30, 450), steps=6000, beats=70)
    assert problems("An ordinary day with an hour of running in the morning and seven hours of sleep.", day) == []
    for wrong in (
        "An ordinary day with two hours of running in the morning.",
        "An ordinary day with an hour of running in the evening.",
        "An ordinary day with an hour of swimming in the morning.",
        "An active day with an hour of running in the morning.",
        "An ordinary working day with an hour of running in the morning.",
        "An ordinary day with an hour of running in the morning and eight hours of sleep.",
        "An ordinary day with about nine thousand steps.",
        "An ordinary day with an hour of running in the morning, though nothing was recorded from midday on.",
    ):
        assert problems(wrong, day), wrong
    others = [opening_sentence(other) for other in days[1:]]
    caught = sum(bool(problems(sentence, day)) for sentence, day in zip(others, days, strict=False))
    assert caught > 0.9 * len(others)


def test_openings_are_deterministic_and_do_not_read_alike(days: list[SensorDay]) -> None:
    assert opening_sentence(days[0], seed=3) == opening_sentence(days[0], seed=3)
    assert opening_sentence(days[0], sample_id=days[0].sample_id) == opening_sentence(days[0])
    day = make(Event("activity", "running", 600, 660), Event("sleep", "sleep", 30, 457), steps=6000, beats=70)
    assert len(variants(day)) >= 5
    assert len({opening_sentence(day, sample_id=str(number)) for number in range(24)}) >= 5
    assert len({opening_sentence(other) for other in days}) > 0.95 * len(days)


def test_nothing_observed() -> None:
    assert variants(make()) == {"A day without any recorded signal."}
    logged = variants(make(Event("activity", "running", 1140, 1200)))
    assert all(s.startswith("A day without any recorded signal, ") for s in logged)
    assert all("an hour of running in the evening" in s for s in logged)


def test_without_a_log_only_the_signals_speak() -> None:
    for sentence in variants(make(steps=9000, beats=71)):
        assert "busy day" in sentence
        assert "nine thousand steps" in sentence
        assert "seventy beats per minute" in sentence
        assert "sleep" not in sentence


def test_any_schema() -> None:
    steps = SensorDay(np.full((1440, 1), 2.0), START, "p1", STEPS)
    heart = SensorDay(np.full((1440, 1), 63.0), START, "p1", HEART)
    other = SensorDay(np.full((1440, 1), 100.0), START, "p1", OTHER)
    assert all("three thousand steps" in s and "heart" not in s for s in variants(steps))
    assert all("sixty-five beats" in s and "step" not in s for s in variants(heart))
    assert all("twenty-four hours of recorded signals" in s for s in variants(other))
    logged = other.with_events([Event("activity", "yoga", 480, 540)])
    assert all("an hour of yoga in the morning" in s for s in variants(logged))


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([Event("activity", "running", -30, 30)], "half an hour of running at night"),
        ([Event("activity", "running", 1400, 1500)], "forty minutes of running at night"),
        ([Event("activity", "golf", 660, 900)], "four hours of golf from the morning into the afternoon"),
        ([Event("activity", "rowing machine", 710, 740)], "half an hour on the rowing machine around midday"),
        ([Event("activity", "bike", 330, 420)], "an hour and a half of outdoor cycling in the early morning"),
        ([Event("activity", "evening run", 1100, 1130)], "an evening run of half an hour in the evening"),
        (
            [Event("activity", "walking", 480, 510), Event("activity", "walking", 1110, 1140)],
            "an hour of walking split between the morning and the evening",
        ),
        (
            [Event("activity", "yoga", 1090, 1120), Event("activity", "running", 1130, 1190)],
            "half an hour of yoga and an hour of running in the evening",
        ),
        ([Event("sleep", "sleep", -120, 90)], "the last hour and a half of a night's sleep"),
        ([Event("sleep", "sleep", 1320, 1800)], "the first two hours of a night's sleep"),
        ([Event("sleep", "sleep", -60, 300), Event("sleep", "sleep", 1320, 1800)], "seven hours of sleep"),
        ([Event("sleep", "sleep", 60, 360)], "a short night of five hours"),
        ([Event("sleep", "sleep", 60, 180), Event("sleep", "sleep", 120, 480)], "seven hours of sleep"),
        ([Event("sleep", "nap", 800, 825)], "a short nap around midday"),
        ([Event("sleep", "nap", 800, 850), Event("sleep", "nap", 1000, 1030)], "two naps"),
        ([Event("activity", "office work", 540, 1020)], "working day"),
        ([Event("activity", "Group {x} 50%! No. 2.", 600, 660)], "an hour of group x 50 No 2 in the morning"),
        ([Event("activity", "HIIT session", 600, 630)], "a HIIT session of half an hour in the morning"),
    ],
)
def test_what_was_logged(events: list[Event], said: str) -> None:
    day = make(*events, steps=6000, beats=70)
    sentences = {opening_sentence(day, seed=seed) for seed in range(24)}
    for sentence in sentences:
        assert said.lower() in sentence.lower()
        well_formed(sentence) if "HIIT" not in said else None
    if "50" not in said:
        variants(day)


def test_sitting_is_not_work_and_few_steps_do_not_make_a_quiet_day_of_a_swim() -> None:
    assert not any("work" in s for s in variants(make(Event("activity", "sitting", 540, 1020), steps=2000)))
    swim = make(Event("activity", "swimming", 540, 600), steps=2000, beats=70)
    assert all("otherwise quiet day" in s for s in variants(swim))


def test_many_activities_stay_within_the_words() -> None:
    names = ("running", "swimming", "yoga", "tennis", "weight lifting", "outdoor cycling")
    day = make(
        *(Event("activity", name, 400 + 130 * i, 460 + 130 * i) for i, name in enumerate(names)),
        Event("sleep", "sleep", 10, 390),
        Event("sleep", "nap", 1290, 1310),
        steps=16_000,
        beats=80,
    )
    assert all("very active" in s for s in variants(day))
    long = day.with_events(
        [Event("activity", f"a rather long name of sport{i}", 100 * i + 1, 100 * i + 90) for i in range(9)]
    )
    for seed in range(8):
        well_formed(opening_sentence(long, seed=seed))


def test_times_follow_the_local_clock() -> None:
    spring = datetime(2024, 3, 31, tzinfo=ZoneInfo("Europe/Rome"))  # the clock skips from 2:00 to 3:00
    day = make(Event("activity", "running", 670, 690), steps=6000, start=spring)
    assert all("around midday" in s for s in variants(day))
    assert all("in the morning" in s for s in variants(make(*day.events, steps=6000)))
    noon = make(Event("activity", "running", 470, 530), steps=6000, start=START + timedelta(hours=12))
    assert all("in the evening" in s for s in variants(noon))


def test_gaps_are_told() -> None:
    day = make(steps=6000, beats=70)
    cases = {
        (720, 1080): "throughout the afternoon",
        (740, 1000): "for most of the afternoon",
        (600, 1440): "from the morning on",
        (0, 540): "until the morning",
        (860, 900): None,
    }
    for (first, last), said in cases.items():
        hidden = np.zeros((1440, 1), dtype=bool)
        hidden[first:last] = True
        for sentence in variants(day.without(hidden)):
            assert (said in sentence) if said else not re.search("nothing", sentence)


def test_windows_of_any_length() -> None:
    for minutes in (1, 27, 61, 300, 719, 720, 1500, 2880, 10_080):
        day = make(steps=minutes / 2, beats=70, minutes=minutes)
        variants(day, 6)
        variants(make(minutes=minutes), 2)
    hour = make(steps=800, beats=90, minutes=60, start=START + timedelta(hours=9))
    assert all(s.startswith("A recording of an hour in the morning") for s in variants(hour))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"day": np.zeros((1440, 26))}, TypeError, "SensorDay.*ndarray"),
        ({"seed": "0"}, TypeError, "`seed` must be an integer, got '0'"),
        ({"seed": True}, TypeError, "`seed`"),
        ({"sample_id": 3}, TypeError, "`sample_id` must be a string or None, got 3"),
        ({"shorter": -1}, ValueError, "at least 0, got -1"),
        ({"shorter": 0.5}, TypeError, "`shorter`"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        opening_sentence(**{"day": make(), **arguments})


# In captions


def test_captions_of_every_key_open_with_it_and_are_otherwise_unchanged(days: list[SensorDay]) -> None:
    chosen = days[:12]
    plain = CaptionBuilder(seed=2).columns(chosen, CAPTION_KEYS)
    opened = CaptionBuilder(seed=2, opening=True).columns(chosen, CAPTION_KEYS)
    for key in CAPTION_KEYS:
        for day, before, after in zip(chosen, plain[key], opened[key], strict=True):
            opening = opening_sentence(day, seed=2)
            assert after.startswith(f"{opening} ")
            rest = after[len(opening) + 1 :]
            # The heading of a group moves to its first sentence that is left.
            left, all_of_them = (
                {re.sub(r"^(Heart|Activity|Sleep|Skin): ", "", sentence) for sentence in re.split(r"(?<=\.) ", text)}
                for text in (rest, before)
            )
            assert rest == before or left <= all_of_them


@pytest.mark.parametrize("tokens", [16, 24, 40, 64, 128])
def test_the_opening_is_the_last_to_go(days: list[SensorDay], tokens: int) -> None:
    for count in (None, lambda text: len(text) // 4 + 2):
        build = CaptionBuilder(opening=True, max_tokens=tokens, tokenizer=count)
        for day in days[:15]:
            shorter = [opening_sentence(day, shorter=number) for number in range(12)]
            for key in ("low_level_caption", "high_level_all_caption", "high_middle_low_caption"):
                caption = build(day, key=key)
                assert any(caption == s or caption.startswith(f"{s} ") for s in shorter)
                assert (estimate_tokens(caption) + 2 if count is None else count(caption)) <= tokens


def test_shorter_openings_keep_their_words(days: list[SensorDay]) -> None:
    for day in days[:30]:
        lengths = [len(opening_sentence(day, shorter=number)) for number in range(10)]
        assert lengths[-1] == min(lengths)
        assert len(opening_sentence(day, shorter=10).split()) <= 14
        for number in range(10):
            assert problems(opening_sentence(day, shorter=number), day) == []


def test_the_claim_reader_reads_no_claims_into_openings(days: list[SensorDay]) -> None:
    read = ClaimReader()
    assert [claim for day in days for claim in read(opening_sentence(day))] == []


def test_rows_and_settings(days: list[SensorDay]) -> None:
    build = CaptionBuilder(opening=True)
    rows = [day.to_row() for day in days[:3]]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    written = build.mapper()(columns)["high_level_summary_caption"]
    assert written == build.batch(days[:3])
    assert build.settings()["opening"] is True
    assert CaptionBuilder().settings()["opening"] is False
    del columns["start"]
    with pytest.raises(ValueError, match="Row 0 has no `start`"):
        build.mapper()(columns)


def test_paraphrases_leave_the_opening_alone(days: list[SensorDay]) -> None:
    build = CaptionBuilder(key="low_level_caption", opening=True, paraphraser=lambda text: text.upper())
    caption = build(days[0])
    opening = opening_sentence(days[0])
    assert caption.startswith(f"{opening} ")
    assert caption[len(opening) :].isupper()
    assert build.paraphraser is not None
    assert build.paraphraser.accepted == 1


def test_languages_without_an_opening_are_refused(days: list[SensorDay]) -> None:
    from dataclasses import replace

    with pytest.raises(ValueError, match="German have no opening sentence; use language='en'"):
        CaptionBuilder(language="de", opening=True)
    with pytest.raises(TypeError, match="`opening` must be True or False, got 'yes'"):
        CaptionBuilder(opening="yes")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="`opening` must be a function or None"):
        replace(get_wording("de"), opening="Ein Tag.")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"days\[0\] is an array without a start"):
        CaptionBuilder(opening=True)(days[0].values, "a")
    own = replace(get_wording("de"), opening=lambda day, seed, sample_id, shorter: "Ein Tag.")
    assert CaptionBuilder(templates=own, opening=True)(days[0]).startswith("Ein Tag. ")


def test_the_command_has_the_option() -> None:
    import argparse

    parser = argparse.ArgumentParser()
    COMMAND.add_arguments(parser)
    assert parser.parse_args(["a", "b", "--opening"]).opening is True
    assert parser.parse_args(["a", "b"]).opening is False


def test_real_recordings(real_data: Path) -> None:
    from sensorlm_hf.data.readers import read_any

    count = 0
    for folder, zone in (("mmash/user_1", "Europe/Rome"), ("mmash/user_8", "Europe/Rome"), ("empatica_e4", "UTC")):
        for day in read_any(real_data / folder, timezone=zone):
            variants(day, 4)
            count += 1
    assert count == 3
