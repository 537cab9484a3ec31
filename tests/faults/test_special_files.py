"""What is not a file is refused before it is opened, and files that expand without end stop at a limit."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import re
import socket
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sensorlm_hf import get_schema
from sensorlm_hf.cli import main
from sensorlm_hf.data.readers import read_any
from sensorlm_hf.data.readers.archives import ALWAYS_EXPANDED, EXPANSION_VARIABLE, max_expanded
from sensorlm_hf.data.readers.sources import Source
from sensorlm_hf.data.readers.table_mapping import load_mapping
from sensorlm_hf.documents import parse_json, parse_yaml
from sensorlm_hf.io import check_file, read_text

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes, sockets and devices are those of POSIX")
BERLIN = "Europe/Berlin"


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listening(path: Path) -> None:
    # A short relative name: the path of a socket must not have more than about 100 characters.
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as held:
            held.bind(path.name)
    finally:
        os.chdir(before)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def linked_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def nowhere(path: Path) -> None:
    path.symlink_to("no-such-file")


SPECIAL = [(pipe, "a pipe"), (listening, "a socket"), (device, "a device"), (linked_pipe, "a pipe")]
SPECIAL += [(loop, "leads to itself"), (nowhere, "a link to a file that does not exist")]
NAMES = ("days.csv", "days.csv.gz", "days.parquet", "day.npy", "days.json", "days.xlsx", "export.zip", "export.xml")


@pytest.mark.parametrize(("make", "what"), SPECIAL, ids=lambda value: getattr(value, "__name__", ""))
def test_special_files_are_refused(make: Callable[[Path], None], what: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    make(path)
    with pytest.raises(ValueError, match=what):
        check_file(path)
    with pytest.raises(ValueError, match=what):
        read_text(path)
    for name in NAMES:
        path.rename(path.with_name(name))
        path = path.with_name(name)
        if make is loop:
            path.unlink()
            loop(path)
        with pytest.raises(ValueError, match=what):
            list(read_any(path, timezone=BERLIN))


def test_pipes_in_folders_and_options_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "export").mkdir()
    os.mkfifo(tmp_path / "export" / "heart_rate-2024-03-01.json")
    os.mkfifo(tmp_path / "mapping.yaml")
    os.mkfifo(tmp_path / "own.json")
    with pytest.raises(ValueError, match="is a pipe, not a file"):
        list(read_any(tmp_path / "export", timezone=BERLIN))
    with pytest.raises(ValueError, match=r"mapping\.yaml is a pipe"):
        load_mapping(tmp_path / "mapping.yaml")
    with pytest.raises(ValueError, match=r"own\.json is a pipe"):
        get_schema(str(tmp_path / "own.json"))
    assert main(["convert", "fitbit", str(tmp_path / "export"), str(tmp_path / "out"), "--timezone", BERLIN]) == 2
    assert "is a pipe" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_link_to_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("time,HR\n2024-03-01T08:00:00Z,60\n2024-03-01T08:01:00Z,61\n")
    (tmp_path / "b.csv").symlink_to("a.csv")
    (day,) = read_any(tmp_path / "b.csv", timezone=BERLIN)
    assert day.mask.sum() == 2


# Files that expand


ROWS = b"time,HR\n" + b"2024-03-01T08:00:00Z,60\n" * (ALWAYS_EXPANDED // 24 + 100)


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", ROWS)


def gzipped(path: Path) -> None:
    path.write_bytes(gzip.compress(ROWS, 6))


def tarred(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("a.csv")
        member.size = len(ROWS)
        archive.addfile(member, io.BytesIO(ROWS))


def nested(path: Path) -> None:
    zipped(path.with_name("inner.zip"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(path.with_name("inner.zip"), "Takeout/inner.zip")
    path.with_name("inner.zip").unlink()


@pytest.mark.parametrize(
    ("name", "write"), [("a.zip", zipped), ("a.csv.gz", gzipped), ("takeout.tgz", tarred), ("b.zip", nested)]
)
def test_expansion_has_a_limit(
    name: str, write: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    write(path)
    if write is nested:
        with Source(path) as source:
            (told,) = source.unreadable.values()
    else:
        with pytest.raises(ValueError, match="expands") as error:
            list(read_any(path, kind="table", timezone=BERLIN))
        told = str(error.value)
    assert re.search(r"expands to more than 64 MiB .* --max-expansion", told)
    assert name in told
    monkeypatch.setenv(EXPANSION_VARIABLE, "100000")
    assert max_expanded(path.stat().st_size) > len(ROWS)


def test_limit_is_an_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EXPANSION_VARIABLE, "7")  # restored afterwards
    (tmp_path / "a.csv").write_text("time,HR\n2024-03-01T08:00:00Z,60\n2024-03-01T08:01:00Z,61\n")
    words = ["convert", "table", str(tmp_path / "a.csv"), str(tmp_path / "out"), "--timezone", BERLIN]
    assert main([*words, "--max-expansion", "250"]) == 0
    assert max_expanded(1 << 30) == 250 << 30
    monkeypatch.setenv(EXPANSION_VARIABLE, "many")
    with pytest.raises(
        ValueError, match="SENSORLM_MAX_EXPANSION must be a whole number from 1, such as 500, got 'many'"
    ):
        max_expanded(1)


def test_repeated_texts_of_parquet_are_counted_before_they_are_written_out(tmp_path: Path) -> None:
    rows = 20_000
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array(["x" * 100_000]))
    table = pa.table({"time": ["2024-03-01T08:00:00Z"] * rows, "HR": [60.0] * rows, "note": texts})
    path = tmp_path / "a.parquet"
    pq.write_table(table, path)
    assert path.stat().st_size < 1 << 20
    with pytest.raises(ValueError, match=r"a\.parquet expands to more than 640 MiB"):
        list(read_any(path, timezone=BERLIN))


def test_excel_sheet_with_a_cell_far_away(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["time", "HR"])
    book.active.append(["2024-03-01T08:00:00Z", 60])
    book.active.cell(1_000_000, 16_000, 1)
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(ValueError, match=r"a\.xlsx: not a readable Excel workbook: .* more than 20,000,000 cells"):
        list(read_any(tmp_path / "a.xlsx", timezone=BERLIN))


@pytest.mark.parametrize("table", ["data", "settings"])
def test_views_of_databases_are_not_run(table: str, tmp_path: Path) -> None:
    path = tmp_path / "a.agd"
    with contextlib.closing(sqlite3.connect(path)) as database:
        if table == "data":
            database.execute("CREATE TABLE settings (settingName, settingValue)")
            database.execute("INSERT INTO settings VALUES ('epochlength', '60')")
        endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
        columns = "i AS dataTimestamp, i AS steps" if table == "data" else "i AS settingName, i AS settingValue"
        database.execute(f"CREATE VIEW {table} AS {endless} SELECT {columns} FROM n")
        database.commit()
    with pytest.raises(ValueError, match=r"a\.agd is not a readable \.agd database: .*(prohibited|not authorized)"):
        list(read_any(path, kind="actigraph", timezone=BERLIN))


# Documents


def test_documents_that_nest_or_repeat_without_end() -> None:
    with pytest.raises(ValueError, match=r"a\.json: lists or objects are nested too deeply"):
        parse_json("[" * 100_000, "a.json")
    with pytest.raises(ValueError, match=r"a\.json: contains half of a character \(\\ud800\)"):
        parse_json('["\\ud800"]', "a.json")
    assert parse_json('["\\ud83c\\udfc3", ' + "9" * 400 + "]", "a.json") == ["🏃", float("inf")]
    with pytest.raises(ValueError, match=r"a\.yaml: lists or mappings are nested too deeply"):
        parse_yaml("[" * 5000, "a.yaml")
    laughs = "a: &a [x]\n" + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{f'*{chr(97 + n)}, ' * 10}]\n" for n in range(8))
    with pytest.raises(ValueError, match=r"a\.yaml: its aliases expand to more than 1,000,000 values"):
        parse_yaml(laughs, "a.yaml")
    with pytest.raises(ValueError, match="an alias refers to the value that contains it"):
        parse_yaml("a: &a [*a]", "a.yaml")
    with pytest.raises(ValueError, match=r"a\.yaml: not valid YAML: "):
        parse_yaml("a: 2024-13-45", "a.yaml")
    assert parse_yaml("a: &a [1, 2]\nb: *a", "a.yaml") == {"a": [1, 2], "b": [1, 2]}


def test_python_in_yaml_is_not_run() -> None:
    with pytest.raises(ValueError, match="not valid YAML"):
        parse_yaml("!!python/object/apply:os.system ['echo']", "a.yaml")
