"""Train the demo model on simulated people in three stages, evaluate it on held-out ones, and write its card.

    python examples/train_demo.py --output_dir my-sensorlm-coca

This is the job behind `make train-demo`; on two CPU cores it takes about two hours. The folder that it writes can be
pushed to the Hub as it is. A small model on few steps learns one thing at a time: what stands out of a caption (the
name of an activity) keeps it from looking at the rest, so numbers have a stage of their own.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sensorlm_hf.data.collator import SensorDayDataset
from sensorlm_hf.data.folders import load_sensor_days
from sensorlm_hf.evaluation import (
    beside_row,
    evaluate_gradient_boosting,
    evaluate_model,
    get_task,
    markdown_table,
    write_model_card,
)
from sensorlm_hf.evaluation.tasks import all_prompts
from sensorlm_hf.training import PretrainOptions, SensorLMTrainingArguments, pretrain

NAMES, NUMBERS, FULL = "high_level_summary_caption", "low_level_caption", "high_middle_low_caption"


@dataclass(frozen=True)
class Stage:
    """One run of three.

    Attributes:
        name: Name of its folder.
        people: People of its cohort.
        cohort: What its cohort's seed adds to the seed of the whole.
        caption_keys: Captions that it reads, with the share of each.
        max_text_length: Longest caption in tokens.
        epochs: Passes over the training days.
        batch_size: Days in a step; small batches learn numbers in less time, as there are more steps.
        learning_rate: Peak learning rate.
        warmup: Share of the steps in which the rate rises.
        options: Further options of the run.
    """

    name: str
    people: int
    cohort: int
    caption_keys: dict[str, float]
    max_text_length: int
    epochs: float
    batch_size: int
    learning_rate: float
    warmup: float
    options: dict[str, Any]


# Captions of 20 tokens in one batch with captions of 250 would cost as much as these: a batch draws its kind once.
_MIXED = {"modality_dropout": 0.05, "event_crop": 0.2, "label_rewording": 0.4, "draw_per_batch": True}

STAGES = (
    Stage(
        "1-names",
        people=5000,
        cohort=0,
        caption_keys={NAMES: 0.65, "high_low_caption": 0.35},
        max_text_length=128,
        epochs=6,
        batch_size=64,
        learning_rate=1.5e-3,
        warmup=0.1,
        # The sensor tower is small and the run is short: weigh both losses alike, so that labels are learnt too.
        options={"event_crop": 0.3, "config_overrides": {"caption_loss_weight": 1.0}, "save_dtype": "bfloat16"},
    ),
    Stage(
        "2-numbers",
        people=10_000,
        cohort=1,
        caption_keys={NUMBERS: 0.6, FULL: 0.25, NAMES: 0.15},
        max_text_length=256,
        epochs=1.2,
        batch_size=32,
        learning_rate=1e-3,
        warmup=0.05,
        options=_MIXED,
    ),
    # Captions that begin with the events outweigh those that begin with numbers, and those that go on outweigh those
    # that end there: asked for a caption, the model writes a whole one.
    Stage(
        "3-days",
        people=10_000,
        cohort=1,
        caption_keys={FULL: 0.5, NUMBERS: 0.25, NAMES: 0.25},
        max_text_length=256,
        epochs=1.5,
        batch_size=32,
        learning_rate=1e-3,
        warmup=0.05,
        options={**_MIXED, "save_dtype": "bfloat16"},
    ),
)


def arguments() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", required=True)
    parser.add_argument("--run_dir", help="Where the stages go while training; runs/<name> by default.")
    parser.add_argument("--people", type=int, help="People of every cohort.")
    parser.add_argument("--epochs", type=float, help="Epochs of every stage.")
    parser.add_argument("--batch_size", type=int, help="Batch size of every stage.")
    parser.add_argument("--seed", type=int, default=0, help="Seed of the people, the captions and the weights.")
    parser.add_argument("--resume", action="store_true", help="Go on with the stages that --run_dir holds.")
    parser.add_argument("--evaluate_only", action="store_true", help="Evaluate the model in --run_dir again.")
    parser.add_argument("--ceiling_days", type=int, default=8000, help="Training days for the ceiling; 0: no ceiling.")
    parser.add_argument("--beside", nargs="*", type=Path, default=[], help="JSON files of further rows of the card.")
    return parser


def main() -> None:
    """Trains, evaluates and writes the card."""
    parser = arguments()
    options = parser.parse_args()
    target = Path(options.output_dir)
    run_dir = Path(options.run_dir or Path("runs") / target.name)
    if not options.evaluate_only:
        before = None
        for stage in STAGES:
            before = train(stage, options, run_dir, before)
    last = run_dir / STAGES[-1].name
    data = cohort(STAGES[-1], options)
    results = evaluate_model(
        last,
        data,
        split="test",
        caption_key=FULL,
        max_text_length=STAGES[-1].max_text_length,
        progress=sys.stderr.isatty(),
        num_proc=2,
    )
    results["model"] = target.name
    further = [row for path in options.beside for row in json.loads(path.read_text(encoding="utf-8"))["rows"]]
    results["beside"] = [*ceiling(data, options.ceiling_days), *further]
    write_model_card(last, target.name, results, command(parser, options))
    publish(last, target)
    sys.stdout.write(markdown_table(results) + f"\n\nThe model is in {target}.\n")


def command(parser: argparse.ArgumentParser, options: argparse.Namespace) -> str:
    """Returns the command that makes the model, without what says how to measure it or to go on with it."""
    left_out = ("run_dir", "evaluate_only", "resume", "beside", "ceiling_days")
    words = ["python", "examples/train_demo.py"]
    for name, value in vars(options).items():
        if name not in left_out and value != parser.get_default(name):
            words += [f"--{name}", str(value)]
    return shlex.join(words)


def cohort(stage: Stage, options: argparse.Namespace) -> str:
    """Returns the name of a stage's simulated people."""
    return f"simulated:{options.people or stage.people}:{options.seed + stage.cohort}"


def ceiling(data: str, most: int) -> list[dict[str, Any]]:
    """Returns what labels buy: gradient boosting on summary features, learnt on training and scored on test people."""
    if most < 1:
        return []
    train, test = (SensorDayDataset(load_sensor_days(data, split=split, num_proc=2)) for split in ("train", "test"))
    task = get_task("activity")
    learnt = [train[row]["day"] for row in range(min(most, len(train)))]
    scores = evaluate_gradient_boosting([row["day"] for row in test], task, train_days=learnt)
    what = f"activity with labels: gradient boosting on summary features ({scores['train_days']} training days)"
    how = "python examples/train_demo.py --evaluate_only"
    return [beside_row(what, "AUROC", scores["auroc"], how, chance=0.5, interval=scores["intervals"]["auroc"])]


def train(stage: Stage, options: argparse.Namespace, run_dir: Path, before: Path | None) -> Path:
    """Trains a stage from the one before it and returns its folder; one that is done already is left as it is."""
    folder = run_dir / stage.name
    if options.resume and (folder / "training.json").is_file():
        return folder
    pretrain(
        PretrainOptions(
            objective="coca",
            size="tiny",
            data=cohort(stage, options),
            caption_keys=stage.caption_keys,
            max_text_length=stage.max_text_length,
            init_from=None if before is None else str(before),
            num_proc=2,
            prompts=tuple(all_prompts()),
            **stage.options,
        ),
        SensorLMTrainingArguments(
            output_dir=str(folder),
            num_train_epochs=options.epochs or stage.epochs,
            per_device_train_batch_size=options.batch_size or stage.batch_size,
            per_device_eval_batch_size=options.batch_size or 64,
            learning_rate=stage.learning_rate,
            warmup_steps=stage.warmup,
            bf16=True,
            use_cpu=not torch.cuda.is_available(),
            eval_strategy="no",
            save_strategy="steps",
            save_steps=400,
            save_total_limit=1,
            logging_steps=25,
            dataloader_num_workers=1,
            seed=options.seed + STAGES.index(stage),  # the same days in another order, with other captions
            report_to="none",
        ),
        resume=options.resume,
    )
    return folder


def publish(run_dir: Path, target: Path) -> None:
    """Copies the model's files, but not the checkpoints, to their folder; the old model stays until all are there."""
    target = target.resolve()  # a link to the folder stays a link
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for path in run_dir.iterdir():
        if path.is_file():
            shutil.copy2(path, partial / path.name)
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)


if __name__ == "__main__":
    main()
