"""`SensorDays`: labelled days as a `datasets` dataset.

`datasets` no longer supports loading scripts, so the builder is a class to import. It prepares plain Parquet files that
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
from .readers.detect import SOURCES
from .readers.recordings import Recording
from .rows import dataset_row, sensor_day_features, split_of
from .simulate import iter_simulated_days

SPLITS = ("train", "validation", "test")
"""Names of the splits, in the order in which people are assigned to them."""

_PEOPLE_PER_BLOCK = 64
_PACKAGE = Path(__file__).resolve().parents[1]


@lru_cache(maxsize=1)
def simulator_fingerprint() -> str:
    """Returns a hash of everything that determines a simulated cohort.

    It covers the package's version and the source code of the simulator, the schemas, the day record and this file. It
    is part of the `datasets` cache path of a prepared cohort, so that days from an older simulator are never reused. A
    changed comment also invalidates the cache, which costs seconds; not doing so could silently mix versions.
    """
    digest = hashlib.blake2b(__version__.encode(), digest_size=8)
    sources = [*_PACKAGE.glob("data/simulate/**/*.py"), *(_PACKAGE / name for name in _SOURCES)]
    for path in sorted(sources):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0")
        digest.update(path.read_bytes().replace(b"\r\n", b"\n") if path.is_file() else b"")
    return digest.hexdigest()


_SOURCES = ("activities.py", "schema.py", "days.py", "data/rows.py", "data/sensor_days.py")

SIMULATED = "simulated"
"""Name of the configuration for synthetic subjects; the others are named after their source."""


@dataclass
class SensorDaysConfig(datasets.BuilderConfig):
    """Configuration of [`SensorDays`]: a cohort of synthetic subjects, or a recording.

    Attributes:
        people: Number of synthetic subjects, assigned to splits by `validation_share` and `test_share`.
        days_per_person: Days per person.
        seed: Seed of the cohort.
        schema: Name of the schema.
        validation_share: Fraction of people in the validation split; for recordings an expected value, 0 by default.
        test_share: Fraction of people in the test split; for recordings an expected value, 0 by default.
        recording: Path of a recording; for all configurations except the simulated one.
        timezone: Local time zone of the recording.
        day_start: Local time at which its windows start.
        mapping: YAML file that maps the columns of a table.
        subject_id: Subject id, for recordings that do not contain one.
        skip_bad: Whether to skip unreadable files, if others can be read.
        salt: Secret salt of the pseudonyms, so that a rebuilt dataset has the same ones.
        keep_ids: Whether to keep the recording's subject ids.
        folder_of_people: Whether the recording is a folder with one export per person.
    """

    people: int = 1000
    days_per_person: int = 4
    seed: int = 0
    schema: str = "sensorlm-26"
    validation_share: float | None = None
    test_share: float | None = None
    recording: str | None = None
    timezone: str | None = None
    day_start: str | None = None
    mapping: str | None = None
    subject_id: str | None = None
    skip_bad: bool = True
    salt: str | None = None
    keep_ids: bool = False
    folder_of_people: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check()

    def check(self) -> None:
        """Validates the numbers; the builder also calls it, since `datasets` sets attributes after construction.

        Raises:
            ValueError: If a number is out of range.
        """
        simulated = self.name not in SOURCES
        if self.validation_share is None:
            self.validation_share = 0.05 if simulated else 0.0
        if self.test_share is None:
            self.test_share = 0.1 if simulated else 0.0
        for name in ("people", "days_per_person"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1, got {getattr(self, name)}.")
        if min(self.validation_share, self.test_share) < 0 or self.validation_share + self.test_share >= 1:
            raise ValueError(
                "`validation_share` and `test_share` must not be negative and must leave people to train on, got"
                f" {self.validation_share} and {self.test_share}."
            )

    def as_recording(self) -> Recording | None:
        """Returns the recording of the configuration; None for the simulated one.

        Raises:
            ValueError: If the recording is missing, or neither `salt` nor `keep_ids` is set.
        """
        kind = self.name
        if kind not in SOURCES:
            return None
        if not self.recording:
            raise ValueError(f"The configuration {kind!r} needs `recording`, the path of the recording.")
        if not self.keep_ids and not self.salt:
            raise ValueError(
                "Give `salt`, the secret from which pseudonyms are derived, so that rebuilding gives the same ones; or"
                " `keep_ids=True` to keep the recording's subject ids."
            )
        return Recording(
            path=self.recording,
            kind=kind,
            schema=self.schema,
            timezone=self.timezone,
            day_start=self.day_start,
            mapping=self.mapping,
            subject_id=self.subject_id,
            skip_bad=self.skip_bad,
            salt=None if self.keep_ids else self.salt,
            folder_of_people=self.folder_of_people,
        )

    def people_of(self, split: str) -> range:
        """Returns the indices of the people in a split; splits are disjoint."""
        validation = round(self.people * (self.validation_share or 0.0))
        test = round(self.people * (self.test_share or 0.0))
        ends = {"train": self.people - validation - test, "validation": self.people - test, "test": self.people}
        starts = {"train": 0, "validation": ends["train"], "test": ends["validation"]}
        if split not in ends:
            raise ValueError(f"`split` must be one of {', '.join(SPLITS)}, got {split!r}.")
        return range(starts[split], ends[split])


class SensorDays(datasets.GeneratorBasedBuilder):
    """Builds a cohort of **synthetic** subjects, or a recording, as a dataset with splits by person.

    Configurations are `"simulated"` and the kinds of sources: `"fitbit"`, `"mmash"`, `"e4"`, `"embraceplus"`,
    `"apple-health"` and `"table"`. Prepared data are cached by `datasets`, keyed by configuration and
    [`simulator_fingerprint`], or by the names, sizes and modification times of a recording's files. Multiple processes
    share the people of a cohort, of MMASH or of a folder of people, and the files of a folder of tables; any other
    recording is read by one process.

    Args:
        args: Arguments of `datasets.GeneratorBasedBuilder`, such as `cache_dir`.
        kwargs: The same by name, and the attributes of [`SensorDaysConfig`].

    Example:
        ```python
        builder = SensorDays(people=200, seed=7)
        builder.download_and_prepare(num_proc=2)
        train = builder.as_dataset("train").with_format("numpy")

        builder = SensorDays("mmash", recording="MMASH/DataPaper", salt="a secret", test_share=0.2)
        ```
    """

    BUILDER_CONFIG_CLASS = SensorDaysConfig
    BUILDER_CONFIGS = [  # noqa: RUF012 - `datasets` reads a list
        SensorDaysConfig(name=SIMULATED, description="Synthetic subjects; no data of real people."),
        *(SensorDaysConfig(name=source, description=f"Days of a recording: {source}.") for source in SOURCES),
    ]
    DEFAULT_CONFIG_NAME = SIMULATED
    DEFAULT_WRITER_BATCH_SIZE = 256
    VERSION = datasets.Version("1.0.0")

    def __init__(self, config_name: str | None = None, *, cache_dir: str | None = None, **kwargs: Any) -> None:
        if "hash" not in kwargs:
            name = config_name or kwargs.get("name") or self.DEFAULT_CONFIG_NAME
            options = {key: value for key, value in kwargs.items() if key in SensorDaysConfig.__dataclass_fields__}
            recording = None
            if name in SOURCES:
                recording = SensorDaysConfig(**{**options, "name": name}).as_recording()
            kwargs["hash"] = simulator_fingerprint() if recording is None else recording.fingerprint()
        super().__init__(cache_dir=cache_dir, config_name=config_name, **kwargs)

    def _create_builder_config(self, *args: Any, **kwargs: Any) -> Any:
        config, config_id = super()._create_builder_config(*args, **kwargs)
        config.check()
        return config, config_id

    def _info(self) -> datasets.DatasetInfo:
        recording = self.config.as_recording()
        if recording is not None:
            recording.check()
            minutes, labels = recording.example()
            return datasets.DatasetInfo(
                description=f"Days of minute-level wearable signals with logged events, from {recording.kind}.",
                features=sensor_day_features(self.config.schema, minutes, labels),
            )
        example = next(iter_simulated_days(1, seed=self.config.seed, schema=self.config.schema))
        return datasets.DatasetInfo(
            description="Simulated days of minute-level wearable signals with logged events. No data of real people.",
            features=sensor_day_features(self.config.schema, len(example), example.labels),
            license="apache-2.0",
        )

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        # `datasets` distributes lists in gen_kwargs among its processes; a person's days do not depend on the block.
        recording = self.config.as_recording()
        if recording is not None:
            shares = {"train": 1.0, "validation": self.config.validation_share, "test": self.config.test_share}
            return [
                datasets.SplitGenerator(name=split, gen_kwargs={"blocks": [(split, p) for p in recording.parts()]})
                for split in SPLITS
                if shares[split] > 0
            ]
        generators = []
        for split in SPLITS:
            people = self.config.people_of(split)
            blocks = [people[i : i + _PEOPLE_PER_BLOCK] for i in range(0, len(people), _PEOPLE_PER_BLOCK)]
            if blocks:
                kwargs = {"blocks": [(block.start, len(block)) for block in blocks]}
                generators.append(datasets.SplitGenerator(name=split, gen_kwargs=kwargs))
        return generators

    def _generate_examples(self, blocks: list[Any]) -> Iterator[tuple[tuple[Any, int], dict[str, Any]]]:
        recording = self.config.as_recording()
        if recording is not None:
            shares = self.config.validation_share, self.config.test_share
            for split, part in blocks:
                for number, (who, day) in enumerate(recording.days(part)):
                    if split_of(who, *shares, self.config.seed) == split:
                        yield (part, number), dataset_row(day, self.info.features)
            return
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
