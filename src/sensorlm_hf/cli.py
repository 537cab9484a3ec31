"""The `sensorlm-hf` command: parser and error handling. Each subcommand is a file in `commands/`."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from ._version import __version__
from .commands import caption, completion, convert, demo, doctor, embed, evaluate, export, search, simulate, train
from .commands.command import Command
from .io import plain_text

COMMANDS: tuple[Command, ...] = tuple(
    module.COMMAND
    for module in (demo, simulate, convert, caption, embed, search, train, evaluate, export, doctor, completion)
)
"""The subcommands, in the order of the help."""

# Missing files and an unreachable Hub raise OSError, a missing optional library ImportError, and a non-finite loss
# FloatingPointError.
_USER_ERRORS = (ValueError, TypeError, KeyError, OSError, ImportError, FloatingPointError)

# Other errors caused by damaged files, by name: importing the modules that define them would slow the start.
_DAMAGED = {
    "SafetensorError": "The weights of the model are damaged; save or download it again",
    "BadZipFile": "The zip file is damaged; download it again",
    "DatasetGenerationError": "The dataset could not be prepared",
}


_STOPPED = ("interrupted.", "terminated.")


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which libraries must not catch and which unfinished files must be removed for, like Ctrl-C."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        argv: Arguments; by default those of the process.

    Returns:
        The exit status: 0, 2 for a user error (one sentence on standard error), 130 when interrupted (Ctrl-C), 143 when
        terminated (SIGTERM); in both cases unfinished files are removed.
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
        with _ended_by_sigterm():
            status = command.run(arguments, rest) if command.light else _run(command, arguments, rest)
        sys.stdout.flush()  # so that a closed pipe raises here and not at exit
        return status
    except BrokenPipeError:
        # The reader of our output was closed (`| head`), which is not an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt as stop:
        if arguments.debug:
            raise
        sys.stderr.write(f"\nsensorlm-hf {arguments.command}: {_STOPPED[isinstance(stop, _Terminated)]}\n")
        return 143 if isinstance(stop, _Terminated) else 130
    except Exception as error:
        message = _message(error)
        if arguments.debug or message is None:
            raise
        sys.stderr.write(f"sensorlm-hf {arguments.command}: {message}\n")
        return 2


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Raises [`_Terminated`] in this process on SIGTERM, whose default is to end without removing unfinished files."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    process = os.getpid()

    def stop(number: int, frame: Any) -> None:
        if os.getpid() == process:
            raise _Terminated
        os._exit(143)  # a forked worker, whose unfinished files belong to this process

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _message(error: Exception) -> str | None:
    """Returns a one-sentence message for a user error, or None if the error is a bug."""
    text = plain_text(str(error))
    if isinstance(error, MemoryError):
        return f"This needs more memory than there is ({text.rstrip('.')})." if text else _OUT_OF_MEMORY
    damage = _DAMAGED.get(type(error).__name__)
    if damage is not None:
        return f"{damage} ({text.rstrip('.')})."
    if not isinstance(error, _USER_ERRORS):
        return None
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return plain_text(f"{error.strerror}: {os.fsdecode(error.filename)}.")
    if isinstance(error, KeyError) and error.args:
        text = plain_text(str(error.args[0]))
    return text or type(error).__name__


_OUT_OF_MEMORY = "This needs more memory than there is; give it fewer or smaller files at a time."


def _run(command: Command, arguments: argparse.Namespace, rest: list[str]) -> int:
    """Runs a command that needs the models; registers them first, see `_start.register_unless_command`."""
    from ._registration import register

    register()
    with contextlib.nullcontext() if sys.stderr.isatty() else _without_progress_bars():
        return command.run(arguments, rest)


@contextlib.contextmanager
def _without_progress_bars() -> Iterator[None]:
    """Disables progress bars, which clutter logs and files, and restores them afterwards."""
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
    """Reports argument errors in one sentence, without printing the usage of all options first."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message.rstrip('.')} (see {self.prog} --help).\n")


def build_parser() -> argparse.ArgumentParser:
    """Builds the parser of all subcommands."""
    parser = _Parser(
        prog="sensorlm-hf",
        description="Label, caption and search days of wearable data with SensorLM, and train models.",
        epilog="Example:\n  sensorlm-hf demo\n\n`sensorlm-hf COMMAND --help` describes a command with an example.",
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
            "--debug", action="store_true", help="Show log messages and the full traceback of errors."
        )
        command.add_arguments(subparser)
        subparser.set_defaults(run=command, parser=subparser, root=parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
