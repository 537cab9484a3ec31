"""Synthetic subjects and their days of wearable data. **All data are simulated**; see `docs/simulation.md`."""

from __future__ import annotations

from .channels import SENSOR_OF
from .cohort import iter_simulated_days, simulate_days
from .logs import MOODS
from .people import DEVICES, Device, Person, simulate_person

__all__ = [
    "DEVICES",
    "MOODS",
    "SENSOR_OF",
    "Device",
    "Person",
    "iter_simulated_days",
    "simulate_days",
    "simulate_person",
]
