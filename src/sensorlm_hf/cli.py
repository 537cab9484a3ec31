"""The `sensorlm-hf` command. It parses arguments and reports; the work is done elsewhere in the package."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from ._version import __version__

Handler = Callable[[argparse.Namespace, list[str]], int]

# Missing files and unreachable hubs are OSErrors; a library that a choice needs and that is not there an ImportError; a
# loss that is not finite a FloatingPointError.
_USER_ERRORS = (ValueError, TypeError, KeyError, OSError, ImportError, FloatingPointError)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        argv: Arguments; those of the process if left out.

    Returns:
        The exit status: 0, 2 for a user's error (one sentence on standard error), 130 when interrupted.
    """
    parser = build_parser()
    arguments, rest = parser.parse_known_args(argv)
    if rest and arguments.command != "train":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if arguments.debug:
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    else:
        warnings.formatwarning = _format_warning
    handler: Handler = arguments.handler
    try:
        with contextlib.nullcontext() if sys.stderr.isatty() else _without_progress_bars():
            status = handler(arguments, rest)
        sys.stdout.flush()  # or a reader that went away shows only when Python ends
        return status
    except BrokenPipeError:
        # The reader of our output went away (`| head`); that is no error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except _USER_ERRORS as error:
        if arguments.debug:
            raise
        message = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
        sys.stderr.write(f"sensorlm-hf {arguments.command}: {' '.join(message.split()) or type(error).__name__}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted.\n")
        return 130


@contextlib.contextmanager
def _without_progress_bars() -> Iterator[None]:
    """Keeps bars, which draw over themselves, out of logs and files; afterwards they are as they were."""
    import datasets
    from transformers.utils import logging as transformers_logging

    libraries = [
        (datasets.are_progress_bars_disabled(), datasets.disable_progress_bars, datasets.enable_progress_bars),
        (
            not transformers_logging.is_progress_bar_enabled(),
            transformers_logging.disable_progress_bar,
            transformers_logging.enable_progress_bar,
        ),
    ]
    for _, disable, _ in libraries:
        disable()
    try:
        yield
    finally:
        for disabled, _, enable in libraries:
            if not disabled:
                enable()


def _format_warning(message: Warning | str, *_: Any, **__: Any) -> str:
    return f"warning: {message}\n"


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one sentence, without the usage of all options before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message.rstrip('.')} (see {self.prog} --help).\n")


def build_parser() -> argparse.ArgumentParser:
    """Builds the parser of all subcommands."""
    parser = _Parser(
        prog="sensorlm-hf",
        description="SensorLM labels, captions and searches days of wearable data, and learns from them.",
        epilog="Example:\n  sensorlm-hf demo\n\n`sensorlm-hf COMMAND --help` explains a command and gives an example.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"sensorlm-hf {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_demo(commands)
    _add_simulate(commands)
    _add_caption(commands)
    _add_convert(commands)
    _add_train(commands)
    _add_evaluate(commands)
    _add_export(commands)
    _add_doctor(commands)
    _add_completion(commands)
    return parser


def _command(commands: Any, name: str, handler: Handler, help_text: str, example: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=help_text,
        description=help_text,
        epilog=f"Example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--debug", action="store_true", help="Show log messages, and the whole traceback of an error.")
    parser.set_defaults(handler=handler)
    return parser


def _option(parser: Any, name: str, **options: Any) -> None:
    """Adds `--some-name`, which may be spelt `--some_name` as well, as Hugging Face scripts do."""
    spellings = list(dict.fromkeys([name, f"--{name[2:].replace('-', '_')}"]))
    parser.add_argument(*spellings, **options)


def _add_demo(commands: Any) -> None:
    parser = _command(
        commands,
        "demo",
        _demo,
        "Label, caption and plot one day, and write demo/report.html.",
        "sensorlm-hf demo --fitbit MyFitbitExport --timezone Australia/Melbourne",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--fitbit", metavar="FOLDER", help="A Fitbit or Google Takeout export, a folder or a zip file.")
    source.add_argument("--mmash", metavar="FOLDER", help="A folder of the MMASH recordings, or of one of its users.")
    source.add_argument("--table", metavar="FILE", help="A CSV, Parquet or npy file of minute-level signals.")
    _option(parser, "--timezone", metavar="ZONE", help="Where the data were recorded, such as Europe/Berlin.")
    _option(parser, "--date", metavar="YYYY-MM-DD", help="Which day to take, when the source holds several.")
    _option(parser, "--model", metavar="MODEL", help="Model folder or Hub id; the shipped demo model by default.")
    _option(parser, "--output-dir", default="demo", metavar="FOLDER", help="Where to write the report (default: demo).")
    _option(parser, "--json", action="store_true", help="Print the result as JSON.")


def _demo(arguments: argparse.Namespace, rest: list[str]) -> int:
    from .demo import run

    return run(
        fitbit=arguments.fitbit,
        mmash=arguments.mmash,
        table=arguments.table,
        timezone=arguments.timezone,
        date=arguments.date,
        model=arguments.model,
        output_dir=arguments.output_dir,
        json_output=arguments.json,
    )


def _add_simulate(commands: Any) -> None:
    parser = _command(
        commands,
        "simulate",
        _simulate,
        "Write days of simulated people as a Parquet dataset that datasets.load_dataset reads.",
        "sensorlm-hf simulate 1000 cohort --seed 7",
    )
    parser.add_argument("people", type=int, help="Number of simulated people.")
    parser.add_argument("folder", help="Folder to write; it must not hold a dataset yet.")
    _option(parser, "--days-per-person", type=int, default=4, metavar="N", help="Days of each person (default: 4).")
    _option(parser, "--seed", type=int, default=0, help="Seed of the cohort (default: 0).")
    _option(parser, "--schema", default="sensorlm-26", help="Channel set (default: sensorlm-26).")
    _option(parser, "--json", action="store_true", help="Print the result as JSON.")


def _simulate(arguments: argparse.Namespace, rest: list[str]) -> int:
    from .commands.output import status
    from .data import write_cohort

    with status("Simulating"):
        counts = write_cohort(
            arguments.folder,
            people=arguments.people,
            days_per_person=arguments.days_per_person,
            seed=arguments.seed,
            schema=arguments.schema,
        )
    if arguments.json:
        _print_json({"folder": arguments.folder, "days": counts})
    else:
        total = ", ".join(f"{count} {split}" for split, count in counts.items())
        sys.stdout.write(f"Wrote simulated days to {arguments.folder}: {total}.\n")
    return 0


def _add_caption(commands: Any) -> None:
    parser = _command(
        commands,
        "caption",
        _caption,
        "Caption a folder of days, Parquet in and Parquet out; started again, it goes on where it was.",
        "sensorlm-hf caption cohort captioned --keys high_level_all_caption low_level_caption --num-proc 4",
    )
    parser.add_argument("input", help="Folder of Parquet files of days, as `sensorlm-hf simulate` writes it.")
    parser.add_argument("output", help="Folder to write, with the same files and splits.")
    _option(
        parser,
        "--keys",
        nargs="+",
        default=["high_level_summary_caption"],
        metavar="KEY",
        help="Captions to write, a column each, or `all` (default: high_level_summary_caption).",
    )
    _option(parser, "--num-proc", type=int, default=1, metavar="N", help="Processes (default: 1).")
    _option(parser, "--drop-values", action="store_true", help="Leave the signals out of the output.")
    _option(parser, "--seed", type=int, default=0, help="Seed of the wording (default: 0).")
    _option(parser, "--language", default="en", help="Language of the captions: en, de (default: en).")
    _option(parser, "--time-format", default="minutes", help="How times are told: minutes, clock (default: minutes).")
    _option(parser, "--units", action="store_true", help="Write units after numbers.")
    _option(parser, "--imputed", action="store_true", help="Fill gaps first, as the SensorLM release does.")
    _option(parser, "--max-tokens", type=int, metavar="N", help="Most tokens of a caption; by default that of its key.")
    _option(parser, "--tokenizer", metavar="MODEL", help="Count tokens with the tokenizer of this model folder or id.")
    _option(parser, "--schema", help="Channel set; by default the one that the first day names.")
    _option(
        parser,
        "--ray",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="Run on Ray: a cluster at ADDRESS, `auto` for the one at hand, or one of this machine if left out.",
    )
    _option(parser, "--json", action="store_true", help="Print the result as JSON.")


def _caption(arguments: argparse.Namespace, rest: list[str]) -> int:
    from dataclasses import asdict

    from .data.captioning import caption_folder, folder_schema
    from .processing.captions import CAPTION_KEYS, CaptionBuilder

    tokenizer = None
    if arguments.tokenizer:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(arguments.tokenizer)
    names = ("seed", "language", "time_format", "units", "imputed", "max_tokens")
    options = {name: getattr(arguments, name) for name in names}
    summary = caption_folder(
        arguments.input,
        arguments.output,
        CaptionBuilder(arguments.schema or folder_schema(arguments.input), tokenizer=tokenizer, **options),
        CAPTION_KEYS if arguments.keys == ["all"] else arguments.keys,
        num_proc=arguments.num_proc,
        drop_values=arguments.drop_values,
        ray_address=arguments.ray,
        progress=sys.stderr.isatty(),
    )
    if arguments.json:
        _print_json(asdict(summary))
    else:
        earlier = f", {summary.resumed} of them in an earlier run" if summary.resumed else ""
        sys.stdout.write(
            f"Captioned {summary.days} days in {summary.shards} files{earlier}, in {summary.seconds:.1f} seconds. They"
            f" are in {summary.target}.\n"
        )
    return 0


def _add_convert(commands: Any) -> None:
    from .data.convert_command import add_arguments, run

    parser = _command(
        commands,
        "convert",
        lambda arguments, rest: run(arguments),
        "Convert a recording into a dataset folder, and report what could not be used and why.",
        "sensorlm-hf convert fitbit MyFitbitExport my-days --timezone Australia/Melbourne",
    )
    add_arguments(parser, _option)


def _add_train(commands: Any) -> None:
    parser = _command(
        commands,
        "train",
        _train,
        "Pretrain a SensorLM. Every argument of transformers.TrainingArguments is accepted too.",
        "sensorlm-hf train --objective coca --size tiny --data simulated:1000 --output_dir my-sensorlm --epochs 3",
    )
    _option(
        parser, "--objective", default="coca", choices=("clip", "siglip", "cap", "coca"), help="Training objective."
    )
    _option(parser, "--size", default="tiny", choices=("tiny", "small", "base", "large"), help="Size of the model.")
    _option(
        parser,
        "--data",
        required=True,
        help="A folder or Hub dataset of days, or simulated[:PEOPLE[:SEED]] for a cohort made on the spot.",
    )
    _option(parser, "--output-dir", required=True, metavar="FOLDER", help="Takes checkpoints, then the model.")
    _option(parser, "--resume", action="store_true", help="Go on from the last checkpoint in the output folder.")
    _option(parser, "--init-from", metavar="MODEL", help="Start from the weights and tokenizer of this model.")
    _option(parser, "--streaming", action="store_true", help="Read shards as they are needed, without loading first.")
    _option(
        parser,
        "--lora",
        metavar="PART,...",
        help="Adapt sensor, text or decoder with LoRA and freeze the rest; with --init-from.",
    )
    _option(parser, "--freeze-sensor", action="store_true", help="Keep the sensor tower as it is.")
    _option(parser, "--freeze-text", action="store_true", help="Keep the text tower as it is.")
    _option(parser, "--epochs", type=float, default=3.0, help="Passes over the data (default: 3).")
    _option(parser, "--batch-size", type=int, default=64, help="Days in a batch (default: 64).")
    _option(
        parser,
        "--caption-keys",
        default="high_level_summary_caption=1",
        metavar="KEY=WEIGHT,...",
        help="Kinds of captions and how often each is drawn.",
    )
    _option(parser, "--max-text-length", type=int, default=256, help="Longest caption in tokens (default: 256).")
    _option(parser, "--vocab-size", type=int, default=4096, help="Most pieces of the tokenizer (default: 4096).")
    _option(parser, "--modality-dropout", type=float, default=0.1, help="Chance that a day loses a modality.")
    _option(parser, "--event-crop", type=float, default=0.2, help="Chance that a day is cropped to one event.")
    _option(
        parser,
        "--zero-shot",
        metavar="TASK,...",
        help="Zero-shot tasks to score on validation days at each evaluation.",
    )
    _option(
        parser, "--label-rewording", type=float, default=0.0, help="Chance that an activity is told in other words."
    )
    _option(
        parser,
        "--draw-per-batch",
        action="store_true",
        help="Draw the caption key and event crops once for a batch: faster where captions differ much in length.",
    )
    _option(
        parser, "--hold-out", nargs="+", default=(), metavar="ACTIVITY", help="Activities that training never sees."
    )
    _option(parser, "--save-dtype", metavar="TYPE", help="Type of the saved weights, such as bfloat16.")
    _option(parser, "--num-proc", type=int, metavar="N", help="Processes that prepare a simulated cohort.")
    _option(parser, "--json", action="store_true", help="Print the result as JSON.")


def parse_caption_keys(text: str) -> dict[str, float]:
    """Reads `"key=weight,key=weight"`; a key without a weight has weight 1.

    Raises:
        ValueError: If a weight is not a number, or a key is unknown or given twice.
    """
    from .processing.captions import CAPTION_KEYS

    weights: dict[str, float] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        key, _, weight = (piece.strip() for piece in part.partition("="))
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


def _loader_workers() -> int:
    """Writing captions and reading days takes a core or more for each GPU; a CPU that trains has none to spare."""
    import torch

    if not torch.accelerator.is_available():
        return 0
    return max(1, min(8, (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")) - 1))


def _zero_shot_callbacks(parts: Any, tasks: str | None) -> list[Any]:
    from .evaluation import ZeroShotCallback

    if not tasks:
        return []
    if parts.validation is None:
        raise ValueError("--zero-shot needs a `validation` split; the dataset has none.")
    days = [parts.validation[row]["day"] for row in range(len(parts.validation))]
    return [ZeroShotCallback(parts.processor, days, [name.strip() for name in tasks.split(",")])]


def _train(arguments: argparse.Namespace, rest: list[str]) -> int:
    from transformers import HfArgumentParser

    from .evaluation.tasks import all_prompts
    from .training import PretrainOptions, SensorLMTrainingArguments, pretrain

    options = PretrainOptions(
        objective=arguments.objective,
        size=arguments.size,
        data=arguments.data,
        caption_keys=parse_caption_keys(arguments.caption_keys),
        max_text_length=arguments.max_text_length,
        vocab_size=arguments.vocab_size,
        modality_dropout=arguments.modality_dropout,
        event_crop=arguments.event_crop,
        label_rewording=arguments.label_rewording,
        draw_per_batch=arguments.draw_per_batch,
        held_out_activities=tuple(arguments.hold_out),
        init_from=arguments.init_from,
        save_dtype=arguments.save_dtype,
        num_proc=arguments.num_proc,
        prompts=tuple(all_prompts()),
        streaming=arguments.streaming,
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
    # Who says after how many steps means the strategy that counts steps.
    given |= {f"--{name}_strategy" for name in ("eval", "save") if f"--{name}_steps" in given}
    words = [str(part) for pair in defaults.items() if pair[0] not in given for part in pair] + rest
    (training_arguments,) = HfArgumentParser([SensorLMTrainingArguments]).parse_args_into_dataclasses(words)
    # The trainer prints its log to standard output, which belongs to the result where that is asked for as JSON.
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
        _print_json(metrics)
    elif "stopped" in metrics:
        sys.stdout.write(
            f"Stopped after {metrics['days_seen']} days ({metrics['stopped']}); a checkpoint is in"
            f" {arguments.output_dir}. Go on with --resume.\n"
        )
    else:
        loss = f", evaluation loss {metrics['eval_loss']:.3f}" if "eval_loss" in metrics else ""
        sys.stdout.write(
            f"Trained {metrics['parameters'] / 1e6:.1f} M parameters on {metrics['days_seen']} days in"
            f" {metrics['train_runtime'] / 60:.1f} minutes{loss}. The model is in {arguments.output_dir}.\n"
        )
    return 0


def _add_evaluate(commands: Any) -> None:
    parser = _command(
        commands,
        "evaluate",
        _evaluate,
        "Measure zero-shot classification, retrieval and captioning on labelled days.",
        "sensorlm-hf evaluate --model sensorlm-coca --data simulated:200:1 --output results.json",
    )
    _option(parser, "--model", metavar="MODEL", help="Model folder or Hub id; the shipped demo model by default.")
    _option(parser, "--data", required=True, help="Dataset of days, as for train.")
    _option(parser, "--split", default="test", help="Split of the dataset (default: test).")
    _option(
        parser,
        "--tasks",
        nargs="+",
        metavar="TASK",
        help="Zero-shot tasks; by default all that label a day. With --output-dir also events, probes, few_shot,"
        " retrieval, captioning, baselines and single ones of these.",
    )
    _option(
        parser, "--caption-key", default="high_level_summary_caption", help="Kind of captions to retrieve and write."
    )
    _option(parser, "--max-text-length", type=int, metavar="N", help="Longest caption in tokens (default: up to 128).")
    _option(parser, "--max-days", type=int, metavar="N", help="Use only the first N days.")
    _option(parser, "--caption-days", type=int, default=200, metavar="N", help="Days to caption (default: 200).")
    _option(parser, "--batch-size", type=int, default=64, help="Days embedded at once (default: 64).")
    _option(parser, "--device", default="cpu", help="Where to run (default: cpu).")
    _option(parser, "--seed", type=int, default=0, help="Seed of captions and retrieval pools (default: 0).")
    _option(parser, "--num-proc", type=int, metavar="N", help="Processes that prepare a simulated cohort.")
    _option(parser, "--output", metavar="FILE", help="Write the results as JSON.")
    _option(parser, "--output-dir", metavar="FOLDER", help="Run everything, resumably, and write report.html there.")
    _option(parser, "--meteor", action="store_true", help="Compute METEOR of captions (with --output-dir).")
    _option(parser, "--bertscore-model", metavar="FOLDER", help="Text encoder for BERTScore (with --output-dir).")
    _option(parser, "--json", action="store_true", help="Print the results as JSON.")


def _evaluate(arguments: argparse.Namespace, rest: list[str]) -> int:
    from .checkpoints import demo_checkpoint
    from .evaluation import evaluate_model, save_results

    if arguments.output_dir:
        from .evaluation.command import evaluate_with_report

        results = evaluate_with_report(arguments, arguments.model or demo_checkpoint())
        if "rank" not in results:
            _report_results(arguments, results)
        return 0
    results = evaluate_model(
        arguments.model or demo_checkpoint(),
        arguments.data,
        split=arguments.split,
        tasks=arguments.tasks,
        caption_key=arguments.caption_key,
        max_text_length=arguments.max_text_length,
        max_days=arguments.max_days,
        caption_days=arguments.caption_days,
        batch_size=arguments.batch_size,
        device=arguments.device,
        seed=arguments.seed,
        num_proc=arguments.num_proc,
        progress=sys.stderr.isatty(),
    )
    if arguments.output:
        save_results(results, arguments.output)
    _report_results(arguments, results)
    return 0


def _report_results(arguments: argparse.Namespace, results: dict[str, Any]) -> None:
    if arguments.json:
        from .evaluation.report import finite

        _print_json(finite(results))
        return
    _print_results(results)
    if arguments.output_dir:
        sys.stdout.write(f"The report is {os.path.join(arguments.output_dir, 'report.html')}.\n")


def _add_export(commands: Any) -> None:
    parser = _command(
        commands,
        "export",
        _export,
        "Write the encoders of a model as ONNX or torch.export files, and check them against the model.",
        "sensorlm-hf export --model my-sensorlm --output-dir exported --format onnx",
    )
    _option(parser, "--model", metavar="MODEL", help="Model folder or Hub id; the shipped demo model by default.")
    _option(parser, "--output-dir", required=True, metavar="FOLDER", help="Where to write the files.")
    _option(parser, "--format", default="onnx", choices=["onnx", "torch"], help="ONNX, or torch.export (.pt2).")
    _option(parser, "--json", action="store_true", help="Print the result as JSON.")


def _export(arguments: argparse.Namespace, rest: list[str]) -> int:
    from .export import export_command

    result = export_command(arguments.model, arguments.output_dir, arguments.format)
    if arguments.json:
        _print_json(result)
    else:
        for side, entry in result.items():
            sys.stdout.write(f"{side}: {entry['path']}, {entry['megabytes']:.1f} MB")
            sys.stdout.write(f", largest difference from the model {entry['largest_difference']:.1e}\n")
    return 0


def _print_results(results: dict[str, Any]) -> None:
    from .commands.output import print_table
    from .evaluation.report import number_text, result_rows

    print_table(
        ("task", "metric", "value", "chance"),
        [
            (task, metric, number_text(value), number_text(chance))
            for task, metric, value, chance in result_rows(results)
        ],
        title=f"{results['model']} on {results['days']} days of {results['people']} people ({results['data']})",
        numbers=("value", "chance"),
    )


def _add_doctor(commands: Any) -> None:
    parser = _command(
        commands,
        "doctor",
        _doctor,
        "Say which versions and devices there are, and what is missing and how to install it.",
        "sensorlm-hf doctor --json",
    )
    _option(parser, "--json", action="store_true", help="Print the findings as JSON.")


def _doctor(arguments: argparse.Namespace, rest: list[str]) -> int:
    from .commands.doctor import diagnose, print_diagnosis

    found = diagnose()
    if arguments.json:
        _print_json(found.to_dict())
    else:
        print_diagnosis(found)
    return 0 if found.healthy else 1


def _add_completion(commands: Any) -> None:
    parser = _command(
        commands,
        "completion",
        _completion,
        "Print a script that completes commands, options and paths in your shell.",
        "sensorlm-hf completion bash > ~/.local/share/bash-completion/completions/sensorlm-hf\n"
        '  sensorlm-hf completion zsh > "${fpath[1]}/_sensorlm-hf"\n'
        "  sensorlm-hf completion fish > ~/.config/fish/completions/sensorlm-hf.fish",
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="The shell to write for.")


def _completion(arguments: argparse.Namespace, rest: list[str]) -> int:
    from .commands.completion import completion_script

    sys.stdout.write(completion_script(build_parser(), arguments.shell))
    return 0


def _print_json(data: Any) -> None:
    sys.stdout.write(json.dumps(data, indent=2, default=str) + "\n")


if __name__ == "__main__":
    sys.exit(main())
