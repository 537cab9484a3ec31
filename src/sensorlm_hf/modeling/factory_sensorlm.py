"""The model with all parts of its objective: [`SensorLMModel`] or [`SensorLMForConditionalGeneration`]."""

from typing import Any

from .configuration_sensorlm import SensorLMConfig
from .generation_sensorlm import SensorLMForConditionalGeneration
from .modeling_sensorlm import SensorLMModel


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
    """
    config = kwargs.pop("config", None) or SensorLMConfig.from_pretrained(pretrained_model_name_or_path)
    return pretraining_class(config).from_pretrained(pretrained_model_name_or_path, config=config, **kwargs)


__all__ = ["load_pretrained", "pretraining_class"]
