"""Reads SQLite databases from exports, which may have been made to do more than hold tables."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from .damage import describe

_LONGEST_CELL = 1 << 24
_RECURSIVE = 33  # SQLITE_RECURSIVE, for which Python has no name


@contextlib.contextmanager
def database_of(data: bytes, label: str, title: str) -> Iterator[sqlite3.Connection]:
    """Opens a database for reading.

    Views are refused, because they are programs: one of a few lines can run for ever.

    Args:
        data: Content of the file.
        label: How messages call the file.
        title: What the database should be.

    Raises:
        ValueError: If it is damaged, or an error of SQLite is raised in the block.
    """
    # SQLite reads files, not bytes, and the database may be in a zip.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.db"
        path.write_bytes(data)
        try:
            with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as database:
                database.execute("PRAGMA trusted_schema = OFF")
                if hasattr(database, "setlimit"):  # Python 3.11
                    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_CELL)
                database.set_authorizer(_allowed)
                yield database
        except (sqlite3.Error, sqlite3.Warning, UnicodeError) as error:
            raise ValueError(f"{label} is not a readable {title}: {describe(error)}. Export it again.") from None


def _allowed(action: int, first: str | None, second: str | None, database: str | None, view: str | None) -> int:
    return sqlite3.SQLITE_DENY if view is not None or action == _RECURSIVE else sqlite3.SQLITE_OK
