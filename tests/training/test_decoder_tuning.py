"""Tuning of the decoder: what is trained, what stays, and learning a new style."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from training_cases import tiny_model

from sensorlm_hf.data import SensorDayDataset, SensorLMCollator
from sensorlm_hf.modeling.losses_sensorlm import caption_loss, caption_targets
from sensorlm_hf.training import decoder_tuning, tune_decoder
from sensorlm_hf.training.decoder_tuning import _decoder_loss

LENGTH = 96
KEYS = {"high_level_summary_caption": 1.0}


def tune(processor, days, objective: str = "coca", **changes: Any) -> tuple[Any, Any, dict[str, Any]]:
    before = tiny_model(processor, objective, max_position_embeddings=LENGTH)
    model = copy.deepcopy(before)
    values = {"steps": 6, "batch_size": 8, "learning_rate": 3e-3, "muon_learning_rate": 3e-3, "num_workers": 0}
    collator = SensorLMCollator(processor, KEYS, max_length=LENGTH, opening=True)
    return before, model, tune_decoder(model, SensorDayDataset(days), collator, **{**values, **changes})


@pytest.mark.parametrize("objective", ["cap", "coca"])
def test_only_the_decoder_is_trained(processor, simulated, objective):
    before, model, record = tune(processor, simulated, objective)
    changed = {
        name
        for (name, old), new in zip(before.named_parameters(), model.parameters(), strict=True)
        if not torch.equal(old, new)
    }
    assert changed
    assert all(name.startswith("decoder.") for name in changed)
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert model.training == before.training
    assert (record["steps"], record["days_seen"]) == (6, 48)


def test_parameters_that_were_frozen_stay_frozen(processor, simulated):
    model = tiny_model(processor, "coca", max_position_embeddings=LENGTH)
    model.sensorlm.sensor_model.requires_grad_(False)
    collator = SensorLMCollator(processor, KEYS, max_length=LENGTH)
    tune_decoder(model, SensorDayDataset(simulated), collator, steps=1, batch_size=4, num_workers=0)
    assert not any(parameter.requires_grad for parameter in model.sensorlm.sensor_model.parameters())
    assert all(parameter.requires_grad for parameter in model.decoder.parameters())


def test_the_decoder_learns(processor, simulated):
    before, model, _ = tune(processor, simulated, steps=40, learning_rate=1e-2, muon_learning_rate=1e-2)
    batch = SensorLMCollator(processor, KEYS, max_length=LENGTH, opening=True, training=False)(simulated[:12])
    with torch.no_grad():
        first, last = (float(_decoder_loss(m.eval(), batch)) for m in (before, model))
    assert last < 0.75 * first


def test_loss_equals_that_of_the_model(processor, simulated):
    model = tiny_model(processor, "coca", max_position_embeddings=LENGTH).eval()
    collator = SensorLMCollator(processor, KEYS, max_length=LENGTH, contrast_only=(), training=False)
    batch = collator(simulated[:6])
    with torch.no_grad():
        output = model(**batch)
    torch.testing.assert_close(_decoder_loss(model, batch), output.caption_loss)
    targets = caption_targets(batch["input_ids"], batch["attention_mask"])
    torch.testing.assert_close(output.caption_loss, caption_loss(output.logits[:, :-1], targets))


def test_most_steps_can_be_limited_to_the_first_tokens(processor, simulated, monkeypatch):
    lengths, compute = [], decoder_tuning._decoder_loss

    def noted(model: Any, batch: Any, bf16: bool) -> torch.Tensor:
        lengths.append(batch["input_ids"].shape[1])
        assert batch["attention_mask"].shape == batch["input_ids"].shape
        return compute(model, batch, bf16)

    monkeypatch.setattr(decoder_tuning, "_decoder_loss", noted)
    tune(processor, simulated, first_tokens=9, whole_every=3)
    assert [length == 9 for length in lengths] == [True, True, False] * 2
    with pytest.raises(ValueError, match="`first_tokens` must be at least 1, got 0"):
        tune(processor, simulated, first_tokens=0)


def test_a_run_that_was_cut_off_ends_like_a_whole_one(processor, simulated, tmp_path, monkeypatch):
    options = {"steps": 7, "first_tokens": 9, "whole_every": 3}
    _, whole, record = tune(processor, simulated, **options)
    path, compute, lengths = tmp_path / "run.checkpoint", decoder_tuning._decoder_loss, []

    def cut_off(model: Any, batch: Any, bf16: bool) -> torch.Tensor:
        lengths.append(batch["input_ids"].shape[1])
        if len(lengths) == 5:
            raise KeyboardInterrupt
        return compute(model, batch, bf16)

    run_steps = decoder_tuning.run_steps
    monkeypatch.setattr(decoder_tuning, "run_steps", lambda *a, **k: run_steps(*a, **k, save_steps=2))
    monkeypatch.setattr(decoder_tuning, "_decoder_loss", cut_off)
    with pytest.raises(KeyboardInterrupt):
        tune(processor, simulated, checkpoint=path, **options)
    assert path.is_file()
    lengths[:] = [0] * 5
    _, resumed, again = tune(processor, simulated, checkpoint=path, **options)
    assert [length == 9 for length in lengths[5:]] == [True, False, True]  # steps 5, 6 and 7
    assert not path.exists()
    assert again["final_loss"] == record["final_loss"]
    assert all(torch.equal(value, whole.state_dict()[name]) for name, value in resumed.state_dict().items())


def test_bad_arguments(processor, simulated):
    with pytest.raises(ValueError, match="`steps` must be above 0, got 0"):
        tune(processor, simulated, steps=0)
    with pytest.raises(TypeError, match="`opening` must be True or False, got 'yes'"):
        SensorLMCollator(processor, KEYS, opening="yes")


def test_captions_open_with_plain_english(processor, simulated):
    collator = SensorLMCollator(processor, KEYS, max_length=LENGTH, opening=True, training=False)
    plain = SensorLMCollator(processor, KEYS, max_length=LENGTH, training=False)
    read = processor.tokenizer.batch_decode
    opened = read(collator(simulated[:6])["input_ids"], skip_special_tokens=True)
    others = read(plain(simulated[:6])["input_ids"], skip_special_tokens=True)
    assert all(" day" in text.split(".")[0] for text in opened)
    assert all(text != other for text, other in zip(opened, others, strict=True))
