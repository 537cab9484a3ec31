"""Writes small FIT files: definition and data messages with a header and checksums, as the format describes them."""

from __future__ import annotations

import struct
from typing import Any

FIT_EPOCH = 631_065_600
_FORMATS = {"enum": ("B", 0x00), "uint8": ("B", 0x02), "uint16": ("H", 0x84), "uint32": ("I", 0x86)}
_CRC = (
    0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
    0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
)  # fmt: skip


def checksum(data: bytes) -> int:
    crc = 0
    for byte in data:
        for nibble in (byte & 0xF, byte >> 4):
            crc = (crc >> 4) & 0x0FFF ^ _CRC[crc & 0xF] ^ _CRC[nibble]
    return crc


def message(number: int, *fields: tuple[int, str, Any]) -> bytes:
    """A definition and a data message; a field is its number, its type and its raw value."""
    head = struct.pack("<BBBHB", 0x40, 0, 0, number, len(fields))
    for field, kind, _ in fields:
        layout, base = _FORMATS[kind]
        head += struct.pack("<BBB", field, struct.calcsize(layout), base)
    body = b"".join(struct.pack("<" + _FORMATS[kind][0], value) for _, kind, value in fields)
    return head + b"\x00" + body


def fit_file(*messages: bytes) -> bytes:
    data = b"".join(messages)
    header = struct.pack("<BBHI4s", 14, 0x20, 2132, len(data), b".FIT")
    header += struct.pack("<H", checksum(header))
    return header + data + struct.pack("<H", checksum(header + data))
