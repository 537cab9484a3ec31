"""Metadata that the model cards of this package have in common, in the terms of the Hub."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# The Hub has no task for sensors (huggingface.js, `packages/tasks/src/pipelines.ts`): these are the nearest.
ZERO_SHOT_TAG = "zero-shot-classification"
CLASSIFIER_TAG = "tabular-classification"
EMBEDDING_TAG = "feature-extraction"


def model_metadata(objective: str, *, classifier: bool = False, zero_shot: bool = True) -> dict[str, Any]:
    """Returns the metadata of a model card that follow from the model.

    Args:
        objective: Training objective of the model.
        classifier: Whether it is a [`SensorLMForSensorClassification`].
        zero_shot: Whether it can score texts: all but a `cap` model without its decoder.

    Returns:
        `language`, `library_name`, `pipeline_tag` and `tags`.
    """
    task = CLASSIFIER_TAG if classifier else ZERO_SHOT_TAG if zero_shot else EMBEDDING_TAG
    tags = ["sensorlm", "wearables", "time-series", objective]
    if task == ZERO_SHOT_TAG:
        tags.append(ZERO_SHOT_TAG)
    return {"language": "en", "library_name": "transformers", "pipeline_tag": task, "tags": tags}


def widget_examples(examples: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns examples for the Hub's widget: it cannot run a model on sensor data, so they contain the output.

    Args:
        examples: For each day `title`, `text` (what the day is), and `scores`, labels with their probabilities.

    Returns:
        The metadata entry `widget`.
    """
    entries = []
    for example in examples:
        ranked = sorted(example["scores"].items(), key=lambda pair: -pair[1])
        entries.append(
            {
                "example_title": example["title"],
                "text": example["text"],
                "candidate_labels": ", ".join(label for label, _ in ranked),
                "output": [{"label": label, "score": round(float(score), 4)} for label, score in ranked],
            }
        )
    return entries


__all__ = ["CLASSIFIER_TAG", "EMBEDDING_TAG", "ZERO_SHOT_TAG", "model_metadata", "widget_examples"]
