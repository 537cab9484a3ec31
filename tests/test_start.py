"""The command line starts without torch; in other programs, importing the package registers the models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sensorlm_hf import __version__, _start

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "transformers", "datasets", "numpy", "pandas", "matplotlib", "rich")
SAY = f"sys.stderr.write('loaded: ' + ' '.join(name for name in {HEAVY} if name in sys.modules))"


def python(*words: object, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, *map(str, words)],
        env={**os.environ, "PYTHONPATH": paths},
        input=stdin,
        text=True,
        capture_output=True,
        check=False,
    )


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The script that pip installs in `bin/`, extended to print the heavy modules that were loaded."""
    path = tmp_path / "sensorlm-hf"
    path.write_text(
        f"import atexit, sys\natexit.register(lambda: {SAY})\nfrom sensorlm_hf.cli import main\nsys.exit(main())\n"
    )
    return path


@pytest.mark.parametrize(
    ("words", "shown", "status"),
    [
        (["--help"], "usage: sensorlm-hf", 0),
        (["--version"], __version__, 0),
        (["train", "--help"], "--objective", 0),
        (["doctor", "--help"], "--json", 0),
        (["doctor", "--jsno"], "", 2),
        (["simulate", "ten", "x"], "", 2),
        (["completion", "bash"], "complete -", 0),
    ],
)
def test_torch_is_loaded_lazily(script: Path, words: list[str], shown: str, status: int) -> None:
    done = python(script, *words)
    assert done.returncode == status, done.stderr
    assert shown in done.stdout
    assert done.stderr.rpartition("loaded:")[2].split() == []


def test_module_starts_without_heavy_imports(tmp_path: Path) -> None:
    done = python("-X", "importtime", "-m", "sensorlm_hf.cli", "--help")
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "sensorlm_hf.commands.train" in loaded
    assert not loaded & set(HEAVY)


def test_commands_with_models_register_them(script: Path, tmp_path: Path) -> None:
    """`evaluate` fails when loading its data, after the registration."""
    done = python(script, "evaluate", "--data", tmp_path / "none")
    assert done.returncode == 2
    assert "torch" in done.stderr.rpartition("loaded:")[2].split()
    assert "Traceback" not in done.stderr


def test_other_programs_have_models_registered(tmp_path: Path) -> None:
    code = (
        "import sys, sensorlm_hf\nfrom transformers import CONFIG_MAPPING\nfrom transformers.pipelines import"
        " PIPELINE_REGISTRY\nprint('sensorlm' in CONFIG_MAPPING, 'sensor-captioning' in"
        " PIPELINE_REGISTRY.supported_tasks)"
    )
    for words, stdin in ((["-c", code], None), (["-"], code)):
        assert python(*words, stdin=stdin).stdout.split() == ["True", "True"]
    (tmp_path / "mine.py").write_text(code)
    assert python(tmp_path / "mine.py").stdout.split() == ["True", "True"]


def test_subprocesses_of_a_command_have_models_registered(tmp_path: Path) -> None:
    """They inherit the command's arguments but do not run the command."""
    path = tmp_path / "sensorlm-hf"
    path.write_text(
        "import multiprocessing, sys\n"
        "def known(_):\n"
        "    import sensorlm_hf\n"
        "    from transformers import CONFIG_MAPPING\n"
        "    return 'sensorlm' in CONFIG_MAPPING\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(known(0), pool.map(known, [0]))\n"
    )
    assert python(path).stdout.split() == ["False", "[True]"], "only the main process should defer registration"


def test_is_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, words, expected in (
        ("/usr/bin/sensorlm-hf", ["python", "/usr/bin/sensorlm-hf", "demo"], True),
        (
            "C:\\x\\sensorlm-hf.exe".replace("\\", os.sep),
            ["python", "C:\\x\\sensorlm-hf.exe".replace("\\", os.sep)],
            True,
        ),
        ("/usr/bin/sensorlm-hf", ["python", "-c", "from multiprocessing.spawn import spawn_main"], False),
        ("-m", ["python", "-u", "-m", "sensorlm_hf.cli", "train"], True),
        ("-m", ["python", "-m", "sensorlm_hf.data", "sensorlm_hf.cli"], False),
        ("-c", ["python", "-c", "import sensorlm_hf"], False),
        ("my_script.py", ["python", "my_script.py", "sensorlm-hf"], False),
    ):
        monkeypatch.setattr(sys, "argv", [name])
        monkeypatch.setattr(sys, "orig_argv", words)
        assert _start.is_command_line() is expected, words
    monkeypatch.setattr(sys, "argv", [])
    assert not _start.is_command_line()


def test_doctor_works_without_torch(tmp_path: Path) -> None:
    path = tmp_path / "sensorlm-hf"
    path.write_text("import sys\nsys.modules['torch'] = None\nfrom sensorlm_hf.cli import main\nsys.exit(main())\n")
    done = python(path, "doctor", "--json")
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    problems = {check["name"]: check["message"] for check in found["checks"] if check["state"] == "problem"}
    assert "torch" in problems["devices"]
    assert not found["healthy"]
    assert "Devices" not in python(path, "doctor").stdout
