"""Traits that real recordings have: dropouts, differences between people, leisurely sessions, late detection."""

from __future__ import annotations

import numpy as np
import pytest

from sensorlm_hf.activities import ACTIVITY_BY_NAME
from sensorlm_hf.data.simulate import iter_simulated_days
from sensorlm_hf.days import SensorDay


@pytest.fixture(scope="module")
def people() -> list[SensorDay]:
    return list(iter_simulated_days(500, 47, days_per_person=1))


def _runs(inside: np.ndarray) -> np.ndarray:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], inside.astype(np.int8), [0]])))
    return edges[1::2] - edges[::2]


def _main(day: SensorDay, *names: str) -> slice | None:
    start, end = day.labels["main_activity_start"], day.labels["main_activity_end"]
    inside = slice(max(start, 0), min(end, 1440))
    return inside if day.labels["main_activity"] in names and inside.stop - inside.start >= 20 else None


def _neighbours(values: np.ndarray) -> float:
    """Correlation of neighbouring minutes."""
    both = np.isfinite(values[:-1]) & np.isfinite(values[1:])
    return float(np.corrcoef(values[:-1][both], values[1:][both])[0, 1])


def test_heart_rate_drops_out_briefly_while_steps_are_counted(people):
    lengths = {True: [], False: []}
    days = {True: 0, False: 0}
    for day in people:
        strap = "strap" in day.labels["device"]
        worn = ~np.isnan(day.channel("steps"))
        swims = day.labels["main_activity"] == "swimming"
        if swims or worn.mean() < 0.9:
            continue
        days[strap] += 1
        lengths[strap] += _runs(np.isnan(day.channel("HR")) & worn).tolist()
    assert 3 < len(lengths[False]) / days[False] < 12
    assert np.median(lengths[False]) <= 2
    assert np.median(lengths[True]) > np.median(lengths[False])


def test_heart_rate_flutters_more_in_some_people(people):
    change = []
    for day in people:
        asleep = [e for e in day.events_of("sleep") if e.label == "sleep" and e.end_minute - e.start_minute > 240]
        if asleep and day.labels["device"] == "multi-sensor watch":
            steps = np.diff(day.channel("HR")[max(asleep[0].start_minute, 0) : min(asleep[0].end_minute, 1440)])
            if np.isfinite(steps).sum() > 120:
                change.append(np.nanstd(steps))
    assert len(change) > 100
    assert 0.12 < np.std(np.log(change)) < 0.4


def test_effort_in_a_run_changes_slowly(people):
    found = []
    for day in people:
        inside = _main(day, "running", "treadmill running")
        if inside is not None and np.isfinite(day.channel("HR")[inside]).sum() > 18:
            found.append(_neighbours(day.channel("HR")[inside]))
    assert len(found) > 20
    assert 0.55 < np.median(found) < 0.9


def test_some_rides_and_walks_are_leisurely(people):
    above = []
    for day in people:
        inside = _main(day, "outdoor cycling", "indoor cycling", "walking")
        if inside is not None and np.isfinite(day.channel("HR")[inside]).sum() > 18:
            rest = day.labels["resting_heart_rate"]
            above.append(np.nanmean(day.channel("HR")[inside]) - rest)
    assert len(above) > 40
    easy, usual = np.percentile(above, [5, 50])
    assert easy < 0.65 * usual


def test_some_exercises_on_the_move_are_detected_late(people):
    late = []
    for day in people:
        name, start = day.labels["main_activity"], day.labels["main_activity_start"]
        if name == "none" or not ACTIVITY_BY_NAME[name].locomotion or start < 0:
            continue
        near = [e.start_minute - start for e in day.events_of("activity") if e.label == name]
        near = [delay for delay in near if -8 <= delay <= 15]
        late += [delay >= 4 for delay in near[:1]]
    assert len(late) > 150
    assert 0.05 < np.mean(late) < 0.2


def test_minutes_with_steps_come_in_bouts(people):
    found = []
    for day in people:
        if day.labels["device"] != "multi-sensor watch" or day.labels["main_activity"] != "none":
            continue
        steps = day.channel("steps")
        found.append(_neighbours(np.where(np.isnan(steps), np.nan, steps > 0)))
    assert len(found) > 20
    assert np.median(found) > 0.3


def test_runs_have_pauses(people):
    slow = []
    for day in people:
        inside = _main(day, "running")
        if inside is not None:
            steps = day.channel("steps")[inside]
            steps = steps[np.isfinite(steps)]
            if len(steps) >= 20:
                slow.append((steps < 0.8 * np.median(steps)).mean())
    assert 0.04 < np.median(slow) < 0.2
