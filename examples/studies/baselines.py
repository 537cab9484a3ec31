"""Train baselines for a model's evaluation and add them to its report.

    sensorlm-hf evaluate --data simulated:500 --output-dir report
    python examples/studies/baselines.py --report report --data simulated:500

trains the same tower with supervision, SimCLR and masked autoencoding on the training people, evaluates it on the test
people, and updates the report. `--llm FOLDER` adds a language model that reads the day as text, prompted and
fine-tuned with LoRA.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from llm_baseline import evaluate_llm, fine_tune_llm
from tower_baselines import METHODS, evaluate_tower
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainingArguments

from sensorlm_hf.checkpoints import demo_checkpoint
from sensorlm_hf.data.collator import SensorDayDataset
from sensorlm_hf.data.folders import load_sensor_days
from sensorlm_hf.days import SensorDay
from sensorlm_hf.evaluation import get_task, related_result, save_results
from sensorlm_hf.evaluation.model_card import given_options
from sensorlm_hf.evaluation.page import update_reports
from sensorlm_hf.evaluation.results import BASELINES, check_run
from sensorlm_hf.modeling import SensorLMConfig
from sensorlm_hf.processing import SensorLMFeatureExtractor


def main() -> None:
    """Trains missing baselines and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", required=True, type=Path, help="output folder of sensorlm-hf evaluate")
    parser.add_argument("--data", required=True, help="dataset with train and test splits")
    parser.add_argument("--model", default=demo_checkpoint(), help="model whose tower configuration is used")
    parser.add_argument("--task", default="activity")
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=METHODS)
    parser.add_argument("--llm", help="folder of a causal language model with its tokenizer")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--learning_rate", type=float, default=1e-3)
    parser.add_argument("--max_days", type=int, help="maximum number of days per split")
    parser.add_argument("--llm_minutes", type=int, default=60, help="minutes per row of text")
    parser.add_argument("--bf16", action="store_true", help="compute in bfloat16")
    parser.add_argument("--card_rows", type=Path, help="output file for rows of a model card (train_demo.py --related)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    check_run(options.report)

    task = get_task(options.task)
    train, test = (_days(options.data, split, options.max_days) for split in ("train", "test"))

    def arguments(steps: int) -> TrainingArguments:
        return TrainingArguments(
            output_dir=str(options.report / "training"),
            max_steps=steps,
            per_device_train_batch_size=options.batch_size,
            learning_rate=options.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=0.1,
            save_strategy="no",
            report_to="none",
            bf16=options.bf16,
            use_cpu=not torch.cuda.is_available(),
            seed=options.seed,
        )

    jobs: dict[str, Callable[[], dict[str, Any]]] = {}
    if options.methods:
        config = SensorLMConfig.from_pretrained(options.model)
        extractor = SensorLMFeatureExtractor.from_pretrained(options.model)
        for method in options.methods:
            jobs[method] = lambda method=method: evaluate_tower(
                method, config, extractor, train, test, task, arguments(options.steps)
            )
    if options.llm:
        tokenizer = AutoTokenizer.from_pretrained(options.llm)
        model = AutoModelForCausalLM.from_pretrained(options.llm).eval()
        text = {"minutes": options.llm_minutes}
        jobs["llm"] = lambda: evaluate_llm(model, tokenizer, test, task, **text)

        def tuned() -> dict[str, Any]:
            adapted = fine_tune_llm(model, tokenizer, train, task, arguments(options.steps), **text)
            return evaluate_llm(adapted, tokenizer, test, task, **text)

        jobs["llm_lora"] = tuned
    # The card should not contain local paths.
    how = ["python", "examples/studies/baselines.py", "--report", "FOLDER"]
    how += given_options(parser, options, left_out=("report", "card_rows", "methods", "model", "llm"))
    how += [f"--{name}=FOLDER" for name in ("model", "llm") if getattr(options, name) != parser.get_default(name)]
    rows = []
    for name, job in jobs.items():
        path = options.report / "tasks" / f"{name}_{options.task}.json"
        if not path.is_file():
            save_results(job(), path)
        rows.append(_card_row(name, json.loads(path.read_text(encoding="utf-8")), options, shlex.join(how)))
    if options.card_rows:
        save_results({"rows": rows}, options.card_rows)
    sys.stdout.write(f"The report was saved to {update_reports(options.report)}.\n")


def _card_row(name: str, scores: dict[str, Any], options: argparse.Namespace, how: str) -> dict[str, Any]:
    """Returns a baseline as a row of the model card."""
    what = f"{options.task} without captions: {BASELINES[name]}, on {scores['days']} test days of `{options.data}`"
    training = f" ({scores['train_days']} training days, {options.steps} steps)" if "train_days" in scores else ""
    interval = scores["intervals"]["auroc"]
    return related_result(what + training, "AUROC", scores["auroc"], how, chance=0.5, interval=interval)


def _days(data: str, split: str, most: int | None) -> list[SensorDay]:
    dataset = SensorDayDataset(load_sensor_days(data, split=split))
    return [dataset[row]["day"] for row in range(min(len(dataset), most or len(dataset)))]


if __name__ == "__main__":
    main()
