"""Validation of the configurations of SensorLM, and of language models that they contain."""

import copy
from typing import Any

from transformers import AutoConfig
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
)


def _check_positive(config: Any, *names: str) -> None:
    """Raises a ValueError unless the named values are above 0."""
    for name in names:
        value = getattr(config, name)
        if value <= 0:
            raise ValueError(f"{type(config).__name__}: `{name}` must be above 0, got {value}.")


def _check_choice(config: Any, name: str, allowed: tuple) -> None:
    """Raises a ValueError unless the named value is an allowed one."""
    value = getattr(config, name)
    if value not in allowed:
        raise ValueError(f"{type(config).__name__}: `{name}` must be one of {', '.join(allowed)}, got {value!r}.")


def _check_transformer(config: Any) -> None:
    """Raises a ValueError unless width, depth, heads and dropout make a transformer."""
    _check_positive(config, "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    if config.hidden_size % config.num_attention_heads:
        raise ValueError(
            f"{type(config).__name__}: `num_attention_heads` must divide `hidden_size`, got"
            f" {config.num_attention_heads} heads for a width of {config.hidden_size}."
        )
    if not 0 <= config.attention_dropout < 1:
        raise ValueError(
            f"{type(config).__name__}: `attention_dropout` must lie in [0, 1), got {config.attention_dropout}."
        )


_FIXED_FIELDS = {"hidden_act": "gelu", "layer_norm_eps": 1e-6}
"""Fields that checkpoints saved before 0.1.0 hold, with the one value that all variants of SensorLM have."""


def _remove_retired_fields(config: Any, values: dict[str, Any], *names: str) -> None:
    """Removes the fields of checkpoints saved before 0.1.0 from the values that a configuration is made of.

    They follow from the objective, or were no property of the model: an optimisation, or what is trained.

    Raises:
        ValueError: If a field that is now fixed had another value.
    """
    for name in names:
        values.pop(name, None)
    for name, value in _FIXED_FIELDS.items():
        given = values.pop(name, value)
        if given != value:
            raise ValueError(f"{type(config).__name__}: `{name}` is fixed at {value!r} in SensorLM, got {given!r}.")


def is_causal_language_model(config: Any) -> bool:
    """Whether a configuration of transformers is that of a decoder-only model, such as GPT-2, Llama or Gemma.

    Encoders such as BERT can be built as language models too, but they are trained as masked ones.
    """
    if getattr(config, "use_bidirectional_attention", False):
        return False
    kind = config.model_type
    causal = kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES
    return causal or bool(getattr(config, "is_decoder", False))


def _language_model_config(given: Any) -> Any:
    """Returns the configuration of a text model of transformers, a copy of its own."""
    if isinstance(given, dict):
        values = dict(given)
        kind = values.pop("model_type", None)
        try:
            config = AutoConfig.for_model(kind, **values)
        except ValueError as error:
            raise ValueError(
                f"SensorLMTextConfig: `language_model_config` is of `model_type` {kind!r}, which this version of"
                " transformers does not know. Update transformers, or register the model type with AutoConfig."
            ) from error
    else:
        config = copy.deepcopy(given)
    if getattr(config, "is_encoder_decoder", False):
        raise ValueError(
            f"SensorLMTextConfig: {config.model_type!r} is an encoder-decoder model. Give an encoder (such as BERT) or"
            " a decoder-only model (such as Llama)."
        )
    lacking = [name for name in ("hidden_size", "num_hidden_layers", "vocab_size") if not hasattr(config, name)]
    if lacking:
        raise ValueError(
            f"SensorLMTextConfig: the configuration of {config.model_type!r} has no {', '.join(lacking)}, so it is not"
            " that of a text model."
        )
    config.dtype = None  # that of the model applies
    config.name_or_path = ""  # possibly a folder of this machine: it is not saved with the model
    return config


__all__ = ["is_causal_language_model"]
