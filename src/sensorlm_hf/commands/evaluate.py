"""`sensorlm-hf evaluate`: evaluates a model and writes a table, JSON or a report."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from .command import Command, json_option, option, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    option(parser, "--model", metavar="MODEL", help="Model folder or Hub id; the shipped demo model by default.")
    option(parser, "--data", required=True, help="Dataset of days, as for train.")
    option(parser, "--split", default="test", help="Split of the dataset (default: test).")
    option(
        parser,
        "--tasks",
        nargs="+",
        metavar="TASK",
        help="Tasks or groups of tasks: zero_shot, events, probes, few_shot, retrieval, captioning, english, baselines"
        " (default: zero_shot, retrieval and captioning; with --output-dir all).",
    )
    option(
        parser,
        "--caption-key",
        metavar="KEY",
        help="Caption key for retrieval and captioning (default: the one used most in training).",
    )
    option(
        parser,
        "--max-text-length",
        type=int,
        metavar="N",
        help="Maximum caption length in tokens (default: up to 256).",
    )
    option(parser, "--max-days", type=int, metavar="N", help="Use only the first N days.")
    option(
        parser,
        "--caption-days",
        type=int,
        default=200,
        metavar="N",
        help="Days to caption, evenly spaced (default: 200).",
    )
    option(parser, "--batch-size", type=int, default=64, help="Days per batch (default: 64).")
    option(parser, "--device", default="cpu", help="Device to run on (default: cpu).")
    option(parser, "--seed", type=int, default=0, help="Seed of captions and retrieval pools (default: 0).")
    option(parser, "--num-proc", type=int, metavar="N", help="Number of processes for preparing a simulated cohort.")
    option(parser, "--output", metavar="FILE", help="Write the results as JSON.")
    option(parser, "--output-dir", metavar="FOLDER", help="Run all tasks, resumably, and write report.html here.")
    option(parser, "--meteor", action="store_true", help="Compute METEOR of captions.")
    option(parser, "--bertscore-model", metavar="FOLDER", help="Text encoder for BERTScore of captions.")
    json_option(parser, "results")


def run(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Evaluates a model and prints the results."""
    from ..checkpoints import demo_checkpoint
    from ..evaluation import evaluate_model, save_results

    results = evaluate_model(
        arguments.model or demo_checkpoint(),
        arguments.data,
        arguments.output_dir,
        split=arguments.split,
        tasks=arguments.tasks,
        caption_key=arguments.caption_key,
        max_text_length=arguments.max_text_length,
        max_days=arguments.max_days,
        caption_days=arguments.caption_days,
        batch_size=arguments.batch_size,
        device=arguments.device,
        seed=arguments.seed,
        num_proc=arguments.num_proc,
        meteor=arguments.meteor,
        bertscore_model=arguments.bertscore_model,
        progress=sys.stderr.isatty(),
    )
    if "rank" in results:  # not the first of several processes
        return 0
    if arguments.output_dir:
        from ..evaluation import write_reports

        write_reports(results, arguments.output_dir)
    if arguments.output:
        save_results(results, arguments.output)
    _report(arguments, results)
    return 0


def _report(arguments: argparse.Namespace, results: dict[str, Any]) -> None:
    from ..evaluation.results import finite, number_text, result_rows
    from .output import print_table

    if arguments.json:
        print_json(finite(results))
        return
    print_table(
        ("task", "metric", "value", "chance"),
        [
            (row.task, row.metric, number_text(row.value), number_text(row.chance))
            for row in result_rows(results, headline=True)
        ],
        title=f"{results['model']} on {results['days']} days of {results['people']} people ({results['data']})",
        numbers=("value", "chance"),
    )
    if arguments.output_dir:
        sys.stdout.write(f"The report is {os.path.join(arguments.output_dir, 'report.html')}.\n")


COMMAND = Command(
    name="evaluate",
    help="Evaluate zero-shot classification, retrieval and captioning on labelled days.",
    example="sensorlm-hf evaluate --model sensorlm-coca --data simulated:200:1 --output results.json",
    add_arguments=add_arguments,
    run=run,
)
