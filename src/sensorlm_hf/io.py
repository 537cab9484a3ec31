"""Atomic writes: files and folders are written under a temporary name, then renamed.

Temporary names start with a dot, end in `.partial` and are unique, so that concurrent writers of the same file do not
conflict, and readers such as `datasets` do not mistake them for data. They are in the folder of the target, since a
rename is only atomic within a file system. They are removed on errors; temporary folders of a killed process are
removed by the next process that writes to the same target.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

PARTIAL = ".partial"
"""Suffix of temporary names."""

_ADVICE = {
    errno.EACCES: "the folder is not writable; choose another folder, or change its permissions",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.ENOENT: "the folder does not exist; create it first",
    errno.ENOSPC: "the disk is full; free some space",
}


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike, *, durable: bool = False) -> Iterator[Path]:
    """Writes a file atomically; an existing file is replaced only when the new one is complete.

    Args:
        path: The file to write, in an existing folder.
        durable: Whether to sync the content to disk before renaming, and the rename before returning, so that a power
            failure leaves either the old or the new file, never an empty one.

    Yields:
        An empty file in the same folder to write to. It is renamed to `path` at the end of the block, or removed if
        the block raises.

    Raises:
        OSError: If the file cannot be written; the error names `path` and suggests a fix.

    Example:
        ```python
        with atomic_write("report.json") as partial:
            partial.write_text(json.dumps(report), encoding="utf-8")
        ```
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}{PARTIAL}")
    try:
        # `tempfile` is not used, since its files are readable only by their owner.
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield partial
        if durable:
            _sync(partial)
        partial.replace(path)
        if durable:
            _sync(path.parent)
    except OSError as error:
        ours = error.filename == str(partial) or (error.filename is None and error.errno == errno.ENOSPC)
        if not ours or error.errno is None:
            raise
        advice = _ADVICE.get(error.errno)
        raise OSError(error.errno, f"{error.strerror} ({advice})" if advice else error.strerror, str(path)) from error
    finally:
        partial.unlink(missing_ok=True)


def atomic_write_text(path: str | os.PathLike, text: str, *, durable: bool = False) -> None:
    """Writes a UTF-8 text file; see [`atomic_write`]."""
    with atomic_write(path, durable=durable) as partial:
        partial.write_text(text, encoding="utf-8")


def atomic_replace(partial: Path, target: Path) -> None:
    """Renames a complete folder to its final name, replacing an existing folder.

    Its files are synced to disk first, so that a power failure does not leave a folder with incomplete files.

    Args:
        partial: The written folder, on the same file system.
        target: The final path.
    """
    for path in partial.rglob("*"):
        if path.is_file():
            _sync(path)
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    partial.rename(target)
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def atomic_folder(target: str | os.PathLike, *, overwrite: bool = False) -> Iterator[Path]:
    """Writes a folder atomically.

    Args:
        target: The folder to write; missing parents are created.
        overwrite: Whether to replace a folder that is not empty.

    Yields:
        An empty folder next to `target` to write to. It is renamed to `target` at the end of the block, or removed if
        the block raises.

    Raises:
        FileExistsError: If `target` exists, is not empty, and `overwrite` is false.
        NotADirectoryError: If a parent of `target` is a file.
    """
    target = Path(target)
    if not overwrite:
        _check_empty(target)
    with _temporary_folder(target.parent, target.name) as partial:
        yield partial
        if overwrite:
            atomic_replace(partial, target)
            return
        _check_empty(target)
        if target.is_dir():
            target.rmdir()
        partial.rename(target)


@contextlib.contextmanager
def staged_files(folder: str | os.PathLike, *, last: Callable[[Path], bool] | None = None) -> Iterator[Path]:
    """Writes files to a folder that may contain others, moving them there only when all of them are complete.

    Args:
        folder: The folder to write to; created if it does not exist.
        last: Selects files to move last, such as the weights of a model, so that a process killed while moving files
            leaves a folder that fails to load rather than a mix of two models.

    Yields:
        An empty folder inside `folder` to write to. Its files are moved to `folder` at the end of the block, sorted by
        name, or removed if the block raises.
    """
    folder = Path(folder)
    with _temporary_folder(folder, "files") as partial:
        yield partial
        for path in sorted(partial.iterdir(), key=lambda path: (last is not None and last(path), path.name)):
            os.replace(path, folder / path.name)


@contextlib.contextmanager
def _temporary_folder(parent: Path, name: str) -> Iterator[Path]:
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(parent)) from None
    for left in parent.glob(f".{glob.escape(name)}.*{PARTIAL}"):
        if left.is_dir() and _is_abandoned(left):
            shutil.rmtree(left, ignore_errors=True)
    partial = parent / f".{name}.{uuid.uuid4().hex}{PARTIAL}"
    partial.mkdir()
    try:
        with _locked(partial):
            yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Locks a folder for the lifetime of this process, if the system supports it; yields whether the lock is held."""
    try:
        import fcntl
    except ImportError:  # not on Windows, where leftovers of killed processes remain
        yield False
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    finally:
        os.close(handle)


def _is_abandoned(folder: Path) -> bool:
    try:
        with _locked(folder) as ours:
            return ours
    except OSError:  # another process holds the lock or has just removed the folder
        return False


def _check_empty(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(f"{target} exists and is not empty; remove it or choose another folder.")


def _sync(path: Path) -> None:
    if path.is_dir() and os.name != "posix":  # elsewhere folders cannot be opened, and renames are synchronous
        return
    handle = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
