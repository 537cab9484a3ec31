"""`SensorDays`: labelled days as a `datasets` dataset.

`datasets` no longer runs loading scripts, so the builder is a class to import. What it prepares is plain Parquet that
`datasets.load_dataset(folder)` reads without this package.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import datasets

from .._version import __version__
from .rows import dataset_row, sensor_day_features
from .simulate import iter_simulated_days

SPLITS = ("train", "validation", "test")
"""Names of the splits, in the order in which people are dealt out to them."""

_PEOPLE_PER_BLOCK = 64
_PACKAGE = Path(__file__).resolve().parents[1]


@lru_cache(maxsize=1)
def simulator_fingerprint() -> str:
    """Returns a hash of everything that decides what a simulated cohort looks like.

    It covers the package's version and the source of the simulator, the schemas, the day record and this file. It is
    part of the path under which `datasets` keeps a prepared cohort, so that a changed simulator never meets days that
    an older one made. A changed comment prepares them anew too, which costs seconds; the opposite mistake costs trust.
    """
    digest = hashlib.blake2b(__version__.encode(), digest_size=8)
    sources = [*_PACKAGE.glob("data/simulate/**/*.py"), *(_PACKAGE / name for name in _SOURCES)]
    for path in sorted(sources):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0")
        digest.update(path.read_bytes().replace(b"\r\n", b"\n") if path.is_file() else b"")
    return digest.hexdigest()


_SOURCES = ("schema.py", "days.py", "data/rows.py", "data/sensor_days.py")


@dataclass
class SensorDaysConfig(datasets.BuilderConfig):
    """Configuration of [`SensorDays`]: a cohort of simulated people.

    Attributes:
        people: Number of simulated people, dealt out to the splits by `validation_share` and `test_share`.
        days_per_person: Days of each person.
        seed: Seed of the cohort; another seed gives other people.
        schema: Name of the channel set.
        validation_share: Share of the people in the validation split.
        test_share: Share of the people in the test split.
    """

    people: int = 1000
    days_per_person: int = 4
    seed: int = 0
    schema: str = "sensorlm-26"
    validation_share: float = 0.05
    test_share: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check()

    def check(self) -> None:
        """Checks the numbers; the builder calls it too, since `datasets` sets attributes after construction.

        Raises:
            ValueError: If a number is out of range.
        """
        for name in ("people", "days_per_person"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1, got {getattr(self, name)}.")
        if min(self.validation_share, self.test_share) < 0 or self.validation_share + self.test_share >= 1:
            raise ValueError(
                "`validation_share` and `test_share` must not be negative and must leave people to train on, got"
                f" {self.validation_share} and {self.test_share}."
            )

    def people_of(self, split: str) -> range:
        """Returns the numbers of the people in a split; no person is in two."""
        validation = round(self.people * self.validation_share)
        test = round(self.people * self.test_share)
        ends = {"train": self.people - validation - test, "validation": self.people - test, "test": self.people}
        starts = {"train": 0, "validation": ends["train"], "test": ends["validation"]}
        if split not in ends:
            raise ValueError(f"`split` must be one of {', '.join(SPLITS)}, got {split!r}.")
        return range(starts[split], ends[split])


class SensorDays(datasets.GeneratorBasedBuilder):
    """Builds a cohort of **simulated** people as a dataset with splits by person.

    Prepared data are kept in the cache of `datasets`, by configuration and by [`simulator_fingerprint`].

    Args:
        args: Arguments of `datasets.GeneratorBasedBuilder`, such as `cache_dir`.
        kwargs: The same by name, and the attributes of [`SensorDaysConfig`].

    Example:
        ```python
        builder = SensorDays(people=200, seed=7)
        builder.download_and_prepare(num_proc=2)
        train = builder.as_dataset("train").with_format("numpy")
        ```
    """

    BUILDER_CONFIG_CLASS = SensorDaysConfig
    BUILDER_CONFIGS = [  # noqa: RUF012 - `datasets` reads a list
        SensorDaysConfig(name="simulated", description="Simulated people; no real person's data.")
    ]
    DEFAULT_CONFIG_NAME = "simulated"
    DEFAULT_WRITER_BATCH_SIZE = 256
    VERSION = datasets.Version("1.0.0")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("hash", simulator_fingerprint())
        super().__init__(*args, **kwargs)

    def _create_builder_config(self, *args: Any, **kwargs: Any) -> Any:
        config, config_id = super()._create_builder_config(*args, **kwargs)
        config.check()
        return config, config_id

    def _info(self) -> datasets.DatasetInfo:
        example = next(iter_simulated_days(1, seed=self.config.seed, schema=self.config.schema))
        return datasets.DatasetInfo(
            description="Simulated days of minute-level wearable signals with logged events. No real person's data.",
            features=sensor_day_features(self.config.schema, len(example), example.labels),
            license="apache-2.0",
        )

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        generators = []
        for split in SPLITS:
            people = self.config.people_of(split)
            blocks = [people[i : i + _PEOPLE_PER_BLOCK] for i in range(0, len(people), _PEOPLE_PER_BLOCK)]
            if blocks:
                # `datasets` deals lists in gen_kwargs out to its processes; a person's days do not depend on the block.
                kwargs = {"blocks": [(block.start, len(block)) for block in blocks]}
                generators.append(datasets.SplitGenerator(name=split, gen_kwargs=kwargs))
        return generators

    def _generate_examples(self, blocks: list[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], dict[str, Any]]]:
        for start, count in blocks:
            days = iter_simulated_days(
                count * self.config.days_per_person,
                seed=self.config.seed,
                schema=self.config.schema,
                days_per_person=self.config.days_per_person,
                start_person=start,
            )
            for number, day in enumerate(days):
                yield (start, number), dataset_row(day, self.info.features)
