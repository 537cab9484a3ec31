"""Normalises the inputs of sensor pipelines to items, each of which is one day or several.

This file is uploaded with models as remote code, so it does not import the package at load time. Recordings are read by
the package's readers, which are imported only when a path is given.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset

ALLOWED = (
    "a SensorDay, an array or tensor of shape (minutes, channels) or (days, minutes, channels), a DataFrame, a path, a"
    " `datasets` row with a `values` column, or a list, generator or dataset of these"
)
"""Accepted inputs, for error messages."""

_NAMED_ERRORS = (FileNotFoundError, ImportError, TypeError, ValueError, OSError)


def classify_inputs(inputs: Any, feature_extractor: Any) -> tuple[str, Any]:
    """Determines how to iterate over the argument of a pipeline.

    Args:
        inputs: The caller's argument.
        feature_extractor: A [`SensorLMFeatureExtractor`], which detects days.

    Returns:
        `("item", inputs)` for a single item (a day, a path), `("list", items)` for a sequence, whose result is a list,
        and `("stream", items)` for a dataset or an iterable, whose results are computed lazily.

    Raises:
        TypeError: If it is none of these.
    """
    if isinstance(inputs, (np.ndarray, torch.Tensor)):
        holds_items = isinstance(inputs, np.ndarray) and inputs.ndim == 1 and inputs.dtype.kind in "OU"
        return ("list", list(inputs)) if inputs.ndim == 3 or holds_items else ("item", inputs)
    if isinstance(inputs, (str, os.PathLike, Mapping)) or feature_extractor.is_one_day(inputs):
        return "item", inputs
    if isinstance(inputs, (list, tuple)):
        return "list", inputs
    if type(inputs).__module__.partition(".")[0] == "pandas":  # a Series is indexed by label, not by position
        return "list", list(inputs)
    is_sequence = hasattr(inputs, "__len__") and hasattr(inputs, "__getitem__")
    if not isinstance(inputs, (bytes, bytearray)) and (is_sequence or isinstance(inputs, Iterable)):
        return "stream", inputs
    raise TypeError(f"A sensor pipeline takes {ALLOWED}; got {_describe_type(inputs)}.")


@dataclass
class DayLoader:
    """Reads an item and converts its days to model inputs.

    Attributes:
        feature_extractor: A [`SensorLMFeatureExtractor`].
        timezone: IANA time zone of recordings that do not contain one; used for paths only.
        columns: Channel keys of the columns of arrays; None for all channels in the model's order.
        allow_empty: Whether days without any observed value are accepted; None for the feature extractor's setting.
    """

    feature_extractor: Any
    timezone: str | None = None
    columns: Sequence[str] | None = None
    allow_empty: bool | None = None

    def __call__(self, item: Any, index: int | None = None) -> tuple[list[dict[str, np.ndarray]], bool]:
        """Loads one item.

        Args:
            item: A day in any supported form, or a container of several days.
            index: Position of the item among the inputs, for error messages; None for a single item.

        Returns:
            The model inputs of each day, `sensor_values` float32 and `sensor_mask` bool of shape
            `(1, minutes, channels)`, and whether the item counts as a single day rather than as a list of days.

        Raises:
            ValueError: If a day is malformed or the item contains none; the message gives the item and the day.
            TypeError: If the item has an unsupported type.
        """
        where = () if index is None else (f"item {index}",)
        try:
            days, single = self._days(item)
        except _NAMED_ERRORS as error:
            raise _with_location(error, *where) from error
        options = {"columns": self.columns, "allow_empty": self.allow_empty}
        features = []
        for position, day in enumerate(days):
            try:
                encoded = self.feature_extractor(day, return_tensors="np", **options)
            except _NAMED_ERRORS as error:
                raise _with_location(error, *where, *([] if single else [f"day {position}"])) from error
            features.append({key: np.asarray(encoded[key]) for key in ("sensor_values", "sensor_mask")})
        return features, single

    def _days(self, item: Any) -> tuple[list[Any], bool]:
        if self.feature_extractor.is_one_day(item):
            return [item], True
        if isinstance(item, (str, os.PathLike)):
            return self._read(item)
        if isinstance(item, Mapping):
            return self._row(item)
        if isinstance(item, (np.ndarray, torch.Tensor)):
            return self._array(item), False
        if isinstance(item, (list, tuple)):
            return self._list(item), False
        raise TypeError(f"a day is {ALLOWED}; got {_describe_type(item)}.")

    def _list(self, items: list[Any] | tuple[Any, ...]) -> list[Any]:
        if not items:
            raise ValueError("the list is empty; give at least one day.")
        parts = [self._days(part) for part in items]
        several = next((position for position, (_, single) in enumerate(parts) if not single), None)
        if several is not None:
            raise ValueError(f"part {several} of the list is itself a list of days; lists may only be nested once.")
        return [days[0] for days, _ in parts]

    def _array(self, item: np.ndarray | torch.Tensor) -> list[Any]:
        if item.ndim == 3 and len(item):
            return list(item)
        raise ValueError(
            "an array must have the shape (minutes, channels) for one day or (days, minutes, channels) for at least"
            f" one; got {tuple(item.shape)}."
        )

    def _row(self, row: Mapping[str, Any]) -> tuple[list[Any], bool]:
        if row.get("values") is None:
            raise ValueError(
                "a row must contain a day in `values`, of shape (minutes, channels); this one has"
                f" {', '.join(map(repr, row)) or 'nothing'}."
            )
        wanted, given = self.feature_extractor.schema, row.get("schema")
        if isinstance(given, str) and given and wanted and given != wanted:
            # Columns of another schema have another meaning: a SensorDay carries their names.
            day_class = _import_package("sensorlm_hf.days", "rows of another schema need").SensorDay
            return [day_class.from_row(row)], True
        return self._days(row["values"])

    def _read(self, path: str | os.PathLike) -> tuple[list[Any], bool]:
        path = Path(path).expanduser()
        if not path.exists():
            raise FileNotFoundError(f"{str(path)!r} does not exist; strings are interpreted as paths of recordings.")
        readers = _import_package("sensorlm_hf.data.readers", "paths need")
        days = list(readers.read_any(path, timezone=self.timezone, schema=self.feature_extractor.to_schema()))
        if not days:
            raise ValueError(f"{str(path)!r} contains no day of data.")
        return days, len(days) == 1 and path.is_file() and path.suffix.lower() != ".zip"


def load_items(items: Any, loader: DayLoader, num_workers: int = 0, named: bool = True) -> Iterator[Any]:
    """Loads items in order, in this process or in workers.

    Args:
        items: A sequence (with length and indexing) or any iterable.
        loader: Converts an item to model inputs.
        num_workers: Number of worker processes; 0 loads in this process. An iterable can only be read by one process.
        named: Whether error messages give the position of the item.

    Yields:
        The result of `loader` for each item.
    """
    positional = hasattr(items, "__len__") and hasattr(items, "__getitem__")
    if num_workers > 0:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # as in transformers: a fork warns otherwise
        data = _ItemDataset(items, loader) if positional else _ItemStream(items, loader)
        workers = num_workers if positional else 1
        yield from DataLoader(data, batch_size=None, num_workers=workers, collate_fn=_identity)
        return
    walk = (items[position] for position in range(len(items))) if positional else items
    for index, item in enumerate(walk):
        yield loader(item, index if named else None)


class ResultStream:
    """Results in the order of the inputs, computed lazily.

    Iterating over the results of a dataset again recomputes them; those of a generator can be read once.

    Args:
        start: Starts the computation.
        size: Number of inputs, if known.
    """

    def __init__(self, start: Callable[[], Iterator[Any]], size: int | None) -> None:
        self._start = start
        self._size = size

    def __iter__(self) -> Iterator[Any]:
        return self._start()

    def __len__(self) -> int:
        if self._size is None:
            raise TypeError("The number of results is not known before the inputs have been read.")
        return self._size


class _ItemDataset(Dataset):
    def __init__(self, items: Any, loader: DayLoader) -> None:
        self.items, self.loader = items, loader

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.loader(self.items[index], index)


class _ItemStream(IterableDataset):
    def __init__(self, items: Iterable[Any], loader: DayLoader) -> None:
        self.items, self.loader = items, loader

    def __iter__(self) -> Iterator[Any]:
        return (self.loader(item, index) for index, item in enumerate(self.items))


def _identity(item: Any) -> Any:
    return item


def _describe_type(value: Any) -> str:
    return "None" if value is None else f"{type(value).__name__} ({str(value)[:60]})"


def _with_location(error: Exception, *where: str) -> Exception:
    """Returns an error of the same type with its location."""
    kind = next(kind for kind in _NAMED_ERRORS if isinstance(error, kind))
    # The feature extractor gets one day at a time, so its own item number is meaningless.
    reason = re.sub(r"^Item 0( \(1 of 1\))?", "the day", str(error))
    return kind(f"{', '.join(where)}: {reason}" if where else reason[:1].upper() + reason[1:])


def _import_package(module: str, purpose: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{purpose} the package sensorlm-hf (pip install sensorlm-hf), which failed to load: {error}. Or give the"
            " values as an array of shape (minutes, channels) in the model's channel order."
        ) from error
