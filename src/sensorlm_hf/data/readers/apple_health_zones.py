"""Time zones of the person in an Apple Health export, from sleep and workout records.

Every date in the file carries the phone's UTC offset at the time of the *export*, not of the record. Only the metadata
entry `HKTimeZone`, which devices and many apps write with sleep and workout records, gives the actual time zone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

from ...days import named_zone
from .minutes import EPOCH
from .quality import ReadReport
from .zones import Itinerary

METADATA_KEY = "HKTimeZone"
"""Key of the metadata entry with a record's time zone."""


class TimeZoneCollector:
    """Collects the time zones of records, in any order, and builds an itinerary.

    A zone applies from the start of the first record with it: the person was certainly there by then, but the time of
    arrival is unknown.

    Args:
        report: Collects zone changes and invalid zone names.
    """

    def __init__(self, report: ReadReport) -> None:
        self.report = report
        self._zones: dict[str, ZoneInfo | None] = {}
        self._seen: dict[int, ZoneInfo] = {}

    def add(self, minute: int, name: str) -> None:
        """Adds the time zone of a record at an epoch minute."""
        if name not in self._zones:
            try:
                self._zones[name] = named_zone(name)
            except ValueError:
                self._zones[name] = None
        zone = self._zones[name]
        if zone is None:
            self.report.note("zone-unknown", "kept", "records with an invalid time zone, which is ignored", name)
        else:
            self._seen[minute] = zone

    def follow(self, given: tzinfo | None) -> tzinfo | None:
        """Returns the zones of the person's days.

        Args:
            given: Time zone until a record has another; that of the first such record if None. An [`Itinerary`] takes
                precedence, and records are only compared with it.

        Returns:
            `given` or an itinerary that begins with it; None if neither the caller nor any record gives a zone.
        """
        if isinstance(given, Itinerary):
            for minute, zone in self._seen.items():
                moment = EPOCH + timedelta(minutes=minute)
                if moment.astimezone(given.at(moment)).utcoffset() != moment.astimezone(zone).utcoffset():
                    message = "records whose time zone differs from the itinerary, which takes precedence"
                    self.report.note("zone-contradicts", "kept", message, f"{_local(minute, zone)} {zone.key}")
            return given
        if not self._seen:
            return given
        home = given or self._seen[min(self._seen)]
        changes = list(self._changes(home))
        for arrival, zone in changes:
            message = "time zone changes in sleep and workout records, followed by the days"
            self.report.note("zone-changes", "info", message, f"{arrival.isoformat(timespec='minutes')} {zone.key}")
        return Itinerary(home, changes) if changes else home

    def _changes(self, home: tzinfo) -> Iterator[tuple[datetime, ZoneInfo]]:
        seen: list[tuple[int, tzinfo]] = [(0, home), *sorted(self._seen.items(), key=lambda item: item[0])]
        for (_, before), (minute, zone) in pairwise(seen):
            if zone != before and isinstance(zone, ZoneInfo):
                yield _local(minute, zone), zone


def _local(minute: int, zone: tzinfo) -> datetime:
    """Naive local time of an epoch minute."""
    return (EPOCH + timedelta(minutes=minute)).astimezone(zone).replace(tzinfo=None)
