"""Size, speed and memory of days on disk.

    python benchmarks/dataset_io.py                  # 2,000 days, a minute
    python benchmarks/dataset_io.py --days 20000     # basis of the extrapolation to a million days

Writes a cohort of synthetic subjects as shards, reads it with `datasets.load_dataset` in numpy batches, and
extrapolates to a million days: shards are independent, so time and size scale with their number and memory is constant.
The size of the same days as plain float32 Parquet, the default of `datasets`, is reported for comparison. Targets: 45
kB per day and 5,000 days per second read on one core.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import datasets
import numpy as np

from sensorlm_hf.data import write_cohort
from sensorlm_hf.data.rows import dataset_row
from sensorlm_hf.data.simulate import simulate_days

KB_PER_DAY = 45.0
DAYS_PER_SECOND = 5000.0
MILLION = 1_000_000


def peak_mib() -> float:
    """Returns the peak memory of this process in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def read_speed(rows: datasets.Dataset, batch: int) -> float:
    """Returns days per second of CPU time when reading numpy batches, the best of three passes."""
    best = 0.0
    arrays = rows.select_columns(["values"]).with_format("numpy")
    for _ in range(3):
        started, seen = time.process_time(), 0
        for part in arrays.iter(batch_size=batch):
            seen += len(part["values"])
            assert part["values"].dtype == np.float32
        best = max(best, seen / (time.process_time() - started))
    return best


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--days", type=int, default=2000)
    parser.add_argument("--days-per-person", type=int, default=4)
    parser.add_argument("--schema", default="sensorlm-26")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--ray", action="store_true", help="Also write with Ray Data, two shards at a time.")
    arguments = parser.parse_args()
    people = arguments.days // arguments.days_per_person
    options = {"people": people, "days_per_person": arguments.days_per_person, "schema": arguments.schema}
    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_cohort(folder / "warm", people=8, schema=arguments.schema)
        before = peak_mib()
        started = time.process_time()
        days = sum(write_cohort(folder / "days", **options).values())
        wrote = time.process_time() - started
        after = peak_mib()
        shards = list((folder / "days" / "data").glob("*.parquet"))
        kb = sum(path.stat().st_size for path in shards) / days / 1000
        rows = datasets.load_dataset(str(folder / "days"), split="train", cache_dir=str(folder / "cache"))
        some = simulate_days(128, schema=arguments.schema)
        table = [dataset_row(day, rows.features) for day in some]
        datasets.Dataset.from_list(table, features=rows.features).to_parquet(str(folder / "plain.parquet"))
        plain = (folder / "plain.parquet").stat().st_size / len(some) / 1000
        speed = read_speed(rows, arguments.batch)
        started, seen = time.process_time(), 0
        for part in (
            datasets.load_dataset(str(folder / "days"), split="train", streaming=True)
            .with_format("numpy")
            .iter(batch_size=arguments.batch)
        ):
            seen += len(part["values"])
        streamed = seen / (time.process_time() - started)
        print(f"{'':46s} {'measured':>14s} {'target or reference':>24s}")
        print(f"{'size, kB per day':46s} {kb:14.1f} {f'target {KB_PER_DAY:.0f}, plain {plain:.0f}':>24s}")
        print(f"{f'read, days/s (numpy, batches of {arguments.batch})':46s} {speed:14,.0f} {DAYS_PER_SECOND:24,.0f}")
        print(f"{'streamed from Parquet, days/s':46s} {streamed:14,.0f}")
        print(f"{'simulated and written, days/s on one core':46s} {days / wrote:14,.0f}")
        print(f"{f'peak memory for {days} days, MiB':46s} {after:14,.0f} {f'{before:,.0f} for 32 days':>24s}")
        print(
            f"a million days: {MILLION * kb / 1e6:.0f} GB in {MILLION // 512 + 1} shards,"
            f" {MILLION / days * wrote / 3600:.1f} hours on one core, {after:.0f} MiB"
        )
        if arguments.ray:
            started = time.perf_counter()
            write_cohort(folder / "ray", **options, ray_address="local", num_proc=2)
            print(f"with Ray Data, two shards at a time: {days / (time.perf_counter() - started):,.0f} days/s")
    return 0 if kb <= KB_PER_DAY and speed >= DAYS_PER_SECOND else 1


if __name__ == "__main__":
    sys.exit(main())
