"""Time handling for readers: time zones, windows of minutes, and memory-efficient sums per minute.

Readers count time in *epoch minutes*: whole minutes since 1970-01-01 00:00 UTC.
"""

from __future__ import annotations

import difflib
import math
import re
import zoneinfo
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone, tzinfo
from typing import Any

import numpy as np

from ...days import MINUTES_PER_DAY, named_zone
from .zones import parse_itinerary, plain_zone

_FARTHEST_MINUTES = 100_000_000
"""About 190 years: damaged numbers would otherwise make days without end."""

UTC = timezone.utc
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def resolve_timezone(zone: str | tzinfo | None, why: str) -> tzinfo:
    """Resolves a time zone given by the user.

    Args:
        zone: IANA name (`"Australia/Melbourne"`), or a `tzinfo`; or, for a person who travelled, zones separated by
            commas, each but the first after the local time of arrival in it:
            `"Europe/Berlin, 2024-05-03T18:00 America/New_York"`. See [`Itinerary`].
        why: Why the zone is needed, for the message if it is missing.

    Raises:
        ValueError: If the zone is missing or unknown; similar names are suggested.
        TypeError: If it is neither a name nor a `tzinfo`.
    """
    if zone is None or zone == "":
        raise ValueError(
            f"`timezone` is missing. {why} Give the IANA name of the person's time zone, such as"
            " 'Australia/Melbourne' or 'Europe/Rome'."
        )
    if isinstance(zone, tzinfo):
        return zone
    if not isinstance(zone, str):
        raise TypeError(f"`timezone` must be an IANA name or a tzinfo, got {type(zone).__name__}.")
    if "," in zone:
        return parse_itinerary(zone, lambda name: resolve_timezone(name, why))
    try:
        return named_zone(zone)
    except ValueError:
        raise ValueError(f"Unknown `timezone` {zone!r}.{_suggest(zone)}") from None


def _suggest(zone: str) -> str:
    names = sorted(zoneinfo.available_timezones())
    wanted = zone.strip().replace(" ", "_").lower()
    by_city: dict[str, str] = {}
    for name in names:
        by_city.setdefault(name.lower(), name)
        by_city.setdefault(name.rsplit("/", 1)[-1].lower(), name)
    close = difflib.get_close_matches(wanted, by_city, n=3, cutoff=0.6)
    close += difflib.get_close_matches(wanted.rsplit("/", 1)[-1], by_city, n=3, cutoff=0.7)
    found = list(dict.fromkeys(by_city[name] for name in close))[:3]
    return (
        f" Did you mean {' or '.join(repr(name) for name in found)}?" if found else " Give an IANA name: 'Europe/Rome'."
    )


def parse_day_start(day_start: str) -> int:
    """Returns the minute of the local day at which windows start.

    Args:
        day_start: `"HH:MM"`, from `"00:00"` to `"23:59"`.

    Raises:
        ValueError: If it is not such a time.
    """
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", day_start) if isinstance(day_start, str) else None
    if not match:
        raise ValueError(f"`day_start` must be a time 'HH:MM' from '00:00' to '23:59', or 'first', got {day_start!r}.")
    return int(match[1]) * 60 + int(match[2])


def epoch_minute(moment: datetime) -> int:
    """Returns the epoch minute of a timezone-aware time."""
    return (moment - EPOCH) // timedelta(minutes=1)


def local_epoch_minute(moment: datetime, zone: tzinfo, *, up: bool = False) -> int:
    """Returns the epoch minute of a naive local time.

    A time skipped by a clock change is interpreted as if the change had not happened; for an ambiguous time, the first
    occurrence is used.

    Args:
        moment: Naive local time.
        zone: Its zone.
        up: Whether to round up to the next whole minute, as for exclusive ends.
    """
    elapsed = moment.replace(tzinfo=zone).astimezone(UTC) - EPOCH
    return -(-elapsed // timedelta(minutes=1)) if up else elapsed // timedelta(minutes=1)


def moment_of(minute: int, zone: tzinfo) -> datetime:
    """Returns the local time of an epoch minute in the person's time zone at that moment."""
    moment = EPOCH + timedelta(minutes=int(minute))
    return moment.astimezone(plain_zone(zone, moment))


def window_start(day: date, day_start: int, zone: tzinfo) -> int:
    """Returns the epoch minute at which the window of a local date starts.

    Args:
        day: Local date.
        day_start: Minute of the local day, 0 to 1439.
        zone: The zone.
    """
    return local_epoch_minute(datetime(day.year, day.month, day.day, day_start // 60, day_start % 60), zone)


def local_day_of(minute: int, day_start: int, zone: tzinfo) -> date:
    """Returns the local date whose window is the last to start at or before an epoch minute."""
    day = moment_of(minute, zone).date() + timedelta(days=1)
    while window_start(day, day_start, zone) > minute:
        day -= timedelta(days=1)
    return day


def local_windows(first: int, last: int, day_start: int, zone: tzinfo) -> Iterator[tuple[int, int]]:
    """Yields the windows of local days that touch a span of time.

    A window is [`MINUTES_PER_DAY`] elapsed minutes from the local start of its day. If clocks go back, the day has 25
    hours, and its last hour is not part of any window; if they go forward, the day has 23, and the window's last hour
    overlaps the next window. So every window starts at the same local time and has the same length.

    Args:
        first: First epoch minute of the span.
        last: Last epoch minute of the span, inclusive.
        day_start: Minute of the local day.
        zone: The zone.

    Yields:
        `(start, left_out)`: epoch minute of the window's start, and the number of minutes between its end and the next
        window's start that are not part of any window.
    """
    day = local_day_of(first, day_start, zone)
    start = window_start(day, day_start, zone)
    while start <= last:
        day += timedelta(days=1)
        following = window_start(day, day_start, zone)
        yield start, max(following - start - MINUTES_PER_DAY, 0)
        start = following


class MinuteStore:
    """Sums and counts per minute and channel, in blocks of one UTC day, so that memory grows with the number of days.

    Args:
        keep_largest: Channels that a device reports at most once per minute: a second value for the same minute
            replaces the first if it is larger, instead of being added. Otherwise two trackers, or a duplicate file in
            an export, would double the steps.
    """

    def __init__(self, keep_largest: tuple[str, ...] = ()) -> None:
        self._blocks: dict[int, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
        self._keep_largest = keep_largest

    def add(self, key: str, minutes: np.ndarray, values: np.ndarray) -> int:
        """Adds samples.

        Args:
            key: Channel.
            minutes: `(n,)` int64 epoch minutes, in any order.
            values: `(n,)` float64; NaN is skipped.

        Returns:
            Number of samples for minutes that already had a value (relevant for `keep_largest` channels).
        """
        good = ~np.isnan(values)
        minutes, values = minutes[good], values[good]
        if len(minutes) and max(-int(minutes.min()), int(minutes.max())) > _FARTHEST_MINUTES:
            raise ValueError("contains a time that is centuries away from 1970; correct it or export it again.")
        repeated = 0
        days, offsets = np.divmod(minutes, MINUTES_PER_DAY)
        for day in np.unique(days):
            mine = days == day
            block = self._blocks.setdefault(int(day), {})
            if key not in block:
                block[key] = (np.zeros(MINUTES_PER_DAY), np.zeros(MINUTES_PER_DAY, dtype=np.int32))
            total, count = block[key]
            if key in self._keep_largest:
                seen = int((count > 0).sum())
                np.maximum.at(total, offsets[mine], values[mine])
                count[offsets[mine]] = 1
                repeated += int(mine.sum()) - (int((count > 0).sum()) - seen)
            else:
                np.add.at(total, offsets[mine], values[mine])
                np.add.at(count, offsets[mine], 1)
        return repeated

    def window(self, key: str, start: int, length: int = MINUTES_PER_DAY) -> tuple[np.ndarray, np.ndarray]:
        """Returns sums `(length,)` float64 and counts `(length,)` int32, starting at epoch minute `start`."""
        total, count = np.zeros(length), np.zeros(length, dtype=np.int32)
        for day in range(start // MINUTES_PER_DAY, (start + length - 1) // MINUTES_PER_DAY + 1):
            part = self._blocks.get(day, {}).get(key)
            if part is None:
                continue
            low, high = max(start, day * MINUTES_PER_DAY), min(start + length, (day + 1) * MINUTES_PER_DAY)
            source = slice(low - day * MINUTES_PER_DAY, high - day * MINUTES_PER_DAY)
            total[low - start : high - start] = part[0][source]
            count[low - start : high - start] = part[1][source]
        return total, count

    def mean(self, key: str, start: int, length: int = MINUTES_PER_DAY) -> np.ndarray:
        """Returns means per minute, `(length,)` float64, NaN without samples."""
        total, count = self.window(key, start, length)
        return np.divide(total, count, out=np.full(length, np.nan), where=count > 0)

    def sum(self, key: str, start: int, length: int = MINUTES_PER_DAY) -> np.ndarray:
        """Returns sums per minute, `(length,)` float64, NaN without samples."""
        total, count = self.window(key, start, length)
        return np.where(count > 0, total, np.nan)

    def overlaps(self, start: int, length: int = MINUTES_PER_DAY) -> bool:
        """Returns whether any block of a window exists: False means that the window is empty."""
        days = range(start // MINUTES_PER_DAY, (start + length - 1) // MINUTES_PER_DAY + 1)
        return any(day in self._blocks for day in days)

    def span(self) -> tuple[int, int] | None:
        """Returns the first and last epoch minute with a sample, or None if there is none."""
        if not self._blocks:
            return None
        edges = []
        for day, pick in ((min(self._blocks), 0), (max(self._blocks), -1)):
            held = np.zeros(MINUTES_PER_DAY, dtype=bool)
            for _, count in self._blocks[day].values():
                held |= count > 0
            edges.append(day * MINUTES_PER_DAY + int(np.flatnonzero(held)[pick]))
        return edges[0], edges[1]

    def discard_before(self, minute: int) -> None:
        """Frees the blocks that end at or before an epoch minute."""
        for day in [d for d in self._blocks if (d + 1) * MINUTES_PER_DAY <= minute]:
            del self._blocks[day]


def within(values: np.ndarray, low: float, high: float) -> tuple[np.ndarray, int]:
    """Returns a copy with values outside `[low, high]` as NaN, and how many there were."""
    outside = (values < low) | (values > high)
    return np.where(outside, np.nan, values), int(outside.sum())


def to_float(value: Any, *, finite: bool = False) -> float:
    """Returns a JSON number, which may be a string, as a float.

    Args:
        value: The number.
        finite: Whether NaN and infinity are rejected.

    Raises:
        TypeError: If it is neither a number nor a string.
        ValueError: If it is not a number.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError(f"not a number: {value!r}")
    number = float(value)
    if finite and not math.isfinite(number):
        raise ValueError(f"not a finite number: {value!r}")
    return number
