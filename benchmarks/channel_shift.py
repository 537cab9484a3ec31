"""Distribution shift between simulated and real recordings, by channel and kind of event.

Real: events of MMASH (Rossi et al. 2020, PhysioNet). Simulated: the same kinds of events of synthetic subjects with
the same device (a chest strap with a movement counter). For each channel and class it prints medians over events, the
difference in population standard deviations, and the Kolmogorov-Smirnov distance of the means and the spreads of
events; and for each channel, the AUROC of a classifier of simulated versus real events (cross-validated by person; 0.5
means indistinguishable). Only aggregates over all people are printed.

    python benchmarks/channel_shift.py --data FOLDER
"""

from __future__ import annotations

import argparse
import os
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from sensorlm_hf.data.readers import ReadReport, read_mmash
from sensorlm_hf.data.simulate import iter_simulated_days
from sensorlm_hf.days import SensorDay
from sensorlm_hf.evaluation.tasks import get_event_task
from sensorlm_hf.evaluation.zero_shot import EventCrops, event_crops

FEATURES = ("mean", "spread", "low", "high", "minute to minute", "observed")


def describe(crops: EventCrops, key: str) -> np.ndarray:
    """Returns mean, spread, 10 and 90 %, minute-to-minute change and observed share of a channel for each event."""
    rows = []
    for day in crops.days:
        event = day.events[0]
        inside = day.channel(key)[max(event.start_minute, 0) : min(event.end_minute, len(day))]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # nothing observed
            low, high = np.nanquantile(inside, (0.1, 0.9))
            change = np.nanstd(np.diff(inside))
            rows.append((np.nanmean(inside), np.nanstd(inside), low, high, change, np.mean(~np.isnan(inside))))
    return np.array(rows)


def tell_apart(simulated: np.ndarray, real: np.ndarray, people: list[str]) -> float:
    """Returns the AUROC of a random forest for real versus simulated events, cross-validated by person."""
    features = np.concatenate([simulated, real])
    features = np.where(np.isfinite(features), features, -1.0)
    truth = np.repeat([0, 1], [len(simulated), len(real)])
    forest = RandomForestClassifier(200, min_samples_leaf=5, class_weight="balanced", random_state=0)
    scores = cross_val_predict(forest, features, truth, groups=people, cv=GroupKFold(5), method="predict_proba")
    return float(roc_auc_score(truth, scores[:, 1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=os.environ.get("SENSORLM_REAL_DATA"), help="folder that contains mmash/")
    parser.add_argument("--people", type=int, default=120, help="synthetic subjects with the same device")
    parser.add_argument("--seed", type=int, default=11)
    arguments = parser.parse_args()
    root = Path(arguments.data or "") / "mmash"
    if arguments.data is None or not root.is_dir():
        print("No real recordings: set --data or SENSORLM_REAL_DATA to a folder that contains mmash/. Skipped.")
        return
    task = get_event_task("intensity")
    real_days = list(read_mmash(root, report=ReadReport()))
    simulated_days: list[SensorDay] = []
    for day in iter_simulated_days(1_000_000, arguments.seed, days_per_person=1):
        if "strap" in str(day.labels["device"]):
            simulated_days.append(day)
        if len(simulated_days) == arguments.people:
            break
    simulated, real = event_crops(simulated_days, task), event_crops(real_days, task)
    people = [f"s{c.subject_id}" for c in simulated.days] + [f"r{c.subject_id}" for c in real.days]
    counts = [np.bincount(crops.classes, minlength=4).tolist() for crops in (simulated, real)]
    print(
        f"simulated: {len(simulated_days)} subjects, {counts[0]} events;"
        f" real: {len(real_days)} people, {counts[1]} events"
    )
    keys = [key for key in real_days[0].schema.keys if any(np.isfinite(d.channel(key)).any() for d in real_days)]
    rows, overall = [], {}
    for key in keys:
        spread = real_days[0].schema[key].std
        a, b = describe(simulated, key), describe(real, key)
        overall[key] = tell_apart(a, b, people)
        for k, name in enumerate(task.class_names):
            x, y = a[simulated.classes == k], b[real.classes == k]
            x, y = x[np.isfinite(x[:, 0])], y[np.isfinite(y[:, 0])]
            rows.append(
                {
                    "channel": key,
                    "class": name,
                    "simulated": np.median(x[:, 0]),
                    "real": np.median(y[:, 0]),
                    "difference / sd": (np.median(y[:, 0]) - np.median(x[:, 0])) / spread,
                    "KS mean": ks_2samp(x[:, 0], y[:, 0]).statistic,
                    "spread sim": np.median(x[:, 1]),
                    "spread real": np.median(y[:, 1]),
                    "KS spread": ks_2samp(x[:, 1], y[:, 1]).statistic,
                    "per min sim": np.nanmedian(x[:, 4]),
                    "per min real": np.nanmedian(y[:, 4]),
                }
            )
    with pd.option_context("display.width", 200, "display.max_columns", 20):
        print(pd.DataFrame(rows).round(2).to_string(index=False))
    print("AUROC of a classifier of real versus simulated events (0.5 = indistinguishable):")
    for key, value in sorted(overall.items(), key=lambda item: -item[1]):
        print(f"  {key:32s} {value:.3f}")


if __name__ == "__main__":
    main()
