"""Train the demo model on simulated people, evaluate it on held-out ones, and write its card.

    python examples/train_demo.py --output_dir my-sensorlm-coca

This is the job behind `make train-demo`; on two CPU cores it takes under an hour. The folder that it writes can be
pushed to the Hub as it is.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
from pathlib import Path

import torch

from sensorlm_hf.evaluation import evaluate_model, markdown_table, write_model_card
from sensorlm_hf.evaluation.tasks import all_prompts
from sensorlm_hf.training import PretrainOptions, SensorLMTrainingArguments, pretrain

CAPTION_KEYS = {"high_level_summary_caption": 0.65, "high_low_caption": 0.35}
MAX_TEXT_LENGTH = 128


def main() -> None:
    """Trains, evaluates and writes the card."""
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
    # The card tells how to make the model, not how to measure it again.
    command = shlex.join(word for word in sys.argv if word != "--evaluate_only")
    write_model_card(run_dir, target.name, results, f"python {command}")
    publish(run_dir, target)
    sys.stdout.write(markdown_table(results) + f"\n\nThe model is in {target}.\n")


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
