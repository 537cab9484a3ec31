"""Recordings that span several time zones."""

from __future__ import annotations

import pickle
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from sensorlm_hf.data.readers import Itinerary, read_table
from sensorlm_hf.data.readers.minutes import local_windows, moment_of, resolve_timezone

WEST = "Europe/Berlin, 2024-05-03T14:00 America/New_York"
EAST = "Europe/Berlin, 2024-05-03T22:00 Asia/Tokyo"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def minute(text: str) -> int:
    return int(utc(text).timestamp()) // 60


def test_local_time_follows_itinerary() -> None:
    zone = resolve_timezone(WEST, "")
    assert isinstance(zone, Itinerary)
    assert utc("2024-05-03T17:59").astimezone(zone).strftime("%H:%M") == "19:59"
    assert utc("2024-05-03T18:00").astimezone(zone).strftime("%H:%M") == "14:00"
    assert datetime(2024, 5, 3, 12, tzinfo=zone).astimezone(timezone.utc) == utc("2024-05-03T10:00")
    assert datetime(2024, 5, 4, 0, tzinfo=zone).astimezone(timezone.utc) == utc("2024-05-04T04:00")
    assert moment_of(minute("2024-05-04T04:00"), zone).tzinfo == ZoneInfo("America/New_York")
    again = pickle.loads(pickle.dumps(zone))
    assert again.utcoffset(datetime(2024, 5, 4)) == timedelta(hours=-4)


@pytest.mark.parametrize(("zones", "hours"), [(WEST, [24, 30, 24]), (EAST, [24, 17, 24])])
def test_days_start_at_local_midnight_before_and_after_travel(zones: str, hours: list[int]) -> None:
    zone = resolve_timezone(zones, "")
    starts = [start for start, _ in local_windows(minute("2024-05-02T12:00"), minute("2024-05-06T12:00"), 0, zone)]
    assert [moment_of(start, zone).strftime("%d %H:%M") for start in starts[:4]] == [
        f"0{day} 00:00" for day in range(2, 6)
    ]
    assert (np.diff(starts[:4]) // 60).tolist() == hours


def test_hours_beyond_24_are_dropped_and_counted() -> None:
    times = pd.date_range("2024-05-02T22:00", "2024-05-04T06:00", freq="min", tz="UTC")
    days = list(read_table(pd.DataFrame({"time": times, "HR": 60.0}), timezone=WEST))
    assert [day.sample_id for day in days] == ["unknown@2024-05-03T00:00+0200", "unknown@2024-05-04T00:00-0400"]
    assert days[0].mask[:, 0].all()
    assert int(days[1].mask[:, 0].sum()) == 121
    assert days[1].start.tzinfo == ZoneInfo("America/New_York")  # serialised by name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Europe/Berlin, tomorrow America/New_York", "local time of arrival"),
        ("Europe/Berlin, 2024-05-03T14:00 America/New_Yrk", "Did you mean 'America/New_York'"),
        ("Europe/Berlin, 2024-05-03T14:00 America/New_York, 2024-05-01T14:00 Asia/Tokyo", "in chronological order"),
    ],
)
def test_invalid_itinerary_raises(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        resolve_timezone(text, "")
