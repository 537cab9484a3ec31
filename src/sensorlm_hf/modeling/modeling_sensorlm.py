"""PyTorch models of SensorLM: sensor tower, text tower and their contrastive combination.

Structure and sources:

* The sensor tower is a ViT over the (time, channel) plane with rectangular patches, pre-norm blocks and the attention
  pooling of SigLIP (Zhai et al., 2023), as in the public SensorLM release (Zhang et al., arXiv:2506.09108). It handles
  missing data: see [`SensorLMSensorModel`].
* The text tower is that of SigLIP for the contrastive objectives, and the causal one of CoCa (Yu et al., 2022) for the
  others.
* The decoder of `cap` and `coca` is part of [`SensorLMForConditionalGeneration`], which holds a [`SensorLMModel`].

Shapes in the docstrings: `B` rows, `T` minutes, `C` channels, `N` sensor patches, `L` text tokens, `D` width.
"""

import math
from typing import Any, Optional

import torch
import torch.distributed
from torch import nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.cache_utils import Cache
from transformers.masking_utils import create_bidirectional_mask, create_causal_mask
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs, auto_docstring, logging
from transformers.utils.generic import can_return_tuple
from transformers.utils.output_capturing import OutputRecorder, capture_outputs

from .configuration_sensorlm import SensorLMConfig, SensorLMSensorConfig, SensorLMTextConfig
from .layers_sensorlm import (
    SensorLMAttention,
    SensorLMAttentionPoolingHead,
    SensorLMCaptionPooler,
    SensorLMEncoder,
    SensorLMEncoderLayer,
    _check_text,
    _is_tracing,
    _last_tokens,
    _mean_of_tokens,
    _normalized,
    _token_positions,
    _with_init,
    layer_norm,
    rotary_embeddings,
)
from .losses_sensorlm import (
    _wide,
    clip_loss,
    positive_pairs,
    siglip_loss,
    statement_sigmoid_loss,
    statement_softmax_loss,
)
from .outputs_sensorlm import SensorLMOutput, SensorLMSensorOutput
from .sentence_encoder_sensorlm import SensorLMSentenceEncoder
from .text_backbone_sensorlm import SensorLMTextBackbone, SensorTextPretrainedMixin

logger: Any = logging.get_logger(__name__)

MAX_CLIP_LOGIT_SCALE = math.log(100.0)
"""Largest logarithm of CLIP's temperature factor."""

HUB_OPTIONS = ("revision", "token", "cache_dir", "local_files_only", "subfolder", "force_download", "proxies")
"""Keyword arguments of `from_pretrained` that say where the files are."""

_STATEMENTS_AT_ONCE = 32

_SKIPPING_THRESHOLD = 7 / 8
"""Missing patches are skipped when the fullest row of the batch has at most this fraction of the patches."""


# ---------------------------------------------------------------------------------------------------------------------
# Sensor tower


WINDOW_STATISTICS = 5
"""Number of statistics of a channel, see [`window_statistics`]."""


def window_statistics(sensor_values: torch.Tensor, sensor_mask: Optional[torch.Tensor] = None) -> torch.Tensor:
    """Summarises each channel over the minutes in which it was observed.

    Args:
        sensor_values: `(B, T, C)`; masked values are ignored.
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
"""Means and standard deviations of [`window_statistics`] over 300 simulated days and 26 channels, rounded. Without
this centring, what all days have in common would dominate every state, and cosines could not separate days."""


BLOCK_STATISTICS = 2
"""Number of statistics of a channel in a block of the window, see [`block_statistics`]."""


def block_statistics(
    sensor_values: torch.Tensor, sensor_mask: Optional[torch.Tensor] = None, *, blocks: int
) -> torch.Tensor:
    """Summarises each channel in each of the blocks of equal length into which the window is divided.

    Args:
        sensor_values: `(B, T, C)`; masked values are ignored.
        sensor_mask: `(B, T, C)` bool, True = observed; `None` if everything is.
        blocks: Number of blocks. If it does not divide `T`, the lengths of blocks differ by a minute.

    Returns:
        `(B, C, blocks, 2)` float32: mean over the observed minutes of the block, 0 if there are none, and their share.
    """
    values = sensor_values.float()
    minutes = values.shape[1]
    mask = torch.ones_like(values, dtype=torch.bool) if sensor_mask is None else sensor_mask
    block = torch.arange(minutes, device=values.device) * blocks // minutes
    member = (block == torch.arange(blocks, device=values.device)[:, None]).float()
    # Products with a 0/1 matrix: they are fast, deterministic, and the same for every length of the window.
    total = torch.matmul(member, torch.where(mask, values, values.new_zeros(())))
    count = torch.matmul(member, mask.float())
    share = count / member.sum(dim=1).clamp(min=1)[:, None]
    return torch.stack([total / count.clamp(min=1), share], dim=3).transpose(1, 2)


_TYPICAL_BLOCK = (0.0, 0.7)
_SPREAD_OF_BLOCK = (0.7, 0.4)
"""Centre and scale of [`block_statistics`]. Over 300 simulated days and 26 channels their means are 0.07 and 0.85, and
their standard deviations 0.84 and 0.28; real days have more gaps."""


class SensorLMStatistics(nn.Module):
    """One state for each channel: a linear map, one per channel, of its statistics.

    They are those of the window (see [`window_statistics`]) and, if `embed_statistics` is a number of minutes, of its
    blocks (see [`block_statistics`]).
    """

    def __init__(self, config: SensorLMSensorConfig) -> None:
        super().__init__()
        channels, blocks = int(config.num_channels or 0), config.num_statistics_blocks
        self.blocks = blocks
        self.weight = nn.Parameter(torch.zeros(channels, WINDOW_STATISTICS, config.hidden_size))
        self.bias = nn.Parameter(torch.zeros(channels, config.hidden_size))
        self.block_weight = None
        if blocks:
            self.block_weight = nn.Parameter(torch.zeros(channels, blocks, BLOCK_STATISTICS, config.hidden_size))

    def forward(self, sensor_values: torch.Tensor, sensor_mask: Optional[torch.Tensor]) -> torch.Tensor:
        """Maps `(B, T, C)` to `(B, C, D)`."""
        statistics = window_statistics(sensor_values, sensor_mask)
        observed = statistics[..., -1:] > 0
        statistics = _standardised(statistics, _TYPICAL_STATISTICS, _SPREAD_OF_STATISTICS, observed)
        states = torch.einsum("bcs,csd->bcd", statistics.to(self.weight.dtype), self.weight) + self.bias
        if self.block_weight is None:
            return states
        statistics = block_statistics(sensor_values, sensor_mask, blocks=self.blocks)
        statistics = _standardised(statistics, _TYPICAL_BLOCK, _SPREAD_OF_BLOCK, observed[:, :, None])
        return states + torch.einsum("bcks,cksd->bcd", statistics.to(states.dtype), self.block_weight)


def _standardised(
    statistics: torch.Tensor, typical: tuple[float, ...], spread: tuple[float, ...], observed: torch.Tensor
) -> torch.Tensor:
    """Centres and scales statistics; those of a channel that was not observed become 0."""
    centred = (statistics - statistics.new_tensor(typical)) / statistics.new_tensor(spread)
    return torch.where(observed, centred, centred.new_zeros(()))


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
            self.missing_embedding = _with_init(nn.Linear(config.patch_size, config.hidden_size, bias=False), "zeros")

    def patches(self, values: torch.Tensor) -> torch.Tensor:
        """Cuts `(B, T, C)` into patches `(B, N, patch_minutes * patch_channels)`."""
        rows, minutes, channels = values.shape
        height, width = self.config.patch_minutes, self.config.patch_channels
        grid = values.view(rows, minutes // height, height, channels // width, width).transpose(2, 3)
        return grid.reshape(rows, (minutes // height) * (channels // width), height * width)

    def positions(self, minutes: int, device: Any = None) -> torch.Tensor:
        """Returns the positions of a window, `(N, D)`: learned, or interpolated linearly in time for another length."""
        # The module is called, since weights that are offloaded only arrive when it is.
        weight = self.position_embedding.weight
        table = self.position_embedding(torch.arange(weight.shape[0], device=device))
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
            # `where`, not a product: masked values may be NaN.
            sensor_values = torch.where(sensor_mask, sensor_values, sensor_values.new_zeros(()))
            present = self.patches(sensor_mask)
            observed = present.any(dim=-1)
            absent = ~present
        # The type of the positions, since the linear maps may be quantised to integers.
        dtype = self.position_embedding.weight.dtype
        tokens = self.patch_embedding(self.patches(sensor_values).to(dtype))
        if self.missing_embedding is not None and absent is not None:
            tokens = tokens + self.missing_embedding(absent.to(dtype))
        return tokens + self.positions(sensor_values.shape[1], tokens.device), observed


class SensorLMPreTrainedModel(PreTrainedModel):
    """Base class: loading, saving and initial weights."""

    config_class = SensorLMConfig
    config: Any
    base_model_prefix = "sensorlm"
    main_input_name = "sensor_values"
    input_modalities: tuple[str, ...] = ("time", "text")
    supports_gradient_checkpointing = True
    # `labels` in a forward's signature would make Trainer assume that the loss is already divided by the number of
    # items in the accumulated batch, which no contrastive loss can be.
    accepts_loss_kwargs = False
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
    _supports_attention_backend = True
    # Strips the prefix that [`SensorLMForConditionalGeneration`] saves its base model under, where transformers does
    # not do so itself: for the towers.
    _tower_key_mapping: Optional[dict[str, str]] = None

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        """Loads a model as `PreTrainedModel.from_pretrained` does.

        Raises:
            ValueError: If the checkpoint cannot give what this class needs, for example a classifier's has no text
                tower, and no report is requested (`output_loading_info`).
        """
        wants_report = kwargs.pop("output_loading_info", False)
        hub_options = {name: kwargs[name] for name in HUB_OPTIONS if name in kwargs}
        # Auto classes have replaced the source of an adapter by that of its base model.
        adapter = kwargs.get("adapter_kwargs") or {}
        adapter_source = (pretrained_model_name_or_path, hub_options.get("revision"))
        if "_adapter_model_path" in adapter:
            adapter_source = (adapter["_adapter_model_path"], adapter.get("revision"))
        if cls._tower_key_mapping is not None:
            kwargs.setdefault("key_mapping", cls._tower_key_mapping)
        model, report = super().from_pretrained(
            pretrained_model_name_or_path, *args, output_loading_info=True, **kwargs
        )
        if getattr(model, "_hf_peft_config_loaded", False):
            # A pipeline finds here what else was saved with the adapter.
            model._adapter_source = adapter_source
        if cls._tower_key_mapping is not None:
            # Saving would put the prefix back.
            vars(model).pop("_weight_conversions", None)
        if wants_report:
            # Whoever asks for the report learns from it what is missing.
            return model, report
        model._check_loaded(pretrained_model_name_or_path, report, hub_options)
        return model

    def _check_loaded(self, source: Any, report: dict[str, Any], hub_options: dict[str, Any]) -> None:
        """Raises an error if the checkpoint lacks weights without which this model cannot be used.

        Args:
            source: Where the model was loaded from.
            report: Loading report of transformers.
            hub_options: Options with which the files of the checkpoint are found.
        """

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Sets initial weights as SigLIP does; what a checkpoint gave is left alone."""
        # For code outside transformers this is only called for modules with their own parameters, so a scheme that
        # depends on the position of a linear layer is set on the layer (`_with_init`), not on its parent.
        if isinstance(module, SensorLMTextEmbeddings):
            if module.cls_embedding is not None:
                init.normal_(module.cls_embedding, std=module.cls_embedding.shape[-1] ** -0.5)
        elif isinstance(module, SensorLMAttentionPoolingHead):
            init.xavier_uniform_(module.probe)
        elif isinstance(module, SensorLMStatistics):
            init.normal_(module.weight, std=WINDOW_STATISTICS**-0.5)
            init.zeros_(module.bias)
            if module.block_weight is not None:
                init.zeros_(module.block_weight)
        elif isinstance(module, SensorLMCaptionPooler):
            init.normal_(module.query, std=module.query.shape[-1] ** -0.5)
        elif isinstance(module, SensorLMModel):
            if module.logit_scale is not None:
                scale = 10.0 if self.config.objective == "siglip" else 1 / 0.07
                init.constant_(module.logit_scale, math.log(scale))
            if module.logit_bias is not None:
                init.constant_(module.logit_bias, -10.0)
            if module.statement_logit_scale is not None:
                init.constant_(module.statement_logit_scale, math.log(10.0))
                init.constant_(module.statement_logit_bias, -2.0)
        elif isinstance(module, nn.Embedding):
            init.normal_(module.weight, std=module.embedding_dim**-0.5)
        elif isinstance(module, nn.LayerNorm):
            init.ones_(module.weight)
            init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            scheme = getattr(module, "init_scheme", None)
            if scheme == "xavier":
                init.xavier_uniform_(module.weight)
            elif scheme == "zeros":
                init.zeros_(module.weight)
            else:
                init.lecun_normal_(module.weight)
            if module.bias is not None:
                init.zeros_(module.bias)


class SensorLMSensorModel(SensorLMPreTrainedModel):
    """The sensor tower: days in, token states and a pooled embedding out.

    Missing values never influence the result: they are set to 0, the population mean on the normalised scale, before
    patches are embedded, and a patch without any observed value is neither attended to nor pooled. Such patches are
    not even computed where that saves time: the observed patches of each row move to the front and the batch is cut at
    its fullest row. A row gives the same output alone and in any batch. A row with nothing observed has no token to
    attend to, so all of its (zero) patches count: its embedding is that of an empty day.

    Windows of another length than `window_minutes` are read with positions interpolated linearly in time.

    Args:
        config: Configuration of the tower.
        add_pooling_layer: Whether `pooler_output` is attention-pooled; without, it is the mean of the tokens that
            count, as for objective `cap`.

    Example:
        >>> tower = SensorLMSensorModel(SensorLMConfig.from_size("siglip", "tiny").sensor_config).eval()
        >>> tower(torch.zeros(2, 1440, 26)).pooler_output.shape
        torch.Size([2, 192])
    """

    config_class = SensorLMSensorConfig
    base_model_prefix = "sensor_model"
    input_modalities = ("time",)
    _tower_key_mapping = {r"^sensorlm\.": ""}  # noqa: RUF012 - the base class reads it from the class
    _keys_to_ignore_on_load_unexpected = [r"^text_model\.", r"^decoder\.", r"^(statement_)?logit_(scale|bias)$"]  # noqa: RUF012
    _can_record_outputs = {  # noqa: RUF012 - the base class reads it from the class
        "hidden_states": SensorLMEncoderLayer,
        "attentions": OutputRecorder(SensorLMAttention, index=1, layer_name="self_attn"),
    }

    def __init__(self, config: SensorLMSensorConfig, add_pooling_layer: bool = True) -> None:
        super().__init__(config)
        self.embeddings = SensorLMSensorEmbeddings(config)
        self.encoder = SensorLMEncoder(config)
        self.post_layernorm = layer_norm(config.hidden_size)
        self.head = SensorLMAttentionPoolingHead(config) if add_pooling_layer else None
        self.statistics = SensorLMStatistics(config) if config.embed_statistics else None
        # The output is the same either way; studies that replace patches turn it off.
        self.skip_missing_patches = True
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

    def _skip_missing(
        self, tokens: torch.Tensor, observed: torch.Tensor
    ) -> tuple[torch.Tensor, Optional[torch.Tensor], Optional[torch.Tensor]]:
        """Moves the observed patches of each row to the front and cuts the batch at its fullest row.

        Args:
            tokens: `(B, N, D)` embedded patches.
            observed: `(B, N)` bool, True for patches with an observed value.

        Returns:
            Tokens `(B, K, D)`; which of them count, `(B, K)` bool or `None` if all do; their patch numbers `(B, K)`, or
            `None` if nothing was skipped.
        """
        # A day without any observation attends to all of its patches rather than to none.
        observed = observed | ~observed.any(dim=1, keepdim=True)
        if _is_tracing():
            return tokens, observed, None
        index = None
        counts = observed.sum(dim=1)
        longest = int(counts.max())
        if self.skip_missing_patches and longest <= _SKIPPING_THRESHOLD * observed.shape[1]:
            index = (~observed).long().argsort(dim=1, stable=True)[:, :longest]
            tokens = tokens.gather(1, index[:, :, None].expand(-1, -1, tokens.shape[2]))
            observed = torch.arange(longest, device=counts.device)[None] < counts[:, None]
        return tokens, None if bool(observed.all()) else observed, index

    @capture_outputs(tie_last_hidden_states=False)
    @auto_docstring(custom_intro="Embeds days.")
    def forward(
        self,
        sensor_values: torch.Tensor,
        sensor_mask: Optional[torch.Tensor] = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> SensorLMSensorOutput:
        r"""
        sensor_values (`torch.FloatTensor` of shape `(batch_size, minutes, channels)`):
            Normalised values (z-scores).
        sensor_mask (`torch.BoolTensor` of shape `(batch_size, minutes, channels)`, *optional*):
            True for observed values; by default all are.
        """
        self._check_inputs(sensor_values, sensor_mask)
        sensor_mask = None if sensor_mask is None else sensor_mask.bool()
        tokens, observed = self.embeddings(sensor_values, sensor_mask)
        token_index = None
        if observed is not None:
            tokens, observed, token_index = self._skip_missing(tokens, observed)
        attention_mask = create_bidirectional_mask(self.config, tokens, observed)
        states = self.post_layernorm(self.encoder(tokens, attention_mask, **kwargs))
        if self.head is None:
            pooled = _mean_of_tokens(states, observed)
        else:
            pooled = self.head(states, observed)
        statistics = None if self.statistics is None else self.statistics(sensor_values, sensor_mask)
        if statistics is not None and self.head is not None:
            pooled = pooled + statistics.sum(dim=1) * statistics.shape[1] ** -0.5
        return SensorLMSensorOutput(
            last_hidden_state=states,
            pooler_output=pooled,
            token_mask=observed,
            token_index=token_index,
            statistics_state=statistics,
        )


# ---------------------------------------------------------------------------------------------------------------------
# Text tower


class SensorLMTextEmbeddings(nn.Module):
    """Token and position embeddings; for `cls` pooling also the class token that follows the text.

    CoCa's class token has the embedding `cls_emb + last position`. Both are learned and only occur as this sum, so they
    are one vector here. It does not depend on the text's length, hence not on padding.
    """

    def __init__(self, config: SensorLMTextConfig) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        # Rotary positions are applied in the attention.
        learned = config.rope_theta is None
        self.position_embedding: Any = (
            nn.Embedding(config.max_position_embeddings, config.hidden_size) if learned else None
        )
        self.cls_embedding: Any = nn.Parameter(torch.zeros(config.hidden_size)) if config.pooling == "cls" else None

    def forward(self, input_ids: torch.Tensor, position_ids: torch.Tensor, append_cls: bool = False) -> torch.Tensor:
        """Embeds token ids `(B, L)` at positions `(B or 1, L)`: `(B, L, D)`, with the class token `(B, L + 1, D)`."""
        tokens = self.token_embedding(input_ids)
        if self.position_embedding is not None:
            tokens = tokens + self.position_embedding(position_ids)
        if append_cls:
            tokens = torch.cat([tokens, self.cls_embedding.to(tokens.dtype).expand(tokens.shape[0], 1, -1)], dim=1)
        return tokens


class SensorLMTextModel(SensorLMPreTrainedModel):
    """The text tower: SigLIP's for the contrastive objectives, CoCa's causal one for the others.

    Padding may be on either side. Unlike transformers' SigLIP, which pads every text to the full length and pools the
    last position, the attention mask is respected and the last token of the text is pooled, so that a text gives the
    same embedding alone and in any batch.
    """

    config_class = SensorLMTextConfig
    base_model_prefix = "text_model"
    main_input_name = "input_ids"
    input_modalities = ("text",)
    _tower_key_mapping = {r"^sensorlm\.": ""}  # noqa: RUF012 - the base class reads it from the class
    _keys_to_ignore_on_load_unexpected = [r"^sensor_model\.", r"^decoder\.", r"^(statement_)?logit_(scale|bias)$"]  # noqa: RUF012
    _can_record_outputs = {  # noqa: RUF012 - the base class reads it from the class
        "hidden_states": SensorLMEncoderLayer,
        "attentions": OutputRecorder(SensorLMAttention, index=1, layer_name="self_attn"),
    }

    def __init__(self, config: SensorLMTextConfig) -> None:
        if config.is_language_model:
            raise ValueError(
                "The configuration names a pretrained language model, which is a text tower inside SensorLMModel only:"
                " load the SensorLMModel and use its `text_model`."
            )
        super().__init__(config)
        self.embeddings = SensorLMTextEmbeddings(config)
        self.encoder = SensorLMEncoder(config)
        self.pooling = config.pooling or "last"
        pooled = self.pooling != "none"
        self.final_layer_norm: Any = layer_norm(config.hidden_size) if pooled else None
        self.head: Any = nn.Linear(config.hidden_size, config.projection_size or config.hidden_size) if pooled else None
        self.sentence_encoder = SensorLMSentenceEncoder(config) if config.has_sentence_encoder else None
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Returns the token embedding."""
        return self.embeddings.token_embedding

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replaces the token embedding."""
        self.embeddings.token_embedding = value

    @capture_outputs(tie_last_hidden_states=False)
    @auto_docstring(custom_intro="Encodes texts.")
    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: Optional[torch.Tensor] = None,
        position_ids: Optional[torch.Tensor] = None,
        past_key_values: Optional[Cache] = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> BaseModelOutputWithPooling:
        r"""
        input_ids (`torch.LongTensor` of shape `(batch_size, sequence_length)`):
            Token ids.
        attention_mask (`torch.Tensor` of shape `(batch_size, cached + sequence_length)`, *optional*):
            1 for tokens and 0 for padding.
        position_ids (`torch.LongTensor` of shape `(batch_size, sequence_length)`, *optional*):
            Positions; by default counted from the attention mask.
        past_key_values (`Cache`, *optional*):
            Cache of earlier tokens, of a causal tower. With it the texts are not pooled.
        """
        past_length = _check_text(self.config, input_ids, attention_mask, past_key_values)
        pool = self.head is not None and past_key_values is None
        if position_ids is None:
            position_ids = _token_positions(input_ids, attention_mask, past_length)
        caption_ids = input_ids
        if self.sentence_encoder is not None:
            # Words that captions do not have are only read by the encoder.
            caption_ids = input_ids.masked_fill(input_ids >= self.config.vocab_size, self.config.pad_token_id or 0)
        use_cls = pool and self.embeddings.cls_embedding is not None
        states = self.embeddings(caption_ids, position_ids, use_cls)
        keys = attention_mask
        if keys is not None and keys.ndim == 2:
            # A text without tokens attends to its padding rather than to nothing.
            keys = keys.bool() | ~keys.bool().any(dim=1, keepdim=True)
        if use_cls:
            keys = None if keys is None else nn.functional.pad(keys, (0, 1), value=True)
            position_ids = torch.cat([position_ids, position_ids.amax(dim=1, keepdim=True) + 1], dim=1)
        if self.config.causal:
            mask = create_causal_mask(self.config, states, keys, past_key_values)
        else:
            mask = create_bidirectional_mask(self.config, states, keys)
        rotary = None
        if self.config.rope_theta is not None:
            size = self.config.hidden_size // self.config.num_attention_heads
            rotary = rotary_embeddings(position_ids, size, self.config.rope_theta)
        states = self.encoder(
            states, mask, is_causal=self.config.causal, past_key_values=past_key_values, rotary=rotary, **kwargs
        )
        if use_cls:
            states, pooled = states[:, :-1], self.head(self.final_layer_norm(states[:, -1]))
            if self.sentence_encoder is not None:
                pooled = self.sentence_encoder(input_ids, None if keys is None else keys[:, :-1], pooled)
        else:
            states = self.final_layer_norm(states) if self.pooling == "last" else states
            pooled = self.head(_last_tokens(states, keys)) if pool else None
        return BaseModelOutputWithPooling(last_hidden_state=states, pooler_output=pooled)


# ---------------------------------------------------------------------------------------------------------------------
# Both towers


def _processes() -> int:
    """Returns the number of processes; 1 without `torch.distributed`."""
    initialized = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_world_size() if initialized else 1


def _warn_of_local_loss(rows: int) -> None:
    """Warns once that a contrastive loss inside a forward pass knows nothing of other processes."""
    if not _is_tracing() and _processes() > 1:
        logger.warning_once(
            f"The contrastive loss of this forward pass compares the {rows} days of this process with their own texts"
            f" only, not with those of all {_processes()} processes, so it is not the loss of the global batch. Call"
            " `sensorlm_hf.training.use_global_losses(model)` before training, train with `SensorLMTrainer`, or compute"
            " the loss in your own loop with `sensorlm_hf.training.compute_losses(model, batch, GlobalLosses())`."
        )


class SensorLMModel(SensorTextPretrainedMixin, SensorLMPreTrainedModel):
    """SensorLM: a sensor tower and a text tower that embed days and texts in one space.

    It is the contrastive model of `clip` and `siglip`, and the base model of [`SensorLMForConditionalGeneration`], so
    it also loads checkpoints of `coca`, and of `cap`, whose text tower gives no embedding.

    Raises:
        ValueError: `forward` raises it if neither days nor texts are given, or a loss is requested that the inputs do
            not allow.

    Example:
        >>> model = SensorLMModel(SensorLMConfig.from_size("siglip", "tiny", vocab_size=300)).eval()
        >>> days, mask = torch.zeros(2, 1440, 26), torch.ones(2, 1440, 26, dtype=torch.bool)
        >>> texts = torch.tensor([[1, 7, 8, 2], [1, 9, 2, 0]])
        >>> model(days, mask, texts, (texts != 0).long()).logits_per_sensor.shape
        torch.Size([2, 2])
        >>> model.get_sensor_features(days, mask).pooler_output.shape
        torch.Size([2, 192])
    """

    _keys_to_ignore_on_load_unexpected = [r"^decoder\."]  # noqa: RUF012 - the base class reads it from the class
    # A `GlobalLosses`, which computes the losses of training over all processes. It is never set here, since a forward
    # pass that waits for other processes is wrong wherever they do something else: data shared by tensor parallel
    # ranks, a model per process, a batch on the main process only.
    global_losses: Any = None

    def __init__(self, config: SensorLMConfig) -> None:
        super().__init__(config)
        sensor: Any = config.sensor_config
        text: Any = config.text_config
        self.sensor_model = SensorLMSensorModel(sensor, add_pooling_layer=config.is_contrastive)
        self.text_model: Any = (
            SensorLMTextModel(text)
            if not text.is_language_model
            else SensorLMTextBackbone(text, has_decoder=config.is_generative)
        )
        self.logit_scale: Any = nn.Parameter(torch.zeros(())) if config.is_contrastive else None
        self.logit_bias: Any = nn.Parameter(torch.zeros(())) if config.objective == "siglip" else None
        # The softmax loss gives no probability that a sentence is true; a model that reads any sentence has one.
        judges = text.has_sentence_encoder
        self.statement_logit_scale: Any = nn.Parameter(torch.zeros(())) if judges else None
        self.statement_logit_bias: Any = nn.Parameter(torch.zeros(())) if judges else None
        self.post_init()

    def _check_loaded(self, source: Any, report: dict[str, Any], hub_options: dict[str, Any]) -> None:
        classifier = "SensorLMForSensorClassification"
        lacks_text = any("text_model." in name for name in report["missing_keys"])
        if lacks_text and classifier in (self.config.architectures or ()):
            raise ValueError(
                f"{source} holds a {classifier}, which has no text tower, so it cannot be a {type(self).__name__}. Load"
                f" it with {classifier}.from_pretrained."
            )

    def get_input_embeddings(self) -> nn.Module:
        """Returns the token embedding."""
        return self.text_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replaces the token embedding."""
        self.text_model.set_input_embeddings(value)

    def get_position_embeddings(self) -> Optional[nn.Module]:
        """Returns the learned positions of the text; `None` where they are rotary."""
        self._require_own_positions()
        return self.text_model.embeddings.position_embedding

    def resize_position_embeddings(self, new_num_position_embeddings: int) -> None:
        """Changes the maximum text length. Existing positions keep their vectors, new ones are random.

        Rotary positions (`rope_theta`) have no vectors: only the limit changes.

        Args:
            new_num_position_embeddings: Maximum text length in tokens.

        Raises:
            ValueError: If the number is below 1, or the text tower is a pretrained language model, which has its own
                positions.
        """
        self._require_own_positions()
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

    def _require_own_positions(self) -> None:
        if self.config.text_config.is_language_model:
            raise ValueError("The text tower is a pretrained language model, which has its own positions.")

    def _require_text_embeddings(self) -> None:
        if not self.config.is_contrastive:
            raise ValueError(
                f"A model with objective {self.config.objective!r} has no text embedding: its text tower only feeds the"
                " decoder. Compare texts with `SensorLMForConditionalGeneration.score_text`, or use a model trained"
                " with 'clip', 'siglip' or 'coca'."
            )

    @can_return_tuple
    @auto_docstring(custom_intro="Embeds days: `pooler_output` holds the embeddings, not normalized.")
    def get_sensor_features(
        self,
        sensor_values: torch.Tensor,
        sensor_mask: Optional[torch.Tensor] = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> SensorLMSensorOutput:
        r"""
        sensor_values (`torch.FloatTensor` of shape `(batch_size, minutes, channels)`):
            Normalised values (z-scores).
        sensor_mask (`torch.BoolTensor` of shape `(batch_size, minutes, channels)`, *optional*):
            True for observed values; by default all are.
        """
        return self.sensor_model(sensor_values, sensor_mask, return_dict=True, **kwargs)

    @can_return_tuple
    @auto_docstring(custom_intro="Embeds texts: `pooler_output` holds the embeddings, not normalized.")
    def get_text_features(
        self,
        input_ids: torch.Tensor,
        attention_mask: Optional[torch.Tensor] = None,
        position_ids: Optional[torch.Tensor] = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> BaseModelOutputWithPooling:
        r"""
        input_ids (`torch.LongTensor` of shape `(batch_size, sequence_length)`):
            Token ids.
        attention_mask (`torch.Tensor` of shape `(batch_size, sequence_length)`, *optional*):
            1 for tokens and 0 for padding.
        position_ids (`torch.LongTensor` of shape `(batch_size, sequence_length)`, *optional*):
            Positions; by default counted from the attention mask.
        """
        self._require_text_embeddings()
        return self.text_model(input_ids, attention_mask, position_ids, return_dict=True, **kwargs)

    def temperature(self) -> torch.Tensor:
        """Returns the factor on the similarities, a scalar in float32 at least; CLIP limits it to 100."""
        scale = self.logit_scale
        if self.logit_bias is None:
            scale = scale.clamp(max=MAX_CLIP_LOGIT_SCALE)
        return _wide(scale).exp()

    def similarity_logits(self, sensor_embeds: torch.Tensor, text_embeds: torch.Tensor) -> torch.Tensor:
        """Scales the similarities of embeddings of unit length as the loss does.

        Args:
            sensor_embeds: `(N, D)`.
            text_embeds: `(M, D)`.

        Returns:
            `(N, M)`, with the bias for `siglip`.
        """
        logits = self.temperature() * (sensor_embeds @ text_embeds.T)
        return logits if self.logit_bias is None else logits + self.logit_bias.to(logits.dtype)

    def _contrastive_loss(
        self,
        sensor_embeds: torch.Tensor,
        text_embeds: torch.Tensor,
        scale: torch.Tensor,
        text_group_ids: Optional[torch.Tensor],
    ) -> torch.Tensor:
        if text_group_ids is not None and text_group_ids.shape != (len(sensor_embeds),):
            raise ValueError(
                f"`text_group_ids` must hold one integer for each of the {len(sensor_embeds)} texts, got shape"
                f" {tuple(text_group_ids.shape)}."
            )
        if self.global_losses is None:
            _warn_of_local_loss(len(sensor_embeds))
        elif self.training and self.global_losses.is_needed:
            return self.global_losses.contrastive(sensor_embeds, text_embeds, scale, self.logit_bias, text_group_ids)
        positives = None if text_group_ids is None else positive_pairs(text_group_ids)
        if self.logit_bias is not None:
            return siglip_loss(sensor_embeds, text_embeds, scale, self.logit_bias, positives)
        return clip_loss(sensor_embeds, text_embeds, scale, positives)

    def _with_idle_parameters(self, scale: torch.Tensor) -> torch.Tensor:
        """Adds zero times the parameters that only a loss of statements uses.

        DistributedDataParallel waits for the gradient of every parameter. One process skips such parameters, so that
        weight decay leaves them alone.
        """
        if self.statement_logit_scale is None or not self.training or _processes() == 1:
            return scale
        return scale + 0.0 * _wide(self.statement_logit_scale + self.statement_logit_bias)

    def statement_logits(self, sensor_embeds: torch.Tensor, text_embeds: torch.Tensor) -> Optional[torch.Tensor]:
        """Returns the log-odds that texts are true of days, `None` for models that were not trained to tell.

        Args:
            sensor_embeds: `(N, D)` rows of length 1.
            text_embeds: `(M, D)` rows of length 1.

        Returns:
            `(N, M)`; their sigmoid is a probability.
        """
        if self.statement_logit_scale is not None:
            scale, bias = (value.to(sensor_embeds.dtype) for value in self._statement_scale())
            return scale * (sensor_embeds @ text_embeds.T) + bias
        return None if self.logit_bias is None else self.similarity_logits(sensor_embeds, text_embeds)

    def _statement_scale(self) -> tuple[torch.Tensor, torch.Tensor]:
        if self.statement_logit_scale is None:
            return self.temperature(), self.logit_bias
        return _wide(self.statement_logit_scale).exp(), _wide(self.statement_logit_bias)

    def _statement_loss(
        self, sensor_embeds: torch.Tensor, statement_embeds: torch.Tensor, truth: torch.Tensor
    ) -> torch.Tensor:
        if self._ranks_statements:
            return statement_softmax_loss(sensor_embeds, statement_embeds, truth, self.temperature())
        loss = statement_sigmoid_loss(sensor_embeds, statement_embeds, truth, *self._statement_scale())
        return self.reduce_statement_loss(loss, truth, self.global_losses if self.training else None)

    @property
    def _ranks_statements(self) -> bool:
        """Whether the loss of statements is the softmax loss, since there is no bias for a probability."""
        return self.statement_logit_scale is None and self.logit_bias is None

    def reduce_statement_loss(self, loss: torch.Tensor, truth: torch.Tensor, losses: Any) -> torch.Tensor:
        """Returns this process's share of the loss of statements.

        Args:
            loss: Loss of the process's own days and statements.
            truth: `(N, S)` truth of the statements, -1 where undecided.
            losses: The [`sensorlm_hf.training.GlobalLosses`]; `None` without other processes. The softmax loss compares
                the days of a process with each other, so it stays a mean over processes.
        """
        if losses is None or not losses.is_needed or self._ranks_statements:
            return loss
        return losses.reduce_statements(loss, (truth >= 0).sum())

    def _allows_loss(self, rows: int, texts: int) -> bool:
        """Whether there is one text for each recording.

        Raises:
            ValueError: In training, if there is not.
        """
        if rows != texts and self.training:
            raise ValueError(f"A loss needs one text for each recording, got {rows} recordings and {texts} texts.")
        return rows == texts

    @can_return_tuple
    @auto_docstring(custom_intro="Embeds days and texts and computes the contrastive loss.")
    def forward(
        self,
        sensor_values: Optional[torch.Tensor] = None,
        sensor_mask: Optional[torch.Tensor] = None,
        input_ids: Optional[torch.Tensor] = None,
        attention_mask: Optional[torch.Tensor] = None,
        position_ids: Optional[torch.Tensor] = None,
        text_group_ids: Optional[torch.Tensor] = None,
        return_loss: bool = True,
        statement_ids: Optional[torch.Tensor] = None,
        statement_mask: Optional[torch.Tensor] = None,
        statement_truth: Optional[torch.Tensor] = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> SensorLMOutput:
        r"""
        sensor_values (`torch.FloatTensor` of shape `(batch_size, minutes, channels)`, *optional*):
            Normalised values (z-scores).
        sensor_mask (`torch.BoolTensor` of shape `(batch_size, minutes, channels)`, *optional*):
            True for observed values; by default all are.
        input_ids (`torch.LongTensor` of shape `(text_batch_size, sequence_length)`, *optional*):
            Token ids. The numbers of days and texts may differ when only similarities are wanted; there is no loss
            then.
        attention_mask (`torch.Tensor` of shape `(text_batch_size, sequence_length)`, *optional*):
            1 for tokens and 0 for padding.
        position_ids (`torch.LongTensor` of shape `(text_batch_size, sequence_length)`, *optional*):
            Positions; by default counted from the attention mask.
        text_group_ids (`torch.LongTensor` of shape `(text_batch_size,)`, *optional*):
            Equal for texts that say the same: such texts are positives of each other's recordings. By default every
            text is its own group.
        return_loss (`bool`, *optional*, defaults to `True`):
            Whether to compute the contrastive loss, where the inputs allow it.
        statement_ids (`torch.LongTensor` of shape `(statements, statement_length)`, *optional*):
            Token ids of statements about the days, for training with statements of known truth.
        statement_mask (`torch.Tensor` of shape `(statements, statement_length)`, *optional*):
            1 for tokens and 0 for padding.
        statement_truth (`torch.LongTensor` of shape `(batch_size, statements)`, *optional*):
            1 where a statement is true of a day, 0 where it is false, -1 where that is undecided. Its loss is always
            computed.
        """
        if sensor_values is None and input_ids is None:
            raise ValueError("Give `sensor_values`, `input_ids` or both.")
        sensor_output = text_output = sensor_embeds = text_embeds = None
        if sensor_values is not None:
            sensor_output = self.sensor_model(sensor_values, sensor_mask, return_dict=True, **kwargs)
            sensor_embeds = _normalized(sensor_output.pooler_output)
        if input_ids is not None:
            text_output = self.text_model(input_ids, attention_mask, position_ids, return_dict=True, **kwargs)
            if text_output.pooler_output is not None:
                text_embeds = _normalized(text_output.pooler_output)
        loss = logits = scale = bias = contrastive = statement_loss = None
        if statement_truth is not None:
            statement_loss = self._statement_loss(
                sensor_embeds, self._embed_statements(statement_ids, statement_mask, sensor_embeds), statement_truth
            )
        if sensor_embeds is not None and text_embeds is not None:
            scale = self.temperature()
            if statement_loss is None:
                scale = self._with_idle_parameters(scale)
            # A copy, since FSDP2 frees the parameter itself at the end of the forward pass.
            bias = None if self.logit_bias is None else self.logit_bias.clone()
            if return_loss and self._allows_loss(len(sensor_embeds), len(text_embeds)):
                contrastive = self._contrastive_loss(sensor_embeds, text_embeds, scale, text_group_ids)
                loss = contrastive if statement_loss is None else contrastive + statement_loss
            if return_loss or not self.training:
                logits = self.similarity_logits(sensor_embeds, text_embeds)
        return SensorLMOutput(
            loss=loss,
            logits_per_sensor=logits,
            logits_per_text=None if logits is None else logits.T,
            sensor_embeds=sensor_embeds,
            text_embeds=text_embeds,
            logit_scale=scale,
            logit_bias=bias,
            sensor_model_output=sensor_output,
            text_model_output=text_output,
            contrastive_loss=contrastive,
            statement_loss=statement_loss,
        )

    def _embed_statements(
        self,
        statement_ids: Optional[torch.Tensor],
        statement_mask: Optional[torch.Tensor],
        sensor_embeds: Optional[torch.Tensor],
    ) -> torch.Tensor:
        if statement_ids is None or sensor_embeds is None:
            raise ValueError("`statement_truth` needs the `statement_ids` and the `sensor_values` that it relates.")
        self._require_text_embeddings()
        if statement_mask is None:
            statement_mask = torch.ones_like(statement_ids)
        embeds = []
        size = _STATEMENTS_AT_ONCE
        for ids, mask in zip(statement_ids.split(size), statement_mask.split(size), strict=True):
            # The collator sorts statements by length; most need no padding to the longest.
            longest = int(mask.any(dim=0).nonzero().max()) + 1 if not _is_tracing() else mask.shape[1]
            embeds.append(self.text_model(ids[:, :longest], mask[:, :longest], return_dict=True).pooler_output)
        return _normalized(torch.cat(embeds))


__all__ = [
    "HUB_OPTIONS",
    "MAX_CLIP_LOGIT_SCALE",
    "SensorLMModel",
    "SensorLMPreTrainedModel",
    "SensorLMSensorModel",
    "SensorLMTextModel",
]
