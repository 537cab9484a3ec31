"""Registers SensorLM with the Auto classes and pipelines of transformers."""

from __future__ import annotations

from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoModel,
    AutoModelForMultimodalLM,
    AutoModelForSequenceClassification,
    AutoProcessor,
    AutoTokenizer,
    GenerationConfig,
)

from ._packaged import load_by_name
from .modeling import (
    SensorLMConfig,
    SensorLMForConditionalGeneration,
    SensorLMForSensorClassification,
    SensorLMModel,
    SensorLMPreTrainedModel,
    SensorLMSensorConfig,
    SensorLMSensorModel,
    SensorLMTextConfig,
    SensorLMTextModel,
)
from .pipelines import register_pipelines
from .processing import SensorLMFeatureExtractor, SensorLMProcessor

_CONFIGS = (SensorLMConfig, SensorLMSensorConfig, SensorLMTextConfig)
_AUTO_CLASSES = (
    AutoConfig,
    AutoFeatureExtractor,
    AutoModel,
    AutoModelForMultimodalLM,
    AutoModelForSequenceClassification,
    AutoProcessor,
    AutoTokenizer,
)


def register() -> None:
    """Registers configurations, models, processor and pipelines. Idempotent.

    See `_packaged` for loading a packaged checkpoint by name.
    """
    for config in _CONFIGS:
        AutoConfig.register(config.model_type, config, exist_ok=True)
    AutoModel.register(SensorLMConfig, SensorLMModel, exist_ok=True)
    AutoModelForMultimodalLM.register(SensorLMConfig, SensorLMForConditionalGeneration, exist_ok=True)
    AutoModel.register(SensorLMSensorConfig, SensorLMSensorModel, exist_ok=True)
    AutoModel.register(SensorLMTextConfig, SensorLMTextModel, exist_ok=True)
    # Classifier checkpoints have a separate auto class; loading them as the base model would drop the head.
    AutoModelForSequenceClassification.register(SensorLMConfig, SensorLMForSensorClassification, exist_ok=True)
    AutoFeatureExtractor.register(SensorLMConfig, SensorLMFeatureExtractor, exist_ok=True)
    AutoProcessor.register(SensorLMConfig, SensorLMProcessor, exist_ok=True)
    register_pipelines()
    own = (*_CONFIGS, SensorLMPreTrainedModel, SensorLMFeatureExtractor, SensorLMProcessor)
    load_by_name((*_AUTO_CLASSES, GenerationConfig, *own))
