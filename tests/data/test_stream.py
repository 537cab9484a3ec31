"""Days streamed from Parquet shards."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from sensorlm_hf.data import SensorDayStream, load_sensor_days, write_days
from sensorlm_hf.data.simulate import iter_simulated_days
from sensorlm_hf.days import SensorDay

DAYS, SHARD = 40, 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("days")
    write_days(iter_simulated_days(DAYS, seed=2, days_per_person=2), path, days_per_shard=SHARD)
    return path


def identity(items: list[Any]) -> list[Any]:
    return items


def names(batch: list[Any]) -> list[str]:
    return [item["day"].sample_id for item in batch]


def batches(stream: SensorDayStream) -> list[list[str]]:
    loader = torch.utils.data.DataLoader(
        stream, batch_size=stream.batch_size, num_workers=stream.num_workers, collate_fn=identity
    )
    assert len(loader) == len(stream) // stream.batch_size
    return [names(batch) for batch in loader]


def test_streamed_days_match_dataset(folder: Path) -> None:
    rows = load_sensor_days(folder, "train")
    held = {day.sample_id: day for day in (SensorDay.from_row(row) for row in rows)}
    streamed = [item["day"] for item in SensorDayStream(folder, batch_size=4)]
    assert {day.sample_id for day in streamed} == set(held)
    for day in streamed:
        other = held[day.sample_id]
        np.testing.assert_array_equal(day.values, other.values)
        assert (day.events, day.labels, day.start, day.schema) == (
            other.events,
            other.labels,
            other.start,
            other.schema,
        )


def test_order_depends_only_on_seed_and_epoch(folder: Path) -> None:
    stream = SensorDayStream(folder, batch_size=4, seed=1)
    first = batches(stream)
    stream.set_epoch(1)
    second = batches(stream)
    stream.set_epoch(0)
    assert batches(stream) == first
    assert second != first
    assert batches(SensorDayStream(folder, batch_size=4, seed=2)) != first
    assert sorted(chain.from_iterable(first)) == sorted(chain.from_iterable(second))


def test_shards_are_mixed(folder: Path) -> None:
    order = {day: i // SHARD for i, day in enumerate(row["day"].sample_id for row in in_order(folder))}
    shards = [{order[day] for day in batch} for batch in batches(SensorDayStream(folder, batch_size=4, buffer_size=20))]
    assert np.mean([len(found) for found in shards]) > 2


def in_order(folder: Path) -> list[dict[str, Any]]:
    return [{"day": day} for day in SensorDayStream(folder, batch_size=1).first_days(DAYS)]


def test_subjects_are_unique_within_batch(folder: Path) -> None:
    stream = SensorDayStream(folder, batch_size=8)
    for epoch in range(3):
        stream.set_epoch(epoch)
        people = [item["day"].subject_id for item in stream]
        for start in range(0, len(people), 8):
            assert len(set(people[start : start + 8])) == 8


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty subjects with three days each, never in the same or adjacent shards."""
    path = tmp_path_factory.mktemp("apart")
    days = list(iter_simulated_days(120, seed=2, days_per_person=3))
    write_days([day for first in range(3) for day in days[first::3]], path, days_per_shard=10)
    return path


@pytest.mark.parametrize(("world", "workers"), [(2, 0), (3, 0), (2, 2), (3, 2)])
def test_subjects_are_unique_within_global_batch(
    apart: Path, world: int, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    streams = [
        SensorDayStream(apart, batch_size=6, buffer_size=30, num_workers=workers, rank=rank, world_size=world)
        for rank in range(world)
    ]
    alone = 0
    for epoch in range(3):
        for stream in streams:
            stream.set_epoch(epoch)
        ranks = [people(stream) for stream in streams]
        assert len({len(rank) for rank in ranks}) == 1
        assert len(ranks[0]) >= 3
        for parts in zip(*ranks, strict=True):
            together = [person for part in parts for person in part]
            assert len(set(together)) == len(together) == 6 * world
        # Batches drawn by uncoordinated readers.
        own = [people_of_a_reader_alone(stream) for stream in streams]
        alone += sum(len(set(chain(*parts))) < 6 * world for parts in zip(*own, strict=True))
    assert alone > 0, "uncoordinated readers should have repeated a subject"
    assert caplog.text == ""


def people(stream: SensorDayStream, size: int = 6) -> list[list[str]]:
    loader = torch.utils.data.DataLoader(stream, batch_size=size, num_workers=stream.num_workers, collate_fn=identity)
    return [[item["day"].subject_id for item in batch] for batch in loader]


def people_of_a_reader_alone(stream: SensorDayStream) -> list[list[int]]:
    """Batches of the first worker, drawn independently of the other processes."""
    workers, numbers = max(1, stream.num_workers), np.concatenate(stream._people)
    order = np.random.default_rng([stream.seed, stream.epoch]).permutation(len(stream.shards))
    reader = stream.rank * workers
    mine = [int(shard) for shard in order[reader :: workers * stream.world_size]]
    rows = np.concatenate([np.arange(10) + 10 * shard for shard in mine])
    rng = np.random.default_rng([stream.seed, stream.epoch, 1 + reader])
    return [list(numbers[chosen]) for chosen in rng.permutation(rows)[: len(rows) // 6 * 6].reshape(-1, 6)]


def test_batch_larger_than_number_of_subjects_warns(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_days(iter_simulated_days(16, seed=2, days_per_person=8), tmp_path)
    stream = SensorDayStream(tmp_path, batch_size=4, buffer_size=4)
    assert len(list(stream)) == len(stream) == 16
    (record,) = caplog.records
    assert "A global batch of 4 days repeats people in 2 days" in record.getMessage()
    assert "the buffer of 16 days contains only 2 people" in record.getMessage()


def test_buffer_grows_when_days_of_a_subject_are_consecutive(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_days(iter_simulated_days(64, seed=2, days_per_person=8), tmp_path, days_per_shard=8)
    stream = SensorDayStream(tmp_path, batch_size=4, buffer_size=12)
    for epoch in range(3):
        stream.set_epoch(epoch)
        found = people(stream, 4)
        assert [len(set(batch)) for batch in found] == [4] * 16
    assert caplog.text == ""


@pytest.mark.parametrize("column", ["values", "subject_id"])
def test_unrelated_shards_raise(tmp_path: Path, column: str) -> None:
    pq.write_table(pa.table({column: ["x"]}), tmp_path / "train-00000.parquet")
    missing = "subject_id" if column == "values" else "values"
    with pytest.raises(ValueError, match=rf"contains no days: it has the columns {column}, but no `{missing}`"):
        SensorDayStream(tmp_path, batch_size=1)


@pytest.mark.parametrize(("world", "workers"), [(2, 0), (4, 0), (1, 2)])
def test_readers_partition_an_epoch(folder: Path, world: int, workers: int) -> None:
    def epoch(number: int) -> list[list[list[str]]]:
        streams = [
            SensorDayStream(folder, batch_size=4, num_workers=workers, rank=rank, world_size=world)
            for rank in range(world)
        ]
        for stream in streams:
            stream.set_epoch(number)
        return [batches(stream) for stream in streams]

    for number in range(2):
        ranks = epoch(number)
        assert len({len(rank) for rank in ranks}) == 1
        days = [day for rank in ranks for batch in rank for day in batch]
        assert len(set(days)) == len(days)
        assert len(days) >= DAYS - 4 * 4
    assert epoch(0) == epoch(0)
    assert epoch(0) != epoch(1)


@pytest.mark.parametrize(("workers", "skipped"), [(0, 1), (0, 5), (2, 5)])
def test_skipped_batches_are_not_read(folder: Path, workers: int, skipped: int) -> None:
    stream = SensorDayStream(folder, batch_size=4, num_workers=workers)
    stream.set_epoch(3)
    expected = batches(stream)
    stream.skip_batches(skipped)
    loader = torch.utils.data.DataLoader(stream, batch_size=4, num_workers=workers, collate_fn=identity)
    found = list(loader)
    assert found[:skipped] == [[None] * 4] * skipped
    assert [names(batch) for batch in found[skipped:]] == expected[skipped:]
    stream.set_epoch(3)
    assert batches(stream) == expected


def test_streamed_items_include_epoch(folder: Path) -> None:
    stream = SensorDayStream(folder, batch_size=4)
    stream.set_epoch(7)
    assert {item["epoch"] for item in stream} == {7}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"batch_size": 9, "buffer_size": 8}, "buffer_size=8"),
        ({"batch_size": 1, "rank": 2, "world_size": 2}, "rank=2, world_size=2"),
        ({"batch_size": 1, "num_workers": -1}, "num_workers=-1"),
        ({"batch_size": 1, "num_workers": 5, "world_size": 2}, "8 shards of split 'train', too few for 10 readers"),
        ({"batch_size": 6, "num_workers": 8}, "only 5 of the 40 days"),
    ],
)
def test_invalid_numbers_raise(folder: Path, options: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SensorDayStream(folder, **options)


def test_other_invalid_arguments_raise(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"contains no data/test-\*.parquet"):
        SensorDayStream(folder, "test", batch_size=1)
    with pytest.raises(FileNotFoundError, match="neither a folder of Parquet shards nor a reachable Hub dataset"):
        SensorDayStream("nobody/nothing", batch_size=1)
    stream = SensorDayStream(folder, batch_size=4)
    with pytest.raises(ValueError, match="10 batches on this process, so 11 cannot be skipped"):
        stream.skip_batches(11)
    loader = torch.utils.data.DataLoader(stream, batch_size=4, num_workers=2, collate_fn=identity)
    with pytest.raises(ValueError, match="created for 0 workers, but its loader has 2"):
        next(iter(loader))
