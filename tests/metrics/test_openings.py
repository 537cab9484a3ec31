"""Claims of openings, and whether the day confirms them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.metrics import OpeningClaim, opening_faithfulness, read_opening
from sensorlm_hf.processing.captions import CAPTION_KEYS, CaptionBuilder, opening_sentence
from sensorlm_hf.processing.captions.opening_words import number_in_words


@pytest.fixture(scope="module")
def cohort():
    return simulate_days(120, seed=61)


def test_claims_of_a_caption():
    caption = (
        "an active working day with an hour of weight lifting in the evening, about five thousand steps, a short nap"
        " around midday and seven and a half hours of sleep. heart rate averaged 70.1."
    )
    assert read_opening(caption) == [
        OpeningClaim("character", "active"),
        OpeningClaim("work"),
        OpeningClaim("activity", "weight lifting"),
        OpeningClaim("sleep", value=450.0),
        OpeningClaim("nap"),
        OpeningClaim("steps", value=5000.0),
    ]


@pytest.mark.parametrize(
    ("opening", "claim"),
    [
        ("Half an hour of HIIT in the morning stood out on a calm day.", OpeningClaim("activity", "hiit")),
        ("A very active day: a short night of about five hours.", OpeningClaim("sleep", value=300.0)),
        ("An hour of treadmill running stood out on a calm day.", OpeningClaim("activity", "treadmill running")),
        ("A quiet day with about a thousand steps.", OpeningClaim("steps", value=1000.0)),
        ("A quiet day with roughly fifteen hundred recorded steps.", OpeningClaim("steps", value=1500.0)),
        ("This was a day with two naps.", OpeningClaim("nap")),
    ],
)
def test_every_kind_of_claim_is_read(opening, claim):
    assert claim in read_opening(opening)


def test_the_longest_name_counts():
    claims = read_opening("A calm day with an hour of walking to work.")
    assert [claim.subject for claim in claims if claim.kind == "activity"] == ["walking to work"]


def test_captions_without_an_opening_have_no_claims(cohort):
    for key in CAPTION_KEYS:
        for caption in CaptionBuilder(key=key).batch(cohort):
            assert read_opening(caption) == []
    assert math.isnan(opening_faithfulness(["The person slept."], cohort[:1])["faithfulness"])


def test_openings_of_the_builder_are_faithful_and_those_of_other_days_are_not(cohort):
    own = [opening_sentence(day) for day in cohort]
    found = opening_faithfulness(own, cohort)
    assert found["faithfulness"] == 1.0
    assert found["openings"] == 1.0
    assert found["claims"] > 3 * len(cohort)
    assert set(found["by_kind"]) >= {"activity", "character", "sleep", "steps"}
    assert sum(entry["claims"] for entry in found["by_kind"].values()) == found["claims"]
    assert opening_faithfulness([*own[4:], *own[:4]], cohort)["faithfulness"] < 0.5


def test_opening_followed_by_numbers_is_read_alike(cohort):
    for day in cohort[:10]:
        caption = CaptionBuilder(key="high_low_caption", opening=True)(day)
        assert read_opening(caption) == read_opening(opening_sentence(day)) == read_opening(caption.lower())


def test_tolerances(cohort):
    day = next(d for d in cohort if np.nansum(d.channel("steps")) > 4000 and d.events_of("sleep"))
    steps = float(np.nansum(day.channel("steps")))
    near = round(steps / 1000)
    right = f"A day with about {number_in_words(near)} thousand steps."
    wrong = f"A day with about {number_in_words(2 * near)} thousand steps."
    assert opening_faithfulness([right], [day])["faithfulness"] == 1.0
    assert opening_faithfulness([wrong], [day])["faithfulness"] == 0.0


def test_bad_input(cohort):
    with pytest.raises(ValueError, match="one caption per day, at least one, got 1 captions and 2 days"):
        opening_faithfulness(["A day."], cohort[:2])
    with pytest.raises(TypeError, match="A caption must be a string, got int"):
        read_opening(3)
