"""Checks before a push, and the push scripts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import pytest

from sensorlm_hf import write_days
from sensorlm_hf.data import push as module
from sensorlm_hf.data.convert import convert_recording
from sensorlm_hf.data.push import check_folder, push_folder
from sensorlm_hf.data.simulate import simulate_days

SCRIPTS = Path(__file__).resolve().parents[2] / "dataset_scripts"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_days(simulate_days(3), tmp_path / "in")
    shard = next((tmp_path / "in" / "data").iterdir())
    convert_recording(shard, tmp_path / "out", license="cc0-1.0")
    return tmp_path / "out"


def test_only_card_and_shards_are_uploaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, Any]] = []

    class Api:
        def __init__(self, token: str | None) -> None:
            pass

        def create_repo(self, name: str, **options: Any) -> None:
            calls.append((name, options))

        def upload_folder(self, **options: Any) -> None:
            calls.append(("upload", options))

    monkeypatch.setattr(module, "HfApi", Api)
    expected = ["README.md", "data/train-00000.parquet"]
    assert push_folder(folder, "me/days", private=True, dry_run=True) == expected
    assert not calls
    assert push_folder(folder, "me/days", private=True) == expected
    assert calls[0] == ("me/days", {"repo_type": "dataset", "private": True, "exist_ok": True})
    assert calls[1][1]["allow_patterns"] == expected


def test_identifying_data_raises(folder: Path, tmp_path: Path) -> None:
    rows = datasets.load_dataset(
        "parquet", data_files=str(folder / "data" / "*"), split="train", cache_dir=str(tmp_path)
    )
    shard = folder / "data" / "train-00000.parquet"
    rows.add_column("e_mail", ["a"] * 3).to_parquet(str(shard))
    with pytest.raises(ValueError, match=r"e_mail \(its name\)"):
        check_folder(folder)
    assert check_folder(folder, allow=["e_mail"])
    rows.add_column("note", ["", "", "ask bob@example.org"]).to_parquet(str(shard))
    with pytest.raises(ValueError, match=r"note \(contains an e-mail address\)"):
        check_folder(folder)


def test_incomplete_dataset_raises(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no shards"):
        check_folder(tmp_path / "in" / "data")
    with pytest.raises(FileNotFoundError, match="no card"):
        check_folder(tmp_path / "in")
    card = (folder / "README.md").read_text()
    (folder / "README.md").write_text(card.replace("license: cc0-1.0\n", ""))
    with pytest.raises(ValueError, match="does not specify a `license`"):
        check_folder(folder)
    (folder / "README.md").write_text(card)
    (folder / "data" / "train-00001.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match="not a readable Parquet"):
        check_folder(folder)


def test_scripts_run(folder: Path, tmp_path: Path) -> None:
    def run(script: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, str(SCRIPTS / script), *words], capture_output=True, text=True)

    dry = run("push_dataset.py", str(folder), "me/days", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "Would send 2 files to me/days" in dry.stdout
    (tmp_path / "t.csv").write_text("time,pulse\n2024-03-01T08:00:00+01:00,60\n")
    (tmp_path / "m.yaml").write_text("columns: {pulse: HR}\n")
    table = run("table.py", str(tmp_path / "t.csv"), str(tmp_path / "days"), "--mapping", str(tmp_path / "m.yaml"))
    assert table.returncode == 0, table.stderr
    assert "Wrote 1 day" in table.stdout


def test_every_source_has_a_short_script() -> None:
    from sensorlm_hf.data.readers.detect import SOURCES
    from sensorlm_hf.data.readers.devices import DEVICES

    for source in (*SOURCES, "simulated"):
        script = "device" if source in DEVICES else source.replace("-", "_")
        text = (SCRIPTS / f"{script}.py").read_text()
        assert len(text.splitlines()) < 40
        assert source in text
