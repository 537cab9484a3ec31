"""Tables and arrays of minute values: CSV, Parquet, DataFrame, NumPy."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Any, Union

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ...days import MINUTES_PER_DAY, SensorDay
from ...io import check_file, open_file
from ...processing.sensor_inputs_sensorlm import is_one_day
from ...schema import SchemaLike, SensorSchema, get_schema, stored_schema
from .damage import damage_of, describe
from .minutes import EPOCH
from .parquet_files import is_list, open_parquet, parquet_batches, read_parquet_table
from .progress import now_reading
from .quality import ReadReport, finish
from .table_days import TableDays
from .table_files import CSV_SUFFIXES, EXCEL_SUFFIXES, JSON_SUFFIXES, read_excel_table, read_json_table, read_table_text
from .table_frames import Measurements, TableFrame
from .table_mapping import TableMapping, load_mapping, with_overrides

TableLike = Union[str, os.PathLike, pd.DataFrame, np.ndarray]
"""Inputs of [`read_table`], in addition to `datasets` datasets, whose library is not imported just for typing."""

TABLE_SUFFIXES = (*CSV_SUFFIXES, ".parquet", ".npy", *JSON_SUFFIXES, *EXCEL_SUFFIXES)
"""Supported file name suffixes."""


@dataclass(frozen=True)
class TableOptions:
    """Arguments of [`read_table`]; see there.

    Attributes:
        schema: Schema of the days.
        mapping: Meaning of the columns, with the other arguments merged into it.
        subject_id: Subject id if no column contains it.
        report: Collects what was used, dropped or unusual.
    """

    schema: SensorSchema
    mapping: TableMapping
    subject_id: str | None
    report: ReadReport


def read_table(
    source: TableLike,
    *,
    schema: SchemaLike = "sensorlm-26",
    mapping: TableMapping | Mapping[str, Any] | str | os.PathLike | None = None,
    timezone: str | tzinfo | None = None,
    columns: Mapping[str, str] | None = None,
    time_column: str | None = None,
    subject_column: str | None = None,
    subject_id: str | None = None,
    day_start: str | None = None,
    report: ReadReport | None = None,
) -> Iterator[SensorDay]:
    """Reads a table of measurements, a table of finished days, or an array.

    * A table with a time column: samples of any rate are averaged per minute (`steps` are summed) and cut into local
      days. It may be wide (a column per channel) or long (a row per measurement); `mapping` defines the columns and
      their units, which are converted to the schema's. A table without times must have 1440 rows, the minutes of one
      day with unknown date.
    * A table with a `values` column, as written by [`SensorDay.to_row`] and the dataset builder: each row is a day.
    * An array `(minutes, channels)` is one day, `(days, minutes, channels)` many, in the schema's channel order.

    Args:
        source: Path of a `.csv`, `.tsv` (also gzipped), `.json`, `.jsonl`, `.xlsx` (extra `[excel]`), `.parquet` or
            `.npy` file, a DataFrame, a `datasets` dataset or `DatasetDict`, or an array. Text may be in any usual
            dialect: other delimiters, decimal commas, lines before the header, a delimiter at the end of the rows.
        schema: Schema of the days. Channels without a column are missing; other columns are noted and ignored.
        mapping: Meaning of the columns: a [`TableMapping`], a dict or a YAML file, see
            [`sensorlm_hf.data.readers.table_mapping`]. The arguments below take precedence.
        timezone: Local time zone. Required if the times do not contain one; otherwise times are converted to it or,
            by default, keep the zone or offset of the first.
        columns: `{column: channel key}` for columns that are not named after their channel. By default case, blanks and
            a unit in brackets do not matter (`Heart Rate (count/min)`).
        time_column: Column of times: ISO 8601, `31.12.2024 08:00`, or seconds since 1970. By default `time`,
            `timestamp` and similar, with the dates of a column `date` if they are only times of day.
        subject_column: Column of subject ids; by default `subject_id`, `user_id`, `id` and similar, if present.
        subject_id: Subject id if there is no such column; `"unknown"` by default.
        day_start: Local time `"HH:MM"` at which windows start, or `"first"`: at each person's first observed minute.
        report: Collects what was used, dropped or unusual; without one, dropped items are logged.

    Yields:
        Days by person, then by time; days without any observed minute are omitted.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is damaged or its columns do not fit; the message names column and line.
        TypeError: If `source` has an unsupported type.
    """
    options = table_options(
        schema,
        with_overrides(
            load_mapping(mapping),
            columns,
            time=time_column,
            subject=subject_column,
            timezone=timezone,
            day_start=day_start,
        ),
        subject_id,
        report,
    )
    return finish(_days(source, options), options.report, warn=report is None, source="read_table")


def table_options(
    schema: SchemaLike, mapping: TableMapping, subject_id: str | None, report: ReadReport | None
) -> TableOptions:
    """Returns the options of [`read_table`] with the schema resolved."""
    return TableOptions(get_schema(schema), mapping, subject_id, report or ReadReport())


def _days(source: Any, options: TableOptions) -> Iterator[SensorDay]:
    if isinstance(source, (str, os.PathLike)):
        return _file_days(Path(source), options)
    if isinstance(source, np.ndarray):
        return _array_days(source, options.schema, options.subject_id, "the array")
    if isinstance(source, pd.DataFrame):
        return measured_days(_measurements(source, "the table", options), options)
    if hasattr(source, "features") and hasattr(source, "with_format"):
        return measured_days(_dataset(source, options), options)
    if is_dataset_dict(source):
        return itertools.chain.from_iterable([_days(split, options) for split in source.values()])
    raise TypeError(
        "`source` must be a path, a DataFrame, a `datasets` dataset or `DatasetDict`, or a NumPy array, got"
        f" {type(source).__name__}."
    )


def _file_days(path: Path, options: TableOptions) -> Iterator[SensorDay]:
    with damage_of(str(path)):
        loaded = load_table(path, path.name, str(path), options)

    def days() -> Iterator[SensorDay]:
        with damage_of(str(path)):
            yield from measured_days(loaded, options)

    return days()


def is_dataset_dict(source: Any) -> bool:
    """Returns whether an object is a `DatasetDict`, without importing `datasets`."""
    return isinstance(source, Mapping) and bool(source) and all(hasattr(part, "features") for part in source.values())


def measured_days(loaded: Iterator[SensorDay] | Measurements, options: TableOptions) -> Iterator[SensorDay]:
    """Returns the days of a table: those of its measurements, or those that it contains."""
    if not isinstance(loaded, Measurements):
        return loaded
    days = TableDays(options.schema, options.mapping.day_start, options.report)
    days.add(loaded)
    return days.days()


def _dataset(dataset: Any, options: TableOptions) -> Iterator[SensorDay] | Measurements:
    """Reads a `datasets.Dataset` or `IterableDataset`, without importing the library."""
    if "values" in (dataset.column_names or []):
        if hasattr(dataset, "num_rows"):  # streams do not have it and return rows unchanged
            dataset = dataset.with_format("numpy", columns=["values"], output_all_columns=True)
        return _row_days(dataset, options.schema, "the dataset")
    frame = dataset.to_pandas() if hasattr(dataset, "to_pandas") else pd.DataFrame(list(dataset))
    return _measurements(frame, "the dataset", options)


def load_table(path: Path, name: str, label: str, options: TableOptions) -> Iterator[SensorDay] | Measurements:
    """Reads a table file.

    Args:
        path: The file.
        name: Its name in the report.
        label: Its label in messages.
        options: How to read it.

    Returns:
        Its measurements, or its days if it is a table of finished days or an array.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is damaged or its columns do not fit; the message names column and line.
    """
    check_file(path)
    lowered = path.name.lower()
    if not lowered.endswith(TABLE_SUFFIXES):
        raise ValueError(f"{label}: a table must be one of {', '.join(TABLE_SUFFIXES)}.")
    now_reading(name)
    options.report.files_read.append(name)
    if lowered.endswith(".npy"):
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except Exception as error:  # numpy parses the header as Python: tokenize.TokenError, SyntaxError and others
            raise ValueError(f"{label}: not a readable .npy array of numbers: {describe(error)}.") from None
        if not isinstance(array, np.ndarray):  # a zip of arrays
            raise ValueError(f"{label}: not a single .npy array of numbers; save the array with numpy.save.")
        return _array_days(array, options.schema, options.subject_id, label)
    if lowered.endswith(".parquet"):
        try:
            parquet = open_parquet(path)
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"{label}: not a readable Parquet file: {describe(error)}.") from None
        if "values" in parquet.schema_arrow.names:
            return _row_days(_parquet_rows(parquet, label), options.schema, label)
        return _measurements(read_parquet_table(parquet, path.stat().st_size, label), label, options)
    if lowered.endswith(JSON_SUFFIXES):
        with open_file(path) as file:
            data = file.read()
        return _measurements(read_json_table(data, label), label, options)
    if lowered.endswith(EXCEL_SUFFIXES):
        frame, first_line = read_excel_table(path, label, options.report)
    else:
        frame, first_line = read_table_text(path, label, options.report, options.mapping.subject)
    return _measurements(frame, label, options, first_line)


def _array_days(array: np.ndarray, schema: SensorSchema, subject_id: str | None, label: str) -> Iterator[SensorDay]:
    if array.ndim not in (2, 3) or array.dtype.kind not in "fiu":
        raise ValueError(
            f"{label}: an array must have numbers of shape (minutes, {len(schema)}) or (days, minutes, {len(schema)}),"
            f" got {array.dtype} of shape {array.shape}."
        )
    if array.shape[-1] != len(schema) or array.shape[-2] != MINUTES_PER_DAY:
        hint = " It may be transposed." if array.shape[-2:] == (len(schema), MINUTES_PER_DAY) else ""
        raise ValueError(
            f"{label}: its last two dimensions must be {MINUTES_PER_DAY} minutes and the {len(schema)} channels of"
            f" {schema.name!r}, got shape {array.shape}.{hint}"
        )
    single = is_one_day(array)
    who = subject_id or "unknown"

    def days() -> Iterator[SensorDay]:
        for position in range(1 if single else len(array)):
            values = np.asarray(array if single else array[position], dtype=np.float32)
            if not np.isnan(values).all():
                yield SensorDay(values, EPOCH, who if single else f"{who}-{position}", schema)

    return days()


def _parquet_rows(parquet: pq.ParquetFile, label: str) -> Iterator[dict[str, Any]]:
    """Rows of a Parquet file of days; `values` are read as NumPy arrays, since lists of lists are 100 times slower."""
    for batch in parquet_batches(parquet, 32, label):
        column = batch.column("values")
        if isinstance(column, pa.ExtensionArray):
            column = column.storage
        others = batch.drop_columns(["values"]).to_pylist()
        for position in range(len(batch)):
            cell = column[position]
            if cell.is_valid and is_list(cell.type) and is_list(cell.type.value_type):
                flat = cell.values.flatten().to_numpy(zero_copy_only=False)
                width = len(flat) // max(len(cell.values), 1)
                values: Any = flat.reshape(len(cell.values), width) if len(cell.values) * width == len(flat) else None
            else:
                values = cell.as_py()
            yield {**others[position], "values": values}


def _row_days(rows: Iterable[Mapping[str, Any]], schema: SensorSchema, label: str) -> Iterator[SensorDay]:
    for position, row in enumerate(rows):
        stored = str(row.get("schema") or schema.name)
        try:
            # Rows written by earlier versions only contain the name of a schema that is not built in.
            named = stored_schema(stored).name if stored != schema.name else stored
            if named != schema.name:
                raise ValueError(
                    f"has schema {named!r}, but {schema.name!r} was requested; pass"
                    f" {f'schema={named!r}' if stored == named else 'its file or dict as `schema`'}."
                )
            day = SensorDay.from_row(row, schema)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{label}, row {position}: {error}") from None
        if day.mask.any():
            yield day


def _measurements(
    frame: pd.DataFrame, label: str, options: TableOptions, first_line: int | None = None
) -> Iterator[SensorDay] | Measurements:
    if "values" in frame.columns and "values" not in options.schema:
        rows = ({str(k): v for k, v in row.items()} for row in _records(frame))
        return _row_days(rows, options.schema, label)
    options.mapping.check(options.schema, label)
    return TableFrame(
        frame, label, options.schema, options.mapping, options.subject_id, options.report, first_line
    ).measurements()


def _records(frame: pd.DataFrame) -> Iterator[dict[Any, Any]]:
    """Rows of a DataFrame of days, whose `values` are arrays of arrays."""
    for position in range(len(frame)):
        row = frame.iloc[position].to_dict()
        if isinstance(row["values"], (list, np.ndarray)):
            with contextlib.suppress(ValueError, TypeError):  # the day's own error explains what is wrong
                row["values"] = np.array([np.asarray(minute, dtype=np.float32) for minute in row["values"]])
        yield row
