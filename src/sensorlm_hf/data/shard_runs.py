"""Runs over the Parquet shards of a folder, on all cores or on a Ray cluster; interrupted runs can be resumed."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import filelock
import pyarrow as pa
from huggingface_hub.utils import tqdm

from ..io import PARTIAL, atomic_write_text
from .caption_shards import ShardCounts, find_shards, shard_digest
from .shard_work import Results, ShardWork


@dataclass(frozen=True)
class ShardRun:
    """Result of a run.

    Attributes:
        counts: Results of all shards, by earlier runs too.
        resumed: Number of days whose shards an earlier, interrupted run completed.
    """

    counts: tuple[ShardCounts, ...]
    resumed: int

    @property
    def days(self) -> int:
        """Number of days in the output."""
        return sum(count.rows for count in self.counts)

    @property
    def workers(self) -> tuple[str, ...]:
        """Worker processes of this run, as `host:pid`."""
        return tuple(sorted({count.worker for count in self.counts} - {""}))


def input_shards(source: Path) -> dict[str, tuple[int, str]]:
    """Returns the shards of a folder with their numbers of rows and hashes of their content.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If it contains no Parquet file of days, or a damaged one.
    """
    return {name: digest_of(source, name) for name in find_shards(source)}


def digest_of(source: Path, name: str) -> tuple[int, str]:
    """Returns the number of rows of a shard and a hash of its content; errors name the shard."""
    try:
        return shard_digest(source / name)
    except ValueError as error:
        raise ValueError(f"{name} in {str(source)!r}: {error}") from error


def check_folders(source: Path, target: Path, num_proc: int) -> None:
    """Checks the arguments of a run.

    Raises:
        ValueError: If `num_proc` is below 1, or one folder is inside the other.
    """
    if isinstance(num_proc, bool) or not isinstance(num_proc, int) or num_proc < 1:
        raise ValueError(f"`num_proc` must be an integer of at least 1, got {num_proc!r}.")
    a, b = source.resolve(), target.resolve()
    if a == b or a in b.parents or b in a.parents:
        raise ValueError(
            f"The output must be outside the input, got {str(target)!r} for {str(source)!r}; choose another folder."
        )


def run_shards(
    work: ShardWork,
    template: Any,
    inputs: Mapping[str, tuple[int, str]],
    settings: Mapping[str, Any],
    *,
    num_proc: int,
    ray_address: str | None,
    progress: bool,
) -> ShardRun:
    """Works through the shards that an earlier run has not completed.

    A shard appears under its name only once it is complete. The output records its provenance, so that it cannot be
    continued with other settings or another input.

    Args:
        work: What to do.
        template: The job of a shard, without its `name`.
        inputs: Result of [`input_shards`].
        settings: What the output depends on, as JSON values.
        num_proc: Number of processes; on Ray, the maximum number of shards at a time.
        ray_address: As in [`caption_folder`].
        progress: Whether to show a progress bar on standard error.

    Raises:
        FileExistsError: If the output contains Parquet files from another source, or another run is writing to it.
        ValueError: If a shard or one of its rows is invalid.
        ChildProcessError: If a process was killed, for example by the out-of-memory killer.
        ImportError: If Ray is requested but not installed.
    """
    target = Path(template.target)
    _check_target(work, target)
    target.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(target / work.lock, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise FileExistsError(
            f"Another run is writing to {str(target)!r}; wait for it, or choose another folder."
        ) from None
    try:
        recorded = {name: {"rows": rows, "digest": digest} for name, (rows, digest) in inputs.items()}
        _check_manifest(work, target, {**settings, "input": recorded})
        for partial in target.rglob(f".*{PARTIAL}"):
            partial.unlink()
        counts = {name: work.read(target / name, rows) for name, (rows, _) in inputs.items()}
        resumed = sum(count.rows for count in counts.values() if count)
        jobs = [replace(template, name=name) for name in inputs if counts[name] is None]
        total = sum(rows for rows, _ in inputs.values())
        if ray_address is not None:
            from .shard_runs_ray import run_on_ray

            results = run_on_ray(work, jobs, ray_address, num_proc)
        elif num_proc > 1 and len(jobs) > 1:
            results = run_in_processes(work, jobs, num_proc)
        else:
            results = ((job.name, work.write(job)) for job in jobs)
        with tqdm(total=total, initial=resumed, unit="day", desc=work.title, disable=not progress) as bar:
            for name, count in results:
                counts[name] = count
                bar.update(count.rows)
    finally:
        lock.release()
    return ShardRun(tuple(count for count in counts.values() if count is not None), resumed)


# Processes


def run_in_processes(work: ShardWork, jobs: Sequence[Any], num_proc: int) -> Results:
    """Works through shards in local processes and yields the results in order of completion."""
    # Spawned, not forked: pyarrow already has threads, whose locks a fork would inherit.
    pool = ProcessPoolExecutor(
        min(num_proc, len(jobs)), mp_context=multiprocessing.get_context("spawn"), initializer=_start_worker
    )
    try:
        names = {pool.submit(work.write, job): job.name for job in jobs}
        for future in as_completed(names):
            yield names[future], future.result()
    except BrokenProcessPool:
        raise ChildProcessError(
            f"A process was killed ({work.title.lower()}), perhaps because it ran out of memory. Run the same command"
            " again to resume, with fewer processes if it happens again."
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


def _check_target(work: ShardWork, target: Path) -> None:
    if target.exists() and not target.is_dir():
        raise FileExistsError(f"{str(target)!r} is a file; choose a folder.")
    if target.is_dir() and not (target / work.manifest).exists() and any(target.rglob("*.parquet")):
        raise FileExistsError(
            f"{str(target)!r} contains Parquet files that are not {work.noun} of this package; choose another folder."
        )


def _check_manifest(work: ShardWork, target: Path, manifest: dict[str, Any]) -> None:
    """Writes the provenance record, or compares it with an existing one."""
    path = target / work.manifest
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
        changes = "; ".join(_difference(work, name, before, now) for name in differing)
        raise FileExistsError(
            f"{str(target)!r} was started with other arguments: {changes}. Choose another folder or remove this one."
        )


def _difference(work: ShardWork, name: str, before: dict[str, Any], now: dict[str, Any]) -> str:
    old, new = before.get(name), now.get(name)
    if name == "input" and isinstance(old, dict) and isinstance(new, dict):
        changed = sorted(shard for shard in {**old, **new} if old.get(shard) != new.get(shard))
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        return f"the input has changed ({changed[0]}{more})"
    if name == "code":
        return f"this version of the package writes different {work.noun}"
    if name in ("schema", "wording", "tokenizer", "paraphraser", "weights"):
        return f"another {name}" if name != "weights" else "other weights"
    return f"{name} was {old!r}, is {new!r}"
