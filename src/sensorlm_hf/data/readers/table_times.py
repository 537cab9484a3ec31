"""Parses the time column of a table, in any common format, to epoch minutes."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from typing import Any

import numpy as np
import pandas as pd

from .minutes import resolve_timezone
from .table_mapping import TIME_UNITS

_FARTHEST = 100_000_000  # epoch minutes, about 190 years
_EPOCH = datetime(1970, 1, 1)
_FAR = "{}: the time is centuries away from 1970; correct its year."
_WHY_ZONE = "The table's times do not contain a time zone, and a day begins at local midnight."

At = Callable[[int], str]
"""Returns a row's label for messages, such as `"day.csv, line 7"`."""


def table_minutes(
    cells: pd.Series, at: At, timezone: str | tzinfo | None, unit: str = "s", form: str | None = None
) -> tuple[np.ndarray, tzinfo]:
    """Returns the rows' epoch minutes and the zone of the days.

    Args:
        cells: Times: timestamps with or without a zone, strings in ISO 8601 or a given format, or numbers since 1970.
        at: Returns a row's label for messages.
        timezone: Local zone; required if the times do not contain one.
        unit: Unit of numbers, one of [`TIME_UNITS`].
        form: `strptime` format of strings.

    Raises:
        ValueError: If a time is missing, unreadable or implausible, or the zone is missing; the message gives the row.
    """
    minutes, zone = _minutes(cells.reset_index(drop=True), at, timezone, unit, form)
    far = np.abs(minutes) > _FARTHEST
    if far.any():
        raise ValueError(_FAR.format(at(int(far.argmax()))))
    return minutes, zone


def _minutes(
    cells: pd.Series, at: At, timezone: str | tzinfo | None, unit: str, form: str | None
) -> tuple[np.ndarray, tzinfo]:
    if cells.isna().any():
        raise ValueError(f"{at(int(cells.isna().to_numpy().argmax()))}: the time is missing.")
    zone: tzinfo | None = None if timezone is None else resolve_timezone(timezone, _WHY_ZONE)
    if pd.api.types.is_numeric_dtype(cells):
        seconds = cells.to_numpy(dtype=np.float64) * TIME_UNITS[unit]
        if not (np.abs(seconds) < 1e10).all():
            row = int((~(np.abs(seconds) < 1e10)).argmax())
            raise ValueError(
                f"{at(row)}: numbers in the time column must be seconds since 1970, got {seconds[row]:g}; divide"
                " milliseconds by 1000, or specify the unit in a column mapping."
            )
        return np.floor(seconds / 60.0).astype(np.int64), resolve_timezone(zone, _WHY_ZONE)
    if isinstance(cells.dtype, pd.DatetimeTZDtype):
        return _epoch_minutes(cells.dt.tz_convert("UTC")), zone or cells.dt.tz
    if form is not None:
        return _formatted(cells, at, zone, form)
    first = cells.iloc[0]
    try:
        moment = pd.Timestamp(first)
    except (ValueError, TypeError):
        raise _unreadable(at(0), first, "the time must be ISO 8601") from None
    zoned = cells.map(_names_zone).to_numpy(dtype=bool)
    if zoned.any() != zoned.all():
        row = int((zoned != zoned[0]).argmax())
        raise ValueError(
            f"{at(row)}: either all times or none must contain a zone, but the first row has {first!r} and this one"
            f" {cells.iloc[row]!r}."
        )
    if moment.tzinfo is None:
        naive = pd.to_datetime(cells, errors="coerce", format=None if cells.dtype.kind == "M" else "ISO8601")
        return _local_minutes(naive, cells, at, resolve_timezone(zone, _WHY_ZONE), "ISO 8601 without a zone")
    aware = pd.to_datetime(cells, utc=True, errors="coerce", format="ISO8601")
    if aware.isna().any():
        row = int(aware.isna().to_numpy().argmax())
        raise _unreadable(at(row), cells.iloc[row], "the time must be ISO 8601")
    return _epoch_minutes(aware), zone or moment.tzinfo


def _formatted(cells: pd.Series, at: At, zone: tzinfo | None, form: str) -> tuple[np.ndarray, tzinfo]:
    if "%z" in form:
        aware = pd.to_datetime(cells, utc=True, errors="coerce", format=form)
        if aware.isna().any():
            row = int(aware.isna().to_numpy().argmax())
            raise _unreadable(at(row), cells.iloc[row], f"the time must be of the form {form!r}", form)
        return _epoch_minutes(aware), resolve_timezone(zone, _WHY_ZONE)
    naive = pd.to_datetime(cells, errors="coerce", format=form)
    return _local_minutes(naive, cells, at, resolve_timezone(zone, _WHY_ZONE), f"of the form {form!r}", form)


def _unreadable(row: str, cell: Any, rule: str, form: str | None = None) -> ValueError:
    """Returns the error for a time that pandas cannot parse; in pandas 2, nanoseconds only cover 1678 to 2261."""
    try:
        moment = datetime.fromisoformat(str(cell)) if form is None else datetime.strptime(str(cell), form)
    except ValueError:
        moment = _EPOCH
    far = abs(moment.replace(tzinfo=None) - _EPOCH) > timedelta(minutes=_FARTHEST)
    return ValueError(_FAR.format(row) if far else f"{row}: {rule}, got {cell!r}.")


def _names_zone(cell: Any) -> bool:
    if isinstance(cell, str):
        return re.search(r"\d\d:?\d\d.*(Z|[+-]\d\d(:?\d\d)?)\s*$", cell) is not None
    return getattr(cell, "tzinfo", None) is not None


def _epoch_minutes(aware: pd.Series) -> np.ndarray:
    return aware.dt.tz_convert(None).to_numpy().astype("datetime64[s]").astype(np.int64) // 60


def _local_minutes(
    naive: pd.Series, cells: pd.Series, at: At, zone: tzinfo, what: str, form: str | None = None
) -> tuple[np.ndarray, tzinfo]:
    if naive.isna().any() or getattr(naive.dt, "tz", None) is not None:
        row = int(naive.isna().to_numpy().argmax())
        raise _unreadable(at(row), cells.iloc[row], f"times must all be {what}", form)
    # When clocks go back, an hour is ambiguous; the first occurrence is used.
    local = naive.dt.floor("min")
    offsets: dict[Any, int] = {}
    for moment in pd.unique(local):
        stamp = pd.Timestamp(moment).to_pydatetime()
        offsets[moment] = int(stamp.replace(tzinfo=zone).utcoffset().total_seconds()) // 60  # type: ignore[union-attr]
    shift = local.map(offsets).to_numpy(dtype=np.int64)
    return local.to_numpy().astype("datetime64[s]").astype(np.int64) // 60 - shift, zone
