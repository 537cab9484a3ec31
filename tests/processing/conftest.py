"""Fixtures for processors."""

from __future__ import annotations

import pytest
from extraction_cases import TINY
from transformers import AutoFeatureExtractor, AutoProcessor, PreTrainedConfig
from transformers.models.auto.feature_extraction_auto import FEATURE_EXTRACTOR_MAPPING

from sensorlm_hf.processing import SensorLMFeatureExtractor, SensorLMProcessor


class _Config(PreTrainedConfig):
    model_type = "sensorlm-processing-test"


@pytest.fixture(scope="session")
def registered() -> None:
    """Registers the processor with the Auto classes, as importing the package does."""
    if SensorLMFeatureExtractor not in FEATURE_EXTRACTOR_MAPPING._extra_content.values():
        AutoFeatureExtractor.register(_Config, SensorLMFeatureExtractor)
        AutoProcessor.register(_Config, SensorLMProcessor)


@pytest.fixture(scope="session")
def extractor() -> SensorLMFeatureExtractor:
    return SensorLMFeatureExtractor()


@pytest.fixture(scope="session")
def tiny() -> SensorLMFeatureExtractor:
    return SensorLMFeatureExtractor(TINY, window_minutes=6)
