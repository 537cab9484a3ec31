"""Zero-shot classification: score arbitrary labels for days, without training a classifier.

python examples/zero_shot.py
python examples/zero_shot.py --labels "running, a quiet day, shift work" --people 3 --seed 7
"""

from __future__ import annotations

import argparse
import sys

from rich.console import Console
from rich.table import Table
from transformers import pipeline

import sensorlm_hf  # registers the model and the pipelines

LABELS = "running, swimming, yoga, weight lifting, tennis, golf, a day without exercise"


def main() -> None:
    """Scores labels for simulated days and prints the top three of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="Model folder or Hub id; the demo model by default.")
    parser.add_argument("--labels", default=LABELS, help="Comma-separated labels.")
    parser.add_argument("--people", type=int, default=8, help="Synthetic subjects, one day each.")
    parser.add_argument("--seed", type=int, default=2024)
    options = parser.parse_args()

    classifier = pipeline("zero-shot-sensor-classification", model=options.model)
    days = sensorlm_hf.simulate_days(options.people, seed=options.seed, days_per_person=1)
    # The labels are embedded once for all days. Several templates form a prompt ensemble.
    answers = classifier(
        days,
        candidate_labels=options.labels,
        hypothesis_template=["A day with {}.", "The main activity of the day was {}."],
        top_k=3,
        batch_size=16,
    )
    table = Table("day", "truth", "best labels", title="Zero-shot labels of simulated days")
    for day, answer in zip(days, answers, strict=True):
        best = ", ".join(f"{item['label']} {item['score']:.2f}" for item in answer)
        table.add_row(day.sample_id, str(day.labels["main_activity"]), best)
    Console(width=None if sys.stdout.isatty() else 120).print(table)


if __name__ == "__main__":
    main()
