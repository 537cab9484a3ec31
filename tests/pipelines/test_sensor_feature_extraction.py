from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoProcessor, pipeline

from sensorlm_hf.days import SensorDay
from sensorlm_hf.processing import SensorLMFeatureExtractor

TASK = "sensor-feature-extraction"


@pytest.fixture(scope="module", params=["clip", "cap"])
def objective(request):
    return request.param


@pytest.fixture(scope="module")
def pipe(folder_of, objective):
    return pipeline(TASK, model=str(folder_of(objective)), device="cpu")


@pytest.fixture(scope="module")
def oracle(folder_of, objective):
    """A model that computes every patch, and its processor."""
    model = AutoModel.from_pretrained(folder_of(objective)).eval()
    model.sensor_model.skip_missing_patches = False
    return model, AutoProcessor.from_pretrained(folder_of(objective))


def worn(day: SensorDay, hours: int) -> SensorDay:
    return day.crop(0, 60 * hours)


def test_embedding_matches_sensor_embeds(pipe, oracle, days):
    model, processor = oracle
    with torch.no_grad():
        output = model(**processor(sensor=days[0]))
    embedding = pipe(days[0])
    assert isinstance(embedding, np.ndarray)
    assert embedding.dtype == np.float32
    assert embedding == pytest.approx(output.sensor_embeds[0].numpy(), abs=1e-5)
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)


def test_normalisation_changes_only_the_norm(pipe, days):
    raw = pipe(days[0], normalize=False)
    assert np.linalg.norm(raw) != pytest.approx(1, abs=1e-2)
    assert raw / np.linalg.norm(raw) == pytest.approx(pipe(days[0]), abs=1e-5)


@pytest.mark.parametrize("hours", [24, 12, 3])
def test_patches_keep_their_position_and_missing_ones_are_zero(pipe, oracle, days, hours):
    model, processor = oracle
    day = worn(days[0], hours)
    inputs = processor(sensor=day)
    with torch.no_grad():
        states = model.sensor_model(**inputs).last_hidden_state[0].numpy()
    observed = inputs["sensor_mask"][0].reshape(24, 60, 2, 13).any(dim=3).any(dim=1).reshape(48).numpy()
    patches = pipe(day, pool=False)
    assert patches.shape == (48, 32)
    assert patches[observed] == pytest.approx(states[observed], abs=1e-4)
    assert not patches[~observed].any()
    assert (~observed).sum() >= 2 * (24 - hours)


def test_patches_can_be_normalised(pipe, days):
    patches = pipe(days[0], pool=False, normalize=True)
    lengths = np.linalg.norm(patches, axis=1)
    assert np.all(np.isclose(lengths, 1, atol=1e-5) | (lengths == 0))


@pytest.mark.parametrize("pool", [True, False])
@pytest.mark.parametrize("batch_size", [2, 8])
def test_batches_of_different_days_match_single_days(pipe, days, pool, batch_size):
    mixed = [days[0], worn(days[1], 2), days[2], worn(days[3], 9), days[4]]
    alone = [pipe(day, pool=pool) for day in mixed]
    for expected, vectors in zip(alone, pipe(mixed, pool=pool, batch_size=batch_size), strict=True):
        assert vectors == pytest.approx(expected, abs=1e-4)


def test_return_tensors(pipe, days):
    tensor = pipe(days[0], return_tensors=True)
    assert isinstance(tensor, torch.Tensor)
    assert tensor.numpy() == pytest.approx(pipe(days[0]))


@pytest.mark.parametrize("name", ["pool", "normalize", "return_tensors", "allow_empty"])
def test_options_must_be_boolean(pipe, days, name):
    with pytest.raises(TypeError, match=f"`{name}` must be True or False, got 'mean'"):
        pipe(days[0], **{name: "mean"})


def test_tokenizer_is_optional(folder_of, objective, days, pipe):
    processor = AutoProcessor.from_pretrained(folder_of(objective))
    model = AutoModel.from_pretrained(folder_of(objective))
    bare = pipeline(TASK, model=model, feature_extractor=processor.feature_extractor)
    assert bare(days[0]) == pytest.approx(pipe(days[0]), abs=1e-6)


@pytest.mark.parametrize("pool", [True, False])
def test_allow_empty(pipe, days, pool):
    empty = np.full((1440, 26), np.nan)
    alone = pipe(empty, pool=pool, allow_empty=True)
    assert np.isfinite(alone).all()
    assert pipe([days[0], empty], pool=pool, allow_empty=True, batch_size=2)[1] == pytest.approx(alone, abs=1e-5)
    with pytest.raises(ValueError, match="no plausible observed value"):
        pipe(empty, pool=pool)


def test_other_window_lengths_keep_their_patches(folder_of, objective, days, pipe):
    half = pipeline(
        TASK, model=str(folder_of(objective)), feature_extractor=SensorLMFeatureExtractor(window_minutes=720)
    )
    values = days[0].values[:720].copy()
    values[:300] = np.nan
    assert half(values, pool=False).shape == (24, 32)
    assert not half(values, pool=False)[:10].any()


def test_two_day_window(folder_of, objective, days):
    double = pipeline(
        TASK, model=str(folder_of(objective)), feature_extractor=SensorLMFeatureExtractor(window_minutes=2880)
    )
    values = np.concatenate([days[0].values, days[1].values])
    assert double(values, pool=False).shape == (96, 32)
    assert np.linalg.norm(double(values)) == pytest.approx(1, abs=1e-5)
