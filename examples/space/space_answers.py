"""What the model says: scores of labels, captions with the sentences that hold, and days that fit a sentence."""

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
from sensorlm_hf.evaluation.metrics import fact_faithfulness
from sensorlm_hf.processing.captions import CaptionBuilder

LIBRARY_SEED = 2025
LIBRARY_DAYS = 200
MOST_LABELS = 30  # as many as a picture of their timeline shows

CAPTION_KINDS = {
    "What was logged, in one sentence": "high_level_summary_caption",
    "What was logged, with times": "high_level_all_caption",
    "Trends, peaks and gaps": "middle_level_caption",
    "Statistics of the day": "low_level_caption",
    "All of it": "high_middle_low_caption",
}
"""What a visitor may ask of the caption builder."""


@dataclass(frozen=True)
class Sentence:
    """A sentence of a caption.

    Attributes:
        text: The sentence.
        claims: How many things it says that the day's numbers and log can tell.
        confirmed: How many of them they confirm.
    """

    text: str
    claims: int
    confirmed: int


@dataclass(frozen=True)
class Found:
    """A day of the library and its cosine similarity with the sentence."""

    day: SensorDay
    similarity: float


class Answers:
    """One model, loaded once, and the library of simulated days.

    Args:
        model: Folder or Hub id; by default `SENSORLM_MODEL`, or the demo model of the package.
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
        """Whether it is the model that ships with the package."""
        return os.path.realpath(self.name) == os.path.realpath(demo_checkpoint())

    # Labels

    def score(self, day: SensorDay, labels: str, template: str) -> tuple[dict[str, float], Any]:
        """Scores labels.

        Args:
            day: The day.
            labels: Labels with commas or line breaks between them.
            template: Sentence with `{}` for the label.

        Returns:
            `{label: score}`, and the timeline for `plotting.plot_timeline`.

        Raises:
            ValueError: If there are no labels, they repeat, or the template lacks its place.
        """
        wanted = [part.strip() for part in re.split(r"[,\n;]", labels) if part.strip()]
        if len(wanted) < 2:
            raise ValueError("Type at least two labels with commas between them, such as: running, yoga, a quiet day.")
        seen: set[str] = set()
        for label in wanted:
            if label.casefold() in seen:
                raise ValueError(f"{label!r} stands there twice; name each label once.")
            seen.add(label.casefold())
        if len(wanted) > MOST_LABELS:
            raise ValueError(f"That is {len(wanted)} labels; type at most {MOST_LABELS}.")
        if "{}" not in template:
            raise ValueError("The sentence must hold {} where the label goes, such as: A day with {}.")
        answer = self._classify(
            day, candidate_labels=wanted, hypothesis_template=template.strip(), return_timeline=True
        )
        return {item["label"]: float(item["score"]) for item in answer["scores"]}, answer["timeline"]

    # Captions

    def captions(self, day: SensorDay, kind: str) -> list[tuple[str, list[Sentence]]]:
        """Writes captions and marks their sentences.

        Args:
            day: The day.
            kind: One of [`CAPTION_KINDS`].

        Returns:
            `(who wrote it, its sentences)`: the model, if it has a decoder, and the caption builder.
        """
        written = []
        if self._describe is not None:
            written.append(("The model, from the sensors alone", self._describe(day)[0]["generated_text"]))
        build = CaptionBuilder(day.schema, key=CAPTION_KINDS[kind], time_format="clock", units=True)
        written.append(("The caption builder, from the numbers and the log", build(day)))
        return [(author, check_sentences(text, day)) for author, text in written]

    # Search

    def library(self) -> tuple[list[SensorDay], np.ndarray]:
        """Returns the simulated days and their embeddings, made on first use."""
        with self._lock:
            if self._library is None:
                if any(key not in SENSOR_OF for key in self.schema.keys):
                    raise ValueError("The model reads channels that cannot be simulated: upload days and search those.")
                days = list(iter_simulated_days(LIBRARY_DAYS, LIBRARY_SEED, self.schema, days_per_person=1))
                self._library = days, self.embed(days)
            return self._library

    def embed(self, days: Sequence[SensorDay]) -> np.ndarray:
        """Embeds days."""
        return encode_days(self.model, self.processor, list(days))

    def search(self, sentence: str, days: Sequence[SensorDay] | None = None, most: int = 6) -> list[Found]:
        """Finds the days that fit a sentence best.

        Args:
            sentence: What to look for.
            days: Where; by default the library of simulated days.
            most: Most days to return.

        Raises:
            ValueError: If the sentence is empty, or the model cannot compare days with text.
        """
        if not sentence.strip():
            raise ValueError("Type a sentence to look for, such as: a day with swimming and a nap.")
        if not self.model.config.is_contrastive:
            raise ValueError(f"This model ({self.model.config.objective}) does not compare days with text.")
        if days is None:
            days, embeddings = self.library()
        else:
            embeddings = self.embed(days)
        similarity = embeddings @ encode_texts(self.model, self.processor, [sentence.strip()])[0]
        best = np.argsort(-similarity, kind="stable")[:most]
        return [Found(days[i], float(similarity[i])) for i in best]


def split_sentences(text: str) -> list[str]:
    """Cuts a caption into sentences; the point of a decimal number ends none."""
    return [part for part in re.split(r"(?<=[.!?])\s+(?=\S)", text.strip()) if part]


def check_sentences(text: str, day: SensorDay) -> list[Sentence]:
    """Looks up each sentence of a caption in the day's facts and log."""
    checked = []
    for sentence in split_sentences(text):
        result = fact_faithfulness([sentence], [day])
        checked.append(Sentence(sentence, result["claims"], result["confirmed_per_caption"][0]))
    return checked
