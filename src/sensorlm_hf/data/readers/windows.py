"""Converts one person's minutes and logs to local days as they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, tzinfo

import numpy as np

from ...days import MINUTES_PER_DAY, LabelValue, SensorDay
from ...schema import SensorSchema
from .logs import Span, events_in_window, note_overlaps, without_duplicates
from .minutes import MinuteStore, local_day_of, local_windows, moment_of, parse_day_start
from .quality import ReadReport

SUMMED_CHANNELS = ("steps", "calories", "distance")
"""Channels whose values within a minute are summed; all others are averaged."""

FIRST = "first"
"""Value of `day_start` for consecutive windows from the person's first observed minute."""


def parse_window_start(day_start: str) -> int | None:
    """Returns the minute of the local day at which windows start, or None for `"first"`.

    Raises:
        ValueError: If it is neither `"HH:MM"` nor `"first"`.
    """
    return None if day_start == FIRST else parse_day_start(day_start)


def windows(first: int, last: int, day_start: int | None, zone: tzinfo) -> Iterator[tuple[int, int]]:
    """Yields `(start, minutes left out after it)` of the windows that touch a span of epoch minutes.

    Args:
        first: First epoch minute.
        last: Last epoch minute, inclusive.
        day_start: Minute of the local day at which windows start; None for consecutive windows from `first`.
        zone: The zone.
    """
    if day_start is None:
        yield from ((start, 0) for start in range(first, last + 1, MINUTES_PER_DAY))
    else:
        yield from local_windows(first, last, day_start, zone)


class PersonDays:
    """Collects one person's minutes and logs and turns them into days.

    Args:
        subject_id: Subject id.
        schema: Schema of the days; channels that it lacks are skipped.
        zone: Local zone.
        day_start: Minute of the local day at which windows start, or None for the first observed minute.
        report: Collects what falls outside the windows.
        keep_largest: Channels for which the largest value of a minute is kept, see [`MinuteStore`].

    Attributes:
        store: The minutes.
        spans: Logged events.
        labels: Labels by local date.
        emitted_until: Epoch minute up to which windows were emitted; None before the first.
        finish: Called with each day's values `(1440, channels)` and start before the day is created; may add values.
    """

    def __init__(
        self,
        subject_id: str,
        schema: SensorSchema,
        zone: tzinfo,
        day_start: int | None,
        report: ReadReport,
        keep_largest: tuple[str, ...] = (),
    ) -> None:
        self.subject_id, self.schema, self.zone, self.day_start = subject_id, schema, zone, day_start
        self.report = report
        self.store = MinuteStore(keep_largest)
        self.spans: list[Span] = []
        self.labels: dict[date, dict[str, LabelValue]] = {}
        self.finish: Callable[[np.ndarray, int], None] | None = None
        self.emitted_until: int | None = None

    def add(self, key: str, minutes: np.ndarray, values: np.ndarray) -> int:
        """Adds samples of a channel; see [`MinuteStore.add`]. Channels that the schema lacks are skipped."""
        return self.store.add(key, minutes, values) if key in self.schema else 0

    def emit(self, until: int | None = None) -> Iterator[SensorDay]:
        """Yields the windows that end by `until`, an epoch minute, and frees their memory; None means all.

        All samples before `until` must have been added; days without any observed minute are skipped.
        """
        span = self.store.span()
        if span is None:
            return
        first = span[0] if self.emitted_until is None else max(span[0], self.emitted_until)
        if self.day_start is None and self.emitted_until is not None:
            first -= (first - self.emitted_until) % MINUTES_PER_DAY
        for start, left_out in windows(first, span[1], self.day_start, self.zone):
            end = start + MINUTES_PER_DAY + left_out
            if until is not None and end > until:
                break
            day = self._day(start) if self.store.overlaps(start) else None
            self.emitted_until = end
            if left_out:
                self._note_left_out(start, left_out)
            if day is not None:
                yield day
        if self.emitted_until is not None:
            # If a day has fewer than 24 hours, its window extends into the next day.
            self.store.discard_before(self.emitted_until - MINUTES_PER_DAY)

    def check_logs(self) -> None:
        """Drops duplicate logs and notes overlapping ones; call it once all logs have been added."""
        self.spans = without_duplicates(self.spans, self.report)
        note_overlaps(self.spans, self.report)

    def _note_left_out(self, start: int, left_out: int) -> None:
        seen = np.zeros(left_out, dtype=bool)
        for key in self.schema.keys:
            seen |= self.store.window(key, start + MINUTES_PER_DAY, left_out)[1] > 0
        self.report.note(
            "clock-change",
            "dropped",
            "observed minutes after the 24th hour of a day on which clocks or the time zone went back",
            moment_of(start, self.zone).date().isoformat(),
            int(seen.sum()),
        )

    def _day(self, start: int) -> SensorDay | None:
        values = np.full((MINUTES_PER_DAY, len(self.schema)), np.nan)
        for column, key in enumerate(self.schema.keys):
            values[:, column] = (self.store.sum if key in SUMMED_CHANNELS else self.store.mean)(key, start)
        if self.finish is not None:
            self.finish(values, start)
        if np.isnan(values).all():
            return None
        moment = moment_of(start, self.zone)
        of_day = moment.date() if self.day_start is None else local_day_of(start, self.day_start, self.zone)
        return SensorDay(
            values=values,
            start=moment,
            subject_id=self.subject_id,
            schema=self.schema,
            events=events_in_window(self.spans, start),
            labels=self.labels.get(of_day, {}),
        )


def add_features(person: PersonDays, features: dict[str, np.ndarray], first_minute: int) -> None:
    """Adds minute features, `{channel key: (minutes,)}`, with minute 0 at an epoch minute; missing ones are skipped.

    Values outside a channel's plausible range are dropped and counted.
    """
    for key, values in features.items():
        if key not in person.schema:
            continue
        channel = person.schema[key]
        low, high = channel.valid_range
        with np.errstate(invalid="ignore"):
            outside = (values < low) | (values > high)
        person.report.note(
            f"implausible-{key}",
            "dropped",
            f"{channel.label} minutes outside {low:g} to {high:g} {channel.unit}",
            person.subject_id,
            int(outside.sum()),
        )
        person.add(key, first_minute + np.arange(len(values)), np.where(outside, np.nan, values))
