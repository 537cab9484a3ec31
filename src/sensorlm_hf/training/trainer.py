"""`SensorLMTrainer`: `transformers.Trainer` with SensorLM's sampling, optimiser, schedule and logged quantities."""

from __future__ import annotations

import time
from typing import Any

import torch
from transformers import Trainer

from ..data.collator import SensorDayDataset
from .sampler import PersonSampler
from .schedule import RsqrtSchedule, parameter_groups

_PARTS = ("contrastive_loss", "caption_loss")


class SensorLMTrainer(Trainer):
    """Trains a [`SensorLMModel`] on a [`SensorDayDataset`] with a [`SensorLMCollator`].

    Beside the loss it logs the two parts of it, the temperature and the seconds since the run began. Everything else is
    `Trainer`: checkpoints, `resume_from_checkpoint`, mixed precision, callbacks.

    Args:
        args: Arguments of `Trainer`.
        evaluation_collator: Collator of evaluation batches, when it is to differ from that of training: the same days
            with the same captions every time, so that the loss can be compared along the run.
        kwargs: Keyword arguments of `Trainer`.

    Raises:
        ValueError: If a contrastive objective is trained on several processes: every process would see only its own
            negatives, and the loss would silently be another one.
    """

    data_collator: Any
    optimizer: Any
    lr_scheduler: Any

    def __init__(self, *args: Any, evaluation_collator: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.evaluation_collator = evaluation_collator
        self._parts: dict[str, list[torch.Tensor]] = {name: [] for name in _PARTS}
        self._began = time.perf_counter()
        self._seconds_before: float | None = None
        objective = getattr(getattr(self.model, "config", None), "objective", None)
        if self.args.world_size > 1 and objective != "cap":
            raise ValueError(
                f"Objective {objective!r} contrasts every day with every caption of the global batch, which"
                f" this release computes on one process only; {self.args.world_size} are running. Train on one process,"
                " or use objective='cap', whose loss has no negatives."
            )

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler | None:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        if not self.args.spread_people or not isinstance(dataset, SensorDayDataset):
            return super()._get_train_sampler(train_dataset)
        batch = self.args.train_batch_size * self.args.world_size
        seed = self.args.data_seed if self.args.data_seed is not None else self.args.seed
        return PersonSampler(dataset.people(), batch, seed=seed)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> torch.utils.data.DataLoader:
        """Returns the loader of evaluation batches, collated by `evaluation_collator` where there is one."""
        if self.evaluation_collator is None:
            return super().get_eval_dataloader(eval_dataset)
        training_collator, self.data_collator = self.data_collator, self.evaluation_collator
        try:
            return super().get_eval_dataloader(eval_dataset)
        finally:
            self.data_collator = training_collator

    def create_optimizer(self, model: torch.nn.Module | None = None) -> torch.optim.Optimizer:
        """Creates the optimiser that the arguments name, with decay on weight matrices only."""
        if self.optimizer is None:
            model = self.model if model is None else model
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

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """Trains; see `Trainer.train`."""
        self._began, self._seconds_before = time.perf_counter(), None
        return super().train(*args, **kwargs)

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

    def compute_loss(
        self, model: torch.nn.Module, inputs: dict[str, Any], return_outputs: bool = False, **kwargs: Any
    ) -> Any:
        """Computes the loss, and keeps its two parts for the next log entry."""
        loss, outputs = super().compute_loss(model, inputs, return_outputs=True, **kwargs)
        if model.training:
            for name in _PARTS:
                value = getattr(outputs, name, None)
                if value is not None:
                    self._parts[name].append(value.detach())
        return (loss, outputs) if return_outputs else loss

    def prediction_step(self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None) -> Any:
        """Evaluates a batch for its loss only; its logits grow with the square of the batch and mean nothing beyond."""
        return super().prediction_step(model, inputs, True, ignore_keys=ignore_keys)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds the parts of the loss, the temperature and the seconds of the whole run to a training log entry."""
        if "loss" in logs:
            logs["seconds"] = round(self._seconds(), 2)
            for name, values in self._parts.items():
                if values:
                    logs[name] = round(torch.stack(values).float().mean().item(), 4)
                    values.clear()
            scale = getattr(self.accelerator.unwrap_model(self.model), "logit_scale", None)
            if scale is not None:
                logs["logit_scale"] = round(float(scale.detach().exp()), 4)
        super().log(logs, start_time)
