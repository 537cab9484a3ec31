"""Model inference: embeddings of days and texts, and generated captions, optionally distributed over processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from huggingface_hub.utils import tqdm

from ..days import SensorDay
from ..embedding import encode_sensor, encode_text
from ..processing.pairing import check_pair

Item = TypeVar("Item")

CAPTION_BATCH = 32
"""Default batch size of caption generation."""


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Splits an iterable into lists of `size` items; the last may be shorter.

    Raises:
        ValueError: If `size` is below 1.
    """
    if size < 1:
        raise ValueError(f"The batch size must be at least 1, got {size}.")
    stream = iter(items)
    while batch := list(islice(stream, size)):
        yield batch


def encode_days(
    model: Any, processor: Any, days: Sequence[SensorDay], *, batch_size: int = 64, progress: bool = False
) -> np.ndarray:
    """Embeds days after checking that model and processor match; see [`encode_sensor`].

    Args:
        model: A [`SensorLMModel`] or [`SensorLMForConditionalGeneration`].
        processor: The [`SensorLMProcessor`] of the model.
        days: The days.
        batch_size: Number of days per batch.
        progress: Whether to show a progress bar.

    Returns:
        `(N, D)` float32 embeddings of unit length.

    Raises:
        ValueError: If the processor does not match the model, there are no days, or `batch_size` is below 1.
    """
    check_pair(model, processor)
    return encode_sensor(model, processor, days, batch_size=batch_size, show_progress_bar=progress)


def encode_texts(
    model: Any, processor: Any, texts: Sequence[str], *, batch_size: int = 64, progress: bool = False
) -> np.ndarray:
    """Embeds texts as `(N, D)` float32 rows of unit length; see [`encode_text`]."""
    return encode_text(model, processor, texts, batch_size=batch_size, show_progress_bar=progress)


def logit_scale(model: Any) -> float:
    """Returns the factor that multiplies cosine similarities before the softmax."""
    return float(model.base_model.logit_scale.detach().exp())


@torch.inference_mode()
def caption_days(
    model: Any,
    processor: Any,
    days: Sequence[SensorDay],
    *,
    batch_size: int = CAPTION_BATCH,
    max_new_tokens: int = 128,
    progress: bool = False,
    **generate_options: Any,
) -> list[str]:
    """Generates a caption for each day; `generate_options` are passed to `model.generate` (greedy search by default).

    Raises:
        ValueError: If the processor does not match the model, there are no days, or `batch_size` is below 1.
    """
    check_pair(model, processor)
    if len(days) == 0:
        raise ValueError("There are no days; pass at least one.")
    if batch_size < 1:
        raise ValueError(f"`batch_size` must be at least 1, got {batch_size}.")
    captions: list[str] = []
    total = -(-len(days) // batch_size)
    for batch in tqdm(batched(days, batch_size), total=total, desc="Writing captions", disable=not progress):
        inputs = processor(sensor=batch, return_tensors="pt").to(model.device)
        tokens = model.generate(**inputs, max_new_tokens=max_new_tokens, **generate_options)
        captions += [text.strip() for text in processor.batch_decode(tokens, skip_special_tokens=True)]
    return captions


@dataclass(frozen=True)
class Ranks:
    """The rank of this process in a distributed evaluation; results are bit-identical to those of a single process.

    Attributes:
        rank: Rank of this process.
        world: Number of processes.
    """

    rank: int = 0
    world: int = 1

    @classmethod
    def start(cls) -> Ranks:
        """Joins the process group of `torchrun` with gloo; a single process is rank 0 of 1."""
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
        """Applies a function to batches, distributed over processes; batches are the same as in a single process.

        Args:
            function: Takes a list of items and returns a result for each.
            items: The items, identical in every process.
            batch_size: Number of items per batch.
            progress: Whether the first process shows a progress bar.
            description: Label of the progress bar.

        Returns:
            Results in the order of the items, in every process.
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

    def broadcast(self, value: Any) -> Any:
        """Broadcasts the value of the first process."""
        if self.world == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def wait(self) -> None:
        """Waits for all processes."""
        if self.world > 1:
            dist.barrier()
