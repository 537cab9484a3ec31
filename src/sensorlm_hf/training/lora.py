"""LoRA (Hu et al., 2022) configurations for the parts of a model, based on PEFT."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from peft import LoraConfig
from torch import nn
from transformers.pytorch_utils import Conv1D

PARTS = ("sensor", "text", "decoder")
"""Parts of a model that can be adapted."""

LAYERS = ("attention", "all")
"""Linear layers to adapt: those of attention, or also those of the MLPs."""

_ATTENTION = re.compile(r"(^|\.|_)(attn|attention|crossattention|self_attn|cross_attn)\.")


def lora_config(
    model: nn.Module,
    parts: Sequence[str] = ("sensor",),
    *,
    layers: str = "all",
    rank: int = 8,
    alpha: int | None = None,
    dropout: float = 0.0,
    modules_to_save: Sequence[str] = (),
    **options: Any,
) -> LoraConfig:
    """Creates a PEFT configuration that adapts parts of a model.

    The result works with `peft.get_peft_model(model, config)` and `model.add_adapter(config)`. All other parameters are
    frozen, except those of `modules_to_save`, which always include the head of a classifier.

    The temperature and the bias of the contrastive losses are not trained. They are bare parameters, which PEFT would
    train but not save, so that a loaded adapter would differ from the trained one.

    Args:
        model: A [`SensorLMModel`], [`SensorLMForConditionalGeneration`] or [`SensorLMForSensorClassification`], with or
            without a pretrained language model.
        parts: Any of [`PARTS`]. For a pretrained language model, `"text"` and `"decoder"` are its first and last
            layers.
        layers: One of [`LAYERS`].
        rank: Rank of the updates.
        alpha: Scale of the updates; twice the rank by default.
        dropout: Dropout before the updates.
        modules_to_save: Names of modules that are fully trained and saved with the adapter, such as
            `"sensorlm.sensor_model"` in combination with LoRA on the language model.
        options: Additional arguments of PEFT's `LoraConfig`.

    Returns:
        The configuration; its `target_modules` is a regular expression for full module names.

    Raises:
        ValueError: If a part is unknown or absent, or `modules_to_save` names something that is not a module.

    Example:
        ```python
        adapted = peft.get_peft_model(model, lora_config(model, parts=("sensor", "decoder")))
        adapted.save_pretrained("my-adapter")  # a few hundred kB
        model.load_adapter("my-adapter")  # on the original model
        merged = adapted.merge_and_unload()  # without PEFT
        ```
    """
    if isinstance(parts, str):
        parts = (parts,)
    unknown = [part for part in parts if part not in PARTS]
    if unknown or not parts:
        raise ValueError(f"`parts` must be some of {', '.join(PARTS)}, got {list(parts)!r}.")
    if layers not in LAYERS:
        raise ValueError(f"`layers` must be one of {', '.join(LAYERS)}, got {layers!r}.")
    named = dict(model.named_modules())
    patterns = [_pattern(named, part, layers) for part in parts]
    saved = [name for name in ("classifier", "pooler") if isinstance(named.get(name), nn.Module)]
    for name in modules_to_save:
        if name not in named:
            bare = any(name == parameter for parameter, _ in model.named_parameters())
            raise ValueError(
                f"`modules_to_save` names {name!r}, which is "
                + ("a bare parameter: PEFT would train but not save it." if bare else "no module of the model.")
                + " Use names of modules, such as 'sensor_model' or 'text_model.head', which begin with 'sensorlm.' in"
                " a SensorLMForConditionalGeneration."
            )
        saved.append(name)
    return LoraConfig(
        r=rank,
        lora_alpha=2 * rank if alpha is None else alpha,
        lora_dropout=dropout,
        target_modules="|".join(patterns),
        modules_to_save=saved or None,
        **options,
    )


def _pattern(named: dict[str, nn.Module], part: str, layers: str) -> str:
    """Returns a regular expression for the linear layers in the blocks of a part."""
    prefix = "decoder" if part == "decoder" else f"{part}_model"
    ending = prefix
    if prefix not in named and f"sensorlm.{prefix}" in named:
        prefix = f"sensorlm.{prefix}"
    if prefix not in named:
        raise ValueError(f"The model has no part {part!r} to adapt: `{prefix}` is absent.")
    numbered = re.compile(
        rf"{re.escape(prefix)}\.(.*\.)?\d+\."
    )  # matches blocks, which are in ModuleLists, but not heads
    names = [
        name
        for name, module in named.items()
        if isinstance(module, (nn.Linear, Conv1D)) and numbered.match(name) and name != f"{prefix}.lm_head"
    ]
    if layers == "attention":
        names = [name for name in names if _ATTENTION.search(name)]
    if not names:
        raise ValueError(f"The part {part!r} has no linear layer to adapt with layers={layers!r}.")
    endings = sorted({re.sub(r".*\.\d+\.", "", name) for name in names})
    # Optional, so that an adapter of the towers fits the model with and without its decoder.
    return rf"(?:sensorlm\.)?{ending}\.(?:.*\.)?\d+\.(?:{'|'.join(map(re.escape, endings))})"


__all__ = ["LAYERS", "PARTS", "lora_config"]
