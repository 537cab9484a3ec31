from __future__ import annotations

import copy
import re
import sys
from pathlib import Path

import peft
import pytest
import torch
from transformers import AutoModelForMultimodalLM

import sensorlm_hf  # registers the Auto classes
from sensorlm_hf.modeling import SensorLMForSensorClassification
from sensorlm_hf.training import lora_config

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "modeling"))
from model_cases import days, gaps, small_config, small_model, texts

assert sensorlm_hf.__version__

VALUES, MASK = days(), gaps()
IDS, ATTENTION = texts()
PREFIXES = {"sensor": "sensorlm.sensor_model.", "text": "sensorlm.text_model.", "decoder": "decoder."}


def trained(model: torch.nn.Module, **options):
    """An adapted model after one optimiser step."""
    torch.manual_seed(0)
    adapted = peft.get_peft_model(copy.deepcopy(model), lora_config(model, **options)).train()
    optimizer = torch.optim.SGD([p for p in adapted.parameters() if p.requires_grad], lr=0.5)
    for _ in range(2):
        adapted(VALUES, MASK, IDS, ATTENTION).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return adapted.eval()


@pytest.mark.parametrize("parts", [("sensor",), ("text",), ("decoder",), ("sensor", "text", "decoder")])
@pytest.mark.parametrize("layers", ["attention", "all"])
def test_presets_adapt_blocks_of_their_component(parts, layers):
    model = small_model("coca")
    config = lora_config(model, parts, layers=layers, rank=3)
    assert (config.r, config.lora_alpha) == (3, 6)
    adapted = peft.get_peft_model(copy.deepcopy(model), config)
    chosen = {name.split(".lora_A")[0].removeprefix("base_model.model.") for name, _ in adapted.named_parameters()
              if ".lora_A" in name}  # fmt: skip
    maps = 4 if layers == "attention" else 6
    blocks = {"sensor": 2, "text": 2, "decoder": 4}  # two self-attention and two cross-attention blocks
    assert len(chosen) == maps * sum(blocks[part] for part in parts)
    assert all(name.startswith(tuple(PREFIXES[part] for part in parts)) for name in chosen)
    assert not any("head" in name or "pooler" in name for name in chosen)


@pytest.mark.parametrize("parts", [("sensor",), ("text", "decoder")])
def test_save_load_merge(parts, tmp_path):
    small_model("coca").save_pretrained(tmp_path / "model")
    model = AutoModelForMultimodalLM.from_pretrained(tmp_path / "model")
    before = model(VALUES, MASK, IDS, ATTENTION)
    adapted = trained(model, parts=parts)
    after = adapted(VALUES, MASK, IDS, ATTENTION)
    assert (after.logits - before.logits).abs().max() > 1e-3
    assert torch.equal(
        adapted.base_model.model.sensorlm.logit_scale, model.sensorlm.logit_scale
    )  # neither trained nor dropped
    adapted.save_pretrained(tmp_path / "adapter")

    again = peft.PeftModel.from_pretrained(copy.deepcopy(model), tmp_path / "adapter").eval()
    allow = {"import_allowlist": ["sensorlm_hf"]}  # peft imports the class named in the adapter configuration
    auto = peft.AutoPeftModelForFeatureExtraction.from_pretrained(tmp_path / "adapter", **allow).eval().get_base_model()
    loaded = AutoModelForMultimodalLM.from_pretrained(tmp_path / "model")
    loaded.load_adapter(str(tmp_path / "adapter"))
    merged = adapted.merge_and_unload()
    for other in (again, auto, loaded, merged):
        output = other(VALUES, MASK, IDS, ATTENTION)
        torch.testing.assert_close(output.loss, after.loss, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(output.logits, after.logits, atol=1e-4, rtol=1e-4)
    merged.save_pretrained(tmp_path / "merged")
    whole = AutoModelForMultimodalLM.from_pretrained(tmp_path / "merged")
    assert torch.equal(whole(VALUES, MASK, IDS, ATTENTION).loss, merged(VALUES, MASK, IDS, ATTENTION).loss)


def test_add_adapter_and_captions(tmp_path):
    model = small_model("coca")
    expected = model.generate(sensor_values=VALUES, sensor_mask=MASK, max_new_tokens=5)
    model.add_adapter(lora_config(model, ("sensor", "decoder")))
    assert torch.equal(model.generate(sensor_values=VALUES, sensor_mask=MASK, max_new_tokens=5), expected)
    model.save_pretrained(tmp_path)
    assert (tmp_path / "adapter_model.safetensors").stat().st_size < 100_000


@pytest.mark.parametrize("kind", ["bert", "gpt2", "gemma3"])
def test_pretrained_language_models(kind, tmp_path):
    from test_text_backbone_sensorlm import DECODERS, combined

    objective = "coca" if kind in DECODERS else "clip"
    model = combined(kind, objective)
    parts = ("text", "decoder") if kind in DECODERS else ("text",)
    prefix = "sensorlm." if kind in DECODERS else ""
    adapted = trained(model, parts=parts, modules_to_save=[f"{prefix}sensor_model", f"{prefix}text_model.head"])
    learned = {re.sub(r"^base_model\.model\.", "", name) for name, p in adapted.named_parameters() if p.requires_grad}
    assert any(name.startswith(f"{prefix}text_model.language_model.") and "lora_A" in name for name in learned)
    assert any(name.startswith(f"{prefix}sensor_model.modules_to_save.") for name in learned)
    assert not any("base_layer" in name for name in learned)
    after = adapted(VALUES, MASK, IDS, ATTENTION).loss
    adapted.save_pretrained(tmp_path)
    again = peft.PeftModel.from_pretrained(copy.deepcopy(model), tmp_path).eval()
    torch.testing.assert_close(again(VALUES, MASK, IDS, ATTENTION).loss, after)
    torch.testing.assert_close(
        adapted.merge_and_unload()(VALUES, MASK, IDS, ATTENTION).loss, after, atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("pooling", ["linear", "attentive"])
def test_classifier_adapters_include_head(pooling, tmp_path):
    config = small_config("siglip", classifier_pooling=pooling)
    config.num_labels = 3
    torch.manual_seed(0)
    model = SensorLMForSensorClassification(config)
    adapted = peft.get_peft_model(copy.deepcopy(model), lora_config(model)).train()
    optimizer = torch.optim.AdamW([p for p in adapted.parameters() if p.requires_grad], lr=1e-2)
    losses = []
    for _ in range(30):
        loss = adapted(VALUES, MASK, torch.tensor([0, 1, 2, 0])).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
    adapted.eval().save_pretrained(tmp_path)
    again = peft.PeftModel.from_pretrained(copy.deepcopy(model), tmp_path).eval()
    torch.testing.assert_close(again(VALUES, MASK).logits, adapted(VALUES, MASK).logits)


def test_adapters_in_frozen_tower_are_trained():
    config = small_config("siglip")
    config.num_labels = 3
    torch.manual_seed(0)
    model = SensorLMForSensorClassification(config)
    model.freeze_base_model()
    adapted = peft.get_peft_model(model, lora_config(model)).train()
    adapted(VALUES, MASK, torch.tensor([0, 1, 2, 0])).loss.backward()
    grads = {name: p.grad for name, p in adapted.named_parameters() if "sensor_model" in name}
    assert {name for name, grad in grads.items() if grad is not None} == {name for name in grads if ".lora_" in name}
    assert all(grad.abs().max() > 0 for name, grad in grads.items() if ".lora_B" in name)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: lora_config(small_model("coca"), ("ears",)), ["sensor, text, decoder", "'ears'"]),
        (lambda: lora_config(small_model("coca"), ()), ["parts"]),
        (lambda: lora_config(small_model("clip"), "decoder"), ["no part 'decoder'"]),
        (lambda: lora_config(small_model("clip"), layers="some"), ["attention, all", "'some'"]),
        (lambda: lora_config(small_model("clip"), modules_to_save=["logit_scale"]), ["bare parameter", "logit_scale"]),
        (lambda: lora_config(small_model("clip"), modules_to_save=["nose"]), ["'nose'", "no module"]),
    ],
)
def test_invalid_arguments_raise(call, words):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the message is checked below
        call()
    for word in words:
        assert word in str(error.value)
