"""The commands shown in the documentation exist and accept the options shown."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from sensorlm_hf.cli import build_parser
from sensorlm_hf.training import SensorLMTrainingArguments

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    path
    for pattern in ("README.md", "CONTRIBUTING.md", "configs/*.md", "docs/*.md", "src/sensorlm_hf/checkpoints/*/*.md")
    for path in ROOT.glob(pattern)
)
SCRIPTS = sorted([*(ROOT / "examples").glob("*.py"), *(ROOT / "dataset_scripts").glob("*.py")])


def shell_lines(text: str) -> list[str]:
    """Commands in the shell blocks of a document: all `bash` lines, and `console` lines after a `$`."""
    lines: list[str] = []
    for language, block in re.findall(r"^```(bash|console|sh|shell)\n(.*?)^```", text, flags=re.M | re.S):
        joined = block.replace("\\\n", " ").splitlines()
        lines += [line.removeprefix("$ ") for line in joined if language != "console" or line.startswith("$ ")]
    return lines


def spans(text: str) -> list[str]:
    """Inline commands in a sentence or a table."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))


def found(program: str) -> list[tuple[str, str]]:
    """All `(document, command)` of a program."""
    pairs = []
    for path in [*DOCUMENTS, *SCRIPTS]:
        text = path.read_text(encoding="utf-8")
        lines = (
            [*shell_lines(text), *spans(text)] if path.suffix == ".md" else text.partition('"""\n\n')[0].splitlines()
        )
        pairs += [(path.relative_to(ROOT).as_posix(), line.strip()) for line in lines]
    return [pair for pair in pairs if pair[1].split(" ")[0] == program]


def words(line: str) -> list[str]:
    return shlex.split(line, comments=True)


def makefile_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M))


@pytest.mark.parametrize(("document", "line"), found("make"))
def test_make_targets_exist(document: str, line: str) -> None:
    targets = [word for word in words(line)[1:] if "=" not in word]
    assert targets
    assert set(targets) <= makefile_targets()
    variables = {word.partition("=")[0] for word in words(line)[1:] if "=" in word}
    assert all(f"$({name})" in (ROOT / "Makefile").read_text(encoding="utf-8") for name in variables)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_understands_every_target() -> None:
    targets = sorted(makefile_targets())
    assert {"demo", "test", "test-all", "lint", "train-demo", "bench", "setup"} <= set(targets)
    done = subprocess.run(["make", "-n", *targets], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for path in re.findall(r"(?:examples|benchmarks)/\w+\.py", done.stdout):
        assert (ROOT / path).is_file()


@pytest.mark.parametrize(("document", "line"), found("sensorlm-hf"))
def test_sensorlm_hf_commands_parse(document: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = words(line)[1:]
    (commands,) = (action.choices for action in build_parser()._actions if isinstance(action.choices, dict))
    if len(given) == 1:  # only the command name
        assert given[0] in commands
        return
    try:
        arguments, rest = build_parser().parse_known_args(given)
    except SystemExit:
        # Inline commands may be quoted without all of their arguments.
        assert "the following arguments are required" in capsys.readouterr().err
        assert given[0] in commands
        return
    if rest:
        assert arguments.command == "train", f"unknown: {rest}"
        known = {field.name for field in fields(SensorLMTrainingArguments)}
        assert {word[2:].partition("=")[0].replace("-", "_") for word in rest if word.startswith("--")} <= known


@pytest.mark.parametrize(("document", "line"), found("python"))
def test_scripts_exist_and_accept_their_options(document: str, line: str) -> None:
    script, *given = words(line)[1:]
    if script in ("-m", "-c"):
        pytest.skip("a module of the standard library, or code")
    path = ROOT / script
    assert path.is_file()
    text = path.read_text(encoding="utf-8")
    handed_on = re.search(r'main\(\["convert", "([\w-]+)"', text)
    if handed_on:
        _, rest = build_parser().parse_known_args(["convert", handed_on.group(1), *given])
        assert not rest
        return
    options = {word.partition("=")[0] for word in given if word.startswith("--")}
    assert options <= set(re.findall(r"add_argument\(\s*\"(--[\w-]+)\"", text))


def test_there_are_commands_to_check() -> None:
    """Checks that the patterns above find the commands in the README."""
    assert {"make demo", "make test"} <= {line for document, line in found("make") if document == "README.md"}
    assert {words(line)[1] for document, line in found("sensorlm-hf") if document == "README.md"} >= {
        "demo",
        "train",
        "evaluate",
    }
    assert len(found("python")) >= 4


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_relative_links_resolve(document: Path) -> None:
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if "://" not in target:
            assert (document.parent / target).exists(), target
