"""The whole evaluation of a model, task by task: resumable, on one process or several."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..checkpoints import training_options
from ..data.collator import SensorDayDataset
from ..data.folders import load_sensor_days
from ..days import SensorDay
from ..io import atomic_write
from ..modeling import SensorLMModel
from ..plotting.embedding_map import project
from ..processing import SensorLMProcessor
from ..processing.captions import CaptionBuilder
from .baselines import evaluate_gradient_boosting, summary_table
from .captioning import score_captions
from .curves import classification_curves
from .encode import caption_days, encode_days, encode_texts
from .event_level import event_crops, event_scores
from .parallel import Ranks
from .probing import evaluate_few_shot, evaluate_probe
from .report import RETRIEVAL_POOL, finite, save_results, text_length, trained_key
from .retrieval_pools import retrieval_curve
from .run_folder import collect, expand_tasks
from .tasks import EVENT_TASKS, PROBE_TASKS, RETRIEVAL_POOLS, TASKS, UNSEEN_TASK, EventTask, Task
from .zero_shot import scored

logger = logging.getLogger(__name__)

MAP_POINTS = 1000
"""Most days on the embedding map."""


def run_suite(
    model_path: str | Path,
    data: str | Sequence[SensorDay],
    output_dir: str | Path,
    *,
    tasks: Sequence[str] | None = None,
    split: str = "test",
    caption_key: str | None = None,
    max_text_length: int | None = None,
    max_days: int | None = None,
    caption_count: int = 200,
    batch_size: int = 64,
    seed: int = 0,
    device: str = "cpu",
    num_proc: int | None = None,
    meteor: bool = False,
    bertscore_model: str | Path | None = None,
    progress: bool = False,
) -> dict[str, Any]:
    """Evaluates a model on labelled days, with intervals, baselines and everything that the report draws.

    Each task writes `tasks/<name>.json` when it is done; a run that was interrupted is called again and goes on.
    Started by `torchrun`, the processes share out the batches, and the numbers are those of one process.

    Args:
        model_path: Model folder or Hub id.
        data: Dataset of days, see [`load_sensor_days`], or the days themselves.
        output_dir: Where results go. A folder that holds another run's results is refused.
        tasks: Names of [`SUITE_TASKS`] or [`GROUPS`]; by default all that the days' labels and the model allow.
        split: Split of the dataset.
        caption_key: Key of the captions for retrieval and captioning; by default the [`trained_key`] of the model.
        max_text_length: Longest caption in tokens; by default as many as the model reads, at most [`TEXT_LENGTH`].
        max_days: Use only the first days.
        caption_count: Days captioned; generating is slow.
        batch_size: Days embedded at once.
        seed: Seed of captions, pools, splits and bootstrap.
        device: Where to run.
        num_proc: Processes that prepare a simulated cohort.
        meteor: Whether to compute METEOR of captions.
        bertscore_model: Folder of a text encoder, for BERTScore of captions.
        progress: Whether to show progress bars.

    Returns:
        The results, in the first process; in the others only `rank`. They extend those of [`evaluate_model`]:
        `zero_shot`, `event_level`, `probes`, `few_shot`, `baselines` (by kind, then task), `retrieval` with `pools`,
        `captioning`, `embedding_map`, and the circumstances.

    Raises:
        ValueError: If a task is unknown, was asked for and is not possible, or `output_dir` belongs to another run.
    """
    chosen = expand_tasks(tasks)
    folder, ranks = Path(output_dir), Ranks.start()
    model = SensorLMModel.from_pretrained(model_path, dtype=torch.float32).to(device).eval()
    processor = SensorLMProcessor.from_pretrained(model_path)
    days = _days(data, split, max_days, num_proc)
    caption_key = caption_key or trained_key(model_path)
    CaptionBuilder(days[0].schema, key=caption_key)  # refuses an unknown kind before the folder is there
    circumstances: dict[str, Any] = {
        "model": str(model_path),
        "objective": model.config.objective,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "data": data if isinstance(data, str) else "days given in memory",
        "split": split,
        "days": len(days),
        "people": len({day.subject_id for day in days}),
        "seed": seed,
        "caption_key": caption_key,
        "max_text_length": text_length(model, model_path, max_text_length),
        "caption_count": caption_count,
        "fingerprint": _fingerprint(model, days),
    }
    _claim(folder, circumstances, ranks)
    held_out = training_options(model_path).get("held_out_activities", ())
    run = _Run(model, processor, days, circumstances, ranks, batch_size, progress, folder / "cache")
    run.options = {"meteor": meteor, "bertscore_model": bertscore_model}
    for name in chosen:
        path = folder / "tasks" / f"{name}.json"
        if ranks.agree(path.is_file()):
            continue
        reason = run.impossible(name, held_out=held_out)
        if reason and tasks is not None and name in tasks:
            raise ValueError(f"Task {name!r} is not possible here: {reason}")
        if reason:
            logger.warning("Task %s is left out: %s", name, reason)
            continue
        began = time.perf_counter()
        result = run(name)
        if ranks.first:
            save_results({**result, "seconds": round(time.perf_counter() - began, 1)}, path)
        ranks.wait()
    if not ranks.first:
        return {"rank": ranks.rank}
    results = collect(folder)
    save_results(results, folder / "results.json")
    return results


class _Run:
    """What the tasks of one run share: embeddings and captions, computed when first needed."""

    options: dict[str, Any]

    def __init__(
        self,
        model: Any,
        processor: Any,
        days: Sequence[SensorDay],
        circumstances: dict[str, Any],
        ranks: Ranks,
        batch_size: int,
        progress: bool,
        cache: Path,
    ) -> None:
        self.model, self.processor, self.days, self.facts = model, processor, days, circumstances
        self.ranks, self.batch_size, self.progress, self.cache = ranks, batch_size, progress, cache
        self.seed = int(circumstances["seed"])
        self.people = [day.subject_id for day in days]

    def impossible(self, name: str, held_out: Sequence[str]) -> str:
        """Says why a task cannot be done, or nothing."""
        objective = self.model.config.objective
        if name == "captioning":
            if objective not in ("cap", "coca"):
                return f"a {objective} model writes no captions."
            return "" if min(len(self.days), self.facts["caption_count"]) > 1 else "it takes two days."
        compares = name in TASKS or name in EVENT_TASKS or name in (UNSEEN_TASK.name, "retrieval")
        if objective == "cap" and compares:
            return "a cap model has no embeddings that were trained to be compared with texts."
        if name == UNSEEN_TASK.name and not set(UNSEEN_TASK.class_names) <= set(held_out):
            return "the model was not trained with these activities held out (see UNSEEN_ACTIVITIES)."
        if name == "retrieval" or name == "embedding_map":
            return "" if len(self.days) > 2 else "it takes three days."
        if name in TASKS or name == UNSEEN_TASK.name:
            task = self._task(name)
            return "" if any(task.class_of(day) is not None for day in self.days) else "no day has a class."
        if name in EVENT_TASKS:
            try:
                event_crops(self.days, EVENT_TASKS[name])
            except ValueError as error:
                return str(error)
            return ""
        probe = PROBE_TASKS[name.split("_", 2 if name.startswith(("few", "gradient")) else 1)[-1]]
        classes = {probe.class_of(day) for day in self.days} - {None}
        people = {day.subject_id for day in self.days if probe.class_of(day) is not None}
        return "" if len(classes) > 1 and len(people) > 3 else "it takes days of two classes and four people."

    @staticmethod
    def _task(name: str) -> Task:
        return UNSEEN_TASK if name == UNSEEN_TASK.name else TASKS[name]

    def __call__(self, name: str) -> dict[str, Any]:
        """Returns the result of a task; every process must call it, and only the first one's counts."""
        if name in TASKS or name == UNSEEN_TASK.name:
            task = self._task(name)
            rows = [i for i, day in enumerate(self.days) if task.class_of(day) is not None]
            classes = np.array([task.class_of(self.days[i]) for i in rows])
            people = [self.people[i] for i in rows]
            return {**self._classified(task, classes, self.embeddings[rows], people), "days": len(rows)}
        if name in EVENT_TASKS:
            crops = event_crops(self.days, EVENT_TASKS[name])
            embeddings = self._encode(crops.days, "Embedding events")
            people = [day.subject_id for day in crops.days]
            result = self._classified(EVENT_TASKS[name], crops.classes, embeddings, people)
            return {**result, "events": len(crops.days), "days": len(set(crops.rows.tolist()))}
        for prefix, evaluate in (
            ("probe_", lambda task: evaluate_probe(self.embeddings, self.days, task, seed=self.seed)),
            ("few_shot_", lambda task: evaluate_few_shot(self.embeddings, self.days, task, seed=self.seed)),
            ("gradient_boosting_", self._boosted),
        ):
            if name.startswith(prefix):
                call: Callable[[Any], dict[str, Any]] = evaluate
                return self._first(call, PROBE_TASKS[name.removeprefix(prefix)])
        return {"retrieval": self._retrieval, "captioning": self._captioning, "embedding_map": self._map}[name]()

    def _first(self, evaluate: Callable[[Any], dict[str, Any]], task: Any) -> dict[str, Any]:
        """Computes only in the first process; embeddings, which all compute together, must be there before."""
        _ = self.embeddings
        return evaluate(task) if self.ranks.first else {}

    def _boosted(self, task: Any) -> dict[str, Any]:
        return evaluate_gradient_boosting(self.days, task, features=self.features, seed=self.seed)

    def _classified(
        self, task: Task | EventTask, classes: np.ndarray, embeddings: np.ndarray, people: Sequence[str]
    ) -> dict[str, Any]:
        if not self.ranks.first:
            return {}
        scores = event_scores(self.model, self.processor, embeddings, task)
        curves = classification_curves(classes, scores, task.class_names)
        return {**scored(classes, scores, people, task.class_names, seed=self.seed), "curves": curves}

    @cached_property
    def embeddings(self) -> np.ndarray:
        """`(days, D)` embeddings of the days, kept on the disk."""
        return self._kept("days", lambda: self._encode(self.days, "Embedding days"))

    @cached_property
    def captions(self) -> list[str]:
        """The builder's caption of each day."""
        return self._builder.batch(self.days)

    @cached_property
    def features(self) -> np.ndarray:
        """Summary features of the days."""
        return summary_table(self.days)

    @cached_property
    def _builder(self) -> CaptionBuilder:
        return CaptionBuilder(
            self.days[0].schema,
            key=self.facts["caption_key"],
            seed=self.seed,
            tokenizer=self.processor.tokenizer,
            max_tokens=self.facts["max_text_length"] - 2,
        )

    def _encode(self, days: Sequence[SensorDay], what: str) -> np.ndarray:
        rows = self.ranks.map(
            lambda batch: encode_days(self.model, self.processor, batch, batch_size=self.batch_size),
            days,
            self.batch_size,
            progress=self.progress,
            description=what,
        )
        return np.stack(rows)

    def _kept(self, name: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
        path = self.cache / f"{name}.npy"
        if self.ranks.agree(path.is_file()):
            return np.load(path)
        rows = compute()
        if self.ranks.first:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as partial, partial.open("wb") as file:
                np.save(file, rows)
        self.ranks.wait()
        return rows

    def _retrieval(self) -> dict[str, Any]:
        def encode() -> np.ndarray:
            rows = self.ranks.map(
                lambda batch: encode_texts(self.model, self.processor, batch, batch_size=self.batch_size),
                self.captions,
                self.batch_size,
                progress=self.progress,
                description="Embedding texts",
            )
            return np.stack(rows)

        sensor, text = self.embeddings, self._kept("captions", encode)
        if not self.ranks.first:
            return {}
        smallest = min(RETRIEVAL_POOL, len(self.days))
        curve = retrieval_curve(sensor, text, self.people, pools=(smallest, *RETRIEVAL_POOLS), seed=self.seed)
        return {**curve["pools"][smallest], "pool": smallest, **curve}

    def _captioning(self) -> dict[str, Any]:
        count = min(self.facts["caption_count"], len(self.days))
        rows = np.linspace(0, len(self.days) - 1, count).round().astype(int)
        days = [self.days[row] for row in rows]
        predictions = self.ranks.map(
            lambda batch: caption_days(
                self.model, self.processor, batch, batch_size=32, max_new_tokens=self.facts["max_text_length"] - 2
            ),
            days,
            32,
            progress=self.progress,
            description="Writing captions",
        )
        if not self.ranks.first:
            return {}
        return score_captions(predictions, self._builder.batch(days), days, seed=self.seed, **self.options)

    def _map(self) -> dict[str, Any]:
        if not self.ranks.first:
            _ = self.embeddings
            return {}
        labels = [str(day.labels.get("main_activity", "unlabelled")) for day in self.days]
        rows = [i for i, label in enumerate(labels) if label != "none"] or list(range(len(labels)))
        rows = rows[:MAP_POINTS] if len(rows) > 2 else list(range(len(labels)))[:MAP_POINTS]
        points = project(self.embeddings[rows])
        return {"points": np.round(points, 4).tolist(), "labels": [labels[i] for i in rows], "method": "pca"}


def _days(data: Any, split: str, max_days: int | None, num_proc: int | None) -> list[SensorDay]:
    if max_days is not None and max_days < 1:
        raise ValueError(f"`max_days` must be at least 1, got {max_days}.")
    rows = load_sensor_days(data, split=split, num_proc=num_proc) if isinstance(data, str) else list(data)
    dataset = SensorDayDataset(rows)
    return [dataset[row]["day"] for row in range(min(len(dataset), max_days or len(dataset)))]


def _fingerprint(model: SensorLMModel, days: Sequence[SensorDay]) -> str:
    """Names the weights and the days, so that results of others are never taken for those of this run."""
    digest = hashlib.blake2b(digest_size=12)
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    for day in days:
        digest.update(day.sample_id.encode())
        digest.update(np.ascontiguousarray(day.values).tobytes())
    return digest.hexdigest()


def _claim(folder: Path, circumstances: dict[str, Any], ranks: Ranks) -> None:
    """Writes `run.json`, or checks that it is that of the same run."""
    path, problem = folder / "run.json", ""
    if ranks.first:
        if path.is_file():
            known = json.loads(path.read_text(encoding="utf-8"))
            wrong = [key for key, value in finite(circumstances).items() if known.get(key) != value and key != "model"]
            if wrong:
                problem = (
                    f"{folder} holds the results of another run ({', '.join(f'{key} differs' for key in wrong)});"
                    " choose another folder, or remove it."
                )
        elif folder.exists() and any(folder.iterdir()):
            problem = f"{folder} is not empty and holds no run; choose another folder."
        else:
            save_results(circumstances, path)
    problem = ranks.agree(problem)
    if problem:
        raise ValueError(problem)
