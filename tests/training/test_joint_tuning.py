"""Joint tuning: what is trained, its losses beside those of the model, and a run that is cut off."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_cases import tiny_model

from sensorlm_hf.data import SensorDayDataset, SensorLMCollator
from sensorlm_hf.modeling import SensorLMForConditionalGeneration
from sensorlm_hf.processing import SensorLMProcessor
from sensorlm_hf.processing.captions import CaptionBuilder
from sensorlm_hf.training import add_sentence_encoder, calibrate_sentence_encoder, joint_tuning, tune_jointly
from sensorlm_hf.training.joint_tuning import _losses
from sensorlm_hf.training.text_alignment import _cross_entropy
from sentence_encoders import tiny_encoder

LENGTH = 64
KEYS = {"high_level_summary_caption": 1.0}

Assisted = tuple[SensorLMForConditionalGeneration, SensorLMProcessor]


@pytest.fixture(scope="module")
def assisted(processor: SensorLMProcessor, tmp_path_factory: pytest.TempPathFactory) -> Assisted:
    encoder = tiny_encoder(tmp_path_factory.mktemp("encoder"))
    size = len(processor.tokenizer) + 14
    return add_sentence_encoder(tiny_model(processor), processor, encoder, vocab_size=size, max_tokens=12)


def collator(processor: SensorLMProcessor, **changes: Any) -> SensorLMCollator:
    return SensorLMCollator(processor, **{"caption_keys": KEYS, "max_length": LENGTH, "statements": 40, **changes})


def tune(assisted: Assisted, days: list, **changes: Any) -> tuple[Any, dict[str, Any]]:
    model = copy.deepcopy(assisted[0])
    values = {"steps": 4, "batch_size": 6, "learning_rate": 3e-3, "muon_learning_rate": 3e-3, "num_workers": 0}
    return model, tune_jointly(model, SensorDayDataset(days), collator(assisted[1]), **{**values, **changes})


def test_all_parts_but_the_gate_are_trained(assisted, simulated):
    model, record = tune(assisted, simulated, captions_per_batch=3)
    before = dict(assisted[0].named_parameters())
    same = {name for name, value in model.named_parameters() if torch.equal(value, before[name])}
    assert {name for name in same if ".gate." in name} == {
        f"sensorlm.text_model.sentence_encoder.gate.{part}" for part in ("weight", "bias")
    }
    trained = {name.split(".")[0 if name.startswith("decoder") else 1] for name in before} - {"logit_bias"}
    assert trained == {name.split(".")[0 if name.startswith("decoder") else 1] for name in set(before) - same}
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert model.training == assisted[0].training
    assert (record["steps"], record["days_seen"]) == (4, 24)
    parts = record["contrastive_loss"] + model.config.caption_loss_weight * record["caption_loss"]
    assert record["final_loss"] == pytest.approx(parts + record["statement_loss"], rel=1e-5)


def test_losses_equal_those_of_the_model(assisted, simulated):
    model, processor = assisted
    batch = collator(processor, training=False)(simulated[:6])
    with torch.no_grad():
        contrastive, caption, statements = _losses(model, batch, None, False)
        output = model(**batch)
    torch.testing.assert_close(contrastive, output.contrastive_loss)
    torch.testing.assert_close(caption, output.caption_loss)
    # The model only uses the sigmoid loss, and its gate is open for a new encoder: statements have another embedding.
    assert statements > 0


def test_the_first_captions_are_used_and_all_days_judged(assisted, simulated):
    model, processor = assisted
    batch = collator(processor, training=False)(simulated[:6])
    first = {name: value[:3] if len(value) == 6 else value for name, value in batch.items()}
    with torch.no_grad():
        some, alone, every = (_losses(model, batch, 3, False), _losses(model, first, None, False),
                              _losses(model, batch, None, False))  # fmt: skip
    torch.testing.assert_close(some[:2], alone[:2])
    torch.testing.assert_close(some[2], every[2])


def test_batches_without_targets_have_no_caption_loss(assisted, simulated):
    batch = collator(assisted[1], contrast_only=tuple(KEYS))(simulated[:4])
    contrastive, caption, _ = _losses(assisted[0], batch, None, False)
    assert caption == 0
    assert contrastive > 0


def test_a_run_that_was_cut_off_ends_like_a_whole_one(assisted, simulated, tmp_path, monkeypatch):
    whole, record = tune(assisted, simulated, steps=7)
    path = tmp_path / "folder" / "run.checkpoint"
    compute, steps = joint_tuning._losses, []

    def cut_off(*arguments: Any) -> Any:
        steps.append(len(steps))
        if len(steps) == 6:
            raise KeyboardInterrupt
        return compute(*arguments)

    run_steps = joint_tuning.run_steps
    monkeypatch.setattr(joint_tuning, "run_steps", lambda *a, **k: run_steps(*a, **k, save_steps=2))
    monkeypatch.setattr(joint_tuning, "_losses", cut_off)
    with pytest.raises(KeyboardInterrupt):
        tune(assisted, simulated, steps=7, checkpoint=path)
    assert path.is_file()
    monkeypatch.setattr(joint_tuning, "_losses", lambda *a: steps.append(len(steps)) or compute(*a))
    with pytest.raises(ValueError, match=r"belongs to another run: .*'steps': 7"):
        tune(assisted, simulated, steps=8, checkpoint=path)
    resumed, again = tune(assisted, simulated, steps=7, checkpoint=path)
    assert len(steps) == 6 + 3  # 4 of the 7 steps are in the checkpoint
    assert not path.exists()
    assert again["final_loss"] == record["final_loss"]
    assert all(torch.equal(value, whole.state_dict()[name]) for name, value in resumed.state_dict().items())


def test_bad_arguments(assisted, processor, simulated):
    with pytest.raises(ValueError, match="no sentence encoder; add one"):
        tune((tiny_model(processor), processor), simulated)
    with pytest.raises(ValueError, match=r"`captions_per_batch` must be at least 2, .* got 1"):
        tune(assisted, simulated, captions_per_batch=1)
    with pytest.raises(ValueError, match="give the collator `statements=128`"):
        tune_jointly(
            copy.deepcopy(assisted[0]), SensorDayDataset(simulated), collator(assisted[1], statements=0), steps=1
        )


def test_calibration_fits_the_gate_and_the_probabilities(assisted, simulated, tmp_path: Path):
    model, processor = copy.deepcopy(assisted[0]), assisted[1]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    calibrate_sentence_encoder(model, processor, simulated, CaptionBuilder().batch(simulated), progress=False)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert {f"sensorlm.text_model.sentence_encoder.gate.{part}" for part in ("weight", "bias")} <= changed
    assert all(".gate." in name or "logit_" in name for name in changed)
    with pytest.raises(ValueError, match="got 0 days and 1 captions"):
        calibrate_sentence_encoder(model, processor, [], ["running"])


def test_temperature_minimizes_the_cross_entropy():
    rng = np.random.default_rng(0)
    classes = rng.integers(4, size=2000)
    similarity = rng.normal(0, 0.1, (2000, 4))
    similarity[np.arange(2000), classes] += 0.1
    losses = {scale: _cross_entropy(similarity, classes, np.log(scale)) for scale in (3.0, 10.0, 30.0)}
    assert min(losses, key=losses.__getitem__) == 10.0
    logits = torch.from_numpy(10.0 * similarity)
    assert losses[10.0] == pytest.approx(torch.nn.functional.cross_entropy(logits, torch.from_numpy(classes)).item())
