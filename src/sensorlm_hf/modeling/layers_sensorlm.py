"""Layers that the towers and the decoder share: attention, transformer blocks, poolers.

Shapes: `B` rows, `L` tokens, `Q` queries, `K` keys, `D` width, `d` width of a head.
"""

from typing import Any, Optional

import torch
from torch import nn
from transformers.activations import ACT2FN
from transformers.cache_utils import Cache
from transformers.masking_utils import create_bidirectional_mask
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .configuration_sensorlm import SensorLMConfig

HIDDEN_ACT = "gelu"
"""Activation of all MLPs."""

LAYER_NORM_EPS = 1e-6
"""Epsilon of all layer norms."""

RotaryEmbeddings = tuple[torch.Tensor, torch.Tensor]
"""Cosines and sines of rotary position embeddings, see [`rotary_embeddings`]."""


def _is_tracing() -> bool:
    """Whether a graph is being traced, which must not depend on values."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()


def eager_attention_forward(
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
    """Eager attention with the interface of transformers' attention functions.

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
        # Half of the lowest number, so that adding a negative score stays finite even in half precision: a row
        # without any key, such as that of a padding token on the left, would otherwise become NaN.
        lowest = torch.finfo(scores.dtype).min / 2
        if attention_mask.dtype == torch.bool:
            attention_mask = scores.new_zeros(()).masked_fill(~attention_mask, lowest)
        scores = scores + attention_mask.clamp(min=lowest)
    weights = nn.functional.softmax(scores, dim=-1).to(value.dtype)
    dropped = nn.functional.dropout(weights, p=dropout, training=module.training)
    return torch.matmul(dropped, value).transpose(1, 2).contiguous(), weights


def _attention_function(implementation: Optional[str], query: torch.Tensor, key: torch.Tensor) -> Any:
    """Returns the attention function of a configuration.

    On a CPU the backward pass of torch's fused attention is slow in half precision: eager attention trains 2 to 5 times
    faster up to about 500 tokens (measured with torch 2.13, AVX-512), with equal results.
    """
    if (
        implementation == "sdpa"
        and query.device.type == "cpu"
        and query.dtype in (torch.bfloat16, torch.float16)
        and torch.is_grad_enabled()
        and query.shape[2] * key.shape[2] <= 512 * 512
    ):
        return eager_attention_forward
    return ALL_ATTENTION_FUNCTIONS.get_interface(implementation, eager_attention_forward)


def _with_init(linear: nn.Linear, scheme: str) -> nn.Linear:
    """Sets how [`SensorLMPreTrainedModel._init_weights`] initialises a layer: `"xavier"` or `"zeros"`."""
    linear.init_scheme = scheme
    return linear


def layer_norm(size: int) -> nn.LayerNorm:
    """Returns a layer norm with the epsilon of SensorLM."""
    return nn.LayerNorm(size, eps=LAYER_NORM_EPS)


def rotary_embeddings(position_ids: torch.Tensor, size: int, theta: float) -> RotaryEmbeddings:
    """Computes rotary position embeddings (Su et al., "RoFormer", 2021).

    Args:
        position_ids: `(B or 1, L)` positions of the tokens.
        size: Width of a head, an even number.
        theta: Base of the wavelengths, which run from 2 pi to almost 2 pi times it.

    Returns:
        Cosines and sines, each `(B or 1, 1, L, size)` float32; the halves of a head are the coordinates of its planes.
    """
    planes = torch.arange(0, size, 2, device=position_ids.device, dtype=torch.float32)
    angles = position_ids[:, None, :, None].float() * theta ** (-planes / size)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def _apply_rotary(states: torch.Tensor, embeddings: RotaryEmbeddings) -> torch.Tensor:
    """Rotates `(B, heads, L, d)`."""
    cosines, sines = (table.to(states.dtype) for table in embeddings)  # autocast gives states of another type
    first, second = states.chunk(2, dim=-1)
    return states * cosines + torch.cat([-second, first], dim=-1) * sines


class SensorLMAttention(nn.Module):
    """Multi-head attention with separate projections, for self- and cross-attention.

    Args:
        config: Configuration of the tower.
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
        self.q_proj = _with_init(nn.Linear(config.hidden_size, config.hidden_size), "xavier")
        self.k_proj = _with_init(nn.Linear(source, config.hidden_size), "xavier")
        self.v_proj = _with_init(nn.Linear(source, config.hidden_size), "xavier")
        self.out_proj = _with_init(nn.Linear(config.hidden_size, config.hidden_size), "xavier")

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
        rotary: Optional[RotaryEmbeddings] = None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, Optional[torch.Tensor]]:
        """Attends.

        Args:
            hidden_states: `(B, Q, D)`.
            attention_mask: As [`eager_attention_forward`] or the configured function takes it.
            key_values: Keys and values of another sequence; by default those of `hidden_states`.
            is_causal: Whether a query sees no later keys.
            past_key_values: Cache that the own keys and values are appended to.
            rotary: Rotary position embeddings of queries and keys, from [`rotary_embeddings`].
            kwargs: Passed to the attention function.

        Returns:
            The result `(B, Q, D)` and, for eager attention, the weights.
        """
        queries = self._heads(self.q_proj(hidden_states))
        keys, values = self.key_values(hidden_states) if key_values is None else key_values
        if rotary is not None:
            queries, keys = _apply_rotary(queries, rotary), _apply_rotary(keys, rotary)
        if past_key_values is not None and key_values is None:
            keys, values = past_key_values.update(keys, values, self.layer_idx)
        implementation = self.config._attn_implementation
        flash = implementation is not None and "flash" in implementation
        if flash and attention_mask is not None and key_values is not None and queries.shape[2] > 1:
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
            **kwargs,
        )
        return self.out_proj(result.flatten(2)), weights


class SensorLMMLP(nn.Module):
    """Two linear layers with an activation between them."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.activation_fn = ACT2FN[HIDDEN_ACT]
        self.fc1 = _with_init(nn.Linear(config.hidden_size, config.intermediate_size), "xavier")
        self.fc2 = _with_init(nn.Linear(config.intermediate_size, config.hidden_size), "xavier")

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Maps `(..., D)` to `(..., D)`."""
        return self.fc2(self.activation_fn(self.fc1(hidden_states)))


class SensorLMEncoderLayer(GradientCheckpointingLayer):
    """Pre-norm transformer block with self-attention, causal or not."""

    def __init__(self, config: Any, cache_index: Optional[int] = None) -> None:
        super().__init__()
        self.layer_norm1 = layer_norm(config.hidden_size)
        self.self_attn = SensorLMAttention(config, cache_index=cache_index)
        self.layer_norm2 = layer_norm(config.hidden_size)
        self.mlp = SensorLMMLP(config)

    def forward(
        self, hidden_states: torch.Tensor, attention_mask: Optional[torch.Tensor] = None, **kwargs: Any
    ) -> torch.Tensor:
        """Maps `(B, L, D)` to `(B, L, D)`; `kwargs` are those of [`SensorLMAttention.forward`]."""
        attended, _ = self.self_attn(self.layer_norm1(hidden_states), attention_mask, **kwargs)
        hidden_states = hidden_states + attended
        return hidden_states + self.mlp(self.layer_norm2(hidden_states))


class SensorLMCrossAttentionLayer(GradientCheckpointingLayer):
    """Pre-norm block whose attention reads the sensor tokens."""

    def __init__(self, config: Any, key_value_size: int) -> None:
        super().__init__()
        self.layer_norm_q = layer_norm(config.hidden_size)
        self.layer_norm_kv = layer_norm(key_value_size)
        self.cross_attn = SensorLMAttention(config, key_value_size=key_value_size)
        self.layer_norm2 = layer_norm(config.hidden_size)
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
        self, hidden_states: torch.Tensor, attention_mask: Optional[torch.Tensor] = None, **kwargs: Any
    ) -> torch.Tensor:
        """Maps `(B, L, D)` to `(B, L, D)`; `kwargs` are those of [`SensorLMAttention.forward`]."""
        for layer in self.layers:
            hidden_states = layer(hidden_states, attention_mask, **kwargs)
        return hidden_states


class SensorLMAttentionPoolingHead(nn.Module):
    """SigLIP's attention pooling: a learned probe attends to the tokens, followed by an MLP with a residual."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.probe = nn.Parameter(torch.zeros(1, 1, config.hidden_size))
        self.attention = SensorLMAttention(config)
        self.layernorm = layer_norm(config.hidden_size)
        self.mlp = SensorLMMLP(config)

    def forward(self, tokens: torch.Tensor, token_mask: Optional[torch.Tensor] = None) -> torch.Tensor:
        """Pools `(B, K, D)` to `(B, D)`, given which tokens count, `(B, K)` bool or `None`."""
        probe = self.probe.expand(tokens.shape[0], -1, -1)
        mask = create_bidirectional_mask(self.config, probe, token_mask, encoder_hidden_states=tokens)
        pooled, _ = self.attention(probe, mask, key_values=self.attention.key_values(tokens))
        return (pooled + self.mlp(self.layernorm(pooled)))[:, 0]


class SensorLMCaptionPooler(nn.Module):
    """CoCa's attention pooling for the decoder: learned queries attend to the sensor tokens."""

    def __init__(self, config: SensorLMConfig) -> None:
        super().__init__()
        text: Any = config.text_config
        sensor: Any = config.sensor_config
        self.config = text
        self.query = nn.Parameter(torch.zeros(1, config.num_caption_queries, text.hidden_size))
        self.layer_norm_q = layer_norm(text.hidden_size)
        self.layer_norm_k = layer_norm(sensor.hidden_size)
        self.attention = SensorLMAttention(text, key_value_size=sensor.hidden_size)

    def forward(self, tokens: torch.Tensor, token_mask: Optional[torch.Tensor] = None) -> torch.Tensor:
        """Pools `(B, K, sensor width)` to `(B, queries, D)`, given which tokens count, `(B, K)` bool or `None`."""
        queries = self.layer_norm_q(self.query).expand(tokens.shape[0], -1, -1)
        mask = create_bidirectional_mask(self.config, queries, token_mask, encoder_hidden_states=tokens)
        key_values = self.attention.key_values(self.layer_norm_k(tokens))
        return self.attention(queries, mask, key_values=key_values)[0]


def _check_text(
    config: Any,
    input_ids: torch.Tensor,
    attention_mask: Optional[torch.Tensor],
    past_key_values: Optional[Cache],
) -> int:
    """Checks the inputs of a text tower.

    Args:
        config: Configuration of the tower.
        input_ids: `(B, L)` token ids.
        attention_mask: `(B, cached + L)`, 0 for padding; masks of other forms are not checked.
        past_key_values: Cache of earlier tokens.

    Returns:
        The number of tokens in the cache.

    Raises:
        ValueError: If the token ids do not fit their mask or the model's positions, or a cache is given to a
            bidirectional tower.
    """
    past_length = 0 if past_key_values is None else past_key_values.get_seq_length()
    if past_key_values is not None and not config.causal:
        raise ValueError("A cache needs a causal text tower; this one is bidirectional. Leave `past_key_values` out.")
    if input_ids.ndim != 2 or input_ids.numel() == 0:
        raise ValueError(f"`input_ids` must have shape (texts, tokens), both above 0, got {tuple(input_ids.shape)}.")
    total = past_length + input_ids.shape[1]
    # A static cache counts in a tensor, on which a graph cannot branch; `generate` has checked the length by then.
    counted = not (_is_tracing() and isinstance(total, torch.Tensor))
    if counted and total > config.max_position_embeddings:
        raise ValueError(
            f"The text is {total} tokens long, but the model has positions for"
            f" {config.max_position_embeddings}. Truncate it (`truncation=True`), or generate fewer tokens."
        )
    if _is_token_mask(attention_mask) and attention_mask.shape != (input_ids.shape[0], total):  # type: ignore[union-attr]
        raise ValueError(
            f"`attention_mask` must have shape {(input_ids.shape[0], total)} (texts, tokens seen so far), got"
            f" {tuple(attention_mask.shape)}."  # type: ignore[union-attr]
        )
    return past_length


def _is_token_mask(attention_mask: Any) -> bool:
    """Whether a mask has one entry a token; generation with a static cache makes masks of other forms."""
    return isinstance(attention_mask, torch.Tensor) and attention_mask.ndim == 2


def _token_positions(input_ids: torch.Tensor, attention_mask: Any, past_length: int) -> torch.Tensor:
    """Counts the tokens, `(B or 1, L)`: 0, 1, 2, ... for padding on either side."""
    length = input_ids.shape[1]
    if not _is_token_mask(attention_mask):
        return past_length + torch.arange(length, device=input_ids.device)[None]
    return (attention_mask.long().cumsum(dim=1) - 1).clamp(min=0)[:, -length:]


def _last_tokens(states: torch.Tensor, keys: Optional[torch.Tensor]) -> torch.Tensor:
    """Picks the last token that counts of `(B, L, D)`, given `(B, L)` bool: `(B, D)`."""
    if keys is None:
        return states[:, -1]
    ends = (keys * torch.arange(1, keys.shape[1] + 1, device=keys.device)).argmax(dim=1)
    return states[torch.arange(states.shape[0], device=states.device), ends]


def _mean_of_tokens(tokens: torch.Tensor, mask: Optional[torch.Tensor]) -> torch.Tensor:
    """Averages `(B, K, D)` over the tokens that count."""
    if mask is None:
        return tokens.mean(dim=1)
    weights = mask.to(tokens.dtype)[:, :, None]
    return (tokens * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


def _normalized(embeds: torch.Tensor) -> torch.Tensor:
    """Scales rows to length 1, in float32 at least."""
    wide = embeds.float() if embeds.dtype in (torch.float16, torch.bfloat16) else embeds
    return nn.functional.normalize(wide, dim=-1)


__all__ = [
    "SensorLMAttention",
    "SensorLMAttentionPoolingHead",
    "SensorLMCaptionPooler",
    "SensorLMCrossAttentionLayer",
    "SensorLMEncoder",
    "SensorLMEncoderLayer",
    "SensorLMMLP",
    "eager_attention_forward",
    "layer_norm",
    "rotary_embeddings",
]
