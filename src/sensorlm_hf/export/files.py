"""Writes the programs of a model as ONNX or `torch.export` files, and what else users without transformers need."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from .._extras import requires_extra
from .._version import __version__
from ..io import staged_files
from ..processing.pairing import check_pair
from .programs import Program, programs_of
from .runtime import require_onnx

FORMATS = ("onnx", "torch")
"""File formats: ONNX, or `torch.export` programs (`.pt2`)."""

_LARGEST_SINGLE_FILE = 1_800_000_000  # protobuf is limited to 2 GiB; larger weights go to a separate file


def export_encoders(model: Any, folder: str | Path, *, format: str = "onnx") -> dict[str, Path]:
    """Writes the encoders of a model; see [`export_model`], which also writes its captioner.

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
    return _write(model, folder, None, format, int8=False, captions=False)


def export_model(
    model: Any, folder: str | Path, processor: Any = None, *, format: str = "onnx", int8: bool = False
) -> dict[str, Path]:
    """Writes a model as programs for devices without transformers.

    Batch size and text length are dynamic. `caption_start` takes the first tokens of the captions, all of the same
    length and without padding; `caption_step` takes one further token each, and the cache so far.

    Args:
        model: A [`SensorLMModel`] or [`SensorLMForConditionalGeneration`] on the CPU in float32; it is switched to
            evaluation mode.
        folder: Output folder; created if it does not exist. Files only appear there once they are complete.
        processor: The model's [`SensorLMProcessor`]; then `tokenizer.json` of the `tokenizers` library and
            `export.json`, with the channels, their normalisation and the scale of the similarities, are written too.
        format: `"onnx"`, which needs the extra `export`, or `"torch"`.
        int8: Whether to quantise the weights to 8 bits, with activations quantised at run time (onnxruntime's dynamic
            quantisation): about a third of the size. Only for ONNX.

    Returns:
        The programs: `sensor` (`sensor_encoder.onnx` or `.pt2`); `text` (`text_encoder`), except for models with
            objective `cap`; `caption_start` and `caption_step`, for a [`SensorLMForConditionalGeneration`].

    Raises:
        ValueError: If the format is unknown or cannot be quantised, the model is not in float32 on the CPU, or the
            processor does not match the model.
        ImportError: If ONNX is requested but not installed.
    """
    if processor is not None:
        check_pair(model, processor)
        _check_all_channels(processor.feature_extractor)
    return _write(model, folder, processor, format, int8=int8, captions=True)


def _write(
    model: Any, folder: str | Path, processor: Any, format: str, *, int8: bool, captions: bool
) -> dict[str, Path]:
    if format not in FORMATS:
        raise ValueError(f"`format` must be one of {', '.join(FORMATS)}, got {format!r}.")
    if int8 and format != "onnx":
        raise ValueError(f"`int8` is onnxruntime's quantisation and needs format 'onnx', got {format!r}.")
    parameter = next(model.parameters())
    if parameter.device.type != "cpu" or parameter.dtype != torch.float32:
        raise ValueError(
            f"The model is {parameter.dtype} on {parameter.device}; export it in float32 on the CPU, for"
            " example loaded with `from_pretrained(..., dtype=torch.float32)`."
        )
    if format == "onnx":
        require_onnx()
    model.eval()
    folder = Path(folder)
    written = {}
    # The file that names the others comes last.
    with staged_files(folder, last=lambda path: path.suffix in (".onnx", ".pt2")) as partial, torch.no_grad():
        for side, program in programs_of(model, captions=captions).items():
            name = f"{program.file_stem}.{'onnx' if format == 'onnx' else 'pt2'}"
            _export(program.eval(), partial / name, int8)
            written[side] = folder / name
        if processor is not None:
            tokenizer = _plain_tokenizer(processor.tokenizer, model.config.text_config.max_position_embeddings)
            tokenizer.save(str(partial / "tokenizer.json"))
            settings = json.dumps(_settings(model, processor.feature_extractor), indent=2)
            (partial / "export.json").write_text(settings + "\n", encoding="utf-8")
    return written


def _export(program: Program, path: Path, int8: bool) -> None:
    inputs = program.example(rows=2, seed=0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)  # of torch's exporter about its own code
        _export_inputs(program, inputs, path, int8)


def _export_inputs(program: Program, inputs: dict[str, torch.Tensor], path: Path, int8: bool) -> None:
    exported = torch.export.export(program, tuple(inputs.values()), dynamic_shapes=program.dynamic_shapes(inputs))
    if path.suffix == ".pt2":
        held = io.BytesIO()  # on a full disk, torch ends the process instead of raising an error
        torch.export.save(exported, held)
        path.write_bytes(held.getvalue())
        return
    size = sum(p.numel() * p.element_size() for p in program.parameters())
    target = path.with_name(f"float-{path.name}") if int8 else path
    torch.onnx.export(
        exported,
        f=str(target),
        input_names=list(inputs),
        output_names=program.output_names(),
        dynamo=True,
        external_data=size > _LARGEST_SINGLE_FILE,
        verbose=False,
    )
    if int8:
        quantise_program(target, path)
        for file in target.parent.glob(f"{target.name}*"):
            file.unlink()


def quantise_program(source: str | Path, target: str | Path) -> None:
    """Quantises the weights of an ONNX file to 8 bits; activations are quantised at run time.

    Args:
        source: File of [`export_model`].
        target: File to write; not atomic, [`export_model`] with `int8=True` is.

    Raises:
        ImportError: If onnxruntime is not installed.
    """
    with requires_extra("export", "Quantising a program"):
        from onnxruntime.quantization import QuantType, quantize_dynamic

    source = Path(source)
    size = sum(file.stat().st_size for file in source.parent.glob(f"{source.name}*"))
    with _quiet():
        quantize_dynamic(
            source,
            Path(target),
            # A scale for each output channel: several times closer to the model than one for each matrix.
            per_channel=True,
            weight_type=QuantType.QInt8,
            use_external_data_format=size > 3 * _LARGEST_SINGLE_FILE,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences onnxruntime's advice to optimise graphs first, which the exporter has done."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        root.setLevel(before)


def _plain_tokenizer(tokenizer: Any, positions: int) -> Tokenizer:
    """Returns a copy of a tokenizer's backend that truncates and pads batches as the processor does."""
    plain = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    plain.enable_truncation(min(int(tokenizer.model_max_length), positions))
    plain.enable_padding(pad_id=tokenizer.pad_token_id, pad_token=tokenizer.pad_token)
    return plain


def _check_all_channels(extractor: Any) -> None:
    lacking = [key for key in extractor.output_keys if key not in extractor.channel_keys]
    if lacking:
        raise ValueError(
            f"The processor lacks channels of the model: {', '.join(lacking)}. Give the processor that was saved with"
            " the model, which has the normalisation of all of them."
        )


def _settings(model: Any, extractor: Any) -> dict[str, Any]:
    """Returns everything that a user of the programs needs to know about inputs and outputs."""
    text = model.config.text_config
    by_key = {channel["key"]: channel for channel in extractor.channels}
    fields = ("key", "label", "unit", "mean", "std", "valid_range")
    settings: dict[str, Any] = {
        "created_with": f"sensorlm_hf {__version__}",
        "objective": model.config.objective,
        "window_minutes": model.config.sensor_config.window_minutes,
        "clip": extractor.clip,
        "implausible": extractor.implausible,
        "channels": [{name: by_key[key][name] for name in fields} for key in extractor.output_keys],
        "bos_token_id": text.bos_token_id,
        "eos_token_id": text.eos_token_id,
        "pad_token_id": text.pad_token_id,
        "max_tokens": text.max_position_embeddings,
    }
    contrastive = getattr(model, "sensorlm", model)
    if model.config.is_contrastive:
        settings["similarity"] = _scale_and_bias(contrastive.similarity_logits)
        settings["statement"] = _scale_and_bias(contrastive.statement_logits)
    return settings


def _scale_and_bias(logits: Any) -> Mapping[str, float] | None:
    """Returns the scale and the bias of a linear function of the cosine similarity, `None` if it is not defined."""
    same, zero = torch.ones(1, 1), torch.zeros(1, 1)
    bias = logits(same, zero)
    if bias is None:
        return None
    return {"scale": float(logits(same, same) - bias), "bias": float(bias)}


__all__ = ["FORMATS", "export_encoders", "export_model", "quantise_program"]
