"""Compares caption facts with those of the public SensorLM captioning release, per channel.

    python benchmarks/caption_parity.py --parity FOLDER [--random-days 40]

FOLDER holds `days.npz` (days of `sensorlm-34` in standard deviations from the population mean) and
`reference_facts.json` (the facts that the release computes for them). Trends and anomalies must be equal, statistics
must agree to 1e-6. Random days, with additional plateaus and ties, are then compared with the loop-and-scipy reference
of the tests. The exit status is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sensorlm_hf.processing.captions import CaptionBuilder
from sensorlm_hf.schema import SensorSchema, get_schema

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "processing" / "captions"))
import caption_oracle as oracle

COLUMNS = ("trends", "anomalies", "mean", "max", "min", "std")
TOLERANCE = 1e-6


def default_folder() -> Path:
    named = os.environ.get("SENSORLM_REAL_DATA")
    return (Path(named).parent if named else ROOT.parent / "shared") / "parity"


def physical(normalised: np.ndarray, schema: SensorSchema) -> np.ndarray:
    """Converts standard deviations to physical units, clipped at zero for nonnegative channels."""
    values = normalised * np.array(schema.stds) + np.array(schema.means)
    floor = [0.0 if channel.non_negative else -np.inf for channel in schema]
    return np.maximum(values, floor)


def matches(found: dict[str, Any], expected: dict[str, Any]) -> Iterator[str]:
    for column in COLUMNS:
        if column in ("trends", "anomalies"):
            same = found[column] == expected[column]
        else:
            same = abs(found[column] - expected[column]) <= TOLERANCE * abs(expected[column]) + 1e-12
        if same:
            yield column


def print_table(title: str, counts: dict[str, Counter[str]], days: Counter[str]) -> bool:
    print(f"{title}\n{'channel':22} {'days':>6} " + " ".join(f"{column:>9}" for column in COLUMNS))
    total: Counter[str] = Counter()
    for key, count in counts.items():
        total += count
        print(f"{key:22} {days[key]:6} " + " ".join(f"{count[column]:9}" for column in COLUMNS))
    everything = sum(days.values())
    print(f"{'all':22} {everything:6} " + " ".join(f"{total[column]:9}" for column in COLUMNS) + "\n")
    return all(total[column] == everything for column in COLUMNS)


def compare(pairs: Iterator[tuple[str, dict, dict]], title: str) -> bool:
    counts: dict[str, Counter[str]] = {}
    days: Counter[str] = Counter()
    for key, found, expected in pairs:
        days[key] += 1
        counts.setdefault(key, Counter()).update(matches(found, expected))
    return print_table(title, counts, days)


def reference_pairs(folder: Path) -> Iterator[tuple[str, dict, dict]]:
    schema = get_schema("sensorlm-34")
    build = CaptionBuilder(schema)
    reference = json.loads((folder / "reference_facts.json").read_text(encoding="utf-8"))
    with np.load(folder / "days.npz") as stored:
        for name, expected in reference["days"].items():
            found = build.facts(physical(stored[name], schema))
            yield from ((key, found[key], facts) for key, facts in expected.items())


def random_day(rng: np.random.Generator, channels: int) -> np.ndarray:
    """Generates slow waves, clipped at five standard deviations as in the release; some on a grid, for ties."""
    points = rng.normal(size=(38, channels)) * rng.uniform(0.5, 5, channels)
    at = np.arange(1440) / 40
    day = np.stack([np.interp(at, np.arange(38), points[:, c]) for c in range(channels)], axis=1)
    day += rng.normal(size=day.shape) * rng.choice([0.0, 0.3, 1.0], channels)
    grid = rng.random(channels) < 0.3
    day[:, grid] = np.repeat(np.round(points[:36, grid]), 40, axis=0)
    return np.clip(day, -5, 5)


def random_pairs(count: int) -> Iterator[tuple[str, dict, dict]]:
    schema = get_schema("sensorlm-34")
    build = CaptionBuilder(schema)
    rng = np.random.default_rng(0)
    for _ in range(count):
        values = physical(random_day(rng, len(schema)), schema)
        found = build.facts(values)
        yield from ((key, found[key], oracle.channel_facts(values[:, c])) for c, key in enumerate(schema.keys))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parity", type=Path, default=default_folder(), help="folder with the reference facts")
    parser.add_argument("--random-days", type=int, default=40, help="additional random days")
    arguments = parser.parse_args()
    same = True
    if (arguments.parity / "reference_facts.json").is_file():
        same = compare(reference_pairs(arguments.parity), "days with the same facts as the release")
    else:
        print(f"{arguments.parity} has no reference_facts.json: skipping the comparison with the release.\n")
    if arguments.random_days:
        same &= compare(random_pairs(arguments.random_days), "random days with the same facts as the reference")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
