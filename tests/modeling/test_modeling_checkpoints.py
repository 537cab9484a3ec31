"""Saving and loading checkpoints with every class, including checkpoints in the old format."""

from __future__ import annotations

import json
import logging

import pytest
import torch
from model_cases import days, gaps, small_config, small_model, texts
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForMultimodalLM

import sensorlm_hf  # registers the Auto classes
from sensorlm_hf.modeling import (
    OBJECTIVES,
    SensorLMConfig,
    SensorLMForConditionalGeneration,
    SensorLMForSensorClassification,
    SensorLMModel,
    SensorLMSensorModel,
    SensorLMTextModel,
    load_pretrained,
)

assert sensorlm_hf.__version__

MODELS = {objective: small_model(objective) for objective in OBJECTIVES}
VALUES, MASK = days(), gaps()
IDS, ATTENTION = texts()


def close(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def unit(rows: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(rows, dim=-1)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_save_and_load_preserves_outputs(objective, tmp_path):
    model = MODELS[objective]
    model.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").exists()
    expected = model(VALUES, MASK, IDS, ATTENTION)
    base = AutoModel.from_pretrained(tmp_path)
    assert type(base) is SensorLMModel
    for loaded in (load_pretrained(tmp_path), type(model).from_pretrained(tmp_path), base):
        assert not loaded.training
        output = loaded(VALUES, MASK, IDS, ATTENTION)
        assert torch.equal(output.sensor_embeds, expected.sensor_embeds)
        if type(loaded) is type(model):
            assert torch.equal(output.loss, expected.loss)
    tower = SensorLMSensorModel.from_pretrained(tmp_path)
    assert torch.equal(tower(VALUES, MASK)[0], model.base_model.sensor_model(VALUES, MASK)[0])
    text = SensorLMTextModel.from_pretrained(tmp_path)
    reference = model.base_model.text_model(IDS, ATTENTION)
    assert torch.equal(text(IDS, ATTENTION).last_hidden_state, reference.last_hidden_state)
    half = load_pretrained(tmp_path, dtype=torch.bfloat16)
    assert {p.dtype for p in half.parameters()} == {torch.bfloat16}


def as_coca(config: SensorLMConfig) -> SensorLMConfig:
    """The same configuration with another objective, which also changes text pooling."""
    values = config.to_dict()
    values["text_config"]["pooling"] = None
    return SensorLMConfig.from_dict({**values, "objective": "coca"})


def test_clip_checkpoint_loads_into_coca_model(tmp_path):
    clip = MODELS["clip"]
    clip.save_pretrained(tmp_path)
    config = as_coca(clip.config)
    torch.manual_seed(1)
    coca, report = SensorLMForConditionalGeneration.from_pretrained(tmp_path, config=config, output_loading_info=True)
    new = set(report["missing_keys"])
    assert new == {
        name for name, _ in coca.named_parameters()
        if name.startswith("decoder.") or name == "sensorlm.text_model.embeddings.cls_embedding"
    }  # fmt: skip
    assert not report["unexpected_keys"]
    assert not report["mismatched_keys"]
    for name, parameter in clip.named_parameters():
        assert torch.equal(dict(coca.sensorlm.named_parameters())[name], parameter), name
    # Weights missing from the checkpoint are initialised as in a new model.
    fresh = SensorLMForConditionalGeneration(config)
    for name, parameter in coca.named_parameters():
        if name in new:
            wanted = dict(fresh.named_parameters())[name]
            if wanted.std() < 1e-5:
                assert torch.equal(parameter, wanted), name
            else:
                assert 0.5 < (parameter.std() / wanted.std()).item() < 2, name
    output = coca(VALUES, MASK, IDS, ATTENTION)
    close(output.sensor_embeds, unit(clip.get_sensor_features(VALUES, MASK).pooler_output))
    assert torch.isfinite(output.loss)


def test_new_weights_are_reported(tmp_path, caplog):
    MODELS["clip"].save_pretrained(tmp_path)
    config = as_coca(MODELS["clip"].config)
    library = logging.getLogger("transformers")
    propagate, library.propagate = library.propagate, True
    try:
        with caplog.at_level(logging.WARNING):
            SensorLMForConditionalGeneration.from_pretrained(tmp_path, config=config)
    finally:
        library.propagate = propagate
    assert "cls_embedding" in caplog.text
    assert "decoder.lm_head.weight" in caplog.text
    assert "sensor_model.post_layernorm" not in caplog.text


def test_loading_classifier_checkpoint_as_base_model_raises(tmp_path):
    config = small_config("siglip")
    SensorLMForSensorClassification(config).save_pretrained(tmp_path)
    for load in (SensorLMModel.from_pretrained, AutoModel.from_pretrained):
        with pytest.raises(ValueError, match="SensorLMForSensorClassification"):
            load(tmp_path)


@pytest.mark.parametrize("objective", ["cap", "coca"])
def test_old_checkpoint_format_loads_into_both_classes(objective, tmp_path):
    """The old format has base model weights without a prefix, and a nested decoder configuration."""
    model = MODELS[objective]
    model.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    save_file(
        {name.removeprefix("sensorlm."): tensor for name, tensor in weights.items()},
        tmp_path / "model.safetensors",
        metadata={"format": "pt"},
    )
    values = json.loads((tmp_path / "config.json").read_text())
    values["decoder_config"] = {
        "num_hidden_layers": values.pop("num_decoder_layers"), "num_caption_queries": values.pop("num_caption_queries"),
        "hidden_size": 32, "hidden_act": "gelu", "layer_norm_eps": 1e-06, "lm_head_bias": False,
    }  # fmt: skip
    values.update(architectures=["SensorLMModel"], freeze_backbone=False, logit_bias_init_value=-10.0)
    values["sensor_config"].update(use_head=objective == "coca", skip_missing_patches=True, hidden_act="gelu")
    values["text_config"].update(causal=True, freeze_language_model=False, layer_norm_eps=1e-06)
    (tmp_path / "config.json").write_text(json.dumps(values))
    expected = model(VALUES, MASK, IDS, ATTENTION)
    for kind in (SensorLMModel, SensorLMForConditionalGeneration, SensorLMSensorModel, SensorLMTextModel):
        loaded, report = kind.from_pretrained(tmp_path, output_loading_info=True)
        assert not report["unexpected_keys"], kind
        if objective == "cap" and kind is SensorLMSensorModel:
            assert all(name.startswith("head.") for name in report["missing_keys"])
        else:
            assert not report["missing_keys"], kind
        assert not report["mismatched_keys"]
        if kind in (SensorLMModel, SensorLMForConditionalGeneration):
            output = loaded(VALUES, MASK, IDS, ATTENTION)
            assert torch.equal(output.sensor_embeds, expected.sensor_embeds)
    assert torch.equal(load_pretrained(tmp_path)(VALUES, MASK, IDS, ATTENTION).loss, expected.loss)
    saved = {*json.loads((tmp_path / "config.json").read_text())} - {*load_pretrained(tmp_path).config.to_dict()}
    assert saved == {"decoder_config", "freeze_backbone", "logit_bias_init_value"}


def test_towers_are_saved_without_prefix(tmp_path):
    MODELS["coca"].save_pretrained(tmp_path / "model")
    for kind in (SensorLMSensorModel, SensorLMTextModel):
        kind.from_pretrained(tmp_path / "model").save_pretrained(tmp_path / "tower")
        names = set(load_file(tmp_path / "tower" / "model.safetensors"))
        assert names == set(kind.from_pretrained(tmp_path / "tower").state_dict())


def test_captioning_without_decoder_weights_raises(tmp_path):
    MODELS["coca"].sensorlm.save_pretrained(tmp_path)
    for load in (
        SensorLMForConditionalGeneration.from_pretrained, load_pretrained, AutoModelForMultimodalLM.from_pretrained,
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"without its decoder.*SensorLMModel\.from_pretrained"):
            load(tmp_path)
    assert SensorLMModel.from_pretrained(tmp_path).config.objective == "coca"


def test_load_pretrained_rejects_other_model_types(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="'bert', not a SensorLM"):
        load_pretrained(tmp_path)
