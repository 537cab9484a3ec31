"""`sensorlm-hf search`: finds days by sentences."""

from __future__ import annotations

import argparse
import sys

from .command import Command, json_option, option, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("folder", help="Folder of embeddings, as written by `sensorlm-hf embed`.")
    parser.add_argument("sentences", nargs="+", metavar="sentence", help="What to look for, in plain English.")
    parser.add_argument("-k", type=int, default=5, help="Number of days for each sentence (default: 5).")
    option(
        parser,
        "--approximate",
        action="store_true",
        help="Build an index on first use, and search only a part of the days (extra `search`).",
    )
    json_option(parser)


def run(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Prints the nearest days."""
    from ..retrieval import DayIndex
    from ..retrieval.day_index import describe

    index = DayIndex.load(arguments.folder)
    if arguments.approximate:
        index.build_approximate()
    found = index.search(arguments.sentences, arguments.k)
    if arguments.json:
        print_json(
            [
                {"sentence": sentence, "days": [{"score": match.score, **match.row} for match in matches]}
                for sentence, matches in zip(arguments.sentences, found, strict=True)
            ]
        )
        return 0
    for sentence, matches in zip(arguments.sentences, found, strict=True):
        sys.stdout.write(f"{sentence}\n")
        for match in matches:
            sys.stdout.write(f"  {describe(match)}\n")
    return 0


COMMAND = Command(
    name="search",
    help="Find the days of an embedded folder that are nearest to sentences.",
    example="sensorlm-hf search embedded 'a long run in the morning' 'a bad night'",
    add_arguments=add_arguments,
    run=run,
)
