"""Held-out activities."""

from __future__ import annotations

import pytest

from sensorlm_hf.activities import canonical_activity
from sensorlm_hf.data.folders import load_sensor_days, write_days
from sensorlm_hf.data.held_out import check_activities, without_activities
from sensorlm_hf.data.simulate import simulate_days

HELD_OUT = ("running", "yoga", "football")


def test_held_out_activities_are_removed_from_days() -> None:
    days = simulate_days(60, seed=4)
    kept = without_activities(days, HELD_OUT)
    assert 0 < len(kept) < len(days)
    for day in kept:
        assert day.labels["main_activity"] not in HELD_OUT
        assert not {canonical_activity(event.label) for event in day.events} & set(HELD_OUT)
    left_out = [day for day in days if not any(day is other for other in kept)]
    for day in left_out:
        named = {event.label for event in day.events} | {day.labels["main_activity"]}
        assert named & set(HELD_OUT)


def test_aliases_are_held_out_too() -> None:
    days = simulate_days(40, seed=4)
    assert len(without_activities(days, ["jog"])) == len(without_activities(days, ["running"])) < len(days)


def test_dataset_and_list_are_filtered_alike(tmp_path) -> None:
    days = simulate_days(24, seed=4)
    write_days(days, tmp_path / "days")
    rows = load_sensor_days(tmp_path / "days", split="train", cache_dir=tmp_path / "cache")
    kept = without_activities(rows, HELD_OUT)
    names = [(row["subject_id"], row["start"]) for row in kept]
    assert names == [(day.subject_id, day.start.isoformat()) for day in without_activities(days, HELD_OUT)]
    assert kept[0]["values"].shape == (1440, 26)


def test_invalid_input_raises() -> None:
    with pytest.raises(ValueError, match=r"activities\[1\] 'juggling'"):
        check_activities(["running", "juggling"])
    with pytest.raises(TypeError, match="string 'running'"):
        check_activities("running")
    runners = [day for day in simulate_days(40, seed=4) if day.labels["main_activity"] == "running"]
    with pytest.raises(ValueError, match="none is left"):
        without_activities(runners, ["running"])
    assert without_activities(runners, []) is runners
