"""The example that uses exported files, in a process that cannot import torch, transformers or the package."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from transformers import pipeline

from sensorlm_hf import simulate_days
from sensorlm_hf.checkpoints import demo_checkpoint
from sensorlm_hf.cli import main

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "onnx_day.py"

ALONE = f"""
import runpy, sys
for name in ("torch", "transformers", "sensorlm_hf", "huggingface_hub", "datasets"):
    sys.modules[name] = None  # importing it fails
sys.argv = [{EXAMPLE.name!r}, "exported", "day.npy", "--labels", "running, swimming, yoga", "--tokens", "40"]
runpy.run_path({str(EXAMPLE)!r}, run_name="__main__")
"""


def test_example_is_short_and_imports_little() -> None:
    tree = ast.parse(EXAMPLE.read_text(encoding="utf-8"))
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            modules.add(str(node.module).split(".")[0])
        elif isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
    assert modules == {"__future__", "argparse", "json", "numpy", "onnxruntime", "pathlib", "tokenizers"}
    (read_day,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "read_day")
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()[read_day.body[1].lineno - 1 : read_day.end_lineno]
    assert sum(bool(line.strip()) for line in lines) <= 20


@pytest.mark.slow
def test_example_answers_like_the_pipelines(tmp_path: Path) -> None:
    for name in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(name, reason="needs ONNX: pip install 'sensorlm-hf[export]'")
    assert main(["export", "--output-dir", str(tmp_path / "exported")]) == 0
    day = simulate_days(1, seed=2024)[0]
    np.save(tmp_path / "day.npy", day.values)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", ALONE], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    *scores, caption = done.stdout.splitlines()
    options = {"model": str(demo_checkpoint()), "dtype": "float32"}
    answers = pipeline("zero-shot-sensor-classification", **options)(day, ["running", "swimming", "yoga"])
    assert scores == [f"{answer['score']:.3f} {answer['label']}" for answer in answers]
    written = pipeline("sensor-captioning", **options)(day, max_new_tokens=40)[0]["generated_text"]
    assert caption.lower() == written.lower()  # the tokens are lower case, and the pipeline writes capitals
