"""Sliding windows over a day, for label scores over time.

This file is uploaded with models as remote code.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

TIMELINE_STEP = 10
"""Minutes between windows: the length of a patch of the default model."""

TIMELINE_WINDOW = 60
"""Default window width in minutes: long enough for a bout of most activities."""

WINDOWS_AT_ONCE = 48
"""Windows per forward pass, which bounds the memory of a timeline."""


def check_window(width: Any) -> int:
    """Validates the width of a window in minutes.

    Raises:
        ValueError: If it is not an integer of at least [`TIMELINE_STEP`] minutes.
    """
    if isinstance(width, bool) or not isinstance(width, int) or width < TIMELINE_STEP:
        raise ValueError(f"`timeline_window` must be an integer of at least {TIMELINE_STEP} minutes, got {width!r}.")
    return width


def window_spans(minutes: int, width: int) -> list[tuple[int, int]]:
    """Returns the first and last (exclusive) minute of the window of each step.

    A step is [`TIMELINE_STEP`] minutes long (the last one may be shorter); its window is centred on it and clipped to
    the day.
    """
    spans = []
    for start in range(0, minutes, TIMELINE_STEP):
        middle = start + TIMELINE_STEP / 2
        first = max(0, round(middle - width / 2))
        spans.append((first, max(first + 1, min(minutes, round(middle + width / 2)))))
    return spans


def masked_windows(
    model_inputs: dict[str, torch.Tensor], width: int
) -> Iterator[tuple[torch.Tensor, dict[str, torch.Tensor]]]:
    """Yields batches of windows of one day in which everything else is masked.

    The model ignores masked values, so a window is the day with a different mask.

    Args:
        model_inputs: `sensor_values` and `sensor_mask` of one day, `(1, minutes, channels)`.
        width: Window width in minutes.

    Yields:
        `(B,)` indices of the steps, and their inputs. Steps whose window has no observed values are skipped.
    """
    values, mask = model_inputs["sensor_values"], model_inputs["sensor_mask"].bool()
    spans = torch.tensor(window_spans(values.shape[1], width), device=values.device)
    minute = torch.arange(values.shape[1], device=values.device)
    shown = (minute >= spans[:, :1]) & (minute < spans[:, 1:])
    steps = torch.nonzero((shown[:, :, None] & mask).flatten(1).any(dim=1)).flatten()
    for some in steps.split(WINDOWS_AT_ONCE):
        yield (
            some,
            {
                "sensor_values": values.expand(len(some), -1, -1),
                "sensor_mask": shown[some][:, :, None] & mask,
            },
        )
