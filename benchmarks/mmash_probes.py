"""Mood and stress of real people from their signals: linear probes on MMASH (Rossi et al. 2020).

Mood: each of a person's five questionnaires (PANAS) ends a two-hour window with everything else masked; the label is
whether the reported mood is positive. Stress: whether a person's daily stress (DSI) is at least the median over people.
Both are predicted with logistic regression on the embedding of the model, and on six summary features of the same
minutes, and scored with leave-pair-out cross-validation, since there are few people (`benchmarks/pair_probe.py`). Only
aggregates over all people are printed.

    python benchmarks/mmash_probes.py --data FOLDER --model sensorlm-coca
"""

from __future__ import annotations

import argparse
import json
import os
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from pair_probe import leave_pair_out, spread_by_chance

from sensorlm_hf.checkpoints import demo_checkpoint
from sensorlm_hf.data.readers import ReadReport, read_mmash
from sensorlm_hf.days import SensorDay
from sensorlm_hf.evaluation.encode import encode_days
from sensorlm_hf.io import atomic_write_text
from sensorlm_hf.modeling import SensorLMModel
from sensorlm_hf.processing import SensorLMProcessor

MOOD_WINDOW = 120
"""Window length before a questionnaire, in minutes."""

LEAST_OBSERVED = 30
"""Minimum number of minutes with heart rate in a window."""

CHANNELS = ("HR", "rmssd", "steps")


def mood_windows(days: list[SensorDay]) -> tuple[list[SensorDay], np.ndarray]:
    """Returns windows before questionnaires, and whether each mood was positive."""
    windows, positive = [], []
    for day in days:
        for event in day.events_of("mood"):
            start, end = max(event.start_minute - MOOD_WINDOW, 0), min(max(event.start_minute, 0), len(day))
            if end > start and np.isfinite(day.channel("HR")[start:end]).sum() >= LEAST_OBSERVED:
                windows.append(day.crop(start, end))
                positive.append(event.label == "positive")
    return windows, np.array(positive)


def stressed_days(days: list[SensorDay]) -> tuple[list[SensorDay], np.ndarray]:
    """Returns the days with reported stress, and whether each is at least the median."""
    reported = [day for day in days if day.labels.get("daily_stress") is not None]
    scores = np.array([float(day.labels["daily_stress"]) for day in reported])
    return reported, scores >= np.median(scores)


def summary_features(day: SensorDay) -> list[float]:
    """Returns mean and standard deviation of heart rate, RMSSD and steps."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # nothing observed
        return [
            float(of(day.channel(key))) for key in CHANNELS if key in day.schema.keys for of in (np.nanmean, np.nanstd)
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=os.environ.get("SENSORLM_REAL_DATA"), help="folder that contains mmash/")
    parser.add_argument("--model", help="model folder; the demo model by default")
    parser.add_argument("--shuffles", type=int, default=100, help="number of label shuffles for the chance range")
    parser.add_argument("--json", type=Path, help="output file for the results")
    arguments = parser.parse_args()
    root = Path(arguments.data or "") / "mmash"
    if arguments.data is None or not root.is_dir():
        print("No real recordings: set --data or SENSORLM_REAL_DATA to a folder that contains mmash/. Skipped.")
        return
    torch.set_num_threads(1)
    days = list(read_mmash(root, report=ReadReport()))
    path = arguments.model or demo_checkpoint()
    model = SensorLMModel.from_pretrained(path, dtype=torch.float32).eval()
    processor = SensorLMProcessor.from_pretrained(path)
    results: dict[str, dict[str, float]] = {}
    print(f"MMASH, {len(days)} people; model {path}")
    for task, (windows, positive) in {"mood": mood_windows(days), "stress": stressed_days(days)}.items():
        people = [day.subject_id for day in windows]
        for name, features in (
            ("probe on the embedding", encode_days(model, processor, windows)),
            ("probe on summary features", np.array([summary_features(day) for day in windows])),
        ):
            auroc, pairs = leave_pair_out(features, positive, people)
            low, high = spread_by_chance(features, positive, people, arguments.shuffles)
            results[f"{task}: {name}"] = {"auroc": auroc, "pairs": pairs, "chance_low": low, "chance_high": high}
            print(
                f"  {task:6s} {name:26s} AUROC {auroc:.3f} ({positive.sum()} of {len(positive)} items, {pairs} pairs;"
                f" shuffled labels {low:.3f} to {high:.3f})"
            )
    if arguments.json:
        atomic_write_text(arguments.json, json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
