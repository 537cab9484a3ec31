"""Captioning on Ray Data: the shards of one folder, dealt out to the machines of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from .caption_shards import Results, ShardCounts, ShardJob, caption_shard
from .ray_session import import_ray, ray_session


def on_ray(jobs: Sequence[ShardJob], address: str, num_proc: int) -> Results:
    """Captions shards on a Ray cluster, and yields what was written as it gets done.

    Args:
        jobs: The shards; the folders that they name must be seen by all machines, and so must this package.
        address: `"local"` for a cluster of this machine, else `"auto"` or the address of one to join. A connection
            that is open already is used, and left open.
        num_proc: Most shards captioned at a time.

    Raises:
        ImportError: If Ray is not installed.
        ValueError: If a shard or a row of it is no good.
        ConnectionError: If there is no cluster at the address.
    """
    ray = import_ray("Captioning")
    if not jobs:
        return
    with ray_session(ray, address, num_proc):
        names = [{"name": job.name} for job in jobs]
        shards = ray.data.from_items(names, override_num_blocks=len(names))
        # A block is a shard, and a failed machine's shards are done again elsewhere: writing one twice does no harm.
        done = shards.map(
            _caption_row, fn_kwargs={"template": replace(jobs[0], name="")}, concurrency=min(num_proc, len(jobs))
        )
        for row in done.iter_rows():
            if row["error"]:
                raise (TypeError if row["is_type_error"] else ValueError)(row["error"])
            yield row["name"], ShardCounts(row["rows"], row["accepted"], row["rejected"], row["worker"])


def _caption_row(row: dict[str, Any], template: ShardJob) -> dict[str, Any]:
    # Mistakes in the data travel as rows: Ray would wrap them in its own traceback, and try again in vain.
    try:
        counts, error = caption_shard(replace(template, name=row["name"])), None
    except (ValueError, TypeError) as caught:
        counts, error = ShardCounts(0), caught
    return {
        "name": row["name"],
        **asdict(counts),
        "error": "" if error is None else str(error),
        "is_type_error": isinstance(error, TypeError),
    }
