"""Compare the recorded results of two models, and fail if the new one is worse in any row.

    python examples/compare_models.py records/sensorlm-coca/evaluation.json new/evaluation.json

Rows are matched by task and metric. A row of the model's own table that the new results lack counts as worse; related
results, many of which are about other models, are only compared if both have them. A row with a 95 % confidence
interval is worse if the new value lies below it; the other rows may lose `--tolerance`.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sensorlm_hf.evaluation.results import result_rows

TOLERANCE = 0.005
"""Largest accepted loss of a score without an interval, as a fraction of the old value."""

LOWER_IS_BETTER = ("rank", "error", "unrelated", "perplexity")
"""Parts of the names of metrics that decrease as a model improves."""


class Comparison(NamedTuple):
    """A row of both results.

    Attributes:
        task: Name of the task.
        metric: Name of the metric.
        before: Score of the old model.
        after: Score of the new model; NaN if it was not measured.
        worse: Whether the new model is worse.
    """

    task: str
    metric: str
    before: float
    after: float
    worse: bool


def scores(results: Mapping[str, Any]) -> Iterator[tuple[str, str, float, Any]]:
    """Yields task, metric, value and interval of each row of a card."""
    for row in result_rows(results):
        yield row.task, row.metric, row.value, row.interval
    for row in results.get("related", []):
        yield row["what"], row["metric"], row["value"], row.get("interval")


def compare(before: Mapping[str, Any], after: Mapping[str, Any], tolerance: float = TOLERANCE) -> list[Comparison]:
    """Compares the results of two models.

    Args:
        before: Results of the old model, as in `evaluation.json`.
        after: Results of the new model.
        tolerance: Largest accepted loss of a score without an interval, as a fraction of the old value.

    Returns:
        A comparison of each row of the old results.

    Raises:
        ValueError: If `tolerance` is negative, or both were measured on different data.
    """
    if tolerance < 0:
        raise ValueError(f"`tolerance` must be at least 0, got {tolerance}.")
    for name in ("data", "split", "days", "seed"):
        if before.get(name) != after.get(name):
            raise ValueError(
                f"The results cannot be compared: `{name}` is {before.get(name)!r} before and {after.get(name)!r}"
                " after. Evaluate both models on the same days."
            )
    related = {row["what"] for row in before.get("related", [])}
    new = {(task, metric): value for task, metric, value, _ in scores(after)}
    compared = []
    for task, metric, value, interval in scores(before):
        if ((task, metric) not in new and task in related) or math.isnan(value):
            continue
        result = new.get((task, metric), math.nan)
        sign = -1 if any(word in metric.lower() or word in task.lower() for word in LOWER_IS_BETTER) else 1
        limit = sign * value - tolerance * abs(value)
        if interval is not None:
            limit = min(limit, sign * interval[0 if sign > 0 else 1])
        compared.append(Comparison(task, metric, value, result, not sign * result >= limit))
    return compared


def table(compared: list[Comparison]) -> str:
    """Returns the comparison as a Markdown table."""
    lines = ["| task | metric | before | after | |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.task} | {row.metric} | {row.before:.4f} | {row.after:.4f} | {'worse' if row.worse else ''} |"
        for row in compared
    ]
    return "\n".join(lines)


def main() -> int:
    """Prints the comparison; returns 1 if the new model is worse in any row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, help="evaluation.json of the old model")
    parser.add_argument("after", type=Path, help="evaluation.json of the new model")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE)
    options = parser.parse_args()
    before, after = (json.loads(path.read_text(encoding="utf-8")) for path in (options.before, options.after))
    compared = compare(before, after, options.tolerance)
    sys.stdout.write(table(compared) + "\n")
    worse = sum(row.worse for row in compared)
    if worse:
        sys.stderr.write(f"The new model is worse in {worse} of {len(compared)} rows.\n")
    return int(worse > 0)


if __name__ == "__main__":
    sys.exit(main())
