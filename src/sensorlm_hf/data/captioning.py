"""Captions folders of days shard by shard, on all cores or on a Ray cluster; interrupted runs can be resumed."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import datasets
import filelock
import pyarrow as pa
from huggingface_hub.utils import tqdm

from ..io import PARTIAL, atomic_write_text
from ..processing.captions import CaptionBuilder
from ..processing.captions.builder import check_keys
from ..schema import SensorSchema, stored_schema
from .caption_shards import (
    Results,
    ShardCounts,
    ShardJob,
    caption_shard,
    find_shards,
    open_shard,
    read_result,
    shard_digest,
)

MANIFEST = ".captions.json"
"""File in the output that records its provenance; hidden, so that `datasets` does not read it as data."""

_LOCK = ".captions.lock"
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
    if isinstance(num_proc, bool) or not isinstance(num_proc, int) or num_proc < 1:
        raise ValueError(f"`num_proc` must be an integer of at least 1, got {num_proc!r}.")
    _check_disjoint(source, target)
    names = find_shards(source)
    inputs = {name: _digest(source, name) for name in names}
    if builder is None:
        builder = CaptionBuilder(folder_schema(source))
    elif not isinstance(builder, CaptionBuilder):
        raise TypeError(f"`builder` must be a CaptionBuilder, got {type(builder).__name__}.")
    wanted = check_keys((builder.key,) if keys is None else keys)
    job = ShardJob(str(source), str(target), "", builder, wanted, bool(drop_values))
    started = time.monotonic()
    _check_target(target)
    target.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(target / _LOCK, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise FileExistsError(
            f"Another run is writing to {str(target)!r}; wait for it, or choose another folder."
        ) from None
    try:
        _check_manifest(target, _manifest(job, inputs))
        for partial in target.rglob(f".*{PARTIAL}"):
            partial.unlink()
        counts = {name: read_result(target / name, rows) for name, (rows, _) in inputs.items()}
        resumed = sum(count.rows for count in counts.values() if count)
        jobs = [replace(job, name=name) for name in names if counts[name] is None]
        total = sum(rows for rows, _ in inputs.values())
        if ray_address is not None:
            from .captioning_ray import caption_on_ray

            results = caption_on_ray(jobs, ray_address, num_proc)
        else:
            results = caption_in_processes(jobs, num_proc) if num_proc > 1 and len(jobs) > 1 else map(_run, jobs)
        with tqdm(total=total, initial=resumed, unit="day", desc="Captioning", disable=not progress) as bar:
            for name, count in results:
                counts[name] = count
                bar.update(count.rows)
    finally:
        lock.release()
    done = [count for count in counts.values() if count is not None]
    return CaptionSummary(
        target=str(target),
        shards=len(done),
        days=sum(count.rows for count in done),
        resumed=resumed,
        accepted=sum(count.accepted for count in done),
        rejected=sum(count.rejected for count in done),
        seconds=time.monotonic() - started,
        workers=tuple(sorted({count.worker for count in done} - {""})),
    )


def folder_schema(source: str | Path) -> SensorSchema:
    """Returns the schema of a folder of days, from the first row that specifies it.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If it contains no days, or none that specifies its schema.
    """
    source = Path(source)
    for name in find_shards(source):
        _digest(source, name)  # raises an error that names a damaged or empty file
        with open_shard(source / name) as shard:
            if "schema" in shard.schema_arrow.names:
                for batch in shard.iter_batches(batch_size=1, columns=["schema"]):
                    named = batch.column(0)[0].as_py()
                    if named:
                        return stored_schema(str(named))
    raise ValueError(f"The days in {str(source)!r} do not specify their schema; pass one, such as 'sensorlm-26'.")


def _run(job: ShardJob) -> tuple[str, ShardCounts]:
    return job.name, caption_shard(job)


# Processes


def caption_in_processes(jobs: Sequence[ShardJob], num_proc: int) -> Results:
    """Captions shards in local processes and yields the results in order of completion."""
    # Spawned, not forked: pyarrow already has threads, whose locks a fork would inherit.
    pool = ProcessPoolExecutor(
        min(num_proc, len(jobs)), mp_context=multiprocessing.get_context("spawn"), initializer=_start_worker
    )
    try:
        for future in as_completed([pool.submit(_run, job) for job in jobs]):
            yield future.result()
    except BrokenProcessPool:
        raise ChildProcessError(
            "A captioning process was killed, perhaps because it ran out of memory. Run the same command again to"
            " resume, with fewer processes if it happens again."
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)  # running shards are finished, so that no work is lost


def _start_worker() -> None:
    pa.set_cpu_count(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles it
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    # A killed parent does not shut down its workers, which would wait forever or write concurrently with the next run.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


# Provenance


def _check_disjoint(source: Path, target: Path) -> None:
    a, b = source.resolve(), target.resolve()
    if a == b or a in b.parents or b in a.parents:
        raise ValueError(
            f"The output must be outside the input, got {str(target)!r} for {str(source)!r}; choose another folder."
        )


def _digest(source: Path, name: str) -> tuple[int, str]:
    try:
        return shard_digest(source / name)
    except ValueError as error:
        raise ValueError(f"{name} in {str(source)!r}: {error}") from error


def _check_target(target: Path) -> None:
    if target.exists() and not target.is_dir():
        raise FileExistsError(f"{str(target)!r} is a file; choose a folder.")
    if target.is_dir() and not (target / MANIFEST).exists() and any(target.rglob("*.parquet")):
        raise FileExistsError(
            f"{str(target)!r} contains Parquet files not written by a captioning run; choose another folder."
        )


def _manifest(job: ShardJob, inputs: dict[str, tuple[int, str]]) -> dict[str, Any]:
    hashed: Callable[[Any], str | None] = lambda x: None if x is None else datasets.fingerprint.Hasher.hash(x)  # noqa: E731
    return {
        "format": _FORMAT,
        "keys": list(job.keys),
        "drop_values": job.drop_values,
        **job.builder.settings(),
        "tokenizer": hashed(job.builder.tokenizer),
        "paraphraser": hashed(job.builder.paraphraser),
        "input": {name: {"rows": rows, "digest": digest} for name, (rows, digest) in inputs.items()},
    }


def _check_manifest(target: Path, manifest: dict[str, Any]) -> None:
    """Writes the provenance record, or compares it with an existing one."""
    path = target / MANIFEST
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    if not path.exists():
        atomic_write_text(path, text, durable=True)
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{str(path)!r} is damaged ({error}); remove the folder and start again.") from error
    now = json.loads(text)
    differing = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if differing:
        changes = "; ".join(_difference(name, before, now) for name in differing)
        raise FileExistsError(
            f"{str(target)!r} was started with other arguments: {changes}. Choose another folder or remove this one."
        )


def _difference(name: str, before: dict[str, Any], now: dict[str, Any]) -> str:
    old, new = before.get(name), now.get(name)
    if name == "input" and isinstance(old, dict) and isinstance(new, dict):
        changed = sorted(shard for shard in {**old, **new} if old.get(shard) != new.get(shard))
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        return f"the input has changed ({changed[0]}{more})"
    if name == "code":
        return "this version of the package writes different captions"
    if name in ("schema", "wording", "tokenizer", "paraphraser"):
        return f"another {name}"
    return f"{name} was {old!r}, is {new!r}"
