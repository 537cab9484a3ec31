"""Cohorts of **synthetic** subjects as `SensorDay`s, without data of real people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from ...days import MINUTES_PER_DAY, SensorDay, named_zone
from ...schema import SchemaLike, SensorSchema, get_schema
from .channels import SENSOR_OF, simulate_channels
from .gaps import remove_unobserved
from .layout import LEAD, Window, expand_windows, plan_window
from .logs import label_window, log_events
from .people import Person, simulate_person
from .physiology import simulate_bodies

DAYS_PER_PERSON = 4
"""Default number of days per person."""


def simulate_days(
    n: int,
    seed: int = 0,
    schema: SchemaLike = "sensorlm-26",
    *,
    days_per_person: int = DAYS_PER_PERSON,
    timezone: str | tzinfo | None = None,
    start_person: int = 0,
) -> list[SensorDay]:
    """Simulates days of a cohort of synthetic subjects.

    The first `days_per_person` days are those of person `start_person`, the next those of the following person. A day
    depends only on (seed, person, day), regardless of what else is simulated and in which process.

    Args:
        n: Number of days.
        seed: Seed of the cohort; a different seed gives different people.
        schema: Channels; any whose keys are among those of the shipped schemas.
        days_per_person: Consecutive days of each person.
        timezone: Time zone of all people, an IANA name or a `tzinfo`; by default each person has their own.
        start_person: Index of the first person.

    Returns:
        `n` days of 1440 minutes in physical units, with events as logged (including omissions and errors) and the
        ground truth in their labels: `main_activity`, `environment`, `anxiety`, `hypertension` and others, and always
        `simulated=True`. Most people's days start at local midnight, those of one in seven at a different minute.

    Raises:
        ValueError: If a number is out of range, the zone is unknown, or the schema has channels that cannot be
            simulated; the message names them.
        TypeError: If a number is not an integer.

    Example:
        >>> day = simulate_days(1, seed=3)[0]
        >>> day.values.shape, day.labels["simulated"]
        ((1440, 26), True)
    """
    return list(
        iter_simulated_days(
            n, seed, schema, days_per_person=days_per_person, timezone=timezone, start_person=start_person
        )
    )


def iter_simulated_days(
    n: int,
    seed: int = 0,
    schema: SchemaLike = "sensorlm-26",
    *,
    days_per_person: int = DAYS_PER_PERSON,
    timezone: str | tzinfo | None = None,
    start_person: int = 0,
    chunk_size: int = 64,
) -> Iterator[SensorDay]:
    """Yields the days of [`simulate_days`] one by one; memory does not grow with `n`.

    Args:
        n: Number of days.
        seed: Seed of the cohort.
        schema: Channels.
        days_per_person: Consecutive days of each person.
        timezone: Time zone of all people; by default each person has their own.
        start_person: Index of the first person.
        chunk_size: Days simulated at once; affects speed and memory, but not the days.

    Returns:
        An iterator over the days. Arguments are validated immediately.

    Raises:
        ValueError: As in [`simulate_days`].
        TypeError: As in [`simulate_days`].
    """
    lowest = {"n": 0, "seed": 0, "days_per_person": 1, "start_person": 0, "chunk_size": 1}
    numbers = {
        name: _check_integer(name, value, lowest[name])
        for name, value in (
            ("n", n),
            ("seed", seed),
            ("days_per_person", days_per_person),
            ("start_person", start_person),
            ("chunk_size", chunk_size),
        )
    }
    channels = _check_simulable(get_schema(schema))
    zone = _zone(timezone) if timezone is not None else None
    return _stream_days(numbers, channels, zone)


def _stream_days(numbers: dict[str, int], schema: SensorSchema, zone: tzinfo | None) -> Iterator[SensorDay]:
    n, seed, each, chunk = (numbers[name] for name in ("n", "seed", "days_per_person", "chunk_size"))
    for first in range(0, n, chunk):
        windows = []
        for number in range(first, min(first + chunk, n)):
            person = simulate_person(seed, numbers["start_person"] + number // each)
            windows.append(plan_window(seed, person, number % each))
        yield from _simulate_chunk(seed, windows, schema, zone)


def _simulate_chunk(seed: int, windows: list[Window], schema: SensorSchema, zone: tzinfo | None) -> Iterator[SensorDay]:
    minutes = expand_windows(seed, windows)
    body = simulate_bodies(windows, minutes)
    channels = simulate_channels(schema.keys, windows, minutes, body)
    values = np.empty((len(windows), MINUTES_PER_DAY, len(schema)), np.float32)
    for column, channel in enumerate(schema):
        values[:, :, column] = np.clip(channels[channel.key][:, LEAD:], *channel.valid_range)
    gaps = remove_unobserved(seed, values, schema, windows, minutes)
    for index, window in enumerate(windows):
        yield SensorDay(
            values=values[index],
            start=_start(window.person, window.day, zone),
            subject_id=f"sim{seed}-{window.person.number:06d}",
            schema=schema,
            events=log_events(seed, window, minutes.code[index], body.arousal[index], gaps[index]),
            labels=label_window(window, minutes.stage[index]),
        )


@lru_cache(maxsize=256)
def _named_zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _start(person: Person, day: int, zone: tzinfo | None) -> datetime:
    """Returns the start of a window; a local time skipped by a clock change is moved to an existing one."""
    where = zone if zone is not None else _named_zone(person.zone)
    wall = datetime.combine(person.date_of(day), time(), where) + timedelta(minutes=person.start_minute)
    return wall.astimezone(timezone.utc).astimezone(where)


def _check_integer(name: str, value: int, lowest: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"`{name}` must be an integer, got {value!r}.")
    if value < lowest:
        raise ValueError(f"`{name}` must be at least {lowest}, got {value}.")
    return int(value)


def _check_simulable(schema: SensorSchema) -> SensorSchema:
    unknown = [key for key in schema.keys if key not in SENSOR_OF]
    if unknown:
        raise ValueError(
            f"Schema {schema.name!r} has channels that cannot be simulated: {', '.join(unknown)}. Supported channels:"
            f" {', '.join(SENSOR_OF)}."
        )
    return schema


def _zone(zone: str | tzinfo) -> tzinfo:
    if isinstance(zone, tzinfo):
        return zone
    if not isinstance(zone, str):
        raise TypeError(f"`timezone` must be an IANA name or a tzinfo, got {type(zone).__name__}.")
    try:
        return named_zone(zone)
    except ValueError:
        raise ValueError(f"`timezone` must be an IANA name such as 'Europe/Rome', got {zone!r}.") from None
