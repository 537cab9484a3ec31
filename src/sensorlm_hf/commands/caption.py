"""`sensorlm-hf caption`: captions a folder of days."""

from __future__ import annotations

import argparse
import sys

from .command import Command, json_option, option, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("input", help="Folder of Parquet files of days, as written by `sensorlm-hf simulate`.")
    parser.add_argument("output", help="Output folder, with the same files and splits.")
    option(
        parser,
        "--keys",
        nargs="+",
        default=["high_level_summary_caption"],
        metavar="KEY",
        help="Caption keys to write, one column each, or `all` (default: high_level_summary_caption).",
    )
    option(parser, "--num-proc", type=int, default=1, metavar="N", help="Number of processes (default: 1).")
    option(parser, "--drop-values", action="store_true", help="Omit the signals from the output.")
    option(parser, "--seed", type=int, default=0, help="Seed of the wording (default: 0).")
    option(parser, "--language", default="en", help="Language of the captions: en, de (default: en).")
    option(parser, "--time-format", default="minutes", help="Format of times: minutes, clock (default: minutes).")
    option(parser, "--units", action="store_true", help="Include units.")
    option(parser, "--opening", action="store_true", help="Start each caption with a sentence of plain English.")
    option(parser, "--imputed", action="store_true", help="Interpolate gaps first, as the SensorLM release does.")
    option(
        parser, "--max-tokens", type=int, metavar="N", help="Maximum tokens per caption; by default the key's budget."
    )
    option(parser, "--tokenizer", metavar="MODEL", help="Count tokens with the tokenizer of this model folder or id.")
    option(parser, "--schema", help="Schema; by default that of the first day.")
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
    """Captions the folder and prints a summary."""
    from dataclasses import asdict

    from ..data.captioning import caption_folder, folder_schema
    from ..processing.captions import CAPTION_KEYS, CaptionBuilder

    tokenizer = None
    if arguments.tokenizer:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(arguments.tokenizer)
    names = ("seed", "language", "time_format", "units", "opening", "imputed", "max_tokens")
    options = {name: getattr(arguments, name) for name in names}
    summary = caption_folder(
        arguments.input,
        arguments.output,
        CaptionBuilder(arguments.schema or folder_schema(arguments.input), tokenizer=tokenizer, **options),
        CAPTION_KEYS if arguments.keys == ["all"] else arguments.keys,
        num_proc=arguments.num_proc,
        drop_values=arguments.drop_values,
        ray_address=arguments.ray,
        progress=sys.stderr.isatty(),
    )
    if arguments.json:
        print_json(asdict(summary))
    else:
        earlier = f" ({summary.resumed} of them in an earlier run)" if summary.resumed else ""
        sys.stdout.write(
            f"Captioned {summary.days} days in {summary.shards} files{earlier} in {summary.seconds:.1f} seconds."
            f" Output: {summary.target}.\n"
        )
    return 0


COMMAND = Command(
    name="caption",
    help="Caption a folder of Parquet files of days; an interrupted run resumes when called again.",
    example="sensorlm-hf caption cohort captioned --keys high_level_all_caption low_level_caption --num-proc 4",
    add_arguments=add_arguments,
    run=run,
)
