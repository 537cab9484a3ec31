"""Turns what a consumer device recorded into local days: samples, steps, sleeps, stages, workouts, daily values.

The rules are those of the Apple Health reader. Samples are averaged within the minute. Steps are spread evenly over
their record; if two devices cover a minute, the larger count is kept; a minute without a record counts 0 steps if the
device was worn (see [`worn_minutes`]) and the window has steps elsewhere.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, tzinfo

import numpy as np

from ...days import MINUTES_PER_DAY, LabelValue, SensorDay
from ...schema import SensorSchema, get_schema
from .device_times import EARLIEST, LATEST
from .logs import Span, activity_label, activity_span, sleep_label
from .minutes import moment_of, within
from .quality import ReadReport
from .wear_rules import MAX_STEPS_MINUTES, stage_shares, worn_minutes
from .windows import PersonDays, add_features

CHANNELS = {
    "HR": ("HR",),
    "rmssd": ("rmssd_percentile_0595", "rmssd0595"),
    "sdnn": ("sdnn_percentile_0595", "sdnn0595"),
    "spo2": ("spo2",),
    "temperature": ("wrist_temperatures",),
    "eda": ("eda_level_real",),
    "met": ("met",),
    "enmo": ("enmo",),
}
"""Quantities that devices sample (bpm, ms, ms, %, degC, uS, MET, mg) and their channels.

No shipped schema has `met` and `enmo`.
"""

STAGES = ("awake", "light", "deep", "rem")
"""Stages of sleep, each the end of a channel's name."""

SAME_WORKOUT_SECONDS = 120
"""Maximum difference between the starts, and between the ends, of two records of the same workout."""

SLEEP_PAUSE_SECONDS = 1800.0
"""Maximum time between segments of sleep of the same night."""

LONGEST_EVENT = 31 * 86_400.0
"""Seconds; a longer sleep or workout has a damaged time."""

_CHUNK = 50_000


@dataclass
class Batch:
    """What one file contains. Times are seconds since 1970; ends are exclusive.

    Attributes:
        zone: The person's zone, for times without offset.
        report: Collects what is dropped or unusual.
        samples: `{quantity of [`CHANNELS`]: [(times (n,), values (n,))]}`, in the quantity's unit.
        steps: `{device: [(starts (n,), ends (n,), counts (n,))]}`.
        counters: `(time, counter, total)` of counters that only grow until they are reset.
        stages: `(start, end, stage of [`STAGES`])`.
        sleeps: `(start, end, whether it is the main sleep, None if unknown)`.
        workouts: `(start, end, name, whether it was entered manually)`.
        daily: `(local date, label, value)`.
        features: `({channel: (minutes,) values}, epoch minute of the first)`, computed from raw signals.
        people: Batches by subject id, if the files contain several people.
    """

    zone: tzinfo
    report: ReadReport
    samples: dict[str, list[tuple[np.ndarray, np.ndarray]]] = field(default_factory=lambda: defaultdict(list))
    steps: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = field(default_factory=lambda: defaultdict(list))
    counters: list[tuple[float, str, float]] = field(default_factory=list)
    stages: list[tuple[float, float, str]] = field(default_factory=list)
    sleeps: list[tuple[float, float, bool | None]] = field(default_factory=list)
    workouts: list[tuple[float, float, str, bool]] = field(default_factory=list)
    daily: list[tuple[date, str, LabelValue]] = field(default_factory=list)
    features: list[tuple[dict[str, np.ndarray], int]] = field(default_factory=list)
    people: dict[str, Batch] = field(default_factory=dict)

    def person(self, subject_id: str) -> Batch:
        """Returns the batch of one of several people."""
        return self.people.setdefault(subject_id, Batch(self.zone, self.report))

    def add_samples(self, quantity: str, times: Sequence[float], values: Sequence[float | None]) -> None:
        """Adds samples; a missing value is None or NaN."""
        held = np.asarray(times, dtype=np.float64), np.asarray(values, dtype=np.float64)
        if len(held[0]):
            self.samples[quantity].append(held)

    def add_steps(self, device: str, starts: Sequence[float], ends: Sequence[float], counts: Sequence[float]) -> None:
        """Adds records of steps: how many from a start to an end."""
        columns = [np.asarray(column, dtype=np.float64) for column in (starts, ends, counts)]
        if len(columns[0]):
            self.steps[device].append((columns[0], columns[1], columns[2]))

    def add_sleep(self, start: float | None, end: float | None, main: bool | None = None) -> None:
        """Adds a sleep; one without times is noted instead."""
        if start is None or end is None or not math.isfinite(start + end):
            self.report.note("sleep-without-times", "dropped", "sleep logs without a start or an end")
        else:
            self.sleeps.append((start, end, main))

    def add_workout(self, start: float | None, end: float | None, name: str, *, manual: bool = False) -> None:
        """Adds a workout; one without times is noted instead."""
        if start is None or end is None or not math.isfinite(start + end):
            self.report.note("exercise-without-times", "dropped", "exercises without a start or a duration", name)
        else:
            self.workouts.append((start, end, name, manual))

    def check_times(self, label: str) -> None:
        """Checks that all times are ones that a device can have recorded.

        Args:
            label: How messages call the file.

        Raises:
            ValueError: If one is not; otherwise a damaged number makes days of another century, or minutes without end.
        """
        spans = [(start, end) for held in (self.stages, self.sleeps, self.workouts) for start, end, *_ in held]
        parts = [np.array([edge for span in spans for edge in span]), np.array([at for at, *_ in self.counters])]
        parts += [times for held in self.samples.values() for times, _ in held]
        parts += [edges for held in self.steps.values() for starts, ends, _ in held for edges in (starts, ends)]
        for times in parts:
            wrong = ~((times >= EARLIEST) & (times < LATEST)) & ~np.isnan(times)
            if wrong.any():
                raise ValueError(
                    f"{label}: contains the time {times[wrong][0]:g} in seconds since 1970; times must be in the years"
                    f" 1970 to 2099. Export it again."
                )
        longest = max((end - start for start, end in spans), default=0.0)
        if longest > LONGEST_EVENT:
            raise ValueError(
                f"{label}: contains a sleep or a workout of {longest / 86_400:,.0f} days; the longest possible is"
                f" {LONGEST_EVENT / 86_400:.0f}. Export it again."
            )
        for batch in self.people.values():
            batch.check_times(label)

    def merge(self, other: Batch) -> None:
        """Appends what another file contains."""
        for quantity, parts in other.samples.items():
            self.samples[quantity] += parts
        for device, records in other.steps.items():
            self.steps[device] += records
        self.counters += other.counters
        self.stages += other.stages
        self.sleeps += other.sleeps
        self.workouts += other.workouts
        self.daily += other.daily
        self.features += other.features
        for subject_id, batch in other.people.items():
            self.person(subject_id).merge(batch)


class DeviceDays:
    """Builds the days of one person from everything that a device recorded.

    Args:
        subject_id: Subject id.
        schema: Schema of the days.
        day_start: Minute of the local day at which windows start, or None for the first observed minute.
        batch: What the device recorded; its zone and report are used.
    """

    def __init__(self, subject_id: str, schema: SensorSchema, day_start: int | None, batch: Batch) -> None:
        self.schema, self.report, self.batch = schema, batch.report, batch
        self.person = PersonDays(subject_id, schema, batch.zone, day_start, batch.report)
        self.person.finish = self._finish
        self.devices = 0

    def days(self) -> Iterator[SensorDay]:
        """Yields the days in chronological order; days without any observed minute are omitted."""
        self.prepare()
        yield from self.person.emit()

    def prepare(self) -> None:
        """Adds everything to the store, the spans and the labels of the person."""
        for quantity in self.batch.samples:
            self._store_samples(quantity)
        steps_of_counters(self.batch)
        for device in sorted(self.batch.steps):
            self._store_steps(device)
        self._store_stages()
        for values, first in self.batch.features:
            add_features(self.person, values, first)
        self.person.spans += self._nights() + self._workouts()
        self.person.check_logs()
        for day, label, value in self.batch.daily:
            self.person.labels.setdefault(day, {})[label] = value

    def _store_samples(self, quantity: str) -> None:
        # Heart rate shows whether the device was worn, even if the schema has no channel for it.
        key = next((key for key in CHANNELS[quantity] if key in self.schema), None)
        if key is None and quantity != "HR":
            count = sum(len(times) for times, _ in self.batch.samples[quantity])
            message = "samples of quantities for which the schema has no channel"
            self.report.note("samples-unused", "info", message, quantity, count)
            return
        channel = self.schema[key] if key else get_schema("sensorlm-26")[quantity]
        parts = self.batch.samples[quantity]
        times = np.concatenate([part[0] for part in parts])
        values, outside = within(np.concatenate([part[1] for part in parts]), *channel.valid_range)
        message = f"{channel.label} values outside {channel.valid_range} {channel.unit}"
        self.report.note(f"implausible-{channel.key}", "dropped", message, count=outside)
        good = np.isfinite(values) & np.isfinite(times)
        times, values = _unique(
            [times[good], values[good]], self.report, "samples-twice", "samples listed twice, kept once"
        )
        self._store(channel.key, (times // 60).astype(np.int64), values)

    def _store(self, key: str, minutes: np.ndarray, values: np.ndarray) -> None:
        """Adds sorted minutes in chunks, because the store's work grows with samples times days."""
        for begin in range(0, len(minutes), _CHUNK):
            self.person.store.add(key, minutes[begin : begin + _CHUNK], values[begin : begin + _CHUNK])

    def _store_steps(self, device: str) -> None:
        if "steps" not in self.schema:
            return
        columns = [np.concatenate(parts) for parts in zip(*self.batch.steps[device], strict=True)]
        good = np.isfinite(columns).all(axis=0) & (columns[1] >= columns[0]) & (columns[2] >= 0)
        self.report.note(
            "steps-impossible", "dropped", "step records without a length or count", count=int((~good).sum())
        )
        columns = _unique(
            [column[good] for column in columns],
            self.report,
            "step-records-twice",
            "step records listed twice, kept once",
        )
        long = columns[1] - columns[0] > 60.0 * MAX_STEPS_MINUTES
        message = f"step records longer than {MAX_STEPS_MINUTES} minutes, of which the time is unknown"
        self.report.note("steps-long-record", "dropped", message, count=int((long & (columns[2] > 0)).sum()))
        minutes, counts = spread(*(column[~long] for column in columns))
        order = np.argsort(minutes, kind="stable")
        self._store(f"steps of device {self.devices}", minutes[order], counts[order])
        self.devices += 1

    def _store_stages(self) -> None:
        spans: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for start, end, stage in dict.fromkeys(self.batch.stages):
            if end > start and f"sleep_stage_{stage}" in self.schema:
                spans[stage].append((start, end))
        for stage, held in spans.items():
            starts, ends = np.array(sorted(held)).T
            minutes, shares = spread(starts, ends, (ends - starts) / 60.0)
            order = np.argsort(minutes, kind="stable")
            self._store(f"share of {stage}", minutes[order], shares[order])

    def _nights(self) -> list[Span]:
        """Returns the sleeps; those that overlap, because two devices recorded them, are merged."""
        merged: list[tuple[float, float, bool | None]] = []
        for start, end, main in sorted(dict.fromkeys(self.batch.sleeps), key=lambda sleep: sleep[:2]):
            if not 0 < end - start <= 60.0 * MINUTES_PER_DAY:
                self.report.note(
                    "sleep-impossible",
                    "dropped",
                    "sleep logs that end before they start, or last over 24 h",
                    f"sleep of {(end - start) / 60:.0f} min",
                )
            elif merged and start < merged[-1][1]:
                first, last, was_main = merged[-1]
                merged[-1] = (first, max(last, end), True if True in (main, was_main) else was_main)
                self.report.note("overlapping-sleep", "kept", "sleep logs that overlap another, merged with it")
            else:
                merged.append((start, end, main))
        spans = [(int(start // 60), int(-(-end // 60)), main) for start, end, main in merged]
        return [
            Span(start, end, "sleep", sleep_label(start, end, self.person.zone, main=main))
            for start, end, main in spans
        ]

    def _workouts(self) -> list[Span]:
        spans: list[Span] = []
        kept: list[tuple[float, float, str]] = []
        for start, end, name, manual in sorted(self.batch.workouts):
            label = activity_label(name)
            if any(
                label == other and max(abs(start - begun), abs(end - ended)) <= SAME_WORKOUT_SECONDS
                for begun, ended, other in kept[-5:]
            ):
                what = f"{name} of {(end - start) / 60:.0f} min"
                self.report.note("duplicate-log", "dropped", "log entries listed twice, kept once", what)
                continue
            span = activity_span(start, end, name, self.report, manual=manual)
            if span is not None:
                kept.append((start, end, label))
                spans.append(span)
        return spans

    def _finish(self, values: np.ndarray, start: int) -> None:
        """Fills the channels that depend on several records: steps and sleep stages."""
        store = self.person.store
        worn = worn_minutes(store.window("HR", start)[1] > 0)
        if "steps" in self.schema and self.devices:
            counts = np.array([store.sum(f"steps of device {n}", start) for n in range(self.devices)])
            known = ~np.isnan(counts)
            self.report.note(
                "steps-two-trackers",
                "dropped",
                "minutes with steps from two devices; the larger count is kept",
                self.person.subject_id,
                int((known.sum(axis=0) > 1).sum()),
            )
            if known.any():
                channel = self.schema["steps"]
                steps, outside = within(np.fmax.reduce(counts), *channel.valid_range)
                message = f"{channel.label} minutes outside {channel.valid_range} {channel.unit}"
                self.report.note("implausible-steps", "dropped", message, count=outside)
                unlisted = ~known.any(axis=0) & worn
                values[:, self.schema.index("steps")] = np.where(unlisted, 0.0, steps)
        shares = {f"sleep_stage_{stage}": store.sum(f"share of {stage}", start) for stage in STAGES}
        present = {key: share for key, share in shares.items() if key in self.schema}
        for key, share in stage_shares(present, worn).items():
            values[:, self.schema.index(key)] = share


def spread(starts: np.ndarray, ends: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spreads counts evenly over the minutes of their records.

    Args:
        starts: `(n,)` seconds since 1970.
        ends: `(n,)` seconds since 1970, exclusive; a record without length belongs to the minute of its start.
        counts: `(n,)` counts.

    Returns:
        Epoch minutes `(m,)` int64 and the counts that belong to them `(m,)`; their sum is that of `counts`.
    """
    first = np.floor(starts / 60).astype(np.int64)
    last = np.maximum(np.ceil(ends / 60).astype(np.int64) - 1, first)
    lengths = last - first + 1
    row = np.repeat(np.arange(len(first)), lengths)
    minutes = first[row] + np.arange(len(row)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    inside = np.minimum(ends[row], 60.0 * (minutes + 1)) - np.maximum(starts[row], 60.0 * minutes)
    whole = (ends - starts)[row]
    return minutes, counts[row] * np.divide(inside, whole, out=np.ones(len(row)), where=whole > 0)


def merge_segments(
    segments: Sequence[tuple[float, float]], pause: float = SLEEP_PAUSE_SECONDS
) -> list[tuple[float, float]]:
    """Merges segments of sleep that overlap or are at most `pause` seconds apart.

    Args:
        segments: `(start, end)`, seconds since 1970, in any order.
        pause: Maximum time between segments of the same night.
    """
    merged: list[tuple[float, float]] = []
    for start, end in sorted(segments):
        if merged and start - merged[-1][1] <= pause:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    return merged


def steps_of_counters(batch: Batch) -> None:
    """Turns growing counters of steps into records from one reading of any counter to the next.

    Counters restart on each local day; one that falls within a day was reset as well, and its value is what was counted
    since. The first reading of a counter has no earlier one, so the time of its steps is unknown.
    """
    latest: dict[str, tuple[date, float]] = {}
    before = moment = -np.inf
    records: list[tuple[float, float, float]] = []
    unknown = 0
    for time, counter, total in sorted(dict.fromkeys(batch.counters)):
        if time != moment:
            before, moment = moment, time
        # A reading at midnight is the last of the day that ends.
        day = moment_of(int((time - 1) // 60), batch.zone).date()
        earlier = latest.get(counter)
        latest[counter] = day, total
        if earlier is None:
            unknown += total > 0
            continue
        taken = total - earlier[1] if day == earlier[0] and total >= earlier[1] else total
        if taken > 0:
            records.append((before, time, taken))
    message = "first readings of step counters, whose steps were taken at an unknown time"
    batch.report.note("steps-first-reading", "dropped", message, count=unknown)
    if records:
        starts, ends, counts = zip(*records, strict=True)
        batch.add_steps("counter", starts, ends, counts)


def _unique(columns: list[np.ndarray], report: ReadReport, code: str, message: str) -> list[np.ndarray]:
    """Returns rows sorted by the first column, each once, and notes how many were listed again."""
    order = np.lexsort(columns[::-1])
    ordered = np.array([column[order] for column in columns]).reshape(len(columns), -1)
    kept = np.ones(ordered.shape[1], dtype=bool)
    kept[1:] = (np.diff(ordered, axis=1) != 0).any(axis=0)
    report.note(code, "dropped", message, count=int((~kept).sum()))
    return list(ordered[:, kept])
