"""Ablations of the paper: which levels of captions to train on, and which objective.

    python examples/studies/ablations.py --output_dir ablations --data simulated:2000 --epochs 4

trains a model for each set of caption levels (CoCa) and for each objective (names and numbers), evaluates all of them
on the same test people, and writes `ablations.json` and `ablations.md`. Retrieval is evaluated with two kinds of
captions: summaries of the log, the same for all models, and the kind that each model was trained on and generates. An
interrupted run resumes when called again.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from study_records import ablation_record, ablation_row, recipe_text, write_study
from variants import train_variant

from sensorlm_hf.evaluation import evaluate_model
from sensorlm_hf.evaluation.evaluator import SUMMARY_KEY
from sensorlm_hf.evaluation.results import check_run
from sensorlm_hf.evaluation.tasks import all_prompts
from sensorlm_hf.training import PretrainOptions

LEVELS = {
    "statistical": "low_level_caption",
    "structural": "middle_level_caption",
    "semantic": SUMMARY_KEY,
    "statistical + structural": "middle_low_caption",
    "semantic + statistical": "high_low_caption",
    "semantic + structural": "high_middle_caption",
    "all": "high_middle_low_caption",
}
"""Caption levels in training and their caption keys."""

OBJECTIVES = ("clip", "siglip", "cap", "coca")
TASKS = {
    "clip": ("zero_shot", "probes", "retrieval"),
    "siglip": ("zero_shot", "probes", "retrieval"),
    "cap": ("probes", "captioning"),
    "coca": ("zero_shot", "probes", "retrieval", "captioning"),
}
"""Capabilities of each objective."""


def main() -> None:
    """Trains and evaluates every variant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", required=True, type=Path)
    parser.add_argument(
        "--report", type=Path, help="output folder of sensorlm-hf evaluate; adds the study to its report"
    )
    parser.add_argument("--data", default="simulated:2000")
    parser.add_argument("--size", default="tiny")
    parser.add_argument("--levels", nargs="*", default=list(LEVELS), choices=list(LEVELS))
    parser.add_argument("--objectives", nargs="*", default=list(OBJECTIVES), choices=OBJECTIVES)
    parser.add_argument("--epochs", type=float, default=4)
    parser.add_argument("--max_steps", type=int, default=-1)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--max_text_length", type=int, default=256)
    parser.add_argument("--max_days", type=int, help="test days")
    parser.add_argument("--caption_days", type=int, default=100)
    parser.add_argument("--overrides", type=json.loads, default={}, help="additional configuration values as JSON")
    parser.add_argument("--muon_learning_rate", type=float, help="peak learning rate of Muon for the inner matrices")
    parser.add_argument("--bf16", action="store_true", help="compute in bfloat16")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.report:
        check_run(options.report)

    how: dict[str, Any] = {
        "epochs": options.epochs,
        "max_steps": options.max_steps,
        "batch_size": options.batch_size,
        "muon_learning_rate": options.muon_learning_rate,
        "seed": options.seed,
    }
    common: dict[str, Any] = {
        "max_text_length": options.max_text_length,
        "max_days": options.max_days,
        "caption_days": options.caption_days,
        "batch_size": options.batch_size,
        "seed": options.seed,
    }
    variants = [("levels", name, "coca", LEVELS[name]) for name in options.levels]
    variants += [("objective", name, name, "high_low_caption") for name in options.objectives]
    rows = []
    for kind, name, objective, key in variants:
        # Named by its settings: CoCa on names and numbers is part of both studies, and is trained once.
        folder = options.output_dir / f"{objective}-{key}"
        train_variant(
            PretrainOptions(
                objective=objective,
                size=options.size,
                data=options.data,
                caption_keys={key: 1.0},
                max_text_length=options.max_text_length,
                config_overrides=options.overrides,
                prompts=tuple(all_prompts()),
            ),
            folder / "model",
            bf16=options.bf16,
            **how,
        )
        for_all = [task for task in TASKS[objective] if task != "captioning"]
        results = evaluate_model(
            folder / "model",
            options.data,
            folder / "evaluation",
            tasks=for_all,
            caption_key=SUMMARY_KEY,
            **common,
        )
        of_its_own = [task for task in TASKS[objective] if task in ("retrieval", "captioning")]
        own = evaluate_model(
            folder / "model", options.data, folder / "own-captions", tasks=of_its_own, caption_key=key, **common
        )
        rows.append(
            {"kind": kind, "name": name, "objective": objective, "caption_key": key, **ablation_row(results, own)}
        )
    pool = max(max(row["pool_own"], row["pool_summaries"]) for row in rows)
    recipe = recipe_text(size=options.size, overrides=options.overrides, **how)
    made = (
        f"All models were trained on the training split of {options.data} ({recipe}) and evaluated on {rows[0]['days']}"
        f" days of other people. R@1 is retrieval of the text of a day among {pool or 'others'}: summaries of the log"
        " for all models, or captions of the kind that the model was trained on and generates."
    )
    sys.stdout.write(write_study(options.output_dir, "ablations", ablation_record(rows, made), options.report))


if __name__ == "__main__":
    main()
