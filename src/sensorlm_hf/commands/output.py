"""Output of commands: tables and a status spinner on a terminal, plain columns otherwise."""

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
"""Width of non-terminal output, so that lines are never wrapped, for grep and awk."""


def console(file: IO[str] | None = None) -> Console:
    """Returns a console that prints to `file`, standard output by default."""
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
    """Prints a table: ruled on a terminal, aligned columns otherwise.

    Args:
        columns: Column names.
        rows: Cells; markup is printed verbatim.
        title: Line above the table.
        numbers: Right-aligned columns.
        to: Console to print to; standard output by default.
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
    """Shows a spinner on a terminal while the body runs; otherwise shows nothing."""
    if not sys.stderr.isatty():
        yield
        return
    with Console(stderr=True).status(text):
        yield
