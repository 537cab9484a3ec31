"""Everything a sensor pipeline accepts, brought to one form: items, each of which is one or several days.

The file travels with a model as remote code, so it imports nothing of the package at load time. Recordings are read by
the package's readers, which are looked up only when a path is given.
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
"""What a pipeline takes, for error messages."""

_NAMED_ERRORS = (FileNotFoundError, ImportError, TypeError, ValueError, OSError)


def arrange(inputs: Any, feature_extractor: Any) -> tuple[str, Any]:
    """Returns how the argument of a pipeline is to be walked through.

    Args:
        inputs: What the caller gave.
        feature_extractor: A [`SensorLMFeatureExtractor`], which knows a day when it sees one.

    Returns:
        `("item", inputs)` for what answers for itself (a day, a path), `("list", items)` for a sequence that is
        answered by a list, and `("stream", items)` for a dataset or an iterable that is answered while it is read.

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
    if type(inputs).__module__.partition(".")[0] == "pandas":  # a Series answers [] by label, not by position
        return "list", list(inputs)
    is_sequence = hasattr(inputs, "__len__") and hasattr(inputs, "__getitem__")
    if not isinstance(inputs, (bytes, bytearray)) and (is_sequence or isinstance(inputs, Iterable)):
        return "stream", inputs
    raise TypeError(f"A sensor pipeline takes {ALLOWED}; got {_kind(inputs)}.")


@dataclass
class DayLoader:
    """Reads an item and turns its days into model inputs.

    Attributes:
        feature_extractor: A [`SensorLMFeatureExtractor`].
        timezone: IANA name of the zone in which recordings without one were made; used for paths only.
        columns: Names of the channels that the columns of arrays hold; None if they are all, in the model's order.
        allow_empty: Whether a day without any observed value passes; None leaves it to the feature extractor.
    """

    feature_extractor: Any
    timezone: str | None = None
    columns: Sequence[str] | None = None
    allow_empty: bool | None = None

    def __call__(self, item: Any, index: int | None = None) -> tuple[list[dict[str, np.ndarray]], bool]:
        """Loads one item.

        Args:
            item: A day in any form, or something that holds several.
            index: Position of the item among the inputs, for error messages; None if it is the only one.

        Returns:
            The model inputs of each day, `sensor_values` float32 and `sensor_mask` bool of shape
            `(1, minutes, channels)`, and whether the item counts as a single day rather than as a list of days.

        Raises:
            ValueError: If a day is malformed or the item holds none; the message names the item and the day.
            TypeError: If the item is of a kind that holds no day.
        """
        where = () if index is None else (f"item {index}",)
        try:
            days, single = self._days(item)
        except _NAMED_ERRORS as error:
            raise _rename(error, *where) from error
        options = {"columns": self.columns, "allow_empty": self.allow_empty}
        features = []
        for position, day in enumerate(days):
            try:
                encoded = self.feature_extractor(day, return_tensors="np", **options)
            except _NAMED_ERRORS as error:
                raise _rename(error, *where, *([] if single else [f"day {position}"])) from error
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
        raise TypeError(f"a day is {ALLOWED}; got {_kind(item)}.")

    def _list(self, items: list[Any] | tuple[Any, ...]) -> list[Any]:
        if not items:
            raise ValueError("the list is empty; give at least one day.")
        parts = [self._days(part) for part in items]
        several = next((position for position, (_, single) in enumerate(parts) if not single), None)
        if several is not None:
            raise ValueError(f"part {several} of the list holds a list of days itself; lists may be nested once only.")
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
                "a row must hold a day in `values`, of shape (minutes, channels); this one has"
                f" {', '.join(map(repr, row)) or 'nothing'}."
            )
        wanted, given = self.feature_extractor.schema, row.get("schema")
        if isinstance(given, str) and given and wanted and given != wanted:
            # Columns of another schema mean something else: as a SensorDay they carry their names along.
            day_class = _package("sensorlm_hf.days", "rows of another schema need").SensorDay
            return [day_class.from_row(row)], True
        return self._days(row["values"])

    def _read(self, path: str | os.PathLike) -> tuple[list[Any], bool]:
        path = Path(path).expanduser()
        if not path.exists():
            raise FileNotFoundError(f"{str(path)!r} does not exist; a string is read as the path of a recording.")
        readers = _package("sensorlm_hf.data.readers", "paths need")
        days = list(readers.read_any(path, timezone=self.timezone, schema=self.feature_extractor.to_schema()))
        if not days:
            raise ValueError(f"{str(path)!r} holds no day of data.")
        return days, len(days) == 1 and path.is_file() and path.suffix.lower() != ".zip"


def load_items(items: Any, loader: DayLoader, num_workers: int = 0, named: bool = True) -> Iterator[Any]:
    """Loads items in order, in this process or in workers.

    Args:
        items: A sequence (has a length and positions) or any iterable.
        loader: What turns an item into model inputs.
        num_workers: Worker processes; 0 loads in this one. An iterable can be read by one process only.
        named: Whether error messages name the position of the item.

    Yields:
        What `loader` returns for each item.
    """
    positional = hasattr(items, "__len__") and hasattr(items, "__getitem__")
    if num_workers > 0:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # as in transformers: a fork warns otherwise
        data = _ItemDataset(items, loader) if positional else _ItemStream(items, loader)
        workers = num_workers if positional else 1
        yield from DataLoader(data, batch_size=None, num_workers=workers, collate_fn=_as_is)
        return
    walk = (items[position] for position in range(len(items))) if positional else items
    for index, item in enumerate(walk):
        yield loader(item, index if named else None)


class ResultStream:
    """Results in the order of the inputs, computed while they are read.

    Iterating again over the results of a dataset computes them anew; those of a generator come once.

    Args:
        start: Begins the computation.
        size: Number of inputs, where it is known.
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


def _as_is(item: Any) -> Any:
    return item


def _kind(value: Any) -> str:
    return "None" if value is None else f"{type(value).__name__} ({str(value)[:60]})"


def _rename(error: Exception, *where: str) -> Exception:
    """Returns an error of the same kind that says where it arose."""
    kind = next(kind for kind in _NAMED_ERRORS if isinstance(error, kind))
    # The feature extractor is given one day at a time, so its own count says nothing.
    reason = re.sub(r"^Item 0( \(1 of 1\))?", "the day", str(error))
    return kind(f"{', '.join(where)}: {reason}" if where else reason[:1].upper() + reason[1:])


def _package(module: str, purpose: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{purpose} the package sensorlm-hf (pip install sensorlm-hf), which failed to load: {error}. Or give the"
            " values as an array of shape (minutes, channels) in the model's channel order."
        ) from error
