"""Batched embeddings of days and texts."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sensorlm_hf import (
    SensorLMConfig,
    SensorLMForConditionalGeneration,
    SensorLMModel,
    SensorLMProcessor,
    encode_sensor,
    encode_text,
)

sys.path.insert(0, str(Path(__file__).parent / "fixtures"))
from make_tiny_checkpoint import golden_days

TINY = Path(__file__).parent / "fixtures" / "tiny-coca"
TEXTS = ["A day with running.", "Slept.", "Slept 7.5 hours, heart rate 62, and then a long walk.", "A day."]


@pytest.fixture(scope="module")
def model() -> SensorLMForConditionalGeneration:
    return SensorLMForConditionalGeneration.from_pretrained(TINY, dtype=torch.float32)


@pytest.fixture(scope="module")
def processor() -> SensorLMProcessor:
    return SensorLMProcessor.from_pretrained(TINY)


@pytest.fixture(scope="module")
def days(processor) -> np.ndarray:
    return np.concatenate([golden_days(processor.feature_extractor)] * 2 + [np.zeros((1, 1440, 26)) + 70.0])


@torch.no_grad()
def test_days_in_every_form_and_batch_size(model, processor, days):
    expected = model(**processor(sensor=days)).sensor_embeds.numpy()
    for given in (days, list(days), (day for day in days), [{"values": day} for day in days]):
        result = encode_sensor(model, processor, given, batch_size=2)
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, expected, atol=1e-6)
    single = encode_sensor(model, processor.feature_extractor, days[0])
    assert single.shape == (16,)
    np.testing.assert_allclose(single, expected[0], atol=1e-6)
    raw = encode_sensor(model, processor, days, normalize_embeddings=False, convert_to_numpy=False)
    assert isinstance(raw, torch.Tensor)
    torch.testing.assert_close(torch.nn.functional.normalize(raw, dim=-1), torch.from_numpy(expected))
    assert (raw.norm(dim=1) - 1).abs().max() > 0.01


@torch.no_grad()
def test_texts_keep_order(model, processor):
    expected = [model(**processor(text=text)).text_embeds.numpy()[0] for text in TEXTS]
    for given in (TEXTS, tuple(TEXTS), (text for text in TEXTS)):
        np.testing.assert_allclose(encode_text(model, processor, given, batch_size=3), expected, atol=1e-6)
    assert encode_text(model, processor.tokenizer, TEXTS[0]).shape == (16,)
    assert encode_text(model, processor, "A long day. " * 50).shape == (16,)


def test_modes_gradients_and_precision(model, processor, days):
    model.train().decoder.eval()
    try:
        result = encode_sensor(model, processor, days, convert_to_numpy=False)
        assert not result.requires_grad
        assert model.training
        assert not model.decoder.training
    finally:
        model.eval()
    half = SensorLMModel.from_pretrained(TINY, dtype=torch.bfloat16)  # the base model is sufficient for embeddings
    embeds = encode_sensor(half, processor, days)
    assert embeds.dtype == np.float32
    assert (embeds * encode_sensor(model, processor, days)).sum(1).min() > 0.98


def test_progress_bar_is_optional(model, processor, days, capsys):
    encode_sensor(model, processor, days, batch_size=2, show_progress_bar=True)
    assert "Embedding days" in capsys.readouterr().err
    encode_sensor(model, processor, days, batch_size=2)
    assert "Embedding" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda m, p: encode_sensor(m, p, []), ValueError, "no days"),
        (lambda m, p: encode_text(m, p, []), ValueError, "no texts"),
        (lambda m, p: encode_text(m, p, ["a", 3]), TypeError, r"texts\[1\].*int"),
        (lambda m, p: encode_text(m, p, ["a"], batch_size=0), ValueError, "batch_size.*0"),
        (lambda m, p: encode_sensor(m, p, [np.full((1440, 26), np.nan)]), ValueError, "no plausible observed value"),
    ],
)
def test_invalid_arguments_raise(model, processor, call, error, words):
    with pytest.raises(error, match=words):
        call(model, processor)


def test_model_without_text_embeddings_raises(processor, days):
    shape = {"channel_keys": processor.feature_extractor.channel_keys, "vocab_size": len(processor.tokenizer)}
    config = SensorLMConfig.from_size("cap", "tiny", **shape)
    model = SensorLMForConditionalGeneration(config)
    assert encode_sensor(model, processor, days[:1]).shape == (1, 192)
    with pytest.raises(ValueError, match="objective 'cap' has no text embedding"):
        encode_text(model, processor, TEXTS)
