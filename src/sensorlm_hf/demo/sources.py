"""Selects the day that the demo runs on."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import date, timedelta
from typing import NamedTuple

from ..activities import ACTIVITY_BY_NAME, canonical_activity
from ..data.readers import ReadReport, read_fitbit, read_mmash, read_table
from ..data.simulate import iter_simulated_days
from ..days import SensorDay
from ..schema import SchemaLike

DEMO_SEED = 2024
"""Seed of the cohort that the built-in day comes from. Demo models are trained on cohorts with other seeds."""

MIN_EXERCISE_MINUTES = 30
"""Minimum duration of the built-in day's logged exercise."""

MAX_LOG_ERROR_MINUTES = 5
"""Maximum error of the logged start of the built-in day's exercise: simulated logs are deliberately inaccurate."""

_MODALITIES = ("PPG", "ACC", "EDA", "TEMP")


class Chosen(NamedTuple):
    """A day, its source and notes about it."""

    day: SensorDay
    source: str
    notes: tuple[str, ...]


def built_in_day(schema: SchemaLike = "sensorlm-26") -> SensorDay:
    """Returns a fixed day of a synthetic subject.

    It is the first day of its cohort on which a device with all sensors was worn from midnight to midnight with few
    gaps and an exercise of at least half an hour was logged at the right time. The choice does not involve a model.

    Args:
        schema: Channels.

    Raises:
        ValueError: If the schema has channels that cannot be simulated.
    """
    # The choice is made on the full schema, so that the result is the same day for any set of channels.
    for number, day in enumerate(iter_simulated_days(400, DEMO_SEED)):
        modalities = {c.modality for c, seen in zip(day.schema, day.mask.mean(axis=0), strict=True) if seen > 0.9}
        activity = str(day.labels.get("main_activity"))
        logged = any(
            event.label == activity
            and event.duration >= MIN_EXERCISE_MINUTES
            and abs(event.start_minute - int(day.labels["main_activity_start"])) <= MAX_LOG_ERROR_MINUTES
            for event in day.events_of("activity")
        )
        if logged and modalities.issuperset(_MODALITIES) and day.start.hour == day.start.minute == 0:
            wanted = list(iter_simulated_days(number % 4 + 1, DEMO_SEED, schema, start_person=number // 4))
            return wanted[-1]
    raise ValueError("The simulator produced no day with a logged exercise on a device with all sensors.")


def read_source(
    *,
    fitbit: str | os.PathLike | None = None,
    mmash: str | os.PathLike | None = None,
    table: str | os.PathLike | None = None,
    timezone: str | None = None,
    date: str | None = None,
    schema: SchemaLike = "sensorlm-26",
) -> Chosen:
    """Returns a day of a recording, or the built-in day if no recording is given.

    Args:
        fitbit: Fitbit or Takeout export, a folder or a zip file.
        mmash: MMASH folder.
        table: CSV, Parquet or npy file.
        timezone: Time zone of the recording.
        date: Local date of the day, `"YYYY-MM-DD"`; by default see [`choose_day`].
        schema: Channels to read.

    Raises:
        FileNotFoundError: If the path does not exist.
        ValueError: If several sources are given, or the recording is damaged or contains no day (of that date).
    """
    named = {kind: path for kind, path in (("fitbit", fitbit), ("mmash", mmash), ("table", table)) if path is not None}
    if len(named) > 1:
        raise ValueError(f"Give one source, not {' and '.join(named)}.")
    if not named:
        unused = [name for name, value in (("timezone", timezone), ("date", date)) if value is not None]
        if unused:
            verb, pronoun = ("applies", "it") if len(unused) == 1 else ("apply", "them")
            raise ValueError(f"{' and '.join(unused)} {verb} to a recording only; pass one, or omit {pronoun}.")
        return Chosen(built_in_day(schema), "simulated", ())
    kind, path = next(iter(named.items()))
    report = ReadReport()
    if kind == "fitbit":
        days = read_fitbit(path, timezone, schema=schema, report=report)
    elif kind == "mmash":
        days = read_mmash(path, timezone=timezone or "Europe/Rome", schema=schema, report=report)
    else:
        days = read_table(path, timezone=timezone, schema=schema, report=report)
    day = choose_day(days, date)
    notes = [f"Left out while reading: {note.count:,} x {note.message}." for note in report.dropped]
    if kind == "mmash":
        notes.insert(0, "MMASH does not publish dates: the date shown is arbitrary, the clock times are as recorded.")
    return Chosen(day, kind, tuple(notes))


def choose_day(days: Iterable[SensorDay], on: str | date | None = None) -> SensorDay:
    """Chooses a day: those with a logged exercise first, then the one with the most observed values.

    Args:
        days: Days; only the best so far is kept in memory.
        on: Local date on which the window starts.

    Raises:
        ValueError: If there is no day, none on that date (the message lists the available ones), or `on` is not a date.
    """
    wanted = _parse_date(on)
    best: SensorDay | None = None
    seen: set[date] = set()
    for day in days:
        seen.add(day.start.date())
        if wanted is not None and day.start.date() != wanted:
            continue
        if best is None or _rank(day) > _rank(best):
            best = day
    if best is not None:
        return best
    if not seen:
        raise ValueError("The recording contains no day with a value in any channel.")
    raise ValueError(f"The recording has no day starting on {wanted}; it has {_ranges(seen)}.")


def _rank(day: SensorDay) -> tuple[bool, int]:
    names = (canonical_activity(event.label) for event in day.events_of("activity"))
    exercised = any(name is not None and ACTIVITY_BY_NAME[name].benchmark for name in names)
    return exercised, int(day.mask.sum())


def _parse_date(on: str | date | None) -> date | None:
    if on is None or isinstance(on, date):
        return on
    try:
        return date.fromisoformat(on)
    except (ValueError, TypeError):
        raise ValueError(f"The date must be written YYYY-MM-DD, such as 2020-07-05; got {on!r}.") from None


def _ranges(dates: Iterable[date]) -> str:
    """Formats dates as ranges of consecutive days, at most eight of them."""
    spans: list[list[date]] = []
    for one in sorted(dates):
        if spans and one - spans[-1][1] == timedelta(days=1):
            spans[-1][1] = one
        else:
            spans.append([one, one])
    texts = [f"{a}" if a == b else f"{a} to {b}" for a, b in spans]
    return ", ".join(texts[:8]) + (f" and {len(texts) - 8} more spans" if len(texts) > 8 else "")
