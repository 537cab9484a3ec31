"""Evaluates a model on a dataset and reports scores with confidence intervals and chance levels."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..checkpoints import training_options, training_record
from ..data.collator import SensorDayDataset
from ..data.folders import load_sensor_days
from ..days import SensorDay
from ..io import atomic_write
from ..modeling import load_pretrained
from ..processing import SensorLMProcessor
from ..processing.captions import CaptionBuilder
from .captioning import captioned_rows, score_captions
from .encode import CAPTION_BATCH, Ranks, caption_days, encode_days, encode_texts
from .english import evaluate_english
from .profiles import available_profiles, days_seen, encode_profile
from .results import (
    DEFAULT_TASKS,
    RUN_TASKS,
    as_loaded,
    assemble,
    collect,
    expand_tasks,
    finite,
    open_run,
    save_results,
)
from .retrieval import retrieval_curve
from .supervised import evaluate_few_shot, evaluate_gradient_boosting, evaluate_probe, summary_table
from .tasks import RETRIEVAL_POOLS, UNSEEN_TASK
from .zero_shot import evaluate_event_level, evaluate_zero_shot, event_crops, labelled_events

logger = logging.getLogger(__name__)

RETRIEVAL_POOL = 100
"""Default number of retrieval candidates; capped at the number of days."""

TEXT_LENGTH = 256
"""Default maximum caption length in tokens; capped at the maximum of the model."""

SUMMARY_KEY = "high_level_summary_caption"
"""Default caption key of the release."""

MAP_POINTS = 1000
"""Maximum number of days on the embedding map."""


def evaluate_model(
    model_path: str | Path,
    data: str | Sequence[SensorDay],
    output_dir: str | Path | None = None,
    *,
    tasks: Sequence[str] | None = None,
    split: str = "test",
    caption_key: str | None = None,
    max_text_length: int | None = None,
    max_days: int | None = None,
    caption_days: int = 200,
    batch_size: int = 64,
    seed: int = 0,
    device: str = "cpu",
    num_proc: int | None = None,
    meteor: bool = False,
    bertscore_model: str | Path | None = None,
    progress: bool = False,
) -> dict[str, Any]:
    """Evaluates a model on labelled days.

    The scores depend only on the settings, not on whether `output_dir` is set: days are used in dataset order, captions
    are generated for every n-th day ([`captioned_rows`]), and retrieval pools are drawn with `seed` ([`pool_ranks`]).
    Under `torchrun`, the processes split the batches, and the scores equal those of a single process.

    Args:
        model_path: Model folder or Hub id.
        data: Dataset of days (see [`load_sensor_days`]), or a sequence of days.
        output_dir: Output folder of the run. Each task writes `tasks/<name>.json` when it finishes, so an interrupted
            run resumes after the last finished task. A folder with the results of another run is rejected.
        tasks: Names from [`RUN_TASKS`] or [`GROUPS`]; defaults to zero-shot, retrieval and captioning, or to all tasks
            if `output_dir` is set. Tasks from the defaults or from groups that the labels or the model do not support
            are skipped.
        split: Split of the dataset.
        caption_key: Key of the captions for retrieval and captioning; defaults to the [`trained_key`] of the model.
        max_text_length: Maximum caption length in tokens; defaults to the maximum of the model, capped at
            [`TEXT_LENGTH`].
        max_days: If set, use only the first `max_days` days.
        caption_days: Number of days to caption; generation is slow.
        batch_size: Number of days per batch.
        seed: Seed for captions, pools, folds and bootstrap.
        device: Device to run on.
        num_proc: Number of processes that prepare a simulated cohort.
        meteor: Whether to compute METEOR for captions.
        bertscore_model: Folder of a text encoder used to compute BERTScore for captions.
        progress: Whether to show progress bars.

    Returns:
        `zero_shot`, `event_level`, `probes` and `few_shot` (by task), `baselines` (by kind, then task), `retrieval`
        with `pools`, `captioning`, `english` ([`evaluate_english`]), `embedding_map`, and the settings of the run;
        parts that were not computed are absent. With `output_dir`, classification results also have `curves`, which
        are plotted in the report. Processes other than the first return only their `rank`.

    Raises:
        ValueError: If a task is unknown, or is requested by name but not possible; if a number is out of range; or if
            `output_dir` belongs to another run.
    """
    if tasks is None:
        chosen = tuple(RUN_TASKS) if output_dir else DEFAULT_TASKS
    else:
        chosen = expand_tasks(tasks)
    for name, number, least in (
        ("max_days", max_days, 1),
        ("caption_days", caption_days, 0),
        ("batch_size", batch_size, 1),
        ("seed", seed, 0),
    ):
        if number is not None and number < least:
            raise ValueError(f"`{name}` must be at least {least}, got {number}.")
    _check_device(device)
    ranks = Ranks.start()
    model = load_pretrained(model_path, dtype=torch.float32).to(device).eval()
    processor = SensorLMProcessor.from_pretrained(model_path)
    days = _load_days(data, split, max_days, num_proc)
    settings: dict[str, Any] = {
        "model": str(model_path),
        "objective": model.config.objective,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "data": data if isinstance(data, str) else "days given in memory",
        "split": split,
        "days": len(days),
        "people": len({day.subject_id for day in days}),
        "seed": seed,
        "caption_key": caption_key or trained_key(model_path),
        "max_text_length": text_length(model, model_path, max_text_length),
        "caption_days": caption_days,
        **({"opening": True} if writes_openings(model_path) else {}),
        **({"meteor": True} if meteor else {}),
        **({"bertscore_model": str(bertscore_model)} if bertscore_model is not None else {}),
    }
    folder = None if output_dir is None else Path(output_dir)
    run = _Run(model, processor, days, settings, ranks, batch_size, progress, folder)
    held_out = training_options(model_path).get("held_out_activities", ())
    chosen = _supported_tasks(run, chosen, tasks, held_out)
    if folder is not None:
        _open_run_folder(folder, {**settings, "fingerprint": _fingerprint(model, days)}, ranks)
    entries: dict[str, dict[str, Any]] = {}
    for name in chosen:
        path = None if folder is None else folder / "tasks" / f"{name}.json"
        if path is not None and ranks.broadcast(path.is_file()):
            continue
        began = time.perf_counter()
        entry = run(name)
        if ranks.first:
            entries[name] = {**entry, "seconds": round(time.perf_counter() - began, 1)}
            if path is not None:
                save_results(entries[name], path)
        ranks.wait()
    if not ranks.first:
        return {"rank": ranks.rank}
    if folder is None:
        # Same round trip as through a file, so that results do not depend on `output_dir`.
        return assemble(settings, {name: as_loaded(json.dumps(finite(entry))) for name, entry in entries.items()})
    results = collect(folder)
    save_results(results, folder / "results.json")
    return results


class _Run:
    """State shared by the tasks of a run: embeddings, captions and features, computed on first use."""

    def __init__(
        self,
        model: Any,
        processor: Any,
        days: Sequence[SensorDay],
        settings: dict[str, Any],
        ranks: Ranks,
        batch_size: int,
        progress: bool,
        folder: Path | None,
    ) -> None:
        self.model, self.processor, self.days, self.settings = model, processor, days, settings
        self.ranks, self.batch_size, self.progress, self.folder = ranks, batch_size, progress, folder
        self.seed = int(settings["seed"])
        self.people = [day.subject_id for day in days]
        self.max_tokens = int(settings["max_text_length"]) - 2  # excluding the start and end tokens
        self.captioner = self._captioner()

    def _captioner(self, **options: Any) -> CaptionBuilder:
        return CaptionBuilder(
            self.days[0].schema,
            key=self.settings["caption_key"],
            seed=self.seed,
            tokenizer=self.processor.caption_tokenizer,
            max_tokens=self.max_tokens,
            **options,
        )

    def unsupported_reason(self, name: str, held_out: Sequence[str]) -> str:
        """Returns the reason why a task is not possible, or an empty string."""
        part, task = RUN_TASKS[name]
        objective = self.model.config.objective
        if part == "captioning":
            if objective not in ("cap", "coca"):
                return f"a {objective} model does not generate captions"
            return "" if min(len(self.days), self.settings["caption_days"]) > 1 else "at least two days are needed"
        if objective == "cap" and part in ("zero_shot", "event_level", "retrieval", "english"):
            return "a cap model has no text embedding to compare days with"
        if part == "english":
            return "" if len(self.days) > 1 else "at least two days are needed"
        if part == "retrieval":
            return "" if len(self.days) > 1 else "at least two days are needed"
        if part == "embedding_map":
            return "" if len(self.days) > 2 else "at least three days are needed"
        if part == "event_level":
            return "" if any(labelled_events(self.days, task)) else "no day has such an event"
        if task is UNSEEN_TASK and not set(task.class_names) <= set(held_out):
            return "the model was not trained with these activities held out (see UNSEEN_ACTIVITIES)"
        labelled = [(task.class_of(day), day.subject_id) for day in self.days if task.class_of(day) is not None]
        if part == "zero_shot":
            return "" if labelled else "no day has such a label"
        classes, people = ({entry[i] for entry in labelled} for i in (0, 1))
        return "" if len(classes) > 1 and len(people) > 3 else "labels of two classes and four people are needed"

    def __call__(self, name: str) -> dict[str, Any]:
        """Returns the result of a task. Every process must call it; only the result of rank 0 is used."""
        part, task = RUN_TASKS[name]
        if task is None:
            run = {
                "retrieval": self._retrieval,
                "captioning": self._captioning,
                "english": self._english,
                "embedding_map": self._map,
            }
            return run[part]()
        if part == "baselines":
            boosted = evaluate_gradient_boosting
            return boosted(self.days, task, features=self.features, seed=self.seed) if self.ranks.first else {}
        days: Any = event_crops(self.days, task) if part == "event_level" else self.days
        embeddings = self._encode(days.days, "Embedding events") if part == "event_level" else self.embeddings
        if not self.ranks.first:
            return {}
        if part in ("probes", "few_shot"):
            return (evaluate_probe if part == "probes" else evaluate_few_shot)(embeddings, days, task, seed=self.seed)
        classify: Any = evaluate_zero_shot if part == "zero_shot" else evaluate_event_level
        options = {"embeddings": embeddings, "seed": self.seed, "curves": self.folder is not None}
        return classify(self.model, self.processor, days, task, **options)

    @cached_property
    def embeddings(self) -> np.ndarray:
        """`(days, D)` embeddings of the days, cached in the run folder."""
        return self._cached("days", lambda: self._encode(self.days, "Embedding days"))

    @cached_property
    def features(self) -> np.ndarray:
        """Summary features of the days."""
        return summary_table(self.days)

    def _encode(self, days: Sequence[SensorDay], description: str) -> np.ndarray:
        rows = self.ranks.map(
            lambda batch: encode_days(self.model, self.processor, batch, batch_size=self.batch_size),
            days,
            self.batch_size,
            progress=self.progress,
            description=description,
        )
        return np.stack(rows)

    def _encode_captions(self) -> np.ndarray:
        captions = self.captioner.batch(self.days)
        # Batch captions of similar length, as in `encode_texts`, regardless of which process embeds them.
        order = sorted(range(len(captions)), key=lambda row: -len(captions[row]))
        rows = self.ranks.map(
            lambda batch: encode_texts(self.model, self.processor, batch, batch_size=self.batch_size),
            [captions[row] for row in order],
            self.batch_size,
            progress=self.progress,
            description="Embedding texts",
        )
        embedded = np.stack(rows)
        return embedded[np.argsort(order)]

    def _cached(self, name: str, compute: Any) -> np.ndarray:
        if self.folder is None:
            return compute()
        path = self.folder / "cache" / f"{name}.npy"
        if self.ranks.broadcast(path.is_file()):
            return np.load(path)
        rows = compute()
        if self.ranks.first:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as partial, partial.open("wb") as file:
                np.save(file, rows)
        self.ranks.wait()
        return rows

    def _retrieval(self) -> dict[str, Any]:
        sensor, text = self.embeddings, self._cached("captions", self._encode_captions)
        if not self.ranks.first:
            return {}
        pool = min(RETRIEVAL_POOL, len(self.days))
        pools = retrieval_curve(sensor, text, self.people, pools=(pool, *RETRIEVAL_POOLS), seed=self.seed)
        return {**pools[pool], "pool": pool, "pools": pools}

    def _captioning(self) -> dict[str, Any]:
        days = [self.days[row] for row in captioned_rows(len(self.days), self.settings["caption_days"])]
        predictions = self.ranks.map(
            lambda batch: caption_days(self.model, self.processor, batch, max_new_tokens=self.max_tokens),
            days,
            CAPTION_BATCH,
            progress=self.progress,
            description="Writing captions",
        )
        if not self.ranks.first:
            return {}
        references = self._captioner(opening=True) if self.settings.get("opening") else self.captioner
        return score_captions(
            predictions,
            references.batch(days),
            days,
            seed=self.seed,
            meteor=self.settings.get("meteor", False),
            bertscore_model=self.settings.get("bertscore_model"),
        )

    def _english(self) -> dict[str, Any]:
        task: Any = RUN_TASKS["exercise_events"].task
        crops = event_crops(self.days, task) if any(labelled_events(self.days, task)) else None
        days: dict[str, np.ndarray] = {}
        events: dict[str, np.ndarray] = {}
        profiles = available_profiles(self.days)
        for profile in profiles:
            options: dict[str, Any] = {
                "profile": profile,
                "batch_size": self.batch_size,
                "progress": self.progress,
                "ranks": self.ranks,
            }
            complete = profile.name == "all"
            days[profile.name] = (
                self.embeddings if complete else encode_profile(self.model, self.processor, self.days, **options)
            )
            if crops is not None and days_seen(crops.days, profile):
                events[profile.name] = encode_profile(self.model, self.processor, crops.days, what="events", **options)
        if not self.ranks.first:
            return {}
        return evaluate_english(
            self.model,
            self.processor,
            self.days,
            profiles=profiles,
            embeddings=days,
            crops=crops,
            event_embeddings=events,
            seed=self.seed,
        )

    def _map(self) -> dict[str, Any]:
        from ..plotting.embedding_map import project

        embeddings = self.embeddings
        if not self.ranks.first:
            return {}
        labels = [str(day.labels.get("main_activity", "unlabelled")) for day in self.days]
        rows = [i for i, label in enumerate(labels) if label != "none"]
        rows = (rows if len(rows) > 2 else list(range(len(labels))))[:MAP_POINTS]
        points = project(embeddings[rows])
        return {"points": np.round(points, 4).tolist(), "labels": [labels[i] for i in rows], "method": "pca"}


def _supported_tasks(
    run: _Run, chosen: Sequence[str], named: Sequence[str] | None, held_out: Sequence[str]
) -> tuple[str, ...]:
    """Returns the possible tasks; raises for impossible tasks requested by name, and logs the others as skipped."""
    left_out: dict[str, list[str]] = {}
    for name in chosen:
        reason = run.unsupported_reason(name, held_out)
        if reason and named is not None and name in named:
            raise ValueError(f"Task {name!r} is not possible here: {reason}.")
        if reason:
            left_out.setdefault(reason, []).append(name)
    for reason, names in left_out.items():
        logger.warning("Skipping %s: %s.", ", ".join(names), reason)
    return tuple(name for name in chosen if not any(name in names for names in left_out.values()))


def text_length(model: Any, model_path: str | Path, requested: int | None) -> int:
    """Returns the maximum caption length in tokens: `requested`, or that of the model up to [`TEXT_LENGTH`].

    Args:
        model: The model.
        model_path: Name of the model in error messages.
        requested: The requested length, if any.

    Raises:
        ValueError: If the requested length exceeds the maximum of the model.
    """
    positions = model.config.text_config.max_position_embeddings
    if requested is None:
        return min(positions, TEXT_LENGTH)
    if requested > positions:
        raise ValueError(
            f"`max_text_length` is {requested}, but {model_path} supports at most {positions} tokens; choose a smaller"
            " value."
        )
    return requested


def trained_key(model_path: str | Path) -> str:
    """Returns the caption key that a model was mainly trained on, among those that it learned to generate.

    Generated captions are compared with captions of that kind; compared with any other, even a faithful caption would
    score low.

    Args:
        model_path: Model folder or Hub id.

    Returns:
        A caption key; [`SUMMARY_KEY`] for a model without a training record.
    """
    options = training_options(model_path)
    weights: dict[str, float] = options.get("caption_keys") or {SUMMARY_KEY: 1.0}
    written = [key for key in weights if key not in options.get("contrast_only", ())]
    return max(written or weights, key=weights.__getitem__)


def writes_openings(model_path: str | Path) -> bool:
    """Returns whether a model was trained to start captions with an [`opening_sentence`].

    Args:
        model_path: Model folder or Hub id.
    """
    decoder = (training_record(model_path) or {}).get("decoder") or training_options(model_path)
    return bool(decoder.get("opening", False))


def _load_days(data: Any, split: str, max_days: int | None, num_proc: int | None) -> list[SensorDay]:
    rows = load_sensor_days(data, split=split, num_proc=num_proc) if isinstance(data, str) else list(data)
    dataset = SensorDayDataset(rows)
    return [dataset[row]["day"] for row in range(min(len(dataset), max_days or len(dataset)))]


def _check_device(name: str) -> None:
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA raises an AssertionError
        raise ValueError(f"`device` {name!r} cannot be used here: {str(error).splitlines()[0]}") from None


def _fingerprint(model: Any, days: Sequence[SensorDay]) -> str:
    """Returns a digest of the weights and days, so that results of another model or dataset are never reused."""
    digest = hashlib.blake2b(digest_size=12)
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    for day in days:
        digest.update(day.sample_id.encode())
        digest.update(np.ascontiguousarray(day.values).tobytes())
    return digest.hexdigest()


def _open_run_folder(folder: Path, settings: dict[str, Any], ranks: Ranks) -> None:
    """Opens the run folder in the first process; an error is raised in all of them."""
    problem = ""
    if ranks.first:
        try:
            open_run(folder, settings)
        except ValueError as error:
            problem = str(error)
    problem = ranks.broadcast(problem)
    if problem:
        raise ValueError(problem)
