"""Runs over shards on Ray Data: distributes the shards of a folder across the machines of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from .caption_shards import ShardCounts
from .ray_session import import_ray, ray_session
from .shard_work import Results, ShardWork


def run_on_ray(work: ShardWork, jobs: Sequence[Any], address: str, num_proc: int) -> Results:
    """Works through shards on a Ray cluster and yields the results in order of completion.

    Args:
        work: What to do.
        jobs: The shards; all machines must have access to their folders and to this package.
        address: `"local"` for a cluster on this machine, otherwise `"auto"` or the address of one to join. An existing
            connection is reused and left open.
        num_proc: Maximum number of shards at a time.

    Raises:
        ImportError: If Ray is not installed.
        ValueError: If a shard or one of its rows is invalid.
        ConnectionError: If there is no cluster at the address.
    """
    ray = import_ray(work.title)
    if not jobs:
        return
    with ray_session(ray, address, num_proc):
        names = [{"name": job.name} for job in jobs]
        shards = ray.data.from_items(names, override_num_blocks=len(names))
        # A block is a shard; shards of a failed machine are redone elsewhere, and writing one twice is harmless.
        options = {"write": work.write, "template": replace(jobs[0], name="")}
        done = shards.map(_run_row, fn_kwargs=options, concurrency=min(num_proc, len(jobs)))
        for row in done.iter_rows():
            if row["error"]:
                raise (TypeError if row["is_type_error"] else ValueError)(row["error"])
            yield row["name"], ShardCounts(row["rows"], row["accepted"], row["rejected"], row["worker"])


def _run_row(row: dict[str, Any], write: Any, template: Any) -> dict[str, Any]:
    # Data errors are returned as rows: Ray would wrap them in its own traceback and retry pointlessly.
    try:
        counts, error = write(replace(template, name=row["name"])), None
    except (ValueError, TypeError) as caught:
        counts, error = ShardCounts(0), caught
    return {
        "name": row["name"],
        **asdict(counts),
        "error": "" if error is None else str(error),
        "is_type_error": isinstance(error, TypeError),
    }
