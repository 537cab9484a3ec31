"""Disks that are full, read-only, gone or cannot rename, and stopped commands: a sentence, and nothing left."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sensorlm_hf import io
from sensorlm_hf.cli import main
from sensorlm_hf.data import load_sensor_days
from sensorlm_hf.io import atomic_folder, atomic_write_text, staged_files

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits of files and signals are those of POSIX")
STOPS = [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
TINY = Path(__file__).parents[1] / "fixtures" / "tiny-coca"


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = "".join(f"2024-03-01T{m // 60:02}:{m % 60:02}:00Z,{60 + m % 9}\n" for m in range(1440))
    (tmp_path / "a.csv").write_text("time,HR\n" + rows)
    return tmp_path / "a.csv"


def commands(table: Path, cohort: Path, out: Path) -> dict[str, list[str]]:
    return {
        "simulate": ["simulate", "3", str(out / "new"), "--days-per-person", "1"],
        "convert": ["convert", "table", str(table), str(out / "deep" / "new")],
        "report": ["convert", "table", str(table), str(out / "new"), "--report", str(out / "report.json")],
        "caption": ["caption", str(cohort), str(out / "new")],
        "export": ["export", "--model", str(TINY), "--output-dir", str(out / "new"), "--format", "torch"],
        "evaluate": [
            *("evaluate", "--model", str(TINY), "--data", str(cohort), "--split", "train", "--tasks", "retrieval"),
            *("--output", str(out / "results.json"), "--max-days", "4"),
        ],
    }


def told(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence that a command says on failing."""
    assert main(words) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("sensorlm-hf ")]
    return line


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Files can have 2 kB, after which writing fails as on a full disk."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("name", ["simulate", "convert", "caption", "evaluate", "export"])
def test_full_disk(
    name: str, table: Path, cohort: Path, tmp_path: Path, full_disk: None, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    sys.stdout.flush()
    assert main(commands(table, cohort, out)[name]) == 2
    # pytest's own capture file is limited too, so the sentence is checked by what is raised.
    left = [path for path in everything(out) if not path.startswith(("new/.captions", "new/data"))]
    assert left in ([], ["new"]), left
    assert not [path for path in everything(out) if path.endswith((".partial", ".parquet"))]


def fail_writing(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes writing a shard fail as pyarrow does, whose error names no file."""

    def write(*args: Any, **kwargs: Any) -> None:
        raise OSError(
            number, f"[Errno {number}] Error writing bytes to file. Detail: [errno {number}] {os.strerror(number)}"
        )

    monkeypatch.setattr("pyarrow.parquet.write_table", write)
    monkeypatch.setattr("pyarrow.parquet.ParquetWriter.write_table", write)


@pytest.mark.parametrize("name", ["simulate", "convert", "caption"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_is_named_with_the_space_needed(
    name: str,
    number: int,
    table: Path,
    cohort: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fail_writing(number, monkeypatch)
    out = tmp_path / "out"
    out.mkdir()
    line = told(commands(table, cohort, out)[name], capsys)
    assert f"sensorlm-hf {name}: The disk is full: more than the " in line
    assert str(out) in line
    assert "Errno" not in line
    assert ".partial" not in line
    assert not [path for path in everything(out) if path.endswith((".partial", ".parquet"))]
    if name != "caption":  # which continues where it stopped
        assert everything(out) == [], "no folder should be left behind"


@pytest.mark.parametrize("name", ["simulate", "convert", "report", "caption", "export", "evaluate"])
def test_read_only_disk(
    name: str,
    table: Path,
    cohort: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    mkdir, opened = os.mkdir, os.open

    def refuse(path: Any, *rest: Any, **more: Any) -> None:
        if str(path).startswith(str(out)):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return mkdir(path, *rest, **more)

    def refuse_writing(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if str(path).startswith(str(out)) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return opened(path, flags, *rest, **more)

    if name == "report":  # the dataset goes elsewhere
        words = commands(table, cohort, out)[name]
        words[3] = str(tmp_path / "converted")
    else:
        words = commands(table, cohort, out)[name]
    monkeypatch.setattr(os, "mkdir", refuse)
    monkeypatch.setattr(os, "open", refuse_writing)
    line = told(words, capsys)
    assert "Read-only file system" in line
    assert str(out) in line
    assert everything(out) == []


def test_folder_removed_under_way(tmp_path: Path) -> None:
    def remove() -> None:
        with staged_files(tmp_path / "out") as partial:
            shutil.rmtree(tmp_path / "out")
            (partial / "a").write_text("x")

    with pytest.raises(FileNotFoundError, match=r"removed while it was being written; run it again.*out"):
        remove()

    def remove_parent() -> None:
        with atomic_folder(tmp_path / "new" / "out") as partial:
            (partial / "a").write_text("x")
            shutil.rmtree(tmp_path / "new")

    with pytest.raises(FileNotFoundError):
        remove_parent()
    assert not (tmp_path / "new").exists()


# File systems that do not rename folders


@pytest.fixture
def no_renaming(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on some overlay and network file systems: only files within a folder are renamed."""
    rename = os.rename

    def refuse(source: Any, target: Any, **more: Any) -> None:
        if Path(source).is_dir() or Path(source).parent != Path(target).parent:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(source), None, str(target))
        rename(source, target, **more)

    monkeypatch.setattr(os, "rename", refuse)
    monkeypatch.setattr(os, "replace", refuse)


@pytest.mark.parametrize("name", ["simulate", "convert"])
def test_file_system_without_renaming_of_folders(
    name: str, table: Path, cohort: Path, tmp_path: Path, no_renaming: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    assert main(commands(table, cohort, out)[name]) == 0
    assert not [path for path in everything(out) if path.endswith(".partial")]
    folder = out / "new" if name == "simulate" else out / "deep" / "new"
    days = load_sensor_days(folder, "train", cache_dir=tmp_path / "cache")
    assert np.isfinite(days[0]["values"]).any()


def test_full_disk_without_renaming_leaves_nothing(
    tmp_path: Path, no_renaming: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []

    def copy(source: Any, target: Any, **more: Any) -> None:
        copied.append(str(source))
        if len(copied) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        Path(target).write_bytes(Path(source).read_bytes())

    monkeypatch.setattr(io.shutil, "copyfile", copy)

    def write() -> None:
        with atomic_folder(tmp_path / "out") as partial:
            (partial / "data").mkdir()
            for name in "ab":
                (partial / "data" / name).write_text(name)

    with pytest.raises(OSError, match="The disk is full"):
        write()
    assert everything(tmp_path) in ([], ["out"])


def test_parents_are_left_only_when_something_is_written(tmp_path: Path) -> None:
    def fail() -> None:
        with atomic_folder(tmp_path / "a" / "b" / "c"):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert everything(tmp_path) == []
    (tmp_path / "a").mkdir()
    with pytest.raises(RuntimeError):
        fail()
    assert everything(tmp_path) == ["a"], "a folder that was there stays"
    atomic_write_text(tmp_path / "a" / "x", "x")
    assert everything(tmp_path) == ["a", "a/x"]


# Stopped commands


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status", "word"), STOPS)
@pytest.mark.parametrize("name", ["simulate", "convert", "caption"])
def test_stopped_command_leaves_nothing_unfinished(
    name: str, number: int, status: int, word: str, cohort: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    big = tmp_path / "big"
    assert main(["simulate", "150", str(big), "--days-per-person", "4"]) == 0
    shards = sorted((big / "data").glob("train-*.parquet"))
    words = {
        "simulate": ["simulate", "5000", str(out / "new")],
        "convert": ["convert", "table", str(shards[0]), str(out / "new")],
        "caption": ["caption", str(big), str(out / "new"), "--keys", "all"],
    }[name]
    process = subprocess.Popen(
        [sys.executable, "-m", "sensorlm_hf.cli", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: any(out.rglob("*.partial")), process)
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == status, error
    assert error.splitlines()[-1] == f"sensorlm-hf {name}: {word}."
    assert "Traceback" not in error
    assert not list(out.rglob("*.partial"))
    assert name == "caption" or everything(tmp_path / "out") == []


def wait_for(happened: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not happened() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process.poll() is None, "the command ended before it could be stopped"


@pytest.mark.parametrize(("number", "status", "word"), STOPS)
def test_signals_in_this_process(
    number: int,
    status: int,
    word: str,
    table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stopped(*args: Any, **kwargs: Any) -> None:
        os.kill(os.getpid(), number)
        time.sleep(5)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("sensorlm_hf.data.shards.write_shard", stopped)
    assert main(["convert", "table", str(table), str(tmp_path / "out" / "new")]) == status
    assert capsys.readouterr().err.splitlines()[-1] == f"sensorlm-hf convert: {word}."
    assert everything(tmp_path) == ["a.csv"]
    assert signal.getsignal(signal.SIGTERM) == before
