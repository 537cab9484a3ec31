"""Minutes of one subject, emitted as days while they are added."""

from __future__ import annotations

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from sensorlm_hf import get_schema
from sensorlm_hf.data.readers import ReadReport
from sensorlm_hf.data.readers.logs import Span
from sensorlm_hf.data.readers.windows import PersonDays, add_features, parse_window_start

SCHEMA = get_schema("sensorlm-26")
BERLIN = ZoneInfo("Europe/Berlin")


def minute(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=timezone.utc).timestamp()) // 60  # type: ignore[misc,arg-type]


def person(day_start: int | None = 0, zone: ZoneInfo = BERLIN, **options: object) -> PersonDays:
    return PersonDays("p", SCHEMA, zone, day_start, ReadReport(), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("date", "offset", "hours"), [((2024, 10, 27), 2, 25), ((2024, 3, 31), 1, 23)])
def test_25_and_23_hour_days(date: tuple[int, int, int], offset: int, hours: int) -> None:
    days = person()
    start = minute(*date) - offset * 60
    days.add("HR", start + np.arange(49 * 60), np.arange(49 * 60) / 30 + 30)
    first, second, *_ = days.emit()
    assert (first.start.hour, second.start.hour) == (0, 0)
    assert first.mask[:, 0].all()
    assert second.channel("HR")[0] == np.float32(hours * 60 / 30 + 30)
    assert days.report.count("clock-change") == (60 if hours == 25 else 0)


def test_incremental_and_one_shot_input_match() -> None:
    start = minute(2024, 10, 25) + 95
    values = np.random.default_rng(0).uniform(50, 90, 5 * 1440)
    for day_start in (0, 18 * 60, None):
        whole, parts = person(day_start), person(day_start)
        whole.add("HR", start + np.arange(len(values)), values)
        expected = list(whole.emit())
        emitted = []
        for first in range(0, len(values), 700):
            emitted += parts.emit(start + first)
            block = values[first : first + 700]
            parts.add("HR", start + first + np.arange(len(block)), block)
        emitted += parts.emit()
        assert emitted == expected
        assert len(expected) >= 5
        if day_start is None:
            assert expected[0].start.astimezone(timezone.utc).hour == 1


def test_windows_stay_aligned_across_gaps() -> None:
    days = person(None)
    start = minute(2024, 5, 1) + 605
    days.add("HR", np.array([start, start + 10]), np.array([60.0, 61.0]))
    found = list(days.emit(start + 1440))
    days.add("HR", np.array([start + 5 * 1440 + 7]), np.array([70.0]))
    found += days.emit()
    assert [int(np.flatnonzero(day.mask[:, 0])[-1]) for day in found] == [10, 7]


def test_labels_and_logs_are_assigned_and_implausible_features_dropped() -> None:
    days = person()
    start = minute(2024, 5, 1) - 120
    add_features(days, {"HR": np.array([60.0, 900.0, np.nan]), "unknown": np.zeros(3)}, start)
    days.spans = [Span(start + 5, start + 30, "activity", "running")] * 2
    days.labels[datetime(2024, 5, 1).date()] = {"resting_heart_rate": 50.0}
    days.check_logs()
    (day,) = days.emit()
    assert day.labels == {"resting_heart_rate": 50.0}
    assert [(event.label, event.start_minute) for event in day.events] == [("running", 5)]
    assert int(day.mask.sum()) == 1
    assert (days.report.count("implausible-HR"), days.report.count("duplicate-log")) == (1, 1)
    assert list(person().emit()) == []


def test_parse_window_start() -> None:
    assert (parse_window_start("06:30"), parse_window_start("first")) == (390, None)
    with pytest.raises(ValueError, match="`day_start` must be a time"):
        parse_window_start("last")
