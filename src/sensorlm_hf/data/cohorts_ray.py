"""Cohorts on Ray Data: distributes the shards of a cohort across the machines of a cluster."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from .cards import DayStatistics
from .cohort_shards import CohortShard
from .ray_session import import_ray, ray_session


def write_on_ray(shards: Sequence[CohortShard], address: str, num_proc: int) -> Iterator[DayStatistics]:
    """Writes shards on a Ray cluster and yields their statistics in order of completion.

    Args:
        shards: The shards; all machines must have access to their folder and to this package.
        address: `"local"` for a cluster on this machine, otherwise `"auto"` or the address of one to join. An existing
            connection is reused and left open.
        num_proc: Maximum number of shards written concurrently.

    Raises:
        ImportError: If Ray is not installed.
        ConnectionError: If there is no cluster at the address.
    """
    ray = import_ray("Writing")
    with ray_session(ray, address, num_proc):
        rows = ray.data.from_items([asdict(shard) for shard in shards], override_num_blocks=len(shards))
        # A block is a shard; shards of a failed machine are redone elsewhere, and writing one twice is harmless.
        done = rows.map(_write_row, compute=ray.data.TaskPoolStrategy(size=min(num_proc, len(shards))))
        for row in done.iter_rows():
            yield pickle.loads(row["statistics"])


def _write_row(row: dict[str, Any]) -> dict[str, Any]:
    return {"statistics": pickle.dumps(CohortShard(**row).write())}
