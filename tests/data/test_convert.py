"""Conversion of a recording to a dataset folder, written atomically."""

from __future__ import annotations

import io
import json
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pytest

from sensorlm_hf import SensorDay, cli, load_sensor_days
from sensorlm_hf.commands.convert import SOURCE_NAMES
from sensorlm_hf.data import convert as module
from sensorlm_hf.data.convert import QUALITY_FILE, convert_recording, split_of
from sensorlm_hf.data.quality_text import print_conversion
from sensorlm_hf.data.readers import read_table
from sensorlm_hf.data.readers.detect import SOURCES
from sensorlm_hf.data.shards import round_values

ROME = "Europe/Rome"


def people(count: int = 12, days: int = 2) -> pd.DataFrame:
    times = pd.date_range("2024-03-01T08:00", periods=days, freq="D").repeat(3) + pd.to_timedelta(
        [0, 1, 2] * days, "min"
    )
    table = pd.concat(
        pd.DataFrame({"time": times, "HR": 60.0 + person + np.arange(len(times)), "subject_id": f"Anna {person}"})
        for person in range(count)
    )
    table["time"] = table["time"].dt.strftime("%Y-%m-%dT%H:%M:%S")
    return table


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    people().to_csv(path, index=False)
    return path


def folders(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_converted_folder_loads_with_subject_splits(table: Path, tmp_path: Path) -> None:
    shares = {"validation_share": 0.2, "test_share": 0.3, "keep_ids": True}
    done = convert_recording(table, tmp_path / "out", timezone=ROME, precision="exact", license="cc0-1.0", **shares)  # type: ignore[arg-type]
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == done.days
    assert set(done.days) == {"train", "validation", "test"}
    for split, rows in loaded.items():
        for who in set(rows["subject_id"]):
            assert split_of(who, 0.2, 0.3) == split
    read = {day.sample_id: day for day in read_table(table, timezone=ROME)}
    back = [
        SensorDay.from_row(row)
        for split in done.days
        for row in load_sensor_days(tmp_path / "out", split, cache_dir=tmp_path / "cache2")
    ]
    assert len(back) == len(read) == 24
    assert all(day == read[day.sample_id] for day in back)


def test_streaming_matches_map_style(table: Path, tmp_path: Path) -> None:
    convert_recording(table, tmp_path / "out", timezone=ROME, days_per_shard=5)
    plain = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    stream = datasets.load_dataset(str(tmp_path / "out"), split="train", streaming=True)
    pairs = list(zip(plain, stream, strict=True))
    assert len(pairs) == 24
    assert all(SensorDay.from_row(a) == SensorDay.from_row(b) for a, b in pairs)
    assert len(list((tmp_path / "out" / "data").iterdir())) == 5


def test_dataset_with_same_name_is_not_reused(tmp_path: Path) -> None:
    rates = []
    for number in (60.0, 70.0):
        one = pd.DataFrame({"time": ["2024-03-01T08:00:00Z"], "HR": [number]})
        convert_recording(one, tmp_path / str(number) / "out", keep_ids=True)
        rows = load_sensor_days(tmp_path / str(number) / "out", "train", cache_dir=tmp_path / "cache")
        rates.append(float(rows[0]["values"][480, 0]))
    assert rates == [60.0, 70.0]


def test_subject_ids_are_pseudonymised_everywhere(table: Path, tmp_path: Path) -> None:
    first = convert_recording(table, tmp_path / "a", timezone=ROME)
    second = convert_recording(table, tmp_path / "b", timezone=ROME, salt="secret")
    third = convert_recording(table, tmp_path / "c", timezone=ROME, salt="secret")
    names = [{day.subject_id for day in done.report.days} for done in (first, second, third)]
    assert names[0] != names[1] == names[2]
    assert all(len(who) == 12 for who in names)
    for folder in ("a", "b"):
        for path in (tmp_path / folder).rglob("*"):
            assert not path.is_file() or b"Anna" not in path.read_bytes()
            assert not path.is_file() or b"people.csv" not in path.read_bytes()
    assert {
        row["subject_id"] for row in load_sensor_days(tmp_path / "a", "train", cache_dir=tmp_path / "cache")
    } == names[0]


def test_values_are_rounded_by_default(table: Path, tmp_path: Path) -> None:
    convert_recording(table, tmp_path / "out", timezone=ROME, keep_ids=True)
    exact = {day.sample_id: day for day in read_table(table, timezone=ROME)}
    for row in load_sensor_days(tmp_path / "out", "train", cache_dir=tmp_path / "cache"):
        day = SensorDay.from_row(row)
        expected = round_values(exact[day.sample_id].values, day.schema)
        assert np.array_equal(day.values, expected, equal_nan=True)


def test_report_lists_observed_and_dropped_data(table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table)
    frame.loc[0, "HR"] = 500.0
    frame["mood"] = "calm"
    frame.to_csv(table, index=False)
    done = convert_recording(table, tmp_path / "out", timezone=ROME)
    saved = json.loads((tmp_path / "out" / QUALITY_FILE).read_text())
    assert saved["days"] == {"train": 24}
    day = saved["quality"]["days"][0]
    assert day["observed_minutes"] == {"HR": 3}
    assert day["unobserved_minutes"] == 1437
    assert day["longest_gap"] == 957
    assert day["implausible_minutes"] == {"HR": 1}
    codes = {note["code"]: note for note in saved["quality"]["notes"]}
    assert codes["column-unused"]["count"] == codes["implausible-HR"]["count"] == 1
    assert "examples" not in codes["column-unused"]
    assert done.to_dict()["quality"]["notes"][0]["examples"]
    text = io.StringIO()
    print_conversion(done, text)
    for words in ("column", "mood", "Wrote 24 days (24 train) of 12 people", "2024-03-01 00:00", "PPG"):
        assert words in text.getvalue()
    assert "\x1b" not in text.getvalue()


def test_failed_conversion_leaves_no_files(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    people(2).to_csv(tmp_path / "in" / "a.csv", index=False)
    (tmp_path / "in" / "b.csv").write_text("time,HR\n2024-03-01T08:00:00,60\n2024-13-01,61\n")
    before = folders(tmp_path)
    with pytest.raises(ValueError, match=r"b\.csv, line 3"):
        convert_recording(tmp_path / "in", tmp_path / "out", timezone=ROME, days_per_shard=1, skip_bad=False)
    assert folders(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    done = convert_recording(tmp_path / "in", tmp_path / "out", timezone=ROME)
    assert done.report.count("bad-file") == 1
    with pytest.raises(FileExistsError, match="not empty"):
        convert_recording(tmp_path / "in", tmp_path / "out", timezone=ROME)
    empty = pd.DataFrame({"time": ["2024-03-01T08:00:00"], "HR": [np.nan]})
    with pytest.raises(ValueError, match="no day with an observed minute"):
        convert_recording(empty, tmp_path / "none", timezone=ROME)
    with pytest.raises(ValueError, match="must be at least 0"):
        convert_recording(empty, tmp_path / "none", timezone=ROME, test_share=1.5)
    assert not (tmp_path / "none").exists()


def test_identifying_labels_and_events_raise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (day,) = read_table(people(1, 1), timezone=ROME)
    for labels, words in (
        ({"email": "x"}, r"labels\.email \(its name\)"),
        ({"note": "write to anna@example.org"}, r"labels\.note \(contains an e-mail address\)"),
        ({"where": "45.46427, 9.18951"}, r"labels\.where \(contains coordinates\)"),
    ):
        row = pd.DataFrame([{**day.to_row(), "labels": labels}])
        with pytest.raises(ValueError, match=words):
            convert_recording(row, tmp_path / "out")
    named = pd.DataFrame([{**day.to_row(), "subject_id": "anna@example.org"}])
    with pytest.raises(ValueError, match=r"subject_id \(contains an e-mail address\)"):
        convert_recording(named, tmp_path / "out", keep_ids=True)
    assert not (tmp_path / "out").exists()
    allowed = pd.DataFrame([{**day.to_row(), "labels": {"city": "large"}}])
    assert convert_recording(allowed, tmp_path / "out", allow=["labels.city"]).days == {"train": 1}


def test_split_assignment_is_stable_when_subjects_are_added() -> None:
    names = [f"p{number}" for number in range(3000)]
    dealt = [split_of(name, 0.1, 0.2) for name in names]
    assert [split_of(name, 0.1, 0.2) for name in reversed(names)] == dealt[::-1]
    shares = {split: dealt.count(split) / len(names) for split in ("train", "validation", "test")}
    assert shares == pytest.approx({"train": 0.7, "validation": 0.1, "test": 0.2}, abs=0.03)
    assert [split_of(name, 0.1, 0.2, seed=1) for name in names] != dealt
    assert {split_of(name, 0.0, 0.0) for name in names} == {"train"}


def test_convert_command(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert cli.main(["convert", "table", str(table), str(out), "--timezone", ROME, "--test-share", "0.3"]) == 0
    assert "Wrote 24 days" in capsys.readouterr().out
    report = tmp_path / "report.json"
    words = [
        "convert",
        "auto",
        str(table),
        str(tmp_path / "json"),
        "--timezone",
        ROME,
        "--json",
        "--report",
        str(report),
    ]
    assert cli.main(words) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(report.read_text())
    assert printed["quality"]["files_read"] == ["people.csv"]
    assert cli.main(["convert", "fitbit", str(tmp_path / "none"), str(tmp_path / "x"), "--timezone", ROME]) == 2
    message = capsys.readouterr().err
    assert message.startswith("sensorlm-hf convert: There is no folder or file")
    assert message.count("\n") == 1
    assert cli.main(["convert", "mmash", str(table.parent), str(tmp_path / "x"), "--mapping", "m.yaml"]) == 2
    assert not (tmp_path / "x").exists()


def test_convert_command_accepts_every_source() -> None:
    assert ("auto", *SOURCES) == SOURCE_NAMES
    assert set(module.TITLES) == set(SOURCES)


@pytest.mark.parametrize(
    ("folder", "kind", "options", "days", "of"),
    [
        ("fitbit_takeout", "fitbit", {"timezone": "Australia/Melbourne"}, 17, 1),
        ("mmash/user_11", "mmash", {}, 1, 1),
        ("empatica_e4", "e4", {"timezone": ROME}, 1, 1),
        ("embraceplus", "embraceplus", {"timezone": "Europe/Madrid"}, 3, 2),
    ],
)
def test_convert_real_recordings(
    real_data: Path, tmp_path: Path, folder: str, kind: str, options: dict[str, str], days: int, of: int
) -> None:
    done = convert_recording(real_data / folder, tmp_path / "out", **options)  # type: ignore[arg-type]
    assert done.kind == kind
    assert done.days == {"train": days}
    assert done.people == {"train": of}
    assert done.data_bytes / days < 45_000
    rows = load_sensor_days(tmp_path / "out", "train", cache_dir=tmp_path / "cache")
    assert len(rows) == days
    assert {row["subject_id"] for row in rows} == {day.subject_id for day in done.report.days}
