"""What a subcommand of `sensorlm-hf` is. The command line imports all of them, so their files import little."""

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
        name: What people type.
        help: What it does, in complete sentences.
        example: One or more lines that work as they stand.
        add_arguments: Adds its arguments to a parser.
        run: Takes the parsed arguments and the words that the parser does not know; returns the exit status.
        takes_more: Whether it takes such words; for others they are errors.
        light: Whether it answers without the models, so that it neither waits for torch nor needs it.
    """

    name: str
    help: str
    example: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, list[str]], int]
    takes_more: bool = False
    light: bool = False


def option(parser: Any, name: str, **options: Any) -> None:
    """Adds `--some-name`, which may be spelt `--some_name` as well, as Hugging Face scripts do.

    Args:
        parser: Parser, or a group of one.
        name: The option with hyphens.
        options: What `add_argument` takes.
    """
    spellings = list(dict.fromkeys([name, f"--{name[2:].replace('-', '_')}"]))
    parser.add_argument(*spellings, **options)


def json_option(parser: argparse.ArgumentParser, what: str = "result") -> None:
    """Adds `--json`."""
    option(parser, "--json", action="store_true", help=f"Print the {what} as JSON.")


def print_json(data: Any) -> None:
    """Prints a result as JSON to standard output."""
    sys.stdout.write(json.dumps(data, indent=2, default=str) + "\n")
