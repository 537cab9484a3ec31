"""FIT files, of Garmin and of other makers, by [fitdecode](https://fitdecode.readthedocs.io).

| message | used for |
|---|---|
| `monitoring` | heart rate all day (bpm), steps from the counters of walking and running |
| `record` | heart rate in workouts (bpm) |
| `session` | workouts |
| `hrv_value` | RMSSD of five minutes (ms), of the five minutes before its time |
| `spo2_data` | oxygen saturation (%) |
| `sleep_level` | sleeps and their stages |

Positions, speed, power, stress, respiration and temperature of the device are not read.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from ..._extras import requires_extra
from ...activities import canonical_activity
from .damage import describe
from .device_days import STAGES, Batch
from .export_files import ExportFile

FIT_EPOCH = 631_065_600
"""Seconds from 1970 to 1989-12-31, from which FIT files count."""

CLOCK_NOT_SET = 0x10000000
"""Smaller times count from when the device was switched on, because its clock was not set."""

LEVEL_SECONDS = 4 * 3600
"""Maximum time for which a level of sleep applies until the next one."""

_STEP_TYPES = ("walking", "running")
_MESSAGES = frozenset(("monitoring_info", "monitoring", "record", "session", "hrv_value", "spo2_data", "sleep_level"))
_RMSSD_SECONDS = 300


def read_fit(batch: Batch, file: ExportFile) -> None:
    """Adds the content of a FIT file.

    Raises:
        ValueError: If the file is damaged.
        ImportError: If fitdecode is not installed.
    """
    with requires_extra("garmin", "Reading FIT files"):
        import fitdecode

    def frames() -> Iterator[Any]:
        try:
            with fitdecode.FitReader(io.BytesIO(file.data()), check_crc=fitdecode.CrcCheck.RAISE) as reader:
                yield from reader
        except Exception as error:  # besides its own, fitdecode raises TypeErrors and others on damaged messages
            ours = isinstance(error, fitdecode.FitError)
            reason = describe(error) if ours else "a message does not fit its definition"
            raise ValueError(f"{file.label} is a damaged or truncated FIT file: {reason}. Export it again.") from error

    fit = _Fit(batch)
    for frame in frames():
        if frame.frame_type == fitdecode.FIT_FRAME_DATA and frame.name in _MESSAGES:
            fit.take(frame.name, {part.name: part for part in frame.fields})
    fit.finish()


class _Fit:
    """One pass over the messages of one file."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.samples: dict[str, tuple[list[float], list[float]]] = {}
        self.levels: list[tuple[float, str]] = []
        self.latest: int | None = None  # the last time, from which 16-bit times count
        self.activity: Any = None  # counters without an activity belong to the last one named

    def take(self, name: str, fields: dict[str, Any]) -> None:
        time = self._time(fields)
        if name == "session":
            self._session(fields)
        elif time is None:
            return
        elif name == "monitoring":
            self._sample("HR", time, fields.get("heart_rate"))
            self._counter(time, fields)
        elif name == "record":
            self._sample("HR", time, fields.get("heart_rate"))
        elif name == "spo2_data":
            self._sample("spo2", time, fields.get("reading_spo2"))
        elif name == "hrv_value":
            for minute in range(_RMSSD_SECONDS // 60):
                self._sample("rmssd", time - 60.0 * (minute + 1), fields.get("value"))
        elif name == "sleep_level":
            level = fields.get("sleep_level")
            self.levels.append((time, str(level.value) if level is not None else ""))

    def _time(self, fields: dict[str, Any]) -> float | None:
        """Seconds since 1970 of a message, or None if it has no time or the clock was not set."""
        full, low = _raw(fields.get("timestamp")), _raw(fields.get("timestamp_16"))
        if full is not None:
            self.latest = int(full)
        elif low is not None and self.latest is not None:
            self.latest += (int(low) - self.latest) & 0xFFFF
        else:
            return None
        if self.latest < CLOCK_NOT_SET:
            self.batch.report.note("clock-not-set", "dropped", "FIT messages written before the clock was set")
            return None
        return float(self.latest + FIT_EPOCH)

    def _sample(self, quantity: str, time: float, part: Any) -> None:
        if part is not None and isinstance(part.value, (int, float)):
            times, values = self.samples.setdefault(quantity, ([], []))
            times.append(time)
            values.append(float(part.value))

    def _counter(self, time: float, fields: dict[str, Any]) -> None:
        activity = fields.get("activity_type")
        if activity is not None and activity.value is not None:
            self.activity = activity.value
        # The raw number counts steps; only for other activities it counts half cycles.
        total = next((_raw(fields[key]) for key in ("steps", "cycles", "cycles_16") if key in fields), None)
        if total is not None and self.activity in _STEP_TYPES:
            self.batch.counters.append((time, str(self.activity), float(total)))

    def _session(self, fields: dict[str, Any]) -> None:
        start = _raw(fields.get("start_time"))
        length = next(
            (
                float(fields[key].value)
                for key in ("total_elapsed_time", "total_timer_time")
                if key in fields and isinstance(fields[key].value, (int, float))
            ),
            None,
        )
        if start is None or length is None or start < CLOCK_NOT_SET:
            self.batch.add_workout(None, None, "")
            return
        begun = float(start + FIT_EPOCH)
        name = sport_name(*(fields[key].value if key in fields else None for key in ("sport", "sub_sport")))
        self.batch.add_workout(begun, begun + length, name)

    def finish(self) -> None:
        for quantity, (times, values) in self.samples.items():
            self.batch.add_samples(quantity, times, values)
        if not self.levels:
            return
        levels = sorted(self.levels)
        ends = [start for start, _ in levels[1:]] + [levels[-1][0] + 60.0]
        for (start, level), end in zip(levels, ends, strict=True):
            if level in STAGES and end - start <= LEVEL_SECONDS:
                self.batch.stages.append((start, end, level))
        self.batch.add_sleep(levels[0][0], ends[-1])


def sport_name(sport: Any, sub_sport: Any = None) -> str:
    """Returns the name of an activity from FIT's sport and sub-sport: the most specific one that is known.

    Args:
        sport: Such as `"running"`; a number if the library does not know it.
        sub_sport: Such as `"treadmill"`.
    """
    main, sub = (
        value.replace("_", " ") if isinstance(value, str) and value not in ("generic", "all") else ""
        for value in (sport, sub_sport)
    )
    for name in (sub, f"{sub} {main}".strip(), main):
        if name and canonical_activity(name):
            return name
    return main or sub or "workout"


def _raw(part: Any) -> float | None:
    return None if part is None or not isinstance(part.raw_value, (int, float)) else part.raw_value
