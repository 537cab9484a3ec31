"""Training of the model variants in a study."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import variants
from training_cases import options
from variants import SETTINGS, train_variant

from sensorlm_hf.data.collator import SensorLMCollator
from sensorlm_hf.training import last_complete_checkpoint


def test_variant_is_trained_once_and_reused(cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, how = options(cohort, "clip"), {"epochs": 1, "batch_size": 10, "seed": 3}
    first = train_variant(given, tmp_path / "clip", **how)
    assert (first["days_seen"], first["seed"]) == (20, 3)
    assert last_complete_checkpoint(tmp_path / "clip") == tmp_path / "clip" / "checkpoint-2"
    assert (tmp_path / "clip" / "model.safetensors").is_file()

    def again(*args: object, **kwargs: object) -> None:
        pytest.fail("the variant was trained again")

    monkeypatch.setattr(variants, "pretrain", again)
    assert train_variant(given, tmp_path / "clip", **how) == json.loads(json.dumps(first))
    assert train_variant(options(cohort, "clip", num_proc=2), tmp_path / "clip", **how), (
        "the number of processes should not change the model"
    )


def test_model_of_another_study_is_not_reused(cohort: Path, tmp_path: Path) -> None:
    how: dict[str, Any] = {"max_steps": 1, "batch_size": 4}
    train_variant(options(cohort, "clip"), tmp_path / "clip", **how)
    with pytest.raises(ValueError, match="contains a model of another study: objective was 'clip' and is 'siglip'"):
        train_variant(options(cohort, "siglip"), tmp_path / "clip", **how)
    with pytest.raises(ValueError, match="prompts was"):
        train_variant(options(cohort, "clip", prompts=("a run",)), tmp_path / "clip", **how)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"learning_rate": 1e-3}, "learning_rate was 0.0015 and is 0.001"),
        ({"batch_size": 8}, "per_device_train_batch_size was 4 and is 8"),
        ({"epochs": 2}, "num_train_epochs was 4 and is 2"),
        ({"max_steps": 5}, "max_steps was 3 and is 5"),
        ({"muon_learning_rate": 3e-3}, "muon_learning_rate was None and is 0.003"),
        ({"bf16": True}, "bf16 was False and is True"),
        ({"seed": 1}, "seed was 0 and is 1"),
    ],
)
@pytest.mark.parametrize("finished", [True, False])
def test_model_trained_with_other_settings_raises(
    cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], words: str, finished: bool
) -> None:
    """An interrupted run must not be resumed with other settings either."""

    def pretend(options: Any, arguments: Any, resume: bool) -> dict[str, Any]:
        if finished:
            (tmp_path / "clip" / "training.json").write_text("{}")
        return {}

    monkeypatch.setattr(variants, "pretrain", pretend)
    how = {"max_steps": 3, "batch_size": 4}
    train_variant(options(cohort, "clip"), tmp_path / "clip", **how)
    with pytest.raises(ValueError, match=words):
        train_variant(options(cohort, "clip"), tmp_path / "clip", **{**how, **change})
    assert train_variant(options(cohort, "clip"), tmp_path / "clip", **how) == {}


def test_model_with_unknown_settings_raises(cohort: Path, tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / "training.json").write_text("{}")
    with pytest.raises(ValueError, match=f"has no {SETTINGS}, so its training settings are unknown"):
        train_variant(options(cohort, "clip"), tmp_path / "clip")


@pytest.mark.parametrize("muon", [None, 3e-3])
def test_interrupted_variant_resumes(cohort: Path, tmp_path: Path, muon: float | None) -> None:
    given: dict[str, Any] = {"epochs": 2, "batch_size": 10, "muon_learning_rate": muon}
    whole = train_variant(options(cohort, "clip"), tmp_path / "clip", **given)
    for name in ("training.json", "model.safetensors"):
        (tmp_path / "clip" / name).unlink()  # killed before the end
    resumed = train_variant(options(cohort, "clip"), tmp_path / "clip", **given)
    assert resumed["eval_loss"] == whole["eval_loss"]
    assert resumed["days_seen"] == whole["days_seen"] == 40
    other = train_variant(options(cohort, "clip"), tmp_path / "other", **{**given, "muon_learning_rate": 1e-2})
    assert other["eval_loss"] != whole["eval_loss"]


def test_terminated_variant_is_not_reused(cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {"epochs": 2, "batch_size": 10}
    whole = train_variant(options(cohort, "clip"), tmp_path / "whole", **given)
    collate = SensorLMCollator.__call__

    def terminated(self: SensorLMCollator, items: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return collate(self, items)

    with monkeypatch.context() as patched:
        patched.setattr(SensorLMCollator, "__call__", terminated)
        with pytest.raises(RuntimeError, match=r"stopped after 10 days \(SIGTERM\); a checkpoint is in"):
            train_variant(options(cohort, "clip"), tmp_path / "clip", **given)
    assert not (tmp_path / "clip" / "training.json").exists()
    assert train_variant(options(cohort, "clip"), tmp_path / "clip", **given)["eval_loss"] == whole["eval_loss"]
