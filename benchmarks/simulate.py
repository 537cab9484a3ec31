"""Speed and memory of the simulator on one core, compared with drawing the same number of random numbers.

    python benchmarks/simulate.py

The reference is `numpy.random.Generator.standard_normal` drawing one float32 per value of a day, a bound for any
simulator with random noise. The target is 200 days per second.
"""

from __future__ import annotations

import argparse
import sys
import time
import tracemalloc

import numpy as np

from sensorlm_hf.data.simulate import iter_simulated_days
from sensorlm_hf.schema import get_schema, list_schemas

TARGET = 200.0


def days_per_second(days: int, schema: str, chunk_size: int) -> float:
    """Returns simulated days per second of CPU time, the best of three runs."""
    best = 0.0
    for run in range(3):
        started = time.process_time()
        for _ in iter_simulated_days(days, seed=run, schema=schema, chunk_size=chunk_size):
            pass
        best = max(best, days / (time.process_time() - started))
    return best


def draws_per_second(days: int, channels: int) -> float:
    """Returns days of random numbers per second of CPU time."""
    rng = np.random.default_rng(0)
    started = time.process_time()
    for _ in range(days):
        rng.standard_normal((1440, channels), dtype=np.float32)
    return days / (time.process_time() - started)


def peak_mebibytes(days: int) -> float:
    """Returns the peak memory while streaming days without keeping them."""
    tracemalloc.start()
    for _ in iter_simulated_days(days):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--days", type=int, default=640)
    parser.add_argument("--chunk-size", type=int, default=64)
    arguments = parser.parse_args()
    slowest = float("inf")
    print(f"{'schema':14s} {'simulated days/s':>17s} {'numpy standard_normal days/s':>30s} {'target':>8s}")
    for schema in list_schemas():
        speed = days_per_second(arguments.days, schema, arguments.chunk_size)
        floor = draws_per_second(arguments.days, len(get_schema(schema)))
        slowest = min(slowest, speed)
        print(f"{schema:14s} {speed:17.0f} {floor:30.0f} {TARGET:8.0f}")
    few, many = peak_mebibytes(arguments.days // 4), peak_mebibytes(arguments.days)
    print(f"peak memory: {few:.0f} MiB for {arguments.days // 4} days, {many:.0f} MiB for {arguments.days} days")
    return 0 if slowest >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
