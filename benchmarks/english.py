"""Free-English evaluation of a model by device profile, as Markdown tables.

Days and single exercises are ranked by sentences about activities that share no template with the captions of this
package; opposite sentences are compared with measured quantities; labels that match no day are compared with the true
activity.

    python benchmarks/english.py --model sensorlm-coca --data simulated:2000
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from sensorlm_hf.checkpoints import demo_checkpoint
from sensorlm_hf.data.collator import SensorDayDataset
from sensorlm_hf.data.device_profiles import PROFILES, get_profile
from sensorlm_hf.data.folders import load_sensor_days
from sensorlm_hf.days import SensorDay
from sensorlm_hf.evaluation import evaluate_english, save_results
from sensorlm_hf.evaluation.results import number_text, table_markdown
from sensorlm_hf.modeling import load_pretrained
from sensorlm_hf.processing import SensorLMProcessor


def load_days(data: str, split: str, max_days: int | None) -> list[SensorDay]:
    """Returns the days of a dataset, in its order."""
    dataset = SensorDayDataset(load_sensor_days(data, split=split))
    return [dataset[row]["day"] for row in range(min(len(dataset), max_days or len(dataset)))]


def with_interval(scores: dict | None) -> str:
    """Returns an AUROC with its confidence interval, or a dash."""
    if scores is None:
        return "–"
    low, high = map(number_text, scores["interval"])
    return f"{number_text(scores['auroc'])} [{low}, {high}]"


def tables(results: dict) -> list[str]:
    """Returns the results as Markdown tables: by profile, by activity and by quantity."""
    profiles = list(results["concepts"])
    parts = {part: results.get(part, {}) for part in ("sentences", "events", "concepts", "nonsense", "calibration")}
    rows = []
    for name in profiles:
        nonsense, calibration = (parts[part].get(name) for part in ("nonsense", "calibration"))
        rows.append(
            (
                get_profile(name).description,
                *(with_interval(parts[part].get(name)) for part in ("sentences", "events", "concepts")),
                str(parts["concepts"][name]["pairs"]),
                number_text(nonsense and nonsense["any"]),
                number_text(nonsense and nonsense["mean"]),
                number_text(calibration and calibration["error"]),
            )
        )
    head = ("channels", "days", "events", "concepts", "pairs", "any unrelated", "one unrelated", "calibration error")
    found = [table_markdown(head, rows)]
    for first, part, group in (
        ("activity, days", "sentences", "by_activity"),
        ("activity, events", "events", "by_activity"),
        ("concept", "concepts", "by_quantity"),
    ):
        shown = {name: scores[group] for name, scores in parts[part].items()}
        names = dict.fromkeys(key for scores in shown.values() for key in scores)
        lines = [(key, *(number_text(s.get(key, {}).get("auroc")) for s in shown.values())) for key in names]
        if lines:
            found.append(table_markdown((first, *shown), lines))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", help="model folder or Hub id; the demo model by default")
    parser.add_argument("--data", default="simulated:500", help="dataset of days (default: simulated:500)")
    parser.add_argument("--split", default="test", help="split of the dataset (default: test)")
    parser.add_argument("--max_days", type=int, help="use only the first days")
    parser.add_argument("--profiles", nargs="+", default=list(PROFILES), choices=list(PROFILES), metavar="PROFILE")
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="output file for the results")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    path = arguments.model or demo_checkpoint()
    model = load_pretrained(path, dtype=torch.float32).to(arguments.device).eval()
    processor = SensorLMProcessor.from_pretrained(path)
    days = load_days(arguments.data, arguments.split, arguments.max_days)
    results = evaluate_english(model, processor, days, profiles=arguments.profiles, batch_size=arguments.batch_size)
    people = len({day.subject_id for day in days})
    print(f"{path} on the {arguments.split} split of {arguments.data}: {len(days)} days of {people} people")
    print("AUROC with 95 % intervals over people; chance is 0.5\n")
    print("\n\n".join(tables(results)))
    if arguments.json:
        save_results(results, arguments.json)


if __name__ == "__main__":
    main()
