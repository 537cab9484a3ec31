"""`sensorlm-hf train`: arguments, and their translation to trainer options."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from .command import Command, json_option, option, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    option(parser, "--objective", default="coca", choices=("clip", "siglip", "cap", "coca"), help="Training objective.")
    option(parser, "--size", default="tiny", choices=("tiny", "small", "base", "large"), help="Model size.")
    option(
        parser,
        "--data",
        required=True,
        help="Folder or Hub dataset of days, or simulated[:PEOPLE[:SEED]] for a cohort generated on the fly.",
    )
    option(parser, "--output-dir", required=True, metavar="FOLDER", help="Folder for checkpoints and the final model.")
    option(parser, "--resume", action="store_true", help="Resume from the last checkpoint in the output folder.")
    option(parser, "--init-from", metavar="MODEL", help="Start from the weights and tokenizer of this model.")
    option(
        parser, "--streaming", action="store_true", help="Read shards on demand instead of loading the dataset first."
    )
    option(
        parser,
        "--lora",
        metavar="PART,...",
        help="Adapt sensor, text or decoder with LoRA and freeze the rest; requires --init-from.",
    )
    option(parser, "--freeze-sensor", action="store_true", help="Do not train the sensor tower.")
    option(parser, "--freeze-text", action="store_true", help="Do not train the text tower.")
    option(parser, "--epochs", type=float, default=3.0, help="Number of epochs (default: 3).")
    option(parser, "--batch-size", type=int, default=64, help="Days per batch and process (default: 64).")
    option(
        parser,
        "--caption-keys",
        default="high_level_summary_caption=1",
        metavar="KEY=WEIGHT,...",
        help="Caption keys and their sampling weights.",
    )
    option(parser, "--max-text-length", type=int, default=256, help="Maximum caption length in tokens (default: 256).")
    option(
        parser, "--vocab-size", type=int, default=4096, help="Maximum vocabulary size of the tokenizer (default: 4096)."
    )
    option(parser, "--modality-dropout", type=float, default=0.1, help="Probability of dropping a modality from a day.")
    option(parser, "--event-crop", type=float, default=0.2, help="Probability of cropping a day to one event.")
    option(
        parser,
        "--zero-shot",
        metavar="TASK,...",
        help="Zero-shot tasks to evaluate on validation days at each evaluation.",
    )
    option(
        parser,
        "--device-dropout",
        type=float,
        default=0.0,
        help="Probability of reducing a day to the channels of another device, such as heart rate and steps.",
    )
    option(
        parser,
        "--statements",
        type=int,
        default=0,
        metavar="N",
        help="Statements of known truth per batch, as targets of the contrastive loss; 0 for none.",
    )
    option(parser, "--label-rewording", type=float, default=0.0, help="Probability of rewording an activity label.")
    option(
        parser, "--channel-omission", type=float, default=0.0, help="Probability of omitting a channel from a caption."
    )
    option(
        parser,
        "--draw-per-batch",
        action="store_true",
        help="Sample the caption key and event crops once per batch: faster if caption lengths differ a lot.",
    )
    option(
        parser,
        "--contrast-only",
        nargs="+",
        default=(),
        metavar="KEY",
        help="Caption keys used only in the contrastive loss, not in the caption loss.",
    )
    option(parser, "--hold-out", nargs="+", default=(), metavar="ACTIVITY", help="Activities to hold out of training.")
    option(
        parser,
        "--config",
        nargs="+",
        default=(),
        metavar="NAME=VALUE",
        help="Further configuration values, such as embed_statistics=true rope_theta=10000.",
    )
    option(parser, "--save-dtype", metavar="TYPE", help="Data type of the saved weights, such as bfloat16.")
    option(parser, "--num-proc", type=int, metavar="N", help="Number of processes for preparing a simulated cohort.")
    json_option(parser)


def parse_caption_keys(text: str) -> dict[str, float]:
    """Parses `"key=weight,key=weight"`; the weight defaults to 1.

    Raises:
        ValueError: If a weight is not a number, or a key is unknown or given twice.
    """
    from ..processing.captions import CAPTION_KEYS

    weights: dict[str, float] = {}
    for part in filter(None, (field.strip() for field in text.split(","))):
        key, _, weight = (field.strip() for field in part.partition("="))
        if key not in CAPTION_KEYS:
            raise ValueError(f"Unknown caption key {key!r}; there are {', '.join(CAPTION_KEYS)}.")
        if key in weights:
            raise ValueError(f"The caption key {key} is given twice; give it one weight.")
        try:
            weights[key] = float(weight or 1)
        except ValueError:
            raise ValueError(f"The weight of {key} must be a number, got {weight!r}.") from None
    if not weights:
        raise ValueError("Give at least one caption key.")
    return weights


def parse_config(words: Sequence[str]) -> dict[str, Any]:
    """Parses `NAME=VALUE` arguments; values are parsed as JSON, or taken as strings if they are not valid JSON.

    Raises:
        ValueError: If a name or value is missing, or a name is given twice.
    """
    values: dict[str, Any] = {}
    for word in words:
        name, sign, text = (field.strip() for field in word.partition("="))
        if not (name and sign and text):
            raise ValueError(f"--config takes NAME=VALUE, such as embed_statistics=true; got {word!r}.")
        if name in values:
            raise ValueError(f"--config gives {name} twice; give it one value.")
        try:
            values[name] = json.loads(text)
        except json.JSONDecodeError:
            values[name] = text
    return values


def _loader_workers() -> int:
    """Returns a default number of loader workers: one or more per GPU; none on a CPU, whose cores do the training."""
    import torch

    if not torch.accelerator.is_available():
        return 0
    return max(1, min(8, (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")) - 1))


def _zero_shot_callbacks(parts: Any, tasks: str | None) -> list[Any]:
    if not tasks:
        return []
    from ..evaluation import ZeroShotCallback

    if parts.validation is None:
        raise ValueError("--zero-shot needs a `validation` split; the dataset has none.")
    days = [parts.validation[row]["day"] for row in range(len(parts.validation))]
    return [ZeroShotCallback(parts.processor, days, [name.strip() for name in tasks.split(",")])]


def _training_arguments(words: list[str]) -> Any:
    """Parses the trainer's own arguments; errors are reported in one sentence instead of a page of usage."""
    from transformers import HfArgumentParser

    from ..training import SensorLMTrainingArguments

    class Parser(HfArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise ValueError(
                f"{message.rstrip('.')} (see `sensorlm-hf train --help` and transformers.TrainingArguments)."
            )

    read, unknown = Parser([SensorLMTrainingArguments], allow_abbrev=False).parse_args_into_dataclasses(
        words, return_remaining_strings=True
    )
    if unknown:
        raise ValueError(
            f"unrecognized arguments: {' '.join(unknown)} (see --help, and transformers.TrainingArguments)."
        )
    return read


def run(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Trains a model and prints a summary."""
    from ..evaluation.tasks import all_prompts
    from ..training import PretrainOptions, pretrain

    if arguments.lora and not arguments.init_from:
        raise ValueError("--lora adapts a pretrained model: specify it with --init-from.")
    options = PretrainOptions(
        objective=arguments.objective,
        size=arguments.size,
        data=arguments.data,
        caption_keys=parse_caption_keys(arguments.caption_keys),
        max_text_length=arguments.max_text_length,
        vocab_size=arguments.vocab_size,
        modality_dropout=arguments.modality_dropout,
        device_dropout=arguments.device_dropout,
        statements=arguments.statements,
        event_crop=arguments.event_crop,
        label_rewording=arguments.label_rewording,
        channel_omission=arguments.channel_omission,
        draw_per_batch=arguments.draw_per_batch,
        contrast_only=tuple(arguments.contrast_only),
        held_out_activities=tuple(arguments.hold_out),
        init_from=arguments.init_from,
        save_dtype=arguments.save_dtype,
        num_proc=arguments.num_proc,
        prompts=tuple(all_prompts()),
        streaming=arguments.streaming,
        config_overrides=parse_config(arguments.config),
        lora=tuple(part.strip() for part in (arguments.lora or "").split(",") if part.strip()),
        freeze=tuple(part for part in ("sensor", "text") if getattr(arguments, f"freeze_{part}")),
    )
    defaults = {
        "--output_dir": arguments.output_dir,
        "--num_train_epochs": arguments.epochs,
        "--per_device_train_batch_size": arguments.batch_size,
        "--per_device_eval_batch_size": arguments.batch_size,
        "--eval_strategy": "epoch",
        "--save_strategy": "epoch",
        "--save_total_limit": 2,
        "--logging_steps": 20,
        "--dataloader_num_workers": _loader_workers(),
    }
    given = {word.split("=")[0].replace("-", "_").replace("__", "--", 1) for word in rest}
    # A number of steps implies the strategy that counts steps.
    given |= {f"--{name}_strategy" for name in ("eval", "save") if f"--{name}_steps" in given}
    words = [str(part) for pair in defaults.items() if pair[0] not in given for part in pair] + rest
    training_arguments = _training_arguments(words)
    # The trainer logs to standard output, which is reserved for the result with --json.
    with contextlib.redirect_stdout(sys.stderr) if arguments.json else contextlib.nullcontext():
        metrics = pretrain(
            options,
            training_arguments,
            resume=arguments.resume,
            callbacks=lambda parts: _zero_shot_callbacks(parts, arguments.zero_shot),
        )
    if training_arguments.world_size > 1:
        training_arguments.distributed_state.destroy_process_group()
    if training_arguments.process_index > 0:
        return 0
    if arguments.json:
        print_json(metrics)
    elif "stopped" in metrics:
        sys.stdout.write(
            f"Stopped after {metrics['days_seen']} days ({metrics['stopped']}); a checkpoint is in"
            f" {arguments.output_dir}. Continue with --resume.\n"
        )
    else:
        loss = f", evaluation loss {metrics['eval_loss']:.3f}" if "eval_loss" in metrics else ""
        sys.stdout.write(
            f"Trained {metrics['parameters'] / 1e6:.1f} M parameters on {metrics['days_seen']} days in"
            f" {metrics['train_runtime'] / 60:.1f} minutes{loss}. The model is in {arguments.output_dir}.\n"
        )
    return 0


COMMAND = Command(
    name="train",
    help="Pretrain a SensorLM model. All arguments of transformers.TrainingArguments are accepted as well.",
    example="sensorlm-hf train --objective coca --size tiny --data simulated:1000 --output_dir my-sensorlm --epochs 3",
    add_arguments=add_arguments,
    run=run,
    takes_more=True,
)
