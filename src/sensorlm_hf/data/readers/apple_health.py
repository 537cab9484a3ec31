"""Apple Health exports: `export.xml`, its folder, or the zip created by the iPhone.

| record | used for |
|---|---|
| `HeartRate` | channel `HR`: mean of a minute's samples, of the device or app with the most |
| `StepCount` | channel `steps`: spread evenly over the record; the larger count if two devices cover a minute |
| `HeartRateVariabilitySDNN` | SDNN, in the minutes over which it was measured |
| `HeartRateVariabilityRMSSD` | RMSSD, likewise; otherwise from the beats of SDNN records, which are in whole bpm |
| `AppleSleepingWristTemperature` | skin temperature, the mean of a night in all its minutes |
| `OxygenSaturation` | channel `spo2`, if the schema has it |
| `ElectrodermalActivity` | skin conductance level |
| `RestingHeartRate` | label `resting_heart_rate` (bpm) |
| `SleepAnalysis` | sleep events; stages, if the schema has channels for them |
| workouts | activity events |

Dates in the file carry the phone's UTC offset at the time of the export, not that of the recording. Days use the time
zones of sleep and workout records (see [`sensorlm_hf.data.readers.apple_health_zones`]). Sources' and
devices' names, the person's date of birth and workout routes are not read.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import date, tzinfo
from itertools import pairwise
from pathlib import Path

import numpy as np

from ...days import MINUTES_PER_DAY, SensorDay
from ...schema import SchemaLike, SensorSchema, get_schema
from .apple_health_files import Element, find_export, iter_elements
from .apple_health_zones import METADATA_KEY, TimeZoneCollector
from .device_times import EARLIEST, LATEST
from .foreign_files import foreign_hint
from .logs import Span, activity_span, sleep_label
from .minutes import UTC, local_day_of, resolve_timezone
from .mirrors import MIRROR_SECONDS
from .quality import ReadReport, finish
from .sources import Source
from .units import convert_units
from .wear_rules import MAX_STEPS_MINUTES, stage_shares, worn_minutes
from .windows import PersonDays, parse_window_start

_QUANTITY = "HKQuantityTypeIdentifier"
_SLEEP = "HKCategoryTypeIdentifierSleepAnalysis"
CHANNELS = {
    f"{_QUANTITY}HeartRate": (("HR",), "count/min"),
    f"{_QUANTITY}HeartRateVariabilitySDNN": (("sdnn_percentile_0595", "sdnn0595"), "ms"),
    f"{_QUANTITY}HeartRateVariabilityRMSSD": (("rmssd_percentile_0595", "rmssd0595"), "ms"),
    f"{_QUANTITY}AppleSleepingWristTemperature": (("wrist_temperatures",), "degC"),
    f"{_QUANTITY}OxygenSaturation": (("spo2",), "%"),
    f"{_QUANTITY}ElectrodermalActivity": (("eda_level_real",), "mcS"),
}
"""Records that fill channels: the channels of the shipped schemas, and the unit in which they are read."""

_STEPS = f"{_QUANTITY}StepCount"
_RESTING = f"{_QUANTITY}RestingHeartRate"
_STAGES = {"Core": "light", "Deep": "deep", "REM": "rem"}
_STAGE_CHANNELS = ("sleep_stage_awake", "sleep_stage_light", "sleep_stage_deep", "sleep_stage_rem")

MAX_SAMPLE_MINUTES = 10
"""Maximum duration in minutes over which other samples apply to their record."""

MIN_BEATS = 10
"""Minimum number of beats in a list for an RMSSD."""

MIRROR_SHARE = 0.05
"""Largest difference of two step records that count as the same walk, if they start and end within half a minute."""

SLEEP_PAUSE_MINUTES = 30
"""Maximum time between sleep periods of the same night."""

_BATCH = 50_000
_DATE = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2} [+-]\d{4}")
_COMPACT_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)([+-]\d{4})")  # iOS 8
_CLOCK_DATE = re.compile(r"(\d{4}-\d\d-\d\d) (\d{1,2}):(\d\d):(\d\d)\s*([AaPp])\.?[Mm]\.? ([+-]\d{4})")
_WHY_ZONE = (
    "Apple Health writes every date with the phone's offset at the time of the export, and no sleep or workout in"
    " this file contains the time zone in which it was recorded."
)


def read_apple_health(
    export: str | os.PathLike,
    timezone: str | tzinfo | None = None,
    *,
    schema: SchemaLike = "sensorlm-26",
    subject_id: str | None = None,
    day_start: str = "00:00",
    report: ReadReport | None = None,
) -> Iterator[SensorDay]:
    """Reads one person's Apple Health export as local days.

    The XML is streamed: memory grows with the number of recorded days, a few kB per channel and day, not with the size
    of the file, whose records are sorted by kind rather than time. A minute without a step record counts 0 steps if the
    watch was worn (heart rates at most 15 minutes apart around it) and the window has steps elsewhere; otherwise it is
    missing.

    Args:
        export: `export.xml`, the folder that contains it, or the zip.
        timezone: IANA time zone of the person until a sleep or workout record has another; by default that of the
            first such record, so it is required if there is none. An itinerary takes precedence over records.
        schema: Schema of the days.
        subject_id: Subject id; by default `"apple-"` and a hash of the file's first mebibyte.
        day_start: Local time `"HH:MM"` at which windows start, or `"first"`: at the first observed minute.
        report: Collects what was used, dropped or unusual; without one, dropped items are logged.

    Yields:
        Days in chronological order; days without any observed minute are omitted.

    Raises:
        FileNotFoundError: If the path does not exist or contains no export.
        ValueError: If the zone is unknown or missing, or the file is damaged; the message gives file and line.
    """
    zone = resolve_timezone(timezone, _WHY_ZONE) if timezone else None
    start = parse_window_start(day_start)
    path = Path(export)
    if path.is_file() and path.suffix.lower() == ".xml":
        folder, name = path.parent, path.name
    else:
        with Source(path) as source:
            found = find_export(source)
            hint = foreign_hint(source.names, source.unreadable)
        if found is None:
            raise FileNotFoundError(
                f"No Apple Health export in {path}: looked for an XML file with <HealthData>.{hint}"
            )
        folder, name = path, found
    used = report or ReadReport()
    reader = _AppleHealth(get_schema(schema), zone, start, used)
    return finish(reader.days(folder, name, subject_id), used, warn=report is None, source="read_apple_health")


class _AppleHealth:
    """One pass over one export."""

    def __init__(self, schema: SensorSchema, zone: tzinfo | None, day_start: int | None, report: ReadReport) -> None:
        self.schema, self.given_zone, self.day_start, self.report = schema, zone, day_start, report
        self.person = PersonDays(
            "apple", schema, UTC, day_start, report
        )  # the time zone is only known once everything has been read
        self.time_zones = TimeZoneCollector(report)
        self.resting: list[tuple[int, float]] = []
        self.person.finish = self._finish
        self.samples: dict[str, tuple[list[int], list[float]]] = {}
        self.hours: dict[str, int] = {}
        self.sources: dict[str, int] = {}
        self.seen_steps: dict[int, list[tuple[int, float, float, float]]] = {}
        self.seen_samples: dict[tuple[str, int], bytearray] = {}
        self.channel_sources: dict[str, set[str]] = {}
        self.held_keys: dict[tuple[str, str], str] = {}
        self.asleep: list[tuple[int, int]] = []
        self.in_bed: list[tuple[int, int]] = []
        self.staged: list[tuple[int, int]] = []
        self.unused: dict[str, int] = {}
        self.keys = {kind: next((key for key in keys if key in schema), None) for kind, (keys, _) in CHANNELS.items()}
        self.most_steps = schema["steps"].valid_range[1] if "steps" in schema else 0.0
        self.ranges = {key: schema[key].valid_range for key in self.keys.values() if key is not None}

    def days(self, folder: Path, name: str, subject_id: str | None) -> Iterator[SensorDay]:
        """Reads the complete file, then yields its days."""
        with Source(folder) as source:
            label = source.label(name)
            if subject_id is None:
                with closing(source.open(name)) as stream:
                    subject_id = f"apple-{hashlib.sha256(stream.read(1 << 20)).hexdigest()[:8]}"
            self.person.subject_id = subject_id
            with closing(source.open(name)) as stream:
                self._read(iter_elements(stream, label, self._damage), label)
        self.report.files_read.append(name)
        self.person.zone = resolve_timezone(self.time_zones.follow(self.given_zone), _WHY_ZONE)
        for key in list(self.samples):
            self._flush(key)
        for minute, bpm in self.resting:
            local = local_day_of(minute, self.day_start or 0, self.person.zone)
            self.person.labels.setdefault(local, {})["resting_heart_rate"] = bpm
        for kind, count in sorted(self.unused.items()):
            self.report.note("records-unused", "info", "records without a channel", f"{count} x {kind}", count)
        self.person.spans += self._nights()
        self.person.check_logs()
        yield from self.person.emit()

    def _damage(self, line: int, what: str) -> None:
        self.report.note("damaged-xml", "dropped", "damaged parts of the file, read around", f"line {line}: {what}")

    def _read(self, elements: Iterator[Element], label: str) -> None:
        """Takes the records, without those that have no value or time, which are counted."""
        taken, first = 0, ""
        for element in elements:
            try:
                self._take(element, f"{label}, line {element.line}")
                taken += 1
            except ValueError as error:
                first = first or str(error)
                self.report.note("bad-record", "dropped", "records without a readable value or time", str(error))
        if first and not taken:
            raise ValueError(first)

    def _take(self, element: Element, where: str) -> None:
        zone = element.metadata.get(METADATA_KEY)
        # Manual entries may be made in any time zone.
        if zone and element.metadata.get("HKWasUserEntered") != "1":
            self.time_zones.add(int(self._time(element, "startDate", where) // 60), zone)
        if element.tag == "Workout":
            self._workout(element, where)
            return
        kind = element.attributes.get("type", "")
        if kind == _STEPS and "steps" in self.schema:
            self._steps(element, where)
        elif self.keys.get(kind) is not None:
            self._sample(element, kind, where)
        elif kind == _SLEEP:
            self._sleep(element, where)
        elif kind == _RESTING:
            bpm = self._value(element, where, "count/min", "count/min")
            self.resting.append((int(self._time(element, "startDate", where) // 60), round(bpm, 1)))
        else:
            short = kind.removeprefix(_QUANTITY).removeprefix("HKCategoryTypeIdentifier") or "records without a type"
            self.unused[short] = self.unused.get(short, 0) + 1

    def _time(self, element: Element, name: str, where: str) -> float:
        """Seconds since 1970. Hours are cached, because parsing the times would dominate the run time."""
        text = element.attributes.get(name, "")
        if not _DATE.fullmatch(text):
            text = _usual_date(text)
            if not _DATE.fullmatch(text):
                raise ValueError(f"{where}: `{name}` must be a time YYYY-MM-DD HH:MM:SS +HHMM, got {text!r}.")
        hour = self.hours.get(text[:13] + text[20:])
        try:
            if hour is None:
                midnight = (date.fromisoformat(text[:10]) - date(1970, 1, 1)).days * 86_400
                offset = int(text[21:23]) * 3600 + int(text[23:25]) * 60
                hour = midnight + int(text[11:13]) * 3600 - (offset if text[20] == "+" else -offset)
                self.hours[text[:13] + text[20:]] = hour
            seconds = hour + int(text[14:16]) * 60 + int(text[17:19])
        except ValueError:
            raise ValueError(f"{where}: `{name}` is not a date: {text!r}.") from None
        if not EARLIEST <= seconds < LATEST:
            raise ValueError(f"{where}: `{name}` must be in the years 1970 to 2099, got {text!r}.")
        return seconds

    def _span(self, element: Element, where: str) -> tuple[float, float]:
        start = self._time(element, "startDate", where)
        attributes = element.attributes
        if attributes.get("endDate", "") == attributes["startDate"]:  # as of most samples
            return start, start
        return start, self._time(element, "endDate", where)

    def _value(self, element: Element, where: str, unit: str, usual: str) -> float:
        text = element.attributes.get("value", "")
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"{where}: `value` must be a number, got {text!r}.") from None
        given = element.attributes.get("unit", usual)
        if given in (unit, usual):
            return value
        return float(convert_units(np.array([value]), given, unit, where)[0])

    def _sample(self, element: Element, kind: str, where: str) -> None:
        key, unit = str(self.keys[kind]), CHANNELS[kind][1]
        value = self._value(element, where, unit, unit)
        if kind.endswith("OxygenSaturation") and value <= 1.0:
            value *= 100.0  # Apple writes 0.97 and calls it %
        low, high = self.ranges[key]
        if not low <= value <= high:
            channel = self.schema[key]
            message = f"{channel.label} values outside {channel.valid_range} {channel.unit}"
            self.report.note(f"implausible-{key}", "dropped", message, f"{value:g}")
            return
        start, end = self._span(element, where)
        key = self._of_source(key, element)
        if self._listed_before(key, start):
            self.report.note("sample-listed-twice", "dropped", "records of one source listed twice, counted once")
            return
        first = int(start // 60)
        # A sample's end is exclusive, but most samples begin and end in the same second.
        longest = MINUTES_PER_DAY if kind.endswith("SleepingWristTemperature") else MAX_SAMPLE_MINUTES
        last = max(first, min(int(-(-end // 60)) - 1, first + longest - 1))
        if first == last:
            self._hold(key, (first,), (value,))
        else:
            self._hold(key, range(first, last + 1), [value] * (last - first + 1))
        if element.beats:
            self._beats(element, first, last)

    def _of_source(self, key: str, element: Element) -> str:
        """Key of a channel's samples from the record's source; numbered, because sources' names contain people's."""
        name = element.attributes.get("sourceName", element.attributes.get("source", ""))
        held = self.held_keys.get((key, name))
        if held is None:
            number = self.sources.setdefault(name, len(self.sources))
            held = self.held_keys[key, name] = f"{key} of source {number}"
            self.channel_sources.setdefault(key, set()).add(held)
        return held

    def _listed_before(self, key: str, start: float) -> bool:
        """Marks the second of a sample; returns whether it is marked. A bit per second needs 11 kB a day."""
        day, second = divmod(int(start), 86_400)
        marks = self.seen_samples.setdefault((key, day), bytearray(10_800))
        bit = 1 << (second % 8)
        known = bool(marks[second // 8] & bit)
        marks[second // 8] |= bit
        return known

    def _beats(self, element: Element, first: int, last: int) -> None:
        """RMSSD of the beats in a record, for exports without RMSSD records."""
        key = self.keys[f"{_QUANTITY}HeartRateVariabilityRMSSD"]
        bpm = np.array([float(beat) for beat in element.beats if re.fullmatch(r"\d+(\.\d+)?", beat)])
        bpm = bpm[bpm > 0]
        if key is None or len(bpm) < MIN_BEATS:
            return
        rmssd = float(np.sqrt(np.mean(np.diff(60_000.0 / bpm) ** 2)))
        self._hold(f"{key} of beats", range(first, last + 1), [rmssd] * (last - first + 1))

    def _hold(self, key: str, minutes: Iterable[int], values: Iterable[float]) -> None:
        """Buffers samples and adds them in batches, which is many times faster."""
        held = self.samples.setdefault(key, ([], []))
        held[0].extend(minutes)
        held[1].extend(values)
        if len(held[0]) > _BATCH:
            self._flush(key)

    def _flush(self, key: str) -> None:
        minutes, values = self.samples.pop(key)
        self.person.store.add(key, np.array(minutes, dtype=np.int64), np.array(values, dtype=np.float64))

    def _steps(self, element: Element, where: str) -> None:
        count = self._value(element, where, "count", "count")
        start, end = self._span(element, where)
        name = element.attributes.get("sourceName", element.attributes.get("source", ""))
        # Numbered, because source names contain people's names.
        number = self.sources.setdefault(name, len(self.sources))
        if self._steps_known(number, start, end, count):
            message = "step records listed twice, or by a second device or app at most half a minute apart"
            self.report.note("steps-listed-twice", "dropped", message)
            return
        what = f"{count:g} steps in {(end - start) / 60:.0f} min"
        if not 0 <= end - start <= MAX_STEPS_MINUTES * 60:
            message = f"step records that end before they start, or last over {MAX_STEPS_MINUTES} minutes"
            self.report.note("steps-long-record", "dropped", message, what)
            return
        minutes, shares = _shares(start, end)
        if count * max(shares) > self.most_steps:
            self.report.note(
                "implausible-steps", "dropped", "step records with implausibly many steps per minute", what
            )
            return
        self._hold(f"steps of source {number}", minutes, [count * share for share in shares])

    def _steps_known(self, source: int, start: float, end: float, count: float) -> bool:
        """Remembers a step record; returns whether it is known, also from another source and slightly different."""
        minute = int(start // 60)
        for near in (minute - 1, minute, minute + 1):
            for other, other_start, other_end, other_count in self.seen_steps.get(near, ()):
                if (source, start, end) == (other, other_start, other_end):
                    return True
                shift = max(abs(start - other_start), abs(end - other_end))
                same = abs(count - other_count) <= MIRROR_SHARE * max(count, other_count)
                if source != other and same and shift <= MIRROR_SECONDS:
                    return True
        self.seen_steps.setdefault(minute, []).append((source, start, end, count))
        return False

    def _sleep(self, element: Element, where: str) -> None:
        start, end = self._span(element, where)
        state = element.attributes.get("value", "").removeprefix("HKCategoryValueSleepAnalysis")
        first, last = int(start // 60), int(-(-end // 60))
        if not 0 < last - first <= MINUTES_PER_DAY:
            message = "sleep records that end before they start, or last over 24 h"
            self.report.note("sleep-impossible", "dropped", message, f"{state} of {last - first} min")
            return
        (self.in_bed if state == "InBed" else self.asleep).append((first, last))
        stage = _STAGES.get(state.removeprefix("Asleep"), "awake" if state == "Awake" else "")
        key = f"sleep_stage_{stage}"
        if stage and key in self.schema:
            self.staged.append((first, last))
            minutes, shares = _shares(start, end)
            self._hold(f"share of {key}", minutes, [share * (end - start) / 60.0 for share in shares])

    def _nights(self) -> list[Span]:
        """Merges the sleeps of all devices; time in bed is used if no device recorded any sleep."""
        asleep = _merge(self.asleep, SLEEP_PAUSE_MINUTES)
        overlapping = sum(a < last for (a, _), last in zip(sorted(self.asleep)[1:], _ends(self.asleep), strict=False))
        self.report.note(
            "overlapping-sleep",
            "kept",
            "sleep records that overlap, of several devices or written again during a night; merged",
            count=overlapping,
        )
        beds = [
            bed
            for bed in _merge(self.in_bed, SLEEP_PAUSE_MINUTES)
            if not any(start < bed[1] and end > bed[0] for start, end in asleep)
        ]
        return [
            Span(start, end, "sleep", sleep_label(start, end, self.person.zone))
            for start, end in sorted(asleep + beds)
            if end - start <= MINUTES_PER_DAY
        ]

    def _workout(self, element: Element, where: str) -> None:
        start, end = self._span(element, where)
        name = element.attributes.get("workoutActivityType", "")
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removeprefix("HKWorkoutActivityType"))
        manual = element.metadata.get("HKWasUserEntered") == "1"
        span = activity_span(start, end, words, self.report, manual=manual)
        if span is not None:
            self.person.spans.append(span)

    def _finish(self, values: np.ndarray, start: int) -> None:
        """Fills values that depend on several records: steps of several devices, and sleep stages."""
        store = self.person.store
        for key, held in self.channel_sources.items():
            self._fill_main_source(key, sorted(held), values, start)
        rmssd = self.keys[f"{_QUANTITY}HeartRateVariabilityRMSSD"]
        if rmssd is not None:
            column = values[:, self.schema.index(rmssd)]
            column[:] = np.where(np.isnan(column), store.mean(f"{rmssd} of beats", start), column)
        worn = self._worn(start)
        if "steps" in self.schema:
            counts = [store.sum(f"steps of source {n}", start) for n in self.sources.values()]
            known = np.sum([~np.isnan(count) for count in counts], axis=0) if counts else np.zeros(MINUTES_PER_DAY)
            self.report.note(
                "steps-two-trackers",
                "dropped",
                "minutes with steps from two devices; the larger count is kept",
                self.person.subject_id,
                int((known > 1).sum()),
            )
            if (known > 0).any():
                with np.errstate(invalid="ignore"):
                    steps = np.fmax.reduce(counts)
                values[:, self.schema.index("steps")] = np.where(np.isnan(steps) & worn, 0.0, steps)
        present = [key for key in _STAGE_CHANNELS if key in self.schema]
        shares = {key: store.sum(f"share of {key}", start) for key in present}
        for key, share in stage_shares(shares, worn).items():
            values[:, self.schema.index(key)] = share

    def _fill_main_source(self, key: str, held: list[str], values: np.ndarray, start: int) -> None:
        """Fills a channel; in each minute from the source with the most samples, because others may mirror it."""
        store = self.person.store
        counts = np.array([store.window(name, start)[1] for name in held])
        means = np.array([store.mean(name, start) for name in held])
        best = counts.argmax(axis=0)
        values[:, self.schema.index(key)] = means[best, np.arange(MINUTES_PER_DAY)]
        message = "minutes with samples of several devices or apps; those of the one with the most are used"
        self.report.note("other-source", "dropped", message, key, int(((counts > 0).sum(axis=0) > 1).sum()))

    def _worn(self, start: int) -> np.ndarray:
        """Minutes between heart rates that are close together."""
        held = [self.person.store.window(name, start)[1] > 0 for name in self.channel_sources.get("HR", ())]
        return worn_minutes(np.any(held, axis=0) if held else np.zeros(MINUTES_PER_DAY, dtype=bool))


def _usual_date(text: str) -> str:
    """Rewrites the dates of iOS 8, and those of phones with a 12-hour clock, as the others are written."""
    match = _COMPACT_DATE.fullmatch(text)
    if match:
        return "{}-{}-{} {}:{}:{} {}".format(*match.groups())
    match = _CLOCK_DATE.fullmatch(text)
    if match:
        hour = int(match[2]) % 12 + (12 if match[5].lower() == "p" else 0)
        return f"{match[1]} {hour:02d}:{match[3]}:{match[4]} {match[6]}"
    return text


def _shares(start: float, end: float) -> tuple[list[int], list[float]]:
    """Returns the minutes that a time span in seconds covers, and the fraction in each; fractions sum to 1."""
    first, last = int(start // 60), max(int(-(-end // 60)) - 1, int(start // 60))
    if first == last:
        return [first], [1.0]
    edges = [start, *(60.0 * minute for minute in range(first + 1, last + 1)), end]
    return list(range(first, last + 1)), [(after - before) / (end - start) for before, after in pairwise(edges)]


def _merge(spans: list[tuple[int, int]], pause: int) -> list[tuple[int, int]]:
    """Merges spans that overlap or are at most `pause` minutes apart."""
    merged: list[list[int]] = []
    for start, end in sorted(spans):
        if merged and start - merged[-1][1] <= pause:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    return [(start, end) for start, end in merged]


def _ends(spans: list[tuple[int, int]]) -> list[int]:
    """Latest end of each span and those before it, in order of start."""
    ends: list[int] = []
    for _, end in sorted(spans):
        ends.append(max(end, ends[-1]) if ends else end)
    return ends
