"""Runs that resume after being killed, stopped or running out of disk space."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import Any

import pytest
import torch
from run_cases import DAYS, curve, days, make_processor, train

from sensorlm_hf.data import write_days
from sensorlm_hf.training.checkpoints import PARTIAL, last_complete_checkpoint


@pytest.fixture(scope="module")
def processor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("processor")
    make_processor(folder)
    return folder


DROPOUT = {"dropout": 0.1}


@pytest.fixture(scope="module")
def uninterrupted(processor: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    (result,) = train(tmp_path_factory.mktemp("uninterrupted"), processor, **DROPOUT)
    assert [entry["step"] for entry in curve(result) if "loss" in entry] == [1, 2, 3, 4, 5, 6]
    return result


def assert_same_run(result: dict[str, Any], expected: dict[str, Any]) -> None:
    """Compares the logged values and all weights exactly."""
    assert curve(result) == curve(expected)
    assert {
        name for name, weight in result["weights"].items() if not torch.equal(weight, expected["weights"][name])
    } == set()


@pytest.mark.parametrize(
    ("where", "step", "goes_on_from"),
    [("step", 5, 4), ("step", 1, None), ("checkpoint", 4, 2), ("evaluation", 4, 2), ("step", 4, 2)],
)
def test_killed_run_resumes_identically(
    uninterrupted: dict[str, Any], processor: Path, tmp_path: Path, where: str, step: int, goes_on_from: int | None
) -> None:
    assert train(tmp_path, processor, die=(where, step), **DROPOUT) == [], "the run was not killed"
    checkpoint = last_complete_checkpoint(tmp_path)
    assert checkpoint == (None if goes_on_from is None else tmp_path / f"checkpoint-{goes_on_from}")
    if where == "checkpoint":
        assert list((tmp_path / PARTIAL).glob("checkpoint-4/*.safetensors")), "no checkpoint was being written"
        assert not (tmp_path / "checkpoint-4").exists()
    (result,) = train(tmp_path, processor, resume=True, **DROPOUT)
    assert_same_run(result, uninterrupted)
    assert sorted(path.name for path in tmp_path.glob("checkpoint-*")) == ["checkpoint-4", "checkpoint-6"]
    assert not (tmp_path / PARTIAL).exists()


@pytest.mark.parametrize("world", [1, 2])
def test_killed_streaming_run_resumes(processor: Path, tmp_path: Path, world: int) -> None:
    shards = tmp_path / "days"
    write_days(days(DAYS, 0), shards, days_per_shard=3)
    options = {"stream": str(shards), **DROPOUT}
    expected = train(tmp_path / "whole", processor, world, **options)
    assert len(curve(expected[0])) >= 6
    assert train(tmp_path / "killed", processor, world, die=("step", 5), **options) == []
    results = train(tmp_path / "killed", processor, world, resume=True, **options)
    for result, wanted in zip(results, expected, strict=True):
        assert_same_run(result, wanted)
        # Batches seen before the kill are not read again.
        assert result["seen"] == wanted["seen"][4:]


def test_run_saves_on_sigterm_and_resumes(uninterrupted: dict[str, Any], processor: Path, tmp_path: Path) -> None:
    (result,) = train(tmp_path, processor, die=("term", 3), **DROPOUT)
    assert result["reason"] == "SIGTERM"
    assert result["step"] == 3
    assert last_complete_checkpoint(tmp_path) == tmp_path / "checkpoint-3"
    (result,) = train(tmp_path, processor, resume=True, **DROPOUT)
    assert_same_run(result, uninterrupted)


def test_run_saves_at_time_limit_and_resumes(uninterrupted: dict[str, Any], processor: Path, tmp_path: Path) -> None:
    (result,) = train(tmp_path, processor, max_hours=1e-9, **DROPOUT)
    assert result["step"] == 1
    assert result["reason"] == "the time limit of 1e-09 hours (--max_hours) was reached"
    (result,) = train(tmp_path, processor, resume=True, **DROPOUT)
    assert_same_run(result, uninterrupted)


@pytest.mark.parametrize("strategy", ["steps", "epoch"])
def test_last_step_of_max_steps_is_saved(processor: Path, tmp_path: Path, strategy: str) -> None:
    train(tmp_path, processor, max_steps=1, save_strategy=strategy, save_steps=100)
    assert last_complete_checkpoint(tmp_path) == tmp_path / "checkpoint-1"


def test_nan_loss_stops_before_optimiser_step(uninterrupted: dict[str, Any], processor: Path, tmp_path: Path) -> None:
    (result,) = train(tmp_path, processor, poison=4, **DROPOUT)
    assert result["error"].startswith(
        "FloatingPointError: The loss became nan in step 4; its gradients were discarded."
    )
    assert f"The last checkpoint is {tmp_path / 'checkpoint-2'}" in result["error"]
    assert all(weight.isfinite().all() for weight in result["weights"].values())
    (result,) = train(tmp_path, processor, resume=True, **DROPOUT)
    assert_same_run(result, uninterrupted)


def test_nan_loss_at_first_step_reports_no_checkpoint(processor: Path, tmp_path: Path) -> None:
    (result,) = train(tmp_path, processor, poison=1)
    assert "There is no checkpoint in" in result["error"]


def full_disk_run(rank: int, folder: str, processor: str) -> None:
    """Trains with too little disk space for the third checkpoint; runs in a subprocess."""
    import run_cases

    original = run_cases.Dying._save_checkpoint

    def starved(self: Any, model: Any, trial: Any) -> None:
        if self.state.global_step == 4:
            # Writes beyond this size fail, as on a full disk.
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
        try:
            original(self, model, trial)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    run_cases.Dying._save_checkpoint = starved  # type: ignore[method-assign]
    run_cases.run(0, 1, 0, folder, processor, dropout=0.1)


def test_full_disk_stops_run_and_reports_last_checkpoint(
    uninterrupted: dict[str, Any], processor: Path, tmp_path: Path
) -> None:
    from distributed_parity import start

    start(full_disk_run, 1, str(tmp_path), str(processor))
    result = torch.load(tmp_path / "result-0.pt", weights_only=False)
    assert result["error"].startswith(f"OSError: checkpoint-4 could not be written to {tmp_path} (")
    assert f"The last checkpoint is {tmp_path / 'checkpoint-2'}" in result["error"]
    assert "--save_total_limit" in result["error"]
    assert not (tmp_path / PARTIAL).exists()
    assert last_complete_checkpoint(tmp_path) == tmp_path / "checkpoint-2"
    (result,) = train(tmp_path, processor, resume=True, **DROPOUT)
    assert_same_run(result, uninterrupted)


def test_best_checkpoint_path_exists(processor: Path, tmp_path: Path) -> None:
    train(tmp_path, processor, load_best_model_at_end=True, metric_for_best_model="eval_loss")
    for checkpoint in tmp_path.glob("checkpoint-*"):
        best = json.loads((checkpoint / "trainer_state.json").read_text())["best_model_checkpoint"]
        assert Path(best).parent == tmp_path
        assert Path(best).is_dir()
