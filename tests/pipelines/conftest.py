"""Tiny random models with a tiny tokenizer, one folder per objective."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
import torch

from sensorlm_hf.days import SensorDay
from sensorlm_hf.processing import SensorLMFeatureExtractor, train_tokenizer
from tiny_models import MAX_TOKENS, tiny_folders

TEXTS = [
    "A day with running, swimming, cycling, walking and a quiet evening.",
    "The person slept for 7.5 hours, then went for a run of 40 minutes.",
    "Heart rate averaged 72.4 bpm; steps reached 120 a minute.",
]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny models run faster on one thread than on several."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_days(count: int, seed: int = 0) -> list[SensorDay]:
    """Days of smooth random signals around the population means, each with a two-hour gap."""
    extractor = SensorLMFeatureExtractor()
    means, stds = np.array(extractor.channel_means), np.array(extractor.channel_stds)
    low, high = np.array([channel["valid_range"] for channel in extractor.channels]).T
    days = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        slow = np.repeat(rng.normal(size=(24, len(means))), 60, axis=0)
        values = np.clip(means + stds * slow, low, high).astype(np.float32)
        start = 60 * int(rng.integers(22))
        values[start : start + 120] = np.nan
        values[:, rng.integers(len(means))] = np.nan
        begin = datetime(2024, 3, 1, tzinfo=timezone.utc) + timedelta(days=number)
        days.append(SensorDay(values, begin, f"p{number}"))
    return days


@pytest.fixture(scope="session")
def days() -> list[SensorDay]:
    return make_days(5)


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Returns the folder of a tiny random model, created on first use."""
    tokenizer = train_tokenizer(TEXTS, vocab_size=320, max_length=MAX_TOKENS)
    return tiny_folders(
        tmp_path_factory.mktemp("models"), tokenizer, _perturb_initial_values, patch_minutes=60, patch_channels=13
    )


def _perturb_initial_values(model: torch.nn.Module) -> None:
    """Perturbs initial values that would make biases and gaps have no effect."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
