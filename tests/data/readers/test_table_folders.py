"""Tables in a folder or zip."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest

from sensorlm_hf.data.readers import ReadReport, detect_source, read_any
from sensorlm_hf.data.readers.recordings import Recording
from sensorlm_hf.data.readers.table_files import HEAD_BYTES
from sensorlm_hf.data.readers.table_folders import _columns, of_the_same_people

HR = "subject_id,time,HR\np1,2024-03-01T08:00Z,60\n"
STEPS = "subject_id,time,steps\np1,2024-03-01T08:00Z,30\n"


def folder(tmp_path: Path, **tables: str) -> Path:
    root = tmp_path / "tables"
    root.mkdir()
    for name, text in tables.items():
        (root / f"{name}.csv").write_text(text)
    return root


def test_one_file_per_channel_is_one_day(tmp_path: Path) -> None:
    root = folder(tmp_path, hr=HR, steps=STEPS)
    (root / "._hr.csv").write_bytes(b"\x00\x05\x16\x07\xff")
    (day,) = read_any(root)
    assert (day.channel("HR")[480], day.channel("steps")[480]) == (60.0, 30.0)
    recording = Recording(str(root), "table")
    assert recording.parts() == [str(root)]
    assert list(recording.read(recording.parts()[0], ReadReport())) == [day]


def test_the_same_minute_in_two_files(tmp_path: Path) -> None:
    both = "subject_id,time,HR,steps\np1,2024-03-01T08:00Z,{},30\n"
    report = ReadReport()
    (day,) = read_any(folder(tmp_path, all=both.format(60), steps=STEPS), report=report)
    assert day.channel("steps")[480] == 30.0
    assert report.count("minute-in-two-tables") == 1
    (tmp_path / "tables" / "hr.csv").write_text(HR.replace(",60", ",90"))
    with pytest.raises(ValueError, match=r"HR of 'p1' at 2024-03-01T08:00\+00:00 differs .*folder-of-people"):
        list(read_any(tmp_path / "tables"))


def test_a_mapping_is_for_the_tables_with_its_columns(tmp_path: Path) -> None:
    root = folder(tmp_path, pulse="Id,when,p\n1,2024-03-01T08:00Z,60\n2,2024-03-01T08:00Z,90\n", steps=STEPS)
    report = ReadReport()
    days = list(read_any(root, mapping={"time": "when", "columns": {"p": "HR"}}, report=report))
    assert {day.subject_id: float(day.channel("HR")[480]) for day in days} == {"1": 60.0, "2": 90.0}
    assert (report.count("table-without-mapping"), list(report.files_unused)) == (1, ["steps.csv"])
    with pytest.raises(ValueError, match="No table has the mapping's columns"):
        list(read_any(root, mapping={"time": "clock"}))


def test_tables_in_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "one.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("study/hr.csv", HR)
        packed.writestr("__MACOSX/study/._hr.csv", b"\x00\x05\x16\x07\xff")
        packed.writestr("study/meta.json", '{"device": "ring"}')  # describes the table
    assert detect_source(path) == "table"
    (day,) = read_any(path)
    assert day.channel("HR")[480] == 60.0


def test_tables_in_a_tar_and_in_a_zip_of_another_name(tmp_path: Path) -> None:
    (tmp_path / "hr.csv").write_text(HR)
    with tarfile.open(tmp_path / "one.tar.gz", "w:gz") as packed:
        packed.add(tmp_path / "hr.csv", "study/hr.csv")
    with zipfile.ZipFile(tmp_path / "download", "w") as packed_too:
        packed_too.write(tmp_path / "hr.csv", "hr.csv")
    for name in ("one.tar.gz", "download"):
        assert detect_source(tmp_path / name) == "table"
        (day,) = read_any(tmp_path / name)
        assert day.channel("HR")[480] == 60.0


def test_a_head_that_ends_inside_a_character(tmp_path: Path) -> None:
    """The first 64 KiB, by which tables are compared, may end inside a character of several bytes."""
    note = "subject_id,time,HR,température\np1,2024-03-01T08:00Z,60,"
    filled = note + "x" * (HEAD_BYTES - len(note.encode()) - 1) + "é\n"
    root = folder(tmp_path, hr=filled, steps=STEPS)
    assert _columns(root / "hr.csv") == ("subject_id", "time", "hr", "température")


def test_tables_of_one_name_in_several_folders_are_reported_apart(tmp_path: Path) -> None:
    root = folder(tmp_path, pulse="Id,when,p\n1,2024-03-01T08:00Z,60\n")
    for name in ("a", "b"):
        (root / name).mkdir()
        (root / name / "steps.csv").write_text(STEPS)
    report = ReadReport()
    list(read_any(root, mapping={"time": "when", "columns": {"p": "HR"}}, report=report))
    assert sorted(report.files_unused) == ["a/steps.csv", "b/steps.csv"]


def test_tables_of_one_layout_that_split_a_day_give_it_once(tmp_path: Path) -> None:
    rows = "subject_id,time,HR\n{0},2024-03-01T{1}:00Z,60\n{0},2024-03-01T{1}:01Z,62\n"
    parts = {f"{who}_{hour}": rows.format(who, hour) for who in ("p1", "p2") for hour in ("08", "12")}
    root = folder(tmp_path, **parts, p3=rows.format("p3", "09"))
    days = list(read_any(root))
    assert [(day.subject_id, int(day.mask.sum())) for day in days] == [("p1", 4), ("p2", 4), ("p3", 2)]
    assert days[0].channel("HR")[[480, 720]].tolist() == [60, 60]
    recording = Recording(str(root), "table")
    assert recording.parts() == [str(root)]
    assert list(recording.read(str(root), ReadReport())) == days
    for path in root.glob("*_12.csv"):
        path.unlink()
    assert len(recording.parts()) == 3


def test_tables_without_people_are_of_one_person(tmp_path: Path) -> None:
    root = folder(tmp_path, a="time,HR\n2024-03-01T08:00Z,60\n", b="time,HR\n2024-03-01T20:00Z,70\n")
    (day,) = read_any(root)
    assert day.channel("HR")[[480, 1200]].tolist() == [60, 70]
    (root / "c.csv").write_text("time,HR\n2024-03-01T20:00Z,90\n")
    with pytest.raises(ValueError, match=r"HR of 'unknown' at .* differs .*folder-of-people"):
        list(read_any(root))


def test_groups_of_people(tmp_path: Path) -> None:
    def table(name: str, *people: str) -> Path:
        path = tmp_path / name
        path.write_text("time,Subject ID,HR\n" + "".join(f"2024-03-01T08:00Z,{who},60\n" for who in people))
        return path

    paths = [table("a.csv", "1"), table("b.csv", "2"), table("c.csv", "3"), table("d.csv", "2", "1"), table("e.csv")]
    assert of_the_same_people(paths, None) == [[0, 1, 3], [2], [4]]
    assert of_the_same_people(paths, "subject id") == [[0, 1, 3], [2], [4]]
    assert of_the_same_people(paths, "HR") == [[0, 1, 2, 3], [4]]
