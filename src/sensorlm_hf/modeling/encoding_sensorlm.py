"""Embeddings of many days or texts at once, in the manner of sentence-transformers."""

from collections.abc import Iterable, Iterator, Sized
from itertools import islice
from typing import Any

import torch
from torch import nn
from transformers.utils import logging as hub_logging

from .layers_sensorlm import _mean_of_tokens


class SensorLMEncodingMixin:
    """`encode_sensor` and `encode_text` of [`SensorLMModel`]."""

    config: Any
    device: Any
    sensor_model: Any
    text_model: Any
    _require: Any

    def encode_sensor(
        self,
        days: Any,
        processor: Any,
        *,
        batch_size: int = 64,
        show_progress_bar: bool = False,
        normalize_embeddings: bool = True,
        convert_to_numpy: bool = True,
        **options: Any,
    ) -> Any:
        """Embeds any number of days; no more than a batch of them is held as tensors.

        Args:
            days: A day (a `SensorDay`, a table, an array `(minutes, channels)`), or a list, generator, dataset or array
                `(days, minutes, channels)` of them, in physical units.
            processor: The model's `SensorLMProcessor` or `SensorLMFeatureExtractor`.
            batch_size: Days embedded at once.
            show_progress_bar: Whether to show a progress bar.
            normalize_embeddings: Whether rows are scaled to length 1, as the model compares them.
            convert_to_numpy: Whether to return a numpy array rather than a tensor on the CPU.
            options: Further arguments of the feature extractor, such as `allow_empty`.

        Returns:
            `(days, D)` float32, or `(D,)` for a single day.

        Raises:
            ValueError: If there is no day, `batch_size` is below 1 or a day is invalid.
        """
        extractor = getattr(processor, "feature_extractor", processor)
        single = hasattr(days, "schema") or hasattr(days, "columns") or getattr(days, "ndim", None) == 2
        single = single and not hasattr(days, "column_names")  # a dataset of days has a schema, too

        def embed(batch: list[Any]) -> torch.Tensor:
            inputs = extractor(_rows(batch), return_tensors="pt", **options).to(self.device)
            output = self.sensor_model(inputs["sensor_values"], inputs["sensor_mask"], return_dict=True)
            if output.pooler_output is not None:
                return output.pooler_output
            return _mean_of_tokens(output.last_hidden_state, output.token_mask)

        items = [days] if single else days
        rows = self._encode(items, embed, batch_size, show_progress_bar, normalize_embeddings, "days")
        rows = rows[0] if single else rows
        return rows.numpy() if convert_to_numpy else rows

    def encode_text(
        self,
        texts: Any,
        processor: Any,
        *,
        batch_size: int = 64,
        show_progress_bar: bool = False,
        normalize_embeddings: bool = True,
        convert_to_numpy: bool = True,
    ) -> Any:
        """Embeds any number of texts; texts of like length are embedded together, so that little is padded.

        Args:
            texts: A text or an iterable of them. What the model has no positions for is cut off.
            processor: The model's `SensorLMProcessor` or tokenizer.
            batch_size: Texts embedded at once.
            show_progress_bar: Whether to show a progress bar.
            normalize_embeddings: Whether rows are scaled to length 1, as the model compares them.
            convert_to_numpy: Whether to return a numpy array rather than a tensor on the CPU.

        Returns:
            `(texts, D)` float32, or `(D,)` for a single text.

        Raises:
            ValueError: If there is no text, `batch_size` is below 1, or the objective is `cap`.
            TypeError: If an item is no text; the message names it.
        """
        self._require("text embeddings")
        tokenizer = getattr(processor, "tokenizer", processor)
        positions = self.config.text_config.max_position_embeddings
        single = isinstance(texts, str)
        items = [texts] if single else list(texts)
        for index, text in enumerate(items):
            if not isinstance(text, str):
                raise TypeError(f"texts[{index}] must be a string, got {type(text).__name__}.")
        order = sorted(range(len(items)), key=lambda index: -len(items[index]))

        def embed(batch: list[str]) -> torch.Tensor:
            encoded = tokenizer(batch, return_tensors="pt", padding=True, truncation=True, max_length=positions)
            ids, mask = (encoded[name].to(self.device) for name in ("input_ids", "attention_mask"))
            return self.text_model(ids, mask, return_dict=True).pooler_output

        rows = self._encode(
            [items[index] for index in order], embed, batch_size, show_progress_bar, normalize_embeddings, "texts"
        )
        rows[torch.tensor(order)] = rows.clone()
        rows = rows[0] if single else rows
        return rows.numpy() if convert_to_numpy else rows

    def _encode(
        self, items: Iterable[Any], embed: Any, batch_size: int, show_progress_bar: bool, normalize: bool, what: str
    ) -> torch.Tensor:
        """Embeds batch by batch in evaluation mode; every module's mode is left as it was."""
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"`batch_size` must be a whole number of at least 1, got {batch_size!r}.")
        count = len(items) if isinstance(items, Sized) else None
        total = None if count is None else -(-count // batch_size)
        batches = _batches(items, batch_size)
        if show_progress_bar:
            batches = hub_logging.tqdm(batches, total=total, desc=f"Embedding {what}")
        module: Any = self
        modes = [(part, part.training) for part in module.modules()]
        module.eval()
        rows = []
        try:
            with torch.inference_mode():
                for batch in batches:
                    embeds = embed(batch)
                    embeds = embeds.float() if embeds.dtype in (torch.float16, torch.bfloat16) else embeds
                    rows.append((nn.functional.normalize(embeds, dim=-1) if normalize else embeds).cpu())
        finally:
            for part, training in modes:
                part.training = training
        if not rows:
            raise ValueError(f"There are no {what} to embed; give at least one.")
        return torch.cat(rows)


def _batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    stream = iter(items)
    while batch := list(islice(stream, size)):
        yield batch


def _rows(batch: list[Any]) -> list[Any]:
    """Takes the days out of rows of a dataset."""
    return [item["values"] if isinstance(item, dict) else item for item in batch]


__all__ = ["SensorLMEncodingMixin"]
