"""A stub model with predefined embeddings, matching days, sample results, a study and an HTML page parser."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from transformers import BatchFeature

from sensorlm_hf import SensorDay
from sensorlm_hf.processing import SensorLMFeatureExtractor

MINUTES = 4


def embedded_day(vector: Sequence[float], number: int = 0, **labels: Any) -> SensorDay:
    """A day whose embedding is a two-dimensional unit vector."""
    values = np.full((MINUTES, 26), np.nan, np.float32)
    values[0, :2] = vector
    return SensorDay(values, datetime(2024, 3, 1, tzinfo=timezone.utc) + timedelta(days=number), "p", labels=labels)


def at(degrees: float) -> list[float]:
    """The unit vector at an angle."""
    return [math.cos(math.radians(degrees)), math.sin(math.radians(degrees))]


class StubExtractor:
    """Passes days through unchanged and records the batch sizes."""

    window_minutes = MINUTES
    is_one_day = staticmethod(SensorLMFeatureExtractor.is_one_day)

    def __init__(self, batches: list[int]) -> None:
        self.batches = batches

    def __call__(self, days: Sequence[SensorDay], **options: Any) -> BatchFeature:
        self.batches.append(len(days))
        values = torch.tensor(np.stack([day.values for day in days]))
        return BatchFeature({"sensor_values": values, "sensor_mask": ~values.isnan()})


class StubTokenizer:
    """Maps known texts to ids and records its calls."""

    def __init__(self, texts: Mapping[str, Sequence[float]], batches: list[int]) -> None:
        self.numbers = {text: number for number, text in enumerate(texts)}
        self.batches = batches
        self.options: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self.numbers)

    def __call__(self, texts: Sequence[str], **options: Any) -> BatchFeature:
        self.batches.append(len(texts))
        self.options = options
        ids = torch.tensor([[self.numbers[one]] for one in texts])
        return BatchFeature({"input_ids": ids, "attention_mask": torch.ones_like(ids)})


class StubProcessor:
    """A processor made of the two stubs above, which records its calls."""

    def __init__(self, texts: Mapping[str, Sequence[float]]) -> None:
        self.vectors = {text: list(vector) for text, vector in texts.items()}
        self.batches: list[int] = []
        self.feature_extractor = StubExtractor(self.batches)
        self.tokenizer = StubTokenizer(texts, self.batches)

    @property
    def options(self) -> dict[str, Any]:
        return self.tokenizer.options

    def __call__(self, sensor: Sequence[SensorDay], **options: Any) -> BatchFeature:
        return self.feature_extractor(sensor, **options)

    def batch_decode(self, tokens: torch.Tensor, skip_special_tokens: bool) -> list[str]:
        assert skip_special_tokens
        known = list(self.vectors)
        return [f" {known[number]}\n" for number in tokens[:, 0].tolist()]


class StubModel(torch.nn.Module):
    """Embeds days by their first two values and texts by a lookup table; generates the text nearest to each day."""

    def __init__(self, processor: StubProcessor, scale: float = 1.0) -> None:
        super().__init__()
        self.table = torch.tensor(list(processor.vectors.values()), dtype=torch.float32)
        self.config = SimpleNamespace(
            sensor_config=SimpleNamespace(channel_keys=None, window_minutes=MINUTES, patch_minutes=MINUTES),
            text_config=SimpleNamespace(
                vocab_size=len(self.table), max_position_embeddings=16, has_sentence_encoder=False
            ),
        )
        self.device = torch.device("cpu")
        self.logit_scale = torch.nn.Parameter(torch.tensor(math.log(scale)))
        self.options: dict[str, Any] = {}
        self.odds: tuple[float, float] | None = None

    @property
    def base_model(self) -> StubModel:
        return self

    def get_sensor_features(self, values: torch.Tensor, mask: torch.Tensor) -> SimpleNamespace:
        assert torch.is_inference_mode_enabled()
        return SimpleNamespace(pooler_output=values[:, 0, :2])

    def get_text_features(self, ids: torch.Tensor, mask: torch.Tensor) -> SimpleNamespace:
        assert torch.is_inference_mode_enabled()
        return SimpleNamespace(pooler_output=self.table[ids[:, 0]])

    def statement_logits(self, sensor_embeds: torch.Tensor, text_embeds: torch.Tensor) -> torch.Tensor | None:
        if self.odds is None:
            return None
        scale, bias = self.odds
        return scale * (sensor_embeds @ text_embeds.T) + bias

    def generate(self, sensor_values: torch.Tensor, sensor_mask: torch.Tensor, **options: Any) -> torch.Tensor:
        self.options = options
        return (sensor_values[:, 0, :2] @ self.table.T).argmax(dim=1, keepdim=True)


def stubs(texts: Mapping[str, Sequence[float]], scale: float = 1.0) -> tuple[StubModel, StubProcessor]:
    processor = StubProcessor(texts)
    return StubModel(processor, scale), processor


class Page(HTMLParser):
    """A parsed page: external resources, text in its figures, and unclosed elements."""

    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.alts: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        named = dict(attrs)
        self.outside += [v for k, v in attrs if k in ("src", "href", "srcset") and not v.startswith(("data:", "#"))]
        if tag == "img":
            self.alts.append(named.get("alt", ""))
        if tag not in ("meta", "img", "source", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


RESULTS: dict[str, Any] = {
    "zero_shot": {
        "activity": {
            "auroc": 0.8437,
            "f1": 0.25,
            "balanced_accuracy": 0.3,
            "chance": {"auroc": 0.5, "f1": 0.04, "balanced_accuracy": 0.05},
        },
        "gym_cardio": {
            "auroc": math.nan,
            "f1": 1.0,
            "balanced_accuracy": 1.0,
            "chance": {"auroc": 0.5, "f1": 0.4, "balanced_accuracy": 0.25},
        },
    },
    "retrieval": {
        "sensor_to_text": {"R@1": 0.1, "R@5": 0.4, "R@10": 0.6, "median_rank": 7.0},
        "text_to_sensor": {"R@1": 0.2, "R@5": 0.3, "R@10": 0.5, "median_rank": 8.5},
        "chance": {"R@1": 0.01, "R@5": 0.05, "R@10": 0.1, "median_rank": 50.5},
        "pool": 100,
        "days": 200,
    },
    "captioning": {"bleu4": 31.25, "rougeL": 0.5, "chance": {"bleu4": 6.0, "rougeL": 0.3}, "days": 20},
}
"""Evaluation results, limited to the fields shown in tables."""

STUDY: dict[str, Any] = {
    "title": "Ablations",
    "made": "Small models.",
    "tables": [{"head": ["levels", "AUROC"], "rows": [["a < b", "0.812 [0.790, 0.834]"], ["cap", "–"]]}],
    "figures": [
        {
            "lines": {"AUROC": [[10, 100], [0.6, None]]},
            "fits": {"AUROC": [[10, 100], [0.6, 0.7]]},
            "x_label": "training days",
            "y_label": "score",
            "title": "Scaling in data",
            "caption": "1 - AUROC over data: 0.1 + 2 x size^-0.3",
            "alt": "Scores over data.",
        }
    ],
}
"""A study with a table, and a figure in which one score is undefined."""
