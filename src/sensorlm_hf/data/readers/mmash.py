"""MMASH, the Multilevel Monitoring of Activity and Sleep in Healthy people (PhysioNet, Rossi et al. 2020).

A folder per person: beat-to-beat intervals (`RR.csv`), a wrist monitor with one row per second (`Actigraph.csv`:
heart rate, steps, accelerometer counts), a diary (`Activity.csv`), a sleep log (`sleep.csv`), questionnaires including
the mood at five times (`questionnaire.csv`) and personal data (`user_info.csv`). Times are local, in Italy; days are
numbered and have no dates.

How the reader handles the peculiarities of the dataset:

* The recording runs from a morning to the next, so the window starts at its first minute.
* Day numbers at or below 0 (two people have -29, the difference of two days of the month) are read as day 2.
* Some diaries list a night under the day on which it ended, others under the day on which it began: an entry that ends
  before it starts is taken to cross midnight if it is then at most 12 hours long, and is moved to the previous night if
  it would otherwise start after the end of the recording. Longer ones are considered typing errors and are dropped.
* Entries without an end, of zero minutes or of activity 12 (unknown) are dropped, overlapping ones are kept, and all of
  them are counted in the report, as are sleeps in the diary that are also in the sleep log.
* Intervals outside 0.3 to 2 s are artefacts; see [`sensorlm_hf.data.signals.heartbeats`].
* The scale of the accelerometer counts differs from that of the reference's device codes, so they are not used.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import date, tzinfo
from pathlib import Path

import numpy as np
import pandas as pd

from ...days import MINUTES_PER_DAY, SensorDay
from ...schema import SchemaLike, SensorSchema, get_schema
from ..signals.heartbeats import RR_RANGE_MS, fill_hrv, hrv_per_minute
from .damage import damage_of
from .logs import events_in_window, note_overlaps, without_duplicates
from .minutes import MinuteStore, moment_of, resolve_timezone, within
from .mmash_files import MmashFolder, MmashLogs
from .quality import ReadReport, finish
from .sources import numbers

ARBITRARY_DATE = "2020-01-01"
"""Date assigned to day 1. It is arbitrary, since MMASH does not publish dates."""

MIN_SECONDS = 30
"""Minimum number of recorded seconds in a minute for its steps to count."""


def is_mmash_folder(folder: Path) -> bool:
    """Returns whether a folder contains a single MMASH person."""
    return (folder / "Actigraph.csv").is_file() or (folder / "RR.csv").is_file()


def read_mmash(
    folder: str | os.PathLike,
    *,
    timezone: str | tzinfo = "Europe/Rome",
    first_date: str | date = ARBITRARY_DATE,
    schema: SchemaLike = "sensorlm-26",
    report: ReadReport | None = None,
    skip_bad: bool = True,
) -> Iterator[SensorDay]:
    """Reads MMASH as one window of 1440 minutes per person, from the first minute of the recording.

    Channels: `HR` is the mean of the monitor's rows in a minute (0 is missing), or 60 s divided by the mean of the
    valid RR intervals if there is none. `steps` is the sum of a minute's rows. It is a lower bound, because the
    recorder lost about six seconds in thirty, and is missing if less than 30 seconds were recorded. The `hrv_*`
    channels are computed from RR, see [`hrv_per_minute`]. All other channels are missing.

    Events: the diary, the sleep log (from in bed to out of bed) and a mood at 10, 14, 18 and 22 h and at 9 h of the
    next day: `"positive"` or `"negative"` if that PANAS affect is higher by at least 5 points, otherwise `"neutral"`.
    Labels: age, gender and the questionnaire scores.

    Args:
        folder: A person's folder, or the folder that contains them.
        timezone: Zone of the clock times.
        first_date: Date of day 1. Arbitrary, since MMASH publishes no dates.
        schema: Schema of the days.
        report: Collects what was used, dropped or unusual; without one, dropped items are logged.
        skip_bad: Whether to skip and note people with unreadable files, if others can be read, instead of
            raising.

    Yields:
        One day per person, in order of their numbers.

    Raises:
        FileNotFoundError: If the folder does not exist or contains no MMASH person.
        ValueError: If a file is damaged; the message names file and line.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FileNotFoundError(f"There is no MMASH folder at {root}.")
    people = (
        [root]
        if is_mmash_folder(root)
        else [path for path in root.iterdir() if path.is_dir() and is_mmash_folder(path)]
    )
    if not people:
        raise FileNotFoundError(
            f"No MMASH person in {root}: looked for Actigraph.csv and RR.csv there and in its sub-folders (user_1...)."
        )
    zone = resolve_timezone(timezone, "MMASH was recorded in Italy.")
    try:
        day_one = date.fromisoformat(first_date) if isinstance(first_date, str) else first_date
    except ValueError:
        raise ValueError(f"`first_date` must be a date YYYY-MM-DD, got {first_date!r}.") from None
    used = report or ReadReport()
    days = _people(sorted(people, key=natural_sort_key), zone, day_one, get_schema(schema), used, skip_bad)
    return finish(days, used, warn=report is None, source="read_mmash")


def natural_sort_key(path: Path) -> list[int | str]:
    """Returns a sort key that puts `user_2` before `user_10`."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name)]


def _people(
    people: list[Path], zone: tzinfo, day_one: date, schema: SensorSchema, report: ReadReport, skip_bad: bool
) -> Iterator[SensorDay]:
    for path in people:
        try:
            with damage_of(str(path)):
                day = _Person(path, zone, day_one, schema, report).read()
        except ValueError as error:
            if not skip_bad:
                raise
            report.note("bad-file", "dropped", "people whose files could not be read", str(error))
            continue
        if day is None:
            report.note("nothing-recorded", "dropped", "people without any observed minute", path.name)
        else:
            yield day


class _Person:
    """One person's folder."""

    def __init__(self, path: Path, zone: tzinfo, day_one: date, schema: SensorSchema, report: ReadReport) -> None:
        self.folder = MmashFolder(path, zone, day_one, report)
        self.logs = MmashLogs(self.folder)
        self.zone, self.schema, self.report, self.name = zone, schema, report, path.name

    def read(self) -> SensorDay | None:
        """Returns the person's window, or None if nothing was observed."""
        beat_s, rr_ms = self._beats()
        monitor = self._monitor()
        seconds = np.concatenate([beat_s, monitor["second"].to_numpy(dtype=np.float64)])
        if not len(seconds):
            return None
        first = int(seconds.min() // 60)
        last = int(seconds.max() // 60)
        values = np.full((MINUTES_PER_DAY, len(self.schema)), np.nan)
        self._fill_monitor(values, monitor, first)
        self._fill_beats(values, beat_s - first * 60.0, rr_ms)
        if np.isnan(values).all():
            return None
        self.report.note(
            "after-window",
            "dropped",
            "recorded minutes after the window of 24 hours",
            self.name,
            max(last - first + 1 - MINUTES_PER_DAY, 0),
        )
        start = self.folder.epoch(first)
        spans = self.logs.sleep_log()
        spans = without_duplicates([*spans, *self.logs.diary(spans, last), *self.logs.moods()], self.report)
        note_overlaps(spans, self.report)
        events = events_in_window(spans, start)
        self.report.note(
            "outside-window", "dropped", "log entries outside the window", self.name, len(spans) - len(events)
        )
        return SensorDay(values, moment_of(start, self.zone), self.name, self.schema, events, self.logs.labels())

    def _beats(self) -> tuple[np.ndarray, np.ndarray]:
        frame = self.folder.table("RR.csv", ("ibi_s", "day", "time"))
        if frame is None or frame.empty:
            return np.empty(0), np.empty(0)
        rr_ms = numbers(frame, "ibi_s", self.folder.source.label("RR.csv")).to_numpy() * 1000.0
        self.report.note(
            "rr-artefact",
            "dropped",
            "RR intervals outside 0.3 to 2 s",
            self.name,
            int(((rr_ms < RR_RANGE_MS[0]) | (rr_ms > RR_RANGE_MS[1])).sum()),
        )
        return self.folder.seconds(frame, "RR.csv"), rr_ms

    def _monitor(self) -> pd.DataFrame:
        frame = self.folder.table("Actigraph.csv", ("Steps", "HR", "day", "time"))
        if frame is None or frame.empty:
            return pd.DataFrame({"second": [], "Steps": [], "HR": []}, dtype="float64")
        label = self.folder.source.label("Actigraph.csv")
        if "Vector Magnitude" in frame.columns:
            self.report.note(
                "accelerometer-scale",
                "info",
                "people whose accelerometer counts are not used: their scale differs from the device codes",
                self.name,
            )
        return pd.DataFrame(
            {
                "second": self.folder.seconds(frame, "Actigraph.csv"),
                "Steps": numbers(frame, "Steps", label),
                "HR": numbers(frame, "HR", label),
            }
        )

    def _fill_monitor(self, values: np.ndarray, monitor: pd.DataFrame, first: int) -> None:
        store = MinuteStore()
        minutes = (monitor["second"].to_numpy() // 60).astype(np.int64)
        if "HR" in self.schema:
            bpm = monitor["HR"].where(monitor["HR"] > 0).to_numpy()
            bpm, outside = within(bpm, *self.schema["HR"].valid_range)
            self.report.note(
                "implausible-HR", "dropped", "heart rate values outside the plausible range", self.name, outside
            )
            store.add("HR", minutes, bpm)
            values[:, self.schema.index("HR")] = store.mean("HR", first)
        if "steps" in self.schema:
            store.add("steps", minutes, monitor["Steps"].to_numpy())
            total, count = store.window("steps", first)
            short = (count > 0) & (count < MIN_SECONDS)
            self.report.note(
                "steps-short-minute",
                "dropped",
                f"minutes with less than {MIN_SECONDS} recorded seconds, whose steps are missing",
                self.name,
                int(short.sum()),
            )
            values[:, self.schema.index("steps")] = np.where(count >= MIN_SECONDS, total, np.nan)

    def _fill_beats(self, values: np.ndarray, beat_s: np.ndarray, rr_ms: np.ndarray) -> None:
        if not len(rr_ms):
            return
        fill_hrv(values, self.schema, hrv_per_minute(beat_s, rr_ms, MINUTES_PER_DAY))
        if "HR" in self.schema:
            store = MinuteStore()
            plausible, _ = within(rr_ms, *RR_RANGE_MS)
            store.add("RR", (beat_s // 60).astype(np.int64), plausible)
            bpm = 60_000.0 / store.mean("RR", 0)
            column = values[:, self.schema.index("HR")]
            column[np.isnan(column)] = bpm[np.isnan(column)]
