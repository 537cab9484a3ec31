"""Losses of a training step, computed from the outputs of a plain or wrapped model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ..modeling import SensorLMForConditionalGeneration, SensorLMModel
from ..modeling.losses_sensorlm import caption_targets, default_labels
from ..modeling.modeling_sensorlm import MAX_CLIP_LOGIT_SCALE
from .distributed import GlobalLosses


def unwrap_sensorlm(model: Any) -> Any:
    """Returns the [`SensorLMForConditionalGeneration`] or [`SensorLMModel`] inside DDP, FSDP, PEFT or `torch.compile`.

    Raises:
        TypeError: If the model contains neither.
    """
    for module in model.modules():
        if isinstance(module, (SensorLMForConditionalGeneration, SensorLMModel)):
            return module
    raise TypeError(
        f"Expected a SensorLMModel or SensorLMForConditionalGeneration, plain or wrapped, got {type(model).__name__}."
    )


def has_caption_loss(model: Any) -> bool:
    """Returns whether a model, plain or wrapped, has a decoder and with it a caption loss.

    Raises:
        ValueError: If it has no loss at all: the base model of objective `cap`.
    """
    inner = unwrap_sensorlm(model)
    if isinstance(inner, SensorLMForConditionalGeneration):
        return True
    if not inner.config.is_contrastive:
        raise ValueError(
            f"A {type(inner).__name__} of objective {inner.config.objective!r} has no loss. Use"
            " SensorLMForConditionalGeneration, which has the decoder."
        )
    return False


@dataclass
class Losses:
    """Losses of a batch.

    Attributes:
        loss: Scalar, the weighted sum of the losses below.
        contrastive_loss: Scalar, unweighted; `None` for `cap`.
        caption_loss: Scalar, unweighted; `None` for the contrastive objectives.
        statement_loss: Scalar, unweighted; `None` without statements.
        outputs: Output of the model; `None` if the batch was split into several forward passes.
    """

    loss: torch.Tensor
    contrastive_loss: torch.Tensor | None = None
    caption_loss: torch.Tensor | None = None
    statement_loss: torch.Tensor | None = None
    outputs: Any = None


def compute_losses(model: Any, inputs: Mapping[str, Any], losses: GlobalLosses) -> Losses:
    """Runs the forward pass and computes the losses of the global batch.

    The model computes embeddings and the summed caption loss; everything that involves other processes happens outside
    its forward pass. Call it on all processes.

    Args:
        model: A [`SensorLMModel`] or [`SensorLMForConditionalGeneration`], plain or wrapped by DDP, FSDP2, PEFT or
            `torch.compile`.
        inputs: Keyword arguments of its forward pass.
        losses: How the losses are computed.

    Returns:
        The losses. On several processes they are shares; see [`GlobalLosses`].

    Example:
        ```python
        loss = compute_losses(model, batch, GlobalLosses()).loss
        accelerator.backward(loss)
        optimizer.step()
        clamp_logit_scale(model)
        ```

    Raises:
        ValueError: If the number of rows differs between processes, or the model has no loss.
    """
    inputs = dict(inputs)
    groups = inputs.pop("text_group_ids", None)
    if has_caption_loss(model):
        inputs.update(caption_inputs(inputs, losses))
    outputs = model(**inputs, return_loss=False)
    base = unwrap_sensorlm(model).base_model
    # With `use_global_losses`, the model itself returns its share in training mode.
    if outputs.get("statement_loss") is not None and not (base.training and base.global_losses is not None):
        outputs["statement_loss"] = base.reduce_statement_loss(
            outputs["statement_loss"], inputs["statement_truth"], losses
        )
    contrastive = None
    if outputs.get("text_embeds") is not None:
        contrastive = losses.contrastive(
            outputs["sensor_embeds"], outputs["text_embeds"], outputs["logit_scale"], outputs.get("logit_bias"), groups
        )
    return weighted_losses(model, outputs, contrastive, losses)


def use_global_losses(model: Any, losses: GlobalLosses | None = None) -> None:
    """Makes the model's own forward pass compute the loss of the global batch in training mode.

    With it, `transformers.Trainer`, DDP, FSDP2 and `accelerate` train on several processes as on one, without
    [`compute_losses`]: call it before they wrap the model. The loss of each process is its share (see
    [`GlobalLosses`]), and the gradients averaged over processes are those of a single process. In evaluation mode, the
    loss remains that of the process's own batch, so a single process can evaluate on its own. The setting is not saved
    with the model. On one process it changes nothing, unless `losses` has a `chunk_size`.

    Every process must run the same number of forward passes on the same number of rows: leave out or pad incomplete
    batches, as `torch.utils.data.DistributedSampler` and `accelerate` do.

    Args:
        model: A [`SensorLMModel`] or [`SensorLMForConditionalGeneration`], plain or wrapped.
        losses: How the losses are computed; over all processes by default.

    Raises:
        TypeError: If the model is neither.
        ValueError: If it has no loss at all, or `losses` passes texts around a ring without the sigmoid loss.
    """
    has_caption_loss(model)  # refuses a model without a loss
    base = unwrap_sensorlm(model).base_model
    losses = GlobalLosses() if losses is None else losses
    if losses.exchange == "ring" and base.config.objective != "siglip":
        raise ValueError(
            "`exchange='ring'` supports the sigmoid loss, which is a sum over texts; objective"
            f" {base.config.objective!r} needs all texts at once. Use 'gather'."
        )
    base.global_losses = losses


def caption_inputs(inputs: Mapping[str, Any], losses: GlobalLosses) -> dict[str, torch.Tensor]:
    """Returns the inputs with which a forward pass computes this process's part of the caption loss.

    Args:
        inputs: `input_ids`, and optionally `attention_mask` and `labels`.
        losses: How the losses are computed.

    Returns:
        `labels` and `num_items_in_batch`.
    """
    ids, mask, labels = inputs["input_ids"], inputs.get("attention_mask"), inputs.get("labels")
    if labels is None:
        labels = default_labels(ids, mask)
    scored = (caption_targets(ids, mask, labels) != -100).sum()
    # The total, so that a token has the same weight on whichever process it is scored.
    return {"labels": labels, "num_items_in_batch": losses.total_over_processes(scored)}


def weighted_losses(model: Any, outputs: Any, contrastive: torch.Tensor | None, losses: GlobalLosses) -> Losses:
    """Combines the contrastive loss with the caption loss of the outputs, as the model does.

    Args:
        model: The model, plain or wrapped.
        outputs: Its output.
        contrastive: Contrastive loss; `None` if the objective has none.
        losses: How the losses are computed.

    Returns:
        The losses.
    """
    caption, statements = outputs.get("caption_loss"), outputs.get("statement_loss")
    if caption is None:
        total = contrastive if statements is None else contrastive + statements
        return Losses(total, contrastive, None, statements, outputs)
    caption = losses.reduce_caption(caption)
    total = unwrap_sensorlm(model).joint_loss(contrastive, caption, statements)
    return Losses(total, contrastive, caption, statements, outputs)


@torch.no_grad()
def clamp_logit_scale(model: Any) -> None:
    """Clamps the learned temperature of the softmax loss to a factor of 100, as CLIP does.

    Call it after each optimizer step. The forward pass clamps the value without changing the parameter, so a parameter
    beyond the limit would receive no gradient and stop learning.

    Args:
        model: A [`SensorLMModel`] or [`SensorLMForConditionalGeneration`], plain or wrapped.
    """
    base = unwrap_sensorlm(model).base_model
    if base.logit_scale is not None and base.logit_bias is None:
        base.logit_scale.clamp_(max=MAX_CLIP_LOGIT_SCALE)
