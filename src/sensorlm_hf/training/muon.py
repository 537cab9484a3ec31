"""Muon for the matrices inside the towers and AdamW for all other parameters, as one optimizer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from .schedule import parameter_groups

_NOT_HIDDEN = ("embedding", "lm_head", "classifier", "language_model", "statistics")
"""Input and output layers; Muon is meant for hidden matrices."""


def check_torch() -> None:
    """Checks that torch provides Muon.

    Raises:
        ValueError: If torch is older than 2.9.
    """
    if not hasattr(torch.optim, "Muon"):
        raise ValueError(
            f"`muon_learning_rate` needs torch 2.9 or newer, this is {torch.__version__}. Upgrade torch, or leave it"
            " unset."
        )


class MuonWithAdamW(torch.optim.Optimizer):
    """Combines Muon and AdamW behind the interface of a single optimizer.

    Muon (Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024) orthogonalizes the update of a
    matrix, so that directions with small gradients are learned as fast as those with large ones. It is used for hidden
    matrices; embeddings, heads, norms and biases are trained by AdamW. Learning rates of Muon are on AdamW's scale
    (`adjust_lr_fn="match_rms_adamw"`, Liu et al., "Muon is scalable for LLM training", 2025).

    Args:
        named_parameters: `model.named_parameters()`.
        learning_rate: Peak learning rate of AdamW.
        muon_learning_rate: Peak learning rate of Muon.
        weight_decay: Decoupled weight decay of matrices, for both.
        betas: Decay rates of AdamW's moments.
        eps: Epsilon of AdamW.
        rates: Learning rates of AdamW that differ; see [`parameter_groups`].

    Raises:
        ValueError: If a learning rate is not above 0, there is no matrix for Muon, or torch is older than 2.9.
    """

    def __init__(
        self,
        named_parameters: Iterable[tuple[str, torch.nn.Parameter]],
        *,
        learning_rate: float,
        muon_learning_rate: float,
        weight_decay: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        rates: Mapping[str, float] | None = None,
    ) -> None:
        for name, rate in (("learning_rate", learning_rate), ("muon_learning_rate", muon_learning_rate)):
            if rate <= 0:
                raise ValueError(f"`{name}` must be above 0, got {rate}.")
        check_torch()
        named = [(name, parameter) for name, parameter in named_parameters if parameter.requires_grad]
        hidden = [(name, parameter) for name, parameter in named if _is_hidden(name, parameter)]
        if not hidden:
            raise ValueError("There is no hidden matrix to train with Muon; leave `muon_learning_rate` unset.")
        hidden_ids = {id(parameter) for _, parameter in hidden}
        others = [(name, parameter) for name, parameter in named if id(parameter) not in hidden_ids]
        self._muon = torch.optim.Muon(
            [parameter for _, parameter in hidden],
            lr=muon_learning_rate,
            weight_decay=weight_decay,
            adjust_lr_fn="match_rms_adamw",
        )
        self._adamw: torch.optim.AdamW | None = None
        if others:
            groups = parameter_groups(others, weight_decay, rates)
            self._adamw = torch.optim.AdamW(groups, lr=learning_rate, betas=betas, eps=eps)
        super().__init__([group for optimizer in self._optimizers for group in optimizer.param_groups], {})
        self._share_state()

    @property
    def _optimizers(self) -> list[torch.optim.Optimizer]:
        # AdamW's groups come first: trainers log the learning rate of the first group.
        return [*([] if self._adamw is None else [self._adamw]), self._muon]

    def _share_state(self) -> None:
        """Shares the parameter groups and the state of this optimizer with both."""
        start = 0
        for optimizer in self._optimizers:
            end = start + len(optimizer.param_groups)
            optimizer.param_groups, optimizer.state = self.param_groups[start:end], self.state
            start = end

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Loads the result of `state_dict`."""
        super().load_state_dict(state_dict)
        self._share_state()

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Performs a step of both optimizers."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for optimizer in self._optimizers:
            optimizer.step()
        return loss


def _is_hidden(name: str, parameter: torch.nn.Parameter) -> bool:
    grouped = parameter_groups([(name, parameter)], 1.0)  # excludes tables of vectors, which are 2-dimensional too
    return parameter.ndim == 2 and grouped[0]["weight_decay"] > 0 and not any(word in name for word in _NOT_HIDDEN)


__all__ = ["MuonWithAdamW", "check_torch"]
