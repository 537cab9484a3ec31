"""The built package, installed into a clean environment and used offline from an empty folder."""

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
    "sensorlm_hf/metrics/captioning.py",
    "sensorlm_hf/metrics/evaluate_module.py",
    "sensorlm_hf/metrics/scores.py",
)

# A socket that cannot connect simulates a machine without network access, whatever the environment variables.
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
    """Runs a command outside the checkout; returns its stdout and stderr."""
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
    """A folder with the source distribution and the wheel built from it."""
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
    """Installs the wheel into a clean environment and returns its interpreter."""
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


def test_wheel_contents(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = next(archive.read(name).decode() for name in names if name.endswith("METADATA"))
    modules = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src/sensorlm_hf").rglob("*.py")}
    assert {*SHIPPED, *checkpoint_files(), *modules} <= names
    assert all(name.startswith(("sensorlm_hf/", "sensorlm_hf-")) for name in names), (
        "the wheel contains unexpected top-level files"
    )
    assert "Name: sensorlm-hf" in metadata
    assert "License-File: LICENSE" in metadata
    # The packaged checkpoint, in bf16, takes at most 48 MB uncompressed; everything else is text.
    assert wheel.stat().st_size < 48 * 10**6


def test_sdist_contains_files_for_wheel(built: Path) -> None:
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"setup.cfg", "pyproject.toml", "README.md", "LICENSE"} <= names
    assert {f"src/{name}" for name in (*SHIPPED, *checkpoint_files())} <= names


def test_wheel_works_without_extras(built: Path, tmp_path: Path) -> None:
    """Zero-shot, embeddings, captions and a reader need only the core requirements; training names its extra."""
    (tmp_path / "empty").mkdir()
    python = install(built, tmp_path / "clean", "")
    out, _ = run([python, "-c", BARE], tmp_path / "empty", {"HF_HUB_OFFLINE": "1"})
    result = json.loads(out.splitlines()[-1])
    assert result["there"] == []
    assert result["loaded"][:4] == ["SensorLMConfig", "SensorLMFeatureExtractor", "SensorLMModel", "SensorLMProcessor"]
    assert result["label"] == "yoga"
    assert result["embedding"] == [192]
    assert result["caption"].startswith("The log lists")
    assert result["built"].startswith("The log lists")
    assert "pip install 'sensorlm-hf[train]'" in result["refused"]
    command = python.with_name("sensorlm-hf.exe" if os.name == "nt" else "sensorlm-hf")
    found = json.loads(run([command, "doctor", "--json"], tmp_path / "empty")[0])
    assert found["healthy"]
    assert found["extras"]["plot"]["installed"] is False
    assert {line.partition(">")[0] for line in found["extras"]["eval"]["missing"]} >= {"scikit-learn", "matplotlib"}
    run([python, "-m", "pip", "check"], tmp_path)


def test_installed_wheel_works_offline(built: Path, tmp_path: Path) -> None:
    """A single test, so that `pytest -n` installs only one environment instead of one per process."""
    python = install(built, tmp_path / "clean", "[all]")
    for name, check in (("use", check_zero_shot), ("command", check_demo_command)):
        folder = tmp_path / name
        folder.mkdir()
        check(python, folder)
    run([python, "-m", "pip", "check"], tmp_path)


def check_zero_shot(python: Path, folder: Path) -> None:
    """A pipeline without a model uses the one in the wheel, with a warning."""
    out, err = run([python, "-c", USE], folder)
    result = json.loads(out.splitlines()[-1])
    assert Path(result["home"]).is_relative_to(python.parents[1]), "not the installed package"
    assert result["model"].endswith(os.path.join("checkpoints", "sensorlm-coca"))
    assert [answer["label"] for answer in result["answers"]] != []
    assert sum(answer["score"] for answer in result["answers"]) == pytest.approx(1)
    assert "Using the demo model that ships with sensorlm-hf" in err
    assert not list(folder.iterdir()), "files were written to the working directory"


def check_demo_command(python: Path, folder: Path) -> None:
    """The command is installed and runs the demo."""
    command = python.with_name("sensorlm-hf.exe" if os.name == "nt" else "sensorlm-hf")
    assert run([command, "--version"], folder)[0].startswith("sensorlm-hf ")
    out, _ = run([command, "demo", "--json"], folder, {"HF_HUB_OFFLINE": "1"})
    assert (folder / json.loads(out)["report"]).is_file()
    assert "simulated" in (folder / "demo/report.html").read_text(encoding="utf-8")
