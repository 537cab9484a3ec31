"""Which file is being read."""

from __future__ import annotations

from pathlib import Path

from sensorlm_hf.data.readers import read_oura, read_table
from sensorlm_hf.data.readers.progress import listening, now_reading


def test_the_listener_hears_of_files_in_its_context_only(tmp_path: Path) -> None:
    (tmp_path / "heartrate.csv").write_text("timestamp,bpm,source\n2024-03-01T07:30:00Z,57,rest\n", encoding="utf-8")
    (tmp_path / "a.csv").write_text("time,HR\n2024-03-01T07:30:00Z,57\n", encoding="utf-8")
    heard: list[str] = []
    with listening(heard.append):
        list(read_oura(tmp_path / "heartrate.csv", "Europe/Berlin"))
        list(read_table(tmp_path / "a.csv"))
    now_reading("later")
    assert list(dict.fromkeys(heard)) == ["heartrate.csv", "a.csv"]
