"""Sensor tower baselines trained without captions."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
import torch
from tower_baselines import METHODS, MaskedAutoencoder, SimCLR, evaluate_tower, nt_xent
from transformers import TrainingArguments

from sensorlm_hf import SensorDay
from sensorlm_hf.evaluation.tasks import ProbeTask
from sensorlm_hf.modeling import SensorLMConfig
from sensorlm_hf.processing import SensorLMFeatureExtractor

EXTRACTOR = SensorLMFeatureExtractor()
TASK = ProbeTask("half", "When the heart beat fast.", "half", ("morning", "evening"), {"morning": 0, "evening": 1})


def config() -> SensorLMConfig:
    return SensorLMConfig.from_size(
        "clip",
        "tiny",
        hidden_size=24,
        intermediate_size=48,
        num_attention_heads=2,
        sensor_config={"num_hidden_layers": 2},
        patch_minutes=120,
        patch_channels=13,
        channel_keys=list(EXTRACTOR.channel_keys),
    )


def make_days(people: range) -> list[SensorDay]:
    """Days with a high heart rate either in the morning or in the evening."""
    days = []
    for person in people:
        rng = np.random.default_rng(person)
        half = person % 2
        values = np.tile(np.array(EXTRACTOR.channel_means, np.float32), (1440, 1))
        values[:, 0] = 60 + 60 * ((np.arange(1440) >= 720) == half) + rng.normal(size=1440)
        start = datetime(2024, 3, 1, tzinfo=timezone.utc)
        days.append(SensorDay(values, start, f"p{person}", labels={"half": TASK.class_names[half]}))
    return days


def arguments(folder: Path, steps: int) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=16,
        learning_rate=3e-3,
        report_to="none",
        save_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
        seed=0,
    )


def test_contrastive_loss_matches_loop() -> None:
    torch.manual_seed(0)
    first, second = torch.randn(5, 8), torch.randn(5, 8)
    views = torch.nn.functional.normalize(torch.cat([first, second]), dim=1).double()
    total = 0.0
    for i in range(10):
        partner = (i + 5) % 10
        others = [torch.exp(views[i] @ views[j] / 0.3) for j in range(10) if j != i]
        total -= float(torch.log(torch.exp(views[i] @ views[partner] / 0.3) / sum(others)))
    assert float(nt_xent(first, second, 0.3)) == pytest.approx(total / 10, rel=1e-5)


def test_identical_views_of_different_days_have_small_loss() -> None:
    x = torch.eye(6)
    assert nt_xent(x, x) < 0.01 < nt_xent(x, x.roll(1, 0))


def test_views_mask_part_of_the_day_but_are_never_empty() -> None:
    torch.manual_seed(0)
    module = SimCLR(config(), drop=0.5)
    mask = torch.rand(8, 1440, 26) < 0.7
    mask[0] = False
    mask[0, 5, 3] = True
    values, kept = module.view(torch.randn(8, 1440, 26), mask)
    assert not (kept & ~mask).any()
    assert kept.flatten(1).any(dim=1).all()
    assert kept[1:].float().mean() < 0.5 * mask[1:].float().mean()
    assert torch.isfinite(values).all()


def test_autoencoder_loss_uses_only_masked_observed_values() -> None:
    torch.manual_seed(0)
    module = MaskedAutoencoder(config(), hidden=0.999999)
    mask = torch.ones(2, 1440, 26, dtype=torch.bool)
    mask[:, 240:] = False
    values = torch.randn(2, 1440, 26)
    torch.manual_seed(1)
    loss = module(values, mask)["loss"]
    changed = values.clone()
    changed[:, 240:] += 100  # unobserved: must not affect the loss
    torch.manual_seed(1)
    assert torch.equal(module(changed, mask)["loss"], loss)
    with torch.no_grad():
        module.readout.weight.zero_()
        module.readout.bias.zero_()
    assert float(module(values, mask)["loss"]) == pytest.approx(float(values[:, :240].square().mean()), rel=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_each_method_learns_simple_task(method: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    result = evaluate_tower(
        method, config(), EXTRACTOR, make_days(range(48)), make_days(range(48, 72)), TASK, arguments(tmp_path, 15)
    )
    assert result["auroc"] > 0.9
    assert (result["method"], result["train_days"], result["days"]) == (method, 48, 24)


def test_invalid_input_raises(tmp_path: Path) -> None:
    days = make_days(range(4))
    with pytest.raises(ValueError, match="supervised, simclr, mae"):
        evaluate_tower("byol", config(), EXTRACTOR, days[:2], days[2:], TASK, arguments(tmp_path, 1))
    with pytest.raises(ValueError, match="2 people are in both the training"):
        evaluate_tower("mae", config(), EXTRACTOR, days, days[:2], TASK, arguments(tmp_path, 1))
