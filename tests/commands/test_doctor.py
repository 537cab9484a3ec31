"""`sensorlm-hf doctor`: its diagnosis, and the messages it prints when there are problems."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest
import transformers
from packaging.requirements import Requirement

from sensorlm_hf import cli
from sensorlm_hf.commands import doctor


def test_diagnose_healthy_environment() -> None:
    found = doctor.diagnose()
    assert found.versions["torch"] == version("torch")
    assert found.versions["transformers"] == transformers.__version__
    assert found.devices[0].startswith("cpu: ")
    assert {check.name for check in found.checks} >= {"python", "demo model", "cache", "hub"}
    assert found.healthy


def test_doctor_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["healthy"] is True
    assert cli.main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text
    for word in ("Versions", "Devices", "Checks", "sensorlm-coca", version("torch")):
        assert word in text


def test_missing_packages_are_reported_with_install_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    needed = [Requirement("numpy>=99"), Requirement("no-such-package>=1.5"), Requirement("torch")]
    extras = {"space": [Requirement("no-such-gradio>=6")], "there": [Requirement("numpy")]}
    monkeypatch.setattr(doctor, "requirements", lambda: (needed, extras))
    monkeypatch.setattr(doctor, "install_command", lambda extra: f"pip install 'sensorlm-hf[{extra}]'")
    found = doctor.diagnose()
    messages = {check.name: check.message for check in found.checks if check.state == "problem"}
    assert "but >=99 is needed: pip install 'numpy>=99'" in messages["numpy"]
    assert messages["no-such-package"] == ("no-such-package is not installed: pip install 'no-such-package>=1.5'.")
    assert set(messages) == {"numpy", "no-such-package"}
    assert found.extras["space"]["missing"] == ["no-such-gradio>=6"]
    assert found.extras["there"]["installed"] is True
    assert cli.main(["doctor"]) == 1
    text = capsys.readouterr().out
    assert "2 problem(s)" in text
    assert "pip install 'sensorlm-hf[space]'" in text


def test_unsupported_python_and_missing_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    assert doctor._check_python().state == "problem"
    monkeypatch.setattr(sys, "version_info", (3, 99, 0))
    assert doctor._check_python().state == "note"

    def missing() -> str:
        raise FileNotFoundError("The demo model is not in x; reinstall.")

    monkeypatch.setattr("sensorlm_hf.checkpoints.demo_checkpoint", missing)
    check = doctor._check_model()
    assert (check.state, check.message) == ("problem", "The demo model is not in x; reinstall.")


def test_cache_checks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path / "not" / "yet"))
    assert doctor._check_cache().state in ("ok", "note")
    monkeypatch.setattr("os.access", lambda *_: False)
    check = doctor._check_cache()
    assert check.state == "problem"
    assert "HF_HOME" in check.message


def test_requirements_are_read_from_package_metadata() -> None:
    needed, extras = doctor.requirements()
    if not needed:
        pytest.skip("the package is not installed, only importable")
    assert "torch" in {requirement.name for requirement in needed}
    assert "pytest" in {requirement.name for requirement in extras["dev"]}
    assert all(requirement.marker is None for requirement in needed)


def test_nested_extras_are_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "numpy>=1",
        "matplotlib>=3 ; extra == 'plot'",
        "sensorlm-hf[plot] ; extra == 'eval'",
        "sacrebleu>=2 ; extra == 'eval'",
        "sensorlm-hf[eval,plot,all] ; extra == 'all'",
    ]
    names = SimpleNamespace(get_all=lambda key: ["plot", "eval", "all"])
    monkeypatch.setattr("importlib.metadata.requires", lambda name: lines)
    monkeypatch.setattr("importlib.metadata.metadata", lambda name: names)
    needed, extras = doctor.requirements()
    assert [str(requirement) for requirement in needed] == ["numpy>=1"]
    assert {name: {str(part) for part in parts} for name, parts in extras.items()} == {
        "plot": {"matplotlib>=3"},
        "eval": {"matplotlib>=3", "sacrebleu>=2"},
        "all": {"matplotlib>=3", "sacrebleu>=2"},
    }


def test_install_command_matches_how_package_was_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A package that is not on PyPI must be installed from its checkout."""
    folder = tmp_path / "my checkout"
    folder.mkdir()
    origin: list[str | None] = [None]
    read = SimpleNamespace(read_text=lambda name: origin[0])
    monkeypatch.setattr("importlib.metadata.distribution", lambda name: read)
    assert doctor.install_command("docs") == "pip install 'sensorlm-hf[docs]'"
    origin[0] = json.dumps({"url": folder.as_uri(), "dir_info": {"editable": True}})
    assert doctor.install_command("docs") == "pip install 'sensorlm-hf[docs]'", "the recorded folder is not a checkout"
    (folder / "constraints.txt").write_text("")
    assert doctor.install_command("docs") == f"cd '{folder}' && pip install -c constraints.txt -e '.[docs]'"
