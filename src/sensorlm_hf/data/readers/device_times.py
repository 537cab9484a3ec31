"""Times in the exports of devices, as seconds since 1970."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from .minutes import EPOCH, UTC

_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T\s]+(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*([AaPp][Mm])?)?"
    r"\s*((?:UTC|GMT)?Z|UTC|GMT|(?:UTC|GMT)?[+-]\d\d:?\d\d)?"
)


EARLIEST, LATEST = -86_400.0, 4_102_444_800.0
"""Seconds since 1970 between which a recording is: from 1970, at any offset from UTC, to the end of 2099."""


def local_seconds(moment: datetime, zone: tzinfo) -> float:
    """Returns the seconds since 1970 of a naive local time."""
    return (moment.replace(tzinfo=zone).astimezone(UTC) - EPOCH).total_seconds()


def seconds_of(value: Any, zone: tzinfo, where: str, name: str) -> float:
    """Returns the seconds since 1970 of a time in ISO 8601 or one of its common variants.

    Args:
        value: `"2024-03-01T08:00:00+01:00"`, `"2024-03-01 08:00:00 +0100"`, `"2024-03-01T07:00:00.000Z"`,
            `"2024-03-01 8:00:00 AM"`, ...
        zone: Zone of a time without offset.
        where: Place of the value, for messages.
        name: Name of the field.

    Raises:
        ValueError: If it is not such a time.
    """
    moment, part, offset = _parse(value, where, name)
    if offset is None:
        return local_seconds(moment, zone) + part
    return (moment.replace(tzinfo=UTC) - EPOCH).total_seconds() - offset_seconds(offset) + part


def naive_time(value: Any, where: str, name: str) -> datetime:
    """Returns the local time of a text, to the microsecond; an offset is ignored.

    Args:
        value: See [`seconds_of`].
        where: Place of the value, for messages.
        name: Name of the field.

    Raises:
        ValueError: If it is not such a time.
    """
    moment, part, _ = _parse(value, where, name)
    return moment + timedelta(seconds=part)


def _parse(value: Any, where: str, name: str) -> tuple[datetime, float, str | None]:
    """Whole seconds, the fraction of a second, and the offset, if there is one."""
    match = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    try:
        if match is None:
            raise ValueError
        year, month, day, hour, minute, second, fraction, half, offset = match.groups()
        hours = int(hour or 0)
        if half:
            if not 1 <= hours <= 12:
                raise ValueError
            hours = hours % 12 + (12 if half.lower() == "pm" else 0)
        moment = datetime(int(year), int(month), int(day), hours, int(minute or 0), int(second or 0))
        if not 1970 <= moment.year < 2100:
            raise ValueError
    except ValueError:
        raise ValueError(f"{where}: `{name}` must be a time such as 2024-03-01T08:00:00, got {value!r}.") from None
    return moment, float(f"0.{fraction}") if fraction else 0.0, offset


def offset_seconds(offset: str) -> float:
    """Returns the seconds of `"Z"`, `"UTC"`, `"+0100"`, `"+01:00"` or `"UTC+0100"`."""
    digits = offset.upper().removeprefix("UTC").removeprefix("GMT").replace(":", "")
    if digits in ("", "Z"):
        return 0.0
    length = int(digits[1:3]) * 3600 + int(digits[3:5]) * 60
    return float(-length if digits[0] == "-" else length)


def date_of(value: Any, where: str, name: str) -> date:
    """Returns the date of a text that starts with one.

    Raises:
        ValueError: If it does not.
    """
    try:
        return date.fromisoformat(value[:10])
    except (TypeError, ValueError):
        raise ValueError(f"{where}: `{name}` must be a date YYYY-MM-DD, got {value!r}.") from None


_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:[.,]\d+)?)S)?)?")


def duration_seconds(value: Any, where: str, name: str) -> float:
    """Returns the seconds of an ISO 8601 duration such as `"PT1H30M12.5S"`.

    Raises:
        ValueError: If it is not such a duration.
    """
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None or not any(match.groups()):
        raise ValueError(f"{where}: `{name}` must be a duration such as PT1H30M, got {value!r}.")
    days, hours, minutes, seconds = match.groups()
    whole = timedelta(days=int(days or 0), hours=int(hours or 0), minutes=int(minutes or 0))
    return whole.total_seconds() + float((seconds or "0").replace(",", "."))
