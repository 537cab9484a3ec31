"""Runs exported programs, and compares them with the model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .._extras import requires_extra
from .programs import programs_of


def run_program(path: str | Path, inputs: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """Runs an exported program, with only onnxruntime or torch.

    Args:
        path: The file.
        inputs: The program's inputs, by name, in the order of its arguments.

    Returns:
        Its outputs.
    """
    if Path(path).suffix == ".pt2":
        with torch.no_grad():
            outputs = torch.export.load(path).module()(*inputs.values())
        return (outputs,) if isinstance(outputs, torch.Tensor) else tuple(outputs)
    require_onnx()
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    known = {node.name for node in session.get_inputs()}
    arrays = {name: np.asarray(value) for name, value in inputs.items() if name in known}
    return tuple(torch.from_numpy(array) for array in session.run(None, arrays))


def run_encoder(path: str | Path, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Runs an encoder exported by [`export_encoders`], with only onnxruntime or torch.

    Args:
        path: The file.
        inputs: The encoder's inputs, by name.

    Returns:
        `(B, D)` float32 embeddings.
    """
    return run_program(path, inputs)[0]


def largest_difference(model: Any, paths: Mapping[str, Path], rows: int = 3, seed: int = 1) -> dict[str, float]:
    """Compares exported programs with the model, using inputs and a batch size that differ from those of the export.

    Args:
        model: The model that was exported.
        paths: Result of [`export_model`] or [`export_encoders`].
        rows: Days or texts.
        seed: Seed of the inputs.

    Returns:
        The maximum absolute difference between embeddings, or between the scores of the next token, for each program.
    """
    programs = programs_of(model)
    differences = {}
    for side, path in paths.items():
        inputs = programs[side].example(rows, seed)
        with torch.no_grad():
            expected = programs[side](*inputs.values())
        first = expected if isinstance(expected, torch.Tensor) else expected[0]
        differences[side] = float((run_program(path, inputs)[0] - first).abs().max())
    return differences


def require_onnx() -> None:
    """Raises an ImportError that names the extra if a library for ONNX is not installed."""
    with requires_extra("export", "Export to ONNX"):
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401


__all__ = ["largest_difference", "require_onnx", "run_encoder", "run_program"]
