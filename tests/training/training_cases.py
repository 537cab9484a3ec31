"""Tiny models, days and arguments for the training tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from sensorlm_hf.modeling import SensorLMConfig, pretraining_class
from sensorlm_hf.processing import SensorLMFeatureExtractor, SensorLMProcessor
from sensorlm_hf.training import PretrainOptions, SensorLMTrainingArguments

SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 2,
    "patch_minutes": 120,
    "sensor_config": {"num_hidden_layers": 1},
    "text_config": {"num_hidden_layers": 1},
    "num_decoder_layers": 1,
    "num_caption_queries": 4,
}
"""A model of about ten thousand weights besides its embeddings, with steps of a few milliseconds."""

TEXT_LENGTH = 64


def options(data: str | Path, objective: str = "coca", **overrides: Any) -> PretrainOptions:
    """Options for a run that takes about a second."""
    values: dict[str, Any] = {
        "objective": objective,
        "size": "tiny",
        "data": str(data),
        "max_text_length": TEXT_LENGTH,
        "vocab_size": 400,
        "config_overrides": SHAPE,
    }
    return PretrainOptions(**{**values, **overrides})


def arguments(folder: Path, **overrides: Any) -> SensorLMTrainingArguments:
    """Arguments for a silent CPU run that saves nothing by default."""
    values: dict[str, Any] = {
        "output_dir": str(folder),
        "per_device_train_batch_size": 4,
        "per_device_eval_batch_size": 4,
        "num_train_epochs": 1,
        "learning_rate": 3e-3,
        "logging_steps": 1,
        "save_strategy": "no",
        "eval_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
    }
    return SensorLMTrainingArguments(**{**values, **overrides})


def tiny_model(processor: SensorLMProcessor, objective: str = "coca", seed: int = 0, **overrides: Any) -> Any:
    """A random model matching a processor."""
    torch.manual_seed(seed)
    extractor: SensorLMFeatureExtractor = processor.feature_extractor
    config = SensorLMConfig.from_size(
        objective,
        "tiny",
        **{
            **SHAPE,
            "vocab_size": len(processor.tokenizer),
            "max_position_embeddings": TEXT_LENGTH,
            "channel_keys": list(extractor.channel_keys),
            **overrides,
        },
    )
    return pretraining_class(config)(config)


def captions_of(processor: SensorLMProcessor, batch: dict[str, Any]) -> list[str]:
    """The decoded captions of a collated batch."""
    return processor.batch_decode(batch["input_ids"], skip_special_tokens=True)
