"""Cohorts on Ray Data: the shards of one cohort, dealt out to the machines of a cluster."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from .cards import DayStatistics
from .cohort_shards import CohortShard
from .ray_session import import_ray, ray_session


def on_ray(shards: Sequence[CohortShard], address: str, num_proc: int) -> Iterator[DayStatistics]:
    """Writes shards on a Ray cluster, and yields what each holds as it gets done.

    Args:
        shards: The shards; the folder that they name must be seen by all machines, and so must this package.
        address: `"local"` for a cluster of this machine, else `"auto"` or the address of one to join. A connection
            that is open already is used, and left open.
        num_proc: Most shards written at a time.

    Raises:
        ImportError: If Ray is not installed.
        ConnectionError: If there is no cluster at the address.
    """
    ray = import_ray("Writing")
    with ray_session(ray, address, num_proc):
        rows = ray.data.from_items([asdict(shard) for shard in shards], override_num_blocks=len(shards))
        # A block is a shard, and a failed machine's shards are done again elsewhere: writing one twice does no harm.
        done = rows.map(_write_row, compute=ray.data.TaskPoolStrategy(size=min(num_proc, len(shards))))
        for row in done.iter_rows():
            yield pickle.loads(row["statistics"])


def _write_row(row: dict[str, Any]) -> dict[str, Any]:
    return {"statistics": pickle.dumps(CohortShard(**row).write())}
