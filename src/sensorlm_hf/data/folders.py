"""Reads and writes folders of Parquet files of days, which `datasets.load_dataset` can read without this package.

Separate from the builder, because `datasets` patches `Path` and other names in the builder's module when streaming.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import datasets

from ..days import SensorDay
from ..schema import SensorSchema, stored_schema
from .sensor_days import SensorDays
from .shards import DayWriter


def write_days(
    days: Iterable[SensorDay],
    folder: str | Path,
    *,
    split: str = "train",
    days_per_shard: int = 512,
    label_types: Mapping[str, Any] | None = None,
    precision: str = "exact",
) -> int:
    """Writes days to `folder/data/<split>-00000.parquet` and so on, which `datasets.load_dataset(folder)` reads.

    Args:
        days: Days of one schema and length; consumed one shard at a time, so a generator of any length works.
        folder: Output folder; existing shards of the same split raise an error.
        split: Name of the split.
        days_per_shard: Days per file.
        label_types: An example of every label, if the first day does not have all of them.
        precision: `"exact"` stores every bit; `"compact"` rounds to the channels' resolution, 40 kB per day instead of
            90, see [`round_values`].

    Returns:
        The number of days written.

    Raises:
        FileExistsError: If the folder already contains shards of this split.
        ValueError: If there is no day, the days differ in schema, length or labels, or `split` is not a valid name.
    """
    with DayWriter(folder, days_per_shard=days_per_shard, label_types=label_types, precision=precision) as writer:
        writer.start_split(split)
        for day in days:
            writer.add(split, day)
        if not writer.counts:
            raise ValueError("There are no days to write.")
    return writer.counts[split]


def load_sensor_days(
    source: str | Path,
    split: str | None = None,
    *,
    num_proc: int | None = None,
    cache_dir: str | Path | None = None,
) -> datasets.Dataset | datasets.DatasetDict:
    """Loads a dataset of days.

    Args:
        source: `"simulated"`, `"simulated:PEOPLE"` or `"simulated:PEOPLE:SEED"` for a simulated cohort; otherwise a
            folder or Hub repository written by [`write_days`] or `push_to_hub`.
        split: Name of a split; all splits by default.
        num_proc: Number of processes for preparing a simulated cohort.
        cache_dir: Cache for prepared data; the `datasets` cache by default.

    Returns:
        The rows, with `values` as numpy arrays and everything else as plain Python objects.

    Raises:
        ValueError: If the source is malformed, its rows are not days, or the cache would be inside it.
        FileNotFoundError: If it is neither a cohort, a folder nor a reachable Hub repository.
    """
    cohort = re.fullmatch(r"simulated(?::(\d+))?(?::(\d+))?", str(source))
    cache = None if cache_dir is None else str(cache_dir)
    if cohort:
        people, seed = cohort.groups()
        options: dict[str, Any] = {"people": int(people)} if people else {}
        builder = SensorDays(cache_dir=cache, seed=int(seed or 0), **options)
        builder.download_and_prepare(num_proc=num_proc)
        loaded = builder.as_dataset(split)
    elif re.match(r"simulated\b", str(source)) and not Path(source).exists():
        raise ValueError(
            f"A simulated cohort is 'simulated', 'simulated:PEOPLE' or 'simulated:PEOPLE:SEED', got {source!r}."
        )
    else:
        # `datasets` names its cache after the folder, and would read cached files there as further data.
        if cache is not None and (Path(cache) / Path(source).name).resolve() == Path(source).resolve():
            raise ValueError(f"`cache_dir` {cache!r} is inside the dataset {source}; choose another folder.")
        loaded = _load_folder_or_repository(str(source), split, cache)
    columns = loaded.column_names if split else next(iter(loaded.column_names.values()))
    if "values" not in columns:
        raise ValueError(
            f"{source} is not a dataset of days: it has the columns {', '.join(columns)}, but no `values`. Write it"
            " with sensorlm_hf.data.write_days."
        )
    # Only the signals are arrays: with the numpy format for all columns, every label and event would be one too.
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
    return stored_schema(str(dataset.select_columns(["schema"])[0]["schema"]))
