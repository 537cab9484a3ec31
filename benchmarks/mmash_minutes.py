"""Compares heart rate and RMSSD of an MMASH recording with an independent implementation.

    python benchmarks/mmash_minutes.py --data FOLDER [--who user_1] [--plot minutes.png]

The per-minute values of the reader are compared with a pandas implementation of the definitions in docs/features.md:
heart rate with groupby, RMSSD with a loop over the five minutes around each minute. It prints the number of compared
minutes and the maximum difference, and exits with status 1 if that exceeds float32 precision.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from sensorlm_hf.data.readers import ReadReport, read_mmash

TOLERANCE = 1e-4
"""Maximum difference in bpm and ms; values are float32 up to 2,000."""


def clock(frame: pd.DataFrame) -> pd.Series:
    """Converts times to seconds since midnight of day 1."""
    return pd.to_timedelta(frame["time"]).dt.total_seconds() + 86_400.0 * (frame["day"] != 1)


def heart_rate(folder: Path, origin: float, minutes: int) -> np.ndarray:
    """Returns the mean heart rate of the monitor per minute, or 60 s over the mean RR interval where it is missing."""
    raw = pd.read_csv(folder / "Actigraph.csv")
    raw["minute"] = ((clock(raw) - origin) // 60).astype(int)
    rates = raw[raw["HR"].between(25, 240)].groupby("minute")["HR"].mean()
    beats = pd.read_csv(folder / "RR.csv")
    beats["minute"] = ((clock(beats) - origin) // 60).astype(int)
    intervals = beats[beats["ibi_s"].between(0.3, 2.0)].groupby("minute")["ibi_s"].mean()
    return rates.reindex(range(minutes)).fillna((60.0 / intervals).reindex(range(minutes))).to_numpy()


def rmssd(folder: Path, origin: float, minutes: int) -> np.ndarray:
    """Returns the RMSSD of the five minutes around each minute."""
    raw = pd.read_csv(folder / "RR.csv")
    raw = pd.DataFrame({"at": clock(raw) - origin, "rr": raw["ibi_s"] * 1000.0})
    raw["before"], raw["gap"] = raw["rr"].shift(), raw["at"].diff() - raw["rr"] / 1000.0
    possible = raw[raw["rr"].between(300, 2000)]
    around = possible["rr"].rolling(11, center=True, min_periods=1).median()
    raw["normal"] = ((possible["rr"] - around).abs() <= 0.2 * around).reindex(raw.index, fill_value=False)
    calm = (raw["rr"] - raw["before"]).abs() <= 0.2 * raw["before"]
    raw["counts"] = raw["normal"] & raw["normal"].shift(fill_value=False) & (raw["gap"] <= 2.5) & calm
    result = np.full(minutes, np.nan)
    for minute in range(minutes):
        window = raw[(raw["at"] >= 60 * (minute - 2)) & (raw["at"] < 60 * (minute + 3))]
        normal, counted = window[window["normal"]], window.iloc[1:][window["counts"].iloc[1:]]
        if normal["rr"].sum() < 60_000 or len(counted) < len(normal) // 2 or len(counted) < 2:
            continue
        result[minute] = np.sqrt(((counted["rr"] - counted["before"]) ** 2).mean())
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=os.environ.get("SENSORLM_REAL_DATA"), help="folder that contains mmash/")
    parser.add_argument("--who", default="user_1")
    parser.add_argument("--plot", metavar="PNG")
    arguments = parser.parse_args()
    if not arguments.data or not (Path(arguments.data) / "mmash").is_dir():
        print("No real recordings: set --data or SENSORLM_REAL_DATA to a folder that contains mmash/. Skipped.")
        return 0
    folder = Path(arguments.data) / "mmash" / arguments.who
    (day,) = read_mmash(folder, report=ReadReport())
    origin = 60.0 * (60 * day.start.hour + day.start.minute)
    compared = {
        "heart rate (bpm)": (day.channel("HR"), heart_rate(folder, origin, len(day))),
        "RMSSD (ms)": (day.channel("rmssd_percentile_0595"), rmssd(folder, origin, len(day))),
    }
    worst = 0.0
    print(f"{'':20s} {'minutes':>8s} {'in only one':>13s} {'median':>8s} {'maximum difference':>19s}")
    for name, (ours, other) in compared.items():
        both = ~np.isnan(ours) & ~np.isnan(other)
        alone = int((np.isnan(ours) != np.isnan(other)).sum())
        most = float(np.abs(ours - other)[both].max())
        print(f"{name:20s} {both.sum():8d} {alone:13d} {np.median(ours[both]):8.2f} {most:19.2e}")
        worst = max(worst, most, float(alone))
    if arguments.plot:
        draw(arguments.plot, compared)
    return 0 if worst <= TOLERANCE else 1


def draw(path: str, compared: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Plots the values of the reader as lines and the reference values as points."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(compared), figsize=(10, 5), sharex=True)
    for axis, (name, (ours, other)) in zip(axes, compared.items(), strict=True):
        axis.plot(ours, color="0.6", linewidth=2, label="reader")
        axis.plot(other, ".", markersize=2, color="C3", label="pandas")
        axis.set_ylabel(name)
        axis.legend(loc="upper right")
    axes[-1].set_xlabel("minute of the window")
    figure.tight_layout()
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    sys.exit(main())
