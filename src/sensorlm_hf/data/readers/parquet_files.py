"""Reads Parquet files within a limit of memory: repeated values take almost no space in a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .archives import EXPANSION_VARIABLE, max_expanded
from .damage import describe

_BATCH_ROWS = 65_536
_WIDEST_EXPANSION = 10
"""How much more a Parquet file may expand than an archive: equal values are stored once, and tables of minutes have
many."""


def open_parquet(path: Path) -> pq.ParquetFile:
    """Opens a Parquet file so that repeated texts stay stored once until their size is known.

    Raises:
        pa.ArrowInvalid: If it is not a Parquet file, or two of its columns have the same name.
    """
    schema = pq.read_schema(path)
    twice = [name for name in schema.names if schema.names.count(name) > 1]
    if twice:
        raise pa.ArrowInvalid(f"it has the column {twice[0]!r} twice")
    texts = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
    return pq.ParquetFile(path, read_dictionary=texts)


def parquet_batches(parquet: pq.ParquetFile, rows: int, label: str) -> Iterator[pa.RecordBatch]:
    """Yields the rows of a file, with texts as plain texts.

    Args:
        parquet: The file.
        rows: Rows at a time.
        label: How messages call the file.

    Raises:
        ValueError: If its content is damaged.
    """
    try:
        yield from parquet.iter_batches(batch_size=rows)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{label}: its content is damaged: {describe(error)}. Download or write it again.") from None


def read_parquet_table(parquet: pq.ParquetFile, packed: int, label: str) -> pd.DataFrame:
    """Reads a whole table.

    Args:
        parquet: The file.
        packed: Size of the file in bytes.
        label: How messages call the file.

    Raises:
        ValueError: If its content is damaged, or takes much more memory than the file is long.
    """
    limit, taken = _WIDEST_EXPANSION * max_expanded(packed), 0
    batches = []
    for batch in parquet_batches(parquet, _BATCH_ROWS, label):
        taken += sum(_decoded_bytes(column) for column in batch.columns)
        if taken > limit:
            raise ValueError(
                f"{label} expands to more than {limit >> 20} MiB from {packed >> 10} KiB. If it is right, raise the"
                f" limit with --max-expansion, or {EXPANSION_VARIABLE}."
            )
        batches.append(batch)
    table = pa.Table.from_batches(batches, schema=batches[0].schema if batches else parquet.schema_arrow)
    plain = [field.with_type(field.type.value_type) if _is_dictionary(field.type) else field for field in table.schema]
    try:
        return table.cast(pa.schema(plain, metadata=table.schema.metadata)).to_pandas()
    except (pa.ArrowException, UnicodeError, ValueError, OverflowError) as error:
        raise ValueError(f"{label}: a column cannot be read: {describe(error)}. Write it again.") from None


def is_list(kind: pa.DataType) -> bool:
    """Returns whether an Arrow type is one of the kinds of lists."""
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _is_dictionary(kind: pa.DataType) -> bool:
    return pa.types.is_dictionary(kind)


def _decoded_bytes(column: pa.Array) -> int:
    """Bytes that a column takes with each text written out."""
    if not _is_dictionary(column.type) or not len(column.dictionary):
        return column.nbytes
    lengths = pc.binary_length(column.dictionary)
    return int(pc.sum(pc.take(lengths, column.indices)).as_py() or 0) + 8 * len(column)
