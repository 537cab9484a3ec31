"""The models of a study."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from training_cases import options

from sensorlm_hf.data.collator import SensorLMCollator
from sensorlm_hf.training import last_whole_checkpoint, train_variant


def test_a_variant_is_trained_once_and_remembered(
    cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = options(cohort, "clip")
    first = train_variant(given, tmp_path / "clip", epochs=1, batch_size=10, seed=3)
    assert (first["days_seen"], first["seed"]) == (20, 3)
    assert last_whole_checkpoint(tmp_path / "clip") == tmp_path / "clip" / "checkpoint-2"
    assert (tmp_path / "clip" / "model.safetensors").is_file()

    def again(*args: object, **kwargs: object) -> None:
        pytest.fail("it was trained a second time")

    monkeypatch.setattr("sensorlm_hf.training.variants.pretrain", again)
    assert train_variant(given, tmp_path / "clip", seed=3) == json.loads(json.dumps(first))


def test_a_model_of_another_study_is_not_taken_for_it(cohort: Path, tmp_path: Path) -> None:
    train_variant(options(cohort, "clip"), tmp_path / "clip", max_steps=1, batch_size=4)
    with pytest.raises(ValueError, match="holds a model of another study: objective was 'clip' and is 'siglip'"):
        train_variant(options(cohort, "siglip"), tmp_path / "clip")
    with pytest.raises(ValueError, match="seed was 0 and is 1"):
        train_variant(options(cohort, "clip"), tmp_path / "clip", seed=1)


@pytest.mark.parametrize("muon", [None, 3e-3])
def test_an_interrupted_variant_goes_on(cohort: Path, tmp_path: Path, muon: float | None) -> None:
    given: dict[str, Any] = {"epochs": 2, "batch_size": 10, "muon_learning_rate": muon}
    whole = train_variant(options(cohort, "clip"), tmp_path / "clip", **given)
    for name in ("training.json", "model.safetensors"):
        (tmp_path / "clip" / name).unlink()  # killed before the end
    resumed = train_variant(options(cohort, "clip"), tmp_path / "clip", **given)
    assert resumed["eval_loss"] == whole["eval_loss"]
    assert resumed["days_seen"] == whole["days_seen"] == 40
    other = train_variant(options(cohort, "clip"), tmp_path / "other", **{**given, "muon_learning_rate": 1e-2})
    assert other["eval_loss"] != whole["eval_loss"]


def test_a_variant_that_is_told_to_end_is_not_taken_for_a_model(
    cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {"epochs": 2, "batch_size": 10}
    whole = train_variant(options(cohort, "clip"), tmp_path / "whole", **given)
    collate = SensorLMCollator.__call__

    def told_to_end(self: SensorLMCollator, items: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return collate(self, items)

    with monkeypatch.context() as patched:
        patched.setattr(SensorLMCollator, "__call__", told_to_end)
        with pytest.raises(RuntimeError, match=r"stopped after 10 days \(SIGTERM\); a checkpoint is in"):
            train_variant(options(cohort, "clip"), tmp_path / "clip", **given)
    assert not (tmp_path / "clip" / "training.json").exists()
    assert train_variant(options(cohort, "clip"), tmp_path / "clip", **given)["eval_loss"] == whole["eval_loss"]
