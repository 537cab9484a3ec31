"""Atomic checkpoints."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from accelerate import Accelerator

from ..io import atomic_replace

logger = logging.getLogger(__name__)

PARTIAL = ".checkpoint.partial"
"""Temporary folder in which a checkpoint is written before it is renamed."""

_CHECKPOINT = re.compile(r"checkpoint-\d+$")


def last_complete_checkpoint(folder: Path) -> Path | None:
    """Returns the latest complete checkpoint, or None.

    `Trainer` writes `trainer_state.json` last; a folder without it is incomplete.
    """
    steps = {int(path.name.split("-")[1]): path for path in folder.glob("checkpoint-*") if _CHECKPOINT.match(path.name)}
    complete = {step: path for step, path in steps.items() if _is_json(path / "trainer_state.json")}
    for step in sorted(set(steps) - set(complete)):
        logger.warning("%s is incomplete and is skipped.", steps[step])
    return complete[max(complete)] if complete else None


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


def last_checkpoint_message(folder: Path) -> str:
    """Returns a sentence about the checkpoint from which a run can be resumed."""
    checkpoint = last_complete_checkpoint(folder)
    if checkpoint is None:
        return f"There is no checkpoint in {folder} yet, so the run has to be restarted from the beginning."
    return f"The last checkpoint is {checkpoint}; --resume continues from there."


def save_checkpoint(
    accelerator: Accelerator, folder: Path, step: int, save: Callable[[Path], object] | None = None
) -> Path:
    """Atomically writes a checkpoint of a custom Accelerate training loop. Call it on all processes.

    Args:
        accelerator: The `Accelerator` that prepared the model and the optimizer.
        folder: Folder of the run.
        step: Number of completed optimizer steps.
        save: Writes additional files to the folder on the main process, such as the model with [`save_model`], so that
            `from_pretrained` loads the checkpoint.

    Returns:
        Path of the checkpoint, `folder / "checkpoint-STEP"`.
    """
    partial, target = folder / PARTIAL, folder / f"checkpoint-{step}"
    if accelerator.is_main_process:
        shutil.rmtree(partial, ignore_errors=True)
    accelerator.wait_for_everyone()
    accelerator.save_state(str(partial))
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        if save is not None:
            save(partial)
        (partial / "trainer_state.json").write_text(json.dumps({"global_step": step}), encoding="utf-8")
        atomic_replace(partial, target)
    accelerator.wait_for_everyone()
    return target


def load_checkpoint(accelerator: Accelerator, checkpoint: Path) -> int:
    """Loads a checkpoint of [`save_checkpoint`] into the prepared objects; returns the number of completed steps."""
    accelerator.load_state(str(checkpoint))
    return int(json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))["global_step"])


def checkpoint_write_error(target: Path, error: BaseException) -> OSError:
    """Returns the error to raise when a checkpoint could not be written.

    Args:
        target: The checkpoint.
        error: The original error: an OSError, or the error that torch or safetensors raise for a full disk.
    """
    free = shutil.disk_usage(target.parent).free
    return OSError(
        f"{target.name} could not be written to {target.parent} ({type(error).__name__}: {str(error).splitlines()[0]});"
        f" {free / 2**20:.0f} MiB are free on this disk. The incomplete checkpoint was removed."
        f" {last_checkpoint_message(target.parent)} Free some space, or keep fewer checkpoints with --save_total_limit."
    )
