"""`SensorDays`: labelled days as a `datasets` dataset, and days to and from Parquet folders.

`datasets` no longer runs loading scripts, so the builder is a class to import. What it prepares is plain Parquet that
`datasets.load_dataset(folder)` reads without this package.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Any

import datasets

from .._version import __version__
from ..days import MINUTES_PER_DAY, SensorDay
from ..schema import SchemaLike, SensorSchema, get_schema
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


_SOURCES = ("schema.py", "days.py", "data/sensor_days.py")


def sensor_day_features(
    schema: SchemaLike = "sensorlm-26",
    minutes: int = MINUTES_PER_DAY,
    labels: Mapping[str, Any] | None = None,
) -> datasets.Features:
    """Returns the columns of a dataset of days.

    Args:
        schema: Channel set of the days.
        minutes: Length of the windows.
        labels: An example of the days' labels, which tells their types; no labels if left out.

    Returns:
        Features that [`SensorDay.to_row`] fills: `values` is an `Array2D` of `(minutes, channels)` float32, physical
        units, NaN = missing. A fixed shape reads hundreds of times faster than nested lists.
    """
    columns: dict[str, Any] = {
        "subject_id": datasets.Value("string"),
        "start": datasets.Value("string"),
        "timezone": datasets.Value("string"),
        "schema": datasets.Value("string"),
        "values": datasets.Array2D((minutes, len(get_schema(schema))), "float32"),
        "events": [
            {
                "kind": datasets.Value("string"),
                "label": datasets.Value("string"),
                "start_minute": datasets.Value("int32"),
                "end_minute": datasets.Value("int32"),
            }
        ],
    }
    if labels:
        columns["labels"] = {key: datasets.Value(_label_type(key, value)) for key, value in labels.items()}
    return datasets.Features(columns)


def _label_type(key: str, value: Any) -> str:
    for kind, name in ((bool, "bool"), (int, "int64"), (float, "float64"), (str, "string")):
        if isinstance(value, kind):
            return name
    raise TypeError(f"labels[{key!r}] must be a string, number or bool, got {type(value).__name__}.")


def _row(day: SensorDay, features: datasets.Features) -> dict[str, Any]:
    row = day.to_row()
    known = features.get("labels")
    if known is None:
        row.pop("labels")
        return row
    unknown = set(row["labels"]) - set(known)
    if unknown:
        raise ValueError(
            f"Day {day.sample_id} has labels {sorted(unknown)} that the first day lacks; give every day the same label"
            " names, or pass `label_types`."
        )
    row["labels"] = {key: row["labels"].get(key) for key in known}
    return row


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
                yield (start, number), _row(day, self.info.features)


def write_days(
    days: Iterable[SensorDay],
    folder: str | Path,
    *,
    split: str = "train",
    days_per_shard: int = 512,
    label_types: Mapping[str, Any] | None = None,
) -> int:
    """Writes days to `folder/data/<split>-00000.parquet` and so on, which `datasets.load_dataset(folder)` reads.

    Args:
        days: Days of one schema and length; taken one shard at a time, so a generator of any length will do.
        folder: Where to write; shards of the same split that are there already are refused, not mixed.
        split: Name of the split.
        days_per_shard: Days in one file.
        label_types: An example of every label, when the first day does not carry them all.

    Returns:
        The number of days written.

    Raises:
        FileExistsError: If the folder holds shards of this split.
        ValueError: If there is no day, the days differ in schema, length or labels, or `split` is no name.
    """
    target = Path(folder) / "data"
    if not re.fullmatch(r"\w+(\.\w+)*", split):
        raise ValueError(f"`split` must be a name of letters, digits and underscores, got {split!r}.")
    if any(target.glob(f"{split}-*.parquet")):
        raise FileExistsError(
            f"{target} already holds shards of split {split!r}; remove them or choose another folder."
        )
    if days_per_shard < 1:
        raise ValueError(f"`days_per_shard` must be at least 1, got {days_per_shard}.")
    stream = iter(days)
    first = next(stream, None)
    if first is None:
        raise ValueError("There are no days to write.")
    features = sensor_day_features(first.schema, len(first), {**first.labels, **(label_types or {})})
    target.mkdir(parents=True, exist_ok=True)
    stream, count = chain([first], stream), 0
    partials: list[Path] = []
    try:
        while block := list(islice(stream, days_per_shard)):
            for position, day in enumerate(block):
                if day.schema != first.schema or len(day) != len(first):
                    raise ValueError(
                        f"days[{count + position}] ({day.sample_id}) has schema {day.schema.name!r} and {len(day)}"
                        f" minutes, the first day has {first.schema.name!r} and {len(first)}; a dataset holds one of"
                        " each."
                    )
            table = datasets.Dataset.from_list([_row(day, features) for day in block], features=features)
            partials.append(target / f".{split}-{len(partials):05d}.partial")
            table.to_parquet(str(partials[-1]))
            count += len(block)
        # Only whole splits get names that readers look for.
        for partial in partials:
            partial.replace(partial.with_name(partial.name[1:]).with_suffix(".parquet"))
    finally:
        for partial in partials:
            partial.unlink(missing_ok=True)
    return count


def write_cohort(
    folder: str | Path,
    *,
    people: int,
    days_per_person: int = 4,
    seed: int = 0,
    schema: str = "sensorlm-26",
) -> dict[str, int]:
    """Writes a cohort of simulated people as a Parquet dataset with splits by person.

    Args:
        folder: Where to write; see [`write_days`].
        people: Number of people.
        days_per_person: Days of each.
        seed: Seed of the cohort.
        schema: Name of the channel set.

    Returns:
        Days written, by split. A split without people is left out.

    Raises:
        FileExistsError: If the folder holds a dataset already.
        ValueError: If a number is below 1.
    """
    config = SensorDaysConfig(people=people, days_per_person=days_per_person, seed=seed, schema=schema)
    if any((Path(folder) / "data").glob("*.parquet")):
        raise FileExistsError(f"{folder} already holds a dataset; remove it or choose another folder.")
    counts = {}
    for split in SPLITS:
        chosen = config.people_of(split)
        if chosen:
            days = iter_simulated_days(
                len(chosen) * days_per_person,
                seed=seed,
                schema=schema,
                days_per_person=days_per_person,
                start_person=chosen.start,
            )
            counts[split] = write_days(days, folder, split=split)
    return counts


def load_sensor_days(
    source: str | Path,
    split: str | None = None,
    *,
    num_proc: int | None = None,
    cache_dir: str | Path | None = None,
) -> datasets.Dataset | datasets.DatasetDict:
    """Loads a dataset of days.

    Args:
        source: `"simulated"`, `"simulated:PEOPLE"` or `"simulated:PEOPLE:SEED"` for a simulated cohort; else a folder
            or Hub repository that [`write_days`] or `push_to_hub` made.
        split: One split, or all of them if left out.
        num_proc: Processes that prepare a simulated cohort.
        cache_dir: Where prepared data are kept; the `datasets` cache by default.

    Returns:
        The rows; `values` come as numpy arrays, the rest as plain Python objects.

    Raises:
        ValueError: If the source is malformed, or its rows are not days.
        FileNotFoundError: If it is neither a cohort, nor a folder, nor a Hub repository that can be reached.
    """
    cohort = re.fullmatch(r"simulated(?::(\d+))?(?::(\d+))?", str(source))
    cache = None if cache_dir is None else str(cache_dir)
    if cohort:
        people, seed = cohort.groups()
        options = {"people": int(people)} if people else {}
        builder = SensorDays(cache_dir=cache, seed=int(seed or 0), **options)
        builder.download_and_prepare(num_proc=num_proc)
        loaded = builder.as_dataset(split)
    elif re.match(r"simulated\b", str(source)) and not Path(source).exists():
        raise ValueError(
            f"A simulated cohort is 'simulated', 'simulated:PEOPLE' or 'simulated:PEOPLE:SEED', got {source!r}."
        )
    else:
        loaded = _load_folder_or_repository(str(source), split, cache)
    columns = loaded.column_names if split else next(iter(loaded.column_names.values()))
    if "values" not in columns:
        raise ValueError(
            f"{source} is not a dataset of days: it has the columns {', '.join(columns)}, but no `values`. Write it"
            " with sensorlm_hf.data.write_days."
        )
    # Only the signals as arrays: numpy format would turn every label and event into an array of its own.
    return loaded.with_format("numpy", columns=["values"], output_all_columns=True)


def _load_folder_or_repository(source: str, split: str | None, cache_dir: str | None) -> Any:
    try:
        return datasets.load_dataset(source, split=split, cache_dir=cache_dir)
    except (FileNotFoundError, ConnectionError, datasets.exceptions.DatasetNotFoundError) as error:
        raise FileNotFoundError(
            f"{source!r} is neither a folder of days that can be read, nor a Hub dataset that can be reached, nor"
            f" 'simulated[:PEOPLE[:SEED]]' ({str(error).splitlines()[0]})."
        ) from error


def schema_of(dataset: datasets.Dataset) -> SensorSchema:
    """Returns the schema of a dataset of days, from its first row.

    Raises:
        ValueError: If the dataset is empty.
    """
    if len(dataset) == 0:
        raise ValueError("The dataset has no rows.")
    return get_schema(str(dataset.select_columns(["schema"])[0]["schema"]))
