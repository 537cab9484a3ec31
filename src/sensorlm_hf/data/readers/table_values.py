"""Numbers of a table: as people write them, without placeholders, rows given twice and counters."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from ...schema import Channel
from .quality import ReadReport
from .table_dates import CLOCK

PLACEHOLDERS = frozenset(
    {"", "-", "--", "---", ".", "?", "*", "na", "n/a", "#n/a", "nan", "none", "null", "nil", "missing", "–", "—"}
)
"""Text of cells without a value, in lower case."""

HEART_RATE_PLACEHOLDERS = (-1.0, 0.0, 255.0)
"""Values that devices write as heart rate when they have none."""

MAX_GAP_MINUTES = 60
"""Longest time between two readings of a step counter over which the steps between them are spread."""

_THOUSANDS = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?")
_DECIMAL_COMMA = re.compile(r"[-+]?\d{1,3}(\.\d{3})*,\d+|[-+]?\d+,\d+")
_TWICE_TO_OTHER = 20  # rows given twice repeat exactly; several samples with the same time rarely do


def parse_numbers(cells: pd.Series, channel: Channel | None) -> tuple[np.ndarray, np.ndarray]:
    """Parses cells that may be numbers already, or text with a decimal comma or thousands separators.

    Args:
        cells: `(rows,)` cells.
        channel: Channel of the values, whose plausible range decides what `"1,234"` means; None if unknown.

    Returns:
        `(rows,)` float64, NaN where missing, and `(rows,)` bool: cells that are not numbers.
    """
    values = pd.to_numeric(cells, errors="coerce")
    left = (values.isna() & cells.notna()).to_numpy()
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    if not left.any():
        return numbers, left
    numbers = numbers.copy()
    text = cells[left].astype(str).str.strip().str.replace("\xa0", "", regex=False)
    missing = text.str.lower().isin(PLACEHOLDERS).to_numpy()
    comma = text.str.fullmatch(_DECIMAL_COMMA).to_numpy()
    thousands = text.str.fullmatch(_THOUSANDS).to_numpy()
    if (comma & ~thousands).any():
        decimal = True  # one cell that can only be a decimal comma decides for all
    elif (thousands & ~comma).any():
        decimal = False
    else:
        decimal = channel is not None and _reads_as_decimal(text[thousands], channel)
    grouping, point = (".", ",") if decimal else (",", ".")
    plain = text.str.replace(grouping, "", regex=False).str.replace(point, ".", regex=False)
    known = comma if decimal else thousands
    parsed = pd.to_numeric(plain.where(known), errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    numbers[left] = parsed
    wrong = left.copy()
    wrong[left] = np.isnan(parsed) & ~missing
    return numbers, wrong


def _reads_as_decimal(text: pd.Series, channel: Channel) -> bool:
    """Whether `"61,500"` is 61.5: only if that is plausible and 61500 is not; steps are whole numbers."""
    if channel.unit == "steps/min":
        return False
    low, high = channel.valid_range
    as_decimal = text.str.replace(",", ".", regex=False).astype(float)
    as_thousands = text.str.replace(",", "", regex=False).astype(float)
    return bool(as_decimal.between(low, high).all() and not as_thousands.between(low, high).all())


def rows_given_twice(people: np.ndarray, seconds: np.ndarray, values: list[np.ndarray]) -> np.ndarray:
    """Finds rows that repeat an earlier one: the same person, time and values.

    Tables whose times are rounded, so that several samples share a time, also have rows with the same time and other
    values; then nothing is a repetition.

    Args:
        people: `(rows,)` int64 person of each row.
        seconds: `(rows,)` float64 times.
        values: Measurements of each channel, `(rows,)`; NaN where a row has none.

    Returns:
        `(rows,)` bool.
    """
    columns = {"who": people, "time": seconds}
    table = pd.DataFrame({**columns, **{f"channel {number}": part for number, part in enumerate(values)}})
    again = table.duplicated().to_numpy()
    if not again.any():
        return again
    present = sum((~np.isnan(part)).astype(np.int64) << number for number, part in enumerate(values))
    other = pd.DataFrame({**columns, "present": present}).duplicated().to_numpy() & ~again
    return again if other.sum() * _TWICE_TO_OTHER <= again.sum() else np.zeros_like(again)


def without_heart_rate_placeholders(values: np.ndarray, label: str, report: ReadReport) -> np.ndarray:
    """Returns heart rates without what devices write when they have none; the values that go are counted."""
    placeholder = np.isin(values, HEART_RATE_PLACEHOLDERS) | (values < 0)
    report.note(
        "heart-rate-placeholder",
        "dropped",
        "heart rates of 0, -1 or 255, which devices write when they measure none",
        label,
        int(placeholder.sum()),
    )
    return np.where(placeholder, np.nan, values)


def without_poison(values: np.ndarray, minutes: np.ndarray, channel: Channel, label: str, report: ReadReport) -> Any:
    """Returns values without implausible ones in minutes that also have plausible ones, whose mean they would spoil.

    Args:
        values: `(rows,)` float64.
        minutes: `(rows,)` a number for each person's minute.
        channel: Their channel.
        label: Label of the table for messages.
        report: Counts what is left out.
    """
    low, high = channel.valid_range
    with np.errstate(invalid="ignore"):
        inside = (values >= low) & (values <= high)
    outside = ~np.isnan(values) & ~inside
    if not outside.any():
        return values
    spoils = outside & np.isin(minutes, minutes[inside])
    message = f"implausible {channel.label} samples in minutes that have plausible ones"
    report.note(f"implausible-sample-{channel.key}", "dropped", message, label, int(spoils.sum()))
    return np.where(spoils, np.nan, values)


def is_counter(steps: np.ndarray, seconds: np.ndarray, most: float) -> bool:
    """Returns whether a person's steps are a counter that only rises, not steps per row.

    Args:
        steps: `(n,)` float64 without NaN, in order of time.
        seconds: `(n,)` their times.
        most: Largest plausible number of steps per minute.
    """
    if len(steps) < 2 or (steps < 0).any() or steps.max() <= most:
        return False
    falls = int((np.diff(steps) < 0).sum())
    days = int(seconds[-1] // 86_400 - seconds[0] // 86_400)
    rises = int((np.diff(steps) > 0).sum())
    # A counter may start again at midnight. Two readings must both be too many for a minute.
    return falls <= days + 1 and falls < max(rises, 1) and bool((steps > most).mean() >= 0.5 or len(steps) > 30)


def counter_steps(steps: np.ndarray, seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Returns the steps between readings of a counter.

    Args:
        steps: `(n,)` readings in order of time.
        seconds: `(n,)` their times.

    Returns:
        Epoch minutes and steps, which are spread evenly between two readings, and the number of readings whose steps
        are unknown: the first, and those after a gap of more than [`MAX_GAP_MINUTES`].
    """
    minutes = np.floor(seconds / 60.0).astype(np.int64)
    made_minutes: list[np.ndarray] = []
    made_steps: list[np.ndarray] = []
    unknown = 1
    gaps = np.diff(minutes)
    # After a reset the counter has counted from 0.
    taken = np.where(np.diff(steps) < 0, steps[1:], np.diff(steps))
    for gap in np.unique(gaps):
        mine = gaps == gap
        if gap > MAX_GAP_MINUTES:
            unknown += int(mine.sum())
            continue
        width = max(int(gap), 1)
        spread = np.arange(-width + 1, 1)
        made_minutes.append((minutes[1:][mine][:, None] + spread).ravel())
        made_steps.append(np.repeat(taken[mine] / width, width))
    if not made_minutes:
        return np.empty(0, dtype=np.int64), np.empty(0), unknown
    return np.concatenate(made_minutes), np.concatenate(made_steps), unknown


def is_clock_column(cells: pd.Series) -> bool:
    """Returns whether the cells of a column are times of day without a date."""
    known = cells.dropna()
    if not len(known) or known.dtype.kind in "Mmif":
        return False
    return CLOCK.fullmatch(str(known.iloc[0]).replace("\u202f", " ").strip()) is not None
