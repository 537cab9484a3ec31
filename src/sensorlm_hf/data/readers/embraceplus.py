"""Empatica EmbracePlus: digital biomarkers per minute, one CSV file per biomarker and UTC date.

Files are found by the end of their names (`eda.csv`, or `<participant>_<date>_eda.csv` from the Care Lab) anywhere
below the folder; times are UTC, people are distinguished by `participant_full_id`.

| file | used for |
|---|---|
| `pulse-rate` | channel `HR` |
| `prv` | RMSSD |
| `eda` | skin conductance level |
| `temperature` | skin temperature |
| `step-counts` | channel `steps` |
| `wearing-detection` | minutes worn less than half are missing in all channels |
| `sleep-detection` | sleep events: stage codes of at least 100 are part of a sleep period, 102 is an interruption |
| `activity-classification` | walks and runs of at least ten minutes |

Counts, METs, body position and the standard deviation of the accelerometer are not used, because the reference's
accelerometer features are computed from the raw signal.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, tzinfo
from typing import Any

import numpy as np
import pandas as pd

from ...days import MINUTES_PER_DAY, SensorDay
from ...schema import SchemaLike, SensorSchema, get_schema
from .foreign_files import foreign_hint
from .logs import Span, sleep_label
from .minutes import resolve_timezone
from .quality import ReadReport, finish
from .sources import Source, load_csv, numbers
from .windows import SUMMED_CHANNELS, PersonDays, add_features, parse_window_start

BIOMARKERS = {
    "pulse-rate": ("pulse_rate_bpm", ("HR",)),
    "prv": ("prv_rmssd_ms", ("rmssd_percentile_0595", "rmssd0595")),
    "eda": ("eda_scl_usiemens", ("eda_level_real",)),
    "temperature": ("temperature_celsius", ("wrist_temperatures",)),
    "step-counts": ("step_counts", ("steps",)),
}
"""Biomarkers used for channels: their column, and the channels of the shipped schemas."""

LOGS = {
    "sleep-detection": "sleep_detection_stage",
    "activity-classification": "activity_class",
    "wearing-detection": "wearing_detection_percentage",
}
"""Biomarkers used for events or to detect when the device was worn."""

UNUSED = (
    "accelerometers-std",
    "acticounts",
    "actigraphy-counts",
    "activity-counts",
    "activity-intensity",
    "body-position",
    "met",
    "respiratory-rate",
)
"""Biomarkers without a channel."""

MIN_WORN_PERCENT = 50.0
"""Minimum worn percentage of a minute; otherwise it is missing."""

MAX_FILE_DAYS = 3660
"""Longest time that a file may span; it is of a date, but people join them."""
MIN_ACTIVITY_MINUTES = 10
"""Minimum duration of a walk or run to become an event."""

MIN_SLEEP_MINUTES = 20
"""Minimum duration of a sleep period to become an event."""

_ACTIVITIES = {"walking": "walking", "running": "running"}
_NAME = re.compile(
    rf"(?:.*[_/])?({'|'.join([*BIOMARKERS, *LOGS, *UNUSED])})(?:[_-](\d{{4}}-\d{{2}}-\d{{2}}))?\.csv"
)  # lower case only: EDA.csv is an E4 file
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_WHY_ZONE = "The EmbracePlus records in UTC, and its files do not contain the wearer's time zone."


def classify(name: str) -> str | None:
    """Returns the biomarker of a file from its name, or None."""
    match = _NAME.fullmatch(name)
    return match[1] if match else None


def is_embraceplus(source: Source) -> bool:
    """Returns whether a folder or zip has biomarkers: files of their names that say whose minutes they contain."""
    for name in source.names:
        if classify(name) in BIOMARKERS:
            with source.open(name) as stream:
                if b"timestamp_unix" in stream.readline():
                    return True
    return False


def read_embraceplus(
    folder_or_zip: str | os.PathLike,
    timezone: str | tzinfo | None = None,
    *,
    schema: SchemaLike = "sensorlm-26",
    subject_id: str | None = None,
    day_start: str = "00:00",
    report: ReadReport | None = None,
    skip_bad: bool = True,
) -> Iterator[SensorDay]:
    """Reads Empatica EmbracePlus digital biomarkers as local days.

    Minutes without a value are missing; the device's reasons (`device_not_recording`, `worn_during_motion`, ...) are
    counted in the report by biomarker.

    Args:
        folder_or_zip: Any folder above the files, or a zip of it; may contain several participants.
        timezone: IANA time zone of the wearers. Required.
        schema: Schema of the days.
        subject_id: Subject id, if all files are from one person; by default `participant_full_id`.
        day_start: Local time `"HH:MM"` at which windows start, or `"first"`: at the first observed minute.
        report: Collects what was used, dropped or unusual; without one, dropped items are logged.
        skip_bad: Whether to skip and note unreadable files, if others can be read, instead of raising.

    Yields:
        Days by person, then by time.

    Raises:
        FileNotFoundError: If the path does not exist or contains no biomarker files.
        ValueError: If the zone is missing or unknown, or a file is damaged; the message names file and line.
    """
    zone, start = resolve_timezone(timezone, _WHY_ZONE), parse_window_start(day_start)
    used = report or ReadReport()
    with Source(folder_or_zip) as source:
        wanted: dict[str, list[str]] = defaultdict(list)
        for name in source.names:
            kind = classify(name)
            if kind in UNUSED:
                used.files_unused[name] = "no channel for it"
            elif kind:
                wanted[kind].append(name)
        if not any(kind in wanted for kind in BIOMARKERS):
            raise FileNotFoundError(
                f"No EmbracePlus biomarkers in or below {source.path}: looked for {', '.join(BIOMARKERS)} .csv among"
                f" {len(source.names)} files.{foreign_hint(source.names, source.unreadable)}"
            )
    reader = _Embrace(zone, get_schema(schema), subject_id, start, used, skip_bad)
    return finish(reader.days(folder_or_zip, wanted), used, warn=report is None, source="read_embraceplus")


class _Embrace:
    """One pass over a folder."""

    def __init__(
        self,
        zone: tzinfo,
        schema: SensorSchema,
        subject_id: str | None,
        day_start: int | None,
        report: ReadReport,
        skip_bad: bool,
    ) -> None:
        self.zone, self.schema, self.subject_id = zone, schema, subject_id
        self.day_start, self.report, self.skip_bad = day_start, report, skip_bad

    def days(self, path: str | os.PathLike, wanted: dict[str, list[str]]) -> Iterator[SensorDay]:
        """Yields the days of each person, with at most two dates in memory at a time."""
        with Source(path) as source:
            people: dict[str, dict[str, dict[str, list[str]]]] = defaultdict(lambda: defaultdict(dict))
            for kind, names in wanted.items():
                for name in names:
                    try:
                        who = self.subject_id or self._participant(source, name)
                    except ValueError as error:
                        self._skip(error)
                        continue
                    dates = _DATE.findall(name)
                    people[who][dates[-1] if dates else ""].setdefault(kind, []).append(name)
            for who in sorted(people):
                person = PersonDays(who, self.schema, self.zone, self.day_start, self.report)
                states: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {"sleep": [], "activity": []}
                # Events cross dates, so they are read before the first day is emitted.
                for files in (people[who][day] for day in sorted(people[who])):
                    self._load_logs(source, files, states)
                person.spans = [*self._sleeps(states["sleep"]), *_activities(states["activity"])]
                person.check_logs()
                for day in sorted(people[who]):
                    if day:
                        yield from person.emit(int(np.datetime64(date.fromisoformat(day), "m").astype(np.int64)))
                    self._load_minutes(source, people[who][day], person)
                yield from person.emit()

    def _participant(self, source: Source, name: str) -> str:
        header, _, rest = source.read_text(name).partition("\n")
        columns = [column.strip() for column in header.split(",")]
        if "participant_full_id" not in columns:
            raise ValueError(
                f"{source.label(name)}, line 1: lacks the column participant_full_id; it has {', '.join(columns)}."
            )
        cells = rest.partition("\n")[0].split(",")
        position = columns.index("participant_full_id")
        return cells[position].strip() if len(cells) > position and cells[position].strip() else "unknown"

    def _skip(self, error: ValueError) -> None:
        if not self.skip_bad:
            raise error
        self.report.note("bad-file", "dropped", "files that could not be read", str(error))

    def _table(self, source: Source, name: str, column: str) -> tuple[np.ndarray, pd.DataFrame, str] | None:
        """Epoch minutes and rows of a file; None, with a note, if it is damaged and is to be skipped."""
        label = source.label(name)
        try:
            frame = load_csv(source.read_text(name), label, ("timestamp_unix", column))
            stamps = numbers(frame, "timestamp_unix", label)
            if stamps.isna().any():
                raise ValueError(
                    f"{label}, line {int(stamps.isna().to_numpy().argmax()) + 2}: timestamp_unix is empty."
                )
            minutes = (stamps.to_numpy() // 60_000).astype(np.int64)
            wrong = (minutes < 10_000_000) | (minutes > 80_000_000)
            if wrong.any():
                row = int(wrong.argmax())
                raise ValueError(
                    f"{label}, line {row + 2}: timestamp_unix must be milliseconds since 1970, got"
                    f" {frame['timestamp_unix'].iloc[row]!r}."
                )
            days = int(np.ptp(minutes)) // MINUTES_PER_DAY if len(minutes) else 0
            if days > MAX_FILE_DAYS:
                raise ValueError(
                    f"{label}: timestamp_unix spans {days:,} days, but a file is of one date; export it again."
                )
        except ValueError as error:
            self._skip(error)
            return None
        self.report.files_read.append(name)
        return minutes, frame, label

    def _load_logs(
        self,
        source: Source,
        files: dict[str, list[str]],
        states: dict[str, list[tuple[np.ndarray, np.ndarray]]],
    ) -> None:
        for kind, target in (("sleep-detection", "sleep"), ("activity-classification", "activity")):
            for name in files.get(kind, []):
                table = self._table(source, name, LOGS[kind])
                if table is None:
                    continue
                minutes, frame, label = table
                values: Any = frame[LOGS[kind]].str.strip().str.lower().to_numpy(dtype=str)
                if target == "sleep":
                    values = numbers(frame, LOGS[kind], label).to_numpy()
                states[target].append((minutes, values))

    def _sleeps(self, parts: list[tuple[np.ndarray, np.ndarray]]) -> list[Span]:
        spans = []
        for start, end, _ in _runs(parts, lambda stage: np.where(stage >= 100, "sleep", "")):
            if end - start >= MIN_SLEEP_MINUTES:
                spans.append(Span(start, end, "sleep", sleep_label(start, end, self.zone)))
            else:
                self.report.note(
                    "sleep-short",
                    "dropped",
                    f"sleep periods below {MIN_SLEEP_MINUTES} minutes",
                    f"{end - start} min",
                )
        return spans

    def _load_minutes(self, source: Source, files: dict[str, list[str]], person: PersonDays) -> None:
        unworn: set[int] = set()
        for name in files.get("wearing-detection", []):
            table = self._table(source, name, LOGS["wearing-detection"])
            if table is not None:
                minutes, frame, label = table
                share = numbers(frame, LOGS["wearing-detection"], label).to_numpy()
                unworn.update(minutes[share < MIN_WORN_PERCENT].tolist())
        for kind, (column, keys) in BIOMARKERS.items():
            key = next((key for key in keys if key in self.schema), None)
            for name in files.get(kind, []):
                if key is None:
                    self.report.files_unused[name] = f"schema {self.schema.name!r} has no channel for it"
                    continue
                try:
                    table = self._table(source, name, column)
                    if table is None:
                        continue
                    minutes, frame, label = table
                    values = numbers(frame, column, label).to_numpy(copy=True)
                except ValueError as error:
                    self._skip(error)
                    continue
                self._note_reasons(frame, kind, values)
                off = np.isin(minutes, np.fromiter(unworn, np.int64, len(unworn))) & ~np.isnan(values)
                self.report.note(
                    "not-worn",
                    "dropped",
                    f"values of minutes worn less than {MIN_WORN_PERCENT:.0f} %",
                    name,
                    int(off.sum()),
                )
                values[off] = np.nan
                if len(minutes):
                    add_features(person, {key: self._grid(minutes, values, key, name)}, int(minutes.min()))

    def _grid(self, minutes: np.ndarray, values: np.ndarray, key: str, name: str) -> np.ndarray:
        """Values by minute, from the first one; of a minute given twice, the mean, and of steps the larger count."""
        table = pd.DataFrame({"minute": minutes - minutes.min(), "value": values}).dropna().drop_duplicates()
        twice = int(table["minute"].duplicated().sum())
        message = "minutes given twice with different values; the mean is used, and of steps the larger count"
        self.report.note("minute-given-twice", "kept", message, name, twice)
        grouped = table.groupby("minute")["value"]
        merged = grouped.max() if key in SUMMED_CHANNELS else grouped.mean()
        grid = np.full(int(minutes.max() - minutes.min()) + 1, np.nan)
        grid[merged.index.to_numpy(dtype=np.int64)] = merged.to_numpy()
        return grid

    def _note_reasons(self, frame: pd.DataFrame, kind: str, values: np.ndarray) -> None:
        if "missing_value_reason" not in frame.columns:
            return
        reasons = frame["missing_value_reason"].str.strip()[np.isnan(values)]
        # Other texts are not the device's, and must not reach the dataset's report.
        known = reasons.where(reasons.str.fullmatch(r"[a-z][a-z_]{2,40}"), "other")
        for reason, count in known[reasons != ""].value_counts().items():
            self.report.note(
                f"missing-{kind}-{reason}",
                "info",
                f"minutes without {kind.replace('-', ' ')}: {str(reason).replace('_', ' ')}",
                count=int(count),
            )


def _runs(parts: list[tuple[np.ndarray, np.ndarray]], state_of: Any) -> Iterator[tuple[int, int, str]]:
    """Yields `(start, end, state)` of the runs of consecutive minutes in the same state; `""` means no state."""
    if not parts:
        return
    minutes = np.concatenate([part[0] for part in parts])
    with np.errstate(invalid="ignore"):
        states = state_of(np.concatenate([part[1] for part in parts]))
    order = np.argsort(minutes, kind="stable")
    minutes, states = minutes[order], states[order]
    breaks = np.flatnonzero((np.diff(minutes) > 1) | (states[1:] != states[:-1])) + 1
    for part in np.split(np.arange(len(minutes)), breaks):
        if len(part) and states[part[0]]:
            yield int(minutes[part[0]]), int(minutes[part[-1]]) + 1, str(states[part[0]])


def _activities(parts: list[tuple[np.ndarray, np.ndarray]]) -> list[Span]:
    named = np.vectorize(lambda name: _ACTIVITIES.get(str(name), ""), otypes=[str])
    return [
        Span(start, end, "activity", name)
        for start, end, name in _runs(parts, named)
        if end - start >= MIN_ACTIVITY_MINUTES and end - start <= MINUTES_PER_DAY
    ]
