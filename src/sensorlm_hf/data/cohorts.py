"""Writes simulated cohorts to disk as independent shards, locally or on a Ray cluster."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .cards import DayStatistics, card_text, write_card
from .rows import sensor_day_features
from .sensor_days import SPLITS, SensorDaysConfig
from .shards import days_table, fingerprint, fresh_folder, settle_folder, write_shard
from .simulate import iter_simulated_days

DAYS_PER_SHARD = 512
"""Days per shard, rounded down so that a person is never split."""


@dataclass(frozen=True)
class CohortShard:
    """A shard of a cohort, with everything a process needs to write it.

    Attributes:
        folder: Temporary folder of the dataset; accessible to all processes.
        split: Split of its people.
        number: Index of the shard in its split.
        start_person: Index of its first person.
        people: Number of people.
        days_per_person: Days per person.
        seed: Seed of the cohort.
        schema: Name of the schema.
    """

    folder: str
    split: str
    number: int
    start_person: int
    people: int
    days_per_person: int
    seed: int
    schema: str

    def write(self) -> DayStatistics:
        """Writes the shard and returns its statistics. Writing it twice is harmless."""
        days = list(
            iter_simulated_days(
                self.people * self.days_per_person,
                seed=self.seed,
                schema=self.schema,
                days_per_person=self.days_per_person,
                start_person=self.start_person,
            )
        )
        features = sensor_day_features(self.schema, len(days[0]), days[0].labels)
        target = Path(self.folder) / "data"
        target.mkdir(parents=True, exist_ok=True)
        path = target / f"{self.split}-{self.number:05d}.parquet"
        hidden = path.with_name(f".{path.name}.partial")
        write_shard(days_table(days, features, "compact"), hidden)
        hidden.replace(path)
        statistics = DayStatistics()
        for day in days:
            statistics.add(self.split, day)
        return statistics


def cohort_shards(
    folder: str | Path, config: SensorDaysConfig, days_per_shard: int = DAYS_PER_SHARD
) -> list[CohortShard]:
    """Returns the shards of a cohort."""
    step = max(days_per_shard // config.days_per_person, 1)
    shards = []
    for split in SPLITS:
        people = config.people_of(split)
        for number, start in enumerate(range(people.start, people.stop, step)):
            count = min(step, people.stop - start)
            shards.append(
                CohortShard(
                    str(folder), split, number, start, count, config.days_per_person, config.seed, config.schema
                )
            )
    return shards


Runner = Callable[[Sequence[CohortShard]], Iterator[DayStatistics]]


def one_by_one(shards: Sequence[CohortShard]) -> Iterator[DayStatistics]:
    """Writes shards in this process, one at a time in memory."""
    for shard in shards:
        yield shard.write()


def write_cohort(
    folder: str | Path,
    *,
    people: int,
    days_per_person: int = 4,
    seed: int = 0,
    schema: str = "sensorlm-26",
    days_per_shard: int = DAYS_PER_SHARD,
    ray_address: str | None = None,
    num_proc: int = 1,
) -> dict[str, int]:
    """Writes a cohort of synthetic subjects as a Parquet dataset with a card and splits by person.

    Values are rounded by [`round_values`]. Memory does not depend on the number of people. The folder appears once
    everything is written.

    Args:
        folder: Output folder; must be empty or not exist.
        people: Number of people.
        days_per_person: Days per person.
        seed: Seed of the cohort.
        schema: Name of the schema.
        days_per_shard: Days per file, which are held in memory together.
        ray_address: Writes the shards on Ray (extra `[ray]`): `"local"` for this machine, `"auto"` or an address for a
            cluster, whose machines must all have access to the folder. The files are identical.
        num_proc: Maximum number of shards written concurrently on Ray.

    Returns:
        Number of days by split. Splits without people are omitted.

    Raises:
        FileExistsError: If the folder already contains a dataset.
        ValueError: If a number is below 1.
        ImportError: If Ray is requested but not installed.
    """
    config = SensorDaysConfig(people=people, days_per_person=days_per_person, seed=seed, schema=schema)
    if days_per_shard < 1 or num_proc < 1:
        raise ValueError(f"`days_per_shard` and `num_proc` must be at least 1, got {days_per_shard} and {num_proc}.")
    if any((Path(folder) / "data").glob("*.parquet")):
        raise FileExistsError(f"{folder} already contains a dataset; remove it or choose another folder.")
    run: Runner = one_by_one
    if ray_address is not None:
        from .cohorts_ray import on_ray

        run = partial(on_ray, address=ray_address, num_proc=num_proc)
    hidden = fresh_folder(folder)
    try:
        whole = DayStatistics()
        for statistics in run(cohort_shards(hidden.resolve(), config, days_per_shard)):
            whole.merge(statistics)
        whole.days = {split: whole.days[split] for split in SPLITS if split in whole.days}
        example = next(iter_simulated_days(1, seed=seed, schema=schema))
        features = sensor_day_features(schema, len(example), example.labels)
        sizes = {
            split: sum(path.stat().st_size for path in (hidden / "data").glob(f"{split}-*.parquet"))
            for split in whole.days
        }
        text = card_text(
            whole,
            features,
            name="Simulated days",
            source="The data are simulated and contain no recordings of real people.",
            license="apache-2.0",
            provenance={"people": str(people), "days per person": str(days_per_person), "seed": str(seed)},
            data_bytes=sizes,
            fingerprint=fingerprint(hidden),
        )
        write_card(hidden, text)
        settle_folder(hidden, folder)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    return whole.days
