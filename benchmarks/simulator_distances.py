"""Measures how far simulated days are from real recordings, statistic by statistic.

Each statistic is computed per recording, sleep, exercise or bout, for real and simulated wearers of a comparable
device. Its distance is the Wasserstein distance between the two distributions in standard deviations of the simulated
one. A few recordings are never exactly like the population that they come from, so the last column gives the distance
that 95 % of equally many simulated recordings stay below: a larger distance means that the simulator is off, or that
the people are not typical.

    python benchmarks/simulator_distances.py --data FOLDER [--json distances.json]

FOLDER contains any of mmash/, fitbit_takeout/, embraceplus/ and workouts/. Only summaries over all recordings of a
source are printed, never a value of an individual minute.
"""

from __future__ import annotations

import argparse
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import wasserstein_distance
from simulated_vs_real import LIGHT, SEDENTARY
from tqdm import tqdm

from sensorlm_hf.activities import ACTIVITY_BY_NAME
from sensorlm_hf.data.readers import ReadReport, read_embraceplus, read_fitbit, read_mmash
from sensorlm_hf.data.simulate import iter_simulated_days
from sensorlm_hf.days import Event, SensorDay
from sensorlm_hf.evaluation import save_results

Statistics = dict[str, list[float]]
"""Values of each statistic, one per recording, event or bout."""

MMASH_SEGMENTS = {
    "sleep": "sleep",
    "sitting": "sedentary",
    "small screen use": "sedentary",
    "large screen use": "sedentary",
    "light movement": "light",
    "medium activity": "vigorous",
    "heavy activity": "vigorous",
}
SPORTS = {"running": ("running", "treadmill running"), "cycling": ("outdoor cycling", "indoor cycling")}
BRISK = 60
"""Steps per minute of purposeful walking (Tudor-Locke et al. 2018)."""


def segment_of(event: Event) -> str | None:
    """Returns the intensity of a logged event, real or simulated, or None if it has none."""
    if event.kind == "sleep":
        return "sleep"
    if event.label in MMASH_SEGMENTS:
        return MMASH_SEGMENTS[event.label]
    if event.label in SEDENTARY:
        return "sedentary"
    if event.label in LIGHT:
        return "light"
    known = ACTIVITY_BY_NAME.get(event.label)
    return "vigorous" if event.kind == "activity" and known is not None and known.benchmark else None


def bouts(inside: np.ndarray) -> np.ndarray:
    """Returns the lengths of the runs of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], inside.astype(np.int8), [0]])))
    return edges[1::2] - edges[::2]


def heart_statistics(rates: np.ndarray, rest: float) -> Iterator[tuple[str, float]]:
    """Yields statistics of the heart rate in one span; missing minutes are left out."""
    steps = np.diff(rates)
    steps = steps[np.isfinite(steps)]
    seen = rates[np.isfinite(rates)]
    if len(seen) < 15 or len(steps) < 12:
        return
    yield "heart rate above rest, bpm", float(seen.mean() - rest)
    yield "heart rate, sd in the span, bpm", float(seen.std())
    yield "heart rate, change per minute, bpm", float(steps.std())
    before, after = rates[:-1], rates[1:]
    both = np.isfinite(before) & np.isfinite(after)
    if before[both].std() > 0 and after[both].std() > 0:
        yield "heart rate, correlation of neighbouring minutes", float(np.corrcoef(before[both], after[both])[0, 1])


def day_statistics(day: SensorDay) -> Iterator[tuple[str, float]]:
    """Yields statistics of heart rate, steps, sleep and wear of one day with its log."""
    rates, steps = day.channel("HR").astype(float), day.channel("steps").astype(float)
    if np.isfinite(rates).sum() < 600:
        return
    rest = float(np.nanpercentile(rates, 5))
    yield "day: resting heart rate (5th percentile), bpm", rest
    yield "day: peak heart rate above rest, bpm", float(np.nanmax(rates) - rest)
    yield "day: share of minutes without heart rate", float(np.isnan(rates).mean())
    for length in bouts(np.isnan(rates)):
        yield "day: length of a gap in the heart rate, log10 minutes", float(np.log10(length))
    walked = np.nan_to_num(steps)
    yield "day: steps, thousands", walked.sum() / 1000
    yield "day: share of minutes with steps", float((walked > 0).mean())
    for length in bouts(walked > 0):
        yield "day: length of a bout of steps, log10 minutes", float(np.log10(length))
    for length in bouts(walked >= BRISK):
        yield "day: length of a brisk walk, log10 minutes", float(np.log10(length))
    brisk = walked[walked >= BRISK]
    if len(brisk) >= 10:
        yield "day: cadence of brisk minutes, steps/min", float(np.median(brisk))
    for event in day.events:
        segment = segment_of(event)
        first, last = max(event.start_minute, 0), min(event.end_minute, len(day))
        if segment is None or last - first < 15:
            continue
        for name, value in heart_statistics(rates[first:last], rest):
            yield f"{segment}: {name}", value
        yield f"{segment}: steps per minute", float(walked[first:last].mean())
        if segment == "sleep" and last - first >= 180:
            yield "sleep: length, h", (last - first) / 60
            yield "sleep: spells with steps per hour", len(bouts(walked[first:last] > 0)) / ((last - first) / 60)
        if segment == "vigorous":
            yield "vigorous: length, min", float(last - first)


def onset_statistics(day: SensorDay) -> Iterator[tuple[str, float]]:
    """Yields how long before its logged start a run or walk began, by its cadence."""
    steps = np.nan_to_num(day.channel("steps").astype(float))
    for event in day.events_of("activity"):
        first, last = max(event.start_minute, 0), min(event.end_minute, len(day))
        if event.label not in ("running", "treadmill running", "walking") or last - first < 10:
            continue
        cadence = np.median(steps[first:last])
        if cadence < BRISK:
            continue  # logged at a wrong time
        early = first
        while early > 0 and steps[early - 1] >= 0.7 * cadence:
            early -= 1
        yield "runs and walks: minutes before the logged start", float(first - early)


def workout_statistics(rates: np.ndarray, steps: np.ndarray) -> Iterator[tuple[str, float]]:
    """Yields statistics of one workout."""
    seen = np.isfinite(rates)
    if seen.sum() < 10:
        return
    yield "heart rate, bpm", float(rates[seen].mean())
    for name, value in heart_statistics(rates, 0.0):
        if "above rest" not in name:
            yield name, value
    minutes = np.arange(len(rates))[seen]
    half = minutes > minutes.mean()
    yield (
        "drift of the heart rate, second half - first, bpm",
        float(rates[seen][half].mean() - rates[seen][~half].mean()),
    )
    counted = steps[np.isfinite(steps)]
    if len(counted) >= 10:
        yield "cadence, steps/min", float(np.median(counted))
        yield "share of minutes under 80 % of the cadence", float((counted < 0.8 * np.median(counted)).mean())


def skin_statistics(day: SensorDay) -> Iterator[tuple[str, float]]:
    """Yields statistics of skin temperature and skin conductance, per hour with at least 30 minutes of data."""
    for key, name in (("wrist_temperatures", "skin temperature"), ("eda_level_real", "skin conductance")):
        values = day.channel(key).astype(float)
        for start in range(0, len(values) - 59, 60):
            hour = values[start : start + 60]
            change = np.diff(hour)
            change = change[np.isfinite(change)]
            if len(change) >= 30:
                yield f"{name}: level of an hour", float(np.nanmean(hour))
                yield f"{name}: sd in an hour, log10", float(np.log10(np.nanstd(hour) + 1e-3))
                yield f"{name}: change per minute, log10", float(np.log10(change.std() + 1e-3))


def collect(items: Iterable[tuple[str, float]], into: Statistics) -> None:
    for name, value in items:
        into[name].append(value)


def mmash(folder: Path) -> Statistics:
    found: Statistics = defaultdict(list)
    for person in sorted(folder.glob("user_*")):
        for day in read_mmash(person, report=ReadReport()):
            collect(day_statistics(day), found)
    return found


def fitbit(folder: Path) -> Statistics:
    found: Statistics = defaultdict(list)
    for day in read_fitbit(folder, timezone="Australia/Melbourne", report=ReadReport()):
        collect(day_statistics(day), found)
        collect(onset_statistics(day), found)
    return found


def embraceplus(folder: Path) -> Statistics:
    found: Statistics = defaultdict(list)
    for person in sorted(path for path in folder.iterdir() if path.is_dir()):
        for day in read_embraceplus(person, timezone="UTC", report=ReadReport()):
            collect(skin_statistics(day), found)
    return found


def workouts(folder: Path) -> Statistics:
    found: Statistics = defaultdict(list)
    minutes = pd.read_csv(folder / "minutes.csv", parse_dates=["time"])
    for (_, sport), rows in minutes.groupby(["workout", "sport"]):
        kind = "cycling" if str(sport).startswith("cycling") else str(sport).split("/")[0]
        if kind not in SPORTS:
            continue
        rows = rows.set_index("time").resample("1min").first()
        collect(
            (
                (f"{kind}: {name}", value)
                for name, value in workout_statistics(rows.hr.to_numpy(), rows.steps.to_numpy())
            ),
            found,
        )
    return found


def simulated(count: int, seed: int) -> dict[str, Statistics]:
    """Returns the statistics of simulated wearers of the device of each source."""
    found: dict[str, Statistics] = {name: defaultdict(list) for name in SOURCES}
    stream = iter_simulated_days(count, seed, days_per_person=1)
    for day in tqdm(stream, total=count, desc="Simulated days", disable=None):
        device = str(day.labels["device"])
        if "strap" in device:
            collect(day_statistics(day), found["mmash"])
        else:
            collect(day_statistics(day), found["fitbit_takeout"])
            collect(onset_statistics(day), found["fitbit_takeout"])
            collect(skin_statistics(day), found["embraceplus"])
        for event in day.events_of("activity"):
            for kind, labels in SPORTS.items():
                first, last = max(event.start_minute, 0), min(event.end_minute, len(day))
                if event.label in labels and last - first >= 10:
                    values = workout_statistics(
                        day.channel("HR")[first:last].astype(float), day.channel("steps")[first:last].astype(float)
                    )
                    collect(((f"{kind}: {name}", value) for name, value in values), found["workouts"])
    return found


def distance(real: np.ndarray, other: np.ndarray) -> float:
    """Returns the Wasserstein distance in standard deviations of `other`."""
    return float(wasserstein_distance(real, other) / max(other.std(), 1e-9))


def compare(real: Statistics, other: Statistics, draws: int, rng: np.random.Generator) -> pd.DataFrame:
    """Returns a row per statistic that both have: medians with quartiles, distance, and distance by chance."""
    rows = {}
    for name in real:
        ours, theirs = np.array(real[name]), np.array(other.get(name, []))
        if len(ours) < 3 or len(theirs) < 50:
            continue
        chance = [distance(rng.choice(theirs, len(ours)), theirs) for _ in range(draws)]
        rows[name] = {
            "n": len(ours),
            "real": "{1:.2f} ({0:.2f} to {2:.2f})".format(*np.percentile(ours, [25, 50, 75])),
            "simulated": "{1:.2f} ({0:.2f} to {2:.2f})".format(*np.percentile(theirs, [25, 50, 75])),
            "distance": round(distance(ours, theirs), 2),
            "by chance": round(float(np.percentile(chance, 95)), 2),
        }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["n", "real", "simulated", "distance", "by chance"])


SOURCES = {"mmash": mmash, "fitbit_takeout": fitbit, "embraceplus": embraceplus, "workouts": workouts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=os.environ.get("SENSORLM_REAL_DATA"), help="folder with the recordings")
    parser.add_argument("--days", type=int, default=1500, help="number of simulated days, one per subject")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--draws", type=int, default=200, help="draws for the distance by chance")
    parser.add_argument("--json", type=Path, help="output file for the table")
    arguments = parser.parse_args()
    present = [name for name in SOURCES if arguments.data and (Path(arguments.data) / name).is_dir()]
    if not present:
        print(
            "No real recordings: set --data or SENSORLM_REAL_DATA to a folder with " + ", ".join(SOURCES) + ". Skipped."
        )
        return
    ours = simulated(arguments.days, arguments.seed)
    rng = np.random.default_rng(arguments.seed)
    results = {}
    with pd.option_context("display.width", 200, "display.max_colwidth", 60, "display.max_rows", 200):
        for name in present:
            table = compare(SOURCES[name](Path(arguments.data) / name), ours[name], arguments.draws, rng)
            results[name] = table.to_dict("index")
            off = int((table["distance"] > table["by chance"]).sum())
            print(
                f"\n{name}: {off} of {len(table)} statistics further off than chance;"
                f" mean distance {table['distance'].mean():.2f}"
            )
            print(table.to_string())
    if arguments.json:
        save_results(results, arguments.json)


if __name__ == "__main__":
    main()
