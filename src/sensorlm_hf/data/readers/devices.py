"""The readers of consumer devices, by source type."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from ...days import SensorDay
from .actigraph import ACTIGRAPH, read_actigraph
from .axivity import AXIVITY, read_axivity
from .device_reader import DeviceExport
from .export_files import ExportFiles
from .fitabase import FITABASE, read_fitabase
from .fitbit import classify
from .fitbit_api import FITBIT_API, read_fitbit_api
from .garmin import GARMIN, read_garmin
from .ggir import GGIR, read_ggir
from .google_fit import GOOGLE_FIT, read_google_fit
from .health_auto_export import HEALTH_AUTO_EXPORT, read_health_auto_export
from .health_connect import HEALTH_CONNECT, read_health_connect
from .oura import OURA, read_oura
from .polar import POLAR, read_polar
from .samsung import SAMSUNG, read_samsung
from .whoop import WHOOP, read_whoop
from .withings import WITHINGS, read_withings
from .workouts import WORKOUTS, read_workouts

Reader = Callable[..., Iterator[SensorDay]]

DEVICES: dict[str, tuple[DeviceExport, Reader]] = {
    "garmin": (GARMIN, read_garmin),
    "oura": (OURA, read_oura),
    "polar": (POLAR, read_polar),
    "whoop": (WHOOP, read_whoop),
    "samsung": (SAMSUNG, read_samsung),
    "google-fit": (GOOGLE_FIT, read_google_fit),
    "health-connect": (HEALTH_CONNECT, read_health_connect),
    "health-auto-export": (HEALTH_AUTO_EXPORT, read_health_auto_export),
    "fitbit-api": (FITBIT_API, read_fitbit_api),
    "withings": (WITHINGS, read_withings),
    "fitabase": (FITABASE, read_fitabase),
    "actigraph": (ACTIGRAPH, read_actigraph),
    "axivity": (AXIVITY, read_axivity),
    "ggir": (GGIR, read_ggir),
    "workouts": (WORKOUTS, read_workouts),
}
"""How to recognise and read the export of each device."""


def detect_device(path: str | os.PathLike) -> str | None:
    """Returns the source type of a device's export, or None if the path is none.

    Raises:
        FileNotFoundError: If the path does not exist.
    """
    try:
        with ExportFiles(path) as files:
            held = files.files
            for kind, (export, _) in DEVICES.items():
                if export.recognises(held):
                    # A Takeout that contains data of both has more of Fitbit.
                    both = kind == "google-fit" and any(classify(file.name) for file in held)
                    return None if both else kind
            return None
    except ValueError:  # a damaged zip, which the caller reports
        return None
