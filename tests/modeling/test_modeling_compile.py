"""Compiled towers: a single graph each, with equal outputs."""

from __future__ import annotations

import inspect

import pytest
import torch
from model_cases import days, gaps, small_config, small_model, texts
from transformers import CompileConfig

from sensorlm_hf.modeling import SensorLMForSensorClassification
from sensorlm_hf.modeling.optional_labels_sensorlm import OptionalLabels

VALUES, MASK = days(), gaps()
IDS, ATTENTION = texts()


@pytest.fixture(autouse=True)
def fresh_graphs():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.mark.parametrize(
    "objective", ["coca", *(pytest.param(name, marks=pytest.mark.slow) for name in ("clip", "siglip", "cap"))]
)
def test_towers_compile_to_one_graph(objective):
    model = small_model(objective)
    sensor = torch.compile(model.base_model.sensor_model, fullgraph=True, backend="eager")
    text = torch.compile(model.base_model.text_model, fullgraph=True, backend="eager")
    kept = model.get_sensor_features(VALUES, MASK).pooler_output
    torch.testing.assert_close(sensor(VALUES, MASK).pooler_output, kept, atol=2e-5, rtol=1e-4)
    read, plain = text(IDS, ATTENTION), model.base_model.text_model(IDS, ATTENTION)
    real = ATTENTION.bool()
    torch.testing.assert_close(read.last_hidden_state[real], plain.last_hidden_state[real], atol=2e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["linear", "attentive"])
def test_classifiers_compile_to_one_graph(pooling):
    torch.manual_seed(0)
    config = small_config("siglip", classifier_pooling=pooling)
    config.num_labels = 3
    model = SensorLMForSensorClassification(config).eval()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    with torch.no_grad():
        torch.testing.assert_close(compiled(VALUES, MASK).logits, model(VALUES, MASK).logits, atol=2e-5, rtol=1e-4)


@pytest.mark.slow
def test_compiled_tower_has_equal_gradients():
    model = small_model("siglip").train()
    compiled = torch.compile(model.base_model.sensor_model, fullgraph=True, backend="aot_eager")
    gradients = []
    for tower in (compiled, model.base_model.sensor_model):
        model.zero_grad()
        tower(VALUES, MASK).pooler_output.square().sum().backward()
        gradients.append({name: p.grad.clone() for name, p in model.base_model.sensor_model.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], atol=1e-4, rtol=1e-3)


@pytest.mark.slow
def test_inductor_matches_eager():
    model = small_model("siglip")
    compiled = torch.compile(model.base_model.sensor_model, fullgraph=True)
    with torch.no_grad():
        output = compiled(VALUES, MASK)
        torch.testing.assert_close(
            output.pooler_output, model.base_model.sensor_model(VALUES, MASK).pooler_output, atol=2e-5, rtol=1e-4
        )


@pytest.mark.parametrize("objective", ["cap", pytest.param("coca", marks=pytest.mark.slow)])
def test_static_cache_generation_compiles_one_graph(objective):
    """transformers compiles this automatically on a GPU; here it is requested explicitly."""
    model = small_model(objective)
    compile_config = CompileConfig(fullgraph=True, backend="eager", mode=None)
    compile_config._compile_all_devices = True
    arguments = {
        "sensor_values": VALUES, "sensor_mask": MASK, "input_ids": IDS, "attention_mask": ATTENTION,
        "max_new_tokens": 6, "min_new_tokens": 6,
    }  # fmt: skip
    torch._dynamo.utils.counters.clear()
    result = model.generate(**arguments, cache_implementation="static", compile_config=compile_config)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
    assert not torch._dynamo.utils.counters["graph_break"]
    assert torch.equal(result, model.generate(**arguments))


def test_method_with_optional_labels_compiles():
    class Toy(torch.nn.Module, metaclass=OptionalLabels):
        def forward(self, states, labels=None):
            return 2 * states

    compiled = torch.compile(Toy(), backend="eager")
    assert torch.equal(compiled(torch.ones(2)), torch.full((2,), 2.0))
    assert list(inspect.signature(Toy.forward).parameters) == ["self", "states"]
    assert list(inspect.signature(Toy().forward).parameters) == ["states", "labels"]


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["siglip", "cap", "coca"])
def test_whole_model_compiles(objective):
    """As `torch.compile(model)` and `TrainingArguments(torch_compile=True)` do it: the model is called, not a tower."""
    model = small_model(objective).train()
    compiled = torch.compile(model, backend="eager")
    for _ in range(2):
        torch.testing.assert_close(
            compiled(VALUES, MASK, IDS, ATTENTION).loss, model(VALUES, MASK, IDS, ATTENTION).loss, atol=1e-5, rtol=1e-5
        )
