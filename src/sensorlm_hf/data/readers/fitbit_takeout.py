"""Files that only the newer Google Takeout tree has: `*_GoogleData` tables, temperature, skin conductance, moods.

Takeout writes most streams twice: as JSON under `Global Export Data`, and as CSV under `Physical Activity_GoogleData`,
with the device of each row. In hours for which the JSON files have entries they are used, because they contain more
(the confidence of a heart rate); the CSV is used for everything else. Of several apps that write the same minute, the
one with the most samples counts.

| file | used for | times |
|---|---|---|
| `heart_rate_YYYY-MM-DD.csv` | channel `HR` | UTC |
| `steps_YYYY-MM-DD.csv` | channel `steps`; the larger count if two devices cover a minute | UTC |
| `oxygen_saturation_YYYY-MM-DD.csv` | channel `spo2` | UTC |
| `heart_rate_variability_YYYY-MM-DD.csv` | RMSSD, SDNN; one row per five minutes | UTC |
| `body_temperature_YYYY-MM-DD.csv` | skin temperature in degC | UTC |
| `daily_resting_heart_rate.csv` | label `resting_heart_rate` (bpm) | date |
| `UserSleeps_*.csv`, `UserSleepStages_*.csv` | sleep events; stages, if the schema has channels for them | UTC |
| `UserExercises_*.csv` | activity events | UTC |
| `altitude-YYYY-MM-DD.json` | channel `altim_std`, from the climb per minute | UTC |
| `calories-YYYY-MM-DD.json`, `distance-YYYY-MM-DD.json` | channels of those names, if a schema has them | UTC |
| `Wrist Temperature - YYYY-MM-DD.csv`, `Device Temperature - ...` | skin temperature | local |
| `Computed Temperature - YYYY-MM-DD.csv` | the baseline that the two above are relative to | local |
| `Mindfulness Eda Data Sessions*.csv` | skin conductance level | UTC |
| `*Mood*.csv` | mood events | UTC, or the offset in the cells |
"""

from __future__ import annotations

import math
import re
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from .fitbit_files import CHANNELS_OF_FILE, COPY_IN_NAME, DATE_IN_NAME
from .fitbit_takeout_logs import TakeoutLogs
from .logs import Span
from .mirrors import mirrored_rows
from .sources import load_csv, load_json_list, numbers

_DATED = rf"[_ -]+{DATE_IN_NAME}"
PATTERNS = {
    "heart_rate_csv": re.compile(rf"heart_rate{_DATED}{COPY_IN_NAME}\.csv", re.IGNORECASE),
    "steps_csv": re.compile(rf"steps{_DATED}{COPY_IN_NAME}\.csv", re.IGNORECASE),
    "spo2_csv": re.compile(rf"oxygen_saturation{_DATED}{COPY_IN_NAME}\.csv", re.IGNORECASE),
    "hrv_csv": re.compile(rf"heart_rate_variability{_DATED}{COPY_IN_NAME}\.csv", re.IGNORECASE),
    "body_temperature": re.compile(rf"body_temperature{_DATED}{COPY_IN_NAME}\.csv", re.IGNORECASE),
    "daily_resting": re.compile(rf"daily_resting_heart_rate(?:{_DATED})?{COPY_IN_NAME}\.csv", re.IGNORECASE),
    "user_sleeps": re.compile(rf"UserSleeps(?:{_DATED})?{COPY_IN_NAME}\.csv", re.IGNORECASE),
    "user_sleep_stages": re.compile(rf"UserSleepStages(?:{_DATED})?{COPY_IN_NAME}\.csv", re.IGNORECASE),
    "user_exercises": re.compile(rf"UserExercises(?:{_DATED})?{COPY_IN_NAME}\.csv", re.IGNORECASE),
    "altitude": re.compile(rf"altitude(?:{_DATED})?{COPY_IN_NAME}\.json", re.IGNORECASE),
    "calories": re.compile(rf"calories(?:{_DATED})?{COPY_IN_NAME}\.json", re.IGNORECASE),
    "distance": re.compile(rf"distance(?:{_DATED})?{COPY_IN_NAME}\.json", re.IGNORECASE),
    "temperature": re.compile(rf"(?:Wrist|Device) Temperature(?:{_DATED})?{COPY_IN_NAME}\.csv", re.IGNORECASE),
    "night_temperature": re.compile(rf"Computed Temperature(?:{_DATED})?{COPY_IN_NAME}\.csv", re.IGNORECASE),
    "eda": re.compile(rf"mindfulness[ _]eda[ _]data[ _]sessions(?:{_DATED})?{COPY_IN_NAME}\.csv", re.IGNORECASE),
    "mood": re.compile(
        rf"(?:.*[ _])?(?:User)?Moods?(?:[ _]?Logs?)?(?:[_ -]+[\d-]+)?{COPY_IN_NAME}\.csv", re.IGNORECASE
    ),
}
"""File name patterns by kind; the group is the date."""

TAKEOUT_CHANNELS = {
    "heart_rate_csv": CHANNELS_OF_FILE["heart_rate"],
    "steps_csv": CHANNELS_OF_FILE["steps"],
    "spo2_csv": CHANNELS_OF_FILE["spo2"],
    "hrv_csv": (*CHANNELS_OF_FILE["hrv"], "sdnn_percentile_0595", "sdnn0595"),
    "body_temperature": ("wrist_temperatures",),
    "altitude": ("altim_std",),
    "calories": ("calories",),
    "distance": ("distance",),
    "temperature": ("wrist_temperatures",),
    "eda": ("eda_level_real",),
}
"""Channels filled by each kind of file with minute values."""

CLIMB_UNIT_M = 0.3048
"""Metres per unit of `altitude*.json`: its values are multiples of 10, and Fitbit counts 10 feet as a floor."""

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_MOOD_TIMES = ("timestamp", "log_time", "logged_time", "mood_time", "recorded_time", "date_time", "datetime", "time")
_MOOD_NAMES = ("mood", "mood_name", "mood_value", "feeling", "name", "value", "label")


COPY = " of the tables"
"""Suffix of the channels that hold values of tables whose data the export may also contain in JSON files."""


class TakeoutFiles(TakeoutLogs):
    """Also parses the files of the newer tree; see [`FitbitFiles`]."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._baselines: list[tuple[int, float]] = []

    def heart_rate_csv(self, text: str, label: str) -> None:
        """Parses `heart_rate_YYYY-MM-DD.csv`: samples, UTC."""
        frame = load_csv(text, label, ("timestamp", "beats per minute"))
        bpm = self._plausible("HR", numbers(frame, "beats per minute", label).to_numpy())
        minutes = self._csv_minutes(frame, label, local=False)
        kept = self._main_source(frame, minutes, bpm)
        self._add("HR" + COPY, minutes[kept], bpm[kept])

    def _main_source(self, frame: pd.DataFrame, minutes: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Rows of the app or device with the most samples in each minute; the others write the same data again."""
        if "data source" not in frame.columns or frame["data source"].nunique() < 2:
            return np.ones(len(frame), dtype=bool)
        known = ~np.isnan(values)
        table = pd.DataFrame({"minute": minutes[known], "source": frame["data source"].to_numpy()[known]})
        counts = table.groupby(["minute", "source"], sort=False).size().reset_index(name="count")
        best = counts.sort_values("count", ascending=False, kind="stable").drop_duplicates("minute")
        main = dict(zip(best["minute"], best["source"], strict=True))
        kept = known & (pd.Series(minutes).map(main) == frame["data source"].reset_index(drop=True)).to_numpy(
            dtype=bool
        )
        self.report.note(
            "other-source",
            "dropped",
            "samples of a second app or device in a minute; those of the one with the most samples are used",
            self.current,
            int((known & ~kept).sum()),
        )
        return kept

    def steps_csv(self, text: str, label: str) -> None:
        """Parses `steps_YYYY-MM-DD.csv`: minutes of each device, UTC; watch and phone both count the same steps."""
        frame = load_csv(text, label, ("timestamp", "steps"))
        frame["minute"] = self._csv_minutes(frame, label, local=False)
        frame["count"] = numbers(frame, "steps", label)
        device = frame["data source"] if "data source" in frame.columns else pd.Series("", index=frame.index)
        # Apps that mirror a device sometimes round its times, so their copy may be in the next minute.
        known = (~frame["count"].isna() & (frame["count"] != 0)).to_numpy()
        seconds = self._csv_seconds(frame, label)
        mirrored = np.zeros(len(frame), dtype=bool)
        mirrored[known] = mirrored_rows(seconds[known], frame["count"].to_numpy()[known], device.to_numpy()[known])
        self.report.note(
            "steps-mirrored",
            "dropped",
            "steps that a second app wrote again, at most half a minute apart; counted once",
            self.current,
            int(mirrored.sum()),
        )
        frame, device = frame[~mirrored], device[~mirrored]
        counted = frame.groupby([device, "minute"])["count"].sum(min_count=1)
        per_minute = counted.groupby(level="minute")
        self.report.note(
            "steps-two-trackers",
            "dropped",
            "minutes with steps from two devices; the larger count is kept",
            self.current,
            int((per_minute.count() > 1).sum()),
        )
        largest = per_minute.max()
        repeated = self._add("steps" + COPY, largest.index.to_numpy(), self._plausible("steps", largest.to_numpy()))
        self.report.note(
            "steps-listed-twice",
            "dropped",
            "minutes with steps listed twice; the larger count is kept",
            self.current,
            repeated,
        )

    def spo2_csv(self, text: str, label: str) -> None:
        """Parses `oxygen_saturation_YYYY-MM-DD.csv`: minutes, UTC, percent."""
        frame = load_csv(text, label, ("timestamp", "oxygen saturation percentage"))
        self._add_spo2(frame, "oxygen saturation percentage", label, COPY)

    def hrv_csv(self, text: str, label: str) -> None:
        """Parses `heart_rate_variability_YYYY-MM-DD.csv`: one row per five minutes, UTC, RMSSD and SDNN in ms."""
        columns = {
            "root mean square of successive differences milliseconds": CHANNELS_OF_FILE["hrv"],
            "standard deviation milliseconds": ("sdnn_percentile_0595", "sdnn0595"),
        }
        frame = load_csv(text, label, ("timestamp", *columns))
        minutes = (self._csv_minutes(frame, label, local=False)[:, None] + np.arange(5)).ravel()
        for column, keys in columns.items():
            for key in keys:
                if key in self.schema:
                    values = self._plausible(key, numbers(frame, column, label).to_numpy())
                    self._add(key + COPY, minutes, np.repeat(values, 5))

    def body_temperature(self, text: str, label: str) -> None:
        """Parses `body_temperature_YYYY-MM-DD.csv`: skin temperature, UTC, degC."""
        frame = load_csv(text, label, ("timestamp", "temperature celsius"))
        values = self._plausible("wrist_temperatures", numbers(frame, "temperature celsius", label).to_numpy())
        minutes = self._csv_minutes(frame, label, local=False)
        kept = self._main_source(frame, minutes, values)
        self._add("wrist_temperatures", minutes[kept], values[kept])

    def daily_resting(self, text: str, label: str) -> None:
        """Parses `daily_resting_heart_rate.csv`: one estimate per date, which stands as midnight UTC; bpm."""
        frame = load_csv(text, label, ("timestamp", "beats per minute"))
        minutes = self._csv_minutes(frame, label, local=False)
        for minute, bpm in zip(minutes.tolist(), numbers(frame, "beats per minute", label), strict=True):
            if bpm > 0:
                self.logs.resting.setdefault(date.fromordinal(_EPOCH_DAY + minute // 1440), round(float(bpm), 1))

    def altitude(self, text: str, label: str) -> None:
        """Parses `altitude*.json`: feet climbed per minute, UTC; only minutes with a climb are listed.

        The channel is the standard deviation of altitude within a minute, which is `h / sqrt(12)` for a steady climb of
        `h` metres. This is an approximation: descents are not listed, and a floor climbed over two minutes is assigned
        to one of them.
        """
        minutes, climbed = self._json_minutes(text, label)
        spread = self._plausible("altim_std", climbed * CLIMB_UNIT_M / math.sqrt(12.0))
        self._add("altim_std", minutes, spread)

    def calories(self, text: str, label: str) -> None:
        """Parses `calories*.json`: kcal per minute, UTC."""
        minutes, values = self._json_minutes(text, label)
        self._add("calories", minutes, self._plausible("calories", values))

    def distance(self, text: str, label: str) -> None:
        """Parses `distance*.json`: centimetres per minute, UTC."""
        minutes, values = self._json_minutes(text, label)
        self._add("distance", minutes, self._plausible("distance", values))

    def _json_minutes(self, text: str, label: str) -> tuple[np.ndarray, np.ndarray]:
        entries = load_json_list(text, label)
        values = self._values(entries, lambda value: value, text, label)
        return self._utc_minutes(entries, text, label), values

    def night_temperature(self, text: str, label: str) -> None:
        """Parses `Computed Temperature*.csv`: nightly mean temperature in degC, and sum relative to the baseline.

        Their difference is the baseline of the temperatures per minute.
        """
        columns = ("sleep_start", "temperature_samples", "nightly_temperature", "baseline_relative_sample_sum")
        frame = load_csv(text, label, columns)
        starts = self._csv_minutes(frame, label, local=True, column="sleep_start")
        samples, nightly, above = (numbers(frame, column, label).to_numpy() for column in columns[1:])
        for start, count, mean, total in zip(starts, samples, nightly, above, strict=True):
            if count > 0 and np.isfinite(mean) and np.isfinite(total):
                self._baselines.append((int(start), float(mean - total / count)))

    def temperature(self, text: str, label: str) -> None:
        """Parses `Wrist Temperature*.csv`: local minutes, degC relative to the baseline of the nearest night."""
        frame = load_csv(text, label, ("recorded_time", "temperature"))
        minutes = self._csv_minutes(frame, label, local=True, column="recorded_time")
        relative = numbers(frame, "temperature", label).to_numpy()
        if not len(minutes):
            return
        near = [
            (abs(start - int(np.median(minutes))), baseline)
            for start, baseline in self._baselines
            if abs(start - int(np.median(minutes))) <= 24 * 60
        ]
        if not near:
            self.report.note(
                "temperature-without-baseline",
                "dropped",
                "wrist temperatures relative to an unknown baseline, without a night within a day",
                self.current,
                len(minutes),
            )
            return
        self._add("wrist_temperatures", minutes, self._plausible("wrist_temperatures", relative + min(near)[1]))

    def eda(self, text: str, label: str) -> None:
        """Parses `Mindfulness Eda Data Sessions*.csv`: seconds since 1970, skin conductance level in uS."""
        frame = load_csv(text, label, ("timestamp", "scl_avg"))
        seconds = numbers(frame, "timestamp", label).to_numpy()
        wrong = ~(np.abs(seconds) < 1e13)
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(f"{label}, line {row + 2}: `timestamp` must be seconds since 1970, got {seconds[row]:g}.")
        seconds = np.where(seconds > 1e11, seconds / 1000.0, seconds)
        level = numbers(frame, "scl_avg", label).to_numpy(copy=True)
        if "valid_data" in frame.columns:
            invalid = frame["valid_data"].str.strip().str.lower().isin(("false", "0", "no")).to_numpy()
            self.report.note(
                "eda-invalid",
                "dropped",
                "skin conductance marked as invalid by the device",
                count=int(invalid.sum()),
            )
            level[invalid] = np.nan
        self._add("eda_level_real", (seconds // 60).astype(np.int64), self._plausible("eda_level_real", level))

    def mood(self, text: str, label: str) -> None:
        """Parses a table of moods: a column of times (UTC unless the cells contain an offset) and a column of names."""
        frame = load_csv(text, label, ())
        lowered = {str(name).lower().replace(" ", "_"): str(name) for name in frame.columns}
        when = next((lowered[name] for name in _MOOD_TIMES if name in lowered), None)
        what = next((lowered[name] for name in _MOOD_NAMES if name in lowered), None)
        if when is None or what is None:
            raise ValueError(
                f"{label}, line 1: a table of moods needs a column of times ({', '.join(_MOOD_TIMES)}) and one of"
                f" moods ({', '.join(_MOOD_NAMES)}); it has {', '.join(map(str, frame.columns))}."
            )
        minutes = self._csv_minutes(frame, label, local=False, column=when)
        for minute, name in zip(minutes.tolist(), frame[what], strict=True):
            name = " ".join(str(name).replace("_", " ").split()).lower()
            if not name:
                self.report.note("mood-without-name", "dropped", "moods without a name")
                continue
            self.logs.spans.append(Span(minute, minute, "mood", name))
