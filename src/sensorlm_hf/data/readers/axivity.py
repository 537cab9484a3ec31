"""Axivity AX3 and AX6: raw recordings (`.cwa`), decoded as Open Movement describes the format.

The description is `Docs/ax3/cwa.h` of https://github.com/openmovementproject/openmovement. After a header of 1024
bytes, each 512 bytes are a sector with its own time and up to 120 samples. Times are those of the device's clock, which
goes on where local time changes. Of an AX6, only the accelerometer is read; light and the device's temperature have no
channel.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo

import numpy as np

from ...days import SensorDay
from ...schema import SchemaLike
from .device_days import Batch
from .device_reader import DeviceExport, file_kind, read_device
from .device_times import local_seconds
from .export_files import ExportFile
from .quality import ReadReport
from .raw_acceleration import Samples, add_acceleration

HEADER_BYTES, SECTOR_BYTES = 1024, 512

_SECTOR = np.dtype(
    {
        "names": ["header", "length", "session", "sequence", "time", "scale", "rate", "packing", "offset", "count",
                  "data"],
        "formats": ["<u2", "<u2", "<u4", "<u4", "<u4", "<u2", "u1", "u1", "<i2", "<u2", "V480"],
        "offsets": [0, 2, 6, 10, 14, 18, 24, 25, 26, 28, 30],
        "itemsize": SECTOR_BYTES,
    }
)  # fmt: skip
_DATA, _LENGTH = 0x5841, 508
_SECTORS_AT_ONCE = 4096
_EPOCH = datetime(1970, 1, 1)


def _cwa(batch: Batch, file: ExportFile) -> None:
    data = file.data()
    if data[:2] != b"MD" or len(data) < HEADER_BYTES + SECTOR_BYTES:
        raise ValueError(
            f"{file.label} is not a complete .cwa file: it has {len(data)} bytes, without any samples. Download the"
            " device again."
        )
    raw = data[HEADER_BYTES : len(data) - (len(data) - HEADER_BYTES) % SECTOR_BYTES]
    sectors = np.frombuffer(raw, dtype=_SECTOR)
    sums = np.frombuffer(raw, dtype="<u2").reshape(len(sectors), -1).sum(axis=1, dtype=np.uint64) & 0xFFFF
    seconds = _seconds(sectors["time"])
    good = (sectors["header"] == _DATA) & (sectors["length"] == _LENGTH) & (sums == 0) & np.isfinite(seconds)
    empty = (sectors["header"] == 0xFFFF) | (sectors["header"] == 0)
    message = "damaged parts of a raw recording, read around"
    batch.report.note("damaged-records", "dropped", message, file.base, int((~good & ~empty).sum()))
    sectors, seconds = sectors[good], seconds[good]
    if not len(sectors):
        raise ValueError(f"{file.label}: none of its sectors has samples. Download the device again.")
    rates = 3200.0 / (1 << (15 - (sectors["rate"] & 0x0F).astype(np.int64)))
    if len(np.unique(rates)) > 1:
        listed = ", ".join(f"{found:g}" for found in np.unique(rates))
        raise ValueError(f"{file.label}: the rate must not change within a recording, but is {listed} Hz.")
    rate = float(rates[0])
    starts = seconds - sectors["offset"] / rate
    order = np.argsort(starts, kind="stable")
    add_acceleration(batch, _parts(batch, sectors[order], starts[order], rate), rate, file.base)


def _seconds(packed: np.ndarray) -> np.ndarray:
    """Seconds from 1970 of the device's clock; NaN where it was not set."""
    bits = packed.astype(np.int64)
    year, month, day = (bits >> 26 & 0x3F) + 2000, bits >> 22 & 0x0F, bits >> 17 & 0x1F
    valid = (month >= 1) & (month <= 12) & (day >= 1)
    months = np.where(valid, 12 * (year - 1970) + month - 1, 0).astype("datetime64[M]")
    days = months.astype("datetime64[D]").astype(np.int64) + day - 1
    clock = (bits >> 12 & 0x1F) * 3600 + (bits >> 6 & 0x3F) * 60 + (bits & 0x3F)
    return np.where(valid, days * 86_400.0 + clock, np.nan)


def _parts(batch: Batch, sectors: np.ndarray, starts: np.ndarray, rate: float) -> Iterator[Samples]:
    first = float(starts[0])
    shift = local_seconds(_EPOCH + timedelta(seconds=first), batch.zone) - first
    # The time between two sectors is that of the samples of the first; devices keep their rate to about one percent.
    nominal = sectors["count"] / rate
    until = np.append(np.diff(starts), nominal[-1])
    lengths = np.where(np.abs(until - nominal) <= 0.1 * nominal, until, nominal)
    for begin in range(0, len(sectors), _SECTORS_AT_ONCE):
        times, samples = [], []
        for place in range(begin, min(begin + _SECTORS_AT_ONCE, len(sectors))):
            acc = _acceleration(sectors[place])
            if len(acc):
                times.append(starts[place] + shift + np.arange(len(acc)) * lengths[place] / len(acc))
                samples.append(acc)
        if times:
            yield np.concatenate(times), np.concatenate(samples)


def _acceleration(sector: np.void) -> np.ndarray:
    """Acceleration of a sector's samples `(n, 3)` in g."""
    axes, form, count = int(sector["packing"]) >> 4, int(sector["packing"]) & 0x0F, int(sector["count"])
    data = sector["data"].tobytes()
    if form == 0:
        packed = np.frombuffer(data, dtype="<u4")[:count].astype(np.int64)
        exponent = packed >> 30
        raw = np.column_stack([(packed >> shift & 0x3FF) for shift in (0, 10, 20)])
        return np.where(raw > 511, raw - 1024, raw) * (1 << exponent)[:, None] / 256.0
    wide = np.frombuffer(data, dtype="<i2")[: 240 // axes * axes if axes else 0].reshape(-1, max(axes, 1))[:count]
    if axes not in (3, 6, 9):
        return np.empty((0, 3))
    own = wide[:, :3] if axes == 3 else wide[:, 3:6]  # after the gyroscope
    return own / float(1 << (8 + (int(sector["scale"]) >> 13)))


AXIVITY = DeviceExport(
    kind="axivity",
    title="Axivity",
    kinds=(file_kind(r".*\.cwa", _cwa),),
    looked_for="*.cwa",
    why_zone="An Axivity writes the times of the device's clock, without an offset.",
)


def read_axivity(
    export: str | os.PathLike,
    timezone: str | tzinfo | None = None,
    *,
    schema: SchemaLike = "sensorlm-26",
    subject_id: str | None = None,
    day_start: str = "00:00",
    report: ReadReport | None = None,
    skip_bad: bool = True,
) -> Iterator[SensorDay]:
    """Reads one person's Axivity recordings as local days: features of the accelerometer and steps per minute.

    The features are those of [`acceleration_features`][sensorlm_hf.data.signals.acceleration_features]. They are
    missing while the device lay still for an hour, since nobody wore it then; see [`minutes_not_worn`].

    Written from the format's description; not yet compared with files of a real device.

    Args:
        export: A `.cwa` or `.cwa.gz` file, or a folder or zip of one person's files.
        timezone: IANA time zone in which the device's clock was set. Required.
        schema: Schema of the days.
        subject_id: Subject id; by default `"axivity-"` and a hash of the first file's content.
        day_start: Local time `"HH:MM"` at which windows start, or `"first"`: at the first observed minute.
        report: Collects what was used, dropped or unusual; without one, dropped items are logged.
        skip_bad: Whether to skip and note unreadable files, if others can be read, instead of raising.

    Yields:
        Days in chronological order; days without any observed minute are omitted.

    Raises:
        FileNotFoundError: If the path does not exist or contains no `.cwa` file.
        ValueError: If the zone is missing or unknown, or a file is damaged; the message names the file.
    """
    return read_device(
        AXIVITY,
        export,
        timezone,
        schema=schema,
        subject_id=subject_id,
        day_start=day_start,
        report=report,
        skip_bad=skip_bad,
    )
