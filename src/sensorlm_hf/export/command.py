"""Implementation of `sensorlm-hf export`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..checkpoints import demo_checkpoint
from ..modeling import SensorLMConfig, SensorLMForConditionalGeneration, SensorLMModel
from ..processing import SensorLMProcessor
from .files import export_model
from .runtime import largest_difference


def export_command(
    model: str | None, folder: str | Path, format: str, *, int8: bool = False
) -> dict[str, dict[str, Any]]:
    """Loads a model, exports its programs and compares them with it.

    Args:
        model: Model folder or Hub id; the demo model by default.
        folder: Output folder.
        format: One of [`FORMATS`].
        int8: Whether to quantise the weights to 8 bits.

    Returns:
        For each program its `path`, `megabytes` and `largest_difference` from the model.

    Raises:
        ValueError: If no model can be loaded.
    """
    source = str(model or demo_checkpoint())
    try:
        generative = "SensorLMForConditionalGeneration" in (SensorLMConfig.from_pretrained(source).architectures or ())
        kind = SensorLMForConditionalGeneration if generative else SensorLMModel
        loaded = kind.from_pretrained(source, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise ValueError(f"No SensorLM model could be loaded from {source!r}: {error}") from error
    try:
        processor = SensorLMProcessor.from_pretrained(source)
    except (OSError, ValueError):
        processor = None  # a model that was saved alone
    paths = export_model(loaded, folder, processor, format=format, int8=int8)
    differences = largest_difference(loaded, paths)
    return {
        side: {
            "path": str(path),
            "megabytes": sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*")) / 1e6,
            "largest_difference": differences[side],
        }
        for side, path in paths.items()
    }


__all__ = ["export_command"]
