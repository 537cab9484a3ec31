"""Throughput of per-minute features from raw signals, in signal seconds per second of CPU time on one core.

    python benchmarks/signals.py

The signals are synthetic: a moving wrist at 64 Hz, pulses at 64 Hz, skin conductance and temperature at 4 Hz, altitude
at 1 Hz. The reference is `numpy.std` over each minute of the same accelerometer data, a lower bound for any per-minute
feature. The target is 50 times real time for all features together.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np

from sensorlm_hf.data.signals import (
    acceleration_features,
    altitude_features,
    beat_features,
    conductance_features,
    ppg_beats,
    temperature_features,
)

TARGET = 50.0
RATE = 64


def pulses(seconds: int, rng: np.random.Generator) -> np.ndarray:
    """Returns a pulse wave of about 70 beats per minute."""
    rate = 70 / 60 * (1 + 0.1 * np.sin(np.arange(seconds * RATE) / RATE / 3))
    phase = np.cumsum(rate) / RATE
    return np.exp(3 * np.cos(2 * np.pi * phase)) + rng.normal(0, 0.2, len(phase))


def best_of(runs: int, job: Callable[[], object]) -> float:
    """Returns the minimum CPU time over several runs, in seconds."""
    times = []
    for _ in range(runs):
        started = time.process_time()
        job()
        times.append(time.process_time() - started)
    return min(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--hours", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    seconds = arguments.hours * 3600
    minutes = seconds // 60
    acc = rng.normal(0, 0.3, (seconds * RATE, 3)) + np.array([0.0, 0.0, 1.0])
    ppg, eda = pulses(seconds, rng), 3 + rng.normal(0, 0.1, seconds * 4)
    temperature, altitude = 32 + rng.normal(0, 0.1, seconds * 4), 100 + rng.normal(0, 0.1, seconds)
    jobs: dict[str, Callable[[], object]] = {
        "numpy.std of each minute (reference)": lambda: acc.reshape(minutes, -1).std(axis=1),
        "acceleration, 64 Hz": lambda: acceleration_features(acc, RATE),
        "PPG to beats to HRV, 64 Hz": lambda: beat_features(*ppg_beats(ppg, RATE), minutes),
        "skin conductance, 4 Hz": lambda: conductance_features(eda, 4),
        "skin temperature, 4 Hz": lambda: temperature_features(temperature, 4),
        "altitude, 1 Hz": lambda: altitude_features(altitude, 1),
    }
    ppg_beats(ppg[: 60 * RATE], RATE)  # imports NeuroKit2
    print(f"{'task':38s} {'ms per signal hour':>20s} {'times real time':>16s}")
    total = 0.0
    for name, job in jobs.items():
        spent = best_of(arguments.runs, job)
        total += 0.0 if "reference" in name else spent
        print(f"{name:38s} {spent / arguments.hours * 1000:20.1f} {seconds / spent:16,.0f}")
    print(f"{'all features':38s} {total / arguments.hours * 1000:20.1f} {seconds / total:16,.0f}   target {TARGET:.0f}")
    return 0 if seconds / total >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
