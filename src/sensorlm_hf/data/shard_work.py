"""Description of the work of a run over shards; see `shard_runs`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .caption_shards import ShardCounts

Results = Iterator[tuple[str, ShardCounts]]
"""Names of shards and their results, in order of completion."""


@dataclass(frozen=True)
class ShardWork:
    """What a run does with each shard.

    Attributes:
        title: The work as a noun, with a capital: `"Captioning"`.
        noun: Its result in lower case: `"captions"`.
        write: Writes the shard of a job, a dataclass with `source`, `target` and `name`. It is called in other
            processes, so it must be a function of a module.
        read: Takes the path of a shard in the output and its number of rows; returns the result of an earlier run, or
            None unless it is complete.
    """

    title: str
    noun: str
    write: Callable[[Any], ShardCounts]
    read: Callable[[Path, int], ShardCounts | None]

    @property
    def manifest(self) -> str:
        """File in the output that records its provenance; hidden, so that `datasets` does not read it as data."""
        return f".{self.noun}.json"

    @property
    def lock(self) -> str:
        """File in the output that is locked during a run."""
        return f".{self.noun}.lock"
