"""Models of SensorLM: configurations, PyTorch modules and losses. Imports torch and transformers only."""

from .classification_sensorlm import SensorLMForSensorClassification
from .configuration_sensorlm import (
    OBJECTIVES,
    SIZES,
    SensorLMConfig,
    SensorLMSensorConfig,
    SensorLMTextConfig,
)
from .factory_sensorlm import load_pretrained, pretraining_class
from .generation_sensorlm import SensorLMForConditionalGeneration
from .losses_sensorlm import (
    caption_loss,
    caption_targets,
    clip_loss,
    contrastive_cross_entropy,
    positive_pairs,
    siglip_loss,
    statement_sigmoid_loss,
    statement_softmax_loss,
)
from .modeling_sensorlm import (
    SensorLMModel,
    SensorLMPreTrainedModel,
    SensorLMSensorModel,
    SensorLMTextModel,
)
from .outputs_sensorlm import SensorLMConditionalGenerationOutput, SensorLMOutput, SensorLMSensorOutput

__all__ = [
    "OBJECTIVES",
    "SIZES",
    "SensorLMConditionalGenerationOutput",
    "SensorLMConfig",
    "SensorLMForConditionalGeneration",
    "SensorLMForSensorClassification",
    "SensorLMModel",
    "SensorLMOutput",
    "SensorLMPreTrainedModel",
    "SensorLMSensorConfig",
    "SensorLMSensorModel",
    "SensorLMSensorOutput",
    "SensorLMTextConfig",
    "SensorLMTextModel",
    "caption_loss",
    "caption_targets",
    "clip_loss",
    "contrastive_cross_entropy",
    "load_pretrained",
    "positive_pairs",
    "pretraining_class",
    "siglip_loss",
    "statement_sigmoid_loss",
    "statement_softmax_loss",
]
