"""What libraries raise on damaged files, as errors that name the file."""

from __future__ import annotations

import contextlib
import os
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator

import pyarrow as pa

_OBJECT = re.compile(r"<[^<>]* at 0x[0-9a-f]+>")
_RANGE = "a number or a date in it is out of range"
_DEEP = "it is nested too deeply"
_TEXT = "a text in it has an encoding that cannot be read"
_PACKED = "its compressed data are damaged"

_REASONS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    (OverflowError, _RANGE),
    (RecursionError, _DEEP),
    (UnicodeError, _TEXT),
    ((zlib.error, zipfile.BadZipFile, tarfile.TarError, EOFError), _PACKED),
    (struct.error, "a part of it is cut off"),
    (pa.ArrowException, "it is not a readable table"),
)
"""What an error of a library means. Others, such as a TypeError, are errors of this package."""


@contextlib.contextmanager
def damage_of(label: str) -> Iterator[None]:
    """Raises errors that damaged data cause in libraries as ValueErrors that name the file.

    Readers check what they read and say at which line it is wrong; this is for what only a library notices.

    Args:
        label: How messages call the file.

    Raises:
        ValueError: In place of such an error, and of a ValueError that does not name the file, such as that of shared
            code that does not know it.
    """
    try:
        yield
    except Exception as error:
        reason = next((why for kinds, why in _REASONS if isinstance(error, kinds)), None)
        if reason is not None:
            more = f" ({describe(error)})" if reason not in (_RANGE, _DEEP) else ""
            raise ValueError(f"{label} is damaged: {reason}{more}. Export or download it again.") from error
        last = label.rstrip("/").rsplit("/", 1)[-1].rsplit(":", 1)[-1]
        if isinstance(error, ValueError) and last not in str(error):
            raise ValueError(f"{label}: {error}") from error
        raise


def describe(error: BaseException) -> str:
    """Returns an error's message in one line, at most 200 characters, or its type if it has none."""
    if isinstance(error, UnicodeError):
        text = str(getattr(error, "reason", error))
    else:
        text = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
    if isinstance(error, (TypeError, AttributeError)):
        text = "its parts contradict each other"  # the library's own words are about its code
    text = " ".join(_OBJECT.sub("an expression", text).split()) or type(error).__name__
    plain = "".join(character if character.isprintable() else "?" for character in text).rstrip(".")
    return plain if len(plain) <= 200 else f"{plain[:200]} ..."
