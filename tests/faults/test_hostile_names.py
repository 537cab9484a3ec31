"""Names in data never become paths, and identities in data reach no card, report, log or push."""

from __future__ import annotations

import json
import logging
import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from fault_seeds import NAMES, seed
from mutations import Mutated
from outcomes import write_recording

from sensorlm_hf import Event, SensorDay, get_schema
from sensorlm_hf.cli import main
from sensorlm_hf.data.cards import DayStatistics, card_text
from sensorlm_hf.data.convert import convert_recording
from sensorlm_hf.data.quality_text import print_conversion
from sensorlm_hf.data.readers import read_any
from sensorlm_hf.data.rows import sensor_day_features
from sensorlm_hf.days import named_zone
from sensorlm_hf.io import markdown_text, plain_text
from sensorlm_hf.schema import stored_schema

HOSTILE = (
    "<script>alert(1)</script>",
    "---\nlicense: mit\n---",
    "a\nb\r\nc",
    "[x](http://example.com)",
    "=HYPERLINK(1)",
    "a | b",
    "\x1b[2J\x07",
    "\u202egnp.exe",
    "../../etc/passwd",
    "/etc/passwd",
    "C:\\x",
    "{0.__class__}",
    "[bold red]x[/]",
    "%s%n",
)
ZONES = ("../../x", "/etc/localtime", "Europe", "Europe/../Europe/Berlin", "zone.tab", "", "Europe/Berlin\0", "\ud800")


def table(who: str, *, minutes: int = 10) -> pd.DataFrame:
    times = pd.date_range("2024-03-01T08:00", periods=minutes, freq="min", tz="UTC")
    return pd.DataFrame({"time": times, "HR": np.linspace(60.0, 70.0, minutes), "subject_id": who})


# Paths


@pytest.mark.parametrize("name", ZONES)
def test_zones_are_looked_up_in_a_list(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sensorlm_hf.days.ZoneInfo", lambda key: pytest.fail(f"opened {key!r}"))
    with pytest.raises(ValueError, match="There is no time zone"):
        named_zone(name)
    row = {"values": np.ones((1440, 26), np.float32), "start": "2024-03-01T00:00:00", "timezone": name}
    with pytest.raises(ValueError, match=r"IANA|timezone-aware"):
        SensorDay.from_row(row)


def test_schemas_named_by_data_open_no_file(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    get_schema({"name": "own", "channels": [{"key": "a", "mean": 0.0, "std": 1.0}]}).save(path)
    for name in (str(path), "../own.json", "own.yaml", "ring"):
        with pytest.raises(ValueError, match="Unknown schema"):
            stored_schema(name)
        with pytest.raises(ValueError, match="Unknown schema"):
            SensorDay.from_row({"values": np.ones((1440, 1), np.float32), "schema": name})
    assert get_schema(str(path)) == stored_schema(get_schema(str(path)).reference)


@pytest.mark.parametrize("member", ["../../x.csv", "/tmp/x.csv", "a/../../x.csv", "..\\x.csv", "a" * 240 + ".csv"])
def test_members_of_archives_stay_in_the_archive(member: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = table("p").drop(columns="subject_id").to_csv(index=False)
    (tmp_path / "in").mkdir()
    with zipfile.ZipFile(tmp_path / "in" / "a.zip", "w") as archive:
        archive.writestr(member, rows)
    written: list[Path] = []
    write = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", lambda path, data: (written.append(path), write(path, data))[1])
    (day,) = read_any(tmp_path / "in" / "a.zip", timezone="UTC")
    assert day.mask.sum() == 10
    assert [path.name for path in written] == ["0.csv"]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.zip", "in"]


@pytest.mark.parametrize("who", HOSTILE)
def test_people_do_not_become_paths(who: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    done = convert_recording(table(who), tmp_path / "in" / "days", keep_ids=True)
    assert done.people == {"train": 1}
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    held = {"in/days/README.md", "in/days/quality_report.json", "in/days/data", "in/days/data/train-00000.parquet"}
    assert names == {"in", "in/days", *held}


@pytest.mark.parametrize("key", ["../x", "/etc/x", "summary\n", "a/b", ""])
def test_caption_keys_do_not_become_paths(
    key: str, cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["caption", str(cohort), str(tmp_path / "out"), "--keys", key]) == 2
    assert "key" in capsys.readouterr().err.lower()
    assert not list(tmp_path.iterdir())


# Identities


@pytest.mark.parametrize("who", HOSTILE)
def test_ids_reach_neither_card_nor_report_nor_log(
    who: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        done = convert_recording(table(who), tmp_path / "days")
        print_conversion(done)
    told = capsys.readouterr()
    text = (tmp_path / "days" / "README.md").read_text() + (tmp_path / "days" / "quality_report.json").read_text()
    for place in (text, told.out, told.err, caplog.text):
        assert who not in place
        assert json.dumps(who)[1:-1] not in place
    rows = pq.read_table(tmp_path / "days" / "data" / "train-00000.parquet").drop_columns("values").to_pylist()
    assert who not in json.dumps(rows, default=str)


@pytest.mark.parametrize("who", HOSTILE)
def test_kept_ids_are_printed_as_they_are(who: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = convert_recording(table(who), tmp_path / "days", keep_ids=True)
    print_conversion(done)
    assert capsys.readouterr().out.replace("\n", "").isprintable()
    assert who not in (tmp_path / "days" / "README.md").read_text()


MARK = "Xanthippe"


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith(("table_", "fitbit_tar"))])
def test_names_of_people_and_files_stay_out_of_datasets(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The person's name is in the folder, in people's ids and in fields that no reader uses."""
    held = seed(name)
    files = dict(held.files)
    for path, data in held.files.items():
        for old in (b"1-1-P", b"1001", b"Watch", b"wGT3XBT", b"Serial Number: X"):
            data = data.replace(old, old + MARK.encode() if b":" in old else MARK.encode())
        files[path] = data if not path.endswith((".zip", ".db", ".agd", ".fit")) else held.files[path]
    root = tmp_path / MARK
    write_recording(root, Mutated(files, {}, ""))
    path = root / next(iter(files)) if held.single else root
    with caplog.at_level(logging.DEBUG):
        convert_recording(path, tmp_path / "days", kind=held.kind, timezone=held.timezone, schema=held.schema)
    for written in sorted((tmp_path / "days").rglob("*")):
        if written.suffix in (".md", ".json"):
            assert MARK not in written.read_text(), written.name
        elif written.suffix == ".parquet":
            rows = pq.read_table(written).drop_columns("values").to_pylist()
            assert MARK not in json.dumps(rows, default=str)
    assert MARK not in caplog.text


def test_labels_in_cards_are_text(tmp_path: Path) -> None:
    statistics = DayStatistics()
    values = np.ones((1440, 26), np.float32)
    start = pd.Timestamp("2024-03-01", tz="UTC").to_pydatetime()
    events = tuple(Event("activity", label, 10 * place, 10 * place + 5) for place, label in enumerate(HOSTILE))
    statistics.add("train", SensorDay(values, start, "p", events=events))
    features = sensor_day_features("sensorlm-26", 1440, {})
    text = card_text(statistics, features, name="days", source="Made here.")
    _, head, body = text.split("---\n", 2)
    assert yaml.safe_load(head)["license"] == "unknown"
    (line,) = [line for line in body.splitlines() if line.startswith("- activity: ")]
    assert "<script>" not in body
    assert "[x](" not in body
    assert line.isprintable()


def test_texts_are_shown_as_text() -> None:
    assert plain_text("a\r\nb\x1b[2J\u202e") == "a b\\x1b[2J\\u202e"
    assert plain_text("x" * 900) == "x" * 796 + " ..."
    assert markdown_text("# [a](b) <i> | --- `c`") == r"\# \[a\]\(b\) \<i\> \| --- \`c\`"
    assert markdown_text("--- a") == " a"


def test_error_messages_do_not_control_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a\x1b[2J\nb.csv"
    path.write_text("time,HR\n2024-03-01T08:00:00Z,\x1b]0;x\x07\n")
    assert main(["convert", "table", str(path), str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.isprintable()


@pytest.mark.skipif(os.name != "posix", reason="names of files on Windows cannot have these characters")
def test_folders_of_people_with_hostile_names(tmp_path: Path) -> None:
    for place, who in enumerate(("a\nb", "<b>", "--- x", "\u202ex", "=1+1")):
        (tmp_path / "in" / who).mkdir(parents=True)
        table("x", minutes=5 + place).drop(columns="subject_id").to_csv(tmp_path / "in" / who / "t.csv", index=False)
    done = convert_recording(tmp_path / "in", tmp_path / "days", folder_of_people=True, timezone="UTC")
    assert done.people == {"train": 5}
    card = (tmp_path / "days" / "README.md").read_text()
    assert "<b>" not in card
