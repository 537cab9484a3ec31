"""Logs of simulated subjects: mostly correct, with occasional errors and device gaps."""

from __future__ import annotations

import numpy as np
import pytest

from sensorlm_hf.activities import ACTIVITY_BY_NAME
from sensorlm_hf.data.simulate import MOODS, iter_simulated_days, simulate_days
from sensorlm_hf.days import SensorDay


@pytest.fixture(scope="module")
def cohort() -> list[SensorDay]:
    return simulate_days(500, seed=31)


def _exercises(day: SensorDay) -> list:
    return [e for e in day.events_of("activity") if ACTIVITY_BY_NAME[e.label].benchmark]


def test_correct_logs_match_ground_truth_and_signals(cohort):
    right = moved = wrong = missed = 0
    for day in cohort:
        name = day.labels["main_activity"]
        if name == "none":
            continue
        start, end = day.labels["main_activity_start"], day.labels["main_activity_end"]
        named = [e for e in _exercises(day) if e.label == name]
        near = [e for e in named if abs(e.start_minute - start) <= 8 and abs(e.end_minute - end) <= 8]
        overlapping = [e for e in _exercises(day) if e.start_minute < end and start < e.end_minute]
        right += bool(near)
        moved += bool(named) and not near
        wrong += not named and bool(overlapping)
        missed += not named and not overlapping
    total = right + moved + wrong + missed
    assert total > 350
    assert 0.75 < right / total < 0.95
    assert 0.04 < missed / total < 0.15
    assert 0 < moved / total < 0.08
    assert 0 < wrong / total < 0.06


def test_main_activity_is_the_longest_and_matches_labels(cohort):
    for day in cohort:
        labels = day.labels
        if labels["main_activity"] == "none":
            assert labels["exercises"] == 0
            assert labels["environment"] == "none"
            assert labels["main_activity_start"] == labels["main_activity_end"] == -1
            continue
        activity = ACTIVITY_BY_NAME[labels["main_activity"]]
        assert activity.benchmark
        assert labels["environment"] == activity.environment
        low, high = activity.duration
        assert low - 1 <= labels["main_activity_end"] - labels["main_activity_start"] <= high
        assert 1 <= labels["exercises"] <= 4


def test_heart_rate_is_elevated_during_true_bout(cohort):
    raised = []
    for day in cohort:
        if day.labels["main_activity"] in ("running", "treadmill running", "HIIT", "football", "dancing"):
            start, end = max(day.labels["main_activity_start"], 0), min(day.labels["main_activity_end"], 1440)
            heart = day.channel("HR")
            if end - start >= 15 and not np.isnan(heart[start + 5 : end]).all():
                raised.append(np.nanmean(heart[start + 5 : end]) - np.nanmedian(heart))
    assert len(raised) > 40
    assert np.mean(np.array(raised) > 25) > 0.9


def test_events_overlap_window_and_moods_are_known(cohort):
    for day in cohort:
        for event in day.events:
            assert event.start_minute < 1440
            assert max(event.end_minute, event.start_minute + 1) > 0
        assert {e.label for e in day.events_of("mood")} <= set(MOODS)
        assert {e.label for e in day.events_of("sleep")} <= {"sleep", "nap"}
        assert len(_exercises(day)) <= 4


def test_moods_correlate_with_anxiety_and_exercise():
    days = simulate_days(900, seed=32, schema={"name": "hr", "channels": [{"key": "HR", "mean": 76, "std": 16}]})

    def share(labels: set[str], anxious: bool) -> float:
        moods = [e.label for d in days if d.labels["anxiety"] is anxious for e in d.events_of("mood")]
        assert len(moods) > 100
        return float(np.mean([m in labels for m in moods]))

    low = {"anxious", "stressed", "sad", "irritable"}
    assert share(low, True) > 1.6 * share(low, False)
    after, other = [], []
    for day in days:
        end = day.labels["main_activity_end"]
        for mood in day.events_of("mood"):
            (after if 0 <= mood.start_minute - end < 170 and end > 0 else other).append(mood.label == "energetic")
    assert np.mean(after) > 1.5 * np.mean(other)


def test_few_subjects_log_everyday_activities(cohort):
    everyday = {}
    for day in cohort:
        count = sum(not ACTIVITY_BY_NAME[e.label].benchmark for e in day.events_of("activity"))
        everyday.setdefault(day.subject_id, []).append(count)
    diarists = np.mean([np.mean(counts) > 4 for counts in everyday.values()])
    assert 0.12 < diarists < 0.4


def test_off_wrist_minutes_are_missing_in_every_channel(cohort):
    spans = 0
    for day in cohort[:100]:
        if day.labels["device"] != "multi-sensor watch":
            continue
        off = np.isnan(day.channel("steps"))
        assert not day.mask[off].any()
        spans += int((np.diff(off.astype(int)) == 1).sum())
    assert spans > 20
    share = np.mean([np.isnan(d.channel("steps")).mean() for d in cohort])
    assert 0.03 < share < 0.12


def test_optical_sensor_fails_in_some_swims(cohort):
    seen = []
    for day in iter_simulated_days(600, seed=33):
        if day.labels["main_activity"] == "swimming" and day.labels["device"] == "multi-sensor watch":
            start, end = max(day.labels["main_activity_start"], 0), min(day.labels["main_activity_end"], 1440)
            seen.append(day.mask[start:end, 0].mean())
            assert day.mask[start:end, day.schema.index("log_energy")].mean() > 0.9
    assert 0.1 < np.mean(np.array(seen) == 0) < 0.9


def test_logged_night_coincides_with_low_heart_rate(cohort):
    differences = []
    for day in cohort[:150]:
        heart, night = day.channel("HR"), np.zeros(1440, bool)
        for event in day.events_of("sleep"):
            night[max(event.start_minute, 0) : max(event.end_minute, 0)] = True
        if np.isfinite(heart[night]).sum() > 120:
            differences.append(np.nanmean(heart[~night]) - np.nanmean(heart[night]))
    assert np.mean(np.array(differences) > 5) > 0.97
