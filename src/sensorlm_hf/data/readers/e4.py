"""Empatica E4: raw sessions, each a folder or zip of `ACC`, `BVP`, `EDA`, `TEMP`, `HR`, `IBI` and `tags` CSV files.

The first row of a file is its start in UTC seconds, the second its rate; ACC is in units of 1/64 g. `IBI.csv` has a
start and rows with offset and duration, in seconds, of the beats that the device detected. The files contain no local
time.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

import numpy as np

from ...days import SensorDay
from ...schema import SchemaLike, SensorSchema, get_schema
from ..signals import acceleration_features, conductance_features, hrv_per_minute, ppg_beats, temperature_features
from ..signals.heartbeats import CHANNEL_OF_FEATURE, RR_RANGE_MS
from ..signals.skin import level_and_slope
from .damage import damage_of
from .minutes import resolve_timezone
from .quality import ReadReport, finish
from .sources import Source, is_system_file
from .windows import PersonDays, add_features, parse_window_start

SIGNAL_FILES = ("ACC.csv", "BVP.csv", "EDA.csv", "HR.csv", "IBI.csv", "TEMP.csv")
"""Files of a session that are used for channels."""

ACC_COUNTS_PER_G = 64.0

_RATE_BOUNDS = (0.1, 1000.0)
_EARLIEST, _LATEST = 946_684_800, 4_102_444_800  # 2000 to 2100
_WHY_ZONE = "The E4 records in UTC, and its files do not contain the wearer's time zone."
_DEVICE = re.compile(r"(?:\d{9,11})_([A-Za-z0-9]{4,})")


@dataclass(frozen=True)
class _Session:
    """The files of a session: their folder or zip, and the prefix of their names in it."""

    path: Path
    prefix: str
    person: str


def find_sessions(path: str | os.PathLike) -> list[tuple[Path, str, str]]:
    """Finds the E4 sessions at a path: a folder, a zip, or any number of them below a folder.

    Returns:
        `(folder or zip, prefix of its files' names, person)` of each; sessions named `<start>_<device>`, as by
        Empatica, belong to the device's wearer, and others to the folder or zip that contains them.
    """
    root = Path(path)
    if root.is_file():
        holders = [root] if root.suffix.lower() == ".zip" else []
    else:
        holders = [root, *sorted(p for p in root.rglob("*.zip") if p.is_file() and not is_system_file(p.as_posix()))]
    found = []
    for holder in holders:
        try:
            with Source(holder, nested=holder == root and root.is_file()) as source:
                names = source.names
        except ValueError:
            if holder == root:
                raise
            continue  # an unrelated or broken zip in the folder
        for prefix in sorted({name[: -len(name.rsplit("/", 1)[-1])] for name in names}):
            held = {name[len(prefix) :] for name in names if name.startswith(prefix)} & set(SIGNAL_FILES)
            if "TEMP.csv" in held or {"ACC.csv", "EDA.csv"} <= held or {"BVP.csv", "HR.csv"} <= held:
                called = prefix.rstrip("/").rsplit("/", 1)[-1].removesuffix(".zip") or holder.stem
                device = _DEVICE.fullmatch(called)
                found.append((holder, prefix, device[1] if device else called))
    return found


def read_e4(
    path: str | os.PathLike,
    timezone: str | tzinfo | None = None,
    *,
    schema: SchemaLike = "sensorlm-26",
    subject_id: str | None = None,
    day_start: str = "00:00",
    beats: str = "ibi",
    report: ReadReport | None = None,
    skip_bad: bool = True,
) -> Iterator[SensorDay]:
    """Reads raw Empatica E4 sessions as local days.

    Channels: `HR` is the device's own, averaged over a minute; the `hrv_*` channels come from beats; the accelerometer,
    skin conductance and temperature are described by [`sensorlm_hf.data.signals`]. At least half of a minute must be
    recorded. Button presses (`tags.csv`) are only counted in the report.

    Args:
        path: A session's folder or zip, or a folder above several.
        timezone: IANA time zone of the wearer. Required.
        schema: Schema of the days.
        subject_id: Subject id, if all sessions are from one person; by default, people are distinguished by the device
            in the session names, or by folder.
        day_start: Local time `"HH:MM"` at which windows start, or `"first"`: at the first recorded minute.
        beats: `"ibi"` uses the device's beat intervals, which are sparse during movement; `"bvp"` detects beats in the
            pulse wave with NeuroKit2 (extra `[signals]`), which yields more intervals of lower reliability.
        report: Collects what was used, dropped or unusual; without one, dropped items are logged.
        skip_bad: Whether to skip and note unreadable sessions, if others can be read, instead of raising.

    Yields:
        Days by person, then by time.

    Raises:
        FileNotFoundError: If the path does not exist or contains no session.
        ValueError: If the zone is missing or unknown, or a file is damaged; the message names file and line.
    """
    zone = resolve_timezone(timezone, _WHY_ZONE)
    start = parse_window_start(day_start)
    if beats not in ("ibi", "bvp"):
        raise ValueError(f"`beats` must be 'ibi' or 'bvp', got {beats!r}.")
    sessions = [_Session(*found) for found in find_sessions(path)]
    if not sessions:
        raise FileNotFoundError(f"No E4 session in or below {path}: looked for {', '.join(SIGNAL_FILES)}.")
    people: dict[str, list[_Session]] = defaultdict(list)
    for session in sessions:
        people[subject_id or session.person].append(session)
    used = report or ReadReport()
    days = _people(people, zone, get_schema(schema), start, beats, used, skip_bad)
    return finish(days, used, warn=report is None, source="read_e4")


def _people(
    people: dict[str, list[_Session]],
    zone: tzinfo,
    schema: SensorSchema,
    day_start: int | None,
    beats: str,
    report: ReadReport,
    skip_bad: bool,
) -> Iterator[SensorDay]:
    for name, sessions in people.items():
        person = PersonDays(name, schema, zone, day_start, report)
        readers = []
        for session in sessions:
            try:
                with damage_of(f"{session.path}/{session.prefix}"):
                    readers.append(_E4Session(session, beats, report))
            except ValueError as error:
                _skip(report, error, skip_bad)
        readers.sort(key=lambda reader: reader.start)
        for reader in readers:
            # Sessions may overlap slightly, but never start before the previous one.
            yield from person.emit(int(reader.start // 60))
            try:
                with damage_of(f"{reader.session.path}/{reader.session.prefix}"):
                    features = reader.features()
            except ValueError as error:
                _skip(report, error, skip_bad)
                continue
            for part, first in features:
                add_features(person, part, first)
        yield from person.emit()


def _skip(report: ReadReport, error: ValueError, skip_bad: bool) -> None:
    if not skip_bad:
        raise error
    report.note("bad-file", "dropped", "sessions that could not be read", str(error))


class _E4Session:
    """A session; reads the file headers immediately and everything else on demand."""

    def __init__(self, session: _Session, beats: str, report: ReadReport) -> None:
        self.session, self.beats, self.report = session, beats, report
        with Source(session.path) as source:
            held = [name for name in SIGNAL_FILES if session.prefix + name in source.names]
            self.names = [name for name in held if source.read_bytes(session.prefix + name).strip()]
            for name in held:
                if name not in self.names:
                    report.files_unused[session.prefix + name] = "the file is empty"
            if not self.names:
                raise ValueError(f"{source.label(session.prefix)}: all files of the session are empty.")
            self.start = min(self._header(source, name)[0] for name in self.names)

    def _label(self, source: Source, name: str) -> str:
        return source.label(self.session.prefix + name)

    def _header(self, source: Source, name: str) -> tuple[float, float]:
        """Start in UTC seconds and rate in Hz; 0 for IBI, which has no rate."""
        lines = source.read_text(self.session.prefix + name).split("\n", 2)
        label = self._label(source, name)
        start = _number(
            lines[0].split(",")[0],
            f"{label}, line 1",
            "the start in UTC seconds (the clock was not set if it is near 0; write the true start into the line)",
            _EARLIEST,
            _LATEST,
        )
        if name == "IBI.csv":
            return start, 0.0
        second = lines[1].split(",")[0] if len(lines) > 1 else ""
        return start, _number(second, f"{label}, line 2", "the rate in Hz", *_RATE_BOUNDS)

    def _signal(self, source: Source, name: str, columns: int) -> tuple[float, float, np.ndarray]:
        """Start, rate and `(samples, columns)` of a file."""
        start, rate = self._header(source, name)
        text = source.read_text(self.session.prefix + name)
        return start, rate, self._rows(text, 2, columns, self._label(source, name))

    def _rows(self, text: str, skip: int, columns: int, label: str) -> np.ndarray:
        """Rows of a file, without a last line that ends in the middle."""
        whole, newline, last = text.rstrip().rpartition("\n")
        if newline and re.fullmatch(r"[-+\d.,eE ]+", last) and whole.count("\n") >= skip:
            try:
                _rows(last, 0, columns, label)
            except ValueError:
                message = "last lines that end in the middle of a row"
                self.report.note("cut-line", "dropped", message, f"{label}, line {whole.count(newline) + 2}")
                text = whole
        return _rows(text, skip, columns, label)

    def features(self) -> list[tuple[dict[str, np.ndarray], int]]:
        """Minute features of each file, with the epoch minute at which they start."""
        parts: list[tuple[dict[str, np.ndarray], int]] = []
        with Source(self.session.path) as source:
            for name in self.names:
                self.report.files_read.append(self.session.prefix + name)
                if name == "ACC.csv":
                    start, rate, acc = self._signal(source, name, 3)
                    parts.append((acceleration_features(acc / ACC_COUNTS_PER_G, rate, start % 60), int(start // 60)))
                elif name == "EDA.csv":
                    start, rate, eda = self._signal(source, name, 1)
                    parts.append((conductance_features(eda[:, 0], rate, start % 60), int(start // 60)))
                elif name == "TEMP.csv":
                    start, rate, temperature = self._signal(source, name, 1)
                    parts.append((temperature_features(temperature[:, 0], rate, start % 60), int(start // 60)))
                elif name == "HR.csv":
                    start, rate, bpm = self._signal(source, name, 1)
                    level, _ = level_and_slope(np.where(bpm[:, 0] > 0, bpm[:, 0], np.nan), rate, start % 60)
                    parts.append(({"HR": level}, int(start // 60)))
            beats = self._beats(source)
            if beats is not None:
                parts.append(beats)
            self._note_tags(source)
        return parts

    def _beats(self, source: Source) -> tuple[dict[str, np.ndarray], int] | None:
        wanted = "IBI.csv" if self.beats == "ibi" else "BVP.csv"
        other = "BVP.csv" if self.beats == "ibi" else "IBI.csv"
        if other in self.names:
            self.report.files_unused[self.session.prefix + other] = f"beats are taken from {wanted}"
        if wanted not in self.names:
            return None
        if wanted == "IBI.csv":
            start, _ = self._header(source, wanted)
            label = self._label(source, wanted)
            rows = self._rows(source.read_text(self.session.prefix + wanted), 1, 2, label)
            times, rr = rows[:, 0] + start % 60, rows[:, 1] * 1000.0
            backwards = np.flatnonzero(np.diff(times) < 0)
            if len(backwards):
                raise ValueError(f"{label}, line {int(backwards[0]) + 3}: the offset is less than in the line before.")
        else:
            start, rate, wave = self._signal(source, wanted, 1)
            times, rr = ppg_beats(wave[:, 0], rate, start % 60)
        if not len(rr):
            return None
        self.report.note(
            "rr-artefact",
            "dropped",
            "beat intervals outside 0.3 to 2 s",
            self.session.person,
            int(((rr < RR_RANGE_MS[0]) | (rr > RR_RANGE_MS[1])).sum()),
        )
        features = hrv_per_minute(times, rr, int(times[-1] // 60) + 1)
        channels = {key: features[name] for name, keys in CHANNEL_OF_FEATURE.items() for key in keys}
        return channels, int(start // 60)

    def _note_tags(self, source: Source) -> None:
        name = self.session.prefix + "tags.csv"
        if name in source.names and source.read_bytes(name).strip():
            count = len(source.read_text(name).split())
            self.report.note("tags", "info", "button presses, which have no meaning by themselves", name, count)


def _number(text: str, where: str, what: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not low <= value <= high:
        raise ValueError(f"{where}: must be {what}, between {low:g} and {high:g}, got {text.strip()!r}.")
    return value


def _rows(text: str, skip: int, columns: int, label: str) -> np.ndarray:
    """Rows of numbers after `skip` lines, `(rows, columns)` float64."""
    lines = text.rstrip().split("\n")[skip:]
    if not lines:
        return np.empty((0, columns))
    try:
        rows = np.loadtxt(lines, delimiter=",", ndmin=2)
        if rows.shape[1] == columns and np.isfinite(rows).all():
            return rows
    except ValueError:
        pass
    for place, line in enumerate(lines):  # slow, but only run once, to find the line
        cells = line.split(",")
        try:
            good = len(cells) == columns and all(np.isfinite(float(cell)) for cell in cells)
        except ValueError:
            good = False
        if not good:
            cut = " The file seems to be truncated." if place == len(lines) - 1 else ""
            raise ValueError(
                f"{label}, line {place + skip + 1}: must contain {columns} number{'s' if columns > 1 else ''}, got"
                f" {line.strip()!r}.{cut}"
            )
    raise ValueError(f"{label}: must contain rows of {columns} numbers.")
