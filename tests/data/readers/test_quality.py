"""Reader reports."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import numpy as np
import pytest

from sensorlm_hf import Event, SensorDay
from sensorlm_hf.data.readers import ReadReport


def test_notes_are_counted_with_a_few_examples() -> None:
    report = ReadReport()
    for number in range(8):
        report.note("odd", "kept", "odd things", f"thing {number}")
    report.note("odd", "kept", "odd things", count=4)
    report.note("gone", "dropped", "lost things", count=0)
    assert report.count("odd") == 12
    assert report.count("gone") == 0
    assert report.notes["odd"].examples == [f"thing {number}" for number in range(5)]
    assert report.dropped == []
    with pytest.raises(ValueError, match="level"):
        report.note("odd", "fatal", "no such level")


def test_report_as_text_and_json() -> None:
    values = np.full((1440, 26), np.nan)
    values[:10, 0] = 60.0
    events = (Event("activity", "running", 5, 30), Event("mood", "calm", 7, 7))
    report = ReadReport()
    report.add_day(SensorDay(values, datetime(2024, 3, 1, tzinfo=timezone.utc), "p1", events=events))
    report.files_read.append("a.json")
    report.files_unused["b.json"] = "no channel for it"
    report.note("gone", "dropped", "lost things", "this one", 3)
    (day,) = report.days
    assert day.observed_minutes == {"HR": 10}
    assert day.events == {"activity": 1, "mood": 1}
    text = report.summary()
    assert text.splitlines()[0] == "1 days from 1 files"
    assert "3 x lost things" in text
    assert "1 x no channel for it" in text
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["days"][0]["observed_minutes"] == {"HR": 10}
    assert plain["notes"][0] == {
        "code": "gone", "level": "dropped", "message": "lost things", "count": 3, "examples": ["this one"],
        "places": {"this one": 3},
    }  # fmt: skip
