"""One pretraining run, from a dataset of days to a model folder."""

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
from ..data.collator import SensorDayDataset, SensorLMCollator, check_drawing
from ..data.folders import load_sensor_days
from ..data.held_out import check_activities, without_activities
from ..data.rewording import all_other_words
from ..data.stream import SensorDayStream
from ..io import atomic_write_text, staged_files
from ..modeling import SensorLMConfig, SensorLMModel
from ..modeling.configuration_sensorlm import OBJECTIVES, SIZES
from ..processing import SensorLMFeatureExtractor, SensorLMProcessor, train_tokenizer
from ..processing.pairing import check_pair
from .arguments import SensorLMTrainingArguments
from .checkpoints import last_whole_checkpoint
from .corpus import tokenizer_corpus
from .distributed import scalars_again
from .trainer import SensorLMTrainer

logger = logging.getLogger(__name__)


_LOSS_WEIGHTS = ("contrastive_loss_weight", "caption_loss_weight")


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
        channel_omission: See [`SensorLMCollator`].
        draw_per_batch: See [`SensorLMCollator`].
        contrast_only: See [`SensorLMCollator`]; at least one key must be left to write if the objective has a decoder.
        held_out_activities: Activities of which training sees no day: neither signals nor captions. Evaluate them as
            unseen classes.
        init_from: Model folder or Hub id to start from: its weights, tokenizer and normalisation are kept. A
            `max_text_length` beyond what it reads gives it further positions, which start at random.
        save_dtype: Type of the saved weights, such as `"bfloat16"`; that of training by default.
        num_proc: Processes that prepare a simulated cohort.
        prompts: Texts added to the tokenizer's corpus.
        streaming: Whether to read the training shards as they are needed rather than to load the dataset first; see
            [`SensorDayStream`].
        lora: Parts that are adapted with LoRA while everything else is frozen: `"sensor"`, `"text"`, `"decoder"`; see
            [`lora_config`]. The adapter is saved beside the merged model, in `adapter/`.
        freeze: Towers that are not trained: `"sensor"`, `"text"`.
        config_overrides: Further values for [`SensorLMConfig.from_size`]. With `init_from`, whose shape is kept, only
            the weights of the losses.

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
    channel_omission: float = 0.0
    draw_per_batch: bool = False
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
        check_drawing(self)
        if self.streaming and self.data.partition(":")[0] == "simulated" and not Path(self.data).exists():
            raise ValueError(
                f"{self.data!r} is made on the spot and has no shards to stream; write it first (sensorlm-hf simulate),"
                " or leave `streaming` out."
            )
        if self.streaming and self.held_out_activities:
            raise ValueError(
                "A stream cannot leave days out, since processes must agree on their number beforehand; write a dataset"
                " without the activities, or leave `streaming` out."
            )
        if self.objective == "cap" and self.contrast_only:
            raise ValueError(
                "Objective 'cap' learns nothing from captions that are not written; leave `contrast_only` out."
            )
        if self.contrast_only and all(key in self.contrast_only for key in self.caption_keys):
            raise ValueError("`contrast_only` names all `caption_keys`; leave one to write, or train 'clip'.")
        if self.lora and self.freeze:
            raise ValueError("`lora` freezes all but its adapters already; leave `freeze` out.")
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
        shaping = [name for name in self.config_overrides if name not in _LOSS_WEIGHTS]
        if self.init_from is not None and shaping:
            raise ValueError(
                f"`config_overrides` ({', '.join(shaping)}) shape a new model; one from `init_from` keeps its own"
                f" shape. It may be given {' and '.join(_LOSS_WEIGHTS)}."
            )
        self.held_out_activities = check_activities(self.held_out_activities)
        # Said now rather than after hours of training.
        _float_type(self.save_dtype)

    def as_json(self) -> dict[str, Any]:
        """Returns the options as JSON reads them back, without the prompts, which the task table holds already."""
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
    """Trains a model and writes a folder that `from_pretrained` and `push_to_hub` take.

    Args:
        options: What to train.
        arguments: How; `arguments.output_dir` takes checkpoints while training and the model at the end.
        resume: Whether to go on from the last whole checkpoint in `output_dir`, if there is one. One that was being
            written when the run was killed is passed over.
        callbacks: Makes further callbacks, such as [`ZeroShotCallback`]s.

    Returns:
        The numbers of the run: losses, seconds, days seen, parameters, and under `started_from` those of the run that
        made the model it began with. They are saved as `training.json` too. A run that stopped early (`--max_hours`,
        SIGTERM) leaves a checkpoint, not a model, and says why under `stopped`.

    Raises:
        ValueError: If the options contradict each other, the dataset lacks a training split, or the run to resume
            trains a model of another shape.
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
    if checkpoint and not options.lora:  # with LoRA it holds the adapter alone
        _check_same_model(model.config, checkpoint)
    if validation is None:
        logger.warning("%s has no `validation` split: no evaluation loss will be shown.", options.data)
        arguments.eval_strategy = "no"
    trainer = SensorLMTrainer(
        model=_adapted(model, options.lora) if options.lora else model,
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
        **trainer.whole_run(),
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
    state = None if options.lora else trainer.whole_state_dict()
    if trainer.is_world_process_zero():
        save_model(model, processor, output, options.save_dtype, state_dict=state)
        _write_json(output / "training.json", metrics)
    return metrics


def _days_of_epoch(trainer: SensorLMTrainer, train: SensorDayDataset | SensorDayStream) -> int:
    """Days that all processes see in an epoch; a stream knows its own share, a sampler the whole."""
    sampler = trainer._get_train_sampler()
    return len(train) * trainer.args.world_size if sampler is None else len(sampler)


@dataclass
class TrainingParts:
    """What a training loop needs, [`SensorLMTrainer`]'s or any other.

    Attributes:
        model: The model, on the CPU.
        processor: Its processor.
        train: Days to train on: a [`SensorDayDataset`] or a [`SensorDayStream`].
        validation: Days to evaluate on; `None` if the dataset has no such split.
        collator: Makes training batches.
        evaluation_collator: Makes evaluation batches.
        started_from: What `training.json` of the model that the run starts from says, if there is one.
    """

    model: SensorLMModel
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
    """Loads the data, and makes or loads processor and model.

    Args:
        options: What to train.
        output: Folder of the run; the processor is written to it.
        seed: Seed of the wording, the weights and the order.
        batch_size: Days in a batch of one process; used when streaming.
        num_workers: Loader workers of each process; used when streaming.
        rank: Number of this process.
        world_size: Number of processes.
        resume: Whether to take the processor from `output`.
        main_process_first: Context in which other processes wait for the first one.

    Returns:
        The parts, the same on every process but for the shards of a stream.

    Raises:
        ValueError: If the options contradict each other, the dataset lacks a training split, or the processes that were
            started have not joined.
    """
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if started != world_size:
        raise ValueError(
            f"{started} processes were started (WORLD_SIZE), but this one trains in a group of {world_size}: each group"
            " would train a model of its own and write it to the same folder. Without a GPU, processes join only when"
            " they are told to use the CPU: --use_cpu, or Accelerator(cpu=True)."
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
            raise ValueError(f"{options.data} has the splits {', '.join(splits)}, but no `train` to train on.")
        if options.held_out_activities:
            splits = {name: without_activities(rows, options.held_out_activities) for name, rows in splits.items()}
        rows = splits["train"]
        train = SensorDayDataset(rows)
        validation = SensorDayDataset(splits["validation"]) if splits.get("validation") else None
    # One process trains the tokenizer and writes it, the others read what it wrote: all must have the same pieces.
    with main_process_first():
        processor = _processor(options, rows, output if resume or rank > 0 else None, seed)
        if options.init_from is None:
            _new_config(options, processor)  # what does not fit is said before anything is written
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
"""Days of a streamed validation split that are held in memory and evaluated."""


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
    folder: str | os.PathLike,
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
        folder: The folder; made if absent.
        dtype: Type of the saved weights, such as `"bfloat16"`.
        state_dict: The weights, where the model itself holds only its process's part of them.

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
        saved.generation_config = model.generation_config
        saved = saved.to(model.dtype if kind is None else kind)
    with staged_files(folder, last=lambda path: "safetensors" in path.name) as partial:
        saved.save_pretrained(partial)
        processor.save_pretrained(partial)
        for path in folder.glob("model*.safetensors*"):
            path.unlink()


def model_writer(accelerator: Any, model: Any, parts: TrainingParts) -> Callable[[Path], None]:
    """Collects the weights of a loop of one's own from all its processes, all of which call it.

    Args:
        accelerator: What prepared the model.
        model: The prepared model, a part of it or all.
        parts: What [`prepare`] gave.

    Returns:
        A function that writes model and processor to a folder, see [`save_model`]; in processes other than the first
        it does nothing.
    """
    state = scalars_again(accelerator.get_state_dict(model))

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


def _model(options: PretrainOptions, processor: SensorLMProcessor) -> SensorLMModel:
    if options.init_from is not None:
        old = SensorLMConfig.from_pretrained(options.init_from)
        wanted = {**old.to_dict(), "objective": options.objective, **options.config_overrides}
        config = SensorLMConfig.from_dict(wanted)
        model = SensorLMModel.from_pretrained(options.init_from, config=config, dtype=torch.float32)
        positions = model.config.text_config.max_position_embeddings
        if options.max_text_length > positions:
            untrained = options.lora or "text" in options.freeze
            why = "this run would not train further ones" if untrained else "its language model has no others"
            if untrained or model.config.text_config.language_model_config is not None:
                raise ValueError(
                    f"`max_text_length` is {options.max_text_length}, but {options.init_from} has positions for"
                    f" {positions} tokens, and {why}; choose no more."
                )
            model.resize_position_embeddings(options.max_text_length)
        return model
    return SensorLMModel(_new_config(options, processor))


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
    """Refuses to load a checkpoint into a model of another shape, which torch would tell tensor by tensor."""
    here, there = (_flat(part.to_dict()) for part in (config, SensorLMConfig.from_pretrained(checkpoint)))
    # What belongs to the whole model first: its objective says more than the values that follow from it.
    names = sorted({*here, *there}, key=lambda name: (name.count("."), name))
    other = [name for name in names if here.get(name) != there.get(name)]
    if other:
        told = ", ".join(f"{name} was {there.get(name)!r} and is {here.get(name)!r}" for name in other[:3])
        raise ValueError(
            f"{checkpoint} is of another model: {told}{', ...' if len(other) > 3 else ''}. Resume with the options with"
            " which the run began, or choose another folder."
        )


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns a nested configuration as one level, without what saving adds."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{name}."))
        elif name not in ("architectures", "dtype", "transformers_version", "_name_or_path"):
            flat[f"{prefix}{name}"] = value
    return flat


def _adapted(model: SensorLMModel, parts: Sequence[str]) -> Any:
    """Returns a model whose parts learn by LoRA."""
    from peft import get_peft_model

    from .lora import lora_config

    return get_peft_model(model, lora_config(model, parts=parts))


def _write_json(path: Path, data: Any) -> None:
    atomic_write_text(path, json.dumps(data, indent=2, default=str) + "\n")
