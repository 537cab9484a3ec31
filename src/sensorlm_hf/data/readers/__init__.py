"""Readers: convert device exports and recordings to [`SensorDay`]s."""

from __future__ import annotations

from .apple_health import read_apple_health
from .detect import detect_source, read_any
from .e4 import read_e4
from .embraceplus import read_embraceplus
from .fitbit import read_fitbit
from .garmin import read_garmin
from .mmash import read_mmash
from .oura import read_oura
from .polar import read_polar
from .quality import DayQuality, Note, ReadReport
from .table import read_table
from .whoop import read_whoop
from .zones import Itinerary

__all__ = [
    "DayQuality",
    "Itinerary",
    "Note",
    "ReadReport",
    "detect_source",
    "read_any",
    "read_apple_health",
    "read_e4",
    "read_embraceplus",
    "read_fitbit",
    "read_garmin",
    "read_mmash",
    "read_oura",
    "read_polar",
    "read_table",
    "read_whoop",
]
