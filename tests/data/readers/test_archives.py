"""Exports in archives, and archives in them."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from sensorlm_hf.data.readers import detect_source, read_any
from sensorlm_hf.data.readers.sources import Source

BERLIN = "Europe/Berlin"
NAME = "Takeout/Fitbit/Global Export Data/heart_rate-2024-03-01.json"
JSON = '[{"dateTime": "03/01/24 07:00:04", "value": {"bpm": 61, "confidence": 3}}]'
STEPS = '[{"dateTime": "03/01/24 07:00:00", "value": "40"}]'


def zipped(files: dict[str, str | bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for name, text in files.items():
            packed.writestr(name, text)
    return stream.getvalue()


def tarred(path: Path) -> Path:
    with tarfile.open(path, "w:gz") as packed:
        info = tarfile.TarInfo(NAME)
        info.size = len(JSON)
        packed.addfile(info, io.BytesIO(JSON.encode()))
    return path


def test_archives_are_equivalent(tmp_path: Path) -> None:
    (tmp_path / "plain.zip").write_bytes(zipped({NAME: JSON}))
    (tmp_path / "outer.zip").write_bytes(zipped({"all/inner.zip": zipped({NAME: JSON})}))
    (tmp_path / "mac.zip").write_bytes(
        zipped({NAME: JSON, f"__MACOSX/{NAME.replace('heart', '._heart')}": b"\x00\x05\x16", "a/._Moods.csv": b"\xff"})
    )
    (tmp_path / "Downloads").mkdir()
    (tmp_path / "Downloads" / "export.zip").write_bytes(zipped({NAME: JSON}))
    tarred(tmp_path / "takeout-1.tgz")
    for name in ("plain.zip", "outer.zip", "mac.zip", "Downloads", "takeout-1.tgz"):
        assert detect_source(tmp_path / name) == "fitbit", name
        (day,) = read_any(tmp_path / name, timezone=BERLIN)
        assert day.channel("HR")[480] == 61.0, name


def test_parts_of_one_export_belong_together(tmp_path: Path) -> None:
    (tmp_path / "takeout-1-001.zip").write_bytes(zipped({NAME: JSON}))
    (tmp_path / "takeout-1-002.zip").write_bytes(zipped({NAME.replace("heart_rate", "steps"): STEPS}))
    (day,) = read_any(tmp_path, timezone=BERLIN)
    assert (day.channel("HR")[480], day.channel("steps")[480]) == (61.0, 40.0)
    (tmp_path / "anna.zip").write_bytes(zipped({NAME: JSON}))
    with pytest.raises(ValueError, match=r"several Fitbit exports: anna\.zip, takeout.*--folder-of-people"):
        read_any(tmp_path, timezone=BERLIN)


def test_unreadable_archives(tmp_path: Path) -> None:
    (tmp_path / "empty.zip").write_bytes(b"")
    with pytest.raises(ValueError, match=r"empty\.zip is empty \(0 bytes\)"):
        detect_source(tmp_path / "empty.zip")
    (tmp_path / "cut.tgz").write_bytes(tarred(tmp_path / "takeout-1.tgz").read_bytes()[:60])
    with pytest.raises(ValueError, match=r"cut\.tgz is not a readable tar"):
        Source(tmp_path / "cut.tgz")
    with Source(tmp_path) as source:
        assert list(source.unreadable) == ["empty.zip"]
        assert f"takeout-1.tgz/{NAME}" in source.names
