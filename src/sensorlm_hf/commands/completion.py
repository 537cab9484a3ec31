"""Shell completion, made from the parser itself."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator

from .command import Command

SHELLS = ("bash", "zsh", "fish")
"""Shells for which completion can be made."""

_FOLDERS = ("FOLDER", "MODEL", "folder")
_FILES = ("FILE",)


def completion_script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Returns the text that a shell sources to complete commands, options and choices.

    Options that take a file or a folder complete paths.

    Args:
        parser: The parser of the command line.
        shell: One of [`SHELLS`].

    Raises:
        ValueError: If the shell is another one.
        ImportError: If shtab is not installed.
    """
    if shell not in SHELLS:
        raise ValueError(f"`shell` must be one of {', '.join(SHELLS)}, got {shell!r}.")
    try:
        import shtab
    except ImportError:
        raise ImportError("Shell completion needs shtab; install it with: pip install shtab") from None
    if shell not in shtab.SUPPORTED_SHELLS:
        raise ImportError(
            f"shtab {shtab.__version__} completes {', '.join(shtab.SUPPORTED_SHELLS)} only; for {shell} install a newer"
            " one with: pip install --upgrade shtab"
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
    parser.add_argument("shell", choices=SHELLS, help="The shell to write for.")


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
