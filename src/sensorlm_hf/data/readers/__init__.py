"""Readers: convert device exports and recordings to [`SensorDay`]s."""

from __future__ import annotations

from .actigraph import read_actigraph
from .apple_health import read_apple_health
from .axivity import read_axivity
from .detect import detect_source, read_any
from .e4 import read_e4
from .embraceplus import read_embraceplus
from .fitabase import read_fitabase
from .fitbit import read_fitbit
from .fitbit_api import read_fitbit_api
from .garmin import read_garmin
from .ggir import read_ggir
from .google_fit import read_google_fit
from .health_auto_export import read_health_auto_export
from .health_connect import read_health_connect
from .mmash import read_mmash
from .oura import read_oura
from .polar import read_polar
from .quality import DayQuality, Note, ReadReport
from .samsung import read_samsung
from .table import read_table
from .whoop import read_whoop
from .withings import read_withings
from .workouts import read_workouts
from .zones import Itinerary

__all__ = [
    "DayQuality",
    "Itinerary",
    "Note",
    "ReadReport",
    "detect_source",
    "read_actigraph",
    "read_any",
    "read_apple_health",
    "read_axivity",
    "read_e4",
    "read_embraceplus",
    "read_fitabase",
    "read_fitbit",
    "read_fitbit_api",
    "read_garmin",
    "read_ggir",
    "read_google_fit",
    "read_health_auto_export",
    "read_health_connect",
    "read_mmash",
    "read_oura",
    "read_polar",
    "read_samsung",
    "read_table",
    "read_whoop",
    "read_withings",
    "read_workouts",
]
