"""Names of a table's columns: which are times, people and channels, however they are written."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from ...schema import SensorSchema
from .units import convert_units
from .windows import SUMMED_CHANNELS

TIME_COLUMNS = ("time", "timestamp", "datetime", "date_time", "minute_start", "start_time")
"""Names of time columns; case, blanks, hyphens and underscores do not matter."""

DATE_COLUMNS = ("date", "day")
"""Names of columns of dates, for tables whose times are only times of day."""

SUBJECT_COLUMNS = (
    "subject_id",
    "subject",
    "user_id",
    "participant_id",
    "participant",
    "patient_id",
    "person_id",
    "person",
    "pid",
    "id",
)
"""Names of subject columns, in order of preference; `id` may also number the rows, see [`numbers_rows`]."""

ALIASES = {
    "heart_rate": "HR",
    "heartrate": "HR",
    "bpm": "HR",
    "pulse": "HR",
    "pulse_rate": "HR",
    "step_count": "steps",
    "steps_count": "steps",
    "stepcount": "steps",
    "skin_temperature": "wrist_temperatures",
    "wrist_temperature": "wrist_temperatures",
    "oxygen_saturation": "spo2",
    "rmssd": "rmssd_percentile_0595",
    "sdnn": "sdnn_percentile_0595",
}
"""Usual names of columns, and the channel that they contain."""

_UNIT = re.compile(r"(.*\S)\s*[(\[]\s*([^()\[\]]+?)\s*[)\]]")
_COUNTS = ("count", "counts", "steps", "#", "n")
_SPELLINGS = {"rmssd_percentile_0595": "rmssd0595", "sdnn_percentile_0595": "sdnn0595"}


def plain_name(name: Any) -> str:
    """Returns a name in lower case, with one underscore for blanks and hyphens."""
    return re.sub(r"[\s_\-]+", "_", str(name).strip().strip("\ufeff").strip().lower())


def find_name(wanted: str, names: Iterable[Any]) -> Any | None:
    """Returns the column of a name: the same, or the only one that differs in case, blanks or hyphens; else None."""
    names = list(names)
    if wanted in names:
        return wanted
    close = [name for name in names if plain_name(name) == plain_name(wanted)]
    return close[0] if len(close) == 1 else None


def channel_of(name: Any, schema: SensorSchema) -> tuple[str, str | None] | None:
    """Returns the channel and unit that a column's name says, `"Heart Rate (count/min)"`; None if it is no channel.

    Args:
        name: The column's name.
        schema: Schema of the days.

    Returns:
        `(channel key, unit)`; the unit is None if it is the channel's own or is not given.
    """
    if name in schema:
        return str(name), None
    text = str(name).strip()
    match = _UNIT.fullmatch(text)
    base, unit = (match[1], match[2]) if match else (text, None)
    plain = plain_name(base)
    key = next((key for key in schema.keys if plain_name(key) == plain), None)
    if key is None:
        key = ALIASES.get(plain)
        key = key if key in schema else _SPELLINGS.get(key or "")
    if key is None or key not in schema:
        return None
    if unit is None or (key in SUMMED_CHANNELS and unit.lower() in _COUNTS):
        return key, None
    try:
        convert_units(np.zeros(1), unit, schema[key].unit, text)
    except ValueError:
        return None  # the brackets contain something else, such as [Max]
    return key, unit


def numbers_rows(ids: np.ndarray, seconds: np.ndarray) -> bool:
    """Returns whether a column `id` numbers the rows instead of naming people.

    Args:
        ids: `(rows,)` ids as text.
        seconds: `(rows,)` times; NaN if unreadable.

    Returns:
        True if the ids are consecutive numbers and no two rows have the same time.
    """
    if len(ids) < 2 or not all(str(cell).isdigit() for cell in ids):
        return False
    numbers = ids.astype(np.int64)
    known = seconds[~np.isnan(seconds)]
    return bool((np.diff(numbers) == 1).all()) and len(np.unique(known)) == len(known)
