"""What the models of SensorLM return.

Shapes: `B` rows, `N` sensor patches, `K` sensor tokens, `L` text tokens, `D` width, `V` vocabulary size.
"""

from dataclasses import dataclass
from typing import Any, Optional

import torch
from transformers.cache_utils import Cache
from transformers.utils import ModelOutput


@dataclass
class SensorLMSensorOutput(ModelOutput):
    """Output of [`SensorLMSensorModel`].

    Attributes:
        last_hidden_state: `(B, K, D)` token states after the last layer norm. `K` is the number of patches `N`, or the
            patches of the row with the fewest gaps when missing patches were skipped.
        pooler_output: `(B, D)` attention-pooled states; `None` without a head. Not normalised.
        token_mask: `(B, K)` bool, True for the tokens of a row that count; `None` if all do.
        token_index: `(B, K)` patch number of each token; `None` if the tokens are the patches in order.
        statistics_state: `(B, C, D)` a state for each channel, made of its statistics; `None` without
            `embed_statistics`.
        hidden_states: Token states before each block and after the last, if asked for.
        attentions: Attention weights of each block `(B, heads, K, K)`, if asked for (eager attention).
    """

    last_hidden_state: Optional[torch.Tensor] = None
    pooler_output: Optional[torch.Tensor] = None
    token_mask: Optional[torch.Tensor] = None
    token_index: Optional[torch.Tensor] = None
    statistics_state: Optional[torch.Tensor] = None
    hidden_states: Optional[tuple[torch.Tensor, ...]] = None
    attentions: Optional[tuple[torch.Tensor, ...]] = None


@dataclass
class SensorLMTextOutput(ModelOutput):
    """Output of [`SensorLMTextModel`].

    Attributes:
        last_hidden_state: `(B, L, D)` token states, after the last layer norm where the last token is pooled.
        pooler_output: `(B, P)` projected text embeddings, not normalised; `None` if not pooled.
        token_states: `(B, L, D)` token states before the last layer norm, which the decoder reads.
        past_key_values: The cache, if one is used.
        hidden_states: Token states before each block and after the last, if asked for.
        attentions: Attention weights of each block, if asked for (eager attention).
    """

    last_hidden_state: Optional[torch.Tensor] = None
    pooler_output: Optional[torch.Tensor] = None
    token_states: Optional[torch.Tensor] = None
    past_key_values: Optional[Cache] = None
    hidden_states: Optional[tuple[torch.Tensor, ...]] = None
    attentions: Optional[tuple[torch.Tensor, ...]] = None


@dataclass
class SensorLMOutput(ModelOutput):
    """Output of [`SensorLMModel`]; what the objective or the inputs do not give is `None`.

    Attributes:
        loss: Scalar, the weighted sum of the losses below.
        contrastive_loss: Scalar, unweighted.
        caption_loss: Scalar, unweighted: mean negative log-likelihood of a caption token.
        logits_per_sensor: `(B_sensor, B_text)` scaled similarities, with the bias for `siglip`.
        logits_per_text: The transpose.
        sensor_embeds: `(B_sensor, D)` float32 rows of length 1.
        text_embeds: `(B_text, D)` float32 rows of length 1.
        caption_logits: `(B, L, V)` scores of the token after each position. While training they are left out unless
            asked for, since the loss needs the scored positions only.
        past_key_values: The cache of text tower and decoder, if one is used.
        sensor_model_output: Output of the sensor tower.
        text_model_output: Output of the text tower.
    """

    loss: Optional[torch.Tensor] = None
    contrastive_loss: Optional[torch.Tensor] = None
    caption_loss: Optional[torch.Tensor] = None
    logits_per_sensor: Optional[torch.Tensor] = None
    logits_per_text: Optional[torch.Tensor] = None
    sensor_embeds: Optional[torch.Tensor] = None
    text_embeds: Optional[torch.Tensor] = None
    caption_logits: Optional[torch.Tensor] = None
    past_key_values: Optional[Cache] = None
    sensor_model_output: Optional[SensorLMSensorOutput] = None
    text_model_output: Optional[SensorLMTextOutput] = None

    @property
    def logits(self) -> Optional[torch.Tensor]:
        """The caption logits, under the name that `generate` reads."""
        return self.caption_logits

    def to_tuple(self) -> tuple[Any, ...]:
        """Returns the values that are not `None` as a tuple, nested outputs as tuples too."""
        return tuple(value.to_tuple() if isinstance(value, ModelOutput) else value for value in self.values())


__all__ = ["SensorLMOutput", "SensorLMSensorOutput", "SensorLMTextOutput"]
