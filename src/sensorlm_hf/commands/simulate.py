"""`sensorlm-hf simulate`: writes a cohort of synthetic subjects as a dataset."""

from __future__ import annotations

import argparse
import sys

from .command import Command, json_option, option, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("people", type=int, help="Number of synthetic subjects.")
    parser.add_argument("folder", help="Output folder; it must not contain a dataset.")
    option(parser, "--days-per-person", type=int, default=4, metavar="N", help="Days per person (default: 4).")
    option(parser, "--seed", type=int, default=0, help="Seed of the cohort (default: 0).")
    option(parser, "--schema", default="sensorlm-26", help="Schema (default: sensorlm-26).")
    json_option(parser)


def run(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Writes the cohort and prints the number of days per split."""
    from ..data import write_cohort
    from .output import status

    with status("Simulating"):
        counts = write_cohort(
            arguments.folder,
            people=arguments.people,
            days_per_person=arguments.days_per_person,
            seed=arguments.seed,
            schema=arguments.schema,
        )
    if arguments.json:
        print_json({"folder": arguments.folder, "days": counts})
    else:
        total = ", ".join(f"{count} {split}" for split, count in counts.items())
        sys.stdout.write(f"Wrote simulated days to {arguments.folder}: {total}.\n")
    return 0


COMMAND = Command(
    name="simulate",
    help="Write days of synthetic subjects as a Parquet dataset that datasets.load_dataset can read.",
    example="sensorlm-hf simulate 1000 cohort --seed 7",
    add_arguments=add_arguments,
    run=run,
)
