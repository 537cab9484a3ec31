"""One pretraining run, from a dataset of days to a model folder."""

from __future__ import annotations

import copy
import json
import logging
import os
import re
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast, set_seed

from ..data.collator import SensorDayDataset, SensorLMCollator
from ..data.folders import load_sensor_days, schema_of
from ..data.held_out import check_activities, without_activities
from ..data.pairing import check_pair
from ..data.rewording import all_other_words
from ..modeling import SensorLMConfig, SensorLMModel
from ..processing import SensorLMFeatureExtractor, SensorLMProcessor, train_tokenizer
from ..processing.captions import CAPTION_KEYS
from .arguments import SensorLMTrainingArguments
from .corpus import tokenizer_corpus
from .trainer import SensorLMTrainer

logger = logging.getLogger(__name__)


@dataclass
class PretrainOptions:
    """What to train, beyond the arguments of the trainer.

    Attributes:
        objective: `"clip"`, `"siglip"`, `"cap"` or `"coca"`.
        size: `"tiny"`, `"small"`, `"base"` or `"large"`.
        data: Dataset of days; see [`load_sensor_days`].
        caption_keys: Caption keys and the weights with which they are drawn.
        max_text_length: Longest caption in tokens.
        vocab_size: Most pieces of the tokenizer.
        tokenizer_days: Days whose captions train the tokenizer.
        modality_dropout: See [`SensorLMCollator`].
        event_crop: See [`SensorLMCollator`].
        label_rewording: See [`SensorLMCollator`].
        held_out_activities: Activities of which training sees no day: neither signals nor captions. Evaluate them as
            unseen classes.
        init_from: Model folder or Hub id to start from: its weights, tokenizer and normalisation are kept.
        save_dtype: Type of the saved weights, such as `"bfloat16"`; that of training by default.
        num_proc: Processes that prepare a simulated cohort.
        prompts: Texts added to the tokenizer's corpus.
        config_overrides: Further values for [`SensorLMConfig.from_size`]; not with `init_from`, whose shape is kept.

    Raises:
        ValueError: If an option is out of range, or two exclude each other.
    """

    objective: str = "coca"
    size: str = "tiny"
    data: str = "simulated"
    caption_keys: dict[str, float] = field(default_factory=lambda: {"high_level_summary_caption": 1.0})
    max_text_length: int = 256
    vocab_size: int = 4096
    tokenizer_days: int = 4000
    modality_dropout: float = 0.1
    event_crop: float = 0.2
    label_rewording: float = 0.0
    held_out_activities: tuple[str, ...] = ()
    init_from: str | None = None
    save_dtype: str | None = None
    num_proc: int | None = None
    prompts: tuple[str, ...] = ()
    config_overrides: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = [key for key in self.caption_keys if key not in CAPTION_KEYS]
        if unknown:
            raise ValueError(f"Unknown caption keys {', '.join(unknown)}; there are {', '.join(CAPTION_KEYS)}.")
        if self.tokenizer_days < 1:
            raise ValueError(f"`tokenizer_days` must be at least 1, got {self.tokenizer_days}.")
        if self.init_from is not None and self.config_overrides:
            raise ValueError("`config_overrides` shape a new model; one from `init_from` keeps its own shape.")
        self.held_out_activities = check_activities(self.held_out_activities)
        # Said now rather than after hours of training.
        _float_type(self.save_dtype)


def pretrain(options: PretrainOptions, arguments: SensorLMTrainingArguments, *, resume: bool = False) -> dict[str, Any]:
    """Trains a model and writes a folder that `from_pretrained` and `push_to_hub` take.

    Args:
        options: What to train.
        arguments: How; `arguments.output_dir` takes checkpoints while training and the model at the end.
        resume: Whether to go on from the last whole checkpoint in `output_dir`, if there is one. One that was being
            written when the run was killed is passed over.

    Returns:
        The numbers of the run: losses, seconds, days seen, parameters. They are saved as `training.json` too.

    Raises:
        ValueError: If the options contradict each other or the dataset lacks a training split.
        FileExistsError: If `output_dir` holds a run and `resume` is false, or a model without the checkpoint from
            which to resume.
    """
    output = Path(arguments.output_dir)
    checkpoint = last_whole_checkpoint(output)
    finished = any(output.glob("model*.safetensors*"))
    if not resume and (checkpoint or finished):
        raise FileExistsError(
            f"{output} already holds a model or checkpoints. Resume the run (--resume), or choose another folder."
        )
    if resume and finished and not checkpoint:
        raise FileExistsError(
            f"{output} holds a model, but no checkpoint to resume from; training anew would replace it. Choose another"
            " folder, and start from the model with --init-from if that is meant."
        )
    set_seed(arguments.seed)
    splits = load_sensor_days(options.data, num_proc=options.num_proc)
    if "train" not in splits:
        raise ValueError(f"{options.data} has the splits {', '.join(splits)}, but no `train` to train on.")
    if options.held_out_activities:
        splits = {name: without_activities(rows, options.held_out_activities) for name, rows in splits.items()}
    processor = _processor(options, splits["train"], output if checkpoint else None, arguments.seed)
    model = _model(options, processor)
    check_pair(model, processor)
    train = SensorDayDataset(splits["train"])
    validation = SensorDayDataset(splits["validation"]) if splits.get("validation") else None
    if validation is None:
        logger.warning("%s has no `validation` split: no evaluation loss will be shown.", options.data)
        arguments.eval_strategy = "no"
    collate: dict[str, Any] = {
        "processor": processor,
        "caption_keys": options.caption_keys,
        "max_length": options.max_text_length,
    }
    trainer = SensorLMTrainer(
        model=model,
        args=arguments,
        train_dataset=train,
        eval_dataset=validation,
        data_collator=SensorLMCollator(
            **collate,
            modality_dropout=options.modality_dropout,
            event_crop=options.event_crop,
            label_rewording=options.label_rewording,
            seed=arguments.seed,
        ),
        evaluation_collator=SensorLMCollator(**collate, seed=arguments.seed, training=False),
    )
    processor.save_pretrained(output)
    outcome = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    metrics = {
        **{name: value for name, value in outcome.metrics.items() if name != "total_flos"},
        **trainer.whole_run(),
        **(trainer.evaluate() if validation is not None else {}),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "days_seen": trainer.state.global_step
        * arguments.train_batch_size
        * arguments.gradient_accumulation_steps
        * arguments.world_size,
        "train_days": len(train),
        "threads": torch.get_num_threads(),
        "device": str(arguments.device),
        "seed": arguments.seed,
        "options": {name: value for name, value in asdict(options).items() if name not in ("prompts",)},
    }
    if trainer.is_world_process_zero():
        save_model(model, processor, output, options.save_dtype)
        _write_json(output / "training.json", metrics)
    return metrics


def last_whole_checkpoint(folder: Path) -> Path | None:
    """Returns the checkpoint of the latest step that was written to its end, or None.

    `Trainer` writes `trainer_state.json` last; a folder without it is what a killed run left.
    """
    steps = {int(path.name.split("-")[1]): path for path in folder.glob("checkpoint-*") if _CHECKPOINT.match(path.name)}
    whole = {step: path for step, path in steps.items() if _is_json(path / "trainer_state.json")}
    for step in sorted(set(steps) - set(whole)):
        logger.warning("%s was not written to its end and is passed over.", steps[step])
    return whole[max(whole)] if whole else None


_CHECKPOINT = re.compile(r"checkpoint-\d+$")


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


def save_model(model: SensorLMModel, processor: SensorLMProcessor, folder: Path, dtype: str | None = None) -> None:
    """Writes model and processor to a folder; no half model is ever there.

    Everything is written to a sub-folder first. Weights that the folder holds already are removed before the other
    files are replaced, and the new ones are moved in last, so that a run that is killed in between leaves a folder
    that does not load rather than one whose parts belong to different models.

    Args:
        model: The model; it keeps its own type.
        processor: Its processor.
        folder: The folder.
        dtype: Type of the saved weights, such as `"bfloat16"`.

    Raises:
        ValueError: If `dtype` is not a floating-point type of torch.
    """
    saved = model
    kind = _float_type(dtype)
    if kind is not None:
        saved = type(model)(copy.deepcopy(model.config))
        saved.load_state_dict(model.state_dict())
        saved.generation_config = model.generation_config
        saved = saved.to(kind)
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / ".partial"
    shutil.rmtree(partial, ignore_errors=True)
    saved.save_pretrained(partial)
    processor.save_pretrained(partial)
    for path in folder.glob("model*.safetensors*"):
        path.unlink()
    for path in sorted(partial.iterdir(), key=lambda p: "safetensors" in p.name):
        os.replace(path, folder / path.name)
    partial.rmdir()


def _float_type(name: str | None) -> torch.dtype | None:
    kind = None if name is None else getattr(torch, name, None)
    if name is not None and not (isinstance(kind, torch.dtype) and kind.is_floating_point):
        raise ValueError(f"`save_dtype` must name a floating-point type such as 'bfloat16', got {name!r}.")
    return kind


def _processor(options: PretrainOptions, rows: Any, saved: Path | None, seed: int) -> SensorLMProcessor:
    source = options.init_from or saved
    if source is not None:
        return SensorLMProcessor.from_pretrained(source)
    schema = schema_of(rows)
    days = SensorDayDataset(rows)
    corpus = tokenizer_corpus(
        (days[i]["day"] for i in range(min(len(days), options.tokenizer_days))),
        list(options.caption_keys),
        schema=schema,
        prompts=(*options.prompts, *(all_other_words() if options.label_rewording else ())),
        seed=seed,
    )
    tokenizer: PreTrainedTokenizerFast = train_tokenizer(
        corpus, vocab_size=options.vocab_size, max_length=options.max_text_length
    )
    extractor = SensorLMFeatureExtractor(schema=schema, window_minutes=len(days[0]["day"]))
    return SensorLMProcessor(extractor, tokenizer)


def _model(options: PretrainOptions, processor: SensorLMProcessor) -> SensorLMModel:
    if options.init_from is not None:
        model = SensorLMModel.from_pretrained(options.init_from, dtype=torch.float32)
        if model.config.objective != options.objective:
            config = SensorLMConfig.from_dict({**model.config.to_dict(), "objective": options.objective})
            model = SensorLMModel.from_pretrained(options.init_from, config=config, dtype=torch.float32)
        positions = model.config.text_config.max_position_embeddings
        if options.max_text_length > positions:
            raise ValueError(
                f"`max_text_length` is {options.max_text_length}, but {options.init_from} reads at most {positions}"
                " tokens; choose no more."
            )
        return model
    extractor, tokenizer = processor.feature_extractor, processor.tokenizer
    config = SensorLMConfig.from_size(
        options.objective,
        options.size,
        **{
            "vocab_size": len(tokenizer),
            "max_position_embeddings": options.max_text_length,
            "channel_keys": list(extractor.channel_keys),
            "window_minutes": extractor.window_minutes,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            **options.config_overrides,
        },
    )
    return SensorLMModel(config)


def _write_json(path: Path, data: Any) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(data, indent=2, default=str) + "\n", encoding="utf-8")
    partial.replace(path)
