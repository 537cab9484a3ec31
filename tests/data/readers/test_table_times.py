"""Times of tables: forms, the repeated hour, numbers that are no seconds since 1970."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sensorlm_hf import SensorDay
from sensorlm_hf.data.readers import ReadReport, read_table

BERLIN = "Europe/Berlin"


def read(times: list[object], timezone: str | None = BERLIN, **options: object) -> list[SensorDay]:
    table = pd.DataFrame({"time": times, "steps": np.arange(1.0, len(times) + 1)})
    return list(read_table(table, timezone=timezone, report=ReadReport(), **options))  # type: ignore[arg-type]


def minutes(day: SensorDay) -> dict[int, float]:
    values = day.channel("steps")
    return {int(minute): float(values[minute]) for minute in np.flatnonzero(~np.isnan(values))}


@pytest.mark.parametrize(
    "times",
    [
        ["01.03.2024 08:00", "1.3.2024 08:01:30"],
        ["3/1/2024 8:00:00 AM", "3/13/2024 8:01:30 AM"],
        ["2024/03/01 08:00", "2024/03/13 08:01"],
        ["2024-03-01 07:00:00 UTC", "2024-03-01 07:01:00 UTC"],
        ["2024-03-01 07:00:00.123000+0000 [Europe/London]", "2024-03-01 07:01:00+0000 [Europe/London]"],
    ],
)
def test_forms(times: list[object]) -> None:
    assert minutes(read(times)[0])[480] == 1.0
    assert read(times)[0].start.isoformat() == "2024-03-01T00:00:00+01:00"


def test_midnight_may_be_written_without_time_or_as_24() -> None:
    first, second = read(["2024-03-01", "2024-03-01 08:01:00.5", "2024-03-01 24:00:00"])
    assert (minutes(first), minutes(second)) == ({0: 1.0, 481: 2.0}, {0: 3.0})


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (["3/1/2024 8:00:00 AM"], "row 0: the date .* can be read with the day or the month first"),
        (["3/13/2024 8:00", "13/3/2024 8:00"], "neither with the day nor the month first"),
        (["08:00:00"], "row 0: the time '08:00:00' has no date"),
        (["2024-03-01 08:00:00", "2024-03-01 24:00:30"], "row 1: "),
        ([0, 60], "count from the start of the recording"),
        ([20240301], "format: '%Y%m%d'"),
    ],
)
def test_unclear_times_raise(times: list[object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(times)


def test_numbers_may_count_from_a_start() -> None:
    for unit, times in (("s", [0, 60]), ("min", [0, 1])):
        mapping = {"time": {"column": "time", "unit": unit, "start": "2024-03-01T08:00"}}
        assert minutes(read(times, mapping=mapping)[0]) == {480: 1.0, 481: 2.0}


def test_excel_serial_numbers() -> None:
    (day,) = read([45352, 45352.000694444], mapping={"time": {"column": "time", "unit": "excel"}})
    assert (day.start.isoformat(), minutes(day)) == ("2024-03-01T00:00:00+01:00", {0: 1.0, 1: 2.0})


def test_second_pass_of_the_repeated_hour() -> None:
    clocks = ["01:59", "02:00", "02:59", "02:00", "02:59", "03:00"]
    (day,) = read([f"2024-10-27T{clock}" for clock in clocks])
    assert minutes(day) == {119: 1.0, 120: 2.0, 179: 3.0, 180: 4.0, 239: 5.0, 240: 6.0}
    (day,) = read(["2024-10-27T02:30", "2024-10-27T02:30"])
    assert minutes(day) == {150: 1.0, 210: 2.0}
    (day,) = read([f"2024-10-27T{clock}" for clock in clocks[::-1]])  # the newest row first
    assert minutes(day)[180] == 3.0


def test_changing_offsets_are_followed() -> None:
    times = ["2024-10-27T00:00+0200", "2024-10-27T02:30+0200", "2024-10-27T02:30+0100", "2024-10-28T00:00+0100"]
    first, second = read(list(times), timezone=None)
    assert minutes(first) == {0: 1.0, 150: 2.0, 210: 3.0}
    assert (second.start.isoformat(), minutes(second)) == ("2024-10-28T00:00:00+01:00", {0: 4.0})
