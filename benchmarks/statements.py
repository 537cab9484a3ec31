"""Speed of statements of known truth: facts of a day, sampling, and truth against a loop over days and statements.

python benchmarks/statements.py
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from sensorlm_hf import simulate_days
from sensorlm_hf.processing.captions.day_facts import day_facts
from sensorlm_hf.processing.captions.statements import StatementBank, truth


def seconds(function: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Returns the best CPU time of several calls, and the last result."""
    best, result = float("inf"), None
    for _ in range(repeats):
        started = time.process_time()
        result = function()
        best = min(best, time.process_time() - started)
    return best, result


def main() -> None:
    """Prints the times of a batch, and how many times faster the vectorised truth is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=64)
    parser.add_argument("--statements", type=int, default=150)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    days = simulate_days(options.days, seed=0)
    bank = StatementBank()
    reading, facts = seconds(lambda: [day_facts(day) for day in days], options.repeats)
    sampling, drawn = seconds(lambda: bank.sample(facts, options.statements, np.random.default_rng(0)), options.repeats)
    fast, table = seconds(lambda: truth(drawn, facts), options.repeats)
    slow, expected = seconds(lambda: [[statement(day) for statement in drawn] for day in facts], options.repeats)
    if table.tolist() != expected:
        raise RuntimeError("The vectorised truth differs from the loop.")
    sys.stdout.write(
        f"{options.days} days, {options.statements} statements (CPU time)\n"
        f"facts: {1e3 * reading / options.days:.2f} ms a day\n"
        f"sampling: {1e3 * sampling:.1f} ms\n"
        f"truth: {1e3 * fast:.1f} ms, {slow / fast:.0f} times faster than a loop\n"
    )


if __name__ == "__main__":
    main()
