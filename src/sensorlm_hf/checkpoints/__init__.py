"""The demo model that ships with the package, as a ready-to-push model repository, and records of training.

`sensorlm-coca` holds what `from_pretrained` loads; how it was trained and what it scored is in `records/sensorlm-coca`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DEMO_MODEL = "sensorlm-coca"

RECORDS = "records"
"""Folder next to published models in which the records of each have a folder of its name."""


def demo_checkpoint() -> str:
    """Returns the folder of the demo model, trained on synthetic subjects.

    Raises:
        FileNotFoundError: If the package was installed without it.
    """
    folder = Path(__file__).parent / DEMO_MODEL
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(
            f"The demo model is not in {folder}; reinstall sensorlm-hf from a wheel, or run `make train-demo`."
        )
    return str(folder)


def packaged_checkpoint(name: str) -> str | None:
    """Returns the folder of a packaged checkpoint by name.

    Args:
        name: Model name or path given by the user.

    Returns:
        Its folder. None if no packaged checkpoint has exactly this name, or if the working directory contains a file
        or folder of this name, which takes precedence.
    """
    if name != DEMO_MODEL or Path(name).exists():
        return None
    return demo_checkpoint()


def records_folder(model_path: str | Path) -> Path:
    """Returns where the records of a published model are: `records/NAME` next to its folder `NAME`."""
    folder = Path(model_path).resolve()  # a link to a model has its records where the model is
    return folder.parent / RECORDS / folder.name


def training_record(model_path: str | Path | None) -> dict[str, Any] | None:
    """Returns how a model was trained, from the `training.json` in its folder or in its [`records_folder`].

    Args:
        model_path: Model folder, name of a packaged checkpoint, or Hub id.

    Returns:
        The record written by `pretrain`; None if there is none, as for a Hub id.

    Raises:
        ValueError: If the file is not a training record.
    """
    if model_path is None:
        return None
    folder = packaged_checkpoint(str(model_path)) or model_path
    path = Path(folder, "training.json")
    if not path.is_file():
        path = records_folder(folder) / "training.json"
    if not path.is_file():
        return None
    try:
        record: Any = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        record = error
    if not isinstance(record, dict):
        why = f" ({record})" if isinstance(record, ValueError) else ""
        raise ValueError(
            f"{path} is not a training record{why}. Remove the file, or restore it from the original model."
        )
    return record


def training_options(model_path: str | Path | None) -> dict[str, Any]:
    """Returns the `options` of a [`training_record`]; empty if there is none."""
    return (training_record(model_path) or {}).get("options") or {}
