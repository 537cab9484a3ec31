"""`run_demo`: everything that a model can say about one day. It computes and prints nothing."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from transformers import AutoModel, AutoProcessor, pipeline

from ..activities import canonical_activity
from ..checkpoints import demo_checkpoint
from ..data.simulate import SENSOR_OF, iter_simulated_days
from ..days import SensorDay
from ..evaluation.encode import encode_texts
from ..evaluation.tasks import get_task
from ..processing.captions import CaptionBuilder
from ..processing.captions.budget import MIN_TOKENS, TOKEN_BUDGETS
from ..schema import SensorSchema, get_schema
from .result import DemoResult, LabelScore, NearestCaption, Stopwatch

LIBRARY_SEED = 2025
"""Seed of the cohort whose captions fill the library; models are trained on, and the built-in day is of, others."""

_CAPTIONS_A_TRY = 64


def run_demo(
    day: SensorDay,
    model: str | os.PathLike | None = None,
    *,
    caption_key: str = "high_low_caption",
    n_library: int = 200,
    n_nearest: int = 5,
    labels: Sequence[str] | None = None,
    seed: int = 0,
    source: str = "",
    notes: Sequence[str] = (),
    stopwatch: Stopwatch | None = None,
) -> DemoResult:
    """Labels, captions and embeds a day, and looks for its caption in a library.

    The library holds the day's own caption, as the caption builder writes it, and captions of days of simulated people,
    all different. The model sees the sensors only; captions of high levels tell the log. One that fits the day as well
    as its own may rank before it.

    Args:
        day: The day.
        model: Folder or Hub id of a model with its processor; by default the demo model of the package.
        caption_key: Kind of caption for the builder and the library.
        n_library: Captions in the library, at least 2.
        n_nearest: Nearest captions to return.
        labels: What to tell apart; by default the 20 activities of the benchmark.
        seed: Seed of the captions' wording.
        source: Where the day came from, for the report.
        notes: Remarks about it, for the report.
        stopwatch: Measures the stages; by default a new one.

    Returns:
        The result. What the model's objective cannot do is left out and named in the notes.

    Raises:
        FileNotFoundError: If no model is named and the package was installed without its demo model.
        ValueError: If the model cannot be loaded, the day does not fit it, or an argument is out of range.
    """
    for name, value, least in (("n_library", n_library, 2), ("n_nearest", n_nearest, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"`{name}` must be a whole number of at least {least}, got {value!r}.")
    watch = stopwatch if stopwatch is not None else Stopwatch()
    path = os.fspath(model) if model is not None else demo_checkpoint()
    with watch.stage("load the model"):
        network, processor = load_model(path)
    parts = {"feature_extractor": processor.feature_extractor, "tokenizer": processor.tokenizer}
    remarks = list(notes)
    with _quiet_pipelines():
        with watch.stage("embed the day"):
            embedding = pipeline("sensor-feature-extraction", model=network, **parts)(day)
        with watch.stage("score labels"):
            task = get_task("activity")
            chosen: Any = list(labels) if labels is not None else dict(zip(task.class_names, task.phrases, strict=True))
            classify = pipeline("zero-shot-sensor-classification", model=network, **parts)
            scored = classify(day, candidate_labels=chosen, hypothesis_template=list(task.templates))
        generated = None
        if network.config.is_generative:
            with watch.stage("write a caption"):
                describe = pipeline("sensor-captioning", model=network, **parts)
                generated = describe(day)[0]["generated_text"]
        else:
            remarks.append(f"The model has no decoder (objective {network.config.objective}), so it writes no caption.")
    with watch.stage("search captions"):
        room = network.config.text_config.max_position_embeddings
        most = max(MIN_TOKENS, min(TOKEN_BUDGETS[caption_key], room) - 2) if caption_key in TOKEN_BUDGETS else None
        built = CaptionBuilder(day.schema, key=caption_key, seed=seed, tokenizer=processor.tokenizer, max_tokens=most)(
            day
        )
        nearest: tuple[NearestCaption, ...] = ()
        rank = None
        if network.config.is_contrastive:
            library = [built, *_library(day.schema, caption_key, seed, n_library - 1, built, processor, most)]
            nearest, rank = _search(
                np.asarray(embedding), encode_texts(network, processor, library), library, n_nearest
            )
        else:
            remarks.append(
                f"The model has no text embedding (objective {network.config.objective}): nothing to search."
            )
    logged = _logged(day)
    return DemoResult(
        sample_id=day.sample_id,
        source=source or ("simulated" if day.labels.get("simulated") is True else "recorded"),
        model=path,
        demo_model=_is_demo_model(path),
        labels=tuple(
            LabelScore(
                item["label"], float(item["score"]), (canonical_activity(item["label"]) or item["label"]) in logged
            )
            for item in scored
        ),
        caption_key=caption_key,
        built_caption=built,
        generated_caption=generated,
        nearest=nearest,
        own_rank=rank,
        library_size=n_library if nearest else 0,
        embedding_shape=tuple(np.shape(embedding)),
        embedding_norm=float(np.linalg.norm(np.asarray(embedding, dtype=np.float64))),
        observed_minutes={key: int(count) for key, count in zip(day.schema.keys, day.mask.sum(axis=0), strict=True)},
        window_minutes=len(day),
        seconds=watch.seconds,
        notes=tuple(remarks),
    )


def load_model(path: str) -> tuple[Any, Any]:
    """Returns a model in evaluation mode and its processor.

    Raises:
        ValueError: If there is none, or it is no SensorLM model.
    """
    try:
        network = AutoModel.from_pretrained(path, dtype=torch.float32).eval()
        processor = AutoProcessor.from_pretrained(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"No model could be loaded from {path!r}: {error}") from None
    if not hasattr(network, "get_sensor_features") or not hasattr(processor, "feature_extractor"):
        raise ValueError(f"{path!r} holds a {type(network).__name__}, not a SensorLM model with its processor.")
    return network, processor


def _library(
    schema: SensorSchema, key: str, seed: int, count: int, own: str, processor: Any, most: int | None
) -> list[str]:
    """Writes `count` captions of simulated days, different from each other and from `own`."""
    if any(channel not in SENSOR_OF for channel in schema.keys):
        schema = get_schema("sensorlm-26")
    builder = CaptionBuilder(schema, key=key, seed=seed, tokenizer=processor.tokenizer, max_tokens=most)
    captions: dict[str, None] = {}
    tries = 0
    batch: list[SensorDay] = []
    # A day each of many people; days without any log share a few captions, so more days than captions are needed.
    for simulated in iter_simulated_days(100 * count + 1000, LIBRARY_SEED, schema, days_per_person=1):
        batch.append(simulated)
        if len(batch) < min(_CAPTIONS_A_TRY, count - len(captions)):
            continue
        tries += len(batch)
        captions.update(dict.fromkeys(caption for caption in builder.batch(batch) if caption != own))
        batch = []
        if len(captions) >= count:
            return list(captions)[:count]
    raise ValueError(f"{tries} simulated days have only {len(captions)} different captions; lower `n_library`.")


def _search(
    embedding: np.ndarray, texts: np.ndarray, library: Sequence[str], wanted: int
) -> tuple[tuple[NearestCaption, ...], int]:
    """Ranks the library for a day; its own caption is the first text. Equal similarities count against it."""
    similarity = texts @ embedding
    # The own caption comes last among equals, so that a model that cannot tell captions apart is not flattered.
    order = sorted(range(len(library)), key=lambda i: (-similarity[i], i == 0))
    rank = order.index(0) + 1
    shown = [(place + 1, i) for place, i in enumerate(order[:wanted])]
    if rank > wanted:
        shown.append((rank, 0))
    return tuple(NearestCaption(r, float(similarity[i]), library[i], i == 0) for r, i in shown), rank


def _logged(day: SensorDay) -> set[str]:
    names = {event.label for event in day.events}
    return names | {known for known in map(canonical_activity, names) if known is not None}


def _is_demo_model(path: str) -> bool:
    try:
        return os.path.realpath(path) == os.path.realpath(demo_checkpoint())
    except FileNotFoundError:
        return False


@contextmanager
def _quiet_pipelines() -> Iterator[None]:
    """Keeps each pipeline from warning that it runs the demo model: report and terminal say so once."""
    logger = logging.getLogger("sensorlm_hf.pipelines")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
