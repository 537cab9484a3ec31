"""Shards of a cohort of synthetic subjects, each of which can be written independently in any process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..io import atomic_write
from .cards import DayStatistics
from .rows import sensor_day_features
from .sensor_days import SPLITS, SensorDaysConfig
from .shards import days_table, write_shard
from .simulate import iter_simulated_days

DAYS_PER_SHARD = 512
"""Maximum days per shard; a person's days are never split."""


@dataclass(frozen=True)
class CohortShard:
    """A shard of a cohort: everything that a process needs to write it.

    Attributes:
        folder: Folder in which the dataset is being written; accessible to all processes.
        split: Split of its people.
        number: Number of the shard in its split.
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
        """Writes the shard and returns its statistics. Writing it again is harmless."""
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
        with atomic_write(path) as partial:
            write_shard(days_table(days, features, "compact"), partial)
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
