"""Streams days from Parquet shards, for datasets that do not fit on the disks of the training machines."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from ..days import SensorDay
from ..schema import SensorSchema

logger = logging.getLogger(__name__)

MAX_GROWTH = 4
"""Maximum growth factor of a buffer to avoid repeating people in a batch."""


class SensorDayStream(torch.utils.data.IterableDataset):
    """Reads each shard of a split once per epoch, in an order that depends on `(seed, epoch)`.

    Shards are shuffled and distributed among readers, one for each worker of each process. A reader samples its batches
    from a buffer of days so that no person appears twice in a *global* batch, regardless of which shards and processes
    contain a person's days. The subject ids of all shards are sufficient for that: every reader reproduces the sampling
    of the readers that share its global batches, and only loads its own days, when they are needed. Skipping the
    batches that a resumed run has already seen is therefore almost free.

    A buffer must contain enough people. If all days of a person are consecutive, it grows up to four times; if that is
    still not enough, a person is repeated in a batch and a warning is logged. If days were shuffled before writing,
    every buffer is a sample of all people.

    All readers yield the same number of full batches in each epoch; leftover rows (different ones in each epoch) are
    skipped. The order is deterministic for a given number of processes and workers.

    Args:
        source: Folder or Hub dataset of [`write_days`], or any `fsspec` URL (`s3://...`).
        split: Name of the split.
        batch_size: Days per batch of one process.
        seed: Seed of the order.
        buffer_size: Number of days from which a reader samples, or more (see above). One or two additional shards are
            held in memory, at 150 kB per day.
        num_workers: Data loader workers per process; pass the same number to the loader.
        rank: Rank of this process.
        world_size: Number of processes.
        schema: Overrides the schema of the rows.

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
                "`num_workers` must not be negative and `rank` must be in 0 to `world_size` - 1, got"
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
        self._people = _people_of_shards(self._system, self.shards)
        self.rows_of_shard = [len(people) for people in self._people]
        self._warned = False
        readers = max(1, num_workers) * world_size
        if len(self.shards) < readers:
            raise ValueError(
                f"{source} has {len(self.shards)} shards of split {split!r}, too few for {readers} readers"
                f" ({world_size} processes with {max(1, num_workers)} workers each). Use fewer workers, or write more"
                " shards: write_days(..., days_per_shard=...)."
            )
        # For any distribution of shards, a reader has at least as many rows as the smallest shards combined.
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
        pages = _ShardCache(self._system, self.shards)
        for shard, rows in enumerate(self.rows_of_shard):
            for row in range(min(rows, count - len(days))):
                days.append(self._day(pages.row(shard, row)))
            if len(days) == count:
                break
        return days

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch of the next iteration, which starts from the beginning."""
        self.epoch = int(epoch)
        self._skip = 0

    def skip_batches(self, batches: int) -> None:
        """Replaces the first batches of the next iteration with `None` items, without reading them.

        Args:
            batches: Number of batches of this process that a resumed run has already seen.
        """
        if not 0 <= batches <= len(self) // self.batch_size:
            raise ValueError(
                f"An epoch has {len(self) // self.batch_size} batches on this process, so {batches} cannot be skipped."
            )
        self._skip = int(batches)

    def __iter__(self) -> Iterator[dict[str, Any] | None]:
        """Yields items like [`SensorDayDataset`], batch by batch."""
        info = torch.utils.data.get_worker_info()
        workers = max(1, self.num_workers)
        if info is not None and info.num_workers != workers:
            raise ValueError(
                f"The stream was created for {self.num_workers} workers, but its loader has {info.num_workers}; pass"
                " the same number to both."
            )
        worker = 0 if info is None else info.id
        # Loaders take batches from their workers in round-robin order.
        skipped = len(range(worker, self._skip, workers))
        pages = _ShardCache(self._system, self.shards)
        for number, (batch, buffered) in enumerate(self._batches(worker)):
            pages.resize(-(-buffered // max(1, min(self.rows_of_shard))) + 2)
            for shard, row in batch:
                yield None if number < skipped else {"day": self._day(pages.row(shard, row)), "epoch": self.epoch}

    def _day(self, row: dict[str, Any]) -> SensorDay:
        return SensorDay.from_row(row, schema=self.schema)

    def _batches(self, worker: int) -> Iterator[tuple[list[tuple[int, int]], int]]:
        """Yields the batches of a worker of this process as locations (shard and row indices), and its buffer size.

        Workers take turns, so a global batch consists of the batches of one worker of each process, which are sampled
        jointly.
        """
        workers = max(1, self.num_workers)
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.shards))
        readers = []
        for number in range(worker, workers * self.world_size, workers):
            mine = [int(shard) for shard in order[number :: workers * self.world_size]]
            readers.append(_Reader(mine, self._people, np.random.default_rng([self.seed, self.epoch, 1 + number])))
        in_batch = np.zeros(1 + max(int(people.max(initial=0)) for people in self._people), dtype=bool)
        for _ in range(self.batches_of_reader):
            drains = [reader.fill(self.buffer_size, self.batch_size) for reader in readers]
            buffered = len(readers[self.rank].people)
            left = None
            if any(drains):
                left = np.bincount(np.concatenate([reader.people for reader in readers]), minlength=len(in_batch))
            batches: dict[int, list[tuple[int, int]]] = {}
            choice = [reader.choice() for reader in readers]
            # Readers with the fewest people sample first.
            for rank in sorted(range(self.world_size), key=choice.__getitem__):
                batches[rank], repeats = readers[rank].draw(self.batch_size, in_batch, left)
                if repeats and rank == self.rank:
                    self._warn_of_repeats(repeats, buffered, choice[rank])
            in_batch[:] = False
            yield batches[self.rank], buffered

    def _warn_of_repeats(self, repeats: int, buffered: int, choice: int) -> None:
        if not self._warned:
            self._warned = True
            logger.warning(
                "A global batch of %d days repeats people in %d days: the buffer of %d days contains only %d people."
                " Write the days in a shuffled order, raise `buffer_size`, or train with smaller"
                " batches.",
                self.batch_size * self.world_size,
                repeats,
                buffered,
                choice,
            )


class _Reader:
    """The sampling of one reader: locations of days, without the days themselves."""

    def __init__(self, shards: list[int], people: list[np.ndarray], rng: np.random.Generator) -> None:
        self._coming = shards
        self._all_people = people
        self._rng = rng
        self._next = 0
        self._most = 0
        self.places = np.empty((0, 2), dtype=np.int64)
        """Shard and row of the days in the buffer, `(days, 2)`."""
        self.people = np.empty(0, dtype=np.int64)
        """Person index of each day in the buffer, `(days,)`."""

    def fill(self, size: int, batch_size: int) -> bool:
        """Fills the buffer to `size` days.

        It continues, up to [`MAX_GROWTH`] times as many, as long as one person has at least as many days in the buffer
        as there are batches, and would therefore be repeated in a batch at the end.

        Returns:
            Whether there are no more days, so that the buffer drains.
        """
        wanted = size
        while True:
            while len(self.people) < wanted and self._coming:
                self._take(wanted - len(self.people))
            # The following people may have as many days, so the buffer never shrinks.
            self._most = max(self._most, int(np.unique(self.people, return_counts=True)[1].max(initial=0)))
            wanted = max(size, min(MAX_GROWTH * size, (self._most + 1) * batch_size))
            if not self._coming or len(self.people) >= wanted:
                return not self._coming

    def _take(self, count: int) -> None:
        shard = self._coming[0]
        people = self._all_people[shard]
        rows = np.arange(self._next, min(len(people), self._next + count))
        self.places = np.concatenate([self.places, np.stack([np.full_like(rows, shard), rows], axis=1)])
        self.people = np.concatenate([self.people, people[rows]])
        self._next += len(rows)
        if self._next == len(people):
            self._coming, self._next = self._coming[1:], 0

    def choice(self) -> int:
        """Returns the number of people in the buffer."""
        return len(np.unique(self.people))

    def draw(self, count: int, in_batch: np.ndarray, left: np.ndarray | None) -> tuple[list[tuple[int, int]], int]:
        """Samples days from the buffer without replacement, avoiding repeated people if possible.

        Args:
            count: Number of days.
            in_batch: `(people,)` bool, people already in the global batch; updated in place.
            left: `(people,)` days in the buffers of all readers, once some of them drain. People with the most days
                left are then sampled first, so that the last batches are not filled by a few of them.

        Returns:
            Shards and rows, and how many of them are of people already in the global batch.
        """
        order = self._rng.permutation(len(self.people))
        if left is not None:
            order = order[np.argsort(-left[self.people[order]], kind="stable")]
        people = self.people[order]
        fresh = np.zeros(len(order), dtype=bool)
        fresh[np.unique(people, return_index=True)[1]] = True
        fresh &= ~in_batch[people]
        once, again = order[fresh][:count], order[~fresh]
        chosen = np.concatenate([once, again[: count - len(once)]])
        in_batch[self.people[chosen]] = True
        places = [(int(shard), int(row)) for shard, row in self.places[chosen]]
        kept = np.ones(len(self.people), dtype=bool)
        kept[chosen] = False
        self.places, self.people = self.places[kept], self.people[kept]
        return places, count - len(once)


def _find_shards(source: str, split: str) -> tuple[Any, list[str]]:
    address = source
    if "://" not in source and not Path(source).exists():
        address = f"hf://datasets/{source}"
    try:
        system, root = fsspec.core.url_to_fs(address)
        found = sorted({*system.glob(f"{root}/data/{split}-*.parquet"), *system.glob(f"{root}/{split}-*.parquet")})
    except (OSError, ValueError) as error:
        raise FileNotFoundError(
            f"{source!r} is neither a folder of Parquet shards nor a reachable Hub dataset"
            f" ({str(error).splitlines()[0]})."
        ) from error
    if not found:
        raise FileNotFoundError(
            f"{source} contains no data/{split}-*.parquet to stream. Write it with sensorlm_hf.data.write_days, or push"
            " a dataset of days to the Hub."
        )
    return system, found


def _people_of_shards(system: Any, shards: list[str]) -> list[np.ndarray]:
    """Returns a person index for each row, by shard, which is consistent across shards."""

    def read(shard: str) -> list[Any]:
        with system.open(shard, "rb") as file:
            table = pq.ParquetFile(file)
            if missing := {"values", "subject_id"} - set(table.schema_arrow.names):
                raise ValueError(
                    f"{shard} contains no days: it has the columns {', '.join(table.schema_arrow.names)}, but no"
                    f" {' and no '.join(f'`{name}`' for name in sorted(missing))}."
                )
            names: list[Any] = table.read(columns=["subject_id"])["subject_id"].to_pylist()
            return names

    numbers: dict[Any, int] = {}
    # Shards may be remote, so the time is dominated by latency.
    with ThreadPoolExecutor(16) as pool:
        return [
            np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)
            for names in pool.map(read, shards)
        ]


class _ShardCache:
    """Cache of the most recently read shards, as tables."""

    def __init__(self, system: Any, shards: list[str], limit: int = 1) -> None:
        self._system, self._shards, self._limit = system, shards, limit
        self._tables: OrderedDict[int, tuple[pa.Table, np.ndarray]] = OrderedDict()

    def resize(self, limit: int) -> None:
        """Sets the number of cached shards."""
        self._limit = limit

    def row(self, shard: int, row: int) -> dict[str, Any]:
        """Returns a row, with `values` as an array `(minutes, channels)` and the rest as Python objects."""
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
        column = table["values"].combine_chunks()
        storage = column.storage if isinstance(column, pa.ExtensionArray) else column
        minutes = storage.flatten()
        channels = len(minutes.flatten()) // max(1, len(minutes))
        values = minutes.flatten().to_numpy(zero_copy_only=False)
        return table.drop_columns(["values"]), values.reshape(len(table), -1, channels)
