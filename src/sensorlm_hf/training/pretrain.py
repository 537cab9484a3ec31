"""Pretraining runs: from a dataset of days to a saved model."""

from __future__ import annotations

import copy
import json
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast, TrainerCallback, set_seed

from ..checkpoints import training_record
from ..data.collator import SensorDayDataset, SensorLMCollator, check_sampling_options
from ..data.folders import load_sensor_days
from ..data.held_out import check_activities, without_activities
from ..data.rewording import all_other_words
from ..data.stream import SensorDayStream
from ..io import atomic_write_text, staged_files
from ..modeling import SensorLMConfig, load_pretrained, pretraining_class
from ..modeling.configuration_sensorlm import OBJECTIVES, SIZES
from ..processing import SensorLMFeatureExtractor, SensorLMProcessor, train_tokenizer
from ..processing.pairing import check_pair
from .arguments import SensorLMTrainingArguments
from .checkpoints import last_complete_checkpoint
from .corpus import tokenizer_corpus
from .fsdp import restore_scalars
from .trainer import SensorLMTrainer

logger = logging.getLogger(__name__)


_LOSS_WEIGHTS = ("contrastive_loss_weight", "caption_loss_weight")


@dataclass
class PretrainOptions:
    """Options of a pretraining run: model, data and initialization.

    Attributes:
        objective: `"clip"`, `"siglip"`, `"cap"` or `"coca"`.
        size: `"tiny"`, `"small"`, `"base"` or `"large"`.
        data: Dataset of days; see [`load_sensor_days`].
        caption_keys: Caption keys and their sampling weights.
        max_text_length: Maximum caption length in tokens.
        vocab_size: Maximum vocabulary size of the tokenizer.
        tokenizer_days: Number of days whose captions the tokenizer is trained on.
        modality_dropout: See [`SensorLMCollator`].
        device_dropout: See [`SensorLMCollator`].
        event_crop: See [`SensorLMCollator`].
        label_rewording: See [`SensorLMCollator`].
        channel_omission: See [`SensorLMCollator`].
        draw_per_batch: See [`SensorLMCollator`].
        statements: See [`SensorLMCollator`].
        contrast_only: See [`SensorLMCollator`]; at least one caption key must remain as a target of the decoder.
        held_out_activities: Activities whose days are excluded from training, to be evaluated as unseen classes.
        init_from: Model folder or Hub id to initialize from, including tokenizer and normalization. A larger
            `max_text_length` adds randomly initialized positions.
        save_dtype: Data type of the saved weights, such as `"bfloat16"`; by default that of training.
        num_proc: Number of processes that prepare a simulated cohort.
        prompts: Texts added to the tokenizer's corpus.
        streaming: Whether to stream the training shards instead of loading the dataset; see [`SensorDayStream`].
        lora: Parts to adapt with LoRA while everything else is frozen: `"sensor"`, `"text"`, `"decoder"`; see
            [`lora_config`]. The adapter is also saved separately, in `adapter/`.
        freeze: Towers to freeze: `"sensor"`, `"text"`.
        config_overrides: Additional arguments of [`SensorLMConfig.from_size`]. With `init_from` only the loss weights
            can be overridden.

    Raises:
        ValueError: If an option is out of range, or options contradict each other.
    """

    objective: str = "coca"
    size: str = "tiny"
    data: str = "simulated"
    caption_keys: dict[str, float] = field(default_factory=lambda: {"high_level_summary_caption": 1.0})
    max_text_length: int = 256
    vocab_size: int = 4096
    tokenizer_days: int = 4000
    modality_dropout: float = 0.1
    device_dropout: float = 0.0
    event_crop: float = 0.2
    label_rewording: float = 0.0
    channel_omission: float = 0.0
    draw_per_batch: bool = False
    statements: int = 0
    contrast_only: tuple[str, ...] = ()
    held_out_activities: tuple[str, ...] = ()
    init_from: str | None = None
    save_dtype: str | None = None
    num_proc: int | None = None
    prompts: tuple[str, ...] = ()
    streaming: bool = False
    freeze: tuple[str, ...] = ()
    lora: tuple[str, ...] = ()
    config_overrides: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, known in (("objective", OBJECTIVES), ("size", SIZES)):
            if getattr(self, name) not in known:
                raise ValueError(f"`{name}` must be one of {', '.join(known)}, got {getattr(self, name)!r}.")
        check_sampling_options(self)
        if self.streaming and self.data.partition(":")[0] == "simulated" and not Path(self.data).exists():
            raise ValueError(
                f"{self.data!r} is generated in memory and has no shards to stream. Write it to disk first"
                " (sensorlm-hf simulate), or disable `streaming`."
            )
        if self.streaming and self.held_out_activities:
            raise ValueError(
                "Streaming does not support `held_out_activities`, since processes must know the number of days in"
                " advance. Write a dataset without these activities, or disable `streaming`."
            )
        if self.objective == "cap" and self.statements:
            raise ValueError("Objective 'cap' has no text embedding, so it cannot learn from `statements`.")
        if self.objective == "cap" and self.contrast_only:
            raise ValueError(
                "Objective 'cap' has no contrastive loss, so it cannot learn from `contrast_only` captions."
            )
        if self.contrast_only and all(key in self.contrast_only for key in self.caption_keys):
            raise ValueError(
                "`contrast_only` contains all `caption_keys`. Leave one as a target of the decoder, or train 'clip'."
            )
        if self.lora and self.freeze:
            raise ValueError(
                "`lora` already freezes everything except the adapters; `freeze` cannot be combined with it."
            )
        unknown = [part for part in self.freeze if part not in FREEZABLE]
        if unknown:
            raise ValueError(f"`freeze` accepts {' and '.join(FREEZABLE)}, got {', '.join(map(repr, unknown))}.")
        if set(self.freeze) == set(FREEZABLE) and self.objective in ("clip", "siglip"):
            raise ValueError(
                f"With both towers frozen, objective {self.objective!r} would only train its temperature. Freeze one"
                " of them, or train 'cap' or 'coca', which have a decoder."
            )
        if self.tokenizer_days < 1:
            raise ValueError(f"`tokenizer_days` must be at least 1, got {self.tokenizer_days}.")
        shaping = [name for name in self.config_overrides if name not in _LOSS_WEIGHTS]
        if self.init_from is not None and shaping:
            raise ValueError(
                f"`config_overrides` ({', '.join(shaping)}) cannot change the architecture of a model from `init_from`."
                f" They may only contain {' and '.join(_LOSS_WEIGHTS)}."
            )
        self.held_out_activities = check_activities(self.held_out_activities)
        # Checked now rather than after hours of training.
        _float_type(self.save_dtype)

    def as_json(self) -> dict[str, Any]:
        """Returns the options as JSON-compatible values, without the prompts, which the task table contains."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if name != "prompts"
        }


def pretrain(
    options: PretrainOptions,
    arguments: SensorLMTrainingArguments,
    *,
    resume: bool = False,
    callbacks: Callable[[TrainingParts], Sequence[TrainerCallback]] | None = None,
) -> dict[str, Any]:
    """Trains a model and saves it in a folder that `from_pretrained` loads.

    Args:
        options: Model, data and initialization.
        arguments: Training arguments. Checkpoints and the final model are saved in `arguments.output_dir`.
        resume: Whether to resume from the last complete checkpoint in `output_dir`, if any.
        callbacks: Creates additional callbacks, such as [`ZeroShotCallback`].

    Returns:
        Metrics of the run: losses, runtime, number of days seen, number of parameters, and under `started_from` the
        metrics of the run that trained the initial model. They are also saved as `training.json`. A run that was
        stopped early (`--max_hours`, SIGTERM) leaves a checkpoint but no model, and gives the reason under `stopped`.

    Raises:
        ValueError: If options contradict each other, the dataset has no training split, or the checkpoint to resume
            from is of a model with another configuration.
        FileExistsError: If `output_dir` contains a run and `resume` is false, or a model but no checkpoint to resume
            from.
    """
    output = Path(arguments.output_dir)
    checkpoint = last_complete_checkpoint(output)
    has_model = any(output.glob("model*.safetensors*"))
    if not resume and (checkpoint or has_model):
        raise FileExistsError(
            f"{output} already contains a model or checkpoints. Resume the run (--resume), or choose another folder."
        )
    if resume and has_model and not checkpoint:
        raise FileExistsError(
            f"{output} contains a model, but no checkpoint to resume from, and training would overwrite it. Choose"
            " another folder; to train the model further, use --init-from."
        )
    parts = prepare(
        options,
        output,
        seed=arguments.seed,
        batch_size=arguments.train_batch_size,
        num_workers=arguments.dataloader_num_workers,
        rank=arguments.process_index,
        world_size=arguments.world_size,
        resume=checkpoint is not None,
        main_process_first=lambda: arguments.main_process_first(local=False, desc="tokenizer"),
    )
    model, processor, train, validation = parts.model, parts.processor, parts.train, parts.validation
    if checkpoint and not options.lora:  # checkpoints of LoRA only contain the adapter
        _check_same_model(model.config, checkpoint)
    if validation is None:
        logger.warning("%s has no `validation` split, so no evaluation loss is computed.", options.data)
        arguments.eval_strategy = "no"
    trainer = SensorLMTrainer(
        model=_with_lora(model, options.lora) if options.lora else model,
        args=arguments,
        train_dataset=train,
        eval_dataset=validation,
        data_collator=parts.collator,
        evaluation_collator=parts.evaluation_collator,
        callbacks=list(callbacks(parts)) if callbacks else None,
    )
    outcome = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    metrics = {
        **{name: value for name, value in outcome.metrics.items() if name != "total_flos"},
        **trainer.run_metrics(),
        **(trainer.evaluate() if validation is not None and not trainer.stops.reason else {}),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "days_seen": round((trainer.state.epoch or 0) * _days_of_epoch(trainer, train)),
        "train_days": len(train),
        "threads": torch.get_num_threads(),
        "device": str(arguments.device),
        "seed": arguments.seed,
        "options": options.as_json(),
        **({"started_from": parts.started_from} if parts.started_from else {}),
    }
    if trainer.stops.reason:
        return {**metrics, "stopped": trainer.stops.reason}
    if options.lora:
        if trainer.is_world_process_zero():
            trainer.model.save_pretrained(output / "adapter")
            processor.save_pretrained(output / "adapter")
        model = trainer.model.merge_and_unload()
    state = None if options.lora else trainer.full_state_dict()
    if trainer.is_world_process_zero():
        save_model(model, processor, output, options.save_dtype, state_dict=state)
        _write_json(output / "training.json", metrics)
    return metrics


def _days_of_epoch(trainer: SensorLMTrainer, train: SensorDayDataset | SensorDayStream) -> int:
    """Returns the number of days per epoch on all processes; the length of a stream is that of one process."""
    sampler = trainer._sampler
    if sampler is None or sampler is train:
        return len(train) * (1 if sampler is None else trainer.args.world_size)
    return len(sampler)


@dataclass
class TrainingParts:
    """Components of a training loop.

    Attributes:
        model: The model, on the CPU.
        processor: Its processor.
        train: Training days: a [`SensorDayDataset`] or a [`SensorDayStream`].
        validation: Validation days; `None` if the dataset has no such split.
        collator: Collator of training batches.
        evaluation_collator: Collator of evaluation batches.
        started_from: Contents of `training.json` of the initial model, if any.
    """

    model: Any
    processor: SensorLMProcessor
    train: SensorDayDataset | SensorDayStream
    validation: SensorDayDataset | None
    collator: SensorLMCollator
    evaluation_collator: SensorLMCollator
    started_from: dict[str, Any] | None = None


def prepare(
    options: PretrainOptions,
    output: Path,
    *,
    seed: int = 0,
    batch_size: int = 64,
    num_workers: int = 0,
    rank: int = 0,
    world_size: int = 1,
    resume: bool = False,
    main_process_first: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> TrainingParts:
    """Loads the data, and creates or loads processor and model.

    Args:
        options: Model, data and initialization.
        output: Folder of the run, where the processor is saved.
        seed: Seed of captions, weights and data order.
        batch_size: Days per batch on one process; used for streaming.
        num_workers: Dataloader workers per process; used for streaming.
        rank: Rank of this process.
        world_size: Number of processes.
        resume: Whether to load the processor from `output`.
        main_process_first: Context that runs on the main process before the others.

    Returns:
        The components, identical on every process except for the shards of a stream.

    Raises:
        ValueError: If options contradict each other, the dataset has no training split, or the started processes did
            not form a process group.
    """
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if started != world_size:
        raise ValueError(
            f"{started} processes were started (WORLD_SIZE), but this one is in a process group of {world_size}: each"
            " group would train a separate model and write it to the same folder. To train on CPUs, pass --use_cpu or"
            " Accelerator(cpu=True)."
        )
    set_seed(seed)
    train: SensorDayDataset | SensorDayStream
    validation = None
    if options.streaming:
        train = SensorDayStream(
            options.data, batch_size=batch_size, seed=seed, num_workers=num_workers, rank=rank, world_size=world_size
        )
        rows: Any = train.first_days(options.tokenizer_days)
        with suppress(FileNotFoundError):
            held_out = SensorDayStream(options.data, "validation", batch_size=1, seed=seed)
            validation = SensorDayDataset(held_out.first_days(MAX_STREAMED_VALIDATION))
    else:
        splits = load_sensor_days(options.data, num_proc=options.num_proc)
        if "train" not in splits:
            raise ValueError(f"{options.data} has the splits {', '.join(splits)}, but no `train` split.")
        if options.held_out_activities:
            splits = {name: without_activities(rows, options.held_out_activities) for name, rows in splits.items()}
        rows = splits["train"]
        train = SensorDayDataset(rows)
        validation = SensorDayDataset(splits["validation"]) if splits.get("validation") else None
    # The main process trains and saves the tokenizer; the others load it, so that all have the same vocabulary.
    with main_process_first():
        processor = _processor(options, rows, output if resume or rank > 0 else None, seed)
        if options.init_from is None:
            _new_config(options, processor)  # raises before anything is written
        if rank == 0:
            processor.save_pretrained(output)
    model = _model(options, processor)
    check_pair(model, processor)
    freeze(model, options.freeze)
    collate: dict[str, Any] = {
        "processor": processor,
        "caption_keys": options.caption_keys,
        "max_length": options.max_text_length,
        "seed": seed,
    }
    return TrainingParts(
        model=model,
        processor=processor,
        train=train,
        validation=validation,
        collator=SensorLMCollator(
            **collate,
            modality_dropout=options.modality_dropout,
            device_dropout=options.device_dropout,
            statements=options.statements,
            event_crop=options.event_crop,
            label_rewording=options.label_rewording,
            channel_omission=options.channel_omission,
            draw_per_batch=options.draw_per_batch,
            contrast_only=options.contrast_only if options.objective == "coca" else (),
        ),
        evaluation_collator=SensorLMCollator(**collate, training=False),
        started_from=training_record(options.init_from),
    )


MAX_STREAMED_VALIDATION = 2048
"""Maximum number of validation days that are kept in memory when streaming."""


FREEZABLE = ("sensor", "text")


def freeze(model: Any, parts: Sequence[str]) -> None:
    """Freezes towers.

    Args:
        model: The model.
        parts: `"sensor"`, `"text"` or both. A decoder output layer that is tied to the token embedding is frozen with
            the text tower.

    Raises:
        ValueError: If a part is unknown, or no trainable parameters are left.
    """
    for part in parts:
        if part not in FREEZABLE:
            raise ValueError(f"Only {' and '.join(FREEZABLE)} can be frozen, got {part!r}.")
        getattr(model.base_model, f"{part}_model").requires_grad_(False)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ValueError(f"Freezing {', '.join(parts)} leaves nothing to train.")


def save_model(
    model: Any,
    processor: SensorLMProcessor,
    folder: str | os.PathLike,
    dtype: str | None = None,
    *,
    state_dict: dict[str, torch.Tensor] | None = None,
) -> None:
    """Saves model and processor to a folder, without ever leaving a mixture of two models.

    Everything is written to a subfolder first. Then existing weights are removed, the other files are replaced, and the
    new weights are moved last, so that a process killed in between leaves a folder that does not load.

    Args:
        model: The model; it is not modified.
        processor: Its processor.
        folder: The folder; created if necessary.
        dtype: Data type of the saved weights, such as `"bfloat16"`; by default that of the model.
        state_dict: Full state dict, if the model itself is sharded.

    Raises:
        ValueError: If `dtype` is not a floating-point type of torch, or `folder` is a file.
    """
    folder = Path(folder)
    if folder.is_file():
        raise ValueError(f"`folder` must be a folder, but {str(folder)!r} is a file.")
    saved = model
    kind = _float_type(dtype)
    if kind is not None or state_dict is not None:
        saved = type(model)(copy.deepcopy(model.config))
        saved.load_state_dict(model.state_dict() if state_dict is None else state_dict)
        if model.can_generate():
            saved.generation_config = model.generation_config
        saved = saved.to(model.dtype if kind is None else kind)
    with staged_files(folder, last=lambda path: "safetensors" in path.name) as partial:
        saved.save_pretrained(partial)
        processor.save_pretrained(partial)
        for path in folder.glob("model*.safetensors*"):
            path.unlink()


def model_writer(accelerator: Any, model: Any, parts: TrainingParts) -> Callable[[Path], None]:
    """Gathers the weights of a model in a custom Accelerate training loop. Call it on all processes.

    Args:
        accelerator: The `Accelerator` that prepared the model.
        model: The prepared model.
        parts: Result of [`prepare`].

    Returns:
        A function that saves model and processor to a folder (see [`save_model`]) on the main process and does nothing
        on the others.
    """
    state = restore_scalars(accelerator.get_state_dict(model))

    def write(folder: Path) -> None:
        if accelerator.is_main_process:
            save_model(parts.model, parts.processor, folder, state_dict=state)

    return write


def _float_type(name: str | None) -> torch.dtype | None:
    kind = None if name is None else getattr(torch, name, None)
    if name is not None and not (isinstance(kind, torch.dtype) and kind.is_floating_point):
        raise ValueError(f"`save_dtype` must name a floating-point type such as 'bfloat16', got {name!r}.")
    return kind


def _processor(options: PretrainOptions, rows: Any, saved: Path | None, seed: int) -> SensorLMProcessor:
    source = options.init_from or saved
    if source is not None:
        processor = SensorLMProcessor.from_pretrained(source)
        processor.tokenizer.model_max_length = max(processor.tokenizer.model_max_length, options.max_text_length)
        return processor
    days = SensorDayDataset(rows)
    schema = days[0]["day"].schema
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


def _model(options: PretrainOptions, processor: SensorLMProcessor) -> Any:
    if options.init_from is not None:
        wanted = SensorLMConfig.from_pretrained(options.init_from).to_dict()
        if wanted["text_config"]["language_model_config"] is None:
            wanted["text_config"]["pooling"] = None  # follows from the objective, which may change
        config = SensorLMConfig.from_dict({**wanted, "objective": options.objective, **options.config_overrides})
        model = load_pretrained(options.init_from, config=config, dtype=torch.float32)
        positions = model.config.text_config.max_position_embeddings
        if options.max_text_length > positions:
            untrained = options.lora or "text" in options.freeze
            why = "additional ones would stay untrained" if untrained else "its language model cannot have more"
            if untrained or model.config.text_config.is_language_model:
                raise ValueError(
                    f"`max_text_length` is {options.max_text_length}, but {options.init_from} has positions for"
                    f" {positions} tokens, and {why}."
                )
            model.resize_position_embeddings(options.max_text_length)
        return model
    config = _new_config(options, processor)
    return pretraining_class(config)(config)


def _new_config(options: PretrainOptions, processor: SensorLMProcessor) -> SensorLMConfig:
    extractor, tokenizer = processor.feature_extractor, processor.tokenizer
    return SensorLMConfig.from_size(
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


def _check_same_model(config: SensorLMConfig, checkpoint: Path) -> None:
    """Raises if a checkpoint has another configuration, with a clearer message than that of `load_state_dict`."""
    current, saved = (_flatten(part.to_dict()) for part in (config, SensorLMConfig.from_pretrained(checkpoint)))
    # Top-level values first: the objective explains differences in nested ones.
    names = sorted({*current, *saved}, key=lambda name: (name.count("."), name))
    changed = [name for name in names if current.get(name) != saved.get(name)]
    if changed:
        changes = ", ".join(f"{name} was {saved.get(name)!r} and is {current.get(name)!r}" for name in changed[:3])
        raise ValueError(
            f"{checkpoint} is of a model with another configuration: {changes}{', ...' if len(changed) > 3 else ''}."
            " Resume with the options of the original run, or choose another folder."
        )


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns a flattened configuration, without the values added when saving."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat.update(_flatten(value, f"{prefix}{name}."))
        elif name not in ("architectures", "dtype", "transformers_version", "_name_or_path"):
            flat[f"{prefix}{name}"] = value
    return flat


def _with_lora(model: Any, parts: Sequence[str]) -> Any:
    """Returns the model with LoRA adapters on the given parts."""
    from peft import get_peft_model

    from .lora import lora_config

    return get_peft_model(model, lora_config(model, parts=parts))


def _write_json(path: Path, data: Any) -> None:
    atomic_write_text(path, json.dumps(data, indent=2, default=str) + "\n")
