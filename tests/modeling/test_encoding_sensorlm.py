from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sensorlm_hf import SensorLMModel, SensorLMProcessor

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fixtures"))
from make_tiny_checkpoint import golden_days

TINY = Path(__file__).resolve().parents[1] / "fixtures" / "tiny-coca"
TEXTS = ["A day with running.", "Slept.", "Slept 7.5 hours, heart rate 62, and then a long walk.", "A day."]


@pytest.fixture(scope="module")
def model() -> SensorLMModel:
    return SensorLMModel.from_pretrained(TINY, dtype=torch.float32)


@pytest.fixture(scope="module")
def processor() -> SensorLMProcessor:
    return SensorLMProcessor.from_pretrained(TINY)


@pytest.fixture(scope="module")
def days(processor) -> np.ndarray:
    return np.concatenate([golden_days(processor.feature_extractor)] * 2 + [np.zeros((1, 1440, 26)) + 70.0])


@torch.no_grad()
def test_days_in_every_form_and_batch(model, processor, days):
    expected = model.get_sensor_features(**processor(sensor=days)).numpy()
    for given in (days, list(days), (day for day in days), [{"values": day} for day in days]):
        result = model.encode_sensor(given, processor, batch_size=2)
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, expected, atol=1e-6)
    single = model.encode_sensor(days[0], processor.feature_extractor)
    assert single.shape == (16,)
    np.testing.assert_allclose(single, expected[0], atol=1e-6)
    raw = model.encode_sensor(days, processor, normalize_embeddings=False, convert_to_numpy=False)
    assert isinstance(raw, torch.Tensor)
    torch.testing.assert_close(torch.nn.functional.normalize(raw, dim=-1), torch.from_numpy(expected))
    assert (raw.norm(dim=1) - 1).abs().max() > 0.01


@torch.no_grad()
def test_texts_come_back_in_order(model, processor):
    expected = [model.get_text_features(**processor(text=text)).numpy()[0] for text in TEXTS]
    for given in (TEXTS, tuple(TEXTS), (text for text in TEXTS)):
        np.testing.assert_allclose(model.encode_text(given, processor, batch_size=3), expected, atol=1e-6)
    assert model.encode_text(TEXTS[0], processor.tokenizer).shape == (16,)
    assert model.encode_text("A long day. " * 50, processor).shape == (16,)


def test_modes_gradients_and_precision(model, processor, days):
    model.train().decoder.eval()
    try:
        result = model.encode_sensor(days, processor, convert_to_numpy=False)
        assert not result.requires_grad
        assert model.training
        assert not model.decoder.training
    finally:
        model.eval()
    half = SensorLMModel.from_pretrained(TINY, dtype=torch.bfloat16)
    embeds = half.encode_sensor(days, processor)
    assert embeds.dtype == np.float32
    assert (embeds * model.encode_sensor(days, processor)).sum(1).min() > 0.98


def test_a_progress_bar_on_request(model, processor, days, capsys):
    model.encode_sensor(days, processor, batch_size=2, show_progress_bar=True)
    assert "Embedding days" in capsys.readouterr().err
    model.encode_sensor(days, processor, batch_size=2)
    assert "Embedding" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda m, p: m.encode_sensor([], p), ValueError, "no days"),
        (lambda m, p: m.encode_text([], p), ValueError, "no texts"),
        (lambda m, p: m.encode_text(["a", 3], p), TypeError, r"texts\[1\].*int"),
        (lambda m, p: m.encode_text(["a"], p, batch_size=0), ValueError, "batch_size.*0"),
        (lambda m, p: m.encode_sensor([np.full((1440, 26), np.nan)], p), ValueError, "no plausible observed value"),
    ],
)
def test_bad_requests_are_explained(model, processor, call, error, words):
    with pytest.raises(error, match=words):
        call(model, processor)
