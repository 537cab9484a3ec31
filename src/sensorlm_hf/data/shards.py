"""Writes days as Parquet shards: precision, compression and atomicity."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..days import SensorDay
from ..io import staged_files
from ..schema import SensorSchema
from .rows import dataset_row, sensor_day_features

PRECISIONS = ("exact", "compact")
"""Precision of stored values: `exact` keeps all 32 bits; `compact` rounds them, see [`round_values`]."""

_STEPS_PER_STD = 64.0
_FINEST_PER_STD = 512.0
_RELATIVE = 64.0
_DAYS_PER_ROW_GROUP = 128
_ZSTD_LEVEL = 9
_VALUES_LEAF = "values.list.element.list.element"


def round_values(values: np.ndarray, schema: SensorSchema) -> np.ndarray:
    """Rounds values to a channel's useful resolution, so that they compress to a third of the size.

    Each value is rounded to the nearest multiple of a power of two that is at most 1/64 of the channel's population
    standard deviation and, for small values, at most 1/64 of the value itself, but at least 1/512 of the standard
    deviation. The maximum error is 1/128 of a standard deviation: 0.06 bpm of heart rate, 0.02 degC of skin
    temperature; small skin conductances keep two digits, and counts remain integers. Rounding is idempotent.

    Args:
        values: `(..., channels)` in physical units; NaN stays NaN.
        schema: Schema of the columns.

    Returns:
        Float32 of the same shape.
    """
    std = np.asarray(schema.stds, dtype=np.float64)
    coarsest = np.floor(np.log2(std / _STEPS_PER_STD))
    finest = np.floor(np.log2(std / _FINEST_PER_STD))
    exact = np.asarray(values, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = np.clip(np.floor(np.log2(np.abs(exact) / _RELATIVE)), finest, coarsest)
        step = np.exp2(exponent)
        return (np.round(exact / step) * step).astype(np.float32)


def days_table(days: list[SensorDay], features: datasets.Features, precision: str = "exact") -> pa.Table:
    """Returns days as an Arrow table of these features, including the `datasets` metadata.

    Args:
        days: Days of one schema and length.
        features: From [`sensor_day_features`].
        precision: One of [`PRECISIONS`].
    """
    rows = [dataset_row(day, features) for day in days]
    schema = features.arrow_schema
    count, minutes, channels = len(days), len(days[0]), len(days[0].schema)
    values = np.empty((count, minutes, channels), dtype=np.float32)
    for position, row in enumerate(rows):  # one at a time: rounding needs several times a day's memory
        exact = row.pop("values")
        values[position] = round_values(exact, days[0].schema) if precision == "compact" else exact
    flat = pa.array(values.reshape(-1))
    inner = pa.ListArray.from_arrays(np.arange(0, values.size + 1, channels, dtype=np.int32), flat)
    outer = pa.ListArray.from_arrays(np.arange(0, count * minutes + 1, minutes, dtype=np.int32), inner)
    columns = []
    for field in schema:
        if field.name == "values":
            columns.append(pa.ExtensionArray.from_storage(field.type, outer.cast(field.type.storage_type)))
        else:
            columns.append(pa.array([row[field.name] for row in rows], type=field.type))
    return pa.Table.from_arrays(columns, schema=schema)


def write_shard(table: pa.Table, path: Path) -> None:
    """Writes a table of days as Parquet with byte-stream splitting and zstd compression.

    Splitting floats into byte streams makes them compressible: exponents and the last bytes of rounded values take
    almost no space. All recent Parquet readers support it.
    """
    others = [name for name in table.column_names if name != "values"]
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=_ZSTD_LEVEL,
        use_dictionary=[_leaf for name in others for _leaf in _leaves(table.schema.field(name))],
        column_encoding={_VALUES_LEAF: "BYTE_STREAM_SPLIT"},
        row_group_size=_DAYS_PER_ROW_GROUP,
    )


def _leaves(field: pa.Field) -> list[str]:
    """Paths of the leaf columns of a field, as Parquet names them."""

    def collect(kind: pa.DataType, path: str) -> list[str]:
        if pa.types.is_list(kind):
            return collect(kind.value_type, f"{path}.list.element")
        if pa.types.is_struct(kind):
            return [leaf for child in kind for leaf in collect(child.type, f"{path}.{child.name}")]
        return [path]

    return collect(field.type, field.name)


class DayWriter:
    """Writes days to `folder/data/<split>-00000.parquet` and so on, for several splits at once and atomically.

    Use it as a context manager: shards get their final names on success and are removed on failure.

    Args:
        folder: Output folder.
        days_per_shard: Days per file, which are held in memory for each split.
        label_types: An example of every label, if the first day does not have all of them.
        precision: One of [`PRECISIONS`].

    Attributes:
        counts: Number of days written so far, by split.
        features: Columns of the dataset; None before the first day.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        days_per_shard: int = 512,
        label_types: Mapping[str, Any] | None = None,
        precision: str = "exact",
    ) -> None:
        if days_per_shard < 1:
            raise ValueError(f"`days_per_shard` must be at least 1, got {days_per_shard}.")
        if precision not in PRECISIONS:
            raise ValueError(f"`precision` must be one of {', '.join(PRECISIONS)}, got {precision!r}.")
        self.target = Path(folder) / "data"
        self.days_per_shard, self.precision = days_per_shard, precision
        self.label_types = dict(label_types or {})
        self.counts: dict[str, int] = {}
        self.features: datasets.Features | None = None
        self._first: SensorDay | None = None
        self._held: dict[str, list[SensorDay]] = {}
        self._staging = ExitStack()
        self._staged: Path | None = None
        self._shards: Counter[str] = Counter()

    def __enter__(self) -> DayWriter:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            self._staging.__exit__(kind, error, trace)  # discards the shards
            return
        with self._staging:
            for split in list(self._held):
                self._flush(split)

    def start_split(self, split: str) -> None:
        """Checks that a split can be written; [`DayWriter.add`] also does so for the split's first day.

        Raises:
            ValueError: If the name is invalid.
            FileExistsError: If the folder already contains shards of this split.
        """
        if not re.fullmatch(r"\w+(\.\w+)*", split):
            raise ValueError(f"`split` must be a name of letters, digits and underscores, got {split!r}.")
        if any(self.target.glob(f"{split}-*.parquet")):
            raise FileExistsError(
                f"{self.target} already contains shards of split {split!r}; remove them or choose another folder."
            )

    def add(self, split: str, day: SensorDay) -> None:
        """Adds a day.

        Raises:
            FileExistsError: If the folder already contains shards of this split.
            ValueError: If the day differs from the first in schema, length or labels, or the split name is invalid.
        """
        if self._first is None:
            self._first = day
            self.features = sensor_day_features(day.schema, len(day), {**day.labels, **self.label_types})
        first = self._first
        if day.schema != first.schema or len(day) != len(first):
            raise ValueError(
                f"days[{sum(self.counts.values())}] ({day.sample_id}) has schema {day.schema.name!r} and {len(day)}"
                f" minutes, the first day has {first.schema.name!r} and {len(first)}; all days of a dataset must agree."
            )
        if split not in self.counts:
            self.start_split(split)
            self.counts[split], self._held[split] = 0, []
        self.counts[split] += 1
        self._held[split].append(day)
        if len(self._held[split]) >= self.days_per_shard:
            self._flush(split)

    def _flush(self, split: str) -> None:
        held = self._held[split]
        if not held or self.features is None:
            return
        if self._staged is None:
            self._staged = self._staging.enter_context(staged_files(self.target))
        write_shard(
            days_table(held, self.features, self.precision), self._staged / f"{split}-{self._shards[split]:05d}.parquet"
        )
        self._shards[split] += 1
        held.clear()


def fingerprint(folder: str | os.PathLike) -> str:
    """Returns a hash of the names and the content of all shards in a dataset's folder."""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(Path(folder).glob("data/*.parquet")):
        digest.update(path.name.encode())
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()
