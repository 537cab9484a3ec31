"""Days streamed from Parquet shards, for datasets that do not fit on the disks of the machines that train on them."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from ..days import SensorDay
from ..schema import SensorSchema


class SensorDayStream(torch.utils.data.IterableDataset):
    """Reads each shard of a split once an epoch, in an order that depends on `(seed, epoch)`.

    Shards are shuffled and dealt out to readers, one reader for each worker of each process. A reader draws its batches
    from a buffer of days, at random but without taking two days of one person into a batch where the buffer allows it.
    The order is drawn from the subject ids alone; days are read when their turn comes, so the batches that a resumed
    run has seen already cost next to nothing.

    All readers give the same number of whole batches, the same in each epoch; rows that are left over (others in each)
    wait for another epoch. For one number of processes and workers the order is always the same.

    Args:
        source: Folder or Hub dataset of [`write_days`], or any address that `fsspec` reads (`s3://...`).
        split: Name of the split.
        batch_size: Days in a batch of one process.
        seed: Seed of the order.
        buffer_size: Days among which a reader draws. A shard or two around it are held in memory: 150 kB a day.
        num_workers: Loader workers of each process; give the same number to the loader.
        rank: Number of this process.
        world_size: Number of processes.
        schema: Schema of the rows, if not the one that they tell.

    Raises:
        FileNotFoundError: If there are no shards of the split.
        ValueError: If a number is out of range, or there are too few shards or rows for the readers.
    """

    def __init__(
        self,
        source: str | Path,
        split: str = "train",
        *,
        batch_size: int,
        seed: int = 0,
        buffer_size: int = 1024,
        num_workers: int = 0,
        rank: int = 0,
        world_size: int = 1,
        schema: SensorSchema | None = None,
    ) -> None:
        if batch_size < 1 or buffer_size < batch_size:
            raise ValueError(
                "`batch_size` must be at least 1 and `buffer_size` at least a batch, got"
                f" batch_size={batch_size}, buffer_size={buffer_size}."
            )
        if num_workers < 0 or not 0 <= rank < world_size:
            raise ValueError(
                "`num_workers` must not be negative and `rank` must lie in 0 to `world_size` - 1, got"
                f" num_workers={num_workers}, rank={rank}, world_size={world_size}."
            )
        self.batch_size = batch_size
        self.seed = seed
        self.buffer_size = buffer_size
        self.num_workers = num_workers
        self.rank = rank
        self.world_size = world_size
        self.schema = schema
        self.epoch = 0
        self._skip = 0
        self._system, self.shards = _find_shards(str(source), split)
        self.rows_of_shard = [_rows(self._system, shard) for shard in self.shards]
        readers = max(1, num_workers) * world_size
        if len(self.shards) < readers:
            raise ValueError(
                f"{source} has {len(self.shards)} shards of split {split!r}, too few for {readers} readers"
                f" ({world_size} processes with {max(1, num_workers)} workers each). Use fewer workers, or write more"
                " shards: write_days(..., days_per_shard=...)."
            )
        # However the shards are dealt out, a reader has at least as many rows as the smallest ones hold together.
        fewest = sum(sorted(self.rows_of_shard)[: len(self.shards) // readers])
        self.batches_of_reader = fewest // batch_size
        if self.batches_of_reader == 0:
            raise ValueError(
                f"A reader may get only {fewest} of the {sum(self.rows_of_shard)} days in {source}, less than a batch"
                f" of {batch_size}. Use fewer workers or smaller batches."
            )

    def __len__(self) -> int:
        """Returns the days of an epoch on this process."""
        return self.batches_of_reader * max(1, self.num_workers) * self.batch_size

    def first_days(self, count: int) -> list[SensorDay]:
        """Returns the first days of the split in the order of its shards, at most `count`."""
        days: list[SensorDay] = []
        pages = _Pages(self._system, self.shards, 1)
        for shard, rows in enumerate(self.rows_of_shard):
            for row in range(min(rows, count - len(days))):
                days.append(self._day(pages.row(shard, row)))
            if len(days) == count:
                break
        return days

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch whose order the next iteration gives, from its beginning."""
        self.epoch = int(epoch)
        self._skip = 0

    def skip_batches(self, batches: int) -> None:
        """Gives `None` in place of the days of the next iteration's first batches, without reading them.

        Args:
            batches: Batches of this process that a resumed run has seen.
        """
        if not 0 <= batches <= len(self) // self.batch_size:
            raise ValueError(
                f"An epoch has {len(self) // self.batch_size} batches on this process, so {batches} cannot be skipped."
            )
        self._skip = int(batches)

    def __iter__(self) -> Iterator[dict[str, Any] | None]:
        """Yields items as [`SensorDayDataset`] does, one batch after another."""
        info = torch.utils.data.get_worker_info()
        workers = max(1, self.num_workers)
        if info is not None and info.num_workers != workers:
            raise ValueError(
                f"The stream was made for {self.num_workers} workers, but its loader has {info.num_workers}; give both"
                " the same number."
            )
        worker = 0 if info is None else info.id
        # Loaders take batches from their workers in turn.
        skipped = len(range(worker, self._skip, workers))
        pages = _Pages(self._system, self.shards, -(-self.buffer_size // max(1, min(self.rows_of_shard))) + 2)
        for number, batch in enumerate(self._batches(self.rank * workers + worker)):
            for shard, row in batch:
                yield None if number < skipped else {"day": self._day(pages.row(shard, row)), "epoch": self.epoch}

    def _day(self, row: dict[str, Any]) -> SensorDay:
        return SensorDay.from_row(row, schema=self.schema)

    def _batches(self, reader: int) -> Iterator[list[tuple[int, int]]]:
        """Yields the batches of a reader as places: numbers of shards and rows."""
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.shards))
        mine = [int(shard) for shard in order[reader :: max(1, self.num_workers) * self.world_size]]
        rng = np.random.default_rng([self.seed, self.epoch, 1 + reader])
        source = self._places(mine)
        buffer: list[tuple[int, int, str]] = []
        for _ in range(self.batches_of_reader):
            while len(buffer) < self.buffer_size and (place := next(source, None)) is not None:
                buffer.append(place)
            chosen = _spread(buffer, self.batch_size, rng, draining=len(buffer) < self.buffer_size)
            taken = set(chosen)
            yield [buffer[i][:2] for i in chosen]
            buffer = [place for i, place in enumerate(buffer) if i not in taken]

    def _places(self, shards: list[int]) -> Iterator[tuple[int, int, str]]:
        for shard in shards:
            with self._system.open(self.shards[shard], "rb") as file:
                people = pq.read_table(file, columns=["subject_id"])["subject_id"].to_pylist()
            for row, person in enumerate(people):
                yield shard, row, str(person)


def _spread(buffer: list[tuple[int, int, str]], count: int, rng: np.random.Generator, *, draining: bool) -> list[int]:
    """Draws places at random, each person once before anyone comes twice.

    While a buffer drains, those with most days left come first, or their days would be all that is there in the end.
    """
    order = rng.permutation(len(buffer)).tolist()
    if draining:
        left = Counter(person for _, _, person in buffer)
        order.sort(key=lambda i: -left[buffer[i][2]])
    chosen: list[int] = []
    late: list[int] = []
    people: set[str] = set()
    for i in order:
        (late if buffer[i][2] in people else chosen).append(i)
        people.add(buffer[i][2])
        if len(chosen) == count:
            return chosen
    return chosen + late[: count - len(chosen)]


def _find_shards(source: str, split: str) -> tuple[Any, list[str]]:
    address = source
    if "://" not in source and not Path(source).exists():
        address = f"hf://datasets/{source}"
    try:
        system, root = fsspec.core.url_to_fs(address)
        found = sorted({*system.glob(f"{root}/data/{split}-*.parquet"), *system.glob(f"{root}/{split}-*.parquet")})
    except (OSError, ValueError) as error:
        raise FileNotFoundError(
            f"{source!r} is neither a folder of Parquet shards nor a Hub dataset that can be reached"
            f" ({str(error).splitlines()[0]})."
        ) from error
    if not found:
        raise FileNotFoundError(
            f"{source} holds no data/{split}-*.parquet to stream. Write it with sensorlm_hf.data.write_days, or push a"
            " dataset of days to the Hub."
        )
    return system, found


def _rows(system: Any, shard: str) -> int:
    with system.open(shard, "rb") as file:
        return int(pq.read_metadata(file).num_rows)


class _Pages:
    """The shards that were read last, as tables."""

    def __init__(self, system: Any, shards: list[str], limit: int) -> None:
        self._system, self._shards, self._limit = system, shards, limit
        self._tables: OrderedDict[int, tuple[pa.Table, np.ndarray]] = OrderedDict()

    def row(self, shard: int, row: int) -> dict[str, Any]:
        """Returns a row; `values` as an array `(minutes, channels)`, the rest as Python objects."""
        if shard not in self._tables:
            self._tables[shard] = self._read(shard)
            while len(self._tables) > self._limit:
                self._tables.popitem(last=False)
        self._tables.move_to_end(shard)
        table, values = self._tables[shard]
        return {**table.slice(row, 1).to_pylist()[0], "values": values[row]}

    def _read(self, shard: int) -> tuple[pa.Table, np.ndarray]:
        with self._system.open(self._shards[shard], "rb") as file:
            table = pq.read_table(file)
        if "values" not in table.column_names:
            raise ValueError(
                f"{self._shards[shard]} holds no days: it has the columns {', '.join(table.column_names)}, but no"
                " `values`."
            )
        column = table["values"].combine_chunks()
        storage = column.storage if isinstance(column, pa.ExtensionArray) else column
        minutes = storage.flatten()
        channels = len(minutes.flatten()) // max(1, len(minutes))
        values = minutes.flatten().to_numpy(zero_copy_only=False)
        return table.drop_columns(["values"]), values.reshape(len(table), -1, channels)
