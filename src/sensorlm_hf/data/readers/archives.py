"""Zip and tar archives, also inside each other, behind one interface."""

from __future__ import annotations

import functools
import gzip
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

TAR_SUFFIXES = (".tgz", ".tar.gz", ".tar")
ARCHIVE_SUFFIXES = (".zip", *TAR_SUFFIXES)
"""Suffixes of archives."""

READ_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError)
"""What reading a damaged, encrypted or missing file of an archive raises."""

_SPOOL_BYTES = 1 << 24


class ZipArchive:
    """The files of a zip.

    Args:
        file: Path or open file.
        label: Label of the archive for messages.

    Raises:
        ValueError: If it is empty or not a readable zip.
    """

    def __init__(self, file: Path | IO[bytes], label: str) -> None:
        self.label = label
        if isinstance(file, Path) and file.stat().st_size == 0:
            raise ValueError(f"{label} is empty (0 bytes); export or download it again.")
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, EOFError) as error:
            raise ValueError(
                f"{label} is neither a folder nor a readable zip ({error}). If it is a zip, it may be truncated:"
                " download it again."
            ) from None
        self.names = [info.filename for info in self._zip.infolist() if not info.is_dir()]

    def open(self, name: str) -> IO[bytes]:
        """Opens a file.

        Raises:
            ValueError: If it is damaged or encrypted.
        """
        try:
            return self._zip.open(name)
        except READ_ERRORS as error:
            raise ValueError(f"{self.label}:{name} cannot be read from the zip: {error}") from None

    def read(self, name: str) -> bytes:
        """Returns a file's bytes.

        Raises:
            ValueError: If it is damaged or encrypted.
        """
        try:
            return self._zip.read(name)
        except READ_ERRORS as error:
            raise ValueError(f"{self.label}:{name} cannot be read from the zip: {error}") from None

    def inner(self, name: str) -> ZipArchive:
        """Returns a zip in the zip."""
        held: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115 - the zip reads it
        with self.open(name) as stream:
            try:
                shutil.copyfileobj(stream, held)
            except READ_ERRORS as error:
                raise ValueError(f"{self.label}:{name} cannot be read from the zip: {error}") from None
        held.seek(0)
        return ZipArchive(held, f"{self.label}:{name}")

    def close(self) -> None:
        """Closes the file."""
        self._zip.close()


class TarArchive:
    """The files of a tar, which is decompressed to a temporary file once, so that files can be read in any order.

    Raises:
        ValueError: If it is empty or not a readable tar.
    """

    def __init__(self, file: Path, label: str) -> None:
        self.label = label
        status = file.stat()
        if status.st_size == 0:
            raise ValueError(f"{label} is empty (0 bytes); export or download it again.")
        try:
            held = _decompressed(str(file.resolve()), status.st_size, status.st_mtime_ns)
            self._tar = tarfile.open(held.name, "r:")  # noqa: SIM115 - closed by `close`
            self._members = {member.name: member for member in self._tar.getmembers() if member.isfile()}
        except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
            raise ValueError(
                f"{label} is not a readable tar ({error}); it may be truncated: download it again."
            ) from None
        self.names = list(self._members)

    def open(self, name: str) -> IO[bytes]:
        """Opens a file."""
        stream = self._tar.extractfile(self._members[name])
        if stream is None:
            raise ValueError(f"{self.label}:{name} cannot be read from the tar.")
        return stream

    def read(self, name: str) -> bytes:
        """Returns a file's bytes."""
        with self.open(name) as stream:
            return stream.read()

    def close(self) -> None:
        """Closes the file."""
        self._tar.close()


@functools.lru_cache(maxsize=1)
def _decompressed(path: str, size: int, modified: int) -> Any:
    """A temporary file of the tar without its compression; the last one is kept, because exports are opened often."""
    held = tempfile.NamedTemporaryFile(suffix=".tar")  # noqa: SIM115 - deleted when the cache drops it
    with open(path, "rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    with gzip.open(path) if packed else open(path, "rb") as stream:
        shutil.copyfileobj(stream, held)
    held.flush()
    return held
