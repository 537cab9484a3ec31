"""Per-minute features from raw signals, one file per modality, listed in `docs/features.md`."""

from __future__ import annotations

from .acceleration import acceleration_features, step_times
from .blocks import fill_channels
from .heartbeats import beat_features, fill_hrv, hrv_per_minute
from .ppg import ppg_beats
from .skin import (
    altitude_features,
    conductance_features,
    level_and_slope,
    pressure_to_altitude,
    temperature_features,
)
from .wear import axis_statistics, minutes_not_worn

__all__ = [
    "acceleration_features",
    "altitude_features",
    "axis_statistics",
    "beat_features",
    "conductance_features",
    "fill_channels",
    "fill_hrv",
    "hrv_per_minute",
    "level_and_slope",
    "minutes_not_worn",
    "ppg_beats",
    "pressure_to_altitude",
    "step_times",
    "temperature_features",
]
