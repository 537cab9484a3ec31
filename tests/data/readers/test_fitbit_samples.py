"""Samples of Fitbit's files, all at once and one by one."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from sensorlm_hf.data.readers.fitbit_samples import heart_rates, minutes_of_stamps, plain_numbers
from sensorlm_hf.data.readers.minutes import to_float


def slow_minute(stamp: str) -> int:
    moment = datetime.strptime(stamp, "%m/%d/%y %H:%M:%S")
    return int((moment - datetime(1970, 1, 1)).total_seconds()) // 60


def test_minutes_are_those_of_strptime() -> None:
    rng = np.random.default_rng(0)
    moments = [datetime.fromtimestamp(int(at)) for at in rng.integers(0, 3_100_000_000, 500)]
    stamps = [f"{moment:%m/%d/%y %H:%M:%S}" for moment in moments] + ["02/29/24 23:59:59", "12/31/99 00:00:00"]
    minutes = minutes_of_stamps(stamps)
    assert minutes is not None
    assert minutes.tolist() == [slow_minute(stamp) for stamp in stamps]
    empty = minutes_of_stamps([])
    assert empty is not None
    assert empty.tolist() == []


@pytest.mark.parametrize(
    "stamp",
    ["02/30/24 00:00:00", "00/01/24 00:00:00", "13/01/24 00:00:00", "01/00/24 00:00:00", "01/01/24 24:00:00",
     "01/01/24 00:60:00", "01/01/24 00:00:60", "01-01-24 00:00:00", "01/01/24 00:00", "0a/01/24 00:00:00",
     "01/01/24 00:00:0\u0661", None, 5],
)  # fmt: skip
def test_other_times_are_left_to_the_caller(stamp: Any) -> None:
    assert minutes_of_stamps(["01/01/24 00:00:00", stamp]) is None
    assert minutes_of_stamps([stamp]) is None


def test_numbers_are_those_of_the_slow_rule() -> None:
    for values in ([1, 2.5], ["1", "2.5"], [], [float("nan"), 1]):
        fast = plain_numbers(values)
        assert fast is not None
        assert fast.tolist() == pytest.approx([to_float(value) for value in values], nan_ok=True)
    for wrong in ([1, "2"], [True, 1], ["x"], [None], [[1]], [{}]):
        assert plain_numbers(wrong) is None


def test_heart_rates() -> None:
    samples = [
        {"dateTime": "03/01/24 07:00:04", "value": {"bpm": 61, "confidence": 3}},
        {"dateTime": "03/01/24 07:01:04", "value": {"bpm": 62.5}},
    ]
    found = heart_rates(json.dumps(samples, indent=2))
    assert found is not None
    assert found[0].tolist() == [slow_minute("03/01/24 07:00:00"), slow_minute("03/01/24 07:01:00")]
    assert (found[1].tolist(), found[2].tolist()) == ([61, 62.5], [3, 1])
    for wrong in ({"bpm": "61"}, {"bpm": True}, {}, 61):
        assert heart_rates(json.dumps([{**samples[0], "value": wrong}])) is None
    assert heart_rates("{}") is None
