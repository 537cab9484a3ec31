"""The `sensorlm-hf` command: its parser, and what becomes of errors. Each subcommand is a file of `commands/`."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from ._version import __version__
from .commands import caption, completion, convert, demo, doctor, evaluate, export, simulate, train
from .commands.command import Command

COMMANDS: tuple[Command, ...] = tuple(
    module.COMMAND for module in (demo, simulate, caption, convert, train, evaluate, export, doctor, completion)
)
"""The subcommands, in the order of the help."""

# Missing files and unreachable hubs are OSErrors; a library that a choice needs and that is not there an ImportError; a
# loss that is not finite a FloatingPointError.
_USER_ERRORS = (ValueError, TypeError, KeyError, OSError, ImportError, FloatingPointError)

# Errors of damaged files that are none of these, by name: importing what defines them would slow the start.
_DAMAGED = {
    "SafetensorError": "The weights of the model are damaged; save or download it again",
    "BadZipFile": "The zip file is damaged; download it again",
    "DatasetGenerationError": "The dataset could not be prepared",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        argv: Arguments; those of the process if left out.

    Returns:
        The exit status: 0, 2 for a user's error (one sentence on standard error), 130 when interrupted.
    """
    parser = build_parser()
    arguments, rest = parser.parse_known_args(argv)
    command: Command = arguments.run
    if rest and not command.takes_more:
        arguments.parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if arguments.debug:
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    else:
        warnings.formatwarning = _format_warning
    try:
        status = command.run(arguments, rest) if command.light else _run(command, arguments, rest)
        sys.stdout.flush()  # or a reader that went away shows only when Python ends
        return status
    except BrokenPipeError:
        # The reader of our output went away (`| head`); that is no error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted.\n")
        return 130
    except Exception as error:
        message = _message(error)
        if arguments.debug or message is None:
            raise
        sys.stderr.write(f"sensorlm-hf {arguments.command}: {message}\n")
        return 2


def _message(error: Exception) -> str | None:
    """Says in a sentence what a user can mend, or None if the error is ours."""
    text = " ".join(str(error).split())
    damage = _DAMAGED.get(type(error).__name__)
    if damage is not None:
        return f"{damage} ({text.rstrip('.')})."
    if not isinstance(error, _USER_ERRORS):
        return None
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.strerror}: {os.fspath(error.filename)}."
    if isinstance(error, KeyError) and error.args:
        text = " ".join(str(error.args[0]).split())
    return text or type(error).__name__


def _run(command: Command, arguments: argparse.Namespace, rest: list[str]) -> int:
    """Runs a command that needs the models: makes them known first, see `_start.register_unless_command`."""
    from ._registration import register

    register()
    with contextlib.nullcontext() if sys.stderr.isatty() else _without_progress_bars():
        return command.run(arguments, rest)


@contextlib.contextmanager
def _without_progress_bars() -> Iterator[None]:
    """Keeps bars, which draw over themselves, out of logs and files; afterwards they are as they were."""
    import datasets
    from transformers.utils import logging as transformers_logging

    libraries = [
        (datasets.are_progress_bars_disabled(), datasets.disable_progress_bars, datasets.enable_progress_bars),
        (
            not transformers_logging.is_progress_bar_enabled(),
            transformers_logging.disable_progress_bar,
            transformers_logging.enable_progress_bar,
        ),
    ]
    for _, disable, _ in libraries:
        disable()
    try:
        yield
    finally:
        for disabled, _, enable in libraries:
            if not disabled:
                enable()


def _format_warning(message: Warning | str, *_: Any, **__: Any) -> str:
    return f"warning: {message}\n"


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one sentence, without the usage of all options before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message.rstrip('.')} (see {self.prog} --help).\n")


def build_parser() -> argparse.ArgumentParser:
    """Builds the parser of all subcommands."""
    parser = _Parser(
        prog="sensorlm-hf",
        description="SensorLM labels, captions and searches days of wearable data, and learns from them.",
        epilog="Example:\n  sensorlm-hf demo\n\n`sensorlm-hf COMMAND --help` explains a command and gives an example.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"sensorlm-hf {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        subparser = subparsers.add_parser(
            command.name,
            help=command.help,
            description=command.help,
            epilog=f"Example:\n  {command.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        subparser.add_argument(
            "--debug", action="store_true", help="Show log messages, and the whole traceback of an error."
        )
        command.add_arguments(subparser)
        subparser.set_defaults(run=command, parser=subparser, root=parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
