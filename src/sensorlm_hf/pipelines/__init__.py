"""Pipelines: zero-shot classification, captioning and feature extraction of days of wearable data."""

from __future__ import annotations

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
    from transformers import AutoModel, AutoModelForMultimodalLM
    from transformers.pipelines import PIPELINE_REGISTRY

    from .sensor_captioning import SensorCaptioningPipeline
    from .sensor_feature_extraction import SensorFeatureExtractionPipeline
    from .sensor_pipeline_base import SensorPipeline
    from .zero_shot_sensor_classification import ZeroShotSensorClassificationPipeline

    SensorPipeline._demo_model = DEFAULT_MODEL[0]
    # The second class is tried if the first fails: adapters of the model with a decoder only fit that class.
    either = (AutoModel, AutoModelForMultimodalLM)
    tasks = {
        "zero-shot-sensor-classification": (ZeroShotSensorClassificationPipeline, either),
        "sensor-captioning": (SensorCaptioningPipeline, AutoModelForMultimodalLM),
        "sensor-feature-extraction": (SensorFeatureExtractionPipeline, either),
    }
    for task, (pipeline_class, auto_classes) in tasks.items():
        known = PIPELINE_REGISTRY.supported_tasks.get(task)
        if known is None or known["impl"] is not pipeline_class:
            PIPELINE_REGISTRY.register_pipeline(
                task, pipeline_class, pt_model=auto_classes, default={"model": DEFAULT_MODEL}, type="multimodal"
            )
