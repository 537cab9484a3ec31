"""A model whose embeddings are written down in the test, and days to go with it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from transformers import BatchFeature

from sensorlm_hf import SensorDay

MINUTES = 4


def embedded_day(vector: Sequence[float], number: int = 0, **labels: Any) -> SensorDay:
    """A day whose embedding is a vector of two numbers, scaled to length 1."""
    values = np.full((MINUTES, 26), np.nan, np.float32)
    values[0, :2] = vector
    return SensorDay(values, datetime(2024, 3, 1, tzinfo=timezone.utc) + timedelta(days=number), "p", labels=labels)


def at(degrees: float) -> list[float]:
    """The unit vector at an angle."""
    return [math.cos(math.radians(degrees)), math.sin(math.radians(degrees))]


class StubProcessor:
    """Numbers the texts that it knows; days pass unchanged. It keeps what it was asked."""

    def __init__(self, texts: Mapping[str, Sequence[float]]) -> None:
        self.vectors = {text: list(vector) for text, vector in texts.items()}
        self.numbers = {text: number for number, text in enumerate(texts)}
        self.feature_extractor = SimpleNamespace(window_minutes=MINUTES)
        self.tokenizer = range(len(texts))
        self.batches: list[int] = []
        self.options: dict[str, Any] = {}

    def __call__(self, sensor: Any = None, text: Any = None, **options: Any) -> BatchFeature:
        if sensor is not None:
            self.batches.append(len(sensor))
            values = torch.tensor(np.stack([day.values for day in sensor]))
            return BatchFeature({"sensor_values": values, "sensor_mask": ~values.isnan()})
        self.batches.append(len(text))
        self.options = options
        ids = torch.tensor([[self.numbers[one]] for one in text])
        return BatchFeature({"input_ids": ids, "attention_mask": torch.ones_like(ids)})

    def batch_decode(self, tokens: torch.Tensor, skip_special_tokens: bool) -> list[str]:
        assert skip_special_tokens
        known = list(self.numbers)
        return [f" {known[number]}\n" for number in tokens[:, 0].tolist()]


class StubModel:
    """Embeds days by their first two values and texts by the processor's table; writes the text nearest to a day."""

    def __init__(self, processor: StubProcessor, scale: float = 1.0) -> None:
        self.table = torch.tensor(list(processor.vectors.values()), dtype=torch.float32)
        self.config = SimpleNamespace(
            sensor_config=SimpleNamespace(channel_keys=None, window_minutes=MINUTES),
            text_config=SimpleNamespace(vocab_size=len(self.table), max_position_embeddings=16),
        )
        self.device = torch.device("cpu")
        self.logit_scale = torch.nn.Parameter(torch.tensor(math.log(scale)))
        self.options: dict[str, Any] = {}

    def get_sensor_features(self, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        assert torch.is_inference_mode_enabled()
        return torch.nn.functional.normalize(values[:, 0, :2], dim=-1)

    def get_text_features(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        assert torch.is_inference_mode_enabled()
        return torch.nn.functional.normalize(self.table[ids[:, 0]], dim=-1)

    def generate(self, sensor_values: torch.Tensor, sensor_mask: torch.Tensor, **options: Any) -> torch.Tensor:
        self.options = options
        return (sensor_values[:, 0, :2] @ self.table.T).argmax(dim=1, keepdim=True)


def stubs(texts: Mapping[str, Sequence[float]], scale: float = 1.0) -> tuple[StubModel, StubProcessor]:
    processor = StubProcessor(texts)
    return StubModel(processor, scale), processor
