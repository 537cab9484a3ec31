"""Time zones of a person who travels: one zone after the other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any


class Itinerary(tzinfo):
    """A time zone that changes when the person travels to another zone.

    It is a `tzinfo`, so every reader accepts it. Days still begin at local midnight: on a westward flight a day has
    more than 24 hours, and those after the 24th are not part of any window; on an eastward flight it has fewer, and the
    last hours of its window overlap the next. Clock changes are handled the same way. An ambiguous local time is taken
    to be after the flight; a skipped one is interpreted in the previous zone.

    Args:
        home: Zone before the first change.
        changes: `(arrival, zone)` in chronological order; the arrival is a naive local time in the new zone.

    Raises:
        ValueError: If the arrivals are not naive or not in chronological order.
    """

    def __init__(self, home: tzinfo, changes: Sequence[tuple[datetime, tzinfo]]) -> None:
        for arrival, _ in changes:
            if arrival.tzinfo is not None:
                raise ValueError(f"An arrival must be a local time without zone, got {arrival.isoformat()}.")
        self.zones = [home, *(zone for _, zone in changes)]
        self.instants = [arrival.replace(tzinfo=zone).astimezone(timezone.utc) for arrival, zone in changes]
        if self.instants != sorted(set(self.instants)):
            raise ValueError("The changes of an itinerary must be in chronological order, without duplicates.")
        self._arrivals = [arrival for arrival, _ in changes]

    def at(self, moment: datetime) -> tzinfo:
        """Returns the plain time zone that applies at an aware time."""
        return self.zones[bisect_right(self.instants, moment.astimezone(timezone.utc))]

    def _of_local(self, local: datetime) -> tzinfo:
        naive = local.replace(tzinfo=None)
        for arrival, zone in zip(reversed(self._arrivals), reversed(self.zones), strict=False):
            if naive >= arrival:
                return zone
        return self.zones[0]

    def utcoffset(self, local: datetime | None) -> timedelta | None:
        """Returns the offset at a local time."""
        return None if local is None else self._of_local(local).utcoffset(local)

    def dst(self, local: datetime | None) -> timedelta | None:
        """Returns the daylight saving time at a local time."""
        return None if local is None else self._of_local(local).dst(local)

    def tzname(self, local: datetime | None) -> str | None:
        """Returns the zone's abbreviation at a local time."""
        return None if local is None else self._of_local(local).tzname(local)

    def fromutc(self, moment: datetime) -> datetime:
        """Returns the local time of a UTC time with this zone."""
        utc = moment.replace(tzinfo=timezone.utc)
        return utc.astimezone(self.at(utc)).replace(tzinfo=self)

    def __reduce__(self) -> Any:
        return Itinerary, (self.zones[0], list(zip(self._arrivals, self.zones[1:], strict=True)))


def parse_itinerary(text: str, resolve: Callable[[str], tzinfo]) -> Itinerary:
    """Reads `"Europe/Berlin, 2024-05-03T18:00 America/New_York"`: a zone, then arrival times with their zones.

    Args:
        text: Zones separated by commas; all but the first are preceded by the local arrival time in the new zone.
        resolve: Turns an IANA name into a zone.

    Raises:
        ValueError: If a part does not have that form.
    """
    first, *rest = (part.strip() for part in text.split(","))
    changes = []
    for part in rest:
        moment, _, name = part.rpartition(" ")
        try:
            arrival = datetime.fromisoformat(moment.strip())
        except ValueError:
            raise ValueError(
                f"A change of zone must be 'YYYY-MM-DDTHH:MM Zone/Name', the local time of arrival and the new zone,"
                f" got {part!r}."
            ) from None
        changes.append((arrival, resolve(name)))
    return Itinerary(resolve(first), changes)


def plain_zone(zone: tzinfo, moment: datetime) -> tzinfo:
    """Returns the plain time zone at a time: the current zone of an itinerary, or any other zone unchanged."""
    return zone.at(moment) if isinstance(zone, Itinerary) else zone
