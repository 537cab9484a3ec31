"""Readers: from recordings as people have them to [`SensorDay`]s, correct to the minute."""

from __future__ import annotations

from .detect import detect_source, read_any
from .fitbit import read_fitbit
from .mmash import read_mmash
from .quality import DayQuality, Note, ReadReport
from .table import read_table

__all__ = [
    "DayQuality",
    "Note",
    "ReadReport",
    "detect_source",
    "read_any",
    "read_fitbit",
    "read_mmash",
    "read_table",
]
