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

from sensorlm_hf.modeling import load_pretrained

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


OTHER_METHODS = {
    "rsLoRA": lambda: peft.LoraConfig(target_modules="all-linear", r=2, use_rslora=True),
    "LoRA from singular values": lambda: peft.LoraConfig(target_modules="all-linear", r=2, init_lora_weights="pissa"),
    "LoRA, embeddings": lambda: peft.LoraConfig(target_modules=["token_embedding", "q_proj"], r=2),
    "LoRA, some tokens": lambda: peft.LoraConfig(target_modules=["q_proj"], r=2, trainable_token_indices=[5, 6]),
    "LoRA, bare parameters": lambda: peft.LoraConfig(target_modules=["q_proj"], r=2, target_parameters=["probe"]),
    "LoHa": lambda: peft.LoHaConfig(target_modules=["q_proj", "fc1"], r=2),
    "LoKr": lambda: peft.LoKrConfig(target_modules=["q_proj", "fc1"], r=2),
    "OFT": lambda: peft.OFTConfig(target_modules=["q_proj", "fc1"], oft_block_size=4, r=0),
    "VeRA": lambda: peft.VeraConfig(target_modules=["q_proj", "v_proj"], r=4),
    "layer norms": lambda: peft.LNTuningConfig(target_modules=["layer_norm1", "layer_norm2"]),
}


def loss_of(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(VALUES, MASK, IDS, ATTENTION).loss


def trained(model: Any, config: Any, seed: int = 0, searched: bool = True) -> Any:
    """An adapted model after two optimiser steps, in which every trained parameter got a gradient, if `searched`."""
    torch.manual_seed(seed)
    adapted = peft.get_peft_model(copy.deepcopy(model), config).train()
    optimizer = torch.optim.SGD([p for p in adapted.parameters() if p.requires_grad], lr=0.1)
    for _ in range(2):
        adapted(sensor_values=VALUES, sensor_mask=MASK, input_ids=IDS, attention_mask=ATTENTION).loss.backward()
        if searched:
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


@pytest.mark.parametrize("method", OTHER_METHODS)
def test_other_methods(method, tmp_path):
    model = small_model("coca")
    # PEFT also asks for gradients of a token table that an adapter of single tokens replaces.
    adapted = trained(model, OTHER_METHODS[method](), searched=method != "LoRA, some tokens")
    after = loss_of(adapted)
    assert abs(after - loss_of(model)) > 1e-4
    adapted.save_pretrained(tmp_path)
    torch.testing.assert_close(loss_of(peft.PeftModel.from_pretrained(copy.deepcopy(model), tmp_path)), after)
    torch.testing.assert_close(loss_of(adapted.merge_and_unload()), after, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("objective", ["clip", "coca"])
def test_task_type_feature_extraction(objective, tmp_path):
    """`PeftModelForFeatureExtraction` passes on keyword arguments; other task types are for language models."""
    small_model(objective).save_pretrained(tmp_path / "model")
    model = load_pretrained(tmp_path / "model")
    config = peft.LoraConfig(task_type="FEATURE_EXTRACTION", target_modules="all-linear", r=2)
    adapted = trained(model, config)
    inputs = {"sensor_values": VALUES, "sensor_mask": MASK, "input_ids": IDS, "attention_mask": ATTENTION}
    with torch.no_grad():
        after = adapted.eval()(**inputs).loss
    adapted.save_pretrained(tmp_path / "adapter")
    if objective == "clip":  # `AutoModel`, which peft calls for this task, has no decoder
        auto = peft.AutoPeftModelForFeatureExtraction.from_pretrained(tmp_path / "adapter")
        with torch.no_grad():
            torch.testing.assert_close(auto.eval()(**inputs).loss, after)


def saved_adapters(folder):
    """Two adapters of one model, and the losses with them."""
    losses = {}
    for seed, name in enumerate(("walk", "sleep")):
        adapted = trained(small_model("coca"), peft.LoraConfig(target_modules=["q_proj", "v_proj"], r=2), seed)
        losses[name] = loss_of(adapted)
        adapted.save_pretrained(folder / name)
    return losses


def test_adapters_of_transformers(tmp_path):
    """The methods that transformers' models have themselves."""
    losses = saved_adapters(tmp_path)
    model = small_model("coca")
    plain = loss_of(model)
    for name in losses:
        model.load_adapter(str(tmp_path / name), adapter_name=name)
    for name in (*losses, *losses):
        model.set_adapter(name)
        assert model.active_adapters() == [name]
        torch.testing.assert_close(loss_of(model), losses[name])
    model.disable_adapters()
    torch.testing.assert_close(loss_of(model), plain)
    model.enable_adapters()
    model.delete_adapter("sleep")
    model.set_adapter("walk")
    torch.testing.assert_close(loss_of(model), losses["walk"])


def test_mixed_batches_and_weighted_adapters(tmp_path):
    losses = saved_adapters(tmp_path)
    model = peft.PeftModel.from_pretrained(small_model("coca"), tmp_path / "walk", adapter_name="walk").eval()
    model.load_adapter(tmp_path / "sleep", adapter_name="sleep")
    embeds = {}
    with torch.no_grad():
        for name in losses:
            model.set_adapter(name)
            embeds[name] = model(VALUES, MASK, IDS, ATTENTION).sensor_embeds
        rows = ["walk", "sleep", "walk", "sleep"]
        mixed = model(VALUES, MASK, IDS, ATTENTION, adapter_names=rows).sensor_embeds
    expected = torch.stack([embeds[name][row] for row, name in enumerate(rows)])
    torch.testing.assert_close(mixed, expected)
    model.add_weighted_adapter(["walk", "sleep"], [1.0, 0.0], adapter_name="only walk", combination_type="cat")
    model.set_adapter("only walk")
    torch.testing.assert_close(loss_of(model), losses["walk"])
