"""Parses the time column of a table, in any common format, to seconds since 1970."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from ...days import named_zone
from .local_times import REPEATED_HOUR, seconds_of_local_times
from .minutes import resolve_timezone
from .quality import ReadReport
from .table_dates import CLOCK, numeric_dates
from .table_files import BAD_SHARE
from .table_mapping import EXCEL, TIME_UNITS
from .zones import Itinerary

_FARTHEST = 6_000_000_000.0  # seconds, about 190 years
_EARLIEST = 315_532_800.0  # 1980: smaller numbers are not seconds since 1970, but since a recording's start
_EXCEL_DAYS = (29_221.0, 73_051.0)  # 1980 to 2100
_EPOCH = datetime(1970, 1, 1)
_EXCEL_EPOCH = np.datetime64("1899-12-30", "us")
_FAR = "{}: the time is centuries away from 1970; correct its year."
_WHY_ZONE = "The table's times do not contain a time zone, and a day begins at local midnight."
_ISO = re.compile(r"\d{4}-?\d{2}-?\d{2}([T ].*)?")
_BRACKET = re.compile(r"\s*\[([^\]]+)\]$")
_MANY_CHANGES = 50

At = Callable[[int], str]
"""Returns a row's label for messages, such as `"day.csv, line 7"`."""


@dataclass(frozen=True)
class TimeFormat:
    """How a column writes times.

    Attributes:
        unit: Unit of numbers, one of [`TIME_UNITS`] or [`EXCEL`].
        form: `strptime` format of strings.
        start: Local time from which numbers count; 1970 in UTC if None.
    """

    unit: str = "s"
    form: str | None = None
    start: str | None = None


@dataclass(frozen=True)
class Times:
    """The times of a table's rows.

    Attributes:
        seconds: `(rows,)` float64 seconds since 1970; NaN where the cell cannot be read.
        zone: Zone of the days.
        rule: Returns the error of a row whose time cannot be read.
        wordy: `(rows,)` bool: cells that are empty or words, such as `Total`.
    """

    seconds: np.ndarray
    zone: tzinfo
    rule: Callable[[int], ValueError]
    wordy: np.ndarray


def table_times(
    cells: pd.Series,
    at: At,
    zone: str | tzinfo | None,
    form: TimeFormat,
    people: np.ndarray,
    report: ReadReport,
) -> Times:
    """Parses the times of the rows.

    Cells are timestamps with or without a zone; strings in ISO 8601, `31.12.2024 08:00`, `12/31/2024 8:00 AM` or a
    given format; numbers since 1970 or since a given start; or Excel's serial numbers. Local times of the hour that
    clocks repeat in autumn belong to its second pass once they go back.

    Args:
        cells: `(rows,)` cells.
        at: Returns a row's label for messages.
        zone: Local zone; required if the times do not contain one.
        form: How the column writes times.
        people: `(rows,)` int64: the person of each row, whose order the repeated hour depends on.
        report: Told about zones that change within the table.

    Raises:
        ValueError: If the column is not a column of times, is ambiguous, or the zone is missing; the message gives the
            first row.
    """
    local = None if zone is None else resolve_timezone(zone, _WHY_ZONE)
    cells = cells.reset_index(drop=True)
    seconds, used, rule = _Column(cells, at, local, form, people, report).parse()

    def wrong(row: int) -> ValueError:
        if pd.isna(cells.iloc[row]):
            return ValueError(f"{at(row)}: the time is missing.")
        return _unreadable(at(row), cells.iloc[row], rule, form.form)

    far = np.abs(np.nan_to_num(seconds)) > _FARTHEST
    wordy = ~cells.map(_text_of).str.contains(r"\d").to_numpy(dtype=bool) if np.isnan(seconds).any() else far & False
    return Times(np.where(far, np.nan, seconds), used, wrong, wordy)


class _Column:
    """One pass over a column."""

    def __init__(
        self,
        cells: pd.Series,
        at: At,
        zone: tzinfo | None,
        form: TimeFormat,
        people: np.ndarray,
        report: ReadReport,
    ) -> None:
        self.cells, self.at, self.zone, self.form = cells, at, zone, form
        self.people, self.report = people, report

    def parse(self) -> tuple[np.ndarray, tzinfo, str]:
        """Returns seconds, the zone of the days, and the rule that unreadable cells violate."""
        cells = self.cells
        if isinstance(cells.dtype, pd.DatetimeTZDtype):
            return _seconds(cells.dt.tz_convert("UTC")), self.zone or cells.dt.tz, "the time must be a time"
        if cells.dtype.kind == "M":
            return *self._local(cells), "the time must be a time"
        if not pd.api.types.is_numeric_dtype(cells):
            numbers = pd.to_numeric(cells, errors="coerce")
            if self.form.form is not None or numbers.notna().sum() <= cells.notna().sum() / 2:
                return self._text(cells)
            cells = numbers
        return *self._numbers(cells.to_numpy(dtype=np.float64, na_value=np.nan)), "the time must be a number"

    def _text(self, cells: pd.Series) -> tuple[np.ndarray, tzinfo, str]:
        if self.form.form is not None:
            return self._formatted(self.form.form)
        known = cells.notna()
        text = cells.map(_text_of)
        if not known.any():
            raise ValueError(f"{self.at(0)}: the time is missing.")
        named = text.str.extract(_BRACKET, expand=False)
        text = text.str.replace(_BRACKET, "", regex=True)
        row = int(known.to_numpy().argmax())
        first = text.iloc[row]
        if CLOCK.fullmatch(first):
            raise ValueError(
                f"{self.at(row)}: the time {first!r} has no date. Add a column `date`, or write dates into the times:"
                f" '2024-03-01 {first}'."
            )
        if not _ISO.fullmatch(first):
            dates = numeric_dates(text, self.at)
            if dates is not None:
                return *self._local(dates), "times must all be dates such as 31.12.2024 08:00"
        text, later = _midnights(text)
        zoned = text.map(_names_zone).to_numpy(dtype=bool)
        wanted = known.to_numpy() & text.str.contains(r"\d", na=False).to_numpy(dtype=bool)
        differs = wanted & (zoned != zoned[row])
        if differs.sum() > BAD_SHARE * len(cells):
            odd = int(differs.argmax())
            raise ValueError(
                f"{self.at(odd)}: either all times or none must contain a zone, but the first row has"
                f" {cells.iloc[row]!r} and this one {cells.iloc[odd]!r}."
            )
        text = text.mask(pd.Series(differs, index=text.index), "")  # single cut cells are unreadable
        if not zoned[row]:
            naive = pd.to_datetime(text, errors="coerce", format="ISO8601") + later
            if naive.isna().all() or pd.isna(naive.iloc[row]):
                resolve_timezone(self.zone or timezone.utc, _WHY_ZONE)
                raise _unreadable(self.at(row), cells.iloc[row], "the time must be ISO 8601", None)
            return *self._local(naive), "times must all be ISO 8601 without a zone"
        text = text.str.replace(r"\s*(?:UTC|GMT)$", "Z", regex=True)
        aware = pd.to_datetime(text, utc=True, errors="coerce", format="ISO8601") + later
        if pd.isna(aware.iloc[row]):
            raise _unreadable(self.at(row), cells.iloc[row], "the time must be ISO 8601", None)
        seconds = _seconds(aware)
        return seconds, self.zone or self._written_zone(text, seconds, named), "the time must be ISO 8601"

    def _written_zone(self, text: pd.Series, seconds: np.ndarray, named: pd.Series) -> tzinfo:
        """Returns the zone that the cells name, or their offset; where the offset changes, an itinerary of offsets."""
        names = named.dropna().unique()
        if len(names) == 1:
            try:
                return named_zone(names[0])
            except ValueError:
                self.report.note("zone-unknown", "kept", "zones in brackets that are unknown, and ignored", names[0])
        suffix = text.str.extract(r"(Z|[+-]\d\d(?::?\d\d)?)$", expand=False)
        order = [row for row in np.argsort(seconds, kind="stable") if not np.isnan(seconds[row])]
        changed = [row for before, row in pairwise(order) if suffix[row] != suffix[before]]
        home = _offset(suffix[order[0]])
        if not changed:
            return home
        if len(changed) > _MANY_CHANGES:
            raise ValueError(
                f"{self.at(int(changed[0]))}: the offset of the times changes {len(changed)} times, so days cannot"
                " follow it; give the person's zone with timezone='Europe/Berlin' (--timezone)."
            )
        changes = []
        for row in changed:
            zone = _offset(suffix[row])
            arrival = datetime.fromtimestamp(float(seconds[row]), zone).replace(tzinfo=None)
            changes.append((arrival, zone))
            message = "changes of the times' offset, followed by the days; a time zone would follow clock changes"
            self.report.note("offset-changes", "info", message, self.at(int(row)))
        return Itinerary(home, changes)

    def _formatted(self, form: str) -> tuple[np.ndarray, tzinfo, str]:
        rule = f"the time must be of the form {form!r}"
        parsed = pd.to_datetime(self.cells, utc="%z" in form, errors="coerce", format=form)
        if parsed.isna().all():
            raise _unreadable(self.at(0), self.cells.iloc[0], rule, form)
        if "%z" in form:
            return _seconds(parsed), resolve_timezone(self.zone, _WHY_ZONE), rule
        return *self._local(parsed), rule

    def _numbers(self, numbers: np.ndarray) -> tuple[np.ndarray, tzinfo]:
        unit, start = self.form.unit, self.form.start
        known = numbers[~np.isnan(numbers)]
        if not len(known):
            raise ValueError(f"{self.at(0)}: the time is missing.")
        low, high = _EXCEL_DAYS
        fractional = bool((known != np.floor(known)).any())
        if unit == EXCEL or (
            unit == "s" and start is None and known.min() >= low and known.max() < high and fractional
        ):
            days = pd.Series(_EXCEL_EPOCH + np.round(np.nan_to_num(numbers) * 86_400e3).astype("timedelta64[ms]"))
            return self._local(days.where(~np.isnan(numbers)))
        seconds = numbers * TIME_UNITS[unit]
        if start is not None:
            zone = resolve_timezone(self.zone, _WHY_ZONE)
            return seconds + _start_seconds(start, zone), zone
        large = np.abs(np.nan_to_num(seconds)) >= 1e10
        if large.any():
            row = int(large.argmax())
            raise ValueError(
                f"{self.at(row)}: numbers in the time column must be seconds since 1970, got {seconds[row]:g}; divide"
                " milliseconds by 1000, or specify the unit in a column mapping."
            )
        if np.nanmax(seconds) < _EARLIEST:
            row = int((~np.isnan(numbers)).argmax())
            raise ValueError(
                f"{self.at(row)}: numbers in the time column must be seconds since 1970, but {numbers[row]:.12g} would"
                " be before 1980. If they count from the start of the recording, give it in a column mapping: time:"
                " {column: ..., start: '2024-03-01T08:00'}; for Excel's serial numbers, unit: excel; for dates such as"
                " 20240301, format: '%Y%m%d'."
            )
        return seconds, resolve_timezone(self.zone, _WHY_ZONE)

    def _local(self, naive: pd.Series) -> tuple[np.ndarray, tzinfo]:
        """Seconds of local times."""
        zone = resolve_timezone(self.zone, _WHY_ZONE)
        stamps = naive.to_numpy().astype("datetime64[us]")
        seconds, second = seconds_of_local_times(stamps, zone, self.people)
        if second.any():
            self.report.note("repeated-hour", "info", REPEATED_HOUR, self.at(int(second.argmax())), int(second.sum()))
        return seconds, zone


def _start_seconds(start: str, zone: tzinfo) -> float:
    try:
        moment = datetime.fromisoformat(start)
    except ValueError:
        raise ValueError(f"The time's `start` must be a time such as '2024-03-01T08:00', got {start!r}.") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()


def _offset(suffix: str) -> timezone:
    if suffix == "Z":
        return timezone.utc
    digits = suffix[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if suffix[0] == "-" else offset)


def _text_of(cell: Any) -> str:
    if isinstance(cell, str):
        return cell.replace("\u202f", " ").replace("\xa0", " ").strip()
    if pd.api.types.is_scalar(cell) and pd.isna(cell):
        return ""
    return cell.isoformat() if hasattr(cell, "isoformat") else str(cell)


def _midnights(text: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Rewrites `24:00` as `00:00`, and returns the day to add."""
    late = text.str.contains(r"[T ]24:00(?::00(?:\.0+)?)?(?![:.]?\d)", na=False)
    text = text.where(~late, text.str.replace(r"([T ])24:00", r"\g<1>00:00", regex=True))
    return text, pd.to_timedelta(late.astype(int), unit="D")


def _unreadable(row: str, cell: Any, rule: str, form: str | None) -> ValueError:
    """Returns the error for a time that pandas cannot parse; in pandas 2, nanoseconds only cover 1678 to 2261."""
    try:
        moment = datetime.fromisoformat(str(cell)) if form is None else datetime.strptime(str(cell), form)
    except ValueError:
        moment = _EPOCH
    far = abs((moment.replace(tzinfo=None) - _EPOCH).total_seconds()) > _FARTHEST
    return ValueError(_FAR.format(row) if far else f"{row}: {rule}, got {cell!r}.")


def _names_zone(cell: str) -> bool:
    return (
        re.search(r"(?:\d:?\d\d(?::?\d\d(?:[.,]\d+)?)?\s*)(?:Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)\s*$", cell[10:]) is not None
    )


def _seconds(aware: pd.Series) -> np.ndarray:
    stamps = aware.dt.tz_convert(None).to_numpy().astype("datetime64[us]")
    return np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64) / 1e6)
