"""The folder of an evaluation run: which tasks write a file there, and what the files say together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..io import atomic_write_text
from .page import write_reports
from .report import save_results
from .studies import STUDIES, study_text
from .tasks import EVENT_TASKS, PROBE_TASKS, TASKS, UNSEEN_TASK

GROUPS: dict[str, tuple[str, ...]] = {
    "zero_shot": tuple(TASKS),
    "events": tuple(EVENT_TASKS),
    "probes": tuple(f"probe_{name}" for name in PROBE_TASKS),
    "few_shot": tuple(f"few_shot_{name}" for name in PROBE_TASKS),
    "baselines": tuple(f"gradient_boosting_{name}" for name in PROBE_TASKS),
}
"""Names that stand for several tasks."""

SUITE_TASKS = (
    *GROUPS["zero_shot"],
    UNSEEN_TASK.name,
    *GROUPS["events"],
    *GROUPS["probes"],
    *GROUPS["few_shot"],
    "retrieval",
    "captioning",
    *GROUPS["baselines"],
    "embedding_map",
)
"""All tasks, in the order in which they run."""

TRAINED_BASELINES = ("supervised", "simclr", "mae", "llm_lora", "llm")
"""Baselines that are trained or prompted apart (`examples/baselines.py`); their `tasks/<baseline>_<task>.json` join the
table."""


def expand_tasks(names: Sequence[str] | None) -> tuple[str, ...]:
    """Returns tasks in their order, with groups spelt out; all of them for None.

    Raises:
        ValueError: If a name is neither a task nor a group.
    """
    if names is None:
        return SUITE_TASKS
    wanted: set[str] = set()
    for name in names:
        if name not in SUITE_TASKS and name not in GROUPS:
            raise ValueError(
                f"Unknown task {name!r}; there are the groups {', '.join(GROUPS)} and the tasks"
                f" {', '.join(SUITE_TASKS)}."
            )
        wanted |= set(GROUPS.get(name, (name,)))
    return tuple(name for name in SUITE_TASKS if name in wanted)


def collect(folder: str | Path) -> dict[str, Any]:
    """Puts the tasks' files of a run together; see [`run_suite`] for what comes out."""
    folder = Path(folder)
    results: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    seconds = 0.0
    for name in SUITE_TASKS:
        path = folder / "tasks" / f"{name}.json"
        if not path.is_file():
            continue
        entry = _nan(json.loads(path.read_text(encoding="utf-8")))
        seconds += entry["seconds"]
        for group, prefix in (("probes", "probe_"), ("few_shot", "few_shot_")):
            if name.startswith(prefix):
                results.setdefault(group, {})[name.removeprefix(prefix)] = entry
        if name.startswith("gradient_boosting_"):
            boosted = results.setdefault("baselines", {}).setdefault("gradient_boosting", {})
            boosted[name.removeprefix("gradient_boosting_")] = entry
        elif name in TASKS or name == UNSEEN_TASK.name:
            results.setdefault("zero_shot", {})[name] = entry
        elif name in EVENT_TASKS:
            results.setdefault("event_level", {})[name] = entry
        elif name in ("retrieval", "captioning", "embedding_map"):
            results[name] = entry
    for name in TRAINED_BASELINES:
        for task in (*TASKS, *PROBE_TASKS):
            path = folder / "tasks" / f"{name}_{task}.json"
            if path.is_file():
                entry = _nan(json.loads(path.read_text(encoding="utf-8")))
                results.setdefault("baselines", {}).setdefault(name, {})[task] = entry
    for name in STUDIES:
        path = folder / "studies" / f"{name}.json"
        if path.is_file():
            results[name] = _nan(json.loads(path.read_text(encoding="utf-8")))
    results["seconds"] = round(seconds, 1)
    return results


def check_run(folder: str | Path) -> None:
    """Refuses a folder that holds no run, before hours of training for its report.

    Raises:
        ValueError: If it holds none.
    """
    if not (Path(folder) / "run.json").is_file():
        raise ValueError(f"{folder} holds no evaluation; make it first: sensorlm-hf evaluate --output-dir {folder}")


def add_study(folder: str | Path, name: str, study: dict[str, Any]) -> Path:
    """Adds a study of several models to the report of a run.

    Args:
        folder: Output folder of [`run_suite`].
        name: One of [`STUDIES`]; a study of that name that is there is replaced.
        study: See [`study_text`].

    Returns:
        The page, written anew.

    Raises:
        ValueError: If the name is unknown, or the folder holds no run.
    """
    if name not in STUDIES:
        raise ValueError(f"`name` must be one of {', '.join(STUDIES)}, got {name!r}.")
    check_run(folder)
    save_results(study, Path(folder) / "studies" / f"{name}.json")
    return update_reports(folder)


def write_study(folder: str | Path, name: str, study: dict[str, Any], report: str | Path | None = None) -> str:
    """Writes a study as `<name>.json` and `<name>.md`, and adds it to the report of a run.

    Args:
        folder: Where the two files go.
        name: One of [`STUDIES`].
        study: See [`study_text`].
        report: Output folder of [`run_suite`], if the study belongs on its page.

    Returns:
        The Markdown.
    """
    save_results(study, Path(folder) / f"{name}.json")
    text = study_text(name, study)
    atomic_write_text(Path(folder) / f"{name}.md", text)
    if report:
        add_study(report, name, study)
    return text


def update_reports(folder: str | Path) -> Path:
    """Writes `results.json`, `report.md` and `report.html` of a run anew from its files, and returns the page."""
    results = collect(folder)
    save_results(results, Path(folder) / "results.json")
    return write_reports(results, folder)[1]


def _nan(data: Any) -> Any:
    """Turns null back into nan where numbers are expected; lists of scores keep their None."""
    if isinstance(data, dict):
        return {key: float("nan") if value is None else _nan(value) for key, value in data.items()}
    return data
