"""Writes raw recordings of accelerometers as the formats are described."""

from __future__ import annotations

import io
import struct
import zipfile
from datetime import datetime

import numpy as np


def movement(seconds: int, rate: int) -> np.ndarray:
    """Acceleration `(samples, 3)` in g: an arm that swings with two steps a second, then lies still."""
    time = np.arange(seconds * rate) / rate
    swing = np.where(time < seconds / 2, 0.5, 0.0) * np.sin(2 * np.pi * 2 * time)
    return np.column_stack([swing, 0.1 * swing, 1.0 + 0.8 * swing])


def gt3x_record(kind: int, second: int, payload: bytes) -> bytes:
    record = struct.pack("<BBIH", 0x1E, kind, second, len(payload)) + payload
    check = 0
    for byte in record:
        check ^= byte
    return record + bytes([~check & 0xFF])


def pack12(counts: np.ndarray) -> bytes:
    """Samples `(n, 3)` in the order X, Y, Z as 12-bit numbers in the order Y, X, Z."""
    bits = "".join(f"{int(value) & 0xFFF:012b}" for value in counts[:, [1, 0, 2]].ravel())
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def gt3x_file(log: bytes, rate: int = 30, serial: str = "MOS2A00000001", name: str = "log.bin") -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("info.txt", f"Serial Number: {serial}\nFirmware: 1.9.2\nSample Rate: {rate}\n")
        archive.writestr(name, log)
    return held.getvalue()


def clock(moment: datetime) -> int:
    """Seconds of a device's clock, as if it were UTC."""
    return int((moment - datetime(1970, 1, 1)).total_seconds())


def cwa_time(moment: datetime) -> int:
    day = (moment.year - 2000) << 26 | moment.month << 22 | moment.day << 17
    return day | moment.hour << 12 | moment.minute << 6 | moment.second


def cwa_sector(moment: datetime, counts: np.ndarray, rate_code: int, *, packed: bool = False, offset: int = 0) -> bytes:
    """A sector of samples `(n, 3)`, in units of 1/256 g if packed, of 1/2048 g otherwise; more columns are an AX6's."""
    if packed:
        data = b"".join(
            struct.pack("<I", (int(z) & 0x3FF) << 20 | (int(y) & 0x3FF) << 10 | int(x) & 0x3FF) for x, y, z in counts
        )
    else:
        data = counts.astype("<i2").tobytes()
    packing = counts.shape[1] << 4 | (0 if packed else 2)
    head = struct.pack(
        "<HHHIIIHHBBBBhH",
        0x5841,
        508,
        0,
        1,
        0,
        cwa_time(moment),
        3 << 13,
        0,
        0,
        0,
        rate_code,
        packing,
        offset,
        len(counts),
    )
    body = head + data.ljust(480, b"\0")
    total = sum(struct.unpack("<255H", body)) & 0xFFFF
    return body + struct.pack("<H", -total & 0xFFFF)


CWA_HEADER = b"MD" + struct.pack("<H", 1020) + bytes(1020)
