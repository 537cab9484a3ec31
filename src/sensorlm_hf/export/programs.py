"""Parts of a model as functions of tensors alone, with the inputs to trace and to check them.

Shapes: `B` rows, `T` minutes, `C` channels, `D` width of the embeddings, `L` text tokens, `P` tokens in the cache, `K`
sensor tokens, `N` layers with a cache, `M` cross-attention layers, `H` heads, `d` width of a head, `V` vocabulary size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from transformers import DynamicCache

_MOST_ROWS = 4096
_PROMPT_TOKENS = 3  # of the example inputs


class Program(nn.Module):
    """Part of a model to export; see the subclasses."""

    file_stem: str
    """Name of its file, without suffix."""

    dynamic: Mapping[str, tuple[str, ...]]
    """For each input, the names of its leading axes of variable length; other axes are named `_` and fixed."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def output_names(self) -> list[str]:
        """Returns the names of the outputs."""
        return ["embeds"]

    def example(self, rows: int, seed: int) -> dict[str, torch.Tensor]:
        """Returns random inputs, with gaps or padding."""
        raise NotImplementedError

    def dynamic_shapes(self, inputs: Mapping[str, torch.Tensor]) -> dict[str, dict[int, Any]]:
        """Returns the axes of variable length, as `torch.export` takes them."""
        positions = self.model.config.text_config.max_position_embeddings
        sizes = {"rows": _MOST_ROWS, "tokens": positions, "past": positions - 1}
        axes = {name: torch.export.Dim(name, min=1, max=most) for name, most in sizes.items()}
        return {
            name: {axis: axes[kind] for axis, kind in enumerate(self.dynamic[name]) if kind in axes} for name in inputs
        }

    def _rows_of_days(self, rows: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        config = self.model.config.sensor_config
        shape = (rows, config.window_minutes, config.num_channels)
        mask = torch.rand(shape, generator=generator) > 0.2
        mask[0, : shape[1] // 3] = False
        return {"sensor_values": torch.randn(shape, generator=generator), "sensor_mask": mask}


class SensorEncoder(Program):
    """The sensor side of a [`SensorLMModel`]."""

    file_stem = "sensor_encoder"
    dynamic = {"sensor_values": ("rows",), "sensor_mask": ("rows",)}  # noqa: RUF012 - read from the class, as declared

    def forward(self, sensor_values: torch.Tensor, sensor_mask: torch.Tensor) -> torch.Tensor:
        """Maps days `(B, T, C)` and their masks to embeddings `(B, D)`."""
        output = self.model.get_sensor_features(sensor_values, sensor_mask)
        return nn.functional.normalize(output.pooler_output, dim=-1)

    def example(self, rows: int, seed: int) -> dict[str, torch.Tensor]:
        """Returns random days, one of them without its first third."""
        return self._rows_of_days(rows, torch.Generator().manual_seed(seed))


class TextEncoder(Program):
    """The text side of a [`SensorLMModel`]."""

    file_stem = "text_encoder"
    dynamic = {"input_ids": ("rows", "tokens"), "attention_mask": ("rows", "tokens")}  # noqa: RUF012

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Maps texts `(B, L)`, padded on the right, to embeddings `(B, D)`."""
        output = self.model.get_text_features(input_ids, attention_mask)
        return nn.functional.normalize(output.pooler_output, dim=-1)

    def example(self, rows: int, seed: int) -> dict[str, torch.Tensor]:
        """Returns random texts, the first of them half padding."""
        config = self.model.config.text_config
        generator = torch.Generator().manual_seed(seed)
        length = min(12, config.max_position_embeddings)
        ids = torch.randint(0, config.vocab_size, (rows, length), generator=generator)
        attention = torch.ones_like(ids)
        attention[0, length // 2 :] = 0
        return {"input_ids": ids.masked_fill(attention == 0, config.pad_token_id or 0), "attention_mask": attention}


class CaptionStart(Program):
    """Encodes days and reads the beginnings of their captions, all of the same length: the first of generation.

    The cache is one tensor, `(B, N, 2, H, L, d)`: keys and values of every layer.
    """

    file_stem = "caption_start"
    dynamic = {"sensor_values": ("rows",), "sensor_mask": ("rows",), "input_ids": ("rows", "tokens")}  # noqa: RUF012

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        # Without learned queries the decoder attends to all sensor tokens, some of which are missing.
        self.has_token_mask = model.decoder.pooler is None

    def output_names(self) -> list[str]:
        """Returns the names of the outputs."""
        return ["logits", "cache", "sensor_key_values", *(["sensor_token_mask"] if self.has_token_mask else [])]

    def forward(
        self, sensor_values: torch.Tensor, sensor_mask: torch.Tensor, input_ids: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """Encodes days and reads the first tokens.

        Args:
            sensor_values: `(B, T, C)`.
            sensor_mask: `(B, T, C)`.
            input_ids: `(B, L)`, such as the `bos` token alone.

        Returns:
            Scores `(B, V)` of the next token, the cache, and what the decoder attends to: `(B, M, 2, H, K, d)` and,
                without learned queries, its mask `(B, K)`.
        """
        key_values, token_mask = self.model.encode_for_captions(sensor_values, sensor_mask)
        logits, cache = _read_tokens(self.model, input_ids, key_values, token_mask, _empty_cache(self.model))
        if not self.has_token_mask:
            return logits, cache, key_values
        if token_mask is None:
            token_mask = torch.ones_like(key_values[:, 0, 0, 0, :, 0], dtype=torch.bool)
        return logits, cache, key_values, token_mask

    def example(self, rows: int, seed: int) -> dict[str, torch.Tensor]:
        """Returns random days and tokens."""
        generator = torch.Generator().manual_seed(seed)
        inputs = self._rows_of_days(rows, generator)
        vocabulary = self.model.config.text_config.vocab_size
        ids = torch.randint(0, vocabulary, (rows, _PROMPT_TOKENS), generator=generator)
        return {**inputs, "input_ids": ids}


class CaptionStep(Program):
    """Reads one further token of each caption, with the cache of the earlier ones: a step of generation."""

    file_stem = "caption_step"
    dynamic = {  # noqa: RUF012
        "input_ids": ("rows",),
        "cache": ("rows", "_", "_", "_", "past"),
        "sensor_key_values": ("rows",),
        "sensor_token_mask": ("rows",),
    }

    def output_names(self) -> list[str]:
        """Returns the names of the outputs; an ONNX graph cannot name an output like an input."""
        return ["logits", "next_cache"]

    def forward(
        self,
        input_ids: torch.Tensor,
        cache: torch.Tensor,
        sensor_key_values: torch.Tensor,
        sensor_token_mask: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Reads a token.

        Args:
            input_ids: `(B, 1)`.
            cache: `(B, N, 2, H, P, d)`, from [`CaptionStart`] or the step before.
            sensor_key_values: From [`CaptionStart`].
            sensor_token_mask: From [`CaptionStart`], if it has this output.

        Returns:
            Scores `(B, V)` of the next token, and the cache with the token.
        """
        earlier = _empty_cache(self.model)
        for layer in range(cache.shape[1]):
            earlier.update(cache[:, layer, 0], cache[:, layer, 1], layer)
        return _read_tokens(self.model, input_ids, sensor_key_values, sensor_token_mask, earlier)

    def example(self, rows: int, seed: int) -> dict[str, torch.Tensor]:
        """Returns random tokens, and the cache of random days and tokens."""
        start = CaptionStart(self.model)
        with torch.no_grad():
            outputs = dict(zip(start.output_names(), start(**start.example(rows, seed)), strict=True))
        outputs["input_ids"] = outputs.pop("logits").argmax(dim=-1, keepdim=True)
        return {name: outputs[name] for name in self.dynamic if name in outputs}


def _empty_cache(model: Any) -> DynamicCache:
    """Returns a cache with the layers of a model.

    Raises:
        ValueError: If some of them keep only the last tokens, so that the cache is no single tensor.
    """
    cache = DynamicCache(config=model.config)
    if any(layer.is_sliding for layer in cache.layers):
        raise ValueError(
            "The captioner's language model has layers with a sliding window, whose cache differs in length from that"
            " of the others; it cannot be exported. `export_encoders` exports the encoders."
        )
    return cache


def _read_tokens(
    model: Any,
    input_ids: torch.Tensor,
    key_values: torch.Tensor,
    token_mask: torch.Tensor | None,
    cache: DynamicCache,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the scores of the next token and the filled cache as one tensor."""
    output = model(
        input_ids=input_ids,
        sensor_key_values=key_values,
        sensor_token_mask=token_mask,
        past_key_values=cache,
        use_cache=True,
        return_loss=False,
        logits_to_keep=1,
    )
    filled = torch.stack([torch.stack([layer.keys, layer.values], dim=1) for layer in cache.layers], dim=1)
    return output.logits[:, -1], filled


def programs_of(model: Any, *, captions: bool = True) -> dict[str, Program]:
    """Returns the programs of a model by role: `sensor`, `text`, `caption_start` and `caption_step`.

    Args:
        model: A [`SensorLMModel`] or [`SensorLMForConditionalGeneration`].
        captions: Whether to include those that write captions.
    """
    programs: dict[str, Program] = {"sensor": SensorEncoder(model)}
    if model.config.is_contrastive:
        programs["text"] = TextEncoder(model)
    if captions and model.can_generate():
        programs.update(caption_start=CaptionStart(model), caption_step=CaptionStep(model))
    return programs


def example_inputs(model: Any, side: str, rows: int = 2, seed: int = 0) -> dict[str, torch.Tensor]:
    """Generates random inputs for a program, with gaps or padding.

    Args:
        model: A [`SensorLMModel`] or [`SensorLMForConditionalGeneration`].
        side: `"sensor"`, `"text"`, `"caption_start"` or `"caption_step"`.
        rows: Days or texts, at least 2.
        seed: Seed of the values.

    Raises:
        ValueError: If the model has no such program.
    """
    programs = programs_of(model)
    if side not in programs:
        raise ValueError(f"`side` must be one of {', '.join(programs)} for this model, got {side!r}.")
    return programs[side].example(rows, seed)


__all__ = ["CaptionStart", "CaptionStep", "Program", "SensorEncoder", "TextEncoder", "example_inputs", "programs_of"]
