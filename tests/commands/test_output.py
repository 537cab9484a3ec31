"""Bordered tables on a terminal, plain columns otherwise."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from sensorlm_hf.commands.output import console, print_table, status

ROWS = [("a long name " * 20, "1.5"), ("[bold]odd[/nothing]", "22.25")]


def test_output_is_plain_without_terminal() -> None:
    out = io.StringIO()
    print_table(("name", "value"), ROWS, title="T", numbers=("value",), to=console(out))
    text = out.getvalue()
    lines = text.splitlines()
    assert "\x1b" not in text
    assert "─" not in text
    assert len(lines) == 4, "each row is one line, however long"
    assert lines[0] == "T"
    assert "[bold]odd[/nothing]" in lines[3]
    assert lines[2].rstrip().endswith(" 1.5")
    assert lines[3].rstrip().endswith("22.25")


def test_table_has_borders_on_terminal() -> None:
    out = io.StringIO()
    print_table(("name", "value"), ROWS, to=Console(file=out, force_terminal=True, width=60, color_system="standard"))
    assert "─" in out.getvalue()
    assert max(map(len, out.getvalue().splitlines())) <= 120


def test_status_is_silent_without_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with status("Working"):
        pass
    assert capsys.readouterr().err == ""
