"""Benchmarks the caption builder against the loop-and-scipy reference of the tests, on one core.

    python benchmarks/captions.py [--days 512] [--repeats 5]

Both describe the same days and the same number of channels. The structural reference fits 24 lines with
`scipy.stats.linregress` and calls `scipy.signal.find_peaks` twice per channel, like the SensorLM release; the
statistical one calls `scipy.stats.describe` per channel. An additional row times plain numpy functions per channel, a
lower bound for any loop over channels. The throughput of the code of the release on one core of a similar machine, 15
structural and 334 statistical captions per second, is reported for comparison: `describe` makes the statistical
reference slower than the release, so consider both ratios. Times are CPU time, the minimum over the repeats.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np

from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.days import SensorDay
from sensorlm_hf.processing.captions import CAPTION_KEYS, CaptionBuilder

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "processing" / "captions"))
import caption_oracle as oracle

GOALS = {"low_level_caption": 20, "middle_level_caption": 100}
SEMANTIC_GOAL = 50_000
RELEASE = {"low_level_caption": 334.0, "middle_level_caption": 15.0}


def best(work: Callable[[], object], days: int, repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return days / max(min(times), 1e-9)


def told_columns(build: CaptionBuilder) -> list[int]:
    """Selects as many channels as a caption describes: those of every caption, and four more."""
    fixed = [i for i, channel in enumerate(build.schema) if channel.in_every_caption]
    others = [i for i, channel in enumerate(build.schema) if not channel.in_every_caption]
    return fixed + others[: sum(build.extra_channels.values())]


def oracle_statistical(days: list[SensorDay], build: CaptionBuilder, rng: np.random.Generator) -> None:
    for day in days:
        sentences = []
        for c in told_columns(build):
            facts = oracle.statistics(day.values[:, c].astype(np.float64))
            if facts["mean"] is not None:
                template = build.wording.statistics[rng.integers(len(build.wording.statistics))]
                label = build.schema.channels[c].label
                sentences.append(template.format(label=label, Label=label, **{k: f"{v:.1f}" for k, v in facts.items()}))
        " ".join(sentences)


def numpy_statistical(days: list[SensorDay], build: CaptionBuilder) -> None:
    for day in days:
        for c in told_columns(build):
            x = day.values[:, c].astype(np.float64)
            if not np.isnan(x).all():
                np.nanmean(x), np.nanmax(x), np.nanmin(x), np.nanstd(x)


def oracle_structural(days: list[SensorDay], build: CaptionBuilder) -> None:
    for day in days:
        sentences = []
        for c in told_columns(build):
            points = oracle.pool(day.values[:, c].astype(np.float64))
            label = build.schema.channels[c].label
            sentences += [f"{label}: {kind} from {a} to {b}." for a, b, kind in oracle.trends(points)]
            sentences += [f"{label}: {kind} at {minute}." for minute, kind in oracle.anomalies(points)]
        " ".join(sentences)


def peak_memory(build: CaptionBuilder, day: SensorDay, count: int) -> float:
    """Returns the peak memory in MiB while captioning `count` days, excluding the captions."""
    days = [day] * count
    tracemalloc.start()
    captions = build.batch(days)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return (peak - sum(sys.getsizeof(caption) for caption in captions)) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=512, help="days captioned by the caption builder")
    parser.add_argument("--oracle-days", type=int, default=8, help="days captioned by the reference")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    days = simulate_days(min(arguments.days, 128), seed=0)
    days = [days[i % len(days)] for i in range(arguments.days)]
    few = days[: arguments.oracle_days]
    build = CaptionBuilder()
    build.columns(few)  # warm up the caches of prepared sentences
    slow = {
        "low_level_caption": best(
            lambda: oracle_statistical(few, build, np.random.default_rng(0)), len(few), arguments.repeats
        ),
        "middle_level_caption": best(lambda: oracle_structural(few, build), len(few), arguments.repeats),
    }
    bare = best(lambda: numpy_statistical(few, build), len(few), arguments.repeats)
    print(f"{arguments.days} simulated days, {len(build.schema)} channels, one core\n")
    print(f"{'caption':32} {'reference/s':>11} {'builder/s':>9} {'ratio':>8}  {'vs. release':>14}  target")
    missed = []
    for key in CAPTION_KEYS:
        rate = best(lambda key=key: build.batch(days, keys=key), len(days), arguments.repeats)
        reference = slow.get(key)
        ratio = f"{rate / reference:8.1f}" if reference else " " * 8
        goal = f"ratio {GOALS[key]}" if key in GOALS else f"{SEMANTIC_GOAL:,}/s" if "high_level" in key else ""
        released = f"{rate / RELEASE[key]:14.1f}" if key in RELEASE else " " * 14
        slowly = f"{reference:10.1f}" if reference else " " * 10
        print(f"{key:32} {slowly} {rate:10.0f} {ratio}  {released}  {goal}")
        if (reference and rate / reference < GOALS[key]) or (not reference and goal and rate < SEMANTIC_GOAL):
            missed.append(key)
        if key == "low_level_caption":
            print(f"{'  (plain numpy, numbers only)':32} {bare:10.1f} {rate:10.0f} {rate / bare:8.1f}")
    rate = best(lambda: build.facts_batch([day.values for day in days]), len(days), arguments.repeats)
    print(f"{'facts of all channels, as dicts':32} {'':10} {rate:10.0f}")
    rate = best(lambda: build.columns(days), len(days), arguments.repeats)
    print(f"{'all eight captions of a day':32} {'':10} {rate:10.0f}")
    build = CaptionBuilder(key="high_middle_low_caption")
    sizes = {count: peak_memory(build, days[0], count) for count in (64, 512)}
    print("\nworking memory: " + ", ".join(f"{size:.1f} MiB for {count} days" for count, size in sizes.items()))
    if missed:
        sys.exit(f"target missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
