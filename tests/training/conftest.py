"""Days and a processor for the training tests."""

from __future__ import annotations

import pytest
from training_cases import TEXT_LENGTH

from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.days import SensorDay
from sensorlm_hf.processing import SensorLMFeatureExtractor, SensorLMProcessor, train_tokenizer
from sensorlm_hf.processing.captions import CaptionBuilder


@pytest.fixture(scope="session")
def simulated() -> list[SensorDay]:
    """Two days for each of six simulated subjects."""
    return simulate_days(12, seed=3, days_per_person=2)


@pytest.fixture(scope="session")
def processor(simulated: list[SensorDay]) -> SensorLMProcessor:
    """A processor whose tokenizer is trained on the captions of these days."""
    tokenizer = train_tokenizer(CaptionBuilder().batch(simulated), vocab_size=400, max_length=TEXT_LENGTH)
    return SensorLMProcessor(SensorLMFeatureExtractor(), tokenizer)
