from __future__ import annotations

import pytest
import torch
from model_cases import days, gaps, shake, small_config, small_model
from transformers import AutoModelForSequenceClassification

import sensorlm_hf  # registers the Auto classes
from sensorlm_hf.modeling import SensorLMForSensorClassification

assert sensorlm_hf.__version__

VALUES, MASK = days(), gaps()


def classifier(objective: str = "siglip", labels: int = 3, **overrides) -> SensorLMForSensorClassification:
    torch.manual_seed(0)
    config = small_config(objective, **overrides)
    config.num_labels = labels
    model = SensorLMForSensorClassification(config)
    shake(model)
    return model.eval()


def test_linear_head_uses_pooled_embedding():
    model = classifier()
    pooled = model.sensor_model(VALUES, MASK).pooler_output
    torch.testing.assert_close(model(VALUES, MASK).logits, model.classifier(pooled))


def test_captioning_models_use_mean_of_tokens():
    model = classifier("cap")
    output = model.sensor_model(VALUES, MASK)
    rows = [state[keep].mean(0) for state, keep in zip(output.last_hidden_state, output.token_mask, strict=True)]
    torch.testing.assert_close(output.pooler_output, torch.stack(rows), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(model(VALUES, MASK).logits, model.classifier(torch.stack(rows)), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("objective", ["siglip", "cap"])
def test_attentive_head(objective):
    model = classifier(objective, classifier_pooling="attentive")
    assert model.sensor_model.head is None
    batch = model(VALUES, MASK).logits
    dirty = model(VALUES.masked_fill(~MASK, 1e5), MASK).logits
    assert torch.equal(dirty, batch)
    torch.testing.assert_close(model(VALUES[1:2], MASK[1:2]).logits, batch[1:2], atol=2e-5, rtol=1e-4)


def test_losses():
    model = classifier()
    logits = model(VALUES, MASK).logits
    classes = torch.tensor([0, 2, 1, -100])
    expected = -logits.log_softmax(-1)[torch.arange(3), classes[:3]].mean()
    torch.testing.assert_close(model(VALUES, MASK, classes).loss, expected)
    several = torch.tensor([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]]).float()
    p = logits.sigmoid()
    expected = -(several * p.log() + (1 - several) * (1 - p).log()).mean()
    torch.testing.assert_close(model(VALUES, MASK, several).loss, expected)
    torch.testing.assert_close(model(VALUES, MASK, several.bool()).loss, expected)
    model.config.problem_type = "regression"
    torch.testing.assert_close(model(VALUES, MASK, several).loss, ((logits - several) ** 2).mean())
    single = classifier(labels=1)
    target = torch.tensor([0.5, 1.0, -2.0, 0.0])
    expected = ((single(VALUES, MASK).logits[:, 0] - target) ** 2).mean()
    torch.testing.assert_close(single(VALUES, MASK, target).loss, expected)
    torch.testing.assert_close(single(VALUES, MASK, target[:, None]).loss, expected)


@pytest.mark.parametrize("pooling", ["linear", "attentive"])
def test_frozen_tower_is_not_trained(pooling):
    model = classifier(classifier_pooling=pooling, attention_dropout=0.5)
    model.freeze_base_model()
    model.train()
    assert not model.sensor_model.training
    model(VALUES, MASK, torch.tensor([0, 1, 2, 0])).loss.backward()
    trained = {name for name, p in model.named_parameters() if p.grad is not None}
    assert trained == {name for name, _ in model.named_parameters() if not name.startswith("sensor_model.")}
    free = classifier(classifier_pooling=pooling).train()
    assert free.sensor_model.training
    free(VALUES, MASK, torch.tensor([0, 1, 2, 0])).loss.backward()
    assert free.sensor_model.embeddings.patch_embedding.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("objective", ["siglip", "cap", "coca"])
@pytest.mark.parametrize("pooling", ["linear", "attentive"])
def test_pretrained_models_load_into_classifier(objective, pooling, tmp_path):
    pretrained = small_model(objective)
    pretrained.save_pretrained(tmp_path / "pretrained")
    model, report = SensorLMForSensorClassification.from_pretrained(
        tmp_path / "pretrained", num_labels=4, classifier_pooling=pooling, output_loading_info=True
    )
    assert {name.split(".")[0] for name in report["missing_keys"]} == (
        {"classifier"} if pooling == "linear" else {"classifier", "pooler"}
    )
    assert not report["unexpected_keys"]
    states = model.sensor_model(VALUES, MASK).last_hidden_state
    assert torch.equal(states, pretrained.base_model.sensor_model(VALUES, MASK).last_hidden_state)
    assert model(VALUES, MASK).logits.shape == (4, 4)
    model.save_pretrained(tmp_path / "classifier")
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path / "classifier")
    assert isinstance(loaded, SensorLMForSensorClassification)
    assert torch.equal(loaded(VALUES, MASK).logits, model(VALUES, MASK).logits)


@pytest.mark.parametrize(
    ("labels", "problem", "words"),
    [
        (torch.zeros(3, dtype=torch.long), None, r"\(4,\).*single_label.*\(3,\)"),
        (torch.zeros(4, 2), None, r"\(4, 3\).*multi_label.*\(4, 2\)"),
        (torch.zeros(4), "regression", r"\(4, 3\).*regression.*\(4,\)"),
    ],
)
def test_invalid_labels_raise(labels, problem, words):
    model = classifier()
    model.config.problem_type = problem
    with pytest.raises(ValueError, match=words):
        model(VALUES, MASK, labels)


def test_head_requires_outputs():
    with pytest.raises(ValueError, match="num_labels"):
        classifier(labels=0)
