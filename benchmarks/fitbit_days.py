"""Zero-shot evaluation on a real Fitbit export: exercises, intensity of events, and days with a run.

Each logged sleep and exercise becomes a window with everything else masked; the model ranks the 20 exercises and
classifies the intensity (task `intensity`). Full days are then classified by whether they contain a run, with prompts
and with a linear probe (leave-pair-out, grouped by day). The export is from a single person, so the results do not
generalize to other people. Only aggregates over all days are printed.

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
    """Returns the rank of the logged exercise among the 20 exercises."""
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
    """Returns the AUROC of each logged class among the events of the task."""
    task = get_event_task("intensity")
    crops = event_crops(days, task)
    scores = class_probabilities(model, processor, encode_days(model, processor, crops.days), task)
    present = [k for k in range(len(task.class_names)) if 0 < (crops.classes == k).sum() < len(crops.classes)]
    found = {task.class_names[k]: float(roc_auc_score(crops.classes == k, scores[:, k])) for k in present}
    return {"events": len(crops.classes), "auroc": found}


def running_days(model: SensorLMModel, processor: SensorLMProcessor, days: list) -> dict:
    """Returns the AUROC for days with versus without a run."""
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
        "--data", default=os.environ.get("SENSORLM_REAL_DATA"), help="folder that contains fitbit_takeout/"
    )
    parser.add_argument("--timezone", default="Australia/Melbourne", help="time zone of the recording")
    parser.add_argument("--model", help="model folder; the demo model by default")
    parser.add_argument("--json", type=Path, help="output file for the results")
    arguments = parser.parse_args()
    root = Path(arguments.data or "") / "fitbit_takeout"
    if arguments.data is None or not root.is_dir():
        print("No real recordings: set --data or SENSORLM_REAL_DATA to a folder that contains fitbit_takeout/.")
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
        f"  logged exercise among 20, {logged['events']} events: top 1 {logged['first']:.2f} (chance 0.05), top 3"
        f" {logged['among_three']:.2f} (chance 0.15), mean rank {logged['mean_rank']:.1f} (chance 10.5)"
    )
    for name, entry in logged["by_exercise"].items():
        print(f"    {name:20s} events {entry['events']:2d}, mean rank {entry['mean_rank']:.1f}")
    aurocs = ", ".join(f"{name} {value:.3f}" for name, value in classes["auroc"].items())
    print(f"  intensity of {classes['events']} events: AUROC {aurocs} (chance 0.5)")
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
