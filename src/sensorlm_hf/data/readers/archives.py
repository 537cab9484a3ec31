"""Zip and tar archives, also inside each other, behind one interface, with a limit on how much they expand."""

from __future__ import annotations

import functools
import gzip
import io
import os
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from ...io import check_file, open_file
from .damage import describe

TAR_SUFFIXES = (".tgz", ".tar.gz", ".tar")
ARCHIVE_SUFFIXES = (".zip", *TAR_SUFFIXES)
"""Suffixes of archives."""

READ_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError, ValueError)
"""What reading a damaged, encrypted or missing file of an archive raises."""

MAX_EXPANSION = 100
"""How many times its size a compressed file may expand to; recordings expand 3 to 40 times."""

ALWAYS_EXPANDED = 1 << 26
"""Bytes that any compressed file may expand to: a constant signal of a day expands 500 times, but to less than this."""

EXPANSION_VARIABLE = "SENSORLM_MAX_EXPANSION"
"""Environment variable that raises [`MAX_EXPANSION`]; `--max-expansion` of `sensorlm-hf convert` sets it."""

_SPOOL_BYTES = 1 << 24
_CHUNK_BYTES = 1 << 20


def max_expanded(packed: int) -> int:
    """Returns how many bytes compressed data of a size may expand to.

    Raises:
        ValueError: If [`EXPANSION_VARIABLE`] is not a whole number above 0.
    """
    written = os.environ.get(EXPANSION_VARIABLE, str(MAX_EXPANSION))
    if not written.isascii() or not written.isdigit() or not 0 < int(written) < 10**9:
        raise ValueError(f"{EXPANSION_VARIABLE} must be a whole number from 1, such as 500, got {written!r}.")
    return max(ALWAYS_EXPANDED, int(written) * packed)


def _expands(label: str, packed: int) -> ValueError:
    return ValueError(
        f"{label} expands to more than {max_expanded(packed) >> 20} MiB from {packed >> 10} KiB, which no recording"
        f" does. If it is right, raise the limit of {MAX_EXPANSION} times its size with --max-expansion, or"
        f" {EXPANSION_VARIABLE}."
    )


def expand(stream: IO[bytes], target: IO[bytes], packed: int, label: str) -> None:
    """Copies a decompressing stream, at most as much as its compressed size allows.

    Raises:
        ValueError: If it expands to more; see [`max_expanded`].
    """
    left = max_expanded(packed)
    while chunk := stream.read(_CHUNK_BYTES):
        left -= len(chunk)
        if left < 0:
            raise _expands(label, packed)
        target.write(chunk)


def gunzip(data: bytes, label: str) -> bytes:
    """Returns the content of gzip data.

    Raises:
        ValueError: If they are damaged, or expand too much; see [`max_expanded`].
    """
    held = io.BytesIO()
    try:
        with gzip.open(io.BytesIO(data)) as stream:
            expand(stream, held, len(data), label)  # type: ignore[arg-type]
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{label}: cannot be decompressed: {describe(error)}. Download or export it again.") from None
    return held.getvalue()


class MemberStream:
    """A file of an archive that is open for reading, whose damage is a ValueError that names it."""

    def __init__(self, stream: IO[bytes], label: str) -> None:
        self._stream, self._label = stream, label

    def read(self, size: int = -1) -> bytes:
        """Reads at most `size` bytes, all by default."""
        try:
            if size >= 0:
                return self._stream.read(size)
            # In pieces, because a zip reserves memory for as much as a damaged header says.
            return b"".join(iter(lambda: self._stream.read(_CHUNK_BYTES), b""))
        except READ_ERRORS as error:
            raise _unreadable(self._label, error) from None

    def readline(self, size: int = -1) -> bytes:
        """Reads a line of at most `size` bytes."""
        try:
            return self._stream.readline(size)
        except READ_ERRORS as error:
            raise _unreadable(self._label, error) from None

    def close(self) -> None:
        """Closes the file."""
        self._stream.close()

    def __enter__(self) -> MemberStream:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _unreadable(label: str, error: Exception) -> ValueError:
    if isinstance(error, OSError) and not isinstance(error, zipfile.BadZipFile):
        reason = os.strerror(error.errno) if error.errno else str(error)
    else:
        reason = describe(error)
    return ValueError(f"{label} cannot be read from the archive: {reason}. Download or export it again.")


class ZipArchive:
    """The files of a zip.

    Args:
        file: Path or open file.
        label: Label of the archive for messages.

    Raises:
        ValueError: If it is empty or not a readable zip, or its files expand too much; see [`max_expanded`].
    """

    def __init__(self, file: Path | IO[bytes], label: str) -> None:
        self.label = label
        if isinstance(file, Path):
            check_file(file)
        if isinstance(file, Path) and file.stat().st_size == 0:
            raise ValueError(f"{label} is empty (0 bytes); export or download it again.")
        try:
            self._zip = zipfile.ZipFile(file)
            infos = self._zip.infolist()
        except Exception as error:  # headers that contradict each other raise ValueError, struct.error and others
            raise ValueError(
                f"{label} is neither a folder nor a readable zip ({describe(error)}). If it is a zip, it may be"
                " truncated: download it again."
            ) from None
        # Of all files together, because the headers of several may point to the same data.
        packed = file.stat().st_size if isinstance(file, Path) else file.seek(0, os.SEEK_END)
        if sum(info.file_size for info in infos) > max_expanded(packed):
            raise _expands(label, packed)
        self.names = [info.filename for info in infos if not info.is_dir()]

    def open(self, name: str) -> MemberStream:
        """Opens a file.

        Raises:
            ValueError: If it is damaged or encrypted.
        """
        try:
            return MemberStream(self._zip.open(name), f"{self.label}:{name}")
        except READ_ERRORS as error:
            raise _unreadable(f"{self.label}:{name}", error) from None

    def read(self, name: str) -> bytes:
        """Returns a file's bytes.

        Raises:
            ValueError: If it is damaged or encrypted.
        """
        with self.open(name) as stream:
            return stream.read()

    def inner(self, name: str) -> ZipArchive:
        """Returns a zip in the zip."""
        held: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115 - the zip reads it
        with self.open(name) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                held.write(chunk)
        held.seek(0)
        return ZipArchive(held, f"{self.label}:{name}")

    def close(self) -> None:
        """Closes the file."""
        self._zip.close()


class TarArchive:
    """The files of a tar, which is decompressed to a temporary file once, so that files can be read in any order.

    Raises:
        ValueError: If it is empty or not a readable tar, or expands too much; see [`max_expanded`].
    """

    def __init__(self, file: Path, label: str) -> None:
        self.label = label
        check_file(file)
        status = file.stat()
        if status.st_size == 0:
            raise ValueError(f"{label} is empty (0 bytes); export or download it again.")
        try:
            held = _decompressed(str(file.resolve()), status.st_size, status.st_mtime_ns, label)
            self._tar = tarfile.open(held.name, "r:")  # noqa: SIM115 - closed by `close`
            self._members = {member.name: member for member in self._tar.getmembers() if member.isfile()}
        except (tarfile.TarError, EOFError, OSError, zlib.error, OverflowError, UnicodeError) as error:
            raise ValueError(
                f"{label} is not a readable tar ({describe(error)}); it may be truncated: download it again."
            ) from None
        self.names = list(self._members)

    def open(self, name: str) -> MemberStream:
        """Opens a file."""
        stream = self._tar.extractfile(self._members[name])
        if stream is None:
            raise ValueError(f"{self.label}:{name} cannot be read from the tar.")
        return MemberStream(stream, f"{self.label}:{name}")

    def read(self, name: str) -> bytes:
        """Returns a file's bytes."""
        with self.open(name) as stream:
            return stream.read()

    def close(self) -> None:
        """Closes the file."""
        self._tar.close()


@functools.lru_cache(maxsize=1)
def _decompressed(path: str, size: int, modified: int, label: str) -> Any:
    """A temporary file of the tar without its compression; the last one is kept, because exports are opened often."""
    held = tempfile.NamedTemporaryFile(suffix=".tar")  # noqa: SIM115 - deleted when the cache drops it
    with open_file(path) as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    with gzip.open(path) if packed else open_file(path) as stream:
        expand(stream, held, size, label)  # type: ignore[arg-type]
    held.flush()
    return held
