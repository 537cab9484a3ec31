"""The core works without optional packages, and features that need one explain how to install it."""

from __future__ import annotations

import ast
import configparser
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from sensorlm_hf._extras import requires_extra

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / "src" / "sensorlm_hf").rglob("*.py"))

IMPORT_NAMES = {
    "faiss-cpu": "faiss",
    "huggingface-hub": "huggingface_hub",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
}
COME_WITH = {"fsspec": "datasets", "nltk": "rouge-score", "packaging": "transformers"}
"""Transitive dependencies that are imported directly, and the requirement that installs them."""


def requirements() -> tuple[set[str], dict[str, set[str]]]:
    """Modules of the core requirements, and of each extra excluding those inherited from other extras."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")

    def modules(lines: str) -> set[str]:
        names = [Requirement(line).name for line in lines.split("\n") if line]
        return {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in names if name != "sensorlm-hf"}

    extras = {name: modules(lines) for name, lines in setup["options.extras_require"].items()}
    return modules(setup["options"]["install_requires"]), extras


OPTIONAL = {
    name
    for extra in ("completion", "eval", "plot", "search", "signals", "train", "units")
    for name in requirements()[1][extra]
}

# A finder that hides some packages simulates an environment without them.
WITHOUT = f"""
import importlib.machinery, sys

class Finder(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in {sorted(OPTIONAL)} else super().find_spec(name, path, target)

sys.meta_path = [Finder if finder is importlib.machinery.PathFinder else finder for finder in sys.meta_path]
"""

USE = (
    WITHOUT
    + """
import json, sys
import sensorlm_hf

result = {"loaded": sorted({"datasets", "matplotlib", "pandas", "pyarrow"} & set(sys.modules))}
import numpy as np
from transformers import pipeline
from sensorlm_hf.data.readers import read_table

day = sensorlm_hf.simulate_days(1, seed=2024)[0]
with open("table.csv", "w") as file:
    file.write("time,HR\\n" + "".join(f"2024-03-01T{m // 60:02}:{m % 60:02}:00+01:00,62\\n" for m in range(1440)))
result["read"] = [one.values.shape for one in read_table("table.csv", time_column="time", timezone="Europe/Berlin")]
classify = pipeline("zero-shot-sensor-classification", model="sensorlm-coca")
result["scores"] = sum(answer["score"] for answer in classify(day, candidate_labels=["running", "yoga"]))
result["array"] = len(classify(day.values, candidate_labels=["running", "yoga"]))
result["embedding"] = pipeline("sensor-feature-extraction", model="sensorlm-coca")(day).shape
result["written"] = pipeline("sensor-captioning", model="sensorlm-coca")(day, max_new_tokens=4)[0]["generated_text"]
result["built"] = sensorlm_hf.CaptionBuilder(key="high_middle_low_caption")(day)
result["rows"] = sensorlm_hf.write_days([day], "days") and sensorlm_hf.load_sensor_days("days", split="train").num_rows

def says(use):
    try:
        use()
    except ImportError as error:
        return str(error)

def beats():
    from sensorlm_hf.data.signals import ppg_beats
    ppg_beats(np.zeros(640), 64.0)

def kelvin():
    from sensorlm_hf.data.readers.units import convert_units
    convert_units(np.zeros(1), "kelvin", "degC", "here")

def completion():
    from sensorlm_hf.cli import build_parser
    from sensorlm_hf.commands.completion import completion_script
    completion_script(build_parser(), "bash")

result["errors"] = {
    "train": [says(lambda: sensorlm_hf.SensorLMTrainer), says(lambda: sensorlm_hf.SensorLMTrainingArguments)],
    "eval": [says(lambda: __import__("sensorlm_hf.evaluation", fromlist=[name]).__getattr__(name))
             for name in ("evaluate_model", "evaluate_probe", "ZeroShotCallback")],
    "plot": [says(lambda: __import__("sensorlm_hf.plotting"))],
    "signals": [says(beats)],
    "units": [says(kelvin)],
    "completion": [says(completion)],
}
from sensorlm_hf.evaluation import encode_days, get_task  # what needs nothing more is there
print(json.dumps(result))
"""
)


def test_core_works_without_optional_packages(tmp_path: Path) -> None:
    paths = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", USE],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "cache")},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["loaded"] == [], "importing the package should not import modules for datasets, readers and plots"
    assert result["read"] == [[1440, 26]]
    assert result["scores"] == pytest.approx(1)
    assert result["array"] == 2
    assert result["embedding"] == [192]
    assert result["written"]
    assert result["built"].startswith("The log lists")
    assert result["rows"] == 1
    for extra, messages in result["errors"].items():
        for message in messages:
            assert message is not None, extra
            assert f"pip install 'sensorlm-hf[{extra}]'" in message
            assert "which is not installed" in message


def test_missing_package_error_has_install_command() -> None:
    with (
        pytest.raises(
            ImportError, match=r"^Probing needs scikit-learn, which is not installed: pip install 'sen.*al\]'\.$"
        ),
        requires_extra("eval", "Probing"),
    ):
        raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn.metrics")
    with (
        pytest.raises(ImportError, match=r"failed to load \(bad libc\): pip install 'sensorlm-hf\[x\]', or wait\."),
        requires_extra("x", "It", "wait"),
    ):
        raise ImportError("bad libc")
    with pytest.raises(ValueError, match="another error"), requires_extra("x", "It"):
        raise ValueError("another error")


def imports_of(tree: ast.AST) -> set[str]:
    """Modules imported by a code fragment, except those of the package itself."""
    found: set[str] = set()
    for_types = [
        node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    ]
    unused = {id(inner) for node in for_types for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in unused:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").split(".")[0])
    return found - set(sys.stdlib_module_names) - {"sensorlm_hf"}


def test_every_import_is_a_declared_requirement() -> None:
    """Either in the core requirements or in the extra given to `requires_extra`."""
    hard, extras = requirements()
    hard |= {name for name, carrier in COME_WITH.items() if carrier.replace("-", "_") in hard}
    extras["eval"].add("nltk")
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        guarded: set[str] = set()
        for node in ast.walk(tree):
            if not isinstance(node, ast.With) or not isinstance(call := node.items[0].context_expr, ast.Call):
                continue
            if isinstance(call.func, ast.Name) and call.func.id == "requires_extra":
                extra = ast.literal_eval(call.args[0])
                names = {name for statement in node.body for name in imports_of(statement)}
                assert names - hard <= extras[extra], f"{path.name}: the extra [{extra}] does not include them"
                guarded |= names
        part = path.relative_to(ROOT / "src" / "sensorlm_hf").parts[0]
        of_the_package = {"plotting": extras["plot"], "training": extras["train"]}.get(part, set())
        if path.name == "evaluate_module.py":  # these files are loaded by `evaluate`
            of_the_package = extras["eval"]
        assert imports_of(tree) - guarded - hard - of_the_package == set(), path
