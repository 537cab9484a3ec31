"""One pretraining run, from a dataset of days to a model folder."""

from __future__ import annotations

import copy
import json
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast, TrainerCallback, set_seed

from ..data.collator import SensorDayDataset, SensorLMCollator
from ..data.folders import load_sensor_days, schema_of
from ..data.pairing import check_pair
from ..modeling import SensorLMConfig, SensorLMModel
from ..processing import SensorLMFeatureExtractor, SensorLMProcessor, train_tokenizer
from ..processing.captions import CAPTION_KEYS
from .arguments import SensorLMTrainingArguments
from .checkpoints import last_whole_checkpoint
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
        init_from: Model folder or Hub id to start from: its weights, tokenizer and normalisation are kept.
        save_dtype: Type of the saved weights, such as `"bfloat16"`; that of training by default.
        num_proc: Processes that prepare a simulated cohort.
        prompts: Texts added to the tokenizer's corpus.
        freeze: Towers that are not trained: `"sensor"`, `"text"`.
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
    init_from: str | None = None
    save_dtype: str | None = None
    num_proc: int | None = None
    prompts: tuple[str, ...] = ()
    freeze: tuple[str, ...] = ()
    config_overrides: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = [key for key in self.caption_keys if key not in CAPTION_KEYS]
        if unknown:
            raise ValueError(f"Unknown caption keys {', '.join(unknown)}; there are {', '.join(CAPTION_KEYS)}.")
        unknown = [part for part in self.freeze if part not in FREEZABLE]
        if unknown:
            raise ValueError(f"`freeze` may name {' and '.join(FREEZABLE)}, got {', '.join(map(repr, unknown))}.")
        if set(self.freeze) == set(FREEZABLE) and self.objective in ("clip", "siglip"):
            raise ValueError(
                f"With both towers frozen there is nothing left of objective {self.objective!r} to train but its"
                " temperature; freeze one of them, or train 'cap' or 'coca', which have a decoder."
            )
        if self.tokenizer_days < 1:
            raise ValueError(f"`tokenizer_days` must be at least 1, got {self.tokenizer_days}.")
        if self.init_from is not None and self.config_overrides:
            raise ValueError("`config_overrides` shape a new model; one from `init_from` keeps its own shape.")
        # Said now rather than after hours of training.
        _float_type(self.save_dtype)


def pretrain(
    options: PretrainOptions,
    arguments: SensorLMTrainingArguments,
    *,
    resume: bool = False,
    callbacks: Callable[[SensorLMModel, SensorLMProcessor, SensorDayDataset | None], Sequence[TrainerCallback]]
    | None = None,
) -> dict[str, Any]:
    """Trains a model and writes a folder that `from_pretrained` and `push_to_hub` take.

    Args:
        options: What to train.
        arguments: How; `arguments.output_dir` takes checkpoints while training and the model at the end.
        resume: Whether to go on from the last whole checkpoint in `output_dir`, if there is one. One that was being
            written when the run was killed is passed over.
        callbacks: Makes further callbacks from the model, the processor and the validation days, such as
            [`ZeroShotCallback`]s.

    Returns:
        The numbers of the run: losses, seconds, days seen, parameters. They are saved as `training.json` too. A run
        that stopped early (`--max_hours`, SIGTERM) leaves a checkpoint, not a model, and says why under `stopped`.

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
    # One process trains the tokenizer and writes it, the others read what it wrote: all must have the same pieces.
    with arguments.main_process_first(local=False, desc="tokenizer"):
        is_first = arguments.process_index == 0
        processor = _processor(options, splits["train"], output if checkpoint or not is_first else None, arguments.seed)
        if is_first:
            processor.save_pretrained(output)
    model = _model(options, processor)
    check_pair(model, processor)
    freeze(model, options.freeze)
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
            seed=arguments.seed,
        ),
        evaluation_collator=SensorLMCollator(**collate, seed=arguments.seed, training=False),
        callbacks=list(callbacks(model, processor, validation)) if callbacks else None,
    )
    outcome = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    metrics = {
        **{name: value for name, value in outcome.metrics.items() if name != "total_flos"},
        **trainer.whole_run(),
        **(trainer.evaluate() if validation is not None and not trainer.stops.reason else {}),
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
    if trainer.stops.reason:
        return {**metrics, "stopped": trainer.stops.reason}
    state = trainer.whole_state_dict()
    if trainer.is_world_process_zero():
        save_model(model, processor, output, options.save_dtype, state_dict=state)
        _write_json(output / "training.json", metrics)
    return metrics


FREEZABLE = ("sensor", "text")


def freeze(model: SensorLMModel, parts: Sequence[str]) -> None:
    """Keeps towers as they are while the rest is trained.

    Args:
        model: The model.
        parts: `"sensor"`, `"text"` or both. The text tower's token embedding is the decoder's output layer too, where
            the two are tied; it is frozen with the tower.

    Raises:
        ValueError: If a part is unknown, or nothing is left to train.
    """
    for part in parts:
        if part not in FREEZABLE:
            raise ValueError(f"Only {' and '.join(FREEZABLE)} can be frozen, got {part!r}.")
        getattr(model, f"{part}_model").requires_grad_(False)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ValueError(f"Freezing {', '.join(parts)} leaves nothing to train.")


def save_model(
    model: SensorLMModel,
    processor: SensorLMProcessor,
    folder: Path,
    dtype: str | None = None,
    *,
    state_dict: dict[str, torch.Tensor] | None = None,
) -> None:
    """Writes model and processor to a folder; no half model is ever there.

    Everything is written to a sub-folder first. Weights that the folder holds already are removed before the other
    files are replaced, and the new ones are moved in last, so that a run that is killed in between leaves a folder
    that does not load rather than one whose parts belong to different models.

    Args:
        model: The model; it keeps its own type.
        processor: Its processor.
        folder: The folder.
        dtype: Type of the saved weights, such as `"bfloat16"`.
        state_dict: The weights, where the model itself holds only its process's part of them.

    Raises:
        ValueError: If `dtype` is not a floating-point type of torch.
    """
    saved = model
    kind = _float_type(dtype)
    if kind is not None or state_dict is not None:
        saved = type(model)(copy.deepcopy(model.config))
        saved.load_state_dict(model.state_dict() if state_dict is None else state_dict)
        saved.generation_config = model.generation_config
        saved = saved.to(model.dtype if kind is None else kind)
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
        prompts=options.prompts,
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
