"""Tiny random models of each objective, saved as folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.modeling import SensorLMConfig, SensorLMModel
from sensorlm_hf.processing import SensorLMFeatureExtractor, SensorLMProcessor, train_tokenizer
from sensorlm_hf.processing.captions import CaptionBuilder


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Returns the folder of a tiny random model of an objective, made on first use; it reads 48 tokens."""
    root = tmp_path_factory.mktemp("models")
    tokenizer = train_tokenizer(CaptionBuilder().batch(simulate_days(8, seed=9)), vocab_size=400, max_length=48)
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
                patch_minutes=120,
                sensor_config={"num_hidden_layers": 1},
                text_config={"num_hidden_layers": 1},
                decoder_config={"num_hidden_layers": 1, "num_caption_queries": 4},
                channel_keys=list(extractor.channel_keys),
                vocab_size=len(tokenizer),
                max_position_embeddings=48,
            )
            SensorLMModel(config).save_pretrained(folder)
            SensorLMProcessor(extractor, tokenizer).save_pretrained(folder)
        return folder

    return make
