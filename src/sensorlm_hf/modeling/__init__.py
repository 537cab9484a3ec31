"""Models of SensorLM: configurations, PyTorch modules and losses. Imports torch and transformers only."""

from .classification_sensorlm import SensorLMForSensorClassification
from .configuration_sensorlm import (
    OBJECTIVES,
    SIZES,
    SensorLMConfig,
    SensorLMDecoderConfig,
    SensorLMSensorConfig,
    SensorLMTextConfig,
)
from .losses_sensorlm import caption_loss, clip_loss, contrastive_cross_entropy, positive_pairs, siglip_loss
from .modeling_sensorlm import (
    SensorLMModel,
    SensorLMPreTrainedModel,
    SensorLMSensorModel,
    SensorLMTextModel,
)
from .outputs_sensorlm import SensorLMOutput, SensorLMSensorOutput, SensorLMTextOutput

__all__ = [
    "OBJECTIVES",
    "SIZES",
    "SensorLMConfig",
    "SensorLMDecoderConfig",
    "SensorLMForSensorClassification",
    "SensorLMModel",
    "SensorLMOutput",
    "SensorLMPreTrainedModel",
    "SensorLMSensorConfig",
    "SensorLMSensorModel",
    "SensorLMSensorOutput",
    "SensorLMTextConfig",
    "SensorLMTextModel",
    "SensorLMTextOutput",
    "caption_loss",
    "clip_loss",
    "contrastive_cross_entropy",
    "positive_pairs",
    "siglip_loss",
]
