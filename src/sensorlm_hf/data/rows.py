"""Features and rows of a dataset of days, and the assignment of people to splits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import datasets

from ..days import MINUTES_PER_DAY, SensorDay
from ..schema import SchemaLike, get_schema


def sensor_day_features(
    schema: SchemaLike = "sensorlm-26",
    minutes: int = MINUTES_PER_DAY,
    labels: Mapping[str, Any] | None = None,
) -> datasets.Features:
    """Returns the columns of a dataset of days.

    Args:
        schema: Schema of the days.
        minutes: Length of the windows.
        labels: An example of the days' labels, which determines their types; no labels by default.

    Returns:
        Features matching [`SensorDay.to_row`]: `values` is an `Array2D` of `(minutes, channels)` float32, physical
        units, NaN = missing. A fixed shape is hundreds of times faster to read than nested lists.
    """
    columns: dict[str, Any] = {
        "subject_id": datasets.Value("string"),
        "start": datasets.Value("string"),
        "timezone": datasets.Value("string"),
        "schema": datasets.Value("string"),
        "values": datasets.Array2D((minutes, len(get_schema(schema))), "float32"),
        "events": [
            {
                "kind": datasets.Value("string"),
                "label": datasets.Value("string"),
                "start_minute": datasets.Value("int32"),
                "end_minute": datasets.Value("int32"),
            }
        ],
    }
    if labels:
        columns["labels"] = {key: datasets.Value(_label_type(key, value)) for key, value in labels.items()}
    return datasets.Features(columns)


def _label_type(key: str, value: Any) -> str:
    for kind, name in ((bool, "bool"), (int, "int64"), (float, "float64"), (str, "string")):
        if isinstance(value, kind):
            return name
    raise TypeError(f"labels[{key!r}] must be a string, number or bool, got {type(value).__name__}.")


def dataset_row(day: SensorDay, features: datasets.Features) -> dict[str, Any]:
    """Returns a day as a row of these features.

    Raises:
        ValueError: If the day has labels that the features lack.
    """
    row = day.to_row()
    known = features.get("labels")
    if known is None:
        row.pop("labels")
        return row
    unknown = set(row["labels"]) - set(known)
    if unknown:
        raise ValueError(
            f"Day {day.sample_id} has labels {sorted(unknown)} that the first day lacks; give all days the same label"
            " names, or pass `label_types`."
        )
    row["labels"] = {key: row["labels"].get(key) for key in known}
    return row


def split_of(subject_id: str, validation_share: float, test_share: float, seed: int = 0) -> str:
    """Returns the split of a person, which depends only on the subject id, the fractions and the seed.

    All days of a person are in the same split, and adding people does not move others.

    Args:
        subject_id: The original subject id, before pseudonymisation.
        validation_share: Expected fraction of people in the validation split.
        test_share: Expected fraction of people in the test split.
        seed: Seed of the assignment.
    """
    draw = int(hashlib.sha256(f"{seed}:{subject_id}".encode()).hexdigest()[:12], 16) / 16**12
    return "test" if draw < test_share else "validation" if draw < test_share + validation_share else "train"
