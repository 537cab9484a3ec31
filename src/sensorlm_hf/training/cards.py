"""Completes the model card that transformers' trainer writes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard

from ..card_metadata import model_metadata
from ..io import atomic_write_text

_NO_SOURCE = re.compile(r"This model is a fine-tuned version of \[\]\(https://huggingface\.co/\)")


def complete_trainer_card(path: Path, config: Any) -> None:
    """Adds the metadata of the Hub to a card, and corrects what it says about a model that was trained from scratch.

    Args:
        path: The card; rewritten atomically.
        config: Configuration of the model.
    """
    card = ModelCard.load(path)
    metadata = model_metadata(config.objective)
    given = list(card.data.tags or [])
    tags = [*given, *metadata.pop("tags")]
    for name, value in metadata.items():
        if not card.data.get(name):
            card.data[name] = value
    card.data.tags = list(dict.fromkeys(tags))
    text = _NO_SOURCE.sub("This model was trained from scratch", str(card))
    atomic_write_text(path, text)


__all__ = ["complete_trainer_card"]
