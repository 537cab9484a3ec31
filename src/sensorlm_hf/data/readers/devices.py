"""The readers of consumer devices, by source type."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from ...days import SensorDay
from .device_reader import DeviceExport
from .export_files import ExportFiles
from .garmin import GARMIN, read_garmin
from .oura import OURA, read_oura
from .polar import POLAR, read_polar
from .whoop import WHOOP, read_whoop

Reader = Callable[..., Iterator[SensorDay]]

DEVICES: dict[str, tuple[DeviceExport, Reader]] = {
    "garmin": (GARMIN, read_garmin),
    "oura": (OURA, read_oura),
    "polar": (POLAR, read_polar),
    "whoop": (WHOOP, read_whoop),
}
"""How to recognise and read the export of each device."""


def detect_device(path: str | os.PathLike) -> str | None:
    """Returns the source type of a device's export, or None if the path is none.

    Raises:
        FileNotFoundError: If the path does not exist.
    """
    try:
        with ExportFiles(path) as files:
            return next((kind for kind, (export, _) in DEVICES.items() if export.recognises(files.files)), None)
    except ValueError:  # a damaged zip, which the caller reports
        return None
