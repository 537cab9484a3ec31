"""Zero-shot classification of unseen activities: five are held out of both signals and captions.

    python examples/studies/unseen_classes.py --output_dir unseen

trains a small CoCa model on synthetic subjects without the days of `UNSEEN_ACTIVITIES`, on captions that refer to the
other activities either by name or by attributes (an indoor sport, vigorous exercise on the move), and evaluates it on
the held-out activities of new people, described by the same attributes. Chance is an AUROC of 0.5. An interrupted run
resumes when called again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from variants import train_variant

from sensorlm_hf.evaluation import UNSEEN_ACTIVITIES, UNSEEN_TASK, evaluate_model, related_result, save_results
from sensorlm_hf.evaluation.tasks import all_prompts
from sensorlm_hf.training import PretrainOptions


def main() -> None:
    """Trains and evaluates the model, and prints the score of each class."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", required=True, type=Path)
    parser.add_argument("--data", default="simulated:5000:1")
    parser.add_argument("--size", default="tiny")
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--max_steps", type=int, default=-1)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--max_days", type=int, help="test days")
    parser.add_argument(
        "--card_rows", type=Path, help="output file for a row of the model card (train_demo.py --related)"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    training = train_variant(
        PretrainOptions(
            objective="coca",
            size=options.size,
            data=options.data,
            caption_keys={"high_level_summary_caption": 1.0},
            max_text_length=96,
            event_crop=0.3,
            # Attributes more often than names, since unseen activities are described only by attributes.
            label_rewording=0.75,
            held_out_activities=UNSEEN_ACTIVITIES,
            config_overrides={"caption_loss_weight": 1.0, "embed_statistics": True},
            num_proc=2,
            prompts=tuple(all_prompts()),
        ),
        options.output_dir / "model",
        epochs=options.epochs,
        max_steps=options.max_steps,
        batch_size=options.batch_size,
        seed=options.seed,
        bf16=True,
    )
    results = evaluate_model(
        options.output_dir / "model",
        options.data,
        options.output_dir / "evaluation",
        tasks=[UNSEEN_TASK.name],
        max_days=options.max_days,
        seed=options.seed,
    )
    scores = results["zero_shot"][UNSEEN_TASK.name]
    low, high = scores["intervals"]["auroc"]
    sys.stdout.write(
        f"{scores['days']} days of held-out activities, {training['train_days']} training days without them\n"
        f"AUROC {scores['auroc']:.3f} [{low:.3f}, {high:.3f}], chance 0.5\n"
    )
    for name, value in zip(UNSEEN_TASK.class_names, scores["auroc_per_class"], strict=True):
        sys.stdout.write(f"  {name:20s} {value:.3f}\n")
    if options.card_rows:
        what = (
            f"unseen classes: {', '.join(UNSEEN_ACTIVITIES)} held out of the training of a separate model with"
            f" `embed_statistics` ({training['days_seen']} days seen, {training['train_runtime'] / 60:.0f} minutes)"
        )
        how = "python examples/studies/unseen_classes.py"
        row = related_result(what, "AUROC", scores["auroc"], how, chance=0.5, interval=(low, high))
        save_results({"rows": [row]}, options.card_rows)


if __name__ == "__main__":
    main()
