"""Captions for whole folders of days: in Parquet shards, on all cores or on a Ray cluster, resumable at any moment."""

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
from tqdm.auto import tqdm

from ..io import PARTIAL, atomic_write_text
from ..processing.captions import CaptionBuilder
from ..processing.captions.builder import check_keys
from ..schema import SensorSchema, get_schema
from .caption_shards import (
    Results,
    ShardCounts,
    ShardJob,
    caption_shard,
    find_shards,
    finished,
    open_shard,
    shard_digest,
)

MANIFEST = ".captions.json"
"""File in the output that says what it was made of; hidden, so that `datasets` does not take it for data."""

_LOCK = ".captions.lock"
_FORMAT = 1


@dataclass(frozen=True)
class CaptionSummary:
    """What a captioning run did.

    Attributes:
        target: Folder of the output.
        shards: Shards in it.
        days: Days in it.
        resumed: Those of the days that an earlier, broken-off run had captioned.
        accepted: Captions that a paraphraser reworded; 0 without one.
        rejected: Captions that kept the template's wording since the paraphrase was refused.
        seconds: How long this run took.
        workers: Processes that captioned in this run, as `host:pid`.
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
    """Captions a folder of days, Parquet in and Parquet out.

    Each shard of the input becomes a shard of the same name in the output, with a string column per caption key, so
    that `datasets.load_dataset(target)` has the same splits. The bytes written do not hang on the number of processes
    or machines. A run that was broken off, by whatever means, goes on where it was when it is started again with the
    same arguments; a shard appears under its name only when it is whole. Memory is that of a few hundred days, and of
    one row group of the input, for each process.

    With more than one process, call it from a file under `if __name__ == "__main__":`, since processes are spawned.

    Args:
        source: Folder of Parquet files with a `values` column, as [`write_days`] or `push_to_hub` make it.
        target: Folder to write, outside of `source`. On a cluster, both must be seen by all machines.
        builder: Writes the captions; by default one for the schema that the first day names.
        keys: Which captions, one column each; by default the builder's own.
        num_proc: Processes; on Ray, the most shards that are captioned at a time.
        drop_values: Leave the signals out: the output then holds what identifies a day, and its captions.
        ray_address: Caption on Ray Data: `"local"` starts a cluster on this machine, `"auto"` or an address joins one.
        progress: Whether to show a progress bar on standard error.

    Returns:
        What was done.

    Raises:
        FileNotFoundError: If there is no such input.
        FileExistsError: If the output holds Parquet files that were made otherwise, or another run is writing it.
        ValueError: If the input, a row or an argument is no good. What was captioned before stays.
        ChildProcessError: If a process was killed, for instance for its memory.
        ImportError: If Ray is wanted, but not installed.
    """
    source, target = Path(source), Path(target)
    if isinstance(num_proc, bool) or not isinstance(num_proc, int) or num_proc < 1:
        raise ValueError(f"`num_proc` must be a whole number of at least 1, got {num_proc!r}.")
    _check_apart(source, target)
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
        counts = {name: finished(target / name, rows) for name, (rows, _) in inputs.items()}
        resumed = sum(count.rows for count in counts.values() if count)
        jobs = [replace(job, name=name) for name in names if counts[name] is None]
        total = sum(rows for rows, _ in inputs.values())
        if ray_address is not None:
            from .captioning_ray import on_ray

            results = on_ray(jobs, ray_address, num_proc)
        else:
            results = in_processes(jobs, num_proc) if num_proc > 1 and len(jobs) > 1 else map(_run, jobs)
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
    """Returns the schema of a folder of days, from the first row that tells it.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds no days, or none that tells its schema.
    """
    source = Path(source)
    for name in find_shards(source):
        _digest(source, name)  # says which file is damaged, or holds no days
        with open_shard(source / name) as shard:
            if "schema" in shard.schema_arrow.names:
                for batch in shard.iter_batches(batch_size=1, columns=["schema"]):
                    named = batch.column(0)[0].as_py()
                    if named:
                        return get_schema(str(named))
    raise ValueError(
        f"The days in {str(source)!r} do not say what their channels are; name the schema, such as 'sensorlm-26'."
    )


def _run(job: ShardJob) -> tuple[str, ShardCounts]:
    return job.name, caption_shard(job)


# Processes


def in_processes(jobs: Sequence[ShardJob], num_proc: int) -> Results:
    """Captions shards in processes of this machine, and yields what was written as it gets done."""
    # Spawned, not forked: pyarrow has threads by now, and a fork would inherit the lock.
    pool = ProcessPoolExecutor(
        min(num_proc, len(jobs)), mp_context=multiprocessing.get_context("spawn"), initializer=_start_worker
    )
    try:
        for future in as_completed([pool.submit(_run, job) for job in jobs]):
            yield future.result()
    except BrokenProcessPool:
        raise ChildProcessError(
            "A captioning process was killed, perhaps for its memory. Start the same command again to go on, with fewer"
            " processes if it happens again."
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)  # shards at hand are finished, so that no work is lost


def _start_worker() -> None:
    pa.set_cpu_count(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles it
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    # A parent that is killed closes nothing: its workers would wait for jobs for ever, or write beside the next run.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


# What the output is made of


def _check_apart(source: Path, target: Path) -> None:
    a, b = source.resolve(), target.resolve()
    if a == b or a in b.parents or b in a.parents:
        raise ValueError(
            f"The output must lie outside the input, got {str(target)!r} for {str(source)!r}; choose a folder beside"
            " it."
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
            f"{str(target)!r} holds Parquet files that no captioning run wrote; choose another folder."
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
    """Writes the record of what the output is made of, or compares with the one that is there."""
    path = target / MANIFEST
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    if not path.exists():
        atomic_write_text(path, text, durable=True)
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{str(path)!r} is damaged ({error}); remove the folder, and start anew.") from error
    now = json.loads(text)
    differing = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if differing:
        told = "; ".join(_difference(name, before, now) for name in differing)
        raise FileExistsError(
            f"{str(target)!r} was begun with other arguments: {told}. Choose another folder, or remove this one."
        )


def _difference(name: str, before: dict[str, Any], now: dict[str, Any]) -> str:
    old, new = before.get(name), now.get(name)
    if name == "input" and isinstance(old, dict) and isinstance(new, dict):
        changed = sorted(shard for shard in {**old, **new} if old.get(shard) != new.get(shard))
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        return f"the input has changed ({changed[0]}{more})"
    if name == "code":
        return "this version of the package writes captions otherwise"
    if name in ("schema", "wording", "tokenizer", "paraphraser"):
        return f"another {name}"
    return f"{name} was {old!r}, is {new!r}"
