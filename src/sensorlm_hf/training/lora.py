"""LoRA (Hu et al., 2022) on the parts of a model: which layers to adapt, over peft."""

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
"""Which linear maps of a part's blocks are adapted: those of attention, or those of the MLPs too."""

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
    """Makes the configuration with which peft adapts parts of a model.

    The result works with `peft.get_peft_model(model, config)` and `model.add_adapter(config)`. Everything else is
    frozen, but for what `modules_to_save` names; the head of a classifier is always among those, since it is new.

    The temperature and the bias of the contrastive losses stay as they were trained: they are parameters of the model
    itself, which peft trains but does not save, so that a loaded adapter would be another model than the trained one.

    Args:
        model: A [`SensorLMModel`] or [`SensorLMForSensorClassification`], with or without a pretrained language model.
        parts: Any of [`PARTS`]; `"text"` and `"decoder"` of a pretrained language model are its first and last layers.
        layers: One of [`LAYERS`].
        rank: Rank of the updates.
        alpha: Scale of the updates; twice the rank by default.
        dropout: Dropout before the updates.
        modules_to_save: Names of modules that are trained whole and saved with the adapter, such as `"sensor_model"`
            beside LoRA on the language model.
        options: Further values of peft's `LoraConfig`.

    Returns:
        The configuration; its `target_modules` are a pattern over whole names.

    Raises:
        ValueError: If a part is unknown or absent, or `modules_to_save` names something that is not a module.

    Example:
        ```python
        adapted = peft.get_peft_model(model, lora_config(model, parts=("sensor", "decoder")))
        adapted.save_pretrained("my-adapter")          # some hundred kB
        model.load_adapter("my-adapter")               # on the original model
        whole = adapted.merge_and_unload()             # an ordinary SensorLMModel again
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
                + ("a bare parameter: peft would train it and not save it." if bare else "no module of the model.")
                + " Name modules, such as 'sensor_model' or 'text_model.head'."
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
    """Returns a pattern of the linear maps in a part's blocks."""
    prefix = "decoder" if part == "decoder" else f"{part}_model"
    if prefix not in named and f"sensorlm.{prefix}" in named:
        prefix = f"sensorlm.{prefix}"
    if prefix not in named:
        raise ValueError(f"The model has no part {part!r} to adapt: `{prefix}` is absent.")
    numbered = re.compile(rf"{re.escape(prefix)}\.(.*\.)?\d+\.")  # blocks stand in lists; heads and projections do not
    names = [
        name
        for name, module in named.items()
        if isinstance(module, (nn.Linear, Conv1D)) and numbered.match(name) and name != f"{prefix}.lm_head"
    ]
    if layers == "attention":
        names = [name for name in names if _ATTENTION.search(name)]
    if not names:
        raise ValueError(f"The part {part!r} has no linear map to adapt with layers={layers!r}.")
    endings = sorted({re.sub(r".*\.\d+\.", "", name) for name in names})
    return rf"{re.escape(prefix)}\.(?:.*\.)?\d+\.(?:{'|'.join(map(re.escape, endings))})"


__all__ = ["LAYERS", "PARTS", "lora_config"]
