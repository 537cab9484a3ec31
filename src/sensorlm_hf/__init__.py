"""SensorLM, the language of wearables, as a Hugging Face-native model and dataset package.

Importing the package registers its configurations, models, processor and pipelines with transformers, so that
`AutoModel.from_pretrained(folder)` and `pipeline("zero-shot-sensor-classification")` know them. Everything else is
imported when it is first used.
"""

from typing import TYPE_CHECKING

from ._lazy import lazy_names
from ._start import register_unless_command
from ._version import __version__

# Where each public name lives. A type checker reads the imports below instead; a test holds the two together.
_PUBLIC = {
    "CaptionBuilder": "processing.captions",
    "Channel": "schema",
    "Event": "days",
    "SensorDay": "days",
    "SensorDays": "data",
    "SensorLMCollator": "data",
    "SensorLMConfig": "modeling",
    "SensorLMFeatureExtractor": "processing",
    "SensorLMForConditionalGeneration": "modeling",
    "SensorLMForSensorClassification": "modeling",
    "SensorLMModel": "modeling",
    "SensorLMProcessor": "processing",
    "SensorLMTrainer": "training",
    "SensorLMTrainingArguments": "training",
    "SensorSchema": "schema",
    "encode_sensor": "embedding",
    "encode_text": "embedding",
    "get_schema": "schema",
    "load_sensor_days": "data",
    "simulate_days": "data.simulate",
    "write_days": "data",
}

if TYPE_CHECKING:
    from .data import SensorDays, SensorLMCollator, load_sensor_days, write_days
    from .data.simulate import simulate_days
    from .days import Event, SensorDay
    from .embedding import encode_sensor, encode_text
    from .modeling import (
        SensorLMConfig,
        SensorLMForConditionalGeneration,
        SensorLMForSensorClassification,
        SensorLMModel,
    )
    from .processing import SensorLMFeatureExtractor, SensorLMProcessor
    from .processing.captions import CaptionBuilder
    from .schema import Channel, SensorSchema, get_schema
    from .training import SensorLMTrainer, SensorLMTrainingArguments

__all__ = [
    "CaptionBuilder",
    "Channel",
    "Event",
    "SensorDay",
    "SensorDays",
    "SensorLMCollator",
    "SensorLMConfig",
    "SensorLMFeatureExtractor",
    "SensorLMForConditionalGeneration",
    "SensorLMForSensorClassification",
    "SensorLMModel",
    "SensorLMProcessor",
    "SensorLMTrainer",
    "SensorLMTrainingArguments",
    "SensorSchema",
    "__version__",
    "encode_sensor",
    "encode_text",
    "get_schema",
    "load_sensor_days",
    "simulate_days",
    "write_days",
]


__getattr__, __dir__ = lazy_names(__name__, _PUBLIC)

register_unless_command()
