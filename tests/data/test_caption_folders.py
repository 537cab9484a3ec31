"""Captioning folders: output, any number of processes, and resuming after the run is killed."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import datasets
import filelock
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_sensor_days import a_day

from sensorlm_hf.cli import main
from sensorlm_hf.data import caption_folder, load_sensor_days, write_days
from sensorlm_hf.data import caption_shards as shards
from sensorlm_hf.data.captioning import CAPTIONING
from sensorlm_hf.days import SensorDay
from sensorlm_hf.processing.captions import CAPTION_KEYS, CaptionBuilder

KEYS = ("high_level_all_caption", "middle_low_caption")
DAYS = {"train": [a_day(i, minutes=120) for i in range(23)], "test": [a_day(i, minutes=120) for i in range(30, 35)]}
BUILD = CaptionBuilder(seed=4, time_format="clock")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six shards in two splits."""
    folder = tmp_path_factory.mktemp("days")
    write_days(DAYS["train"], folder, days_per_shard=5)
    write_days(DAYS["test"], folder, split="test")
    return folder


@pytest.fixture(scope="module")
def captioned(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output of a single uninterrupted process."""
    folder = tmp_path_factory.mktemp("whole") / "captioned"
    caption_folder(source, folder, BUILD, KEYS)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def shard_names(folder: Path) -> list[str]:
    return [name for name in contents(folder) if name.endswith(".parquet")]


# Output


def test_captions_are_added_to_existing_shards_and_columns(source: Path, captioned: Path, tmp_path: Path) -> None:
    assert shard_names(captioned) == shard_names(source)
    before = load_sensor_days(source, cache_dir=tmp_path / "a")
    after = load_sensor_days(captioned, cache_dir=tmp_path / "b")
    assert list(after) == list(before) == ["train", "test"]
    for split, days in DAYS.items():
        expected = BUILD.columns(days, KEYS)
        assert after[split].column_names == [*before[split].column_names, *KEYS]
        assert {name: after[split].features[name] for name in before[split].features} == before[split].features
        assert {key: list(after[split][key]) for key in KEYS} == expected
        for row, day in zip(after[split], days, strict=True):
            assert SensorDay.from_row(row) == day


def test_map_function_gives_same_captions(source: Path, captioned: Path, tmp_path: Path) -> None:
    rows = load_sensor_days(source, "train", cache_dir=tmp_path / "a")
    mapped = rows.map(BUILD.mapper(KEYS), batched=True, batch_size=7, load_from_cache_file=False)
    written = pq.read_table(captioned / "data", filters=None).to_pylist()
    by_start = {(row["subject_id"], row["start"]): row for row in written}
    for row in mapped.remove_columns("values").with_format(None):
        for key in KEYS:
            assert by_start[row["subject_id"], row["start"]][key] == row[key]


def test_drop_values(source: Path, captioned: Path, tmp_path: Path) -> None:
    caption_folder(source, tmp_path / "out", BUILD, KEYS, drop_values=True)
    rows = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert "values" not in rows["train"].column_names
    assert list(rows["train"][KEYS[1]]) == BUILD.columns(DAYS["train"], KEYS)[KEYS[1]]
    size = sum(len(data) for data in contents(tmp_path / "out").values())
    assert size < sum(len(data) for data in contents(captioned).values()) / 3


def test_schema_is_read_from_the_days(tmp_path: Path) -> None:
    days = [SensorDay(np.random.default_rng(i).normal(60, 5, (80, 34)), DAYS["test"][0].start, f"p{i}", "sensorlm-34")
            for i in range(3)]  # fmt: skip
    write_days(days, tmp_path / "in")
    summary = caption_folder(tmp_path / "in", tmp_path / "out", keys=["low_level_caption"])
    assert (summary.days, summary.shards, summary.resumed) == (3, 1, 0)
    written = pq.read_table(tmp_path / "out" / "data")["low_level_caption"].to_pylist()
    assert written == CaptionBuilder("sensorlm-34").batch(days, keys="low_level_caption")


@pytest.mark.parametrize("form", ["lists", "large lists", "fixed lists", "double", "ragged days", "without names"])
def test_other_parquet_layouts(form: str, tmp_path: Path) -> None:
    values = [day.values for day in DAYS["test"]]
    if form == "ragged days":
        values[1] = values[1][:50]
    number = pa.float64() if form == "double" else pa.float32()
    kind = {
        "large lists": pa.large_list(pa.large_list(number)),
        "fixed lists": pa.list_(pa.list_(number, 26), 120),
    }.get(form, pa.list_(pa.list_(number)))
    listed = [[[None if x != x else x for x in minute] for minute in day.tolist()] for day in values]
    columns = {"values": pa.array(listed, kind)}
    if form != "without names":
        columns["sample_id"] = pa.array([f"day {i}" for i in range(5)])
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table(columns), tmp_path / "in" / "train.parquet", row_group_size=2)
    build = CaptionBuilder(key="middle_low_caption")
    caption_folder(tmp_path / "in", tmp_path / "out", build)
    written = pq.read_table(tmp_path / "out" / "train.parquet")["middle_low_caption"].to_pylist()
    if form == "without names":  # the wording is seeded by the values
        assert len(set(written)) == 5
    else:
        assert written == build.batch(values, sample_ids=[f"day {i}" for i in range(5)])


def test_row_batches_do_not_depend_on_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "ROWS_AT_ONCE", 4)
    numbers = pa.table({"values": list(range(11))})
    for size in (1, 3, 11):
        pq.write_table(numbers, tmp_path / "x.parquet", row_group_size=size)
        with shards.open_shard(tmp_path / "x.parquet") as shard:
            batches = [batch.column(0).to_pylist() for batch in shards.row_batches(shard)]
        assert batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]


# Multiple and killed processes


def test_output_does_not_depend_on_number_of_processes(source: Path, captioned: Path, tmp_path: Path) -> None:
    summary = caption_folder(source, tmp_path / "two", BUILD, KEYS, num_proc=2)
    assert contents(tmp_path / "two") == contents(captioned)
    assert (summary.days, summary.shards) == (28, 6)
    assert f":{os.getpid()}" not in "".join(summary.workers)


SCRIPT = """
import sys, time
from sensorlm_hf.data import caption_folder, caption_shards
from sensorlm_hf.processing.captions import CaptionBuilder
replace = caption_shards.Path.replace
def slow(path, target):  # leaves time to be killed in every state
    time.sleep(0.05)
    return replace(path, target)
caption_shards.Path.replace = slow
caption_folder(sys.argv[1], sys.argv[2], CaptionBuilder(seed=4, time_format="clock"), sys.argv[3].split(","))
"""


def start(source: Path, target: Path, script: str = SCRIPT) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", script, str(source), str(target), ",".join(KEYS)], stderr=subprocess.PIPE
    )


def assert_whole_or_absent(target: Path, whole: Path) -> int:
    for name in shard_names(target):
        assert (target / name).read_bytes() == (whole / name).read_bytes(), f"{name} is partially written"
    return len(shard_names(target))


def test_resume_after_random_kills(source: Path, captioned: Path, tmp_path: Path) -> None:
    chance, target = random.Random(0), tmp_path / "out"
    seen = []
    for _ in range(3):
        process = start(source, target)
        while not target.exists() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.25))
        process.send_signal(signal.SIGKILL)
        process.wait()
        seen.append(assert_whole_or_absent(target, captioned))
    assert seen == sorted(seen)
    untouched = {name: (target / name).stat().st_mtime_ns for name in shard_names(target)}
    summary = caption_folder(source, target, BUILD, KEYS)
    assert summary.days == 28
    assert summary.resumed == sum(pq.read_metadata(target / name).num_rows for name in untouched)
    assert contents(target) == contents(captioned)  # so nothing is lost, duplicated, partially written or left over
    assert {name: (target / name).stat().st_mtime_ns for name in untouched} == untouched
    again = caption_folder(source, target, BUILD, KEYS)
    assert (again.resumed, again.workers) == (28, ())


@pytest.mark.slow
def test_resume_after_random_kills_with_two_processes(source: Path, captioned: Path, tmp_path: Path) -> None:
    script = SCRIPT.replace("caption_folder(sys", 'if __name__ == "__main__":\n    caption_folder(sys')
    script = script.replace('.split(","))', '.split(","), num_proc=2)')
    path = tmp_path / "run.py"
    path.write_text(script)
    chance, target = random.Random(1), tmp_path / "out"
    for _ in range(4):
        process = subprocess.Popen([sys.executable, str(path), str(source), str(target), ",".join(KEYS)])
        before = len(shard_names(target)) if target.exists() else 0
        while process.poll() is None and (not target.exists() or len(shard_names(target)) == before < 6):
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(0.5)  # workers exit with their parent
        assert_whole_or_absent(target, captioned)
    caption_folder(source, target, BUILD, KEYS)
    assert contents(target) == contents(captioned)


def test_leftover_and_damaged_shards_are_rewritten(source: Path, captioned: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    shutil.copytree(captioned, target)
    damaged = target / "data" / "train-00001.parquet"
    damaged.write_bytes(damaged.read_bytes()[:5000])
    (target / "data" / "train-00002.parquet").unlink()
    (target / "data" / ".train-00002.parquet.0123.partial").write_bytes(b"half")
    summary = caption_folder(source, target, BUILD, KEYS)
    assert summary.resumed == 28 - 10
    assert contents(target) == contents(captioned)


# Rejected input


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"builder": CaptionBuilder(seed=5, time_format="clock")}, "seed was 4, is 5"),
        ({"builder": CaptionBuilder(seed=4, time_format="clock", language="de")}, "language was 'en', is 'de'"),
        ({"builder": CaptionBuilder(seed=4, time_format="clock", tokenizer=len)}, "another tokenizer"),
        ({"keys": KEYS[:1]}, "keys was"),
        ({"drop_values": True}, "drop_values was False, is True"),
    ],
)
def test_resuming_with_other_arguments_raises(source: Path, captioned: Path, changes: dict, message: str) -> None:
    before = contents(captioned)
    with pytest.raises(FileExistsError, match=message):
        caption_folder(source, captioned, **{"builder": BUILD, "keys": KEYS, **changes})
    assert contents(captioned) == before


def test_resuming_with_other_input_or_version_raises(source: Path, captioned: Path, tmp_path: Path) -> None:
    grown = tmp_path / "grown"
    shutil.copytree(source, grown)
    (grown / "data" / "test-00000.parquet").unlink()
    write_days(DAYS["test"][::-1], grown, split="test")
    with pytest.raises(FileExistsError, match=r"the input has changed \(data/test-00000.parquet\)"):
        caption_folder(grown, captioned, BUILD, KEYS)
    target = tmp_path / "out"
    shutil.copytree(captioned, target)
    manifest = json.loads((target / CAPTIONING.manifest).read_text())
    (target / CAPTIONING.manifest).write_text(json.dumps({**manifest, "code": "0"}))
    with pytest.raises(FileExistsError, match="this version of the package writes different captions"):
        caption_folder(source, target, BUILD, KEYS)
    (target / CAPTIONING.manifest).write_text("{")
    with pytest.raises(ValueError, match="is damaged"):
        caption_folder(source, target, BUILD, KEYS)


def test_concurrent_runs_on_one_folder_raise(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    with filelock.FileLock(target / ".captions.lock"), pytest.raises(FileExistsError, match="Another run"):
        caption_folder(source, target, BUILD, KEYS)


def test_invalid_folders_raise(source: Path, captioned: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "x.parquet").write_text("no Parquet")
    (tmp_path / "other").mkdir()
    pq.write_table(pa.table({"x": [1]}), tmp_path / "other" / "x.parquet")
    datasets.Dataset.from_dict({"values": [1]}).save_to_disk(str(tmp_path / "arrow"))
    cases = [
        (tmp_path / "none", tmp_path / "out", FileNotFoundError, "no folder"),
        (tmp_path / "empty", tmp_path / "out", ValueError, "write_days"),
        (tmp_path / "arrow", tmp_path / "out", ValueError, "save_to_disk"),
        (tmp_path / "text", tmp_path / "out", ValueError, r"x\.parquet in .*not a complete Parquet file"),
        (tmp_path / "other", tmp_path / "out", ValueError, "no `values` column, it has x"),
        (source, source, ValueError, "outside the input"),
        (source, source / "out", ValueError, "outside the input"),
        (source, tmp_path / "file", FileExistsError, "is a file"),
        (source, tmp_path / "other", FileExistsError, "that are not captions of this package"),
        (captioned, tmp_path / "out", ValueError, r"column high_level_all_caption, .* already exists"),
    ]
    for folder, target, error, message in cases:
        with pytest.raises(error, match=message):
            caption_folder(folder, target, BUILD, KEYS)
    with pytest.raises(ValueError, match="num_proc"):
        caption_folder(source, tmp_path / "out", BUILD, KEYS, num_proc=0)
    with pytest.raises(ValueError, match="`key` must be one of"):
        caption_folder(source, tmp_path / "out", BUILD, ["low"])
    with pytest.raises(TypeError, match="CaptionBuilder"):
        caption_folder(source, tmp_path / "out", "sensorlm-26")  # type: ignore[arg-type]


@pytest.mark.parametrize("num_proc", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_error_reports_invalid_row(num_proc: int, tmp_path: Path) -> None:
    write_days(DAYS["test"], tmp_path / "in", days_per_shard=2)
    name = "data/train-00001.parquet"
    table = pq.read_table(tmp_path / "in" / name)
    place = table.schema.get_field_index("start")
    table = table.set_column(place, "start", pa.array(["2024-03-01T00:00+01:00", "yesterday"]))
    pq.write_table(table, tmp_path / "in" / name)
    with pytest.raises(ValueError, match=rf"{name}: Row 1: `start` must be an ISO 8601 time, got 'yesterday'"):
        caption_folder(tmp_path / "in", tmp_path / "out", BUILD, KEYS, num_proc=num_proc)
    assert name not in shard_names(tmp_path / "out")
    assert not any(name.endswith(".partial") for name in contents(tmp_path / "out"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pa.array([[[1.0], [2.0, 3.0]]]), "minutes of 1 and of 2 channels"),
        (pa.array([[1.0]]), "lists of lists of numbers"),
        (pa.array([[["a"]]]), "must contain numbers"),
        (pa.array([[[1.0] * 3]]), "has 3 columns, but schema 'sensorlm-26' has 26"),
        (pa.array([None], pa.list_(pa.list_(pa.float32()))), "Row 0: .*`values`"),
        (pa.array([[]], pa.list_(pa.list_(pa.float32()))), r"Row 0: .*shape \(minutes, channels\)"),
    ],
)
def test_invalid_values_raise(values: pa.Array, message: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"values": values}), tmp_path / "in" / "x.parquet")
    with pytest.raises(ValueError, match=rf"x\.parquet: .*{message}"):
        caption_folder(tmp_path / "in", tmp_path / "out", BUILD, KEYS)


# Paraphrasing and the command line


def test_paraphrase_counts_accumulate_over_runs(source: Path, tmp_path: Path) -> None:
    def build() -> CaptionBuilder:
        return CaptionBuilder(key="high_level_all_caption", paraphraser=reworded)

    first = caption_folder(source, tmp_path / "out", build())
    assert first.accepted + first.rejected == 28
    assert first.accepted
    assert first.rejected
    (tmp_path / "out" / "data" / "train-00003.parquet").unlink()
    second = caption_folder(source, tmp_path / "out", build())
    assert (second.accepted, second.rejected, second.resumed) == (first.accepted, first.rejected, 23)


def reworded(caption: str) -> str:
    return "Well: " + (caption if len(caption) % 2 else "who knows.")


def test_caption_command(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["caption", str(source), str(tmp_path / "out"), "--keys", "all", "--language", "de", "--drop-values"]
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["days"] == 28
    columns = pq.read_schema(tmp_path / "out" / "data" / "train-00000.parquet").names
    assert columns[-8:] == list(CAPTION_KEYS)
    assert main(words) == 0
    assert "Captioned 28 days in 6 files (28 of them in an earlier run)" in capsys.readouterr().out
    assert main([*words, "--seed", "1"]) == 2
    assert "seed was 0, is 1" in capsys.readouterr().err
    assert main(["caption", str(tmp_path / "none"), str(tmp_path / "out2")]) == 2
    assert "There is no folder" in capsys.readouterr().err
