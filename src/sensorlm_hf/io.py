"""Reading files that are files, and atomic writes: under a temporary name, which is then renamed.

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
import re
import shutil
import stat
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NoReturn

PARTIAL = ".partial"
"""Suffix of temporary names."""

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#|~!])")


def plain_text(text: str, longest: int = 800) -> str:
    """Returns a text in one line that a terminal prints as it is: texts from data may contain control characters.

    Args:
        text: The text.
        longest: Number of characters after which it is cut.

    Returns:
        The text with its line breaks as blanks and everything unprintable, such as marks that reverse the direction of
        writing, as escapes.
    """
    line = " ".join(text.split())
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)
    return shown if len(shown) <= longest else f"{shown[: longest - 4]} ..."


def markdown_text(text: str, longest: int = 80) -> str:
    """Returns a text from data as Markdown shows it: without markup, links or tags; see [`plain_text`]."""
    return _MARKDOWN.sub(r"\\\1", plain_text(text, longest)).lstrip("-+=>")


_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG)

_NO_RENAMING = (errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EBUSY)
"""Errors of file systems that do not rename folders, or files to other folders."""

_ADVICE = {
    errno.EACCES: "the folder is not writable; choose another folder, or change its permissions",
    errno.EPERM: "the folder is not writable; choose another folder, or change its permissions",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.ENOENT: "the folder does not exist; create it first",
    errno.ENOTDIR: "a part of the path is a file; choose another folder",
}

_NOT_FILES = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISDIR, "a folder"),
)


def check_file(path: str | os.PathLike) -> None:
    """Raises an error if a path, or what it links to, is something else than a file: reading a pipe may never end.

    Raises:
        FileNotFoundError: If there is nothing at the path.
        ValueError: If it is a pipe, a socket, a device or a folder, or a link that leads nowhere.
    """
    path = Path(path)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise ValueError(f"{path} is a link to a file that does not exist; remove it or give the file.") from None
        raise FileNotFoundError(errno.ENOENT, "There is no file", str(path)) from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ValueError(f"{path} is a link that leads to itself; remove it or give the file.") from None
        raise
    for test, what in _NOT_FILES:
        if test(mode):
            raise ValueError(f"{path} is {what}, not a file; give a file that contains the data.")


def open_file(path: str | os.PathLike) -> IO[bytes]:
    """Opens a file for reading; see [`check_file`]. The caller must close it."""
    check_file(path)
    # In case the file was replaced since: opening a pipe without this waits until somebody writes to it.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    return os.fdopen(handle, "rb")


def read_text(path: str | os.PathLike) -> str:
    """Returns the text of a UTF-8 file, with or without byte order mark; see [`check_file`].

    Raises:
        ValueError: If it is not UTF-8; the message gives the line.
    """
    with open_file(path) as file:
        data = file.read()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ValueError(f"{path}, line {line}: not UTF-8 text ({error.reason}); save it as UTF-8.") from None


def _raise_disk_error(error: OSError, target: Path, written: int) -> NoReturn:
    """Raises an error of writing as one that names the target and says what to do."""
    if error.errno in _FULL:
        with contextlib.suppress(OSError):
            written += shutil.disk_usage(_existing(target)).free
        raise OSError(
            error.errno,
            f"The disk is full: more than the {_size(written)} that were free are needed; free some space, or choose a"
            " folder on another disk",
            str(target),
        ) from error
    advice = _ADVICE.get(error.errno or 0)
    reason = os.strerror(error.errno) if error.errno else str(error)
    raise OSError(error.errno, f"{reason} ({advice})" if advice else reason, str(target)) from error


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"


def _existing(path: Path) -> Path:
    return next((parent for parent in (path, *path.parents) if parent.exists()), Path())


def _written(folder: Path) -> int:
    with contextlib.suppress(OSError):
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return 0


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
        ours = error.filename == str(partial) or (error.filename is None and error.errno in _FULL)
        if not ours or error.errno is None:
            raise
        written = 0
        with contextlib.suppress(OSError):
            written = partial.stat().st_size
        _raise_disk_error(error, path, written)
    finally:
        with contextlib.suppress(OSError):  # the folder may be gone, and the error of the body matters more
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
    try:
        partial.rename(target)
    except OSError:
        if old.exists() and not target.exists():
            old.rename(target)
        raise
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
        _rename_folder(partial, target)


def _rename_folder(partial: Path, target: Path) -> None:
    """Renames a folder to one that is empty or does not exist, also where folders cannot be renamed.

    A mount point cannot be replaced, and some network and overlay file systems only rename files. There, the files are
    first copied to hidden names in the target, so that a disk that is too small leaves none of them, and then renamed.
    """
    if not (target.is_dir() and os.path.ismount(target)):
        try:
            if target.is_dir():
                target.rmdir()
            partial.rename(target)
            return
        except OSError as error:
            if error.errno not in _NO_RENAMING:
                raise
    hidden: list[tuple[Path, Path]] = []
    try:
        for path in sorted(partial.rglob("*")):
            final = target / path.relative_to(partial)
            if path.is_dir():
                final.mkdir(parents=True, exist_ok=True)
                continue
            final.parent.mkdir(parents=True, exist_ok=True)
            copy = final.with_name(f".{final.name}.{uuid.uuid4().hex}{PARTIAL}")
            hidden.append((copy, final))
            shutil.copyfile(path, copy)
    except BaseException:
        for copy, _ in hidden:
            copy.unlink(missing_ok=True)
        for folder in sorted((path for path in target.rglob("*") if path.is_dir()), reverse=True):
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
    for copy, final in hidden:
        os.replace(copy, final)


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
            _move(path, folder / path.name)


def _move(path: Path, target: Path) -> None:
    """Moves a file to another folder, also where files can only be renamed inside a folder."""
    try:
        os.replace(path, target)
    except OSError as error:
        if error.errno not in _NO_RENAMING:
            raise
        with atomic_write(target) as partial:
            shutil.copyfile(path, partial)


@contextlib.contextmanager
def _temporary_folder(parent: Path, name: str) -> Iterator[Path]:
    partial = parent / f".{name}.{uuid.uuid4().hex}{PARTIAL}"
    made: list[Path] = []
    try:
        made = _make_folders(parent)
        for left in parent.glob(f".{glob.escape(name)}.*{PARTIAL}"):
            if left.is_dir() and _is_abandoned(left):
                shutil.rmtree(left, ignore_errors=True)
        partial.mkdir()
        with _locked(partial):
            yield partial
        made.clear()
    except OSError as error:
        gone = not partial.is_dir()
        inside = error.filename is not None and Path(error.filename).is_relative_to(parent)
        if error.errno in _FULL and (error.filename is None or inside):
            _raise_disk_error(error, parent if name == "files" else parent / name, _written(partial))
        if inside and gone and isinstance(error, FileNotFoundError):
            raise FileNotFoundError(
                error.errno, "The folder was removed while it was being written; run it again", str(parent / name)
            ) from error
        if error.errno in _ADVICE and inside and gone:
            _raise_disk_error(error, parent, 0)
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        for folder in reversed(made):  # those that the failed body leaves empty
            with contextlib.suppress(OSError):
                folder.rmdir()


def _make_folders(folder: Path) -> list[Path]:
    """Creates a folder with its parents; returns those that did not exist.

    Raises:
        NotADirectoryError: If one of them is a file.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()][::-1]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None
    return missing


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
