"""The caption decoder of SensorLM: CoCa's multimodal decoder (Yu et al., 2022).

Shapes: `B` rows, `K` sensor tokens, `L` text tokens, `D` width, `d` width of a head.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Optional

import torch
from torch import nn
from transformers.cache_utils import Cache
from transformers.masking_utils import create_bidirectional_mask, create_causal_mask
from transformers.modeling_outputs import BaseModelOutputWithCrossAttentions

from .configuration_sensorlm import SensorLMConfig
from .layers_sensorlm import (
    SensorLMCaptionPooler,
    SensorLMCrossAttentionLayer,
    SensorLMEncoderLayer,
    layer_norm,
)
from .outputs_sensorlm import SensorLMSensorOutput


@contextmanager
def _recorded_weights(modules: Iterable[nn.Module], record: Optional[bool]) -> Iterator[list[torch.Tensor]]:
    """Collects the attention weights of modules, their second output, while it is active and `record` is true."""
    weights: list[torch.Tensor] = []

    def keep(module: nn.Module, args: Any, output: Any) -> None:
        if output[1] is not None:
            weights.append(output[1])

    handles = [module.register_forward_hook(keep) for module in modules] if record else []
    try:
        yield weights
    finally:
        for handle in handles:
            handle.remove()


class SensorLMSensorReader:
    """The part of a decoder that reads sensor tokens: learned queries that pool them, and cross-attention layers."""

    pooler: Any
    cross_layers: Any

    def sensor_tokens(self, output: SensorLMSensorOutput) -> tuple[torch.Tensor, Optional[torch.Tensor]]:
        """Pools the states of the sensor tower, patches followed by channel statistics, for the decoder.

        Args:
            output: Output of the sensor tower.

        Returns:
            The tokens `(B, K, .)` that the decoder attends to, and their mask `(B, K)`, `None` if all count.
        """
        states, mask, statistics = output.last_hidden_state, output.token_mask, output.statistics_state
        if statistics is not None:
            states = torch.cat([states, statistics.to(states.dtype)], dim=1)
            if mask is not None:
                mask = torch.cat([mask, mask.new_ones(statistics.shape[:2])], dim=1)
        return (states, mask) if self.pooler is None else (self.pooler(states, mask), None)

    def key_values(self, sensor_tokens: torch.Tensor) -> torch.Tensor:
        """Projects sensor tokens once for all steps of a generation: `(B, layers, 2, heads, K, d)`."""
        return torch.stack([torch.stack(layer.key_values(sensor_tokens), 1) for layer in self.cross_layers], 1)


class SensorLMDecoder(nn.Module, SensorLMSensorReader):
    """CoCa's multimodal decoder: each layer is a causal self-attention block and a cross-attention block.

    Args:
        config: Configuration of the model. The decoder is as wide as the text tower, and its layers follow the text
            tower's in the generation cache.
    """

    def __init__(self, config: SensorLMConfig) -> None:
        super().__init__()
        text: Any = config.text_config
        sensor: Any = config.sensor_config
        layers = int(config.num_decoder_layers or 0)
        self.config = text
        self.first_cache_index = text.num_hidden_layers
        pooled = config.num_caption_queries > 0
        self.pooler = SensorLMCaptionPooler(config) if pooled else None
        source = text.hidden_size if pooled else sensor.hidden_size
        self.layers = nn.ModuleList(
            SensorLMEncoderLayer(text, self.first_cache_index + index) for index in range(layers)
        )
        self.cross_layers = nn.ModuleList(SensorLMCrossAttentionLayer(text, source) for _ in range(layers))
        self.final_layer_norm = layer_norm(text.hidden_size)
        self.lm_head = nn.Linear(text.hidden_size, text.vocab_size, bias=False)
        self.gradient_checkpointing = False

    def forward(
        self,
        hidden_states: torch.Tensor,
        attention_mask: Optional[torch.Tensor] = None,
        *,
        sensor_tokens: Optional[torch.Tensor] = None,
        sensor_token_mask: Optional[torch.Tensor] = None,
        sensor_key_values: Optional[torch.Tensor] = None,
        past_key_values: Optional[Cache] = None,
        output_attentions: Optional[bool] = False,
        output_hidden_states: Optional[bool] = False,
        **kwargs: Any,
    ) -> BaseModelOutputWithCrossAttentions:
        """Decodes.

        Args:
            hidden_states: `(B, L, D)` token states of the text tower, before its last layer norm.
            attention_mask: `(B, cached + L)`, 0 for padding.
            sensor_tokens: `(B, K, .)` of [`SensorLMSensorReader.sensor_tokens`].
            sensor_token_mask: `(B, K)`, their mask.
            sensor_key_values: Result of [`SensorLMSensorReader.key_values`], instead of `sensor_tokens`.
            past_key_values: Cache of earlier tokens.
            output_attentions: Whether to return the attention weights of the layers (eager attention).
            output_hidden_states: Whether to return the states after each layer.
            kwargs: Passed to the attention function.

        Returns:
            `last_hidden_state` `(B, L, D)` after the last layer norm, the input of `lm_head`; and as far as requested
            `hidden_states` after each layer, `attentions` `(B, heads, L, cached + L)` and `cross_attentions`
            `(B, heads, L, K)`.
        """
        mask = create_causal_mask(
            self.config, hidden_states, attention_mask, past_key_values, layer_idx=self.first_cache_index
        )
        cross_mask = None
        if sensor_token_mask is not None:
            cross_mask = create_bidirectional_mask(self.config, hidden_states, sensor_token_mask)
        states = []
        own, cross = ([layer.self_attn for layer in self.layers], [layer.cross_attn for layer in self.cross_layers])
        with (
            _recorded_weights(own, output_attentions) as attentions,
            _recorded_weights(cross, output_attentions) as cross_attentions,
        ):
            for index, (layer, cross_layer) in enumerate(zip(self.layers, self.cross_layers, strict=True)):
                hidden_states = layer(hidden_states, mask, is_causal=True, past_key_values=past_key_values, **kwargs)
                key_values = None
                if sensor_key_values is not None:
                    key_values = (sensor_key_values[:, index, 0], sensor_key_values[:, index, 1])
                hidden_states = cross_layer(hidden_states, sensor_tokens, cross_mask, key_values)
                if output_hidden_states:
                    states.append(hidden_states)
        return BaseModelOutputWithCrossAttentions(
            last_hidden_state=self.final_layer_norm(hidden_states),
            hidden_states=tuple(states) if output_hidden_states else None,
            attentions=tuple(attentions) if output_attentions else None,
            cross_attentions=tuple(cross_attentions) if output_attentions else None,
        )


__all__ = ["SensorLMDecoder", "SensorLMSensorReader"]
