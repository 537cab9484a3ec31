"""One evaluation run: a model and a dataset in, a dictionary of results and a table out."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from ..checkpoints import training_options
from ..data.collator import SensorDayDataset
from ..data.folders import load_sensor_days
from ..days import SensorDay
from ..io import atomic_write_text
from ..modeling import SensorLMModel
from ..processing import SensorLMProcessor
from ..processing.captions import CaptionBuilder
from .captioning import evaluate_captioning
from .encode import encode_days
from .retrieval import evaluate_retrieval
from .tasks import TASKS, Task, get_task
from .zero_shot import evaluate_zero_shot

logger = logging.getLogger(__name__)

RETRIEVAL_POOL = 100
"""Candidates in retrieval, unless there are fewer days."""

TEXT_LENGTH = 256
"""Longest caption in tokens unless said otherwise, where the model reads as many."""

SUMMARY_KEY = "high_level_summary_caption"
"""The release's default kind of captions."""

CLASS_METRICS = (("auroc", "AUROC"), ("f1", "F1"), ("balanced_accuracy", "balanced accuracy"))
"""Scores of classifiers that the table shows."""

CAPTION_METRICS = (
    ("bleu4", "BLEU-4"),
    ("rougeL", "ROUGE-L"),
    ("cider", "CIDEr-D"),
    ("meteor", "METEOR"),
    ("bertscore", "BERTScore"),
    ("faithfulness", "faithfulness"),
)
"""Scores of captions that the table shows, as far as they were computed."""


def evaluate_model(
    model_path: str | Path,
    data: str,
    *,
    split: str = "test",
    tasks: Sequence[str] | None = None,
    caption_key: str | None = None,
    max_text_length: int | None = None,
    max_days: int | None = None,
    caption_days: int = 200,
    batch_size: int = 64,
    seed: int = 0,
    device: str = "cpu",
    num_proc: int | None = None,
    progress: bool = False,
) -> dict[str, Any]:
    """Evaluates a model on labelled days.

    Args:
        model_path: Model folder or Hub id.
        data: Dataset of days; see [`load_sensor_days`].
        split: Its split; for the demo model that of people held out of training.
        tasks: Names of zero-shot tasks ([`TASKS`]); by default all that label at least one day.
        caption_key: Key of the captions for retrieval and captioning; by default the [`trained_key`] of the model.
        max_text_length: Longest caption in tokens; by default as many as the model reads, at most [`TEXT_LENGTH`].
        max_days: Use only the first days.
        caption_days: Days captioned; generating is slow.
        batch_size: Days embedded at once.
        seed: Seed of captions and pools.
        device: Where to run.
        num_proc: Processes that prepare a simulated cohort.
        progress: Whether to show progress bars.

    Returns:
        `zero_shot` (by task), `retrieval`, `captioning`, and the circumstances: model, data, days, seconds. Parts that
        the objective cannot do are left out (`cap` has no text embedding, `clip` and `siglip` write no captions), and
        so is what takes two days where there is one.

    Raises:
        ValueError: If a task is unknown, or was asked for and labels none of the days or cannot be done by the model;
            if a number is out of range.
    """
    chosen_tasks = {name: get_task(name) for name in (TASKS if tasks is None else tasks)}
    for what, number, lowest in (("max_days", max_days, 1), ("caption_days", caption_days, 0), ("seed", seed, 0)):
        if number is not None and number < lowest:
            raise ValueError(f"`{what}` must be at least {lowest}, got {number}.")
    _check_device(device)
    began = time.perf_counter()
    model = SensorLMModel.from_pretrained(model_path, dtype=torch.float32).to(device).eval()
    objective = model.config.objective
    if tasks is not None and objective == "cap":
        raise ValueError(
            f"{model_path} was trained with objective 'cap' and has no text embedding, so it cannot do the zero-shot"
            f" tasks {', '.join(tasks)}. Leave `tasks` out to evaluate its captions."
        )
    max_text_length = text_length(model, model_path, max_text_length)
    caption_key = caption_key or trained_key(model_path)
    processor = SensorLMProcessor.from_pretrained(model_path)
    rows = load_sensor_days(data, split=split, num_proc=num_proc)
    dataset = SensorDayDataset(rows)
    days = [dataset[row]["day"] for row in range(min(len(dataset), max_days or len(dataset)))]
    results: dict[str, Any] = {
        "model": str(model_path),
        "objective": objective,
        "data": data,
        "split": split,
        "days": len(days),
        "people": len({day.subject_id for day in days}),
        "seed": seed,
        "caption_key": caption_key,
        "max_text_length": max_text_length,
    }
    builder = CaptionBuilder(
        days[0].schema, key=caption_key, seed=seed, tokenizer=processor.tokenizer, max_tokens=max_text_length - 2
    )
    if objective != "cap":
        embeddings = encode_days(model, processor, days, batch_size=batch_size, progress=progress)
        if tasks is None:
            chosen_tasks = _labelled(chosen_tasks, days)
        results["zero_shot"] = {
            name: evaluate_zero_shot(model, processor, days, task, embeddings=embeddings)
            for name, task in chosen_tasks.items()
        }
        if len(days) > 1:
            results["retrieval"] = evaluate_retrieval(
                model,
                processor,
                days,
                builder.batch(days),
                pool=min(RETRIEVAL_POOL, len(days)),
                seed=seed,
                batch_size=batch_size,
                progress=progress,
                embeddings=embeddings,
            )
    if objective in ("cap", "coca") and min(caption_days, len(days)) > 1:
        chosen = days[:: max(1, len(days) // caption_days)][:caption_days]
        results["captioning"] = evaluate_captioning(
            model,
            processor,
            chosen,
            builder.batch(chosen),
            seed=seed,
            max_new_tokens=max_text_length - 2,
            progress=progress,
        )
    results["seconds"] = round(time.perf_counter() - began, 1)
    return results


def text_length(model: SensorLMModel, model_path: str | Path, asked: int | None) -> int:
    """Returns the longest caption in tokens: what was asked for, or as many as the model reads up to [`TEXT_LENGTH`].

    Args:
        model: The model.
        model_path: How messages call it.
        asked: What was asked for, if anything.

    Raises:
        ValueError: If the model reads fewer tokens than were asked for.
    """
    positions = model.config.text_config.max_position_embeddings
    if asked is None:
        return min(positions, TEXT_LENGTH)
    if asked > positions:
        raise ValueError(
            f"`max_text_length` is {asked}, but {model_path} reads at most {positions} tokens; choose no more."
        )
    return asked


def trained_key(model_path: str | Path) -> str:
    """Returns the kind of captions that a model was trained on most, of those that it writes.

    Its captions are compared with captions of that kind; compared with another, a faithful caption would look poor.

    Args:
        model_path: Model folder or Hub id.

    Returns:
        A caption key; that of summaries for a model whose folder does not tell.
    """
    options = training_options(model_path)
    weights: dict[str, float] = options.get("caption_keys") or {SUMMARY_KEY: 1.0}
    written = [key for key in weights if key not in options.get("contrast_only", ())]
    return max(written or weights, key=weights.__getitem__)


def _labelled(tasks: dict[str, Task], days: Sequence[SensorDay]) -> dict[str, Task]:
    """Returns the tasks that give at least one day a class, and tells of the others."""
    empty = [name for name, task in tasks.items() if all(task.class_of(day) is None for day in days)]
    if empty:
        logger.warning("No day has a class of %s; left out.", ", ".join(empty))
    return {name: task for name, task in tasks.items() if name not in empty}


def _check_device(name: str) -> None:
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA raises an AssertionError
        raise ValueError(f"`device` {name!r} cannot be used here: {str(error).splitlines()[0]}") from None


def result_rows(results: dict[str, Any]) -> Iterator[tuple[str, str, float, float]]:
    """Yields `(task, metric, value, chance)` for every headline number of [`evaluate_model`].

    A number is nan where it is not defined: the AUROC of days that are all of one class.
    """
    for group, word in (("zero_shot", "zero-shot"), ("event_level", "events"), ("probes", "probe")):
        for name, scores in results.get(group, {}).items():
            for metric, label in CLASS_METRICS:
                yield f"{word} {name}", label, scores[metric], scores["chance"][metric]
    retrieval = results.get("retrieval", {})
    for way in ("sensor_to_text", "text_to_sensor"):
        for metric, value in retrieval.get(way, {}).items():
            if metric == "intervals":
                continue
            label = metric.replace("_", " ")
            yield f"retrieval {way.replace('_', ' ')}", label, value, retrieval["chance"][metric]
    captioning = results.get("captioning", {})
    for metric, label in CAPTION_METRICS:
        if metric in captioning:
            yield "captioning", label, captioning[metric], captioning["chance"][metric]


def number_text(value: float) -> str:
    """Returns a number with three decimals, or a dash where it is not defined."""
    return f"{value:.3f}" if math.isfinite(value) else "–"


def markdown_table(results: dict[str, Any]) -> str:
    """Returns the headline numbers as a Markdown table."""
    lines = ["| task | metric | value | chance |", "|---|---|---|---|"]
    for task, metric, value, chance in result_rows(results):
        lines.append(f"| {task} | {metric} | {number_text(value)} | {number_text(chance)} |")
    return "\n".join(lines)


def finite(data: Any) -> Any:
    """Returns nested results with None in place of nan and infinities, which JSON does not know."""
    if isinstance(data, dict):
        return {key: finite(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def save_results(results: dict[str, Any], path: str | Path) -> None:
    """Writes results as JSON, over a temporary name; numbers that are not defined become null."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_text(path, json.dumps(finite(results), indent=2) + "\n")
