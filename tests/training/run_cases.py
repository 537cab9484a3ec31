"""Small training runs in subprocesses, for the restart and multi-process tests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
import yaml
from accelerate import DistributedType, PartialState
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils.launch import prepare_multi_gpu_env
from transformers import TrainerCallback, set_seed

from sensorlm_hf.data.collator import SensorDayDataset, SensorLMCollator
from sensorlm_hf.data.simulate import iter_simulated_days
from sensorlm_hf.data.stream import SensorDayStream
from sensorlm_hf.evaluation import ZeroShotCallback
from sensorlm_hf.modeling import SensorLMConfig, pretraining_class
from sensorlm_hf.processing import SensorLMFeatureExtractor, SensorLMProcessor, train_tokenizer
from sensorlm_hf.processing.captions import CaptionBuilder
from sensorlm_hf.training import SensorLMTrainer, SensorLMTrainingArguments
from sensorlm_hf.training.checkpoints import last_complete_checkpoint
from sensorlm_hf.training.fsdp import restore_scalars
from sensorlm_hf.training.losses import unwrap_sensorlm

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from distributed_parity import free_port, start

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "accelerate"
DAYS, EVALUATION_DAYS, LENGTH = 18, 7, 48
KEYS = {"high_level_summary_caption": 0.5, "middle_level_caption": 0.5}


def days(count: int, first_person: int) -> list[Any]:
    """Days of simulated subjects, two per subject."""
    return list(iter_simulated_days(count, seed=5, days_per_person=2, start_person=first_person))


def make_processor(folder: Path) -> None:
    """Saves a processor whose tokenizer is trained on the captions of the training days."""
    rows = days(DAYS, 0)
    texts = [text for key in KEYS for text in CaptionBuilder(rows[0].schema, key=key, seed=0).batch(rows)]
    tokenizer = train_tokenizer(iter(texts), vocab_size=300, max_length=LENGTH)
    SensorLMProcessor(SensorLMFeatureExtractor(schema=rows[0].schema), tokenizer).save_pretrained(folder)


class Terminate(TrainerCallback):
    """Sends SIGTERM during a step, as a scheduler does when the time limit of a job is reached."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step + 1 == self.step:
            os.kill(os.getpid(), signal.SIGTERM)


class Recorder(SensorLMCollator):
    """Records the rows, subjects and epochs that it collated."""

    def __call__(self, items: Any) -> dict[str, torch.Tensor]:
        if items[0] is None:
            return super().__call__(items)
        self.seen.append([(item["day"].sample_id, item["day"].subject_id, item["epoch"]) for item in items])
        return super().__call__(items)


def kill() -> None:
    """Kills the process like `kill -9` or the kernel's out-of-memory killer."""
    os.kill(os.getpid(), signal.SIGKILL)


def run(
    rank: int,
    world: int,
    port: int,
    folder: str,
    processor_folder: str,
    *,
    objective: str = "coca",
    dropout: float = 0.0,
    die: tuple[str, int] | None = None,
    resume: bool = False,
    learning_rate: float = 1e-3,
    poison: int | None = None,
    stream: str | None = None,
    fsdp: bool = False,
    zero_shot: bool = False,
    **arguments: Any,
) -> None:
    """Trains and writes `result-<rank>.pt`: log history, weights and the batches seen.

    Args:
        rank: Rank of this process.
        world: Number of processes.
        port: Port of the rendezvous.
        folder: Output folder of the run.
        processor_folder: The processor of [`make_processor`].
        objective: Objective of the model.
        dropout: Dropout on attention weights.
        die: Where and at which step the run is killed: `"step"`, `"checkpoint"`, `"evaluation"` or `"term"`.
        resume: Whether to resume from the last complete checkpoint.
        learning_rate: Peak learning rate.
        poison: Step at which the loss is NaN.
        stream: Folder of shards to train on instead of the days in memory.
        fsdp: Whether to shard the model according to `configs/accelerate/fsdp2.yaml`.
        zero_shot: Whether evaluations include zero-shot classification.
        arguments: Additional arguments of the trainer.
    """
    torch.set_num_threads(1)
    if world > 1:
        os.environ.update(
            MASTER_ADDR="127.0.0.1",
            MASTER_PORT=str(port),
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            WORLD_SIZE=str(world),
        )
    set_seed(3)
    processor = SensorLMProcessor.from_pretrained(processor_folder)
    config = SensorLMConfig.from_size(
        objective,
        "tiny",
        vocab_size=len(processor.tokenizer),
        max_position_embeddings=LENGTH,
        patch_minutes=60,
        channel_keys=list(processor.feature_extractor.channel_keys),
        hidden_size=16,
        intermediate_size=24,
        num_attention_heads=2,
        num_caption_queries=3,
        attention_dropout=dropout,
        sensor_config={"num_hidden_layers": 1},
        text_config={"num_hidden_layers": 1},
        num_decoder_layers=1,
        bos_token_id=processor.tokenizer.bos_token_id,
        eos_token_id=processor.tokenizer.eos_token_id,
        pad_token_id=processor.tokenizer.pad_token_id,
    )
    values: dict[str, Any] = {
        "num_train_epochs": 2,
        "per_device_train_batch_size": 6 // world,
        "per_device_eval_batch_size": 6 // world,
        "eval_strategy": "steps",
        "eval_steps": 2,
        "save_strategy": "steps",
        "save_steps": 2,
        "save_total_limit": 2,
        "logging_steps": 1,
        "learning_rate": learning_rate,
        "warmup_steps": 1,
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
        **arguments,
    }
    if fsdp:
        values |= {"fsdp": True, "fsdp_config": fsdp_config()}
    settings = SensorLMTrainingArguments(output_dir=folder, **values)
    if fsdp:
        pretend_gpus()
    collate = {"processor": processor, "caption_keys": KEYS, "max_length": LENGTH}
    collator = Recorder(**collate, modality_dropout=0.2, event_crop=0.2, seed=3)
    collator.seen = []
    trainer = Dying(
        model=pretraining_class(config)(config),
        args=settings,
        train_dataset=SensorDayDataset(days(DAYS, 0))
        if stream is None
        else SensorDayStream(stream, batch_size=6 // world, seed=3, rank=rank, world_size=world),
        eval_dataset=SensorDayDataset(days(EVALUATION_DAYS, 100)),
        data_collator=collator,
        evaluation_collator=SensorLMCollator(**collate, seed=3, training=False),
        callbacks=[ZeroShotCallback(processor, days(EVALUATION_DAYS, 100), ["activity"])] if zero_shot else None,
    )
    trainer.die, trainer.poison = die, poison
    if die is not None and die[0] == "term":
        trainer.add_callback(Terminate(die[1]))
    result: dict[str, Any] = {"error": None}
    checkpoint = last_complete_checkpoint(Path(folder)) if resume else None
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except Exception as error:
        result["error"] = f"{type(error).__name__}: {error}"
    weights = {
        name: (tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor).clone()
        for name, tensor in unwrap_sensorlm(trainer.model).state_dict().items()
    }
    result.update(
        history=trainer.state.log_history,
        weights=restore_scalars(weights),
        seen=collator.seen,
        reason=trainer.stops.reason,
        step=trainer.state.global_step,
    )
    torch.save(result, Path(folder) / f"result-{rank}.pt")
    if world > 1:
        torch.distributed.destroy_process_group()


def fsdp_config() -> dict[str, Any]:
    """The `accelerate launch` configuration as trainer arguments."""
    values = yaml.safe_load((CONFIGS / "fsdp2.yaml").read_text())["fsdp_config"]
    return {
        "version": values["fsdp_version"],
        "auto_wrap_policy": values["fsdp_auto_wrap_policy"],
        "transformer_layer_cls_to_wrap": values["fsdp_transformer_layer_cls_to_wrap"].split(","),
        "reshard_after_forward": values["fsdp_reshard_after_forward"],
        "state_dict_type": values["fsdp_state_dict_type"],
        "cpu_ram_efficient_loading": values["fsdp_cpu_ram_efficient_loading"],
    }


def pretend_gpus() -> None:
    """Enables accelerate's FSDP code path, which requires GPUs, although torch can shard on CPUs too."""
    PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU


class Dying(SensorLMTrainer):
    """A trainer that is killed at a given point."""

    die: tuple[str, int] | None = None
    poison: int | None = None

    def is_time(self, where: str, step: int) -> bool:
        return self.die == (where, step)

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **kwargs: Any) -> Any:
        if self.is_time("step" if model.training else "evaluation", self.state.global_step + int(model.training)):
            kill()
        outcome = super().compute_loss(model, inputs, return_outputs, **kwargs)
        if model.training and self.poison == self.state.global_step + 1:
            return outcome * float("nan")
        return outcome

    def _save_rng_state(self, output_dir: str) -> None:
        if self.is_time("checkpoint", self.state.global_step):
            # Weights and optimiser state are on disk; the rest is not.
            kill()
        super()._save_rng_state(output_dir)


def loop(rank: int, world: int, port: int, words: list[str], fsdp: bool, folder: str) -> None:
    """Runs the Accelerate example loop on one of several processes and saves its losses."""
    torch.set_num_threads(1)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world))
    if fsdp:
        # Equivalent to `accelerate launch --config_file configs/accelerate/fsdp2.yaml`.
        parser = launch_command_parser()
        launched = parser.parse_args(["--config_file", str(CONFIGS / "fsdp2.yaml"), "script"])
        launched, *_ = _validate_launch_command(launched)
        environment = prepare_multi_gpu_env(launched)
        os.environ.update({key: value for key, value in environment.items() if "FSDP" in key})
        PartialState(cpu=True)
        pretend_gpus()
    sys.path.insert(0, str(CONFIGS.parents[1] / "examples"))
    import train_accelerate

    (Path(folder) / f"{rank}.json").write_text(json.dumps(train_accelerate.main(words)))


def train(folder: Path, processor: Path, world: int = 1, **options: Any) -> list[dict[str, Any]]:
    """Trains on `world` processes and returns the results of all ranks, or none if the run was killed.

    torch 2.13 occasionally aborts an FSDP2 process on CPU ("malloc(): unaligned tcache chunk detected") for no known
    reason. Such a run is restarted once, with a warning.
    """
    folder.mkdir(exist_ok=True)
    before = {path.name for path in folder.iterdir()}
    for last in (False, True):
        for path in folder.glob("result-*.pt"):
            path.unlink()
        try:
            start(_call, world, world, free_port(), str(folder), str(processor), options)
        except torch.multiprocessing.ProcessExitedException as error:
            if error.signal_name == "SIGABRT" and options.get("fsdp") and not last:
                warnings.warn(f"A process was aborted; the run is begun again: {error}", stacklevel=2)
                for path in folder.iterdir():
                    if path.name not in before:
                        shutil.rmtree(path) if path.is_dir() else path.unlink()
                continue
            if error.signal_name != "SIGKILL":
                raise
        break
    return [torch.load(path, weights_only=False) for path in sorted(folder.glob("result-*.pt"))]


def _call(rank: int, world: int, port: int, folder: str, processor: str, options: dict[str, Any]) -> None:
    run(rank, world, port, folder, processor, **options)


NOT_EXACT = (
    "data_wait",
    "seconds",
    "mfu",
    "days_per_second",
    "eval_runtime",
    "eval_samples_per_second",
    "eval_steps_per_second",
)


def curve(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The log history without timing-dependent values and final summary entries."""
    entries = [entry for entry in result["history"] if "train_loss" not in entry]
    return [{name: value for name, value in entry.items() if name not in NOT_EXACT} for entry in entries]
