"""The guide examples run as written, are short, and are documented."""

from __future__ import annotations

import ast
import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoModel, AutoProcessor

import sensorlm_hf

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
GUIDES = ("zero_shot", "retrieval", "pretrain", "linear_probe", "own_csv", "push_to_hub")
SHORT = (*GUIDES, "captions", "lora", "train_accelerate")
"""One example per feature of the package; the others are research recipes."""

MAX_LINES = 100


Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs an example in an empty folder like `python examples/NAME.py ...` and returns its output."""
    monkeypatch.chdir(tmp_path)

    def run_(name: str, *arguments: str, status: int = 0) -> str:
        path = EXAMPLES / f"{name}.py"
        monkeypatch.setattr(sys, "argv", [str(path), *arguments])
        code = 0
        try:
            runpy.run_path(str(path), run_name="__main__")
        except SystemExit as stop:
            code = int(stop.code or 0)
        printed = capsys.readouterr()
        assert code == status, printed.err
        return printed.err if status else printed.out

    return run_


@pytest.mark.parametrize("name", SHORT)
def test_examples_are_short_and_documented(name: str) -> None:
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    assert f"python examples/{name}.py" in (ast.get_docstring(ast.parse(text)) or "")


def test_zero_shot_example(run: Run, tmp_path: Path) -> None:
    out = run("zero_shot", "--people", "2", "--labels", "yoga, running")
    assert "sim2024-000000@2023-09-09T13:34-0400" in out
    assert re.search(r"yoga 0\.\d\d, running 0\.\d\d", out)


def test_retrieval_example(run: Run, tmp_path: Path) -> None:
    out = run("retrieval", "a day with swimming", "--days", "40", "--pool", "20")
    assert len(re.findall(r"^  0\.\d\d  sim", out, flags=re.M)) == 5
    assert re.search(r"chance +R@1 0\.05", out)


def test_pretrain_example_saves_model(run: Run, tmp_path: Path) -> None:
    out = run("pretrain", "--output_dir", "m", "--people", "12", "--batch_size", "16")
    loss = float(re.findall(r"Evaluation loss ([\d.]+)\.", out)[0])
    assert 0 < loss < 50
    model, processor = AutoModel.from_pretrained(tmp_path / "m"), AutoProcessor.from_pretrained(tmp_path / "m")
    assert model.config.objective == "coca"
    inputs = processor(sensor=sensorlm_hf.simulate_days(1, seed=1)[0], return_tensors="pt")
    assert torch.isfinite(model.get_sensor_features(**inputs).pooler_output).all()


def test_linear_probe_example(run: Run, tmp_path: Path) -> None:
    out = run("linear_probe", "--people", "60")
    score, chance = map(float, re.findall(r"balanced accuracy ([\d.]+) .* chance is ([\d.]+)", out)[0])
    assert score > chance
    error = run("linear_probe", "--people", "5", "--label", "height", status=2)
    assert "no label 'height'; available labels are" in error


def test_lora_example(run: Run, tmp_path: Path) -> None:
    out = run("lora", "--output_dir", "adapter", "--people", "24", "--epochs", "1")
    assert "trainable params" in out
    assert (tmp_path / "adapter" / "adapter_model.safetensors").stat().st_size < 20e6
    assert (tmp_path / "adapter" / "processor_config.json").is_file()


def test_own_csv_example(run: Run, tmp_path: Path) -> None:
    out = run("own_csv")
    assert "heart rate: 98% of the minutes" in out
    assert "running" in out
    assert "heart rate" in out
    assert (tmp_path / "my_day.svg").stat().st_size > 10_000
    minutes = pd.date_range("2024-03-01", periods=1440, freq="min")
    pd.DataFrame({"t": minutes, "bpm": np.full(1440, 60.5)}).to_csv(tmp_path / "other.csv", index=False)
    arguments = ("other.csv", "--timezone", "Asia/Tokyo", "--time_column", "t", "--columns", "bpm=HR")
    assert "2024-03-01T00:00+0900" in run("own_csv", *arguments)


def test_push_example_with_local_folder(run: Run, tmp_path: Path) -> None:
    out = run("push_to_hub", "--to", "copy", "--local")
    assert "gives the same embedding" in out
    assert (tmp_path / "copy" / "README.md").is_file()
    assert (tmp_path / "copy" / "model.safetensors").is_file()
    assert "is not empty" in run("push_to_hub", "--to", "copy", "--local", status=2)


@pytest.mark.slow
def test_notebook_runs(tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    path = EXAMPLES / "quickstart.ipynb"
    notebook = nbformat.read(path, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "notebook outputs should not be committed"
    nbformat.validate(notebook)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs), "the day should be drawn"
    assert any("yoga" in str(output) for output in outputs)
