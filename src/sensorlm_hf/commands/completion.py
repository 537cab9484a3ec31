"""Shell completion, generated from the parser."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator

from .._extras import requires_extra
from .command import Command

SHELLS = ("bash", "zsh", "fish")
"""Supported shells."""

_FOLDERS = ("FOLDER", "MODEL", "folder")
_FILES = ("FILE",)


def completion_script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Returns a script that a shell sources to complete commands, options and choices.

    Options that take a file or a folder complete paths.

    Args:
        parser: The parser of the command line.
        shell: One of [`SHELLS`].

    Raises:
        ValueError: If the shell is not supported.
        ImportError: If shtab is not installed.
    """
    if shell not in SHELLS:
        raise ValueError(f"`shell` must be one of {', '.join(SHELLS)}, got {shell!r}.")
    with requires_extra("completion", "Shell completion"):
        import shtab
    if shell not in shtab.SUPPORTED_SHELLS:
        raise ImportError(
            f"shtab {shtab.__version__} only supports {', '.join(shtab.SUPPORTED_SHELLS)}; for {shell}, upgrade it:"
            " pip install --upgrade shtab"
        )
    for action in _actions(parser):
        name = action.metavar if isinstance(action.metavar, str) else action.dest
        if action.nargs != 0 and name in _FOLDERS + _FILES:
            action.complete = shtab.DIRECTORY if name in _FOLDERS else shtab.FILE  # type: ignore[attr-defined]
    return re.sub(r"[ \t]+$", "", shtab.complete(parser, shell), flags=re.M)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in dict.fromkeys(action.choices.values()):
                yield from _actions(command)
        else:
            yield action


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("shell", choices=SHELLS, help="Shell to generate the script for.")


def run(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Prints the script."""
    sys.stdout.write(completion_script(arguments.root, arguments.shell))
    return 0


COMMAND = Command(
    name="completion",
    help="Print a script that completes commands, options and paths in your shell.",
    example="sensorlm-hf completion bash > ~/.local/share/bash-completion/completions/sensorlm-hf\n"
    '  sensorlm-hf completion zsh > "${fpath[1]}/_sensorlm-hf"\n'
    "  sensorlm-hf completion fish > ~/.config/fish/completions/sensorlm-hf.fish",
    add_arguments=add_arguments,
    run=run,
    light=True,
)
