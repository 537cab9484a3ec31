"""Gathers the measurements of tables by person and minute, and cuts them into days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo

import numpy as np

from ...days import MINUTES_PER_DAY, SensorDay
from ...schema import SensorSchema
from .minutes import UTC, MinuteStore, moment_of
from .quality import ReadReport
from .table_columns import TIME_COLUMNS
from .table_frames import Measurements, Series
from .table_values import counter_steps, is_counter
from .windows import parse_window_start, windows


class TableDays:
    """Days of one table, or of several that contain different channels or times of the same people.

    Args:
        schema: Schema of the days.
        day_start: Local time at which windows start; None for midnight.
        report: Collects what is dropped or unusual.
    """

    def __init__(self, schema: SensorSchema, day_start: str | None, report: ReadReport) -> None:
        self.schema, self.report = schema, report
        self.day_start = parse_window_start(day_start or "00:00")
        self.zone: tzinfo | None = None
        self.stores: dict[str, MinuteStore] = {}
        self.summed: dict[str, bool] = {}
        self.sources: dict[tuple[str, str], str] = {}
        self.untimed: list[SensorDay] = []

    def add(self, found: Measurements) -> None:
        """Adds the measurements of a table.

        Raises:
            ValueError: If an earlier table has other values of a person's channel in the same minutes.
        """
        if found.seconds is None:
            self.untimed += _untimed_days(found, self.schema)
            return
        self.zone = self.zone or found.zone
        for part in found.series:
            self.summed[part.key] = part.summed
        order = np.argsort(found.people, kind="stable")
        edges = np.searchsorted(found.people[order], np.arange(len(found.names) + 1))
        for number, who in enumerate(found.names):
            rows = order[edges[number] : edges[number + 1]]
            if len(rows):
                self._add_person(who, found, rows)

    def _add_person(self, who: str, found: Measurements, rows: np.ndarray) -> None:
        store = self.stores.setdefault(who, MinuteStore())
        seconds = found.seconds[rows] if found.seconds is not None else np.empty(0)
        several = len({part.key for part in found.series}) < len(found.series)
        for part in found.series:
            minutes, values = self._minutes(part, seconds, part.values[rows], found.label)
            earlier = self.sources.get((who, part.key))
            if earlier is not None and not (several and earlier == found.label):
                minutes, values = self._new_minutes(store, who, part, minutes, values, found.label, earlier)
            store.add(part.key, minutes, values)
            if len(values):
                self.sources[who, part.key] = found.label

    def _minutes(
        self, part: Series, seconds: np.ndarray, values: np.ndarray, label: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Minutes and values of a person's channel; counters of steps become steps, impossible ones missing."""
        minutes = np.floor(seconds / 60.0).astype(np.int64)
        if not part.summed or part.key not in self.schema:
            return minutes, values
        most = self.schema[part.key].valid_range[1]
        if part.key == "steps":
            known = np.flatnonzero(~np.isnan(values))
            known = known[np.argsort(seconds[known], kind="stable")]
            if is_counter(values[known], seconds[known], most):
                message = "readings of a step counter that only rises; the steps between readings are used"
                self.report.note("step-counter", "kept", message, label, len(known))
                minutes, values, unknown = counter_steps(values[known], seconds[known])
                message = "readings of a step counter after a gap, or the first, whose steps are unknown"
                self.report.note("step-counter-gap", "dropped", message, label, unknown)
        with np.errstate(invalid="ignore"):
            negative = values < 0
        unique, back = np.unique(minutes, return_inverse=True)
        totals = np.bincount(back, weights=np.where(negative, 0.0, np.nan_to_num(values)), minlength=len(unique))
        impossible = negative | ((totals > most)[back] & ~np.isnan(values))
        unit = self.schema[part.key].unit
        message = f"{self.schema[part.key].label} below 0, or more than {most:g} {unit}, which are missing"
        self.report.note(f"implausible-{part.key}", "dropped", message, label, int(impossible.sum()))
        return minutes, np.where(impossible, np.nan, values)

    def _new_minutes(
        self,
        store: MinuteStore,
        who: str,
        part: Series,
        minutes: np.ndarray,
        values: np.ndarray,
        label: str,
        earlier: str,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Leaves out minutes that an earlier table has with the same value."""
        known = ~np.isnan(values)
        if not known.any():
            return minutes, values
        own = MinuteStore()
        own.add(part.key, minutes, values)
        first, last = int(minutes[known].min()), int(minutes[known].max())
        totals, counts = own.window(part.key, first, last - first + 1)
        other_totals, other_counts = store.window(part.key, first, last - first + 1)
        both = (counts > 0) & (other_counts > 0)
        mine, theirs = totals[both], other_totals[both]
        if not part.summed:
            mine, theirs = mine / counts[both], theirs / other_counts[both]
        differs = ~np.isclose(mine, theirs, rtol=1e-6, atol=1e-6)
        if differs.any():
            minute = first + int(np.flatnonzero(both)[differs.argmax()])
            when = moment_of(minute, self.zone or UTC).isoformat(timespec="minutes")
            raise ValueError(
                f"{label}: {part.key} of {who!r} at {when} differs from that in {earlier}. If the tables are from"
                " different people, name them in a column subject_id, or use --folder-of-people; otherwise remove one."
            )
        self.report.note(
            "minute-in-two-tables",
            "dropped",
            "minutes that two tables contain with the same value",
            label,
            int(both.sum()),
        )
        return minutes, np.where(both[np.clip(minutes - first, 0, len(both) - 1)], np.nan, values)

    def days(self) -> Iterator[SensorDay]:
        """Yields the days, by person and time."""
        yield from self.untimed
        for who, store in self.stores.items():
            span = store.span()
            if span is None:
                continue
            zone = self.zone or UTC
            for start, left_out in windows(*span, self.day_start, zone):
                if left_out:
                    self._note_left_out(store, start, left_out, zone)
                if not store.overlaps(start):
                    continue
                grid = np.full((MINUTES_PER_DAY, len(self.schema)), np.nan)
                for key, summed in self.summed.items():
                    grid[:, self.schema.index(key)] = (store.sum if summed else store.mean)(key, start)
                if not np.isnan(grid).all():
                    yield SensorDay(grid, moment_of(start, zone), who, self.schema)

    def _note_left_out(self, store: MinuteStore, start: int, left_out: int, zone: tzinfo) -> None:
        seen = np.zeros(left_out, dtype=bool)
        for key in self.schema.keys:
            seen |= store.window(key, start + MINUTES_PER_DAY, left_out)[1] > 0
        self.report.note(
            "clock-change",
            "dropped",
            "observed minutes after the 24th hour of a day on which clocks or the time zone went back",
            moment_of(start, zone).date().isoformat(),
            int(seen.sum()),
        )


def _untimed_days(found: Measurements, schema: SensorSchema) -> list[SensorDay]:
    """Days of a table without times, which must be one day of each person."""
    days = []
    for number, who in enumerate(found.names):
        rows = np.flatnonzero(found.people == number)
        if len(rows) != MINUTES_PER_DAY:
            raise ValueError(
                f"{found.label}: has no time column (looked for {', '.join(TIME_COLUMNS)}), so it must have"
                f" {MINUTES_PER_DAY} rows, one per minute; {who!r} has {len(rows)}. Name it with time_column=..."
            )
        grid = np.full((MINUTES_PER_DAY, len(schema)), np.nan)
        for part in found.series:
            grid[:, schema.index(part.key)] = part.values[rows]
        if not np.isnan(grid).all():
            days.append(SensorDay(grid, datetime(1970, 1, 1, tzinfo=UTC), who, schema))
    return days
