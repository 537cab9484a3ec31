"""peft's own methods on every objective, without the presets of this package."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from peft.utils.hotswap import hotswap_adapter

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "modeling"))
from model_cases import days, gaps, small_model, texts

VALUES, MASK = days(), gaps()
IDS, ATTENTION = texts()
IA3 = {"target_modules": ["k_proj", "v_proj", "fc2"], "feedforward_modules": ["fc2"]}
METHODS = {
    "LoRA": lambda: peft.LoraConfig(target_modules="all-linear", r=2),
    "LoRA, module to save": lambda: peft.LoraConfig(
        target_modules="all-linear", r=2, modules_to_save=["post_layernorm"]
    ),
    "DoRA": lambda: peft.LoraConfig(target_modules="all-linear", r=2, use_dora=True),
    "IA3": lambda: peft.IA3Config(**IA3),
}


def loss_of(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(VALUES, MASK, IDS, ATTENTION).loss


def trained(model: Any, config: Any, seed: int = 0) -> Any:
    """An adapted model after two optimiser steps."""
    torch.manual_seed(seed)
    adapted = peft.get_peft_model(copy.deepcopy(model), config).train()
    optimizer = torch.optim.SGD([p for p in adapted.parameters() if p.requires_grad], lr=0.1)
    for _ in range(2):
        adapted(VALUES, MASK, IDS, ATTENTION).loss.backward()
        assert all(p.grad is not None for p in adapted.parameters() if p.requires_grad)
        optimizer.step()
        optimizer.zero_grad()
    return adapted


@pytest.mark.parametrize("objective", ["siglip", "cap", "coca"])
@pytest.mark.parametrize("method", METHODS)
def test_train_save_load_merge(method, objective, tmp_path):
    model = small_model(objective)
    before = loss_of(model)
    adapted = trained(model, METHODS[method]())
    after = loss_of(adapted)
    assert abs(after - before) > 1e-4
    adapted.save_pretrained(tmp_path)
    loaded = peft.PeftModel.from_pretrained(copy.deepcopy(model), tmp_path)
    torch.testing.assert_close(loss_of(loaded), after)
    merged = adapted.merge_and_unload()
    assert type(merged) is type(model)
    torch.testing.assert_close(loss_of(merged), after, atol=1e-4, rtol=1e-4)
    if model.can_generate():
        captions = loaded.generate(sensor_values=VALUES, sensor_mask=MASK, max_new_tokens=4)
        expected = merged.generate(sensor_values=VALUES, sensor_mask=MASK, max_new_tokens=4)
        assert captions.tolist() == expected.tolist()


def test_several_adapters_and_hot_swap(tmp_path):
    model = small_model("siglip")
    losses = {}
    for seed, name in enumerate(("walk", "sleep")):
        config = peft.LoraConfig(target_modules=["q_proj", "v_proj"], r=2)
        adapted = trained(small_model("siglip"), config, seed)
        losses[name] = loss_of(adapted)
        adapted.save_pretrained(tmp_path / name)
    assert abs(losses["walk"] - losses["sleep"]) > 1e-4
    both = peft.PeftModel.from_pretrained(model, tmp_path / "walk", adapter_name="walk")
    both.load_adapter(tmp_path / "sleep", adapter_name="sleep")
    for name in ("sleep", "walk", "sleep"):
        both.set_adapter(name)
        torch.testing.assert_close(loss_of(both), losses[name])
    with both.disable_adapter():
        torch.testing.assert_close(loss_of(both), loss_of(small_model("siglip")))
    swapped = peft.PeftModel.from_pretrained(small_model("siglip"), tmp_path / "walk")
    hotswap_adapter(swapped, str(tmp_path / "sleep"), adapter_name="default")
    torch.testing.assert_close(loss_of(swapped), losses["sleep"])
