"""The rules by which what a device recorded becomes days."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pytest

from sensorlm_hf import Event, get_schema
from sensorlm_hf.data.readers import ReadReport
from sensorlm_hf.data.readers.device_days import Batch, DeviceDays, spread
from sensorlm_hf.data.readers.device_times import duration_seconds, offset_seconds, seconds_of
from sensorlm_hf.data.readers.logs import Span, activity_label, activity_span

ZONE = ZoneInfo("Europe/Berlin")
EIGHT = 1709276400.0  # 2024-03-01 08:00 in Berlin


def days_of(batch: Batch, schema: str = "sensorlm-26") -> list:
    return list(DeviceDays("p", get_schema(schema), 0, batch).days())


def test_spread_keeps_the_total_and_splits_by_time() -> None:
    minutes, counts = spread(np.array([30.0, 60.0, 200.0]), np.array([150.0, 60.0, 230.0]), np.array([120.0, 7.0, 3.0]))
    assert minutes.tolist() == [0, 1, 2, 1, 3]
    assert counts.tolist() == [30, 60, 30, 7, 3]


def test_two_devices_and_overlapping_sleeps() -> None:
    report = ReadReport()
    batch = Batch(ZONE, report)
    batch.add_samples("HR", [EIGHT, EIGHT, EIGHT + 600], [60, 60, 70])
    batch.add_steps("watch", [EIGHT, EIGHT], [EIGHT + 60, EIGHT + 60], [40, 40])
    batch.add_steps("phone", [EIGHT, EIGHT + 60], [EIGHT + 60, EIGHT + 120], [50, 10])
    hour = 3600
    batch.sleeps += [(EIGHT - 8 * hour, EIGHT - hour, None), (EIGHT - 7 * hour, EIGHT - hour / 2, None)]
    batch.sleeps += [(EIGHT, EIGHT - hour, None), (EIGHT + 5 * hour, EIGHT + 6 * hour, None)]
    batch.workouts += [(EIGHT, EIGHT + hour, "Run", True), (EIGHT + 30, EIGHT + hour, "running", False)]
    batch.workouts += [(EIGHT, EIGHT + hour, " ", False)]
    (day,) = days_of(batch)
    assert day.channel("steps")[480:492].tolist()[:11] == [50, 10, *[0] * 9]
    assert np.isnan(day.channel("steps")[491])
    assert day.events == (
        Event("sleep", "sleep", 0, 450),
        Event("activity", "running", 480, 540),
        Event("sleep", "nap", 780, 840),
    )
    assert {code: note.count for code, note in report.notes.items()} == {
        "samples-twice": 1,
        "step-records-twice": 1,
        "overlapping-sleep": 1,
        "sleep-impossible": 1,
        "exercise-without-name": 1,
        "exercise-manual": 1,
        "duplicate-log": 1,
        "steps-two-trackers": 1,
    }


def test_the_rest_is_counted() -> None:
    report = ReadReport()
    batch = Batch(ZONE, report)
    batch.add_samples("HR", [EIGHT, EIGHT + 60], [255, 61])
    batch.add_samples("spo2", [EIGHT], [97])
    batch.add_steps("watch", [EIGHT, EIGHT, EIGHT], [EIGHT - 1, EIGHT + 4000, EIGHT + 60], [5, 300, 3000])
    batch.stages.append((EIGHT, EIGHT + 90, "rem"))
    (day,) = days_of(batch)
    assert day.mask.sum() == 1
    assert {code: note.count for code, note in report.notes.items()} == {
        "implausible-HR": 1,
        "samples-unused": 1,
        "steps-impossible": 1,
        "steps-long-record": 1,
        "implausible-steps": 1,
    }
    (staged,) = days_of(batch, "sensorlm-34")
    assert staged.channel("sleep_stage_rem")[480:482].tolist() == [1, 0.5]


@pytest.mark.parametrize(
    "text",
    [
        "2024-03-01T08:00:00",
        "2024-03-01 08:00",
        "2024-03-01T07:00:00.000Z",
        "2024-03-01 08:00:00 +0100",
        "2024-03-01T08:00:00+01:00",
        "2024-03-01 8:00:00\u202fAM",
        "2024-03-01 08:00:00 UTC+0100",
    ],
)
def test_times(text: str) -> None:
    assert seconds_of(text, ZONE, "here", "start") == EIGHT


def test_times_that_are_none() -> None:
    for wrong in ("", "noon", "2024-02-30T08:00:00", "2024-03-01 13:00 PM", None, 5):
        with pytest.raises(ValueError, match="here: `start` must be a time"):
            seconds_of(wrong, ZONE, "here", "start")
    assert duration_seconds("PT1H30M12.5S", "here", "d") == 5412.5
    assert offset_seconds("UTC-03:30") == -12600
    with pytest.raises(ValueError, match="must be a duration"):
        duration_seconds("P", "here", "d")


def test_names_with_underscores_are_the_names_with_blanks() -> None:
    assert activity_label("TABLE_TENNIS") == activity_label("Table tennis") == "table tennis"
    assert activity_label("outdoor_cycling") == activity_label("outdoor cycling")


def test_stages_are_the_sum_of_their_shares() -> None:
    batch = Batch(ZONE, ReadReport())
    batch.add_samples("HR", [EIGHT], [60])
    batch.stages += [
        (EIGHT + 30 * place, EIGHT + 30 * place + 30, ("deep", "rem")[place % 3 > 0]) for place in range(9)
    ]
    batch.stages += [(EIGHT, EIGHT + 30, "deep"), (EIGHT + 60, EIGHT, "rem")]  # listed twice; ends before it starts
    (day,) = days_of(batch, "sensorlm-34")
    for stage in ("deep", "rem"):
        slow = np.zeros(5)
        for start, end, name in dict.fromkeys(batch.stages):
            if name == stage and end > start:
                minutes, shares = spread(np.array([start]), np.array([end]), np.array([(end - start) / 60]))
                np.add.at(slow, minutes - int(EIGHT // 60), shares)
        assert day.channel(f"sleep_stage_{stage}")[480:485].tolist() == slow.tolist()


def test_activities_without_a_name_or_length_are_noted() -> None:
    report = ReadReport()
    assert activity_span(90.0, 3690.0, "Outdoor_Run", report, manual=True) == Span(1, 62, "activity", "running")
    assert activity_span(0.0, 59.0, "run", report) is None
    assert activity_span(0.0, 86_401.0, "run", report) is None
    assert activity_span(0.0, 600.0, " ", report) is None
    assert sorted(report.notes) == [
        "exercise-manual",
        "exercise-over-a-day",
        "exercise-without-name",
        "exercise-zero-length",
    ]
