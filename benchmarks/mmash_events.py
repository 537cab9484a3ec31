"""Event-level zero-shot classification on real people: events of MMASH (Rossi et al. 2020).

Each event of at least ten minutes in the diary or sleep log becomes a window with everything else masked; a model
classifies it as sleep, sedentary, light or vigorous (task `intensity` in `sensorlm_hf.evaluation.tasks`). The
supervised baseline is logistic regression on eight summary features of heart rate, steps and accelerometer counts, with
leave-one-person-out cross-validation. Only aggregates over all people are printed.

    python benchmarks/mmash_events.py --data FOLDER --model sensorlm-coca
"""

from __future__ import annotations

import argparse
import os
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sensorlm_hf.checkpoints import demo_checkpoint
from sensorlm_hf.data.readers import ReadReport, read_mmash
from sensorlm_hf.days import SensorDay
from sensorlm_hf.evaluation import related_result, save_results
from sensorlm_hf.evaluation.tasks import get_event_task
from sensorlm_hf.evaluation.zero_shot import evaluate_event_level, event_crops
from sensorlm_hf.metrics import score_classifier
from sensorlm_hf.modeling import SensorLMModel
from sensorlm_hf.processing import SensorLMProcessor

# Words that do not occur in the captions of the demo model, to test how much the scores depend on the vocabulary.
PROMPTS = {
    "task": None,
    "names of the classes": (("sleep",), ("sedentary behaviour",), ("light activity",), ("vigorous activity",)),
    "words of the diary": (
        ("sleep",),
        ("sitting", "small screen use", "large screen use"),
        ("light movement",),
        ("medium activity", "heavy activity"),
    ),
    "one example each": (("sleep",), ("office work",), ("housework",), ("running",)),
}


def counts_per_minute(folder: Path, day: SensorDay) -> np.ndarray:
    """Returns the mean accelerometer counts per minute of a recording, NaN where missing."""
    frame = pd.read_csv(folder / "Actigraph.csv", usecols=["day", "time", "Vector Magnitude"])
    clock = frame["time"].str.split(":", expand=True).astype(int)
    second_day = (frame["day"] != 1).to_numpy()
    minute = clock[0] * 60 + clock[1] + 1440 * second_day - (day.start.hour * 60 + day.start.minute)
    means = frame["Vector Magnitude"].groupby(minute.to_numpy()).mean()
    return means.reindex(range(len(day))).to_numpy()


def event_features(crop: SensorDay, counts: np.ndarray) -> list[float]:
    """Returns eight features: heart rate (mean, spread, 90 %), steps (mean, 90 %, share), counts (mean, spread)."""
    event = crop.events[0]
    inside = slice(max(event.start_minute, 0), min(event.end_minute, len(crop)))
    heart, steps, moved = crop.channel("HR")[inside], crop.channel("steps")[inside], counts[inside]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # nothing observed
        return [
            np.nanmean(heart), np.nanstd(heart), np.nanpercentile(heart, 90),
            np.nanmean(steps), np.nanpercentile(steps, 90), float(np.mean(steps > 0)),
            np.nanmean(moved), np.nanstd(moved),
        ]  # fmt: skip


def leave_one_out(features: np.ndarray, classes: np.ndarray, people: list[str]) -> np.ndarray:
    """Returns the probabilities of a logistic regression, cross-validated by person."""
    features = np.where(np.isfinite(features), features, np.nanmean(features, axis=0))
    scores = np.zeros((len(classes), int(classes.max()) + 1))
    for person in np.unique(people):
        test = np.asarray(people) == person
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, class_weight="balanced"))
        model.fit(features[~test], classes[~test])
        scores[np.ix_(np.flatnonzero(test), model.classes_)] = model.predict_proba(features[test])
    return scores


def card_rows(results: dict, people: int, events: int) -> list[dict]:
    """Returns the zero-shot and the supervised result as rows of a model card."""
    what = f"real people (MMASH, {people} people, {events} events), sleep / sedentary / light / vigorous"
    names = {
        "zero-shot": "zero-shot, prompts: task",
        "supervised": "logistic regression with labels: heart rate, steps, counts",
    }
    return [
        related_result(
            f"{what}: {word}" + (" (logistic regression, leave one person out)" if word == "supervised" else ""),
            "AUROC",
            results[name]["auroc"],
            "python benchmarks/mmash_events.py --data FOLDER",
            chance=0.5,
            interval=results[name]["intervals"]["auroc"],
        )
        for word, name in names.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=os.environ.get("SENSORLM_REAL_DATA"), help="folder that contains mmash/")
    parser.add_argument("--model", help="model folder; the demo model by default")
    parser.add_argument("--json", type=Path, help="output file for the results")
    parser.add_argument(
        "--card_rows", type=Path, help="output file for rows of the model card (train_demo.py --related)"
    )
    arguments = parser.parse_args()
    root = Path(arguments.data or "") / "mmash"
    if arguments.data is None or not root.is_dir():
        print("No real recordings: set --data or SENSORLM_REAL_DATA to a folder that contains mmash/. Skipped.")
        return
    torch.set_num_threads(1)
    task = get_event_task("intensity")
    days = list(read_mmash(root, report=ReadReport()))
    path = arguments.model or demo_checkpoint()
    model = SensorLMModel.from_pretrained(path, dtype=torch.float32).eval()
    processor = SensorLMProcessor.from_pretrained(path)
    results = {}
    for name, phrases in PROMPTS.items():
        wanted = task if phrases is None else type(task)(**{**vars(task), "phrases": phrases})
        results[f"zero-shot, prompts: {name}"] = evaluate_event_level(model, processor, days, wanted)
    crops = event_crops(days, task)
    counts = [counts_per_minute(root / day.subject_id, day) for day in days]
    features = np.array([event_features(c, counts[row]) for c, row in zip(crops.days, crops.rows, strict=True)])
    people = [day.subject_id for day in crops.days]
    for name, columns in (("heart rate, steps, counts", slice(None)), ("heart rate, steps", slice(0, 6))):
        scores = leave_one_out(features[:, columns], crops.classes, people)
        results[f"logistic regression with labels: {name}"] = score_classifier(
            crops.classes, scores, people, task.class_names
        )
    support = dict(zip(task.class_names, np.bincount(crops.classes).tolist(), strict=True))
    print(f"MMASH, {len(days)} people, {len(crops.days)} events: {support}")
    print(f"model {path}")
    for name, result in results.items():
        low, high = result["intervals"]["auroc"]
        each = ", ".join(f"{c} {v:.2f}" for c, v in zip(task.class_names, result["auroc_per_class"], strict=True))
        print(f"  {name:50s} AUROC {result['auroc']:.3f} [{low:.3f}, {high:.3f}], F1 {result['f1']:.3f}; {each}")
    if arguments.card_rows:
        save_results({"rows": card_rows(results, len(days), len(crops.days))}, arguments.card_rows)
    if arguments.json:
        save_results(results, arguments.json)


if __name__ == "__main__":
    main()
