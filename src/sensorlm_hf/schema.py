"""Sensor schemas: the single source of channels, their units, constants and caption groups.

A *schema* is an ordered tuple of channels. Two ship with the package:

* ``sensorlm-26``: the 26 minute-level features of the SensorLM encoder (PPG, accelerometer, skin conductance, skin
  temperature, altimeter). Population means and standard deviations are those of the public SensorLM release
  (Zhang et al., "SensorLM: Learning the Language of Wearable Sensors", NeurIPS 2025, arXiv:2506.09108); the names and
  the grouping are our own, because the release does not provide any.
* ``sensorlm-34``: the 34 features used by the release's captioner, with its names, order and constants.

Any other schema is user-defined: build it from a dict, a JSON file or a YAML file with [`get_schema`].
"""

from __future__ import annotations

import json
import math
import numbers
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Union

import yaml

from .documents import parse_json, parse_yaml, value_type
from .io import atomic_write_text, read_text

MODALITIES = ("PPG", "ACC", "EDA", "TEMP", "ALT", "OTHER")
"""Sensor modalities a channel may belong to."""

CAPTION_GROUPS = ("Heart", "Activity", "Sleep", "EDA")
"""Caption groups; the EDA group also includes skin temperature."""

SchemaLike = Union[str, os.PathLike, Mapping[str, Any], "SensorSchema"]


@dataclass(frozen=True)
class Channel:
    """One minute-level feature.

    Attributes:
        key: Machine name, unique in its schema, and the column name in tables (`"HR"`).
        label: Human-readable name, as used in captions (`"heart rate"`).
        modality: One of [`MODALITIES`].
        group: One of [`CAPTION_GROUPS`].
        unit: Physical unit of the values (`"bpm"`); `"device code"` for features on an arbitrary device scale.
        mean: Population mean in physical units, used for z-scoring.
        std: Population standard deviation in physical units, strictly positive.
        valid_range: Lowest and highest value that a working sensor can report, in physical units.
        non_negative: Whether values decoded from the normalised scale are clipped at 0.
        in_every_caption: Whether captions always describe the channel; other channels are sampled.
    """

    key: str
    label: str
    modality: str
    group: str
    unit: str
    mean: float
    std: float
    valid_range: tuple[float, float]
    non_negative: bool = False
    in_every_caption: bool = False

    def __post_init__(self) -> None:
        where = f"channel {self.key!r}"
        for name in ("key", "label", "unit"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                raise ValueError(f"{where}: `{name}` must be a non-empty string, got {value!r}.")
        if self.modality not in MODALITIES:
            raise ValueError(f"{where}: `modality` must be one of {', '.join(MODALITIES)}, got {self.modality!r}.")
        if self.group not in CAPTION_GROUPS:
            raise ValueError(f"{where}: `group` must be one of {', '.join(CAPTION_GROUPS)}, got {self.group!r}.")
        for name in ("mean", "std"):
            object.__setattr__(self, name, _finite(getattr(self, name), f"{where}: `{name}`"))
        if self.std <= 0:
            raise ValueError(f"{where}: `std` must be above 0, got {self.std}. A constant channel has no z-score.")
        if (
            isinstance(self.valid_range, str)
            or not isinstance(self.valid_range, Sequence)
            or len(self.valid_range) != 2
        ):
            raise ValueError(f"{where}: `valid_range` must be two numbers [low, high], got {self.valid_range!r}.")
        low, high = (_finite(v, f"{where}: `valid_range`") for v in self.valid_range)
        if not low < high:
            raise ValueError(f"{where}: `valid_range` must rise from low to high, got [{low}, {high}].")
        object.__setattr__(self, "valid_range", (low, high))
        for name in ("non_negative", "in_every_caption"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{where}: `{name}` must be true or false, got {getattr(self, name)!r}.")

    def to_dict(self) -> dict[str, Any]:
        """Returns the channel as plain JSON types."""
        return {**asdict(self), "valid_range": list(self.valid_range)}


@dataclass(frozen=True)
class SensorSchema:
    """An ordered set of channels: the columns of a day.

    Attributes:
        name: Name of the schema, stored with every day, processor and model that uses it.
        channels: The channels in column order.
        description: One sentence for cards and error messages.
    """

    name: str
    channels: tuple[Channel, ...]
    description: str = ""
    _index: dict[str, int] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise ValueError(f"A schema needs a non-empty `name`, got {self.name!r}.")
        object.__setattr__(self, "channels", tuple(self.channels))
        if not self.channels:
            raise ValueError(f"Schema {self.name!r} has no channels; give at least one.")
        for position, channel in enumerate(self.channels):
            if not isinstance(channel, Channel):
                raise TypeError(
                    f"Schema {self.name!r}: channels[{position}] must be a Channel, got {type(channel).__name__}."
                )
            if channel.key in self._index:
                raise ValueError(
                    f"Schema {self.name!r}: channels[{self._index[channel.key]}] and channels[{position}] share the key"
                    f" {channel.key!r}; keys must be unique."
                )
            self._index[channel.key] = position

    def __len__(self) -> int:
        return len(self.channels)

    def __iter__(self) -> Iterator[Channel]:
        return iter(self.channels)

    def __getitem__(self, key: str) -> Channel:
        return self.channels[self.index(key)]

    def __contains__(self, key: object) -> bool:
        return key in self._index

    def __hash__(self) -> int:
        return hash((self.name, self.channels))

    @property
    def keys(self) -> tuple[str, ...]:
        """Channel keys in column order."""
        return tuple(channel.key for channel in self.channels)

    @property
    def means(self) -> tuple[float, ...]:
        """Population means in column order, physical units."""
        return tuple(channel.mean for channel in self.channels)

    @property
    def stds(self) -> tuple[float, ...]:
        """Population standard deviations in column order, physical units."""
        return tuple(channel.std for channel in self.channels)

    @property
    def reference(self) -> str:
        """A reference that [`get_schema`] can resolve anywhere: a built-in schema's name, or the schema as JSON text.

        It is stored in the rows of days, so that days with user-defined channels are self-contained.
        """
        if _BUILTIN.get(self.name) == self:
            return self.name
        return json.dumps(self.to_dict(), separators=(",", ":"))

    def index(self, key: str) -> int:
        """Returns the column of a channel.

        Raises:
            KeyError: If the schema has no such channel.
        """
        try:
            return self._index[key]
        except KeyError:
            raise KeyError(f"Schema {self.name!r} has no channel {key!r}; it has {', '.join(self.keys)}.") from None

    def with_normalization(self, stats: Mapping[str, tuple[float, float]], name: str | None = None) -> SensorSchema:
        """Returns a copy with other population constants.

        Args:
            stats: `{channel key: (mean, std)}` in physical units; other channels keep their constants.
            name: Name of the copy; defaults to `"<name>-custom"`, since values normalised with other constants are
                not comparable with those of the original.

        Raises:
            KeyError: If `stats` names an unknown channel.
            ValueError: If a constant is invalid, or `name` is the name of a built-in schema with different constants.
        """
        for key in stats:
            self.index(key)
        channels = tuple(
            replace(channel, mean=stats[channel.key][0], std=stats[channel.key][1]) if channel.key in stats else channel
            for channel in self.channels
        )
        return _check_registered_name(SensorSchema(name or f"{self.name}-custom", channels, self.description))

    def to_dict(self) -> dict[str, Any]:
        """Returns the schema as plain JSON types; [`SensorSchema.from_dict`] reads it back."""
        return {
            "name": self.name,
            "description": self.description,
            "channels": [channel.to_dict() for channel in self.channels],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SensorSchema:
        """Builds a schema from plain types.

        Args:
            data: `{"name": ..., "channels": [{"key": ..., "label": ..., ...}, ...]}`; a channel takes the attributes
                of [`Channel`]. `label` defaults to the key, `valid_range` to mean ± 20 std, `unit` to `"a.u."`,
                `modality` to `"OTHER"` and `group` to the caption group that goes with the modality.

        Raises:
            ValueError: If a field is missing, unknown or out of range (the message gives the channel's position), or
                the name is that of a built-in schema with different channels.
        """
        if not isinstance(data, Mapping):
            raise TypeError(f"A schema must be a mapping with `name` and `channels`, got {type(data).__name__}.")
        unknown = set(data) - {"name", "description", "channels"}
        if unknown:
            raise ValueError(f"Unknown schema fields {sorted(unknown)}; allowed are name, description, channels.")
        if "name" not in data or "channels" not in data:
            raise ValueError(f"A schema needs `name` and `channels`, got only {sorted(data)}.")
        if isinstance(data["channels"], (str, Mapping)) or not isinstance(data["channels"], Sequence):
            raise ValueError("`channels` must be a list of mappings, one per channel, in column order.")
        channels = [_channel_from_dict(item, position) for position, item in enumerate(data["channels"])]
        return _check_registered_name(cls(data["name"], tuple(channels), data.get("description") or ""))

    def save(self, path: str | os.PathLike) -> None:
        """Writes the schema atomically to a `.json`, `.yaml` or `.yml` file."""
        path = Path(path)
        if path.suffix == ".json":
            text = json.dumps(self.to_dict(), indent=2) + "\n"
        elif path.suffix in (".yaml", ".yml"):
            text = yaml.safe_dump(self.to_dict(), sort_keys=False)
        else:
            raise ValueError(f"A schema file must end in .json, .yaml or .yml, got {path.name!r}.")
        atomic_write_text(path, text)


_DEFAULT_GROUP = {
    "PPG": "Heart",
    "ACC": "Activity",
    "EDA": "EDA",
    "TEMP": "EDA",
    "ALT": "Activity",
    "OTHER": "Activity",
}


def _finite(value: Any, where: str) -> float:
    # numpy's scalars are real numbers too, and the natural result of fitting constants.
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise ValueError(f"{where} must be a finite number, got {value!r}.")
    return float(value)


def _check_registered_name(schema: SensorSchema) -> SensorSchema:
    """Rejects a built-in schema's name for other channels: stored days and models refer to schemas by name."""
    shipped = _BUILTIN.get(schema.name)
    if shipped is not None and shipped.channels != schema.channels:
        raise ValueError(f"The name {schema.name!r} belongs to a built-in schema with other channels; choose another.")
    return schema


def _channel_from_dict(item: Any, position: int) -> Channel:
    if not isinstance(item, Mapping):
        raise ValueError(f"channels[{position}] must be a mapping, got {type(item).__name__}.")
    allowed = [f.name for f in fields(Channel)]
    unknown = set(item) - set(allowed)
    if unknown:
        raise ValueError(
            f"channels[{position}] has unknown fields {sorted(unknown)}; allowed are {', '.join(allowed)}."
        )
    missing = [name for name in ("key", "mean", "std") if name not in item]
    if missing:
        raise ValueError(f"channels[{position}] ({item.get('key', 'no key')!r}) lacks {', '.join(missing)}.")
    values = dict(item)
    for name in ("key", "label", "unit", "modality", "group"):
        if name in values and not isinstance(values[name], str):
            raise ValueError(f"channels[{position}]: `{name}` must be a text, got {value_type(values[name])}.")
    values.setdefault("label", values["key"])
    values.setdefault("modality", "OTHER")
    values.setdefault("group", _DEFAULT_GROUP.get(values["modality"], "Activity"))
    values.setdefault("unit", "a.u.")
    if "valid_range" not in values:
        mean, std = (_finite(values[n], f"channels[{position}]: `{n}`") for n in ("mean", "std"))
        values["valid_range"] = (mean - 20 * std, mean + 20 * std)
    try:
        return Channel(**values)
    except (ValueError, TypeError) as error:
        raise type(error)(f"channels[{position}]: {error}") from None


def _channels(modality: str, group: str, rows: Sequence[tuple]) -> list[Channel]:
    """Builds channels of one modality; a row is key, label, unit, mean, std, valid range and flags.

    Flags: `!` in every caption, `+` clipped at 0 when decoded; `Sleep` and so on override the caption group.
    """
    channels = []
    for key, label, unit, mean, std, valid_range, *flags in rows:
        named_group = next((flag for flag in flags if flag in CAPTION_GROUPS), group)
        channels.append(
            Channel(key, label, modality, named_group, unit, mean, std, valid_range, "+" in flags, "!" in flags)
        )
    return channels


# Accelerometer features of the reference are device codes. Their true bounds are not public, so the range only catches
# values that are clearly on a different scale.
_CODE = (-1000.0, 1000.0)
_MS = (250.0, 2500.0)

_ACC = _channels(
    "ACC",
    "Activity",
    [
        ("steps", "steps", "steps/min", 5.1679, 18.8926, (0.0, 400.0), "!", "+"),
        ("jerk_auto", "jerk autocorrelation ratio", "device code", 203.4672, 30.0563, _CODE, "!"),
        ("log_energy", "log energy", "device code", 53.0804, 49.6526, _CODE, "!"),
        ("covariance", "covariance condition", "device code", 43.4077, 13.9529, _CODE),
        ("log_energy_ratio", "log energy ratio", "device code", 44.8483, 22.9746, _CODE),
        ("zero_crossing_std", "zero crossing standard deviation", "device code", 155.1863, 28.2378, _CODE),
        ("zero_crossing_avg", "zero crossing mean", "device code", 51.0043, 37.4756, _CODE),
        ("axis_mean", "axis mean", "device code", 123.1659, 21.4710, _CODE),
        ("kurtosis", "kurtosis", "device code", 105.5954, 66.8495, _CODE, "!"),
        ("sleep_coefficient", "sleep coefficient", "device code", 7.2623, 5.3946, (0.0, 100.0), "Sleep", "!", "+"),
    ],
)
_ACC_BY_KEY = {channel.key: channel for channel in _ACC}

_HEART_26 = _channels(
    "PPG",
    "Heart",
    [
        ("HR", "heart rate", "bpm", 75.9586, 16.1887, (25.0, 240.0), "!"),
        ("hr_at_rest_mean", "heart rate at rest", "bpm", 82.86923994290905, 10.867752252500274, (25.0, 200.0)),
        ("hrv_percent_good", "RR percent valid", "fraction", 0.2714810920080538, 0.2762414786979745, (0.0, 1.0)),
        ("hrv_rr_80th_percentile_mean", "RR 80th percentile", "ms", 828.8905850347666, 108.40428688789727, _MS),
        ("hrv_rr_20th_percentile_mean", "RR 20th percentile", "ms", 734.5942838543058, 88.41269789220864, _MS),
        ("hrv_rr_median", "RR median", "ms", 780.925540250376, 94.86837708152842, _MS, "!"),
        ("rmssd_percentile_0595", "RMSSD", "ms", 34.1895276671302, 23.783359512525266, (0.0, 400.0)),
        ("sdnn_percentile_0595", "SDNN", "ms", 45.335573726241854, 24.38601160405501, (0.0, 400.0), "!"),
        (
            "hrv_shannon_entropy_rr",
            "Shannon entropy of RR",
            "nat",
            3.2953304951132885,
            0.464777365409023,
            (0.0, 8.0),
            "!",
        ),
        (
            "hrv_shannon_entropy_rrd",
            "Shannon entropy of RR differences",
            "nat",
            2.9810634995051184,
            0.48817021363471297,
            (0.0, 8.0),
        ),
    ],
)

_SKIN_26 = [
    *_channels(
        "EDA",
        "EDA",
        [
            ("eda_level_real", "skin conductance level", "uS", 4.1767, 5.5893, (0.0, 60.0), "!"),
            (
                "ceda_slope_real_micro_siemens",
                "skin conductance slope",
                "uS/min",
                3.2444288158784063,
                1.821951365148186,
                (-40.0, 40.0),
            ),
            ("leads_contact_counts", "lead contact count", "count", 226.4864, 67.3312, (0.0, 2000.0)),
        ],
    ),
    *_channels(
        "TEMP",
        "EDA",
        [
            ("wrist_temperatures", "skin temperature", "degC", 31.6745, 2.5789, (10.0, 41.0), "!"),
            (
                "skin_temperature_slope",
                "skin temperature slope",
                "device code",
                0.2655571148317653,
                17.266512596820043,
                _CODE,
                "!",
            ),
        ],
    ),
]

_ALT = _channels("ALT", "Activity", [("altim_std", "altitude variation", "normalised", 0.0042, 0.0597, (-10.0, 10.0))])

_HEART_34 = _channels(
    "PPG",
    "Heart",
    [
        ("rr_med", "RR median", "ms", 856.8304, 160.1181, _MS, "!"),
        ("sdnn0595", "SDNN", "ms", 64.8003, 55.5850, (0.0, 1000.0), "!"),
        ("rmssd0595", "RMSSD", "ms", 65.3421, 74.7831, (0.0, 1000.0)),
        ("pnn20", "pNN20", "fraction", 0.5667, 0.2623, (0.0, 1.0)),
        ("coherence", "cardiac coherence", "fraction", 0.1808, 0.1305, (0.0, 1.0)),
        ("ShEnRR", "Shannon entropy of RR", "nat", 3.0582, 0.6673, (0.0, 8.0), "!"),
        ("LF", "low-frequency HRV power", "ms^2", 1551.8376, 2399.4228, (0.0, 100_000.0)),
        ("HF", "high-frequency HRV power", "ms^2", 757.2271, 1873.9239, (0.0, 100_000.0)),
        ("LF_HF", "LF/HF ratio", "ratio", 4.1265, 4.5066, (0.0, 500.0)),
        ("VLF", "very-low-frequency HRV power", "ms^2", 1303.3848, 1906.1017, (0.0, 100_000.0)),
        ("spectralEn", "spectral entropy", "nat", 2.5255, 0.3931, (0.0, 10.0)),
        ("percent_good", "RR percent valid", "fraction", 0.4846, 0.3439, (0.0, 1.0)),
        ("sleep_stage_awake", "awake stage", "fraction", 0.0424, 0.1916, (0.0, 1.0), "Sleep"),
        ("sleep_stage_light", "light sleep stage", "fraction", 0.0434, 0.2021, (0.0, 1.0), "Sleep"),
        ("sleep_stage_deep", "deep sleep stage", "fraction", 0.1855, 0.3830, (0.0, 1.0), "Sleep"),
        ("sleep_stage_rem", "REM sleep stage", "fraction", 0.0575, 0.2301, (0.0, 1.0), "Sleep"),
        ("spo2", "blood oxygen saturation", "%", 95.2019, 2.4646, (50.0, 100.0)),
        ("spo2_confidence", "blood oxygen confidence", "%", 56.6391, 42.1064, (0.0, 100.0)),
        ("spo2_coverage", "blood oxygen coverage", "%", 50.1251, 19.0971, (0.0, 100.0)),
    ],
)

_ALL_34 = {channel.key: channel for channel in [_HEART_26[0], *_ACC, *_SKIN_26, *_ALT, *_HEART_34]}
# fmt: off
_ORDER_34 = (
    "HR", "eda_level_real", "leads_contact_counts", "steps", "jerk_auto", "log_energy", "covariance",
    "log_energy_ratio", "zero_crossing_std", "zero_crossing_avg", "axis_mean", "altim_std", "kurtosis",
    "sleep_coefficient", "wrist_temperatures", "rr_med", "sdnn0595", "rmssd0595", "pnn20", "coherence",
    "ShEnRR", "LF", "HF", "LF_HF", "VLF", "spectralEn", "percent_good", "sleep_stage_awake",
    "sleep_stage_light", "sleep_stage_deep", "sleep_stage_rem", "spo2", "spo2_confidence", "spo2_coverage",
)
# fmt: on

_BUILTIN = {
    "sensorlm-26": SensorSchema(
        "sensorlm-26",
        (*_HEART_26, *_ACC, *_SKIN_26, *_ALT),
        "The 26 minute-level features of the SensorLM encoder.",
    ),
    "sensorlm-34": SensorSchema(
        "sensorlm-34",
        tuple(_ALL_34[key] for key in _ORDER_34),
        "The 34 minute-level features that the SensorLM release captions.",
    ),
}


def list_schemas() -> tuple[str, ...]:
    """Returns the names of the built-in schemas."""
    return tuple(_BUILTIN)


def get_schema(schema: SchemaLike = "sensorlm-26") -> SensorSchema:
    """Looks up or builds a schema.

    Args:
        schema: The name of a built-in schema, a path to a `.json`, `.yaml` or `.yml` file, a dict as in
            [`SensorSchema.from_dict`], such a dict as JSON text (see [`SensorSchema.reference`]), or a
            [`SensorSchema`], which is returned unchanged.

    Returns:
        The schema.

    Raises:
        ValueError: If the name is unknown or the file or dict is not a valid schema.
        FileNotFoundError: If the path does not exist.
        TypeError: If `schema` is none of these.

    Example:
        >>> get_schema("sensorlm-26").keys[:2]
        ('HR', 'hr_at_rest_mean')
    """
    if isinstance(schema, SensorSchema):
        return schema
    if isinstance(schema, Mapping):
        return SensorSchema.from_dict(schema)
    if not isinstance(schema, (str, os.PathLike)):
        raise TypeError(f"A schema must be a name, a path, a mapping or a SensorSchema, got {type(schema).__name__}.")
    name = os.fspath(schema)
    if name in _BUILTIN:
        return _BUILTIN[name]
    if name.lstrip().startswith("{"):
        return _schema_from_text(name)
    path = Path(name)
    if path.suffix not in (".json", ".yaml", ".yml"):
        raise ValueError(
            f"Unknown schema {name!r}. Built-in schemas are {', '.join(_BUILTIN)}; for your own, pass a dict or a path"
            " to a .json, .yaml or .yml file."
        )
    text = read_text(path)
    data = parse_json(text, str(path)) if path.suffix == ".json" else parse_yaml(text, str(path))
    try:
        return SensorSchema.from_dict(data)
    except (ValueError, TypeError) as error:
        raise type(error)(f"{path}: {error}") from None


@lru_cache(maxsize=64)
def _schema_from_text(text: str) -> SensorSchema:
    """Parses [`SensorSchema.reference`]; cached, because every row of a dataset repeats it."""
    return SensorSchema.from_dict(parse_json(text, "A schema given as JSON text"))


def stored_schema(text: str) -> SensorSchema:
    """Returns the schema that a dataset names: a built-in one, or its dict as JSON text.

    Unlike [`get_schema`], it opens no file: the name comes from data, and data must not choose which files are read.

    Raises:
        ValueError: If it is neither.
    """
    if text not in _BUILTIN and not text.lstrip().startswith("{"):
        raise ValueError(
            f"Unknown schema {text[:80]!r}: data may name {', '.join(_BUILTIN)} or contain a schema as JSON text; for"
            " another, pass its file or dict as `schema`."
        )
    return get_schema(text)
