"""Simulated cohorts: determinism, shape, distributions, arguments."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from datetime import date, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from sensorlm_hf.data.simulate import SENSOR_OF, iter_simulated_days, simulate_days
from sensorlm_hf.days import SensorDay, stack_values
from sensorlm_hf.schema import get_schema, list_schemas


@pytest.fixture(scope="module")
def cohort() -> list[SensorDay]:
    return simulate_days(400, seed=11)


@pytest.fixture(scope="module")
def cohort_34() -> list[SensorDay]:
    return simulate_days(240, seed=12, schema="sensorlm-34")


def _one_person(number: int) -> SensorDay:
    return simulate_days(1, seed=5, start_person=number, days_per_person=2)[0]


class TestDeterminism:
    def test_days_do_not_depend_on_chunk_size(self):
        whole = list(iter_simulated_days(13, seed=5, chunk_size=13))
        for size in (1, 4, 64):
            assert list(iter_simulated_days(13, seed=5, chunk_size=size)) == whole

    def test_subject_does_not_depend_on_the_rest_of_the_cohort(self):
        many = simulate_days(12, seed=5, days_per_person=3)
        assert simulate_days(3, seed=5, days_per_person=3, start_person=2) == many[6:9]
        assert simulate_days(1, seed=5, days_per_person=1, start_person=2)[0] == many[6]

    def test_days_are_identical_across_processes(self):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            elsewhere = pool.map(_one_person, [0, 1, 2])
        assert elsewhere == [_one_person(number) for number in (0, 1, 2)]

    def test_seed_changes_subjects(self):
        ours, others = simulate_days(4, seed=1), simulate_days(4, seed=2)
        assert not any(a == b for a, b in zip(ours, others, strict=True))
        assert ours[0].subject_id != others[0].subject_id

    def test_schemas_share_signals_events_and_labels(self):
        wide, other = simulate_days(6, seed=8), simulate_days(6, seed=8, schema="sensorlm-34")
        for a, b in zip(wide, other, strict=True):
            np.testing.assert_array_equal(a.channel("HR"), b.channel("HR"))
            np.testing.assert_array_equal(a.channel("steps"), b.channel("steps"))
            assert a.events == b.events
            assert a.labels == b.labels


class TestDays:
    def test_values_are_within_valid_range(self, cohort, cohort_34):
        for days in (cohort, cohort_34):
            values = stack_values(days)
            for column, channel in enumerate(days[0].schema):
                seen = values[:, :, column][~np.isnan(values[:, :, column])]
                assert channel.valid_range[0] <= seen.min() <= seen.max() <= channel.valid_range[1]

    @pytest.mark.parametrize("name", list_schemas())
    def test_statistics_are_close_to_schema_constants(self, name, cohort, cohort_34):
        days = cohort if name == "sensorlm-26" else cohort_34
        values = stack_values(days).reshape(-1, len(days[0].schema)).astype(np.float64)
        for column, channel in enumerate(days[0].schema):
            seen = values[:, column][~np.isnan(values[:, column])]
            # The release labels most sleep as deep; the simulator uses realistic proportions, so it differs more.
            tolerance = 0.75 if channel.key == "sleep_stage_light" else 0.5
            assert abs(seen.mean() - channel.mean) < tolerance * channel.std, channel.key
            assert 0.5 < seen.std() / channel.std < 2.0, channel.key

    def test_labels_are_consistent_and_marked_as_simulated(self, cohort):
        kinds = {key: type(value) for key, value in cohort[0].labels.items()}
        for day in cohort:
            assert {key: type(value) for key, value in day.labels.items()} == kinds
            assert day.labels["simulated"] is True
            assert day.subject_id.startswith("sim")
        assert {type(d.labels["anxiety"]) for d in cohort} == {bool}

    def test_all_20_activities_are_frequent(self):
        names = [d.labels["main_activity"] for d in iter_simulated_days(900, seed=3, schema=_only("HR"))]
        counts = {name: names.count(name) for name in set(names)}
        none = counts.pop("none")
        assert len(counts) == 20
        assert 0.08 < none / 900 < 0.25
        assert min(counts.values()) > 0.3 * 900 * 0.85 / 20
        assert max(counts.values()) < 2.5 * 900 * 0.85 / 20

    def test_most_windows_start_at_midnight_and_some_at_any_minute(self, cohort):
        minutes = [d.start.hour * 60 + d.start.minute for d in cohort[::4]]
        assert 0.7 < np.mean([m == 0 for m in minutes]) < 0.95
        assert len({m for m in minutes if m}) > 5

    def test_consecutive_windows_do_not_overlap(self, cohort):
        for first, second in pairwise(cohort[:40]):
            if first.subject_id == second.subject_id:
                gap = second.start.astimezone(timezone.utc) - first.end.astimezone(timezone.utc)
                assert abs(gap) <= timedelta(hours=1)  # an hour only at clock changes

    def test_night_across_two_windows_is_consistent(self):
        days = simulate_days(60, seed=21, days_per_person=6)
        shared = 0
        for first, second in pairwise(days):
            if first.subject_id != second.subject_id:
                continue
            late = [e for e in first.events if e.label == "sleep" and e.end_minute > 1440]
            early = [e for e in second.events if e.label == "sleep" and e.start_minute < 0]
            if late and early:
                shared += 1
                assert late[-1].start_minute == early[0].start_minute + 1440
                assert late[-1].end_minute == early[0].end_minute + 1440
        assert shared > 5

    def test_rows_round_trip(self, cohort):
        for day in cohort[:40]:
            assert SensorDay.from_row(day.to_row()) == day

    def test_subjects_have_individual_time_zones_by_default(self, cohort):
        assert len({getattr(d.start.tzinfo, "key", None) for d in cohort}) > 8
        everybody = simulate_days(8, timezone="Asia/Kathmandu", days_per_person=1)
        assert {d.start.utcoffset() for d in everybody} == {timedelta(hours=5, minutes=45)}
        assert {d.start.tzinfo for d in simulate_days(2, timezone=ZoneInfo("UTC"))} == {ZoneInfo("UTC")}

    def test_skipped_start_time_moves_to_existing_time(self):
        from sensorlm_hf.data.simulate.cohort import _start
        from sensorlm_hf.data.simulate.people import simulate_person

        person = replace(simulate_person(0, 0), zone="Europe/Rome", first_date=date(2024, 3, 31), start_minute=150)
        start = _start(person, 0, None)
        assert start.astimezone(timezone.utc).astimezone(start.tzinfo) == start
        assert (start.hour, start.minute) == (3, 30)

    def test_some_subjects_lack_entire_sensors(self, cohort):
        share = {key: np.mean([~d.mask[:, d.schema.index(key)].any() for d in cohort]) for key in cohort[0].schema.keys}
        assert share["HR"] < 0.03
        assert share["steps"] < 0.03
        for key in ("eda_level_real", "wrist_temperatures", "altim_std", "kurtosis", "hrv_rr_median"):
            assert 0.04 < share[key] < 0.4
        kinds = {d.labels["device"] for d in simulate_days(300, seed=4, days_per_person=1, schema=_only("HR"))}
        assert {"heart rate and step tracker", "chest strap and movement counter"} <= kinds

    def test_tracker_records_only_heart_rate_and_steps(self):
        days = [
            d
            for d in iter_simulated_days(150, seed=4, days_per_person=1)
            if d.labels["device"].startswith("heart rate")
        ]
        assert days
        for day in days:
            assert {k for k in day.schema.keys if day.mask[:, day.schema.index(k)].any()} <= {"HR", "steps"}

    def test_beat_features_are_missing_iff_no_valid_beats(self, cohort):
        checked = 0
        for day in cohort[:80]:
            if day.labels["device"] != "multi-sensor watch":
                continue
            good, median = day.channel("hrv_percent_good"), day.channel("hrv_rr_median")
            seen = ~np.isnan(good)
            np.testing.assert_array_equal(np.isnan(median[seen]), good[seen] < np.float32(0.05))
            assert np.isnan(median[~seen]).all()
            checked += 1
        assert checked > 20


def _only(*keys: str) -> dict:
    base = get_schema("sensorlm-26")
    return {"name": "few", "channels": [base[key].to_dict() for key in keys]}


class TestArguments:
    def test_custom_schema(self):
        day = simulate_days(1, seed=2, schema=_only("steps", "HR"))[0]
        assert day.schema.keys == ("steps", "HR")
        np.testing.assert_array_equal(day.channel("HR"), simulate_days(1, seed=2)[0].channel("HR"))

    def test_unknown_channels_raise(self):
        schema = {
            "name": "odd",
            "channels": [{"key": "HR", "mean": 70, "std": 9}, {"key": "mood_ring", "mean": 0, "std": 1}],
        }
        with pytest.raises(ValueError, match=r"mood_ring.*Supported channels: HR"):
            simulate_days(1, schema=schema)

    def test_every_shipped_channel_can_be_simulated(self):
        assert {key for name in list_schemas() for key in get_schema(name).keys} == set(SENSOR_OF)

    def test_no_days(self):
        assert simulate_days(0) == []

    @pytest.mark.parametrize(
        ("name", "value", "error"),
        [
            ("n", -1, ValueError),
            ("n", 2.5, TypeError),
            ("n", True, TypeError),
            ("seed", -3, ValueError),
            ("seed", "0", TypeError),
            ("days_per_person", 0, ValueError),
            ("start_person", -1, ValueError),
            ("chunk_size", 0, ValueError),
            ("timezone", "Mars/Olympus", ValueError),
            ("timezone", 3, TypeError),
        ],
    )
    def test_invalid_arguments_raise_immediately(self, name, value, error):
        arguments = {"n": 1, name: value}
        with pytest.raises(error, match=f"`{name}`"):
            iter_simulated_days(**arguments)

    def test_numpy_integers_are_accepted(self):
        assert simulate_days(np.int64(1), seed=np.int32(3)) == simulate_days(1, seed=3)
