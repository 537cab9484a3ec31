"""Reads a damaged recording and says what came of it, as a user of the command line would meet it."""

from __future__ import annotations

import contextlib
import io
import os
import re
import socket
import tempfile
import traceback
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from fault_seeds import Seed, seed
from mutations import Mutated, mutate

from sensorlm_hf import SensorDay
from sensorlm_hf.cli import _message, main
from sensorlm_hf.data.readers import read_any

OUTCOMES = ("clear error", "equal", "subset", "different", "unclear error", "traceback", "hang", "memory")
FAILURES = OUTCOMES[4:]
"""What must not happen."""

LONGEST_MESSAGE = 1000
_OWN_NAMES = ("mmash", "embraceplus", "fitabase", "table")
"""Sources whose people have names; the others are named after the hash of a file, so that a damage renames them."""

# Words of the interpreter and of libraries that mean nothing to the person who has the file.
_INTERNAL = re.compile(
    r"\[Errno|<class |object at 0x|codec can't|NoneType|positional argument|KeyError|Traceback|has no attribute"
    r"|unhashable|list index|unpack|ufunc|numpy\.|pandas\.|not supported between|C long|int too large"
    r"|broadcast|could not convert|invalid literal for|must be str|object is not|concatenate"
)


@dataclass(frozen=True)
class Outcome:
    """What came of an input.

    Attributes:
        seed: Name of the recording.
        number: Number of the mutation.
        what: What was damaged.
        outcome: One of [`OUTCOMES`].
        detail: The message, the difference, or where it failed.
        peak_mb: Memory that reading took beyond what the process had.
    """

    seed: str
    number: int
    what: str
    outcome: str
    detail: str
    peak_mb: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Returns plain types."""
        return asdict(self)


def write_recording(folder: Path, mutated: Mutated) -> None:
    """Writes a damaged recording; names that the file system refuses are left out."""
    for name, data in mutated.files.items():
        path = folder / name
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    for name, kind in mutated.links.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "socket":
            with contextlib.closing(socket.socket(socket.AF_UNIX)) as held, contextlib.suppress(OSError):
                held.bind(str(path))  # stays when the socket is closed; refused if the path is too long
        elif kind == "folder":
            path.mkdir()
        else:
            path.symlink_to({"device": "/dev/zero", "loop": path.name, "outside": "/etc/passwd"}[kind])


def read(held: Seed, path: Path, *, detect: bool = False) -> list[SensorDay]:
    """Reads a recording to the end."""
    subject = None if held.kind in _OWN_NAMES else "p"
    kind = None if detect else held.kind
    return list(
        read_any(
            path,
            kind=kind,
            timezone=held.timezone,
            schema=path.parent / held.own_schema if held.own_schema else held.schema,
            mapping=path.parent / held.mapping if held.mapping else None,
            subject_id=subject,
        )
    )


_original: dict[str, list[SensorDay]] = {}


def original(name: str) -> list[SensorDay]:
    """Returns the days of an undamaged seed."""
    if name not in _original:
        held = seed(name)
        with tempfile.TemporaryDirectory() as folder:
            write_recording(Path(folder), Mutated(held.files, {}, ""))
            _original[name] = read(held, _path(Path(folder), held))
    return _original[name]


def _path(folder: Path, held: Seed) -> Path:
    return folder / next(iter(held.files)) if held.single else folder


def compare(expected: list[SensorDay], found: list[SensorDay]) -> tuple[str, str]:
    """Returns `equal`, `subset` or `different`, and in which way."""
    if found == expected:
        return "equal", ""
    known = {(day.subject_id, day.start): day for day in expected}
    ways: set[str] = set()
    for day in found:
        before = known.get((day.subject_id, day.start))
        if before is None or len(before) != len(day):
            ways.add("people" if day.subject_id not in {d.subject_id for d in expected} else "other dates")
            continue
        both = before.mask & day.mask
        if (day.mask & ~before.mask).any():
            ways.add("other minutes")
        if not np.array_equal(day.values[both], before.values[both]):
            ways.add("values")
        if not set(day.events) <= set(before.events):
            ways.add("events")
        if not day.labels.items() <= before.labels.items():
            ways.add("labels")
    return ("different", ", ".join(sorted(ways))) if ways else ("subset", f"{len(found)} of {len(expected)} days")


def unclear(message: str, path: Path, names: list[str]) -> str | None:
    """Returns why a message does not tell its reader what to look at, or None if it does."""
    if not any(part and part in message for part in (path.name, *(name.rsplit("/", 1)[-1] for name in names))):
        return "names no file"
    internal = _INTERNAL.search(message)
    if internal:
        return f"says {internal[0]!r}"
    if len(message) > LONGEST_MESSAGE:
        return f"{len(message)} characters"
    if not message.isprintable():
        return "control characters"
    return None


def run(name: str, number: int) -> Outcome:
    """Damages a seed and reads it; every eighth input is also converted with the command."""
    held = seed(name)
    mutated = mutate(name, number, held.files, single=held.single)
    expected = original(name)
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        root = Path(folder, "in")
        root.mkdir()
        write_recording(root, mutated)
        path = _path(root, held)
        before = _reset_peak()
        outcome, detail = _read(held, path, expected, detect=number % 3 == 0)
        if number % 8 == 0 and outcome not in FAILURES:
            outcome, detail = _convert(held, path, Path(folder, "out"), outcome, detail)
        return Outcome(name, number, mutated.what, outcome, detail, round(max(_peak() - before, 0) / 1024, 1))


def _read(held: Seed, path: Path, expected: list[SensorDay], *, detect: bool) -> tuple[str, str]:
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = read(held, path, detect=detect)
    except MemoryError:
        return "memory", traceback.format_exc(limit=-3)
    except Exception as error:
        message = _message(error)
        if message is None:
            return "traceback", traceback.format_exc(limit=-3)
        why = unclear(message, path, list(held.files))
        return ("clear error", message) if why is None else ("unclear error", f"{why}: {message[:600]}")
    for entry in caught:
        if issubclass(entry.category, RuntimeWarning):
            return "unclear error", f"warning {entry.message} in {entry.filename}:{entry.lineno}"
    return compare(expected, found)


def _convert(held: Seed, path: Path, output: Path, outcome: str, detail: str) -> tuple[str, str]:
    """Converts what was read; returns the outcome, or a failure if the command does not fit it."""
    schema = str(path.parent / held.own_schema) if held.own_schema else held.schema
    words = ["convert", held.kind, str(path), str(output), "--schema", schema, "--salt", "x"]
    words += ["--mapping", str(path.parent / held.mapping)] if held.mapping else []
    words += ["--timezone", held.timezone] if held.timezone else []
    words += ["--subject-id", "p"] if held.kind not in _OWN_NAMES else []
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            status = main(words)
    except MemoryError:
        return "memory", traceback.format_exc(limit=-3)
    except Exception:
        return "traceback", traceback.format_exc(limit=-3)
    told = [line for line in err.getvalue().splitlines() if line.startswith("sensorlm-hf ")]
    left = [entry.name for entry in output.parent.iterdir() if entry.name != "in"]
    if status == 0:
        return outcome, detail
    if status != 2 or len(told) != 1:
        return "unclear error", f"status {status}, {err.getvalue()!r}"
    if left:
        return "unclear error", f"left {left} after {told[0]}"
    return outcome, detail


def _status(key: str) -> int:
    text = Path("/proc/self/status").read_text()
    match = re.search(rf"{key}:\s+(\d+) kB", text)
    return int(match[1]) if match else 0


def _reset_peak() -> int:
    """Starts measuring the peak of memory anew; returns the memory held now in KiB, or 0 where this is not Linux."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return _status("VmRSS")
    except OSError:
        return 0


def _peak() -> int:
    try:
        return _status("VmHWM")
    except OSError:
        return 0
