"""`sensorlm-hf export`: exports a model to ONNX or `torch.export` files."""

from __future__ import annotations

import argparse
import sys

from .command import Command, json_option, option, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    option(parser, "--model", metavar="MODEL", help="Model folder or Hub id; the shipped demo model by default.")
    option(parser, "--output-dir", required=True, metavar="FOLDER", help="Where to write the files.")
    option(parser, "--format", default="onnx", choices=["onnx", "torch"], help="ONNX, or torch.export (.pt2).")
    parser.add_argument("--int8", action="store_true", help="Quantise the weights to 8 bits (ONNX).")
    json_option(parser)


def run(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Writes the files and prints the maximum difference from the model."""
    from ..export import export_command

    result = export_command(arguments.model, arguments.output_dir, arguments.format, int8=arguments.int8)
    if arguments.json:
        print_json(result)
    else:
        for side, entry in result.items():
            sys.stdout.write(f"{side}: {entry['path']}, {entry['megabytes']:.1f} MB")
            sys.stdout.write(f", maximum difference from the model {entry['largest_difference']:.1e}\n")
    return 0


COMMAND = Command(
    name="export",
    help="Export a model to ONNX or torch.export files and compare them with it.",
    example="sensorlm-hf export --model my-sensorlm --output-dir exported --format onnx",
    add_arguments=add_arguments,
    run=run,
)
