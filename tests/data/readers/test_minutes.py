"""Time zones, windows and per-minute sums."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensorlm_hf.data.readers.minutes import (
    MinuteStore,
    epoch_minute,
    local_day_of,
    local_epoch_minute,
    local_windows,
    moment_of,
    parse_day_start,
    resolve_timezone,
    window_start,
)

ZONES = ["UTC", "Europe/Berlin", "Australia/Melbourne", "Asia/Kathmandu", "America/Sao_Paulo", "Australia/Lord_Howe"]


def test_epoch_minutes_round_starts_down_and_ends_up() -> None:
    zone = ZoneInfo("Europe/Berlin")
    moment = datetime(2021, 7, 5, 12, 0, 30)
    minute = epoch_minute(datetime(2021, 7, 5, 10, tzinfo=timezone.utc))
    assert local_epoch_minute(moment, zone) == minute
    assert local_epoch_minute(moment, zone, up=True) == minute + 1
    assert local_epoch_minute(moment.replace(second=0), zone, up=True) == minute
    assert moment_of(minute, zone).isoformat() == "2021-07-05T12:00:00+02:00"


def test_day_starts_an_hour_later_when_midnight_is_skipped() -> None:
    zone = ZoneInfo("America/Sao_Paulo")  # 2018-11-04 began at 01:00
    start = window_start(date(2018, 11, 4), 0, zone)
    assert moment_of(start, zone).isoformat() == "2018-11-04T01:00:00-02:00"
    assert local_day_of(start, 0, zone) == date(2018, 11, 4)
    assert local_day_of(start - 1, 0, zone) == date(2018, 11, 3)


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    first=st.integers(24_000_000, 29_000_000),
    span=st.integers(0, 6000),
    day_start=st.integers(0, 1439),
)
def test_windows_cover_every_minute_except_25th_hour(zone: str, first: int, span: int, day_start: int) -> None:
    windows = list(local_windows(first, first + span, day_start, ZoneInfo(zone)))
    covered = np.zeros(span + 1, dtype=bool)
    for start, left_out in windows:
        covered[max(start - first, 0) : max(start + 1440 + left_out - first, 0)] = True
        clock = moment_of(start, ZoneInfo(zone))
        assert left_out in (0, 30, 60)
        if clock.fold == 0 and (clock.hour * 60 + clock.minute) != day_start:
            # The start differs from `day_start` only if that time did not exist on that day.
            naive = datetime(clock.year, clock.month, clock.day) + timedelta(minutes=day_start)
            assert (
                naive.replace(tzinfo=ZoneInfo(zone)).astimezone(timezone.utc).astimezone(ZoneInfo(zone)).time()
                != naive.time()
            )
    assert covered.all()
    assert all(a < b for (a, _), (b, _) in pairwise(windows))


@pytest.mark.parametrize("text", ["24:00", "7", "07:60", "-1:00", "", "noon", None, 7])
def test_invalid_day_start_raises(text: object) -> None:
    with pytest.raises(ValueError, match="HH:MM"):
        parse_day_start(text)  # type: ignore[arg-type]


def test_parse_day_start() -> None:
    assert [parse_day_start(t) for t in ("00:00", "6:05", "23:59")] == [0, 365, 1439]


def test_resolve_timezone() -> None:
    assert resolve_timezone("Europe/Rome", "") == ZoneInfo("Europe/Rome")
    assert resolve_timezone(timezone.utc, "") is timezone.utc
    for wrong, meant in (("Melbourne", "Australia/Melbourne"), ("europe/rom", "Europe/Rome"), ("new york", "New_York")):
        with pytest.raises(ValueError, match=meant):
            resolve_timezone(wrong, "")
    for missing in (None, ""):
        with pytest.raises(ValueError, match=r"missing\. Because"):
            resolve_timezone(missing, "Because.")
    with pytest.raises(ValueError, match="Unknown"):
        resolve_timezone("../../etc/passwd", "")
    with pytest.raises(TypeError, match="int"):
        resolve_timezone(10, "")  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_store_matches_dict_reference(data: st.DataObject) -> None:
    store = MinuteStore(keep_largest=("largest",))
    held: dict[str, dict[int, list[float]]] = {"mean": {}, "largest": {}}
    for _ in range(data.draw(st.integers(1, 4))):
        key = data.draw(st.sampled_from(["mean", "largest"]))
        samples = data.draw(st.lists(st.tuples(st.integers(-1500, 4500), st.integers(0, 9)), max_size=40))
        minutes = np.array([m for m, _ in samples], dtype=np.int64)
        known = set(held[key])
        repeated = store.add(key, minutes, np.array([float(v) for _, v in samples]))
        for minute, value in samples:
            held[key].setdefault(minute, []).append(float(value))
        if key == "largest":
            assert repeated == len(samples) - len(set(minutes.tolist()) - known)
    start, length = data.draw(st.integers(-2000, 4000)), data.draw(st.integers(1, 3000))
    for key, expected in held.items():
        wanted = [expected.get(m) for m in range(start, start + length)]
        if key == "mean":
            means = [np.nan if w is None else np.mean(w) for w in wanted]
            np.testing.assert_allclose(store.mean(key, start, length), means)
        else:
            largest = [np.nan if w is None else max(w) for w in wanted]
            np.testing.assert_array_equal(store.sum(key, start, length), largest)
    everything = [m for expected in held.values() for m in expected]
    assert store.span() == ((min(everything), max(everything)) if everything else None)


def test_store_skips_nan_and_drops_old_minutes() -> None:
    store = MinuteStore()
    assert store.add("a", np.array([5, 3000]), np.array([np.nan, 2.0])) == 0
    assert store.span() == (3000, 3000)
    store.add("a", np.array([5]), np.array([1.0]))
    store.discard_before(1440)
    assert store.span() == (3000, 3000)
    store.discard_before(10_000)
    assert store.span() is None
