"""Checkpoints that are whole or not there at all."""

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
"""Folder in which a checkpoint is written before it gets its name."""

_CHECKPOINT = re.compile(r"checkpoint-\d+$")


def last_whole_checkpoint(folder: Path) -> Path | None:
    """Returns the checkpoint of the latest step that was written to its end, or None.

    `Trainer` writes `trainer_state.json` last; a folder without it is what a killed run left.
    """
    steps = {int(path.name.split("-")[1]): path for path in folder.glob("checkpoint-*") if _CHECKPOINT.match(path.name)}
    whole = {step: path for step, path in steps.items() if _is_json(path / "trainer_state.json")}
    for step in sorted(set(steps) - set(whole)):
        logger.warning("%s was not written to its end and is passed over.", steps[step])
    return whole[max(whole)] if whole else None


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


def last_good_state(folder: Path) -> str:
    """Returns a sentence that names the checkpoint from which a run can go on."""
    checkpoint = last_whole_checkpoint(folder)
    if checkpoint is None:
        return f"There is no checkpoint in {folder} yet, so the run has to begin anew."
    return f"The last good state is {checkpoint}; a run with --resume goes on from there."


def save_checkpoint(
    accelerator: Accelerator, folder: Path, step: int, save: Callable[[Path], object] | None = None
) -> Path:
    """Writes the state of a loop of one's own as a checkpoint that is whole or not there. All processes call it.

    Args:
        accelerator: What prepared the model and the optimizer.
        folder: Folder of the run.
        step: Optimizer steps done so far.
        save: Writes more into the folder, in the first process, such as the model with [`save_model`], so that
            `from_pretrained` loads the checkpoint.

    Returns:
        The checkpoint, `folder / "checkpoint-STEP"`.
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
    """Reads what [`save_checkpoint`] wrote into what the accelerator prepared; returns how many steps were done."""
    accelerator.load_state(str(checkpoint))
    return int(json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))["global_step"])


def writing_failed(target: Path, error: BaseException) -> OSError:
    """Returns the error of a checkpoint that could not be written, with what to do.

    Args:
        target: The checkpoint.
        error: What went wrong; a full disk comes as an OSError, or from torch and safetensors as errors of their own.
    """
    free = shutil.disk_usage(target.parent).free
    return OSError(
        f"{target.name} could not be written to {target.parent} ({type(error).__name__}: {str(error).splitlines()[0]});"
        f" {free / 2**20:.0f} MiB are free there. Nothing of it was kept. {last_good_state(target.parent)} Free some"
        " space, or keep fewer checkpoints with --save_total_limit."
    )
