"""The feature extractor and the processor in transformers' common tests."""

from __future__ import annotations

import unittest
from typing import Any

import numpy as np
import pytest
from common_mixins import load

from sensorlm_hf.processing import SensorLMFeatureExtractor, SensorLMProcessor, train_tokenizer

extractors = load("test_feature_extraction_common")
processors = load("test_processing_common")
pytestmark = pytest.mark.slow

WITHOUT_BREAKING = unittest.skip(
    reason="Cannot change the defaults of `SensorLMProcessor.__call__` without breaking existing calls"
)


class DaysAsAudio(SensorLMProcessor):
    """Takes days under the mixin's name for what a feature extractor reads."""

    def __call__(
        self, audio: Any = None, text: Any = None, audio_kwargs: dict[str, Any] | None = None, **kwargs: Any
    ) -> Any:
        return super().__call__(sensor=audio, text=text, **(audio_kwargs or {}), **kwargs)


WITH_ALL_INPUTS = ("test_model_input_names", "test_processor_with_multiple_inputs")


class FeatureExtractorTest(extractors.FeatureExtractionSavingTestMixin, unittest.TestCase):
    feature_extraction_class = SensorLMFeatureExtractor
    feat_extract_dict = {"allow_empty": True}  # noqa: RUF012


class ProcessorTest(processors.ProcessorTesterMixin, unittest.TestCase):
    processor_class = SensorLMProcessor
    audio_input_name = "sensor_values"
    test_call_arguments_not_in_processor_kwargs = WITHOUT_BREAKING(lambda self: None)
    test_call_arguments_default_none = WITHOUT_BREAKING(lambda self: None)

    def setUp(self) -> None:
        if "audio" in self._testMethodName or self._testMethodName in WITH_ALL_INPUTS:
            self.processor_class = DaysAsAudio

    def prepare_audio_inputs(self, batch_size: int | None = None) -> list[np.ndarray]:
        means = np.asarray(SensorLMFeatureExtractor().channel_means, dtype=np.float32)
        return [np.tile(means, (1440, 1))] * (batch_size or 1)

    @classmethod
    def _setup_tokenizer(cls) -> Any:
        texts = [f"Mean heart rate {rate / 10:.1f} bpm; lower newer upper; went running." for rate in range(600, 900)]
        return train_tokenizer(texts, vocab_size=400, max_length=128)

    @classmethod
    def _setup_feature_extractor(cls) -> SensorLMFeatureExtractor:
        return SensorLMFeatureExtractor()
