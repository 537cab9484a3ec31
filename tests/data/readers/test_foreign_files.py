"""What messages say about files that no reader takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensorlm_hf.data.readers import (
    detect_source,
    read_apple_health,
    read_embraceplus,
    read_fitbit,
    read_oura,
)
from sensorlm_hf.data.readers.foreign_files import foreign_hint


def test_hints() -> None:
    assert "give the export.xml" in foreign_hint(["a/export_cda.xml"])
    assert "empty or not an Apple Health export" in foreign_hint(["a/export.xml"])
    assert foreign_hint(["b.txt", "a.avro"]).startswith(" a.avro is a raw EmbracePlus recording")
    assert foreign_hint(["a.avro", "b.zip"], {"b.zip": "b.zip is empty."}) == " b.zip is empty."
    assert foreign_hint(["a.txt"]) == ""


def test_named_readers_say_it_as_well(tmp_path: Path) -> None:
    (tmp_path / "raw.avro").write_bytes(b"Obj\x01")
    for read in (read_embraceplus, read_fitbit, read_oura):
        with pytest.raises(FileNotFoundError, match=r"raw\.avro is a raw EmbracePlus recording; download"):
            list(read(tmp_path, "Europe/Berlin"))
    folder = tmp_path / "apple"
    folder.mkdir()
    (folder / "export_cda.xml").write_text("<ClinicalDocument/>", encoding="utf-8")
    with pytest.raises(FileNotFoundError, match=r"give the export\.xml that is exported beside it"):
        list(read_apple_health(folder, "Europe/Berlin"))


def test_an_empty_zip_in_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "export.zip").write_bytes(b"")
    with pytest.raises(ValueError, match=r"export\.zip is empty \(0 bytes\); export or download it again"):
        detect_source(tmp_path)
