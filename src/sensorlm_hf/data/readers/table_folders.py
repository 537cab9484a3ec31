"""Tables in a folder or zip: which belong together, and their days."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from ...days import SensorDay
from ...io import open_file
from .damage import damage_of
from .quality import ReadReport
from .sources import Source, is_system_file
from .table import TABLE_SUFFIXES, TableOptions, load_table, measured_days
from .table_columns import find_name, plain_name
from .table_days import TableDays
from .table_files import CSV_SUFFIXES, HEAD_BYTES, JSON_SUFFIXES, find_dialect
from .table_frames import Measurements


def tables_below(folder: Path) -> list[Path]:
    """Returns the table files in and below a folder, in order of their paths.

    JSON files only count if there are no others, because they often describe the others.
    """
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()]
    return [folder / name for name in _table_names(sorted(names))]


def _table_names(names: list[str]) -> list[str]:
    found = [name for name in names if name.lower().endswith(TABLE_SUFFIXES) and not is_system_file(name)]
    return [name for name in found if not name.lower().endswith(JSON_SUFFIXES)] or found


def share_a_layout(paths: list[Path]) -> bool:
    """Returns whether all tables have the same columns, as one file per person or per period has.

    Tables with different columns, as one file per channel has, may contain parts of the same days.
    """
    layouts = {_columns(path) for path in paths}
    return len(layouts) < 2


def _columns(path: Path) -> tuple[str, ...]:
    name = path.name.lower()
    if not name.endswith(CSV_SUFFIXES) or name.endswith(".gz"):
        return (path.suffix.lower(),)
    with open_file(path) as stream:
        head = stream.read(HEAD_BYTES)
    head = head[: head.rfind(b"\n") + 1] or head  # not cut inside a character
    try:
        return tuple(map(plain_name, find_dialect(head, ".tsv" in name, name, ReadReport()).names))
    except ValueError:
        return ()


def read_folder(folder: Path, options: TableOptions, skip_bad: bool) -> Iterator[SensorDay]:
    """Yields the days of all tables below a folder.

    Tables with the same columns are read one after another; from tables with different columns, the days of a person
    are put together. A mapping is for the tables that have its columns; others are left out and counted.

    Args:
        folder: The folder.
        options: How to read the tables.
        skip_bad: Whether to skip and count tables that cannot be read.

    Raises:
        ValueError: If a table cannot be read, or no table has the mapping's columns.
    """
    paths = tables_below(folder)
    yield from _read_all(
        paths, [path.relative_to(folder).as_posix() for path in paths], list(map(str, paths)), options, skip_bad
    )


def read_zip(path: Path, options: TableOptions, skip_bad: bool) -> Iterator[SensorDay]:
    """Yields the days of all tables in a zip; see [`read_folder`]."""
    with Source(path) as source, tempfile.TemporaryDirectory() as folder:
        names = _table_names(source.names)
        paths = []
        for number, name in enumerate(names):
            # Only the suffix is taken from the archive.
            suffix = next(end for end in TABLE_SUFFIXES if name.lower().endswith(end))
            copy = Path(folder, f"{number}{suffix}")
            copy.write_bytes(source.read_bytes(name))
            paths.append(copy)
        yield from _read_all(paths, names, [source.label(name) for name in names], options, skip_bad)


def _read_all(
    paths: list[Path], names: list[str], labels: list[str], options: TableOptions, skip_bad: bool
) -> Iterator[SensorDay]:
    together = None if share_a_layout(paths) else TableDays(options.schema, options.mapping.day_start, options.report)
    left_out = []
    for path, name, label in zip(paths, names, labels, strict=True):
        lacks = _lacks(path, options) if together is not None else None
        if lacks is not None:
            left_out.append(f"{label} lacks {lacks!r}")
            options.report.files_unused[name] = f"the mapping's column {lacks!r} is not in it"
            continue
        try:
            with damage_of(label):
                loaded = load_table(path, name, label, options)
                if together is not None and isinstance(loaded, Measurements):
                    together.add(loaded)
                else:
                    yield from measured_days(loaded, options)
        except ValueError as error:
            if not skip_bad:
                raise
            options.report.note("bad-file", "dropped", "files that could not be read", str(error))
    if left_out and len(left_out) == len(paths):
        raise ValueError(f"No table has the mapping's columns: {'; '.join(left_out[:5])}.")
    options.report.note(
        "table-without-mapping", "dropped", "tables without the columns of the mapping", count=len(left_out)
    )
    if together is not None:
        yield from together.days()


def _lacks(path: Path, options: TableOptions) -> str | None:
    """Returns a column that the mapping names and a table of text lacks."""
    mapping = options.mapping
    wanted = [mapping.time, mapping.subject, *(mapping.columns if mapping.layout == "wide" else ())]
    columns = _columns(path)
    if not path.name.lower().endswith(CSV_SUFFIXES) or path.name.lower().endswith(".gz") or not columns:
        return None
    return next((name for name in wanted if name is not None and find_name(plain_name(name), columns) is None), None)
