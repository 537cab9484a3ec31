"""The study scripts, which train several models, with tiny settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import GPT2Config, GPT2LMHeadModel

from sensorlm_hf.processing import train_tokenizer

STUDIES = Path(__file__).resolve().parents[2] / "examples" / "studies"
SCRIPTS = ("ablations", "baselines", "scaling", "unseen_classes")
TINY = {
    "patch_minutes": 120,
    "patch_channels": 26,
    "sensor_config": {"num_hidden_layers": 1},
    "text_config": {"num_hidden_layers": 1},
}
SMALL = {**TINY, "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2}


def run(name: str, *arguments: object) -> str:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(STUDIES / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def run_and_fail(name: str, *arguments: object) -> str:
    command = [sys.executable, str(STUDIES / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    assert done.returncode != 0
    return done.stderr


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_has_help(name: str) -> None:
    assert f"python examples/studies/{name}.py" in run(f"{name}.py", "--help")
    assert f"`{name}.py`" in (STUDIES / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_ablation_script(tmp_path: Path) -> None:
    arguments = ("--output_dir", tmp_path / "a", "--data", "simulated:60:5", "--levels", "semantic + statistical",
                 "--objectives", "cap", "siglip", "coca", "--max_steps", 2, "--batch_size", 8,
                 "--max_text_length", 48, "--caption_days", 3, "--overrides", json.dumps(SMALL))  # fmt: skip
    out = run("ablations.py", *arguments)
    rows = json.loads((tmp_path / "a" / "ablations.json").read_text())["rows"]
    assert [(row["kind"], row["name"]) for row in rows] == [
        ("levels", "semantic + statistical"),
        ("objective", "cap"),
        ("objective", "siglip"),
        ("objective", "coca"),
    ]
    assert rows[1]["zero_shot_activity"] is rows[1]["R@1_own"] is None
    assert rows[2]["faithfulness"] is None
    assert 0 <= rows[2]["R@1_own"] <= 1
    same = [{name: value for name, value in row.items() if name not in ("kind", "name")} for row in rows]
    assert same[0] == same[3]  # one model is shared by both studies
    assert len(list((tmp_path / "a").glob("*/model/model.safetensors"))) == 3
    text = (tmp_path / "a" / "ablations.md").read_text()
    assert out.endswith(text)
    assert run("ablations.py", *arguments) == text  # nothing is retrained, so the trainer prints nothing


@pytest.mark.slow
def test_scaling_script(tmp_path: Path) -> None:
    run("scaling.py", "--output_dir", tmp_path / "s", "--people", 20, 60, "--widths", 32, 64, "--test_people", 40,
        "--max_steps", 2, "--batch_size", 8, "--max_text_length", 48, "--overrides", json.dumps(TINY))  # fmt: skip
    result = json.loads((tmp_path / "s" / "scaling.json").read_text())
    assert len(result["rows"]) == 3
    assert set(result["fits_of_1_minus_auroc"]) == {"data", "model size", "compute"}
    pictures = {path.name for path in (tmp_path / "s").glob("*.svg") if path.stat().st_size > 1000}
    assert pictures == {"scaling-data.svg", "scaling-model-size.svg", "scaling-compute.svg"}


@pytest.mark.slow
def test_unseen_classes_script(tmp_path: Path) -> None:
    arguments = ("--output_dir", tmp_path / "u", "--data", "simulated:300:5", "--max_steps", 2, "--batch_size", 8,
                 "--card_rows", tmp_path / "rows.json")  # fmt: skip
    out = run("unseen_classes.py", *arguments)
    record = json.loads((tmp_path / "u" / "model" / "training.json").read_text())
    assert "hiking" in record["options"]["held_out_activities"]
    assert "days of held-out activities" in out
    assert "  pilates " in out
    (row,) = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert 0 <= row["interval"][0] <= row["value"] <= row["interval"][1] <= 1


@pytest.mark.slow
def test_baselines_are_added_to_table(tmp_path: Path) -> None:
    from sensorlm_hf.cli import main

    tokenizer = train_tokenizer(["time, heart rate (bpm), 12:00, 71.3 One of these describes the day: walking"] * 3)
    tokenizer.save_pretrained(tmp_path / "llm")
    config = GPT2Config(vocab_size=len(tokenizer), n_positions=1024, n_embd=16, n_layer=1, n_head=1)
    GPT2LMHeadModel(config).save_pretrained(tmp_path / "llm")
    data, report = "simulated:60:5", tmp_path / "report"
    assert main(["evaluate", "--data", data, "--tasks", "activity", "--output-dir", str(report)]) == 0
    run("baselines.py", "--report", report, "--data", data, "--steps", 2, "--batch_size", 4, "--max_days", 24, "--llm",
        tmp_path / "llm", "--llm_minutes", 360, "--card_rows", tmp_path / "rows.json")  # fmt: skip
    text = (report / "report.md").read_text()
    for name in ("same tower, supervised", "SimCLR", "masked autoencoder", "model, prompted", "model, LoRA"):
        assert name in text
    rows = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert len(rows) == 5
    assert all(0 <= row["interval"][0] <= row["value"] <= row["interval"][1] <= 1 for row in rows)
    missing = run_and_fail("baselines.py", "--report", tmp_path / "none", "--data", data)
    assert "does not contain an evaluation; run" in missing
