"""Tiny random models, saved as folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from sensorlm_hf.modeling import SensorLMConfig, pretraining_class
from sensorlm_hf.processing import SensorLMFeatureExtractor, SensorLMProcessor

MAX_TOKENS = 48


def tiny_folders(
    root: Path, tokenizer: Any, prepare: Callable[[torch.nn.Module], None] | None = None, **shape: Any
) -> Callable[[str], Path]:
    """Returns a function that gives the folder of a tiny random model with an objective, created on first use.

    Args:
        root: Parent of the folders.
        tokenizer: The models' tokenizer.
        prepare: Changes a model before it is saved.
        shape: Configuration options besides the size.
    """
    extractor = SensorLMFeatureExtractor()

    def make(objective: str) -> Path:
        folder = root / objective
        if not folder.exists():
            torch.manual_seed(0)
            config = SensorLMConfig.from_size(
                objective,
                "tiny",
                hidden_size=32,
                intermediate_size=64,
                num_attention_heads=2,
                channel_keys=list(extractor.channel_keys),
                vocab_size=len(tokenizer),
                max_position_embeddings=MAX_TOKENS,
                **shape,
            )
            model = pretraining_class(config)(config)
            if prepare is not None:
                prepare(model)
            model.save_pretrained(folder)
            SensorLMProcessor(extractor, tokenizer).save_pretrained(folder)
        return folder

    return make
