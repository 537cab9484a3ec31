"""The model with all parts of its objective: [`SensorLMModel`] or [`SensorLMForConditionalGeneration`]."""

from typing import Any

from transformers import AutoConfig

from .configuration_sensorlm import SensorLMConfig
from .generation_sensorlm import SensorLMForConditionalGeneration
from .modeling_sensorlm import HUB_OPTIONS, SensorLMModel


def pretraining_class(config: SensorLMConfig) -> Any:
    """Returns the model class that is trained with the objective of a configuration."""
    return SensorLMForConditionalGeneration if config.is_generative else SensorLMModel


def load_pretrained(pretrained_model_name_or_path: Any, **kwargs: Any) -> Any:
    """Loads a model with all parts of its objective, so that one of `cap` and `coca` can write captions.

    Args:
        pretrained_model_name_or_path: Folder or Hub id.
        kwargs: Keyword arguments of `from_pretrained`.

    Returns:
        A [`SensorLMModel`] or [`SensorLMForConditionalGeneration`].

    Raises:
        ValueError: If the checkpoint is not that of a SensorLM with both towers.
    """
    config = kwargs.pop("config", None)
    if config is None:
        hub = {name: kwargs[name] for name in HUB_OPTIONS if name in kwargs}
        config = AutoConfig.from_pretrained(pretrained_model_name_or_path, **hub)
    if not isinstance(config, SensorLMConfig):
        raise ValueError(
            f"{pretrained_model_name_or_path} holds a model of type {getattr(config, 'model_type', None)!r}, not a"
            " SensorLM with both towers."
        )
    return pretraining_class(config).from_pretrained(pretrained_model_name_or_path, config=config, **kwargs)


__all__ = ["load_pretrained", "pretraining_class"]
