"""A hash of the code that produces captions."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

_HERE = Path(__file__).resolve().parent


@cache
def source_fingerprint() -> str:
    """Returns a hash of all source code that determines a caption's text.

    It is part of the `datasets` cache fingerprint of a map and of the record in captioned folders, so that captions
    from different versions of this package are never mixed. A changed comment changes the hash, which costs some
    recomputation; the opposite error would silently mix captions.
    """
    digest = hashlib.blake2b(digest_size=8)
    package = _HERE.parents[1]
    others = [package / name for name in ("activities.py", "days.py", "schema.py")]
    for path in sorted([*_HERE.glob("**/*.py"), *others]):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0")
        digest.update(path.read_bytes().replace(b"\r\n", b"\n") if path.is_file() else b"")
    return digest.hexdigest()
