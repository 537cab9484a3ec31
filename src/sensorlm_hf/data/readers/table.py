"""Tables and arrays of minute values: CSV, Parquet, DataFrame, NumPy."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, Union

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ...days import MINUTES_PER_DAY, SensorDay
from ...schema import SchemaLike, SensorSchema, get_schema
from .minutes import EPOCH, UTC, MinuteStore, local_windows, moment_of, parse_day_start, resolve_timezone
from .quality import ReadReport, finish

TableLike = Union[str, os.PathLike, pd.DataFrame, np.ndarray]

TIME_COLUMNS = ("time", "timestamp", "datetime", "date_time", "minute_start", "start_time")
"""Names under which a time column is found, whatever their case."""

SUBJECT_COLUMNS = ("subject_id", "subject", "user_id", "participant_id")
"""Names under which a subject column is found, whatever their case."""

SUMMED_CHANNELS = ("steps",)
"""Channels whose values within a minute are added; all others are averaged."""

CSV_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
TABLE_SUFFIXES = (*CSV_SUFFIXES, ".parquet", ".npy")
"""File names that the reader takes."""

_FARTHEST = 100_000_000  # epoch minutes, about 190 years
_WHY_ZONE = "The table's times do not say their zone, and a day begins at local midnight."


@dataclass(frozen=True)
class _Options:
    """What [`read_table`] was asked for; see there."""

    schema: SensorSchema
    timezone: str | tzinfo | None
    columns: Mapping[str, str] | None
    time_column: str | None
    subject_column: str | None
    subject_id: str | None
    day_start: str
    report: ReadReport


def read_table(
    source: TableLike,
    *,
    schema: SchemaLike = "sensorlm-26",
    timezone: str | tzinfo | None = None,
    columns: Mapping[str, str] | None = None,
    time_column: str | None = None,
    subject_column: str | None = None,
    subject_id: str | None = None,
    day_start: str = "00:00",
    report: ReadReport | None = None,
) -> Iterator[SensorDay]:
    """Reads a table with a column per channel, a table of finished days, or an array, in physical units.

    * A table with a time column: samples of any rate are averaged per minute (`steps` are added) and cut into local
      days. A table without one must hold 1440 rows, the minutes of one day, whose date is unknown.
    * A table with a `values` column, as [`SensorDay.to_row`] and the dataset builder write it: each row is a day.
    * An array `(minutes, channels)` is one day, `(days, minutes, channels)` many, in the schema's channel order.

    Args:
        source: Path of a `.csv`, `.tsv` (also gzipped), `.parquet` or `.npy` file, a DataFrame or an array.
        schema: Schema of the days. Channels without a column are missing; other columns are noted and ignored.
        timezone: Local zone. Needed if the times say none; otherwise times are converted to it, or, without it, stay
            in the zone or offset of the first.
        columns: `{column: channel key}` for columns that are not named after their channel.
        time_column: Column of times: ISO 8601, or seconds since 1970. By default one of [`TIME_COLUMNS`].
        subject_column: Column of people; by default one of [`SUBJECT_COLUMNS`], if there.
        subject_id: Name of the person where no column says it; `"unknown"` by default.
        day_start: Local time `"HH:MM"` at which windows start, or `"first"`: at each person's first observed minute.
        report: Filled with what was used, dropped and found odd; without one, what was dropped is logged.

    Yields:
        Days by person, then by time; days without any observed minute are left out.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or its columns do not fit; the message names column and line.
        TypeError: If `source` is none of the forms above.
    """
    used = report or ReadReport()
    options = _Options(get_schema(schema), timezone, columns, time_column, subject_column, subject_id, day_start, used)
    if isinstance(source, (str, os.PathLike)):
        days = _read_file(Path(source), options)
    elif isinstance(source, np.ndarray):
        days = _array_days(source, options.schema, subject_id, "the array")
    elif isinstance(source, pd.DataFrame):
        days = _frame_days(source, "the table", options)
    else:
        raise TypeError(f"`source` must be a path, a DataFrame or a NumPy array, got {type(source).__name__}.")
    return finish(days, used, warn=report is None, source="read_table")


def _read_file(path: Path, options: _Options) -> Iterator[SensorDay]:
    if not path.is_file():
        raise FileNotFoundError(f"There is no file at {path}.")
    name = path.name.lower()
    if not name.endswith(TABLE_SUFFIXES):
        raise ValueError(f"{path}: a table must be one of {', '.join(TABLE_SUFFIXES)}.")
    options.report.files_read.append(path.name)
    if name.endswith(".npy"):
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise ValueError(f"{path}: not a readable .npy array of numbers: {error}") from None
        return _array_days(array, options.schema, options.subject_id, str(path))
    if name.endswith(".parquet"):
        try:
            parquet = pq.ParquetFile(path)
        except (pa.ArrowInvalid, OSError) as error:
            raise ValueError(f"{path}: not a readable Parquet file: {error}") from None
        if "values" in parquet.schema_arrow.names:
            return _row_days(_parquet_rows(parquet), options.schema, str(path))
        frame = parquet.read().to_pandas()
    else:
        try:
            frame = pd.read_csv(path, sep="\t" if ".tsv" in name else ",")
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, EOFError, OSError) as error:
            raise ValueError(f"{path}: not valid CSV in UTF-8: {error}") from None
    return _frame_days(frame, str(path), options)


def _array_days(array: np.ndarray, schema: SensorSchema, subject_id: str | None, label: str) -> Iterator[SensorDay]:
    if array.ndim not in (2, 3) or array.dtype.kind not in "fiu":
        raise ValueError(
            f"{label}: an array must hold numbers of shape (minutes, {len(schema)}) or (days, minutes, {len(schema)}),"
            f" got {array.dtype} of shape {array.shape}."
        )
    if array.shape[-1] != len(schema) or array.shape[-2] != MINUTES_PER_DAY:
        hint = " It may be transposed." if array.shape[-2:] == (len(schema), MINUTES_PER_DAY) else ""
        raise ValueError(
            f"{label}: its last two dimensions must be {MINUTES_PER_DAY} minutes and the {len(schema)} channels of"
            f" {schema.name!r}, got shape {array.shape}.{hint}"
        )
    single = array.ndim == 2
    who = subject_id or "unknown"

    def days() -> Iterator[SensorDay]:
        for position in range(1 if single else len(array)):
            values = np.asarray(array if single else array[position], dtype=np.float32)
            if not np.isnan(values).all():
                yield SensorDay(values, EPOCH, who if single else f"{who}-{position}", schema)

    return days()


def _parquet_rows(parquet: pq.ParquetFile) -> Iterator[dict[str, Any]]:
    """Rows of a Parquet file of days; `values` goes by way of NumPy, as lists of lists take 100 times as long."""
    for batch in parquet.iter_batches(batch_size=32):
        column = batch.column("values")
        if isinstance(column, pa.ExtensionArray):
            column = column.storage
        others = batch.drop_columns(["values"]).to_pylist()
        for position in range(len(batch)):
            cell = column[position]
            if cell.is_valid and pa.types.is_nested(cell.type) and pa.types.is_nested(cell.type.value_type):
                flat = cell.values.flatten().to_numpy(zero_copy_only=False)
                width = len(flat) // max(len(cell.values), 1)
                values: Any = flat.reshape(len(cell.values), width) if len(cell.values) * width == len(flat) else None
            else:
                values = cell.as_py()
            yield {**others[position], "values": values}


def _row_days(rows: Iterable[Mapping[str, Any]], schema: SensorSchema, label: str) -> Iterator[SensorDay]:
    for position, row in enumerate(rows):
        named = row.get("schema") or schema.name
        if named != schema.name:
            raise ValueError(
                f"{label}, row {position}: has schema {named!r}, but {schema.name!r} was asked for; pass"
                f" schema={named!r}."
            )
        try:
            day = SensorDay.from_row(row, schema)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{label}, row {position}: {error}") from None
        if day.mask.any():
            yield day


def _frame_days(frame: pd.DataFrame, label: str, options: _Options) -> Iterator[SensorDay]:
    schema, report = options.schema, options.report
    if frame.empty:
        raise ValueError(f"{label} has no rows.")
    if "values" in frame.columns and "values" not in schema:
        return _row_days(({str(k): v for k, v in row.items()} for row in _records(frame)), schema, label)
    channels = _match_channels(frame, label, schema, options.columns)
    time_name = _find(frame, label, options.time_column, TIME_COLUMNS, "time_column")
    subject_name = _find(frame, label, options.subject_column, SUBJECT_COLUMNS, "subject_column")
    used = {*channels, time_name, subject_name}
    for name in frame.columns:
        if name not in used:
            report.note("column-unused", "info", f"columns that are no channel of {schema.name}", str(name))
    values = {name: _numbers(frame, name, key, label) for name, key in channels.items()}
    groups: list[tuple[str, np.ndarray]] = [(options.subject_id or "unknown", np.arange(len(frame)))]
    if subject_name is not None:
        if frame[subject_name].isna().any():
            row = int(frame[subject_name].isna().to_numpy().argmax())
            raise ValueError(f"{label}, row {row}: {subject_name} is empty; every row must say whose it is.")
        names = frame[subject_name].astype(str).reset_index(drop=True)
        groups = [(str(who), rows.index.to_numpy()) for who, rows in names.groupby(names, sort=False)]
    if time_name is None:
        return _untimed_days(frame, label, schema, channels, values, groups)
    first = parse_day_start(options.day_start) if options.day_start != "first" else None
    minutes, zone = _times(frame, time_name, label, options.timezone)
    far = np.abs(minutes) > _FARTHEST
    if far.any():
        raise ValueError(f"{label}, row {int(far.argmax())}: the time lies centuries from 1970; correct its year.")
    return _timed_days(schema, channels, values, groups, minutes, zone, first)


def _records(frame: pd.DataFrame) -> Iterator[dict[Any, Any]]:
    """Rows of a DataFrame of days, whose `values` are arrays of arrays."""
    for position in range(len(frame)):
        row = frame.iloc[position].to_dict()
        if isinstance(row["values"], (list, np.ndarray)):
            with contextlib.suppress(ValueError, TypeError):  # then the day says what is wrong
                row["values"] = np.array([np.asarray(minute, dtype=np.float32) for minute in row["values"]])
        yield row


def _match_channels(
    frame: pd.DataFrame, label: str, schema: SensorSchema, columns: Mapping[str, str] | None
) -> dict[Any, str]:
    """Returns `{column: channel key}`; a mapping goes before the columns' own names."""
    matched: dict[Any, str] = {}
    for name, key in (columns or {}).items():
        if name not in frame.columns:
            raise ValueError(
                f"{label}: `columns` names {name!r}, but its columns are {', '.join(map(str, frame.columns))}."
            )
        if key not in schema:
            raise ValueError(f"{label}: `columns` maps {name!r} to {key!r}, which is no channel of {schema.name!r}.")
        matched[name] = key
    for name in frame.columns:
        if name in schema and name not in matched and name not in matched.values():
            matched[name] = str(name)
    twice = [key for key in schema.keys if list(matched.values()).count(key) > 1]
    duplicated = [str(name) for name in frame.columns[frame.columns.duplicated()]]
    if twice or duplicated:
        raise ValueError(f"{label}: more than one column for {', '.join(twice or duplicated)}; keep one.")
    if not matched:
        raise ValueError(
            f"{label}: no column is a channel of {schema.name!r}. Its columns are {', '.join(map(str, frame.columns))};"
            f" channels are {', '.join(schema.keys)}. Map them with columns={{'your column': 'HR'}}."
        )
    return matched


def _find(frame: pd.DataFrame, label: str, named: str | None, usual: tuple[str, ...], argument: str) -> Any:
    if named is not None:
        if named not in frame.columns:
            raise ValueError(
                f"{label}: `{argument}` is {named!r}, but its columns are {', '.join(map(str, frame.columns))}."
            )
        return named
    lowered = {str(name).strip().lower(): name for name in frame.columns}
    found = next((lowered[name] for name in usual if name in lowered), None)
    if found is None and argument == "time_column" and isinstance(frame.index, pd.DatetimeIndex):
        return _INDEX
    return found


_INDEX = object()


def _numbers(frame: pd.DataFrame, name: Any, key: str, label: str) -> np.ndarray:
    cells = frame[name]
    if pd.api.types.is_bool_dtype(cells):
        raise ValueError(f"{label}: column {name!r} ({key}) must be numbers, got true and false.")
    parsed = pd.to_numeric(cells, errors="coerce")
    wrong = (parsed.isna() & cells.notna()).to_numpy()
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"{label}, row {row}: column {name!r} ({key}) must be numbers, got {cells.iloc[row]!r}.")
    values = parsed.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(values).any():
        row = int(np.isinf(values).argmax())
        raise ValueError(f"{label}, row {row}: column {name!r} ({key}) is infinite; leave missing values empty.")
    return values


def _times(frame: pd.DataFrame, time_name: Any, label: str, timezone: str | tzinfo | None) -> tuple[np.ndarray, tzinfo]:
    """Returns the rows' epoch minutes and the zone of the days."""
    cells = pd.Series(frame.index) if time_name is _INDEX else frame[time_name].reset_index(drop=True)
    if cells.isna().any():
        raise ValueError(f"{label}, row {int(cells.isna().to_numpy().argmax())}: the time is missing.")
    zone: tzinfo | None = None if timezone is None else resolve_timezone(timezone, _WHY_ZONE)
    if pd.api.types.is_numeric_dtype(cells):
        seconds = cells.to_numpy(dtype=np.float64)
        if not (np.abs(seconds) < 1e10).all():
            row = int((~(np.abs(seconds) < 1e10)).argmax())
            raise ValueError(
                f"{label}, row {row}: numbers in the time column must be seconds since 1970, got {seconds[row]:g};"
                " divide milliseconds by 1000."
            )
        return np.floor(seconds / 60.0).astype(np.int64), resolve_timezone(zone, _WHY_ZONE)
    if isinstance(cells.dtype, pd.DatetimeTZDtype):
        zone = zone or cells.dt.tz
        aware = cells.dt.tz_convert("UTC")
    else:
        first = cells.iloc[0]
        try:
            moment = pd.Timestamp(first)
        except (ValueError, TypeError):
            raise ValueError(f"{label}, row 0: the time must be ISO 8601, got {first!r}.") from None
        zoned = cells.map(_names_zone).to_numpy(dtype=bool)
        if zoned.any() != zoned.all():
            row = int((zoned != zoned[0]).argmax())
            raise ValueError(
                f"{label}, row {row}: either all times name their zone or none, but row 0 has {first!r} and this one"
                f" {cells.iloc[row]!r}."
            )
        if moment.tzinfo is None:
            return _local_minutes(cells, label, resolve_timezone(zone, _WHY_ZONE))
        zone = zone or moment.tzinfo
        aware = pd.to_datetime(cells, utc=True, errors="coerce", format="ISO8601")
        if aware.isna().any():
            row = int(aware.isna().to_numpy().argmax())
            raise ValueError(f"{label}, row {row}: the time must be ISO 8601, got {cells.iloc[row]!r}.")
    return _epoch_minutes(aware), zone


def _names_zone(cell: Any) -> bool:
    if isinstance(cell, str):
        return re.search(r"\d\d:?\d\d.*(Z|[+-]\d\d(:?\d\d)?)\s*$", cell) is not None
    return getattr(cell, "tzinfo", None) is not None


def _epoch_minutes(aware: pd.Series) -> np.ndarray:
    return aware.dt.tz_convert(None).to_numpy().astype("datetime64[s]").astype(np.int64) // 60


def _local_minutes(cells: pd.Series, label: str, zone: tzinfo) -> tuple[np.ndarray, tzinfo]:
    naive = pd.to_datetime(cells, errors="coerce", format=None if cells.dtype.kind == "M" else "ISO8601")
    if naive.isna().any() or getattr(naive.dt, "tz", None) is not None:
        row = int(naive.isna().to_numpy().argmax())
        raise ValueError(f"{label}, row {row}: times must all be ISO 8601 without a zone, got {cells.iloc[row]!r}.")
    # Where clocks go back, an hour comes twice and the times do not say which; it is read as the first.
    local = naive.dt.floor("min")
    offsets: dict[Any, int] = {}
    for moment in pd.unique(local):
        stamp = pd.Timestamp(moment).to_pydatetime()
        offsets[moment] = int(stamp.replace(tzinfo=zone).utcoffset().total_seconds()) // 60  # type: ignore[union-attr]
    shift = local.map(offsets).to_numpy(dtype=np.int64)
    return local.to_numpy().astype("datetime64[s]").astype(np.int64) // 60 - shift, zone


def _timed_days(
    schema: SensorSchema,
    channels: dict[Any, str],
    values: dict[Any, np.ndarray],
    groups: list[tuple[str, np.ndarray]],
    minutes: np.ndarray,
    zone: tzinfo,
    day_start: int | None,
) -> Iterator[SensorDay]:
    for who, rows in groups:
        store = MinuteStore()
        for name, key in channels.items():
            store.add(key, minutes[rows], values[name][rows])
        span = store.span()
        if span is None:
            continue
        if day_start is None:
            starts = list(range(span[0], span[1] + 1, MINUTES_PER_DAY))
        else:
            starts = [start for start, _ in local_windows(*span, day_start, zone)]
        for start in starts:
            if not store.holds(start):
                continue
            grid = np.full((MINUTES_PER_DAY, len(schema)), np.nan)
            for key in channels.values():
                per_minute = store.sum if key in SUMMED_CHANNELS else store.mean
                grid[:, schema.index(key)] = per_minute(key, start)
            if not np.isnan(grid).all():
                yield SensorDay(grid, moment_of(start, zone), who, schema)


def _untimed_days(
    frame: pd.DataFrame,
    label: str,
    schema: SensorSchema,
    channels: dict[Any, str],
    values: dict[Any, np.ndarray],
    groups: list[tuple[str, np.ndarray]],
) -> Iterator[SensorDay]:
    for who, rows in groups:
        if len(rows) != MINUTES_PER_DAY:
            raise ValueError(
                f"{label}: has no time column (looked for {', '.join(TIME_COLUMNS)}), so it must hold"
                f" {MINUTES_PER_DAY} rows, one a minute; {who!r} has {len(rows)}. Name it with time_column=..."
            )
        grid = np.full((MINUTES_PER_DAY, len(schema)), np.nan)
        for name, key in channels.items():
            grid[:, schema.index(key)] = values[name][rows]
        if not np.isnan(grid).all():
            yield SensorDay(grid, datetime(1970, 1, 1, tzinfo=UTC), who, schema)
