"""Captions folders of days shard by shard, on all cores or on a Ray cluster; interrupted runs can be resumed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets

from ..processing.captions import CaptionBuilder
from ..processing.captions.builder import check_keys
from ..schema import SensorSchema, stored_schema
from .caption_shards import ShardJob, caption_shard, find_shards, open_shard, read_result
from .shard_runs import check_folders, digest_of, input_shards, run_shards
from .shard_work import ShardWork

CAPTIONING = ShardWork("Captioning", "captions", caption_shard, read_result)
_FORMAT = 1


@dataclass(frozen=True)
class CaptionSummary:
    """Summary of a captioning run.

    Attributes:
        target: Output folder.
        shards: Number of shards in it.
        days: Number of days in it.
        resumed: Number of days captioned by an earlier, interrupted run.
        accepted: Number of captions reworded by the paraphraser; 0 without one.
        rejected: Number of captions that kept the template's wording because the paraphrase was rejected.
        seconds: Duration of this run.
        workers: Worker processes of this run, as `host:pid`.
    """

    target: str
    shards: int
    days: int
    resumed: int
    accepted: int
    rejected: int
    seconds: float
    workers: tuple[str, ...]


def caption_folder(
    source: str | Path,
    target: str | Path,
    builder: CaptionBuilder | None = None,
    keys: Sequence[str] | None = None,
    *,
    num_proc: int = 1,
    drop_values: bool = False,
    ray_address: str | None = None,
    progress: bool = False,
) -> CaptionSummary:
    """Captions a folder of Parquet shards of days.

    Each shard of the input becomes a shard of the same name in the output, with a string column per caption key, so
    that `datasets.load_dataset(target)` has the same splits. The output is byte-identical for any number of processes
    or machines. An interrupted run resumes when it is started again with the same arguments; a shard appears under its
    name only once it is complete. Each process holds a few hundred days and one row group of the input in memory.

    With more than one process, call it under `if __name__ == "__main__":`, because processes are spawned.

    Args:
        source: Folder of Parquet files with a `values` column, as written by [`write_days`] or `push_to_hub`.
        target: Output folder, outside of `source`. On a cluster, all machines must have access to both.
        builder: Writes the captions; by default one for the schema of the first day.
        keys: Caption keys, one column each; by default the builder's own.
        num_proc: Number of processes; on Ray, the maximum number of shards captioned concurrently.
        drop_values: Whether to omit the signals, keeping only the identifying columns and the captions.
        ray_address: Runs on Ray Data: `"local"` starts a cluster on this machine, `"auto"` or an address joins one.
        progress: Whether to show a progress bar on standard error.

    Returns:
        A summary of the run.

    Raises:
        FileNotFoundError: If the input does not exist.
        FileExistsError: If the output contains Parquet files from another source, or another run is writing to it.
        ValueError: If the input, a row or an argument is invalid. Captions written so far are kept.
        ChildProcessError: If a process was killed, for example by the out-of-memory killer.
        ImportError: If Ray is requested but not installed.
    """
    source, target = Path(source), Path(target)
    check_folders(source, target, num_proc)
    inputs = input_shards(source)
    if builder is None:
        builder = CaptionBuilder(folder_schema(source))
    elif not isinstance(builder, CaptionBuilder):
        raise TypeError(f"`builder` must be a CaptionBuilder, got {type(builder).__name__}.")
    wanted = check_keys((builder.key,) if keys is None else keys)
    started = time.monotonic()
    run = run_shards(
        CAPTIONING,
        ShardJob(str(source), str(target), "", builder, wanted, bool(drop_values)),
        inputs,
        _settings(builder, wanted, bool(drop_values)),
        num_proc=num_proc,
        ray_address=ray_address,
        progress=progress,
    )
    return CaptionSummary(
        target=str(target),
        shards=len(run.counts),
        days=run.days,
        resumed=run.resumed,
        accepted=sum(count.accepted for count in run.counts),
        rejected=sum(count.rejected for count in run.counts),
        seconds=time.monotonic() - started,
        workers=run.workers,
    )


def _settings(builder: CaptionBuilder, keys: Sequence[str], drop_values: bool) -> dict[str, Any]:
    """Returns what the captions depend on, as JSON values."""

    def hashed(part: Any) -> str | None:
        return None if part is None else datasets.fingerprint.Hasher.hash(part)

    return {
        "format": _FORMAT,
        "keys": list(keys),
        "drop_values": drop_values,
        **builder.settings(),
        "tokenizer": hashed(builder.tokenizer),
        "paraphraser": hashed(builder.paraphraser),
    }


def folder_schema(source: str | Path) -> SensorSchema:
    """Returns the schema of a folder of days, from the first row that specifies it.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If it contains no days, or none that specifies its schema.
    """
    source = Path(source)
    for name in find_shards(source):
        digest_of(source, name)  # raises an error that names a damaged or empty file
        with open_shard(source / name) as shard:
            if "schema" in shard.schema_arrow.names:
                for batch in shard.iter_batches(batch_size=1, columns=["schema"]):
                    named = batch.column(0)[0].as_py()
                    if named:
                        return stored_schema(str(named))
    raise ValueError(f"The days in {str(source)!r} do not specify their schema; pass one, such as 'sensorlm-26'.")
