"""Evaluation results: the tasks of a run, their files in the run folder, and their scores as table rows."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..data.device_profiles import get_profile
from ..io import atomic_write_text
from .retrieval import DIRECTIONS
from .tasks import EVENT_TASKS, PROBE_TASKS, TASKS, UNSEEN_TASK


class RunTask(NamedTuple):
    """A task of an evaluation run.

    Attributes:
        part: Key of the results that holds the task, such as `"probes"`.
        task: The classification task, or None for other parts.
    """

    part: str
    task: Any = None


RUN_TASKS: dict[str, RunTask] = {
    **{name: RunTask("zero_shot", task) for name, task in TASKS.items()},
    UNSEEN_TASK.name: RunTask("zero_shot", UNSEEN_TASK),
    **{name: RunTask("event_level", task) for name, task in EVENT_TASKS.items()},
    **{f"probe_{name}": RunTask("probes", task) for name, task in PROBE_TASKS.items()},
    **{f"few_shot_{name}": RunTask("few_shot", task) for name, task in PROBE_TASKS.items()},
    "retrieval": RunTask("retrieval"),
    "captioning": RunTask("captioning"),
    "english": RunTask("english"),
    **{f"gradient_boosting_{name}": RunTask("baselines", task) for name, task in PROBE_TASKS.items()},
    "embedding_map": RunTask("embedding_map"),
}
"""All tasks of [`evaluate_model`] by name, in execution order."""

GROUPS: dict[str, tuple[str, ...]] = {
    "zero_shot": tuple(TASKS),
    **{
        group: tuple(name for name, entry in RUN_TASKS.items() if entry.part == part)
        for group, part in (
            ("events", "event_level"),
            ("probes", "probes"),
            ("few_shot", "few_shot"),
            ("baselines", "baselines"),
        )
    },
}
"""Names that select several tasks."""

DEFAULT_TASKS = (*GROUPS["zero_shot"], "retrieval", "captioning")
"""Tasks of an evaluation without an output folder: the three uses reported in the paper."""

BASELINES = {
    "gradient_boosting": "gradient boosting",
    "supervised": "same tower, supervised",
    "simclr": "SimCLR, linear probe",
    "mae": "masked autoencoder, linear probe",
    "llm_lora": "language model, LoRA fine-tuning",
    "llm": "language model, prompted",
}
"""Baselines and their names in tables. All but the first are trained separately (`examples/studies/baselines.py`) and
added to the table as `tasks/<baseline>_<task>.json`."""

CLASS_METRICS = (("auroc", "AUROC"), ("f1", "F1"), ("balanced_accuracy", "balanced accuracy"))
"""Classification metrics in tables."""

CAPTION_METRICS = (
    ("bleu4", "BLEU-4"),
    ("rougeL", "ROUGE-L"),
    ("cider", "CIDEr-D"),
    ("meteor", "METEOR"),
    ("bertscore", "BERTScore"),
    ("faithfulness", "faithfulness"),
)
"""Captioning metrics in tables, if computed."""


def expand_tasks(names: Sequence[str] | None) -> tuple[str, ...]:
    """Returns tasks in execution order, with groups expanded; all tasks for None.

    Raises:
        ValueError: If a name is neither a task nor a group.
    """
    if names is None:
        return tuple(RUN_TASKS)
    wanted: set[str] = set()
    for name in names:
        if name not in RUN_TASKS and name not in GROUPS:
            raise ValueError(
                f"Unknown task {name!r}; available groups are {', '.join(GROUPS)}, available"
                f" tasks are {', '.join(RUN_TASKS)}."
            )
        wanted |= set(GROUPS.get(name, (name,)))
    return tuple(name for name in RUN_TASKS if name in wanted)


# Files


def finite(data: Any) -> Any:
    """Replaces nan and infinities in nested results, which JSON does not support, by None."""
    if isinstance(data, dict):
        return {key: finite(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def save_results(results: dict[str, Any], path: str | Path) -> None:
    """Writes results as JSON, atomically; undefined numbers become null."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_text(path, json.dumps(finite(results), indent=2) + "\n")


def as_loaded(text: str) -> dict[str, Any]:
    """Parses saved results, with null as nan; null inside lists of scores remains None."""

    def restored(data: Any) -> Any:
        if isinstance(data, dict):
            return {key: float("nan") if value is None else restored(value) for key, value in data.items()}
        return data

    return restored(json.loads(text))


def assemble(run: Mapping[str, Any], entries: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Combines task results into the results of a run.

    Args:
        run: Settings of the run.
        entries: Result of each task, by name.

    Returns:
        See [`evaluate_model`].
    """
    results = dict(run)
    for name, (part, task) in RUN_TASKS.items():
        if name not in entries:
            continue
        entry = {key: value for key, value in entries[name].items() if key != "seconds"}
        if task is None:
            results[part] = entry
        elif part == "baselines":
            results.setdefault(part, {}).setdefault("gradient_boosting", {})[task.name] = entry
        else:
            results.setdefault(part, {})[task.name] = entry
    results["seconds"] = round(sum(entry.get("seconds", 0.0) for entry in entries.values()), 1)
    return results


def collect(folder: str | Path) -> dict[str, Any]:
    """Reads the results of a run from its folder, including separately trained baselines and saved studies.

    Raises:
        ValueError: If the folder does not contain a run.
    """
    check_run(folder)
    folder = Path(folder)
    entries = {path.stem: as_loaded(path.read_text(encoding="utf-8")) for path in (folder / "tasks").glob("*.json")}
    own = {name: entry for name, entry in entries.items() if name in RUN_TASKS}
    results = assemble(json.loads((folder / "run.json").read_text(encoding="utf-8")), own)
    for baseline in BASELINES:
        for task in dict.fromkeys((*TASKS, *PROBE_TASKS)):
            entry = entries.get(f"{baseline}_{task}")
            if entry is not None and baseline != "gradient_boosting":
                results.setdefault("baselines", {}).setdefault(baseline, {})[task] = entry
    studies = {path.stem: path.read_text(encoding="utf-8") for path in sorted((folder / "studies").glob("*.json"))}
    if studies:
        results["studies"] = {name: as_loaded(text) for name, text in studies.items()}
    return results


def open_run(folder: Path, settings: Mapping[str, Any]) -> None:
    """Writes the settings of a new run to its folder, or checks that they match the run in the folder.

    The model path may differ, as long as the fingerprint is the same.

    Raises:
        ValueError: If the folder contains another run, or files other than a run.
    """
    path = folder / "run.json"
    if path.is_file():
        known, given = json.loads(path.read_text(encoding="utf-8")), finite(dict(settings))
        differing = [key for key in {**known, **given} if known.get(key) != given.get(key) and key != "model"]
        if differing:
            raise ValueError(
                f"{folder} contains the results of another run ({', '.join(f'{key} differs' for key in differing)});"
                " choose another folder, or remove it."
            )
    elif folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty and does not contain a run; choose another folder.")
    else:
        save_results(dict(settings), path)


def check_run(folder: str | Path) -> None:
    """Checks that a folder contains an evaluation run, to fail early before training models for its report.

    Raises:
        ValueError: If it does not.
    """
    if not (Path(folder) / "run.json").is_file():
        raise ValueError(
            f"{folder} does not contain an evaluation; run `sensorlm-hf evaluate --output-dir {folder}` first."
        )


# Tables


class Row(NamedTuple):
    """A row of the results table.

    Attributes:
        task: Name of the task.
        metric: Name of the metric.
        value: Score of the model; nan if undefined, such as the AUROC if all days belong to one class.
        chance: Score at chance level.
        interval: 95 % confidence interval over people, or None.
        majority: Score of always predicting the largest class; nan if not applicable.
        supervised: Score of gradient boosting with labels on the same days; nan if not computed.
    """

    task: str
    metric: str
    value: float
    chance: float
    interval: Sequence[float] | None = None
    majority: float = float("nan")
    supervised: float = float("nan")


def result_rows(results: Mapping[str, Any], *, headline: bool = False) -> Iterator[Row]:
    """Yields the scores of [`evaluate_model`] as table rows.

    Args:
        results: The results.
        headline: Whether to omit baselines, few-shot learning and larger retrieval pools.
    """
    boosted = results.get("baselines", {}).get("gradient_boosting", {})
    for part, name in (("zero_shot", "zero-shot"), ("event_level", "zero-shot events"), ("probes", "linear probe")):
        for task, scores in results.get(part, {}).items():
            yield from _class_rows(f"{name} {task}", scores, boosted.get(task) if part != "event_level" else None)
    if not headline:
        for baseline, by_task in results.get("baselines", {}).items():
            for task, scores in by_task.items():
                yield from _class_rows(f"{BASELINES[baseline]} {task}", scores)
        for task, entry in results.get("few_shot", {}).items():
            for shots, scores in entry["shots"].items():
                label = f"AUROC, {shots} per class ({scores['classes']:.0f} classes)"
                yield Row(f"few-shot {task}", label, scores["auroc"], entry["chance"]["auroc"])
    retrieval = results.get("retrieval", {})
    if retrieval:
        yield from _retrieval_rows(retrieval, "")
        for pool, entry in {} if headline else retrieval.get("pools", {}).items():
            if int(pool) != retrieval["pool"]:
                yield from _retrieval_rows(entry, f", {int(pool):,} candidates")
    captioning = results.get("captioning", {})
    for metric, label in CAPTION_METRICS:
        if metric in captioning:
            yield Row("captioning", label, captioning[metric], captioning["chance"][metric])
    if "opening" in captioning:
        chance = captioning["chance"].get("opening", {}).get("faithfulness", math.nan)
        yield Row("captioning, first sentence", "faithfulness", captioning["opening"]["faithfulness"], chance)
    yield from _english_rows(results.get("english", {}), headline)


def _english_rows(results: Mapping[str, Any], headline: bool) -> Iterator[Row]:
    """Yields the scores of the evaluation in free English."""
    for part, name, counted in (
        ("sentences", "free-English activities", "sentences"),
        ("events", "free-English events", "sentences"),
        ("concepts", "concepts", "pairs"),
    ):
        for profile, scores in results.get(part, {}).items():
            if not scores[counted]:  # too few days for any pair
                continue
            label = f"{name} ({scores[counted]:.0f} {counted}){_with_profile(profile)}"
            yield Row(label, "AUROC", scores["auroc"], scores["chance"], scores["interval"])
    for profile, scores in results.get("nonsense", {}).items():
        label = f"unrelated labels ({scores['labels']:.0f}){_with_profile(profile)}"
        yield Row(label, "days with one above the true activity", scores["any"], scores["chance"]["any"])
    for profile, scores in {} if headline else results.get("calibration", {}).items():
        yield Row(f"zero-shot activity{_with_profile(profile)}", "calibration error", scores["error"], math.nan)
        if "independent_error" in scores:
            label = f"zero-shot activity, independent labels{_with_profile(profile)}"
            yield Row(label, "calibration error", scores["independent_error"], math.nan)


def _with_profile(profile: str) -> str:
    return "" if profile == "all" else f", {get_profile(profile).description}"


def _class_rows(name: str, scores: Mapping[str, Any], supervised: Mapping[str, Any] | None = None) -> Iterator[Row]:
    for metric, label in CLASS_METRICS:
        yield Row(
            name,
            label,
            scores[metric],
            scores["chance"][metric],
            scores.get("intervals", {}).get(metric),
            scores.get("majority", {}).get(metric, math.nan),
            supervised[metric] if supervised else math.nan,
        )


def _retrieval_rows(entry: Mapping[str, Any], pool: str) -> Iterator[Row]:
    for way in DIRECTIONS:
        ends = entry.get("intervals", {}).get(way, {})
        for metric, value in entry[way].items():
            if metric in entry["chance"]:
                label = metric.replace("_", " ")
                yield Row(
                    f"retrieval {way.replace('_', ' ')}{pool}", label, value, entry["chance"][metric], ends.get(metric)
                )


def number_text(value: float | None) -> str:
    """Formats a number with three decimals, or as a dash if undefined (nan, infinite or None)."""
    return f"{value:.3f}" if value is not None and math.isfinite(value) else "–"


def table_markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def markdown_table(results: Mapping[str, Any]) -> str:
    """Returns the headline scores and chance levels as a Markdown table."""
    rows = [
        (row.task, row.metric, number_text(row.value), number_text(row.chance))
        for row in result_rows(results, headline=True)
    ]
    return table_markdown(("task", "metric", "value", "chance"), rows)
