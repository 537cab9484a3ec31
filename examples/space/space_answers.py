"""Model outputs: label scores, captions with checked sentences, and search results."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from transformers import pipeline

from sensorlm_hf.checkpoints import demo_checkpoint
from sensorlm_hf.data.simulate import SENSOR_OF, iter_simulated_days
from sensorlm_hf.days import SensorDay
from sensorlm_hf.demo.compute import load_model
from sensorlm_hf.evaluation.encode import encode_days, encode_texts
from sensorlm_hf.metrics import fact_faithfulness
from sensorlm_hf.processing.captions import CaptionBuilder

LIBRARY_SEED = 2025
LIBRARY_DAYS = 200
MOST_LABELS = 30  # limited by the timeline plot

CAPTION_KINDS = {
    "What was logged, in one sentence": "high_level_summary_caption",
    "What was logged, with times": "high_level_all_caption",
    "Trends, peaks and gaps": "middle_level_caption",
    "Statistics of the day": "low_level_caption",
    "All levels": "high_middle_low_caption",
}
"""Caption keys offered by the app."""


@dataclass(frozen=True)
class Sentence:
    """A sentence of a caption.

    Attributes:
        text: The sentence.
        claims: Number of claims that can be checked against the numbers and log of the day.
        confirmed: Number of confirmed claims.
    """

    text: str
    claims: int
    confirmed: int


@dataclass(frozen=True)
class Found:
    """A day and its cosine similarity with the query."""

    day: SensorDay
    similarity: float


class Answers:
    """A model and a library of simulated days.

    Args:
        model: Folder or Hub id; defaults to `SENSORLM_MODEL`, or else to the demo model.
    """

    def __init__(self, model: str | None = None) -> None:
        self.name = model or os.environ.get("SENSORLM_MODEL") or demo_checkpoint()
        self.model, self.processor = load_model(self.name)
        parts = {
            "feature_extractor": self.processor.feature_extractor,
            "tokenizer": self.processor.tokenizer,
        }
        self.schema = self.processor.feature_extractor.to_schema()
        self._classify = pipeline("zero-shot-sensor-classification", model=self.model, **parts)
        self._describe = (
            pipeline("sensor-captioning", model=self.model, **parts) if self.model.config.is_generative else None
        )
        self._library: tuple[list[SensorDay], np.ndarray] | None = None
        self._lock = threading.Lock()

    @property
    def is_demo_model(self) -> bool:
        """Whether the model is the demo model of the package."""
        return os.path.realpath(self.name) == os.path.realpath(demo_checkpoint())

    # Labels

    def score(self, day: SensorDay, labels: str, template: str) -> tuple[dict[str, float], Any]:
        """Scores labels.

        Args:
            day: The day.
            labels: Labels, separated by commas or line breaks.
            template: Sentence with a `{}` placeholder for the label.

        Returns:
            `{label: score}`, and the timeline for `plotting.plot_timeline`.

        Raises:
            ValueError: If there are too few or duplicate labels, or the template has no placeholder.
        """
        wanted = [part.strip() for part in re.split(r"[,\n;]", labels) if part.strip()]
        if len(wanted) < 2:
            raise ValueError("Enter at least two labels separated by commas, such as: running, yoga, a quiet day.")
        seen: set[str] = set()
        for label in wanted:
            if label.casefold() in seen:
                raise ValueError(f"{label!r} occurs twice; remove the duplicate.")
            seen.add(label.casefold())
        if len(wanted) > MOST_LABELS:
            raise ValueError(f"Got {len(wanted)} labels; enter at most {MOST_LABELS}.")
        if "{}" not in template:
            raise ValueError("The template must contain {} as the placeholder for the label, such as: A day with {}.")
        answer = self._classify(
            day, candidate_labels=wanted, hypothesis_template=template.strip(), return_timeline=True
        )
        return {item["label"]: float(item["score"]) for item in answer["scores"]}, answer["timeline"]

    # Captions

    def captions(self, day: SensorDay, kind: str) -> list[tuple[str, list[Sentence]]]:
        """Generates captions and checks their sentences.

        Args:
            day: The day.
            kind: One of [`CAPTION_KINDS`].

        Returns:
            `(author, sentences)` of the model, if it has a decoder, and of the caption builder.
        """
        written = []
        if self._describe is not None:
            written.append(("Model, from the signals only", self._describe(day)[0]["generated_text"]))
        build = CaptionBuilder(day.schema, key=CAPTION_KINDS[kind], time_format="clock", units=True)
        written.append(("Caption builder, from the numbers and the log", build(day)))
        return [(author, check_sentences(text, day)) for author, text in written]

    # Search

    def library(self) -> tuple[list[SensorDay], np.ndarray]:
        """Returns the simulated days and their embeddings, computed on first use."""
        with self._lock:
            if self._library is None:
                if any(key not in SENSOR_OF for key in self.schema.keys):
                    raise ValueError("The model uses channels that cannot be simulated: upload days and search those.")
                days = list(iter_simulated_days(LIBRARY_DAYS, LIBRARY_SEED, self.schema, days_per_person=1))
                self._library = days, self.embed(days)
            return self._library

    def embed(self, days: Sequence[SensorDay]) -> np.ndarray:
        """Embeds days."""
        return encode_days(self.model, self.processor, list(days))

    def search(self, sentence: str, days: Sequence[SensorDay] | None = None, most: int = 6) -> list[Found]:
        """Finds the days that match a sentence best.

        Args:
            sentence: Query sentence.
            days: Days to search; defaults to the library of simulated days.
            most: Maximum number of results.

        Raises:
            ValueError: If the sentence is empty, or the model cannot compare days with text.
        """
        if not sentence.strip():
            raise ValueError("Enter a query sentence, such as: a day with swimming and a nap.")
        if not self.model.config.is_contrastive:
            raise ValueError(f"This model ({self.model.config.objective}) cannot compare days with text.")
        if days is None:
            days, embeddings = self.library()
        else:
            embeddings = self.embed(days)
        similarity = embeddings @ encode_texts(self.model, self.processor, [sentence.strip()])[0]
        best = np.argsort(-similarity, kind="stable")[:most]
        return [Found(days[i], float(similarity[i])) for i in best]


def split_sentences(text: str) -> list[str]:
    """Splits a caption into sentences, but not at decimal points."""
    return [part for part in re.split(r"(?<=[.!?])\s+(?=\S)", text.strip()) if part]


def check_sentences(text: str, day: SensorDay) -> list[Sentence]:
    """Checks each sentence of a caption against the facts and log of the day."""
    checked = []
    for sentence in split_sentences(text):
        result = fact_faithfulness([sentence], [day])
        checked.append(Sentence(sentence, result["claims"], result["confirmed_per_caption"][0]))
    return checked
