"""Weights on the CPU or on disk that only arrive when a module runs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from model_cases import days, gaps, small_config, small_model, texts

from sensorlm_hf.modeling import OBJECTIVES, SensorLMForSensorClassification

accelerate = pytest.importorskip("accelerate")
VALUES, MASK = days(), gaps()
IDS, ATTENTION = texts()
INPUTS = {"sensor_values": VALUES, "sensor_mask": MASK, "input_ids": IDS, "attention_mask": ATTENTION}
MODELS: dict[str, Any] = {name: small_model(name) for name in OBJECTIVES}
MODELS["coca, statistics"] = small_model("coca", embed_statistics=True, embed_missing=True)
MODELS["coca, all sensor tokens"] = small_model("coca", num_caption_queries=0)


@pytest.mark.parametrize("kind", ["cpu", "disk"])
@pytest.mark.parametrize("name", list(MODELS))
@torch.no_grad()
def test_offloaded_weights_give_same_outputs(name, kind, tmp_path):
    model = MODELS[name]
    expected = model(**INPUTS)
    moved = type(model)(model.config).eval()
    moved.load_state_dict(model.state_dict())
    if kind == "cpu":
        accelerate.cpu_offload(moved, "cpu")
    else:
        accelerate.disk_offload(moved, tmp_path, "cpu")
    assert {parameter.device.type for parameter in moved.parameters()} == {"meta"}
    output = moved(**INPUTS)
    torch.testing.assert_close(output.loss, expected.loss)
    torch.testing.assert_close(output.sensor_embeds, expected.sensor_embeds)
    if model.can_generate():
        caption = moved.generate(VALUES, MASK, max_new_tokens=4)
        assert caption.tolist() == model.generate(VALUES, MASK, max_new_tokens=4).tolist()


@pytest.mark.filterwarnings("ignore:The following device_map keys")  # the scalars are parameters, not modules
@pytest.mark.parametrize("name", ["siglip", "coca"])
@torch.no_grad()
def test_device_map_with_disk(name, tmp_path):
    model = MODELS[name]
    model.save_pretrained(tmp_path / "model")
    prefix = "sensorlm." if model.can_generate() else ""
    parts = ["sensor_model", "text_model", *(key for key, _ in model.base_model.named_parameters(recurse=False))]
    device_map: dict[str, Any] = {f"{prefix}{part}": "disk" if "model" in part else "cpu" for part in parts}
    if model.can_generate():
        device_map["decoder"] = "disk"
    loaded = type(model).from_pretrained(tmp_path / "model", device_map=device_map, offload_folder=tmp_path / "offload")
    torch.testing.assert_close(loaded(**INPUTS).loss, model(**INPUTS).loss)


@torch.no_grad()
def test_classifier_with_attentive_pooling():
    config = small_config("siglip", classifier_pooling="attentive")
    config.num_labels = 3
    model = SensorLMForSensorClassification(config).eval()
    expected = model(VALUES, MASK).logits
    accelerate.cpu_offload(model, "cpu")
    torch.testing.assert_close(model(VALUES, MASK).logits, expected)
