"""Local times without an offset, also in the hour that clocks repeat in autumn, as seconds since 1970."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

import numpy as np

from .zones import Itinerary

REPEATED_HOUR = "rows in the second pass of the hour that clocks repeat, which follow the first"
"""Note about rows whose local time is that of an earlier hour."""

_EPOCH = datetime(1970, 1, 1)


def seconds_of_local_times(
    stamps: np.ndarray, zone: tzinfo, people: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the seconds since 1970 of local times, in the order in which they were recorded or written.

    Args:
        stamps: `(rows,)` local times, datetime64; NaT where unknown.
        zone: Their zone.
        people: `(rows,)` int64: the person of each row, whose order the repeated hour depends on; one person if None.

    Returns:
        `(rows,)` float64 seconds, NaN where unknown, and `(rows,)` bool: rows in the second pass of a repeated hour.
    """
    stamps = stamps.astype("datetime64[us]")
    unknown = np.isnat(stamps)
    minutes = stamps.astype("datetime64[m]").astype(np.int64)
    minutes[unknown] = 0
    unique, back = np.unique(minutes, return_inverse=True)
    offsets = np.array([_offset_seconds(minute, zone, fold=0) for minute in unique.tolist()], dtype=np.float64)
    seconds = np.where(unknown, np.nan, stamps.astype(np.int64) / 1e6 - offsets[back])
    again = np.array([_offset_seconds(minute, zone, fold=1) for minute in unique.tolist()], dtype=np.float64)
    second = np.zeros(len(stamps), dtype=bool)
    if not isinstance(zone, Itinerary) and (again < offsets).any():
        ambiguous = (again < offsets)[back] & ~unknown
        order = np.zeros(len(stamps), dtype=np.int64) if people is None else people
        second = second_passes(stamps, ambiguous, order)
        seconds = np.where(second, stamps.astype(np.int64) / 1e6 - again[back], seconds)
    return seconds, second


def seconds_of_device_clock(stamps: np.ndarray, zone: tzinfo) -> tuple[np.ndarray, np.ndarray]:
    """Returns the seconds since 1970 of times of a device's clock, which may or may not follow a change of clocks.

    If the times go on evenly where local time jumps, the clock counted elapsed time from its start.

    Args:
        stamps: `(rows,)` times in the order in which they were recorded, datetime64.
        zone: The zone in which the clock was set.

    Returns:
        As [`seconds_of_local_times`].
    """
    stamps = stamps.astype("datetime64[us]")
    seconds, second = seconds_of_local_times(stamps, zone)
    if len(stamps) < 3:
        return seconds, second
    steps = np.diff(stamps).astype(np.int64) / 1e6
    usual = float(np.median(steps))
    jumps = np.diff(seconds) != steps
    if jumps.any() and (steps[jumps] == usual).all():
        return seconds[0] + (stamps - stamps[0]).astype(np.int64) / 1e6, np.zeros(len(stamps), dtype=bool)
    return seconds, second


def _offset_seconds(minute: int, zone: tzinfo, *, fold: int) -> float:
    moment = (_EPOCH + timedelta(minutes=minute)).replace(tzinfo=zone, fold=fold)
    return moment.utcoffset().total_seconds()  # type: ignore[union-attr]


def second_passes(stamps: np.ndarray, ambiguous: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Finds the rows in the second pass of the hour that clocks repeat.

    Rows of a person belong to the second pass once the time goes back within the repeated hour; if the table is sorted
    by local time, so that each of these times stands twice in a row while others do not, every second one does.

    Args:
        stamps: `(rows,)` local times, datetime64.
        ambiguous: `(rows,)` whether a local time occurs twice.
        people: `(rows,)` int64: the person of each row.

    Returns:
        `(rows,)` bool.
    """
    second = np.zeros(len(stamps), dtype=bool)
    for who in np.unique(people[ambiguous]):
        rows = np.flatnonzero(people == who)
        rows = rows[~np.isnat(stamps[rows])]
        steps = np.diff(stamps[rows]).astype(np.int64)
        if (steps < 0).sum() > (steps > 0).sum():
            rows = rows[::-1]  # the newest row is first
        held = ambiguous[rows]
        edges = np.flatnonzero(np.diff(np.concatenate([[False], held, [False]]).astype(np.int8)))
        outside = stamps[rows[~held]]
        unique_outside = len(np.unique(outside)) == len(outside)
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            run = rows[begin:end]
            times = stamps[run]
            back = np.flatnonzero(np.diff(times).astype(np.int64) < 0)
            if len(back):
                second[run[back[0] + 1 :]] = True
            elif unique_outside and np.unique(times, return_counts=True)[1].max() == 2:
                second[run[1:][times[1:] == times[:-1]]] = True
    return second
