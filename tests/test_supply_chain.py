"""What is loaded and how: no pickle, safe loaders, no remote code unless the user asks for it."""

from __future__ import annotations

import ast
import configparser
import importlib.metadata
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from packaging.requirements import Requirement
from packaging.version import Version

from sensorlm_hf.checkpoints import demo_checkpoint
from sensorlm_hf.data.readers import read_table
from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.modeling import load_pretrained
from sensorlm_hf.processing import SensorLMProcessor

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(
    path for folder in ("src", "dataset_scripts", "examples") for path in (ROOT / folder).rglob("*.py")
)  # fmt: skip

PICKLES = ("pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve")

MAY_PICKLE = {"cohorts_ray.py", "recordings_ray.py"}
"""Files that send objects between the processes of a Ray cluster, which pickles all of its messages."""

MAY_TRUST = {"sensor_pipeline_parts.py"}
"""Loads the processor of a model whose own remote code the user has trusted already."""


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Yields the calls in a file with their dotted names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def keywords(call: ast.Call) -> dict[str, str]:
    return {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg}


def test_sources_are_found() -> None:
    assert len(SOURCES) > 200


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_loaded_safely(path: Path) -> None:
    for name, call in calls(path):
        options, where = keywords(call), f"{path.name}:{call.lineno}: {name}"
        module, _, function = name.rpartition(".")
        assert (
            module not in ("pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve") or path.name in MAY_PICKLE
        ), where
        assert function not in ("read_pickle", "extractall", "system", "popen"), where
        assert name not in ("eval", "exec", "compile", "__import__"), where
        assert options.get("allow_pickle", "False") == "False", where
        assert options.get("trust_remote_code", "False") != "True", where
        assert options.get("shell", "False") == "False", where
        if name == "torch.load":
            assert options.get("weights_only") == "True", where
        if module == "yaml" and function.startswith("load"):
            raise AssertionError(f"{where}: use yaml.safe_load")


def test_remote_code_is_passed_on_only_where_the_user_trusted_it() -> None:
    setting = [path.name for path in SOURCES if '["trust_remote_code"] = True' in path.read_text(encoding="utf-8")]
    assert set(setting) == MAY_TRUST


def test_nothing_is_unpickled_to_use_a_model_and_a_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "day.csv"
    table.write_text("time,heart_rate\n" + "".join(f"2024-03-01 {h:02d}:00:00Z,{60 + h}\n" for h in range(24)))

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("something was unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(torch.serialization, "_legacy_load", refuse)
    model = load_pretrained(demo_checkpoint(), dtype=torch.float32).eval()
    processor = SensorLMProcessor.from_pretrained(demo_checkpoint())
    inputs = processor(sensor=simulate_days(1, seed=0), text=["running"], return_tensors="pt", padding=True)
    assert torch.isfinite(model(**inputs).logits_per_sensor).all()
    assert len(list(read_table(table))) == 1


def test_shipped_weights_are_safetensors() -> None:
    suffixes = {path.suffix for path in Path(demo_checkpoint()).rglob("*") if path.is_file()}
    assert suffixes <= {".safetensors", ".json", ".md", ".txt"}
    assert "auto_map" not in json.loads((Path(demo_checkpoint()) / "config.json").read_text(encoding="utf-8"))


def requirements() -> list[Requirement]:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = config["options"]["install_requires"].splitlines()
    return [Requirement(line.split("#")[0].strip()) for line in lines if line.strip()]


def test_every_requirement_has_a_lower_bound_and_no_upper_one() -> None:
    for requirement in requirements():
        operators = {specifier.operator for specifier in requirement.specifier}
        assert operators == {">="}, f"{requirement}: give a lower bound only"


def test_installed_versions_meet_the_lower_bounds() -> None:
    for requirement in requirements():
        if requirement.marker is None or requirement.marker.evaluate():
            version = Version(importlib.metadata.version(requirement.name))
            assert requirement.specifier.contains(version, prereleases=True), f"{requirement}: {version} is installed"
