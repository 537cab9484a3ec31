"""Writes simulated cohorts to disk as independent shards, locally or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from ..io import atomic_folder
from .cards import DayStatistics, card_text, write_card
from .cohort_shards import DAYS_PER_SHARD, CohortShard, cohort_shards
from .rows import sensor_day_features
from .sensor_days import SPLITS, SensorDaysConfig
from .shards import fingerprint
from .simulate import iter_simulated_days

Runner = Callable[[Sequence[CohortShard]], Iterator[DayStatistics]]


def write_serially(shards: Sequence[CohortShard]) -> Iterator[DayStatistics]:
    """Writes shards in this process, with one shard in memory at a time."""
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
        days_per_shard: Days per file, which are all in memory at the same time.
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
    run: Runner = write_serially
    if ray_address is not None:
        from .cohorts_ray import write_on_ray

        run = partial(write_on_ray, address=ray_address, num_proc=num_proc)
    with atomic_folder(folder) as staging:
        total = DayStatistics()
        for statistics in run(cohort_shards(staging.resolve(), config, days_per_shard)):
            total.merge(statistics)
        total.days = {split: total.days[split] for split in SPLITS if split in total.days}
        example = next(iter_simulated_days(1, seed=seed, schema=schema))
        features = sensor_day_features(schema, len(example), example.labels)
        sizes = {
            split: sum(path.stat().st_size for path in (staging / "data").glob(f"{split}-*.parquet"))
            for split in total.days
        }
        text = card_text(
            total,
            features,
            name="Simulated days",
            source="The data are simulated and contain no recordings of real people.",
            license="apache-2.0",
            provenance={"people": str(people), "days per person": str(days_per_person), "seed": str(seed)},
            data_bytes=sizes,
            fingerprint=fingerprint(staging),
        )
        write_card(staging, text)
    return total.days
