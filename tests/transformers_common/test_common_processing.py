"""The feature extractor and the processor in transformers' common tests."""

from __future__ import annotations

import unittest
from typing import Any

import pytest
from common_mixins import load

from sensorlm_hf.processing import SensorLMFeatureExtractor, SensorLMProcessor, train_tokenizer

extractors = load("test_feature_extraction_common")
processors = load("test_processing_common")
pytestmark = pytest.mark.slow

WITHOUT_BREAKING = unittest.skip(
    reason="Cannot change the defaults of `SensorLMProcessor.__call__` without breaking existing calls"
)


class FeatureExtractorTest(extractors.FeatureExtractionSavingTestMixin, unittest.TestCase):
    feature_extraction_class = SensorLMFeatureExtractor
    feat_extract_dict = {"allow_empty": True}  # noqa: RUF012


class ProcessorTest(processors.ProcessorTesterMixin, unittest.TestCase):
    processor_class = SensorLMProcessor
    test_call_arguments_not_in_processor_kwargs = WITHOUT_BREAKING(lambda self: None)
    test_call_arguments_default_none = WITHOUT_BREAKING(lambda self: None)

    @classmethod
    def _setup_tokenizer(cls) -> Any:
        texts = [f"Mean heart rate {rate / 10:.1f} bpm; lower newer upper; went running." for rate in range(600, 900)]
        return train_tokenizer(texts, vocab_size=400, max_length=128)

    @classmethod
    def _setup_feature_extractor(cls) -> SensorLMFeatureExtractor:
        return SensorLMFeatureExtractor()
