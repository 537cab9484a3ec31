"""`run_demo`: applies everything a model can do to one day. It prints nothing."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from transformers import AutoProcessor, pipeline

from ..activities import canonical_activity
from ..checkpoints import demo_checkpoint
from ..data.simulate import SENSOR_OF, iter_simulated_days
from ..days import SensorDay
from ..embedding import encode_text
from ..evaluation.tasks import get_task
from ..modeling import load_pretrained
from ..processing.captions import CaptionBuilder
from ..processing.captions.budget import MIN_TOKENS, TOKEN_BUDGETS
from ..schema import SensorSchema, get_schema
from .result import DemoResult, LabelScore, NearestCaption, Stopwatch

LIBRARY_SEED = 2025
"""Seed of the cohort for the caption library; models are trained on, and the built-in day comes from, other seeds."""

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
    """Labels, captions and embeds a day, and retrieves its caption from a library.

    The library contains the day's own caption, as written by the caption builder, and captions of simulated days, all
    distinct. The model sees only the sensors, whereas high-level captions describe the log. Another caption that
    matches the day equally well may rank above its own.

    Args:
        day: The day.
        model: Folder or Hub id of a model with its processor; by default the demo model of the package.
        caption_key: Caption key for the builder and the library.
        n_library: Number of captions in the library, at least 2.
        n_nearest: Number of top-ranked captions to return.
        labels: Candidate labels; by default the 20 activities of the benchmark.
        seed: Seed of the captions' wording.
        source: Source of the day, for the report.
        notes: Notes about the day, for the report.
        stopwatch: Measures the stages; by default a new one.

    Returns:
        The result. Tasks that the model's objective does not support are skipped and mentioned in the notes.

    Raises:
        FileNotFoundError: If no model is given and the package was installed without its demo model.
        ValueError: If the model cannot be loaded, the day does not fit it, or an argument is out of range.
    """
    for name, value, least in (("n_library", n_library, 2), ("n_nearest", n_nearest, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"`{name}` must be an integer of at least {least}, got {value!r}.")
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
            remarks.append(
                f"The model has no decoder (objective {network.config.objective}) and cannot write captions."
            )
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
            nearest, rank = _search(np.asarray(embedding), encode_text(network, processor, library), library, n_nearest)
        else:
            remarks.append(
                f"The model has no text embedding (objective {network.config.objective}), so retrieval was skipped."
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
        ValueError: If there is none, or it is not a SensorLM model.
    """
    try:
        network = load_pretrained(path, dtype=torch.float32).eval()
        processor = AutoProcessor.from_pretrained(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"No model could be loaded from {path!r}: {error}") from None
    if not hasattr(network, "get_sensor_features") or not hasattr(processor, "feature_extractor"):
        raise ValueError(f"{path!r} contains a {type(network).__name__}, not a SensorLM model with its processor.")
    return network, processor


def _library(
    schema: SensorSchema, key: str, seed: int, count: int, own: str, processor: Any, most: int | None
) -> list[str]:
    """Writes `count` captions of simulated days, distinct from each other and from `own`."""
    if any(channel not in SENSOR_OF for channel in schema.keys):
        schema = get_schema("sensorlm-26")
    builder = CaptionBuilder(schema, key=key, seed=seed, tokenizer=processor.tokenizer, max_tokens=most)
    captions: dict[str, None] = {}
    tries = 0
    batch: list[SensorDay] = []
    # One day from each of many people; days without a log share a few captions, so more days than captions are needed.
    for simulated in iter_simulated_days(100 * count + 1000, LIBRARY_SEED, schema, days_per_person=1):
        batch.append(simulated)
        if len(batch) < min(_CAPTIONS_A_TRY, count - len(captions)):
            continue
        tries += len(batch)
        captions.update(dict.fromkeys(caption for caption in builder.batch(batch) if caption != own))
        batch = []
        if len(captions) >= count:
            return list(captions)[:count]
    raise ValueError(f"{tries} simulated days yield only {len(captions)} distinct captions; lower `n_library`.")


def _search(
    embedding: np.ndarray, texts: np.ndarray, library: Sequence[str], wanted: int
) -> tuple[tuple[NearestCaption, ...], int]:
    """Ranks the library for a day, whose own caption is the first text. Ties count against it."""
    similarity = texts @ embedding
    # The day's own caption comes last among ties, so that a model with constant embeddings is not rewarded.
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
    """Suppresses each pipeline's warning about the demo model: the report and the terminal state it once."""
    logger = logging.getLogger("sensorlm_hf.pipelines")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
