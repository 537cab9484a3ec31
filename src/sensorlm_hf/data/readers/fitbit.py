"""Fitbit exports: the flat files of Fitbit's own export and the tree of Google Takeout, folder or zip.

Files are found by name anywhere below the folder:

| file | used for | times |
|---|---|---|
| `heart_rate[-YYYY-MM-DD].json` | channel `HR` | UTC |
| `steps[-YYYY-MM-DD].json` | channel `steps` | UTC |
| `exercise[-N].json` | activity events | UTC |
| `sleep[-YYYY-MM-DD].json` | sleep events; stages, where the schema has channels for them | local |
| `resting_heart_rate[-YYYY-MM-DD].json` | label `resting_heart_rate` (bpm) | local date |
| `Heart Rate Variability Details - YYYY-MM-DD.csv` | RMSSD, one row per five minutes, asleep only | local |
| `Minute SpO2 - YYYY-MM-DD.csv` | channel `spo2`, where the schema has it | UTC |

Additional files of the newer tree (tables of `*_GoogleData`, altitude, temperature, skin conductance, moods) are listed
in [`sensorlm_hf.data.readers.fitbit_takeout`]. Some known files have no channel and are listed in the report: calories
and distance, unless a custom schema has channels with those names; and the red to infrared ratio, which is not an
oxygen saturation.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, tzinfo

import numpy as np

from ...days import MINUTES_PER_DAY, SensorDay
from ...schema import SchemaLike, SensorSchema, get_schema
from .damage import damage_of
from .fitbit_files import CHANNELS_OF_FILE, UNUSED
from .fitbit_files import classify as classify_classic
from .fitbit_takeout import COPY, PATTERNS, TAKEOUT_CHANNELS, TakeoutFiles
from .foreign_files import foreign_hint
from .minutes import resolve_timezone
from .quality import ReadReport, finish
from .sources import Source, decode_text
from .windows import SUMMED_CHANNELS, PersonDays, parse_window_start

_CHANNELS = {**CHANNELS_OF_FILE, **TAKEOUT_CHANNELS}
_UNLISTED_IS_ZERO = ("steps", "altim_std", "distance")
_STAGE_CHANNELS = {
    "wake": "sleep_stage_awake",
    "light": "sleep_stage_light",
    "deep": "sleep_stage_deep",
    "rem": "sleep_stage_rem",
}
_WHY_ZONE = (
    "Fitbit writes heart rate, steps and exercises in UTC, but sleep in local time, and its files do not contain the"
    " time zone; a wrong guess would shift the night into the day."
)
# A file named after a date may contain values from up to two days before it. Fitbit splits files at local or at UTC
# midnight; local time is at most 14 hours ahead of UTC.
_MARGIN = timedelta(days=2)


_SHORT = 100  # bytes of a file without data


def classify(name: str) -> tuple[str, date | None] | None:
    """Determines the type of an export's file from its name.

    Args:
        name: Path inside the export.

    Returns:
        `(kind, date in the name or None)`, or None if the reader does not use the file.
    """
    return classify_classic(name, PATTERNS) or classify_classic(name)


def read_fitbit(
    folder_or_zip: str | os.PathLike,
    timezone: str | tzinfo | None = None,
    *,
    schema: SchemaLike = "sensorlm-26",
    subject_id: str | None = None,
    day_start: str = "00:00",
    report: ReadReport | None = None,
    skip_bad: bool = True,
) -> Iterator[SensorDay]:
    """Reads one person's Fitbit export as local days.

    Heart rate is the mean of a minute's samples. Samples of confidence 0 are Fitbit's placeholders (often 70 bpm) and
    are dropped, unless a file contains no others. Fitbit does not list most minutes without steps, so a minute that is
    not listed counts 0 if heart rate shows that the device was worn and the export lists steps elsewhere in the window;
    otherwise it is missing. The RMSSD of a five-minute row applies to all five minutes. Sleep
    stages, if the schema has them, are fractions of a minute; outside logged sleep they are 0 while the device was
    worn, in windows with a staged sleep log.

    Events keep their true start and end. Logs under a minute or over 24 hours are dropped; manual
    entries are kept and counted.

    Minutes are only kept in memory while a window needs them, so an export of many years needs little memory.

    Args:
        folder_or_zip: The export: any folder above its files, or the downloaded zip.
        timezone: IANA time zone of the person. Required.
        schema: Schema of the days.
        subject_id: Subject id; by default `"fitbit-"` and a hash of the first file's content, which is the same for
            folder and zip and reveals no name.
        day_start: Local time `"HH:MM"` at which windows of 1440 minutes start, or `"first"`: at the first observed
            minute. Where clocks go back, the 25th hour is not part of any window and is noted; windows from the first
            minute are consecutive, regardless of clock changes.
        report: Collects what was used, dropped or unusual; without one, dropped items are logged.
        skip_bad: Whether to skip and note unreadable files, if others can be read, instead of raising.

    Yields:
        Days in chronological order; days without any observed minute are omitted.

    Raises:
        FileNotFoundError: If the folder or zip does not exist, or contains no Fitbit file.
        ValueError: If the zone is missing or unknown, or a file is damaged; the message names file and line.
    """
    zone = resolve_timezone(timezone, _WHY_ZONE)
    reader = _FitbitReader(
        zone, get_schema(schema), subject_id, parse_window_start(day_start), report or ReadReport(), skip_bad
    )
    with Source(folder_or_zip) as source:
        files = reader.find(source)
    days = reader.days(folder_or_zip, files)
    return finish(days, reader.report, warn=report is None, source="read_fitbit")


class _FitbitReader:
    """One pass over one export."""

    def __init__(
        self,
        zone: tzinfo,
        schema: SensorSchema,
        subject_id: str | None,
        day_start: int | None,
        report: ReadReport,
        skip_bad: bool,
    ) -> None:
        self.schema, self.subject_id, self.report, self.skip_bad = schema, subject_id, report, skip_bad
        largest = (*SUMMED_CHANNELS, *(f"{key}{COPY}" for key in SUMMED_CHANNELS))
        self.person = PersonDays("fitbit", schema, zone, day_start, report, keep_largest=largest)
        self.person.finish = self._finish
        self.parser = TakeoutFiles(zone, schema, report, self._add)
        self.logs = self.parser.logs

    def find(self, source: Source) -> dict[str, list[tuple[str, date | None]]]:
        """Sorts the export's files by kind, then by date; files without a date come first."""
        files: dict[str, list[tuple[str, date | None]]] = defaultdict(list)
        for name in source.names:
            known = classify(name)
            if known:
                files[known[0]].append((name, known[1]))
                continue
            for pattern, reason in UNUSED:
                if pattern.match(name.rsplit("/", 1)[-1]):
                    self.report.files_unused[name] = reason
                    break
        source.check_one_export((name for entries in files.values() for name, _ in entries), "Fitbit")
        for name, why in source.unreadable.items():
            self.report.files_unused[name] = why
            self.report.note("bad-file", "dropped", "files that could not be read", why)
        dated = Counter(name.rsplit("/", 1)[-1] for entries in files.values() for name, day in entries if day)
        for base, count in dated.items():
            message = "additional files of the same name, read as one person's; use --folder-of-people for several"
            self.report.note("file-name-twice", "kept", message, base, count - 1)
        if not any(files.get(kind) for kind in _CHANNELS):
            raise FileNotFoundError(
                f"No Fitbit minute data in or below {source.path}: looked for heart_rate-YYYY-MM-DD.json,"
                " steps-YYYY-MM-DD.json, 'Heart Rate Variability Details - YYYY-MM-DD.csv' and 'Minute SpO2 -"
                f" YYYY-MM-DD.csv' among {len(source.names)} files.{foreign_hint(source.names, source.unreadable)}"
            )
        for entries in files.values():
            entries.sort(key=lambda entry: (entry[1] or date.min, entry[0]))
        return files

    def days(self, path: str | os.PathLike, files: dict[str, list[tuple[str, date | None]]]) -> Iterator[SensorDay]:
        """Yields the days, reading minute files in order of the dates in their names."""
        with Source(path) as source:
            ordered = sorted(
                (dated or date.min, name, kind)
                for kind in _CHANNELS
                for name, dated in files.get(kind, [])
                if self._wanted(kind, name)
            )
            who = self.subject_id
            if who is None:
                entries = sorted((dated or date.min, name) for k in _CHANNELS for name, dated in files.get(k, []))
                who = self._hashed_id(source, [name for _, name in entries])
            self.person.subject_id = who
            for kind, load in (
                ("exercise", self.parser.exercises),
                ("user_exercises", self.parser.user_exercises),
                ("sleep", self.parser.sleeps),
                ("user_sleep_stages", self.parser.user_sleep_stages),
                ("user_sleeps", self.parser.user_sleeps),
                ("resting_heart_rate", self.parser.resting),
                ("daily_resting", self.parser.daily_resting),
                ("night_temperature", self.parser.night_temperature),
                ("mood", self.parser.mood),
            ):
                for name, _ in files.get(kind, []):
                    self._load(source, name, load)
            self.person.spans = [*self.logs.spans, *(sleep.span for sleep in self.logs.sleeps.values())]
            self.person.check_logs()
            self.person.labels = {day: {"resting_heart_rate": bpm} for day, bpm in self.logs.resting.items()}
            for position, (_, name, kind) in enumerate(ordered):
                self._load(source, name, getattr(self.parser, kind))
                upcoming = ordered[position + 1][0] if position + 1 < len(ordered) else date.max
                if upcoming == date.max:
                    yield from self.person.emit()
                elif upcoming > date.min + _MARGIN:
                    moment = datetime.combine(upcoming - _MARGIN, datetime.min.time())
                    yield from self.person.emit((moment - datetime(1970, 1, 1)) // timedelta(minutes=1))

    def _wanted(self, kind: str, name: str) -> bool:
        """Returns whether a file is needed for the schema; heart rate is also needed to find minutes with 0 steps."""
        if any(key in self.schema for key in _CHANNELS[kind]):
            return True
        reason = next((why for pattern, why in UNUSED if pattern.match(name.rsplit("/", 1)[-1])), None)
        self.report.files_unused[name] = reason or f"schema {self.schema.name!r} has no channel for it"
        return False

    def _hashed_id(self, source: Source, names: list[str]) -> str:
        for name in names:
            try:
                return f"fitbit-{hashlib.sha256(source.read_bytes(name)).hexdigest()[:8]}"
            except ValueError:
                if not self.skip_bad:
                    raise
        return "fitbit"

    def _load(self, source: Source, name: str, load: Callable[[str, str], None]) -> None:
        label = source.label(name)
        self.parser.current = name
        spans, sleeps = len(self.logs.spans), dict(self.logs.sleeps)
        try:
            data = source.read_bytes(name)
            if len(data) < _SHORT and data.strip(b"\xef\xbb\xbf \t\r\n").lower() in (b"", b"no data"):
                self.report.files_unused[name] = "it contains no data"
                return
            with damage_of(label):
                load(decode_text(data, label), label)
        except ValueError as error:
            if not self.skip_bad:
                raise
            del self.logs.spans[spans:]  # discard the partial file: it would be unknown which part was read
            self.logs.sleeps = sleeps
            self.report.note("bad-file", "dropped", "files that could not be read", str(error))
            return
        self.report.files_read.append(name)

    def _add(self, key: str, minutes: np.ndarray, values: np.ndarray) -> int:
        if self.person.emitted_until is not None:
            late = minutes < self.person.emitted_until
            self.report.note(
                "late-samples",
                "dropped",
                "samples more than two days older than the date in the file name",
                self.parser.current,
                int(late.sum()),
            )
            minutes, values = minutes[~late], values[~late]
        channel = key.removesuffix(COPY)
        return self.person.store.add(key, minutes, values) if channel in self.schema else 0

    def _finish(self, values: np.ndarray, start: int) -> None:
        """Fills values that depend on several records: copies in tables, unlisted minutes, and sleep stages."""
        for key in self.schema.keys:
            self._fill_copies(key, values, start)
        worn = (self.person.store.window("HR", start)[1] > 0) | self._from_copies("HR", start)[1]
        for key in _UNLISTED_IS_ZERO:
            if key in self.schema:
                minutes = values[:, self.schema.index(key)]
                if not np.isnan(minutes).all():
                    minutes[np.isnan(minutes) & worn] = 0.0
        if not np.isnan(values).all():
            self._fill_stages(values, start, worn)

    def _from_copies(self, key: str, start: int) -> tuple[np.ndarray, np.ndarray]:
        """Values of a channel in tables, and whether they are used: only in hours without entries in other files."""
        store = self.person.store
        copies = (store.sum if key in SUMMED_CHANNELS else store.mean)(f"{key}{COPY}", start)
        held = ~np.isnan(copies)
        if not held.any():
            return copies, held
        hours = np.array(sorted(self.parser.covered[key]), dtype=np.int64)
        return copies, held & ~np.isin((start + np.arange(MINUTES_PER_DAY)) // 60, hours)

    def _fill_copies(self, key: str, values: np.ndarray, start: int) -> None:
        copies, used = self._from_copies(key, start)
        column = self.schema.index(key)
        values[:, column] = np.where(used, copies, values[:, column])
        twins = ~np.isnan(copies) & ~used
        message = "minutes that the export contains in tables and JSON files; the JSON files are used"
        self.report.note("twin-minutes", "info", message, key, int(twins.sum()))

    def _fill_stages(self, values: np.ndarray, start: int, worn: np.ndarray) -> None:
        """Writes the share of each minute in each stage; short awakenings overlay the longer stages."""
        logged = np.zeros(MINUTES_PER_DAY, dtype=bool)
        for first, last in self.logs.staged:
            logged[max(first - start, 0) : max(last - start, 0)] = True
        if not logged.any():
            return
        # Stages start on half minutes, so two slots per minute represent them exactly.
        slots = np.full(2 * MINUTES_PER_DAY, "", dtype="U5")
        for begin, end, name, _ in sorted(self.logs.stages, key=lambda stage: stage[3]):
            low, high = (min(max(round((edge - start) * 2), 0), len(slots)) for edge in (begin, end))
            slots[low:high] = name
        halves = slots.reshape(-1, 2)
        for name, key in _STAGE_CHANNELS.items():
            if key in self.schema:
                known = (halves != "").any(axis=1) | (worn & ~logged)
                values[:, self.schema.index(key)] = np.where(known, (halves == name).mean(axis=1), np.nan)
