"""The example scripts."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import load_file
from transformers import pipeline

from sensorlm_hf import simulate_days
from sensorlm_hf.checkpoints import demo_checkpoint, records_folder, training_record
from sensorlm_hf.evaluation import related_result
from sentence_encoders import tiny_encoder

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
TRAIN_DEMO = EXAMPLES / "train_demo.py"


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", ["examples/train_demo.py", *map(str, words)])
    runpy.run_path(str(TRAIN_DEMO), run_name="__main__")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_every_example_has_help(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [path.name, "--help"])
    with pytest.raises(SystemExit) as done:
        runpy.run_path(str(path), run_name="__main__")
    assert done.value.code == 0
    assert f"python examples/{path.name}" in capsys.readouterr().out


def test_publish_replaces_model_without_checkpoints(tmp_path: Path) -> None:
    publish = runpy.run_path(str(TRAIN_DEMO), run_name="example")["publish"]
    run_dir, target = tmp_path / "run", tmp_path / "shipped"
    (run_dir / "checkpoint-9").mkdir(parents=True)
    for name in ("config.json", "training.json", "evaluation.json"):
        (run_dir / name).write_text("new")
    target.mkdir()
    (target / "config.json").write_text("old")
    (target / "gone.json").write_text("old")
    (tmp_path / "link").symlink_to("shipped")
    publish(run_dir, tmp_path / "link")
    assert {path.name: path.read_text() for path in target.iterdir()} == {"config.json": "new"}
    assert sorted(path.name for path in records_folder(tmp_path / "link").iterdir()) == [
        "evaluation.json",
        "training.json",
    ]
    assert (tmp_path / "link").is_symlink()
    assert not list(tmp_path.glob("*.partial"))


def demo_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str
) -> tuple[dict[str, Any], list[Any], list[Any]]:
    """Returns the demo script and the warm-ups and runs that it would start, without executing them."""
    example = runpy.run_path(str(TRAIN_DEMO), run_name="example")
    warmups: list[Any] = []
    runs: list[Any] = []

    def prepare(options: Any, output: Path, **_: Any) -> Any:
        output.mkdir(parents=True, exist_ok=True)
        model = SimpleNamespace(device="cpu")
        return SimpleNamespace(model=model, processor=None, train=[None] * 34_000, collator=options)

    names = example["train"].__globals__
    monkeypatch.setitem(names, "prepare", prepare)
    monkeypatch.setitem(names, "save_model", lambda *a: None)
    monkeypatch.setitem(names, "warm_up_text_tower", lambda *a, **k: warmups.append((a[2], k)) or {})
    monkeypatch.setitem(names, "pretrain", lambda *a, **k: runs.append((a, k)))
    given = example["arguments"]().parse_args(["--output_dir", "x", *words])
    example["train"](given, folder, f"simulated:{given.people}:{given.seed}")
    return example, warmups, runs


def test_demo_training_matches_shipped_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The warm-up and stages of the example match those of the shipped model."""
    example, warmups, runs = demo_runs(tmp_path, monkeypatch)
    record = training_record(demo_checkpoint())
    assert record is not None
    joint = json.loads(json.dumps(example["JOINT_OPTIONS"]))
    assert {name: record["joint"][name] for name in joint} == joint
    assert record["joint"]["steps"] == example["JOINT_STEPS"]
    assert record["joint"]["days_seen"] == example["JOINT_STEPS"] * example["JOINT_BATCH"]
    assert record["sentence_encoder"]["steps"] == example["ENGLISH_STEPS"]
    assert ("decoder" in record) == (example["OPENING_STEPS"] > 0)

    def recorded(options: Any) -> None:
        theirs = {name: value for name, value in record["options"].items() if name != "init_from"}
        assert {name: value for name, value in options.as_json().items() if name in theirs} == theirs

    for (options, arguments), keywords in reversed(runs):
        recorded(options)
        assert arguments.seed == record["seed"]
        assert arguments.num_train_epochs == pytest.approx(record["epoch"], rel=0.01)
        assert keywords == {"resume": False}
        record = record["started_from"]
    ((options, keywords),) = warmups
    recorded(options)
    assert keywords["steps"] == record["steps"]
    assert keywords["steps"] * keywords["batch_size"] == record["days_seen"]
    assert "started_from" not in record
    folders = [str(tmp_path / name) for name in ("0-reading", *(stage.name for stage in example["STAGES"]))]
    assert [arguments.output_dir for (_, arguments), _ in runs] == folders[1:]
    assert [options.init_from for (options, _), _ in runs] == folders[:-1]


def test_completed_stages_are_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example, warmups, runs = demo_runs(tmp_path, monkeypatch)
    assert (len(warmups), len(runs)) == (1, len(example["STAGES"]))
    first = tmp_path / example["STAGES"][0].name
    first.mkdir()
    (first / "training.json").write_text("{}")
    _, warmups, runs = demo_runs(tmp_path, monkeypatch, "--resume")
    assert (len(warmups), len(runs)) == (0, len(example["STAGES"]) - 1)
    assert runs[0][0][0].init_from == str(first)
    assert all(keywords == {"resume": True} for _, keywords in runs)


def test_card_command_reproduces_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluation and resume options and default values are omitted."""
    example = runpy.run_path(str(TRAIN_DEMO), run_name="example")
    words = ["--output_dir", "my model", "--seed", "1", "--evaluate_only", "--related", "a.json", "b.json", "--resume"]
    monkeypatch.setattr(
        sys, "argv", ["examples/train_demo.py", *words, "--run_dir", "elsewhere", "--sentence_encoder", "here"]
    )
    parser = example["arguments"]()
    told = example["command"](parser, parser.parse_args())
    assert told == "python examples/train_demo.py --output_dir 'my model' --seed 1"


@pytest.mark.slow
def test_demo_model_from_simulation_to_model_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    target, run_dir = tmp_path / "my-sensorlm", tmp_path / "run"
    rows = tmp_path / "rows.json"
    rows.write_text(
        json.dumps({"rows": [related_result("days of my own", "AUROC", 0.75, "python mine.py", chance=0.5)]})
    )
    words = ["--output_dir", target, "--run_dir", run_dir, "--people", 30, "--epochs", 1, "--batch_size", 16]
    words += [
        "--related",
        rows,
        "--english_steps",
        2,
        "--joint_steps",
        2,
        "--opening_steps",
        2,
        "--sentence_encoder",
        tiny_encoder(tmp_path / "all-tiny"),
    ]
    run(monkeypatch, *words)
    out = capsys.readouterr().out
    assert "| zero-shot activity | AUROC |" in out
    assert out.endswith(f"The model was saved to {target}.\n")
    assert not list(target.glob("checkpoint-*"))
    assert {tensor.dtype for tensor in load_file(target / "model.safetensors").values()} == {torch.bfloat16}
    assert sum(path.stat().st_size for path in target.iterdir()) < 20e6, (
        "a shipped model should stay within the size limit"
    )
    card = ModelCard.load(target / "README.md")
    assert card.data.eval_results
    assert "simulated:30:0" in card.text
    assert "| sentence encoder | all-tiny, aligned with the sensor tower" in card.text
    assert "| joint tuning | 2 steps of 16 days" in card.text
    assert "| free-English activities (" in card.text  # pairs of concepts need 40 days
    assert "| days of my own | AUROC | 0.750 | 0.500 | `python mine.py` |" in card.text
    assert "| activity, supervised: gradient boosting on summary features" in card.text
    day = simulate_days(1, seed=5)[0]
    answers = pipeline("zero-shot-sensor-classification", model=str(target))(day, candidate_labels=["running", "yoga"])
    assert sum(answer["score"] for answer in answers) == pytest.approx(1, abs=1e-3)
    # The last stages can go on from a published model.
    run(
        monkeypatch,
        *("--output_dir", tmp_path / "later" / "my-sensorlm", "--run_dir", tmp_path / "more", "--start_from", target),
        *("--people", 30, "--batch_size", 16, "--joint_steps", 1, "--opening_steps", 1, "--ceiling_days", 0),
    )
    later = json.loads((records_folder(tmp_path / "later" / "my-sensorlm") / "training.json").read_text())
    assert later["joint"]["started_from"] == "my-sensorlm"
    assert "sentence_encoder" in later
    # The same run is not started again, but can be re-evaluated.
    with pytest.raises(FileExistsError, match="Resume the run"):
        run(monkeypatch, *words)
    before = json.loads((records_folder(target) / "evaluation.json").read_text())
    run(monkeypatch, *words, "--evaluate_only")
    after = json.loads((records_folder(target) / "evaluation.json").read_text())
    assert {**before, "seconds": 0} == {**after, "seconds": 0}
