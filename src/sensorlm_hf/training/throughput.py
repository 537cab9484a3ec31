"""FLOPs of a forward pass, and the peak rate of a device."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode


class ForwardFlops:
    """FLOPs of a forward pass for one day with a caption of a given length.

    They are counted on the meta device for three caption lengths and interpolated by the parabola through these points:
    attention grows quadratically with the length, everything else linearly.

    Args:
        model: A [`SensorLMModel`] or [`SensorLMForConditionalGeneration`]; only its class and configuration are used.
    """

    def __init__(self, model: Any) -> None:
        self._model_class, self._config = type(model), model.config
        self._coefficients: Any = None

    def __call__(self, text_tokens: int) -> float:
        """Returns the FLOPs for one day with a caption of `text_tokens` tokens."""
        if self._coefficients is None:
            self._coefficients = self._fit()
        a, b, c = self._coefficients
        return a + b * text_tokens + c * text_tokens**2

    def _fit(self) -> tuple[float, float, float]:
        with torch.device("meta"):
            model = self._model_class(self._config).requires_grad_(False)
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
    """Measures the FLOP/s of a large matrix product, an upper bound of what a model can reach on a device.

    Args:
        device: The device.
        dtype: Type of the matrices.
        clock: Returns the time in seconds.

    Returns:
        FLOP/s, the best of five measurements.
    """
    size = 8192 if device.type == "cuda" else 1024
    # A separate generator: a resumed run measures at a different step, which must not change its random numbers.
    generator = torch.Generator(device).manual_seed(0)
    left, right = (torch.randn(size, size, device=device, generator=generator).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(5):
        _synchronize(device)
        start = clock()
        left @ right
        _synchronize(device)
        best = min(best, clock() - start)
    return 2 * size**3 / best


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
