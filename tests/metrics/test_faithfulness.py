"""Parsing of captions into claims, and verification of claims against the facts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timezone

import numpy as np
import pytest

from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.days import Event, SensorDay
from sensorlm_hf.metrics import ClaimReader, Tolerance, claims_of, fact_faithfulness
from sensorlm_hf.processing.captions import CAPTION_KEYS, CaptionBuilder
from sensorlm_hf.schema import get_schema

SCHEMA = get_schema("sensorlm-26")


@pytest.fixture(scope="module")
def days() -> list[SensorDay]:
    return [d for d in simulate_days(14, seed=5, days_per_person=1) if d.start.utcoffset() == d.end.utcoffset()][:10]


@pytest.fixture(scope="module")
def day() -> SensorDay:
    """Heart rate of 60, then 100 bpm; steps of 0; all other channels missing; nothing observed from 300 to 360."""
    values = np.full((1440, 26), np.nan, np.float32)
    values[:, SCHEMA.index("HR")] = np.where(np.arange(1440) < 720, 60, 100)
    values[:, SCHEMA.index("steps")] = 0
    values[300:360] = np.nan
    events = (Event("activity", "yoga", 600, 660), Event("sleep", "nap", 900, 960), Event("mood", "calm", 800, 800))
    return SensorDay(values, datetime(2024, 3, 1, tzinfo=timezone.utc), "p", SCHEMA, events)


@pytest.mark.parametrize("key", CAPTION_KEYS)
@pytest.mark.parametrize("time_format", ["minutes", "clock"])
def test_builder_captions_are_fully_parsed_and_true(days: list[SensorDay], key: str, time_format: str) -> None:
    captions = CaptionBuilder(SCHEMA, key=key, time_format=time_format, units=True).batch(days)
    result = fact_faithfulness([caption.lower() for caption in captions], days)
    assert result["faithfulness"] == 1
    assert "unread" not in result["by_kind"]
    assert result["silent"] == 0


def test_german_captions_are_parsed(days: list[SensorDay]) -> None:
    captions = CaptionBuilder(SCHEMA, key="high_low_caption", language="de").batch(days)
    result = fact_faithfulness(captions, days, language="de")
    assert result["by_kind"]["number"]["confirmed"] == result["by_kind"]["number"]["claims"] > 0
    assert "unread" not in result["by_kind"]


def test_captions_of_other_days_have_fewer_true_claims(days: list[SensorDay]) -> None:
    captions = CaptionBuilder(SCHEMA, key="high_middle_low_caption").batch(days)
    strange = fact_faithfulness(captions[1:] + captions[:1], days)
    assert 0 < strange["faithfulness"] < 0.6
    assert sum(strange["claims_per_caption"]) == strange["claims"]
    assert sum(strange["confirmed_per_caption"]) == pytest.approx(strange["faithfulness"] * strange["claims"])


def test_claims_of_each_sentence() -> None:
    text = (
        "The person logged yoga, a nap and walking and felt calm and tired. Heart rate ranged from 50.0 to 120.5, with"
        " a mean of 70.1 and a standard deviation of 9.9. Steps rose from minute 40 to minute 240. At minute 440, there"
        " was a drop in SDNN. Yoga filled the time between minutes 600 and 660."
    )
    claims = claims_of([text.lower()])[0]
    assert Counter(claim.kind for claim in claims) == {"event": 4, "mood": 2, "number": 4, "trend": 1, "anomaly": 1}
    numbers = {claim.what: (claim.subject, claim.value) for claim in claims if claim.kind == "number"}
    assert numbers == {"min": ("HR", 50.0), "max": ("HR", 120.5), "mean": ("HR", 70.1), "std": ("HR", 9.9)}
    trend = next(claim for claim in claims if claim.kind == "trend")
    assert (trend.subject, trend.what, trend.start, trend.end) == ("steps", "increasing", 40, 240)
    assert [claim.subject for claim in claims if claim.kind == "event"] == ["yoga", "a nap", "walking", "yoga"]


@pytest.mark.parametrize(
    ("caption", "confirmed", "claims"),
    [
        ("heart rate ranged from 60.0 to 100.0, with a mean of 80.9 and a standard deviation of 20.0.", 4, 4),
        ("heart rate ranged from 60.0 to 140.0, with a mean of 80.9 and a standard deviation of 20.0.", 3, 4),
        ("heart rate rose from minute 600 to minute 800.", 1, 1),
        ("heart rate fell from minute 600 to minute 800.", 0, 1),
        ("heart rate rose from minute 40 to minute 240.", 0, 1),
        ("steps rose from minute 600 to minute 800.", 0, 1),
        ("the day included yoga and a nap.", 2, 2),
        ("the day included running and a nap, with the mood logged as calm.", 2, 3),
        ("yoga lasted from minute 600 until minute 660.", 1, 1),
        ("yoga lasted from minute 100 until minute 160.", 0, 1),
        ("the mood at minute 810 was calm.", 1, 1),
        ("the mood at minute 200 was calm.", 0, 1),
        ("no data were recorded between minutes 300 and 360.", 1, 1),
        ("no data were recorded between minutes 500 and 560.", 0, 1),
        ("no extended activity, sleep or mood was logged.", 0, 1),
        ("no sensor data were recorded.", 0, 1),
        ("no clear trends or anomalies stand out.", 0, 1),
        ("skin temperature ranged from 30.0 to 33.0, with a mean of 31.0 and a standard deviation of 1.0.", 0, 4),
        ("pulse reached 170.5 at noon.", 0, 1),
        ("what a day", 0, 0),
    ],
)
def test_claims_by_hand(day: SensorDay, caption: str, confirmed: int, claims: int) -> None:
    result = fact_faithfulness([caption], [day])
    assert (result["confirmed_per_caption"], result["claims_per_caption"]) == ([confirmed], [claims])


def test_absence_claims_are_true_without_observations(day: SensorDay) -> None:
    empty = replace(day, values=np.full((1440, 26), np.nan), events=())
    captions = ["No sensor data were recorded. No extended activity, sleep or mood was logged.", ""]
    result = fact_faithfulness(captions, [empty, empty])
    assert result["faithfulness"] == 1
    assert result["claims_per_caption"] == [2, 0]
    assert result["silent"] == 0.5


def test_tolerance(day: SensorDay) -> None:
    caption = ["Heart rate ranged from 63.0 to 103.0, with a mean of 83.9 and a standard deviation of 23.0."]
    assert fact_faithfulness(caption, [day])["confirmed_per_caption"] == [3]
    tight = Tolerance(relative=0, spread=0)
    assert fact_faithfulness(caption, [day], tolerance=tight)["faithfulness"] == 0
    with pytest.raises(ValueError, match="overlap"):
        Tolerance(overlap=0)


def test_no_claims_gives_nan(day: SensorDay) -> None:
    assert np.isnan(fact_faithfulness([""], [day])["faithfulness"])


def test_invalid_input_raises(day: SensorDay) -> None:
    with pytest.raises(ValueError, match="2 captions and 1"):
        fact_faithfulness(["a", "b"], [day])
    with pytest.raises(TypeError, match="int"):
        ClaimReader()(3)  # type: ignore[arg-type]
