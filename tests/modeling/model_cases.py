"""Small models and inputs for the modeling tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from sensorlm_hf.modeling import SensorLMConfig, SensorLMForConditionalGeneration, pretraining_class

MINUTES, CHANNELS, VOCAB, POSITIONS = 120, 6, 41, 20


def small_config(objective: str, **overrides: Any) -> SensorLMConfig:
    """A configuration with 12 x 3 patches, width 32 and two layers everywhere."""
    values: dict[str, Any] = {
        "window_minutes": MINUTES,
        "num_channels": CHANNELS,
        "patch_channels": 2,
        "vocab_size": VOCAB,
        "max_position_embeddings": POSITIONS,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_attention_heads": 2,
        "num_caption_queries": 5,
        "sensor_config": {"num_hidden_layers": 2},
        "text_config": {"num_hidden_layers": 2},
        "num_decoder_layers": 2,
    }
    return SensorLMConfig.from_size(objective, "tiny", **{**values, **overrides})


def shake(model: torch.nn.Module, seed: int = 0, scale: float = 0.1) -> None:
    """Perturbs every parameter, so that none is left at an initial value without effect."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += scale * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)


def small_model(objective: str, seed: int = 0, **overrides: Any) -> Any:
    """A small model in evaluation mode with perturbed weights."""
    torch.manual_seed(seed)
    config = small_config(objective, **overrides)
    model = pretraining_class(config)(config)
    shake(model, seed)
    return model.eval()


def gpt2_captioner(objective: str, seed: int = 0, **overrides: Any) -> SensorLMForConditionalGeneration:
    """A captioner in evaluation mode made of a GPT-2 with four layers, with perturbed weights.

    Without them its cross-attention would have no effect.
    """
    torch.manual_seed(seed)
    size = {"vocab_size": VOCAB, "n_positions": POSITIONS, "n_embd": 32, "n_layer": 4, "n_head": 2}
    language_model = GPT2LMHeadModel(GPT2Config(**size, pad_token_id=0, bos_token_id=1, eos_token_id=2))
    model = SensorLMForConditionalGeneration.from_sensor_text_pretrained(
        small_config(objective).sensor_config,
        language_model,
        objective=objective,
        freeze_text=False,
        num_caption_queries=5,
        **overrides,
    )
    shake(model, seed)
    return model.eval()


def days(rows: int = 4, seed: int = 1, minutes: int = MINUTES, channels: int = CHANNELS) -> torch.Tensor:
    """Normalised sensor values."""
    return torch.randn(rows, minutes, channels, generator=torch.Generator().manual_seed(seed))


def gaps(rows: int = 4, seed: int = 2, minutes: int = MINUTES, channels: int = CHANNELS) -> torch.Tensor:
    """A mask with missing intervals, channels and single values; row 0 is fully observed."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.ones(rows, minutes, channels, dtype=torch.bool)
    for row in range(1, rows):
        start = int(torch.randint(0, minutes // 2, (), generator=generator))
        mask[row, start : start + minutes // 4] = False
        mask[row, :, row % channels] = False
    mask[1:] &= torch.rand(rows - 1, minutes, channels, generator=generator) > 0.1
    return mask


def texts(lengths: tuple[int, ...] = (9, 6, 9, 3), seed: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids `<bos> ... <eos>` padded on the right, and their mask."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, VOCAB, (len(lengths), max(lengths)), generator=generator)
    mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    ids[:, 0] = 1
    for row, length in enumerate(lengths):
        ids[row, length - 1] = 2
    return ids.masked_fill(~mask, 0), mask.long()


def to_left(ids: torch.Tensor, mask: torch.Tensor, extra: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Moves padding from the right to the left and adds `extra` columns of padding."""
    width = ids.shape[1] + extra
    moved, moved_mask = torch.zeros(len(ids), width, dtype=ids.dtype), torch.zeros(len(ids), width, dtype=mask.dtype)
    for row, length in enumerate(mask.sum(dim=1).tolist()):
        moved[row, width - length :] = ids[row, :length]
        moved_mask[row, width - length :] = 1
    return moved, moved_mask


def in_steps(
    model: Any, ids: torch.Tensor, attention: torch.Tensor, ends: Iterable[int], **inputs: Any
) -> Iterator[tuple[slice, Any]]:
    """Reads texts from left to right up to each of the ends, with one cache; yields `(tokens read, output)`."""
    start = 0
    for end in ends:
        step = slice(start, end)
        yield step, model(input_ids=ids[:, step], attention_mask=attention[:, :end], **inputs)
        start = end
