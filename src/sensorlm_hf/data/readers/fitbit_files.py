"""Parses the files of a Fitbit export to arrays and logs, without windows or local days."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from typing import Any

import numpy as np
import pandas as pd

from ...days import MINUTES_PER_DAY
from ...schema import SensorSchema, get_schema
from .fitbit_samples import heart_rates, minutes_of_stamps, plain_numbers
from .logs import Span, activity_span, sleep_label
from .minutes import UTC, epoch_minute, local_epoch_minute, to_float, within
from .quality import ReadReport
from .sources import line_of, load_csv, load_json_list, numbers
from .table_dates import numeric_dates

DATE_IN_NAME = r"(\d{4}-\d{2}-\d{2})"
COPY_IN_NAME = r"(?: ?\(\d+\))?"
"""What browsers and Windows append to the name of a second file."""

_DATED = rf"(?:[-_ ]+{DATE_IN_NAME})?"
PATTERNS = {
    "heart_rate": re.compile(rf"heart_rate{_DATED}{COPY_IN_NAME}\.json", re.IGNORECASE),
    "steps": re.compile(rf"steps{_DATED}{COPY_IN_NAME}\.json", re.IGNORECASE),
    "resting_heart_rate": re.compile(rf"resting_heart_rate{_DATED}{COPY_IN_NAME}\.json", re.IGNORECASE),
    "sleep": re.compile(rf"sleep{_DATED}{COPY_IN_NAME}\.json", re.IGNORECASE),
    "exercise": re.compile(rf"exercise(?:-\d+)?{COPY_IN_NAME}\.json", re.IGNORECASE),
    "hrv": re.compile(rf"Heart Rate Variability Details{_DATED}{COPY_IN_NAME}\.csv", re.IGNORECASE),
    "spo2": re.compile(rf"Minute SpO2{_DATED}{COPY_IN_NAME}\.csv", re.IGNORECASE),
}
CHANNELS_OF_FILE = {
    "heart_rate": ("HR", "steps"),
    "steps": ("steps",),
    "hrv": ("rmssd_percentile_0595", "rmssd0595"),
    "spo2": ("spo2",),
}
"""Channels filled by each kind of file with minute values."""

UNUSED = (
    (re.compile(r"estimated_oxygen_variation", re.IGNORECASE), "a red to infrared ratio is not an oxygen saturation"),
    (re.compile(r"(calories|distance|altitude|floors|live_pace)", re.IGNORECASE), "no channel for it"),
    (re.compile(r"(gps_location|.*\.tcx$)", re.IGNORECASE), "reveals where the person was"),
    (re.compile(r"(Profile|Your Profile|Account)", re.IGNORECASE), "reveals who the person is"),
)
"""Files of an export that are not used, and why."""

STAGES = ("wake", "light", "deep", "rem")
"""Stages of a staged sleep log."""

_TIME = "%m/%d/%y %H:%M:%S"
_STAMP, _START = '"dateTime"', '"startTime"'


def classify(name: str, patterns: Mapping[str, re.Pattern[str]] = PATTERNS) -> tuple[str, date | None] | None:
    """Determines the type of an export's file from its name.

    Args:
        name: Path inside the export.
        patterns: `{kind: pattern of the file's name}`; the first group, if there is one, is the date.

    Returns:
        `(kind, date in the name or None)`, or None if the reader does not use the file.
    """
    base = name.rsplit("/", 1)[-1]
    for kind, pattern in patterns.items():
        match = pattern.fullmatch(base)
        if match:
            try:
                return kind, date.fromisoformat(match[1]) if pattern.groups and match[1] else None
            except ValueError:
                return kind, None
    return None


Stage = tuple[float, float, str, bool]
"""`(start, end, stage, short)` in epoch minutes or half minutes; short awakenings override the rest."""


@dataclass(frozen=True)
class Sleep:
    """A sleep log.

    Attributes:
        span: The sleep.
        stages: Its stages.
        staged: Whether the device recorded stages and the schema has channels for them.
    """

    span: Span
    stages: tuple[Stage, ...] = ()
    staged: bool = False


@dataclass
class Logs:
    """Everything in an export except minute values.

    Attributes:
        spans: Exercises and moods.
        sleeps: Sleeps by the device's id; an export may contain a sleep again after its times were edited.
        resting: Resting heart rate by local date, bpm.
    """

    spans: list[Span] = field(default_factory=list)
    sleeps: dict[str, Sleep] = field(default_factory=dict)
    resting: dict[date, float] = field(default_factory=dict)

    @property
    def stages(self) -> list[Stage]:
        """Stages of all sleeps."""
        return [stage for sleep in self.sleeps.values() for stage in sleep.stages]

    @property
    def staged(self) -> list[tuple[int, int]]:
        """Start and end (exclusive) of sleeps with stages, epoch minutes."""
        return [(sleep.span.start, sleep.span.end) for sleep in self.sleeps.values() if sleep.staged]


class FitbitFiles:
    """Parses the files of one export.

    Only call a method if the schema has one of the file's [`CHANNELS_OF_FILE`]. Each takes a file's text and its label
    for error messages, and raises a ValueError with file and line if the file is damaged.

    Args:
        zone: The person's local zone.
        schema: Schema of the days, which defines the wanted channels and plausible ranges.
        report: Collects what is dropped or unusual.
        add: Takes a channel, `(n,)` epoch minutes and `(n,)` values, NaN if missing; returns how many samples repeat a
            minute.

    Attributes:
        logs: Logs of the files parsed so far.
        covered: Epoch hours of each channel for which a JSON file or `Details` table has entries.
        current: The file being parsed, for notes.
    """

    def __init__(
        self,
        zone: tzinfo,
        schema: SensorSchema,
        report: ReadReport,
        add: Callable[[str, np.ndarray, np.ndarray], int],
    ) -> None:
        self.zone, self.schema, self.report, self._add = zone, schema, report, add
        self.logs = Logs()
        self.covered: dict[str, set[int]] = defaultdict(set)
        self.current = ""

    def _cover(self, key: str, minutes: np.ndarray) -> None:
        self.covered[key].update(np.unique(minutes // 60).tolist())

    def _utc_minutes(self, entries: list[dict[str, Any]], text: str, label: str) -> np.ndarray:
        """Epoch minutes of the entries' `dateTime`, UTC."""
        try:
            stamps = [entry["dateTime"] for entry in entries]
        except KeyError:
            place = next(i for i, entry in enumerate(entries) if "dateTime" not in entry)
            raise ValueError(f"{label}: entry {place} lacks `dateTime`.") from None
        minutes = minutes_of_stamps(stamps)
        if minutes is not None:
            return minutes
        texts = [entry if isinstance(entry, str) else None for entry in stamps]
        times = pd.to_datetime(pd.Series(texts, dtype="object"), format=_TIME, errors="coerce")
        if times.isna().any():
            place = int(times.isna().to_numpy().argmax())
            raise ValueError(
                f"{label}, {line_of(text, place, _STAMP)}: `dateTime` must be a UTC time"
                f" MM/DD/YY HH:MM:SS, got {stamps[place]!r}."
            )
        return times.to_numpy().astype("datetime64[s]").astype(np.int64) // 60

    def _values(self, entries: list[dict[str, Any]], pick: Callable[[Any], Any], text: str, label: str) -> np.ndarray:
        try:
            picked = plain_numbers([pick(entry["value"]) for entry in entries])
        except (KeyError, TypeError, AttributeError):
            picked = None
        if picked is not None:
            return picked
        values = np.empty(len(entries))
        for place, entry in enumerate(entries):
            try:
                values[place] = to_float(pick(entry["value"]))
            except (KeyError, TypeError, ValueError, AttributeError):
                raise ValueError(
                    f"{label}, {line_of(text, place, _STAMP)}: `value` must be a number, got {entry.get('value')!r}."
                ) from None
        return values

    def heart_rate(self, text: str, label: str) -> None:
        """Parses `heart_rate*.json`: samples every few seconds, UTC, with a confidence of 0 to 3."""
        minutes, bpm, confidence = heart_rates(text) or self._heart_rates(text, label)
        placeholder = (confidence <= 0) & bool((confidence > 0).any())
        self.report.note(
            "heart-rate-no-confidence",
            "dropped",
            "heart rate samples of confidence 0, which are placeholders",
            self.current,
            int(placeholder.sum()),
        )
        bpm = np.where(placeholder, np.nan, bpm)
        bpm = self._plausible("HR", bpm)
        self._cover("HR", minutes)
        self._add("HR", minutes, bpm)

    def _heart_rates(self, text: str, label: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Minutes, bpm and confidences of a file of an unusual form; raises for the first wrong entry."""
        entries = load_json_list(text, label)
        minutes = self._utc_minutes(entries, text, label)
        bpm = self._values(entries, lambda value: value["bpm"], text, label)
        return minutes, bpm, self._values(entries, lambda value: value.get("confidence", 1), text, label)

    def _plausible(self, key: str, values: np.ndarray) -> np.ndarray:
        # Heart rate indicates whether the device was worn, even if the schema has no channel for it.
        channel = self.schema[key] if key in self.schema else get_schema("sensorlm-26")[key]
        kept, outside = within(values, *channel.valid_range)
        message = f"{channel.label} values outside {channel.valid_range} {channel.unit}"
        self.report.note(f"implausible-{key}", "dropped", message, self.current, outside)
        return kept

    def steps(self, text: str, label: str) -> None:
        """Parses `steps*.json`: minutes, UTC; most minutes without steps are not listed."""
        entries = load_json_list(text, label)
        minutes = self._utc_minutes(entries, text, label)
        values = self._plausible("steps", self._values(entries, lambda value: value, text, label))
        self._cover("steps", minutes)
        repeated = self._add("steps", minutes, values)
        self.report.note(
            "steps-listed-twice",
            "dropped",
            "minutes with steps listed twice; the larger count is kept",
            self.current,
            repeated,
        )

    def hrv(self, text: str, label: str) -> None:
        """Parses `Heart Rate Variability Details*.csv`: one row per five minutes, local time, RMSSD in ms."""
        key = next(name for name in CHANNELS_OF_FILE["hrv"] if name in self.schema)
        frame = load_csv(text, label, ("timestamp", "rmssd"))
        values = self._plausible(key, numbers(frame, "rmssd", label).to_numpy())
        minutes = self._csv_minutes(frame, label, local=True)
        spread = np.arange(5)
        self._cover(key, minutes)
        self._add(key, (minutes[:, None] + spread).ravel(), np.repeat(values, 5))

    def spo2(self, text: str, label: str) -> None:
        """Parses `Minute SpO2*.csv`: minutes, UTC, percent."""
        frame = load_csv(text, label, ("timestamp", "value"))
        self._cover("spo2", self._csv_minutes(frame, label, local=False))
        self._add_spo2(frame, "value", label)

    def _add_spo2(self, frame: pd.DataFrame, column: str, label: str, copy: str = "") -> None:
        values = numbers(frame, column, label).to_numpy()
        # 50.0 means "could not be measured".
        placeholder = values <= 50.0
        self.report.note(
            "spo2-placeholder", "dropped", "SpO2 values of 50 %, placeholders", self.current, int(placeholder.sum())
        )
        values = self._plausible("spo2", np.where(placeholder, np.nan, values))
        self._add(f"spo2{copy}", self._csv_minutes(frame, label, local=False), values)

    def _csv_minutes(self, frame: pd.DataFrame, label: str, *, local: bool, column: str = "timestamp") -> np.ndarray:
        """Epoch minutes of a column in ISO 8601. An offset or Z in a cell takes precedence over `local`."""
        cells = frame[column].str.strip()
        if not local and len(cells) and cells.str.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z").all():
            # All cells at once: a hundred times faster for a year of samples every few seconds.
            times = pd.to_datetime(cells, utc=True, errors="coerce", format="ISO8601")
            if not times.isna().any():
                return times.dt.tz_convert(None).to_numpy().astype("datetime64[s]").astype(np.int64) // 60
        dates = numeric_dates(cells, lambda row: f"{label}, line {row + 2}") if len(cells) else None
        if dates is not None and dates.notna().all():  # saved again by Excel, which writes no zone
            zone = self.zone if local else UTC
            return np.array([local_epoch_minute(moment, zone) for moment in dates.dt.to_pydatetime()], dtype=np.int64)
        minutes = np.empty(len(frame), dtype=np.int64)
        for row, cell in enumerate(frame[column]):
            try:
                moment = datetime.fromisoformat(cell.strip().replace("Z", "+00:00"))
            except ValueError:
                raise ValueError(
                    f"{label}, line {row + 2}: `{column}` must be an ISO 8601 time, got {cell!r}."
                ) from None
            if moment.tzinfo is None:
                minutes[row] = local_epoch_minute(moment, self.zone if local else UTC)
            else:
                minutes[row] = epoch_minute(moment)
        return minutes

    def _csv_seconds(self, frame: pd.DataFrame, label: str, column: str = "timestamp") -> np.ndarray:
        """Seconds since 1970 of a column, UTC; of whole minutes where the cells are not ISO 8601."""
        times = pd.to_datetime(frame[column].str.strip(), utc=True, errors="coerce", format="ISO8601")
        stamps = times.dt.tz_convert(None).to_numpy().astype("datetime64[ms]")
        minutes = self._csv_minutes(frame, label, local=False, column=column) * 60.0
        return np.where(np.isnat(stamps), minutes, stamps.astype(np.int64) / 1000.0)

    def exercises(self, text: str, label: str) -> None:
        """Parses `exercise*.json`: activities, UTC."""
        for place, entry in enumerate(load_json_list(text, label)):
            name, started = entry.get("activityName"), entry.get("startTime")
            where = f"{label}, {line_of(text, place, _START)}"
            if not isinstance(started, str):
                raise ValueError(f"{label}: entry {place} lacks `startTime`.")
            try:
                start = (datetime.strptime(started, _TIME) - datetime(1970, 1, 1)).total_seconds()
            except ValueError:
                raise ValueError(f"{where}: `startTime` must be MM/DD/YY HH:MM:SS, got {started!r}.") from None
            try:
                length = to_float(entry.get("duration"), finite=True) / 1000.0
            except (ValueError, TypeError):
                raise ValueError(f"{where}: `duration` must be milliseconds, got {entry.get('duration')!r}.") from None
            manual = entry.get("logType") == "manual"
            span = activity_span(start, start + length, str(name or ""), self.report, manual=manual)
            if span is not None:
                self.logs.spans.append(span)

    def sleeps(self, text: str, label: str) -> None:
        """Parses `sleep*.json`: sleeps in local time, with stages if the device provides them."""
        for place, entry in enumerate(load_json_list(text, label)):
            where = f"{label}, {line_of(text, place, _START)}"
            start = _local_time(entry.get("startTime"), "startTime", where)
            end = _local_time(entry.get("endTime"), "endTime", where)
            span = local_epoch_minute(start, self.zone), local_epoch_minute(end, self.zone, up=True)
            if not 0 < span[1] - span[0] <= MINUTES_PER_DAY:
                length = f"sleep of {span[1] - span[0]} min"
                self.report.note(
                    "sleep-impossible", "dropped", "sleep logs that end before they start, or last over 24 h", length
                )
                continue
            if entry.get("logType") == "manual":
                self.report.note("sleep-manual", "kept", "sleep logs entered manually")
            main = entry.get("mainSleep")
            main = main if isinstance(main, bool) else None
            log = Span(*span, "sleep", sleep_label(*span, self.zone, main=main))
            staged = entry.get("type") == "stages" and "sleep_stage_deep" in self.schema
            self._add_sleep(entry.get("logId"), Sleep(log, tuple(self._stages(entry, where)) if staged else (), staged))

    def _add_sleep(self, log_id: Any, sleep: Sleep) -> None:
        """Adds a sleep; a later version of the same log replaces it."""
        key = str(log_id) if log_id not in (None, "") else f"{sleep.span.start} to {sleep.span.end}"
        known = self.logs.sleeps.get(key)
        if known is not None and not (known.span.start < sleep.span.end and sleep.span.start < known.span.end):
            key = f"{key} from {sleep.span.start}"  # another sleep with the same id
        if key in self.logs.sleeps:
            message = "sleep logs listed again, for example after they were edited; the last version is used"
            self.report.note("sleep-listed-twice", "dropped", message, self.current)
        self.logs.sleeps[key] = sleep

    def _stages(self, entry: dict[str, Any], where: str) -> Iterator[Stage]:
        levels = entry.get("levels")
        for part, short in (("data", False), ("shortData", True)):
            try:
                for stage in (levels or {}).get(part) or []:
                    name = stage["level"]
                    if name not in STAGES:
                        continue
                    start = _local_time(stage["dateTime"], "levels.dateTime", where)
                    begin = local_epoch_minute(start, self.zone) + start.second / 60.0
                    length = to_float(stage["seconds"], finite=True) / 60.0
                    yield begin, begin + length, name, short
            except (KeyError, TypeError, AttributeError):
                raise ValueError(
                    f"{where}: `levels.{part}` must be a list of stages with `level`, `dateTime` and `seconds`."
                ) from None

    def resting(self, text: str, label: str) -> None:
        """Parses `resting_heart_rate*.json`: one estimate per local date, bpm."""
        for place, entry in enumerate(load_json_list(text, label)):
            value = entry.get("value")
            if not isinstance(value, dict) or not value.get("date") or not value.get("value"):
                continue  # Fitbit lists days without a value as null or 0
            try:
                day = datetime.strptime(value["date"], "%m/%d/%y").date()
                self.logs.resting[day] = round(to_float(value["value"], finite=True), 1)
            except (ValueError, TypeError):
                raise ValueError(
                    f"{label}: entry {place} must contain a date MM/DD/YY and a number, got {value!r}."
                ) from None


def _local_time(value: Any, name: str, where: str) -> datetime:
    try:
        return datetime.fromisoformat(value).replace(tzinfo=None)
    except (TypeError, ValueError):
        raise ValueError(f"{where}: `{name}` must be a local ISO 8601 time, got {value!r}.") from None
