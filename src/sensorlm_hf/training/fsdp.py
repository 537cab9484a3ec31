"""What FSDP2 needs of a model before it shards it, and what saving needs afterwards."""

from __future__ import annotations

from typing import Any

import torch

from .losses import unwrap_sensorlm

SCALARS = ("logit_scale", "logit_bias", "statement_logit_scale", "statement_logit_bias")


def scalars_to_vectors(model: Any) -> None:
    """Reshapes the learned temperatures and biases to one dimension, since FSDP2 cannot shard scalars.

    Call it before wrapping the model. [`restore_scalars`] undoes it for saving.
    """
    inner = unwrap_sensorlm(model).base_model
    for name in SCALARS:
        parameter = getattr(inner, name)
        if parameter is not None and parameter.ndim == 0:
            vector = torch.nn.Parameter(parameter.detach().reshape(1), requires_grad=parameter.requires_grad)
            setattr(inner, name, vector)


def restore_scalars(state: dict[str, Any]) -> dict[str, Any]:
    """Returns a state dict with temperatures and biases as scalars again; see [`scalars_to_vectors`]."""
    return {
        name: tensor.reshape(()) if name.split(".")[-1] in SCALARS and tensor.numel() == 1 else tensor
        for name, tensor in state.items()
    }


def prepare_for_fsdp2(model: Any, accelerator: Any) -> None:
    """Prepares a model for FSDP2; call it before `accelerator.prepare`. Without FSDP2 it does nothing.

    The temperature and the bias become vectors (see [`scalars_to_vectors`]). Accelerate refuses to wrap layer classes
    that the model does not contain, and cross-attention layers only exist in models with a decoder. Such classes are
    removed from the plugin's list; if it lists none, all layers in the model's layer stacks are wrapped.

    Args:
        model: A [`SensorLMModel`] or [`SensorLMForConditionalGeneration`].
        accelerator: The `Accelerator`.

    Raises:
        ValueError: If the model contains none of the configured layer classes.
    """
    if not accelerator.is_fsdp2:
        return
    scalars_to_vectors(model)
    plugin = accelerator.state.fsdp_plugin
    stacks = [module for module in model.modules() if isinstance(module, torch.nn.ModuleList)]
    blocks = {type(block).__name__ for stack in stacks for block in stack}
    named = plugin.transformer_cls_names_to_wrap or sorted(blocks)
    found = [name for name in named if name in {type(module).__name__ for module in model.modules()}]
    if not found:
        raise ValueError(
            f"`fsdp_transformer_layer_cls_to_wrap` names {', '.join(named)}, none of which the model contains; it has"
            f" {', '.join(sorted(blocks))}."
        )
    plugin.transformer_cls_names_to_wrap = found
