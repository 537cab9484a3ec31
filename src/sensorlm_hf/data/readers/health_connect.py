"""Health Connect (Android): the database of *Export data*, `health_connect_export.db`, or the zip around it.

| table | used for |
|---|---|
| `heart_rate_record_series_table` | heart rate (bpm) |
| `steps_record_table` | steps of each app |
| `heart_rate_variability_rmssd_record_table` | RMSSD (ms), in the minute of its time |
| `oxygen_saturation_record_table` | oxygen saturation (%) |
| `resting_heart_rate_record_table` | label `resting_heart_rate` (bpm) |
| `sleep_session_record_table`, `sleep_stages_table` | sleep events, stages |
| `exercise_session_record_table` | activity events |

Times are milliseconds since 1970. The tables are not documented; their names and columns are those of exports.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from datetime import tzinfo

from ...days import SensorDay
from ...schema import SchemaLike
from .databases import database_of
from .device_days import Batch
from .device_reader import DeviceExport, file_kind, read_device
from .export_files import ExportFile
from .minutes import moment_of
from .quality import ReadReport

_INSTANTS = {
    "HR": ("heart_rate_record_series_table", "epoch_millis", "beats_per_minute"),
    "rmssd": ("heart_rate_variability_rmssd_record_table", "time", "heart_rate_variability_millis"),
    "spo2": ("oxygen_saturation_record_table", "time", "percentage"),
}
_STAGES = {1: "awake", 4: "light", 5: "deep", 6: "rem", 7: "awake"}
_ENTERED_MANUALLY = 3

EXERCISES = (
    "", "badminton", "baseball", "basketball", "biking", "stationary biking", "boot camp", "boxing", "calisthenics",
    "cricket", "dancing", "exercise class", "fencing", "american football", "australian football", "frisbee", "golf",
    "guided breathing", "gymnastics", "handball", "high intensity interval training", "hiking", "ice hockey",
    "ice skating", "martial arts", "paddling", "paragliding", "pilates", "racquetball", "rock climbing",
    "roller hockey", "rowing", "rugby", "running", "treadmill running", "sailing", "scuba diving", "skating", "skiing",
    "snowboarding", "snowshoeing", "soccer", "softball", "squash", "stair climbing", "strength training", "stretching",
    "surfing", "open water swimming", "swimming", "table tennis", "tennis", "volleyball", "walking", "water polo",
    "weightlifting", "wheelchair", "yoga", "workout", "stair climbing machine", "elliptical", "rowing machine",
)  # fmt: skip
"""Names of the types of exercise of Android's `ExerciseSessionType`, by number."""


def _database(batch: Batch, file: ExportFile) -> None:
    with database_of(file.data(), file.label, "Health Connect database") as database:
        _Tables(batch, database).read()


class _Tables:
    """One pass over one database."""

    def __init__(self, batch: Batch, database: sqlite3.Connection) -> None:
        self.batch, self.database = batch, database
        self.tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def read(self) -> None:
        for quantity, (table, time, value) in _INSTANTS.items():
            rows = self._rows(table, time, value)
            self.batch.add_samples(quantity, [row[0] / 1000.0 for row in rows], [row[1] for row in rows])
        steps: dict[str, list[tuple[float, float, float]]] = {}
        table, app_column = "steps_record_table", "COALESCE(app_info_id, 0)"
        for start, end, count, app in self._rows(table, "start_time", "end_time", "count", app_column):
            steps.setdefault(f"app {app}", []).append((start / 1000.0, end / 1000.0, count))
        for device, records in steps.items():
            self.batch.add_steps(device, *zip(*records, strict=True))
        for time, bpm in sorted(self._rows("resting_heart_rate_record_table", "time", "beats_per_minute")):
            day = moment_of(int(time // 60_000), self.batch.zone).date()
            self.batch.daily.append((day, "resting_heart_rate", float(bpm)))
        for start, end in self._rows("sleep_session_record_table", "start_time", "end_time"):
            self.batch.add_sleep(start / 1000.0, end / 1000.0)
        for start, end, stage in self._rows("sleep_stages_table", "stage_start_time", "stage_end_time", "stage_type"):
            if stage in _STAGES:
                self.batch.stages.append((start / 1000.0, end / 1000.0, _STAGES[stage]))
        self._exercises()

    def _exercises(self) -> None:
        table = "exercise_session_record_table"
        columns = {row[1] for row in self.database.execute(f"PRAGMA table_info({table})")}
        method = "COALESCE(recording_method, 0)" if "recording_method" in columns else "0"
        for start, end, kind, recorded in self._rows(table, "start_time", "end_time", "exercise_type", method):
            name = EXERCISES[int(kind)] if 0 < kind < len(EXERCISES) else ""
            if not name:
                message = "exercises with a number of a sport without a name"
                self.batch.report.note("exercise-sport-unknown", "kept", message, str(kind))
            manual = recorded == _ENTERED_MANUALLY
            self.batch.add_workout(start / 1000.0, end / 1000.0, name or "workout", manual=manual)

    def _rows(self, table: str, *columns: str) -> list[tuple]:
        """Returns the rows of numbers; none if there is no such table. Rows that lack a number are noted."""
        if table not in self.tables:
            return []
        rows = self.database.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()
        complete = [row for row in rows if all(isinstance(value, (int, float)) for value in row)]
        message = "rows of the database that lack a time or a value"
        self.batch.report.note("rows-incomplete", "dropped", message, table, len(rows) - len(complete))
        return complete


HEALTH_CONNECT = DeviceExport(
    kind="health-connect",
    title="Health Connect",
    kinds=(
        file_kind(r"health_connect.*\.(db|sqlite3?)", _database),
        file_kind(r".*\.(db|sqlite3?)", _database, rb"SQLite format 3\x00.*_record_(?:series_)?table"),
    ),
    looked_for="health_connect_export.db",
    why_zone="Health Connect writes times in UTC.",
    labels=("resting_heart_rate",),
)


def read_health_connect(
    export: str | os.PathLike,
    timezone: str | tzinfo | None = None,
    *,
    schema: SchemaLike = "sensorlm-26",
    subject_id: str | None = None,
    day_start: str = "00:00",
    report: ReadReport | None = None,
    skip_bad: bool = True,
) -> Iterator[SensorDay]:
    """Reads one person's Health Connect export as local days.

    Steps are spread evenly over their record; if two apps cover a minute, the larger count is kept. Minutes without
    steps count 0 while a device was worn (heart rates at most 15 minutes apart).

    Written from descriptions of the format; not yet compared with an export of a real account.

    Args:
        export: `health_connect_export.db`, or the zip or folder that contains it.
        timezone: IANA time zone of the person. Required.
        schema: Schema of the days.
        subject_id: Subject id; by default `"health-connect-"` and a hash of the first file's content.
        day_start: Local time `"HH:MM"` at which windows start, or `"first"`: at the first observed minute.
        report: Collects what was used, dropped or unusual; without one, dropped items are logged.
        skip_bad: Whether to skip and note unreadable files, if others can be read, instead of raising.

    Yields:
        Days in chronological order; days without any observed minute are omitted.

    Raises:
        FileNotFoundError: If the path does not exist or contains no database of Health Connect.
        ValueError: If the zone is missing or unknown, or a file is damaged; the message names file and place.
    """
    return read_device(
        HEALTH_CONNECT,
        export,
        timezone,
        schema=schema,
        subject_id=subject_id,
        day_start=day_start,
        report=report,
        skip_bad=skip_bad,
    )
