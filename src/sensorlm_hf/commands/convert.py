"""`sensorlm-hf convert`: a recording as a dataset folder, with a report of what could not be used."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from ..io import atomic_write_text
from .command import Command, json_option, option

SOURCE_NAMES = ("auto", "fitbit", "mmash", "e4", "embraceplus", "apple-health", "table")
"""Kinds of sources as the command spells them; a test holds them to those of the readers."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("source", choices=SOURCE_NAMES, metavar="SOURCE", help=f"One of {', '.join(SOURCE_NAMES)}.")
    parser.add_argument("input", metavar="IN", help="The recording: a folder, a zip or a file.")
    parser.add_argument("output", metavar="OUT", help="Folder to write; it must not hold anything yet.")
    option(
        parser,
        "--timezone",
        metavar="ZONE",
        help="Where the person was: Europe/Berlin; of a traveller 'Europe/Berlin, 2024-05-03T14:00 Asia/Tokyo'.",
    )
    option(parser, "--day-start", metavar="HH:MM", help="When a day's window starts (default: 00:00), or 'first'.")
    option(parser, "--schema", default="sensorlm-26", help="Channel set, or its file (default: sensorlm-26).")
    option(parser, "--mapping", metavar="FILE", help="YAML file that says what a table's columns mean.")
    option(parser, "--subject-id", metavar="NAME", help="The person, where the source does not tell.")
    option(
        parser,
        "--folder-of-people",
        action="store_true",
        help="IN holds an export of each person: a folder or a file each, whose names are the people's.",
    )
    option(
        parser,
        "--ray",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="Read people on Ray: a cluster at ADDRESS, `auto` for the one at hand, or this machine if left out.",
    )
    option(parser, "--num-proc", type=int, default=1, metavar="N", help="Most people read at once on Ray (default: 1).")
    option(parser, "--skip-bad", action="store_true", help="Go on without files that cannot be read; count them.")
    option(parser, "--keep-ids", action="store_true", help="Keep the people's names instead of salted hashes.")
    option(parser, "--salt", metavar="TEXT", help="Secret of the hashes, to get the same ones again (default: random).")
    option(parser, "--validation-share", type=float, default=0.0, metavar="X", help="Share of the people to validate.")
    option(parser, "--test-share", type=float, default=0.0, metavar="X", help="Share of the people to test.")
    option(parser, "--seed", type=int, default=0, help="Seed by which people are dealt out (default: 0).")
    option(parser, "--exact", action="store_true", help="Store all 32 bits: 90 kB a day instead of 40.")
    option(parser, "--license", default="unknown", help="Licence of the data, for the card.")
    option(parser, "--name", help="What the dataset is called on its card.")
    option(
        parser, "--allow", nargs="+", default=[], metavar="COLUMN", help="Columns that look like identity but are not."
    )
    option(parser, "--report", metavar="FILE", help="Write the whole report, with names of files, as JSON.")
    json_option(parser, "whole report")


def run(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Converts, and prints the quality report."""
    from ..data.convert import convert_recording
    from ..data.quality_text import print_conversion

    done = convert_recording(
        arguments.input,
        arguments.output,
        kind=None if arguments.source == "auto" else arguments.source,
        timezone=arguments.timezone,
        schema=arguments.schema,
        subject_id=arguments.subject_id,
        day_start=arguments.day_start,
        mapping=arguments.mapping,
        skip_bad=arguments.skip_bad,
        keep_ids=arguments.keep_ids,
        salt=arguments.salt,
        validation_share=arguments.validation_share,
        test_share=arguments.test_share,
        seed=arguments.seed,
        precision="exact" if arguments.exact else "compact",
        license=arguments.license,
        name=arguments.name,
        allow=arguments.allow,
        folder_of_people=arguments.folder_of_people,
        ray_address=arguments.ray,
        num_proc=arguments.num_proc,
        progress=True,
    )
    whole: dict[str, Any] = done.to_dict()
    text = json.dumps(whole, indent=2) + "\n"
    if arguments.report:
        atomic_write_text(arguments.report, text)
    if arguments.json:
        sys.stdout.write(text)
    else:
        print_conversion(done)
    return 0


COMMAND = Command(
    name="convert",
    help="Convert a recording into a dataset folder, and report what could not be used and why.",
    example="sensorlm-hf convert fitbit MyFitbitExport my-days --timezone Australia/Melbourne",
    add_arguments=add_arguments,
    run=run,
)
