"""Files and folders are written atomically, whatever interrupts them."""

from __future__ import annotations

import multiprocessing
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sensorlm_hf import io
from sensorlm_hf.io import atomic_folder, atomic_replace, atomic_write, atomic_write_text, staged_files


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Files


@pytest.mark.parametrize("durable", [False, True])
def test_file_appears_when_complete(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "a.json"
    with atomic_write(path, durable=durable) as partial:
        partial.write_text("new")
        assert not path.exists()
        assert partial.parent == tmp_path
        assert partial.name.startswith(".a.json.")
        assert partial.name.endswith(".partial")
    assert path.read_text() == "new"
    assert names(tmp_path) == ["a.json"]


def test_failed_write_keeps_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail() -> None:
        with atomic_write(path) as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_text_is_utf_8(tmp_path: Path) -> None:
    atomic_write_text(str(tmp_path / "a.txt"), "Schlaf: müde\n")
    assert (tmp_path / "a.txt").read_bytes() == "Schlaf: müde\n".encode()


@pytest.mark.skipif(os.name != "posix", reason="requires POSIX permissions")
def test_file_permissions_follow_umask(tmp_path: Path) -> None:
    atomic_write_text(tmp_path / "a", "x")
    (tmp_path / "b").write_text("x")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == stat.S_IMODE((tmp_path / "b").stat().st_mode)


def test_concurrent_writes_give_one_complete_file(tmp_path: Path) -> None:
    path, texts = tmp_path / "a.txt", [str(i) * 100_000 for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda text: atomic_write_text(path, text), texts * 4))
    assert path.read_text() in texts
    assert names(tmp_path) == ["a.txt"]


def test_missing_folder_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"does not exist; create it first\): '.*no.a\.txt'"):
        atomic_write_text(tmp_path / "no" / "a.txt", "x")


def test_unwritable_folder_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(io.os, "open", refuse)  # root ignores file permissions
    with pytest.raises(PermissionError, match=r"not writable; choose another folder, .*: '.*a\.txt'") as caught:
        atomic_write_text(tmp_path / "a.txt", "x")
    assert caught.value.filename == str(tmp_path / "a.txt"), "the error should name the target, not the temporary file"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="requires a non-root POSIX user")
def test_read_only_folder_raises(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError, match=r"not writable; .*: '.*a\.txt'"):
            atomic_write_text(tmp_path / "a.txt", "x")
    finally:
        tmp_path.chmod(0o700)


def test_full_disk_raises(tmp_path: Path) -> None:
    def fill() -> None:
        with atomic_write(tmp_path / "a.txt"):
            raise OSError(28, "No space left on device")

    with pytest.raises(
        OSError, match=r"The disk is full: more than the .* free are needed; free some space, or .*: '.*a\.txt'"
    ):
        fill()
    assert names(tmp_path) == []


def test_errors_of_other_files_are_unchanged(tmp_path: Path) -> None:
    def read() -> None:
        with atomic_write(tmp_path / "a.txt"):
            (tmp_path / "source").read_text()

    with pytest.raises(FileNotFoundError, match=r"source'$"):
        read()


# Folders


def test_folder_replaces_existing_folder(tmp_path: Path) -> None:
    old, new = tmp_path / "checkpoint-2", tmp_path / "new" / "checkpoint-2"
    for folder, text in ((old, "old"), (new, "new")):
        folder.mkdir(parents=True)
        (folder / "file").write_text(text)
    atomic_replace(new, old)
    assert (old / "file").read_text() == "new"
    assert names(tmp_path) == ["checkpoint-2", "new"]


def test_new_folder_appears_when_complete(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "out"
    with atomic_folder(target) as partial:
        (partial / "a").write_text("x")
        assert not target.exists()
    assert names(target) == ["a"]
    assert names(target.parent) == ["out"]
    with pytest.raises(FileExistsError, match="not empty; remove it or choose another"), atomic_folder(target):
        pass
    with atomic_folder(target, overwrite=True) as partial:
        (partial / "b").write_text("x")
    assert names(target) == ["b"]
    assert names(target.parent) == ["out"]


def test_existing_empty_folder_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with atomic_folder(tmp_path / "out") as partial:
        (partial / "a").write_text("x")
    assert names(tmp_path / "out") == ["a"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_failed_folder_leaves_no_files(tmp_path: Path, overwrite: bool) -> None:
    if overwrite:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "old").write_text("old")
    before = names(tmp_path)

    def fail() -> None:
        with atomic_folder(tmp_path / "out", overwrite=overwrite) as partial:
            (partial / "a").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert names(tmp_path) == before
    assert not overwrite or names(tmp_path / "out") == ["old"]


def test_slower_of_two_writers_raises(tmp_path: Path) -> None:
    def slow() -> None:
        with atomic_folder(tmp_path / "out") as first:
            (first / "a").write_text("first")
            with atomic_folder(tmp_path / "out") as second:
                assert first.is_dir(), "a folder being written must not be removed"
                (second / "a").write_text("second")

    with pytest.raises(FileExistsError, match="not empty"):
        slow()
    assert (tmp_path / "out" / "a").read_text() == "second"
    assert names(tmp_path) == ["out"]


def _die(target: Path) -> None:
    with atomic_folder(target) as partial:
        (partial / "half").write_text("x")
        os._exit(1)


@pytest.mark.skipif(os.name != "posix", reason="requires locks on folders")
def test_partial_folder_of_killed_process_is_removed(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_die, args=(tmp_path / "out",))
    process.start()
    process.join()
    assert len(names(tmp_path)) == 1
    with atomic_folder(tmp_path / "out") as partial:
        assert names(tmp_path) == [partial.name]
    assert names(tmp_path) == ["out"]


# Files in a folder with other files


def test_staged_files_are_moved_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[str] = []
    replace = os.replace
    monkeypatch.setattr(io.os, "replace", lambda a, b: (moved.append(Path(a).name), replace(a, b)))
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "z").write_text("old")
    with staged_files(tmp_path, last=lambda path: path.name == "b") as partial:
        for name in "zba":
            (partial / name).write_text("new")
        assert (tmp_path / "z").read_text() == "old"
    assert moved == ["a", "z", "b"]
    assert {name: (tmp_path / name).read_text() for name in names(tmp_path)} == {
        "a": "new", "b": "new", "kept": "kept", "z": "new"
    }  # fmt: skip


def test_failed_staging_leaves_folder_unchanged(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")

    def fail() -> None:
        with staged_files(tmp_path) as partial:
            (partial / "a").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]
