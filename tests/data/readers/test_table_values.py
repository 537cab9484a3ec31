"""Values that are none, rows given twice, counters, people."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sensorlm_hf import SensorDay
from sensorlm_hf.data.readers import ReadReport, read_table


def read(columns: dict[str, list[object]], **options: object) -> tuple[list[SensorDay], ReadReport]:
    report = ReadReport()
    return list(read_table(pd.DataFrame(columns), report=report, **options)), report  # type: ignore[arg-type]


def observed(day: SensorDay, key: str) -> dict[int, float]:
    values = day.channel(key)
    return {int(minute): round(float(values[minute]), 3) for minute in np.flatnonzero(~np.isnan(values))}


def at(*clocks: str) -> list[object]:
    return [f"2024-03-01T{clock}Z" for clock in clocks]


def test_placeholders_of_heart_rate_are_missing() -> None:
    times = at("08:00:00", "08:00:20", "08:00:40", "08:01:00", "08:01:20", "08:02:00", "08:03:00")
    (day,), report = read({"time": times, "HR": [60, 0, 60, 61, 255, -1, "--"]})
    assert observed(day, "HR") == {480: 60.0, 481: 61.0}
    assert report.count("heart-rate-placeholder") == 3


def test_implausible_samples_do_not_spoil_a_mean() -> None:
    (day,), report = read({"time": at("08:00:00", "08:00:20", "08:01:00"), "HR": [60, 300, 300]})
    assert observed(day, "HR") == {480: 60.0, 481: 300.0}
    assert (report.count("implausible-sample-HR"), report.count("implausible-HR")) == (1, 1)


def test_rows_given_twice_count_once() -> None:
    times = at("08:00", "08:01")
    (day,), report = read({"time": times * 2, "steps": [30, 40] * 2})
    assert observed(day, "steps") == {480: 30.0, 481: 40.0}
    assert report.count("row-given-twice") == 2
    # Several samples with the time of their minute are no repetitions.
    (day,), report = read({"time": at("08:00", "08:00", "08:00", "08:01"), "steps": [5, 5, 7, 8]})
    assert observed(day, "steps") == {480: 17.0, 481: 8.0}
    assert report.count("row-given-twice") == 0


def test_counters_are_differenced_and_impossible_steps_are_missing() -> None:
    (day,), report = read({"time": at("08:00", "08:01", "08:03", "08:04"), "steps": [3000, 3040, 3060, 3060]})
    assert observed(day, "steps") == {481: 40.0, 482: 10.0, 483: 10.0, 484: 0.0}
    assert (report.count("step-counter"), report.count("step-counter-gap")) == (4, 1)
    (day,), report = read({"time": at("08:00", "08:01", "08:02"), "steps": [-5, 40000, 60]})
    assert observed(day, "steps") == {482: 60.0}
    assert report.count("implausible-steps") == 2


def test_id_columns_name_people_unless_they_number_the_rows() -> None:
    for name in ("id", "Id", "subject_id", "Participant ID"):
        days, _ = read({name: [1, 2], "time": at("08:00", "08:00"), "HR": [60, 100]})
        assert {day.subject_id: observed(day, "HR") for day in days} == {"1": {480: 60.0}, "2": {480: 100.0}}
    (day,), report = read({"id": [1, 2], "time": at("08:00", "08:01"), "HR": [60, 100]})
    assert observed(day, "HR") == {480: 60.0, 481: 100.0}
    assert report.notes["column-unused"].examples == ["id"]


@pytest.mark.parametrize(
    ("cells", "steps"),
    [(["1,234", "12"], {481: 12.0}), (["1,234", "1,260"], {481: 26.0}), (["12,0", "13,0"], {480: 12.0, 481: 13.0})],
)
def test_commas_in_numbers(cells: list[object], steps: dict[int, float]) -> None:
    (day,), _ = read({"time": at("08:00", "08:01"), "HR": ["61,5", "62"], "steps": cells})
    assert observed(day, "steps") == steps
    assert observed(day, "HR") == {480: 61.5, 481: 62.0}
