"""Shell completion, tested in whichever shells are installed."""

from __future__ import annotations

import argparse
import shutil
import subprocess
from pathlib import Path

import pytest

from sensorlm_hf import cli
from sensorlm_hf.commands.completion import SHELLS, completion_script

pytest.importorskip("shtab")


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_scripts_list_commands_and_options(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for word in ("simulate", "evaluate", "objective", "coca", "timezone"):
        assert word in script
    program = shutil.which(shell)
    if program:
        done = subprocess.run([program, "-n"], input=script, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr


def bash(words: list[str], script: str, folder: Path) -> list[str]:
    program = shutil.which("bash")
    if program is None:
        pytest.skip("bash is not installed")
    line = " ".join(f"'{word}'" for word in words)
    code = (
        f"{script}\nCOMP_WORDS=({line}); COMP_CWORD={len(words) - 1}\n"
        'f=$(complete -p sensorlm-hf | sed "s/.*-F \\([^ ]*\\).*/\\1/")\n$f sensorlm-hf\n'
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run([program, "--norc", "-c", code], text=True, capture_output=True, cwd=folder, check=True)
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def test_bash_completion(tmp_path: Path) -> None:
    script = completion_script(cli.build_parser(), "bash")
    (tmp_path / "my-model").mkdir()
    (tmp_path / "my-table.csv").write_text("")
    assert bash(["sensorlm-hf", "sim"], script, tmp_path) == ["simulate"]
    assert "--objective" in bash(["sensorlm-hf", "train", "--ob"], script, tmp_path)
    assert bash(["sensorlm-hf", "train", "--objective", "si"], script, tmp_path) == ["siglip"]
    assert bash(["sensorlm-hf", "demo", "--table", "my-t"], script, tmp_path) == ["my-table.csv"]
    assert any("my-model" in word for word in bash(["sensorlm-hf", "evaluate", "--model", "my-"], script, tmp_path))


def test_unsupported_shell_raises() -> None:
    with pytest.raises(ValueError, match="bash, zsh, fish, got 'cmd'"):
        completion_script(argparse.ArgumentParser(), "cmd")
