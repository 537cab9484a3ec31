"""Adapters on models with 8- and 4-bit weights (QLoRA), trained, saved, and merged into the model they came from."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BitsAndBytesConfig

from sensorlm_hf.modeling import load_pretrained

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "modeling"))
from model_cases import days, gaps, small_model, texts

peft = pytest.importorskip("peft")
pytest.importorskip("bitsandbytes", reason="needs the extra `bitsandbytes`")

INPUTS = (days(), gaps(), *texts())
# On CPUs with AVX512-BF16, bitsandbytes needs 4-bit layers whose width is a multiple of 64, which patches are not.
QUANTISED = {
    8: BitsAndBytesConfig(load_in_8bit=True),
    4: BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=torch.float32,
        llm_int8_skip_modules=["patch_embedding", "missing_embedding", "lm_head"],
    ),
}
TOLERANCE = {8: 0.02, 4: 0.2}
"""Relative differences of losses from those of float32 weights; the loss of a random model is sensitive."""


def loss_of(model: Any) -> float:
    with torch.no_grad():
        return model.eval()(*INPUTS).loss.item()


@pytest.mark.parametrize("objective", ["siglip", "cap", "coca"])
@pytest.mark.parametrize("bits", QUANTISED)
def test_adapter_on_quantised_model(bits, objective, tmp_path, caplog):
    caplog.set_level(logging.ERROR, "bitsandbytes")  # it logs every cast
    small_model(objective, hidden_size=64, intermediate_size=128).save_pretrained(tmp_path / "model")

    def quantised() -> Any:
        return load_pretrained(tmp_path / "model", quantization_config=QUANTISED[bits])

    model = peft.prepare_model_for_kbit_training(quantised(), use_gradient_checkpointing=False)
    kinds = {type(module).__name__ for module in model.modules()}
    assert {8: "Linear8bitLt", 4: "Linear4bit"}[bits] in kinds
    torch.manual_seed(0)
    adapter = peft.get_peft_model(model, peft.LoraConfig(target_modules="all-linear", r=2)).train()
    optimizer = torch.optim.SGD([p for p in adapter.parameters() if p.requires_grad], lr=0.1)
    losses = []
    for _ in range(3):
        loss = adapter(*INPUTS).loss
        loss.backward()
        assert all(p.grad is not None for p in adapter.parameters() if p.requires_grad)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert min(losses[1:]) < losses[0] - 0.1
    after = loss_of(adapter)
    adapter.save_pretrained(tmp_path / "adapter")
    again = peft.PeftModel.from_pretrained(quantised(), tmp_path / "adapter")
    assert loss_of(again) == pytest.approx(after, rel=1e-5)
    # Merged into the original weights, not into the rounded ones.
    merged = peft.PeftModel.from_pretrained(
        load_pretrained(tmp_path / "model"), tmp_path / "adapter"
    ).merge_and_unload()
    assert type(merged) is type(load_pretrained(tmp_path / "model"))
    assert loss_of(merged) == pytest.approx(after, rel=TOLERANCE[bits])
