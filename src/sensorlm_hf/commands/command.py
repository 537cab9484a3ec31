"""Definition of a `sensorlm-hf` subcommand. The CLI imports all subcommands, so their modules import little."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Command:
    """A subcommand.

    Attributes:
        name: Name on the command line.
        help: Description, in complete sentences.
        example: One or more command lines that work as written.
        add_arguments: Adds its arguments to a parser.
        run: Takes the parsed arguments and any unrecognized ones; returns the exit status.
        takes_more: Whether unrecognized arguments are accepted; otherwise they are errors.
        light: Whether it works without the models, so that it neither imports nor requires torch.
    """

    name: str
    help: str
    example: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, list[str]], int]
    takes_more: bool = False
    light: bool = False


def option(parser: Any, name: str, **options: Any) -> None:
    """Adds `--some-name`, which may also be spelled `--some_name`, as in Hugging Face scripts.

    Args:
        parser: A parser or argument group.
        name: The option, spelled with hyphens.
        options: Further arguments of `add_argument`.
    """
    spellings = list(dict.fromkeys([name, f"--{name[2:].replace('-', '_')}"]))
    parser.add_argument(*spellings, **options)


def json_option(parser: argparse.ArgumentParser, what: str = "result") -> None:
    """Adds `--json`."""
    option(parser, "--json", action="store_true", help=f"Print the {what} as JSON.")


def print_json(data: Any) -> None:
    """Prints a result as JSON to standard output."""
    sys.stdout.write(json.dumps(data, indent=2, default=str) + "\n")
