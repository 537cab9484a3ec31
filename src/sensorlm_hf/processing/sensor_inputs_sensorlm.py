"""Converts any supported form of a day of signals to one array with the requested channels as columns.

This file is uploaded to the Hub with the feature extractor, so it only imports numpy and recognises pandas, torch
and `SensorDay` objects by their attributes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

TIME_COLUMNS = ("time", "timestamp", "datetime", "minute")
"""Names of time columns, which contain no signal; compared in lower case."""

_ACCEPTED = (
    "a SensorDay, an array or tensor (minutes, channels) or (days, minutes, channels), a DataFrame, or a list of these"
)


def is_one_day(value: Any) -> bool:
    """Returns whether something is a single day, rather than several days or no day at all.

    All other files use this function; those that are uploaded as remote code and cannot import it call it through the
    feature extractor.

    Args:
        value: A `SensorDay`, a table, an array, tensor or nested list `(minutes, channels)`, or anything else.
    """
    return _is_record(value) or _is_table(value) or _is_matrix(value)


def _is_record(value: Any) -> bool:
    """Returns whether this is a `SensorDay`, by its attributes; a dataset of days may also have a schema."""
    return hasattr(value, "schema") and isinstance(getattr(value, "values", None), np.ndarray)


def _is_table(value: Any) -> bool:
    return hasattr(value, "columns") and hasattr(value, "to_numpy")


def _is_matrix(value: Any) -> bool:
    """Returns whether this is an array, tensor or list (as in unformatted datasets) of shape `(minutes, channels)`."""
    if isinstance(value, (list, tuple)):
        minute = value[0] if value else None
        if isinstance(minute, (list, tuple)):
            return bool(minute) and _is_number(minute[0])
        return getattr(minute, "ndim", None) == 1
    return hasattr(value, "__array__") and getattr(value, "ndim", None) == 2


def read_items(
    sensor: Any,
    *,
    keys: Sequence[str],
    labels: Sequence[str],
    units: Sequence[str],
    window_minutes: int,
    columns: Sequence[str] | None = None,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Reads one or more days into a single array with the columns in the order of `keys`.

    Args:
        sensor: A `SensorDay`, array, tensor, DataFrame, or a list or tuple of them.
        keys: Channel keys, which define the order of the columns.
        labels: Human-readable names of the channels, used to suggest a channel for an unknown column.
        units: Units of the channels; a `SensorDay` whose schema has a different unit for a channel is rejected.
        window_minutes: Required number of rows of a day.
        columns: Names of the columns of arrays; None for `keys` in order.

    Returns:
        `(days, window_minutes, channels)` float32 with NaN for missing values, possibly sharing memory with the input,
        and the keys of the channels that at least one day lacks.

    Raises:
        TypeError: If an item has an unsupported type or contains something other than numbers.
        ValueError: If a shape, a name, a unit or the time axis is wrong. Messages give the item.
    """
    reader = _Reader(tuple(keys), tuple(labels), tuple(units), int(window_minutes))
    plan = None if columns is None else reader.plan(_names(columns, "`columns`"), "`columns`")
    if isinstance(sensor, np.ndarray) and sensor.dtype == object and sensor.ndim == 1:
        sensor = list(sensor)
    if isinstance(sensor, (list, tuple)):
        if not len(sensor):
            raise ValueError(f"`sensor` is empty; give {_ACCEPTED}.")
        if _is_numbers(sensor[0]):
            sensor = [_nested_numbers(sensor)]
        parts = [reader.read(item, f"sensor[{i}]", plan) for i, item in enumerate(sensor)]
        values = parts[0] if len(parts) == 1 else np.concatenate(parts)
    else:
        values = reader.read(sensor, "`sensor`", plan)
    if not len(values):
        raise ValueError(f"`sensor` contains no day (shape {values.shape}); give {_ACCEPTED}.")
    return values, tuple(key for key in keys if key in reader.absent)


class _Reader:
    """Reads items for a list of channels and records the channels that items lack."""

    def __init__(self, keys: tuple[str, ...], labels: tuple[str, ...], units: tuple[str, ...], minutes: int) -> None:
        self.keys, self.labels, self.units, self.minutes = keys, labels, units, minutes
        self.column = {key: position for position, key in enumerate(keys)}
        self.absent: set[str] = set()

    def read(self, item: Any, where: str, plan: list[tuple[int, int]] | None) -> np.ndarray:
        """Returns `(days, minutes, channels)` float32 of one item."""
        if _is_table(item):
            return self._frame(item, where)[None]
        if _is_record(item):
            return self._day(item, where)[None]
        return self._array(item, where, plan)

    def plan(self, names: Sequence[str], where: str) -> list[tuple[int, int]]:
        """Returns pairs `(source column, target column)` for named columns; unknown and repeated names raise errors."""
        seen: set[str] = set()
        repeated = sorted({name for name in names if name in seen or seen.add(name)})  # type: ignore[func-returns-value]
        if repeated:
            raise ValueError(f"{where} names {', '.join(map(repr, repeated))} more than once; names must be unique.")
        unknown = [name for name in names if name not in self.column]
        if unknown:
            raise ValueError(
                f"{where} has unknown columns: {'; '.join(self._suggest(name) for name in unknown)}. Rename or drop"
                f" them. Channels are {', '.join(self.keys)}; a time column may be called {', '.join(TIME_COLUMNS)}."
            )
        if not names:
            raise ValueError(f"{where} has no signal column. Channels are {', '.join(self.keys)}.")
        self.absent.update(set(self.keys) - set(names))
        return [(source, self.column[name]) for source, name in enumerate(names)]

    def fill(self, columns: Iterable[tuple[int, np.ndarray]]) -> np.ndarray:
        """Returns `(minutes, channels)` with the given columns set and the others missing."""
        values = np.full((self.minutes, len(self.keys)), np.nan, dtype=np.float32)
        for target, column in columns:
            values[:, target] = column
        return values

    def _suggest(self, name: str) -> str:
        plain = _plain(name)
        options = {_plain(text): key for key, text in zip(self.keys, self.labels, strict=True)}
        options.update({_plain(key): key for key in self.keys})
        close = [options[option] for option in difflib.get_close_matches(plain, list(options), n=3, cutoff=0.55)]
        close += [key for option, key in options.items() if plain and plain in option]
        close += [key for key, unit in zip(self.keys, self.units, strict=True) if _plain(unit) == plain]
        best = list(dict.fromkeys(close))[:3]
        return f"{name!r} (closest: {', '.join(best)})" if best else f"{name!r} (nothing close)"

    def _day(self, day: Any, where: str) -> np.ndarray:
        schema = day.schema
        keys = tuple(schema.keys)
        values = as_float32(day.values, where)
        if values.ndim != 2 or len(values) != self.minutes or values.shape[1] != len(keys):
            raise ValueError(
                f"{where} is a day of shape {values.shape}; expected ({self.minutes}, {len(keys)}): a window of"
                f" {self.minutes} minutes."
            )
        for channel in schema:
            if channel.key in self.column and channel.unit != self.units[self.column[channel.key]]:
                raise ValueError(
                    f"{where}: channel {channel.key!r} is in {channel.unit!r} in schema {schema.name!r}, but in"
                    f" {self.units[self.column[channel.key]]!r} here. Convert it first."
                )
        if keys == self.keys:
            return values
        plan = self.plan(keys, f"{where} (schema {schema.name!r})")
        return self.fill((target, values[:, source]) for source, target in plan)

    def _array(self, item: Any, where: str, plan: list[tuple[int, int]] | None) -> np.ndarray:
        if isinstance(item, (str, bytes)) or hasattr(item, "keys") or not hasattr(item, "__array__"):
            if not (isinstance(item, (list, tuple)) and len(item) and _is_numbers(item[0])):
                raise TypeError(f"{where} is a {type(item).__name__}; give {_ACCEPTED}.")
            item = _nested_numbers(item)
        values = as_float32(item, where)
        width = len(self.keys) if plan is None else len(plan)
        if values.ndim == 2:
            values = values[None]
        elif values.ndim != 3:
            raise ValueError(
                f"{where} has shape {values.shape}; expected ({self.minutes}, {width}) or (days, {self.minutes},"
                f" {width})."
            )
        if values.shape[1:] != (self.minutes, width):
            raise ValueError(self._shape_message(values.shape, where, width, plan))
        if plan is None:
            return values
        placed = np.full((len(values), self.minutes, len(self.keys)), np.nan, dtype=np.float32)
        placed[:, :, [target for _, target in plan]] = values
        return placed

    def _shape_message(self, shape: tuple[int, ...], where: str, width: int, plan: Any) -> str:
        message = (
            f"{where} has days of shape {shape[1:]}; expected ({self.minutes}, {width}), minutes by channels"
            f" ({', '.join(self.keys) if plan is None else 'as named by `columns`'})."
        )
        if shape[1:] == (width, self.minutes):
            return f"{message} It is transposed: swap the last two axes, for instance with `.swapaxes(-1, -2)`."
        if shape[2] != width and shape[1] == self.minutes:
            return f"{message} Columns have no names here: name them with `columns=[...]` or give a DataFrame."
        if shape[1] != self.minutes and shape[2] == width:
            return f"{message} Pad a shorter day with NaN, split a longer one into windows of {self.minutes} minutes."
        return message

    def _frame(self, frame: Any, where: str) -> np.ndarray:
        names = list(frame.columns)
        nameless = [name for name in names if not isinstance(name, str)]
        if nameless:
            raise ValueError(
                f"{where} is a DataFrame whose columns have no names ({nameless[:3]}...): name them after the channels,"
                " or give `frame.to_numpy()` if they are in the order of the channels."
            )
        signals = [name for name in names if name in self.column or name.lower() not in TIME_COLUMNS]
        plan = self.plan(signals, f"{where} (DataFrame)")
        if len(frame) != self.minutes:
            raise ValueError(
                f"{where} is a DataFrame of {len(frame)} rows; expected {self.minutes}, one per minute. Use"
                " `frame.resample('1min').mean()` and `reindex` to the minutes of one window."
            )
        index = getattr(frame, "index", None)
        if index is not None and hasattr(index, "tz"):  # a pandas DatetimeIndex
            _check_minutes(index.to_numpy(dtype="datetime64[ns]"), f"{where}: the index")
        for name in names:
            if name not in self.column:
                _check_minutes(_times(frame[name], f"{where}: column {name!r}"), f"{where}: column {name!r}")
        if all(isinstance(kind, np.dtype) and kind.kind in "fiu" for kind in frame.dtypes):  # in one step if possible
            values = self.fill([])
            values[:, [target for _, target in plan]] = as_float32(frame[signals].to_numpy(), where)
            return values
        return self.fill(
            (target, _column(frame[signals[source]], f"{where}: column {signals[source]!r}")) for source, target in plan
        )


def as_float32(item: Any, where: str) -> np.ndarray:
    """Returns numbers of any kind as float32; float32 arrays are passed through without a copy.

    Raises:
        TypeError: If there is anything other than numbers and None.
    """
    if hasattr(item, "detach"):  # a torch tensor; bfloat16 has no numpy counterpart
        item = item.detach().cpu().float().numpy()
    if hasattr(item, "keys"):
        raise TypeError(f"{where} is a {type(item).__name__}; give one of its arrays.")
    if isinstance(item, np.ma.MaskedArray):  # masked values are missing
        item = np.ma.filled(item.astype(np.float32 if item.dtype.kind in "fiub" else item.dtype), np.nan)
    array = np.asarray(item)
    if array.dtype == np.float32:
        return array
    if array.dtype == object:
        wrong = next((v for v in array.flat if not _is_number(v)), None)
        if wrong is not None:
            raise TypeError(
                f"{where} contains {wrong!r} ({type(wrong).__name__}); values must be numbers, NaN if missing."
            )
        array = np.array([np.nan if _is_none(v) else float(v) for v in array.flat]).reshape(array.shape)
    elif array.dtype.kind not in "fiub":
        raise TypeError(
            f"{where} contains values of type {array.dtype}; values must be numbers in physical units, NaN if missing."
        )
    with np.errstate(over="ignore"):  # overflow is reported as infinite, with its location
        return array.astype(np.float32)


def _plain(name: str) -> str:
    return name.lower().replace("_", " ").replace("-", " ").strip()


def _is_none(value: Any) -> bool:
    return value is None or type(value).__name__ == "NAType"


def _is_number(value: Any) -> bool:
    if _is_none(value) or isinstance(value, (int, float, np.number, np.bool_)):
        return not isinstance(value, np.complexfloating)
    return hasattr(value, "__float__") and not hasattr(value, "__len__") and not isinstance(value, (str, bytes))


def _is_numbers(value: Any) -> bool:
    """Returns whether a value is a number or a nested list of numbers."""
    while isinstance(value, (list, tuple)) and len(value):
        value = value[0]
    return isinstance(value, (str, bytes)) is False and not hasattr(value, "__len__") and _is_number(value)


def _nested_numbers(rows: Any) -> np.ndarray:
    try:
        return np.asarray(rows)
    except ValueError:
        raise ValueError(
            "`sensor` is a list of rows of unequal length; every minute needs one value per channel."
        ) from None


def _names(columns: Any, where: str) -> list[str]:
    if isinstance(columns, (str, bytes)) or not all(isinstance(name, str) for name in columns):
        raise TypeError(f"{where} must be a list of channel keys, got {columns!r}.")
    return list(columns)


def _column(series: Any, where: str) -> np.ndarray:
    if hasattr(series.dtype, "na_value") and series.dtype.kind in "fiub":  # pandas' nullable numbers
        return as_float32(series.to_numpy(dtype="float64", na_value=np.nan), where)
    return as_float32(series.to_numpy(), where)


def _times(series: Any, where: str) -> np.ndarray:
    """Returns a time column as `datetime64[ns]`, or integer minutes unchanged."""
    kind = getattr(series.dtype, "kind", "O")
    if kind in "iu":
        return series.to_numpy()
    try:
        return series.to_numpy().astype("datetime64[ns]") if kind != "M" else series.to_numpy(dtype="datetime64[ns]")
    except (ValueError, TypeError):
        raise ValueError(f"{where} is not a time: convert it with `pandas.to_datetime`, or drop it.") from None


def _check_minutes(times: np.ndarray, where: str) -> None:
    if times.dtype.kind == "M" and np.isnat(times).any():
        raise ValueError(f"{where} has no time in row {int(np.argmax(np.isnat(times)))}; every row needs one.")
    step = np.timedelta64(1, "m") if times.dtype.kind == "M" else 1
    wrong = np.flatnonzero(np.diff(times) != step)
    if wrong.size:
        row = int(wrong[0])
        raise ValueError(
            f"{where} must increase by one minute per row, but rows {row} and {row + 1} are {times[row]} and"
            f" {times[row + 1]}. Sort it, drop repeated rows and use `frame.resample('1min').mean()`; missing minutes"
            " become NaN."
        )
