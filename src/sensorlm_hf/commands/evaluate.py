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
        help="Zero-shot tasks; by default all day-level ones. With --output-dir also events, probes, few_shot,"
        " retrieval, captioning, baselines, or individual ones of these.",
    )
    option(
        parser,
        "--caption-key",
        metavar="KEY",
        help="Caption key for retrieval and captioning; by default the one used most in training.",
    )
    option(
        parser,
        "--max-text-length",
        type=int,
        metavar="N",
        help="Maximum caption length in tokens (default: up to 256).",
    )
    option(parser, "--max-days", type=int, metavar="N", help="Use only the first N days.")
    option(parser, "--caption-days", type=int, default=200, metavar="N", help="Days to caption (default: 200).")
    option(parser, "--batch-size", type=int, default=64, help="Days per batch (default: 64).")
    option(parser, "--device", default="cpu", help="Device to run on (default: cpu).")
    option(parser, "--seed", type=int, default=0, help="Seed of captions and retrieval pools (default: 0).")
    option(parser, "--num-proc", type=int, metavar="N", help="Number of processes for preparing a simulated cohort.")
    option(parser, "--output", metavar="FILE", help="Write the results as JSON.")
    option(
        parser,
        "--output-dir",
        metavar="FOLDER",
        help="Run the full, resumable suite and write report.html to this folder.",
    )
    option(parser, "--meteor", action="store_true", help="Also compute METEOR (with --output-dir).")
    option(parser, "--bertscore-model", metavar="FOLDER", help="Text encoder for BERTScore (with --output-dir).")
    json_option(parser, "results")


def _evaluate_with_report(arguments: argparse.Namespace, model: str) -> dict[str, Any]:
    """Runs the suite and writes the reports; processes other than the first return only their `rank`."""
    from ..evaluation.page import write_reports
    from ..evaluation.suite import run_suite

    results = run_suite(
        model,
        arguments.data,
        arguments.output_dir,
        tasks=arguments.tasks,
        split=arguments.split,
        caption_key=arguments.caption_key,
        max_text_length=arguments.max_text_length,
        max_days=arguments.max_days,
        caption_count=arguments.caption_days,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
        device=arguments.device,
        num_proc=arguments.num_proc,
        meteor=arguments.meteor,
        bertscore_model=arguments.bertscore_model,
        progress=sys.stderr.isatty(),
    )
    if "rank" not in results:
        write_reports(results, arguments.output_dir)
    return results


def _report_results(arguments: argparse.Namespace, results: dict[str, Any]) -> None:
    if arguments.json:
        from ..evaluation.report import finite

        print_json(finite(results))
        return
    _print_results(results)
    if arguments.output_dir:
        sys.stdout.write(f"The report is {os.path.join(arguments.output_dir, 'report.html')}.\n")


def _print_results(results: dict[str, Any]) -> None:
    from ..evaluation.report import number_text, result_rows
    from .output import print_table

    print_table(
        ("task", "metric", "value", "chance"),
        [
            (task, metric, number_text(value), number_text(chance))
            for task, metric, value, chance in result_rows(results)
        ],
        title=f"{results['model']} on {results['days']} days of {results['people']} people ({results['data']})",
        numbers=("value", "chance"),
    )


def run(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Evaluates a model and prints the results."""
    from ..checkpoints import demo_checkpoint
    from ..evaluation import evaluate_model, save_results

    if arguments.output_dir:
        results = _evaluate_with_report(arguments, arguments.model or demo_checkpoint())
        if "rank" not in results:
            _report_results(arguments, results)
        return 0
    results = evaluate_model(
        arguments.model or demo_checkpoint(),
        arguments.data,
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
        progress=sys.stderr.isatty(),
    )
    if arguments.output:
        save_results(results, arguments.output)
    _report_results(arguments, results)
    return 0


COMMAND = Command(
    name="evaluate",
    help="Evaluate zero-shot classification, retrieval and captioning on labelled days.",
    example="sensorlm-hf evaluate --model sensorlm-coca --data simulated:200:1 --output results.json",
    add_arguments=add_arguments,
    run=run,
)
