"""Days as datasets: the builder, Parquet folders and rejected input."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import datasets
import numpy as np
import pytest

from sensorlm_hf import Event, SensorDay, get_schema
from sensorlm_hf.data import (
    SensorDays,
    SensorDaysConfig,
    load_sensor_days,
    schema_of,
    sensor_day_features,
    write_cohort,
    write_days,
)
from sensorlm_hf.data import sensor_days as module
from sensorlm_hf.data.shards import round_values
from sensorlm_hf.data.simulate import simulate_days

PEOPLE = 150  # 135 training rows: three blocks for two processes


def a_day(number: int = 0, minutes: int = 30, **changes: object) -> SensorDay:
    rng = np.random.default_rng(number)
    values = rng.normal(70, 5, (minutes, 26)).astype(np.float32)
    values[5:9, 2] = np.nan
    values[:, 4] = np.nan
    fields: dict[str, object] = {
        "values": values,
        "start": datetime(2024, 3, 30, 22, 15, tzinfo=ZoneInfo("Europe/Berlin")) + timedelta(days=number),
        "subject_id": f"p{number % 3}",
        "events": (Event("activity", "running", -3, 12), Event("mood", "calm", 20, 20)),
        "labels": {"hypertension": bool(number % 2), "age": 30 + number, "weight": 61.5, "main_activity": "running"},
    }
    return SensorDay(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def cohort(cache: Path) -> datasets.DatasetDict:
    builder = SensorDays(cache_dir=str(cache), people=PEOPLE, days_per_person=1, seed=3)
    builder.download_and_prepare()
    return builder.as_dataset().with_format("numpy", columns=["values"], output_all_columns=True)


def same_rows(left: datasets.Dataset, right: datasets.Dataset) -> bool:
    return len(left) == len(right) and all(
        SensorDay.from_row(a) == SensorDay.from_row(b) for a, b in zip(left, right, strict=True)
    )


def test_rows_match_simulated_days(cohort: datasets.DatasetDict) -> None:
    made = simulate_days(4, seed=3, days_per_person=1)
    assert [SensorDay.from_row(cohort["train"][row]) for row in range(4)] == made
    first_test = PEOPLE - len(cohort["test"])
    assert SensorDay.from_row(cohort["test"][0]) == simulate_days(1, 3, days_per_person=1, start_person=first_test)[0]


def test_splits_have_disjoint_subjects(cohort: datasets.DatasetDict) -> None:
    people = {split: set(rows["subject_id"]) for split, rows in cohort.items()}
    assert {split: len(names) for split, names in people.items()} == {"train": 127, "validation": 8, "test": 15}
    assert not people["train"] & people["validation"]
    assert not people["train"] & people["test"]
    assert not people["validation"] & people["test"]


def test_two_processes_match_one(cohort: datasets.DatasetDict, tmp_path: Path) -> None:
    builder = SensorDays(cache_dir=str(tmp_path), people=PEOPLE, days_per_person=1, seed=3)
    builder.download_and_prepare(num_proc=2)
    twice = builder.as_dataset().with_format("numpy", columns=["values"], output_all_columns=True)
    assert all(same_rows(cohort[split], twice[split]) for split in cohort)


def test_streaming_gives_same_rows(cohort: datasets.DatasetDict, tmp_path: Path) -> None:
    stream = SensorDays(cache_dir=str(tmp_path), people=PEOPLE, days_per_person=1, seed=3).as_streaming_dataset("test")
    streamed = [SensorDay.from_row(row) for row in stream]
    assert streamed == [SensorDay.from_row(row) for row in cohort["test"]]
    assert not list(tmp_path.rglob("*.arrow"))


def test_cohort_cache_is_invalidated_by_simulator_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    whole = module.iter_simulated_days

    def counted(n: int, **options: object) -> Iterator[SensorDay]:
        calls.append(n)
        return whole(n, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "iter_simulated_days", counted)
    load_sensor_days("simulated:4:9", cache_dir=tmp_path)
    once = calls.count(16)
    load_sensor_days("simulated:4:9", cache_dir=tmp_path)
    assert once == calls.count(16) == 1
    monkeypatch.setattr(module, "simulator_fingerprint", lambda: "another")
    load_sensor_days("simulated:4:9", cache_dir=tmp_path)
    assert calls.count(16) == 2


def test_fingerprint_covers_every_simulator_source_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "package"
    shutil.copytree(Path(module.__file__).parents[1], copy, ignore=shutil.ignore_patterns("checkpoints", ".*", "__py*"))
    monkeypatch.setattr(module, "_PACKAGE", copy)
    fingerprint = module.simulator_fingerprint.__wrapped__
    before = fingerprint()
    assert before == module.simulator_fingerprint.__wrapped__()
    assert len(before) == 16
    watched = [*sorted((copy / "data" / "simulate").rglob("*.py")), copy / "schema.py", copy / "days.py"]
    assert len(watched) > 8
    seen = {before}
    for path in watched:
        text = path.read_bytes()
        path.write_bytes(text + b"\nCONSTANT = 1\n")
        seen.add(fingerprint())
        path.write_bytes(text)
    assert len(seen) == len(watched) + 1
    (copy / "cli.py").write_text("# another command line\n")
    assert fingerprint() == before


def test_written_days_round_trip(tmp_path: Path) -> None:
    days = [a_day(number) for number in range(7)]
    assert write_days(iter(days), tmp_path / "set", days_per_shard=3) == 7
    rows = load_sensor_days(tmp_path / "set", "train", cache_dir=tmp_path / "cache")
    back = [SensorDay.from_row(row) for row in rows]
    assert back == days
    assert [day.labels for day in back] == [day.labels for day in days]
    assert isinstance(rows[0]["values"], np.ndarray)
    assert np.array_equal(rows[0]["values"], days[0].values, equal_nan=True)
    assert back[0].clock(60 * 5).utcoffset() == timedelta(hours=2)  # the night of the clock change
    assert sorted(p.name for p in (tmp_path / "set" / "data").iterdir()) == [
        f"train-{shard:05d}.parquet" for shard in range(3)
    ]


def test_plain_datasets_loads_folder_with_splits(tmp_path: Path) -> None:
    write_days([a_day(0)], tmp_path / "set")
    write_days([a_day(1), a_day(2)], tmp_path / "set", split="test")
    loaded = datasets.load_dataset(str(tmp_path / "set"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 1, "test": 2}
    assert loaded["train"].features["values"] == datasets.Array2D((30, 26), "float32")
    assert np.isnan(np.asarray(loaded["test"][0]["values"])[5:9, 2]).all()


def test_cohort_on_disk_matches_builder(tmp_path: Path) -> None:
    counts = write_cohort(tmp_path / "set", people=20, days_per_person=2, seed=4)
    assert counts == {"train": 34, "validation": 2, "test": 4}
    builder = SensorDays(cache_dir=str(tmp_path / "cache"), people=20, days_per_person=2, seed=4)
    builder.download_and_prepare()
    for split in counts:
        loaded = load_sensor_days(tmp_path / "set", split, cache_dir=tmp_path / "loaded")
        built = builder.as_dataset(split).with_format("numpy", columns=["values"], output_all_columns=True)
        for stored, made in zip(loaded, built, strict=True):
            day = SensorDay.from_row(made)
            assert SensorDay.from_row(stored) == dataclasses.replace(day, values=round_values(day.values, day.schema))
    with pytest.raises(ValueError, match="is inside the dataset"):
        load_sensor_days(tmp_path / "set", cache_dir=tmp_path)
    with pytest.raises(FileExistsError, match="already contains a dataset"):
        write_cohort(tmp_path / "set", people=20)


def test_existing_folder_is_not_overwritten(tmp_path: Path) -> None:
    write_days([a_day(0)], tmp_path)
    with pytest.raises(FileExistsError, match="already contains shards of split 'train'"):
        write_days([a_day(1)], tmp_path)
    assert [d.sample_id for d in map(SensorDay.from_row, load_sensor_days(tmp_path, "train"))] == [a_day(0).sample_id]


def test_failed_stream_leaves_no_partial_split(tmp_path: Path) -> None:
    def broken() -> Iterator[SensorDay]:
        yield from (a_day(0), a_day(1), a_day(2))
        raise OSError("the disk of the watch is gone")

    with pytest.raises(OSError, match="is gone"):
        write_days(broken(), tmp_path, days_per_shard=1)
    assert not (tmp_path / "data").exists()
    assert write_days([a_day(0)], tmp_path) == 1


@pytest.mark.parametrize(
    ("days", "options", "words"),
    [
        ([], {}, "no days"),
        ([a_day(0), a_day(1, minutes=31)], {}, r"days\[1\].*31 minutes"),
        ([a_day(0), a_day(1, labels={"height": 1.8})], {}, r"labels \['height'\]"),
        ([a_day(0)], {"days_per_shard": 0}, "days_per_shard"),
        ([a_day(0)], {"split": "../train"}, "`split` must be a name"),
    ],
)
def test_incompatible_days_raise(tmp_path: Path, days: list[SensorDay], options: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        write_days(days, tmp_path, **options)  # type: ignore[arg-type]
    assert not list(tmp_path.rglob("*.parquet"))


def test_missing_labels_and_explicit_label_types(tmp_path: Path) -> None:
    days = [a_day(0, labels={}), a_day(1, labels={"anxiety": True}), a_day(2, labels={"smoker": False})]
    write_days(days, tmp_path / "set", label_types={"anxiety": False, "smoker": False})
    rows = load_sensor_days(tmp_path / "set", "train", cache_dir=tmp_path / "cache")
    assert [SensorDay.from_row(row).labels for row in rows] == [{}, {"anxiety": True}, {"smoker": False}]
    with pytest.raises(TypeError, match="labels\\['when'\\]"):
        sensor_day_features(labels={"when": datetime(2024, 1, 1, tzinfo=timezone.utc)})


def test_schema_of_dataset(tmp_path: Path) -> None:
    wide = simulate_days(1, schema="sensorlm-34")
    write_days(wide, tmp_path / "set")
    rows = load_sensor_days(tmp_path / "set", "train", cache_dir=tmp_path / "cache")
    assert schema_of(rows) == get_schema("sensorlm-34")
    with pytest.raises(ValueError, match="no rows"):
        schema_of(rows.select([]))


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        ("simulated:", ValueError, "got .simulated:."),
        ("simulated:ten", ValueError, "got 'simulated:ten'"),
        ("simulated:0", ValueError, "`people` must be at least 1"),
        ("no/such/folder/at/all", FileNotFoundError, "neither a folder of days"),
        ("someone/days-of-nobody", FileNotFoundError, "neither a folder of days"),
    ],
)
def test_invalid_sources_raise(source: str, error: type[Exception], words: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=words):
        load_sensor_days(source, cache_dir=tmp_path)


def test_unrelated_dataset_raises(tmp_path: Path) -> None:
    datasets.Dataset.from_dict({"text": ["a", "b"]}).to_parquet(str(tmp_path / "train.parquet"))
    with pytest.raises(ValueError, match="has the columns text, but no `values`"):
        load_sensor_days(tmp_path, cache_dir=tmp_path / "cache")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"people": 0}, "`people`"),
        ({"days_per_person": 0}, "`days_per_person`"),
        ({"test_share": -0.1}, "must not be negative"),
        ({"validation_share": 0.5, "test_share": 0.5}, "leave people to train on"),
    ],
)
def test_invalid_configurations_raise(options: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SensorDaysConfig(**options)  # type: ignore[arg-type]


def test_every_subject_is_in_exactly_one_split() -> None:
    for people in (1, 2, 7, 10, 33, 1000):
        config = SensorDaysConfig(people=people)
        dealt = [person for split in module.SPLITS for person in config.people_of(split)]
        assert dealt == list(range(people))
    with pytest.raises(ValueError, match="one of train, validation, test"):
        config.people_of("dev")


def test_input_days_are_not_modified(tmp_path: Path) -> None:
    day = a_day(0)
    before = dataclasses.replace(day, values=day.values.copy())
    write_days([day], tmp_path)
    assert day == before
