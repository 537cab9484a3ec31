"""Training callbacks: graceful stops and a progress bar."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

import torch
import torch.distributed as dist
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import TrainerCallback

from .distributed import world_size


class GracefulStopCallback(TrainerCallback):
    """Saves a checkpoint and stops after a time limit, after the last step, or on SIGTERM.

    All processes stop at the same step, although a signal or the time limit may reach one of them first.

    Args:
        max_hours: Time limit in hours, counted from the last start; unlimited by default.
    """

    def __init__(self, max_hours: float | None = None) -> None:
        self.max_hours = max_hours
        self.reason: str | None = None
        self._stop_requested = False
        self._start_time = 0.0
        self._previous_handler: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Starts the timer and installs the SIGTERM handler."""
        self._start_time, self._stop_requested, self.reason = time.monotonic(), False, None
        # Python only allows the main thread to set signal handlers.
        if threading.current_thread() is threading.main_thread():
            self._previous_handler = signal.signal(signal.SIGTERM, self._on_signal) or signal.SIG_DFL

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Restores the previous SIGTERM handler."""
        if self._previous_handler is not None:
            signal.signal(signal.SIGTERM, self._previous_handler)
            self._previous_handler = None

    def _on_signal(self, *_: Any) -> None:
        self._stop_requested = True

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Requests a checkpoint and a stop if a stop condition is met."""
        timed_out = self.max_hours is not None and time.monotonic() - self._start_time >= 3600 * self.max_hours
        code = 2 if self._stop_requested else 1 if timed_out else 0
        if world_size() > 1:
            code_of_all = torch.tensor(code, device=args.device)
            dist.all_reduce(code_of_all, op=dist.ReduceOp.MAX)
            code = int(code_of_all)
        if code:
            self.reason = (
                "SIGTERM" if code == 2 else f"the time limit of {self.max_hours:g} hours (--max_hours) was reached"
            )
            control.should_training_stop = True
        done = args.max_steps > 0 and state.global_step >= state.max_steps
        # An interrupted run is saved even with `save_strategy="no"`.
        if code or (done and args.save_strategy != "no"):
            control.should_save = True


class RichProgress(TrainerCallback):
    """A terminal progress bar with loss, throughput and remaining time.

    Args:
        console: Console to draw on; standard error by default.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._progress: Progress | None = None
        self._training: Any = None
        self._evaluating: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Shows the bar at the current step."""
        if not state.is_world_process_zero:
            return
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[numbers]}"),
            console=self._console,
        )
        self._training = self._progress.add_task(
            "Training", total=state.max_steps, completed=state.global_step, numbers=""
        )
        self._progress.start()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Advances the bar."""
        if self._progress is not None:
            self._progress.update(self._training, completed=state.global_step)

    def on_prediction_step(
        self, args: Any, state: Any, control: Any, eval_dataloader: Any = None, **kwargs: Any
    ) -> None:
        """Advances the evaluation bar, which appears with the first batch."""
        if self._progress is None:
            return
        if self._evaluating is None:
            total = len(eval_dataloader) if hasattr(eval_dataloader, "__len__") else None
            self._evaluating = self._progress.add_task("Evaluating", total=total, numbers="")
        self._progress.advance(self._evaluating)

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Removes the evaluation bar."""
        if self._progress is not None and self._evaluating is not None:
            self._progress.remove_task(self._evaluating)
            self._evaluating = None

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Shows the latest metrics next to the bar, and prints those of evaluations above it."""
        if self._progress is None or not logs:
            return
        if "loss" in logs:
            self._progress.update(self._training, numbers=_numbers(logs, ("loss", "days_per_second", "mfu")))
        elif any(name.startswith("eval_") for name in logs):
            names = tuple(name for name in logs if name.startswith("eval_") and not name.endswith("_per_second"))
            self._progress.console.print(f"step {state.global_step}: {_numbers(logs, names)}", highlight=False)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Stops updating the bar."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def _numbers(logs: dict[str, Any], names: tuple[str, ...]) -> str:
    """Formats the metrics that are present as `name value`."""
    parts = []
    for name in names:
        if isinstance(logs.get(name), (int, float)):
            parts.append(f"{name.replace('_per_second', '/s').replace('eval_', '')} {logs[name]:.4g}")
    return ", ".join(parts)
