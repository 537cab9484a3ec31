"""Local times in the hours that clocks repeat and skip."""

from __future__ import annotations

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from sensorlm_hf.data.readers.local_times import seconds_of_device_clock, seconds_of_local_times

BERLIN = ZoneInfo("Europe/Berlin")
AUTUMN = datetime(2024, 10, 27, 0, 0, tzinfo=timezone.utc).timestamp()  # 2:00 summer time
SPRING = datetime(2024, 3, 31, 1, 0, tzinfo=timezone.utc).timestamp()  # 3:00 summer time


def stamps(*times: str) -> np.ndarray:
    return np.array(times, dtype="datetime64[us]")


def test_the_second_pass_follows_the_first() -> None:
    hours = stamps("2024-10-27T01:30", "2024-10-27T02:30", "2024-10-27T02:00", "2024-10-27T03:00", "NaT")
    seconds, second = seconds_of_local_times(hours, BERLIN)
    assert (seconds[:4] - AUTUMN).tolist() == [-1800, 1800, 3600, 7200]
    assert np.isnan(seconds[4])
    assert second.tolist() == [False, False, True, False, False]


def test_the_order_is_that_of_each_person() -> None:
    clocks = ("01:30", "02:30", "02:00", "02:10", "02:40", "03:00")
    hours = stamps(*(f"2024-10-27T{clock}" for clock in clocks))
    seconds, second = seconds_of_local_times(hours, BERLIN, np.array([0, 0, 1, 0, 1, 0]))
    assert (seconds - AUTUMN).tolist() == [-1800, 1800, 0, 4200, 2400, 7200]
    assert second.tolist() == [False, False, False, True, False, False]


@pytest.mark.parametrize("day", ["2024-10-27", "2024-03-31"])
def test_a_device_clock_that_goes_on_counts_elapsed_time(day: str) -> None:
    hours = np.arange(np.datetime64(f"{day}T01:00", "us"), np.datetime64(f"{day}T05:00", "us"), np.timedelta64(1, "m"))
    seconds, second = seconds_of_device_clock(hours, BERLIN)
    assert (np.diff(seconds) == 60).all()
    assert not second.any()
    assert seconds[0] == datetime.fromisoformat(f"{day}T01:00").replace(tzinfo=BERLIN).timestamp()


def test_a_device_clock_that_was_changed_is_local() -> None:
    hours = stamps("2024-03-31T01:58", "2024-03-31T01:59", "2024-03-31T03:00", "2024-03-31T03:01")
    seconds, _ = seconds_of_device_clock(hours, BERLIN)
    assert (seconds - SPRING).tolist() == [-120, -60, 0, 60]
    hours = stamps("2024-10-27T02:58", "2024-10-27T02:59", "2024-10-27T02:00", "2024-10-27T02:01")
    seconds, _ = seconds_of_device_clock(hours, BERLIN)
    assert (np.diff(seconds) == 60).all()
