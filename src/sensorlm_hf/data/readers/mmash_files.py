"""Parses the files of one MMASH person: tables with clock times, diary, sleep log and questionnaires."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from pathlib import Path

import numpy as np
import pandas as pd

from ...days import MINUTES_PER_DAY, LabelValue
from .logs import Span, sleep_label
from .minutes import local_epoch_minute
from .quality import ReadReport
from .sources import Source, load_csv, numbers

ACTIVITIES = {
    1: "lying down",
    2: "sitting",
    3: "light movement",
    4: "medium activity",
    5: "heavy activity",
    6: "eating",
    7: "small screen use",
    8: "large screen use",
    9: "caffeine",
    10: "smoking",
    11: "alcohol",
}
"""Diary codes with a meaning; 0 is sleep and 12 is unknown. They are defined by MMASH and agree with the signals."""

_SLEEP, _UNKNOWN = 0, 12

MOOD_MARGIN = 5
"""Minimum difference of positive and negative affect (PANAS, 10 to 50 points each) for a non-neutral mood."""

LONGEST_ENTRY = 12 * 60
"""Maximum duration of a diary entry that crosses midnight, minutes."""

_MOOD_HOURS = {"10": 10, "14": 14, "18": 18, "22": 22, "9+1": 24 + 9}
_LABELS = {
    "Age": ("age", 1, 120),
    "MEQ": ("morningness", 16, 86),
    "STAI1": ("state_anxiety", 20, 80),
    "STAI2": ("trait_anxiety", 20, 80),
    "Pittsburgh": ("sleep_quality_index", 0, 21),
    "Daily_stress": ("daily_stress", 0, 406),
}
"""Columns, their labels and the bounds of the scales; a score outside means that the question was not answered."""

SCORES = tuple(label for label, _, _ in _LABELS.values())
"""Numeric labels."""


@dataclass
class _Entry:
    """A diary entry in minutes from the midnight at which day 1 begins."""

    start: int
    end: int


def _clock_seconds(cells: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of clock times `HH:MM:SS`, and which cells are invalid; vectorised over 100,000 cells."""
    texts = cells.str.strip().to_numpy(dtype="U9")
    letters = texts.view("U1").reshape(-1, 9)
    pairs = [np.char.add(letters[:, i], letters[:, i + 1]) for i in (0, 3, 6)]
    wrong = (letters[:, 2] != ":") | (letters[:, 5] != ":") | (letters[:, 8] != "")
    for pair in pairs:
        wrong |= ~np.char.isdecimal(pair) | (np.char.str_len(pair) != 2)
    hours, minutes, seconds = (np.where(wrong, "00", pair).astype(np.int64) for pair in pairs)
    wrong |= (hours > 24) | (minutes > 59) | (seconds > 59)
    return hours * 3600.0 + minutes * 60.0 + seconds, wrong


class MmashFolder:
    """The tables of one person.

    Args:
        path: The person's folder.
        zone: Zone of the clock times.
        day_one: Date of day 1.
        report: Collects what is dropped or unusual.
    """

    def __init__(self, path: Path, zone: tzinfo, day_one: date, report: ReadReport) -> None:
        self.zone, self.report, self.name = zone, report, path.name
        self.source = Source(path)
        self._midnight = local_epoch_minute(datetime(day_one.year, day_one.month, day_one.day), zone)

    def epoch(self, minute: int) -> int:
        """Epoch minute of a minute counted from the midnight at which day 1 begins."""
        return self._midnight + minute

    def table(self, name: str, columns: tuple[str, ...]) -> pd.DataFrame | None:
        """A file as text cells, with at least `columns`; None, with a note, if the person does not have it."""
        if name not in self.source.names:
            self.report.note(f"no-{name}", "info", f"people without {name}", self.name)
            return None
        frame = load_csv(self.source.read_text(name), self.source.label(name), columns)
        self.report.files_read.append(f"{self.name}/{name}")
        return frame

    def seconds(self, frame: pd.DataFrame, name: str) -> np.ndarray:
        """Seconds since the midnight at which day 1 begins, from the columns `day` and `time`."""
        label = self.source.label(name)
        times, wrong = _clock_seconds(frame["time"])
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(f"{label}, line {row + 2}: `time` must be HH:MM:SS, got {frame['time'].iloc[row]!r}.")
        days = self.days(numbers(frame, "day", label), name)
        seconds = (days - 1) * 86400.0 + times
        backwards = np.flatnonzero(np.diff(seconds) < 0)
        if len(backwards):
            raise ValueError(f"{label}, line {backwards[0] + 3}: time runs backwards.")
        return seconds

    def days(self, days: pd.Series, name: str) -> np.ndarray:
        """Day numbers; those at or below 0 are replaced by 2."""
        if days.isna().any():
            label = self.source.label(name)
            raise ValueError(f"{label}, line {int(days.isna().to_numpy().argmax()) + 2}: the day number is missing.")
        wrapped = (days <= 0).to_numpy()
        if wrapped.any():
            self.report.note(
                "day-number", "kept", "files with day numbers at or below 0, read as day 2", f"{self.name}/{name}"
            )
        return np.where(wrapped, 2, days.to_numpy()).astype(np.int64)


class MmashLogs:
    """Logs of one person.

    Args:
        folder: The person's tables.
    """

    def __init__(self, folder: MmashFolder) -> None:
        self.folder, self.report, self.name = folder, folder.report, folder.name

    def _clock(self, cell: str, where: str) -> int | None:
        """Minutes of a clock time `HH:MM`, including `24:00`; None if empty."""
        if not cell.strip():
            return None
        match = re.fullmatch(r"\s*(\d{1,2}):(\d{2})(?::\d{2})?\s*", cell)
        minute = int(match[1]) * 60 + int(match[2]) if match else -1
        if not match or int(match[2]) > 59 or minute > MINUTES_PER_DAY:
            raise ValueError(f"{where}: must be a time HH:MM, got {cell!r}.")
        return minute

    def sleep_log(self) -> list[Span]:
        """Sleeps of `sleep.csv`, from in bed to out of bed."""
        columns = ("In Bed Date", "In Bed Time", "Out Bed Date", "Out Bed Time")
        frame = self.folder.table("sleep.csv", columns)
        if frame is None or frame.empty:
            self.report.note("no-sleep-log", "info", "people with an empty sleep log", self.name)
            return []
        label = self.folder.source.label("sleep.csv")
        sides = ("In Bed", "Out Bed")
        days = {side: self.folder.days(numbers(frame, f"{side} Date", label), "sleep.csv") for side in sides}
        spans = []
        for row in range(len(frame)):
            edges = []
            for side in sides:
                clock = self._clock(frame[f"{side} Time"].iloc[row], f"{label}, line {row + 2}")
                edges.append(None if clock is None else int(days[side][row] - 1) * MINUTES_PER_DAY + clock)
            entry = self._entry(edges[0], edges[1], f"{self.name}: sleep")
            if entry is not None:
                spans.append(self._sleep_span(entry))
        return spans

    def _entry(self, start: int | None, end: int | None, what: str, last: int | None = None) -> _Entry | None:
        """Corrects the start and end of an entry, in minutes from day 1, or notes why it is dropped.

        Args:
            start: First minute.
            end: End, exclusive.
            what: Description of the entry for the note.
            last: Last recorded minute; an entry across midnight that would start later belongs to the previous night.
        """
        if start is None or end is None:
            self.report.note("log-without-end", "dropped", "log entries without a start or an end", what)
            return None
        if start == end:
            self.report.note("log-zero-length", "dropped", "log entries of zero minutes", what)
            return None
        if end < start:
            end += MINUTES_PER_DAY
            if end - start > LONGEST_ENTRY:
                self.report.note(
                    "log-ends-before-start",
                    "dropped",
                    "log entries that end before they start and would last over 12 hours across midnight",
                    f"{what}, {end - start} min",
                )
                return None
            self.report.note("log-across-midnight", "kept", "log entries that cross midnight", what)
            if last is not None and start > last:
                start, end = start - MINUTES_PER_DAY, end - MINUTES_PER_DAY
                self.report.note(
                    "log-day-shifted", "kept", "log entries listed under the day on which they ended", what
                )
        return _Entry(start, end)

    def _sleep_span(self, entry: _Entry) -> Span:
        start, end = self.folder.epoch(entry.start), self.folder.epoch(entry.end)
        return Span(start, end, "sleep", sleep_label(start, end, self.folder.zone))

    def diary(self, sleep_log: Iterable[Span], last: int) -> list[Span]:
        """Entries of `Activity.csv`.

        Args:
            sleep_log: The sleeps of `sleep.csv`; a diary sleep that is at least half covered by them is dropped.
            last: Last recorded minute, from the midnight at which day 1 begins.
        """
        frame = self.folder.table("Activity.csv", ("Activity", "Start", "End", "Day"))
        if frame is None or frame.empty:
            return []
        label = self.folder.source.label("Activity.csv")
        codes = numbers(frame, "Activity", label)
        days = self.folder.days(numbers(frame, "Day", label), "Activity.csv")
        spans = []
        for row, code in enumerate(codes):
            where = f"{label}, line {row + 2}"
            if code == _UNKNOWN:
                self.report.note("activity-unknown", "dropped", "diary entries with the code for unknown", self.name)
                continue
            if code not in ACTIVITIES and code != _SLEEP:
                raise ValueError(
                    f"{where}: `Activity` must be a code from 0 to 12, got {frame['Activity'].iloc[row]!r}."
                )
            start, end = (self._clock(frame[side].iloc[row], where) for side in ("Start", "End"))
            offset = int(days[row] - 1) * MINUTES_PER_DAY
            name = "sleep" if code == _SLEEP else ACTIVITIES[int(code)]
            edges = [None if edge is None else edge + offset for edge in (start, end)]
            entry = self._entry(edges[0], edges[1], f"{self.name}: {name}", last)
            if entry is None:
                continue
            if code != _SLEEP:
                spans.append(Span(self.folder.epoch(entry.start), self.folder.epoch(entry.end), "activity", name))
                continue
            span = self._sleep_span(entry)
            shared = sum(max(min(s.end, span.end) - max(s.start, span.start), 0) for s in sleep_log)
            if 2 * shared >= span.end - span.start:
                self.report.note(
                    "sleep-in-both-logs", "dropped", "sleeps in the diary that are also in the sleep log", self.name
                )
            else:
                spans.append(span)
        return spans

    def moods(self) -> list[Span]:
        """A mood for each of the five times at which PANAS was filled in."""
        frame = self.folder.table("questionnaire.csv", ())
        if frame is None or frame.empty:
            return []
        label = self.folder.source.label("questionnaire.csv")
        spans = []
        for suffix, hour in _MOOD_HOURS.items():
            names = f"panas_pos_{suffix}", f"panas_neg_{suffix}"
            if not all(name in frame.columns for name in names):
                continue
            positive, negative = (float(numbers(frame, name, label).iloc[0]) for name in names)
            # Each scale is the sum of ten answers from 1 to 5.
            if not (10 <= positive <= 50 and 10 <= negative <= 50):
                self.report.note("mood-missing", "dropped", "moods without two PANAS scores from 10 to 50", self.name)
                continue
            difference = positive - negative
            mood = "positive" if difference >= MOOD_MARGIN else "negative" if difference <= -MOOD_MARGIN else "neutral"
            minute = self.folder.epoch(hour * 60)
            spans.append(Span(minute, minute, "mood", mood))
        return spans

    def labels(self) -> dict[str, LabelValue]:
        """Age, gender and the scores of the questionnaires."""
        labels: dict[str, LabelValue] = {}
        for name in ("user_info.csv", "questionnaire.csv"):
            if name not in self.folder.source.names:
                continue
            label = self.folder.source.label(name)
            frame = load_csv(self.folder.source.read_text(name), label, ())
            if frame.empty:
                continue
            for column, (key, low, high) in _LABELS.items():
                if column in frame.columns:
                    value = float(numbers(frame, column, label).iloc[0])
                    if low <= value <= high:
                        labels[key] = value
                    else:
                        message = "questionnaire scores outside the scale, treated as unanswered"
                        self.report.note("score-out-of-scale", "dropped", message, f"{self.name}: {column}")
            if "Gender" in frame.columns and frame["Gender"].iloc[0].strip():
                gender = frame["Gender"].iloc[0].strip()
                labels["gender"] = {"M": "male", "F": "female"}.get(gender.upper(), gender.lower())
        return labels
