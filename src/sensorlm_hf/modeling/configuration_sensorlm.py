"""Configurations of the SensorLM models.

[`SensorLMConfig`] holds one configuration for the sensor tower, one for the text tower and, for the objectives that
write captions, one for the decoder. The objective decides how the towers are built:

| objective | text tower | text embedding | sensor embedding | decoder | loss |
|---|---|---|---|---|---|
| `clip` | not causal | last token, projected | attention pooling | - | softmax contrastive |
| `siglip` | not causal | last token, projected | attention pooling | - | sigmoid contrastive |
| `cap` | causal | - | mean of the tokens | yes | caption |
| `coca` | causal | class token, projected | attention pooling | yes | softmax contrastive + caption |

The text side may also be a pretrained language model of transformers: see `language_model_config` of
[`SensorLMTextConfig`].

Sizes follow the public SensorLM release (Zhang et al., arXiv:2506.09108); the caption objectives follow CoCa (Yu et
al., "CoCa: Contrastive Captioners are Image-Text Foundation Models", 2022).
"""

# No `from __future__ import annotations` here: it would switch off the validation of field types.

import copy
import math
from typing import Any, Optional, Union

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec

from .configuration_checks_sensorlm import (
    _check_choice,
    _check_positive,
    _check_transformer,
    _language_model_config,
    is_causal_language_model,
)

OBJECTIVES = ("clip", "siglip", "cap", "coca")
"""Training objectives, in the order of the paper."""

SIZES = ("tiny", "small", "base", "large")
"""Model sizes of [`SensorLMConfig.from_size`]."""

POOLINGS = ("last", "cls", "none")
"""Ways to make one vector of a text: last token, appended class token, none at all."""

LANGUAGE_MODEL_POOLINGS = ("mean", "first", "last", "none")
"""The same for a pretrained language model: mean of the tokens, first token, last token, none at all."""

CLASSIFIER_POOLINGS = ("linear", "attentive")
"""Heads of [`SensorLMForSensorClassification`]."""

_CONTRASTIVE = ("clip", "siglip", "coca")
_GENERATIVE = ("cap", "coca")

_SHARED = (
    "hidden_size",
    "num_attention_heads",
    "intermediate_size",
    "hidden_act",
    "layer_norm_eps",
    "attention_dropout",
)
"""Values that every part has and that may go to all of them at once."""


@strict
class SensorLMSensorConfig(PreTrainedConfig):
    r"""Configuration of the sensor tower, a ViT over the (time, channel) plane.

    The defaults are those of the released SensorLM-B.

    Args:
        window_minutes: Length of the input window in minutes; the learned positions belong to this length.
        num_channels: Number of input channels. Defaults to the number of `channel_keys`, or 26.
        channel_keys: Keys of the input channels in order, kept so that inputs can be matched by name.
        patch_minutes: Minutes that a patch spans; divides `window_minutes`.
        patch_channels: Channels that a patch spans; divides `num_channels`.
        hidden_size: Width of the tower.
        num_hidden_layers: Number of transformer blocks.
        num_attention_heads: Attention heads of a block; divides `hidden_size`.
        intermediate_size: Width of the blocks' MLP.
        hidden_act: Activation of the MLP.
        layer_norm_eps: Epsilon of the layer norms.
        attention_dropout: Dropout on attention weights while training.
        embed_missing: Whether a learned linear map of a patch's missing entries is added to its embedding, so that the
            tower can tell an absent value from an average one. It starts at 0.
        embed_statistics: Whether the tower also tells the statistics of each channel (mean, standard deviation, minimum
            and maximum over its observed minutes, and how many they are): their sum is part of the pooled state, and
            the decoder reads them beside the patches. Captions tell them in numbers, which a small or briefly trained
            tower hardly learns to gather from its patches. The released model has none.
        skip_missing_patches: Whether patches without any observed value are left out of the computation where that
            saves time. The outputs are the same.
        use_head: Whether the tower pools its tokens with an attention head. [`SensorLMConfig`] sets it.

    Raises:
        ValueError: If the patches do not tile the window, or another value is out of range.
    """

    model_type = "sensorlm_sensor_model"
    base_config_key = "sensor_config"

    window_minutes: int = 1440
    num_channels: Optional[int] = None
    channel_keys: Optional[list[str]] = None
    patch_minutes: int = 10
    patch_channels: int = 2
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-6
    attention_dropout: Union[float, int] = 0.0
    embed_missing: bool = False
    embed_statistics: bool = False
    skip_missing_patches: bool = True
    use_head: bool = True

    def __post_init__(self, **kwargs: Any) -> None:
        if self.channel_keys is not None:
            repeated = sorted({key for key in self.channel_keys if self.channel_keys.count(key) > 1})
            if repeated:
                raise ValueError(f"SensorLMSensorConfig: `channel_keys` must be unique, but {repeated} repeat.")
            if self.num_channels is None:
                self.num_channels = len(self.channel_keys)
            if self.num_channels != len(self.channel_keys):
                raise ValueError(
                    f"SensorLMSensorConfig: `num_channels` is {self.num_channels}, but `channel_keys` names"
                    f" {len(self.channel_keys)} channels. Give only `channel_keys`, or make the two agree."
                )
        elif self.num_channels is None:
            self.num_channels = 26
        _check_positive(self, "window_minutes", "num_channels", "patch_minutes", "patch_channels")
        _check_transformer(self)
        if self.window_minutes % self.patch_minutes:
            raise ValueError(
                f"SensorLMSensorConfig: `patch_minutes` must divide `window_minutes`, got patches of"
                f" {self.patch_minutes} minutes for a window of {self.window_minutes}; the remainder is"
                f" {self.window_minutes % self.patch_minutes} minutes."
            )
        if self.num_channels % self.patch_channels:
            raise ValueError(
                f"SensorLMSensorConfig: `patch_channels` must divide the number of channels, got patches of"
                f" {self.patch_channels} channels for {self.num_channels} channels. Use patch_channels=1 or"
                f" patch_channels={self.num_channels}, or add a channel that is always missing."
            )
        super().__post_init__(**kwargs)

    @property
    def num_time_patches(self) -> int:
        """Patches along time."""
        return self.window_minutes // self.patch_minutes

    @property
    def num_channel_patches(self) -> int:
        """Patches along the channel axis."""
        return int(self.num_channels or 0) // self.patch_channels

    @property
    def num_patches(self) -> int:
        """Number of tokens of a fully observed window."""
        return self.num_time_patches * self.num_channel_patches

    @property
    def patch_size(self) -> int:
        """Values in a patch."""
        return self.patch_minutes * self.patch_channels


@strict
class SensorLMTextConfig(PreTrainedConfig):
    r"""Configuration of the text tower.

    Args:
        vocab_size: Number of tokens; `len(tokenizer)`.
        max_position_embeddings: Longest text in tokens.
        hidden_size: Width of the tower.
        num_hidden_layers: Number of transformer blocks.
        num_attention_heads: Attention heads of a block; divides `hidden_size`.
        intermediate_size: Width of the blocks' MLP.
        hidden_act: Activation of the MLP.
        layer_norm_eps: Epsilon of the layer norms.
        attention_dropout: Dropout on attention weights while training.
        causal: Whether tokens attend to earlier tokens only. [`SensorLMConfig`] sets it.
        pooling: `"last"` (last token), `"cls"` (a learned token after the text) or `"none"`.
            [`SensorLMConfig`] sets it.
        projection_size: Width of the text embedding; defaults to `hidden_size`, inside [`SensorLMConfig`] to the width
            of the sensor tower.
        rope_theta: Base of rotary positions (Su et al., "RoFormer", 2021), such as 10,000; by default positions are
            learned, as in the release. Captions say the same thing at other places, and what a number is called by
            stands a fixed way before it: with rotary positions a small tower learns to read numbers in fewer captions,
            and reads longer texts than those of its first training without new weights.
        pad_token_id: Padding token.
        bos_token_id: First token of every text; generation starts from it.
        eos_token_id: Last token of every text; generation stops at it.
        language_model_config: Configuration of a pretrained text model of transformers that takes the place of this
            tower, or a dict of its values with `model_type`; see
            [`SensorLMModel.from_sensor_text_pretrained`]. Width, heads, layers and vocabulary are then the model's;
            `pooling` is `"mean"`, `"first"` or `"last"`, and for the caption objectives `num_hidden_layers` counts the
            layers that read the text alone, while the decoder has the rest.
        freeze_language_model: Whether the pretrained weights stay as they are, as in locked-text tuning (LiT).

    Raises:
        ValueError: If a value is out of range, or the language model is none.
    """

    model_type = "sensorlm_text_model"
    base_config_key = "text_config"

    vocab_size: int = 32000
    max_position_embeddings: int = 256
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-6
    attention_dropout: Union[float, int] = 0.0
    causal: bool = False
    pooling: str = "last"
    projection_size: Optional[int] = None
    rope_theta: Optional[Union[float, int]] = None
    pad_token_id: Optional[int] = 0
    bos_token_id: Optional[int] = 1
    eos_token_id: Optional[Union[int, list[int]]] = 2
    language_model_config: Optional[Union[dict, PreTrainedConfig]] = None
    freeze_language_model: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        if self.language_model_config is None:
            _check_transformer(self)
            _check_choice(self, "pooling", POOLINGS)
            self._check_rotary()
        else:
            if self.rope_theta is not None:
                raise ValueError(
                    "SensorLMTextConfig: `rope_theta` is for our own text tower; a pretrained language model"
                    " (`language_model_config`) has positions of its own. Leave it out."
                )
            model: Any = _language_model_config(self.language_model_config)
            self.language_model_config = model
            self.vocab_size, self.hidden_size = model.vocab_size, model.hidden_size
            self.num_attention_heads = model.num_attention_heads
            self.intermediate_size = getattr(model, "intermediate_size", None) or 4 * model.hidden_size
            self.num_hidden_layers = min(self.num_hidden_layers, model.num_hidden_layers)
            self.causal = is_causal_language_model(model)
            if self.pooling not in LANGUAGE_MODEL_POOLINGS:  # what the objectives ask of our own tower
                self.pooling = "last" if self.causal else "mean"
        _check_positive(self, "vocab_size", "max_position_embeddings")
        super().__post_init__(**kwargs)

    def _check_rotary(self) -> None:
        if self.rope_theta is None:
            return
        _check_positive(self, "rope_theta")
        size = self.hidden_size // self.num_attention_heads
        if size % 2:
            raise ValueError(
                f"SensorLMTextConfig: rotary positions (`rope_theta`) turn pairs of numbers, but a head is {size} wide"
                f" ({self.hidden_size} / {self.num_attention_heads} heads). Choose another number of heads."
            )


@strict
class SensorLMDecoderConfig(PreTrainedConfig):
    r"""Configuration of the multimodal decoder, which writes captions.

    Values left at `None` are taken from the text tower.

    Args:
        num_hidden_layers: Number of layers; each is a causal self-attention block and a cross-attention block.
        num_caption_queries: Number of learned queries that gather the sensor tokens for the decoder, as in CoCa; 0
            shows it all sensor tokens.
        hidden_size: Width; must be that of the text tower.
        num_attention_heads: Attention heads of a block.
        intermediate_size: Width of the blocks' MLP.
        hidden_act: Activation of the MLP.
        layer_norm_eps: Epsilon of the layer norms.
        attention_dropout: Dropout on attention weights while training.
        lm_head_bias: Whether the head of a pretrained language model has a bias; our own has none.

    Raises:
        ValueError: If a value is out of range.
    """

    model_type = "sensorlm_decoder"
    base_config_key = "decoder_config"

    num_hidden_layers: Optional[int] = None
    num_caption_queries: int = 128
    hidden_size: Optional[int] = None
    num_attention_heads: Optional[int] = None
    intermediate_size: Optional[int] = None
    hidden_act: Optional[str] = None
    layer_norm_eps: Optional[float] = None
    attention_dropout: Optional[Union[float, int]] = None
    lm_head_bias: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        if self.num_caption_queries < 0:
            raise ValueError(
                "SensorLMDecoderConfig: `num_caption_queries` must be at least 0 (0 shows all sensor tokens), got"
                f" {self.num_caption_queries}."
            )
        super().__post_init__(**kwargs)

    def inherit(self, text_config: Any) -> None:
        """Fills the values left at `None` from the text tower and checks the result.

        Args:
            text_config: Configuration of the text tower.

        Raises:
            ValueError: If the width differs from the text tower's or a value is out of range.
        """
        for name in ("num_hidden_layers", *_SHARED):
            if getattr(self, name) is None:
                setattr(self, name, getattr(text_config, name))
        _check_transformer(self)
        if self.hidden_size != text_config.hidden_size:
            raise ValueError(
                "SensorLMDecoderConfig: the decoder reads the states of the text tower, so its `hidden_size` must equal"
                f" the tower's {text_config.hidden_size}; got {self.hidden_size}."
            )


_PARTS: dict[str, Any] = {
    "sensor_config": SensorLMSensorConfig,
    "text_config": SensorLMTextConfig,
    "decoder_config": SensorLMDecoderConfig,
}


@strict
class SensorLMConfig(PreTrainedConfig):
    r"""Configuration of [`SensorLMModel`] and [`SensorLMForSensorClassification`].

    `SensorLMConfig()` is the released SensorLM (SigLIP) of size B: 204.0 M parameters.

    Args:
        objective: `"clip"`, `"siglip"`, `"cap"` or `"coca"`.
        sensor_config: [`SensorLMSensorConfig`] or a dict of its values.
        text_config: [`SensorLMTextConfig`] or a dict of its values. `causal` and `pooling` follow the objective.
        decoder_config: [`SensorLMDecoderConfig`] or a dict of its values; `None` for the contrastive objectives, which
            have no decoder.
        contrastive_loss_weight: Weight of the contrastive loss in `coca`.
        caption_loss_weight: Weight of the caption loss in `coca`.
        logit_scale_init_value: Natural logarithm of the first temperature factor; defaults to log(10) for `siglip` and
            log(1 / 0.07) for `clip` and `coca`.
        logit_bias_init_value: First bias of the sigmoid loss.
        tie_word_embeddings: Whether the language-model head shares the weights of the token embedding.
        classifier_pooling: Head of [`SensorLMForSensorClassification`]: `"linear"` on the tower's embedding, or
            `"attentive"`, which learns its own attention pooling.
        freeze_backbone: Whether [`SensorLMForSensorClassification`] trains its head only.

    Raises:
        ValueError: If the objective is unknown or the parts do not fit.

    Example:
        >>> config = SensorLMConfig.from_size("coca", "tiny")
        >>> config.sensor_config.num_patches, config.decoder_config.num_hidden_layers
        (144, 3)
    """

    model_type = "sensorlm"
    # Spelt out, since transformers 5.20 (Python 3.10) does not take a class for its specification.
    sub_configs_defaults = {  # noqa: RUF012 - the base class declares it as a class variable
        name: SubConfigSpec(config_class=kind) for name, kind in _PARTS.items()
    }
    keys_to_ignore_at_inference = ["past_key_values", "sensor_model_output", "text_model_output"]  # noqa: RUF012

    objective: str = "siglip"
    sensor_config: Optional[Union[dict, PreTrainedConfig]] = None
    text_config: Optional[Union[dict, PreTrainedConfig]] = None
    decoder_config: Optional[Union[dict, PreTrainedConfig]] = None
    contrastive_loss_weight: Union[float, int] = 1.0
    caption_loss_weight: Union[float, int] = 2.0
    logit_scale_init_value: Optional[float] = None
    logit_bias_init_value: float = -10.0
    tie_word_embeddings: bool = False
    classifier_pooling: str = "linear"
    freeze_backbone: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        _check_choice(self, "objective", OBJECTIVES)
        _check_choice(self, "classifier_pooling", CLASSIFIER_POOLINGS)
        for name in ("contrastive_loss_weight", "caption_loss_weight"):
            if getattr(self, name) < 0:
                raise ValueError(f"SensorLMConfig: `{name}` must be at least 0, got {getattr(self, name)}.")
        if not type(self).__module__.startswith("transformers_modules."):
            # Names the pipelines whose code lies in the repository. Here the package is installed and registers its
            # own, but with this entry transformers would insist on running the repository's.
            kwargs.pop("custom_pipelines", None)
        super().__post_init__(**kwargs)
        # The sub-configurations are copied, since they are adapted to the objective and may belong to another model.
        sensor: Any = copy.deepcopy(self.sensor_config)
        text: Any = copy.deepcopy(self.text_config)
        decoder: Any = copy.deepcopy(self.decoder_config) if self.is_generative else None
        sensor.use_head = self.is_contrastive
        if text.language_model_config is None:
            text.causal = self.is_generative
            text.pooling = {"cap": "none", "coca": "cls"}.get(self.objective, "last")
        else:
            self._divide_language_model(text, decoder)
        if text.projection_size is None:
            text.projection_size = sensor.hidden_size
        if self.is_contrastive and text.projection_size != sensor.hidden_size:
            raise ValueError(
                "SensorLMConfig: text embeddings are compared with sensor embeddings, which are as wide as the sensor"
                f" tower ({sensor.hidden_size}); got a text `projection_size` of {text.projection_size}. Leave it at"
                " None."
            )
        if decoder is not None:
            decoder.inherit(text)
        self.sensor_config, self.text_config, self.decoder_config = sensor, text, decoder

    def _divide_language_model(self, text: Any, decoder: Any) -> None:
        """Gives the layers of a pretrained language model to the text tower and the decoder."""
        model = text.language_model_config
        layers = model.num_hidden_layers
        if decoder is None:
            text.num_hidden_layers = layers
        else:
            if not text.causal:
                raise ValueError(
                    f"SensorLMConfig: objective {self.objective!r} writes captions from left to right, which"
                    f" {model.model_type!r}, an encoder, cannot. Give a decoder-only language model, or use 'clip' or"
                    " 'siglip'."
                )
            if decoder.num_hidden_layers is None:
                decoder.num_hidden_layers = layers // 2
            if not 1 <= decoder.num_hidden_layers < layers:
                raise ValueError(
                    f"SensorLMConfig: the language model has {layers} layers, of which the decoder may take 1 to"
                    f" {layers - 1}; `decoder_config` has a `num_hidden_layers` of {decoder.num_hidden_layers}."
                )
            text.num_hidden_layers = layers - decoder.num_hidden_layers
        if self.objective == "cap":
            text.pooling = "none"
        elif text.pooling == "none":
            text.pooling = "last" if text.causal else "mean"

    @property
    def is_contrastive(self) -> bool:
        """Whether the model embeds sensors and texts in one space."""
        return self.objective in _CONTRASTIVE

    @property
    def is_generative(self) -> bool:
        """Whether the model writes captions."""
        return self.objective in _GENERATIVE

    @property
    def initial_logit_scale(self) -> float:
        """Natural logarithm of the first temperature factor."""
        if self.logit_scale_init_value is not None:
            return self.logit_scale_init_value
        return math.log(10.0) if self.objective == "siglip" else math.log(1 / 0.07)

    def get_text_config(self, decoder: Optional[bool] = None, encoder: Optional[bool] = None) -> PreTrainedConfig:
        """Returns the configuration of the text side.

        Args:
            decoder: Whether the part that generates is asked for. The result then is a copy whose
                `num_hidden_layers` counts the layers of the generation cache: those of the causal text tower, followed
                by the decoder's.
            encoder: Whether the part that reads text is asked for.

        Returns:
            The text tower's configuration, or the copy; of a pretrained language model the whole one's.
        """
        text: Any = self.text_config
        multimodal: Any = self.decoder_config
        if decoder and not encoder and multimodal is not None:
            if text.language_model_config is not None:
                # Its layers may differ in what they cache.
                whole = copy.deepcopy(text.language_model_config)
                for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
                    setattr(whole, name, getattr(text, name))
                return whole
            text = copy.deepcopy(text)
            text.num_hidden_layers += multimodal.num_hidden_layers
        return text

    @classmethod
    def from_size(cls, objective: str, size: str = "base", **overrides: Any) -> "SensorLMConfig":
        """Builds one of the named sizes.

        | size | width | MLP | heads | sensor layers | text layers (caption objectives: text + decoder) | patch |
        |---|---|---|---|---|---|---|
        | tiny | 192 | 768 | 3 | 6 | 4 (4 + 3) | 10 min x all channels |
        | small | 384 | 1536 | 6 | 12 | 12 (6 + 6) | 10 min x 2 channels |
        | base | 768 | 3072 | 12 | 12 | 12 (6 + 6) | 10 min x 2 channels |
        | large | 1024 | 4096 | 16 | 24 | 24 (12 + 12) | 10 min x 2 channels |

        The caption objectives split the text layers half and half into causal text layers and decoder layers, as CoCa
        does. `tiny` is made for training on a CPU; it embeds missing values.

        Args:
            objective: One of [`OBJECTIVES`].
            size: One of [`SIZES`].
            overrides: Values that differ. A name that only one part has (`vocab_size`, `patch_minutes`,
                `num_caption_queries`, ...) goes to that part; `hidden_size`, `num_attention_heads`,
                `intermediate_size`, `hidden_act`, `layer_norm_eps` and `attention_dropout` go to all; for the rest give
                `sensor_config={...}`, `text_config={...}` or `decoder_config={...}`.

        Returns:
            The configuration.

        Raises:
            ValueError: If the objective, the size or a name is unknown, or the name is ambiguous.
        """
        if objective not in OBJECTIVES:
            raise ValueError(f"`objective` must be one of {', '.join(OBJECTIVES)}, got {objective!r}.")
        if size not in SIZES:
            raise ValueError(f"`size` must be one of {', '.join(SIZES)}, got {size!r}.")
        width, intermediate, heads, sensor_layers, text_layers = {
            "tiny": (192, 768, 3, 6, 4),
            "small": (384, 1536, 6, 12, 12),
            "base": (768, 3072, 12, 12, 12),
            "large": (1024, 4096, 16, 24, 24),
        }[size]
        shape = {"hidden_size": width, "intermediate_size": intermediate, "num_attention_heads": heads}
        generative = objective in _GENERATIVE
        decoder_layers = 3 if size == "tiny" else text_layers // 2
        if generative and size != "tiny":
            text_layers -= decoder_layers
        parts: dict[str, dict[str, Any]] = {
            "sensor_config": {**shape, "num_hidden_layers": sensor_layers},
            "text_config": {**shape, "num_hidden_layers": text_layers},
            "decoder_config": {"num_hidden_layers": decoder_layers},
        }
        if size == "tiny":
            parts["sensor_config"]["embed_missing"] = True
            parts["text_config"]["vocab_size"] = 4096
            parts["decoder_config"]["num_caption_queries"] = 64
        own = _route_overrides(overrides, parts)
        if size == "tiny" and "patch_channels" not in parts["sensor_config"]:
            sensor = parts["sensor_config"]
            sensor["patch_channels"] = sensor.get("num_channels") or len(sensor.get("channel_keys") or range(26))
        if not generative:
            parts.pop("decoder_config")
        return cls(objective=objective, **parts, **own)


def _route_overrides(overrides: dict[str, Any], parts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Puts overrides where they belong in `parts`; returns those of the whole model."""
    common = set(PreTrainedConfig.__dataclass_fields__)
    fields = {part: set(kind.__dataclass_fields__) - common for part, kind in _PARTS.items()}
    whole = set(SensorLMConfig.__dataclass_fields__) - set(_PARTS) - {"objective"}
    own: dict[str, Any] = {}
    for name, value in overrides.items():
        owners = [part for part in _PARTS if name in fields[part]]
        if name in _PARTS:
            if not isinstance(value, dict):
                raise ValueError(f"`{name}` must be a dict of values that differ, got {type(value).__name__}.")
            unknown = sorted(set(value) - fields[name])
            if unknown:
                raise ValueError(f"`{name}` has no field {unknown}; it has {', '.join(sorted(fields[name]))}.")
        elif name in whole:
            own[name] = value
        elif len(owners) == 1:
            parts[owners[0]][name] = value
        elif name in _SHARED:
            parts["sensor_config"][name] = parts["text_config"][name] = value
        elif owners:
            raise ValueError(
                f"`{name}` is a value of {', '.join(owners)}. Say which one you mean, for example"
                f" {owners[0]}={{{name!r}: {value!r}}}."
            )
        else:
            raise ValueError(f"No part of SensorLMConfig has a value named {name!r}.")
    for part, values in overrides.items():
        if part in _PARTS:
            parts[part].update(values)
    return own


__all__ = [
    "CLASSIFIER_POOLINGS",
    "LANGUAGE_MODEL_POOLINGS",
    "OBJECTIVES",
    "POOLINGS",
    "SIZES",
    "SensorLMConfig",
    "SensorLMDecoderConfig",
    "SensorLMSensorConfig",
    "SensorLMTextConfig",
    "is_causal_language_model",
]
