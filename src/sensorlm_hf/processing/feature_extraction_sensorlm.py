"""Feature extractor: converts signals in physical units, with gaps, to normalised arrays and a mask of observed values.

This file is uploaded to the Hub as remote code. The saved configuration contains all
required information about the channels, so that a saved extractor works where the package is not installed.
"""

from __future__ import annotations

import copy
import importlib
import json
import os
import uuid
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from transformers.feature_extraction_utils import BatchFeature, FeatureExtractionMixin

from .plausibility_sensorlm import ImplausibleValues, guess_for
from .sensor_inputs_sensorlm import as_float32, is_one_day, read_items

IMPLAUSIBLE = ("mask", "raise", "keep")
"""Options for handling values outside a channel's valid range."""

_CHANNEL_FIELDS = ("key", "label", "unit", "mean", "std", "valid_range", "non_negative")
_CHUNK_DAYS = 16  # a chunk of 16 days of 26 channels fits in the CPU cache
_ENOUGH_TO_JUDGE = 30  # minimum minutes of a channel to infer a wrong unit from implausible values


class SensorLMFeatureExtractor(FeatureExtractionMixin):
    """Converts days of wearable signals to `sensor_values` and `sensor_mask`.

    Values are z-scored per channel with the population constants of the schema and clipped at ±`clip`. Missing values
    are not interpolated: they are 0 (the population mean), and the mask distinguishes them. The model reads the mask
    and ignores masked values.

    Args:
        schema: Name of a built-in schema, a dict, a path, or a `SensorSchema`. If `channels` are given, their schema's
            name. The attribute `schema` is the name.
        window_minutes: Minutes in a day's window.
        clip: Maximum absolute normalised value, in standard deviations.
        implausible: Handling of values outside a channel's valid range: `"mask"` treats them as missing and warns,
            `"raise"` raises an error, `"keep"` keeps them. `"mask"` also raises if most values of a channel are out of
            range, which indicates wrong units rather than noise.
        allow_empty: Whether days without any observed value are accepted; their values are then all 0.
        channels: The channels in column order, each a dict with `key`, `label`, `unit`, `mean`, `std`, `valid_range`
            and `non_negative`, as in a saved configuration.
        model_channels: Keys of the channels of a model with additional channels, in its order; see [`for_model`].
        **kwargs: Further attributes, stored unchanged.

    Raises:
        ValueError: If an option or a channel is invalid.
        ImportError: If `channels` are not given and the package, which defines the schemas, is not installed.

    Example:
        >>> import numpy as np
        >>> extractor = SensorLMFeatureExtractor("sensorlm-26")
        >>> day = np.full((1440, 26), np.nan, dtype=np.float32)
        >>> day[600:660, 0] = 92.1473  # heart rate, one standard deviation above the mean
        >>> inputs = extractor(day, return_tensors="np")
        >>> inputs["sensor_values"].shape, int(inputs["sensor_mask"].sum())
        ((1, 1440, 26), 60)
        >>> float(inputs["sensor_values"][0, 0, 0].round(3))
        1.0
    """

    model_input_names = ["sensor_values", "sensor_mask"]  # noqa: RUF012 - the base class declares a list

    def __init__(
        self,
        schema: Any = "sensorlm-26",
        window_minutes: int = 1440,
        clip: float = 5.0,
        implausible: str = "mask",
        allow_empty: bool = False,
        channels: Sequence[Mapping[str, Any]] | None = None,
        model_channels: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.window_minutes = _check_minutes(window_minutes, "window_minutes")
        if isinstance(clip, bool) or not isinstance(clip, (int, float)) or not 0 < clip < float("inf"):
            raise ValueError(f"`clip` must be a number of standard deviations above 0, got {clip!r}.")
        self.clip = float(clip)
        if implausible not in IMPLAUSIBLE:
            raise ValueError(f"`implausible` must be one of {', '.join(IMPLAUSIBLE)}, got {implausible!r}.")
        self.implausible = implausible
        if not isinstance(allow_empty, bool):
            raise ValueError(f"`allow_empty` must be true or false, got {allow_empty!r}.")
        self.allow_empty = allow_empty
        if channels is None:
            schema, channels = _resolve_schema(schema)
        elif not isinstance(schema, str) or not schema:
            raise ValueError(f"With `channels`, `schema` must be the name of their schema, got {schema!r}.")
        self.schema: str = schema
        self.channels = _check_channel_dicts(channels)
        self.model_channels = None if model_channels is None else list(model_channels)
        self._check_model_channels()

    def __repr__(self) -> str:
        options = ", ".join(
            f"{name}={getattr(self, name)!r}"
            for name in ("schema", "window_minutes", "clip", "implausible", "allow_empty")
        )
        return f"{type(self).__name__}({options}, {self.num_channels} channels)"

    @property
    def channel_keys(self) -> list[str]:
        """Keys of the channels in column order."""
        return [channel["key"] for channel in self.channels]

    @property
    def channel_means(self) -> list[float]:
        """Means used for normalisation, physical units."""
        return [channel["mean"] for channel in self.channels]

    @property
    def channel_stds(self) -> list[float]:
        """Standard deviations used for normalisation, physical units."""
        return [channel["std"] for channel in self.channels]

    @property
    def output_keys(self) -> list[str]:
        """Keys of the columns of `sensor_values`: those of the channels, or of the model if `model_channels` is set."""
        return self.channel_keys if self.model_channels is None else list(self.model_channels)

    @property
    def num_channels(self) -> int:
        """Number of channels."""
        return len(self.channels)

    def to_schema(self) -> Any:
        """Returns the channels as a `SensorSchema`; requires the package.

        Raises:
            ImportError: If the package `sensorlm_hf` is not installed.
        """
        return _schema_module().SensorSchema.from_dict({"name": self.schema, "channels": self.channels})

    @classmethod
    def from_dict(cls, feature_extractor_dict: dict[str, Any], **kwargs: Any) -> Any:
        """Builds the extractor from its configuration.

        Raises:
            ValueError: If a different schema is requested: the saved channels belong to a trained model.
        """
        if kwargs.get("schema", saved := feature_extractor_dict.get("schema")) != saved:
            raise ValueError(
                "A saved extractor contains the channels that a model was trained with: `schema` cannot replace them."
                " Build a new one with SensorLMFeatureExtractor(schema=...), or convert the data: days and tables of"
                " another schema are matched by channel name."
            )
        saved_options = copy.deepcopy(feature_extractor_dict)
        saved_options.pop("max_gap_fill", None)  # of versions that interpolated masked values, which models ignored
        return super().from_dict(saved_options, **kwargs)

    def save_pretrained(self, save_directory: str | os.PathLike, push_to_hub: bool = False, **kwargs: Any) -> list[str]:
        """Writes `preprocessor_config.json`, and updates the copy in `processor_config.json` if the folder has one.

        A processor's file contains a copy of the extractor's configuration and takes precedence; without the update,
        the folder would keep loading the old constants.

        Args:
            save_directory: Folder; created if it does not exist.
            push_to_hub: Whether to upload the folder afterwards.
            **kwargs: For the upload.

        Returns:
            Paths of the files written.
        """
        os.makedirs(save_directory, exist_ok=True)
        written = []
        processor_file = Path(save_directory) / "processor_config.json"
        if processor_file.is_file():
            saved = json.loads(processor_file.read_text(encoding="utf-8"))
            if "feature_extractor" in saved:
                own = json.loads(self.to_json_string())
                if "auto_map" in (saved["feature_extractor"] or {}):  # location of the folder's remote code
                    own.setdefault("auto_map", saved["feature_extractor"]["auto_map"])
                saved["feature_extractor"] = own
                _write_text(processor_file, json.dumps(saved, indent=2, sort_keys=True) + "\n")
                written.append(str(processor_file))
        return [*(super().save_pretrained(save_directory, push_to_hub=push_to_hub, **kwargs) or []), *written]

    def to_json_file(self, json_file_path: str | os.PathLike) -> None:
        """Writes the configuration, atomically."""
        _write_text(Path(json_file_path), self.to_json_string())

    def __call__(
        self,
        sensor: Any,
        columns: Sequence[str] | None = None,
        return_tensors: str | None = "pt",
        allow_empty: bool | None = None,
    ) -> BatchFeature:
        """Normalises days.

        Args:
            sensor: A `SensorDay`, an array or tensor `(minutes, channels)` or `(days, minutes, channels)`, a DataFrame
                whose columns are named after the channels, or a list of these. Physical units, NaN where nothing was
                observed. Not modified. Days and tables are matched by channel name; channels that they lack count as
                missing.
            columns: Names of the columns of arrays and tensors; by default those of the schema in order.
            return_tensors: `"pt"` for torch tensors, `"np"` or None for numpy arrays.
            allow_empty: Overrides the constructor's option.

        Returns:
            `sensor_values`, `(days, minutes, channels)` float32 in standard deviations, 0 where nothing was observed,
            and `sensor_mask`, the same shape, bool, True where a value was observed and accepted. The channels are
            `output_keys`.

        Raises:
            TypeError: If the input has an unsupported type.
            ValueError: If shapes, names, units or values are wrong, or a day is empty; messages give the item.
        """
        raw, absent = self._read(sensor, columns)
        if absent:
            warnings.warn(
                f"Channels absent from the input count as missing: {', '.join(absent)}.", UserWarning, stacklevel=2
            )
        values = np.empty(raw.shape, dtype=np.float32)
        mask = np.empty(raw.shape, dtype=bool)
        shift = np.asarray(self.channel_means, dtype=np.float32)
        scale = (1.0 / np.asarray(self.channel_stds)).astype(np.float32)
        dropped = ImplausibleValues(self.channels)
        for first in range(0, len(raw), _CHUNK_DAYS):
            chunk = slice(first, first + _CHUNK_DAYS)
            z, observed = values[chunk], mask[chunk]
            observed[...] = self._observed(raw[chunk], first, dropped)
            with np.errstate(over="ignore"):  # what overflows is clipped, or implausible and left out
                np.subtract(raw[chunk], shift, out=z)
                z *= scale
            np.clip(z, -self.clip, self.clip, out=z)
            z[~observed] = 0
        if not (self.allow_empty if allow_empty is None else allow_empty):
            self._check_not_empty(mask)
        dropped.warn()
        if self.model_channels is not None:
            values, mask = self._reorder(values), self._reorder(mask)
        return BatchFeature({"sensor_values": values, "sensor_mask": mask}, tensor_type=return_tensors)

    @staticmethod
    def is_one_day(value: Any) -> bool:
        """Returns whether something is a single day, rather than several days or no day at all.

        Args:
            value: A `SensorDay`, a table, an array, tensor or nested list `(minutes, channels)`, or anything else.
        """
        return is_one_day(value)

    def for_model(self, channel_keys: Sequence[str]) -> SensorLMFeatureExtractor:
        """Returns an extractor whose output fits a model with other channels, matched by name.

        Columns are reordered to match the model, and channels that are not available are missing. The normalisation is
        unchanged.

        Args:
            channel_keys: Keys of the model's channels, `model.config.sensor_config.channel_keys`.

        Returns:
            This extractor if its output already fits, otherwise a copy.

        Raises:
            ValueError: If a channel is unknown to the model; the message gives its name.

        Example:
            ```python
            watch = SensorLMFeatureExtractor(my_schema_with_heart_rate_alone)
            processor = SensorLMProcessor(watch.for_model(model.config.sensor_config.channel_keys), tokenizer)
            ```
        """
        if list(channel_keys) == self.output_keys:
            return self
        fitting = copy.deepcopy(self)
        fitting.model_channels = list(channel_keys)
        fitting._check_model_channels()
        return fitting

    def _check_model_channels(self) -> None:
        if self.model_channels is None:
            return
        unknown = [key for key in self.channel_keys if key not in self.model_channels]
        if unknown or len(set(self.model_channels)) != len(self.model_channels):
            raise ValueError(
                f"The processor's channels ({self.schema!r}, {self.num_channels}) are not those of the model"
                f" ({len(self.model_channels)}): it does not know {', '.join(unknown) or 'two of the same name'}. The"
                f" model reads {', '.join(self.model_channels)}. Leave the unknown channels out of the schema."
            )

    def _reorder(self, array: np.ndarray) -> np.ndarray:
        """Moves the columns of `(days, minutes, channels)` to the model's positions; other columns are 0 or False."""
        placed = np.zeros((*array.shape[:2], len(self.output_keys)), dtype=array.dtype)
        placed[:, :, [self.output_keys.index(key) for key in self.channel_keys]] = array
        return placed

    def decode(self, sensor_values: Any, sensor_mask: Any = None) -> np.ndarray:
        """Converts normalised values to physical units; non-negative channels are clipped at 0.

        Args:
            sensor_values: `(..., channels)` array or tensor in standard deviations, the channels those of
                `channel_keys`.
            sensor_mask: `(..., channels)`; values become NaN where it is False.

        Returns:
            `(..., channels)` float32 in physical units.

        Raises:
            ValueError: If the last axis does not match the channels, or the mask has a different shape.
        """
        z = as_float32(sensor_values, "`sensor_values`")
        if z.ndim == 0 or z.shape[-1] != self.num_channels:
            raise ValueError(
                f"`sensor_values` has shape {z.shape}; the last axis must be the {self.num_channels} channels"
                f" ({', '.join(self.channel_keys)})."
            )
        values = (z * np.asarray(self.channel_stds) + np.asarray(self.channel_means)).astype(np.float32)
        cut = np.array([channel["non_negative"] for channel in self.channels])
        values[..., cut] = np.maximum(values[..., cut], 0)
        if sensor_mask is not None:
            observed = as_float32(sensor_mask, "`sensor_mask`") > 0
            if observed.shape != values.shape:
                raise ValueError(f"`sensor_mask` has shape {observed.shape}, `sensor_values` {values.shape}.")
            values[~observed] = np.nan
        return values

    def fit_normalization(self, days: Any, name: str | None = None) -> SensorLMFeatureExtractor:
        """Returns a copy with the means and standard deviations of the given days.

        Days are processed one at a time, so a generator may stream more data than fits in memory. Only observed
        and plausible values count (Chan, Golub and LeVeque's pairwise update of mean and variance, in float64). A
        channel without two different values keeps its constants, with a warning.

        Args:
            days: An input accepted by the extractor, or an iterable of such inputs.
            name: Name of the new normalisation; by default `"<schema name>-custom"`.

        Returns:
            The new extractor; this one is not modified. A model trained with other constants must be retrained.

        Raises:
            ValueError: If there is no day, or a day is invalid.
        """
        count, mean, spread = (np.zeros(self.num_channels) for _ in range(3))
        seen = 0
        dropped = ImplausibleValues(self.channels)
        for item in _iterate(days):
            raw, _ = self._read(item, None)
            for first in range(0, len(raw), _CHUNK_DAYS):
                chunk = raw[first : first + _CHUNK_DAYS].astype(np.float64)
                observed = self._observed(chunk, seen, dropped)
                seen += len(chunk)
                n = observed.sum(axis=(0, 1))
                safe = np.maximum(n, 1)
                chunk_mean = np.where(observed, chunk, 0).sum(axis=(0, 1)) / safe
                chunk_spread = (np.where(observed, chunk - chunk_mean, 0) ** 2).sum(axis=(0, 1))
                total = np.maximum(count + n, 1)
                delta = chunk_mean - mean
                mean += np.where(n > 0, delta * n / total, 0)
                spread += chunk_spread + delta**2 * count * n / total
                count += n
        if not seen:
            raise ValueError("`days` is empty: there is nothing to fit the normalisation to.")
        dropped.warn()
        std = np.sqrt(spread / np.maximum(count, 1))
        fitted = std > 1e-6 * np.maximum(np.abs(mean), 1e-6)
        channels = copy.deepcopy(self.channels)
        for channel, usable, m, s in zip(channels, fitted, mean, std, strict=True):
            if usable:
                channel.update(mean=float(m), std=float(s))
        kept = [channel["key"] for channel, usable in zip(channels, fitted, strict=True) if not usable]
        if kept:
            warnings.warn(
                f"Channels without two different observed values keep their constants: {', '.join(kept)}.",
                UserWarning,
                stacklevel=2,
            )
        fitted_extractor = copy.deepcopy(self)
        fitted_extractor.channels = channels
        fitted_extractor.schema = name or f"{self.schema}-custom"
        return fitted_extractor

    def check_channels(
        self,
        channel_keys: Sequence[str],
        channel_means: Sequence[float] | None = None,
        channel_stds: Sequence[float] | None = None,
    ) -> None:
        """Raises an error unless a model uses this extractor's channels, in the same order and normalisation.

        Args:
            channel_keys: Channel keys in the model's configuration.
            channel_means: Means used in training, if known.
            channel_stds: Standard deviations used in training, if known.

        Raises:
            ValueError: On any mismatch; the message gives the first channel that differs.
        """
        keys, own_keys = list(channel_keys), self.output_keys
        if keys != own_keys:
            missing = [key for key in keys if key not in own_keys]
            extra = [key for key in own_keys if key not in keys]
            how = "; ".join(
                f"{text} {', '.join(names)}" for text, names in [("it lacks", missing), ("it adds", extra)] if names
            )
            raise ValueError(
                f"The processor's channels ({self.schema!r}, {self.num_channels}) are not those of the model"
                f" ({len(keys)}): {how or 'they are in a different order'}. Use the processor saved with the model, or"
                " `for_model`, which matches channels by name."
            )
        for what, given, own in [("mean", channel_means, self.channel_means), ("std", channel_stds, self.channel_stds)]:
            if given is None:
                continue
            if len(given) != len(keys):
                raise ValueError(f"`channel_{what}s` has {len(given)} entries for {len(keys)} channels.")
            of_model = dict(zip(keys, given, strict=True))
            for key, ours in zip(self.channel_keys, own, strict=True):
                theirs = of_model[key]
                if not np.isclose(theirs, ours, rtol=1e-6, atol=1e-9):
                    raise ValueError(
                        f"Channel {key!r} is normalised with {what} {ours}, but the model was trained with {theirs}."
                        " Use the processor that was saved with the model, or train the model again."
                    )

    def _read(self, sensor: Any, columns: Sequence[str] | None) -> tuple[np.ndarray, tuple[str, ...]]:
        return read_items(
            sensor,
            keys=self.channel_keys,
            labels=[channel["label"] for channel in self.channels],
            units=[channel["unit"] for channel in self.channels],
            window_minutes=self.window_minutes,
            columns=columns,
        )

    def _observed(self, raw: np.ndarray, first: int, dropped: ImplausibleValues) -> np.ndarray:
        """Returns the mask of accepted values in `(days, minutes, channels)`; `first` numbers the first day."""
        observed = np.isfinite(raw)
        if not observed.all() and np.isinf(raw).any():
            day, minute, column = np.argwhere(np.isinf(raw))[0]
            raise ValueError(
                f"Item {first + day} is infinite at minute {minute}, channel {self.channel_keys[column]!r};"
                " use NaN for missing."
            )
        if self.implausible == "keep":
            return observed
        low, high = np.array([channel["valid_range"] for channel in self.channels], dtype=np.float32).T
        outside = (raw < low) | (raw > high)
        if not outside.any():
            return observed
        counts, totals = outside.sum(axis=1), observed.sum(axis=1)
        refused = (totals >= _ENOUGH_TO_JUDGE) & (counts > totals / 2)
        if self.implausible == "raise":
            refused = counts > 0
        if refused.any():
            day, column = np.argwhere(refused)[0]
            values = raw[day, observed[day, :, column], column]
            raise ValueError(self._implausible_message(first + day, column, values, int(counts[day, column])))
        for column in np.flatnonzero(counts.any(axis=0)):
            day = int(np.argmax(counts[:, column]))
            dropped.add(int(column), int(counts[:, column].sum()), raw[day, observed[day, :, column], column])
        observed &= ~outside
        return observed

    def _implausible_message(self, day: int, column: int, values: np.ndarray, n: int) -> str:
        channel = self.channels[column]
        low, high = channel["valid_range"]
        guess = guess_for(channel, values) or "No common unit error explains them: check the column."
        return (
            f"Item {day}: {n} of the {len(values)} observed values of channel {channel['key']!r} ({channel['label']})"
            f" are outside {low:g} to {high:g} {channel['unit']} (median {float(np.median(values)):g}). {guess}"
            " To keep the values unchanged, use implausible='keep'."
        )

    def _check_not_empty(self, mask: np.ndarray) -> None:
        empty = np.flatnonzero(~mask.reshape(len(mask), -1).any(axis=1))
        if empty.size:
            raise ValueError(
                f"Item {', '.join(map(str, empty[:5]))}{'...' if empty.size > 5 else ''} ({empty.size} of {len(mask)})"
                " has no plausible observed value. Remove it, or pass allow_empty=True."
            )


def _iterate(days: Any) -> Iterable[Any]:
    """Yields the items of a list or generator; an array of one or several days, a table or a day is one item."""
    if is_one_day(days) or hasattr(days, "__array__"):
        return [days]
    if isinstance(days, Iterable) and not isinstance(days, (str, bytes, Mapping)):
        return days
    return [days]  # the reader raises an error that explains the problem


def _check_minutes(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"`{name}` must be an integer number of minutes, at least 1, got {value!r}.")
    return int(value)


def _schema_module() -> Any:
    # No relative import, because this file also runs standalone, as remote code.
    try:
        return importlib.import_module("sensorlm_hf.schema")
    except ImportError as error:
        raise ImportError(
            "Schemas are looked up in the package `sensorlm_hf`, which is not installed here: `pip install"
            " sensorlm-hf`. A saved extractor, loaded with `from_pretrained`, needs no package."
        ) from error


def _resolve_schema(schema: Any) -> tuple[str, list[dict[str, Any]]]:
    resolved = _schema_module().get_schema(schema)
    return resolved.name, [channel.to_dict() for channel in resolved]


def _check_channel_dicts(channels: Any) -> list[dict[str, Any]]:
    if isinstance(channels, (str, Mapping)) or not isinstance(channels, Sequence) or not channels:
        raise ValueError("`channels` must be a non-empty list of dicts, one per channel.")
    checked: list[dict[str, Any]] = []
    for position, channel in enumerate(channels):
        if not isinstance(channel, Mapping) or any(name not in channel for name in _CHANNEL_FIELDS):
            raise ValueError(f"channels[{position}] must be a dict with {', '.join(_CHANNEL_FIELDS)}, got {channel!r}.")
        name = f"channels[{position}] ({channel['key']!r})"
        try:
            mean, std = float(channel["mean"]), float(channel["std"])
            low, high = (float(bound) for bound in channel["valid_range"])
        except (TypeError, ValueError):
            raise ValueError(
                f"{name} needs numbers as `mean` and `std`, two as `valid_range`, got {channel!r}."
            ) from None
        if not (np.isfinite([mean, std, low, high]).all() and std > 0 and low < high):
            raise ValueError(f"{name} needs finite numbers, a `std` above 0 and an increasing `valid_range`.")
        checked.append({**channel, "mean": mean, "std": std, "valid_range": [low, high]})
    keys = [channel["key"] for channel in checked]
    if len(set(keys)) != len(keys):
        raise ValueError(f"`channels` must have unique keys, got {keys}.")
    return checked


def _write_text(path: Path, text: str) -> None:
    # Not with `sensorlm_hf.io`, since this file also runs standalone, as remote code.
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


__all__ = ["SensorLMFeatureExtractor"]
