"""How much work a step is, and how much a device could do."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode


class ForwardFlops:
    """Floating-point operations of a forward pass, for a day with a caption of a given length.

    They are counted by torch on a model without storage (the meta device), at three lengths, and follow a parabola in
    between: attention grows with the square of the length, everything else in proportion.

    Args:
        model: A [`SensorLMModel`] or [`SensorLMForConditionalGeneration`]; only its configuration is used.
    """

    def __init__(self, model: Any) -> None:
        self._kind, self._config = type(model), model.config
        self._parabola: Any = None

    def __call__(self, text_tokens: int) -> float:
        """Returns the operations of one day with a caption of `text_tokens` tokens."""
        if self._parabola is None:
            self._parabola = self._fit()
        a, b, c = self._parabola
        return a + b * text_tokens + c * text_tokens**2

    def _fit(self) -> tuple[float, float, float]:
        with torch.device("meta"):
            model = self._kind(self._config).requires_grad_(False)
        longest = self._config.text_config.max_position_embeddings
        x1, x2, x3 = sorted({1, max(2, longest // 2), max(3, longest)})
        y1, y2, y3 = (self._count(model, min(x, longest)) for x in (x1, x2, x3))
        c = ((y3 - y1) / (x3 - x1) - (y2 - y1) / (x2 - x1)) / (x3 - x2)
        b = (y2 - y1) / (x2 - x1) - c * (x1 + x2)
        return y1 - b * x1 - c * x1**2, b, c

    def _count(self, model: Any, length: int) -> float:
        sensor = self._config.sensor_config
        values = torch.zeros(1, sensor.window_minutes, sensor.num_channels, device="meta")
        ids = torch.zeros(1, length, dtype=torch.long, device="meta")
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model.eval()(sensor_values=values, input_ids=ids, return_loss=False)
        return float(counter.get_total_flops())


@cache
def matmul_rate(device: torch.device, dtype: torch.dtype, clock: Callable[[], float] = time.perf_counter) -> float:
    """Measures the operations per second of a large matrix product on a device: what a model could reach at best.

    Args:
        device: The device.
        dtype: Type of the factors.
        clock: Tells seconds.

    Returns:
        Operations per second, the best of five products.
    """
    size = 8192 if device.type == "cuda" else 1024
    # A generator of its own: a resumed run measures at another step, and must not draw other numbers for it.
    generator = torch.Generator(device).manual_seed(0)
    left, right = (torch.randn(size, size, device=device, generator=generator).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(5):
        _wait(device)
        began = clock()
        left @ right
        _wait(device)
        best = min(best, clock() - began)
    return 2 * size**3 / best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
