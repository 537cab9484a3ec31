"""Facts of hand-made days: what is known, what is undecided, and that the numbers are right."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from sensorlm_hf.days import Event, SensorDay
from sensorlm_hf.processing.captions.claims import FALSE, TRUE, UNDECIDED, all_claims
from sensorlm_hf.processing.captions.day_facts import FACT_NAMES, DayFacts, day_facts
from sensorlm_hf.schema import get_schema

SCHEMA = get_schema("sensorlm-26")
BERLIN = ZoneInfo("Europe/Berlin")
RUN = Event("activity", "run", 420, 480)
YOGA = Event("activity", "yoga", 1140, 1170)
NIGHT = Event("sleep", "sleep", -60, 400)
EVENING = Event("sleep", "sleep", 1380, 1860)


def make(events: tuple[Event, ...] = (), gaps: tuple[tuple[int, int], ...] = (), **options: object) -> SensorDay:
    """A day with a pulse of 60 (150 while running), 100 steps per minute from 12 to 13 and otherwise 2."""
    values = np.tile(np.array(SCHEMA.means, dtype=np.float32), (int(options.get("minutes", 1440)), 1))
    values[:, SCHEMA.index("HR")] = 60
    values[420:480, SCHEMA.index("HR")] = 150
    values[:, SCHEMA.index("steps")] = 2
    values[720:780, SCHEMA.index("steps")] = 100
    for start, end in gaps:
        values[start:end] = np.nan
    start = options.get("start", datetime(2024, 5, 1, tzinfo=BERLIN))
    return SensorDay(values, start, "p", SCHEMA, events)  # type: ignore[arg-type]


def value_of(key: str, facts: DayFacts) -> int:
    return next(claim for claim in all_claims() if claim.key == key)(facts)


def test_levels_and_totals() -> None:
    facts = day_facts(make((NIGHT, RUN)))
    assert facts["heart_rate"] == pytest.approx(60 + 90 * 60 / 1440)
    assert facts["heart_rate_peak"] == 150
    assert facts["heart_rate_lowest"] == 60
    assert facts["heart_rate:morning"] == pytest.approx(60 + 90 * 60 / 360)
    assert facts["heart_rate:night"] == 60
    assert facts["steps"] == 2 * 1380 + 6000
    assert facts["steps:afternoon"] == 600 + 6000
    assert facts["cadence"] == 100
    assert facts["sleep_heart_rate"] == 60
    assert facts["exercise_heart_rate"] == 150
    assert facts["observed"] == 1
    assert facts["longest_gap"] == 0
    assert facts["longest_still"] == 660  # from 13 o'clock to midnight
    assert facts.sample_id == "p@2024-05-01T00:00+0200"


def test_gaps_and_wear() -> None:
    facts = day_facts(make(gaps=((0, 360), (800, 815), (1000, 1004))))
    assert facts["longest_gap"] == 360
    assert facts["gaps"] == 2
    assert facts["night_observed"] == 0
    assert facts["unobserved:afternoon"] == 19
    assert value_of("gap/hours", facts) == TRUE
    assert value_of("gap/none", facts) == FALSE
    assert value_of("night_wear/off", facts) == TRUE
    assert np.isnan(facts["heart_rate:night"])
    assert facts["steps"] == 2 * (1440 - 360 - 60 - 19) + 6000, "nobody counts steps at night"
    assert np.isnan(day_facts(make(gaps=((360, 900),)))["steps"]), "half of the steps may be missing"


def test_sleep_times_are_those_of_the_local_clock() -> None:
    facts = day_facts(make((NIGHT, EVENING)))
    assert facts["sleep_minutes"] == 460
    assert facts["wake_time"] == pytest.approx(6 + 40 / 60)
    assert facts["bedtime"] == 11  # 23:00, counted from noon
    assert day_facts(make((NIGHT,)))["bedtime"] == 11
    assert facts["sleep_breaks"] == 0
    assert facts["nap_minutes"] == 0
    assert facts["minutes:sleeping"] == 400 + 60
    broken = day_facts(make((Event("sleep", "sleep", -60, 120), Event("sleep", "sleep", 150, 400))))
    assert broken["sleep_breaks"] == 1
    assert broken["sleep_minutes"] == 180 + 250
    assert value_of("sleep_breaks/interrupted", broken) == TRUE
    nap = day_facts(make((NIGHT, Event("sleep", "nap", 840, 870))))
    assert nap["nap_minutes"] == nap["minutes:nap"] == 30
    assert value_of("nap/any", nap) == TRUE


def test_no_logged_sleep_is_undecided_unless_the_device_was_off() -> None:
    assert np.isnan(day_facts(make((RUN,)))["sleep_any"])
    assert np.isnan(day_facts(make((RUN,)))["sleep_minutes"])
    off = make((RUN,), gaps=((0, 360),))
    assert day_facts(off)["sleep_any"] == 0
    assert np.isnan(day_facts(off, log_complete=False)["sleep_any"])


def test_windows_may_start_at_any_minute_and_cross_a_clock_change() -> None:
    noon = day_facts(make(start=datetime(2024, 5, 1, 12, 0, tzinfo=BERLIN)))
    assert noon["steps:night"] == 600 + 6000  # minutes 720 to 1080 of the window
    change = day_facts(make((Event("sleep", "sleep", 0, 360),), start=datetime(2024, 3, 31, 0, 7, tzinfo=BERLIN)))
    assert change["wake_time"] == pytest.approx(7 + 7 / 60), "an hour later by the clock"


def test_activities_parts_and_lengths() -> None:
    facts = day_facts(make((RUN, YOGA)))
    assert facts["minutes:running"] == facts["longest:running"] == facts["morning:running"] == 60
    assert facts["evening:running"] == 0
    assert facts["minutes:tennis"] == 0
    assert facts["exercise_minutes"] == 90
    assert facts["exercise_bouts"] == 2
    assert facts["exercise_first"] == 7
    assert facts["exercise_last"] == 19
    assert value_of("activity/running", facts) == TRUE
    assert value_of("activity_part/running/morning", facts) == TRUE
    assert value_of("activity_part/running/evening", facts) == FALSE
    assert value_of("activity/tennis", facts) == FALSE
    assert value_of("exercise/none", facts) == FALSE
    assert value_of("exercise_count/several", facts) == TRUE
    assert value_of("group/mind-body practice", facts) == TRUE
    assert value_of("group/winter sports", facts) == FALSE


def test_everyday_activities_are_ruled_out_only_by_a_diary() -> None:
    assert np.isnan(day_facts(make((RUN,)))["minutes:cooking"])
    diary = tuple(Event("activity", "meal", start, start + 20) for start in (400, 760, 1100, 1200))
    assert day_facts(make(diary))["minutes:cooking"] == 0


def test_incomplete_log_leaves_absence_undecided() -> None:
    facts = day_facts(make((RUN, NIGHT)), log_complete=False)
    assert value_of("activity/running", facts) == TRUE
    assert value_of("activity/tennis", facts) == UNDECIDED
    assert value_of("activity_part/running/evening", facts) == UNDECIDED
    assert value_of("exercise/none", facts) == FALSE
    assert value_of("nap/any", facts) == UNDECIDED
    assert value_of("exercise/any", day_facts(make((NIGHT,)), log_complete=False)) == UNDECIDED
    assert value_of("exercise/none", day_facts(make((NIGHT,)))) == TRUE


def test_unknown_names_leave_absence_undecided() -> None:
    facts = day_facts(make((Event("activity", "quidditch", 500, 560),)))
    assert value_of("activity/tennis", facts) == UNDECIDED
    assert value_of("exercise/none", facts) == UNDECIDED


def test_similar_activities_are_undecided() -> None:
    facts = day_facts(make((Event("activity", "treadmill", 500, 560),)))
    assert value_of("activity/treadmill running", facts) == TRUE
    assert value_of("activity/running", facts) == UNDECIDED


def test_a_cropped_day_knows_its_activity_and_levels_but_no_totals() -> None:
    day = make((NIGHT, RUN)).crop(420, 480).with_events([RUN])
    facts = day_facts(day, cropped=True)
    assert facts["heart_rate"] == 150
    for name in (
        "steps",
        "longest_gap",
        "observed",
        "sleep_minutes",
        "exercise_bouts",
        "nap_minutes",
        "heart_rate_rest",
    ):
        assert np.isnan(facts[name]), name
    assert value_of("activity/running", facts) == TRUE
    assert value_of("activity/tennis", facts) == FALSE
    assert value_of("exercise/none", facts) == FALSE
    assert value_of("heart_rate/high", facts) == TRUE
    asleep = day_facts(make((NIGHT, RUN)).crop(0, 400).with_events([NIGHT]), cropped=True)
    assert value_of("sleep_any/slept", asleep) == TRUE
    assert value_of("exercise/none", asleep) == UNDECIDED
    assert value_of("activity/sleeping", asleep) == TRUE


def test_totals_of_short_windows_are_undecided() -> None:
    assert np.isnan(day_facts(make(minutes=800))["steps"])


def test_moods_are_false_only_where_the_opposite_was_logged() -> None:
    facts = day_facts(make((Event("mood", "calm", 600, 600),)))
    assert facts["mood:calm"] == 1
    assert facts["mood:stressed"] == 0
    assert np.isnan(facts["mood:happy"])
    assert value_of("mood/good", facts) == TRUE
    mixed = day_facts(make((Event("mood", "calm", 600, 600), Event("mood", "sad", 900, 900))))
    assert value_of("mood/good", mixed) == UNDECIDED


def test_channels_that_a_schema_lacks_are_undecided() -> None:
    schema = get_schema({"name": "own", "channels": [{"key": "HR", "mean": 70, "std": 10}]})
    day = SensorDay(np.full((1440, 1), 70.0), datetime(2024, 5, 1, tzinfo=BERLIN), "p", schema)
    facts = day_facts(day)
    assert facts["heart_rate"] == 70
    assert np.isnan(facts["steps"])
    empty = day_facts(day.without(np.array(True)))
    assert np.isnan(empty["heart_rate"])
    assert empty["observed"] == 0


def test_invalid_arguments_raise() -> None:
    with pytest.raises(TypeError, match="must be a SensorDay, got dict"):
        day_facts({})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Unknown facts 'pace'"):
        DayFacts.from_dict({"pace": 1})
    with pytest.raises(ValueError, match="must have shape"):
        DayFacts(np.zeros(3))
    with pytest.raises(KeyError, match="no fact 'pace'"):
        DayFacts(np.zeros(len(FACT_NAMES)))["pace"]
