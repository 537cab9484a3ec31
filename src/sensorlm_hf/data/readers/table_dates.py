"""Dates in numbers (`31.12.2024 08:00`, `12/31/2024 8:00 AM`) and decimal commas."""

from __future__ import annotations

import re
from collections.abc import Callable

import pandas as pd

CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?(\s*[AaPp]\.?[Mm]\.?)?")
"""A time of day without a date."""

_DATE = (
    r"^(\d{1,4})([./-])(\d{1,2})[./-](\d{2,4})\.?"
    r"(?:[ T,]+(\d{1,2}):(\d{2})(?::(\d{2}(?:[.,]\d+)?))?(?:\s*([AaPp])\.?[Mm]\.?)?)?$"
)


def numeric_dates(text: pd.Series, at: Callable[[int], str]) -> pd.Series | None:
    """Parses dates in numbers, without a zone.

    Dates with dots have the day first. In others, the order is that which all of them allow.

    Args:
        text: `(rows,)` strings.
        at: Returns a row's label for messages.

    Returns:
        `(rows,)` datetimes, NaT where a cell is not such a date; None if none is.

    Raises:
        ValueError: If every date could be read with the day or the month first, or neither order fits all.
    """
    parts = text.str.extract(_DATE)
    matched = parts[0].notna()
    if not matched.any():
        return None
    first, second, third = (pd.to_numeric(parts[column], errors="coerce") for column in (0, 2, 3))
    row = int(matched.to_numpy().argmax())
    if (first[matched] > 31).any():
        year, month, day = first, second, third
    else:
        year = third.where(third > 99, third + 2000)
        day_first, month_first = not (second > 12).any(), not (first > 12).any()
        if parts[1].iloc[row] == "." and day_first:
            month_first = False
        if day_first == month_first:
            which = "with the day or the month first" if day_first else "neither with the day nor the month first"
            clock = " %I:%M:%S %p" if parts[7].iloc[row] == parts[7].iloc[row] else " %H:%M:%S"
            sign = parts[1].iloc[row]
            forms = [sign.join(order) + clock for order in (("%d", "%m", "%Y"), ("%m", "%d", "%Y"))]
            raise ValueError(
                f"{at(row)}: the date {text.iloc[row]!r} can be read {which}; say which in a column mapping: time:"
                f" {{column: ..., format: {forms[0]!r}}} or {forms[1]!r}."
            )
        day, month = (first, second) if day_first else (second, first)
    hour = pd.to_numeric(parts[4], errors="coerce").fillna(0)
    half = parts[7].str.lower()
    hour = hour.where(half.isna(), hour % 12 + 12 * (half == "p"))
    minute = pd.to_numeric(parts[5], errors="coerce").fillna(0)
    second_of = pd.to_numeric(parts[6].str.replace(",", ".", regex=False), errors="coerce").fillna(0)
    dates = pd.to_datetime(pd.DataFrame({"year": year, "month": month, "day": day}), errors="coerce")
    midnight = (hour == 24) & (minute == 0) & (second_of == 0)
    good = matched & ((hour < 24) | midnight) & (minute < 60) & (second_of < 60)
    whole = dates + pd.to_timedelta(hour * 3600 + minute * 60 + second_of, unit="s")
    return whole.where(good)


def decimal_points(cells: pd.Series) -> pd.Series:
    """Returns text cells with a decimal point for a decimal comma (`61,5`), if all of them with a comma have one."""
    comma = cells.str.contains(",", na=False)
    if not comma.any() or not cells[comma].str.strip().str.fullmatch(r"[-+]?\d+,\d+").all():
        return cells
    return cells.where(~comma, cells.str.replace(",", ".", regex=False))
