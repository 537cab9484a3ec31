"""`sensorlm-hf convert`: converts a recording to a dataset folder and reports what could not be used."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from ..io import atomic_write_text
from .command import Command, json_option, option

SOURCE_NAMES = (
    *("auto", "fitbit", "mmash", "e4", "embraceplus", "apple-health", "table"),
    *("garmin", "oura", "polar", "whoop", "samsung", "google-fit", "health-connect", "health-auto-export"),
    *("fitbit-api", "withings", "fitabase", "actigraph", "axivity", "ggir", "workouts"),
)
"""Source types as spelled on the command line; a test keeps them in sync with the readers."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("source", choices=SOURCE_NAMES, metavar="SOURCE", help=f"One of {', '.join(SOURCE_NAMES)}.")
    parser.add_argument("input", metavar="IN", help="The recording: a folder, a zip or a file.")
    parser.add_argument("output", metavar="OUT", help="Output folder; it must be empty or not exist.")
    option(
        parser,
        "--timezone",
        metavar="ZONE",
        help="Time zone, such as Europe/Berlin; for travel, 'Europe/Berlin, 2024-05-03T14:00 Asia/Tokyo'.",
    )
    option(parser, "--day-start", metavar="HH:MM", help="Start of each day's window (default: 00:00), or 'first'.")
    option(parser, "--schema", default="sensorlm-26", help="Schema name or file (default: sensorlm-26).")
    option(parser, "--mapping", metavar="FILE", help="YAML file that maps the columns of a table.")
    option(parser, "--subject-id", metavar="NAME", help="Subject id, if the source does not contain one.")
    option(
        parser,
        "--folder-of-people",
        action="store_true",
        help="IN contains one export per person: a folder or file each, named after the person.",
    )
    option(
        parser,
        "--ray",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="Read people on Ray: on the cluster at ADDRESS, the current cluster (`auto`), or locally without ADDRESS.",
    )
    option(
        parser,
        "--num-proc",
        type=int,
        default=1,
        metavar="N",
        help="Maximum number of people read in parallel on Ray (default: 1).",
    )
    option(
        parser,
        "--max-expansion",
        type=int,
        metavar="N",
        help="Refuse compressed files that expand to more than N times their size (default: 100).",
    )
    option(
        parser,
        "--no-skip-bad",
        dest="skip_bad",
        action="store_false",
        help="Stop at the first unreadable file. By default, those are skipped and counted if others can be read.",
    )
    option(parser, "--keep-ids", action="store_true", help="Keep the original subject ids instead of salted hashes.")
    option(parser, "--salt", metavar="TEXT", help="Secret salt for reproducible hashes (default: random).")
    option(
        parser,
        "--validation-share",
        type=float,
        default=0.0,
        metavar="X",
        help="Fraction of the people in the validation split.",
    )
    option(
        parser, "--test-share", type=float, default=0.0, metavar="X", help="Fraction of the people in the test split."
    )
    option(parser, "--seed", type=int, default=0, help="Seed for splitting the people (default: 0).")
    option(parser, "--exact", action="store_true", help="Store all 32 bits: 90 kB per day instead of 40.")
    option(parser, "--license", default="unknown", help="Licence of the data, for the dataset card.")
    option(parser, "--name", help="Name of the dataset on its card.")
    option(
        parser, "--allow", nargs="+", default=[], metavar="COLUMN", help="Columns that look identifying but are not."
    )
    option(parser, "--report", metavar="FILE", help="Write the full report, including file names, as JSON.")
    json_option(parser, "full report")


def run(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Converts the recording and prints the quality report."""
    from ..data.convert import convert_recording
    from ..data.quality_text import print_conversion
    from ..data.readers.archives import EXPANSION_VARIABLE

    if arguments.max_expansion is not None:
        os.environ[EXPANSION_VARIABLE] = str(arguments.max_expansion)  # also for processes that read
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
    summary: dict[str, Any] = done.to_dict()
    text = json.dumps(summary, indent=2) + "\n"
    if arguments.report:
        atomic_write_text(arguments.report, text)
    if arguments.json:
        sys.stdout.write(text)
    else:
        print_conversion(done)
    return 0


COMMAND = Command(
    name="convert",
    help="Convert a recording to a dataset folder and report what could not be used and why.",
    example="sensorlm-hf convert fitbit MyFitbitExport my-days --timezone Australia/Melbourne",
    add_arguments=add_arguments,
    run=run,
    light=True,
)
