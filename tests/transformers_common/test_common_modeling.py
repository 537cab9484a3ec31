"""Every public model class in transformers' common tests, for each objective and kind of text tower."""

from __future__ import annotations

import tempfile
import unittest
from typing import Any
from unittest import mock

import pytest
import torch
from common_mixins import load
from transformers import BertConfig, GPT2Config, PreTrainedModel

from sensorlm_hf.modeling import (
    SensorLMConfig,
    SensorLMForConditionalGeneration,
    SensorLMForSensorClassification,
    SensorLMModel,
    SensorLMSensorConfig,
    SensorLMSensorModel,
    SensorLMTextConfig,
    SensorLMTextModel,
)

common = load("test_modeling_common")
configuration = load("test_configuration_common")
pytestmark = pytest.mark.slow
# It gives every configuration an epsilon of 1, which SensorLM, whose epsilon is fixed, rightly refuses to load.
common.set_config_for_less_flaky_test = lambda config: None

ROWS, MINUTES, CHANNELS, PATCHES, LENGTH, VOCAB = 3, 60, 4, 12, 7, 99
TOWER = {"hidden_size": 32, "intermediate_size": 37, "num_attention_heads": 4, "num_hidden_layers": 2}
SENSOR = {"window_minutes": MINUTES, "num_channels": CHANNELS, "patch_channels": 2, **TOWER}
TEXT = {"vocab_size": VOCAB, "max_position_embeddings": 32, **TOWER}
BERT = BertConfig(vocab_size=VOCAB, max_position_embeddings=32, **TOWER)


def gpt2(layers: int) -> GPT2Config:
    shape = {"vocab_size": VOCAB, "n_positions": 32, "n_embd": 32, "n_layer": layers, "n_head": 4}
    return GPT2Config(**shape, pad_token_id=0, bos_token_id=1, eos_token_id=2)


def days() -> dict[str, torch.Tensor]:
    """Days without gaps, whose number of tokens does not depend on the batch."""
    return {"sensor_values": torch.randn(ROWS, MINUTES, CHANNELS)}


def texts() -> dict[str, torch.Tensor]:
    mask = torch.ones(ROWS, LENGTH, dtype=torch.long)
    mask[1:, -2:] = 0
    return {"input_ids": torch.randint(3, VOCAB, (ROWS, LENGTH)), "attention_mask": mask}


class Case:
    """What the mixins need to know of a model: its configuration and inputs.

    Args:
        parent: The test case.
        config: The configuration; copied for every test.
        inputs: Make the inputs.
        is_training: Whether the model alone computes a loss.
        layers: Layers of the tower whose states the model returns.
        tokens: Tokens that this tower reads.
    """

    batch_size = ROWS
    hidden_size, num_attention_heads = 32, 4

    def __init__(
        self, parent: Any, config: Any, *inputs: Any, is_training: bool = True, layers: int = 2, tokens: int = LENGTH
    ) -> None:
        self.parent, self.config, self.inputs, self.is_training = parent, config, inputs, is_training
        self.num_hidden_layers, self.seq_length, self.encoder_seq_length = layers, tokens, tokens

    def get_config(self) -> Any:
        return type(self.config).from_dict(self.config.to_dict())

    def prepare_config_and_inputs_for_common(self) -> tuple[Any, dict[str, torch.Tensor]]:
        return self.get_config(), {name: value for make in self.inputs for name, value in make().items()}

    prepare_config_and_inputs = prepare_config_and_inputs_for_common


def composite(objective: str, language_model: Any = None, **values: Any) -> SensorLMConfig:
    text = TEXT if language_model is None else {"language_model_config": language_model}
    return SensorLMConfig(
        objective=objective,
        sensor_config=SensorLMSensorConfig(**SENSOR),
        text_config=SensorLMTextConfig(
            **{"max_position_embeddings": 32, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, **text}
        ),
        num_caption_queries=5,
        **values,
    )


class ConfigTester(configuration.ConfigTester):
    """transformers' tests of a configuration."""

    def create_and_test_config_from_pretrained_custom_kwargs(self) -> None:
        """As the mixin's, but the vocabulary of a pretrained text tower is one level deeper."""
        config = self.parent.model_tester.get_config()
        text = getattr(config, "text_config", None)
        if text is None or not text.is_language_model:
            return super().create_and_test_config_from_pretrained_custom_kwargs()
        expected = {**text.to_dict(), "vocab_size": 20}
        expected["language_model_config"] = {**expected["language_model_config"], "vocab_size": 20}
        with tempfile.TemporaryDirectory() as folder:
            config.save_pretrained(folder)
            changed = {"language_model_config": expected["language_model_config"]}
            loaded = self.config_class.from_pretrained(folder, text_config=changed)
        assert loaded.get_text_config().to_dict() == expected


class ModelTester(common.ModelTesterMixin):
    """transformers' tests of a model, next to those of its configuration."""

    config_arguments: dict[str, Any]
    # These too apply to models made since 2023.
    test_can_init_all_missing_weights_before_2023 = True

    def test_config(self) -> None:
        kind = self.all_model_classes[0].config_class
        text = kind is SensorLMTextConfig
        ConfigTester(self, config_class=kind, has_text_modality=text, **self.config_arguments).run_common_tests()


class SensorInputs:
    """The input embedding of days is a linear map, as that of images in CLIP and SigLIP is a convolution."""

    def test_model_get_set_embeddings(self: Any) -> None:
        config, _ = self.model_tester.prepare_config_and_inputs_for_common()
        model = self.all_model_classes[0](config)
        assert isinstance(model.get_input_embeddings(), torch.nn.Linear)
        new = torch.nn.Linear(20, 32)
        model.set_input_embeddings(new)
        assert model.get_input_embeddings() is new


class SensorModelTest(SensorInputs, ModelTester, unittest.TestCase):
    all_model_classes = (SensorLMSensorModel,)
    config_arguments = {"hidden_size": 36, "num_attention_heads": 4}  # noqa: RUF012
    test_resize_embeddings = False

    def setUp(self) -> None:
        self.model_tester = Case(self, SensorLMSensorConfig(**SENSOR), days, is_training=False, tokens=PATCHES)


class TextModelTest(ModelTester, unittest.TestCase):
    all_model_classes = (SensorLMTextModel,)
    config_arguments = {"hidden_size": 36, "num_attention_heads": 4}  # noqa: RUF012
    pooling = "last"

    def setUp(self) -> None:
        self.model_tester = Case(self, SensorLMTextConfig(**TEXT, pooling=self.pooling), texts, is_training=False)


class CaptionTextModelTest(TextModelTest):
    pooling = "none"


class RotaryTextModelTest(TextModelTest):
    def setUp(self) -> None:
        config = SensorLMTextConfig(**TEXT, pooling="none", rope_theta=10_000.0)
        self.model_tester = Case(self, config, texts, is_training=False)


class Composite(ModelTester):
    all_model_classes: tuple[Any, ...] = (SensorLMModel,)
    config_arguments = {"objective": "clip"}  # noqa: RUF012
    additional_model_inputs = ["input_ids", "attention_mask"]  # noqa: RUF012
    test_attention_outputs = False
    _is_composite = True
    objective = "siglip"
    language_model: Any = None

    def setUp(self) -> None:
        config = composite(self.objective, self.language_model)
        self.model_tester = Case(self, config, days, texts, layers=config.text_config.num_hidden_layers)

    def test_attn_implementation_composite_models(self) -> None:
        """As the mixin's, which sets the attention of the text tower through `get_text_config(decoder=True)`.

        That is a copy where there is a decoder, since it counts the layers of the generation cache.
        """
        with mock.patch.object(SensorLMConfig, "get_text_config", lambda self, *args, **kwargs: self.text_config):
            super().test_attn_implementation_composite_models()

    def test_sdpa_can_dispatch_composite_models(self) -> None:
        """As the mixin's, which only knows towers for images, videos and audio."""
        (kind,) = self.all_model_classes
        model = kind(self.model_tester.get_config())
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            loaded = {name: kind.from_pretrained(folder, attn_implementation=name) for name in (None, "sdpa", "eager")}
        for name, model in loaded.items():
            expected = name or "sdpa"
            towers = [model.base_model.sensor_model, model.base_model.text_model]
            assert [tower.config._attn_implementation for tower in towers] == [expected] * 2
            attention = [m for m in model.modules() if type(m).__name__.endswith("Attention") and hasattr(m, "config")]
            assert attention
            assert {module.config._attn_implementation for module in attention} == {expected}

    # As CLIP's, SigLIP's and BLIP's own tests.

    @unittest.skip(reason="The hidden states of both towers are tested with each of them")
    def test_hidden_states_output(self) -> None: ...

    @unittest.skip(reason="The gradients of hidden states and attentions are tested with each tower")
    def test_retain_grad_hidden_states_attentions(self) -> None: ...


class Captioner(Composite):
    all_model_classes = (SensorLMForConditionalGeneration,)

    @unittest.skip(reason="The source distribution has no GenerationTesterMixin; tests/modeling tests generation")
    def test_generation_tester_mixin_inheritance(self) -> None: ...


class CaptionerWithoutEmbedding(Captioner):
    objective = "cap"

    def _text_features_prepare_config_and_inputs(self) -> Any:
        self.skipTest("A model that only writes captions has no text features; `get_text_features` says so")


class WithGPT2:
    language_model: Any = gpt2(4)  # divided between text tower and decoder

    def test_can_init_all_missing_weights(self) -> None:
        """As the mixin's, with initial weights as of a class of transformers.

        For other classes transformers leaves out the modules without parameters of their own, by which GPT-2 scales
        its residual projections: they are drawn as its other linear maps are.
        """
        with mock.patch.object(PreTrainedModel, "is_custom_code", classmethod(lambda cls: False)):
            super().test_can_init_all_missing_weights()  # type: ignore[misc]


class SiglipTest(Composite, unittest.TestCase):
    pass


class ClipTest(Composite, unittest.TestCase):
    objective = "clip"


class SiglipWithBertTest(Composite, unittest.TestCase):
    language_model = BERT


class ClipWithGPT2Test(WithGPT2, Composite, unittest.TestCase):
    objective = "clip"
    language_model = gpt2(2)


class CocaTowersTest(Composite, unittest.TestCase):
    objective = "coca"


class CocaTest(Captioner, unittest.TestCase):
    objective = "coca"


class CapTest(CaptionerWithoutEmbedding, unittest.TestCase):
    pass


class CocaWithGPT2Test(WithGPT2, Captioner, unittest.TestCase):
    objective = "coca"


class CapWithGPT2Test(WithGPT2, CaptionerWithoutEmbedding, unittest.TestCase):
    pass


class ClassifierTest(SensorInputs, ModelTester, unittest.TestCase):
    all_model_classes = (SensorLMForSensorClassification,)
    config_arguments = {"objective": "clip"}  # noqa: RUF012
    test_resize_embeddings = False
    test_attention_outputs = False
    _is_composite = True
    pooling = "linear"

    def setUp(self) -> None:
        config = composite("siglip", classifier_pooling=self.pooling)
        self.model_tester = Case(self, config, days, tokens=PATCHES)

    def _prepare_for_class(self, inputs: Any, model_class: Any, return_labels: bool = False) -> Any:
        prepared = super()._prepare_for_class(inputs, model_class, return_labels=return_labels)
        # The mixin makes labels for the classes that transformers has.
        return {**prepared, "labels": torch.arange(ROWS) % 2} if return_labels else prepared


class AttentiveClassifierTest(ClassifierTest):
    pooling = "attentive"
