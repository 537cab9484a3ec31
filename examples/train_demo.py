"""Train the demo model on synthetic subjects, evaluate it on held-out ones, and write its card.

    python examples/train_demo.py --output_dir my-sensorlm-coca

This is what `make train-demo` runs; it takes about three hours on two CPU cores. First, a 15-minute warm-up trains the
text tower on numbers, against the statistics of the channels only: numbers take longest to learn, and training is fast
without the sensor tower. Then the model is trained on short captions with activity names, then on captions of all
levels, and to generate the kinds of captions that it predicts best. Then a pretrained sentence encoder is added and
aligned with the sensor tower, so that the model understands free English, and all parts are trained together on
captions and statements. With `--opening_steps`, the decoder then learns to start captions with plain English.
`--start_from` skips the stages before the joint one and continues from a trained model. The output folder can be pushed
to the Hub directly. `--related` adds the results that `examples/studies/unseen_classes.py` and
`benchmarks/mmash_events.py` write with `--card_rows` to the model card.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import pipeline

from sensorlm_hf.checkpoints import records_folder, training_record
from sensorlm_hf.data.collator import SensorDayDataset, SensorLMCollator
from sensorlm_hf.data.folders import load_sensor_days
from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.evaluation import (
    evaluate_captioning,
    evaluate_gradient_boosting,
    evaluate_model,
    evaluate_retrieval,
    get_task,
    markdown_table,
    related_result,
    save_results,
    write_model_card,
)
from sensorlm_hf.evaluation.captioning import captioned_rows
from sensorlm_hf.evaluation.evaluator import RETRIEVAL_POOL
from sensorlm_hf.evaluation.model_card import given_options
from sensorlm_hf.evaluation.tasks import all_prompts
from sensorlm_hf.io import atomic_folder
from sensorlm_hf.modeling import SensorLMConfig, load_pretrained
from sensorlm_hf.processing import SensorLMProcessor
from sensorlm_hf.processing.captions import CaptionBuilder
from sensorlm_hf.processing.captions.activity_phrases import ACTIVITY_GROUPS, ACTIVITY_PHRASES
from sensorlm_hf.processing.captions.day_facts import day_facts
from sensorlm_hf.processing.captions.statements import StatementBank
from sensorlm_hf.training import (
    PretrainOptions,
    SensorLMTrainingArguments,
    add_sentence_encoder,
    align_sentence_encoder,
    calibrate_sentence_encoder,
    prepare,
    pretrain,
    save_model,
    tune_decoder,
    tune_jointly,
    warm_up_text_tower,
)

NAMES, NUMBERS, TRENDS = "high_level_summary_caption", "low_level_caption", "middle_level_caption"
WRITTEN, FULL = "high_low_caption", "high_middle_low_caption"


@dataclass(frozen=True)
class Stage:
    """One of the three training stages.

    Attributes:
        name: Name of its folder.
        caption_keys: Caption keys and their weights.
        max_text_length: Maximum caption length in tokens.
        epochs: Passes over the training days.
        batch_size: Days per step. Numbers are learned faster with small batches, since there are more steps.
        learning_rate: Peak rate of AdamW.
        muon_learning_rate: Peak rate of Muon.
        lr_scheduler_type: Learning rate schedule.
        options: Additional options of the run.
    """

    name: str
    caption_keys: dict[str, float]
    max_text_length: int
    epochs: float
    batch_size: int
    learning_rate: float
    muon_learning_rate: float
    lr_scheduler_type: str
    options: dict[str, Any]


PEOPLE = 10_000

CAPTION_DAYS = 200
"""Number of test days with generated full captions."""

WARMUP = "0-reading"
WARMUP_STEPS = 1600
WARMUP_LENGTH = 128
WARMUP_BATCH = 64

# The kind of captions is drawn once per batch: mixing captions of 50 and 250 tokens would pad all of them to 250.
_MIXED = {"modality_dropout": 0.05, "label_rewording": 0.5, "draw_per_batch": True}

STAGES = (
    Stage(
        "1-names",
        caption_keys={NAMES: 0.4, WRITTEN: 0.2, TRENDS: 0.2, FULL: 0.2},
        max_text_length=128,
        epochs=3.3,
        batch_size=64,
        learning_rate=1e-3,
        muon_learning_rate=3e-3,
        lr_scheduler_type="constant_with_warmup",
        options={**_MIXED, "event_crop": 0.3, "channel_omission": 0.5, "contrast_only": (NAMES, TRENDS)},
    ),
    Stage(
        "2-days",
        caption_keys={FULL: 0.65, NUMBERS: 0.2, NAMES: 0.15},
        max_text_length=256,
        epochs=2,
        batch_size=32,
        learning_rate=1e-3,
        muon_learning_rate=2e-3,
        lr_scheduler_type="linear",
        options={
            **_MIXED,
            "event_crop": 0.2,
            "contrast_only": (NAMES, NUMBERS),
            "save_dtype": "bfloat16",
        },
    ),
    # Trends and peaks are predicted worst, so full captions are only used in the contrastive loss.
    Stage(
        "3-captions",
        caption_keys={WRITTEN: 0.5, FULL: 0.35, NAMES: 0.15},
        max_text_length=256,
        epochs=0.4,
        batch_size=32,
        learning_rate=5e-4,
        muon_learning_rate=1e-3,
        lr_scheduler_type="linear",
        options={**_MIXED, "event_crop": 0.2, "contrast_only": (FULL, NAMES), "save_dtype": "bfloat16"},
    ),
)

STATISTICS_MINUTES: int | None = None
"""Length of the blocks of the day whose means the joint stage adds to the sensor tower, such as 60."""

ENGLISH = "4-english"
ENGLISH_STEPS, ENGLISH_HEAD_STEPS = 400, 1000
ENGLISH_DAYS = 2000
ENGLISH_CAPTIONS = {NAMES: 1200, WRITTEN: 150, FULL: 150, NUMBERS: 150, TRENDS: 150}
"""Captions from which the gate learns their language; summaries are closest to other English."""

JOINT = "5-joint"
JOINT_STEPS, JOINT_BATCH, JOINT_SEED = 1200, 64, 4
JOINT_OPTIONS: dict[str, Any] = {
    "caption_keys": {WRITTEN: 0.5, FULL: 0.25, NAMES: 0.25},
    "contrast_only": (FULL, NAMES),
    "modality_dropout": 0.05,
    "device_dropout": 0.35,
    "event_crop": 0.25,
    "label_rewording": 0.5,
    "statements": 128,
    "draw_per_batch": True,
}

OPENINGS = "6-openings"
OPENING_STEPS, OPENING_BATCH, OPENING_SEED = 0, 32, 5
OPENING_TOKENS = 72
"""Tokens that hold nearly every opening."""

ENGLISH_SEED = 11
"""Added to the seed: the subjects differ from those that the sensor tower was trained on."""

VOCABULARY_DATA = "simulated:400:7"
"""Days of statements whose words the vocabulary keeps."""


def arguments() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", required=True)
    parser.add_argument("--run_dir", help="Output folder of the stages; runs/<name> by default.")
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--epochs", type=float, help="Epochs of every stage.")
    parser.add_argument("--batch_size", type=int, help="Batch size of every stage.")
    parser.add_argument("--seed", type=int, default=0, help="Seed for subjects, captions and weights.")
    parser.add_argument(
        "--sentence_encoder",
        default="sentence-transformers/all-MiniLM-L6-v2",
        help="Name or folder of the pretrained sentence encoder.",
    )
    parser.add_argument("--english_steps", type=int, default=ENGLISH_STEPS, help="Steps of the sentence encoder.")
    parser.add_argument("--joint_steps", type=int, default=JOINT_STEPS, help="Steps of all parts together.")
    parser.add_argument(
        "--opening_steps", type=int, default=OPENING_STEPS, help="Steps of the decoder on openings; 0: none."
    )
    parser.add_argument(
        "--start_from", help="Folder of a trained model with a sentence encoder; only the last two stages are run."
    )
    parser.add_argument("--resume", action="store_true", help="Resume from the stages in --run_dir.")
    parser.add_argument("--evaluate_only", action="store_true", help="Only evaluate the model in --run_dir.")
    parser.add_argument(
        "--ceiling_days", type=int, default=8000, help="Training days of the supervised baseline; 0 disables it."
    )
    parser.add_argument(
        "--related", nargs="*", type=Path, default=[], help="JSON files with additional results for the card."
    )
    return parser


def main() -> None:
    """Trains, evaluates and writes the card."""
    parser = arguments()
    options = parser.parse_args()
    target = Path(options.output_dir)
    run_dir = Path(options.run_dir or Path("runs") / target.name)
    last = STAGES[-1]
    model_dir = run_dir / (OPENINGS if options.opening_steps else JOINT)
    data = f"simulated:{options.people}:{options.seed}"
    if not options.evaluate_only:
        before = None if options.start_from is None else Path(options.start_from)
        if before is None:
            train(options, run_dir, data)
            before = run_dir / ENGLISH
            learn_english(options, run_dir / last.name, before)
        tune_all(options, before, run_dir / JOINT, data)
        if options.opening_steps:
            learn_openings(options, run_dir / JOINT, model_dir, data)
    results = evaluate_model(
        model_dir,
        data,
        split="test",
        tasks=("zero_shot", "retrieval", "captioning", "english"),
        caption_key=WRITTEN,
        max_text_length=last.max_text_length,
        progress=sys.stderr.isatty(),
        num_proc=2,
    )
    results["model"] = target.name
    further = [row for path in options.related for row in json.loads(path.read_text(encoding="utf-8"))["rows"]]
    results["related"] = [
        *measure_related(model_dir, data, options.ceiling_days),
        *([] if options.start_from else [measure_whole_captions(run_dir / STAGES[-2].name, data)]),
        *further,
    ]
    results["examples"] = answers_to_show(model_dir)
    write_model_card(model_dir, target.name, results, command(parser, options))
    publish(model_dir, target)
    sys.stdout.write(markdown_table(results) + f"\n\nThe model was saved to {target}.\n")


def answers_to_show(model_dir: Path, labels: tuple[str, ...] = ("running", "swimming", "yoga")) -> list[dict[str, Any]]:
    """Returns the model's answers for a simulated day, for the widget on the Hub."""
    (day,) = simulate_days(1, seed=2024)
    answers = pipeline("zero-shot-sensor-classification", model=str(model_dir))(day, candidate_labels=list(labels))
    return [
        {
            "title": f"A simulated day with {day.labels['main_activity']}",
            "text": "simulate_days(1, seed=2024)[0]",
            "scores": {answer["label"]: answer["score"] for answer in answers},
        }
    ]


def command(parser: argparse.ArgumentParser, options: argparse.Namespace) -> str:
    """Returns the command that reproduces the model, without options for evaluation or resuming."""
    left_out = ("run_dir", "evaluate_only", "resume", "related", "ceiling_days", "sentence_encoder")
    return shlex.join(["python", "examples/train_demo.py", *given_options(parser, options, left_out)])


def measure_related(run_dir: Path, data: str, most: int) -> list[dict[str, Any]]:
    """Returns the supervised baseline on the same test days, and retrieval with full captions and with summaries."""
    test = [row["day"] for row in SensorDayDataset(load_sensor_days(data, split="test", num_proc=2))]
    how = "python examples/train_demo.py --evaluate_only"
    rows = []
    if most > 0:
        train_split = SensorDayDataset(load_sensor_days(data, split="train", num_proc=2))
        train_days = [train_split[row]["day"] for row in range(min(most, len(train_split)))]
        scores = evaluate_gradient_boosting(test, get_task("activity"), train_days=train_days)
        what = f"activity, supervised: gradient boosting on summary features ({scores['train_days']} training days)"
        interval = scores["intervals"]["auroc"]
        rows.append(related_result(what, "AUROC", scores["auroc"], how, chance=0.5, interval=interval))
    model = load_pretrained(run_dir, dtype=torch.float32).eval()
    processor = SensorLMProcessor.from_pretrained(run_dir)
    pool = min(RETRIEVAL_POOL, len(test))
    for key, name in ((FULL, "full captions"), (NAMES, "summaries")):
        builder = CaptionBuilder(
            test[0].schema, key=key, tokenizer=processor.tokenizer, max_tokens=STAGES[-1].max_text_length - 2, seed=0
        )
        found = evaluate_retrieval(model, processor, test, builder.batch(test), pool=pool)
        for way in ("sensor_to_text", "text_to_sensor"):
            what = f"retrieval {way.replace('_', ' ')} with {name} (`{key}`)"
            rows.append(related_result(what, "R@1", found[way]["R@1"], how, chance=found["chance"]["R@1"]))
    return rows


def measure_whole_captions(model_dir: Path, data: str) -> dict[str, Any]:
    """Returns the faithfulness of full captions, generated by the model before its last stage."""
    test = SensorDayDataset(load_sensor_days(data, split="test", num_proc=2))
    chosen = [test[row]["day"] for row in captioned_rows(len(test), CAPTION_DAYS)]
    model = load_pretrained(model_dir, dtype=torch.float32).eval()
    processor = SensorLMProcessor.from_pretrained(model_dir)
    most = STAGES[-2].max_text_length - 2
    builder = CaptionBuilder(chosen[0].schema, key=FULL, tokenizer=processor.tokenizer, max_tokens=most, seed=0)
    scores = evaluate_captioning(model, processor, chosen, builder.batch(chosen), max_new_tokens=most)
    return related_result(
        f"full captions (`{FULL}`), generated by the model before its last stage ({len(chosen)} days)",
        "faithfulness",
        scores["faithfulness"],
        "python examples/train_demo.py --evaluate_only",
        chance=scores["chance"]["faithfulness"],
    )


def train(options: argparse.Namespace, run_dir: Path, data: str) -> None:
    """Trains the stages in order; finished stages are skipped when resuming."""
    before = run_dir / WARMUP
    exists = (before / "training.json").is_file()
    if exists and not options.resume:
        raise FileExistsError(
            f"{before} already contains a model. Resume the run (--resume), or choose another --run_dir."
        )
    if not exists:
        warm_up(options, before, data)
    for number, stage in enumerate(STAGES, 1):
        folder = run_dir / stage.name
        if not (options.resume and (folder / "training.json").is_file()):
            pretrain(
                PretrainOptions(
                    objective="coca",
                    size="tiny",
                    data=data,
                    caption_keys=stage.caption_keys,
                    max_text_length=stage.max_text_length,
                    init_from=str(before),
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
                    muon_learning_rate=stage.muon_learning_rate,
                    adam_beta2=0.98,
                    warmup_steps=0.05,
                    schedule="transformers",
                    lr_scheduler_type=stage.lr_scheduler_type,
                    bf16=True,
                    use_cpu=not torch.cuda.is_available(),
                    save_strategy="steps",
                    save_steps=500,
                    save_total_limit=1,
                    logging_steps=20,
                    dataloader_num_workers=1,
                    seed=options.seed + number,
                    report_to="none",
                ),
                resume=options.resume,
            )
        before = folder


def warm_up(options: argparse.Namespace, folder: Path, data: str) -> None:
    """Warms up the text tower and saves the initial model of the stages."""
    warmup = PretrainOptions(
        objective="coca",
        size="tiny",
        data=data,
        # The tokenizer is trained here, so it needs captions of all kinds.
        caption_keys={NUMBERS: 0.75, WRITTEN: 0.25, NAMES: 0.0, TRENDS: 0.0, FULL: 0.0},
        max_text_length=WARMUP_LENGTH,
        modality_dropout=0.0,
        event_crop=0.0,
        label_rewording=0.5,
        channel_omission=0.5,
        draw_per_batch=True,
        num_proc=2,
        prompts=tuple(all_prompts()),
        # The sensor tower is small and the run is short: equal loss weights, so that labels are learned as well.
        config_overrides={"caption_loss_weight": 1.0, "embed_statistics": True, "rope_theta": 10_000.0},
    )
    parts = prepare(warmup, folder, seed=options.seed)
    batch, epochs = options.batch_size or WARMUP_BATCH, options.epochs
    record = warm_up_text_tower(
        parts.model,
        parts.train,
        parts.collator,
        steps=WARMUP_STEPS if epochs is None else max(1, round(epochs * len(parts.train) / batch)),
        batch_size=batch,
        seed=options.seed,
    )
    save_model(parts.model, parts.processor, folder)
    record |= {"threads": torch.get_num_threads(), "device": str(parts.model.device), "seed": options.seed}
    record["options"] = warmup.as_json()
    save_results(record, folder / "training.json")


def english_data(options: argparse.Namespace) -> str:
    """Returns the dataset of the sentence encoder."""
    return f"simulated:{max(options.people // 4, 1)}:{options.seed + ENGLISH_SEED}"


def english_days(options: argparse.Namespace) -> tuple[list[Any], list[str]]:
    """Returns training days of the sentence encoder, and texts in the language of captions."""
    subjects = SensorDayDataset(load_sensor_days(english_data(options), split="train", num_proc=2))
    rng = np.random.default_rng(options.seed)
    days = [subjects[int(row)]["day"] for row in rng.permutation(len(subjects))[:ENGLISH_DAYS]]
    captions = list(all_prompts())
    for key, count in ENGLISH_CAPTIONS.items():
        captions += CaptionBuilder(days[0].schema, key=key, seed=0).batch(days[:count])
    return days, captions


def machine(model: Any) -> dict[str, Any]:
    """Returns what the duration of a stage depends on."""
    return {"threads": torch.get_num_threads(), "device": str(model.device)}


def learn_english(options: argparse.Namespace, before: Path, folder: Path) -> None:
    """Adds a sentence encoder to a trained model and aligns it; skipped when resuming if it is complete."""
    if options.resume and (folder / "training.json").is_file():
        return
    days, captions = english_days(options)
    model, processor = add_sentence_encoder(
        load_pretrained(before, dtype=torch.float32),
        SensorLMProcessor.from_pretrained(before),
        options.sentence_encoder,
        texts=vocabulary_texts(options.seed),
    )
    begun = time.perf_counter()
    alignment = align_sentence_encoder(
        model,
        processor,
        days,
        captions,
        steps=options.english_steps,
        head_steps=max(1, round(ENGLISH_HEAD_STEPS * options.english_steps / ENGLISH_STEPS)),
        seed=options.seed,
    )
    alignment |= {
        "name": Path(options.sentence_encoder).name,
        "data": english_data(options),
        "train_runtime": time.perf_counter() - begun,
        **machine(model),
        "seed": options.seed,
    }
    save_model(model, processor, folder, "bfloat16")
    record = (training_record(before) or {}) | {"parameters": model.num_parameters(), "sentence_encoder": alignment}
    save_results(record, folder / "training.json")


def tune_all(options: argparse.Namespace, before: Path, folder: Path, data: str) -> None:
    """Trains all parts on captions and statements; skipped when resuming if it is complete."""
    if options.resume and (folder / "training.json").is_file():
        return
    config = SensorLMConfig.from_pretrained(before)
    if STATISTICS_MINUTES is not None:  # the map starts at 0, if the model had none
        config.sensor_config.embed_statistics = STATISTICS_MINUTES
    model = load_pretrained(before, config=config, dtype=torch.float32)
    processor = SensorLMProcessor.from_pretrained(before)
    seed, batch = options.seed + JOINT_SEED, options.batch_size or JOINT_BATCH
    most = STAGES[-1].max_text_length
    tuning = tune_jointly(
        model,
        SensorDayDataset(load_sensor_days(data, split="train", num_proc=2)),
        SensorLMCollator(processor=processor, max_length=most, seed=seed, **JOINT_OPTIONS),
        steps=options.joint_steps,
        batch_size=batch,
        captions_per_batch=max(2, batch // 2),
        bf16=True,
        seed=seed,
        checkpoint=folder.with_name(f"{folder.name}.checkpoint"),
    )
    calibrate_sentence_encoder(model, processor, *english_days(options), seed=options.seed)
    tuning |= {"data": data, **JOINT_OPTIONS, **machine(model), "seed": seed}
    if options.start_from is not None:
        tuning["started_from"] = Path(options.start_from).name
    save_model(model, processor, folder, "bfloat16")
    record = training_record(before) or {}
    if "joint" in record:
        tuning["earlier"] = record["joint"]
    record.pop("decoder", None)  # this stage trains the decoder again, on captions without an opening
    save_results(record | {"joint": tuning}, folder / "training.json")


def learn_openings(options: argparse.Namespace, before: Path, folder: Path, data: str) -> None:
    """Teaches the decoder to start captions with plain English; skipped when resuming if it is complete."""
    if options.resume and (folder / "training.json").is_file():
        return
    model = load_pretrained(before, dtype=torch.float32)
    processor = SensorLMProcessor.from_pretrained(before)
    collator = SensorLMCollator(
        processor=processor,
        caption_keys={WRITTEN: 1.0},
        max_length=STAGES[-1].max_text_length,
        modality_dropout=0.05,
        device_dropout=0.15,
        event_crop=0.15,
        draw_per_batch=True,
        opening=True,
        seed=options.seed + OPENING_SEED,
    )
    tuning = tune_decoder(
        model,
        SensorDayDataset(load_sensor_days(data, split="train", num_proc=2)),
        collator,
        steps=options.opening_steps,
        batch_size=options.batch_size or OPENING_BATCH,
        bf16=True,
        first_tokens=OPENING_TOKENS,
        seed=options.seed + OPENING_SEED,
        checkpoint=folder.with_name(f"{folder.name}.checkpoint"),
    )
    tuning |= {
        "opening": True,
        "caption_key": WRITTEN,
        "data": data,
        **machine(model),
        "seed": options.seed + OPENING_SEED,
    }
    save_model(model, processor, folder, "bfloat16")
    save_results((training_record(before) or {}) | {"decoder": tuning}, folder / "training.json")


def vocabulary_texts(seed: int) -> list[str]:
    """Returns texts whose words the pruned vocabulary of the sentence encoder keeps."""
    subjects = SensorDayDataset(load_sensor_days(VOCABULARY_DATA, split="train"))
    facts = [day_facts(subjects[row]["day"]) for row in range(64)]
    phrases = [*ACTIVITY_PHRASES.values(), *(group.phrases for group in ACTIVITY_GROUPS)]
    texts = [*all_prompts(), *(text for some in phrases for text in (*some.gerunds, *some.past, *some.nouns))]
    bank, rng = StatementBank(), np.random.default_rng(seed)
    for _ in range(20):
        texts += [statement.text for statement in bank.sample(facts, 150, rng)]
    return texts


def publish(run_dir: Path, target: Path) -> None:
    """Copies the model files and the records to their folders, without checkpoints.

    Existing files are replaced only when all new files are complete.
    """
    target = target.resolve()  # keeps a symbolic link to the folder
    records = ("training.json", "evaluation.json")
    files = {path.name for path in run_dir.iterdir() if path.is_file()}
    for folder, names in ((target, files - set(records)), (records_folder(target), files & set(records))):
        with atomic_folder(folder, overwrite=True) as partial:
            for name in names:
                shutil.copy2(run_dir / name, partial / name)


if __name__ == "__main__":
    main()
