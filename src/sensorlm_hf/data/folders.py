"""Days to and from folders of Parquet files, which `datasets.load_dataset` reads without this package.

Apart from the builder, since streaming from it makes `datasets` replace `Path` and other names in its module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

import datasets

from ..days import SensorDay
from ..schema import SensorSchema, get_schema
from .rows import dataset_row, sensor_day_features
from .sensor_days import SPLITS, SensorDays, SensorDaysConfig
from .simulate import iter_simulated_days


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
            table = datasets.Dataset.from_list([dataset_row(day, features) for day in block], features=features)
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
        ValueError: If the source is malformed, its rows are not days, or the cache would lie inside it.
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
        # `datasets` names its cache after the folder, and would take what it cached there for further data.
        if cache is not None and (Path(cache) / Path(source).name).resolve() == Path(source).resolve():
            raise ValueError(f"`cache_dir` {cache!r} would put the cache into the dataset {source}; choose another.")
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
