"""Tiny random models of each objective, saved as folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.processing import train_tokenizer
from sensorlm_hf.processing.captions import CaptionBuilder
from tiny_models import MAX_TOKENS, tiny_folders


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Returns the folder of a tiny random model with an objective, created on first use, with 48 text positions."""
    tokenizer = train_tokenizer(CaptionBuilder().batch(simulate_days(8, seed=9)), vocab_size=400, max_length=MAX_TOKENS)
    return tiny_folders(
        tmp_path_factory.mktemp("models"),
        tokenizer,
        patch_minutes=120,
        sensor_config={"num_hidden_layers": 1},
        text_config={"num_hidden_layers": 1},
        num_decoder_layers=1,
        num_caption_queries=4,
    )
