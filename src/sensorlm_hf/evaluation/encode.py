"""Days and texts to embeddings, in batches, and captions for days."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import torch
from huggingface_hub.utils import tqdm

from ..days import SensorDay
from ..processing.pairing import check_pair

Item = TypeVar("Item")


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Cuts a stream into lists of `size` items; the last may be shorter.

    Raises:
        ValueError: If `size` is below 1.
    """
    if size < 1:
        raise ValueError(f"The batch size must be at least 1, got {size}.")
    stream = iter(items)
    while batch := list(islice(stream, size)):
        yield batch


def _batches(items: Sequence[Any], size: int, what: str) -> int:
    """Returns the number of batches; refuses empty input."""
    if len(items) == 0:
        raise ValueError(f"There are no {what}; give at least one.")
    if size < 1:
        raise ValueError(f"`batch_size` must be at least 1, got {size}.")
    return -(-len(items) // size)


def encode_days(
    model: Any, processor: Any, days: Sequence[SensorDay], *, batch_size: int = 64, progress: bool = False
) -> np.ndarray:
    """Embeds days with a model and a processor that are checked to fit; see [`SensorLMModel.encode_sensor`].

    Args:
        model: A [`SensorLMModel`].
        processor: Its [`SensorLMProcessor`].
        days: The days.
        batch_size: Days embedded at once.
        progress: Whether to show a progress bar.

    Returns:
        `(N, D)` float32 rows of length 1.

    Raises:
        ValueError: If the processor is not the model's, there are no days, or `batch_size` is below 1.
    """
    check_pair(model, processor)
    return model.encode_sensor(days, processor, batch_size=batch_size, show_progress_bar=progress)


def encode_texts(
    model: Any, processor: Any, texts: Sequence[str], *, batch_size: int = 64, progress: bool = False
) -> np.ndarray:
    """Embeds texts, `(N, D)` float32 rows of length 1; see [`SensorLMModel.encode_text`]."""
    return model.encode_text(texts, processor, batch_size=batch_size, show_progress_bar=progress)


@torch.inference_mode()
def caption_days(
    model: Any,
    processor: Any,
    days: Sequence[SensorDay],
    *,
    batch_size: int = 32,
    max_new_tokens: int = 128,
    progress: bool = False,
    **generate_options: Any,
) -> list[str]:
    """Generates a caption for each day; `generate_options` go to `model.generate` (greedy search by default)."""
    check_pair(model, processor)
    total = _batches(days, batch_size, "days")
    captions: list[str] = []
    for batch in tqdm(batched(days, batch_size), total=total, desc="Writing captions", disable=not progress):
        inputs = processor(sensor=batch, return_tensors="pt").to(model.device)
        tokens = model.generate(**inputs, max_new_tokens=max_new_tokens, **generate_options)
        captions += [text.strip() for text in processor.batch_decode(tokens, skip_special_tokens=True)]
    return captions
