"""`SensorLMTrainer`: `transformers.Trainer` with SensorLM's sampling, losses, optimiser, schedule and logs."""

from __future__ import annotations

import logging
import math
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from safetensors import SafetensorError
from transformers import ProgressCallback, Trainer, TrainerCallback
from transformers.trainer_utils import rotate_checkpoints

from ..data.collator import SensorDayDataset
from ..data.stream import SensorDayStream
from ..io import atomic_replace
from .callbacks import RichProgress, SavingStops
from .checkpoints import PARTIAL, last_good_state, writing_failed
from .distributed import (
    GlobalLosses,
    WholeBatchLosses,
    losses_by,
    ready_for_fsdp2,
    scalars_again,
    sensorlm_of,
    world_size,
)
from .grad_cache import cached_backward
from .muon import MuonWithAdamW
from .sampler import PersonSampler
from .schedule import RsqrtSchedule, parameter_groups
from .throughput import ForwardFlops, matmul_rate

logger = logging.getLogger(__name__)

_PARTS = ("contrastive_loss", "caption_loss")


class SensorLMTrainer(Trainer):
    """Trains a [`SensorLMModel`] on a [`SensorDayDataset`] with a [`SensorLMCollator`].

    On several processes the contrastive loss is that of the global batch, and so is every gradient; see
    [`GlobalLosses`]. With `contrastive_mini_batch_size` a process's batch may be larger than its memory; see
    [`cached_backward`]. Beside the loss it logs the two parts of it, the temperature, days per second, the share of the
    device's matrix-product rate that the model uses (`mfu`), the share of the time spent waiting for data (`data_wait`)
    and the seconds since the run began; an evaluation gives R@1 within its batches, both ways. Checkpoints are whole or
    not there, and hold the collator's processor beside the model; a loss that is not finite ends the run. Everything
    else is `Trainer`: `resume_from_checkpoint`, mixed precision, callbacks.

    Args:
        args: Arguments of `Trainer`.
        evaluation_collator: Collator of evaluation batches, when it is to differ from that of training: the same days
            with the same captions every time, so that the loss can be compared along the run.
        kwargs: Keyword arguments of `Trainer`. Callbacks with a method `set_trainer` are given the trainer.

    Raises:
        ValueError: If one process drives several GPUs (every GPU would see only its own negatives), the ring is asked
            for with another loss than the sigmoid one, or cached gradients with DeepSpeed.
    """

    data_collator: Any
    processing_class: Any
    optimizer: Any
    lr_scheduler: Any

    def __init__(self, *args: Any, evaluation_collator: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.evaluation_collator = evaluation_collator
        # A checkpoint without it could be loaded, but not fed.
        self.processing_class = self.processing_class or getattr(self.data_collator, "processor", None)
        self.callback_handler.processing_class = self.processing_class
        self._parts: dict[str, list[torch.Tensor]] = {name: [] for name in _PARTS}
        self._hits: dict[str, list[torch.Tensor]] = {}
        self._began = time.perf_counter()
        self._seconds_before: float | None = None
        self._work = _Work()
        self._flops = ForwardFlops(sensorlm_of(self.model))
        self._sampler: PersonSampler | SensorDayStream | None = None
        self._redirected: str | None = None
        self._warned_of_waiting = False
        self._check_setting()
        chunked = self.args.loss_chunk_size is not None
        needs_engine = self.args.world_size > 1 or chunked or self.args.contrastive_mini_batch_size is not None
        self.losses = GlobalLosses(self.args.loss_exchange, self.args.loss_chunk_size) if needs_engine else None
        ready_for_fsdp2(self.model, self.accelerator)
        self.stops = SavingStops(self.args.max_hours)
        self.add_callback(self.stops)
        self.add_callback(_EpochOfSampler(self))
        for callback in kwargs.get("callbacks") or ():
            if hasattr(callback, "set_trainer"):
                callback.set_trainer(self)
        if not self.args.disable_tqdm and sys.stderr.isatty():
            self.remove_callback(ProgressCallback)
            self.add_callback(RichProgress())

    def _check_setting(self) -> None:
        objective = sensorlm_of(self.model).config.objective
        if self.args.n_gpu > 1:
            raise ValueError(
                f"One process drives {self.args.n_gpu} GPUs, so that each of them would see only its own negatives."
                f" Start one process for each: torchrun --nproc_per_node {self.args.n_gpu} ..., or choose one GPU with"
                " CUDA_VISIBLE_DEVICES."
            )
        if self.args.loss_exchange == "ring" and objective != "siglip":
            raise ValueError(
                f"`loss_exchange='ring'` is for the sigmoid loss, which is a sum over texts; objective {objective!r}"
                " needs all texts at once. Use 'gather'."
            )
        if self.args.contrastive_mini_batch_size is not None and self.is_deepspeed_enabled:
            raise ValueError(
                "`contrastive_mini_batch_size` runs several backward passes in one step, which DeepSpeed's engine takes"
                " for steps of their own. Use DDP or FSDP2."
            )

    # ---- Data

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler | None:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        if not self.args.spread_people or not isinstance(dataset, SensorDayDataset):
            return super()._get_train_sampler(train_dataset)
        # Accelerate deals whole batches to the processes in turn, so one global batch is that many rows in sequence.
        batch = self.args.train_batch_size * self.args.world_size
        seed = self.args.data_seed if self.args.data_seed is not None else self.args.seed
        self._sampler = PersonSampler(dataset.people(), batch, seed=seed)
        return self._sampler

    def get_train_dataloader(self) -> torch.utils.data.DataLoader:
        """Returns the loader of training batches; a [`SensorDayStream`] deals out its shards to processes itself."""
        stream = self.train_dataset
        if not isinstance(stream, SensorDayStream):
            return super().get_train_dataloader()
        here = (stream.rank, stream.world_size, stream.batch_size, stream.num_workers)
        wanted = (
            self.args.process_index,
            self.args.world_size,
            self.args.train_batch_size,
            self.args.dataloader_num_workers,
        )
        if here != wanted:
            raise ValueError(
                "The stream was made for another run: (rank, world_size, batch_size, num_workers) are"
                f" {here}, but the trainer has {wanted}."
            )
        self._sampler = stream
        return torch.utils.data.DataLoader(
            stream,
            batch_size=stream.batch_size,
            collate_fn=self.data_collator,
            num_workers=stream.num_workers,
            pin_memory=self.args.dataloader_pin_memory,
            prefetch_factor=self.args.dataloader_prefetch_factor,
        )

    def get_batch_samples(self, *args: Any, **kwargs: Any) -> Any:
        """Takes the next batches from the loader; the time that takes is logged as `data_wait`."""
        with self._work.waiting():
            return super().get_batch_samples(*args, **kwargs)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> torch.utils.data.DataLoader:
        """Returns the loader of evaluation batches, collated by `evaluation_collator` where there is one."""
        if self.evaluation_collator is None:
            return super().get_eval_dataloader(eval_dataset)
        training_collator, self.data_collator = self.data_collator, self.evaluation_collator
        try:
            return super().get_eval_dataloader(eval_dataset)
        finally:
            self.data_collator = training_collator

    # ---- Optimiser and schedule

    def create_optimizer(self, model: torch.nn.Module | None = None) -> torch.optim.Optimizer:
        """Creates the optimiser that the arguments name, with decay on weight matrices only."""
        if self.optimizer is None:
            model = self.model if model is None else model
            if self.args.muon_learning_rate is not None:
                if self.is_fsdp_enabled or self.is_deepspeed_enabled:
                    raise ValueError(
                        "`muon_learning_rate` needs whole matrices on every process, but FSDP and DeepSpeed cut them"
                        " up; use DDP, or leave it out."
                    )
                self.optimizer = MuonWithAdamW(
                    model.named_parameters(),
                    learning_rate=self.args.learning_rate,
                    muon_learning_rate=self.args.muon_learning_rate,
                    weight_decay=self.args.weight_decay,
                    betas=(self.args.adam_beta1, self.args.adam_beta2),
                    eps=self.args.adam_epsilon,
                )
                return self.optimizer
            optimizer_class, options = self.get_optimizer_cls_and_kwargs(self.args, model)
            self.optimizer = optimizer_class(
                parameter_groups(model.named_parameters(), self.args.weight_decay), **options
            )
        return self.optimizer

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """Creates the schedule that the arguments name."""
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
        """Trains; see `Trainer.train`.

        Raises:
            FloatingPointError: If the loss is not finite; the message names the last good state.
            OSError: If a checkpoint cannot be written, for example because the disk is full.
        """
        self._began, self._seconds_before = time.perf_counter(), None
        self._work = _Work()
        return super().train(*args, **kwargs)

    def _finalize_training(self, *args: Any, **kwargs: Any) -> Any:
        # `Trainer` adds up the losses since the last log entry without the other processes' shares.
        self._tr_loss.fill_(self._mean_over_processes(self._tr_loss))
        return super()._finalize_training(*args, **kwargs)

    def training_step(self, model: torch.nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Any:
        """Computes the loss of a batch and its gradients; a loss that is not finite ends the run before they are used.

        Raises:
            FloatingPointError: If the loss is not finite.
        """
        size = self.args.contrastive_mini_batch_size
        self._work.add(len(inputs["input_ids"]), self._flops(inputs["input_ids"].shape[1]))
        if size is None or size >= len(inputs["input_ids"]):
            loss = super().training_step(model, inputs, num_items_in_batch)
        else:
            loss = self._cached_step(model, inputs, size)
        finite = torch.isfinite(loss).to(torch.int32)
        if world_size() > 1:
            dist.all_reduce(finite, op=dist.ReduceOp.MIN)
        if not finite.item():
            raise FloatingPointError(
                f"The loss became {float(loss)} in step {self.state.global_step + 1}; its gradients were not used."
                f" {last_good_state(Path(self.args.output_dir))} Lower --learning_rate, lengthen --warmup_steps, or"
                " look for days with extreme values."
            )
        return loss

    def _cached_step(self, model: Any, inputs: dict[str, Any], size: int) -> torch.Tensor:
        model.train()
        steps = self.current_gradient_accumulation_steps
        outcome = cached_backward(
            model,
            self._prepare_inputs(inputs),
            mini_batch_size=size,
            losses=self.losses,
            backward=lambda loss: self.accelerator.backward(loss / steps),
            no_sync=lambda: self.accelerator.no_sync(model),
            context=self.compute_loss_context_manager,
        )
        self._keep_parts(outcome)
        return outcome.loss / steps

    def compute_loss(
        self, model: torch.nn.Module, inputs: dict[str, Any], return_outputs: bool = False, **kwargs: Any
    ) -> Any:
        """Computes the loss (on several processes this one's share), and keeps its two parts for the next log entry."""
        if not model.training and world_size() > 1:
            return self._evaluation_loss(model, inputs, return_outputs)
        with losses_by(self.losses, model):
            loss, outputs = super().compute_loss(model, inputs, return_outputs=True, **kwargs)
        if model.training:
            self._keep_parts(outputs)
        else:
            self._count_hits(outputs, inputs.get("text_group_ids"), WholeBatchLosses())
        return (loss, outputs) if return_outputs else loss

    def _evaluation_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool) -> Any:
        """The loss of the global batch without the rows that fill it up, as one process would compute it."""
        loader = self.accelerator.gradient_state
        rows = loader.remainder if loader.end_of_dataloader and loader.remainder > 0 else None
        whole = WholeBatchLosses(rows)
        if sensorlm_of(model).config.is_generative:
            labels = inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, -100)
            real = whole.is_real(len(labels)).to(labels.device)
            inputs = {**inputs, "labels": labels.masked_fill(~real[:, None], -100)}
        with losses_by(whole, model):
            loss, outputs = super().compute_loss(model, inputs, return_outputs=True)
        self._count_hits(outputs, inputs.get("text_group_ids"), whole)
        return (loss, outputs) if return_outputs else loss

    def _keep_parts(self, outputs: Any) -> None:
        for name in _PARTS:
            value = getattr(outputs, name, None)
            if value is not None:
                self._parts[name].append(value.detach())

    def _count_hits(self, outputs: Any, groups: torch.Tensor | None, batch: WholeBatchLosses) -> None:
        """Counts which days of the global batch find a caption of theirs first, and which captions their day."""
        sensor, text = getattr(outputs, "sensor_embeds", None), getattr(outputs, "text_embeds", None)
        if sensor is None or text is None:
            return
        cosines = batch.gathered(sensor.float()) @ batch.gathered(text.float()).T
        own = torch.arange(len(cosines), device=cosines.device) if groups is None else batch.gathered(groups)
        for name, scores in (("sensor_to_text", cosines), ("text_to_sensor", cosines.T)):
            self._hits.setdefault(name, []).append(own[scores.argmax(dim=1)] == own)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Evaluates; see `Trainer.evaluate`. Adds R@1 within the batches, `eval_r1_sensor_to_text` and back."""
        with self._work.paused():
            return super().evaluate(*args, **kwargs)

    def prediction_step(self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None) -> Any:
        """Evaluates a batch for its loss only; its logits grow with the square of the batch and mean nothing beyond."""
        return super().prediction_step(model, inputs, True, ignore_keys=ignore_keys)

    # ---- Logging

    def whole_run(self) -> dict[str, float]:
        """Returns `train_loss` and `train_runtime` of a run, with the parts before it was resumed.

        `Trainer` itself divides the loss since the last start by the steps since the first.

        Returns:
            The mean over the logged losses, each weighted with its steps, and seconds up to the last checkpoint before
            each interruption and from there to the end. Nothing if no loss was logged.
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
            # On the first entry after a start, the history holds what the checkpoint brought along.
            self._seconds_before = max([entry.get("seconds", 0.0) for entry in self.state.log_history], default=0.0)
        return self._seconds_before + time.perf_counter() - self._began

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds what a training or evaluation entry lacks: parts of the loss, temperature, speed, R@1."""
        if "loss" in logs:
            logs["seconds"] = round(self._seconds(), 2)
            for name, values in self._parts.items():
                if values:
                    logs[name] = round(self._mean_over_processes(torch.stack(values).float().mean()), 4)
                    values.clear()
            scale = getattr(sensorlm_of(self.model), "logit_scale", None)
            if scale is not None:
                whole = scale.full_tensor() if hasattr(scale, "full_tensor") else scale
                logs["logit_scale"] = round(float(whole.detach().exp()), 4)
            logs.update(self._work.rates(self.args.device, self._compute_type(), self.args.world_size))
            if logs["data_wait"] > 0.2 and not self._warned_of_waiting:
                self._warned_of_waiting = True
                logger.warning(
                    "Training waits for data %.0f %% of the time; raise --dataloader_num_workers (now %d).",
                    100 * logs["data_wait"],
                    self.args.dataloader_num_workers,
                )
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

    def _get_output_dir(self, trial: Any) -> str:
        return super()._get_output_dir(trial) if self._redirected is None else self._redirected

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        with self._work.paused():
            self._save_whole_checkpoint(model, trial)

    def _save_whole_checkpoint(self, model: Any, trial: Any) -> None:
        """Writes a checkpoint under another name and renames it, so that it is whole or not there."""
        run = Path(self._get_output_dir(trial))
        target = run / f"checkpoint-{self.state.global_step}"
        written = run / PARTIAL / target.name
        if self.args.should_save:
            shutil.rmtree(run / PARTIAL, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        before = self.state.best_model_checkpoint
        self._redirected = str(run / PARTIAL)
        try:
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                best = run / f"checkpoint-{self.state.best_global_step}"
                is_there = best == target or best.exists()
                self.state.best_model_checkpoint = str(best) if self.state.best_global_step and is_there else before
                self.state.save_to_json(str(written / "trainer_state.json"))
                atomic_replace(written, target)
        except (OSError, RuntimeError, SafetensorError) as error:
            # torch reports a full disk as a RuntimeError, safetensors as an error of its own.
            shutil.rmtree(run / PARTIAL, ignore_errors=True)
            raise writing_failed(target, error) from error
        finally:
            self._redirected = None
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
            super()._push_from_checkpoint(str(target))

    def _push_from_checkpoint(self, checkpoint_folder: str) -> None:
        """Does nothing: what is being written is pushed once it has its name."""

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        super()._save(output_dir, None if state_dict is None else scalars_again(state_dict))

    def whole_state_dict(self) -> dict[str, torch.Tensor] | None:
        """Returns the weights for saving, gathered where FSDP shards them; call it on all processes.

        Returns:
            Weights by name on the main process; with FSDP nothing on others.
        """
        if self.is_fsdp_enabled:
            state = self.accelerator.get_state_dict(self.model_wrapped)
            return scalars_again(state) if self.args.should_save else None
        return dict(sensorlm_of(self.model).state_dict())


class _EpochOfSampler(TrainerCallback):
    """Tells the sampler its epoch; `accelerate` reaches it only through some of its wrappers."""

    def __init__(self, trainer: SensorLMTrainer) -> None:
        self._trainer = trainer

    def on_epoch_begin(self, args: Any, state: Any, control: Any, train_dataloader: Any = None, **kwargs: Any) -> None:
        sampler, epoch = self._trainer._sampler, math.floor((state.epoch or 0) + 1e-6)
        if sampler is None:
            return
        sampler.set_epoch(epoch)
        if isinstance(sampler, SensorDayStream) and not args.ignore_data_skip:
            # `Trainer` takes the batches before the checkpoint from the loader and drops them; they need not be read.
            batches = len(sampler) // sampler.batch_size
            steps = -(-batches // args.gradient_accumulation_steps)
            done = (state.global_step - epoch * steps) * args.gradient_accumulation_steps
            sampler.skip_batches(min(max(0, done), batches))


class _Work:
    """Days and operations since the last log entry, and what they come to in a second of training."""

    def __init__(self) -> None:
        self._since = time.perf_counter()
        self._days, self._flops, self._waited = 0, 0.0, 0.0

    def add(self, days: int, forward_flops: float) -> None:
        """Counts a batch; a backward pass is twice the work of a forward pass."""
        self._days += days
        self._flops += 3 * days * forward_flops

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Counts the time of something as waiting for data."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._waited += time.perf_counter() - began

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leaves out the time of something that is not training."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._since += time.perf_counter() - began

    def rates(self, device: torch.device, dtype: torch.dtype, processes: int) -> dict[str, float]:
        """Returns `days_per_second` of all processes, `mfu` and `data_wait` of this one, and begins anew."""
        seconds = time.perf_counter() - self._since
        rates = {
            "days_per_second": round(self._days * processes / seconds, 2),
            "mfu": round(self._flops / seconds / matmul_rate(device, dtype), 4),
            "data_wait": round(self._waited / seconds, 4),
        }
        self._since = time.perf_counter()
        self._days, self._flops, self._waited = 0, 0.0, 0.0
        return rates
