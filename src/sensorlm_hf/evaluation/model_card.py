"""The model card: what a model is, how it was trained, and its evaluation results."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import yaml

from .._version import __version__
from ..checkpoints import training_record
from ..io import atomic_write_text
from .results import markdown_table, number_text, result_rows, save_results

_TASK_TYPES = {
    "zero-shot events": "zero-shot-sensor-event-classification",
    "zero-shot": "zero-shot-sensor-classification",
    "linear probe": "sensor-linear-probe",
    "retrieval": "sensor-text-retrieval",
    "captioning": "sensor-captioning",
}
"""Task types of the Hub by the beginning of a row's task."""


def model_card(name: str, training: dict[str, Any], results: dict[str, Any], command: str) -> str:
    """Writes the card of a pretrained model.

    Args:
        name: Name of the model.
        training: What [`pretrain`] returned.
        results: What [`evaluate_model`] returned; `related` may hold further results, see [`related_result`].
        command: The command that reproduces the model.

    Returns:
        Markdown with the YAML metadata that the Hub reads, `model-index` included.
    """
    options = training["options"]
    simulated = str(options["data"]).startswith("simulated")
    objective, size = options["objective"], options["size"]
    minutes = training["train_runtime"] / 60
    metadata: dict[str, Any] = {
        "library_name": "transformers",
        "license": "apache-2.0",
        "tags": ["sensorlm", "wearables", "time-series", "zero-shot-classification", *(["simulated-data"] * simulated)],
        "model-index": [{"name": name, "results": _index(results, simulated)}],
    }
    people = "**simulated people**" if simulated else "the people"
    source = (
        "All training and test days come from the simulator of sensorlm_hf; no real person's data was used. The numbers"
        " say how well the model reads simulated days, not how well it reads yours."
        if simulated
        else f"Training data: `{options['data']}`."
    )
    captioning = (
        '\ncaptioner = pipeline("sensor-captioning", model="{name}")\nprint(captioner(day)[0]["generated_text"])'
        if objective in ("cap", "coca")
        else ""
    )
    classify = (
        '\nclassifier = pipeline("zero-shot-sensor-classification", model="{name}")\n'
        'print(classifier(day, candidate_labels=["running", "swimming", "yoga"]))'
        if objective != "cap"
        else ""
    )
    held_out = _held_out(training, results)
    runs = [run for run in _lineage(training) if run is not None]
    total = f", {sum(run['train_runtime'] for run in runs) / 60:.0f} in all stages together" * (len(runs) > 1)
    evaluation_loss = f"| evaluation loss | {training['eval_loss']:.3f} |\n" if "eval_loss" in training else ""
    usage = (
        "import sensorlm_hf  # registers the model and the pipelines\nfrom transformers import pipeline\n"
        "from sensorlm_hf.data.simulate import simulate_days\n\nday = simulate_days(1, seed=2024)[0]"
        f"{classify}{captioning}"
    ).replace("{name}", name)
    return f"""---
{yaml.safe_dump(metadata, sort_keys=False).strip()}
---

# {name}

A {size} SensorLM ({objective}, {training["parameters"] / 1e6:.1f} M parameters): it reads a day of
minute-level wearable signals and text, and was trained on days of {people}. {source}

It is not a medical device. Do not base a decision about anybody's health on it.

## Use

```python
{usage}
```

## Evaluation

On the `{results["split"]}` split of `{results["data"]}`: {results["days"]} days of {results["people"]}
people{held_out}. Captions are of the kind `{results["caption_key"]}`, at most {results["max_text_length"]} tokens.
"Chance" is a uniform guess for classes, a random order for retrieval, and the caption of another day for captioning.

{markdown_table(results)}

{_scales(results)}
{_related(results)}
## How it was trained

| | |
|---|---|
| command | `{command}` |
| data | `{options["data"]}`: {training["train_days"]} training days, {training["days_seen"]} seen |
| captions | {_captions(options)} |
| modality dropped | with probability {options["modality_dropout"]:g} each |
| day cropped to an event | with probability {options["event_crop"]:g} |
| labels reworded | with probability {options.get("label_rewording", 0):g} |
| activities held out | {", ".join(options.get("held_out_activities", ())) or "none"} |
| seed | {training["seed"]} |
{_started_from(training)}| cost | {minutes:.0f} minutes on {training["device"]} ({training["threads"]} threads){total} |
| training loss | {training["train_loss"]:.3f} (mean over the run) |
{evaluation_loss}| software | sensorlm_hf {__version__} |

## Limits

{_limits(simulated)}
"""


def _captions(options: dict[str, Any]) -> str:
    """Returns the kinds of captions of a run with their weights."""
    return ", ".join(f"`{key}` ({weight:g})" for key, weight in options["caption_keys"].items() if weight)


def _lineage(training: dict[str, Any]) -> list[dict[str, Any] | None]:
    """Returns the training records that led to a model, last first; None where one is missing."""
    runs: list[dict[str, Any] | None] = [training]
    while (run := runs[-1]) is not None and run["options"]["init_from"] is not None:
        runs.append(run.get("started_from"))
    return runs


def _held_out(training: dict[str, Any], results: dict[str, Any]) -> str:
    """Returns that the model was not trained on these people, if the splits of all its runs guarantee it."""
    for run in _lineage(training):
        if run is None or not _other_people(run["options"]["data"], results):
            return ""
    return ", none of whom the model was trained on"


def _other_people(trained_on: str, results: dict[str, Any]) -> bool:
    """Whether a run certainly saw none of the people: another split of its data, or a cohort of another seed."""
    if trained_on == results["data"]:
        return results["split"] != "train"
    cohorts = [re.fullmatch(r"simulated(?::\d+)?(?::(\d+))?", data) for data in (trained_on, results["data"])]
    return all(cohorts) and len({int(cohort[1] or 0) for cohort in cohorts if cohort}) == 2


def _started_from(training: dict[str, Any]) -> str:
    """Returns a row for each run before the last one."""
    rows = []
    for run in _lineage(training)[1:]:
        if run is None:
            rows.append("| started from | a model without a training record |\n")
            continue
        options = run["options"]
        rows.append(
            f"| started from | a model trained on `{options['data']}`, {run['days_seen']} days seen,"
            f" {_captions(options)}, at most {options['max_text_length']} tokens, seed {run['seed']}:"
            f" {run['train_runtime'] / 60:.0f} minutes on {run['device']} ({run['threads']} threads) |\n"
        )
    return "".join(rows)


def given_options(
    parser: argparse.ArgumentParser, options: argparse.Namespace, left_out: Collection[str] = ()
) -> list[str]:
    """Returns command-line arguments for the options that differ from their defaults.

    Args:
        parser: Parser that declares the options.
        options: The parsed options.
        left_out: Names of options that do not affect the result.
    """
    words = []
    for name, value in vars(options).items():
        if name not in left_out and value != parser.get_default(name):
            words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return words


def related_result(
    what: str, metric: str, value: float, how: str, *, chance: float, interval: Sequence[float] | None = None
) -> dict[str, Any]:
    """Returns a result for the card that was not measured by [`evaluate_model`].

    Args:
        what: What was measured, such as `"events of real people (MMASH)"`.
        metric: Name of the metric.
        value: Its value.
        how: The command that measures it.
        chance: Value of a random guess.
        interval: Lower and upper end of the 95 % confidence interval.

    Returns:
        The result, for the list `results["related"]`.
    """
    return {
        "what": what,
        "metric": metric,
        "value": float(value),
        "interval": None if interval is None else [float(end) for end in interval],
        "chance": float(chance),
        "how": how,
    }


def _related(results: dict[str, Any]) -> str:
    """Returns the table of [`related_result`]s, or nothing."""
    if not results.get("related"):
        return ""
    lines = [
        "",
        "### Related results",
        "",
        "Classifiers trained with labels on the same test days, and results on other days or of sister models; brackets"
        " hold 95 % confidence intervals over people.",
        "",
        "| what | metric | value | chance | measured by |",
        "|---|---|---|---|---|",
    ]
    for row in results["related"]:
        interval = f" [{row['interval'][0]:.3f}, {row['interval'][1]:.3f}]" if row["interval"] else ""
        number = f"{number_text(row['value'])}{interval}"
        lines.append(f"| {row['what']} | {row['metric']} | {number} | {number_text(row['chance'])} | `{row['how']}` |")
    return "\n".join([*lines, ""])


def _scales(results: dict[str, Any]) -> str:
    """Returns the scales of the numbers in the table."""
    sentences = []
    if "retrieval" in results:
        sentences.append(f"Retrieval ranks {results['retrieval']['pool']} candidates.")
    outliers = ["the median rank"] * ("retrieval" in results) + [
        "BLEU-4, which runs to 100, and CIDEr-D, which runs to 10"
    ] * ("captioning" in results)
    sentences.append(f"All numbers run from 0 to 1{' but ' if outliers else ''}{' and '.join(outliers)}.")
    return " ".join(sentences)


def _limits(simulated: bool) -> str:
    limits = [
        "- It knows the phrases of the caption templates. A label in other words may mean nothing to it.",
        "- Captions that it generates may name activities or numbers that are wrong; the caption builder of sensorlm_hf"
        " computes them from the signals instead.",
    ]
    if simulated:
        limits.insert(
            0,
            "- It has only seen simulated people. Real sensors have faults, habits and distributions that the simulator"
            " lacks.",
        )
    return "\n".join(limits)


def _index(results: dict[str, Any], simulated: bool) -> list[dict[str, Any]]:
    dataset = {
        "name": f"{results['data']}{' (simulated people)' if simulated else ''}",
        "type": "sensor-days",
        "split": results["split"],
    }
    kinds: dict[str, dict[str, Any]] = {}
    for row in result_rows(results, headline=True):
        task, metric, value = row.task, row.metric, row.value
        if not math.isfinite(value):  # undefined on these days; the Hub takes numbers only
            continue
        kind = next(kind for prefix, kind in _TASK_TYPES.items() if task.startswith(prefix))
        # huggingface_hub merges results that agree in task type and dataset, whatever the task's name; the
        # configuration of the dataset keeps them apart.
        part = {**dataset, "config": task.partition(" ")[2] or task}
        entry = kinds.setdefault(task, {"task": {"type": kind, "name": task}, "dataset": part, "metrics": []})
        entry["metrics"].append({"type": metric.lower().replace(" ", "_"), "name": metric, "value": round(value, 4)})
    return list(kinds.values())


def write_model_card(folder: str | Path, name: str, results: dict[str, Any], command: str) -> Path:
    """Writes `README.md` and `evaluation.json` into a model folder that [`pretrain`] filled.

    Args:
        folder: The folder.
        name: Name of the model.
        results: What [`evaluate_model`] returned.
        command: The command that reproduces the model.

    Returns:
        The path of the card.

    Raises:
        FileNotFoundError: If the folder has no `training.json`.
    """
    folder = Path(folder)
    training = training_record(folder)
    if training is None:
        path = folder / "training.json"
        raise FileNotFoundError(f"{path} is missing; the card says how the model was trained, so train it first.")
    text = model_card(name, training, results, command)
    save_results(results, folder / "evaluation.json")
    card = folder / "README.md"
    atomic_write_text(card, text)
    return card
