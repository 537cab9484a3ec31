"""PyTorch models of SensorLM: sensor tower, text tower, caption decoder and their combinations.

Structure and sources:

* The sensor tower is a ViT over the (time, channel) plane with rectangular patches, pre-norm blocks and the attention
  pooling of SigLIP (Zhai et al., 2023), as in the public SensorLM release (Zhang et al., arXiv:2506.09108). Missing
  data is part of it: see [`SensorLMSensorModel`].
* The text tower is that of SigLIP for the contrastive objectives, and the causal one of CoCa (Yu et al., 2022) for the
  others.
* The decoder is CoCa's: causal self-attention blocks alternate with cross-attention blocks on the sensor tokens, which
  learned queries gather first.

Shapes in the docstrings: `B` rows, `T` minutes, `C` channels, `N` sensor patches, `L` text tokens, `D` width, `V`
vocabulary size.
"""

import copy
import logging
import math
from dataclasses import dataclass
from typing import Any, Optional, Union

import torch
from torch import nn
from transformers import GenerationConfig, GenerationMixin, PreTrainedModel
from transformers import initialization as init
from transformers.activations import ACT2FN
from transformers.cache_utils import Cache, DynamicCache
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.utils import ModelOutput

from .configuration_sensorlm import SensorLMConfig, SensorLMDecoderConfig, SensorLMSensorConfig, SensorLMTextConfig
from .losses_sensorlm import caption_loss, clip_loss, positive_pairs, siglip_loss

logger = logging.getLogger(__name__)

MAX_CLIP_LOGIT_SCALE = math.log(100.0)
"""Largest logarithm of CLIP's temperature factor."""

_WORTH_SKIPPING = 7 / 8
"""Missing patches are skipped when the fullest row of the batch has at most this fraction of the patches."""


@dataclass
class SensorLMSensorOutput(ModelOutput):
    """Output of [`SensorLMSensorModel`].

    Attributes:
        last_hidden_state: `(B, K, D)` token states after the last layer norm. `K` is the number of patches `N`, or the
            patches of the row with the fewest gaps when missing patches were skipped.
        pooler_output: `(B, D)` attention-pooled states; `None` without a head. Not normalised.
        token_mask: `(B, K)` bool, True for the tokens of a row that count; `None` if all do.
        token_index: `(B, K)` patch number of each token; `None` if the tokens are the patches in order.
        hidden_states: Token states before each block and after the last, if asked for.
        attentions: Attention weights of each block `(B, heads, K, K)`, if asked for (eager attention).
    """

    last_hidden_state: Optional[torch.Tensor] = None
    pooler_output: Optional[torch.Tensor] = None
    token_mask: Optional[torch.Tensor] = None
    token_index: Optional[torch.Tensor] = None
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


# ---------------------------------------------------------------------------------------------------------------------
# Attention


def _is_all_true(mask: torch.Tensor) -> bool:
    """Whether a mask masks nothing; never while a graph is recorded, which must not depend on values."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return False
    return bool(mask.all())


def _attention_mask(
    config: Any, keys: Optional[torch.Tensor], query_length: int, *, causal: bool = False, past_length: int = 0
) -> Optional[torch.Tensor]:
    """Builds the mask that the configured attention function takes.

    Args:
        config: Configuration that names the attention function.
        keys: `(B, K)` bool, True for keys that may be attended to; `None` if all may. A 4-dimensional mask, as
            generation with a static cache makes it, is passed on.
        query_length: Number of queries; they are the last of the keys.
        causal: Whether a query sees no later keys.
        past_length: Number of keys that precede the queries.

    Returns:
        `None` where the attention function needs no mask, a `(B, K)` mask for flash attention, else a bool mask
        `(B or 1, 1, query_length or 1, K)`, True where attention is allowed.
    """
    if keys is not None and keys.ndim == 4:
        return keys
    if keys is not None and _is_all_true(keys):
        keys = None
    if config._attn_implementation is not None and "flash" in config._attn_implementation:
        return keys
    if not causal:
        return None if keys is None else keys[:, None, None, :]
    if keys is None and (past_length == 0 or query_length == 1):
        return None
    key_length = past_length + query_length if keys is None else keys.shape[1]
    device = None if keys is None else keys.device
    queries = torch.arange(past_length, past_length + query_length, device=device)[:, None]
    positions = torch.arange(key_length, device=device)[None, :]
    allowed = (positions <= queries)[None, None]
    if keys is not None:
        # A padded position attends to itself, so that no row of the attention matrix is empty; nobody attends to it.
        allowed = (allowed & keys[:, None, None, :]) | (positions == queries)[None, None]
    return allowed


def eager_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: Optional[torch.Tensor],
    scaling: float,
    dropout: float = 0.0,
    is_causal: bool = False,
    **kwargs: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention written out, with the interface of transformers' attention functions.

    Args:
        module: The attention module.
        query: `(B, heads, Q, d)`.
        key: `(B, heads, K, d)`.
        value: `(B, heads, K, d)`.
        attention_mask: Bool (True = attend) or additive mask, broadcastable to `(B, heads, Q, K)`.
        scaling: Factor on the products.
        dropout: Dropout probability on the weights.
        is_causal: Whether query `i` sees keys up to `i`; used where there is no mask.
        kwargs: Ignored.

    Returns:
        The result `(B, Q, heads, d)` and the weights `(B, heads, Q, K)`.
    """
    scores = torch.matmul(query * scaling, key.transpose(-1, -2))
    if attention_mask is None and is_causal and query.shape[2] > 1:
        shape = (query.shape[2], key.shape[2])
        attention_mask = torch.ones(shape, dtype=torch.bool, device=query.device).tril()
    if attention_mask is not None:
        if attention_mask.dtype == torch.bool:
            # Half of the lowest number, so that adding a negative score stays finite.
            lowest = torch.finfo(scores.dtype).min / 2
            attention_mask = scores.new_zeros(()).masked_fill(~attention_mask, lowest)
        scores = scores + attention_mask
    weights = nn.functional.softmax(scores, dim=-1).to(value.dtype)
    dropped = nn.functional.dropout(weights, p=dropout, training=module.training)
    return torch.matmul(dropped, value).transpose(1, 2).contiguous(), weights


def _attention_function(implementation: Optional[str], query: torch.Tensor, key: torch.Tensor) -> Any:
    """Chooses the attention function.

    On a CPU the backward pass of torch's fused attention is slow in half precision: written-out attention trains 2 to 5
    times faster up to some 500 tokens (measured with torch 2.13, AVX-512), with equal results.
    """
    if (
        implementation == "sdpa"
        and query.device.type == "cpu"
        and query.dtype in (torch.bfloat16, torch.float16)
        and torch.is_grad_enabled()
        and query.shape[2] * key.shape[2] <= 512 * 512
    ):
        return eager_attention
    return ALL_ATTENTION_FUNCTIONS.get_interface(implementation, eager_attention)


def _marked(linear: nn.Linear, initial_weights: str) -> nn.Linear:
    """Marks how the weights of a layer start; [`SensorLMPreTrainedModel._init_weights`] reads the mark."""
    linear.initial_weights = initial_weights
    return linear


class SensorLMAttention(nn.Module):
    """Multi-head attention with separate projections, for self- and cross-attention.

    Args:
        config: Gives `hidden_size`, `num_attention_heads`, `attention_dropout` and the attention function.
        key_value_size: Width of what keys and values are made of; defaults to `hidden_size`.
        cache_index: Layer of the generation cache that belongs to the module.
    """

    def __init__(self, config: Any, key_value_size: Optional[int] = None, cache_index: Optional[int] = None) -> None:
        super().__init__()
        self.config = config
        self.num_heads = config.num_attention_heads
        self.head_dim = config.hidden_size // config.num_attention_heads
        self.scaling = self.head_dim**-0.5
        self.dropout = config.attention_dropout
        self.is_causal = False
        self.layer_idx = cache_index
        source = key_value_size or config.hidden_size
        self.q_proj = _marked(nn.Linear(config.hidden_size, config.hidden_size), "xavier")
        self.k_proj = _marked(nn.Linear(source, config.hidden_size), "xavier")
        self.v_proj = _marked(nn.Linear(source, config.hidden_size), "xavier")
        self.out_proj = _marked(nn.Linear(config.hidden_size, config.hidden_size), "xavier")

    def _heads(self, states: torch.Tensor) -> torch.Tensor:
        return states.view(states.shape[0], states.shape[1], self.num_heads, self.head_dim).transpose(1, 2)

    def key_values(self, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Projects `(B, K, source width)` to keys and values, each `(B, heads, K, d)`."""
        return self._heads(self.k_proj(states)), self._heads(self.v_proj(states))

    def forward(
        self,
        hidden_states: torch.Tensor,
        attention_mask: Optional[torch.Tensor] = None,
        *,
        key_values: Optional[tuple[torch.Tensor, torch.Tensor]] = None,
        is_causal: bool = False,
        past_key_values: Optional[Cache] = None,
    ) -> tuple[torch.Tensor, Optional[torch.Tensor]]:
        """Attends.

        Args:
            hidden_states: `(B, Q, D)`.
            attention_mask: As [`eager_attention`] or the configured function takes it.
            key_values: Keys and values of another sequence; by default those of `hidden_states`.
            is_causal: Whether a query sees no later keys.
            past_key_values: Cache that the own keys and values are appended to.

        Returns:
            The result `(B, Q, D)` and, for eager attention, the weights.
        """
        queries = self._heads(self.q_proj(hidden_states))
        keys, values = self.key_values(hidden_states) if key_values is None else key_values
        if past_key_values is not None and key_values is None:
            keys, values = past_key_values.update(keys, values, self.layer_idx)
        implementation = self.config._attn_implementation
        flash = implementation is not None and "flash" in implementation
        if flash and attention_mask is not None and queries.shape[2] not in (1, keys.shape[2]):
            # Flash attention unpads queries with the mask of the keys, which are other tokens here.
            implementation, attention_mask = "sdpa", attention_mask[:, None, None, :]
        attend = _attention_function(implementation, queries, keys)
        result, weights = attend(
            self,
            queries,
            keys,
            values,
            attention_mask,
            dropout=self.dropout if self.training else 0.0,
            scaling=self.scaling,
            is_causal=is_causal,
        )
        return self.out_proj(result.flatten(2)), weights


class SensorLMMLP(nn.Module):
    """Two linear layers with an activation between them."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.activation_fn = ACT2FN[config.hidden_act]
        self.fc1 = _marked(nn.Linear(config.hidden_size, config.intermediate_size), "xavier")
        self.fc2 = _marked(nn.Linear(config.intermediate_size, config.hidden_size), "xavier")

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Maps `(..., D)` to `(..., D)`."""
        return self.fc2(self.activation_fn(self.fc1(hidden_states)))


class SensorLMEncoderLayer(GradientCheckpointingLayer):
    """Pre-norm transformer block with self-attention, causal or not."""

    def __init__(self, config: Any, cache_index: Optional[int] = None) -> None:
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.self_attn = SensorLMAttention(config, cache_index=cache_index)
        self.layer_norm2 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.mlp = SensorLMMLP(config)

    def forward(
        self,
        hidden_states: torch.Tensor,
        attention_mask: Optional[torch.Tensor] = None,
        is_causal: bool = False,
        past_key_values: Optional[Cache] = None,
    ) -> tuple[torch.Tensor, Optional[torch.Tensor]]:
        """Maps `(B, L, D)` to `(B, L, D)`; also returns the attention weights, if there are any."""
        attended, weights = self.self_attn(
            self.layer_norm1(hidden_states), attention_mask, is_causal=is_causal, past_key_values=past_key_values
        )
        hidden_states = hidden_states + attended
        return hidden_states + self.mlp(self.layer_norm2(hidden_states)), weights


class SensorLMCrossAttentionLayer(GradientCheckpointingLayer):
    """Pre-norm block whose attention reads the sensor tokens."""

    def __init__(self, config: Any, key_value_size: int) -> None:
        super().__init__()
        self.layer_norm_q = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.layer_norm_kv = nn.LayerNorm(key_value_size, eps=config.layer_norm_eps)
        self.cross_attn = SensorLMAttention(config, key_value_size=key_value_size)
        self.layer_norm2 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.mlp = SensorLMMLP(config)

    def key_values(self, sensor_tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns keys and values of sensor tokens `(B, K, source width)`, each `(B, heads, K, d)`."""
        return self.cross_attn.key_values(self.layer_norm_kv(sensor_tokens))

    def forward(
        self,
        hidden_states: torch.Tensor,
        sensor_tokens: Any = None,
        attention_mask: Optional[torch.Tensor] = None,
        key_values: Optional[tuple[torch.Tensor, torch.Tensor]] = None,
    ) -> torch.Tensor:
        """Maps `(B, L, D)` to `(B, L, D)`, given the sensor tokens or their keys and values."""
        if key_values is None:
            key_values = self.key_values(sensor_tokens)
        attended, _ = self.cross_attn(self.layer_norm_q(hidden_states), attention_mask, key_values=key_values)
        hidden_states = hidden_states + attended
        return hidden_states + self.mlp(self.layer_norm2(hidden_states))


class SensorLMEncoder(nn.Module):
    """A stack of [`SensorLMEncoderLayer`]s."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.layers = nn.ModuleList(SensorLMEncoderLayer(config, index) for index in range(config.num_hidden_layers))
        self.gradient_checkpointing = False

    def forward(
        self,
        hidden_states: torch.Tensor,
        attention_mask: Optional[torch.Tensor] = None,
        *,
        is_causal: bool = False,
        past_key_values: Optional[Cache] = None,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> tuple[torch.Tensor, Optional[tuple[torch.Tensor, ...]], Optional[tuple[torch.Tensor, ...]]]:
        """Maps `(B, L, D)` to `(B, L, D)`; also returns what was asked for of each layer."""
        states: list[torch.Tensor] = [hidden_states]
        attentions: list[Any] = []
        for layer in self.layers:
            hidden_states, weights = layer(
                hidden_states, attention_mask, is_causal=is_causal, past_key_values=past_key_values
            )
            if output_hidden_states:
                states.append(hidden_states)
            if output_attentions:
                attentions.append(weights)
        return (
            hidden_states,
            tuple(states) if output_hidden_states else None,
            tuple(attentions) if output_attentions else None,
        )


# ---------------------------------------------------------------------------------------------------------------------
# Sensor tower


class SensorLMSensorEmbeddings(nn.Module):
    """Cuts the (time, channel) plane into patches and embeds them; tokens run over channels first, then over time.

    The linear map on a patch's values equals a convolution with stride and kernel `(patch_minutes, patch_channels)`.
    """

    def __init__(self, config: SensorLMSensorConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embedding = nn.Linear(config.patch_size, config.hidden_size)
        self.position_embedding = nn.Embedding(config.num_patches, config.hidden_size)
        self.missing_embedding = None
        if config.embed_missing:
            self.missing_embedding = _marked(nn.Linear(config.patch_size, config.hidden_size, bias=False), "zeros")

    def patches(self, values: torch.Tensor) -> torch.Tensor:
        """Cuts `(B, T, C)` into patches `(B, N, patch_minutes * patch_channels)`."""
        rows, minutes, channels = values.shape
        height, width = self.config.patch_minutes, self.config.patch_channels
        grid = values.view(rows, minutes // height, height, channels // width, width).transpose(2, 3)
        return grid.reshape(rows, (minutes // height) * (channels // width), height * width)

    def positions(self, minutes: int) -> torch.Tensor:
        """Returns the positions of a window, `(N, D)`: learned, or interpolated linearly in time for another length."""
        table = self.position_embedding.weight
        steps = minutes // self.config.patch_minutes
        if steps == self.config.num_time_patches:
            return table
        width = table.shape[1]
        grid = table.float().view(self.config.num_time_patches, -1).T[None]
        grid = nn.functional.interpolate(grid, size=steps, mode="linear", align_corners=False)
        return grid[0].T.reshape(-1, width).to(table.dtype)

    def forward(
        self, sensor_values: torch.Tensor, sensor_mask: Optional[torch.Tensor] = None
    ) -> tuple[torch.Tensor, Optional[torch.Tensor]]:
        """Embeds windows.

        Args:
            sensor_values: `(B, T, C)`.
            sensor_mask: `(B, T, C)` bool, True = observed.

        Returns:
            Tokens `(B, N, D)`, and which of them have an observed value, `(B, N)` bool or `None`.
        """
        observed, absent = None, None
        if sensor_mask is not None:
            # `where`, not a product: what lies under the mask may be NaN.
            sensor_values = torch.where(sensor_mask, sensor_values, sensor_values.new_zeros(()))
            present = self.patches(sensor_mask)
            observed = present.any(dim=-1)
            absent = ~present
        tokens = self.patch_embedding(self.patches(sensor_values).to(self.patch_embedding.weight.dtype))
        if self.missing_embedding is not None and absent is not None:
            tokens = tokens + self.missing_embedding(absent.to(self.missing_embedding.weight.dtype))
        return tokens + self.positions(sensor_values.shape[1]), observed


class SensorLMAttentionPoolingHead(nn.Module):
    """SigLIP's attention pooling: a learned probe attends to the tokens, then an MLP with a residual."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.probe = nn.Parameter(torch.zeros(1, 1, config.hidden_size))
        self.attention = SensorLMAttention(config)
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.mlp = SensorLMMLP(config)

    def forward(self, tokens: torch.Tensor, attention_mask: Optional[torch.Tensor] = None) -> torch.Tensor:
        """Pools `(B, K, D)` to `(B, D)`."""
        probe = self.probe.expand(tokens.shape[0], -1, -1)
        pooled, _ = self.attention(probe, attention_mask, key_values=self.attention.key_values(tokens))
        return (pooled + self.mlp(self.layernorm(pooled)))[:, 0]


class SensorLMCaptionPooler(nn.Module):
    """CoCa's attention pooling for the decoder: learned queries attend to the sensor tokens."""

    def __init__(self, config: SensorLMDecoderConfig, sensor_size: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(1, config.num_caption_queries, config.hidden_size))
        self.layer_norm_q = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.layer_norm_k = nn.LayerNorm(sensor_size, eps=config.layer_norm_eps)
        self.attention = SensorLMAttention(config, key_value_size=sensor_size)

    def forward(self, tokens: torch.Tensor, attention_mask: Optional[torch.Tensor] = None) -> torch.Tensor:
        """Pools `(B, K, sensor width)` to `(B, queries, D)`."""
        queries = self.layer_norm_q(self.query).expand(tokens.shape[0], -1, -1)
        key_values = self.attention.key_values(self.layer_norm_k(tokens))
        return self.attention(queries, attention_mask, key_values=key_values)[0]


def _mean_of_tokens(tokens: torch.Tensor, mask: Optional[torch.Tensor]) -> torch.Tensor:
    """Averages `(B, K, D)` over the tokens that count."""
    if mask is None:
        return tokens.mean(dim=1)
    weights = mask.to(tokens.dtype)[:, :, None]
    return (tokens * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


def _normalised(embeds: torch.Tensor) -> torch.Tensor:
    """Scales rows to length 1, in float32 at least."""
    wide = embeds.float() if embeds.dtype in (torch.float16, torch.bfloat16) else embeds
    return nn.functional.normalize(wide, dim=-1)


class SensorLMPreTrainedModel(PreTrainedModel):
    """Base class: loading, saving and initial weights."""

    config_class = SensorLMConfig
    config: Any
    base_model_prefix = "sensorlm"
    main_input_name = "sensor_values"
    supports_gradient_checkpointing = True
    _no_split_modules = [  # noqa: RUF012 - the base class reads it from the class
        "SensorLMSensorEmbeddings",
        "SensorLMTextEmbeddings",
        "SensorLMEncoderLayer",
        "SensorLMCrossAttentionLayer",
        "SensorLMAttentionPoolingHead",
        "SensorLMCaptionPooler",
    ]
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = False

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Sets initial weights as SigLIP does; what a checkpoint gave is left alone."""
        # For code outside transformers this is called for modules with parameters of their own only. So what
        # depends on the place of a linear layer is marked on the layer, not done for the module around it.
        if isinstance(module, SensorLMTextEmbeddings):
            if module.cls_embedding is not None:
                init.normal_(module.cls_embedding, std=module.cls_embedding.shape[-1] ** -0.5)
        elif isinstance(module, SensorLMAttentionPoolingHead):
            init.xavier_uniform_(module.probe)
        elif isinstance(module, SensorLMCaptionPooler):
            init.normal_(module.query, std=module.query.shape[-1] ** -0.5)
        elif isinstance(module, SensorLMModel):
            if module.logit_scale is not None:
                init.constant_(module.logit_scale, self.config.initial_logit_scale)
            if module.logit_bias is not None:
                init.constant_(module.logit_bias, self.config.logit_bias_init_value)
        elif isinstance(module, nn.Embedding):
            init.normal_(module.weight, std=module.embedding_dim**-0.5)
        elif isinstance(module, nn.LayerNorm):
            init.ones_(module.weight)
            init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            scheme = getattr(module, "initial_weights", None)
            if scheme == "xavier":
                init.xavier_uniform_(module.weight)
            elif scheme == "zeros":
                init.zeros_(module.weight)
            else:
                init.lecun_normal_(module.weight)
            if module.bias is not None:
                init.zeros_(module.bias)


class SensorLMSensorModel(SensorLMPreTrainedModel):
    """The sensor tower: days in, token states and a pooled vector out.

    Missing values never influence the result: they are set to 0, the population mean on the normalised scale, before
    patches are embedded, and a patch without any observed value is neither attended to nor pooled. With
    `skip_missing_patches` such patches are not even computed: the observed patches of each row move to the front and
    the batch is cut at its fullest row. A row gives the same output alone and in any batch. A row with nothing observed
    has no token to attend to, so all of its (zero) patches count: its embedding is that of an empty day.

    Windows of another length than `window_minutes` are read with positions interpolated linearly in time.

    Example:
        >>> tower = SensorLMSensorModel(SensorLMConfig.from_size("siglip", "tiny").sensor_config).eval()
        >>> tower(torch.zeros(2, 1440, 26)).pooler_output.shape
        torch.Size([2, 192])
    """

    config_class = SensorLMSensorConfig
    base_model_prefix = "sensor_model"

    def __init__(self, config: SensorLMSensorConfig) -> None:
        super().__init__(config)
        self.embeddings = SensorLMSensorEmbeddings(config)
        self.encoder = SensorLMEncoder(config)
        self.post_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.head = SensorLMAttentionPoolingHead(config) if config.use_head else None
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Returns the patch embedding."""
        return self.embeddings.patch_embedding

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replaces the patch embedding."""
        self.embeddings.patch_embedding = value

    def _check_inputs(self, values: torch.Tensor, mask: Optional[torch.Tensor]) -> None:
        if values.ndim != 3 or values.shape[2] != self.config.num_channels:
            raise ValueError(
                f"`sensor_values` must have shape (rows, minutes, {self.config.num_channels}), got"
                f" {tuple(values.shape)}. The model reads {self.config.num_channels} channels"
                + (f": {', '.join(self.config.channel_keys)}." if self.config.channel_keys else ".")
            )
        if values.shape[1] == 0 or values.shape[1] % self.config.patch_minutes:
            raise ValueError(
                f"`sensor_values` must span a multiple of {self.config.patch_minutes} minutes (the patch length), got"
                f" {values.shape[1]}. Pad the window and mark the padding as missing in `sensor_mask`."
            )
        if len(values) == 0:
            raise ValueError("`sensor_values` has no rows: give at least one day.")
        if not values.is_floating_point():
            raise TypeError(f"`sensor_values` must hold floating-point numbers, got {values.dtype}.")
        if mask is not None and mask.shape != values.shape:
            raise ValueError(
                f"`sensor_mask` must have the shape of `sensor_values`, {tuple(values.shape)}, got {tuple(mask.shape)}."
            )

    def forward(
        self,
        sensor_values: torch.Tensor,
        sensor_mask: Optional[torch.Tensor] = None,
        output_hidden_states: Optional[bool] = None,
        output_attentions: Optional[bool] = None,
        return_dict: Optional[bool] = None,
    ) -> Union[SensorLMSensorOutput, tuple]:
        """Embeds days.

        Args:
            sensor_values: `(B, T, C)` normalised values (z-scores).
            sensor_mask: `(B, T, C)`, True = observed; `None` if everything is.
            output_hidden_states: Whether to return the states of all layers.
            output_attentions: Whether to return attention weights (eager attention only).
            return_dict: Whether to return an output object rather than a tuple.

        Returns:
            A [`SensorLMSensorOutput`].

        Raises:
            ValueError: If a shape does not fit the configuration.
            TypeError: If the values are not floating-point numbers.
        """
        self._check_inputs(sensor_values, sensor_mask)
        if sensor_mask is not None:
            sensor_mask = sensor_mask.bool()
        tokens, observed = self.embeddings(sensor_values, sensor_mask)
        index = None
        if observed is not None:
            observed = observed | ~observed.any(dim=1, keepdim=True)
            if self.config.skip_missing_patches and not (torch.compiler.is_compiling() or torch.jit.is_tracing()):
                counts = observed.sum(dim=1)
                longest = int(counts.max())
                if longest <= _WORTH_SKIPPING * observed.shape[1]:
                    index = (~observed).long().argsort(dim=1, stable=True)[:, :longest]
                    tokens = tokens.gather(1, index[:, :, None].expand(-1, -1, tokens.shape[2]))
                    observed = torch.arange(longest, device=counts.device)[None] < counts[:, None]
            if _is_all_true(observed):
                observed = None
        mask = _attention_mask(self.config, observed, tokens.shape[1])
        states, hidden_states, attentions = self.encoder(
            tokens,
            mask,
            output_hidden_states=_flag(output_hidden_states, self.config.output_hidden_states),
            output_attentions=_flag(output_attentions, self.config.output_attentions),
        )
        states = self.post_layernorm(states)
        output = SensorLMSensorOutput(
            last_hidden_state=states,
            pooler_output=None if self.head is None else self.head(states, mask),
            token_mask=observed,
            token_index=index,
            hidden_states=hidden_states,
            attentions=attentions,
        )
        return output if _flag(return_dict, self.config.return_dict) else output.to_tuple()


def _flag(given: Optional[bool], default: Optional[bool]) -> bool:
    return bool(default if given is None else given)


# ---------------------------------------------------------------------------------------------------------------------
# Text tower


class SensorLMTextEmbeddings(nn.Module):
    """Token and position embeddings; for `cls` pooling also the class token that follows the text.

    CoCa's class token has the embedding `cls_emb + last position`. Both parts are learned and occur only as this sum,
    so they are one vector here. It does not depend on the text's length, hence not on padding.
    """

    def __init__(self, config: SensorLMTextConfig) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position_embedding = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.cls_embedding: Any = nn.Parameter(torch.zeros(config.hidden_size)) if config.pooling == "cls" else None

    def forward(self, input_ids: torch.Tensor, position_ids: torch.Tensor) -> torch.Tensor:
        """Embeds token ids `(B, L)` at positions `(B or 1, L)` as `(B, L, D)`."""
        return self.token_embedding(input_ids) + self.position_embedding(position_ids)


class SensorLMTextModel(SensorLMPreTrainedModel):
    """The text tower: SigLIP's for the contrastive objectives, CoCa's causal one for the others.

    Padding may be on either side. Unlike transformers' SigLIP, which pads every text to the full length and pools the
    last position, the attention mask is honoured and the last token that counts is pooled, so that a text gives the
    same embedding alone and in any batch.
    """

    config_class = SensorLMTextConfig
    base_model_prefix = "text_model"
    main_input_name = "input_ids"

    def __init__(self, config: SensorLMTextConfig) -> None:
        super().__init__(config)
        self.embeddings = SensorLMTextEmbeddings(config)
        self.encoder = SensorLMEncoder(config)
        pooled = config.pooling != "none"
        norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.final_layer_norm: Any = norm if pooled else None
        self.head: Any = nn.Linear(config.hidden_size, config.projection_size or config.hidden_size) if pooled else None
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Returns the token embedding."""
        return self.embeddings.token_embedding

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replaces the token embedding."""
        self.embeddings.token_embedding = value

    def _positions(
        self, input_ids: torch.Tensor, attention_mask: Optional[torch.Tensor], past_length: int
    ) -> torch.Tensor:
        length = input_ids.shape[1]
        if attention_mask is None or attention_mask.ndim != 2:
            return torch.arange(past_length, past_length + length, device=input_ids.device)[None]
        # Counting tokens gives 0, 1, 2, ... for padding on either side.
        return (attention_mask.long().cumsum(dim=1) - 1).clamp(min=0)[:, -length:]

    def _check_inputs(self, input_ids: torch.Tensor, attention_mask: Optional[torch.Tensor], past_length: int) -> None:
        if input_ids.ndim != 2 or input_ids.numel() == 0:
            raise ValueError(
                f"`input_ids` must have shape (texts, tokens), both above 0, got {tuple(input_ids.shape)}."
            )
        total = past_length + input_ids.shape[1]
        if total > self.config.max_position_embeddings:
            raise ValueError(
                f"The text is {total} tokens long, but the model has positions for"
                f" {self.config.max_position_embeddings}. Truncate it (`truncation=True`), or generate fewer tokens."
            )
        if attention_mask is not None and attention_mask.ndim == 2 and attention_mask.shape != (len(input_ids), total):
            raise ValueError(
                f"`attention_mask` must have shape {(len(input_ids), total)} (texts, tokens seen so far), got"
                f" {tuple(attention_mask.shape)}."
            )

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: Optional[torch.Tensor] = None,
        position_ids: Optional[torch.Tensor] = None,
        past_key_values: Optional[Cache] = None,
        pool: bool = True,
        output_hidden_states: Optional[bool] = None,
        output_attentions: Optional[bool] = None,
        return_dict: Optional[bool] = None,
    ) -> Union[SensorLMTextOutput, tuple]:
        """Reads texts.

        Args:
            input_ids: `(B, L)` token ids.
            attention_mask: `(B, L)`, 1 for tokens and 0 for padding; with a cache `(B, cached + L)`.
            position_ids: `(B, L)`; by default counted from the attention mask.
            past_key_values: Cache of earlier tokens; needs a causal tower.
            pool: Whether to make the text embedding too.
            output_hidden_states: Whether to return the states of all layers.
            output_attentions: Whether to return attention weights (eager attention only).
            return_dict: Whether to return an output object rather than a tuple.

        Returns:
            A [`SensorLMTextOutput`].

        Raises:
            ValueError: If a shape does not fit, the text is too long, or a cache is given to a tower that is not causal
                or is to pool.
        """
        past_length = 0 if past_key_values is None else past_key_values.get_seq_length()
        pool = pool and self.head is not None
        if past_key_values is not None and (pool or not self.config.causal):
            raise ValueError("A cache needs a causal text tower and `pool=False`.")
        self._check_inputs(input_ids, attention_mask, past_length)
        if position_ids is None:
            position_ids = self._positions(input_ids, attention_mask, past_length)
        states = self.embeddings(input_ids, position_ids)
        keys = attention_mask
        if keys is not None and keys.ndim == 2:
            # A text without tokens attends to its padding rather than to nothing.
            keys = keys.bool() | ~keys.bool().any(dim=1, keepdim=True)
        use_cls = pool and self.embeddings.cls_embedding is not None
        if use_cls:
            states = torch.cat(
                [states, self.embeddings.cls_embedding.to(states.dtype).expand(len(states), 1, -1)], dim=1
            )
            keys = None if keys is None else nn.functional.pad(keys, (0, 1), value=True)
        mask = _attention_mask(self.config, keys, states.shape[1], causal=self.config.causal, past_length=past_length)
        states, hidden_states, attentions = self.encoder(
            states,
            mask,
            is_causal=self.config.causal,
            past_key_values=past_key_values,
            output_hidden_states=_flag(output_hidden_states, self.config.output_hidden_states),
            output_attentions=_flag(output_attentions, self.config.output_attentions),
        )
        token_states = states[:, :-1] if use_cls else states
        last, pooled = token_states, None
        if self.final_layer_norm is not None and not use_cls and self.config.pooling == "last":
            last = self.final_layer_norm(token_states)
        if pool and use_cls:
            pooled = self.head(self.final_layer_norm(states[:, -1]))
        elif pool:
            ends = -1 if keys is None else (keys * torch.arange(1, keys.shape[1] + 1, device=keys.device)).argmax(dim=1)
            pooled = self.head(last[torch.arange(len(last), device=last.device), ends])
        output = SensorLMTextOutput(
            last_hidden_state=last,
            pooler_output=pooled,
            token_states=token_states,
            past_key_values=past_key_values,
            hidden_states=hidden_states,
            attentions=attentions,
        )
        return output if _flag(return_dict, self.config.return_dict) else output.to_tuple()


# ---------------------------------------------------------------------------------------------------------------------
# Decoder


class SensorLMDecoder(SensorLMPreTrainedModel):
    """CoCa's multimodal decoder: each layer is a causal self-attention block and a cross-attention block.

    It is a part of [`SensorLMModel`] rather than a model of its own, since it reads the states of both towers.

    Args:
        config: Configuration of the decoder.
        sensor_size: Width of the sensor tower.
        vocab_size: Number of tokens.
        first_cache_index: Layers of the generation cache that belong to the text tower.
    """

    config_class = SensorLMDecoderConfig
    base_model_prefix = "decoder"

    def __init__(self, config: Any, sensor_size: int, vocab_size: int, first_cache_index: int) -> None:
        super().__init__(config)
        pooled = config.num_caption_queries > 0
        self.pooler = SensorLMCaptionPooler(config, sensor_size) if pooled else None
        source = config.hidden_size if pooled else sensor_size
        self.layers = nn.ModuleList(
            SensorLMEncoderLayer(config, first_cache_index + index) for index in range(config.num_hidden_layers)
        )
        self.cross_layers = nn.ModuleList(
            SensorLMCrossAttentionLayer(config, source) for _ in range(config.num_hidden_layers)
        )
        self.final_layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.lm_head = nn.Linear(config.hidden_size, vocab_size, bias=False)
        self.gradient_checkpointing = False
        self.post_init()

    def sensor_tokens(
        self, states: torch.Tensor, mask: Optional[torch.Tensor]
    ) -> tuple[torch.Tensor, Optional[torch.Tensor]]:
        """Gathers the states of the sensor tower for the decoder.

        Args:
            states: `(B, K, sensor width)`.
            mask: `(B, K)` bool, True for states that count; `None` if all do.

        Returns:
            The tokens that the decoder attends to, and their mask.
        """
        if self.pooler is None:
            return states, mask
        return self.pooler(states, _attention_mask(self.config, mask, self.config.num_caption_queries)), None

    def key_values(self, sensor_tokens: torch.Tensor) -> torch.Tensor:
        """Projects sensor tokens once for all steps of a generation: `(B, layers, 2, heads, K, d)`."""
        return torch.stack([torch.stack(layer.key_values(sensor_tokens), 1) for layer in self.cross_layers], 1)

    def forward(
        self,
        hidden_states: torch.Tensor,
        attention_mask: Optional[torch.Tensor] = None,
        *,
        sensor_tokens: Optional[torch.Tensor] = None,
        sensor_token_mask: Optional[torch.Tensor] = None,
        sensor_key_values: Optional[torch.Tensor] = None,
        past_key_values: Optional[Cache] = None,
        past_length: int = 0,
    ) -> torch.Tensor:
        """Decodes.

        Args:
            hidden_states: `(B, L, D)` token states of the text tower, before its last layer norm.
            attention_mask: `(B, cached + L)`, 0 for padding.
            sensor_tokens: `(B, K, .)` of [`SensorLMDecoder.sensor_tokens`].
            sensor_token_mask: `(B, K)`, their mask.
            sensor_key_values: Result of [`SensorLMDecoder.key_values`], instead of `sensor_tokens`.
            past_key_values: Cache of earlier tokens.
            past_length: Number of tokens in the cache before this call.

        Returns:
            `(B, L, D)` states after the last layer norm, to be given to `lm_head`.
        """
        length = hidden_states.shape[1]
        keys = None if attention_mask is None else attention_mask if attention_mask.ndim == 4 else attention_mask.bool()
        mask = _attention_mask(self.config, keys, length, causal=True, past_length=past_length)
        cross_mask = _attention_mask(self.config, sensor_token_mask, length)
        for index, (layer, cross_layer) in enumerate(zip(self.layers, self.cross_layers, strict=True)):
            hidden_states, _ = layer(hidden_states, mask, is_causal=True, past_key_values=past_key_values)
            key_values = None
            if sensor_key_values is not None:
                key_values = (sensor_key_values[:, index, 0], sensor_key_values[:, index, 1])
            hidden_states = cross_layer(hidden_states, sensor_tokens, cross_mask, key_values)
        return self.final_layer_norm(hidden_states)


# ---------------------------------------------------------------------------------------------------------------------
# The whole model


class SensorLMModel(SensorLMPreTrainedModel, GenerationMixin):
    """SensorLM: a sensor tower, a text tower and, for `cap` and `coca`, a decoder that writes captions.

    Example:
        >>> model = SensorLMModel(SensorLMConfig.from_size("coca", "tiny", vocab_size=300)).eval()
        >>> days, mask = torch.zeros(2, 1440, 26), torch.ones(2, 1440, 26, dtype=torch.bool)
        >>> texts = torch.tensor([[1, 7, 8, 2], [1, 9, 2, 0]])
        >>> output = model(days, mask, texts, (texts != 0).long())
        >>> output.logits_per_sensor.shape, output.caption_logits.shape
        (torch.Size([2, 2]), torch.Size([2, 4, 300]))
        >>> model.generate(sensor_values=days, sensor_mask=mask, max_new_tokens=3, min_new_tokens=3).shape
        torch.Size([2, 4])
    """

    # `labels` would make Trainer believe that the loss is already divided by the number of items in the global batch.
    accepts_loss_kwargs = False
    main_input_name = "input_ids"
    _tied_weights_keys = {  # noqa: RUF012 - the base class reads it from the class
        "decoder.lm_head.weight": "text_model.embeddings.token_embedding.weight"
    }

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.sensor_model = SensorLMSensorModel(config.sensor_config)
        self.text_model = SensorLMTextModel(config.text_config)
        self.decoder: Any = None
        if config.is_generative:
            self.decoder = SensorLMDecoder(
                config.decoder_config,
                config.sensor_config.hidden_size,
                config.text_config.vocab_size,
                config.text_config.num_hidden_layers,
            )
        self.logit_scale: Any = nn.Parameter(torch.zeros(())) if config.is_contrastive else None
        self.logit_bias: Any = nn.Parameter(torch.zeros(())) if config.objective == "siglip" else None
        # Computes the losses in place of this model where a batch is larger than what it sees at once: an object with
        # `contrastive`, `caption` and `embeddings_only` (see `training/distributed.py`). Not a part of the model.
        self.loss_engine: Any = None
        self.post_init()

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        """Loads a model as `PreTrainedModel.from_pretrained` does.

        Raises:
            ValueError: If the checkpoint holds another model class, whose text side would come out untrained.
        """
        result = super().from_pretrained(pretrained_model_name_or_path, *args, **kwargs)
        model = result[0] if isinstance(result, tuple) else result
        saved = model.config.architectures
        if saved and not {cls.__name__, "SensorLMModel"} & set(saved):
            raise ValueError(
                f"{pretrained_model_name_or_path} holds a {saved[0]}, not a {cls.__name__}. Load it with"
                f" {saved[0]}.from_pretrained."
            )
        return result

    def get_input_embeddings(self) -> nn.Module:
        """Returns the token embedding."""
        return self.text_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replaces the token embedding."""
        self.text_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> Optional[nn.Module]:
        """Returns the language-model head; `None` without a decoder."""
        return None if self.decoder is None else self.decoder.lm_head

    def set_output_embeddings(self, new_embeddings: nn.Module) -> None:
        """Replaces the language-model head."""
        if self.decoder is None:
            raise ValueError(f"A model with objective {self.config.objective!r} has no language-model head.")
        self.decoder.lm_head = new_embeddings

    def _require(self, capability: str) -> None:
        if capability == "captions" and not self.config.is_generative:
            raise ValueError(
                f"A model with objective {self.config.objective!r} has no decoder and writes no captions. Use a model"
                " trained with objective 'cap' or 'coca'."
            )
        if capability == "text embeddings" and not self.config.is_contrastive:
            raise ValueError(
                f"A model with objective {self.config.objective!r} has no text embedding: its text tower only feeds the"
                " decoder. Compare texts with `score_text`, or use a model trained with 'clip', 'siglip' or 'coca'."
            )

    def _embed_sensor(self, output: SensorLMSensorOutput) -> torch.Tensor:
        pooled = output.pooler_output
        if pooled is None:
            pooled = _mean_of_tokens(output.last_hidden_state, output.token_mask)
        return _normalised(pooled)

    def get_sensor_features(
        self, sensor_values: torch.Tensor, sensor_mask: Optional[torch.Tensor] = None
    ) -> torch.Tensor:
        """Embeds days.

        Args:
            sensor_values: `(B, T, C)` normalised values.
            sensor_mask: `(B, T, C)`, True = observed; `None` if everything is.

        Returns:
            `(B, D)` rows of length 1, in float32 at least: the pooled vector, or for `cap` the mean of the tokens.
        """
        return self._embed_sensor(self.sensor_model(sensor_values, sensor_mask, return_dict=True))

    def get_text_features(self, input_ids: torch.Tensor, attention_mask: Optional[torch.Tensor] = None) -> torch.Tensor:
        """Embeds texts.

        Args:
            input_ids: `(B, L)` token ids.
            attention_mask: `(B, L)`, 0 for padding.

        Returns:
            `(B, D)` rows of length 1, in float32 at least.

        Raises:
            ValueError: If the objective is `cap`, which has no text embedding.
        """
        self._require("text embeddings")
        return _normalised(self.text_model(input_ids, attention_mask, return_dict=True).pooler_output)

    def _scaled_similarities(self, sensor_embeds: torch.Tensor, text_embeds: torch.Tensor) -> torch.Tensor:
        logits = self._temperature() * (sensor_embeds @ text_embeds.T)
        return logits if self.logit_bias is None else logits + self.logit_bias.to(logits.dtype)

    def _temperature(self) -> torch.Tensor:
        scale = self.logit_scale
        if self.logit_bias is None:
            if self.training:
                # CLIP cuts the parameter itself; a cut of the value alone would leave it without gradient beyond.
                with torch.no_grad():
                    scale.clamp_(max=MAX_CLIP_LOGIT_SCALE)
            scale = scale.clamp(max=MAX_CLIP_LOGIT_SCALE)
        return (scale.float() if scale.dtype in (torch.float16, torch.bfloat16) else scale).exp()

    def _contrastive_loss(
        self, sensor_embeds: torch.Tensor, text_embeds: torch.Tensor, text_group_ids: Optional[torch.Tensor]
    ) -> torch.Tensor:
        if text_group_ids is not None and text_group_ids.shape != (len(sensor_embeds),):
            raise ValueError(
                f"`text_group_ids` must hold one integer for each of the {len(sensor_embeds)} texts, got shape"
                f" {tuple(text_group_ids.shape)}."
            )
        if self.loss_engine is not None:
            return self.loss_engine.contrastive(
                sensor_embeds, text_embeds, self._temperature(), self.logit_bias, text_group_ids
            )
        positives = None if text_group_ids is None else positive_pairs(text_group_ids)
        if self.logit_bias is not None:
            return siglip_loss(sensor_embeds, text_embeds, self._temperature(), self.logit_bias, positives)
        return clip_loss(sensor_embeds, text_embeds, self._temperature(), positives)

    def _caption_targets(
        self, input_ids: torch.Tensor, attention_mask: Optional[torch.Tensor], labels: Optional[torch.Tensor]
    ) -> torch.Tensor:
        """Returns the token to predict at each position but the last, -100 where there is none."""
        if labels is None:
            labels = input_ids if attention_mask is None else input_ids.masked_fill(attention_mask == 0, -100)
        elif labels.shape != input_ids.shape:
            raise ValueError(
                f"`labels` must have the shape of `input_ids`, {tuple(input_ids.shape)}, got {tuple(labels.shape)}."
            )
        targets = labels[:, 1:]
        if attention_mask is not None:
            # With padding on the left the first token follows a padded position, which must not predict it.
            targets = targets.masked_fill(attention_mask[:, :-1] == 0, -100)
        return targets

    def forward(
        self,
        sensor_values: Optional[torch.Tensor] = None,
        sensor_mask: Optional[torch.Tensor] = None,
        input_ids: Optional[torch.Tensor] = None,
        attention_mask: Optional[torch.Tensor] = None,
        labels: Optional[torch.Tensor] = None,
        return_loss: bool = True,
        text_group_ids: Optional[torch.Tensor] = None,
        position_ids: Optional[torch.Tensor] = None,
        past_key_values: Optional[Cache] = None,
        use_cache: Optional[bool] = None,
        sensor_tokens: Optional[torch.Tensor] = None,
        sensor_token_mask: Optional[torch.Tensor] = None,
        sensor_key_values: Optional[torch.Tensor] = None,
        return_caption_logits: Optional[bool] = None,
        logits_to_keep: int = 0,
        output_hidden_states: Optional[bool] = None,
        output_attentions: Optional[bool] = None,
        return_dict: Optional[bool] = None,
    ) -> Union[SensorLMOutput, tuple]:
        """Embeds days and texts, scores captions and computes the losses of the objective.

        Args:
            sensor_values: `(B, T, C)` normalised values.
            sensor_mask: `(B, T, C)`, True = observed; `None` if everything is.
            input_ids: `(B, L)` token ids.
            attention_mask: `(B, L)`, 1 for tokens and 0 for padding.
            labels: `(B, L)` caption tokens to score, -100 for those that do not count; they are shifted inside. By
                default `input_ids` without the padding.
            return_loss: Whether to compute losses, where the inputs allow it.
            text_group_ids: `(B,)` integers, equal for texts that say the same. Such texts are positives of each other's
                recordings. By default every text is its own group.
            position_ids: `(B, L)`; by default counted from the attention mask.
            past_key_values: Cache of earlier tokens, for generation.
            use_cache: Whether to make and return a cache.
            sensor_tokens: `(B, K, .)` what the decoder attends to, from [`encode_for_captions`], instead of
                `sensor_values`.
            sensor_token_mask: `(B, K)`, its mask.
            sensor_key_values: `(B, layers, 2, heads, K, d)`, its projections, instead of `sensor_tokens`.
            return_caption_logits: Whether to return `caption_logits`. By default only outside training: the loss needs
                no more than the scored positions, and all logits take much memory.
            logits_to_keep: Number of last positions to give logits for; 0 for all.
            output_hidden_states: Whether the towers return the states of all layers.
            output_attentions: Whether the towers return attention weights (eager attention only).
            return_dict: Whether to return an output object rather than a tuple.

        Returns:
            A [`SensorLMOutput`]. Numbers of days and texts may differ when only similarities are wanted; outside
            training the loss is then `None`.

        Raises:
            ValueError: If neither days nor texts are given, or losses are asked for that the inputs do not allow.
        """
        has_decoder_inputs = sensor_tokens is not None or sensor_key_values is not None
        if sensor_values is None and input_ids is None:
            raise ValueError("Give `sensor_values`, `input_ids` or both.")
        if labels is not None:
            self._require("captions")
        if (past_key_values is not None or use_cache or has_decoder_inputs) and not self.config.is_generative:
            self._require("captions")
        generating = past_key_values is not None or bool(use_cache)
        flags = {"output_hidden_states": output_hidden_states, "output_attentions": output_attentions}

        sensor_output = sensor_embeds = None
        if sensor_values is not None:
            sensor_output = self.sensor_model(sensor_values, sensor_mask, return_dict=True, **flags)
            if not generating:
                sensor_embeds = self._embed_sensor(sensor_output)
            if self.decoder is not None and input_ids is not None and not has_decoder_inputs:
                sensor_tokens, sensor_token_mask = self.decoder.sensor_tokens(
                    sensor_output.last_hidden_state, sensor_output.token_mask
                )

        text_output: Any = None
        text_embeds = None
        past_length = 0
        if input_ids is not None:
            if use_cache and past_key_values is None:
                past_key_values = DynamicCache(config=self.config)
            past_length = 0 if past_key_values is None else past_key_values.get_seq_length()
            text_output = self.text_model(
                input_ids,
                attention_mask,
                position_ids,
                past_key_values,
                pool=self.config.is_contrastive and not generating and not has_decoder_inputs,
                return_dict=True,
                **flags,
            )
            if text_output.pooler_output is not None:
                text_embeds = _normalised(text_output.pooler_output)

        logits_per_sensor = None
        embedded = sensor_embeds is not None and text_embeds is not None
        # An engine makes its own similarities, of more rows than these or in parts.
        if embedded and (self.loss_engine is None or not self.training):
            logits_per_sensor = self._scaled_similarities(sensor_embeds, text_embeds)
        contrastive = caption = caption_logits = None
        sources = sensor_key_values if sensor_tokens is None else sensor_tokens
        paired = input_ids is not None and (
            len(sensor_embeds) == len(input_ids)
            if sensor_embeds is not None
            else sources is not None and len(sources) == len(input_ids)
        )
        if return_loss and not paired and input_ids is not None and (sensor_values is not None or sources is not None):
            rows = len(sensor_values) if sensor_values is not None else len(sources)  # type: ignore[arg-type]
            if self.training or labels is not None:
                raise ValueError(
                    f"A loss needs one text for each recording, got {rows} recordings and {len(input_ids)} texts."
                )
        if return_loss and paired and embedded:
            contrastive = self._contrastive_loss(sensor_embeds, text_embeds, text_group_ids)
        wants_captions = self.loss_engine is None or not self.loss_engine.embeddings_only
        if self.decoder is not None and sources is not None and paired and wants_captions:
            caption, caption_logits = self._captions(
                text_output.token_states,
                input_ids,
                attention_mask,
                labels,
                sensor_tokens=sensor_tokens,
                sensor_token_mask=sensor_token_mask,
                sensor_key_values=sensor_key_values,
                past_key_values=past_key_values,
                past_length=past_length,
                return_loss=return_loss and (not generating or labels is not None),
                return_logits=_flag(return_caption_logits, not self.training),
                logits_to_keep=logits_to_keep,
            )
        output = SensorLMOutput(
            loss=self._weighted_loss(contrastive, caption),
            contrastive_loss=contrastive,
            caption_loss=caption,
            logits_per_sensor=logits_per_sensor,
            logits_per_text=None if logits_per_sensor is None else logits_per_sensor.T,
            sensor_embeds=sensor_embeds,
            text_embeds=text_embeds,
            caption_logits=caption_logits,
            past_key_values=past_key_values,
            sensor_model_output=sensor_output,
            text_model_output=text_output,
        )
        return output if _flag(return_dict, self.config.return_dict) else output.to_tuple()

    def _weighted_loss(
        self, contrastive: Optional[torch.Tensor], caption: Optional[torch.Tensor]
    ) -> Optional[torch.Tensor]:
        if self.config.objective != "coca":
            return caption if contrastive is None else contrastive
        loss = None
        if contrastive is not None:
            loss = self.config.contrastive_loss_weight * contrastive
        if caption is not None:
            weighted = self.config.caption_loss_weight * caption
            loss = weighted if loss is None else loss + weighted
        return loss

    def _captions(
        self,
        token_states: torch.Tensor,
        input_ids: torch.Tensor,
        attention_mask: Optional[torch.Tensor],
        labels: Optional[torch.Tensor],
        *,
        return_loss: bool,
        return_logits: bool,
        logits_to_keep: int,
        **decoder_inputs: Any,
    ) -> tuple[Optional[torch.Tensor], Optional[torch.Tensor]]:
        """Runs the decoder; returns the caption loss and the logits, each where asked for."""
        hidden = self.decoder(token_states, attention_mask, **decoder_inputs)
        logits = loss = None
        if return_logits:
            logits = self.decoder.lm_head(hidden[:, -logits_to_keep:] if logits_to_keep else hidden)
        if return_loss:
            targets = self._caption_targets(input_ids, attention_mask, labels)
            scored = targets != -100
            scores = (
                logits[:, :-1][scored]
                if logits is not None and not logits_to_keep
                else self.decoder.lm_head(hidden[:, :-1][scored])
            )
            score = caption_loss if self.loss_engine is None else self.loss_engine.caption
            loss = score(scores, targets[scored])
        return loss, logits

    def encode_for_captions(
        self, sensor_values: torch.Tensor, sensor_mask: Optional[torch.Tensor] = None
    ) -> tuple[torch.Tensor, Optional[torch.Tensor]]:
        """Computes what the decoder attends to.

        Args:
            sensor_values: `(B, T, C)` normalised values.
            sensor_mask: `(B, T, C)`, True = observed; `None` if everything is.

        Returns:
            `sensor_tokens` `(B, K, .)` and `sensor_token_mask` `(B, K)` or `None`, as `forward` takes them.

        Raises:
            ValueError: If the objective has no decoder.
        """
        self._require("captions")
        output = self.sensor_model(sensor_values, sensor_mask, return_dict=True)
        return self.decoder.sensor_tokens(output.last_hidden_state, output.token_mask)

    @torch.no_grad()
    def score_text(
        self,
        sensor_values: torch.Tensor,
        sensor_mask: Optional[torch.Tensor],
        input_ids: torch.Tensor,
        attention_mask: Optional[torch.Tensor] = None,
        *,
        chunk_size: int = 64,
    ) -> torch.Tensor:
        """Scores every text as a caption of every day: zero-shot classification by likelihood.

        Days and texts are encoded once; only the decoder runs for each pair.

        Args:
            sensor_values: `(B, T, C)` normalised values.
            sensor_mask: `(B, T, C)`, True = observed; `None` if everything is.
            input_ids: `(N, L)` token ids, with the first and last special token.
            attention_mask: `(N, L)`, 0 for padding.
            chunk_size: Pairs decoded at once.

        Returns:
            `(B, N)` mean log-likelihood of a token, in float32 at least.

        Raises:
            ValueError: If the objective has no decoder, or a text has no token after its first.
        """
        self._require("captions")
        if chunk_size < 1:
            raise ValueError(f"`chunk_size` must be at least 1, got {chunk_size}.")
        sensor_tokens, token_mask = self.encode_for_captions(sensor_values, sensor_mask)
        key_values = self.decoder.key_values(sensor_tokens)
        states = self.text_model(input_ids, attention_mask, pool=False, return_dict=True).token_states
        targets = self._caption_targets(input_ids, attention_mask, None)
        counts = (targets != -100).sum(dim=1)
        if (counts == 0).any():
            empty = (counts == 0).nonzero().flatten().tolist()
            raise ValueError(f"Texts {empty} have no token after the first, so there is nothing to score.")
        days, texts = len(sensor_values), len(input_ids)
        results = []
        for start in range(0, days * texts, chunk_size):
            pairs = torch.arange(start, min(start + chunk_size, days * texts), device=input_ids.device)
            day, text = pairs // texts, pairs % texts
            hidden = self.decoder(
                states[text],
                None if attention_mask is None else attention_mask[text],
                sensor_key_values=key_values[day],
                sensor_token_mask=None if token_mask is None else token_mask[day],
            )
            scored = targets[text] != -100
            logits = self.decoder.lm_head(hidden[:, :-1][scored])
            logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
            losses = nn.functional.cross_entropy(logits, targets[text][scored], reduction="none")
            rows = scored.nonzero()[:, 0]
            sums = losses.new_zeros(len(pairs)).index_add_(0, rows, losses)
            results.append(-sums / counts[text])
        return torch.cat(results).view(days, texts)

    def prepare_inputs_for_generation(self, input_ids: torch.Tensor, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Prepares the inputs of one generation step: no losses, but logits."""
        inputs = super().prepare_inputs_for_generation(input_ids, *args, **kwargs)
        return {**inputs, "return_loss": False, "return_caption_logits": True}

    @torch.no_grad()
    def generate(
        self,
        inputs: Optional[torch.Tensor] = None,
        generation_config: Optional[GenerationConfig] = None,
        *,
        sensor_values: Optional[torch.Tensor] = None,
        sensor_mask: Optional[torch.Tensor] = None,
        input_ids: Optional[torch.Tensor] = None,
        attention_mask: Optional[torch.Tensor] = None,
        **kwargs: Any,
    ) -> Any:
        """Writes captions of days.

        The sensor tower runs once, and the decoder's keys and values of the sensor tokens are computed once. Everything
        else is `GenerationMixin.generate`: greedy search, beams, sampling, `num_return_sequences`, constraints.

        Args:
            inputs: The same as `input_ids`.
            generation_config: How to generate.
            sensor_values: `(B, T, C)` normalised values.
            sensor_mask: `(B, T, C)`, True = observed; `None` if everything is.
            input_ids: `(B, L)` or `(1, L)` texts to go on from; by default the `bos` token. Padding may be on either
                side and is moved to the left; an `eos` token that ends a text is taken off.
            attention_mask: `(B, L)`, 0 for padding.
            kwargs: Further arguments of `GenerationMixin.generate`. Without any length the caption ends at its `eos`
                token, or when the model's positions run out.

        Returns:
            Token ids `(B * num_return_sequences, tokens)` that start with the given texts, or what the generation
            configuration asks for.

        Raises:
            ValueError: If the objective has no decoder, no days are given, rows do not match, there is no token to
                start from, or more tokens are asked for than the model has positions.
        """
        self._require("captions")
        if sensor_values is None:
            raise ValueError("Give `sensor_values`: the days to write captions of.")
        if inputs is not None and input_ids is not None:
            raise ValueError("Give the texts to go on from as `input_ids` or as `inputs`, not as both.")
        input_ids = inputs if input_ids is None else input_ids

        def setting(name: str) -> Any:
            for source in (generation_config, self.generation_config):
                value = kwargs.get(name, getattr(source, name, None))
                if value is not None:
                    return value
            return None

        input_ids, attention_mask = self._prompts(
            input_ids, attention_mask, len(sensor_values), setting("bos_token_id"), setting("eos_token_id")
        )
        # The last token needs no position, since nothing is predicted from it.
        limit = self.config.text_config.max_position_embeddings + 1
        new_tokens, total = setting("max_new_tokens"), setting("max_length")
        if new_tokens is None and total is None:
            kwargs["max_length"] = limit
        length = input_ids.shape[1] + new_tokens if new_tokens is not None else total
        if max(length or 0, input_ids.shape[1] + 1) > limit:
            raise ValueError(
                f"Texts of up to {max(length or 0, input_ids.shape[1] + 1)} tokens were asked for (the longest given"
                f" text has {input_ids.shape[1]}), but the model has positions for {limit}. Lower `max_new_tokens` or"
                " `max_length`."
            )
        tokens, token_mask = self.encode_for_captions(sensor_values, sensor_mask)
        return super().generate(
            input_ids=input_ids,
            generation_config=generation_config,
            attention_mask=attention_mask,
            sensor_key_values=self.decoder.key_values(tokens),
            sensor_token_mask=token_mask,
            **kwargs,
        )

    def _prompts(
        self,
        input_ids: Optional[torch.Tensor],
        attention_mask: Optional[torch.Tensor],
        rows: int,
        bos: Any,
        eos: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns the texts to go on from with their padding on the left, and their mask."""
        if input_ids is None:
            if bos is None:
                raise ValueError(
                    "There is no token to start a caption from: give `input_ids`, or set `bos_token_id` in"
                    " `model.generation_config`."
                )
            input_ids = torch.full((rows, 1), int(bos), device=self.device)
            return input_ids, torch.ones_like(input_ids)
        if input_ids.ndim != 2 or len(input_ids) not in (1, rows) or input_ids.shape[1] == 0:
            raise ValueError(
                f"`input_ids` must have shape ({rows}, tokens) or (1, tokens) for {rows} days, got"
                f" {tuple(input_ids.shape)}."
            )
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask.long()
        if mask.shape != input_ids.shape:
            raise ValueError(
                f"`attention_mask` must have the shape of `input_ids`, {tuple(input_ids.shape)}, got"
                f" {tuple(mask.shape)}."
            )
        steps = torch.arange(1, mask.shape[1] + 1, device=mask.device)
        ends = (mask * steps).argmax(dim=1, keepdim=True)
        if eos is not None:
            eos = torch.as_tensor(eos, device=input_ids.device).flatten()
            finished = torch.isin(input_ids.gather(1, ends), eos) & (mask.sum(dim=1, keepdim=True) > 1)
            mask = mask.scatter(1, ends, mask.gather(1, ends) * (~finished).long())
        if not mask.any(dim=1).all():
            empty = (~mask.any(dim=1)).nonzero().flatten().tolist()
            raise ValueError(f"Texts {empty} in `input_ids` have no token to go on from.")
        order = mask.argsort(dim=1, stable=True)[:, -int(mask.sum(dim=1).max()) :]
        input_ids, mask = input_ids.gather(1, order), mask.gather(1, order)
        pad = self.config.text_config.pad_token_id
        if pad is not None:
            input_ids = input_ids.masked_fill(mask == 0, pad)
        return input_ids.expand(rows, -1).contiguous(), mask.expand(rows, -1).contiguous()


class SensorLMForSensorClassification(SensorLMPreTrainedModel):
    """The sensor tower with a classification or regression head.

    `config.classifier_pooling` chooses the head: `"linear"` on the tower's embedding (for `cap` the mean of its token
    states), or `"attentive"`, which learns its own attention pooling first. `config.freeze_backbone` trains the head
    only, that is a probe. Checkpoints of [`SensorLMModel`] load into it; their text side is left out.

    `config.problem_type` is `"single_label_classification"`, `"multi_label_classification"` or `"regression"`; by
    default it follows from the labels: one output is a regression, integer labels are classes, others multi-label.

    Example:
        >>> config = SensorLMConfig.from_size("siglip", "tiny", freeze_backbone=True)
        >>> config.num_labels = 3
        >>> model = SensorLMForSensorClassification(config).eval()
        >>> model(torch.zeros(2, 1440, 26), labels=torch.tensor([0, 2])).logits.shape
        torch.Size([2, 3])
    """

    accepts_loss_kwargs = False
    _keys_to_ignore_on_load_unexpected = [r"^text_model\.", r"^decoder\.", r"^logit_", r"^sensor_model\.head\."]  # noqa: RUF012

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        if not config.num_labels:
            raise ValueError(f"`config.num_labels` must be at least 1, got {config.num_labels}.")
        attentive = config.classifier_pooling == "attentive"
        sensor_config = copy.deepcopy(config.sensor_config)
        sensor_config.use_head = sensor_config.use_head and not attentive
        self.sensor_model = SensorLMSensorModel(sensor_config)
        self.pooler = SensorLMAttentionPoolingHead(sensor_config) if attentive else None
        self.classifier = nn.Linear(sensor_config.hidden_size, config.num_labels)
        self.post_init()
        self._freeze()

    def _freeze(self) -> None:
        if self.config.freeze_backbone:
            self.sensor_model.requires_grad_(False)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        """Loads a model as `PreTrainedModel.from_pretrained` does; a frozen tower stays frozen."""
        result = super().from_pretrained(pretrained_model_name_or_path, *args, **kwargs)
        # Loading puts new parameters in place of those that the constructor froze.
        (result[0] if isinstance(result, tuple) else result)._freeze()
        return result

    def get_input_embeddings(self) -> nn.Module:
        """Returns the patch embedding."""
        return self.sensor_model.get_input_embeddings()

    def train(self, mode: bool = True) -> "SensorLMForSensorClassification":
        """Switches training mode; a frozen tower stays in evaluation mode."""
        super().train(mode)
        if self.config.freeze_backbone:
            self.sensor_model.eval()
        return self

    def forward(
        self,
        sensor_values: torch.Tensor,
        sensor_mask: Optional[torch.Tensor] = None,
        labels: Optional[torch.Tensor] = None,
        return_dict: Optional[bool] = None,
    ) -> Union[SequenceClassifierOutput, tuple]:
        """Classifies days.

        Args:
            sensor_values: `(B, T, C)` normalised values.
            sensor_mask: `(B, T, C)`, True = observed; `None` if everything is.
            labels: `(B,)` class numbers (-100 for rows that do not count), `(B, num_labels)` 0 or 1 for multi-label
                problems, `(B,)` or `(B, num_labels)` numbers for regression.
            return_dict: Whether to return an output object rather than a tuple.

        Returns:
            Output with `loss`, if labels are given, and `logits` `(B, num_labels)`.

        Raises:
            ValueError: If the labels' shape does not fit the problem.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.config.freeze_backbone):
            output = self.sensor_model(sensor_values, sensor_mask, return_dict=True)
        states, token_mask = output.last_hidden_state, output.token_mask
        if self.pooler is not None:
            pooled = self.pooler(states, _attention_mask(self.sensor_model.config, token_mask, 1))
        elif output.pooler_output is not None:
            pooled = output.pooler_output
        else:
            pooled = _mean_of_tokens(states, token_mask)
        logits = self.classifier(pooled)
        result = SequenceClassifierOutput(loss=None if labels is None else self._loss(logits, labels), logits=logits)
        return result if _flag(return_dict, self.config.return_dict) else result.to_tuple()

    def _loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        problem = self.config.problem_type
        if problem is None:
            if self.config.num_labels == 1:
                problem = "regression"
            elif labels.is_floating_point() or labels.dtype == torch.bool:
                problem = "multi_label_classification"
            else:
                problem = "single_label_classification"
        logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
        if problem == "single_label_classification":
            expected: tuple[int, ...] = (len(logits),)
        else:
            expected = tuple(logits.shape)
            if labels.ndim == 1 and self.config.num_labels == 1:
                labels = labels[:, None]
        if tuple(labels.shape) != expected:
            raise ValueError(f"`labels` must have shape {expected} for {problem}, got {tuple(labels.shape)}.")
        if problem == "single_label_classification":
            return nn.functional.cross_entropy(logits, labels.long())
        if problem == "multi_label_classification":
            return nn.functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))
        return nn.functional.mse_loss(logits, labels.to(logits.dtype))


__all__ = [
    "SensorLMForSensorClassification",
    "SensorLMModel",
    "SensorLMOutput",
    "SensorLMPreTrainedModel",
    "SensorLMSensorModel",
    "SensorLMSensorOutput",
    "SensorLMTextModel",
    "SensorLMTextOutput",
]
