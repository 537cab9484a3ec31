"""Linear probe: predict a label from frozen embeddings.

python examples/linear_probe.py
python examples/linear_probe.py --label hypertension
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from transformers import pipeline

import sensorlm_hf


def main() -> None:
    """Fits a logistic regression on embeddings of some people and evaluates it on others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="Model folder or Hub id; the demo model by default.")
    parser.add_argument("--label", default="environment", help="Label of the days, such as environment.")
    parser.add_argument("--people", type=int, default=150, help="Synthetic subjects, two days each.")
    options = parser.parse_args()

    days = sensorlm_hf.simulate_days(2 * options.people, seed=31, days_per_person=2)
    if options.label not in days[0].labels:
        parser.error(
            f"the days have no label {options.label!r}; available labels are {', '.join(sorted(days[0].labels))}"
        )
    embed = pipeline("sensor-feature-extraction", model=options.model)
    embeddings = np.stack(embed(days, batch_size=32))  # (days, D)
    labels = np.array([str(day.labels[options.label]) for day in days])
    people = [day.subject_id for day in days]

    # With a split by day, the probe could recognize people.
    train, test = next(GroupShuffleSplit(1, test_size=0.3, random_state=0).split(embeddings, groups=people))
    probe = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", C=0.1, max_iter=2000))
    probe.fit(embeddings[train], labels[train])
    score = balanced_accuracy_score(labels[test], probe.predict(embeddings[test]))
    classes = np.unique(labels)
    sys.stdout.write(
        f"{options.label}: balanced accuracy {score:.2f} on {len(test)} days of held-out people; chance is"
        f" {1 / len(classes):.2f} ({len(classes)} classes: {', '.join(classes)}).\n"
    )


if __name__ == "__main__":
    main()
