"""Configurations of the SensorLM models.

[`SensorLMConfig`] holds one configuration for the sensor tower and one for the text tower. The objective decides how
the model is built:

| objective | text tower | text embedding | sensor embedding | decoder | loss |
|---|---|---|---|---|---|
| `clip` | bidirectional | last token, projected | attention pooling | - | softmax contrastive |
| `siglip` | bidirectional | last token, projected | attention pooling | - | sigmoid contrastive |
| `cap` | causal | - | mean of the tokens | yes | caption |
| `coca` | causal | class token, projected | attention pooling | yes | softmax contrastive + caption |

The text tower may also be a pretrained language model of transformers, or read texts with the help of a pretrained
sentence encoder: see `language_model_config` of [`SensorLMTextConfig`].

Sizes follow the public SensorLM release (Zhang et al., arXiv:2506.09108); the caption objectives follow CoCa (Yu et
al., "CoCa: Contrastive Captioners are Image-Text Foundation Models", 2022).
"""

# No `from __future__ import annotations` here: it would switch off the validation of field types.

import copy
from typing import Any, Optional, Union

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec

from .configuration_checks_sensorlm import (
    _check_choice,
    _check_positive,
    _check_transformer,
    _language_model_config,
    _remove_retired_fields,
    is_causal_language_model,
)

OBJECTIVES = ("clip", "siglip", "cap", "coca")
"""Training objectives, in the order of the paper."""

SIZES = ("tiny", "small", "base", "large")
"""Model sizes of [`SensorLMConfig.from_size`]."""

POOLINGS = ("last", "cls", "none")
"""Text poolings: last token, appended class token, none."""

LANGUAGE_MODEL_POOLINGS = ("mean", "first", "last", "none")
"""Text poolings of a pretrained language model: mean of the tokens, first token, last token, none."""

CLASSIFIER_POOLINGS = ("linear", "attentive")
"""Heads of [`SensorLMForSensorClassification`]."""

_CONTRASTIVE = ("clip", "siglip", "coca")
_GENERATIVE = ("cap", "coca")
_POOLING_OF_OBJECTIVE = {"clip": "last", "siglip": "last", "cap": "none", "coca": "cls"}

_SHARED = ("hidden_size", "num_attention_heads", "intermediate_size", "attention_dropout")
"""Fields of both towers that [`SensorLMConfig.from_size`] sets on both at once."""


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
        attention_dropout: Dropout on attention weights while training.
        embed_missing: Whether to add a learned linear map of a patch's missing entries to its embedding, so that the
            tower can distinguish an absent value from an average one. The map is initialised to 0.
        embed_statistics: Whether to embed the statistics of each channel as well (mean, standard deviation, minimum and
            maximum over its observed minutes, and the share of observed minutes). Their sum is added to the pooled
            state, and the decoder attends to them along with the patches. Captions quote these numbers, which a small
            or briefly trained tower hardly learns to aggregate from its patches. The released model has none.
            With a number of minutes that divides `window_minutes`, such as 60, the mean and the share of observed
            minutes of each block of that length are embedded as well, which tells the pooled state *when* something
            happened, such as bedtimes. Their map is initialised to 0.

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
    attention_dropout: Union[float, int] = 0.0
    embed_missing: bool = False
    embed_statistics: Union[bool, int] = False

    def __post_init__(self, **kwargs: Any) -> None:
        _remove_retired_fields(self, kwargs, "skip_missing_patches", "use_head")
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
        minutes = self.embed_statistics
        if not isinstance(minutes, bool) and (minutes <= 0 or self.window_minutes % minutes):
            raise ValueError(
                "SensorLMSensorConfig: `embed_statistics` must be True, False, or a number of minutes that divides the"
                f" window of {self.window_minutes} minutes, got {minutes}."
            )
        super().__post_init__(**kwargs)

    @property
    def num_time_patches(self) -> int:
        """Patches along time."""
        return self.window_minutes // self.patch_minutes

    @property
    def num_statistics_blocks(self) -> int:
        """Blocks of the window with embedded statistics of their own."""
        minutes = self.embed_statistics
        return 0 if isinstance(minutes, bool) else self.window_minutes // minutes

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
        max_position_embeddings: Maximum text length in tokens.
        hidden_size: Width of the tower.
        num_hidden_layers: Number of transformer blocks.
        num_attention_heads: Attention heads of a block; divides `hidden_size`.
        intermediate_size: Width of the blocks' MLP.
        attention_dropout: Dropout on attention weights while training.
        pooling: `"last"` (last token, of a bidirectional tower), `"cls"` (a learned token after the text, of a causal
            tower) or `"none"` (a causal tower without a text embedding); defaults to `"last"`. Inside
            [`SensorLMConfig`] it follows from the objective. For a pretrained language model `"mean"`, `"first"`,
            `"last"` or `"none"`, or `"cls"` for a sentence encoder.
        projection_size: Width of the text embedding; defaults to `hidden_size`. Inside [`SensorLMConfig`] it is the
            width of the sensor tower.
        rope_theta: Base of rotary position embeddings (Su et al., "RoFormer", 2021), such as 10,000. By default
            positions are learned, as in the release. The phrase that a number belongs to precedes it at a fixed
            distance wherever it occurs in a caption: with rotary positions a small tower learns to read numbers from
            fewer captions, and reads longer texts than it was trained on without new weights.
        pad_token_id: Padding token.
        bos_token_id: First token of every text; generation starts from it.
        eos_token_id: Last token of every text; generation stops at it.
        language_model_config: Configuration of a pretrained text model of transformers that replaces this tower, or a
            dict of its values with `model_type`; see [`SensorLMModel.from_sensor_text_pretrained`]. Width, heads,
            layers and vocabulary are then those of the language model. For the caption objectives `num_hidden_layers`
            counts the layers of the text tower; the decoder has the remaining ones.

            With `pooling="cls"` the language model, an encoder, does not replace the tower of `coca`: captions are
            still read and written by the tower's own causal layers, and the encoder's mean token state is added to the
            text embedding, so that the tower understands sentences that no caption contains. `vocab_size` is then the
            vocabulary of captions, the first tokens of the encoder's.

    Raises:
        ValueError: If a value is out of range, or `language_model_config` is not that of a text model.
    """

    model_type = "sensorlm_text_model"
    base_config_key = "text_config"
    # What is set for the whole model, such as the attention implementation, reaches the language model too. Not
    # `sub_configs_defaults`: that would fill in a language model where there is none.
    sub_configs = {"language_model_config": AutoConfig}  # noqa: RUF012 - the base class reads it from the class

    vocab_size: int = 32000
    max_position_embeddings: int = 256
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    attention_dropout: Union[float, int] = 0.0
    pooling: Optional[str] = None
    projection_size: Optional[int] = None
    rope_theta: Optional[Union[float, int]] = None
    pad_token_id: Optional[int] = 0
    bos_token_id: Optional[int] = 1
    eos_token_id: Optional[Union[int, list[int]]] = 2
    language_model_config: Optional[Union[dict, PreTrainedConfig]] = None

    def __post_init__(self, **kwargs: Any) -> None:
        _remove_retired_fields(self, kwargs, "causal", "freeze_language_model")
        if self.has_sentence_encoder:
            self._check_sentence_encoder()
        if not self.is_language_model:
            _check_transformer(self)
            if self.pooling is not None:
                _check_choice(self, "pooling", POOLINGS)
            self._check_rotary()
        else:
            if self.rope_theta is not None:
                raise ValueError(
                    "SensorLMTextConfig: `rope_theta` applies to SensorLM's own text tower; a pretrained language model"
                    " (`language_model_config`) has its own position embeddings. Leave it out."
                )
            model: Any = _language_model_config(self.language_model_config)
            self.language_model_config = model
            self.vocab_size, self.hidden_size = model.vocab_size, model.hidden_size
            self.num_attention_heads = model.num_attention_heads
            self.intermediate_size = getattr(model, "intermediate_size", None) or 4 * model.hidden_size
            self.num_hidden_layers = min(self.num_hidden_layers, model.num_hidden_layers)
            if self.pooling is not None:
                _check_choice(self, "pooling", LANGUAGE_MODEL_POOLINGS)
        _check_positive(self, "vocab_size", "max_position_embeddings")
        super().__post_init__(**kwargs)

    @property
    def causal(self) -> bool:
        """Whether tokens attend to earlier tokens only."""
        if self.is_language_model:
            return is_causal_language_model(self.language_model_config)
        return self.pooling in ("cls", "none")

    @property
    def has_sentence_encoder(self) -> bool:
        """Whether a pretrained encoder helps the tower's own layers to read texts."""
        return self.language_model_config is not None and self.pooling == "cls"

    @property
    def is_language_model(self) -> bool:
        """Whether a pretrained language model replaces the tower's own layers."""
        return self.language_model_config is not None and self.pooling != "cls"

    def _check_sentence_encoder(self) -> None:
        model: Any = _language_model_config(self.language_model_config)
        self.language_model_config = model
        if is_causal_language_model(model):
            raise ValueError(
                f"SensorLMTextConfig: a sentence encoder (`pooling='cls'`) must be bidirectional, but"
                f" {model.model_type!r} is a decoder-only model. Leave `pooling` out to let it replace the text tower."
            )
        if model.vocab_size < self.vocab_size:
            raise ValueError(
                f"SensorLMTextConfig: the sentence encoder has {model.vocab_size} tokens, fewer than the"
                f" {self.vocab_size} of captions (`vocab_size`), which must be its first ones."
            )

    def _check_rotary(self) -> None:
        if self.rope_theta is None:
            return
        _check_positive(self, "rope_theta")
        size = self.hidden_size // self.num_attention_heads
        if size % 2:
            raise ValueError(
                "SensorLMTextConfig: rotary positions (`rope_theta`) rotate pairs of numbers, but the width of a head"
                f" is {size} ({self.hidden_size} / {self.num_attention_heads} heads). Choose another number of heads."
            )


_PARTS: dict[str, Any] = {"sensor_config": SensorLMSensorConfig, "text_config": SensorLMTextConfig}


@strict
class SensorLMConfig(PreTrainedConfig):
    r"""Configuration of a SensorLM with both towers, of [`SensorLMModel`] and the models for tasks.

    `SensorLMConfig()` is the released SensorLM (SigLIP) of size B: 204.0 M parameters.

    Args:
        objective: `"clip"`, `"siglip"`, `"cap"` or `"coca"`.
        sensor_config: [`SensorLMSensorConfig`] or a dict of its values.
        text_config: [`SensorLMTextConfig`] or a dict of its values. `pooling` and `projection_size` follow from the
            objective and the sensor tower.
        num_decoder_layers: Layers of the decoder of `cap` and `coca`; each is a causal self-attention block and a
            cross-attention block, as wide as the text tower. Defaults to the number of text layers, with a pretrained
            language model to half of its layers. `None` for the contrastive objectives, which have no decoder.
        num_caption_queries: Number of learned queries that pool the sensor tokens for the decoder, as in CoCa; with 0
            the decoder attends to all sensor tokens.
        contrastive_loss_weight: Weight of the contrastive loss in `coca`.
        caption_loss_weight: Weight of the caption loss in `coca`.
        tie_word_embeddings: Whether the language-model head shares the weights of the token embedding.
        classifier_pooling: Head of [`SensorLMForSensorClassification`]: `"linear"` on the tower's embedding, or
            `"attentive"`, which learns its own attention pooling.

    Raises:
        ValueError: If the objective is unknown or the parts do not fit together.

    Example:
        >>> config = SensorLMConfig.from_size("coca", "tiny")
        >>> config.sensor_config.num_patches, config.num_decoder_layers
        (144, 3)
    """

    model_type = "sensorlm"
    # Spelt out, since transformers 5.20 (Python 3.10) does not accept a class in place of its specification.
    sub_configs_defaults = {  # noqa: RUF012 - the base class declares it as a class variable
        name: SubConfigSpec(config_class=kind) for name, kind in _PARTS.items()
    }
    keys_to_ignore_at_inference = [  # noqa: RUF012
        "past_key_values",
        "sensor_model_output",
        "text_model_output",
        "hidden_states",
        "attentions",
        "cross_attentions",
    ]

    objective: str = "siglip"
    sensor_config: Optional[Union[dict, PreTrainedConfig]] = None
    text_config: Optional[Union[dict, PreTrainedConfig]] = None
    num_decoder_layers: Optional[int] = None
    num_caption_queries: int = 128
    contrastive_loss_weight: Union[float, int] = 1.0
    caption_loss_weight: Union[float, int] = 2.0
    tie_word_embeddings: bool = False
    classifier_pooling: str = "linear"

    def __post_init__(self, **kwargs: Any) -> None:
        _check_choice(self, "objective", OBJECTIVES)
        _check_choice(self, "classifier_pooling", CLASSIFIER_POOLINGS)
        for name in ("contrastive_loss_weight", "caption_loss_weight", "num_caption_queries"):
            if getattr(self, name) < 0:
                raise ValueError(f"SensorLMConfig: `{name}` must be at least 0, got {getattr(self, name)}.")
        retired_decoder = self._read_decoder_config(kwargs.pop("decoder_config", None))
        _remove_retired_fields(self, kwargs, "logit_scale_init_value", "logit_bias_init_value", "freeze_backbone")
        if not type(self).__module__.startswith("transformers_modules."):
            # Pipelines whose code is stored in the repository. The installed package registers its own, but with this
            # entry transformers would insist on running the repository's.
            kwargs.pop("custom_pipelines", None)
        super().__post_init__(**kwargs)
        # The sub-configurations are copied, since the objective completes them and they may belong to another model.
        sensor: Any = copy.deepcopy(self.sensor_config)
        text: Any = copy.deepcopy(self.text_config)
        if not text.is_language_model:
            self._set_text_pooling(text)
            if not self.is_generative:
                self.num_decoder_layers = None
            elif self.num_decoder_layers is None:
                self.num_decoder_layers = text.num_hidden_layers
        else:
            self._divide_language_model(text)
        if self.num_decoder_layers is not None:
            _check_positive(self, "num_decoder_layers")
        if text.projection_size is None:
            text.projection_size = sensor.hidden_size
        if self.is_contrastive and text.projection_size != sensor.hidden_size:
            raise ValueError(
                "SensorLMConfig: text embeddings are compared with sensor embeddings, which are as wide as the sensor"
                f" tower ({sensor.hidden_size}); got a text `projection_size` of {text.projection_size}. Leave it at"
                " None."
            )
        for name in _SHARED:
            if self.is_generative and retired_decoder.get(name) not in (None, getattr(text, name)):
                raise ValueError(
                    f"SensorLMConfig: the decoder has the `{name}` of the text tower, {getattr(text, name)}, but"
                    f" `decoder_config` has {retired_decoder[name]}."
                )
        self.sensor_config, self.text_config = sensor, text

    def _read_decoder_config(self, retired: Any) -> dict[str, Any]:
        """Reads the `decoder_config` of checkpoints saved before 0.1.0; returns its values."""
        values = {} if retired is None else retired if isinstance(retired, dict) else retired.to_dict()
        if self.num_decoder_layers is None:
            self.num_decoder_layers = values.get("num_hidden_layers")
        self.num_caption_queries = values.get("num_caption_queries", self.num_caption_queries)
        return values

    def _set_text_pooling(self, text: Any) -> None:
        pooling = _POOLING_OF_OBJECTIVE[self.objective]
        if text.pooling not in (None, pooling):
            raise ValueError(
                f"SensorLMConfig: objective {self.objective!r} pools texts by {pooling!r}, got a text `pooling` of"
                f" {text.pooling!r}. Leave it at None."
            )
        text.pooling = pooling

    def _divide_language_model(self, text: Any) -> None:
        """Assigns the layers of a pretrained language model to the text tower and the decoder."""
        model = text.language_model_config
        layers = model.num_hidden_layers
        if not self.is_generative:
            text.num_hidden_layers, self.num_decoder_layers = layers, None
        else:
            if not text.causal:
                raise ValueError(
                    f"SensorLMConfig: objective {self.objective!r} generates captions from left to right, which"
                    f" {model.model_type!r}, an encoder, cannot. Give a decoder-only language model, use 'clip' or"
                    " 'siglip', or let the encoder assist a 'coca' model with layers of its own (text `pooling='cls'`)."
                )
            if self.num_decoder_layers is None:
                self.num_decoder_layers = layers // 2
            if not 1 <= self.num_decoder_layers < layers:
                raise ValueError(
                    f"SensorLMConfig: the language model has {layers} layers, of which the decoder may take 1 to"
                    f" {layers - 1}; got a `num_decoder_layers` of {self.num_decoder_layers}."
                )
            text.num_hidden_layers = layers - self.num_decoder_layers
        if self.objective == "cap":
            text.pooling = "none"
        elif text.pooling in (None, "none"):
            text.pooling = "last" if text.causal else "mean"

    @property
    def is_contrastive(self) -> bool:
        """Whether the model embeds sensors and texts in one space."""
        return self.objective in _CONTRASTIVE

    @property
    def is_generative(self) -> bool:
        """Whether the model writes captions."""
        return self.objective in _GENERATIVE

    def get_text_config(self, decoder: Optional[bool] = None, encoder: Optional[bool] = None) -> PreTrainedConfig:
        """Returns the configuration of the text tower.

        Args:
            decoder: Whether the part that generates is asked for. The result is then a copy whose `num_hidden_layers`
                counts the layers of the generation cache: those of the causal text tower, followed by the decoder's.
            encoder: Whether the part that encodes text is asked for.

        Returns:
            The text tower's configuration, or the copy; for a pretrained language model the copy is its own
            configuration.
        """
        text: Any = self.text_config
        if decoder and not encoder and self.num_decoder_layers is not None:
            if text.is_language_model:
                # Its layers may differ in what they cache.
                undivided = copy.deepcopy(text.language_model_config)
                for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
                    setattr(undivided, name, getattr(text, name))
                return undivided
            text = copy.deepcopy(text)
            text.num_hidden_layers += self.num_decoder_layers
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
            overrides: Values that differ. A field that only one tower has (`vocab_size`, `patch_minutes`, ...) is set
                on that tower; `hidden_size`, `num_attention_heads`, `intermediate_size` and `attention_dropout` are set
                on both; pass the others as `sensor_config={...}` or `text_config={...}`.

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
        }
        own: dict[str, Any] = {"num_decoder_layers": decoder_layers} if generative else {}
        if size == "tiny":
            parts["sensor_config"]["embed_missing"] = True
            parts["text_config"]["vocab_size"] = 4096
            if generative:
                own["num_caption_queries"] = 64
        own.update(_route_overrides(overrides, parts))
        if size == "tiny" and "patch_channels" not in parts["sensor_config"]:
            sensor = parts["sensor_config"]
            sensor["patch_channels"] = sensor.get("num_channels") or len(sensor.get("channel_keys") or range(26))
        return cls(objective=objective, **parts, **own)


def _route_overrides(overrides: dict[str, Any], parts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Adds overrides of a tower to `parts`; returns those of the model."""
    common = set(PreTrainedConfig.__dataclass_fields__)
    fields = {part: set(kind.__dataclass_fields__) - common for part, kind in _PARTS.items()}
    fields_of_model = set(SensorLMConfig.__dataclass_fields__) - set(_PARTS) - {"objective"}
    own: dict[str, Any] = {}
    for name, value in overrides.items():
        owners = [part for part in _PARTS if name in fields[part]]
        if name in _PARTS:
            if not isinstance(value, dict):
                raise ValueError(f"`{name}` must be a dict of values that differ, got {type(value).__name__}.")
            unknown = sorted(set(value) - fields[name])
            if unknown:
                raise ValueError(f"`{name}` has no field {unknown}; it has {', '.join(sorted(fields[name]))}.")
        elif name in fields_of_model:
            own[name] = value
        elif len(owners) == 1:
            parts[owners[0]][name] = value
        elif name in _SHARED:
            parts["sensor_config"][name] = parts["text_config"][name] = value
        elif owners:
            raise ValueError(
                f"`{name}` is a field of {', '.join(owners)}. Pass it to one of them, for example"
                f" {owners[0]}={{{name!r}: {value!r}}}."
            )
        else:
            raise ValueError(f"Neither SensorLMConfig nor its towers have a field {name!r}.")
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
    "SensorLMSensorConfig",
    "SensorLMTextConfig",
    "is_causal_language_model",
]
