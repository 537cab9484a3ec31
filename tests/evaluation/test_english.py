"""Free English: rankings that are known in advance, device profiles, and calibration against another computation."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from evaluation_cases import Page, stubs

from sensorlm_hf import Event, SensorDay, get_schema
from sensorlm_hf.data.device_profiles import PROFILES
from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.evaluation import (
    calibration_error,
    evaluate_calibration,
    evaluate_concepts,
    evaluate_english,
    evaluate_event_sentences,
    evaluate_model,
    evaluate_nonsense,
    evaluate_sentences,
    markdown_table,
    write_reports,
)
from sensorlm_hf.evaluation.english import (
    ENGLISH_PARTS,
    ENGLISH_PROFILES,
    available_profiles,
    encode_profile,
    quartile_sides,
)
from sensorlm_hf.evaluation.held_out_sentences import (
    ACTIVITY_SENTENCES,
    CONCEPT_PAIRS,
    UNRELATED_LABELS,
    ConceptPair,
)
from sensorlm_hf.evaluation.model_card import _index
from sensorlm_hf.evaluation.quantities import QUANTITIES
from sensorlm_hf.evaluation.results import result_rows
from sensorlm_hf.evaluation.tasks import ACTIVITY_TEMPLATES, TASKS
from sensorlm_hf.modeling import load_pretrained
from sensorlm_hf.processing import SensorLMProcessor

SCHEMA = get_schema("sensorlm-26")
NAMES = TASKS["activity"].class_names
COUNT = len(NAMES)
MIDNIGHT = datetime(2024, 3, 1, tzinfo=timezone.utc)


def a_day(number: int, activity: str | None = None, events: Sequence[Event] = (), **channels: Any) -> SensorDay:
    """A day of one of twelve people with the given channels; steps of 1 by default."""
    values = np.full((1440, 26), np.nan)
    for key, minutes in (channels or {"steps": 1.0}).items():
        values[:, SCHEMA.index(key)] = minutes
    labels = {} if activity is None else {"main_activity": activity}
    return SensorDay(values, MIDNIGHT + timedelta(days=number), f"p{number % 12}", events=tuple(events), labels=labels)


def axis(k: int, size: int = COUNT + 1) -> list[float]:
    """A vector of one at one place; the last axis belongs to unrelated labels."""
    return np.eye(size)[k].tolist()


DAYS = [a_day(number, NAMES[number % COUNT]) for number in range(3 * COUNT)] + [a_day(98, "none"), a_day(99)]
TRUE = np.array([axis(number % COUNT) for number in range(3 * COUNT)] + [axis(0), axis(0)], dtype=np.float32)
TEXTS = {
    **{text: axis(k) for k, name in enumerate(NAMES) for text in ACTIVITY_SENTENCES[name]},
    **{template.format(name): axis(k) for k, name in enumerate(NAMES) for template in ACTIVITY_TEMPLATES},
    **{template.format(label): axis(COUNT) for label in UNRELATED_LABELS for template in ACTIVITY_TEMPLATES},
}


@pytest.fixture(scope="module")
def knowing() -> tuple[Any, Any]:
    """A model that knows what every sentence and prompt means."""
    return stubs(TEXTS, scale=20)


# Sentences


def test_perfect_model_scores_one(knowing: tuple[Any, Any]) -> None:
    result = evaluate_sentences(*knowing, DAYS, embeddings=TRUE)
    assert result["auroc"] == 1
    assert result["interval"] == [1, 1]
    assert result["chance"] == 0.5
    assert (result["days"], result["people"]) == (3 * COUNT, 12)
    assert result["sentences"] == sum(map(len, ACTIVITY_SENTENCES.values()))
    assert tuple(result["by_activity"]) == NAMES
    assert set(result["by_activity"]["yoga"]["sentences"]) == set(ACTIVITY_SENTENCES["yoga"])
    assert result["by_activity"]["yoga"]["days"] == 3
    opposite = evaluate_sentences(*knowing, DAYS, embeddings=-TRUE)
    assert opposite["auroc"] == 0


def test_random_embeddings_score_a_half(knowing: tuple[Any, Any]) -> None:
    days = [a_day(number, NAMES[number % COUNT]) for number in range(400)]
    random = np.random.default_rng(0).normal(size=(400, COUNT + 1)).astype(np.float32)
    result = evaluate_sentences(*knowing, days, embeddings=random)
    assert result["auroc"] == pytest.approx(0.5, abs=0.05)
    low, high = result["interval"]
    assert low < result["auroc"] < high


def test_a_ranking_by_hand() -> None:
    model, processor = stubs({"om": [1.0, 0.0], "goal": [0.0, 1.0], "offside": [1.0, 1.0]})
    days = [a_day(n, name) for n, name in enumerate(["yoga", "yoga", "football", "football", "golf"])]
    embeddings = np.array([[1, 0], [0.375, 0.125], [0.5, 0.625], [0.25, 0.75], [0.5, 0]], dtype=np.float32)
    sentences = {"yoga": ("om",), "football": ("goal", "offside"), "skiing": ("snow",)}
    result = evaluate_sentences(model, processor, days, embeddings=embeddings, sentences=sentences)
    # om: 1 is above all, 0.375 above one of three. goal: both above all. offside: 1.125 is above all, 1 ties with 1.
    assert result["by_activity"]["yoga"]["sentences"] == {"om": pytest.approx((3 + 1) / 6)}
    areas = result["by_activity"]["football"]["sentences"]
    assert areas["goal"] == 1
    assert areas["offside"] == pytest.approx((3 + 2.5) / 6)
    assert list(result["by_activity"]) == ["yoga", "football"], "no day of skiing"
    assert result["auroc"] == pytest.approx((4 / 6 + (1 + 5.5 / 6) / 2) / 2)


def test_days_without_a_signal_are_left_out(knowing: tuple[Any, Any]) -> None:
    partial = TRUE.copy()
    partial[0] = np.nan
    assert evaluate_sentences(*knowing, DAYS, embeddings=partial)["days"] == 3 * COUNT - 1


def test_sentences_about_events(knowing: tuple[Any, Any]) -> None:
    days = [
        a_day(n, events=[Event("activity", NAMES[n], 60, 100), Event("activity", NAMES[n - 1], 200, 240)])
        for n in range(COUNT)
    ]
    crops = np.array([axis(k % COUNT) for n in range(COUNT) for k in (n, n + COUNT - 1)], dtype=np.float32)
    result = evaluate_event_sentences(*knowing, days, embeddings=crops)
    assert result["auroc"] == 1
    assert result["days"] == 2 * COUNT


def test_unrankable_days_raise(knowing: tuple[Any, Any]) -> None:
    with pytest.raises(ValueError, match="`embeddings` must have a row for each of the 62 days, got 3"):
        evaluate_sentences(*knowing, DAYS, embeddings=TRUE[:3])
    with pytest.raises(ValueError, match=r"At least two activities are needed, .*; the data has yoga"):
        evaluate_sentences(*knowing, [a_day(0, "yoga")], embeddings=TRUE[:1])
    with pytest.raises(ValueError, match="must map activities to at least one sentence each, got 'chess'"):
        evaluate_sentences(*knowing, DAYS, embeddings=TRUE, sentences={"chess": ("Checkmate.",)})
    with pytest.raises(ValueError, match="Unknown device profile 'ring'"):
        evaluate_sentences(*knowing, DAYS, embeddings=TRUE, profile="ring")
    with pytest.raises(ValueError, match="None of the 1 days has a label for task 'activity'"):
        evaluate_sentences(*knowing, DAYS[-1:], embeddings=TRUE[-1:])
    exercised = a_day(0, events=[Event("activity", "yoga", 60, 100)])
    with pytest.raises(ValueError, match="row for each of the 1 events, got 2"):
        evaluate_event_sentences(*knowing, [exercised], embeddings=TRUE[:2])


# Concepts

PULSE = ConceptPair("pulse", "mean_heart_rate", "fast", "slow")
SKIN = ConceptPair("skin", "skin_temperature", "warm", "cold")
OPPOSITES = {"fast": [1.0, 0.0], "slow": [-1.0, 0.0], "warm": [0.0, 1.0], "cold": [0.0, -1.0]}


def test_pulse_aware_model_separates_quartiles() -> None:
    model, processor = stubs(OPPOSITES)
    days = [a_day(n, HR=60.0 + n, wrist_temperatures=30.0) for n in range(40)]
    embeddings = np.array([[math.cos(1.5 - n / 20), math.sin(1.5 - n / 20)] for n in range(40)], dtype=np.float32)
    result = evaluate_concepts(model, processor, days, embeddings=embeddings, pairs=[PULSE, SKIN])
    assert result["by_pair"] == {"pulse": {"auroc": 1, "quantity": "mean_heart_rate", "high": 10, "low": 10}}
    assert result["skipped"] == {"skin": "0 days with a skin_temperature on one side, 10 are needed"}, "all the same"
    assert (result["auroc"], result["interval"], result["pairs"], result["days"]) == (1, [1, 1], 1, 40)
    assert result["by_quantity"] == {"mean_heart_rate": {"auroc": 1, "pairs": 1}}
    reverse = evaluate_concepts(model, processor, days, embeddings=embeddings[::-1], pairs=[PULSE])
    assert reverse["auroc"] == 0
    few = evaluate_concepts(model, processor, days[:36], embeddings=embeddings[:36], pairs=[PULSE])
    assert (few["pairs"], math.isnan(few["auroc"])) == (0, True), "9 days per quartile"


def test_random_embeddings_separate_nothing() -> None:
    rng = np.random.default_rng(1)
    model, processor = stubs({text: rng.normal(size=16).tolist() for p in CONCEPT_PAIRS for text in (p.high, p.low)})
    days = simulate_days(120, seed=4)
    result = evaluate_concepts(model, processor, days, embeddings=rng.normal(size=(120, 16)).astype(np.float32))
    assert result["auroc"] == pytest.approx(0.5, abs=0.06)
    assert result["pairs"] >= 40
    assert {"steps", "mean_heart_rate", "sleep_minutes", "exercise_minutes"} < set(result["by_quantity"])


def test_concepts_that_a_device_does_not_measure_are_skipped() -> None:
    model, processor = stubs(OPPOSITES)
    days = [a_day(n, HR=60.0 + n, wrist_temperatures=30.0 + n / 10) for n in range(40)]
    embeddings = np.ones((40, 2), dtype=np.float32)
    of = lambda profile: evaluate_concepts(  # noqa: E731
        model, processor, days, embeddings=embeddings, pairs=[PULSE, SKIN], profile=profile
    )
    assert set(of("all")["by_pair"]) == {"pulse", "skin"}
    assert set(of("chest_strap")["by_pair"]) == {"pulse"}
    assert of("heart_rate_steps")["skipped"] == {
        "skin": "skin_temperature is not visible with heart rate and steps only"
    }
    assert of("steps")["pairs"] == 0
    with pytest.raises(ValueError, match="`min_side` must be at least 1, got 0"):
        evaluate_concepts(model, processor, days, embeddings=embeddings, min_side=0)


def test_every_profile_sees_some_concept() -> None:
    seen = {name: [q for q in QUANTITIES.values() if q.visible_in(p.channels)] for name, p in PROFILES.items()}
    assert len(seen["all"]) == len(QUANTITIES)
    assert min(map(len, seen.values())) >= 5


@pytest.mark.parametrize(
    ("values", "high", "low"),
    [
        (range(8), [6, 7], [0, 1]),
        ([0, 0, 0, 0, 0, 0, 0, 9], [7], list(range(7))),
        ([math.nan, 1, 2, math.nan, 3, 4], [5], [1]),
        ([5, 5, 5], [], [0, 1, 2]),
        ([math.nan], [], []),
    ],
)
def test_sides(values: Sequence[float], high: list[int], low: list[int]) -> None:
    upper, lower = quartile_sides(np.array(list(values), dtype=float))
    assert (upper.tolist(), lower.tolist()) == (high, low)


# Unrelated labels and calibration


def test_unrelated_labels(knowing: tuple[Any, Any]) -> None:
    result = evaluate_nonsense(*knowing, DAYS, embeddings=TRUE)
    assert (result["any"], result["mean"], result["days"], result["labels"]) == (0, 0, 3 * COUNT, 20)
    assert result["probability"] == pytest.approx(20 / (math.exp(20) + 39), abs=1e-6)
    confused = TRUE.copy()
    confused[: 3 * COUNT : 4] = axis(COUNT)
    result = evaluate_nonsense(*knowing, DAYS, embeddings=confused)
    assert result["any"] == result["mean"] == 0.25
    assert set(result["by_label"]) == set(UNRELATED_LABELS)
    assert result["chance"] == {"any": 20 / 21, "mean": 0.5}
    with pytest.raises(ValueError, match="at least one label"):
        evaluate_nonsense(*knowing, DAYS, embeddings=TRUE, labels=())


def test_calibration_error_matches_loop() -> None:
    rng = np.random.default_rng(2)
    probabilities = np.concatenate([rng.random(500), [0, 1, 0.2]])
    truths = rng.random(503) < probabilities**2
    for bins in (1, 5, 15):
        expected = 0.0
        for k in range(bins):
            inside = (probabilities > k / bins) & (probabilities <= (k + 1) / bins) | ((k == 0) & (probabilities == 0))
            if inside.any():
                expected += inside.mean() * abs(probabilities[inside].mean() - truths[inside].mean())
        assert calibration_error(probabilities, truths, bins) == pytest.approx(expected)
    assert calibration_error([1.0, 0.0], [True, False]) == 0
    assert calibration_error([1.0, 0.0], [False, True]) == 1
    calibrated = rng.random(20_000)
    assert calibration_error(calibrated, rng.random(20_000) < calibrated) < 0.02


@pytest.mark.parametrize(
    ("probabilities", "truths", "bins", "words"),
    [
        ([0.5], [True, False], 15, r"must be \(N,\) with N >= 1, got \(1,\) and \(2,\)"),
        ([], [], 15, "N >= 1"),
        ([1.5], [True], 15, "must be between 0 and 1, got 1.5 to 1.5"),
        ([math.nan], [True], 15, "must be between 0 and 1"),
        ([0.5], [3], 15, "must be true or false, got"),
        ([0.5], [True], 0, "`bins` must be at least 1, got 0"),
    ],
)
def test_invalid_calibration_inputs_raise(probabilities: list, truths: list, bins: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        calibration_error(probabilities, truths, bins)


def test_calibration_of_the_main_activity(knowing: tuple[Any, Any]) -> None:
    result = evaluate_calibration(*knowing, DAYS, embeddings=TRUE)
    assert result["accuracy"] == 1
    assert result["confidence"] == pytest.approx(1, abs=1e-6)
    assert result["error"] == pytest.approx(0, abs=1e-6)
    assert "independent_error" not in result


def test_calibration_of_independent_labels() -> None:
    """Every activity that was logged is true of a day, not only the main one."""
    model, processor = stubs(TEXTS, scale=20)
    model.odds = (20.0, -10.0)  # a probability of 1 for the main activity, and 0 for the others
    logged, other = (Event("activity", name, 600, 630) for name in (NAMES[0].upper(), NAMES[1]))
    days = [a_day(0, NAMES[0], [logged]), a_day(1, NAMES[0], [logged, other])]
    result = evaluate_calibration(model, processor, days, embeddings=TRUE[[0, 0]])
    assert result["independent_error"] == pytest.approx(1 / (2 * COUNT), abs=1e-4)


# With a model


@pytest.fixture(scope="module")
def days() -> list[SensorDay]:
    torch.set_num_threads(1)
    return simulate_days(48, seed=6, days_per_person=2)


def test_days_are_embedded_with_the_channels_of_a_device(
    folder_of: Callable[[str], Path], days: list[SensorDay]
) -> None:
    folder = folder_of("clip")
    model, processor = load_pretrained(folder).eval(), SensorLMProcessor.from_pretrained(folder)
    blank = a_day(0, HR=70.0)
    few = [*days[:3], blank]
    complete, pedometer = (encode_profile(model, processor, few, name, batch_size=2) for name in ("all", "steps"))
    assert complete.shape == pedometer.shape
    assert np.isfinite(complete).all()
    assert np.isnan(pedometer).all(axis=1).tolist() == [False, False, False, True]
    assert not np.allclose(complete[:3], pedometer[:3])
    with pytest.raises(ValueError, match="None of the 1 days has a value in the channels of profile 'steps': steps"):
        encode_profile(model, processor, [blank], "steps")
    assert [p.name for p in available_profiles([blank], ["all", "steps", "chest_strap"])] == ["all", "chest_strap"]


def test_unsupported_parts_are_absent(folder_of: Callable[[str], Path], days: list[SensorDay]) -> None:
    folder = folder_of("clip")
    model, processor = load_pretrained(folder).eval(), SensorLMProcessor.from_pretrained(folder)
    bare = [SensorDay(day.values, day.start, day.subject_id) for day in days[:4]]
    assert set(evaluate_english(model, processor, bare)) == {"concepts"}
    results = evaluate_english(model, processor, days, profiles=["all", "steps"])
    assert tuple(results) == ENGLISH_PARTS
    assert all(set(part) == {"all", "steps"} for part in results.values())


def test_evaluator_task(folder_of: Callable[[str], Path], days: list[SensorDay], tmp_path: Path) -> None:
    results = evaluate_model(folder_of("clip"), days, tmp_path / "run", tasks=["english"])
    english = results["english"]
    assert tuple(english) == ENGLISH_PARTS
    assert all(tuple(part) == ENGLISH_PROFILES for part in english.values())
    saved = json.loads((tmp_path / "run" / "tasks" / "english.json").read_text())
    assert saved["sentences"]["all"]["auroc"] == english["sentences"]["all"]["auroc"]
    again = evaluate_model(folder_of("clip"), days, tasks=["english"])["english"]
    assert repr(again) == repr(english), "the same without a folder"
    rows = {row.task: row for row in result_rows(results, headline=True)}
    count = english["sentences"]["all"]["sentences"]
    assert rows[f"free-English activities ({count:.0f} sentences)"].value == english["sentences"]["all"]["auroc"]
    assert f"free-English activities ({count:.0f} sentences), heart rate and steps only" in rows
    pairs = english["concepts"]["all"]["pairs"]
    assert rows[f"concepts ({pairs:.0f} pairs)"].chance == 0.5
    assert rows["unrelated labels (20)"].chance == pytest.approx(20 / 21)
    assert "| free-English events (" in markdown_table(results)
    assert {entry["task"]["type"] for entry in _index(results, True)} == {
        "zero-shot-sensor-classification", "zero-shot-sensor-event-classification", "sensor-concept-ranking"
    }  # fmt: skip
    markdown, html = write_reports(results, tmp_path / "run")
    assert "| zero-shot activity | calibration error |" in markdown.read_text(encoding="utf-8")
    page, text = Page(), html.read_text(encoding="utf-8")
    page.feed(text)
    assert page.open == page.outside == []
    assert "Free English" in text
    assert "mean heart rate" in text


def test_english_is_not_possible_without_text_embeddings(
    folder_of: Callable[[str], Path], days: list[SensorDay]
) -> None:
    with pytest.raises(ValueError, match="'english' is not possible here: a cap model has no text embedding"):
        evaluate_model(folder_of("cap"), days, tasks=["english"])
    with pytest.raises(ValueError, match="'english' is not possible here: at least two days are needed"):
        evaluate_model(folder_of("clip"), days[:1], tasks=["english"])
