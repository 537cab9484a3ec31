"""ActiGraph's raw recordings: a zip with `info.txt` and `log.bin`, decoded as ActiGraph describes the format.

The description is https://github.com/actigraph/GT3X-File-Format. `log.bin` has a record for each second: a header of
eight bytes (separator, type, time, size), the payload and a checksum. Records of the types ACTIVITY (12-bit samples in
the order Y, X, Z) and ACTIVITY2 (16-bit samples in the order X, Y, Z) are read. Times are those of the device's clock,
which goes on where local time changes. In idle sleep mode a device records nothing while it does not move; such minutes
are missing.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np

from .archives import READ_ERRORS
from .device_days import Batch
from .device_times import local_seconds
from .export_files import ExportFile
from .raw_acceleration import Samples, add_acceleration

ACTIVITY, ACTIVITY2 = 0, 26
"""Types of records with acceleration."""

_SEPARATOR = 0x1E
_HEADER = struct.Struct("<BBIH")
_COUNTS_PER_G = {"NEO": 341.0, "CLE": 341.0, "MRA": 341.0, "MOS": 256.0, "TAS": 256.0}
_SECONDS_AT_ONCE = 3600
_EPOCH = datetime(1970, 1, 1)


def read_gt3x(batch: Batch, file: ExportFile) -> None:
    """Adds the minute features of a recording.

    Raises:
        ValueError: If the file is damaged or of another kind.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(file.data())) as archive:
            names = set(archive.namelist())
            if "log.bin" not in names or "info.txt" not in names:
                old = " It is of an old format; convert it in ActiLife." if "activity.bin" in names else ""
                raise ValueError(
                    f"{file.label} must contain info.txt and log.bin; it contains {', '.join(sorted(names))}.{old}"
                )
            info = _info(archive.read("info.txt").decode("utf-8", errors="replace"))
            log = archive.read("log.bin")
    except READ_ERRORS as error:
        raise ValueError(f"{file.label} is a damaged .gt3x file: {error}. Download the device again.") from None
    rate = _number(info, "Sample Rate", file.label)
    scale = _scale(info, file.label)
    add_acceleration(batch, _parts(batch, log, rate, scale, file), rate, file.base)


def _info(text: str) -> dict[str, str]:
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}


def _number(info: dict[str, str], name: str, label: str) -> float:
    try:
        value = float(info.get(name, ""))
    except ValueError:
        value = 0.0
    if not 1 <= value <= 1000:
        raise ValueError(f"{label}, info.txt: `{name}` must be a number from 1 to 1000, got {info.get(name)!r}.")
    return value


def _scale(info: dict[str, str], label: str) -> float:
    """Counts per g: as written, or that of the device's family."""
    if info.get("Acceleration Scale"):
        return _number(info, "Acceleration Scale", label)
    serial = info.get("Serial Number", "")
    if serial[:3] not in _COUNTS_PER_G:
        raise ValueError(
            f"{label}, info.txt: needs `Acceleration Scale`, or a serial number that starts with"
            f" {', '.join(_COUNTS_PER_G)}; got {serial!r}."
        )
    return _COUNTS_PER_G[serial[:3]]


def _parts(batch: Batch, log: bytes, rate: float, scale: float, file: ExportFile) -> Iterator[Samples]:
    start: float | None = None
    times: list[np.ndarray] = []
    samples: list[np.ndarray] = []
    for kind, second, payload in _records(batch, log, file):
        acc = (_packed(payload) if kind == ACTIVITY else _plain(payload)) / scale
        if not len(acc):
            continue
        if start is None:
            start = local_seconds(_EPOCH + timedelta(seconds=second), batch.zone) - second
        times.append(start + second + np.arange(len(acc)) / max(rate, len(acc)))
        samples.append(acc)
        if len(times) == _SECONDS_AT_ONCE:
            yield np.concatenate(times), np.concatenate(samples)
            times, samples = [], []
    if times:
        yield np.concatenate(times), np.concatenate(samples)


def _records(batch: Batch, log: bytes, file: ExportFile) -> Iterator[tuple[int, int, bytes]]:
    """Yields type, second of the device's clock, and payload of the records with acceleration."""
    place, damaged = 0, 0
    while place + _HEADER.size < len(log):
        separator, kind, second, size = _HEADER.unpack_from(log, place)
        end = place + _HEADER.size + size
        if separator != _SEPARATOR or end >= len(log) or _checksum(log[place:end]) != log[end]:
            # Zeros between records are usual; anything else is damage, after which the next separator is searched.
            following = log.find(bytes([_SEPARATOR]), place + 1)
            damaged += bool(log[place : len(log) if following < 0 else following].strip(b"\0"))
            if following < 0:
                break
            place = following
            continue
        if kind in (ACTIVITY, ACTIVITY2):
            yield kind, second, log[place + _HEADER.size : end]
        place = end + 1
    message = "damaged parts of a raw recording, read around"
    batch.report.note("damaged-records", "dropped", message, file.base, damaged)


def _checksum(record: bytes) -> int:
    return int(~np.bitwise_xor.reduce(np.frombuffer(record, dtype=np.uint8)) & 0xFF)


def _packed(payload: bytes) -> np.ndarray:
    """Samples of 12 bits `(n, 3)` in the order X, Y, Z."""
    octets = np.frombuffer(payload, dtype=np.uint8)
    data = np.pad(octets, (0, -len(octets) % 3)).astype(np.int32).reshape(-1, 3)
    pairs = np.column_stack([data[:, 0] << 4 | data[:, 1] >> 4, (data[:, 1] & 0x0F) << 8 | data[:, 2]]).ravel()
    values = np.where(pairs > 2047, pairs - 4096, pairs)
    count = len(payload) * 8 // 36
    return values[: 3 * count].reshape(-1, 3)[:, [1, 0, 2]].astype(np.float64)


def _plain(payload: bytes) -> np.ndarray:
    """Samples of 16 bits `(n, 3)`; a payload of one byte marks that the device was connected."""
    return np.frombuffer(payload[: len(payload) // 6 * 6], dtype="<i2").reshape(-1, 3).astype(np.float64)
