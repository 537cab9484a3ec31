"""8-bit weights: the models must not depend on the dtype of linear weights."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from model_cases import days, gaps, small_model, texts
from torch import nn

from sensorlm_hf.modeling import OBJECTIVES, load_pretrained

VALUES, MASK = days(), gaps()
IDS, ATTENTION = texts()


class EightBitLinear(nn.Module):
    """A linear layer like those of quantisation libraries: int8 weights with a scale per row."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.scale = nn.Parameter(linear.weight.detach().abs().amax(dim=1, keepdim=True) / 127)
        whole = (linear.weight.detach() / self.scale).round().to(torch.int8)
        self.weight = nn.Parameter(whole, requires_grad=False)
        self.bias = linear.bias

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(states, self.weight * self.scale, self.bias)


def quantised(model: nn.Module) -> nn.Module:
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear):
                setattr(parent, name, EightBitLinear(child))
    return model


def check(model: Any, reference: Any) -> None:
    inputs = [tensor.to(model.device) for tensor in (VALUES, MASK, IDS, ATTENTION)]
    with torch.no_grad():
        output, expected = model(*inputs), reference(VALUES, MASK, IDS, ATTENTION)
    cosine = (output.sensor_embeds.float().cpu() * expected.sensor_embeds).sum(1)
    assert cosine.min() > 0.99
    assert abs(output.loss.item() / expected.loss.item() - 1) < 0.05
    if reference.config.is_generative:
        captions = model.generate(sensor_values=inputs[0], sensor_mask=inputs[1], max_new_tokens=4, min_new_tokens=4)
        assert captions.shape == (4, 5)


@pytest.mark.parametrize("embed_missing", [True, False])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_int8_weights(objective, embed_missing):
    reference = small_model(objective, embed_missing=embed_missing)
    model = quantised(small_model(objective, embed_missing=embed_missing))
    assert sum(parameter.dtype == torch.int8 for parameter in model.parameters()) > 20
    check(model, reference)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_load_in_8bit(objective, tmp_path, caplog):
    pytest.importorskip("bitsandbytes", reason="needs bitsandbytes")
    from transformers import BitsAndBytesConfig

    caplog.set_level(logging.ERROR, "bitsandbytes")  # it logs every cast
    reference = small_model(objective)
    reference.save_pretrained(tmp_path)
    model = load_pretrained(tmp_path, quantization_config=BitsAndBytesConfig(load_in_8bit=True))
    assert any("8bit" in type(module).__name__ for module in model.modules())
    check(model, reference)
