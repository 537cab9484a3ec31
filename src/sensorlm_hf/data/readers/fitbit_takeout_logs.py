"""Sleeps and exercises of the `*_GoogleData` tables of Google Takeout."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ...days import MINUTES_PER_DAY
from .fitbit_files import STAGES, FitbitFiles, Sleep, Stage
from .logs import Span, activity_span, sleep_label
from .sources import load_csv

_STAGE_NAMES = {"awake": "wake", "restless": "light", "asleep": "light"}


class TakeoutLogs(FitbitFiles):
    """Also parses `UserSleeps`, `UserSleepStages` and `UserExercises`; see [`FitbitFiles`]."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._stages_of: dict[str, dict[str, Stage]] = defaultdict(dict)

    def _span_minutes(self, frame: pd.DataFrame, label: str, start: str, end: str) -> tuple[np.ndarray, np.ndarray]:
        starts, ends = (self._csv_seconds(frame, label, column) / 60.0 for column in (start, end))
        return starts, ends

    def user_sleep_stages(self, text: str, label: str) -> None:
        """Parses `UserSleepStages*.csv`: a row per stage of a sleep, UTC. Read it before `UserSleeps`."""
        columns = ("sleep_id", "sleep_stage_type", "sleep_stage_start", "sleep_stage_end")
        frame = load_csv(text, label, columns)
        starts, ends = self._span_minutes(frame, label, "sleep_stage_start", "sleep_stage_end")
        stage_ids = frame["sleep_stage_id"] if "sleep_stage_id" in frame.columns else pd.Series(range(len(frame)))
        for place, (sleep_id, name) in enumerate(zip(frame["sleep_id"], frame["sleep_stage_type"], strict=True)):
            stage = name.strip().lower()
            stage = _STAGE_NAMES.get(stage, stage)
            if stage in STAGES:
                held = float(starts[place]), float(ends[place]), stage, stage == "wake"
                self._stages_of[sleep_id.strip()][str(stage_ids.iloc[place])] = held

    def user_sleeps(self, text: str, label: str) -> None:
        """Parses `UserSleeps*.csv`: a row per sleep, UTC. Sleeps that a JSON file has too are left out."""
        frame = load_csv(text, label, ("sleep_id", "sleep_start", "sleep_end"))
        starts, ends = self._span_minutes(frame, label, "sleep_start", "sleep_end")
        order: Any = range(len(frame))
        if "sleep_last_updated" in frame.columns:
            order = np.argsort(frame["sleep_last_updated"].to_numpy(dtype=str), kind="stable").tolist()
        for place in order:
            sleep_id, start, end = (
                frame["sleep_id"].iloc[place].strip(),
                int(starts[place] // 1),
                int(-(-ends[place] // 1)),
            )
            if not 0 < end - start <= MINUTES_PER_DAY:
                message = "sleep logs that end before they start, or last over 24 h"
                self.report.note("sleep-impossible", "dropped", message, f"sleep of {end - start} min")
                continue
            same = [
                key
                for key, sleep in self.logs.sleeps.items()
                if key != sleep_id and _mostly_overlap((start, end), (sleep.span.start, sleep.span.end))
            ]
            stages = tuple(self._stages_of.get(sleep_id, {}).values())
            staged = bool(stages) and "sleep_stage_deep" in self.schema
            if same:
                message = "sleeps that the export contains in two kinds of files; counted once"
                self.report.note("sleep-listed-twice", "dropped", message, self.current)
                known = self.logs.sleeps[same[0]]
                if staged and not known.staged:
                    self.logs.sleeps[same[0]] = replace(known, stages=stages, staged=True)
                continue
            span = Span(start, end, "sleep", sleep_label(start, end, self.zone))
            self._add_sleep(sleep_id, Sleep(span, stages if staged else (), staged))

    def user_exercises(self, text: str, label: str) -> None:
        """Parses `UserExercises*.csv`: a row per activity, UTC; those that a JSON file has too are left out."""
        frame = load_csv(text, label, ("exercise_start", "exercise_end", "activity_name"))
        starts, ends = self._span_minutes(frame, label, "exercise_start", "exercise_end")
        known = {(span.start, span.label) for span in self.logs.spans if span.kind == "activity"}
        for start, end, name in zip(starts.tolist(), ends.tolist(), frame["activity_name"], strict=True):
            span = activity_span(60.0 * start, 60.0 * end, name.strip(), self.report)
            if span is not None and (span.start, span.label) in known:
                self.report.note("duplicate-log", "dropped", "log entries listed twice, kept once")
            elif span is not None:
                self.logs.spans.append(span)


def _mostly_overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two spans share more than half of the shorter one."""
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return 2 * shared > min(one[1] - one[0], other[1] - other[0])
