"""The README's Python blocks run unmodified from the root of the checkout."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def python_blocks(path: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), flags=re.M | re.S)


def test_readme_has_python_blocks() -> None:
    assert len(python_blocks(ROOT / "README.md")) >= 2


@pytest.mark.parametrize("document", ["README.md", "src/sensorlm_hf/checkpoints/sensorlm-coca/README.md"])
def test_python_blocks_run(document: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    namespace: dict[str, object] = {"__name__": "readme"}
    for number, block in enumerate(python_blocks(ROOT / document)):
        exec(compile(block, f"{document}, block {number}", "exec"), namespace)
    assert capsys.readouterr().out.strip()


def test_readme_shows_output_of_first_block(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```text\n(.*?)^```", text, flags=re.M | re.S)[0]
    exec(compile(python_blocks(ROOT / "README.md")[0], "README.md", "exec"), {"__name__": "readme"})
    # Scores are rounded in the README; the last digit, and thus a generated word, may differ between machines.
    printed = capsys.readouterr().out
    assert [line.split()[0] for line in printed.splitlines()] == [line.split()[0] for line in shown.splitlines()]
    assert printed.splitlines()[0] == shown.splitlines()[0]
    assert printed.splitlines()[-1] == shown.splitlines()[-1]
