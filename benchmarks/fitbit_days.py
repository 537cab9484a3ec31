"""A real Fitbit export, read without training on it: which exercise was it, sleep or effort, a day with a run or not?

Each sleep and exercise that the export logs becomes a window in which all else is masked; the model ranks the 20
exercises, and tells apart the classes of task `intensity`. Whole days are then told by whether their owner ran, by
prompts and by a linear probe that never saw the day (leave-pair-out, days as groups). The export is one person's, so
no number says anything about other people. Only numbers over all days are printed.

    python benchmarks/fitbit_days.py --data FOLDER --timezone Australia/Melbourne
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from pair_probe import leave_pair_out, spread_by_chance
from sklearn.metrics import roc_auc_score

from sensorlm_hf.checkpoints import demo_checkpoint
from sensorlm_hf.data.readers import ReadReport, read_fitbit
from sensorlm_hf.evaluation import save_results
from sensorlm_hf.evaluation.encode import encode_days
from sensorlm_hf.evaluation.supervised import summary_table
from sensorlm_hf.evaluation.tasks import get_event_task, get_task
from sensorlm_hf.evaluation.zero_shot import class_probabilities, event_crops
from sensorlm_hf.modeling import SensorLMModel
from sensorlm_hf.processing import SensorLMProcessor


def exercises(model: SensorLMModel, processor: SensorLMProcessor, days: list) -> dict:
    """Returns how high the logged exercise ranks among the 20."""
    task = get_event_task("exercise_events")
    crops = event_crops(days, task)
    scores = class_probabilities(model, processor, encode_days(model, processor, crops.days), task)
    own = scores[np.arange(len(scores)), crops.classes]
    ranks = 1 + (scores > own[:, None]).sum(axis=1)
    return {
        "events": len(ranks),
        "first": float(np.mean(ranks == 1)),
        "among_three": float(np.mean(ranks <= 3)),
        "mean_rank": float(ranks.mean()),
        "by_exercise": {
            name: {"events": int((crops.classes == k).sum()), "mean_rank": float(ranks[crops.classes == k].mean())}
            for k, name in enumerate(task.class_names)
            if (crops.classes == k).any()
        },
    }


def intensity(model: SensorLMModel, processor: SensorLMProcessor, days: list) -> dict:
    """Returns the AUROC of each class that the export logs, among the events of the task."""
    task = get_event_task("intensity")
    crops = event_crops(days, task)
    scores = class_probabilities(model, processor, encode_days(model, processor, crops.days), task)
    present = [k for k in range(len(task.class_names)) if 0 < (crops.classes == k).sum() < len(crops.classes)]
    found = {task.class_names[k]: float(roc_auc_score(crops.classes == k, scores[:, k])) for k in present}
    return {"events": len(crops.classes), "auroc": found}


def running_days(model: SensorLMModel, processor: SensorLMProcessor, days: list) -> dict:
    """Returns how well days with a run are told from days without."""
    ran = np.array([any(event.label == "running" for event in day.events_of("activity")) for day in days])
    task = get_task("activity")
    embeddings = encode_days(model, processor, days)
    prompted = class_probabilities(model, processor, embeddings, task)[:, task.class_names.index("running")]
    names = [day.sample_id for day in days]
    summaries = summary_table(days)
    summaries = summaries[:, np.isfinite(summaries).all(axis=0)]
    result = {"days": len(days), "with_a_run": int(ran.sum()), "prompts": float(roc_auc_score(ran, prompted))}
    for name, features in (("probe", embeddings), ("summary_probe", summaries)):
        result[name] = leave_pair_out(features, ran, names)[0]
        result[f"{name}_by_chance"] = spread_by_chance(features, ran, names, draws=20)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--data", default=os.environ.get("SENSORLM_REAL_DATA"), help="folder with fitbit_takeout/ in it"
    )
    parser.add_argument("--timezone", default="Australia/Melbourne", help="zone in which the export was recorded")
    parser.add_argument("--model", help="model folder; the shipped demo model by default")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    arguments = parser.parse_args()
    root = Path(arguments.data or "") / "fitbit_takeout"
    if arguments.data is None or not root.is_dir():
        print("No real recordings: give --data FOLDER, or SENSORLM_REAL_DATA, with fitbit_takeout/ in it.")
        return
    torch.set_num_threads(1)
    days = list(read_fitbit(root, timezone=arguments.timezone, report=ReadReport()))
    path = arguments.model or demo_checkpoint()
    model = SensorLMModel.from_pretrained(path, dtype=torch.float32).eval()
    processor = SensorLMProcessor.from_pretrained(path)
    results = {name: measure(model, processor, days) for name, measure in MEASURES.items()}
    logged, classes, runs = results.values()
    print(f"Fitbit export, one person, {len(days)} days; model {path}")
    print(
        f"  logged exercise among 20, {logged['events']} events: first {logged['first']:.2f} (chance 0.05), among the"
        f" first three {logged['among_three']:.2f} (chance 0.15), mean rank {logged['mean_rank']:.1f} (chance 10.5)"
    )
    for name, entry in logged["by_exercise"].items():
        print(f"    {name:20s} events {entry['events']:2d}, mean rank {entry['mean_rank']:.1f}")
    told = ", ".join(f"{name} {value:.3f}" for name, value in classes["auroc"].items())
    print(f"  intensity of {classes['events']} events: AUROC {told} (chance 0.5)")
    print(f"  days with a run, {runs['with_a_run']} of {runs['days']}: AUROC by prompts {runs['prompts']:.3f}", end="")
    for name, word in (("probe", "probe on the embedding"), ("summary_probe", "probe on summary features")):
        low, high = runs[f"{name}_by_chance"]
        print(f", {word} {runs[name]:.3f} (shuffled days {low:.3f} to {high:.3f})", end="")
    print()
    if arguments.json:
        save_results(results, arguments.json)


MEASURES = {"exercises": exercises, "intensity": intensity, "running_days": running_days}

if __name__ == "__main__":
    main()
