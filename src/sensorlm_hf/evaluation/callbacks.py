"""Zero-shot scores during training."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch.distributed as dist
from transformers import TrainerCallback

from ..days import SensorDay
from ..modeling import pretraining_class
from .encode import encode_days
from .tasks import Task, get_task
from .zero_shot import evaluate_zero_shot

SCORES = ("auroc", "f1", "balanced_accuracy")


class ZeroShotCallback(TrainerCallback):
    """Scores zero-shot classification of held-out days after each evaluation of a trainer.

    The scores are logged as `eval_zero_shot_<task>_auroc` and so on, together with the evaluation loss, and added to
    the metrics of the evaluation, so that `metric_for_best_model` can name one of them. With several processes the
    first one computes them, with the full weights under FSDP, while the others wait; all of them receive the scores.

    Args:
        processor: The processor of the model in training.
        days: Held-out days with labels.
        tasks: Tasks or task names.
        batch_size: Number of days per batch.
        max_days: Use at most this many days.

    Raises:
        ValueError: If a task is unknown or labels none of the days.

    Example:
        >>> trainer.add_callback(ZeroShotCallback(processor, days, ["activity"]))  # doctest: +SKIP
    """

    def __init__(
        self,
        processor: Any,
        days: Sequence[SensorDay],
        tasks: Sequence[Task | str] = ("activity",),
        *,
        batch_size: int = 64,
        max_days: int = 512,
    ) -> None:
        self.processor = processor
        self.days = [days[i] for i in range(min(len(days), max_days))]
        self.tasks = [task if isinstance(task, Task) else get_task(task) for task in tasks]
        self.batch_size = batch_size
        for task in self.tasks:
            if not any(task.class_of(day) is not None for day in self.days):
                raise ValueError(
                    f"None of the {len(self.days)} held-out days has a label for task {task.name!r}, which uses"
                    f" labels[{task.label_key!r}]. Omit the task, or pass labelled days."
                )
        self._trainer: Any = None

    def set_trainer(self, trainer: Any) -> None:
        """Sets the trainer that logs the scores.

        Raises:
            ValueError: If its model has no text embedding to compare with.
        """
        objective = getattr(getattr(trainer.model, "config", None), "objective", None)
        if objective == "cap":
            raise ValueError(
                "Objective 'cap' has no text embedding to compare days with. Remove this callback, and score texts with"
                " `model.score_text` after training."
            )
        self._trainer = trainer

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: dict[str, float] | None = None, **kwargs: Any
    ) -> None:
        """Computes the scores, logs them and adds them to the evaluation's `metrics`."""
        if self._trainer is None:
            return
        model = self._full_model()
        found: list[Any] = [None]
        if state.is_world_process_zero:
            was_training = model.training
            model.eval()
            try:
                found = [self.scores(model)]
            finally:
                model.train(was_training)
        if dist.is_available() and dist.is_initialized():
            # Every process selects the best checkpoint from its own metrics.
            dist.broadcast_object_list(found, src=0, device=args.device)
        if metrics is not None:
            metrics.update(found[0])
        self._trainer.log(dict(found[0]))

    def _full_model(self) -> Any:
        """Returns the model; under FSDP, on the first process, a copy with the full weights."""
        trainer = self._trainer
        model = trainer.accelerator.unwrap_model(trainer.model)
        if not trainer.is_fsdp_enabled:
            return model
        state = trainer.full_state_dict()
        if not trainer.is_world_process_zero():
            return model
        full = pretraining_class(model.config)(copy.deepcopy(model.config))
        full.load_state_dict(state)
        return full.to(trainer.args.device)

    def scores(self, model: Any) -> dict[str, float]:
        """Returns the scores of all tasks; days are embedded once.

        Args:
            model: The model, in evaluation mode.
        """
        embeddings = encode_days(model, self.processor, self.days, batch_size=self.batch_size)
        scores: dict[str, float] = {}
        for task in self.tasks:
            result = evaluate_zero_shot(model, self.processor, self.days, task, embeddings=embeddings)
            scores.update({f"eval_zero_shot_{task.name}_{name}": round(float(result[name]), 4) for name in SCORES})
        return scores
