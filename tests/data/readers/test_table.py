"""Tables and arrays."""

from __future__ import annotations

from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pytest

from sensorlm_hf import Event, SensorDay, get_schema
from sensorlm_hf.data.readers import ReadReport, read_table

SCHEMA = get_schema("sensorlm-26")
ROME = "Europe/Rome"


def frame(start: str = "2024-03-01T08:00:00", seconds: int = 180, step: int = 20) -> pd.DataFrame:
    times = pd.date_range(start, periods=seconds // step, freq=f"{step}s")
    count = np.arange(len(times), dtype=float)
    return pd.DataFrame({"time": times.strftime("%Y-%m-%dT%H:%M:%S"), "HR": 60 + count, "steps": count})


def test_samples_are_averaged_and_steps_summed_per_minute() -> None:
    (day,) = read_table(frame(), timezone=ROME)
    assert day.start.isoformat() == "2024-03-01T00:00:00+01:00"
    assert day.channel("HR")[480:483].tolist() == [61.0, 64.0, 67.0]
    assert day.channel("steps")[480:483].tolist() == [3.0, 12.0, 21.0]
    assert int(day.mask.sum()) == 6


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".parquet"])
def test_files_match_data_frames(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"day{suffix}"
    if suffix == ".parquet":
        frame().to_parquet(path)
    else:
        frame().to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    assert list(read_table(path, timezone=ROME)) == list(read_table(frame(), timezone=ROME))


def test_time_formats_are_equivalent() -> None:
    naive = frame()
    local = pd.to_datetime(naive["time"]).dt.tz_localize(ROME)
    forms = {
        "zone": naive.assign(time=local),
        "offset": naive.assign(time=local.map(lambda t: t.isoformat())),
        "utc": naive.assign(time=local.dt.tz_convert("UTC").map(lambda t: t.isoformat())),
        "seconds": naive.assign(time=local.map(lambda t: t.timestamp())),
        "index": naive.drop(columns="time").set_index(pd.DatetimeIndex(local)),
        "stamps": naive.assign(time=pd.to_datetime(naive["time"])),
    }
    (expected,) = read_table(naive, timezone=ROME)
    for name, table in forms.items():
        (day,) = read_table(table, timezone=ROME)
        assert day == expected, name
    (day,) = read_table(forms["offset"])
    assert day.start.isoformat() == "2024-03-01T00:00:00+01:00"


def test_naive_times_require_timezone() -> None:
    with pytest.raises(ValueError, match="`timezone` is missing"):
        read_table(frame())
    with pytest.raises(ValueError, match=r"seconds since 1970.*1000"):
        read_table(frame().assign(time=1.7e12), timezone=ROME)


def test_windows_follow_day_start_and_clock_changes() -> None:
    spring = frame("2024-03-31T00:00:00", seconds=3 * 3600, step=3600)
    (day,) = read_table(spring.assign(time=["2024-03-31T00:00", "2024-03-31T03:00", "2024-03-31T23:59"]), timezone=ROME)
    assert np.flatnonzero(day.mask[:, 0]).tolist() == [0, 120, 1379]  # 2:00 to 3:00 did not exist
    (day,) = read_table(frame(), timezone=ROME, day_start="first")
    assert day.start.isoformat() == "2024-03-01T08:00:00+01:00"
    assert day.channel("HR")[0] == 61.0
    first, second = read_table(frame("2024-03-01T11:59:00", seconds=120), timezone=ROME, day_start="12:00")
    assert (first.start.day, second.start.day) == (29, 1)
    assert np.flatnonzero(first.mask[:, 0]).tolist() == [1439]


def test_subjects_are_separated() -> None:
    table = pd.concat([frame().assign(subject_id=7), frame().assign(subject_id=3, HR=50.0)])
    table = table.sample(frac=1.0, random_state=0)
    days = {day.subject_id: day for day in read_table(table, timezone=ROME)}
    assert set(days) == {"3", "7"}
    assert days["3"].channel("HR")[480] == 50.0
    assert days["7"].channel("HR")[480] == 61.0
    report = ReadReport()
    list(read_table(table.assign(subject_id=[None] + ["a"] * (len(table) - 1)), timezone=ROME, report=report))
    assert report.count("row-without-person") == 1
    with pytest.raises(ValueError, match="subject_id is empty"):
        read_table(table.assign(subject_id=None), timezone=ROME)
    (day,) = read_table(frame(), timezone=ROME, subject_id="me")
    assert day.subject_id == "me"


def test_columns_are_mapped_and_reordered() -> None:
    table = frame().rename(columns={"HR": "pulse (bpm)", "time": "when"})[["steps", "pulse (bpm)", "when"]]
    report = ReadReport()
    (day,) = read_table(
        table.assign(mood="calm"), timezone=ROME, columns={"pulse (bpm)": "HR"}, time_column="when", report=report
    )
    assert day.channel("HR")[480] == 61.0
    assert report.notes["column-unused"].examples == ["mood"]
    for columns, message in (
        ({"puls": "HR"}, "'puls'"),
        ({"pulse (bpm)": "heart"}, "not a channel"),
        ({"pulse (bpm)": "steps"}, None),
    ):
        if message:
            with pytest.raises(ValueError, match=message):
                read_table(table, timezone=ROME, columns=columns, time_column="when")
    with pytest.raises(ValueError, match="no column is a channel"):
        read_table(frame().rename(columns={"HR": "a", "steps": "b"}), timezone=ROME)
    with pytest.raises(ValueError, match="`time_column` is 'clock'"):
        read_table(table, timezone=ROME, columns={"pulse (bpm)": "HR"}, time_column="clock")
    with pytest.raises(ValueError, match="more than one column for HR"):
        read_table(frame().assign(pulse=1.0), timezone=ROME, columns={"pulse": "HR", "HR": "HR"})


def test_error_reports_row_and_column() -> None:
    table = frame()
    with pytest.raises(ValueError, match=r"row 2: column 'HR'.*'fast'"):
        read_table(table.assign(HR=[60, 61, "fast", *range(len(table) - 3)]), timezone=ROME)
    with pytest.raises(ValueError, match=r"row 1: column 'HR'.*infinite"):
        read_table(table.assign(HR=[60, np.inf, *range(len(table) - 2)]), timezone=ROME)
    with pytest.raises(ValueError, match=r"row 3: times must all be ISO 8601.*'noon'"):
        read_table(table.assign(time=[*table["time"][:3], "noon", *table["time"][4:]]), timezone=ROME)
    with pytest.raises(ValueError, match="row 0: the time must be ISO 8601"):
        read_table(table.assign(time="soon"), timezone=ROME)
    with pytest.raises(ValueError, match="row 0: the time is missing"):
        read_table(table.assign(time=[None, *table["time"][1:]]), timezone=ROME)
    with pytest.raises(ValueError, match=r"row 1: either all times or none must contain a zone"):
        read_table(table.assign(time=[table["time"][0], *(f"{t}Z" for t in table["time"][1:])]), timezone=ROME)
    with pytest.raises(ValueError, match=r"row 8: the time is centuries away from 1970"):
        read_table(table.assign(time=[*table["time"][:-1], "9999-12-31T00:00"]), timezone=ROME)
    with pytest.raises(ValueError, match="got booleans"):
        read_table(table.assign(HR=True), timezone=ROME)
    with pytest.raises(ValueError, match="row 0: SensorDay `values`"):
        list(read_table(pd.DataFrame({"values": [[[1.0, 2.0], [3.0]]]})))
    with pytest.raises(ValueError, match="no rows"):
        read_table(table.iloc[:0], timezone=ROME)


def test_table_without_times_is_one_day() -> None:
    table = pd.DataFrame({"log_energy": np.arange(1440.0)})
    (day,) = read_table(table)
    assert day.channel("log_energy").tolist() == list(range(1440))
    with pytest.raises(ValueError, match=r"no time column.*1440 rows.*has 1439"):
        list(read_table(table.iloc[1:]))


def test_arrays_and_npy_files(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(60, 5, (3, 1440, 26)).astype(np.float32)
    array[1] = np.nan
    np.save(tmp_path / "days.npy", array)
    (single,) = read_table(array[0], subject_id="p")
    assert np.array_equal(single.values, array[0])
    assert single.subject_id == "p"
    assert [day.subject_id for day in read_table(tmp_path / "days.npy")] == ["unknown-0", "unknown-2"]
    with pytest.raises(ValueError, match="transposed"):
        read_table(array[0].T)
    with pytest.raises(ValueError, match="1440 minutes and the 34 channels"):
        read_table(array, schema="sensorlm-34")
    with pytest.raises(ValueError, match="must have numbers"):
        read_table(np.array([["a"]]))
    (tmp_path / "bad.npy").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match=r"bad\.npy"):
        read_table(tmp_path / "bad.npy")


@pytest.fixture
def days() -> list[SensorDay]:
    rng = np.random.default_rng(1)
    made = []
    for number in range(3):
        values = rng.normal(60, 5, (1440, 26)).astype(np.float32)
        values[100:200] = np.nan
        start = pd.Timestamp(f"2024-03-0{number + 1}T00:00", tz=ROME).to_pydatetime()
        events = (Event("activity", "running", 10, 40),)
        made.append(SensorDay(values, start, f"p{number}", SCHEMA, events, {"age": 30.0 + number}))
    return made


@pytest.mark.parametrize("typed", [False, True])
def test_saved_days_round_trip(tmp_path: Path, days: list[SensorDay], typed: bool) -> None:
    rows = [day.to_row() for day in days]
    table = datasets.Dataset.from_list(rows)
    if typed:
        table = table.cast_column("values", datasets.Array2D((1440, 26), "float32"))
    table.to_parquet(tmp_path / "days.parquet")
    assert list(read_table(tmp_path / "days.parquet")) == days
    assert list(read_table(pd.DataFrame(rows))) == days
    with pytest.raises(ValueError, match="schema='sensorlm-26'"):
        list(read_table(tmp_path / "days.parquet", schema="sensorlm-34"))


def test_invalid_sources_raise(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no file"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "day.txt").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"day\.txt: a table must be one of \.csv"):
        read_table(tmp_path / "day.txt")
    (tmp_path / "day.parquet").write_bytes(b"PAR1 cut")
    with pytest.raises(ValueError, match=r"day\.parquet: not a readable Parquet"):
        read_table(tmp_path / "day.parquet")
    (tmp_path / "day.csv").write_bytes(b"time,HR\n\x81\xfe,1\n")
    with pytest.raises(ValueError, match=r"day\.csv, line 2: not UTF-8"):
        read_table(tmp_path / "day.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(ValueError, match=r"empty\.csv is empty; export it again"):
        read_table(tmp_path / "empty.csv")
    with pytest.raises(TypeError, match="int"):
        read_table(3)  # type: ignore[arg-type]


def test_input_frames_are_not_modified() -> None:
    table = frame()
    before = table.copy(deep=True)
    list(read_table(table, timezone=ROME))
    pd.testing.assert_frame_equal(table, before)
