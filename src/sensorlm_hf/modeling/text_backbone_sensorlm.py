"""Pretrained language models of transformers as the text tower and the decoder.

A language model is not rewritten here: its own forward pass runs, with its own positions, masks, norms and cache, so
any encoder or decoder-only model that `AutoModel` knows can be used. For the caption objectives the layers of a
decoder-only model are divided as in CoCa (Yu et al., 2022): the first ones read the text alone; each of the others is
followed by a cross-attention layer that reads the sensors. Those are initialised to have no effect (the last linear map
of each block is 0, like the gates of Flamingo, Alayrac et al., 2022): a new model writes what the language model would.

Each half is a model of the same class with fewer layers. What the second one would do before its first layer, such as
adding positions, has already been done, so its first layer receives the states of the first half instead.
"""

import copy
import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Optional

import torch
from torch import nn
from transformers import AutoModel, AutoModelForCausalLM, PreTrainedModel
from transformers.cache_utils import Cache
from transformers.masking_utils import create_bidirectional_mask
from transformers.modeling_outputs import BaseModelOutputWithCrossAttentions, BaseModelOutputWithPooling
from transformers.utils import cached_file

from .configuration_sensorlm import SensorLMConfig, SensorLMSensorConfig, SensorLMTextConfig
from .decoder_sensorlm import SensorLMSensorReader, _recorded_weights
from .layers_sensorlm import (
    SensorLMCaptionPooler,
    SensorLMCrossAttentionLayer,
    _check_text,
    _is_token_mask,
    _is_tracing,
    _last_tokens,
    _mean_of_tokens,
    _token_positions,
    _with_init,
)


class SensorLMHookedLayer(nn.Module):
    """A layer of a language model whose input can be replaced, and whose output can be read or changed.

    Other attributes are those of the layer.

    Args:
        layer: The layer.
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.before: Optional[torch.Tensor] = None
        self.after: Optional[Callable[[torch.Tensor], torch.Tensor]] = None
        self.states: Optional[torch.Tensor] = None

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("layer"), name)

    def release(self) -> None:
        """Clears the state of a forward pass."""
        self.before = self.after = self.states = None

    def forward(self, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """Runs the layer on `before`, if set, and applies `after` to its output."""
        if self.before is not None:
            hidden_states = self.before
        result = self.layer(hidden_states, *args, **kwargs)
        states = result[0] if isinstance(result, tuple) else result
        if self.after is not None:
            states = self.after(states)
        self.states = states
        return (states, *result[1:]) if isinstance(result, tuple) else states


class _NoEmbedding(nn.Module):
    """Replaces an embedding in the second half of a language model: the first half has added it already."""

    def forward(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Returns 0."""
        device = next((value.device for value in args if isinstance(value, torch.Tensor)), None)
        return torch.zeros((), device=device)


def _stage_config(config: Any, first: int, count: int) -> Any:
    """Returns the configuration of `count` layers of a language model from the layer `first` on."""
    layers = config.num_hidden_layers
    stage = copy.deepcopy(config)
    for name, value in vars(stage).items():
        if "layer" in name and isinstance(value, (list, tuple)) and len(value) == layers:
            setattr(stage, name, value[first : first + count])
    stage.num_hidden_layers = count
    return stage


def _layer_list(model: nn.Module, count: int) -> tuple[str, nn.ModuleList]:
    """Finds the list of a language model's layers, and its name."""
    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return name, module
    raise ValueError(
        f"{type(model).__name__} keeps its {count} layers in no list, so they cannot be divided between text tower and"
        " decoder. Use it with objective 'clip' or 'siglip', or choose another language model."
    )


def _build(config: Any, attention: Optional[str]) -> Any:
    options = {} if attention is None else {"attn_implementation": attention}
    model = AutoModel.from_config(config, **options)
    if getattr(model, "pooler", None) is not None:
        model.pooler = None  # made for next-sentence prediction; pooling is ours
    return model


def _layers_of(cache: Cache, first: int, count: int) -> Cache:
    """Returns a cache that shares some layers of another one."""
    if cache.is_compileable:
        raise ValueError(
            "A pretrained language model that is divided between text tower and decoder needs a dynamic cache, the"
            " default of `generate`: leave `cache_implementation` out."
        )
    if len(cache.layers) < first + count:
        raise ValueError(
            f"The cache has {len(cache.layers)} layers, too few for this model. Make it with"
            " `DynamicCache(config=model.config)`."
        )
    part = copy.copy(cache)
    part.layers = cache.layers[first : first + count]
    return part


def _load(module: nn.Module, weights: Mapping[str, torch.Tensor], ignored: tuple[str, ...] = ()) -> None:
    report = module.load_state_dict({name: tensor.detach().clone() for name, tensor in weights.items()}, strict=False)
    unexpected = [name for name in report.unexpected_keys if not name.startswith(ignored)]
    if report.missing_keys or unexpected:
        raise ValueError(
            f"The language model's weights do not fit its configuration: {type(module).__name__} lacks"
            f" {report.missing_keys[:5]} and does not know {unexpected[:5]}."
        )


class _PretrainedPart(nn.Module):
    """Base class of the two halves."""

    language_model: Any

    def pretrained_parameters(self) -> list[nn.Parameter]:
        """Returns the parameters that come from the language model."""
        return list(self.language_model.parameters())

    def train(self, mode: bool = True) -> Any:
        """Switches training mode; a frozen language model stays in evaluation mode, so that it has no dropout."""
        super().train(mode)
        if not any(parameter.requires_grad for parameter in self.language_model.parameters()):
            self.language_model.eval()
        return self


class SensorLMTextBackbone(_PretrainedPart):
    """A pretrained language model as the text tower of [`SensorLMModel`], with the interface of [`SensorLMTextModel`].

    Padding may be on either side, and a text gives the same embedding alone and in any batch.

    Args:
        config: Configuration with a `language_model_config`.
        has_decoder: Whether a decoder reads the token states. These then are the states before the last layer norm.
    """

    def __init__(self, config: SensorLMTextConfig, has_decoder: bool) -> None:
        super().__init__()
        self.config = config
        stage = _stage_config(config.language_model_config, 0, config.num_hidden_layers)
        self.language_model = _build(stage, config._attn_implementation)
        # The cross-attention layers and the decoder's half follow what the language model supports.
        config._attn_implementation = self.language_model.config._attn_implementation
        if has_decoder:
            _, layers = _layer_list(self.language_model, config.num_hidden_layers)
            layers[-1] = SensorLMHookedLayer(layers[-1])
        self._has_decoder = has_decoder
        width = config.projection_size or config.hidden_size
        self.head: Any = None if config.pooling == "none" else nn.Linear(config.hidden_size, width)

    def get_input_embeddings(self) -> nn.Module:
        """Returns the token embedding."""
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replaces the token embedding."""
        self.language_model.set_input_embeddings(value)

    def load_language_model(self, model: Any) -> None:
        """Copies the weights of an undivided language model, without its head.

        Raises:
            ValueError: If they do not fit.
        """
        weights = model.state_dict()
        ignored: tuple[str, ...] = ("pooler.",)
        if self._has_decoder:
            layers, mine = model.config.num_hidden_layers, self.config.num_hidden_layers
            name, _ = _layer_list(model, layers)
            last = f"{name}.{mine - 1}."
            weights = {
                key.replace(last, f"{last}layer.", 1) if key.startswith(last) else key: value
                for key, value in weights.items()
            }
            ignored += tuple(f"{name}.{index}." for index in range(mine, layers))
        _load(self.language_model, weights, ignored)

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: Optional[torch.Tensor] = None,
        position_ids: Optional[torch.Tensor] = None,
        past_key_values: Optional[Cache] = None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPooling:
        """Encodes texts; arguments and result are those of [`SensorLMTextModel.forward`].

        Raises:
            ValueError: If a shape does not fit, the text is too long, or a cache is given to an encoder.
        """
        past_length = _check_text(self.config, input_ids, attention_mask, past_key_values)
        pool = self.head is not None and past_key_values is None
        keys = attention_mask.bool() if _is_token_mask(attention_mask) else None  # type: ignore[union-attr]
        if keys is not None:
            # A text without tokens attends to its padding rather than to nothing.
            keys = keys | ~keys.any(dim=1, keepdim=True)
        inputs: dict[str, Any] = {
            "input_ids": input_ids,
            "attention_mask": attention_mask if keys is None else keys.long(),
        }
        order = None
        if self.config.causal:
            if position_ids is None:
                position_ids = _token_positions(input_ids, None if keys is None else keys, past_length)
            inputs["position_ids"] = position_ids
            inputs["use_cache"] = past_key_values is not None
            if past_key_values is not None:
                inputs["past_key_values"] = _layers_of(past_key_values, 0, self.config.num_hidden_layers)
        elif keys is not None:
            order = _order_for_encoder(keys)
            if order is not None:
                inputs.update(input_ids=input_ids.gather(1, order), attention_mask=keys.gather(1, order).long())
        # The language model has a configuration of its own, but the tower's may ask for them as well.
        for name in ("output_attentions", "output_hidden_states"):
            if kwargs.get(name) is None:
                kwargs[name] = getattr(self.config, name)
        result = self.language_model(**inputs, **kwargs)
        last = result.last_hidden_state
        if order is not None:
            last = last.gather(1, order.argsort(dim=1)[:, :, None].expand_as(last))
        pooled = self.head(self._pooled(last, keys)) if pool else None
        hidden_states = result.get("hidden_states")
        if self._has_decoder:
            hook = _layer_list(self.language_model, self.config.num_hidden_layers)[1][-1]
            normed, last = last, hook.states
            hook.release()
            if self.head is None and self.training:
                # The last norm has no other use here: with a gradient of 0 instead of none, DDP need not search for
                # unused parameters.
                last = last + 0 * normed
            if hidden_states is not None:
                hidden_states = (*hidden_states[:-1], last)
        return BaseModelOutputWithPooling(
            last_hidden_state=last,
            pooler_output=pooled,
            hidden_states=hidden_states,
            attentions=result.get("attentions"),
        )

    def _pooled(self, states: torch.Tensor, keys: Optional[torch.Tensor]) -> torch.Tensor:
        if self.config.pooling == "mean":
            return _mean_of_tokens(states, keys)
        if self.config.pooling == "last":
            return _last_tokens(states, keys)
        if keys is None:
            return states[:, 0]
        return states[torch.arange(len(states), device=states.device), keys.long().argmax(dim=1)]


def _order_for_encoder(keys: torch.Tensor) -> Optional[torch.Tensor]:
    """Returns the order in which an encoder reads tokens, `(B, L)`: padding last; `None` if it is already.

    Encoders count positions in different ways, but all of them from the left. A traced graph expects texts that are
    padded on the right.

    Args:
        keys: `(B, L)` bool, False for padding.
    """
    if _is_tracing() or bool(keys[:, 0].all()):
        return None
    return (~keys).long().argsort(dim=1, stable=True)


class SensorLMHead(nn.Linear):
    """A language-model head; `softcap` limits its scores smoothly, as in Gemma 2."""

    softcap: Optional[float] = None

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Maps states `(..., D)` to scores `(..., V)`."""
        scores = super().forward(hidden_states)
        return scores if self.softcap is None else self.softcap * torch.tanh(scores / self.softcap)


class SensorLMLanguageModelDecoder(_PretrainedPart, SensorLMSensorReader):
    """The last layers of a pretrained language model as the decoder, each followed by a cross-attention layer.

    The interface is that of [`SensorLMDecoder`].

    Args:
        config: Configuration of the model.
    """

    def __init__(self, config: SensorLMConfig) -> None:
        super().__init__()
        text: Any = config.text_config
        sensor: Any = config.sensor_config
        undivided: Any = text.language_model_config
        self.config = text
        self.first_layer, self.num_layers = text.num_hidden_layers, int(config.num_decoder_layers or 0)
        self.language_model = _build(
            _stage_config(undivided, self.first_layer, self.num_layers), text._attn_implementation
        )
        name, layers = _layer_list(self.language_model, self.num_layers)
        for index, layer in enumerate(layers):
            layers[index] = SensorLMHookedLayer(layer)
        for owner, module in list(self.language_model.named_modules()):
            for child, part in list(module.named_children()):
                if isinstance(part, nn.Embedding) and not f"{owner}.{child}".strip(".").startswith(f"{name}."):
                    setattr(module, child, _NoEmbedding())
        pooled = config.num_caption_queries > 0
        self.pooler = SensorLMCaptionPooler(config) if pooled else None
        source = text.hidden_size if pooled else sensor.hidden_size
        self.cross_layers = nn.ModuleList(SensorLMCrossAttentionLayer(text, source) for _ in range(self.num_layers))
        for cross_layer in self.cross_layers:
            _with_init(cross_layer.cross_attn.out_proj, "zeros")
            _with_init(cross_layer.mlp.fc2, "zeros")
        self.lm_head = SensorLMHead(undivided.hidden_size, undivided.vocab_size, bias=_has_head_bias(undivided))
        self.lm_head.softcap = getattr(undivided, "final_logit_softcapping", None)

    def pretrained_parameters(self) -> list[nn.Parameter]:
        """Returns the parameters that come from the language model."""
        return [*self.language_model.parameters(), *self.lm_head.parameters()]

    def load_language_model(self, model: Any, head: nn.Module) -> None:
        """Copies the weights of an undivided language model and of its head.

        Raises:
            ValueError: If they do not fit.
        """
        name, _ = _layer_list(model, model.config.num_hidden_layers)
        weights = {}
        mine = set(self.language_model.state_dict())
        for key, value in model.state_dict().items():
            if key.startswith(f"{name}."):
                index, rest = key[len(name) + 1 :].split(".", 1)
                if int(index) < self.first_layer:
                    continue
                key = f"{name}.{int(index) - self.first_layer}.layer.{rest}"
            elif key not in mine:  # embeddings, which the first half has
                continue
            weights[key] = value
        _load(self.language_model, weights)
        _load(self.lm_head, head.state_dict())

    def forward(
        self,
        hidden_states: torch.Tensor,
        attention_mask: Optional[torch.Tensor] = None,
        *,
        sensor_tokens: Optional[torch.Tensor] = None,
        sensor_token_mask: Optional[torch.Tensor] = None,
        sensor_key_values: Optional[torch.Tensor] = None,
        past_key_values: Optional[Cache] = None,
        output_attentions: Optional[bool] = False,
        output_hidden_states: Optional[bool] = False,
        **kwargs: Any,
    ) -> BaseModelOutputWithCrossAttentions:
        """Decodes; arguments and result are those of [`SensorLMDecoder.forward`]."""
        _, layers = _layer_list(self.language_model, self.num_layers)
        cross_mask = None
        if sensor_token_mask is not None:
            cross_mask = create_bidirectional_mask(self.config, hidden_states, sensor_token_mask)
        inputs: dict[str, Any] = {"use_cache": past_key_values is not None}
        past_length = 0
        if past_key_values is not None:
            inputs["past_key_values"] = _layers_of(past_key_values, self.first_layer, self.num_layers)
            past_length = inputs["past_key_values"].get_seq_length()
        if _is_token_mask(attention_mask):
            keys = attention_mask.bool()  # type: ignore[union-attr]
            attention_mask = (keys | ~keys.any(dim=1, keepdim=True)).long()
        positions = _token_positions(hidden_states[:, :, 0], attention_mask, past_length)
        if output_attentions:
            inputs["output_attentions"] = True
        cross = [cross_layer.cross_attn for cross_layer in self.cross_layers]
        try:
            layers[0].before = hidden_states
            for index, (layer, cross_layer) in enumerate(zip(layers, self.cross_layers, strict=True)):
                key_values = None
                if sensor_key_values is not None:
                    key_values = (sensor_key_values[:, index, 0], sensor_key_values[:, index, 1])
                layer.after = partial(_read_sensors, cross_layer, sensor_tokens, cross_mask, key_values)
            with _recorded_weights(cross, output_attentions) as cross_attentions:
                result = self.language_model(
                    inputs_embeds=hidden_states,
                    attention_mask=attention_mask,
                    position_ids=positions,
                    **inputs,
                )
            return BaseModelOutputWithCrossAttentions(
                last_hidden_state=result.last_hidden_state,
                hidden_states=tuple(layer.states for layer in layers) if output_hidden_states else None,
                attentions=tuple(result.attentions) if output_attentions else None,
                cross_attentions=tuple(cross_attentions) if output_attentions else None,
            )
        finally:
            for layer in layers:
                layer.release()


def _read_sensors(cross_layer: Any, sensor_tokens: Any, mask: Any, key_values: Any, states: torch.Tensor) -> Any:
    # Reentrant gradient checkpointing only sees tensors that are positional arguments.
    return cross_layer(states, sensor_tokens, mask, key_values)


def _has_head_bias(config: Any) -> bool:
    """Whether the language-model head of a decoder-only model has a bias, as those of GPT-J and Phi have."""
    with torch.device("meta"):
        head = AutoModelForCausalLM.from_config(config).get_output_embeddings()
    return getattr(head, "bias", None) is not None


def load_language_model(source: Any, with_head: bool, options: Mapping[str, Any]) -> tuple[Any, Any]:
    """Loads a pretrained language model, in float32 unless `options` name a `dtype`.

    Args:
        source: Name or path for `from_pretrained`, or a model that is already loaded.
        with_head: Whether its language-model head is needed too.
        options: Keyword arguments of `from_pretrained`.

    Returns:
        The bare model, and its head or `None`.

    Raises:
        ValueError: If a loaded model has no language-model head, but is to write captions.
    """
    if isinstance(source, PreTrainedModel):
        model: Any = source
    else:
        kind: Any = AutoModelForCausalLM if with_head else AutoModel
        model = kind.from_pretrained(source, **{"dtype": torch.float32, **options})
    head = model.get_output_embeddings() if with_head else None
    if with_head and head is None:
        raise ValueError(
            f"{type(model).__name__} has no language-model head, which objectives 'cap' and 'coca' need: give the name"
            " of the model, or load it with AutoModelForCausalLM."
        )
    return model.base_model, head


def longest_text(model: Any) -> int:
    """Returns how many tokens a language model has positions for, 512 where it does not say."""
    positions = getattr(model.config, "max_position_embeddings", None) or getattr(model.config, "seq_length", None)
    if positions is None:
        return 512
    for module in model.modules():
        # RoBERTa and its kin number the tokens from `padding_idx + 1` on.
        if isinstance(module, nn.Embedding) and module.num_embeddings == positions and module.padding_idx is not None:
            return positions - module.padding_idx - 1
    return positions


_SENTENCE_POOLINGS = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "first",
    "pooling_mode_lasttoken": "last",
}


def saved_pooling(source: Any, options: Mapping[str, Any]) -> Optional[str]:
    """Returns the pooling that a sentence-transformers repository specifies; `None` for other repositories."""
    if isinstance(source, PreTrainedModel):
        return None
    hub = {key: options[key] for key in ("revision", "token", "cache_dir", "local_files_only") if key in options}
    try:
        path = cached_file(source, "1_Pooling/config.json", **hub)
    except OSError:  # there is no such file, or no network
        return None
    with open(path, encoding="utf-8") as file:
        modes = json.load(file)
    return next((pooling for mode, pooling in _SENTENCE_POOLINGS.items() if modes.get(mode)), None)


class SensorTextPretrainedMixin:
    """What [`SensorLMModel`] and [`SensorLMForConditionalGeneration`] share for a pretrained language model."""

    config: Any
    base_model: Any
    config_class: Any

    @classmethod
    def from_sensor_text_pretrained(
        cls,
        sensor_config: Any,
        text_model_name_or_path: Any,
        *,
        objective: Optional[str] = None,
        freeze_text: bool = True,
        pooling: Optional[str] = None,
        max_text_length: Optional[int] = None,
        text_model_options: Optional[dict[str, Any]] = None,
        **config_values: Any,
    ) -> Any:
        """Combines a sensor tower with a pretrained language model, so that words unseen in training have a meaning.

        The language model keeps its tokenizer: `SensorLMProcessor(feature_extractor, load_text_tokenizer(name))`. With
        a frozen one (locked-text tuning, Zhai et al., "LiT", 2022) the sensor tower, the projection of the texts and
        the cross-attention layers are trained; for LoRA on top of it see `sensorlm_hf.training.lora`.

        For `cap` and `coca` the language model must be decoder-only. Its last layers become the decoder, each followed
        by a new cross-attention layer that starts without effect: before training, captions are what the language
        model would write.

        Args:
            sensor_config: [`SensorLMSensorConfig`], a dict of its values, or the name or path of a SensorLM model whose
                sensor tower is used with its weights.
            text_model_name_or_path: Name or path of a text model of transformers, or the model itself.
            objective: `"clip"` or `"siglip"` (the default) for [`SensorLMModel`], `"cap"` or `"coca"` (the default) for
                [`SensorLMForConditionalGeneration`].
            freeze_text: Whether to exclude the language model's weights from training. A saved model does not record
                it: call `freeze_text` again after loading one to train it further.
            pooling: How its token states are pooled: `"mean"`, `"first"` or `"last"`. By default as a
                sentence-transformers repository specifies, else the mean for encoders and the last token for decoders.
            max_text_length: Maximum text length in tokens; by default the number of the language model's positions.
            text_model_options: Keyword arguments of the language model's `from_pretrained`.
            config_values: Further values of [`SensorLMConfig`]; `num_decoder_layers` is the number of layers of the
                language model that become the decoder, by default half of them.

        Returns:
            The model, in evaluation mode; saved and loaded like any other, including the language model.

        Raises:
            ValueError: If the objective is not one of this class, or the language model cannot be used for it.

        Example:
            ```python
            model = SensorLMModel.from_sensor_text_pretrained(
                SensorLMConfig.from_size("siglip", "tiny").sensor_config, "sentence-transformers/all-MiniLM-L6-v2"
            )
            ```
        """
        generative = hasattr(cls, "generate")
        allowed = ("cap", "coca") if generative else ("clip", "siglip")
        objective = objective or ("coca" if generative else "siglip")
        if objective not in allowed:
            other = "SensorLMModel" if generative else "SensorLMForConditionalGeneration"
            raise ValueError(
                f"`objective` of a {cls.__name__} must be one of {', '.join(allowed)}, got {objective!r}. For the"
                f" others use {other}.from_sensor_text_pretrained."
            )
        options = text_model_options or {}
        if pooling is not None and pooling not in ("mean", "first", "last"):
            raise ValueError(f"`pooling` must be 'mean', 'first' or 'last', got {pooling!r}.")
        language_model, head = load_language_model(text_model_name_or_path, generative, options)
        of_text: Any = language_model.config
        positions = longest_text(language_model)
        if max_text_length is not None and not 0 < max_text_length <= positions:
            raise ValueError(f"`max_text_length` must be 1 to {positions}, got {max_text_length}.")
        end, pad = of_text.eos_token_id, of_text.pad_token_id
        from_checkpoint = isinstance(sensor_config, (str, os.PathLike))
        config = cls.config_class(
            objective=objective,
            sensor_config=SensorLMSensorConfig.from_pretrained(sensor_config) if from_checkpoint else sensor_config,
            text_config=SensorLMTextConfig(
                language_model_config=of_text,
                pooling=pooling or saved_pooling(text_model_name_or_path, options),
                max_position_embeddings=max_text_length or positions,
                pad_token_id=pad if pad is not None else end[0] if isinstance(end, list) else end,
                bos_token_id=of_text.bos_token_id,
                eos_token_id=end,
            ),
            **{"tie_word_embeddings": generative and bool(of_text.tie_word_embeddings), **config_values},
        )
        build: Any = cls
        model = build(config)
        base = model.base_model
        base.text_model.load_language_model(language_model)
        if head is not None:
            model.decoder.load_language_model(language_model, head)
        if from_checkpoint:
            tower = type(base.sensor_model).from_pretrained(sensor_config)
            # The tower of a `cap` model has no pooling head: it is new where needed, and ignored where not.
            base.sensor_model.load_state_dict(tower.state_dict(), strict=False)
        model.tie_weights()
        model = model.to(next(language_model.parameters()).dtype)
        if freeze_text:
            model.freeze_text()
        return model.eval()

    def resize_token_embeddings(self, *args: Any, **kwargs: Any) -> Any:
        """Changes the vocabulary as `PreTrainedModel.resize_token_embeddings` does, also of a language model.

        Tokens that are new to a sentence encoder are added to it as well; it keeps its words when captions have fewer.
        """
        parent: Any = super()
        result = parent.resize_token_embeddings(*args, **kwargs)
        text = self.config.text_config
        encoder = getattr(self.base_model.text_model, "sentence_encoder", None)
        if text.is_language_model:
            text.language_model_config.vocab_size = text.vocab_size
        elif encoder is not None and encoder.language_model.config.vocab_size < text.vocab_size:
            encoder.language_model.resize_token_embeddings(text.vocab_size)
            text.language_model_config.vocab_size = text.vocab_size
        return result

    def freeze_text(self) -> None:
        """Excludes the weights of a pretrained language model from training (locked-text tuning).

        Raises:
            ValueError: If the text tower has no pretrained language model.
        """
        text = self.base_model.text_model
        parts = [text, getattr(text, "sentence_encoder", None), getattr(self, "decoder", None)]
        if not any(isinstance(part, _PretrainedPart) for part in parts):
            raise ValueError("The text tower has no pretrained language model, so there is nothing to freeze.")
        for part in parts:
            if isinstance(part, _PretrainedPart):
                for parameter in part.pretrained_parameters():
                    parameter.requires_grad_(False)


__all__ = [
    "SensorLMHead",
    "SensorLMLanguageModelDecoder",
    "SensorLMTextBackbone",
    "SensorTextPretrainedMixin",
    "load_language_model",
    "longest_text",
    "saved_pooling",
]
