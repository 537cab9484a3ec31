from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from model_cases import small_config
from transformers import AutoConfig, GenerationConfig

import sensorlm_hf
from sensorlm_hf.modeling import (
    OBJECTIVES,
    SIZES,
    SensorLMConfig,
    SensorLMModel,
    SensorLMSensorConfig,
    SensorLMTextConfig,
    pretraining_class,
)

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_default_is_the_released_base_model():
    config = SensorLMConfig()
    assert config.objective == "siglip"
    with torch.device("meta"):
        model = SensorLMModel(config)
    # The release: 204.0 M, of which 93.6 M sensor and 110.4 M text at 256 tokens and 32,000 tokens.
    assert round(parameters(model) / 1e6, 1) == 204.0
    assert round(parameters(model.base_model.sensor_model) / 1e6, 1) == 93.6
    assert round(parameters(model.base_model.text_model) / 1e6, 1) == 110.4
    assert config.sensor_config.num_patches == 1872


MILLIONS = {
    "tiny": (5.9, 5.9, 9.0, 9.5),
    "small": (57.6, 57.6, 79.3, 81.2),
    "base": (204.0, 204.0, 265.9, 273.6),
    "large": (653.2, 653.2, 827.9, 841.5),
}
"""Parameter counts in the order of the objectives."""


@pytest.mark.parametrize("size", SIZES)
def test_parameter_counts(size):
    counts = []
    for objective in OBJECTIVES:
        with torch.device("meta"):
            config = SensorLMConfig.from_size(objective, size)
            model = pretraining_class(config)(config)
        counts.append(round(parameters(model) / 1e6, 1))
    assert tuple(counts) == MILLIONS[size]
    assert f"| {size} | {' | '.join(map(str, counts))} |" in (CONFIGS / "README.md").read_text()


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("size", SIZES)
def test_config_files_match_named_sizes(objective, size):
    path = CONFIGS / f"{objective}-{size}.json"
    loaded, made = AutoConfig.from_pretrained(path), SensorLMConfig.from_size(objective, size)
    assert isinstance(loaded, SensorLMConfig)
    assert loaded.to_diff_dict() == made.to_diff_dict()
    written = json.loads(path.read_text())
    assert written == {k: v for k, v in made.to_diff_dict().items() if k != "transformers_version"}


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_configuration_round_trips(objective, tmp_path):
    config = small_config(objective, channel_keys=list("abcdef"), attention_dropout=0.1)
    config.save_pretrained(tmp_path)
    loaded = AutoConfig.from_pretrained(tmp_path)
    assert loaded.sensor_config.to_diff_dict() == config.sensor_config.to_diff_dict()
    assert loaded.to_json_string() == config.to_json_string()
    assert isinstance(loaded.text_config, SensorLMTextConfig)
    assert loaded.sensor_config.channel_keys == list("abcdef")


@pytest.mark.parametrize(
    ("objective", "causal", "pooling", "decoder"),
    [
        ("clip", False, "last", False),
        ("siglip", False, "last", False),
        ("cap", True, "none", True),
        ("coca", True, "cls", True),
    ],
)
def test_structure_follows_objective(objective, causal, pooling, decoder):
    config = SensorLMConfig.from_size(objective, "small")
    assert (config.text_config.causal, config.text_config.pooling) == (causal, pooling)
    assert (config.num_decoder_layers is not None) is decoder
    assert config.is_generative is decoder
    assert config.is_contrastive is (objective != "cap")


def test_clip_and_coca_configurations_are_convertible():
    clip = small_config("clip").to_dict()
    clip["text_config"]["pooling"] = None
    coca = SensorLMConfig.from_dict({**clip, "objective": "coca"})
    assert coca.text_config.num_hidden_layers == clip["text_config"]["num_hidden_layers"]
    assert coca.num_decoder_layers == clip["text_config"]["num_hidden_layers"]
    assert coca.text_config.causal
    back = coca.to_dict()
    back["text_config"]["pooling"] = None
    back = SensorLMConfig.from_dict({**back, "objective": "clip"})
    assert back.num_decoder_layers is None
    assert not back.text_config.causal


def test_given_sub_configurations_are_not_modified():
    text, sensor = SensorLMTextConfig(), SensorLMSensorConfig()
    config = SensorLMConfig(objective="cap", text_config=text, sensor_config=sensor)
    assert text.causal is False
    assert text.pooling is None
    assert config.text_config.causal is True


def test_decoder_depth_defaults_to_text_tower_depth():
    config = SensorLMConfig(objective="coca", text_config={"num_hidden_layers": 3})
    assert (config.num_decoder_layers, config.num_caption_queries) == (3, 128)


def test_configurations_saved_before_0_1_0_can_be_loaded():
    """They contain fields now derived from the objective, and a decoder configuration."""
    decoder = {"num_hidden_layers": 2, "num_caption_queries": 9, "hidden_size": 768, "num_attention_heads": 12}
    old = {
        "objective": "coca",
        "sensor_config": {"use_head": True, "skip_missing_patches": True, "hidden_act": "gelu"},
        "text_config": {"causal": True, "pooling": "cls", "freeze_language_model": False, "layer_norm_eps": 1e-06},
        "decoder_config": {**decoder, "lm_head_bias": False, "model_type": "sensorlm_decoder"},
        "freeze_backbone": False,
        "logit_scale_init_value": None,
    }
    config = SensorLMConfig.from_dict(old)
    assert (config.num_decoder_layers, config.num_caption_queries) == (2, 9)
    kept = json.loads(config.to_json_string())
    for part in (kept, kept["sensor_config"], kept["text_config"]):
        assert not {*part} & {"use_head", "causal", "hidden_act", "freeze_backbone", "decoder_config"}
    assert SensorLMConfig.from_dict({**old, "objective": "clip", "text_config": {}}).num_decoder_layers is None
    with pytest.raises(ValueError, match=r"num_attention_heads.*12.*8"):
        SensorLMConfig.from_dict({**old, "decoder_config": {**decoder, "num_attention_heads": 8}})
    with pytest.raises(ValueError, match=r"hidden_act.*'gelu'.*'relu'"):
        SensorLMConfig.from_dict({**old, "sensor_config": {"hidden_act": "relu"}})


def test_generation_text_config_counts_all_cache_layers():
    config = SensorLMConfig.from_size("coca", "tiny")
    assert config.get_text_config() is config.text_config
    assert config.get_text_config(decoder=True).num_hidden_layers == 7
    assert config.text_config.num_hidden_layers == 4
    clip = SensorLMConfig.from_size("clip", "tiny")
    assert clip.get_text_config(decoder=True) is clip.text_config


def test_generation_config_has_special_tokens():
    config = small_config("cap", bos_token_id=7, eos_token_id=8, pad_token_id=9)
    generation = GenerationConfig.from_model_config(config)
    assert (generation.bos_token_id, generation.eos_token_id, generation.pad_token_id) == (7, 8, 9)


def test_overrides_are_routed_to_sub_configurations():
    config = SensorLMConfig.from_size(
        "coca",
        "tiny",
        vocab_size=77,
        window_minutes=720,
        channel_keys=["a", "b", "c"],
        num_caption_queries=0,
        attention_dropout=0.2,
        caption_loss_weight=1.5,
        num_decoder_layers=1,
    )
    assert config.text_config.vocab_size == 77
    assert (config.sensor_config.window_minutes, config.sensor_config.num_channels) == (720, 3)
    assert config.sensor_config.patch_channels == 3
    assert config.sensor_config.num_patches == 72
    assert (config.num_caption_queries, config.num_decoder_layers) == (0, 1)
    assert {config.sensor_config.attention_dropout, config.text_config.attention_dropout} == {0.2}
    assert config.caption_loss_weight == 1.5


def test_contrastive_configurations_accept_decoder_options():
    assert SensorLMConfig.from_size("clip", "tiny", num_caption_queries=3).num_decoder_layers is None


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SensorLMConfig(objective="gpt"), ["objective", "clip, siglip, cap, coca", "'gpt'"]),
        (lambda: SensorLMConfig(caption_loss_weight=-1.0), ["caption_loss_weight", "-1.0"]),
        (lambda: SensorLMConfig(classifier_pooling="max"), ["classifier_pooling", "linear, attentive"]),
        (lambda: SensorLMConfig(text_config={"projection_size": 5}), ["projection_size", "768", "5"]),
        (lambda: SensorLMConfig(objective="cap", num_decoder_layers=0), ["num_decoder_layers", "above 0", "0"]),
        (lambda: SensorLMConfig(objective="coca", text_config={"pooling": "last"}), ["coca", "'cls'", "'last'"]),
        (lambda: SensorLMSensorConfig(patch_minutes=7), ["patch_minutes", "1440", "7", "remainder is 5"]),
        (lambda: SensorLMSensorConfig(patch_channels=4), ["patch_channels", "26", "4"]),
        (lambda: SensorLMSensorConfig(num_channels=0), ["num_channels", "above 0"]),
        (lambda: SensorLMSensorConfig(channel_keys=["a", "a"]), ["unique", "'a'"]),
        (lambda: SensorLMSensorConfig(channel_keys=["a", "b"], num_channels=3), ["num_channels", "3", "2"]),
        (lambda: SensorLMSensorConfig(hidden_size=100), ["num_attention_heads", "100", "12"]),
        (lambda: SensorLMSensorConfig(attention_dropout=1.0), ["attention_dropout", "[0, 1)"]),
        (lambda: SensorLMTextConfig(vocab_size=0), ["vocab_size", "above 0"]),
        (lambda: SensorLMTextConfig(pooling="mean"), ["pooling", "last, cls, none"]),
        (lambda: SensorLMConfig(num_caption_queries=-1), ["num_caption_queries", "-1"]),
        (lambda: SensorLMConfig.from_size("gpt"), ["objective", "'gpt'"]),
        (lambda: SensorLMConfig.from_size("clip", "huge"), ["size", "tiny, small, base, large"]),
        (lambda: SensorLMConfig.from_size("clip", "tiny", colour=3), ["colour"]),
        (lambda: SensorLMConfig.from_size("clip", num_hidden_layers=3), ["num_hidden_layers", "sensor_config={"]),
        (lambda: SensorLMConfig.from_size("clip", sensor_config={"colour": 3}), ["sensor_config", "colour"]),
        (lambda: SensorLMConfig.from_size("clip", sensor_config=3), ["sensor_config", "dict", "int"]),
    ],
)
def test_invalid_values_raise(make, words):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the message is checked below
        make()
    for word in words:
        assert word in str(error.value)


def test_field_types_are_validated():
    # Fails if the configuration file disables strict validation.
    with pytest.raises(Exception, match="hidden_size"):
        SensorLMSensorConfig(hidden_size="768")
    with pytest.raises(Exception, match="embed_statistics"):
        SensorLMSensorConfig(embed_statistics="yes")


@pytest.mark.parametrize("minutes", [7, 0, -60])
def test_statistics_of_blocks_that_do_not_tile_the_window_raise(minutes):
    with pytest.raises(ValueError, match=f"must be True, False, or a number of minutes .* got {minutes}"):
        SensorLMSensorConfig(embed_statistics=minutes)


def test_number_of_blocks():
    blocks = [SensorLMSensorConfig(embed_statistics=value).num_statistics_blocks for value in (False, True, 60, 1)]
    assert blocks == [0, 0, 24, 1440]
    with pytest.raises(Exception, match="embed_missing"):
        SensorLMSensorConfig(embed_missing="yes")


def test_model_files_are_self_contained_for_the_hub():
    folder = Path(sensorlm_hf.__file__).parent / "modeling"
    for name in sorted(path.name for path in folder.glob("*_sensorlm.py")):
        lines = (folder / name).read_text().splitlines()
        imports = [line for line in lines if line.startswith(("from ", "import "))]
        relative = [line for line in imports if line.startswith("from .")]
        assert all(line.split()[1].count(".") == 1 for line in relative), relative
        roots = {line.split()[1].split(".")[0] for line in imports if line not in relative}
        # transformers validates its own configurations with `strict` from huggingface_hub, its own dependency.
        assert roots - sys.stdlib_module_names <= {"torch", "transformers", "huggingface_hub"}, roots
    # Postponed annotations are strings, which configuration validation cannot check.
    lines = (folder / "configuration_sensorlm.py").read_text().splitlines()
    assert "from __future__ import annotations" not in lines
