"""Scaling in data, model size and compute, with fitted power laws and a plot.

    python examples/studies/scaling.py --output_dir scaling --people 250 500 1000 2000 4000 --widths 96 192 384

trains a CLIP model for each number of people and each width, for the same number of epochs, evaluates all of them on
the test split of another cohort, and writes `scaling.json`, `scaling.md` and plots. An interrupted run resumes when
called again. Compute is estimated as 6 operations per parameter and sensor token over all days seen.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from study_records import recipe_text, scaling_record, write_study
from variants import train_variant

from sensorlm_hf.evaluation import evaluate_model
from sensorlm_hf.evaluation.page import study_figure
from sensorlm_hf.evaluation.results import check_run
from sensorlm_hf.evaluation.tasks import all_prompts
from sensorlm_hf.training import PretrainOptions


def main() -> None:
    """Trains and evaluates all sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", required=True, type=Path)
    parser.add_argument(
        "--report", type=Path, help="output folder of sensorlm-hf evaluate; adds the study to its report"
    )
    parser.add_argument("--people", nargs="+", type=int, default=[250, 500, 1000, 2000, 4000])
    parser.add_argument("--widths", nargs="+", type=int, default=[96, 192, 384], help="hidden sizes, multiples of 32")
    parser.add_argument(
        "--test_people", type=int, default=1000, help="people in the test cohort, of which 10 %% are used"
    )
    parser.add_argument("--epochs", type=float, default=4)
    parser.add_argument("--max_steps", type=int, default=-1)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--max_text_length", type=int, default=128)
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
    middle = sorted(options.widths)[len(options.widths) // 2]
    runs = sorted({(max(options.people), width) for width in options.widths} | {(n, middle) for n in options.people})
    rows = []
    for people, width in runs:
        folder = options.output_dir / f"people-{people}-width-{width}"
        training = train_variant(
            PretrainOptions(
                objective="clip",
                size="tiny",
                data=f"simulated:{people}:{options.seed}",
                max_text_length=options.max_text_length,
                config_overrides={
                    "hidden_size": width,
                    "intermediate_size": 4 * width,
                    "num_attention_heads": max(1, width // 32),
                    **options.overrides,
                },
                prompts=tuple(all_prompts()),
            ),
            folder / "model",
            bf16=options.bf16,
            **how,
        )
        results = evaluate_model(
            folder / "model",
            f"simulated:{options.test_people}:{options.seed + 1}",  # people not in any training set
            folder / "evaluation",
            tasks=["activity", "retrieval"],
            max_text_length=options.max_text_length,
            batch_size=options.batch_size,
            seed=options.seed,
        )
        config = json.loads((folder / "model" / "config.json").read_text(encoding="utf-8"))["sensor_config"]
        tokens = (
            config["window_minutes"] // config["patch_minutes"] * -(-config["num_channels"] // config["patch_channels"])
        )
        rows.append(
            {
                "people": people,
                "width": width,
                "train_days": training["train_days"],
                "parameters": training["parameters"],
                "compute": 6.0 * training["parameters"] * tokens * training["days_seen"],
                "auroc": results["zero_shot"]["activity"]["auroc"],
                "R@1": results["retrieval"]["sensor_to_text"]["R@1"],
            }
        )
    recipe = recipe_text(size="tiny", overrides=options.overrides, **how)
    made = (
        f"CLIP models trained on synthetic subjects and summaries of their logs ({recipe}), evaluated on"
        f" {results['days']} days of {results['people']} held-out subjects; R@1 is retrieval among"
        f" {results['retrieval']['pool']}. Data is scaled at width {middle}, width on {max(options.people):,} people."
        " Compute is 6 operations per parameter and sensor token over all days seen."
    )
    study = scaling_record(rows, middle, made)
    text = write_study(options.output_dir, "scaling", study, options.report)
    for figure in study["figures"]:
        name = figure["title"].lower().replace(" in ", "-").replace(" ", "-")
        study_figure(figure).savefig(options.output_dir / f"{name}.svg")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
