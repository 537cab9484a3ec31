"""Tables in the dialects that programs and people write."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pytest

from sensorlm_hf import SensorDay
from sensorlm_hf.data.readers import ReadReport, read_table


def read(
    tmp_path: Path, text: str | bytes, name: str = "m.csv", **options: object
) -> tuple[list[SensorDay], ReadReport]:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    report = ReadReport()
    return list(read_table(path, report=report, **options)), report  # type: ignore[arg-type]


def observed(day: SensorDay, key: str) -> dict[int, float]:
    values = day.channel(key)
    return {int(minute): round(float(values[minute]), 3) for minute in np.flatnonzero(~np.isnan(values))}


@pytest.mark.parametrize(
    "text",
    [
        "time,HR,steps\n1709280000,61,12,\n1709280060,62,14,\n",
        "time;HR;steps\n2024-03-01 08:00:00Z;61,0;12\n2024-03-01 08:01:00Z;62,0;14\n",
        'time,HR,steps\n2024-03-01T08:00:00Z,"61,0",12\n2024-03-01T08:01:00Z,"62,0",14\n',
        "time, Heart Rate (count/min), Step Count (count)\n2024-03-01T08:00Z, 61, 12\n2024-03-01T08:01Z, 62, 14\n",
        "Time\thr\tSteps\n2024-03-01T08:00Z\t61\t12\n2024-03-01T08:01Z\t62\t14\n",
        "Made by X 1.0\nDevice: 7\n\ntime,HR,steps\n2024-03-01T08:00Z,61,12\n2024-03-01T08:01Z,62,14\n",
        "time,HR,steps\r2024-03-01T08:00Z,61,12\r2024-03-01T08:01Z,62,14\r",
        "Date,Time,HR,steps\n01.03.2024,08:00:00,61,12\n01.03.2024,08:01:00,62,14\n",
        "time,HR,steps\n45352.333333333336,61,12\n45352.33402777778,62,14\n",
        "time,HR,steps\n2024-03-01T08:00Z,61,12\n2024-03-01T08:01Z,62,14\n\n,,\nTotal,123,26\n",
    ],
)
def test_dialects_are_equivalent(tmp_path: Path, text: str) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (day,), _ = read(tmp_path, text.encode(encoding), timezone="UTC")
        assert observed(day, "HR") == {480: 61.0, 481: 62.0}
        assert observed(day, "steps") == {480: 12.0, 481: 14.0}


def test_other_encodings_are_noted(tmp_path: Path) -> None:
    (day,), report = read(tmp_path, "time,HR,T (°C)\n2024-03-01T08:00Z,61,33\n".encode("cp1252"))
    assert observed(day, "HR") == {480: 61.0}
    assert report.count("not-unicode") == 1


def test_json(tmp_path: Path) -> None:
    rows = [{"time": "2024-03-01T08:00:00Z", "HR": 60}]
    lines = "".join(json.dumps(row) + "\n" for row in rows * 2)
    for text in (json.dumps(rows), json.dumps({"data": rows, "next": None}), lines):
        (day,), _ = read(tmp_path, text, "m.json")
        assert observed(day, "HR") == {480: 60.0}
    for text, message in (
        ('{"a": [1], "b": [2]}', "an object with a, b"),
        ("[1, 2]", "must be a list of rows"),
        ('[{"time"', "line 1: not valid JSON"),
    ):
        with pytest.raises(ValueError, match=message):
            read(tmp_path, text, "m.json")


def test_excel_workbooks(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"m\.xlsx: not a readable Excel workbook"):
        read(tmp_path, b"PK\x03\x04rubbish", "m.xlsx")
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["Clinic"], ["time", "HR"], [pd.Timestamp("2024-03-01 08:00").to_pydatetime(), 61]):
        book.active.append(row)
    book.save(tmp_path / "m.xlsx")
    (day,) = read_table(tmp_path / "m.xlsx", timezone="UTC")
    assert observed(day, "HR") == {480: 61.0}


def test_splits_of_a_dataset_dict(tmp_path: Path) -> None:
    rows = {"time": ["2024-03-01T08:00:00Z"], "HR": [61]}
    splits = datasets.DatasetDict(
        {name: datasets.Dataset.from_dict({**rows, "subject_id": [name]}) for name in ("train", "test")}
    )
    assert [day.subject_id for day in read_table(splits)] == ["train", "test"]


def test_lines_that_do_not_fit(tmp_path: Path) -> None:
    rows = "".join(f"2024-03-01T08:{minute:02d}Z,61,5\n" for minute in range(40))
    head = "time,HR,steps\n"
    (day,), report = read(tmp_path, head + rows + "2024-03-01T09:00Z,61,5,7,8\n2024-03-01T09:01Z,6")
    assert len(observed(day, "HR")) == 40
    assert (report.notes["bad-line"].examples[0][-7:], report.count("cut-line")) == ("line 42", 1)
    with pytest.raises(ValueError, match=r"m\.csv, line 2: has more cells than the header, from 7 on"):
        read(tmp_path, head + rows.replace(",5\n", ",5,7\n"))
    with pytest.raises(ValueError, match=r"m\.csv, line 2: has more cells than the header, from 7 on"):
        read(tmp_path, head + rows.replace(",5\n", ",5,7,8,9\n"))
    (day,), report = read(tmp_path, head + rows + "2024-03-01T09:00Z,fast,5\n2024-03-01T0x,61,5\n")
    assert len(observed(day, "HR")) == 40
    assert (report.count("not-a-number"), report.count("row-without-time")) == (1, 1)
