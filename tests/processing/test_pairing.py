"""Compatibility checks between a model and a processor."""

from __future__ import annotations

import pytest

from sensorlm_hf.modeling import SensorLMConfig, SensorLMModel
from sensorlm_hf.processing import SensorLMFeatureExtractor, SensorLMProcessor, train_tokenizer
from sensorlm_hf.processing.pairing import check_pair


def a_model(**overrides: object) -> SensorLMModel:
    values: dict[str, object] = {
        "hidden_size": 8,
        "intermediate_size": 8,
        "num_attention_heads": 1,
        "patch_minutes": 120,
        "sensor_config": {"num_hidden_layers": 1},
        "text_config": {"num_hidden_layers": 1},
        "vocab_size": 270,
        "channel_keys": list(SensorLMFeatureExtractor().channel_keys),
    }
    return SensorLMModel(SensorLMConfig.from_size("clip", "tiny", **{**values, **overrides}))


def a_processor(words: int = 270, **extractor: object) -> SensorLMProcessor:
    texts = ["running and swimming and cycling and walking all day"] * 3
    return SensorLMProcessor(SensorLMFeatureExtractor(**extractor), train_tokenizer(texts, vocab_size=words))


def test_matching_model_and_processor_pass() -> None:
    check_pair(a_model(), a_processor())
    check_pair(a_model(vocab_size=300), a_processor())  # a larger embedding table leaves room for additional tokens


def test_channel_check_is_skipped_without_channel_names() -> None:
    check_pair(a_model(channel_keys=None, num_channels=26), a_processor())


def test_other_channels_raise() -> None:
    with pytest.raises(ValueError, match="channel"):
        check_pair(a_model(), a_processor(schema="sensorlm-34"))
    keys = list(SensorLMFeatureExtractor().channel_keys)
    with pytest.raises(ValueError, match="channel"):
        check_pair(a_model(channel_keys=[keys[1], keys[0], *keys[2:]]), a_processor())


def test_other_window_length() -> None:
    check_pair(a_model(), a_processor(window_minutes=720))  # positions are interpolated
    with pytest.raises(ValueError, match=r"windows of 725 minutes, which the model cannot split into patches"):
        check_pair(a_model(), a_processor(window_minutes=725))


def test_larger_vocabulary_raises() -> None:
    with pytest.raises(ValueError, match=r"The tokenizer has 270 tokens, but the model's vocabulary size is 260"):
        check_pair(a_model(vocab_size=260), a_processor())
