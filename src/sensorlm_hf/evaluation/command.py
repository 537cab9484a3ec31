"""What `sensorlm-hf evaluate` does when it is asked for a report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from .page import write_reports
from .suite import run_suite


def evaluate_with_report(arguments: argparse.Namespace, model: str | Path) -> dict[str, Any]:
    """Runs the suite into `arguments.output_dir` and writes the reports.

    Args:
        arguments: Of the command line.
        model: Model folder or Hub id.

    Returns:
        The results; in processes other than the first only their `rank`.
    """
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
