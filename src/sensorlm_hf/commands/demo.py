"""`sensorlm-hf demo`: arguments; the implementation is in `sensorlm_hf.demo`."""

from __future__ import annotations

import argparse

from .command import Command, json_option, option


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--fitbit", metavar="FOLDER", help="A Fitbit or Google Takeout export, a folder or a zip file.")
    source.add_argument("--mmash", metavar="FOLDER", help="A folder of the MMASH recordings, or of one of its users.")
    source.add_argument("--table", metavar="FILE", help="A CSV, Parquet or npy file of minute-level signals.")
    option(parser, "--timezone", metavar="ZONE", help="Time zone of the recording, such as Europe/Berlin.")
    option(parser, "--date", metavar="YYYY-MM-DD", help="Day to use if the source contains several.")
    option(parser, "--model", metavar="MODEL", help="Model folder or Hub id; the shipped demo model by default.")
    option(parser, "--output-dir", default="demo", metavar="FOLDER", help="Where to write the report (default: demo).")
    json_option(parser)


def run(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Runs the demo."""
    from .. import demo

    return demo.run(
        fitbit=arguments.fitbit,
        mmash=arguments.mmash,
        table=arguments.table,
        timezone=arguments.timezone,
        date=arguments.date,
        model=arguments.model,
        output_dir=arguments.output_dir,
        json_output=arguments.json,
    )


COMMAND = Command(
    name="demo",
    help="Label, caption and plot one day and write a report (demo/report.html).",
    example="sensorlm-hf demo --fitbit MyFitbitExport --timezone Australia/Melbourne",
    add_arguments=add_arguments,
    run=run,
)
