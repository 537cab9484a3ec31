"""The activity table and the mapping of tracker names."""

from __future__ import annotations

import pytest

from sensorlm_hf.activities import ACTIVITIES, ACTIVITY_BY_NAME, canonical_activity


def test_activity_table_has_20_classes():
    classes = [a for a in ACTIVITIES if a.benchmark]
    assert len(classes) == 20
    assert sum(a.gym_cardio for a in classes) == 4
    assert sum(a.outdoor_sport for a in classes) == 4
    assert not any(a.gym_cardio or a.outdoor_sport for a in ACTIVITIES if not a.benchmark)
    assert {a.environment for a in classes if a.outdoor_sport} == {"outdoor"}
    assert {a.environment for a in classes if a.gym_cardio} == {"indoor"}
    # Every binary task needs members of both classes.
    for value in ("cardio", "strength"):
        assert sum(a.category == value for a in classes) >= 3
    assert 5 <= sum(a.locomotion for a in classes) <= 15
    assert 5 <= sum(a.environment == "outdoor" for a in classes) <= 15
    assert not any(a.gym_cardio and a.locomotion for a in classes)


def test_energy_costs_are_plausibly_ordered():
    met = {a.name: a.met for a in ACTIVITIES}
    order = ["sleeping", "watching television", "yoga", "weight lifting", "walking", "swimming", "running"]
    assert [met[n] for n in order] == sorted(met[n] for n in order)
    assert met["sleeping"] == pytest.approx(0.95)
    assert met["tennis"] == pytest.approx(7.3)


@pytest.mark.parametrize("activity", ACTIVITIES, ids=lambda a: a.name)
def test_each_row_is_consistent(activity):
    assert 0.9 <= activity.met <= 12
    assert activity.edition in (2011, 2024)
    assert activity.code.isdigit()
    assert len(activity.code) == 5
    low, high = activity.cadence
    assert 0 <= low <= high <= 190
    assert 0 <= activity.step_share <= 1
    assert 0 < activity.duration[0] < activity.duration[1]
    assert activity.environment in ("indoor", "outdoor")


def test_names_are_unique_and_mapped():
    names = [a.name for a in ACTIVITIES]
    assert len(set(names)) == len(names) == len(ACTIVITY_BY_NAME)
    for activity in ACTIVITIES:
        for alias in (activity.name, *activity.aliases):
            assert canonical_activity(alias) == activity.name
            assert canonical_activity(f" {alias.upper().replace(' ', '_')} ") == activity.name


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Outdoor Bike", "outdoor cycling"),
        ("Weights", "weight lifting"),
        ("Run", "running"),
        ("Walk", "walking"),
        ("HKWorkoutActivityTypeTraditionalStrengthTraining", "weight lifting"),
        ("EXERCISE_TYPE_ROWING_MACHINE", "rowing machine"),
        ("lap_swimming", "swimming"),
        ("High-Intensity Interval Training", "HIIT"),
        ("EXERCISE_TYPE_BIKING_STATIONARY", "indoor cycling"),
        ("exercise bike", "indoor cycling"),
        ("soccer", "football"),
        ("Football (soccer)", "football"),
        ("Sport", None),
        ("Workout", None),
        ("", None),
        ("runn", None),
    ],
)
def test_tracker_names(given, expected):
    assert canonical_activity(given) == expected


@pytest.mark.parametrize("bad", [None, 3, b"run", ["run"]])
def test_name_must_be_a_string(bad):
    with pytest.raises(TypeError, match="must be a string"):
        canonical_activity(bad)
