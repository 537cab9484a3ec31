"""Tables in a folder or zip: which belong together, and their days."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ...days import SensorDay
from ...io import open_file
from .damage import damage_of
from .quality import ReadReport
from .sources import Source, is_system_file
from .table import TABLE_SUFFIXES, TableOptions, load_table, measured_days
from .table_columns import SUBJECT_COLUMNS, find_name, plain_name
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


def of_the_same_people(paths: list[Path], subject: str | None) -> list[list[int]]:
    """Returns which tables may contain parts of the same days, because they share a person.

    Args:
        paths: Tables with the same columns.
        subject: Column of people, if the caller names it.

    Returns:
        Groups of positions in `paths`, each in order; tables without a column of people share one person.
    """
    group_of: dict[str, int] = {}
    groups: dict[int, list[int]] = {}
    for place, path in enumerate(paths):
        people = _people(path, subject)
        known = sorted({group_of[who] for who in people if who in group_of})
        target = known[0] if known else place
        groups.setdefault(target, [])
        for other in known[1:]:
            groups[target] += groups.pop(other)
            group_of = {who: target if number == other else number for who, number in group_of.items()}
        groups[target].append(place)
        group_of |= dict.fromkeys(people, target)
    return sorted(sorted(group) for group in groups.values())


def _people(path: Path, subject: str | None) -> set[str]:
    """The people of a table of text or Parquet; its own path if it cannot be known, so that it is read alone."""
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            columns: list[str] = pq.read_schema(path).names
            if "values" in columns:  # finished days
                return {str(path)}
            column = _subject_column(columns, subject)
            return (
                {""} if column is None else set(map(str, pq.read_table(path, columns=[column])[0].unique().to_pylist()))
            )
        if name.endswith(CSV_SUFFIXES) and not name.endswith(".gz"):
            with path.open("rb") as stream:
                head = stream.read(HEAD_BYTES)
            dialect = find_dialect(head[: head.rfind(b"\n") + 1] or head, ".tsv" in name, name, ReadReport())
            column = _subject_column(dialect.names, subject)
            if column is None:
                return {""}
            place = dialect.names.index(column)
            with path.open(encoding=dialect.encoding, errors="replace", newline="") as text:
                for _ in range(dialect.header_line + 1):
                    text.readline()
                rows = csv.reader(text, delimiter=dialect.delimiter)
                return {row[place].strip() for row in rows if len(row) > place} or {str(path)}
    except (ValueError, OSError, csv.Error, pa.ArrowException):
        pass  # the reader says what is wrong
    return {str(path)}


def _subject_column(columns: Iterable[str], subject: str | None) -> str | None:
    wanted = SUBJECT_COLUMNS if subject is None else (subject,)
    return next((found for name in wanted if (found := find_name(name, columns)) is not None), None)


def read_folder(folder: Path, options: TableOptions, skip_bad: bool) -> Iterator[SensorDay]:
    """Yields the days of all tables below a folder.

    Tables with the same columns are read one after another, but those of the same people together; from tables with
    different columns, the days of a person are put together. A mapping is for the tables that have its columns; others
    are left out and counted.

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
    whole = list(range(len(paths)))
    alike = share_a_layout(paths)
    left_out = []
    for group in of_the_same_people(paths, options.mapping.subject) if alike else [whole]:
        apart = alike and len(group) == 1
        together = None if apart else TableDays(options.schema, options.mapping.day_start, options.report)
        for place in group:
            path, name, label = paths[place], names[place], labels[place]
            lacks = None if alike else _lacks(path, options)
            if lacks is not None:
                left_out.append(f"{label} lacks {lacks!r}")
                options.report.files_unused[name] = f"the mapping's column {lacks!r} is not in it"
                continue
            try:
                with damage_of(label):
                    loaded = load_table(path, name, label, options)
                    if together is None or not isinstance(loaded, Measurements):
                        yield from measured_days(loaded, options)
                        continue
            except ValueError as error:
                if not skip_bad:
                    raise
                options.report.note("bad-file", "dropped", "files that could not be read", str(error))
                continue
            # Tables that contradict each other are not damaged: which of them holds is for the user to say.
            together.add(loaded)
        if together is not None:
            yield from together.days()
    if left_out and len(left_out) == len(paths):
        raise ValueError(f"No table has the mapping's columns: {'; '.join(left_out[:5])}.")
    options.report.note(
        "table-without-mapping", "dropped", "tables without the columns of the mapping", count=len(left_out)
    )


def _lacks(path: Path, options: TableOptions) -> str | None:
    """Returns a column that the mapping names and a table of text lacks."""
    mapping = options.mapping
    wanted = [mapping.time, mapping.subject, *(mapping.columns if mapping.layout == "wide" else ())]
    columns = _columns(path)
    if not path.name.lower().endswith(CSV_SUFFIXES) or path.name.lower().endswith(".gz") or not columns:
        return None
    return next((name for name in wanted if name is not None and find_name(plain_name(name), columns) is None), None)
