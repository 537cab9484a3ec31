"""Layers that the towers and the decoder share: attention and its masks, transformer blocks, poolers.

Shapes: `B` rows, `L` tokens, `Q` queries, `K` keys, `D` width, `d` width of a head.
"""

from typing import Any, Optional

import torch
from torch import nn
from transformers.activations import ACT2FN
from transformers.cache_utils import Cache
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .configuration_sensorlm import SensorLMDecoderConfig

Rotations = tuple[torch.Tensor, torch.Tensor]
"""Cosines and sines of rotary positions, see [`rotations`]."""


def _is_recording() -> bool:
    """Whether a graph is being recorded, which must not depend on values."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()


def _is_all_true(mask: torch.Tensor) -> bool:
    """Whether a mask masks nothing; never while a graph is recorded."""
    return not _is_recording() and bool(mask.all())


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


def rotations(position_ids: torch.Tensor, size: int, theta: float) -> Rotations:
    """Returns what rotary positions turn queries and keys by (Su et al., "RoFormer", 2021).

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


def _rotated(states: torch.Tensor, turns: Rotations) -> torch.Tensor:
    """Turns `(B, heads, L, d)` by what [`rotations`] gave."""
    cosines, sines = (turn.to(states.dtype) for turn in turns)  # autocast gives states of another type
    first, second = states.chunk(2, dim=-1)
    return states * cosines + torch.cat([-second, first], dim=-1) * sines


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
        turns: Optional[Rotations] = None,
    ) -> tuple[torch.Tensor, Optional[torch.Tensor]]:
        """Attends.

        Args:
            hidden_states: `(B, Q, D)`.
            attention_mask: As [`eager_attention`] or the configured function takes it.
            key_values: Keys and values of another sequence; by default those of `hidden_states`.
            is_causal: Whether a query sees no later keys.
            past_key_values: Cache that the own keys and values are appended to.
            turns: Rotary positions of the queries and their own keys, from [`rotations`].

        Returns:
            The result `(B, Q, D)` and, for eager attention, the weights.
        """
        queries = self._heads(self.q_proj(hidden_states))
        keys, values = self.key_values(hidden_states) if key_values is None else key_values
        if turns is not None:
            queries, keys = _rotated(queries, turns), _rotated(keys, turns)
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
        turns: Optional[Rotations] = None,
    ) -> tuple[torch.Tensor, Optional[torch.Tensor]]:
        """Maps `(B, L, D)` to `(B, L, D)`; also returns the attention weights, if there are any."""
        attended, weights = self.self_attn(
            self.layer_norm1(hidden_states),
            attention_mask,
            is_causal=is_causal,
            past_key_values=past_key_values,
            turns=turns,
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
        turns: Optional[Rotations] = None,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> tuple[torch.Tensor, Optional[tuple[torch.Tensor, ...]], Optional[tuple[torch.Tensor, ...]]]:
        """Maps `(B, L, D)` to `(B, L, D)`; also returns what was asked for of each layer."""
        states: list[torch.Tensor] = [hidden_states]
        attentions: list[Any] = []
        for layer in self.layers:
            hidden_states, weights = layer(
                hidden_states, attention_mask, is_causal=is_causal, past_key_values=past_key_values, turns=turns
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


class SensorLMSensorReader:
    """What a decoder has for the sensor tokens: learned queries that gather them, and cross-attention layers."""

    config: Any
    pooler: Any
    cross_layers: Any

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


def _told_to_decoder(output: Any) -> tuple[torch.Tensor, Optional[torch.Tensor]]:
    """Returns the states of a [`SensorLMSensorOutput`] that a decoder reads, and their mask: patches, then channels."""
    states, mask, more = output.last_hidden_state, output.token_mask, output.statistics_state
    if more is None:
        return states, mask
    if mask is not None:
        mask = torch.cat([mask, mask.new_ones(more.shape[:2])], dim=1)
    return torch.cat([states, more.to(states.dtype)], dim=1), mask


def _check_text(
    config: Any,
    input_ids: torch.Tensor,
    attention_mask: Optional[torch.Tensor],
    past_key_values: Optional[Cache],
    pool: bool,
) -> int:
    """Checks what a text tower is given.

    Args:
        config: Configuration of the tower.
        input_ids: `(B, L)` token ids.
        attention_mask: `(B, cached + L)`, 0 for padding; masks of other forms are not checked.
        past_key_values: Cache of earlier tokens.
        pool: Whether the text embedding is asked for.

    Returns:
        The number of tokens in the cache.

    Raises:
        ValueError: If the token ids do not fit their mask or the model's positions, or there is a cache and the tower
            is not causal or is to pool.
    """
    past_length = 0 if past_key_values is None else past_key_values.get_seq_length()
    if past_key_values is not None and (pool or not config.causal):
        raise ValueError("A cache needs a causal text tower and `pool=False`.")
    if input_ids.ndim != 2 or input_ids.numel() == 0:
        raise ValueError(f"`input_ids` must have shape (texts, tokens), both above 0, got {tuple(input_ids.shape)}.")
    total = past_length + input_ids.shape[1]
    # A static cache counts in a tensor, on which a graph cannot branch; `generate` has checked the length by then.
    counted = not (_is_recording() and isinstance(total, torch.Tensor))
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


def _normalised(embeds: torch.Tensor) -> torch.Tensor:
    """Scales rows to length 1, in float32 at least."""
    wide = embeds.float() if embeds.dtype in (torch.float16, torch.bfloat16) else embeds
    return nn.functional.normalize(wide, dim=-1)


def _flag(given: Optional[bool], default: Optional[bool]) -> bool:
    return bool(default if given is None else given)


__all__ = [
    "SensorLMAttention",
    "SensorLMAttentionPoolingHead",
    "SensorLMCaptionPooler",
    "SensorLMCrossAttentionLayer",
    "SensorLMEncoder",
    "SensorLMEncoderLayer",
    "SensorLMMLP",
    "SensorLMSensorReader",
    "eager_attention",
    "rotations",
]
