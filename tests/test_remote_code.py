"""Model repositories in clean environments without the package, with the oldest and newest supported transformers."""

from __future__ import annotations

import configparser
import json
import os
import re
import venv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForMultimodalLM, pipeline

from sensorlm_hf import (
    SensorLMForConditionalGeneration,
    SensorLMForSensorClassification,
    SensorLMProcessor,
    hub,
    simulate_days,
)
from sensorlm_hf.checkpoints import demo_checkpoint
from test_hub import CAPTION, EMBED, LOAD, TINY, ZERO_SHOT
from test_install import ROOT, run

TEXTS = ["a day with running", "a quiet day with 7.5 hours of sleep"]

DEMO = """
import importlib.util, json
import numpy as np, torch, transformers
from transformers import AutoModel, pipeline
for name in ("sensorlm_hf", "datasets", "pandas", "scipy"):
    assert importlib.util.find_spec(name) is None, name
trust = {"trust_remote_code": True, "dtype": torch.float32}
day = np.load("day.npy")
model = AutoModel.from_pretrained("demo", **trust)
assert type(model).__module__.startswith("transformers_modules."), type(model).__module__
json.dump({
    "transformers": transformers.__version__,
    "embedding": np.asarray(pipeline("sensor-feature-extraction", model="demo", **trust)(day)).tolist(),
    "scores": pipeline("zero-shot-sensor-classification", model="demo", **trust)(day, ["running", "yoga"]),
    "caption": pipeline("sensor-captioning", model="demo", **trust)(day, max_new_tokens=20)[0]["generated_text"],
}, open("demo.json", "w"))
"""

pytestmark = pytest.mark.slow


def lowest_transformers() -> str:
    """The lower bound in setup.cfg."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    (bound,) = re.findall(r"^transformers>=([\d.]+)$", setup["options"]["install_requires"], flags=re.M)
    return bound


def newest_transformers() -> str:
    """The newest version in constraints.txt."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    versions = re.findall(r"^transformers==([\d.]+)", text, flags=re.M)
    return max(versions, key=lambda version: [int(part) for part in version.split(".")])


def clean_environment(folder: Path, version: str) -> Path:
    """Installs torch and transformers alone, and returns the interpreter."""
    venv.create(folder, with_pip=True)
    interpreter = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    kept = folder / "constraints.txt"
    kept.write_text("\n".join(line for line in constraints if not line.startswith("transformers==")))
    pip = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", kept]
    run([*pip, "torch", f"transformers=={version}"], folder)
    return interpreter


@pytest.mark.parametrize("version", [lowest_transformers(), newest_transformers()])
def test_repositories_load_without_package(version: str, tmp_path: Path) -> None:
    python = clean_environment(tmp_path / "clean", version)
    check_tiny_repository(python, tmp_path / "tiny")
    check_demo_repository(python, tmp_path / "shipped", version)


def offline(folder: Path) -> dict[str, str]:
    return {"HF_HUB_OFFLINE": "1", "HF_MODULES_CACHE": str(folder / "modules"), "OMP_NUM_THREADS": "1"}


def check_tiny_repository(python: Path, folder: Path) -> None:
    """Every Auto class and pipeline: what `test_hub` checks in the environment of the tests."""
    model = SensorLMForConditionalGeneration.from_pretrained(TINY, dtype=torch.float32)
    processor = SensorLMProcessor.from_pretrained(TINY)
    hub.save_repository(model, processor, folder / "repo")
    probe = SensorLMForSensorClassification.from_pretrained(TINY, num_labels=3, dtype=torch.float32)
    hub.save_repository(probe, processor, folder / "probe")
    values = np.stack([day.values for day in simulate_days(2, seed=5)])
    np.save(folder / "days.npy", values)
    (folder / "texts.json").write_text(json.dumps(TEXTS))
    run([python, "-c", LOAD], folder, offline(folder))
    out = json.loads((folder / "out.json").read_text())
    with torch.no_grad():
        inputs = processor(sensor=values, text=TEXTS)
        expected = model.eval()(**inputs)
        classes = probe.eval()(inputs["sensor_values"], inputs["sensor_mask"]).logits
    close: dict[str, Any] = {"atol": 1e-5, "rtol": 1e-4}
    np.testing.assert_allclose(out["sensor_embeds"], expected.sensor_embeds, **close)
    np.testing.assert_allclose(out["logits"], expected.logits, **close)
    np.testing.assert_allclose(out["classes"], classes, **close)
    text = pipeline(CAPTION, model=model, processor=processor)(values[0], max_new_tokens=6)[0]["generated_text"]
    assert out["text"] == text


def check_demo_repository(python: Path, folder: Path, version: str) -> None:
    """The shipped model, with its pretrained sentence encoder."""
    source = demo_checkpoint()
    model = AutoModelForMultimodalLM.from_pretrained(source, dtype=torch.float32)
    processor = SensorLMProcessor.from_pretrained(source)
    hub.save_repository(model, processor, folder / "demo")
    day = simulate_days(1, seed=2024)[0].values
    np.save(folder / "day.npy", day)
    run([python, "-c", DEMO], folder, offline(folder))
    out = json.loads((folder / "demo.json").read_text())
    assert out["transformers"].startswith(version)
    parts = {"model": model, "processor": processor}
    np.testing.assert_allclose(out["embedding"], pipeline(EMBED, **parts)(day), atol=1e-5)
    scores = {answer["label"]: answer["score"] for answer in pipeline(ZERO_SHOT, **parts)(day, ["running", "yoga"])}
    assert {answer["label"]: answer["score"] for answer in out["scores"]} == pytest.approx(scores, abs=1e-4)
    assert out["caption"] == pipeline(CAPTION, **parts)(day, max_new_tokens=20)[0]["generated_text"]
