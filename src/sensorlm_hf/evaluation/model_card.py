"""Model cards: how a model was trained, how to use it, and its evaluation results."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import yaml

from .._version import __version__
from ..card_metadata import model_metadata, widget_examples
from ..checkpoints import training_record
from ..io import atomic_write_text
from .results import markdown_table, number_text, result_rows, save_results

_TASK_TYPES = {
    "zero-shot events": "zero-shot-sensor-event-classification",
    "zero-shot": "zero-shot-sensor-classification",
    "linear probe": "sensor-linear-probe",
    "retrieval": "sensor-text-retrieval",
    "captioning": "sensor-captioning",
    "free-English events": "zero-shot-sensor-event-classification",
    "free-English": "zero-shot-sensor-classification",
    "concepts": "sensor-concept-ranking",
    "unrelated labels": "zero-shot-sensor-classification",
}
"""Hub task types by the prefix of a row's task."""


def model_card(name: str, training: dict[str, Any], results: dict[str, Any], command: str) -> str:
    """Writes the card of a pretrained model.

    Args:
        name: Name of the model.
        training: Result of [`pretrain`].
        results: Result of [`evaluate_model`]; `related` may contain additional results, see [`related_result`], and
            `examples` answers to show on the Hub, see [`widget_examples`].
        command: The command that reproduces the model.

    Returns:
        Markdown with the YAML metadata of the Hub, including `model-index`.
    """
    options = training["options"]
    simulated = str(options["data"]).startswith("simulated")
    objective, size = options["objective"], options["size"]
    minutes = training["train_runtime"] / 60
    metadata: dict[str, Any] = {"license": "apache-2.0", **model_metadata(objective)}
    metadata["tags"] += ["simulated-data"] * simulated
    if _is_hub_id(str(options["data"])):
        metadata["datasets"] = [options["data"]]
    if results.get("examples"):
        metadata["widget"] = widget_examples(results["examples"])
    metadata["model-index"] = [{"name": name, "results": _index(results, simulated)}]
    subjects = "days of **synthetic subjects**" if simulated else "recorded days"
    source = (
        "All training and test days come from the simulator of sensorlm_hf; no data of real people was used. The scores"
        " show how well the model performs on simulated days, not on real recordings."
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
    alignment = training.get("sentence_encoder")
    joint, decoder = training.get("joint"), training.get("decoder")
    seconds = [run["train_runtime"] for run in (*runs, alignment, joint, decoder) if run]
    total = f", {sum(seconds) / 60:.0f} in all stages together" * (len(seconds) > 1)
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

A {size} SensorLM ({objective}, {training["parameters"] / 1e6:.1f} M parameters): it takes a day of
minute-level wearable signals and text as input, and was trained on {subjects}. {source}

It is not a medical device. Do not use it for medical decisions.

## Use

```python
{usage}
```

## Evaluation

On the `{results["split"]}` split of `{results["data"]}`: {results["days"]} days of {results["people"]}
people{held_out}. Captions have the key `{results["caption_key"]}`, at most {results["max_text_length"]} tokens.
Chance is a uniform guess for classification, a random ranking for retrieval, and the caption of another day for
captioning.

{markdown_table(results)}

{_scales(results)}
{_related(results)}
## Training

| | |
|---|---|
| command | `{command}` |
| data | `{options["data"]}`: {training["train_days"]} training days, {training["days_seen"]} seen |
| captions | {_captions(options)} |
| modality dropout | probability {options["modality_dropout"]:g} per modality |
| cropping to an event | probability {options["event_crop"]:g} |
| label rewording | probability {options.get("label_rewording", 0):g} |
| held-out activities | {", ".join(options.get("held_out_activities", ())) or "none"} |
| seed | {training["seed"]} |
{_started_from(training)}| cost | {minutes:.0f} minutes on {training["device"]} ({training["threads"]} threads){total} |
| training loss | {training["train_loss"]:.3f} (mean over the run) |
{evaluation_loss}{_alignment(alignment)}{_joint(joint)}{_decoder(decoder)}| software | sensorlm_hf {__version__} |

## Limitations

{_limits(simulated, alignment is not None)}
"""


def _is_hub_id(data: str) -> bool:
    """Whether training data are named like a dataset of the Hub and are no folder here."""
    return re.fullmatch(r"[\w.-]+/[\w.-]+", data) is not None and not Path(data).exists()


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
    """States that the model was not trained on these people, if the splits of all its runs guarantee it."""
    tuned = (training.get(name) for name in ("sentence_encoder", "joint", "decoder"))
    if any(run and not _other_people(run["data"], results) for run in tuned):
        return ""
    for run in _lineage(training):
        if run is None or not _other_people(run["options"]["data"], results):
            return ""
    return ", none of whom the model was trained on"


def _other_people(trained_on: str, results: dict[str, Any]) -> bool:
    """Whether a run cannot have seen these people: another split of its data, or a cohort with another seed."""
    if trained_on == results["data"]:
        return results["split"] != "train"
    cohorts = [re.fullmatch(r"simulated(?::\d+)?(?::(\d+))?", data) for data in (trained_on, results["data"])]
    return all(cohorts) and len({int(cohort[1] or 0) for cohort in cohorts if cohort}) == 2


def _started_from(training: dict[str, Any]) -> str:
    """Returns a table row for each run before the last one."""
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


def _joint(record: dict[str, Any] | None) -> str:
    """Returns the table row about training all parts on captions and statements, or an empty string."""
    if record is None:
        return ""
    days = record["days_seen"] // record["steps"]
    return (
        f"| joint tuning | {record['steps']} steps of {days} days of `{record['data']}` with {record['statements']}"
        f" statements of known truth, captions {_captions(record)}, seed {record['seed']}:"
        f" {record['train_runtime'] / 60:.0f} minutes on {record['device']} ({record['threads']} threads) |\n"
    )


def _decoder(record: dict[str, Any] | None) -> str:
    """Returns the table row about tuning the decoder."""
    if record is None:
        return ""
    style = "with an opening in plain English, " if record.get("opening") else ""
    return (
        f"| decoder | tuned on captions of key `{record['caption_key']}`, {style}with frozen towers:"
        f" {record['steps']} steps on `{record['data']}` in {record['train_runtime'] / 60:.0f} minutes |\n"
    )


def _alignment(record: dict[str, Any] | None) -> str:
    """Returns a table row about the sentence encoder, or an empty string."""
    if record is None:
        return ""
    return (
        f"| sentence encoder | {record['name']}, aligned with the sensor tower on statements of known truth about"
        f" {record['days']} days of `{record['data']}`, {record['steps']} steps, seed {record['seed']}:"
        f" {record['train_runtime'] / 60:.0f} minutes on {record['device']} ({record['threads']} threads) |\n"
    )


def given_options(
    parser: argparse.ArgumentParser, options: argparse.Namespace, left_out: Collection[str] = ()
) -> list[str]:
    """Returns command-line arguments for the options that differ from their defaults.

    Args:
        parser: Parser that defines the options.
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
    """Returns an additional result for the card, not measured by [`evaluate_model`].

    Args:
        what: What was measured, such as `"events of real people (MMASH)"`.
        metric: Name of the metric.
        value: Value of the metric.
        how: Command that measures it.
        chance: Value at chance level.
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
    """Returns the table of [`related_result`]s, or an empty string."""
    if not results.get("related"):
        return ""
    lines = [
        "",
        "### Related results",
        "",
        "Supervised baselines on the same test days, and results on other days or for related models, with 95 %"
        " confidence intervals over people in brackets.",
        "",
        "| result | metric | value | chance | command |",
        "|---|---|---|---|---|",
    ]
    for row in results["related"]:
        interval = f" [{row['interval'][0]:.3f}, {row['interval'][1]:.3f}]" if row["interval"] else ""
        number = f"{number_text(row['value'])}{interval}"
        lines.append(f"| {row['what']} | {row['metric']} | {number} | {number_text(row['chance'])} | `{row['how']}` |")
    return "\n".join([*lines, ""])


def _scales(results: dict[str, Any]) -> str:
    """Describes the scales of the metrics in the table."""
    sentences = []
    if "retrieval" in results:
        sentences.append(f"Retrieval is among {results['retrieval']['pool']} candidates.")
    outliers = ["the median rank"] * ("retrieval" in results) + ["BLEU-4 (0 to 100) and CIDEr-D (0 to 10)"] * (
        "captioning" in results
    )
    sentences.append(f"Metrics range from 0 to 1{', except for ' if outliers else ''}{', '.join(outliers)}.")
    return " ".join(sentences)


def _limits(simulated: bool, reads_english: bool) -> str:
    limits = [
        "- Labels in free English work, but less well than the names of activities; compare several wordings."
        if reads_english
        else "- Its vocabulary is limited to the caption templates. Labels in other words may not work.",
        "- Generated captions may contain wrong activities or numbers; the caption builder of sensorlm_hf computes them"
        " from the signals instead.",
    ]
    if simulated:
        limits.insert(
            0,
            "- It was trained on synthetic subjects only. Real sensors have faults and distributions that the"
            " simulator does not model.",
        )
    return "\n".join(limits)


def _index(results: dict[str, Any], simulated: bool) -> list[dict[str, Any]]:
    dataset = {
        "name": f"{results['data']}{' (synthetic subjects)' if simulated else ''}",
        "type": "sensor-days",
        "split": results["split"],
    }
    kinds: dict[str, dict[str, Any]] = {}
    for row in result_rows(results, headline=True):
        task, metric, value = row.task, row.metric, row.value
        if not math.isfinite(value):  # undefined on these days; the Hub takes numbers only
            continue
        kind = next(kind for prefix, kind in _TASK_TYPES.items() if task.startswith(prefix))
        # huggingface_hub merges results with the same task type and dataset, regardless of the task name; the dataset
        # configuration keeps them separate.
        part = {**dataset, "config": task.partition(" ")[2] or task}
        entry = kinds.setdefault(task, {"task": {"type": kind, "name": task}, "dataset": part, "metrics": []})
        entry["metrics"].append({"type": metric.lower().replace(" ", "_"), "name": metric, "value": round(value, 4)})
    return list(kinds.values())


def write_model_card(folder: str | Path, name: str, results: dict[str, Any], command: str) -> Path:
    """Writes `README.md` and `evaluation.json` to a model folder created by [`pretrain`].

    Args:
        folder: Model folder.
        name: Name of the model.
        results: Result of [`evaluate_model`].
        command: The command that reproduces the model.

    Returns:
        Path of the card.

    Raises:
        FileNotFoundError: If the folder has no `training.json`.
    """
    folder = Path(folder)
    training = training_record(folder)
    if training is None:
        path = folder / "training.json"
        raise FileNotFoundError(f"{path} is missing; the card describes how the model was trained, so train it first.")
    text = model_card(name, training, results, command)
    save_results(results, folder / "evaluation.json")
    card = folder / "README.md"
    atomic_write_text(card, text)
    return card
