"""Reads a DataFrame of measurements, wide or long: which column is what, and what its cells mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any

import numpy as np
import pandas as pd

from ...schema import SensorSchema
from .quality import ReadReport
from .table_columns import (
    DATE_COLUMNS,
    SUBJECT_COLUMNS,
    TIME_COLUMNS,
    channel_of,
    find_name,
    numbers_rows,
    plain_name,
)
from .table_files import BAD_SHARE
from .table_mapping import ColumnMapping, TableMapping
from .table_times import TimeFormat, Times, table_times
from .table_values import (
    is_clock_column,
    parse_numbers,
    rows_given_twice,
    without_heart_rate_placeholders,
    without_poison,
)
from .units import convert_units
from .windows import SUMMED_CHANNELS

_INDEX = object()
_FOOTER_ROWS = 3


@dataclass(frozen=True)
class Series:
    """The measurements of a channel.

    Attributes:
        key: The channel.
        values: `(rows,)` float64 in the channel's unit; NaN in rows without it.
        summed: Whether the samples of a minute are summed.
    """

    key: str
    values: np.ndarray
    summed: bool


@dataclass(frozen=True)
class Measurements:
    """The measurements of a table.

    Attributes:
        label: Label of the table for messages.
        series: Measurements of each channel.
        names: People, in order of their first row.
        people: `(rows,)` int64 index into `names`.
        seconds: `(rows,)` float64 seconds since 1970; None for a table without times.
        zone: Zone of the days; None for a table without times.
    """

    label: str
    series: list[Series]
    names: list[str]
    people: np.ndarray
    seconds: np.ndarray | None
    zone: tzinfo | None

    def take(self, rows: np.ndarray) -> Measurements:
        """Returns the measurements of some rows, given as a bool per row."""
        series = [replace(part, values=part.values[rows]) for part in self.series]
        seconds = None if self.seconds is None else self.seconds[rows]
        return replace(self, series=series, people=self.people[rows], seconds=seconds)


class TableFrame:
    """A DataFrame with its column mapping.

    Args:
        frame: The measurements. If it was read from a file, the index is the distance from the first line of rows.
        label: Label of the table for messages.
        schema: Schema of the days.
        mapping: Column mapping.
        subject_id: Subject id if there is no column for it.
        report: Collects what is dropped or unusual.
        first_line: Line of the first row in the file, for messages; None for tables without lines.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        label: str,
        schema: SensorSchema,
        mapping: TableMapping,
        subject_id: str | None,
        report: ReadReport,
        first_line: int | None = None,
    ) -> None:
        self.label, self.schema, self.mapping = label, schema, mapping
        self.subject_id, self.report, self.first_line = subject_id, report, first_line
        empty = self._empty_rows(frame)
        self.frame = frame.loc[~empty]
        if self.frame.empty:
            raise ValueError(f"{label} has no rows.")
        self.rows = np.arange(len(frame))[~empty] if first_line is None else self.frame.index.to_numpy()

    def _empty_rows(self, frame: pd.DataFrame) -> np.ndarray:
        """Rows of a file without any cell; in a table without times, where each row is a minute, only at its end."""
        if self.first_line is None:
            return np.zeros(len(frame), dtype=bool)
        empty = frame.isna().all(axis=1).to_numpy(copy=True)
        usual = {plain_name(name) for name in frame.columns} & {*TIME_COLUMNS, *DATE_COLUMNS}
        if self.mapping.time is None and not usual and not empty.all():
            empty[: int(np.flatnonzero(~empty)[-1])] = False
        return empty

    def at(self, row: int) -> str:
        """Returns a row's label for messages."""
        number = int(self.rows[row])
        where = f"row {number}" if self.first_line is None else f"line {number + self.first_line}"
        return f"{self.label}, {where}"

    def measurements(self) -> Measurements:
        """Returns the measurements, without rows that cannot be read, which are counted.

        Raises:
            ValueError: If the columns do not fit; the message names column and row.
        """
        time_name = self._find(self.mapping.time, TIME_COLUMNS, "time_column")
        subject_name = self._find(self.mapping.subject, SUBJECT_COLUMNS, "subject_column")
        cells, date_name = self._time_cells(time_name)
        series, used = self._long() if self.mapping.layout == "long" else self._wide()
        people, names, nobody = self._people(subject_name)
        times = None
        if cells is not None:
            mapping = self.mapping
            form = TimeFormat(mapping.time_unit, mapping.time_format, mapping.time_start)
            times = table_times(cells, self.at, mapping.timezone, form, people, self.report)
            if self.mapping.subject is None and subject_name is not None and plain_name(subject_name) == "id":
                ids = self.frame[subject_name].astype(str).to_numpy()
                if numbers_rows(ids, times.seconds):
                    subject_name, (people, names, nobody) = None, self._people(None)
        for name in self.frame.columns:
            if name not in used and not any(
                name is held or name == held for held in (time_name, date_name, subject_name)
            ):
                self.report.note(
                    "column-unused", "info", f"columns that are not channels of {self.schema.name}", str(name)
                )
        found = Measurements(self.label, series, names, people, None, None)
        if times is None:
            found = replace(found, series=[self._without_placeholders(part) for part in series])
            return found.take(~nobody)
        found = replace(found, seconds=times.seconds, zone=times.zone)
        return self._cleaned(found.take(~nobody & self._readable(times, series)))

    def _find(self, named: str | None, usual: tuple[str, ...], argument: str) -> Any:
        columns = self.frame.columns
        if named is not None:
            found = find_name(named, columns)
            if found is None:
                raise ValueError(
                    f"{self.label}: `{argument}` is {named!r}, but its columns are {', '.join(map(str, columns))}."
                )
            return found
        lowered = {plain_name(name): name for name in reversed(columns)}
        found = next((lowered[name] for name in usual if name in lowered), None)
        if found is None and argument == "time_column" and isinstance(self.frame.index, pd.DatetimeIndex):
            return _INDEX
        return found

    def _time_cells(self, time_name: Any) -> tuple[pd.Series | None, Any]:
        """Cells of times, joined with those of a column of dates if they are only times of day, and that column."""
        if time_name is _INDEX:
            return pd.Series(self.frame.index), None
        lowered = {plain_name(name): name for name in reversed(self.frame.columns)}
        date_name = next((lowered[name] for name in DATE_COLUMNS if name in lowered), None)
        if time_name is None:
            return (None, None) if date_name is None else self._date_cells(date_name)
        cells = self.frame[time_name]
        if date_name is None or date_name == time_name or not is_clock_column(cells):
            return cells, None
        dates = self.frame[date_name].map(lambda cell: cell.date().isoformat() if hasattr(cell, "date") else cell)
        joined = dates.astype("str").str.strip() + " " + cells.astype("str").str.strip()
        return joined.where(dates.notna() & cells.notna()), date_name

    def _date_cells(self, date_name: Any) -> tuple[pd.Series | None, Any]:
        """Cells of a column of dates without a column of times, if they contain times of day."""
        cells = self.frame[date_name]
        timed = cells.astype("str").str.contains(r"\d:\d\d", na=False) if cells.dtype.kind != "M" else cells.notna()
        return (cells, date_name) if timed.any() else (None, None)

    def _wide(self) -> tuple[list[Series], set[Any]]:
        """Measurements of a table with a column per channel, and the columns used."""
        frame, schema = self.frame, self.schema
        matched: dict[Any, ColumnMapping] = {}
        for name, column in self.mapping.columns.items():
            found = find_name(name, frame.columns)
            if found is None:
                raise ValueError(
                    f"{self.label}: `columns` names {name!r}, but its columns are {', '.join(map(str, frame.columns))}."
                )
            matched[found] = column
        taken = {column.channel for column in matched.values()}
        for exact in (True, False):  # a column named after its channel goes before one with a similar name
            for name in frame.columns:
                said = channel_of(name, schema)
                if said is None or name in matched or said[0] in taken or (exact and name not in schema):
                    continue
                matched[name] = ColumnMapping(*said)
            if exact:
                taken |= {column.channel for column in matched.values()}
        keys = [column.channel for column in matched.values()]
        twice = [key for key in schema.keys if keys.count(key) > 1]
        duplicated = [str(name) for name in frame.columns[frame.columns.duplicated()]]
        if twice or duplicated:
            columns = [str(name) for name, column in matched.items() if column.channel in twice]
            which = f": {', '.join(columns)}" if columns else ""
            raise ValueError(
                f"{self.label}: more than one column for {', '.join(twice or duplicated)}{which}; keep one, or map one"
                " with `columns`."
            )
        if not matched:
            raise ValueError(
                f"{self.label}: no column is a channel of {schema.name!r}. Its columns are"
                f" {', '.join(map(str, frame.columns))}; channels are {', '.join(schema.keys)}. Map them with"
                " columns={'your column': 'HR'}, or in the file that `convert` takes as --mapping."
            )
        series = [
            self._series(column, self._numbers(name, column.channel), f"column {name!r}")
            for name, column in matched.items()
        ]
        return series, set(matched)

    def _long(self) -> tuple[list[Series], set[Any]]:
        """Measurements of a table with one row per measurement, and the columns used."""
        mapping, frame = self.mapping, self.frame
        named = [name for name in (mapping.variable, mapping.value, mapping.unit) if name is not None]
        for name in named:
            if name not in frame.columns:
                raise ValueError(
                    f"{self.label}: the mapping names the column {name!r}, but its columns are"
                    f" {', '.join(map(str, frame.columns))}."
                )
        names = frame[mapping.variable].astype(str).str.strip()
        numbers = self._numbers(mapping.value, "value")
        columns = {**{key: ColumnMapping(key) for key in self.schema.keys}, **mapping.columns}
        held = names.unique()
        series: list[Series] = []
        for name in held:
            column = columns.get(name)
            rows = (names == name).to_numpy()
            if column is None:
                self.report.note(
                    "variable-unused",
                    "info",
                    f"rows of variables that are not channels of {self.schema.name}",
                    name,
                    int(rows.sum()),
                )
                continue
            series.extend(self._long_series(column, name, rows, numbers))
        if not series:
            raise ValueError(
                f"{self.label}: no variable is a channel of {self.schema.name!r}. Its variables are"
                f" {', '.join(map(str, held[:20]))}; map them with `columns`."
            )
        return series, set(named)

    def _long_series(self, column: ColumnMapping, name: str, rows: np.ndarray, numbers: np.ndarray) -> Iterator[Series]:
        if self.mapping.unit is None:
            yield self._series(column, np.where(rows, numbers, np.nan), f"variable {name!r}")
            return
        units = self.frame[self.mapping.unit].astype(str).str.strip()
        for unit in units[rows].unique():
            mine = rows & (units == unit).to_numpy()
            given = ColumnMapping(column.channel, unit or column.unit, column.aggregate)
            yield self._series(given, np.where(mine, numbers, np.nan), f"variable {name!r}")

    def _series(self, column: ColumnMapping, values: np.ndarray, what: str) -> Series:
        key = column.channel
        if column.unit is not None:
            values = convert_units(values, column.unit, self.schema[key].unit, f"{self.label}: {what}")
        summed = key in SUMMED_CHANNELS if column.aggregate is None else column.aggregate == "sum"
        return Series(key, values, summed)

    def _numbers(self, name: Any, key: str) -> np.ndarray:
        cells = self.frame[name]
        if pd.api.types.is_bool_dtype(cells):
            raise ValueError(f"{self.label}: column {name!r} ({key}) must contain numbers, got booleans.")
        values, wrong = parse_numbers(cells, self.schema[key] if key in self.schema else None)  # noqa: SIM401 - a schema is no dict
        infinite = np.isinf(values)
        if (wrong | infinite).sum() > BAD_SHARE * len(cells):
            row = int((wrong | infinite).argmax())
            if infinite[row]:
                raise ValueError(f"{self.at(row)}: column {name!r} ({key}) is infinite; leave missing values empty.")
            raise ValueError(f"{self.at(row)}: column {name!r} ({key}) must be numbers, got {cells.iloc[row]!r}.")
        for place in np.flatnonzero(wrong | infinite).tolist():
            example = f"{self.at(place)}: {name} {cells.iloc[place]!r}"
            self.report.note("not-a-number", "dropped", "cells that are not numbers, which are missing", example)
        return np.where(infinite, np.nan, values)

    def _people(self, subject_name: Any) -> tuple[np.ndarray, list[str], np.ndarray]:
        """`(rows,)` index of each row's person, their names, and `(rows,)` bool: rows without a person."""
        rows = len(self.frame)
        if subject_name is None:
            return np.zeros(rows, dtype=np.int64), [self.subject_id or "unknown"], np.zeros(rows, dtype=bool)
        cells = self.frame[subject_name]
        if cells.dtype.kind == "f" and (cells.dropna() % 1 == 0).all():
            cells = cells.astype("Int64")  # an empty cell makes 7 to 7.0
        text = cells.astype("str").str.strip()
        empty = (cells.isna() | (text == "")).to_numpy()
        if empty.all():
            raise ValueError(f"{self.at(0)}: {subject_name} is empty; every row needs a subject id.")
        message = f"rows without a person: their {subject_name} is empty"
        self.report.note("row-without-person", "dropped", message, self.at(int(empty.argmax())), int(empty.sum()))
        codes, names = pd.factorize(text.mask(pd.Series(empty, index=text.index)))
        return np.maximum(codes, 0).astype(np.int64), [str(name) for name in names], empty

    def _readable(self, times: Times, series: list[Series]) -> np.ndarray:
        """Rows with a time. Footers (`Total`), empty rows and single bad times are left out and counted."""
        bad = np.isnan(times.seconds)
        held = np.any([~np.isnan(part.values) for part in series], axis=0)
        last = int(np.flatnonzero(~bad)[-1]) if (~bad).any() else -1
        footer = (np.arange(len(bad)) > last) & times.wordy
        serious = bad & held if last < 0 or footer.sum() > _FOOTER_ROWS else bad & held & ~footer
        if serious.sum() > BAD_SHARE * len(bad) or last < 0:
            raise times.rule(int((serious if serious.any() else bad).argmax()))
        for row in np.flatnonzero(bad):
            self.report.note("row-without-time", "dropped", "rows whose time cannot be read", self.at(int(row)))
        return ~bad

    def _without_placeholders(self, part: Series) -> Series:
        if part.key != "HR":
            return part
        return replace(part, values=without_heart_rate_placeholders(part.values, self.label, self.report))

    def _cleaned(self, found: Measurements) -> Measurements:
        """Leaves out rows given twice, heart rates that are none, and samples that would spoil a minute's mean."""
        assert found.seconds is not None  # only called for tables with times
        again = rows_given_twice(found.people, found.seconds, [part.values for part in found.series])
        message = "rows given twice: the same person, time and values; counted once"
        self.report.note("row-given-twice", "dropped", message, self.label, int(again.sum()))
        found = found.take(~again)
        assert found.seconds is not None
        minutes = np.floor(found.seconds / 60.0).astype(np.int64) * len(found.names) + found.people
        series = []
        for part in found.series:
            values, channel = self._without_placeholders(part).values, self.schema[part.key]
            if not part.summed:
                values = without_poison(values, minutes, channel, self.label, self.report)
                low, high = channel.valid_range
                with np.errstate(invalid="ignore"):
                    outside = (values < low) | (values > high)
                self.report.note(
                    f"implausible-{part.key}",
                    "kept",
                    f"{channel.label} values outside {low:g} to {high:g} {channel.unit}; models treat them as missing",
                    self.label,
                    int(outside.sum()),
                )
            series.append(replace(part, values=values))
        return replace(found, series=series)
