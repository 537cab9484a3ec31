"""The language model baseline, which reads the day as text."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
import torch
from llm_baseline import (
    day_as_text,
    evaluate_llm,
    fine_tune_llm,
    label_likelihoods,
    prompt_of,
)
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, TrainingArguments

from sensorlm_hf import SensorDay
from sensorlm_hf.evaluation.tasks import ProbeTask
from sensorlm_hf.processing import train_tokenizer
from sensorlm_hf.schema import get_schema

SCHEMA = get_schema("sensorlm-26")
TASK = ProbeTask("pulse", "How fast the heart beat.", "pulse", ("a slow day", "fast"), {"slow": 0, "fast": 1})
OPTIONS = {"channels": ["HR"], "minutes": 360, "decimals": 0}


def make_day(person: int, fast: bool) -> SensorDay:
    values = np.full((1440, 26), np.nan, np.float32)
    values[:720, 0] = (120 if fast else 60) + person % 3
    values[:, SCHEMA.index("steps")] = 5
    start = datetime(2024, 3, 1, 6, tzinfo=timezone.utc)
    return SensorDay(values, start, f"p{person}", SCHEMA, labels={"pulse": "fast" if fast else "slow"})


DAYS = [make_day(i, bool(i % 2)) for i in range(12)]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([prompt_of(day, TASK.class_names, **OPTIONS) for day in DAYS] * 3, vocab_size=300)


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def model(request, tokenizer):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if request.param == "gpt2":
        config = GPT2Config(
            vocab_size=len(tokenizer), n_positions=256, n_embd=32, n_layer=2, n_head=2, resid_pdrop=0, embd_pdrop=0,
            attn_pdrop=0,
        )  # fmt: skip
        return GPT2LMHeadModel(config).eval()
    config = LlamaConfig(
        vocab_size=len(tokenizer), max_position_embeddings=256, hidden_size=32, intermediate_size=64,
        num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def test_day_as_text() -> None:
    assert day_as_text(DAYS[1], channels=["HR", "steps"], minutes=480, decimals=1).splitlines() == [
        "time, heart rate (bpm), steps (steps/min)",
        "06:00, 121.0, 5.0",
        "14:00, 121.0, 5.0",
        "22:00, -, 5.0",
    ]
    assert len(day_as_text(DAYS[0]).splitlines()) == 25
    assert "skin" not in day_as_text(DAYS[0])  # without observations there is no text
    with pytest.raises(ValueError, match="Unknown channels pulse"):
        day_as_text(DAYS[0], channels=["pulse"])
    with pytest.raises(ValueError, match="minutes"):
        day_as_text(DAYS[0], minutes=0)


def test_likelihoods_match_full_text(model, tokenizer) -> None:
    prompts = [prompt_of(day, TASK.class_names, **OPTIONS) for day in DAYS[:2]]
    found = label_likelihoods(model, tokenizer, prompts, TASK.class_names)
    for row, prompt in enumerate(prompts):
        start = tokenizer(prompt, return_tensors="pt")["input_ids"]
        for column, label in enumerate(TASK.class_names):
            answer = tokenizer(f" {label}", add_special_tokens=False, return_tensors="pt")["input_ids"]
            with torch.no_grad():
                logits = model(torch.cat([start, answer], dim=1)).logits[0, start.shape[1] - 1 : -1]
            expected = logits.log_softmax(-1).gather(1, answer[0][:, None]).mean()
            assert found[row, column] == pytest.approx(float(expected), abs=1e-4)


def test_prompted_scores_and_prompt_template(model, tokenizer) -> None:
    result = evaluate_llm(model, tokenizer, DAYS, TASK, **OPTIONS)
    assert result["days"] == 12
    assert 0 <= result["auroc"] <= 1
    assert result["classes"] == ["a slow day", "fast"]
    with pytest.raises(ValueError, match="labels have"):
        evaluate_llm(model, tokenizer, DAYS, TASK, channels=["HR", "steps"], minutes=20)
    unlabelled = ProbeTask("x", "", "x", ("a", "b"), {})
    with pytest.raises(ValueError, match="None of the 12 days"):
        evaluate_llm(model, tokenizer, DAYS, unlabelled)


def test_fine_tuning_learns_without_modifying_model(model, tokenizer, tmp_path: Path) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    arguments = TrainingArguments(
        output_dir=str(tmp_path), max_steps=40, per_device_train_batch_size=12, learning_rate=2e-2, report_to="none",
        save_strategy="no", use_cpu=True, disable_tqdm=True, seed=0,
    )  # fmt: skip
    tuned = fine_tune_llm(model, tokenizer, DAYS, TASK, arguments, **OPTIONS)
    new = [make_day(i, bool(i % 2)) for i in range(20, 28)]
    assert evaluate_llm(tuned, tokenizer, new, TASK, calibrate=False, **OPTIONS)["auroc"] == 1
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
