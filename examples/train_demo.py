"""Train the demo model on simulated people, evaluate it on held-out ones, and write its card.

    python examples/train_demo.py --output_dir my-sensorlm-coca

This is the job behind `make train-demo`; on two CPU cores it takes up to two hours. The folder that it writes can be
pushed to the Hub as it is. `--init_from` goes on from a model that is there, for a share of the time.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
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

FULL = "high_middle_low_caption"
CAPTION_KEYS = {FULL: 0.7, "high_level_summary_caption": 0.3}
"""Full captions teach numbers, trends and events, summaries the names that prompts of classes consist of. The model
writes full ones of its own accord, as they are the more frequent."""
MAX_TEXT_LENGTH = 256


def main() -> None:
    """Trains, evaluates and writes the card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", required=True)
    parser.add_argument("--run_dir", help="Where checkpoints go while training; runs/<name> by default.")
    parser.add_argument("--init_from", help="Model folder to start from, instead of from nothing.")
    parser.add_argument("--people", type=int, default=10000)
    parser.add_argument("--epochs", type=float, default=4)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--learning_rate", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=0, help="Seed of the people, the captions and the weights.")
    parser.add_argument("--resume", action="store_true", help="Go on from the last checkpoint in --run_dir.")
    parser.add_argument("--evaluate_only", action="store_true", help="Evaluate the model in --run_dir again.")
    parser.add_argument("--ceiling_days", type=int, default=8000, help="Training days for the ceiling; 0: no ceiling.")
    parser.add_argument("--beside", nargs="*", type=Path, default=[], help="JSON files of further rows of the card.")
    options = parser.parse_args()

    target = Path(options.output_dir)
    run_dir = Path(options.run_dir or Path("runs") / target.name)
    data = f"simulated:{options.people}:{options.seed}"
    if not options.evaluate_only:
        train(options, run_dir, data)
    results = evaluate_model(
        run_dir,
        data,
        split="test",
        caption_key=FULL,
        max_text_length=MAX_TEXT_LENGTH,
        progress=sys.stderr.isatty(),
        num_proc=2,
    )
    results["model"] = target.name
    further = [row for path in options.beside for row in json.loads(path.read_text(encoding="utf-8"))["rows"]]
    results["beside"] = [*ceiling(data, options.ceiling_days), *further]
    write_model_card(run_dir, target.name, results, command(parser, options))
    publish(run_dir, target)
    sys.stdout.write(markdown_table(results) + f"\n\nThe model is in {target}.\n")


def command(parser: argparse.ArgumentParser, options: argparse.Namespace) -> str:
    """Returns the command that makes the model, without what says how to measure it or to go on with it."""
    left_out = ("evaluate_only", "resume", "beside", "ceiling_days")
    words = ["python", "examples/train_demo.py"]
    for name, value in vars(options).items():
        if name not in left_out and value != parser.get_default(name):
            words += [f"--{name}", str(value)]
    return shlex.join(words)


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


def train(options: argparse.Namespace, run_dir: Path, data: str) -> None:
    """Trains the model in `run_dir`."""
    pretrain(
        PretrainOptions(
            objective="coca",
            size="tiny",
            data=data,
            caption_keys=CAPTION_KEYS,
            max_text_length=MAX_TEXT_LENGTH,
            modality_dropout=0.05,
            event_crop=0.25,
            label_rewording=0.4,
            # Half the batches have captions of 20 tokens, the others of 250: together they would all cost the most.
            draw_per_batch=True,
            init_from=options.init_from,
            # The sensor tower is small and the run is short: weigh both losses alike, so that labels are learnt too.
            config_overrides={} if options.init_from else {"caption_loss_weight": 1.0},
            save_dtype="bfloat16",
            num_proc=2,
            prompts=tuple(all_prompts()),
        ),
        SensorLMTrainingArguments(
            output_dir=str(run_dir),
            num_train_epochs=options.epochs,
            per_device_train_batch_size=options.batch_size,
            per_device_eval_batch_size=options.batch_size,
            learning_rate=options.learning_rate,
            warmup_steps=0.1,
            bf16=True,
            use_cpu=not torch.cuda.is_available(),
            eval_strategy="epoch",
            save_strategy="epoch",
            save_total_limit=1,
            logging_steps=20,
            dataloader_num_workers=1,
            seed=options.seed,
            report_to="none",
        ),
        resume=options.resume,
    )


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
