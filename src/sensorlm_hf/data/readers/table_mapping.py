"""Column mappings for tables, in Python or YAML.

```yaml
time: {column: recorded_at, unit: ms}       # or just a name; `unit` of numbers, or a strptime `format` of strings;
                                            # `start: "2024-03-01T08:00"` if numbers count from a recording's start
subject: participant                        # column of people
timezone: Europe/Rome                       # local zone, or an itinerary
day_start: "18:00"
columns:                                    # a column, or in long tables a value of the `variable` column
  pulse: HR                                 # in the channel's own unit
  skin_temp: {channel: wrist_temperatures, unit: degF}
  cadence: {channel: steps, aggregate: mean}
layout: long                                # one row per measurement; by default `wide`, one column per channel
variable: metric                            # long: the column with the name of the variable
value: reading                              # long: the column with the numbers
unit: unit                                  # long, optional: the column with each row's unit
```
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import tzinfo
from pathlib import Path
from typing import Any

from ...documents import parse_yaml, value_type
from ...io import read_text
from ...schema import SensorSchema

TIME_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0}
"""Units of numbers in a time column, in seconds since 1970."""

EXCEL = "excel"
"""Unit of a time column of Excel's serial numbers: local days since 1899-12-30."""

AGGREGATES = ("mean", "sum")
"""How the samples of a minute are aggregated."""

LAYOUTS = ("wide", "long")


@dataclass(frozen=True)
class ColumnMapping:
    """The content of a column.

    Attributes:
        channel: Key of the channel.
        unit: Unit of the values, converted to the channel's; the channel's own if None.
        aggregate: One of [`AGGREGATES`]; by default `"sum"` for steps and `"mean"` otherwise.
    """

    channel: str
    unit: str | None = None
    aggregate: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.channel, str) or not self.channel:
            raise ValueError(f"A column's `channel` must be a channel key, got {self.channel!r}.")
        if self.unit is not None and not isinstance(self.unit, str):
            raise ValueError(f"Channel {self.channel!r}: `unit` must be a name such as 'degF', got {self.unit!r}.")
        if self.aggregate is not None and self.aggregate not in AGGREGATES:
            raise ValueError(
                f"Channel {self.channel!r}: `aggregate` must be one of {', '.join(AGGREGATES)}, got {self.aggregate!r}."
            )


@dataclass(frozen=True)
class TableMapping:
    """Column mapping of a table; see the module docstring for the YAML form.

    Attributes:
        columns: `{column: content}`; in long tables `{value of the variable column: content}`.
        time: Column of times.
        time_unit: Unit of numeric times, one of [`TIME_UNITS`] or `"excel"`.
        time_format: `strptime` format of times that are strings; ISO 8601 by default.
        time_start: Time from which numeric times count, if not from 1970; local unless it has an offset.
        subject: Column of people.
        timezone: Local zone.
        day_start: Local time at which windows start.
        layout: `"wide"` or `"long"`.
        variable: Long tables: the column with the name of the variable.
        value: Long tables: the column with the numbers.
        unit: Long tables: the column with the unit of each row.
    """

    columns: dict[str, ColumnMapping] = field(default_factory=dict)
    time: str | None = None
    time_unit: str = "s"
    time_format: str | None = None
    time_start: str | None = None
    subject: str | None = None
    timezone: str | tzinfo | None = None
    day_start: str | None = None
    layout: str = "wide"
    variable: str | None = None
    value: str | None = None
    unit: str | None = None

    def __post_init__(self) -> None:
        if self.time_unit not in (*TIME_UNITS, EXCEL):
            raise ValueError(
                f"The time's `unit` must be one of {', '.join((*TIME_UNITS, EXCEL))}, got {self.time_unit!r}."
            )
        if self.layout not in LAYOUTS:
            raise ValueError(f"`layout` must be one of {', '.join(LAYOUTS)}, got {self.layout!r}.")
        for name in ("time", "time_format", "time_start", "subject", "day_start", "variable", "value", "unit"):
            given = getattr(self, name)
            if given is not None and not isinstance(given, str):
                raise ValueError(
                    f"`{name}` must be a string, got {given!r}; YAML needs quotes around times such as '06:00'."
                )
        if self.layout == "long" and not (self.variable and self.value):
            raise ValueError("A long table needs `variable`, the column of names, and `value`, the column of numbers.")
        if self.layout == "wide" and (self.variable or self.value or self.unit):
            raise ValueError("`variable`, `value` and `unit` belong to `layout: long`.")

    def check(self, schema: SensorSchema, label: str) -> None:
        """Checks that the channels are those of a schema.

        Raises:
            ValueError: If one is not; the message gives the column and the available channels.
        """
        for name, column in self.columns.items():
            if column.channel not in schema:
                raise ValueError(
                    f"{label}: `columns` maps {name!r} to {column.channel!r}, not a channel of {schema.name!r};"
                    f" it has {', '.join(schema.keys)}."
                )


def load_mapping(mapping: TableMapping | Mapping[str, Any] | str | os.PathLike | None) -> TableMapping:
    """Reads a mapping.

    Args:
        mapping: A mapping, a dict, or the path of a YAML file; None for an empty mapping.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is not YAML, or a field is unknown or wrong.
    """
    if mapping is None:
        return TableMapping()
    if isinstance(mapping, TableMapping):
        return mapping
    if isinstance(mapping, Mapping):
        return _from_dict(mapping)
    path = Path(mapping)
    data = parse_yaml(read_text(path), str(path))
    if not isinstance(data, Mapping):
        raise ValueError(f"{path}: a column mapping must be a YAML mapping with `columns`, got {value_type(data)}.")
    try:
        return _from_dict(data)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None


def _from_dict(data: Mapping[str, Any]) -> TableMapping:
    values = dict(data)
    time = values.get("time")
    if isinstance(time, Mapping):
        unknown = set(time) - {"column", "unit", "format", "start"}
        if unknown:
            raise ValueError(f"Unknown fields {sorted(unknown)} of `time`; allowed are column, unit, format, start.")
        values["time"] = time.get("column")
        start: Any = time.get("start")  # YAML reads an unquoted time as one
        values["time_start"] = start.isoformat() if hasattr(start, "isoformat") else start
        values["time_unit"], values["time_format"] = time.get("unit", "s"), time.get("format")
    allowed = [f.name for f in fields(TableMapping)]
    unknown = set(values) - set(allowed)
    if unknown:
        raise ValueError(f"Unknown fields {sorted(unknown)} of a column mapping; allowed are {', '.join(allowed)}.")
    columns = values.get("columns") or {}
    if not isinstance(columns, Mapping):
        raise ValueError(f"`columns` must map columns to channels, got {type(columns).__name__}.")
    values["columns"] = {str(name): _column(name, given) for name, given in columns.items()}
    return TableMapping(**values)


def _column(name: Any, given: Any) -> ColumnMapping:
    if isinstance(given, ColumnMapping):
        return given
    if isinstance(given, str):
        return ColumnMapping(given)
    if not isinstance(given, Mapping) or not set(given) <= {"channel", "unit", "aggregate"} or "channel" not in given:
        raise ValueError(
            f"Column {name!r} must map to a channel key, or to `channel`, `unit` and `aggregate`, got {given!r}."
        )
    return ColumnMapping(**given)


def with_overrides(mapping: TableMapping, columns: Mapping[str, str] | None, **given: Any) -> TableMapping:
    """Returns the mapping with fields overridden by arguments; None keeps a field."""
    merged = {**mapping.columns, **{name: ColumnMapping(key) for name, key in (columns or {}).items()}}
    return replace(mapping, columns=merged, **{name: value for name, value in given.items() if value is not None})
