"""The package as its users get it: built, installed into a clean environment, used offline from an empty folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("src", "setup.cfg", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in")
SHIPPED = (
    "sensorlm_hf/py.typed",
    "sensorlm_hf/cli.py",
    "sensorlm_hf/processing/captions/languages/de.py",
    "sensorlm_hf/processing/captions/languages/en.py",
    "sensorlm_hf/evaluation/metrics/captioning.py",
    "sensorlm_hf/evaluation/metrics/evaluate_module.py",
    "sensorlm_hf/evaluation/metrics/scores.py",
)

# A socket that connects to nothing stands for a machine without a network, whatever the environment variables say.
USE = """
import json, socket, sys

def refuse(*args, **kwargs):
    raise OSError("this test has no network")

socket.socket.connect = socket.socket.connect_ex = socket.create_connection = socket.getaddrinfo = refuse

import sensorlm_hf
from transformers import pipeline

classifier = pipeline("zero-shot-sensor-classification")
day = sensorlm_hf.simulate_days(1, seed=2024)[0]
answers = classifier(day, candidate_labels=["running", "swimming", "yoga"])
print(json.dumps({"home": sensorlm_hf.__file__, "model": classifier.model.name_or_path, "answers": answers}))
"""

BARE = """
import importlib.util, json
import sensorlm_hf
from sensorlm_hf.data.readers import read_table
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoProcessor, AutoTokenizer, pipeline

optional = "accelerate evaluate matplotlib neurokit2 peft pint rouge_score sacrebleu shtab sklearn".split()
day = sensorlm_hf.simulate_days(1, seed=2024)[0]
with open("table.csv", "w") as file:
    file.write("time,HR\\n" + "".join(f"2024-03-01T{m // 60:02}:{m % 60:02}:00+01:00,62\\n" for m in range(1440)))
(read,) = read_table("table.csv", time_column="time", timezone="Europe/Berlin")
name = "sensorlm-coca"
kinds = (AutoConfig, AutoFeatureExtractor, AutoModel, AutoProcessor, AutoTokenizer)
loaded = [kind.from_pretrained(name) for kind in kinds]
answers = pipeline("zero-shot-sensor-classification", model=name)(day, candidate_labels=["running", "yoga"])
embedding = pipeline("sensor-feature-extraction", model=name)(read)
caption = pipeline("sensor-captioning", model=name)(day)[0]["generated_text"]
try:
    sensorlm_hf.SensorLMTrainer
except ImportError as error:
    refused = str(error)
print(json.dumps({
    "there": [name for name in optional if importlib.util.find_spec(name)],
    "loaded": [type(one).__name__ for one in loaded],
    "label": answers[0]["label"],
    "embedding": embedding.shape,
    "caption": caption,
    "built": sensorlm_hf.CaptionBuilder(key="high_middle_low_caption")(day),
    "refused": refused,
}))
"""

pytestmark = pytest.mark.slow


def run(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None) -> tuple[str, str]:
    """Runs a command away from the checkout; returns what it wrote to its two outputs."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HF_", "PIP_TARGET"))}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env={**clean, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution and the wheel that is built from it."""
    copy = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        elif (ROOT / name).exists():
            shutil.copy2(ROOT / name, copy / name)
    target = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", target, copy], target)
    return target


def install(built: Path, folder: Path, extras: str) -> Path:
    """Returns the interpreter of a clean environment into which the wheel was installed."""
    venv.create(folder, with_pip=True)
    interpreter = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    (wheel,) = built.glob("*.whl")
    pip = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "-c", ROOT / "constraints.txt", f"{wheel}{extras}"], folder)
    return interpreter


def checkpoint_files() -> list[str]:
    folder = ROOT / "src/sensorlm_hf/checkpoints/sensorlm-coca"
    return [
        "sensorlm_hf/checkpoints/records/sensorlm-coca/training.json",
        *(f"sensorlm_hf/checkpoints/sensorlm-coca/{path.name}" for path in folder.iterdir()),
    ]


def test_the_wheel_holds_code_types_languages_metrics_and_the_demo_model(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = next(archive.read(name).decode() for name in names if name.endswith("METADATA"))
    modules = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src/sensorlm_hf").rglob("*.py")}
    assert {*SHIPPED, *checkpoint_files(), *modules} <= names
    assert all(name.startswith(("sensorlm_hf/", "sensorlm_hf-")) for name in names), "something else would be installed"
    assert "Name: sensorlm-hf" in metadata
    assert "License-File: LICENSE" in metadata
    assert wheel.stat().st_size < 30 * 2**20


def test_the_source_distribution_holds_what_the_wheel_needs(built: Path) -> None:
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"setup.cfg", "pyproject.toml", "README.md", "LICENSE"} <= names
    assert {f"src/{name}" for name in (*SHIPPED, *checkpoint_files())} <= names


def test_the_wheel_alone_labels_captions_and_reads(built: Path, tmp_path: Path) -> None:
    """Zero-shot, embedding, captions and a reader need the hard requirements only; training says what it needs."""
    (tmp_path / "empty").mkdir()
    python = install(built, tmp_path / "clean", "")
    out, _ = run([python, "-c", BARE], tmp_path / "empty", {"HF_HUB_OFFLINE": "1"})
    result = json.loads(out.splitlines()[-1])
    assert result["there"] == []
    assert result["loaded"][:4] == ["SensorLMConfig", "SensorLMFeatureExtractor", "SensorLMModel", "SensorLMProcessor"]
    assert result["label"] == "yoga"
    assert result["embedding"] == [192]
    assert result["caption"].startswith("the log lists")
    assert result["built"].startswith("The log lists")
    assert "pip install 'sensorlm-hf[train]'" in result["refused"]
    command = python.with_name("sensorlm-hf.exe" if os.name == "nt" else "sensorlm-hf")
    found = json.loads(run([command, "doctor", "--json"], tmp_path / "empty")[0])
    assert found["healthy"]
    assert found["extras"]["plot"]["installed"] is False
    assert {line.partition(">")[0] for line in found["extras"]["eval"]["missing"]} >= {"scikit-learn", "matplotlib"}
    run([python, "-m", "pip", "check"], tmp_path)


def test_the_installed_wheel_is_whole_and_works_offline(built: Path, tmp_path: Path) -> None:
    """One test, so that `pytest -n` installs into one environment and not into one a process."""
    python = install(built, tmp_path / "clean", "[all]")
    for name, check in (("use", labels_a_day), ("command", writes_the_report)):
        folder = tmp_path / name
        folder.mkdir()
        check(python, folder)
    run([python, "-m", "pip", "check"], tmp_path)


def labels_a_day(python: Path, folder: Path) -> None:
    """A pipeline without a model takes the one that the wheel brings, and says so."""
    out, err = run([python, "-c", USE], folder)
    result = json.loads(out.splitlines()[-1])
    assert Path(result["home"]).is_relative_to(python.parents[1]), "not the installed package"
    assert result["model"].endswith(os.path.join("checkpoints", "sensorlm-coca"))
    assert [answer["label"] for answer in result["answers"]] != []
    assert sum(answer["score"] for answer in result["answers"]) == pytest.approx(1)
    assert "Using the demo model that ships with sensorlm-hf" in err
    assert not list(folder.iterdir()), "something was written to the folder of the user"


def writes_the_report(python: Path, folder: Path) -> None:
    """The command is there and runs the demonstration."""
    command = python.with_name("sensorlm-hf.exe" if os.name == "nt" else "sensorlm-hf")
    assert run([command, "--version"], folder)[0].startswith("sensorlm-hf ")
    out, _ = run([command, "demo", "--json"], folder, {"HF_HUB_OFFLINE": "1"})
    assert (folder / json.loads(out)["report"]).is_file()
    assert "simulated" in (folder / "demo/report.html").read_text(encoding="utf-8")
