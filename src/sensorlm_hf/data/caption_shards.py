"""Adds caption columns to one Parquet file of days: the unit of work of a captioning run."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets  # registers the extension types of `Array2D` with pyarrow
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..io import atomic_write
from ..processing.captions import CaptionBuilder
from ..processing.captions.mapper import ROW_COLUMNS

ROWS_AT_ONCE = 256
"""Rows held in memory at a time and rows per row group; 256 days of 26 channels take 38 MB."""


_METADATA = b"sensorlm_captions"
_BLOCKS, _BLOCK_BYTES = 32, 32 * 1024


@dataclass(frozen=True)
class ShardJob:
    """Picklable description of one shard to caption.

    Attributes:
        source: Input folder.
        target: Output folder.
        name: Path of the shard inside both, such as `data/train-00000.parquet`.
        builder: Writes the captions.
        keys: Caption keys, one column each.
        drop_values: Whether to omit the signals from the output.
    """

    source: str
    target: str
    name: str
    builder: CaptionBuilder = field(repr=False)
    keys: tuple[str, ...]
    drop_values: bool = False


@dataclass(frozen=True)
class ShardCounts:
    """Result of captioning a shard.

    Attributes:
        rows: Number of days.
        accepted: Number of captions reworded by the paraphraser.
        rejected: Number of captions whose paraphrase lost a number or was too long.
        worker: Process that wrote it, as `host:pid`; empty if it was written by an earlier run.
    """

    rows: int
    accepted: int = 0
    rejected: int = 0
    worker: str = ""


def caption_shard(job: ShardJob) -> ShardCounts:
    """Captions one shard. The output appears under its final name only once it is complete and flushed to disk.

    Args:
        job: The shard and its options.

    Returns:
        The result.

    Raises:
        ValueError: If the shard is not Parquet, or one of its rows is not a day; the message gives shard and row.
        TypeError: If a value in a row has the wrong type.
    """
    with rewritten_shard(job) as (shard, partial):
        return _write(job, shard, partial)


@contextmanager
def rewritten_shard(job: Any) -> Iterator[tuple[pq.ParquetFile, Path]]:
    """Opens the input of a job, and an output that gets its name at the end of the block; errors name the shard.

    Args:
        job: Has `source`, `target` and `name`, as a [`ShardJob`].

    Yields:
        The input, and the path to write to.
    """
    target = Path(job.target) / job.name
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open_shard(Path(job.source) / job.name) as shard, atomic_write(target, durable=True) as partial:
            yield shard, partial
    except (ValueError, TypeError) as error:
        if isinstance(error, pa.ArrowInvalid):
            raise ValueError(f"{job.name} is damaged: {error}") from error
        raise type(error)(f"{job.name}: {error}") from error


def _write(job: ShardJob, shard: pq.ParquetFile, partial: Path) -> ShardCounts:
    schema = output_schema(shard.schema_arrow, job.keys, job.drop_values)
    caption = job.builder.mapper(job.keys)
    model = job.builder.paraphraser
    before = (model.accepted, model.rejected) if model else (0, 0)
    rows = 0
    with partial.open("wb") as file, pq.ParquetWriter(file, schema) as writer:
        for batch in row_batches(shard):
            captions = caption(_columns(batch), first_row=rows)
            columns = [
                pa.array(captions[name], pa.string()) if name in captions else batch.column(name)
                for name in schema.names
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
            rows += len(batch)
        after = (model.accepted, model.rejected) if model else (0, 0)
        worker = f"{platform.node()}:{os.getpid()}"
        counts = ShardCounts(rows, after[0] - before[0], after[1] - before[1], worker)
        record = {"rows": counts.rows, "accepted": counts.accepted, "rejected": counts.rejected}
        writer.add_key_value_metadata({_METADATA: json.dumps(record)})
    return counts


def read_result(path: Path, rows: int) -> ShardCounts | None:
    """Returns the result of a shard written by an earlier run; None unless it is complete and has `rows` rows."""
    record = read_record(path, _METADATA, rows)
    return None if record is None else ShardCounts(rows, record["accepted"], record["rejected"])


def read_record(path: Path, key: bytes, rows: int) -> dict[str, Any] | None:
    """Returns the record in the metadata of a shard; None unless the shard is complete and has `rows` rows."""
    try:
        with pq.ParquetFile(path) as shard:
            record = json.loads((shard.metadata.metadata or {})[key])
            return record if shard.metadata.num_rows == record["rows"] == rows else None
    except (OSError, ValueError, KeyError):  # pyarrow's errors are ValueErrors
        return None


def find_shards(folder: Path) -> list[str]:
    """Returns the Parquet files of a folder, sorted, as relative paths with forward slashes; hidden ones are skipped.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If it contains no Parquet file.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {str(folder)!r}.")
    found = []
    for path in folder.rglob("*.parquet"):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part.startswith((".", "__")) for part in parts):
            found.append("/".join(parts))
    if not found:
        arrow = any(folder.rglob("*.arrow"))
        hint = (
            " It looks like the output of save_to_disk: convert datasets.load_from_disk(folder) with to_parquet first."
            if arrow
            else " Create one with sensorlm_hf.data.write_days or `sensorlm-hf simulate`."
        )
        raise ValueError(f"{str(folder)!r} contains no Parquet file.{hint}")
    return sorted(found)


def open_shard(path: Path) -> pq.ParquetFile:
    """Opens a shard.

    Raises:
        ValueError: If it is not a Parquet file of days.
    """
    try:
        shard = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise ValueError(f"not a complete Parquet file: {error}") from error
    if "values" not in shard.schema_arrow.names:
        raise ValueError(f"no `values` column, it has {', '.join(shard.schema_arrow.names)}.")
    return shard


def shard_digest(path: Path) -> tuple[int, str]:
    """Returns the number of rows of a shard and a hash of its content.

    The hash covers the file size, the footer (offset, size and extremes of every column chunk) and 32 blocks of 32 KiB
    spread over the file. It changes whenever the file is rewritten with other days, at a constant cost for shards of
    any size. A single value changed in place without changing the file size may go unnoticed.

    Raises:
        ValueError: If it is not a Parquet file of days.
    """
    with open_shard(path) as shard:
        rows = shard.metadata.num_rows
    size = path.stat().st_size
    digest = hashlib.blake2b(str(size).encode(), digest_size=8)
    with path.open("rb") as file:
        file.seek(-8, os.SEEK_END)
        footer = int.from_bytes(file.read(4), "little")
        blocks = [(max(size - 8 - footer, 0), footer)]
        blocks += [(size * i // _BLOCKS, min(_BLOCK_BYTES, size // _BLOCKS + 1)) for i in range(_BLOCKS)]
        for start, length in blocks:
            file.seek(start)
            digest.update(file.read(length))
    return rows, digest.hexdigest()


def output_schema(schema: pa.Schema, keys: tuple[str, ...], drop_values: bool) -> pa.Schema:
    """Returns the columns of the output: those of the input, unchanged, and a string column for each caption.

    The `datasets` features in the metadata are updated.

    Raises:
        ValueError: If a caption column already exists.
    """
    taken = [key for key in keys if key in schema.names]
    if taken:
        raise ValueError(
            f"column {', '.join(taken)} already exists; choose other keys, or use the uncaptioned folder as input."
        )
    kept = [column for column in schema if column.name != "values" or not drop_values]
    metadata = dict(schema.metadata or {})
    metadata.pop(_METADATA, None)
    if b"huggingface" in metadata:
        info = json.loads(metadata[b"huggingface"])
        features = info.get("info", {}).get("features")
        if features is not None:
            text = datasets.Features({key: datasets.Value("string") for key in keys}).to_dict()
            info["info"]["features"] = {name: features[name] for name in (c.name for c in kept) if name in features}
            info["info"]["features"] |= text
            info.pop("fingerprint", None)
            metadata[b"huggingface"] = json.dumps(info).encode()
    return pa.schema([*kept, *(pa.field(key, pa.string()) for key in keys)], metadata=metadata)


def row_batches(shard: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """Yields all rows, [`ROWS_AT_ONCE`] at a time."""
    pending: list[pa.RecordBatch] = []
    count = 0
    for batch in shard.iter_batches(batch_size=ROWS_AT_ONCE, use_threads=False):
        while count + len(batch) >= ROWS_AT_ONCE:
            need = ROWS_AT_ONCE - count
            yield _concat([*pending, batch.slice(0, need)])
            batch, pending, count = batch.slice(need), [], 0
        if len(batch):
            pending.append(batch)
            count += len(batch)
    if pending:
        yield _concat(pending)


def _concat(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.Table.from_batches(batches).combine_chunks().to_batches()[0]


def _columns(batch: pa.RecordBatch) -> dict[str, list[Any]]:
    columns = {}
    for name in ROW_COLUMNS:
        if name in batch.schema.names:
            column = batch.column(name)
            columns[name] = arrays_of(column) if name == "values" else column.to_pylist()
    return columns


def arrays_of(column: pa.Array) -> list[np.ndarray | None]:
    """Converts a column of nested lists or of `Array2D` to arrays `(minutes, channels)`, without a copy if possible.

    Args:
        column: Lists of lists of numbers, of any list type; missing numbers become NaN.

    Returns:
        One array per row; None where the row is missing.

    Raises:
        ValueError: If the column does not consist of lists of lists of numbers, or a row's minutes differ in length.
    """
    kind = column.type
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    minutes, inner = _flatten(column, kind)
    channels, flat = _flatten(inner, kind)
    if not (pa.types.is_floating(flat.type) or pa.types.is_integer(flat.type)):
        raise ValueError(f"`values` must contain numbers, got {kind}.")
    numbers = flat.to_numpy(zero_copy_only=False)
    ends, bounds = np.cumsum(minutes), np.concatenate([[0], np.cumsum(channels)])
    arrays: list[np.ndarray | None] = []
    for row, (end, count) in enumerate(zip(ends.tolist(), minutes.tolist(), strict=True)):
        if not column[row].is_valid:
            arrays.append(None)
            continue
        widths = channels[end - count : end]
        if len(widths) and (widths != widths[0]).any():
            raise ValueError(
                f"`values` of row {row} of a batch has minutes of {widths.min()} and of {widths.max()} channels."
            )
        row_values = numbers[bounds[end - count] : bounds[end]]
        arrays.append(row_values.reshape(count, int(widths[0]) if len(widths) else 0))
    return arrays


def _flatten(array: pa.Array, kind: Any) -> tuple[np.ndarray, pa.Array]:
    """Returns the lengths of the lists in an array, 0 for missing ones, and the flattened items."""
    if not (
        pa.types.is_list(array.type) or pa.types.is_large_list(array.type) or pa.types.is_fixed_size_list(array.type)
    ):
        raise ValueError(f"`values` must contain lists of lists of numbers, got {kind}.")
    lengths = pc.fill_null(pc.list_value_length(array), 0)
    return lengths.to_numpy(zero_copy_only=False).astype(np.int64), array.flatten()
