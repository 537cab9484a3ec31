"""The command line: help texts, one-sentence errors and JSON output."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from sensorlm_hf import cli


def commands() -> dict[str, argparse.ArgumentParser]:
    parser = cli.build_parser()
    action = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


NAMES = sorted(commands())


@pytest.mark.parametrize("name", NAMES)
def test_help_has_full_sentences_and_valid_example(name: str) -> None:
    command = commands()[name]
    assert re.match(r"[A-Z].*\.$", command.description or "", flags=re.S)
    for action in command._actions:
        if action.dest != "help":
            assert re.match(r"[A-Z].*[.)]$", action.help or ""), f"{name} {action.dest}: {action.help!r}"
    examples = [line.strip() for line in (command.epilog or "").splitlines() if line.strip().startswith("sensorlm-hf")]
    assert examples
    for example in examples:
        words = shlex.split(example.split(" > ")[0], comments=True)[1:]
        arguments, rest = cli.build_parser().parse_known_args(words)
        assert arguments.command == name
        assert not rest


@pytest.mark.parametrize("name", [name for name in NAMES if name != "completion"])
def test_commands_with_results_support_json(name: str) -> None:
    assert "--json" in commands()[name]._option_string_actions


@pytest.mark.parametrize("name", NAMES)
def test_options_accept_dashes_and_underscores(name: str) -> None:
    options = commands()[name]._option_string_actions
    for option in options:
        if option.startswith("--"):
            assert option.replace("_", "-").replace("--", "--", 1) in options


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "invalid choice: 'nothing'"),
        ([], "required: COMMAND"),
        (["train"], "--data"),
        (["simulate", "many", "folder"], "invalid int value: 'many'"),
        (["demo", "--tabel", "a.csv"], "unrecognized arguments: --tabel"),
    ],
)
def test_invalid_arguments_have_one_sentence_message(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert "--help" in error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["simulate", "0", "folder"], "must be at least 1, got 0"),
        (["demo", "--table", "nowhere.csv"], "There is no file: nowhere.csv."),
        (["evaluate", "--data", "simulated:many"], "A simulated cohort is"),
        (
            ["train", "--data", "simulated:4", "--output_dir", "x", "--caption-keys", "poem"],
            "Unknown caption key 'poem'",
        ),
        (
            ["train", "--data", "simulated:4", "--output_dir", "x", "--learning_rate", "abc"],
            "invalid float value: 'abc'",
        ),
        (["train", "--data", "simulated:4", "--output_dir", "x", "--no_such", "3"], "arguments: --no_such 3"),
        (["train", "--data", "simulated:4", "--output_dir", "x", "--lora", "sensor"], "specify it with --init-from"),
        (["train", "--data", "nowhere", "--output_dir", "x"], "neither a folder of days"),
        (["demo", "--date", "2024-03-01"], "date applies to a recording only"),
        (["demo", "--output-dir", "file.txt"], "but file.txt is a file"),
        (["simulate", "5", "x", "--schema", "nothing"], "Unknown schema 'nothing'"),
        (["simulate", "5", "file.txt/x"], "a part of the path is a file; choose another folder): file.txt"),
        (["caption", "nowhere", "out"], "There is no folder 'nowhere'"),
        (["caption", ".", "out"], "contains no Parquet file"),
        (["caption", "file.txt", "out"], "file.txt"),
        (["convert", "table", "nowhere.csv", "out"], "There is no folder or file at nowhere.csv"),
        (["convert", "table", "file.txt", "out"], "a table must be one of .csv"),
        (["convert", "fitbit", "file.txt", "out", "--timezone", "Europe/Rome"], "file.txt is neither a folder nor"),
        (["evaluate", "--data", "simulated:4", "--split", "nothing"], "split"),
        (["evaluate", "--data", "simulated:4", "--device", "warp"], "`device` 'warp' cannot be used here"),
        (["export", "--model", "nowhere/x", "--output-dir", "e"], "nowhere/x"),
        (["export", "--model", "empty", "--output-dir", "e"], "empty"),
    ],
)
def test_user_errors_exit_with_status_2(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file.txt").write_text("no table")
    Path("empty").mkdir()
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error
    assert error.splitlines()[-1].startswith(f"sensorlm-hf {arguments[0]}: ")
    assert "[Errno" not in error
    with pytest.raises((ValueError, OSError)):
        cli.main([*arguments, "--debug"])


def test_damaged_weights_have_one_sentence_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shutil.copytree(Path(__file__).parent / "fixtures" / "tiny-coca", tmp_path / "damaged")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert cli.main(["export", "--model", str(folder), "--output-dir", str(tmp_path / "e"), "--format", "torch"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("sensorlm-hf export: The weights of the model are damaged; save or download it again (")


def test_internal_errors_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise AssertionError("a mistake")

    monkeypatch.setattr("sensorlm_hf.commands.doctor.diagnose", fail)
    with pytest.raises(AssertionError, match="a mistake"):
        cli.main(["doctor"])


def test_simulate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["simulate", "10", str(tmp_path / "a"), "--days-per-person", "1", "--json"]) == 0
    assert sum(json.loads(capsys.readouterr().out)["days"].values()) == 10
    assert cli.main(["simulate", "10", str(tmp_path / "b"), "--days_per_person", "1"]) == 0
    assert "Wrote simulated days" in capsys.readouterr().out


def test_interrupt_has_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sensorlm_hf.commands.doctor.diagnose", interrupt)
    assert cli.main(["doctor"]) == 130
    assert capsys.readouterr().err == "\nsensorlm-hf doctor: interrupted.\n"
