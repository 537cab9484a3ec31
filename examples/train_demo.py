"""Train the demo model on simulated people, evaluate it on held-out ones, and write its card.

    python examples/train_demo.py --output_dir my-sensorlm-coca

This is the job behind `make train-demo`; on two CPU cores it takes under an hour. The folder that it writes can be
pushed to the Hub as it is. `--beside` adds rows to the card that `examples/unseen_classes.py` and
`benchmarks/mmash_events.py` write with `--card_rows`.
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
    evaluate_retrieval,
    get_task,
    markdown_table,
    write_model_card,
)
from sensorlm_hf.evaluation.report import RETRIEVAL_POOL
from sensorlm_hf.evaluation.tasks import all_prompts
from sensorlm_hf.modeling import SensorLMModel
from sensorlm_hf.processing import SensorLMProcessor
from sensorlm_hf.processing.captions import CaptionBuilder
from sensorlm_hf.training import PretrainOptions, SensorLMTrainingArguments, pretrain

CAPTION_KEYS = {"high_level_summary_caption": 0.65, "high_low_caption": 0.35}
MAX_TEXT_LENGTH = 128
FULL = "high_middle_low_caption"
"""Captions of all levels, to measure retrieval by beside that by summaries."""


def arguments() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", required=True)
    parser.add_argument("--run_dir", help="Where checkpoints go while training; runs/<name> by default.")
    parser.add_argument("--people", type=int, default=5000)
    parser.add_argument("--epochs", type=float, default=6)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--learning_rate", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="Go on from the last checkpoint in --run_dir.")
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
    data = f"simulated:{options.people}:{options.seed}"
    if not options.evaluate_only:
        train(options, run_dir, data)
    results = evaluate_model(
        run_dir, data, split="test", max_text_length=MAX_TEXT_LENGTH, progress=sys.stderr.isatty(), num_proc=2
    )
    results["model"] = target.name
    further = [row for path in options.beside for row in json.loads(path.read_text(encoding="utf-8"))["rows"]]
    results["beside"] = [*measure_beside(run_dir, data, options.ceiling_days), *further]
    write_model_card(run_dir, target.name, results, command(parser, options))
    publish(run_dir, target)
    sys.stdout.write(markdown_table(results) + f"\n\nThe model is in {target}.\n")


def command(parser: argparse.ArgumentParser, options: argparse.Namespace) -> str:
    """Returns the command that makes the model, without what says how to measure it or to go on with it."""
    left_out = ("run_dir", "evaluate_only", "resume", "beside", "ceiling_days")
    words = ["python", "examples/train_demo.py"]
    for name, value in vars(options).items():
        if name not in left_out and value != parser.get_default(name):
            words += [f"--{name}", str(value)]
    return shlex.join(words)


def measure_beside(run_dir: Path, data: str, most: int) -> list[dict[str, Any]]:
    """Returns what labels buy on the same test days, and retrieval by full captions."""
    test = [row["day"] for row in SensorDayDataset(load_sensor_days(data, split="test", num_proc=2))]
    how = "python examples/train_demo.py --evaluate_only"
    rows = []
    if most > 0:
        train_split = SensorDayDataset(load_sensor_days(data, split="train", num_proc=2))
        learnt = [train_split[row]["day"] for row in range(min(most, len(train_split)))]
        scores = evaluate_gradient_boosting(test, get_task("activity"), train_days=learnt)
        what = f"activity with labels: gradient boosting on summary features ({scores['train_days']} training days)"
        interval = scores["intervals"]["auroc"]
        rows.append(beside_row(what, "AUROC", scores["auroc"], how, chance=0.5, interval=interval))
    model = SensorLMModel.from_pretrained(run_dir, dtype=torch.float32).eval()
    processor = SensorLMProcessor.from_pretrained(run_dir)
    builder = CaptionBuilder(
        test[0].schema, key=FULL, tokenizer=processor.tokenizer, max_tokens=MAX_TEXT_LENGTH - 2, seed=0
    )
    pool = min(RETRIEVAL_POOL, len(test))
    found = evaluate_retrieval(model, processor, test, builder.batch(test), pool=pool)
    for way in ("sensor_to_text", "text_to_sensor"):
        what = f"retrieval {way.replace('_', ' ')} with full captions (`{FULL}`)"
        rows.append(beside_row(what, "R@1", found[way]["R@1"], how, chance=found["chance"]["R@1"]))
    return rows


def train(options: argparse.Namespace, run_dir: Path, data: str) -> None:
    """Trains the model in `run_dir`."""
    pretrain(
        PretrainOptions(
            objective="coca",
            size="tiny",
            data=data,
            caption_keys=CAPTION_KEYS,
            max_text_length=MAX_TEXT_LENGTH,
            event_crop=0.3,
            # The sensor tower is small and the run is short: weigh both losses alike, so that labels are learnt too.
            config_overrides={"caption_loss_weight": 1.0},
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
