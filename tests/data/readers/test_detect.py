"""Detection of the recording format."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sensorlm_hf.data.readers import ReadReport, detect_source, read_any, read_fitbit

HEART = json.dumps([{"dateTime": "07/05/21 10:00:00", "value": {"bpm": 61, "confidence": 3}}])


@pytest.fixture
def fitbit(tmp_path: Path) -> Path:
    folder = tmp_path / "export" / "Takeout" / "Fitbit"
    folder.mkdir(parents=True)
    (folder / "heart_rate-2021-07-05.json").write_text(HEART)
    return tmp_path / "export"


@pytest.fixture
def mmash(tmp_path: Path) -> Path:
    folder = tmp_path / "people" / "user_1"
    folder.mkdir(parents=True)
    (folder / "Actigraph.csv").write_text(",Steps,HR,day,time\n0,1,70,1,10:00:05\n")
    return tmp_path / "people"


def table(path: Path) -> Path:
    pd.DataFrame({"time": ["2024-03-01T08:00:00+01:00"], "HR": [60.0]}).to_csv(path, index=False)
    return path


def test_detect_source(fitbit: Path, mmash: Path, tmp_path: Path) -> None:
    archive = tmp_path / "export.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("Takeout/Fitbit/heart_rate-2021-07-05.json", HEART)
    (tmp_path / "tables" / "data").mkdir(parents=True)
    table(tmp_path / "tables" / "data" / "a.csv")
    assert detect_source(fitbit) == detect_source(archive) == "fitbit"
    assert detect_source(mmash) == detect_source(mmash / "user_1") == "mmash"
    assert detect_source(table(tmp_path / "day.csv")) == detect_source(tmp_path / "tables") == "table"


def test_read_any(fitbit: Path, mmash: Path, tmp_path: Path) -> None:
    (day,) = read_any(fitbit, timezone="Europe/Berlin", subject_id="me")
    assert (day.subject_id, day.channel("HR")[720]) == ("me", 61.0)
    assert list(read_any(str(fitbit), timezone="Europe/Berlin")) == list(read_fitbit(fitbit, "Europe/Berlin"))
    (day,) = read_any(mmash)
    assert (day.subject_id, str(day.start.tzinfo)) == ("user_1", "Europe/Rome")
    folder = tmp_path / "tables"
    folder.mkdir()
    table(folder / "a.csv")
    table(folder / "b.csv")
    report = ReadReport()
    assert [float(day.channel("HR")[480]) for day in read_any(folder, report=report)] == [60.0]
    assert report.files_read == ["a.csv", "b.csv"]
    assert len(list(read_any(pd.read_csv(folder / "a.csv"), day_start="08:00"))) == 1
    assert len(list(read_any(np.zeros((2, 1440, 26))))) == 2


def test_read_any_rejects_unsupported_input(fitbit: Path, mmash: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Give the IANA name"):
        read_any(fitbit)
    with pytest.raises(ValueError, match="does not apply to MMASH"):
        read_any(mmash, day_start="12:00")
    with pytest.raises(FileNotFoundError, match="no folder or file"):
        read_any(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"0 files.*Fitbit.*MMASH.*tables"):
        read_any(tmp_path / "empty")
    (tmp_path / "day.docx").write_text("x")
    with pytest.raises(ValueError, match="is not a supported source"):
        read_any(tmp_path / "day.docx")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(ValueError, match="truncated"):
        read_any(tmp_path / "broken.zip")
    with pytest.raises(TypeError, match="dict"):
        read_any({})  # type: ignore[arg-type]


def test_detect_source_covers_every_kind(tmp_path: Path) -> None:
    folders = {}
    for kind, name, text in (
        ("e4", "s1/EDA.csv", "1680686620.0\n4.0\n1.0\n"),
        ("embraceplus", "P/2026-05-16/eda.csv", "timestamp_unix,participant_full_id,eda_scl_usiemens\n"),
        ("apple-health", "apple_health_export/export.xml", "<HealthData></HealthData>"),
    ):
        path = tmp_path / kind / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
        folders[kind] = tmp_path / kind
    (tmp_path / "e4" / "s1" / "ACC.csv").write_text("1680686620.0\n32.0\n1,2,3\n")
    for kind, folder in folders.items():
        assert detect_source(folder) == kind
        with pytest.raises(ValueError, match="`timezone` is missing"):
            list(read_any(folder))
    assert detect_source(tmp_path / "apple-health" / "apple_health_export" / "export.xml") == "apple-health"
    with pytest.raises(ValueError, match="column mapping is for tables"):
        read_any(folders["e4"], mapping={"columns": {}})
    with pytest.raises(ValueError, match="`kind` must be one of fitbit"):
        read_any(folders["e4"], kind="suunto")


def test_skip_bad_skips_unreadable_tables(tmp_path: Path) -> None:
    table(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("time,HR\nnoon,60\n")
    with pytest.raises(ValueError, match=r"b\.csv, line 2"):
        list(read_any(tmp_path, timezone="UTC", skip_bad=False))
    report = ReadReport()
    assert len(list(read_any(tmp_path, timezone="UTC", report=report))) == 1
    assert report.count("bad-file") == 1
