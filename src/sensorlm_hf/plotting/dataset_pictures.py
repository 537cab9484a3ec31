"""`add_pictures`: a column of pictures, so that the viewer of a dataset shows what its days look like."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import datasets
from matplotlib.figure import Figure

from ..days import SensorDay
from .heatmap import plot_heatmap


def add_pictures(
    rows: Any,
    plot: Callable[[SensorDay], Figure] = plot_heatmap,
    *,
    column: str = "picture",
    num_proc: int | None = None,
) -> Any:
    """Adds a picture of each day to a dataset.

    Viewers, such as the Hub's and notebooks', show `values` as an array of numbers that is cut off after the first
    minutes, but columns of type `datasets.Image` as pictures. They are ignored when the days are read.

    Args:
        rows: A dataset of days (see [`load_sensor_days`]): a `Dataset`, an `IterableDataset`, whose pictures are drawn
            when they are read, or a dictionary of these.
        plot: Draws a day; by default [`plot_heatmap`].
        column: Name of the new column.
        num_proc: Number of processes, for a `Dataset`.

    Returns:
        The dataset with another column, of PNG files. `push_to_hub` and `to_parquet` include them.

    Raises:
        TypeError: If `rows` is not a dataset.
        ValueError: If there is a column of this name, or the days cannot be read.

    Example:
        ```python
        rows = add_pictures(load_sensor_days("my-days", split="train"), num_proc=2)
        rows.push_to_hub("you/your-days")
        ```
    """
    if isinstance(rows, dict):
        pictured = {name: add_pictures(part, plot, column=column, num_proc=num_proc) for name, part in rows.items()}
        return type(rows)(pictured)
    if not isinstance(rows, (datasets.Dataset, datasets.IterableDataset)):
        raise TypeError(
            f"`rows` must be a dataset of days, as `load_sensor_days` returns it, got {type(rows).__name__}."
        )
    if rows.features is None:
        raise ValueError("The dataset has no `features`: give it those of `sensorlm_hf.data.sensor_day_features`.")
    if column in rows.features:
        raise ValueError(f"The dataset has a column {column!r} already; choose another name with `column`.")
    features = datasets.Features({**rows.features, column: datasets.Image()})
    options: dict[str, Any] = {"fn_kwargs": {"plot": plot, "column": column}, "features": features}
    if isinstance(rows, datasets.Dataset):
        options |= {"num_proc": num_proc, "desc": "Drawing days"}
    return rows.map(_with_picture, **options)


def _with_picture(row: dict[str, Any], plot: Callable[[SensorDay], Figure], column: str) -> dict[str, Any]:
    stream = io.BytesIO()
    plot(SensorDay.from_row(row)).savefig(stream, format="png", metadata={"Software": None})
    return {column: {"bytes": stream.getvalue(), "path": None}}


__all__ = ["add_pictures"]
