"""Pipelines: zero-shot classification, captioning and feature extraction of days of wearable data."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from .sensor_captioning import SensorCaptioningPipeline
    from .sensor_feature_extraction import SensorFeatureExtractionPipeline
    from .sensor_pipeline_base import SensorPipeline
    from .zero_shot_sensor_classification import ZeroShotSensorClassificationPipeline

DEFAULT_MODEL = (str(Path(__file__).resolve().parents[1] / "checkpoints" / "sensorlm-coca"), None)
"""Default model of the pipelines and its revision: the demo model inside the package."""

__all__ = [
    "DEFAULT_MODEL",
    "SensorCaptioningPipeline",
    "SensorFeatureExtractionPipeline",
    "SensorPipeline",
    "ZeroShotSensorClassificationPipeline",
    "register_pipelines",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "SensorCaptioningPipeline": "sensor_captioning",
        "SensorFeatureExtractionPipeline": "sensor_feature_extraction",
        "SensorPipeline": "sensor_pipeline_base",
        "ZeroShotSensorClassificationPipeline": "zero_shot_sensor_classification",
    },
)


def register_pipelines() -> None:
    """Registers the three tasks with `transformers.pipeline`; idempotent.

    The Auto classes of the model, its configuration and its processor are registered in `sensorlm_hf.modeling` and
    `sensorlm_hf.processing`.
    """
    from transformers import AutoModel
    from transformers.pipelines import PIPELINE_REGISTRY

    from .sensor_captioning import SensorCaptioningPipeline
    from .sensor_feature_extraction import SensorFeatureExtractionPipeline
    from .sensor_pipeline_base import SensorPipeline
    from .zero_shot_sensor_classification import ZeroShotSensorClassificationPipeline

    SensorPipeline._demo_model = DEFAULT_MODEL[0]
    logging.getLogger("transformers.pipelines").addFilter(_is_no_remark_on_our_default)
    tasks = {
        "zero-shot-sensor-classification": ZeroShotSensorClassificationPipeline,
        "sensor-captioning": SensorCaptioningPipeline,
        "sensor-feature-extraction": SensorFeatureExtractionPipeline,
    }
    for task, pipeline_class in tasks.items():
        known = PIPELINE_REGISTRY.supported_tasks.get(task)
        if known is None or known["impl"] is not pipeline_class:
            PIPELINE_REGISTRY.register_pipeline(
                task, pipeline_class, pt_model=AutoModel, default={"model": DEFAULT_MODEL}, type="multimodal"
            )


def _is_no_remark_on_our_default(record: logging.LogRecord) -> bool:
    """Suppresses transformers' message that no model was supplied: [`SensorPipeline`] warns about the demo model."""
    return not (record.levelno == logging.WARNING and DEFAULT_MODEL[0] in record.getMessage())
