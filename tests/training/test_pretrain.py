"""Complete runs: output files, exact resuming and validation."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from training_cases import SHAPE, arguments, options
from transformers import AutoModelForMultimodalLM, AutoProcessor

from sensorlm_hf import SensorLMForConditionalGeneration, SensorLMProcessor, write_days
from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.modeling import load_pretrained
from sensorlm_hf.training import PretrainOptions, pretrain, save_model
from sensorlm_hf.training.pretrain import last_complete_checkpoint

RUN: dict[str, Any] = {"save_strategy": "steps", "save_steps": 3, "eval_strategy": "epoch", "num_train_epochs": 4}


@pytest.fixture(scope="module")
def whole(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """An uninterrupted run of 20 steps, 5 per epoch, with checkpoints in the middle of epochs."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, pretrain(options(cohort), arguments(folder, **RUN))


def history(folder: Path) -> list[dict[str, float]]:
    checkpoint = last_complete_checkpoint(folder)
    assert checkpoint is not None
    return json.loads((checkpoint / "trainer_state.json").read_text())["log_history"]


def interrupt(folder: Path, target: Path, step: int) -> Path:
    """Copies the state of a run killed after the checkpoint of a step."""
    shutil.copytree(folder, target)
    for path in [*target.glob("model*.safetensors*"), target / "training.json"]:
        path.unlink()
    for path in target.glob("checkpoint-*"):
        if int(path.name.split("-")[1]) > step:
            shutil.rmtree(path)
    return target


def test_run_learns_and_returns_metrics(whole: tuple[Path, dict[str, Any]]) -> None:
    folder, metrics = whole
    logs = history(folder)
    losses = [entry["loss"] for entry in logs if "loss" in entry]
    assert np.mean(losses[-4:]) < 0.8 * np.mean(losses[:4])
    evaluations = [entry["eval_loss"] for entry in logs if "eval_loss" in entry]
    assert evaluations[-1] < evaluations[0]
    assert metrics["eval_loss"] > 0
    # 20 days, 4 epochs of 5 full batches
    assert (metrics["days_seen"], metrics["train_days"], metrics["seed"]) == (80, 20, 42)
    assert metrics["parameters"] == sum(p.numel() for p in load_pretrained(folder).parameters())
    assert metrics["options"]["objective"] == "coca"
    assert "prompts" not in metrics["options"], "prompts already in the task table should not be saved"


def test_output_folder_is_a_model_repository(whole: tuple[Path, dict[str, Any]]) -> None:
    folder, metrics = whole
    assert json.loads((folder / "training.json").read_text()) == metrics
    model, processor = AutoModelForMultimodalLM.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
    assert type(model) is SensorLMForConditionalGeneration
    assert len(processor.tokenizer) == model.config.text_config.vocab_size
    inputs = processor(sensor=simulate_days(1), text=["a day with running"], return_tensors="pt")
    assert model(**inputs).loss.isfinite()
    assert not list(folder.glob("*partial*"))


def test_every_checkpoint_loads_with_its_processor(whole: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = whole
    checkpoints = sorted(folder.glob("checkpoint-*"))
    assert len(checkpoints) == 7  # every third of 20 steps, and the last
    days = simulate_days(2)
    for checkpoint in checkpoints:
        model, processor = (
            AutoModelForMultimodalLM.from_pretrained(checkpoint),
            AutoProcessor.from_pretrained(checkpoint),
        )
        assert type(model) is SensorLMForConditionalGeneration
        inputs = processor(sensor=days, text=["a day with running"] * 2, return_tensors="pt")
        assert model(**inputs).loss.isfinite()
        for name in ("tokenizer.json", "processor_config.json"):
            assert (checkpoint / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize("step", [3, 9])
def test_resumed_run_matches_uninterrupted_run(
    whole: tuple[Path, dict[str, Any]], cohort: Path, tmp_path: Path, step: int, caplog: pytest.LogCaptureFixture
) -> None:
    folder, metrics = whole
    killed = interrupt(folder, tmp_path / "run", step)
    # An incomplete next checkpoint left by the kill: weights, but no trainer state.
    shutil.copytree(killed / f"checkpoint-{step}", killed / f"checkpoint-{step + 1}")
    (killed / f"checkpoint-{step + 1}" / "trainer_state.json").write_text('{"global_step": ')
    with caplog.at_level(logging.WARNING):
        resumed = pretrain(options(cohort), arguments(killed, **RUN), resume=True)
    assert f"checkpoint-{step + 1} is incomplete and is skipped" in caplog.text
    expected, found = load_file(folder / "model.safetensors"), load_file(killed / "model.safetensors")
    assert set(expected) == set(found)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert resumed["eval_loss"] == metrics["eval_loss"]
    assert resumed["days_seen"] == metrics["days_seen"]
    # The mean over the whole run, not only after the interruption.
    assert resumed["train_loss"] == pytest.approx(metrics["train_loss"], abs=1e-4)
    logged = max(e["seconds"] for e in history(killed)[: step + 1] if "seconds" in e)
    assert resumed["train_runtime"] > logged


def test_resuming_finished_run_gives_same_model(
    whole: tuple[Path, dict[str, Any]], cohort: Path, tmp_path: Path
) -> None:
    folder, metrics = whole
    again = shutil.copytree(folder, tmp_path / "run")
    # Repeats steps 19 and 20 from the checkpoint of step 18.
    resumed = pretrain(options(cohort), arguments(again, **RUN), resume=True)
    expected, found = load_file(folder / "model.safetensors"), load_file(again / "model.safetensors")
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert resumed["eval_loss"] == metrics["eval_loss"]


def test_resuming_from_final_checkpoint_does_not_train(cohort: Path, tmp_path: Path) -> None:
    given = {"save_strategy": "epoch", "num_train_epochs": 2}
    metrics = pretrain(options(cohort), arguments(tmp_path, **given))
    first = load_file(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").unlink()  # killed just before it was written
    resumed = pretrain(options(cohort), arguments(tmp_path, **given), resume=True)
    again = load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(first[name], again[name]) for name in first)
    for name in ("eval_loss", "days_seen"):
        assert resumed[name] == metrics[name]
    assert resumed["train_loss"] == pytest.approx(metrics["train_loss"], abs=1e-4)


def test_resuming_without_checkpoint_starts_from_scratch(cohort: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoint-7").mkdir()  # killed before anything was written
    metrics = pretrain(options(cohort), arguments(tmp_path, max_steps=1), resume=True)
    assert metrics["days_seen"] == 4


def test_last_complete_checkpoint(tmp_path: Path) -> None:
    assert last_complete_checkpoint(tmp_path) is None
    for name in ("checkpoint-9", "checkpoint-10", "checkpoint-11", "checkpoint-best", "checkpoint-12.old"):
        (tmp_path / name).mkdir()
        if name != "checkpoint-11":
            (tmp_path / name / "trainer_state.json").write_text("{}")
    assert last_complete_checkpoint(tmp_path) == tmp_path / "checkpoint-10"


@pytest.mark.parametrize("objective", ["clip", "siglip", "cap"])
def test_every_objective_trains(cohort: Path, tmp_path: Path, objective: str) -> None:
    metrics = pretrain(options(cohort, objective), arguments(tmp_path, max_steps=2))
    assert np.isfinite(metrics["eval_loss"])
    assert load_pretrained(tmp_path).config.objective == objective


def test_save_dtype(whole: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, _ = whole
    model, processor = load_pretrained(folder), AutoProcessor.from_pretrained(folder)
    model.generation_config.max_new_tokens = 17
    save_model(model, processor, tmp_path, "bfloat16")
    saved, exact = load_file(tmp_path / "model.safetensors"), load_file(folder / "model.safetensors")
    assert {tensor.dtype for tensor in saved.values()} == {torch.bfloat16}
    assert all(torch.equal(saved[name], exact[name].bfloat16()) for name in exact)
    assert json.loads((tmp_path / "config.json").read_text())["dtype"] == "bfloat16"
    assert load_pretrained(tmp_path).generation_config.max_new_tokens == 17
    assert next(model.parameters()).dtype is torch.float32, "the model in memory should keep its dtype"


def test_save_to_string_or_path(whole: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, _ = whole
    model, processor = load_pretrained(folder), AutoProcessor.from_pretrained(folder)
    for target in (str(tmp_path / "new" / "text"), tmp_path / "new" / "path"):
        save_model(model, processor, target)
        assert (Path(target) / "model.safetensors").is_file()
    (tmp_path / "file").write_text("kept")
    with pytest.raises(ValueError, match=r"must be a folder, but .*file' is a file"):
        save_model(model, processor, str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "kept"


def test_saving_removes_weights_of_previous_model(whole: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, _ = whole
    model, processor = load_pretrained(folder), AutoProcessor.from_pretrained(folder)
    (tmp_path / "model-00001-of-00002.safetensors").write_bytes(b"old")
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    left = tmp_path / ".files.0123.partial"
    left.mkdir()
    (left / "junk").write_text("of a run that was killed while saving")
    (tmp_path / "README.md").write_text("kept")
    save_model(model, processor, tmp_path)
    assert [path.name for path in tmp_path.glob("model*")] == ["model.safetensors"]
    assert (tmp_path / "README.md").read_text() == "kept"
    assert not (tmp_path / "junk").exists()
    assert not list(tmp_path.glob("*partial*"))


def test_init_from_uses_weights_and_tokenizer(whole: tuple[Path, dict[str, Any]], cohort: Path, tmp_path: Path) -> None:
    folder, _ = whole
    given = options(cohort, init_from=str(folder), config_overrides={})
    # A learning rate of zero preserves the initial weights.
    pretrain(given, arguments(tmp_path, max_steps=1, learning_rate=0.0))
    expected, found = load_file(folder / "model.safetensors"), load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert (tmp_path / "tokenizer.json").read_bytes() == (folder / "tokenizer.json").read_bytes()
    record = json.loads((tmp_path / "training.json").read_text())
    assert record["started_from"] == json.loads((folder / "training.json").read_text())
    assert "started_from" not in record["started_from"]


def test_init_from_extends_positions_for_longer_captions(
    whole: tuple[Path, dict[str, Any]], cohort: Path, tmp_path: Path
) -> None:
    folder, _ = whole
    given = options(cohort, init_from=str(folder), config_overrides={}, max_text_length=80)
    pretrain(given, arguments(tmp_path, max_steps=1, learning_rate=0.0))
    name = "sensorlm.text_model.embeddings.position_embedding.weight"
    expected, found = load_file(folder / "model.safetensors"), load_file(tmp_path / "model.safetensors")
    assert found[name].shape == (80, expected[name].shape[1])
    assert torch.equal(found.pop(name)[:64], expected.pop(name))
    assert all(torch.equal(expected[other], found[other]) for other in expected)
    model, processor = load_pretrained(tmp_path), SensorLMProcessor.from_pretrained(tmp_path)
    assert model.config.text_config.max_position_embeddings == processor.tokenizer.model_max_length == 80


@pytest.mark.parametrize("objective", ["clip", "cap"])
def test_init_from_another_objective(
    whole: tuple[Path, dict[str, Any]], cohort: Path, tmp_path: Path, objective: str
) -> None:
    folder, _ = whole
    given = options(cohort, objective, init_from=str(folder), config_overrides={})
    pretrain(given, arguments(tmp_path, max_steps=1, learning_rate=0.0))
    model = load_pretrained(tmp_path)
    assert model.config.objective == objective
    expected, found = (
        {name.removeprefix("sensorlm."): tensor for name, tensor in load_file(path / "model.safetensors").items()}
        for path in (folder, tmp_path)
    )
    shared = set(expected) & set(found)
    assert any("sensor" in name for name in shared)
    assert any("text" in name for name in shared)
    assert all(torch.equal(expected[name], found[name]) for name in shared)


def test_init_from_with_other_loss_weights(whole: tuple[Path, dict[str, Any]], cohort: Path, tmp_path: Path) -> None:
    folder, _ = whole
    given = options(cohort, init_from=str(folder), config_overrides={"caption_loss_weight": 0.5})
    pretrain(given, arguments(tmp_path, max_steps=1, learning_rate=0.0))
    before, after = (load_pretrained(path).config.to_diff_dict() for path in (folder, tmp_path))
    assert before.pop("caption_loss_weight", 2.0) == 2.0
    assert after.pop("caption_loss_weight") == 0.5
    assert before == after
    expected, found = load_file(folder / "model.safetensors"), load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())


def test_dataset_without_validation_skips_evaluation(
    cohort: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_days(simulate_days(4), tmp_path / "days")
    with caplog.at_level(logging.WARNING):
        metrics = pretrain(
            options(tmp_path / "days"), arguments(tmp_path / "run", eval_strategy="epoch", num_train_epochs=2)
        )
    assert "no `validation` split" in caplog.text
    assert "eval_loss" not in metrics
    assert metrics["days_seen"] == 8


def test_days_seen_for_dataset_smaller_than_batch(cohort: Path, tmp_path: Path) -> None:
    metrics = pretrain(options(cohort), arguments(tmp_path, per_device_train_batch_size=64, num_train_epochs=2))
    assert metrics["days_seen"] == 40


@pytest.mark.parametrize("wrong", [{"rope": 3}, {"rope_theta": -1}, {"patch_minutes": 7}])
def test_invalid_configuration_leaves_no_files(cohort: Path, tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        pretrain(options(cohort, config_overrides={**SHAPE, **wrong}), arguments(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_existing_run_is_not_overwritten(whole: tuple[Path, dict[str, Any]], cohort: Path, tmp_path: Path) -> None:
    folder, _ = whole
    with pytest.raises(FileExistsError, match="Resume the run"):
        pretrain(options(cohort), arguments(folder))
    killed = interrupt(folder, tmp_path / "killed", 3)
    with pytest.raises(FileExistsError, match="choose another folder"):
        pretrain(options(cohort), arguments(killed))
    finished = tmp_path / "finished"
    finished.mkdir()
    shutil.copy2(folder / "model.safetensors", finished)
    with pytest.raises(FileExistsError, match="--init-from"):
        pretrain(options(cohort), arguments(finished), resume=True)
    assert [path.name for path in finished.iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"objective": "clip"}, "objective was 'coca' and is 'clip'"),
        ({"config_overrides": {**SHAPE, "hidden_size": 48}}, "hidden_size was 32 and is 48"),
        ({"max_text_length": 48}, "max_position_embeddings was 64 and is 48"),
    ],
)
def test_resuming_with_other_model_raises(
    whole: tuple[Path, dict[str, Any]], cohort: Path, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    killed = interrupt(whole[0], tmp_path / "run", 3)
    with pytest.raises(ValueError, match=words):
        pretrain(options(cohort, **change), arguments(killed, **RUN), resume=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"objective": "clap"}, "`objective` must be one of clip, siglip, cap, coca, got 'clap'"),
        ({"size": "huge"}, "`size` must be one of tiny"),
        ({"caption_keys": {"summary": 1.0}}, "Unknown caption keys summary"),
        ({"tokenizer_days": 0}, "`tokenizer_days` must be at least 1"),
        ({"save_dtype": "int8"}, "floating-point type such as 'bfloat16', got 'int8'"),
        ({"save_dtype": "nn"}, "got 'nn'"),
        (
            {"init_from": "model", "config_overrides": {"hidden_size": 8}},
            "cannot change the architecture of a model from `init_from`",
        ),
        ({"contrast_only": ("high_level_summary_caption",)}, "contains all `caption_keys`"),
        ({"objective": "cap", "contrast_only": ("high_level_summary_caption",)}, "has no contrastive loss"),
    ],
)
def test_out_of_range_options_raise_before_loading(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PretrainOptions(**change)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"caption_keys": {}}, "`caption_keys` needs non-negative weights"),
        ({"modality_dropout": 1.5}, "`modality_dropout` must be a probability"),
        ({"max_text_length": 4}, "max_length"),
        ({"contrast_only": ("high_low_caption",)}, "must list keys of `caption_keys`"),
        ({"vocab_size": 100}, "`vocab_size` must be an integer of at least 259"),
        ({"config_overrides": {"width": 3}}, "Neither SensorLMConfig nor its towers have a field 'width'"),
    ],
)
def test_options_validated_by_components_raise(
    cohort: Path, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        pretrain(options(cohort, **change), arguments(tmp_path / "run"))
    assert not list(tmp_path.glob("run/model*"))


@pytest.mark.parametrize("frozen", [{"freeze": ("text",)}, {"lora": ("sensor",)}])
def test_additional_positions_that_stay_untrained_raise(
    whole: tuple[Path, dict[str, Any]], cohort: Path, tmp_path: Path, frozen: dict[str, Any]
) -> None:
    given = options(cohort, init_from=str(whole[0]), config_overrides={}, max_text_length=65, **frozen)
    with pytest.raises(ValueError, match=r"`max_text_length` is 65, but .* has positions for 64 tokens"):
        pretrain(given, arguments(tmp_path))


def test_missing_process_group_raises(cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    args = arguments(tmp_path)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match=r"2 processes were started .* in a process group of 1.* --use_cpu"):
        pretrain(options(cohort), args)
    assert list(tmp_path.iterdir()) == []


def test_dataset_without_training_split_raises(tmp_path: Path, cohort: Path) -> None:
    write_days(simulate_days(2), tmp_path / "days", split="test")
    with pytest.raises(ValueError, match="has the splits test, but no `train` split"):
        pretrain(options(tmp_path / "days"), arguments(tmp_path / "run"))
