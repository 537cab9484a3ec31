"""`SensorDay` and `Event`: the record type shared by all readers and consumers."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import numpy as np

from .schema import SchemaLike, SensorSchema, get_schema, stored_schema

EVENT_KINDS = ("activity", "sleep", "mood")
"""Kinds of logged events."""

MINUTES_PER_DAY = 1440
"""Length of the reference window in minutes."""

LabelValue = str | int | float | bool


@dataclass(frozen=True, order=True)
class Event:
    """An event logged by a person or a tracker.

    Attributes:
        kind: `"activity"`, `"sleep"` or `"mood"`.
        label: Name of the event, such as `"running"`, `"nap"` or `"calm"`.
        start_minute: First minute, relative to the start of the window; negative if the event began earlier.
        end_minute: Minute after the last one (exclusive); may exceed the window. Equal to `start_minute` only for
            moods, which are logged at a point in time.
    """

    kind: str
    label: str
    start_minute: int
    end_minute: int

    def __post_init__(self) -> None:
        if self.kind not in EVENT_KINDS:
            raise ValueError(f"Event `kind` must be one of {', '.join(EVENT_KINDS)}, got {self.kind!r}.")
        if not isinstance(self.label, str) or not self.label.strip():
            raise ValueError(f"Event `label` must be a non-empty string, got {self.label!r}.")
        for name in ("start_minute", "end_minute"):
            object.__setattr__(self, name, _minute(getattr(self, name), name, self))
        if self.end_minute < self.start_minute or (self.end_minute == self.start_minute and self.kind != "mood"):
            raise ValueError(
                f"Event {self.label!r} ({self.kind}) must end after it starts, got start_minute={self.start_minute} and"
                f" end_minute={self.end_minute}. If it crosses midnight, add {MINUTES_PER_DAY} to the end."
            )

    @property
    def duration(self) -> int:
        """Length in minutes."""
        return self.end_minute - self.start_minute

    def to_dict(self) -> dict[str, Any]:
        """Returns the event as plain types, as stored in dataset rows."""
        return {
            "kind": self.kind,
            "label": self.label,
            "start_minute": self.start_minute,
            "end_minute": self.end_minute,
        }


def _minute(value: Any, name: str, event: Event) -> int:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"Event {event.label!r}: `{name}` must be a whole number of minutes, got {value!r}.")
    if not math.isfinite(value) or value != int(value):
        raise ValueError(f"Event {event.label!r}: `{name}` must be a whole number of minutes, got {value!r}.")
    return int(value)


@dataclass(frozen=True, eq=False)
class SensorDay:
    """A window of one person's minute-level signals, usually 24 hours, with the events logged in it.

    The window may start at any minute and cross midnight or a clock change: it counts elapsed minutes, and
    [`SensorDay.clock`] gives the local time of each.

    Attributes:
        values: `(minutes, channels)` float32 in physical units; NaN where nothing was observed. Kept read-only.
        start: Time of the first minute; must be timezone-aware.
        subject_id: Pseudonym of the person.
        schema: Schema of the columns; a name, dict, path or [`SensorSchema`].
        events: Logged events, sorted by start. All overlap the window.
        labels: Facts about the day or the person: `{"hypertension": True, "main_activity": "running"}`.
    """

    values: np.ndarray
    start: datetime
    subject_id: str
    schema: SensorSchema = field(default="sensorlm-26")  # type: ignore[assignment]
    events: tuple[Event, ...] = ()
    labels: dict[str, LabelValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "schema", get_schema(self.schema))
        object.__setattr__(self, "values", _check_values(self.values, self.schema))
        if not isinstance(self.start, datetime):
            raise TypeError(f"SensorDay `start` must be a datetime, got {type(self.start).__name__}.")
        if self.start.tzinfo is None or self.start.utcoffset() is None:
            raise ValueError(
                f"SensorDay `start` must be timezone-aware, got {self.start.isoformat()}; use"
                ' start.replace(tzinfo=ZoneInfo("Europe/Berlin")) or datetime.timezone.utc.'
            )
        _check_subject(self.subject_id)
        object.__setattr__(self, "events", _check_events(self.events, len(self.values)))
        object.__setattr__(self, "labels", _check_labels(self.labels))

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.values.flags.writeable = False  # pickling and deep copies reset it

    def __len__(self) -> int:
        return len(self.values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SensorDay):
            return NotImplemented
        return (
            self.start == other.start
            and self.start.utcoffset() == other.start.utcoffset()
            and self.subject_id == other.subject_id
            and self.schema == other.schema
            and self.events == other.events
            and self.labels == other.labels
            and np.array_equal(self.values, other.values, equal_nan=True)
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def mask(self) -> np.ndarray:
        """`(minutes, channels)` bool, True where a value was observed."""
        return ~np.isnan(self.values)

    @property
    def sample_id(self) -> str:
        """Stable identifier of the window: subject and start, such as `"p001@2024-03-01T00:00+0100"`."""
        stamp = self.start.isoformat(timespec="minutes")  # in a third of the time that strftime takes
        return f"{self.subject_id}@{stamp[:16]}{stamp[16:].replace(':', '')}"

    @property
    def end(self) -> datetime:
        """End of the window (exclusive), in the time zone of `start`."""
        return self.clock(len(self))

    def clock(self, minute: int) -> datetime:
        """Returns the local time of a minute of the window, taking clock changes into account."""
        zone: tzinfo = self.start.tzinfo  # type: ignore[assignment]
        return (self.start.astimezone(timezone.utc) + timedelta(minutes=int(minute))).astimezone(zone)

    def channel(self, key: str) -> np.ndarray:
        """Returns one channel, shape `(minutes,)`, physical units."""
        return self.values[:, self.schema.index(key)]

    def events_of(self, kind: str) -> tuple[Event, ...]:
        """Returns the events of one kind, by start."""
        if kind not in EVENT_KINDS:
            raise ValueError(f"`kind` must be one of {', '.join(EVENT_KINDS)}, got {kind!r}.")
        return tuple(event for event in self.events if event.kind == kind)

    def crop(self, start_minute: int, end_minute: int) -> SensorDay:
        """Returns the day with everything outside `[start_minute, end_minute)` masked; the length is unchanged.

        Events that do not overlap the span are dropped; the others are kept as logged.
        """
        if not 0 <= start_minute < end_minute <= len(self):
            raise ValueError(
                f"A crop must be inside the window of {len(self)} minutes, got [{start_minute}, {end_minute})."
            )
        outside = np.ones((len(self), 1), dtype=bool)
        outside[start_minute:end_minute] = False
        events = tuple(
            e
            for e in self.events
            if e.start_minute < end_minute and max(e.end_minute, e.start_minute + 1) > start_minute
        )
        return self.without(outside)._with(events=events)

    def without(self, hidden: np.ndarray) -> SensorDay:
        """Returns the day with some values unobserved.

        Args:
            hidden: Bool, True where a value is to become NaN; of any shape that broadcasts to `(minutes, channels)`.
        """
        values = np.where(hidden, np.float32(np.nan), self.values)
        values.flags.writeable = False
        return self._with(values=values)

    def with_events(self, events: Iterable[Event]) -> SensorDay:
        """Returns the day with other events; its signals are shared, not copied.

        Raises:
            TypeError: If one is not an [`Event`].
            ValueError: If one does not overlap the window.
        """
        return self._with(events=_check_events(events, len(self)))

    def with_subject(self, subject_id: str) -> SensorDay:
        """Returns the day under another pseudonym; its signals are shared, not copied.

        Raises:
            ValueError: If the name is not a non-empty string.
        """
        return self._with(subject_id=_check_subject(subject_id))

    def _with(self, **fields: Any) -> SensorDay:
        """Returns a day with fields that are known to be valid: what stays is neither checked nor copied again."""
        day = object.__new__(type(self))
        day.__dict__.update(self.__dict__, **{"labels": dict(self.labels), **fields})
        return day

    def to_row(self) -> dict[str, Any]:
        """Returns the day as a `datasets` row of plain types; [`SensorDay.from_row`] reads it back.

        The time zone is stored by IANA name if it has one, which preserves clock changes, and otherwise by its offset.
        Built-in schemas are stored by name, others in full, see [`SensorSchema.reference`].
        """
        return {
            "subject_id": self.subject_id,
            "start": self.start.isoformat(),
            "timezone": getattr(self.start.tzinfo, "key", None) or "",
            "schema": self.schema.reference,
            "values": self.values,
            "events": [event.to_dict() for event in self.events],
            "labels": dict(self.labels),
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any], schema: SchemaLike | None = None) -> SensorDay:
        """Reads a row written by [`SensorDay.to_row`], in any form that `datasets` may return it.

        Args:
            row: The row; `values` is required. A missing `start` becomes 1970-01-01 00:00 UTC, so that clock times are
                meaningless, and a missing `subject_id` becomes `"unknown"`.
            schema: Overrides the row's schema; required if the row only has the name of a custom schema.

        Raises:
            ValueError: If a field is missing or invalid.
        """
        if not isinstance(row, Mapping) or row.get("values") is None:
            raise ValueError("A row must be a mapping with a `values` column of shape (minutes, channels).")
        labels = {key: _scalar(value) for key, value in (row.get("labels") or {}).items() if value is not None}
        return cls(
            values=row["values"],
            start=_parse_start(row.get("start"), row.get("timezone") or ""),
            subject_id=row.get("subject_id") or "unknown",
            schema=get_schema(schema) if schema is not None else _row_schema(row.get("schema") or "sensorlm-26"),
            events=_events_from_row(row.get("events")),
            labels=labels,
        )


def _scalar(value: Any) -> Any:
    """Returns a tensor or array without dimensions, which formatted datasets return for numbers, as a number."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def _row_schema(named: Any) -> SensorSchema:
    return stored_schema(named) if isinstance(named, str) else get_schema(named)


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


@lru_cache(maxsize=256)
def named_zone(name: str) -> ZoneInfo:
    """Returns a time zone by its IANA name.

    Names often come from data, so they are looked up in the list of zones before any file is opened: `ZoneInfo` opens
    whatever file of the time zone folder a name leads to.

    Raises:
        ValueError: If there is no zone of that name.
    """
    if name in _zone_names():
        with contextlib.suppress(ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo(name)
    raise ValueError(f"There is no time zone {name[:80]!r}; give an IANA name such as 'Europe/Berlin'.")


def _parse_start(start: Any, zone: str) -> datetime:
    if start is None:
        return datetime(1970, 1, 1, tzinfo=timezone.utc)
    if isinstance(start, str):
        try:
            start = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", start))  # Python 3.10 does not support "Z"
        except ValueError:
            raise ValueError(f"`start` must be an ISO 8601 time, got {start!r}.") from None
    if not isinstance(start, datetime):
        raise TypeError(f"`start` must be an ISO 8601 string or a datetime, got {type(start).__name__}.")
    if not zone:
        return start
    if not isinstance(zone, str):
        raise TypeError(f"`timezone` must be an IANA name such as 'Europe/Berlin', got {type(zone).__name__}.")
    try:
        info = named_zone(zone)
    except ValueError:
        raise ValueError(f"`timezone` must be an IANA name such as 'Europe/Berlin', got {zone!r}.") from None
    return start.replace(tzinfo=info) if start.tzinfo is None else start.astimezone(info)


def _events_from_row(events: Any) -> tuple[Event, ...]:
    if events is None:
        return ()
    if isinstance(events, Mapping):  # `datasets` may turn a list of structs into a struct of lists
        events = [dict(zip(events, values, strict=True)) for values in zip(*events.values(), strict=True)]
    parsed = []
    if isinstance(events, str) or not hasattr(events, "__iter__"):
        raise ValueError(f"`events` must be a list of events, got {str(events)[:80]!r}.")
    for position, event in enumerate(events):
        if not isinstance(event, Mapping):
            raise ValueError(f"events[{position}] must be a mapping with `kind` and `label`, got {str(event)[:80]!r}.")
        try:
            parsed.append(
                Event(str(event["kind"]), str(event["label"]), int(event["start_minute"]), int(event["end_minute"]))
            )
        except KeyError as error:
            raise ValueError(f"events[{position}] lacks {error}.") from None
        except (ValueError, TypeError) as error:
            raise type(error)(f"events[{position}]: {error}") from None
    return tuple(parsed)


def _check_values(values: Any, schema: SensorSchema) -> np.ndarray:
    if hasattr(values, "columns") and hasattr(values, "to_numpy"):  # a table has names, so position must not decide
        names = [str(name) for name in values.columns]
        if sorted(names) != sorted(schema.keys):
            raise ValueError(
                f"SensorDay `values` is a table with columns {', '.join(names)}, but schema {schema.name!r} has"
                f" {', '.join(schema.keys)}. Rename or `reindex(columns=...)` it."
            )
        values = values[list(schema.keys)].to_numpy()
    try:
        given = np.asarray(values)
        # numpy would read "72" as 72; text among the values is a mistake of the reader
        if given.dtype.kind not in "fiubO" or (given.dtype == object and any(isinstance(v, str) for v in given.flat)):
            raise TypeError(f"got values of type {given.dtype if given.dtype != object else 'str'}")
        with np.errstate(over="ignore"):  # what overflows is reported as infinite below
            array = np.array(given, dtype=np.float32)
    except (ValueError, TypeError) as error:
        raise TypeError(f"SensorDay `values` must be numbers of shape (minutes, channels): {error}") from None
    if array.ndim != 2 or len(array) == 0:
        raise ValueError(f"SensorDay `values` must have shape (minutes, channels), got {array.shape}.")
    if array.shape[1] != len(schema):
        raise ValueError(
            f"SensorDay `values` has {array.shape[1]} columns, but schema {schema.name!r} has {len(schema)} channels"
            f" ({', '.join(schema.keys)})."
        )
    infinite = np.isinf(array)
    if infinite.any():
        minute, column = np.argwhere(infinite)[0]
        raise ValueError(
            f"SensorDay `values` is infinite at minute {minute}, channel {schema.keys[column]!r}; use NaN for missing."
        )
    array.flags.writeable = False
    return array


def _check_subject(subject_id: str) -> str:
    if not isinstance(subject_id, str) or not subject_id:
        raise ValueError(f"SensorDay `subject_id` must be a non-empty string, got {subject_id!r}.")
    return subject_id


def _check_events(events: Iterable[Event], minutes: int) -> tuple[Event, ...]:
    events = tuple(events)
    for position, event in enumerate(events):
        if not isinstance(event, Event):
            raise TypeError(f"SensorDay events[{position}] must be an Event, got {type(event).__name__}.")
        # A mood occupies the minute at which it was logged.
        if event.start_minute >= minutes or max(event.end_minute, event.start_minute + 1) <= 0:
            raise ValueError(
                f"SensorDay events[{position}] ({event.label!r}, minutes {event.start_minute} to {event.end_minute})"
                f" does not overlap the window of {minutes} minutes."
            )
    return tuple(sorted(events, key=lambda e: (e.start_minute, e.end_minute, e.kind, e.label)))


def _check_labels(labels: Mapping[str, LabelValue]) -> dict[str, LabelValue]:
    if not isinstance(labels, Mapping):
        raise TypeError(f"SensorDay `labels` must be a mapping, got {type(labels).__name__}.")
    checked: dict[str, LabelValue] = {}
    for key, value in labels.items():
        value = value.item() if isinstance(value, (np.generic, np.ndarray)) and np.ndim(value) == 0 else value
        if not isinstance(key, str) or not isinstance(value, (str, int, float, bool)):
            raise TypeError(f"SensorDay labels[{key!r}] must be a string, number or bool, got {type(value).__name__}.")
        checked[key] = value
    return checked


def stack_values(days: Sequence[SensorDay]) -> np.ndarray:
    """Stacks the values of days of one schema and length into `(days, minutes, channels)` float32.

    Raises:
        ValueError: If there is no day, or the days differ in schema or length; the message gives the first mismatch.
    """
    if not days:
        raise ValueError("`days` is empty; give at least one SensorDay.")
    first = days[0]
    for position, day in enumerate(days):
        if day.schema != first.schema or len(day) != len(first):
            raise ValueError(
                f"days[{position}] has schema {day.schema.name!r} and {len(day)} minutes, but days[0] has"
                f" {first.schema.name!r} and {len(first)}; convert them to one schema and length first."
            )
    return np.stack([day.values for day in days])
