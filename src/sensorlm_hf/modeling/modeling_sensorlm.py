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

import math
import os
from typing import Any, Optional, Union

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.cache_utils import Cache, DynamicCache

from .configuration_sensorlm import SensorLMConfig, SensorLMDecoderConfig, SensorLMSensorConfig, SensorLMTextConfig
from .encoding_sensorlm import SensorLMEncodingMixin
from .generation_sensorlm import SensorLMGenerationMixin
from .layers_sensorlm import (
    SensorLMAttentionPoolingHead,
    SensorLMCaptionPooler,
    SensorLMCrossAttentionLayer,
    SensorLMEncoder,
    SensorLMEncoderLayer,
    SensorLMSensorReader,
    _attention_mask,
    _check_text,
    _flag,
    _is_all_true,
    _is_recording,
    _last_tokens,
    _marked,
    _mean_of_tokens,
    _normalised,
    _token_positions,
    _told_to_decoder,
    rotations,
)
from .losses_sensorlm import caption_loss, clip_loss, positive_pairs, siglip_loss
from .outputs_sensorlm import SensorLMOutput, SensorLMSensorOutput, SensorLMTextOutput
from .text_backbone_sensorlm import (
    SensorLMHead,
    SensorLMLanguageModelDecoder,
    SensorLMTextBackbone,
    load_language_model,
    longest_text,
    saved_pooling,
)

MAX_CLIP_LOGIT_SCALE = math.log(100.0)
"""Largest logarithm of CLIP's temperature factor."""

_WORTH_SKIPPING = 7 / 8
"""Missing patches are skipped when the fullest row of the batch has at most this fraction of the patches."""


# ---------------------------------------------------------------------------------------------------------------------
# Sensor tower


WINDOW_STATISTICS = 5
"""How many numbers [`window_statistics`] gives of a channel."""


def window_statistics(sensor_values: torch.Tensor, sensor_mask: Optional[torch.Tensor] = None) -> torch.Tensor:
    """Summarises each channel over the minutes in which it was observed.

    Args:
        sensor_values: `(B, T, C)`; what lies under the mask does not matter.
        sensor_mask: `(B, T, C)` bool, True = observed; `None` if everything is.

    Returns:
        `(B, C, 5)` float32: mean, standard deviation, minimum, maximum, and the share of observed minutes. A channel
        without any has zeros.
    """
    values = sensor_values.float()
    mask = torch.ones_like(values, dtype=torch.bool) if sensor_mask is None else sensor_mask
    count = mask.sum(dim=1)
    divisor = count.clamp(min=1)
    zero = values.new_zeros(())
    mean = torch.where(mask, values, zero).sum(dim=1) / divisor
    variance = torch.where(mask, values - mean[:, None], zero).square().sum(dim=1) / divisor
    low = torch.where(mask, values, values.new_full((), torch.inf)).amin(dim=1)
    high = torch.where(mask, values, values.new_full((), -torch.inf)).amax(dim=1)
    # The root of exactly 0 has no gradient.
    parts = [torch.where(count > 0, part, zero) for part in (mean, (variance + 1e-12).sqrt(), low, high)]
    return torch.stack([*parts, count / values.shape[1]], dim=2)


_TYPICAL_STATISTICS = (0.0, 0.7, -1.6, 2.5, 0.7)
_SPREAD_OF_STATISTICS = (0.4, 0.35, 1.0, 1.3, 0.3)
"""Means and standard deviations of [`window_statistics`] over 300 simulated days and 26 channels, rounded. What
all days have in common would else be most of every state, and cosines could not tell days apart."""


class SensorLMStatistics(nn.Module):
    """One state for each channel: a linear map of its own of the channel's statistics, see [`window_statistics`]."""

    def __init__(self, config: SensorLMSensorConfig) -> None:
        super().__init__()
        channels = int(config.num_channels or 0)
        self.weight = nn.Parameter(torch.zeros(channels, WINDOW_STATISTICS, config.hidden_size))
        self.bias = nn.Parameter(torch.zeros(channels, config.hidden_size))

    def forward(self, sensor_values: torch.Tensor, sensor_mask: Optional[torch.Tensor]) -> torch.Tensor:
        """Maps `(B, T, C)` to `(B, C, D)`."""
        statistics = window_statistics(sensor_values, sensor_mask)
        typical, spread = (statistics.new_tensor(v) for v in (_TYPICAL_STATISTICS, _SPREAD_OF_STATISTICS))
        observed = statistics[..., -1:] > 0
        statistics = torch.where(observed, (statistics - typical) / spread, statistics.new_zeros(()))
        return torch.einsum("bcs,csd->bcd", statistics.to(self.weight.dtype), self.weight) + self.bias


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
        # The type of the positions, since the linear maps may be quantised to integers.
        dtype = self.position_embedding.weight.dtype
        tokens = self.patch_embedding(self.patches(sensor_values).to(dtype))
        if self.missing_embedding is not None and absent is not None:
            tokens = tokens + self.missing_embedding(absent.to(dtype))
        return tokens + self.positions(sensor_values.shape[1]), observed


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
        "SensorLMStatistics",
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
        elif isinstance(module, SensorLMStatistics):
            init.normal_(module.weight, std=WINDOW_STATISTICS**-0.5)
            init.zeros_(module.bias)
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
        self.statistics = SensorLMStatistics(config) if config.embed_statistics else None
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
        if values.shape[0] == 0:
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
            if self.config.skip_missing_patches and not _is_recording():
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
        pooled = None if self.head is None else self.head(states, mask)
        statistics = None if self.statistics is None else self.statistics(sensor_values, sensor_mask)
        if statistics is not None and pooled is not None:
            pooled = pooled + statistics.sum(dim=1) * statistics.shape[1] ** -0.5
        output = SensorLMSensorOutput(
            last_hidden_state=states,
            pooler_output=pooled,
            token_mask=observed,
            token_index=index,
            statistics_state=statistics,
            hidden_states=hidden_states,
            attentions=attentions,
        )
        return output if _flag(return_dict, self.config.return_dict) else output.to_tuple()


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
        # Rotary positions are told to the attention, not to the states.
        learned = config.rope_theta is None
        self.position_embedding: Any = (
            nn.Embedding(config.max_position_embeddings, config.hidden_size) if learned else None
        )
        self.cls_embedding: Any = nn.Parameter(torch.zeros(config.hidden_size)) if config.pooling == "cls" else None

    def forward(self, input_ids: torch.Tensor, position_ids: torch.Tensor) -> torch.Tensor:
        """Embeds token ids `(B, L)` at positions `(B or 1, L)` as `(B, L, D)`."""
        tokens = self.token_embedding(input_ids)
        return tokens if self.position_embedding is None else tokens + self.position_embedding(position_ids)


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
        if config.language_model_config is not None:
            raise ValueError(
                "The configuration names a pretrained language model, which is a text tower inside SensorLMModel only:"
                " load the whole SensorLMModel and take its `text_model`."
            )
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

    def _turns(self, position_ids: torch.Tensor) -> Optional[tuple[torch.Tensor, torch.Tensor]]:
        """Returns the rotary positions of tokens; `None` where positions are learned."""
        if self.config.rope_theta is None:
            return None
        size = self.config.hidden_size // self.config.num_attention_heads
        return rotations(position_ids, size, self.config.rope_theta)

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
        pool = pool and self.head is not None
        past_length = _check_text(self.config, input_ids, attention_mask, past_key_values, pool)
        if position_ids is None:
            position_ids = _token_positions(input_ids, attention_mask, past_length)
        states = self.embeddings(input_ids, position_ids)
        keys = attention_mask
        if keys is not None and keys.ndim == 2:
            # A text without tokens attends to its padding rather than to nothing.
            keys = keys.bool() | ~keys.bool().any(dim=1, keepdim=True)
        use_cls = pool and self.embeddings.cls_embedding is not None
        if use_cls:
            states = torch.cat(
                [states, self.embeddings.cls_embedding.to(states.dtype).expand(states.shape[0], 1, -1)], dim=1
            )
            keys = None if keys is None else nn.functional.pad(keys, (0, 1), value=True)
            position_ids = torch.cat([position_ids, position_ids.amax(dim=1, keepdim=True) + 1], dim=1)
        mask = _attention_mask(self.config, keys, states.shape[1], causal=self.config.causal, past_length=past_length)
        states, hidden_states, attentions = self.encoder(
            states,
            mask,
            is_causal=self.config.causal,
            past_key_values=past_key_values,
            turns=self._turns(position_ids),
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
            pooled = self.head(_last_tokens(last, keys))
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


class SensorLMDecoder(SensorLMPreTrainedModel, SensorLMSensorReader):
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


def _embedding_name(text_model: nn.Module) -> str:
    embedding = text_model.get_input_embeddings()
    return next(name for name, module in text_model.named_modules() if module is embedding)


class SensorLMModel(SensorLMPreTrainedModel, SensorLMGenerationMixin, SensorLMEncodingMixin):
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
        text = config.text_config
        pretrained = text.language_model_config is not None
        self.text_model: Any = (
            SensorLMTextBackbone(text, config.is_generative) if pretrained else SensorLMTextModel(text)
        )
        self.decoder: Any = None
        if config.is_generative and pretrained:
            self.decoder = SensorLMLanguageModelDecoder(config.decoder_config, text, config.sensor_config.hidden_size)
            self._tied_weights_keys = {
                "decoder.lm_head.weight": f"text_model.{_embedding_name(self.text_model)}.weight"
            }
        elif config.is_generative:
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
        self._freeze()

    def _freeze(self) -> None:
        for part in (self.text_model, self.decoder):
            if hasattr(part, "freeze"):
                part.freeze()

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        """Loads a model as `PreTrainedModel.from_pretrained` does.

        Raises:
            ValueError: If the checkpoint holds another model class, whose text side would come out untrained, or the
                layers that a decoder takes from a language model are where the checkpoint has its text tower.
        """
        wants_report = kwargs.pop("output_loading_info", False)
        model, report = super().from_pretrained(
            pretrained_model_name_or_path, *args, output_loading_info=True, **kwargs
        )
        # Loading puts new parameters in place of those that the constructor froze.
        model._freeze()
        saved = model.config.architectures
        if saved and not {cls.__name__, "SensorLMModel"} & set(saved):
            raise ValueError(
                f"{pretrained_model_name_or_path} holds a {saved[0]}, not a {cls.__name__}. Load it with"
                f" {saved[0]}.from_pretrained."
            )
        if any(name.startswith("decoder.language_model.") for name in report["missing_keys"]):
            raise ValueError(
                f"{pretrained_model_name_or_path} has its language model undivided, or divided otherwise, so the"
                f" decoder of objective {model.config.objective!r} would start from random layers. Make the model with"
                " `from_sensor_text_pretrained`, giving the checkpoint as `sensor_config`."
            )
        return (model, report) if wants_report else model

    @classmethod
    def from_sensor_text_pretrained(
        cls,
        sensor_config: Any,
        text_model_name_or_path: Any,
        *,
        objective: str = "siglip",
        freeze_text: bool = True,
        pooling: Optional[str] = None,
        max_text_length: Optional[int] = None,
        text_model_options: Optional[dict[str, Any]] = None,
        decoder_config: Optional[dict[str, Any]] = None,
        **config_values: Any,
    ) -> "SensorLMModel":
        """Puts a sensor tower and a pretrained language model together; words unseen in training then mean something.

        The language model keeps its tokenizer: `SensorLMProcessor(feature_extractor, load_text_tokenizer(name))`. A
        frozen one (locked-text tuning, Zhai et al., "LiT", 2022) leaves the sensor tower, the projection of the texts
        and what looks at the sensors to be trained; for LoRA on top of it see `sensorlm_hf.training.lora`.

        For `cap` and `coca` the language model must be decoder-only. Its last layers become the decoder, each followed
        by a new cross-attention layer that starts without effect: before training, captions are what the language
        model would write.

        Args:
            sensor_config: [`SensorLMSensorConfig`], a dict of its values, or the name or path of a SensorLM model whose
                sensor tower is to be used with its weights.
            text_model_name_or_path: Name or path of a text model of transformers, or the model itself.
            objective: `"clip"`, `"siglip"`, `"cap"` or `"coca"`.
            freeze_text: Whether the language model's weights stay as they are.
            pooling: How its token states become one vector: `"mean"`, `"first"` or `"last"`. By default what a
                sentence-transformers repository says, else the mean for encoders and the last token for decoders.
            max_text_length: Longest text in tokens; by default what the language model has positions for.
            text_model_options: Keyword arguments of the language model's `from_pretrained`.
            decoder_config: Values of [`SensorLMDecoderConfig`]; its `num_hidden_layers` says how many layers of the
                language model see the sensors, by default half of them.
            config_values: Further values of [`SensorLMConfig`].

        Returns:
            The model, in evaluation mode; saved and loaded like any other, the language model inside.

        Raises:
            ValueError: If the language model is of a kind that the objective cannot use.

        Example:
            ```python
            model = SensorLMModel.from_sensor_text_pretrained(
                SensorLMConfig.from_size("siglip", "tiny").sensor_config, "sentence-transformers/all-MiniLM-L6-v2"
            )
            ```
        """
        options = text_model_options or {}
        if pooling is not None and pooling not in ("mean", "first", "last"):
            raise ValueError(f"`pooling` must be 'mean', 'first' or 'last', got {pooling!r}.")
        writes = objective in ("cap", "coca")
        language_model, head = load_language_model(text_model_name_or_path, writes, options)
        of_text: Any = language_model.config
        positions = longest_text(language_model)
        if max_text_length is not None and not 0 < max_text_length <= positions:
            raise ValueError(f"`max_text_length` must be 1 to {positions}, got {max_text_length}.")
        end = of_text.eos_token_id
        pad = of_text.pad_token_id
        tower, sensor = None, sensor_config
        if isinstance(sensor_config, (str, os.PathLike)):
            tower = SensorLMSensorModel.from_pretrained(sensor_config)
            sensor = tower.config
        config = cls.config_class(
            objective=objective,
            sensor_config=sensor,
            text_config=SensorLMTextConfig(
                language_model_config=of_text,
                freeze_language_model=freeze_text,
                pooling=pooling or saved_pooling(text_model_name_or_path, options) or "cls",
                max_position_embeddings=max_text_length or positions,
                pad_token_id=pad if pad is not None else end[0] if isinstance(end, list) else end,
                bos_token_id=of_text.bos_token_id,
                eos_token_id=end,
            ),
            decoder_config={**(decoder_config or {}), "lm_head_bias": getattr(head, "bias", None) is not None},
            **{"tie_word_embeddings": writes and bool(of_text.tie_word_embeddings), **config_values},
        )
        model = cls(config)
        model.text_model.load_language_model(language_model)
        if head is not None:
            model.decoder.load_language_model(language_model, head)
        if tower is not None:
            # A captioner's tower has no pooling head: a new one is made where needed, and one too many left out.
            model.sensor_model.load_state_dict(tower.state_dict(), strict=False)
        model.tie_weights()
        return model.to(next(language_model.parameters()).dtype).eval()

    def get_input_embeddings(self) -> nn.Module:
        """Returns the token embedding."""
        return self.text_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replaces the token embedding."""
        self.text_model.set_input_embeddings(value)

    def resize_token_embeddings(self, *args: Any, **kwargs: Any) -> Any:
        """Changes the vocabulary as `PreTrainedModel.resize_token_embeddings` does, that of a language model too."""
        head = None if self.decoder is None else self.decoder.lm_head
        result = super().resize_token_embeddings(*args, **kwargs)
        language_model = self.config.text_config.language_model_config
        if language_model is not None:
            language_model.vocab_size = self.config.text_config.vocab_size
        if isinstance(head, SensorLMHead) and self.decoder.lm_head is not head:
            resized = self.decoder.lm_head
            bias = resized.bias is not None
            self.decoder.lm_head = SensorLMHead(resized.in_features, resized.out_features, bias=bias, device="meta")
            self.decoder.lm_head.weight, self.decoder.lm_head.bias = resized.weight, resized.bias
            self.decoder.lm_head.softcap = head.softcap
        return result

    def get_position_embeddings(self) -> Optional[nn.Module]:
        """Returns the learned positions of the text; `None` where they are rotary."""
        self._own_text_positions()
        return self.text_model.embeddings.position_embedding

    def resize_position_embeddings(self, new_num_position_embeddings: int) -> None:
        """Changes how many tokens a text may have. Positions that are there keep their vectors, new ones are random.

        Rotary positions (`rope_theta`) have no vectors: only the limit is another.

        Args:
            new_num_position_embeddings: Longest text in tokens.

        Raises:
            ValueError: If the number is below 1, or the text tower is a pretrained language model, which has positions
                of its own.
        """
        self._own_text_positions()
        if new_num_position_embeddings < 1:
            raise ValueError(f"A text needs at least 1 position, got {new_num_position_embeddings}.")
        old = self.text_model.embeddings.position_embedding
        if old is not None:
            new = nn.Embedding(
                new_num_position_embeddings, old.embedding_dim, device=old.weight.device, dtype=old.weight.dtype
            )
            nn.init.normal_(new.weight, std=float(old.weight.detach().float().std()))
            kept = min(new_num_position_embeddings, old.num_embeddings)
            with torch.no_grad():
                new.weight[:kept] = old.weight[:kept]
            new.weight.requires_grad_(old.weight.requires_grad)
            self.text_model.embeddings.position_embedding = new
        for config in (self.config.text_config, self.text_model.config):
            config.max_position_embeddings = new_num_position_embeddings

    def _own_text_positions(self) -> None:
        if self.config.text_config.language_model_config is not None:
            raise ValueError("The text tower is a pretrained language model, whose positions are its own.")

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
                sensor_tokens, sensor_token_mask = self.decoder.sensor_tokens(*_told_to_decoder(sensor_output))

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


__all__ = [
    "SensorLMModel",
    "SensorLMOutput",
    "SensorLMPreTrainedModel",
    "SensorLMSensorModel",
    "SensorLMSensorOutput",
    "SensorLMTextModel",
    "SensorLMTextOutput",
]
