"""The captions page matches the code, and its code blocks and the example run."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import datasets
import pytest

from sensorlm_hf.processing.captions import TOKEN_BUDGETS

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "captions.md").read_text(encoding="utf-8")


def test_key_table_matches_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", PAGE, flags=re.M)
    assert {key: int(tokens) for key, tokens in rows} == TOKEN_BUDGETS


def test_python_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from sensorlm_hf.processing.captions import templates

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(templates, "_REGISTERED", {})
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.M | re.S)
    assert len(blocks) >= 5
    namespace: dict[str, object] = {"__name__": "page"}
    for number, block in enumerate(blocks):
        exec(compile(block, f"docs/captions.md, block {number}", "exec"), namespace)
    assert "8 2 0" in capsys.readouterr().out


def test_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    script = ROOT / "examples" / "captions.py"
    assert len(script.read_text().splitlines()) <= 100
    monkeypatch.setattr(sys, "argv", [str(script), "--output", str(tmp_path)])
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        datasets.enable_progress_bars()
    printed = capsys.readouterr().out
    assert "64 days in 4 files" in printed
    assert "a second run skips 64 finished days" in printed
