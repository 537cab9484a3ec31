"""`sensorlm-hf embed`: embeds a folder of days."""

from __future__ import annotations

import argparse
import sys

from .command import Command, json_option, option, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("input", help="Folder of Parquet files of days, as written by `sensorlm-hf convert`.")
    parser.add_argument("output", help="Output folder, with the same files and splits.")
    option(parser, "--model", default="sensorlm-coca", help="Model folder or Hub id (default: sensorlm-coca).")
    option(parser, "--batch-size", type=int, default=64, metavar="N", help="Days per forward pass (default: 64).")
    option(parser, "--device", default="cpu", help="Device of the model, such as cuda (default: cpu).")
    option(parser, "--num-proc", type=int, default=1, metavar="N", help="Number of processes (default: 1).")
    option(
        parser,
        "--ray",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="Run on Ray: on the cluster at ADDRESS, the current cluster (`auto`), or locally without ADDRESS.",
    )
    json_option(parser)


def run(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Embeds the folder and prints a summary."""
    from dataclasses import asdict

    from ..retrieval import embed_folder

    summary = embed_folder(
        arguments.input,
        arguments.output,
        arguments.model,
        batch_size=arguments.batch_size,
        device=arguments.device,
        num_proc=arguments.num_proc,
        ray_address=arguments.ray,
        progress=sys.stderr.isatty(),
    )
    if arguments.json:
        print_json(asdict(summary))
    else:
        earlier = f" ({summary.resumed} of them in an earlier run)" if summary.resumed else ""
        sys.stdout.write(
            f"Embedded {summary.days} days in {summary.shards} files{earlier} in {summary.seconds:.1f} seconds."
            f" Output: {summary.target}. Search it: sensorlm-hf search {summary.target} 'a long run'\n"
        )
    return 0


COMMAND = Command(
    name="embed",
    help="Embed a folder of Parquet files of days for search; an interrupted run resumes when called again.",
    example="sensorlm-hf embed cohort embedded --num-proc 4",
    add_arguments=add_arguments,
    run=run,
)
