"""The days of the app: samples of synthetic subjects, and uploads."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from sensorlm_hf.data.readers import ReadReport, read_any
from sensorlm_hf.data.simulate import iter_simulated_days
from sensorlm_hf.days import SensorDay

logger = logging.getLogger(__name__)

SAMPLE_SEED = 2026
"""Seed of the sample subjects, different from those of the library and of model training."""

SAMPLES = ("running", "swimming", "yoga", "weight lifting", "none")
"""Main activity of each sample day."""

MOST_DAYS = 60
"""Maximum number of days per upload; a year of data would take minutes to read."""

SUFFIXES = (".zip", ".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet", ".npy")
ACCEPTED = "a Fitbit or Google Takeout export as .zip, or a table as .csv, .tsv, .parquet or .npy"


@dataclass(frozen=True)
class Upload:
    """The contents of a file.

    Attributes:
        days: The first [`MOST_DAYS`] days.
        message: Summary of what was read and skipped.
    """

    days: tuple[SensorDay, ...]
    message: str


@lru_cache(maxsize=1)
def sample_days() -> dict[str, SensorDay]:
    """Returns `{title: day}`, with days worn from midnight with the main sensors and a correct activity log."""
    found: dict[str, SensorDay] = {}
    for day in iter_simulated_days(2000, SAMPLE_SEED, days_per_person=1):
        activity = str(day.labels["main_activity"])
        if activity in SAMPLES and activity not in found and _shows(day, activity):
            found[activity] = day
            if len(found) == len(SAMPLES):
                break
    titles = {"none": "A day without exercise"}
    return {titles.get(name, f"A day with {name}"): found[name] for name in SAMPLES if name in found}


def _shows(day: SensorDay, activity: str) -> bool:
    worn = all(day.mask[:, day.schema.index(key)].mean() > 0.8 for key in ("HR", "steps", "wrist_temperatures"))
    logged = {event.label for event in day.events_of("activity")}
    slept = bool(day.events_of("sleep"))
    return worn and slept and day.start.hour == day.start.minute == 0 and (activity == "none" or activity in logged)


def time_zones() -> list[str]:
    """Returns the IANA names of time zones, without aliases that contain no place."""
    return ["UTC", *sorted(name for name in available_timezones() if "/" in name and not name.startswith("Etc/"))]


def read_upload(path: str | os.PathLike, timezone: str | None, feature_extractor: Any) -> Upload:
    """Reads an uploaded file.

    Args:
        path: Path of the file.
        timezone: Time zone of the recording.
        feature_extractor: Feature extractor of the model, which checks the units.

    Raises:
        ValueError: If the file cannot be read, with a message for the user.
    """
    path = Path(path)
    if not path.name.lower().endswith(SUFFIXES):
        raise ValueError(f"{path.name} has an unsupported format. Upload {ACCEPTED}.")
    if path.stat().st_size == 0:
        raise ValueError(f"{path.name} is empty. Upload {ACCEPTED}.")
    report, schema = ReadReport(), feature_extractor.to_schema()
    try:
        # Few tables contain a subject; plots of the others are titled with the file name.
        name = None if path.suffix.lower() == ".zip" else path.name.partition(".")[0]
        stream = read_any(path, timezone=timezone or None, schema=schema, subject_id=name, report=report)
        days = tuple(islice(stream, MOST_DAYS))
        more = len(days) == MOST_DAYS and next(stream, None) is not None
        for day in days:
            feature_extractor(day)
    except (ValueError, TypeError, OSError) as error:
        raise ValueError(_for_visitors(str(error), path)) from error
    except Exception as error:
        # Damaged archives and tables raise many different errors; the user sees a message, and details go to the log.
        logger.exception("An upload could not be read")
        raise ValueError(
            f"{path.name} could not be read and may be damaged ({type(error).__name__}). Upload {ACCEPTED}."
        ) from error
    if not days:
        raise ValueError(f"{path.name} contains no values of any channel.")
    message = f"Read {len(days)} {'day' if len(days) == 1 else 'days'} from {path.name}."
    if more:
        message += f" The file contains more; only the first {MOST_DAYS} are shown."
    for note in report.dropped[:3]:
        message += f" Skipped: {note.count:,} x {note.message}."
    return Upload(days, message)


def _for_visitors(message: str, path: Path) -> str:
    """Removes server paths and advice for programmers from a message."""
    for folder in {str(path.parent), str(path.parent.resolve())}:
        message = message.replace(folder + os.sep, "")
    message = re.sub(r"^Item 0( \(1 of 1\))?[: ]+", f"{path.name}: ", message)
    message = re.sub(r"(?<=\. )[A-Z][^.]*\b\w+=[^.]*\.", "", message)  # sentences that name keyword arguments
    return " ".join(message.split())


def title_of(day: SensorDay) -> str:
    """Returns a title with the date and the longest logged events."""
    named = sorted(day.events_of("activity"), key=lambda event: -event.duration)[:2]
    what = ", ".join(event.label for event in named) or "nothing logged"
    return f"{day.start:%a %d %b %Y} · {what} · {day.mask.any(axis=1).mean():.0%} worn"
