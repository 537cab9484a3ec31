"""Batch embedding of days and texts, with an API similar to sentence-transformers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from itertools import islice
from typing import Any

import torch
from torch import nn
from transformers.utils import logging as hub_logging


def encode_sensor(
    model: Any,
    processor: Any,
    days: Any,
    *,
    batch_size: int = 64,
    show_progress_bar: bool = False,
    normalize_embeddings: bool = True,
    convert_to_numpy: bool = True,
    **options: Any,
) -> Any:
    """Embeds any number of days, one batch at a time.

    Args:
        model: A [`SensorLMModel`] or [`SensorLMForConditionalGeneration`].
        processor: The `SensorLMProcessor` or `SensorLMFeatureExtractor` of the model.
        days: A day (a `SensorDay`, a table, an array `(minutes, channels)`), or a list, generator, dataset or array
            `(days, minutes, channels)` of them, in physical units.
        batch_size: Number of days per batch.
        show_progress_bar: Whether to show a progress bar.
        normalize_embeddings: Whether to normalize rows to unit length, as for cosine similarity.
        convert_to_numpy: Whether to return a numpy array rather than a tensor on the CPU.
        options: Additional arguments of the feature extractor, such as `allow_empty`.

    Returns:
        `(days, D)` float32, or `(D,)` for a single day.

    Raises:
        ValueError: If there are no days, `batch_size` is below 1 or a day is invalid.
    """
    extractor = getattr(processor, "feature_extractor", processor)
    single = extractor.is_one_day(days)

    def embed(batch: list[Any]) -> torch.Tensor:
        values = [item["values"] if isinstance(item, dict) else item for item in batch]
        inputs = extractor(values, return_tensors="pt", **options).to(model.device)
        return model.get_sensor_features(inputs["sensor_values"], inputs["sensor_mask"]).pooler_output

    items = [days] if single else days
    rows = _encode(model, items, embed, batch_size, show_progress_bar, normalize_embeddings, "days")
    rows = rows[0] if single else rows
    return rows.numpy() if convert_to_numpy else rows


def encode_text(
    model: Any,
    processor: Any,
    texts: Any,
    *,
    batch_size: int = 64,
    show_progress_bar: bool = False,
    normalize_embeddings: bool = True,
    convert_to_numpy: bool = True,
) -> Any:
    """Embeds any number of texts, sorted by length to reduce padding.

    Args:
        model: A [`SensorLMModel`] or [`SensorLMForConditionalGeneration`].
        processor: The `SensorLMProcessor` or tokenizer of the model.
        texts: A text or an iterable of texts. Texts longer than the maximum of the model are truncated.
        batch_size: Number of texts per batch.
        show_progress_bar: Whether to show a progress bar.
        normalize_embeddings: Whether to normalize rows to unit length, as for cosine similarity.
        convert_to_numpy: Whether to return a numpy array rather than a tensor on the CPU.

    Returns:
        `(texts, D)` float32, or `(D,)` for a single text.

    Raises:
        ValueError: If there are no texts, `batch_size` is below 1, or the objective is `cap`.
        TypeError: If an item is not a string; the error states its index.
    """
    tokenizer = getattr(processor, "tokenizer", processor)
    positions = model.config.text_config.max_position_embeddings
    single = isinstance(texts, str)
    items = [texts] if single else list(texts)
    for index, text in enumerate(items):
        if not isinstance(text, str):
            raise TypeError(f"texts[{index}] must be a string, got {type(text).__name__}.")
    order = sorted(range(len(items)), key=lambda index: -len(items[index]))

    def embed(batch: list[str]) -> torch.Tensor:
        encoded = tokenizer(batch, return_tensors="pt", padding=True, truncation=True, max_length=positions)
        ids, mask = (encoded[name].to(model.device) for name in ("input_ids", "attention_mask"))
        return model.get_text_features(ids, mask).pooler_output

    rows = _encode(
        model,
        [items[index] for index in order],
        embed,
        batch_size,
        show_progress_bar,
        normalize_embeddings,
        "texts",
    )
    rows[torch.tensor(order)] = rows.clone()
    rows = rows[0] if single else rows
    return rows.numpy() if convert_to_numpy else rows


def _encode(
    model: Any,
    items: Iterable[Any],
    embed: Any,
    batch_size: int,
    show_progress_bar: bool,
    normalize: bool,
    what: str,
) -> torch.Tensor:
    """Embeds batch by batch in evaluation mode, and restores the mode of every module."""
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"`batch_size` must be an integer of at least 1, got {batch_size!r}.")
    count = len(items) if isinstance(items, Sized) else None
    total = None if count is None else -(-count // batch_size)
    batches: Iterable[list[Any]] = _batches(items, batch_size)
    if show_progress_bar:
        batches = hub_logging.tqdm(batches, total=total, desc=f"Embedding {what}")
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    rows = []
    try:
        with torch.inference_mode():
            for batch in batches:
                embeds = embed(batch)
                embeds = embeds.float() if embeds.dtype in (torch.float16, torch.bfloat16) else embeds
                rows.append((nn.functional.normalize(embeds, dim=-1) if normalize else embeds).cpu())
    finally:
        for module, training in modes:
            module.training = training
    if not rows:
        raise ValueError(f"There are no {what} to embed; pass at least one.")
    return torch.cat(rows)


def _batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    stream = iter(items)
    while batch := list(islice(stream, size)):
        yield batch


__all__ = ["encode_sensor", "encode_text"]
