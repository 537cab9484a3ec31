"""Exports the encoders of a model to ONNX or `torch.export` programs, for devices without transformers.

A watch or a phone runs the sensor tower; the text embeddings of the labels can be computed in advance. The exported
encoders take the processor's output and return unit-norm embeddings; batch size and text length are dynamic.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ._extras import requires_extra
from .io import staged_files

FORMATS = ("onnx", "torch")
"""File formats: ONNX, or `torch.export` programs (`.pt2`)."""

_LARGEST_SINGLE_FILE = 1_800_000_000  # protobuf is limited to 2 GiB; larger weights go to a separate file


class SensorEncoder(nn.Module):
    """The sensor side of a [`SensorLMModel`] as a function of tensors alone."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, sensor_values: torch.Tensor, sensor_mask: torch.Tensor) -> torch.Tensor:
        """Maps days `(B, T, C)` and their masks to embeddings `(B, D)`."""
        output = self.model.get_sensor_features(sensor_values, sensor_mask)
        return nn.functional.normalize(output.pooler_output, dim=-1)


class TextEncoder(nn.Module):
    """The text side of a [`SensorLMModel`] as a function of tensors alone."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Maps texts `(B, L)`, padded on the right, to embeddings `(B, D)`."""
        output = self.model.get_text_features(input_ids, attention_mask)
        return nn.functional.normalize(output.pooler_output, dim=-1)


def example_inputs(model: Any, side: str, rows: int = 2, seed: int = 0) -> dict[str, torch.Tensor]:
    """Generates random inputs for an encoder, with gaps or padding.

    Args:
        model: A [`SensorLMModel`].
        side: `"sensor"` or `"text"`.
        rows: Days or texts, at least 2.
        seed: Seed of the values.
    """
    generator = torch.Generator().manual_seed(seed)
    if side == "sensor":
        config = model.config.sensor_config
        shape = (rows, config.window_minutes, config.num_channels)
        mask = torch.rand(shape, generator=generator) > 0.2
        mask[0, : shape[1] // 3] = False
        return {"sensor_values": torch.randn(shape, generator=generator), "sensor_mask": mask}
    config = model.config.text_config
    length = min(12, config.max_position_embeddings)
    ids = torch.randint(0, config.vocab_size, (rows, length), generator=generator)
    attention = torch.ones_like(ids)
    attention[0, length // 2 :] = 0
    return {"input_ids": ids.masked_fill(attention == 0, config.pad_token_id or 0), "attention_mask": attention}


def export_encoders(model: Any, folder: str | Path, *, format: str = "onnx") -> dict[str, Path]:
    """Writes the encoders of a model.

    Args:
        model: A [`SensorLMModel`] on the CPU in float32; it is switched to evaluation mode.
        folder: Output folder; created if it does not exist. Files only appear there once they are complete.
        format: `"onnx"`, which needs the extra `export`, or `"torch"`.

    Returns:
        `{"sensor": path, "text": path}`: `sensor_encoder.onnx` or `sensor_encoder.pt2`, and the same for the text
            encoder, except for models with objective `cap`.

    Raises:
        ValueError: If the format is unknown or the model is not in float32 on the CPU.
        ImportError: If ONNX is requested but not installed.
    """
    if format not in FORMATS:
        raise ValueError(f"`format` must be one of {', '.join(FORMATS)}, got {format!r}.")
    parameter = next(model.parameters())
    if parameter.device.type != "cpu" or parameter.dtype != torch.float32:
        raise ValueError(
            f"The model is {parameter.dtype} on {parameter.device}; export it in float32 on the CPU, for"
            " example loaded with `from_pretrained(..., dtype=torch.float32)`."
        )
    if format == "onnx":
        _require_onnx()
    encoders: dict[str, nn.Module] = {"sensor": SensorEncoder(model)}
    if model.config.is_contrastive:
        encoders["text"] = TextEncoder(model)
    model.eval()
    folder = Path(folder)
    written = {}
    # The file that names the others comes last.
    with staged_files(folder, last=lambda path: path.suffix in (".onnx", ".pt2")) as partial, torch.no_grad():
        for side, encoder in encoders.items():
            name = f"{side}_encoder.{'onnx' if format == 'onnx' else 'pt2'}"
            _export(encoder.eval(), example_inputs(model, side), partial / name)
            written[side] = folder / name
    return written


def _export(encoder: nn.Module, inputs: dict[str, torch.Tensor], path: Path) -> None:
    rows = torch.export.Dim("rows", min=1, max=4096)
    shapes: dict[str, dict[int, Any]] = {name: {0: rows} for name in inputs}
    if "input_ids" in inputs:
        positions = encoder.model.config.text_config.max_position_embeddings
        tokens = torch.export.Dim("tokens", min=1, max=positions)
        shapes = {name: {**shape, 1: tokens} for name, shape in shapes.items()}
    program = torch.export.export(encoder, tuple(inputs.values()), dynamic_shapes=shapes)
    if path.suffix == ".pt2":
        held = io.BytesIO()  # on a full disk, torch ends the process instead of raising an error
        torch.export.save(program, held)
        path.write_bytes(held.getvalue())
        return
    size = sum(p.numel() * p.element_size() for p in encoder.parameters())
    torch.onnx.export(
        program,
        f=str(path),
        input_names=list(inputs),
        output_names=["embeds"],
        dynamo=True,
        external_data=size > _LARGEST_SINGLE_FILE,
        verbose=False,
    )


def run_encoder(path: str | Path, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Runs an encoder exported by [`export_encoders`], with only onnxruntime or torch.

    Args:
        path: The file.
        inputs: The encoder's inputs, by name.

    Returns:
        `(B, D)` float32 embeddings.
    """
    if Path(path).suffix == ".pt2":
        with torch.no_grad():
            return torch.export.load(path).module()(*inputs.values())
    _require_onnx()
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    known = {node.name for node in session.get_inputs()}
    arrays = {name: np.asarray(value) for name, value in inputs.items() if name in known}
    return torch.from_numpy(session.run(None, arrays)[0])


def largest_difference(model: Any, paths: dict[str, Path], rows: int = 3, seed: int = 1) -> dict[str, float]:
    """Compares exported encoders with the model, using inputs and a batch size that differ from those of the export.

    Args:
        model: The model that was exported.
        paths: Result of [`export_encoders`].
        rows: Days or texts.
        seed: Seed of the inputs.

    Returns:
        The maximum absolute difference between embeddings, for each encoder.
    """
    differences = {}
    for side, path in paths.items():
        inputs = example_inputs(model, side, rows, seed)
        encoder = SensorEncoder(model) if side == "sensor" else TextEncoder(model)
        with torch.no_grad():
            expected = encoder(*inputs.values())
        differences[side] = float((run_encoder(path, inputs) - expected).abs().max())
    return differences


def export_command(model: str | None, folder: str | Path, format: str) -> dict[str, dict[str, Any]]:
    """Implementation of `sensorlm-hf export`: loads a model, exports its encoders and compares them with it.

    Args:
        model: Model folder or Hub id; the demo model by default.
        folder: Output folder.
        format: One of [`FORMATS`].

    Returns:
        For each encoder its `path`, `megabytes` and `largest_difference` from the model.

    Raises:
        ValueError: If no model can be loaded.
    """
    from .checkpoints import demo_checkpoint
    from .modeling import SensorLMModel

    source = model or demo_checkpoint()
    try:
        loaded = SensorLMModel.from_pretrained(source, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise ValueError(f"No SensorLM model could be loaded from {source!r}: {error}") from error
    paths = export_encoders(loaded, folder, format=format)
    differences = largest_difference(loaded, paths)
    return {
        side: {
            "path": str(path),
            "megabytes": sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*")) / 1e6,
            "largest_difference": differences[side],
        }
        for side, path in paths.items()
    }


def _require_onnx() -> None:
    with requires_extra("export", "Export to ONNX"):
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401


__all__ = [
    "FORMATS",
    "SensorEncoder",
    "TextEncoder",
    "example_inputs",
    "export_command",
    "export_encoders",
    "largest_difference",
    "run_encoder",
]
