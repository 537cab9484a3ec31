"""ActiGraph: databases and tables of epochs that the tests write as ActiLife does."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from sensorlm_hf import Event
from sensorlm_hf.data.readers import ReadReport, detect_source, read_actigraph, read_any

BERLIN = "Europe/Berlin"
LINE = "------------ Data Table File Created By ActiGraph wGT3XBT ActiLife v6.13.4 Firmware v1.9.2 date format {} -----"


def ticks(hour: int, minute: int, second: int = 0) -> int:
    return int((datetime(2024, 3, 1, hour, minute, second) - datetime(1, 1, 1)).total_seconds()) * 10**7


def agd(path: Path, epoch: str, *rows: tuple[int, int, int], beds: tuple[tuple[int, int], ...] = ()) -> Path:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE settings (settingName TEXT, settingValue TEXT)")
        database.execute("INSERT INTO settings VALUES ('epochlength', ?), ('devicename', 'wGT3XBT')", (epoch,))
        database.execute("CREATE TABLE data (dataTimestamp INTEGER, axis1 INTEGER, steps INTEGER, hr INTEGER)")
        database.executemany("INSERT INTO data VALUES (?, 9, ?, ?)", rows)
        database.execute("CREATE TABLE sleep (inBedTimestamp INTEGER, outBedTimestamp INTEGER)")
        database.executemany("INSERT INTO sleep VALUES (?, ?)", beds)
    return path


def table(
    path: Path, header: str, *rows: str, dates: str = "dd.MM.yyyy", day: str = "01.03.2024", epoch: str = "00:01:00"
) -> Path:
    lines = [LINE.format(dates), "Serial Number: X", "Start Time 08:00:00", f"Start Date {day}"]
    lines += [f"Epoch Period (hh:mm:ss) {epoch}", "Download Time 10:00:00", "Download Date 05.03.2024"]
    lines += ["Current Memory Address: 0", "Current Battery Voltage: 4.0     Mode = 13", "-" * 50, header, *rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_database(tmp_path: Path) -> None:
    rows = [(ticks(8, 0), 12, 61), (ticks(8, 0, 30), 10, 63), (ticks(8, 1), 0, 0)]
    path = agd(tmp_path / "p1.agd", "30", *rows, beds=((ticks(0, 10), ticks(6, 40, 30)),))
    (day,) = read_actigraph(path, BERLIN)
    assert day.channel("steps")[480:482].tolist() == [22, 0]
    assert day.channel("HR")[480] == 62
    assert np.isnan(day.channel("HR")[481])
    assert day.events == (Event("sleep", "sleep", 10, 401),)
    assert detect_source(path) == "actigraph"
    assert list(read_any(path, timezone=BERLIN)) == [day]


def test_table_with_dates(tmp_path: Path) -> None:
    rows = ("01.03.2024,08:00:00,120,80,60,12,61", "01.03.2024,08:01:00,130,82,60,14,0")
    path = table(tmp_path / "p1.csv", "Date,Time,Axis1,Axis2,Axis3,Steps,HR", *rows)
    (day,) = read_actigraph(path, BERLIN)
    assert day.channel("steps")[480:482].tolist() == [12, 14]
    assert day.channel("HR")[480] == 61
    assert detect_source(path) == "actigraph"


def test_table_without_dates_counts_from_the_start(tmp_path: Path) -> None:
    options = {"dates": "M/d/yyyy", "day": "3/1/2024"}
    path = table(tmp_path / "p1.csv", "Axis1,Steps,HR", "1,12,61", "1,60,65", epoch="00:02:00", **options)
    report = ReadReport()
    (day,) = read_actigraph(path, BERLIN, report=report)
    assert day.channel("steps")[480:484].tolist() == [6, 6, 30, 30]
    assert not day.mask[:, 0].any()
    assert report.count("not-minutes") == 2


def test_damaged_files_are_named(tmp_path: Path) -> None:
    path = table(tmp_path / "p1.csv", "Date,Time,Steps", "03/01/2024,08:00:00,12")
    with pytest.raises(ValueError, match=r"p1\.csv, line 12: a time must be like %d\.%m\.%Y %H:%M:%S, got '03/01/2024"):
        list(read_actigraph(path, BERLIN))
    table(path, "12,61")
    with pytest.raises(ValueError, match="line 11: must be the names of columns"):
        list(read_actigraph(path, BERLIN))
    table(path, "Axis1", epoch="00:00:00")
    with pytest.raises(ValueError, match="raw acceleration"):
        list(read_actigraph(path, BERLIN))
    path.unlink()
    agd(tmp_path / "p1.agd", "soon")
    with pytest.raises(ValueError, match="`epochlength` must be a number of seconds, got 'soon'"):
        list(read_actigraph(tmp_path, BERLIN))
    (tmp_path / "p1.agd").write_bytes(b"SQLite format 3\x00")
    with pytest.raises(ValueError, match=r"p1\.agd is not a readable \.agd database"):
        list(read_actigraph(tmp_path, BERLIN))


def test_epochs_are_elapsed_time_where_clocks_change(tmp_path: Path) -> None:
    """In Berlin 2:00 is 3:00 on 31 March 2024; epochs without dates follow each other without a gap."""
    rows = ["1,1"] * (60 * 22)
    (day,) = read_actigraph(
        table(tmp_path / "p1.csv", "Axis1,Steps", *rows, day="30.03.2024"), BERLIN, day_start="08:00"
    )
    assert day.channel("steps")[: 60 * 22].tolist() == [1] * (60 * 22)


def test_bad_cells_are_named_by_their_line_in_the_file(tmp_path: Path) -> None:
    path = table(tmp_path / "p1.csv", "Date,Time,Steps", "01.03.2024,08:00:00,12", "01.03.2024,08:01:00,x")
    with pytest.raises(ValueError, match="line 13: Steps must be a number, got 'x'"):
        list(read_actigraph(path, BERLIN))


def test_the_clock_of_a_device_goes_on_where_local_time_changes(tmp_path: Path) -> None:
    rows = [f"31.03.2024,0{hour}:{minute:02}:00,1" for hour in (1, 2, 3) for minute in range(60)]
    path = table(tmp_path / "p1.csv", "Date,Time,Steps", *rows, day="31.03.2024")
    (day,) = read_actigraph(path, BERLIN)
    assert np.flatnonzero(day.channel("steps") == 1).tolist() == list(range(60, 240))
    start = int((datetime(2024, 10, 27, 1) - datetime(1, 1, 1)).total_seconds()) * 10**7
    path = agd(tmp_path / "p2.agd", "60", *((start + minute * 60 * 10**7, 1, 0) for minute in range(180)))
    (day,) = read_actigraph(path, BERLIN)
    assert np.flatnonzero(day.channel("steps") == 1).tolist() == list(range(60, 240))
