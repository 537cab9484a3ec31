"""How commands print: tables and a moving status on a terminal, plain columns and silence elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_NEVER_WRAP = 10_000
"""Columns of an output that is no terminal: a line stays a line, for grep and awk."""


def console(file: IO[str] | None = None) -> Console:
    """Returns where results go: standard output, unless a file is given."""
    target = sys.stdout if file is None else file
    return Console(file=target, highlight=False, width=None if target.isatty() else _NEVER_WRAP)


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    title: str = "",
    numbers: Sequence[str] = (),
    to: Console | None = None,
) -> None:
    """Prints a table: ruled on a terminal, aligned columns elsewhere.

    Args:
        columns: Names of the columns.
        rows: Cells; what looks like markup is printed as it is.
        title: Line above the table.
        numbers: Columns that are aligned to the right.
        to: Where to print; by default standard output.
    """
    out = to if to is not None else console()
    if title:
        out.print(Text(title, style="bold"))
    table = Table(
        box=box.SIMPLE_HEAD if out.is_terminal else None, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0)
    )
    for name in columns:
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    out.print(table)


@contextmanager
def status(text: str) -> Iterator[None]:
    """Shows that something takes its time, on a terminal; elsewhere nothing is shown."""
    if not sys.stderr.isatty():
        yield
        return
    with Console(stderr=True).status(text):
        yield
