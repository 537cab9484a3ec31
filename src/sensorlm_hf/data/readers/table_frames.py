"""Converts a DataFrame of measurements, wide or long, to days."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from ...days import MINUTES_PER_DAY, SensorDay
from ...schema import SensorSchema
from .minutes import UTC, MinuteStore, moment_of
from .quality import ReadReport
from .table_mapping import ColumnMapping, TableMapping
from .table_times import table_minutes
from .units import convert_units
from .windows import SUMMED_CHANNELS, parse_window_start, windows

TIME_COLUMNS = ("time", "timestamp", "datetime", "date_time", "minute_start", "start_time")
"""Names of time columns, case-insensitive."""

SUBJECT_COLUMNS = ("subject_id", "subject", "user_id", "participant_id")
"""Names of subject columns, case-insensitive."""

_INDEX = object()


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


class TableFrame:
    """A DataFrame with its column mapping.

    Args:
        frame: The measurements.
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
        self.frame, self.label, self.schema, self.mapping = frame, label, schema, mapping
        self.subject_id, self.report, self.first_line = subject_id, report, first_line

    def at(self, row: int) -> str:
        """Returns a row's label for messages."""
        where = f"row {row}" if self.first_line is None else f"line {row + self.first_line}"
        return f"{self.label}, {where}"

    def days(self) -> Iterator[SensorDay]:
        """Yields the days, by person and time.

        Raises:
            ValueError: If the columns do not fit; the message names column and row. Checked immediately, not lazily.
        """
        if self.frame.empty:
            raise ValueError(f"{self.label} has no rows.")
        time_name = self._find(self.mapping.time, TIME_COLUMNS, "time_column")
        subject_name = self._find(self.mapping.subject, SUBJECT_COLUMNS, "subject_column")
        series, used = self._long() if self.mapping.layout == "long" else self._wide()
        for name in self.frame.columns:
            if name not in used and name is not time_name and name != subject_name and name != time_name:
                self.report.note(
                    "column-unused", "info", f"columns that are not channels of {self.schema.name}", str(name)
                )
        series = [self._plausible(part) for part in series]
        people = self._people(subject_name)
        if time_name is None:
            return self._untimed(series, people)
        start = parse_window_start(self.mapping.day_start or "00:00")
        cells = pd.Series(self.frame.index) if time_name is _INDEX else self.frame[time_name]
        minutes, zone = table_minutes(
            cells, self.at, self.mapping.timezone, self.mapping.time_unit, self.mapping.time_format
        )
        return self._timed(series, people, minutes, zone, start)

    def _find(self, named: str | None, usual: tuple[str, ...], argument: str) -> Any:
        columns = self.frame.columns
        if named is not None:
            if named not in columns:
                raise ValueError(
                    f"{self.label}: `{argument}` is {named!r}, but its columns are {', '.join(map(str, columns))}."
                )
            return named
        lowered = {str(name).strip().lower(): name for name in columns}
        found = next((lowered[name] for name in usual if name in lowered), None)
        if found is None and argument == "time_column" and isinstance(self.frame.index, pd.DatetimeIndex):
            return _INDEX
        return found

    def _wide(self) -> tuple[list[Series], set[Any]]:
        """Measurements of a table with a column per channel, and the columns used."""
        frame, schema = self.frame, self.schema
        matched: dict[Any, ColumnMapping] = {}
        for name, column in self.mapping.columns.items():
            if name not in frame.columns:
                raise ValueError(
                    f"{self.label}: `columns` names {name!r}, but its columns are {', '.join(map(str, frame.columns))}."
                )
            matched[name] = column
        taken = {column.channel for column in matched.values()}
        for name in frame.columns:
            if name in schema and name not in matched and name not in taken:
                matched[name] = ColumnMapping(str(name))
        keys = [column.channel for column in matched.values()]
        twice = [key for key in schema.keys if keys.count(key) > 1]
        duplicated = [str(name) for name in frame.columns[frame.columns.duplicated()]]
        if twice or duplicated:
            raise ValueError(f"{self.label}: more than one column for {', '.join(twice or duplicated)}; keep one.")
        if not matched:
            raise ValueError(
                f"{self.label}: no column is a channel of {schema.name!r}. Its columns are"
                f" {', '.join(map(str, frame.columns))}; channels are {', '.join(schema.keys)}. Map them with"
                " columns={'your column': 'HR'}."
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

    def _plausible(self, series: Series) -> Series:
        """Notes implausible values; they are kept, and the feature extractor decides how to handle them."""
        channel = self.schema[series.key]
        if not series.summed:
            low, high = channel.valid_range
            with np.errstate(invalid="ignore"):
                outside = (series.values < low) | (series.values > high)
            self.report.note(
                f"implausible-{series.key}",
                "kept",
                f"{channel.label} values outside {low:g} to {high:g} {channel.unit}; models treat them as missing",
                self.label,
                int(outside.sum()),
            )
        return series

    def _numbers(self, name: Any, key: str) -> np.ndarray:
        cells = self.frame[name]
        if pd.api.types.is_bool_dtype(cells):
            raise ValueError(f"{self.label}: column {name!r} ({key}) must contain numbers, got booleans.")
        parsed = pd.to_numeric(cells, errors="coerce")
        wrong = (parsed.isna() & cells.notna()).to_numpy()
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(f"{self.at(row)}: column {name!r} ({key}) must be numbers, got {cells.iloc[row]!r}.")
        values = parsed.to_numpy(dtype=np.float64, na_value=np.nan)
        if np.isinf(values).any():
            row = int(np.isinf(values).argmax())
            raise ValueError(f"{self.at(row)}: column {name!r} ({key}) is infinite; leave missing values empty.")
        return values

    def _people(self, subject_name: Any) -> list[tuple[str, np.ndarray]]:
        if subject_name is None:
            return [(self.subject_id or "unknown", np.arange(len(self.frame)))]
        names = self.frame[subject_name].reset_index(drop=True)
        if names.isna().any():
            row = int(names.isna().to_numpy().argmax())
            raise ValueError(f"{self.at(row)}: {subject_name} is empty; every row needs a subject id.")
        names = names.astype(str)
        return [(str(who), rows.index.to_numpy()) for who, rows in names.groupby(names, sort=False)]

    def _timed(
        self,
        series: list[Series],
        people: list[tuple[str, np.ndarray]],
        minutes: np.ndarray,
        zone: Any,
        day_start: int | None,
    ) -> Iterator[SensorDay]:
        for who, rows in people:
            store = MinuteStore()
            for part in series:
                store.add(part.key, minutes[rows], part.values[rows])
            span = store.span()
            if span is None:
                continue
            for start, left_out in windows(*span, day_start, zone):
                if left_out:
                    self._note_left_out(store, start, left_out, zone)
                if not store.overlaps(start):
                    continue
                grid = np.full((MINUTES_PER_DAY, len(self.schema)), np.nan)
                for part in series:
                    per_minute = store.sum if part.summed else store.mean
                    grid[:, self.schema.index(part.key)] = per_minute(part.key, start)
                if not np.isnan(grid).all():
                    yield SensorDay(grid, moment_of(start, zone), who, self.schema)

    def _note_left_out(self, store: MinuteStore, start: int, left_out: int, zone: Any) -> None:
        seen = np.zeros(left_out, dtype=bool)
        for key in self.schema.keys:
            seen |= store.window(key, start + MINUTES_PER_DAY, left_out)[1] > 0
        self.report.note(
            "clock-change",
            "dropped",
            "observed minutes after the 24th hour of a day on which clocks or the time zone went back",
            moment_of(start, zone).date().isoformat(),
            int(seen.sum()),
        )

    def _untimed(self, series: list[Series], people: list[tuple[str, np.ndarray]]) -> Iterator[SensorDay]:
        for who, rows in people:
            if len(rows) != MINUTES_PER_DAY:
                raise ValueError(
                    f"{self.label}: has no time column (looked for {', '.join(TIME_COLUMNS)}), so it must have"
                    f" {MINUTES_PER_DAY} rows, one per minute; {who!r} has {len(rows)}. Name it with time_column=..."
                )
            grid = np.full((MINUTES_PER_DAY, len(self.schema)), np.nan)
            for part in series:
                grid[:, self.schema.index(part.key)] = part.values[rows]
            if not np.isnan(grid).all():
                yield SensorDay(grid, datetime(1970, 1, 1, tzinfo=UTC), who, self.schema)
