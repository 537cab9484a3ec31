"""The learning-rate schedule and the parameter groups of the SensorLM release."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch


class RsqrtSchedule:
    """Reciprocal square root schedule with linear warm-up and linear cool-down to 0.

    The factor at step `s` of `N` (the first step is 0) is

        min(1, (s + 1) / warmup) * sqrt(timescale / max(timescale, s + 1)) * min(1, (N - s) / cooldown)

    It is constant until `timescale`, then decays as 1/sqrt(s). The SensorLM release uses a timescale of 10,000, 20 %
    warm-up and 20 % cool-down.

    Args:
        total_steps: Number of optimizer steps `N`.
        warmup_steps: Length of the warm-up.
        cooldown_steps: Length of the cool-down.
        timescale: Step at which the decay begins.
    """

    def __init__(self, total_steps: int, warmup_steps: int, cooldown_steps: int, timescale: float = 10_000) -> None:
        if total_steps < 1 or min(warmup_steps, cooldown_steps) < 0 or timescale <= 0:
            raise ValueError(
                "A schedule needs at least one step, no negative warm-up or cool-down and a positive timescale, got"
                f" total_steps={total_steps}, warmup_steps={warmup_steps}, cooldown_steps={cooldown_steps},"
                f" timescale={timescale}."
            )
        self.total_steps = total_steps
        self.warmup_steps = warmup_steps
        self.cooldown_steps = cooldown_steps
        self.timescale = timescale

    def __call__(self, step: int) -> float:
        """Returns the factor on the peak learning rate at a step, in [0, 1]."""
        warmup = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        decay = math.sqrt(self.timescale / max(self.timescale, step + 1))
        cooldown = min(1.0, max(0, self.total_steps - step) / self.cooldown_steps) if self.cooldown_steps else 1.0
        return warmup * decay * cooldown


def parameter_groups(
    named_parameters: Iterable[tuple[str, torch.nn.Parameter]],
    weight_decay: float,
    rates: Mapping[str, float] | None = None,
) -> list[dict[str, Any]]:
    """Splits trainable parameters into groups with and without weight decay, as in the SensorLM release.

    Only weight matrices decay. Biases, norms, the learned temperature and bias do not; neither do learned positions,
    queries and embeddings, which are tables of vectors.

    Args:
        named_parameters: `model.named_parameters()`.
        weight_decay: Decoupled weight decay of matrices.
        rates: Learning rates that differ, by a part of the parameters' names.

    Returns:
        Parameter groups for a torch optimizer: with weight decay, then without, and the same for each of `rates`;
        empty groups are omitted.
    """
    rates = rates or {}
    groups: dict[tuple[str | None, bool], list[torch.nn.Parameter]] = {
        (part, decays): [] for part in (None, *rates) for decays in (True, False)
    }
    for name, parameter in named_parameters:
        if parameter.requires_grad:
            is_matrix = parameter.ndim >= 2 and not any(word in name for word in _TABLES)
            part = next((part for part in rates if part in name), None)
            groups[part, is_matrix].append(parameter)
    return [
        {
            "params": parameters,
            "weight_decay": weight_decay if decays else 0.0,
            **({} if part is None else {"lr": rates[part]}),
        }
        for (part, decays), parameters in groups.items()
        if parameters
    ]


_TABLES = ("position_embedding", "token_embedding", "word_embeddings", "cls_emb", "probe", "query", "statistics.bias")
