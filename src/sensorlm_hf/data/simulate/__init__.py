"""Synthetic subjects and their days of wearable data. **All data are simulated**; see `docs/simulation.md`."""

from __future__ import annotations

from .activities import ACTIVITIES, ACTIVITY_BY_NAME, NO_ACTIVITY, Activity, canonical_activity
from .channels import SENSOR_OF
from .cohort import iter_simulated_days, simulate_days
from .logs import MOODS
from .people import DEVICES, Device, Person, simulate_person

__all__ = [
    "ACTIVITIES",
    "ACTIVITY_BY_NAME",
    "DEVICES",
    "MOODS",
    "NO_ACTIVITY",
    "SENSOR_OF",
    "Activity",
    "Device",
    "Person",
    "canonical_activity",
    "iter_simulated_days",
    "simulate_days",
    "simulate_person",
]
