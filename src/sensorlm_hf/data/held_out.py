"""Filters out days with certain activities, so that these can be held out of training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..activities import ACTIVITY_BY_NAME, canonical_activity
from ..days import SensorDay


def check_activities(names: Iterable[str]) -> tuple[str, ...]:
    """Returns the canonical names of activities.

    Raises:
        ValueError: If a name is not a known activity.
        TypeError: If `names` is a string.
    """
    if isinstance(names, str):
        raise TypeError(f"Give a list of activities, got the string {names!r}; write [{names!r}].")
    known = []
    for position, name in enumerate(names):
        canonical = canonical_activity(name)
        if canonical is None:
            raise ValueError(
                f"activities[{position}] {name!r} is not a known activity; choose from {', '.join(ACTIVITY_BY_NAME)}."
            )
        known.append(canonical)
    return tuple(known)


def without_activities(rows: Any, names: Iterable[str]) -> Any:
    """Removes every day on which one of the given activities occurred or was logged.

    A day is removed if its `main_activity` label or one of its events names the activity, under any of its aliases.

    Args:
        rows: A dataset of days (see [`load_sensor_days`]) or a list of [`SensorDay`]s.
        names: Names of activities.

    Returns:
        The remaining days, in order: a dataset if a dataset was given, otherwise a list.

    Raises:
        ValueError: If a name is not a known activity, or no day is left.
    """
    unwanted = frozenset(check_activities(names))
    if not unwanted:
        return rows
    if hasattr(rows, "select_columns"):
        facts = rows.with_format(None).select_columns(["events", "labels"])
        kept = [i for i, row in enumerate(facts) if not unwanted & _activities(row["events"], row["labels"])]
    else:
        kept = [i for i, day in enumerate(rows) if not unwanted & _activities_of(day)]
    if not kept:
        raise ValueError(f"Every day has {' or '.join(sorted(unwanted))}; none is left to train on.")
    return rows.select(kept) if hasattr(rows, "select") else [rows[i] for i in kept]


def _activities_of(day: SensorDay) -> set[str | None]:
    return _activities([event.to_dict() for event in day.events], day.labels)


def _activities(events: Any, labels: Any) -> set[str | None]:
    if isinstance(events, Mapping):  # `datasets` may turn a list of structs into a struct of lists
        events = [dict(zip(events, values, strict=True)) for values in zip(*events.values(), strict=True)]
    found = {canonical_activity(event["label"]) for event in events or () if event["kind"] == "activity"}
    main = (labels or {}).get("main_activity")
    return found | ({canonical_activity(str(main))} if main is not None else set()) - {None}
