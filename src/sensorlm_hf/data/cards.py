"""Dataset cards: statistics of a folder of days, and the YAML metadata used by the Hub and `datasets`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from datasets.info import DatasetInfosDict
from huggingface_hub import DatasetCard, DatasetCardData

from .._version import __version__
from ..days import SensorDay
from ..io import atomic_write_text, markdown_text, plain_text
from ..schema import SensorSchema
from .licenses import check_license
from .privacy import check_identity

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


@dataclass
class DayStatistics:
    """Statistics of a stream of days, per channel over observed minutes (Chan's pairwise update, float64).

    Attributes:
        schema: Schema of the days; None before the first day.
        days: Number of days per split.
        people: Subject ids per split.
        minutes: Total minutes of all windows.
        events: Event counts by kind and label.
    """

    schema: SensorSchema | None = None
    days: dict[str, int] = field(default_factory=dict)
    people: dict[str, set[str]] = field(default_factory=dict)
    minutes: int = 0
    events: dict[str, dict[str, int]] = field(default_factory=dict)

    def _start(self, schema: SensorSchema) -> None:
        self.schema = schema
        self._count, self._mean, self._spread = (np.zeros(len(schema)) for _ in range(3))
        self._low, self._high = np.full(len(schema), np.inf), np.full(len(schema), -np.inf)

    def add(self, split: str, day: SensorDay) -> None:
        """Adds a day."""
        if self.schema is None:
            self._start(day.schema)
        self.days[split] = self.days.get(split, 0) + 1
        self.people.setdefault(split, set()).add(day.subject_id)
        self.minutes += len(day)
        for event in day.events:
            labels = self.events.setdefault(event.kind, {})
            labels[event.label] = labels.get(event.label, 0) + 1
        values, known = day.values.astype(np.float64), day.mask
        count = known.sum(axis=0)
        held = np.where(known, values, 0.0)
        mean = held.sum(axis=0) / np.maximum(count, 1)
        spread = np.where(known, np.square(values - mean), 0.0).sum(axis=0)
        low = np.where(known, values, np.inf).min(axis=0)
        high = np.where(known, values, -np.inf).max(axis=0)
        self._update(count, mean, spread, low, high)

    def merge(self, other: DayStatistics) -> None:
        """Adds the statistics of other days."""
        if other.schema is None:
            return
        if self.schema is None:
            self._start(other.schema)
        for split, count in other.days.items():
            self.days[split] = self.days.get(split, 0) + count
            self.people.setdefault(split, set()).update(other.people[split])
        self.minutes += other.minutes
        for kind, labels in other.events.items():
            mine = self.events.setdefault(kind, {})
            for label, count in labels.items():
                mine[label] = mine.get(label, 0) + count
        self._update(other._count, other._mean, other._spread, other._low, other._high)

    def _update(
        self, count: np.ndarray, mean: np.ndarray, spread: np.ndarray, low: np.ndarray, high: np.ndarray
    ) -> None:
        total = np.maximum(self._count + count, 1)
        delta = np.where(count > 0, mean - self._mean, 0.0)
        self._mean = self._mean + delta * count / total
        self._spread = self._spread + spread + delta**2 * self._count * count / total
        self._count = self._count + count
        self._low, self._high = np.minimum(self._low, low), np.maximum(self._high, high)

    def channels(self) -> list[dict[str, Any]]:
        """Returns each channel's key, unit, fraction of observed minutes, mean, std, minimum and maximum."""
        if self.schema is None:
            return []
        rows = []
        for place, channel in enumerate(self.schema):
            count = int(self._count[place])
            std = math.sqrt(self._spread[place] / count) if count else None
            rows.append(
                {
                    "key": channel.key,
                    "unit": channel.unit,
                    "observed": count / self.minutes,
                    "mean": float(self._mean[place]) if count else None,
                    "std": std,
                    "min": float(self._low[place]) if count else None,
                    "max": float(self._high[place]) if count else None,
                }
            )
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Returns the statistics as plain JSON types, with the number of people."""
        return {
            "schema": None if self.schema is None else self.schema.name,
            "days": dict(self.days),
            "people": {split: len(names) for split, names in self.people.items()},
            "channels": self.channels(),
            "events": {kind: dict(sorted(labels.items())) for kind, labels in sorted(self.events.items())},
        }


def card_text(
    statistics: DayStatistics,
    features: datasets.Features,
    *,
    name: str,
    source: str,
    license: str = "unknown",
    provenance: Mapping[str, str] | None = None,
    data_bytes: Mapping[str, int] | None = None,
    fingerprint: str = "",
    allow: Iterable[str] = (),
) -> str:
    """Returns a dataset card.

    Args:
        statistics: Statistics of all days.
        features: Columns of the dataset.
        name: Name of the dataset.
        source: Source of the data, in one sentence.
        license: Hub identifier of the licence of the data (`"cc-by-4.0"`, `"mit"`, ...).
        provenance: Further information about the origin of the data, `{item: value}`.
        data_bytes: Size of each split's files.
        fingerprint: Hash of the shards. The `datasets` cache is keyed by the folder's name and the card's YAML; without
            the hash, two datasets of the same name and shape would be confused.
        allow: Columns that look identifying but are not, see [`check_identity`].

    Raises:
        ValueError: If a column looks identifying, the licence is unknown to the Hub, or there is no day.
    """
    check_license(license)
    check_identity(features, allow=allow)
    if statistics.schema is None:
        raise ValueError("A card needs at least one day.")
    total = sum(statistics.days.values())
    sizes = dict(data_bytes or {})
    info = datasets.DatasetInfo(
        features=features,
        splits=datasets.SplitDict.from_split_dict(
            [
                {"name": split, "num_examples": count, "num_bytes": sizes.get(split, 0)}
                for split, count in statistics.days.items()
            ]
        ),
        download_size=sum(sizes.values()),
        dataset_size=sum(sizes.values()),
    )
    data = DatasetCardData(
        pretty_name=name,
        license=license,
        language="en",
        tags=["wearables", "sensors", "time-series", "health", "sensorlm"],
        task_categories=["time-series-forecasting", "zero-shot-classification"],
        size_categories=[next((text for limit, text in _SIZES if total < limit), "1M<n<10M")],
        configs=[
            {
                "config_name": "default",
                "description": f"shards {fingerprint}" if fingerprint else "",
                "data_files": [{"split": split, "path": f"data/{split}-*.parquet"} for split in statistics.days],
            }
        ],
    )
    DatasetInfosDict({"default": info}).to_dataset_card_data(data)
    body = _body(statistics, name, source, license, dict(provenance or {}))
    return f"---\n{data.to_yaml()}\n---\n\n{body}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _body(statistics: DayStatistics, name: str, source: str, license: str, provenance: dict[str, str]) -> str:
    schema = statistics.schema
    assert schema is not None
    people = set().union(*statistics.people.values())
    lines = [
        f"# {name}",
        "",
        f"{sum(statistics.days.values())} days of minute-level wearable signals from {len(people)} people. {source}",
        "",
        f"Each row is one window: `values` contains the {len(schema)} channels of the schema `{schema.name}` in"
        " physical units, with NaN for missing values; `start` and `timezone` give its local start time;"
        " `events` are logged activities, sleep and moods, in minutes from the start; `subject_id` is a pseudonym.",
        "",
        "```python",
        "from datasets import load_dataset",
        "",
        'days = load_dataset("path/or/repository", split="train").with_format("numpy")',
        "```",
        "",
        "## Splits",
        "",
        "No person appears in more than one split.",
        "",
        "| split | days | people |",
        "|---|---:|---:|",
        *(f"| {split} | {count} | {len(statistics.people[split])} |" for split, count in statistics.days.items()),
        "",
        "## Channels",
        "",
        "Statistics over observed minutes. If they differ from the schema's population constants, refit the"
        " normalization (`SensorLMFeatureExtractor.fit_normalization`).",
        "",
        "| channel | unit | observed | mean | std | min | max |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for row in statistics.channels():
        numbers = " | ".join(_number(row[key]) for key in ("mean", "std", "min", "max"))
        key, unit = (plain_text(row[name], 80).replace("|", "\\|").replace("<", "&lt;") for name in ("key", "unit"))
        lines.append(f"| {key} | {unit} | {100 * row['observed']:.1f} % | {numbers} |")
    lines += ["", "## Events", ""]
    for kind, labels in sorted(statistics.events.items()):
        most = sorted(labels.items(), key=lambda item: (-item[1], item[0]))
        listed = ", ".join(f"{markdown_text(label)} ({count})" for label, count in most[:20])
        lines.append(f"- {kind}: {listed}" + (f" and {len(most) - 20} more" if len(most) > 20 else ""))
    if not statistics.events:
        lines.append("None.")
    lines += ["", "## Provenance", "", f"- licence: {license}", f"- created with: sensorlm-hf {__version__}"]
    lines += [f"- {what}: {which}" for what, which in provenance.items()]
    return "\n".join(lines) + "\n"


def write_card(folder: str | Path, text: str) -> Path:
    """Validates a card with the Hub library and writes it atomically as the folder's `README.md`.

    Raises:
        ValueError: If its YAML is not valid.
    """
    DatasetCard(text)
    path = Path(folder) / "README.md"
    atomic_write_text(path, text)
    return path
