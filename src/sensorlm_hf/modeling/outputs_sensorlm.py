"""Outputs of the models of SensorLM.

Shapes: `B` rows, `N` sensor patches, `K` sensor tokens, `L` text tokens, `D` width, `V` vocabulary size.
"""

from dataclasses import dataclass
from typing import Any, Optional

import torch
from transformers.cache_utils import Cache
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.utils import ModelOutput


@dataclass
class SensorLMSensorOutput(BaseModelOutputWithPooling):
    """Output of [`SensorLMSensorModel`].

    Args:
        last_hidden_state (`torch.Tensor`, *optional*):
            `(B, K, D)` token states after the last layer norm. `K` is the number of patches `N`, or when missing
            patches were skipped the number of observed patches of the fullest row.
        pooler_output (`torch.Tensor`, *optional*):
            `(B, D)` the day's embedding, not normalized: attention-pooled states, or the mean of the tokens of a tower
            without a pooling head (objective `cap`).
        hidden_states (`tuple`, *optional*):
            Token states before each block and after the last, if requested.
        attentions (`tuple`, *optional*):
            Attention weights of each block `(B, heads, K, K)`, if requested (eager attention).
        token_mask (`torch.Tensor`, *optional*):
            `(B, K)` bool, True for the tokens of a row that count; `None` if all do.
        token_index (`torch.Tensor`, *optional*):
            `(B, K)` patch number of each token; `None` if the tokens are the patches in order.
        statistics_state (`torch.Tensor`, *optional*):
            `(B, C, D)` embedded statistics of each channel; `None` without `embed_statistics`.
    """

    token_mask: Optional[torch.Tensor] = None
    token_index: Optional[torch.Tensor] = None
    statistics_state: Optional[torch.Tensor] = None


@dataclass
class SensorLMOutput(ModelOutput):
    """Output of [`SensorLMModel`]; what the objective or the inputs do not provide is `None`.

    Args:
        loss (`torch.Tensor`, *optional*):
            Scalar, the sum of the losses below, if requested.
        contrastive_loss (`torch.Tensor`, *optional*):
            Scalar, the contrastive loss of days and their texts.
        statement_loss (`torch.Tensor`, *optional*):
            Scalar, the loss of the statements, if there are any.
        logits_per_sensor (`torch.Tensor`, *optional*):
            `(B_sensor, B_text)` scaled similarities, with the bias for `siglip`. Left out in training without a loss,
            where only the embeddings are needed.
        logits_per_text (`torch.Tensor`, *optional*):
            The transpose.
        sensor_embeds (`torch.Tensor`, *optional*):
            `(B_sensor, D)` float32 rows of unit length.
        text_embeds (`torch.Tensor`, *optional*):
            `(B_text, D)` float32 rows of unit length.
        logit_scale (`torch.Tensor`, *optional*):
            Scalar, the factor on the similarities.
        logit_bias (`torch.Tensor`, *optional*):
            Scalar, the bias of the sigmoid loss.
        sensor_model_output (`SensorLMSensorOutput`, *optional*):
            Output of the sensor tower.
        text_model_output (`BaseModelOutputWithPooling`, *optional*):
            Output of the text tower.
    """

    loss: Optional[torch.Tensor] = None
    logits_per_sensor: Optional[torch.Tensor] = None
    logits_per_text: Optional[torch.Tensor] = None
    sensor_embeds: Optional[torch.Tensor] = None
    text_embeds: Optional[torch.Tensor] = None
    logit_scale: Optional[torch.Tensor] = None
    logit_bias: Optional[torch.Tensor] = None
    sensor_model_output: Optional[SensorLMSensorOutput] = None
    text_model_output: Optional[BaseModelOutputWithPooling] = None
    contrastive_loss: Optional[torch.Tensor] = None
    statement_loss: Optional[torch.Tensor] = None

    def to_tuple(self) -> tuple[Any, ...]:
        """Returns the values that are not `None` as a tuple, nested outputs as tuples too."""
        return tuple(value.to_tuple() if isinstance(value, ModelOutput) else value for value in self.values())


@dataclass
class SensorLMConditionalGenerationOutput(SensorLMOutput):
    """Output of [`SensorLMForConditionalGeneration`]: that of [`SensorLMModel`] and the decoder's.

    Args:
        loss (`torch.Tensor`, *optional*):
            Scalar, the weighted sum of the losses below, as far as they are computed.
        caption_loss (`torch.Tensor`, *optional*):
            Scalar, unweighted: mean negative log-likelihood of a caption token.
        logits (`torch.Tensor`, *optional*):
            `(B, L, V)` scores of the token after each position. In training they are left out, since the loss only
            needs those of the scored positions.
        past_key_values (`Cache`, *optional*):
            The cache of text tower and decoder, if one is used.
        hidden_states (`tuple`, *optional*):
            If requested, `(B, L, D)` states of the text: before the first layer of the text tower, after each of its
            layers, and after each layer of the decoder.
        attentions (`tuple`, *optional*):
            If requested, causal self-attention weights `(B, heads, L, cached + L)` of the layers of the text tower and
            the decoder (eager attention).
        cross_attentions (`tuple`, *optional*):
            If requested, weights `(B, heads, L, K)` with which the decoder's layers attend to the sensor tokens, or to
            the queries that pool them.
    """

    caption_loss: Optional[torch.Tensor] = None
    logits: Optional[torch.Tensor] = None
    past_key_values: Optional[Cache] = None
    hidden_states: Optional[tuple[torch.Tensor, ...]] = None
    attentions: Optional[tuple[torch.Tensor, ...]] = None
    cross_attentions: Optional[tuple[torch.Tensor, ...]] = None


__all__ = ["SensorLMConditionalGenerationOutput", "SensorLMOutput", "SensorLMSensorOutput"]
