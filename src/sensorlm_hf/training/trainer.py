"""`SensorLMTrainer`: `transformers.Trainer` with SensorLM's sampling, losses, optimizer, schedule and logging."""

from __future__ import annotations

import logging
import math
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from safetensors import SafetensorError
from transformers import ProgressCallback, Trainer, TrainerCallback
from transformers.trainer_utils import rotate_checkpoints, seed_worker

from ..data.collator import SensorDayDataset
from ..data.stream import SensorDayStream
from ..io import atomic_replace
from ..modeling.losses_sensorlm import default_labels
from .callbacks import GracefulStopCallback, RichProgress
from .cards import complete_trainer_card
from .checkpoints import PARTIAL, checkpoint_write_error, last_checkpoint_message
from .distributed import EvaluationLosses, GlobalLosses, world_size
from .fsdp import prepare_for_fsdp2, restore_scalars
from .grad_cache import cached_backward
from .losses import Losses, clamp_logit_scale, compute_losses, has_caption_loss, unwrap_sensorlm
from .muon import MuonWithAdamW
from .sampler import PersonSampler
from .schedule import RsqrtSchedule, parameter_groups
from .throughput import ForwardFlops, matmul_rate

logger = logging.getLogger(__name__)

_PARTS = ("contrastive_loss", "caption_loss", "statement_loss")


class SensorLMTrainer(Trainer):
    """Trains a [`SensorLMModel`] or [`SensorLMForConditionalGeneration`] on a [`SensorDayDataset`].

    On several processes the loss and all gradients are those of the global batch; see [`GlobalLosses`]. With
    `contrastive_mini_batch_size` a process's batch can be larger than fits in memory; see [`cached_backward`]. In
    addition to the loss, the log contains the contrastive and the caption loss, the temperature, days per second, model
    FLOPs utilization relative to the measured rate of large matrix products (`mfu`), the fraction of time spent waiting
    for data (`data_wait`) and the elapsed seconds. Evaluation adds R@1 within each batch in both directions.

    Checkpoints are written atomically and include the collator's processor. A non-finite loss stops the run. Everything
    else, such as `resume_from_checkpoint`, mixed precision and callbacks, works as in `Trainer`.

    Args:
        args: Positional arguments of `Trainer`.
        evaluation_collator: Collator of evaluation batches; by default that of training. A deterministic one makes
            evaluation losses comparable along the run.
        kwargs: Keyword arguments of `Trainer`. Callbacks with a method `set_trainer` receive the trainer.

    Raises:
        ValueError: If the model has no loss, one process drives several GPUs, `loss_exchange="ring"` is combined with a
            loss other than the sigmoid loss, or cached gradients are combined with DeepSpeed.
    """

    data_collator: Any
    processing_class: Any
    optimizer: Any
    lr_scheduler: Any

    def __init__(self, *args: Any, evaluation_collator: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.model_accepts_loss_kwargs = False  # losses are divided by the tokens of each global micro-batch
        self.evaluation_collator = evaluation_collator
        # Saved with each checkpoint, so that checkpoints can be used for inference.
        self.processing_class = self.processing_class or getattr(self.data_collator, "processor", None)
        self.callback_handler.processing_class = self.processing_class
        self._parts: dict[str, list[torch.Tensor]] = {name: [] for name in _PARTS}
        self._hits: dict[str, list[torch.Tensor]] = {}
        self._start_time = time.perf_counter()
        self._seconds_before: float | None = None
        self._throughput = _Throughput()
        self._flops = ForwardFlops(unwrap_sensorlm(self.model))
        self._sampler: PersonSampler | SensorDayStream | None = None
        self._warned_of_waiting = False
        self._check_setting()
        chunked = self.args.loss_chunk_size is not None
        needs_engine = self.args.world_size > 1 or chunked or self.args.contrastive_mini_batch_size is not None
        self.losses = GlobalLosses(self.args.loss_exchange, self.args.loss_chunk_size) if needs_engine else None
        prepare_for_fsdp2(self.model, self.accelerator)
        self.stops = GracefulStopCallback(self.args.max_hours)
        self.add_callback(self.stops)
        self.add_callback(_SetSamplerEpoch(self))
        self.add_callback(_ClampLogitScale())
        for callback in kwargs.get("callbacks") or ():
            if hasattr(callback, "set_trainer"):
                callback.set_trainer(self)
        if not self.args.disable_tqdm and sys.stderr.isatty():
            self.remove_callback(ProgressCallback)
            self.add_callback(RichProgress())

    def _check_setting(self) -> None:
        has_caption_loss(self.model)  # refuses a model without a loss
        objective = unwrap_sensorlm(self.model).config.objective
        if self.args.n_gpu > 1:
            raise ValueError(
                f"One process drives {self.args.n_gpu} GPUs, so each GPU would only see the negatives in its part of"
                f" the batch. Start one process per GPU (torchrun --nproc_per_node {self.args.n_gpu} ...), or select"
                " a single GPU with CUDA_VISIBLE_DEVICES."
            )
        if self.args.loss_exchange == "ring" and objective != "siglip":
            raise ValueError(
                f"`loss_exchange='ring'` supports the sigmoid loss, which is a sum over texts; objective {objective!r}"
                " needs all texts at once. Use 'gather'."
            )
        if self.args.contrastive_mini_batch_size is not None and self.is_deepspeed_enabled:
            raise ValueError(
                "`contrastive_mini_batch_size` runs several backward passes per step, which DeepSpeed's engine would"
                " count as separate steps. Use DDP or FSDP2."
            )

    # ---- Data

    def get_train_dataloader(self) -> torch.utils.data.DataLoader:
        """Returns the training dataloader.

        With `spread_people` a [`PersonSampler`] orders the days. A [`SensorDayStream`] assigns shards to processes
        itself.
        """
        if isinstance(self.train_dataset, SensorDayStream):
            return self._stream_loader(self.train_dataset)
        if not self.args.spread_people or not isinstance(self.train_dataset, SensorDayDataset):
            return super().get_train_dataloader()
        # Accelerate assigns batches to processes round-robin, so a global batch consists of consecutive rows.
        batch = self.args.train_batch_size * self.args.world_size
        seed = self.args.data_seed if self.args.data_seed is not None else self.args.seed
        self._sampler = PersonSampler(self.train_dataset.people(), batch, seed=seed)
        return self.accelerator.prepare(
            torch.utils.data.DataLoader(
                self.train_dataset,
                batch_size=self.args.train_batch_size,
                sampler=self._sampler,
                drop_last=self.args.dataloader_drop_last,
                worker_init_fn=partial(
                    seed_worker, num_workers=self.args.dataloader_num_workers, rank=self.args.process_index
                ),
                persistent_workers=self.args.dataloader_persistent_workers,
                **self._loader_options(),
            )
        )

    def _loader_options(self) -> dict[str, Any]:
        return {
            "collate_fn": self.data_collator,
            "num_workers": self.args.dataloader_num_workers,
            "pin_memory": self.args.dataloader_pin_memory,
            "prefetch_factor": self.args.dataloader_prefetch_factor,
        }

    def _stream_loader(self, stream: SensorDayStream) -> torch.utils.data.DataLoader:
        made_for = (stream.rank, stream.world_size, stream.batch_size, stream.num_workers)
        wanted = (
            self.args.process_index,
            self.args.world_size,
            self.args.train_batch_size,
            self.args.dataloader_num_workers,
        )
        if made_for != wanted:
            raise ValueError(
                "The stream was created for another setup: its (rank, world_size, batch_size, num_workers) are"
                f" {made_for}, but those of the trainer are {wanted}."
            )
        self._sampler = stream
        return torch.utils.data.DataLoader(stream, batch_size=stream.batch_size, **self._loader_options())

    def get_batch_samples(self, *args: Any, **kwargs: Any) -> Any:
        """Takes the next batches from the dataloader and measures the time for `data_wait`."""
        with self._throughput.waiting():
            return super().get_batch_samples(*args, **kwargs)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> torch.utils.data.DataLoader:
        """Returns the evaluation dataloader, which uses `evaluation_collator` if one is given."""
        if self.evaluation_collator is None:
            return super().get_eval_dataloader(eval_dataset)
        training_collator, self.data_collator = self.data_collator, self.evaluation_collator
        try:
            return super().get_eval_dataloader(eval_dataset)
        finally:
            self.data_collator = training_collator

    # ---- Optimizer and schedule

    def create_optimizer(self, model: torch.nn.Module | None = None) -> torch.optim.Optimizer:
        """Creates the optimizer selected by the arguments, with weight decay on weight matrices only."""
        if self.optimizer is None:
            model = self.model if model is None else model
            if self.args.muon_learning_rate is not None:
                if self.is_fsdp_enabled or self.is_deepspeed_enabled:
                    raise ValueError(
                        "`muon_learning_rate` needs unsharded matrices on every process, but FSDP and DeepSpeed shard"
                        " them. Use DDP, or leave it unset."
                    )
                self.optimizer = MuonWithAdamW(
                    model.named_parameters(),
                    learning_rate=self.args.learning_rate,
                    muon_learning_rate=self.args.muon_learning_rate,
                    weight_decay=self.args.weight_decay,
                    betas=(self.args.adam_beta1, self.args.adam_beta2),
                    eps=self.args.adam_epsilon,
                    rates=self._learning_rates(),
                )
                return self.optimizer
            optimizer_class, options = self.get_optimizer_cls_and_kwargs(self.args, model)
            self.optimizer = optimizer_class(
                parameter_groups(model.named_parameters(), self.args.weight_decay, self._learning_rates()), **options
            )
        return self.optimizer

    def _learning_rates(self) -> dict[str, float]:
        # Adam moves a parameter by its learning rate at most, and these two are single numbers.
        rates = {"statement_logit_": 20 * self.args.learning_rate}
        rate = self.args.language_model_learning_rate
        return rates if rate is None else {**rates, ".language_model.": rate}

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """Creates the learning-rate schedule selected by the arguments."""
        if self.args.schedule != "rsqrt":
            return super().create_scheduler(num_training_steps, optimizer)
        if self.lr_scheduler is None:
            schedule = RsqrtSchedule(
                num_training_steps,
                self.args.get_warmup_steps(num_training_steps),
                int(num_training_steps * self.args.cooldown_ratio),
                self.args.schedule_timescale,
            )
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer or self.optimizer, schedule)
            self._created_lr_scheduler = True
        return self.lr_scheduler

    # ---- Steps

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """Trains the model; see `Trainer.train`.

        Raises:
            FloatingPointError: If the loss is not finite; the message names the last checkpoint.
            OSError: If a checkpoint cannot be written, for example because the disk is full.
        """
        self._start_time, self._seconds_before = time.perf_counter(), None
        self._throughput = _Throughput()
        result = super().train(*args, **kwargs)
        return result._replace(training_loss=result.metrics["train_loss"])

    def training_step(self, model: torch.nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Any:
        """Computes loss and gradients of a batch. A non-finite loss stops the run before the optimizer step.

        Raises:
            FloatingPointError: If the loss is not finite.
        """
        size = self.args.contrastive_mini_batch_size
        self._throughput.add(len(inputs["input_ids"]), self._flops(inputs["input_ids"].shape[1]))
        if size is None or size >= len(inputs["input_ids"]):
            loss = super().training_step(model, inputs, num_items_in_batch)
        else:
            loss = self._cached_step(model, inputs, size)
        finite = torch.isfinite(loss).to(torch.int32)
        if world_size() > 1:
            dist.all_reduce(finite, op=dist.ReduceOp.MIN)
        if not finite.item():
            raise FloatingPointError(
                f"The loss became {float(loss)} in step {self.state.global_step + 1}; its gradients were discarded."
                f" {last_checkpoint_message(Path(self.args.output_dir))} Lower --learning_rate, increase"
                " --warmup_steps, or check the data for extreme values."
            )
        return loss

    def _cached_step(self, model: Any, inputs: dict[str, Any], size: int) -> torch.Tensor:
        model.train()
        steps = self.current_gradient_accumulation_steps
        result = cached_backward(
            model,
            self._prepare_inputs(inputs),
            mini_batch_size=size,
            losses=self.losses,
            backward=lambda loss: self.accelerator.backward(loss / steps),
            no_sync=lambda: self.accelerator.no_sync(model),
            context=self.compute_loss_context_manager,
        )
        self._record_losses(result)
        return result.loss / steps

    def compute_loss(
        self, model: torch.nn.Module, inputs: dict[str, Any], return_outputs: bool = False, **kwargs: Any
    ) -> Any:
        """Computes the loss (on several processes this process's share) and records its parts for the log."""
        if not model.training and world_size() > 1:
            return self._evaluation_loss(model, inputs, return_outputs)
        if self.losses is None or not model.training:
            loss, outputs = super().compute_loss(model, inputs, return_outputs=True, **kwargs)
            parts = Losses(loss, outputs=outputs, **{name: outputs.get(name) for name in _PARTS})
        else:
            parts = compute_losses(model, inputs, self.losses)
        if model.training:
            self._record_losses(parts)
        else:
            self._count_hits(parts.outputs, inputs.get("text_group_ids"), EvaluationLosses())
        return (parts.loss, parts.outputs) if return_outputs else parts.loss

    def _evaluation_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool) -> Any:
        """Computes the loss of the global batch without padding rows, as a single process would."""
        loader = self.accelerator.gradient_state
        rows = loader.remainder if loader.end_of_dataloader and loader.remainder > 0 else None
        losses = EvaluationLosses(rows)
        if has_caption_loss(model):
            labels = inputs.get("labels")
            if labels is None:
                labels = default_labels(inputs["input_ids"], inputs.get("attention_mask"))
            real = losses.is_real(len(labels)).to(labels.device)
            inputs = {**inputs, "labels": labels.masked_fill(~real[:, None], -100)}
        result = compute_losses(model, inputs, losses)
        self._count_hits(result.outputs, inputs.get("text_group_ids"), losses)
        return (result.loss, result.outputs) if return_outputs else result.loss

    def _record_losses(self, outputs: Any) -> None:
        for name in _PARTS:
            value = getattr(outputs, name, None)
            if value is not None:
                self._parts[name].append(value.detach())

    def _count_hits(self, outputs: Any, groups: torch.Tensor | None, batch: EvaluationLosses) -> None:
        """Records R@1 hits of the global batch: rows whose nearest neighbor is in their own group."""
        sensor, text = getattr(outputs, "sensor_embeds", None), getattr(outputs, "text_embeds", None)
        if sensor is None or text is None:
            return
        cosines = batch.gathered(sensor.float()) @ batch.gathered(text.float()).T
        own = torch.arange(len(cosines), device=cosines.device) if groups is None else batch.gathered(groups)
        for name, scores in (("sensor_to_text", cosines), ("text_to_sensor", cosines.T)):
            self._hits.setdefault(name, []).append(own[scores.argmax(dim=1)] == own)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Evaluates; see `Trainer.evaluate`. Adds R@1 within batches, e.g. `eval_r1_sensor_to_text`."""
        with self._throughput.paused():
            return super().evaluate(*args, **kwargs)

    def prediction_step(self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None) -> Any:
        """Evaluates a batch without keeping logits, whose size grows quadratically with the batch."""
        return super().prediction_step(model, inputs, True, ignore_keys=ignore_keys)

    # ---- Logging

    def run_metrics(self) -> dict[str, float]:
        """Returns `train_loss` and `train_runtime` of the run, including the time before it was resumed.

        `Trainer` divides the loss accumulated since the last start by the number of steps since the first.

        Returns:
            The mean of the logged losses weighted by their number of steps, and the training time in seconds, without
            steps that were lost in an interruption. Empty if no loss was logged.
        """
        entries = [entry for entry in self.state.log_history if "loss" in entry]
        if not entries:
            return {}
        steps = [entry["step"] for entry in entries]
        weights = [now - before for before, now in zip([0, *steps], steps, strict=False)]
        loss = sum(weight * entry["loss"] for weight, entry in zip(weights, entries, strict=True)) / steps[-1]
        return {"train_loss": loss, "train_runtime": round(self._seconds(), 2)}

    def _seconds(self) -> float:
        if self._seconds_before is None:
            # At the first call after a start, the history is that of the checkpoint.
            self._seconds_before = max([entry.get("seconds", 0.0) for entry in self.state.log_history], default=0.0)
        return self._seconds_before + time.perf_counter() - self._start_time

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds parts of the loss, temperature, throughput and R@1 to training and evaluation logs."""
        if "loss" in logs:
            logs["seconds"] = round(self._seconds(), 2)
            for name, values in self._parts.items():
                if values:
                    logs[name] = round(self._mean_over_processes(torch.stack(values).float().mean()), 4)
                    values.clear()
            scale = unwrap_sensorlm(self.model).base_model.logit_scale
            if scale is not None:
                full = scale.full_tensor() if hasattr(scale, "full_tensor") else scale
                logs["logit_scale"] = round(float(full.detach().exp()), 4)
            logs.update(self._throughput.rates(self.args.device, self._compute_type(), self.args.world_size))
            if logs["data_wait"] > 0.2 and not self._warned_of_waiting:
                self._warned_of_waiting = True
                logger.warning(
                    "Training waits for data %.0f %% of the time; increase --dataloader_num_workers (now %d).",
                    100 * logs["data_wait"],
                    self.args.dataloader_num_workers,
                )
        if "train_loss" in logs:
            # `Trainer` does not reduce the losses since the last log entry over processes.
            logs["train_loss"] = self._mean_over_processes(torch.tensor(logs["train_loss"], device=self.args.device))
        evaluated = next(
            (name for name in logs if name.endswith("_loss") and name not in (*_PARTS, "train_loss")), None
        )
        if evaluated is not None:
            prefix = evaluated.removesuffix("loss")
            for name, hits in self._hits.items():
                logs[f"{prefix}r1_{name}"] = round(torch.cat(hits).float().mean().item(), 4)
            self._hits.clear()
        super().log(logs, start_time)

    def _mean_over_processes(self, number: torch.Tensor) -> float:
        number = number.detach().clone()
        if world_size() > 1:
            dist.all_reduce(number)
        return number.item() / world_size()

    def _compute_type(self) -> torch.dtype:
        return torch.bfloat16 if self.args.bf16 else torch.float16 if self.args.fp16 else torch.float32

    # ---- Checkpoints

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Writes a checkpoint to a temporary folder and renames it, so that checkpoints are always complete.

        `Trainer` has no public hook for writing checkpoints.
        """
        with self._throughput.paused():
            run = Path(self._get_output_dir(trial))
            target = run / f"checkpoint-{self.state.global_step}"
            if self.args.should_save:
                shutil.rmtree(run / PARTIAL, ignore_errors=True)
            self.accelerator.wait_for_everyone()
            before = self.state.best_model_checkpoint
            try:
                with self._redirect_output(run / PARTIAL):
                    super()._save_checkpoint(model, trial)
                    written = Path(self._get_output_dir(trial)) / target.name
                self.accelerator.wait_for_everyone()
                if self.args.should_save:
                    best = run / f"checkpoint-{self.state.best_global_step}"
                    exists = best == target or best.exists()
                    self.state.best_model_checkpoint = str(best) if self.state.best_global_step and exists else before
                    self.state.save_to_json(str(written / "trainer_state.json"))
                    atomic_replace(written, target)
            except (OSError, RuntimeError, SafetensorError) as error:
                # torch raises RuntimeError for a full disk, safetensors its own error.
                shutil.rmtree(run / PARTIAL, ignore_errors=True)
                raise checkpoint_write_error(target, error) from error
            if self.args.should_save:
                shutil.rmtree(run / PARTIAL, ignore_errors=True)
                rotate_checkpoints(
                    output_dir=str(run),
                    save_total_limit=self.args.save_total_limit,
                    best_model_checkpoint=self.state.best_model_checkpoint,
                    use_mtime=True,
                )
            self.accelerator.wait_for_everyone()
            if self.args.push_to_hub:
                self._push_from_checkpoint(str(target))

    @contextmanager
    def _redirect_output(self, folder: Path) -> Iterator[None]:
        """Makes `Trainer` write to another folder without pushing to the Hub."""
        before = self.args.output_dir, self.args.push_to_hub
        self.args.output_dir, self.args.push_to_hub = str(folder), False
        try:
            yield
        finally:
            self.args.output_dir, self.args.push_to_hub = before

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        super()._save(output_dir, None if state_dict is None else restore_scalars(state_dict))

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Writes the card that `push_to_hub` uploads: that of `Trainer`, with the Hub's metadata for these models.

        Args:
            args: Positional arguments of `Trainer.create_model_card`.
            kwargs: Its keyword arguments, such as `license` and `dataset`.
        """
        super().create_model_card(*args, **kwargs)
        if self.is_world_process_zero():
            complete_trainer_card(Path(self.args.output_dir) / "README.md", unwrap_sensorlm(self.model).config)

    def full_state_dict(self) -> dict[str, torch.Tensor] | None:
        """Returns the state dict for saving, gathered if FSDP shards the model. Call it on all processes.

        Returns:
            The state dict; with FSDP `None` on all processes except the main one.
        """
        if self.is_fsdp_enabled:
            state = self.accelerator.get_state_dict(self.model_wrapped)
            return restore_scalars(state) if self.args.should_save else None
        return dict(unwrap_sensorlm(self.model).state_dict())


class _ClampLogitScale(TrainerCallback):
    """Clamps the temperature after each optimizer step."""

    def on_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        clamp_logit_scale(model)


class _SetSamplerEpoch(TrainerCallback):
    """Sets the epoch of the sampler, which `accelerate` does through some of its wrappers only."""

    def __init__(self, trainer: SensorLMTrainer) -> None:
        self._trainer = trainer

    def on_epoch_begin(self, args: Any, state: Any, control: Any, train_dataloader: Any = None, **kwargs: Any) -> None:
        sampler, epoch = self._trainer._sampler, math.floor((state.epoch or 0) + 1e-6)
        if sampler is None:
            return
        sampler.set_epoch(epoch)
        if isinstance(sampler, SensorDayStream) and not args.ignore_data_skip:
            # `Trainer` skips the batches before the checkpoint by iterating over them; they need not be read.
            batches = len(sampler) // sampler.batch_size
            steps = -(-batches // args.gradient_accumulation_steps)
            done = (state.global_step - epoch * steps) * args.gradient_accumulation_steps
            sampler.skip_batches(min(max(0, done), batches))


class _Throughput:
    """Throughput since the last log entry."""

    def __init__(self) -> None:
        self._since = time.perf_counter()
        self._days, self._flops, self._waited = 0, 0.0, 0.0

    def add(self, days: int, forward_flops: float) -> None:
        """Adds a batch; a backward pass takes twice the FLOPs of a forward pass."""
        self._days += days
        self._flops += 3 * days * forward_flops

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Counts the enclosed time as waiting for data."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._waited += time.perf_counter() - start

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Excludes the enclosed time from the training time."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._since += time.perf_counter() - start

    def rates(self, device: torch.device, dtype: torch.dtype, processes: int) -> dict[str, float]:
        """Returns `days_per_second` of all processes, `mfu` and `data_wait` of this one, and resets the counters."""
        seconds = time.perf_counter() - self._since
        rates = {
            "days_per_second": round(self._days * processes / seconds, 2),
            "mfu": round(self._flops / seconds / matmul_rate(device, dtype), 4),
            "data_wait": round(self._waited / seconds, 4),
        }
        self._since = time.perf_counter()
        self._days, self._flops, self._waited = 0, 0.0, 0.0
        return rates
