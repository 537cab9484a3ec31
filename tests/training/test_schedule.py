"""The schedule and parameter groups, compared with hand computations."""

from __future__ import annotations

import math

import pytest
import torch

from sensorlm_hf.modeling import (
    SensorLMConfig,
    SensorLMForConditionalGeneration,
    SensorLMForSensorClassification,
    SensorLMModel,
)
from sensorlm_hf.training.schedule import RsqrtSchedule, parameter_groups


def test_schedule_by_hand() -> None:
    schedule = RsqrtSchedule(total_steps=10, warmup_steps=2, cooldown_steps=2, timescale=4)
    expected = [
        0.5,  # first of two warm-up steps
        1.0,
        1.0,
        1.0,  # step 4 of timescale 4: still constant
        math.sqrt(4 / 5),
        math.sqrt(4 / 6),
        math.sqrt(4 / 7),
        math.sqrt(4 / 8),
        math.sqrt(4 / 9),  # two of two cool-down steps remain
        math.sqrt(4 / 10) / 2,
    ]
    assert [schedule(step) for step in range(10)] == pytest.approx(expected)
    assert schedule(10) == 0.0


def test_schedule_without_warmup_and_cooldown_is_constant_until_timescale() -> None:
    schedule = RsqrtSchedule(total_steps=5, warmup_steps=0, cooldown_steps=0)
    assert [schedule(step) for step in range(5)] == [1.0] * 5


def test_schedule_rejects_empty_run() -> None:
    with pytest.raises(ValueError, match="total_steps=0"):
        RsqrtSchedule(0, 0, 0)


def test_weight_decay_applies_only_to_matrices() -> None:
    module = torch.nn.Module()
    module.linear = torch.nn.Linear(3, 2)
    module.norm = torch.nn.LayerNorm(2)
    module.position_embedding = torch.nn.Embedding(4, 2)
    module.logit_scale = torch.nn.Parameter(torch.zeros(()))
    module.frozen = torch.nn.Linear(2, 2).requires_grad_(False)
    decay, plain = parameter_groups(module.named_parameters(), 0.1)
    assert [id(p) for p in decay["params"]] == [id(module.linear.weight)]
    assert decay["weight_decay"] == 0.1
    assert plain["weight_decay"] == 0.0
    assert {id(p) for p in plain["params"]} == {
        id(p)
        for p in (
            module.linear.bias,
            module.norm.weight,
            module.norm.bias,
            module.position_embedding.weight,
            module.logit_scale,
        )
    }


@pytest.mark.parametrize("kind", [SensorLMModel, SensorLMForConditionalGeneration, SensorLMForSensorClassification])
def test_weight_decay_in_full_model_applies_only_to_linear_weights(kind: type[torch.nn.Module]) -> None:
    """Position and token embeddings, the class token and pooling queries are excluded, whatever their rank."""
    config = SensorLMConfig.from_size(
        "coca", "tiny", hidden_size=32, intermediate_size=32, num_attention_heads=2, classifier_pooling="attentive"
    )
    model = kind(config)
    decay, _ = parameter_groups(model.named_parameters(), 0.1)
    maps = {id(m.weight) for m in model.modules() if isinstance(m, (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d))}
    assert {id(parameter) for parameter in decay["params"]} == maps


def test_learning_rates_by_name() -> None:
    module = torch.nn.Module()
    module.language_model = torch.nn.Linear(3, 2)
    module.head = torch.nn.Linear(3, 2)
    groups = parameter_groups(module.named_parameters(), 0.1, {"language_model.": 1e-5})
    assert [(group.get("lr"), group["weight_decay"], group["params"][0].ndim) for group in groups] == [
        (None, 0.1, 2),
        (None, 0.0, 1),
        (1e-5, 0.1, 2),
        (1e-5, 0.0, 1),
    ]
