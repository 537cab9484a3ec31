"""Prints a conversion's quality report: tables on a terminal, plain lines otherwise."""

from __future__ import annotations

from typing import IO

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..io import plain_text
from .convert import Conversion

MAX_DAYS = 40
"""Maximum number of days listed individually; the JSON report contains all of them."""

_PLAIN_WIDTH = 140
_LONGEST_NAME = 10
_STYLES = {"dropped": "red", "kept": "yellow", "info": "dim"}


def _name(subject_id: str) -> str:
    shown = plain_text(subject_id)
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[: _LONGEST_NAME - 1]}…"


def print_conversion(done: Conversion, stream: IO[str] | None = None) -> None:
    """Prints what was read, what was left out and why, and the location of the dataset.

    Args:
        done: The conversion.
        stream: Output stream; standard output by default. Colours and frames are used on terminals only.
    """
    console = Console(file=stream, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console = Console(file=stream, highlight=False, soft_wrap=True, width=_PLAIN_WIDTH)
    modalities = list(dict.fromkeys(channel.modality for channel in done.statistics.schema or ()))
    schema = done.statistics.schema
    if schema is not None:
        table = Table(title=f"Minutes observed ({done.kind})", box=box.SIMPLE_HEAD if console.is_terminal else None)
        table.add_column("person", no_wrap=True)
        table.add_column("window starts", no_wrap=True)
        for modality in modalities:
            table.add_column(modality, justify="right")
        for name in ("gap", "events", "implausible", "dropped"):
            table.add_column(name, justify="right")
        for day in done.report.days[:MAX_DAYS]:
            most = {
                modality: max((day.observed_minutes.get(c.key, 0) for c in schema if c.modality == modality), default=0)
                for modality in modalities
            }
            table.add_row(
                escape(_name(day.subject_id)),
                day.start[:16].replace("T", " "),
                *(str(most[modality]) for modality in modalities),
                str(day.longest_gap),
                str(sum(day.events.values())),
                str(sum(day.implausible_minutes.values())),
                str(sum(day.dropped.values())),
            )
        console.print(table)
        if len(done.report.days) > MAX_DAYS:
            console.print(f"... and {len(done.report.days) - MAX_DAYS} more days.")
    for level in ("dropped", "kept", "info"):
        for note in done.report.notes.values():
            if note.level == level:
                message = escape(plain_text(note.message))
                console.print(f"[{_STYLES[level]}]{level:>7}[/]  {note.count:>7} x {message}")
                for example in note.examples:
                    console.print(f"                     {escape(plain_text(example))}")
    reasons = list(done.report.files_unused.values())
    for reason in dict.fromkeys(reasons):
        console.print(f" unused  {reasons.count(reason):>7} x {escape(reason)}")
    days = ", ".join(f"{count} {split}" for split, count in done.days.items())
    people, total = sum(done.people.values()), sum(done.days.values())
    size = done.data_bytes / 1000 / max(total, 1)
    console.print(
        f"Wrote {total} {'day' if total == 1 else 'days'} ({days}) of {people}"
        f" {'person' if people == 1 else 'people'} to {escape(str(done.folder))}, {size:.1f} kB per day."
    )
