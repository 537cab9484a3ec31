"""Implementation of `sensorlm-hf demo`: read a day, run the model, write the report, print the results."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any

from rich import box
from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from transformers import AutoFeatureExtractor
from transformers.utils import logging as transformers_logging

from ..checkpoints import demo_checkpoint
from ..days import SensorDay
from .compute import run_demo
from .report import write_report
from .result import DemoResult, Stopwatch
from .sources import read_source

N_LABELS = 5
"""Number of labels shown on the terminal."""

SHOWN_CHARACTERS = 160
"""Retrieved captions are truncated to this length on the terminal; the report shows the full text."""


def run(
    fitbit: str | os.PathLike | None = None,
    mmash: str | os.PathLike | None = None,
    table: str | os.PathLike | None = None,
    *,
    timezone: str | None = None,
    date: str | None = None,
    model: str | os.PathLike | None = None,
    output_dir: str | os.PathLike = "demo",
    json_output: bool = False,
) -> int:
    """Runs the demo and prints the results.

    Args:
        fitbit: Fitbit or Takeout export, a folder or a zip file.
        mmash: MMASH folder.
        table: CSV, Parquet or npy file; if none of the three is given, the built-in simulated day is used.
        timezone: Time zone of the recording.
        date: Local date of the day, `"YYYY-MM-DD"`.
        model: Folder or Hub id of a model; by default the package's demo model.
        output_dir: Folder for `report.html`; created if it does not exist.
        json_output: Whether to print JSON instead of tables.

    Returns:
        Exit status, 0.

    Raises:
        FileNotFoundError: If a source or the demo model does not exist.
        ValueError: If the source or the model cannot be used; the message says why.
    """
    path = os.fspath(model) if model is not None else demo_checkpoint()
    with _no_progress_bars(), Console(stderr=True).status("Starting") as status:
        watch = Stopwatch(lambda stage: status.update(stage.capitalize()))
        with watch.stage("read the day"):
            chosen = read_source(
                fitbit=fitbit, mmash=mmash, table=table, timezone=timezone, date=date, schema=_schema_of(path)
            )
        result = run_demo(chosen.day, path, source=chosen.source, notes=chosen.notes, stopwatch=watch)
        report = write_report(result, chosen.day, output_dir, stopwatch=watch)
    if json_output:
        sys.stdout.write(json.dumps({**result.to_dict(), "report": str(report)}, indent=2) + "\n")
    else:
        print_result(result, chosen.day, report)
    return 0


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    """Disables transformers' progress bars while weights are loaded: the status line is enough."""
    before = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if before:
            transformers_logging.enable_progress_bar()


def _schema_of(path: str) -> Any:
    try:
        return AutoFeatureExtractor.from_pretrained(path).to_schema()
    except (OSError, AttributeError, ValueError) as error:
        raise ValueError(f"No SensorLM model could be loaded from {path!r}: {error}") from None


def print_result(
    result: DemoResult, day: SensorDay, report: Path | None = None, console: Console | None = None
) -> None:
    """Prints a result: tables on a terminal, plain columns elsewhere.

    Args:
        result: The result.
        day: The day.
        report: Path of the report.
        console: Where to print; standard output by default.
    """
    console = console if console is not None else Console(highlight=False)
    what = {"simulated": "synthetic subject"}.get(result.source, f"recording, {result.source}")
    console.print(Text(f"{result.sample_id} ({what})", style="bold"))
    if result.demo_model:
        console.print(Text("The demo model was trained on synthetic subjects only. Not a medical device.", style="dim"))

    table = _table(console, f"Top {N_LABELS} of {len(result.labels)} labels, zero-shot")
    table.add_column("label")
    table.add_column("score", justify="right")
    if console.is_terminal:
        table.add_column("", width=20)
    table.add_column("")
    for item in result.labels[:N_LABELS]:
        bar = [ProgressBar(total=1, completed=item.score, width=20)] if console.is_terminal else []
        table.add_row(Text(item.label), f"{item.score:.3f}", *bar, "logged that day" if item.logged else "")
    console.print(table)

    table = _table(console, "Captions")
    table.add_column("by", no_wrap=True)
    table.add_column("text", overflow="fold")
    if result.generated_caption is not None:
        table.add_row("model, from sensors", Text(result.generated_caption))
    table.add_row("caption builder", Text(result.built_caption))
    console.print(table)

    if result.own_rank is not None:
        title = f"Retrieval among {result.library_size} captions: this day's caption ranks {result.own_rank}"
        table = _table(console, title)
        table.add_column("rank", justify="right")
        table.add_column("cosine", justify="right")
        table.add_column("caption", overflow="fold")
        for near in result.nearest:
            words = shorten(near.caption, SHOWN_CHARACTERS, placeholder=" ...")
            table.add_row(str(near.rank), f"{near.similarity:.3f}", Text(words, style="bold" if near.own else ""))
        console.print(table)
    console.print()
    for note in result.notes:
        console.print(Text(note, style="dim"))
    times = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in result.seconds.items())
    console.print(Text(f"Time: {times}.", style="dim"))
    if report is not None:
        console.print(Text(f"Report: {report}"))


def _table(console: Console, title: str) -> Table:
    """Prints a title and returns an empty table for the rows below it."""
    console.print()
    console.print(Text(title, style="bold"))
    return Table(
        box=box.SIMPLE_HEAD if console.is_terminal else None,
        pad_edge=False,
        show_edge=False,
        padding=(0, 2, 0, 0),
    )
