"""The `sensorlm-hf` command: parsing, output and exit status."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
from safetensors.torch import load_file

from sensorlm_hf import __version__
from sensorlm_hf.cli import build_parser, main
from sensorlm_hf.commands.train import parse_caption_keys, parse_config

CAPTION_KEYS = "high_level_summary_caption=3,low_level_caption"
TRAIN = (
    "train --objective clip --max_text_length 64 --vocab-size 400 --batch_size 4 --max_steps 4 --save_steps 2"
    " --save_strategy steps --use_cpu --disable_tqdm True --logging_steps 1 --seed 3"
)


@pytest.fixture(autouse=True)
def restore_warnings() -> Iterator[None]:
    """Restores the warning display, which the command changes."""
    shown = warnings.formatwarning
    yield
    warnings.formatwarning = shown


def commands() -> dict[str, argparse.ArgumentParser]:
    (action,) = (a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


@pytest.fixture(scope="module")
def trained(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a four-step run with a tiny model and two evaluations."""
    folder = tmp_path_factory.mktemp("trained")
    assert main([*TRAIN.split(), "--data", str(cohort), "--output_dir", str(folder)]) == 0
    return folder


# Parsing


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main([name, "--help"])
    assert done.value.code == 0
    out = capsys.readouterr().out
    assert f"usage: sensorlm-hf {name}" in out
    assert "Example:\n  sensorlm-hf" in out
    parser = commands()[name]
    undescribed = [action.dest for action in parser._actions if not action.help]
    assert not undescribed


@pytest.mark.parametrize("name", sorted(commands()))
def test_command_examples_parse(name: str) -> None:
    example = str(commands()[name].epilog).splitlines()[-1].partition(" > ")[0].strip()
    arguments, rest = build_parser().parse_known_args(shlex.split(example)[1:])
    assert arguments.command == name
    assert not rest


@pytest.mark.parametrize("name", sorted(commands()))
def test_options_accept_underscores_and_hyphens(name: str) -> None:
    spellings = [set(action.option_strings) for action in commands()[name]._actions]
    for options in spellings:
        long = {option for option in options if option.startswith("--")}
        assert {option[2:].replace("-", "_") for option in long} <= {option[2:] for option in long}


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(["--version"])
    assert done.value.code == 0
    assert capsys.readouterr().out == f"sensorlm-hf {__version__}\n"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "required: COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["simulate", "ten", "folder"], "invalid int value: 'ten'"),
        (["simulate", "10"], "required: folder"),
        (["simulate", "10", "folder", "--people", "3"], "unrecognized arguments: --people 3"),
        (["simulate", "10", "folder", "--see", "3"], "unrecognized arguments: --see 3"),
        (["train", "--data", "simulated"], "--output-dir"),
        (["train", "--data", "simulated", "--output_dir", "x", "--objective", "clap"], "invalid choice: 'clap'"),
        (["demo", "--fitbit", "a", "--mmash", "b"], "not allowed with"),
        (["evaluate", "--data", "simulated", "--batch-size", "1.5"], "invalid int value: '1.5'"),
    ],
)
def test_parse_errors_exit_with_status_2(words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(words)
    assert done.value.code == 2
    captured = capsys.readouterr()
    assert complaint in captured.err
    assert not captured.out


def test_caption_keys() -> None:
    assert parse_caption_keys(CAPTION_KEYS) == {"high_level_summary_caption": 3.0, "low_level_caption": 1.0}
    assert parse_caption_keys(" low_level_caption = 0.5 ,") == {"low_level_caption": 0.5}
    for text, words in (
        ("summary", "Unknown caption key 'summary'; there are low_level_caption"),
        ("low_level_caption=much", "The weight of low_level_caption must be a number, got 'much'"),
        (" , ", "at least one caption key"),
        ("low_level_caption=1,low_level_caption=2", "low_level_caption is given twice; give it one weight"),
    ):
        with pytest.raises(ValueError, match=words):
            parse_caption_keys(text)


def test_configuration_values() -> None:
    words = ["embed_statistics=true", "rope_theta = 10000", "pooling=cls", 'sensor_config={"num_hidden_layers": 2}']
    assert parse_config(words) == {
        "embed_statistics": True,
        "rope_theta": 10000,
        "pooling": "cls",
        "sensor_config": {"num_hidden_layers": 2},
    }
    assert parse_config([]) == {}
    for word in ("embed_statistics", "=true", "rope_theta="):
        with pytest.raises(ValueError, match=f"takes NAME=VALUE, such as embed_statistics=true; got '{word}'"):
            parse_config([word])
    with pytest.raises(ValueError, match="--config gives rope_theta twice"):
        parse_config(["rope_theta=1", "rope_theta=2"])


# Errors are one-sentence messages


def error_message(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Runs a command that must fail and returns its one-sentence error message."""
    assert main(words) == 2
    captured = capsys.readouterr()
    (line,) = [line for line in captured.err.splitlines() if line.startswith("sensorlm-hf ")]
    assert line.startswith(f"sensorlm-hf {words[0]}: ")
    assert "Traceback" not in captured.err
    assert not captured.out
    return line


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("simulate 0 FOLDER", "`people` must be at least 1, got 0"),
        ("simulate 3 FOLDER --seed -1", "`seed` must be at least 0, got -1"),
        ("simulate 3 FOLDER --schema sensorlm-99", "sensorlm-99"),
        ("simulate 3 COHORT", "already contains a dataset"),
        ("train --data simulated:many --output_dir FOLDER --use_cpu", "got 'simulated:many'"),
        ("train --data FOLDER/none --output_dir FOLDER --use_cpu", "neither a folder of days"),
        ("train --data COHORT --output_dir FOLDER --caption-keys summary", "Unknown caption key 'summary'"),
        ("train --data COHORT --output_dir FOLDER --save-dtype int8", "`save_dtype` must name a floating-point type"),
        ("train --data COHORT --output_dir FOLDER --use_cpu --schedule cosine", "`schedule` must be one of rsqrt"),
        ("train --data COHORT --output_dir FOLDER --use_cpu --objektive clip", "--objektive"),
        ("train --data COHORT --output_dir FOLDER --use_cpu --init-from FOLDER/none", "none"),
        ("train --data COHORT --output_dir TRAINED --use_cpu", "already contains a model or checkpoints"),
        ("train --data COHORT --output_dir FOLDER --use_cpu --zero-shot chess", "Unknown task 'chess'"),
        (
            "train --data COHORT --output_dir FOLDER --use_cpu --zero-shot activity --objective cap",
            "Objective 'cap' has no text embedding",
        ),
        ("evaluate --data COHORT --model FOLDER/none", "none"),
        ("evaluate --data COHORT --model TRAINED --tasks sleep", "Unknown task 'sleep'"),
        ("evaluate --data COHORT --model TRAINED --split tests", "tests"),
        ("evaluate --data COHORT --model TRAINED --max-days 0", "`max_days` must be at least 1"),
        ("evaluate --data COHORT --model TRAINED --device tpu9", "`device` 'tpu9' cannot be used here"),
        ("demo --table FOLDER/none.csv --output-dir FOLDER", "none.csv"),
    ],
)
def test_invalid_input(
    words: str, complaint: str, cohort: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    names = {"FOLDER": tmp_path / "new", "COHORT": cohort, "TRAINED": trained}
    for name, path in names.items():
        words = words.replace(name, str(path))
    assert complaint in error_message(words.split(), capsys)
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KeyError("no such column"), "no such column"),
        (ValueError("two\n  lines"), "two lines"),
        (ImportError(), "ImportError"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
    ],
)
def test_user_errors_have_one_sentence_message(
    error: Exception, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fail_with(error, monkeypatch)
    assert error_message(["simulate", "1", "x"], capsys) == f"sensorlm-hf simulate: {told}"


def fail_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr("sensorlm_hf.data.write_cohort", fail)


def test_debug_raises_original_error(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(ValueError("why"), monkeypatch)
    with pytest.raises(ValueError, match="why"):
        main(["simulate", "1", "x", "--debug"])


def test_internal_errors_are_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(RuntimeError("a bug"), monkeypatch)
    with pytest.raises(RuntimeError, match="a bug"):
        main(["simulate", "1", "x"])


def test_interrupt_exits_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    fail_with(KeyboardInterrupt(), monkeypatch)
    assert main(["simulate", "1", "x"]) == 130
    assert capsys.readouterr().err == "\nsensorlm-hf simulate: interrupted.\n"


def test_each_warning_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def warn(*args: Any, **kwargs: Any) -> dict[str, int]:
        warnings.warn("the cohort is small", UserWarning, stacklevel=2)
        return {"train": 1}

    monkeypatch.setattr("sensorlm_hf.data.write_cohort", warn)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        # pytest records warnings instead of showing them
        monkeypatch.setattr(
            warnings, "showwarning", lambda m, c, f, n, *_: sys.stderr.write(warnings.formatwarning(m, c, f, n))
        )
        assert main(["simulate", "1", "x"]) == 0
    assert capsys.readouterr().err == "warning: the cohort is small\n"


# Running the commands


def test_simulate_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "cohort"
    words = ["simulate", "12", str(folder), "--days_per_person", "1", "--seed", "7", "--schema", "sensorlm-34"]
    assert main(words) == 0
    assert capsys.readouterr().out == f"Wrote simulated days to {folder}: 10 train, 1 validation, 1 test.\n"
    train = datasets.load_dataset("parquet", data_dir=str(folder / "data"), cache_dir=str(tmp_path / "c"))["train"]
    assert len(train) == 10
    assert train.features["values"].shape == (1440, 34)
    words[2] = str(tmp_path / "again")
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"folder": words[2], "days": {"train": 10, "validation": 1, "test": 1}}


def test_train_saves_model_and_prints_path(
    trained: Path, cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = json.loads((trained / "config.json").read_text())
    assert config["objective"] == "clip"
    assert config["text_config"]["max_position_embeddings"] == 64
    training = json.loads((trained / "training.json").read_text())
    assert (training["days_seen"], training["seed"]) == (16, 3)
    assert training["eval_loss"] > 0, "should not evaluate by default"
    assert sorted(path.name for path in trained.glob("checkpoint-*")) == ["checkpoint-2", "checkpoint-4"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", {"save_strategy": "epoch", "eval_strategy": "epoch", "num_train_epochs": 3.0, "logging_steps": 20}),
        ("--epochs 2 --batch-size 8", {"num_train_epochs": 2.0, "per_device_train_batch_size": 8}),
        ("--num-train-epochs 5", {"num_train_epochs": 5.0}),
        ("--save_steps 7", {"save_strategy": "steps", "save_steps": 7, "eval_strategy": "epoch"}),
        ("--save-steps=7 --eval_strategy no", {"save_strategy": "steps", "eval_strategy": "no"}),
        ("--eval_strategy steps --eval_steps 3", {"eval_strategy": "steps", "eval_steps": 3}),
        ("--save_strategy no --save_total_limit 9", {"save_strategy": "no", "save_total_limit": 9}),
        ("--learning_rate 1e-3 --cooldown_ratio 0.5", {"learning_rate": 1e-3, "cooldown_ratio": 0.5}),
    ],
)
def test_trainer_arguments(
    words: str, expected: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def pretrain(options: Any, arguments: Any, resume: bool, **others: Any) -> dict[str, Any]:
        asked.append(arguments)
        return {"parameters": 0, "days_seen": 0, "train_runtime": 0}

    monkeypatch.setattr("sensorlm_hf.training.pretrain", pretrain)
    assert main(["train", "--data", "simulated", "--output_dir", str(tmp_path), "--use_cpu", *words.split()]) == 0
    assert {name: getattr(asked[0], name) for name in expected} == expected
    assert asked[0].output_dir == str(tmp_path)


def test_killed_run_is_resumed(trained: Path, cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    killed = shutil.copytree(trained, tmp_path / "run")
    for name in ("model.safetensors", "training.json"):
        (killed / name).unlink()
    shutil.rmtree(killed / "checkpoint-4")
    capsys.readouterr()
    assert main([*TRAIN.split(), "--data", str(cohort), "--output-dir", str(killed), "--resume", "--json"]) == 0
    captured = capsys.readouterr()
    told = json.loads(captured.out)
    assert told["days_seen"] == 16
    assert "'loss'" in captured.err, "the log must not be mixed with the JSON"
    expected, found = load_file(trained / "model.safetensors"), load_file(killed / "model.safetensors")
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    # Another size would be a different model.
    words = [*TRAIN.split(), "--data", str(cohort), "--output-dir", str(killed), "--resume", "--size", "small"]
    assert "is of a model with another configuration" in error_message(words, capsys)


@pytest.mark.parametrize("extra", ["", "--init-from TRAINED --lora sensor"])
def test_train_scores_zero_shot_tasks(
    extra: str, trained: Path, cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*TRAIN.split(), *extra.replace("TRAINED", str(trained)).split(), "--data", str(cohort)]
    words += ["--output_dir", str(tmp_path / "run"), "--zero-shot", "activity, environment", "--json"]
    words += ["--eval_strategy", "steps", "--eval_steps", "2", "--load_best_model_at_end", "True"]
    words += ["--metric_for_best_model", "zero_shot_activity_f1", "--greater_is_better", "True"]
    capsys.readouterr()
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    names = {f"eval_zero_shot_{task}_{score}" for task in ("activity", "environment") for score in ("auroc", "f1")}
    assert names <= set(told)
    state = json.loads((tmp_path / "run" / "checkpoint-4" / "trainer_state.json").read_text())
    scored = [entry for entry in state["log_history"] if names <= set(entry)]
    assert [entry["step"] for entry in scored] == [2, 4]
    best = max(entry["eval_zero_shot_activity_f1"] for entry in scored)
    assert state["best_metric"] == told["eval_zero_shot_activity_f1"] == best


def test_train_prints_summary(cohort: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = f"--init_from {trained} --max_text_length 64 --caption-keys {CAPTION_KEYS} --save-dtype bfloat16"
    steps = "--batch-size 4 --use_cpu --disable_tqdm True --learning_rate 1e-4 --max_steps 1 --save_strategy no"
    capsys.readouterr()
    command = ["train", "--objective", "clip", "--data", str(cohort), "--output_dir", str(tmp_path)]
    assert main([*command, *words.split(), *steps.split()]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("Trained ")
    assert last.endswith(f"The model is in {tmp_path}.")
    assert " M parameters on 4 days in " in last
    assert "evaluation loss" in last
    training = json.loads((tmp_path / "training.json").read_text())
    assert training["options"]["caption_keys"] == {"high_level_summary_caption": 3.0, "low_level_caption": 1.0}
    assert json.loads((tmp_path / "config.json").read_text())["dtype"] == "bfloat16"


def test_evaluate_command(trained: Path, cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", "--model", str(trained), "--data", str(cohort), "--split", "train"]
    words += ["--tasks", "activity", "retrieval"]
    capsys.readouterr()
    assert main([*words, "--output", str(tmp_path / "results.json")]) == 0
    out = capsys.readouterr().out
    for word in ("activity", "AUROC", "chance", "0.500", "retrieval", "R@10"):
        assert word in out
    saved = json.loads((tmp_path / "results.json").read_text())
    assert saved["days"] == 20
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(f"{name} is not valid JSON"))
    for results in (saved, told):
        results.pop("seconds")
    assert told == saved
    assert "captioning" not in saved, "only the requested tasks should be evaluated"


def test_evaluate_packaged_model(cohort: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", "--data", str(cohort), "--split", "train", "--max-days", "4", "--caption-days", "0", "--json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["model"].endswith("sensorlm-coca")
    assert told["days"] == 4


# In a subprocess


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "sensorlm_hf.cli", *map(str, words)]


@pytest.mark.skipif(sys.platform == "win32", reason="requires SIGPIPE")
def test_broken_pipe_is_not_an_error(tmp_path: Path) -> None:
    """As in `sensorlm-hf simulate ... | true`."""
    process = subprocess.Popen(
        command("simulate", 1, tmp_path / "x", "--days-per-person", 1),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    error = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait() == 0, error
    assert "BrokenPipe" not in error


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="requires SIGKILL")
def test_killed_process_resumes_with_same_weights(cohort: Path, tmp_path: Path) -> None:
    words = [*TRAIN.replace("--max_steps 4", "--max_steps 40").split(), "--data", cohort]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(command(*words, "--output_dir", whole), check=True, capture_output=True)
    process = subprocess.Popen(
        command(*words, "--output_dir", killed), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 300
    while not (killed / "checkpoint-6").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the run ended before it could be killed"
    assert not (killed / "model.safetensors").exists()
    subprocess.run(command(*words, "--output_dir", killed, "--resume"), check=True, capture_output=True)
    expected, found = load_file(whole / "model.safetensors"), load_file(killed / "model.safetensors")
    assert all(torch.equal(expected[name], found[name]) for name in expected)
