"""Embeds folders of days shard by shard, on all cores or on a Ray cluster; interrupted runs can be resumed."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import platform
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from ..checkpoints import packaged_checkpoint
from ..data.caption_shards import ShardCounts, arrays_of, read_record, rewritten_shard, row_batches
from ..data.shard_runs import check_folders, input_shards, run_shards
from ..data.shard_work import ShardWork
from ..days import SensorDay
from ..embedding import encode_sensor
from ..modeling import load_pretrained
from ..processing import SensorLMProcessor
from ..processing.pairing import check_pair

COLUMN = "embedding"
"""Column of the embeddings."""

_METADATA = b"sensorlm_embeddings"
_FORMAT = 1


@dataclass(frozen=True)
class EmbedJob:
    """Picklable description of one shard to embed.

    Attributes:
        source: Input folder.
        target: Output folder.
        name: Path of the shard inside both.
        model: Folder or Hub id of the model.
        batch_size: Days per forward pass.
        device: Device of the model.
    """

    source: str
    target: str
    name: str
    model: str
    batch_size: int
    device: str


@dataclass(frozen=True)
class EmbeddingSummary:
    """Summary of an embedding run.

    Attributes:
        target: Output folder.
        shards: Number of shards in it.
        days: Number of days in it.
        resumed: Number of days embedded by an earlier, interrupted run.
        seconds: Duration of this run.
        workers: Worker processes of this run, as `host:pid`.
    """

    target: str
    shards: int
    days: int
    resumed: int
    seconds: float
    workers: tuple[str, ...]


def embed_folder(
    source: str | Path,
    target: str | Path,
    model: str | Path,
    *,
    batch_size: int = 64,
    device: str = "cpu",
    num_proc: int = 1,
    ray_address: str | None = None,
    progress: bool = False,
) -> EmbeddingSummary:
    """Embeds a folder of Parquet shards of days, for [`DayIndex`] and other tools.

    Each shard of the input becomes a shard of the same name in the output, with the column `embedding`, float32 lists
    of unit length, instead of `values`. An interrupted run resumes when it is started again with the same arguments; a
    shard appears under its name only once it is complete. Each process holds the model, a few hundred days and one row
    group of the input in memory.

    With more than one process, call it under `if __name__ == "__main__":`, because processes are spawned.

    Args:
        source: Folder of Parquet files with a `values` column, as written by [`write_days`] or `push_to_hub`.
        target: Output folder, outside of `source`. On a cluster, all machines must have access to both.
        model: Folder, packaged name or Hub id of a model with text embeddings (`clip`, `siglip`, `coca`).
        batch_size: Days per forward pass.
        device: Device of the model, such as `"cuda"`; processes share it.
        num_proc: Number of processes; on Ray, the maximum number of shards at a time. Several processes use one thread
            each.
        ray_address: Runs on Ray Data: `"local"` starts a cluster on this machine, `"auto"` or an address joins one.
        progress: Whether to show a progress bar on standard error.

    Returns:
        A summary of the run.

    Raises:
        FileNotFoundError: If the input does not exist.
        FileExistsError: If the output contains Parquet files from another source, or another run is writing to it.
        ValueError: If the input, a row or an argument is invalid, or the model has no embeddings. Shards written so far
            are kept.
        ChildProcessError: If a process was killed, for example by the out-of-memory killer.
        ImportError: If Ray is requested but not installed.

    Example:
        ```python
        embed_folder("days", "embedded", "sensorlm-coca")
        index = DayIndex.load("embedded")
        for match in index.search("a long run in the morning", k=3)[0]:
            print(match.score, match.row["subject_id"], match.row["start"])
        ```
    """
    source, target = Path(source), Path(target)
    check_folders(source, target, num_proc)
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"`batch_size` must be an integer of at least 1, got {batch_size!r}.")
    inputs = input_shards(source)
    path = str(packaged_checkpoint(str(model)) or model)
    network, _ = load_for_search(path, device)
    started = time.monotonic()
    run = run_shards(
        EMBEDDING,
        EmbedJob(str(source), str(target), "", path, batch_size, device),
        inputs,
        {"format": _FORMAT, "model": str(model), "weights": fingerprint(network)},
        num_proc=num_proc,
        ray_address=ray_address,
        progress=progress,
    )
    return EmbeddingSummary(
        target=str(target),
        shards=len(run.counts),
        days=run.days,
        resumed=run.resumed,
        seconds=time.monotonic() - started,
        workers=run.workers,
    )


@lru_cache(maxsize=1)
def load_for_search(model: str, device: str = "cpu") -> tuple[Any, SensorLMProcessor]:
    """Loads a model with text embeddings and its processor, once per process.

    Raises:
        ValueError: If the model has no text embeddings, or the processor does not match.
    """
    network = load_pretrained(model, dtype=torch.float32).eval()
    if not network.config.is_contrastive:
        raise ValueError(
            f"{model} has objective {network.config.objective!r} and no embeddings of days that texts can be compared"
            " with; choose a clip, siglip or coca model."
        )
    processor = SensorLMProcessor.from_pretrained(model)
    check_pair(network, processor)
    return network.to(device), processor


def fingerprint(model: torch.nn.Module) -> str:
    """Returns a hash of a model's weights."""
    digest = hashlib.blake2b(digest_size=8)
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def embed_shard(job: EmbedJob) -> ShardCounts:
    """Embeds one shard. The output appears under its final name only once it is complete and flushed to disk.

    Raises:
        ValueError: If the shard is not Parquet, or one of its rows is not a day; the message gives shard and row.
        TypeError: If a value in a row has the wrong type.
    """
    if multiprocessing.parent_process() is not None:
        torch.set_num_threads(1)  # the other processes use the other cores
    with rewritten_shard(job) as (shard, partial):
        return _write(job, shard, partial)


def _write(job: EmbedJob, shard: pq.ParquetFile, partial: Path) -> ShardCounts:
    model, processor = load_for_search(job.model, job.device)
    width = model.config.sensor_config.hidden_size
    kept = [column for column in shard.schema_arrow if column.name != "values"]
    if COLUMN in (column.name for column in kept):
        raise ValueError(f"column {COLUMN} already exists; use the folder without embeddings as input.")
    schema = pa.schema([*kept, pa.field(COLUMN, pa.list_(pa.float32(), width))])
    rows = 0
    with partial.open("wb") as file, pq.ParquetWriter(file, schema) as writer:
        for batch in row_batches(shard):
            embeds = encode_sensor(model, processor, _days(batch, rows), batch_size=job.batch_size, allow_empty=True)
            listed = pa.FixedSizeListArray.from_arrays(pa.array(embeds.reshape(-1), pa.float32()), width)
            columns = [*(batch.column(column.name) for column in kept), listed]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
            rows += len(batch)
        writer.add_key_value_metadata({_METADATA: json.dumps({"rows": rows})})
    return ShardCounts(rows, worker=f"{platform.node()}:{os.getpid()}")


def _days(batch: pa.RecordBatch, first: int) -> list[Any]:
    """Returns the days of a batch; errors give the number of the row."""
    values = arrays_of(batch.column("values"))
    named = batch.column("schema").to_pylist() if "schema" in batch.schema.names else [None] * len(batch)
    days: list[Any] = []
    for row, (array, name) in enumerate(zip(values, named, strict=True)):
        if array is None:
            raise ValueError(f"Row {first + row}: `values` is missing.")
        if not name:
            days.append(array)
            continue
        try:
            days.append(SensorDay.from_row({"values": array, "schema": name}))
        except (ValueError, TypeError) as error:
            raise type(error)(f"Row {first + row}: {error}") from error
    return days


def read_result(path: Path, rows: int) -> ShardCounts | None:
    """Returns the result of a shard written by an earlier run; None unless it is complete and has `rows` rows."""
    return None if read_record(path, _METADATA, rows) is None else ShardCounts(rows)


EMBEDDING = ShardWork("Embedding", "embeddings", embed_shard, read_result)
"""What a run does with each shard."""

__all__ = ["COLUMN", "EMBEDDING", "EmbedJob", "EmbeddingSummary", "embed_folder", "embed_shard"]
