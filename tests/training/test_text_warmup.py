"""Text tower warm-up: trained and unchanged parameters, and learning."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from training_cases import tiny_model

from sensorlm_hf.data import SensorDayDataset, SensorLMCollator
from sensorlm_hf.days import SensorDay
from sensorlm_hf.modeling import clip_loss, positive_pairs, siglip_loss
from sensorlm_hf.modeling.modeling_sensorlm import window_statistics
from sensorlm_hf.processing import SensorLMProcessor
from sensorlm_hf.training import warm_up_text_tower
from sensorlm_hf.training.text_warmup import _statistics_loss

NUMBERS = {"low_level_caption": 1.0}
LENGTH = 128
SHAPE: dict[str, Any] = {"embed_statistics": True, "rope_theta": 10_000.0, "max_position_embeddings": LENGTH}


def warm_up(
    processor: SensorLMProcessor, days: list[SensorDay], objective: str = "coca", **changes: Any
) -> tuple[Any, Any, dict[str, Any]]:
    """Returns the initial model, the model after warm-up, and the record."""
    before = tiny_model(processor, objective, **SHAPE)
    model = copy.deepcopy(before)
    values = {"steps": 12, "batch_size": 8, "learning_rate": 3e-3, "muon_learning_rate": 3e-3, "num_workers": 0}
    collator = SensorLMCollator(processor, NUMBERS, max_length=LENGTH)
    return before, model, warm_up_text_tower(model, SensorDayDataset(days), collator, **{**values, **changes})


@pytest.mark.parametrize("objective", ["clip", "siglip", "coca"])
def test_warmup_trains_only_text_and_statistics(processor, simulated, objective):
    before, model, record = warm_up(processor, simulated, objective)
    changed = {
        name
        for (name, old), new in zip(before.named_parameters(), model.parameters(), strict=True)
        if not torch.equal(old, new)
    }
    changed = {name.removeprefix("sensorlm.") for name in changed}
    assert {"logit_scale", "sensor_model.statistics.weight", "text_model.head.weight"} <= changed
    assert ("logit_bias" in changed) == (objective == "siglip")
    assert all(name.startswith(("text_model.", "sensor_model.statistics.", "logit_")) for name in changed)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert record["steps"] == 12
    assert record["days_seen"] == 96


def test_warmup_distinguishes_captions_by_numbers(processor, simulated):
    before, model, record = warm_up(
        processor, simulated, steps=120, learning_rate=1e-2, muon_learning_rate=1e-2, progress=False
    )
    batch = SensorLMCollator(processor, NUMBERS, max_length=LENGTH, training=False)(simulated[:12])
    with torch.no_grad():
        first, last = (
            _statistics_loss(network.base_model.eval(), batch, False)[0].item() for network in (before, model)
        )
    assert last < 0.7 * first
    assert record["final_accuracy"] > 2 / 8
    assert record["final_loss"] < 2.0794  # chance level among eight


@pytest.mark.parametrize("objective", ["siglip", "coca"])
def test_warmup_loss_matches_objective(processor, simulated, objective):
    model = tiny_model(processor, objective, **SHAPE).base_model.eval()
    batch = SensorLMCollator(processor, NUMBERS, max_length=LENGTH)(simulated[:6])
    statistics = model.sensor_model.statistics(batch["sensor_values"], batch["sensor_mask"]).sum(dim=1)
    assert window_statistics(batch["sensor_values"], batch["sensor_mask"]).std(dim=0).max() > 0.1
    sensor = torch.nn.functional.normalize(statistics, dim=-1)
    text = model.get_text_features(batch["input_ids"], batch["attention_mask"]).pooler_output
    text = torch.nn.functional.normalize(text, dim=-1)
    pairs = positive_pairs(batch["text_group_ids"])
    scale = model.logit_scale.exp()
    expected = (
        clip_loss(sensor, text, scale, pairs)
        if objective == "coca"
        else siglip_loss(sensor, text, scale, model.logit_bias, pairs)
    )
    loss, cosines = _statistics_loss(model, batch, False)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(cosines, sensor @ text.T)


def test_result_depends_on_seed_but_not_num_workers(processor, simulated):
    _, one, record = warm_up(processor, simulated)
    for workers, seed, same in ((0, 0, True), (2, 0, True), (0, 1, False)):
        _, other, again = warm_up(processor, simulated, num_workers=workers, seed=seed)
        equal = all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
        assert equal == same
        assert (again["final_loss"] == record["final_loss"]) == same


@pytest.mark.parametrize("training", [True, False])
def test_model_mode_is_preserved(processor, simulated, training):
    model = tiny_model(processor, **SHAPE).train(training)
    collator = SensorLMCollator(processor, NUMBERS, max_length=LENGTH)
    warm_up_text_tower(model, SensorDayDataset(simulated), collator, steps=1, batch_size=4, num_workers=0)
    assert all(module.training == training for module in model.modules())


def test_temperature_is_clamped(processor, simulated):
    model = tiny_model(processor, "clip", **SHAPE)
    with torch.no_grad():
        model.logit_scale.fill_(6.0)
    collator = SensorLMCollator(processor, NUMBERS, max_length=LENGTH)
    warm_up_text_tower(model, SensorDayDataset(simulated), collator, steps=1, batch_size=4, num_workers=0)
    assert model.logit_scale.item() <= math.log(100) + 1e-6


def test_unsupported_models_raise(processor, simulated):
    collator = SensorLMCollator(processor, NUMBERS, max_length=LENGTH)
    days = SensorDayDataset(simulated)
    for model in (tiny_model(processor, "coca", max_position_embeddings=LENGTH), tiny_model(processor, "cap", **SHAPE)):
        with pytest.raises(ValueError, match=r"needs a model of objective 'clip', 'siglip' or 'coca' with"):
            warm_up_text_tower(model, days, collator, steps=1)
    model = tiny_model(processor, **SHAPE)
    for name in ("steps", "batch_size", "learning_rate"):
        with pytest.raises(ValueError, match=f"`{name}` must be above 0, got 0"):
            warm_up_text_tower(model, days, collator, **{"steps": 1, name: 0})
    model.base_model.text_model.head.weight.data[:] = torch.nan
    with pytest.raises(ValueError, match=r"became nan at step 0; lower `learning_rate`"):
        warm_up_text_tower(model, days, collator, steps=1, num_workers=0)
