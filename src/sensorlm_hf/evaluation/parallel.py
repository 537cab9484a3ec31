"""Sharing out work among processes so that the result is the one of a single process, to the last bit."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch.distributed as dist
from huggingface_hub.utils import tqdm

from .encode import batched


@dataclass(frozen=True)
class Ranks:
    """This process among those that run together.

    Attributes:
        rank: Number of this process.
        world: Number of processes.
    """

    rank: int = 0
    world: int = 1

    @classmethod
    def start(cls) -> Ranks:
        """Joins the processes that `torchrun` started, over gloo; alone, it is rank 0 of 1."""
        if not dist.is_available():
            return cls()
        if not dist.is_initialized() and int(os.environ.get("WORLD_SIZE", "1")) > 1:
            dist.init_process_group("gloo")
        return cls(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else cls()

    @property
    def first(self) -> bool:
        """Whether this process computes metrics and writes files."""
        return self.rank == 0

    def map(
        self,
        function: Callable[[list[Any]], Iterable[Any]],
        items: Sequence[Any],
        batch_size: int,
        *,
        progress: bool = False,
        description: str = "",
    ) -> list[Any]:
        """Applies a function to batches; whole batches are shared out, so each is what one process would compute.

        Args:
            function: Takes a list of items and returns a result for each.
            items: The items; the same in every process.
            batch_size: Items in a batch.
            progress: Whether the first process shows a progress bar.
            description: What the bar says.

        Returns:
            The results in the order of the items, in every process.
        """
        batches = list(batched(items, batch_size))
        own = range(self.rank, len(batches), self.world)
        shown = tqdm(own, desc=description, disable=not (progress and self.first))
        done = {number: list(function(batches[number])) for number in shown}
        if self.world > 1:
            shares: list[Any] = [None] * self.world
            dist.all_gather_object(shares, done)
            done = {number: rows for share in shares for number, rows in share.items()}
        return [row for number in range(len(batches)) for row in done[number]]

    def agree(self, value: Any) -> Any:
        """Returns the value of the first process, in every process."""
        if self.world == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def wait(self) -> None:
        """Waits until every process is here."""
        if self.world > 1:
            dist.barrier()
