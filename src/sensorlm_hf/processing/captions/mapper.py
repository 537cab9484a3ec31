"""Adds caption columns to the rows of a dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from ...days import SensorDay
from ...schema import SensorSchema

ROW_COLUMNS = ("values", "start", "timezone", "subject_id", "events", "sample_id")
"""Columns used for captions; all except `values` are optional."""


class ColumnBuilder(Protocol):
    """Interface of a [`CaptionBuilder`] used by the mapper."""

    @property
    def schema(self) -> SensorSchema:
        """Schema of the days."""

    def columns(
        self, days: Sequence[SensorDay], keys: Sequence[str], sample_ids: Sequence[str] | None = None
    ) -> dict[str, list[str]]:
        """Captions days, one column per key."""


class CaptionMapper:
    """Adds caption columns to a `datasets.Dataset`: `dataset.map(build.mapper(keys), batched=True, batch_size=64)`.

    Its pickle, and with it the fingerprint of the mapped dataset, depends only on the builder's arguments, its wording,
    this package's caption code and the keys; the captions do not depend on `batch_size` or `num_proc`.
    """

    def __init__(self, builder: ColumnBuilder, keys: Sequence[str]) -> None:
        """Stores the builder; see [`CaptionBuilder.mapper`].

        Args:
            builder: Writes the captions.
            keys: Validated caption keys.
        """
        self.builder = builder
        self.keys = tuple(keys)

    def __call__(self, rows: Mapping[str, Sequence[Any]], first_row: int = 0) -> dict[str, list[str]]:
        """Captions a batch.

        Args:
            rows: Columns as in [`SensorDay.to_row`]; only `values` is required. The random choices of a row are seeded
                by its `sample_id` if that column exists, otherwise by its subject and start, otherwise by its values.
            first_row: Number of the first row, for error messages.

        Returns:
            One column per key.

        Raises:
            ValueError: If a row is not a day of the builder's schema; the message gives its number.
            TypeError: If a value in a row has the wrong type; the message gives the row's number.
        """
        if "values" not in rows:
            raise ValueError(
                f"The rows need a `values` column, they have {', '.join(rows)}; use map(..., batched=True)."
            )
        columns = {name: rows[name] for name in ROW_COLUMNS if name in rows}
        days, names = [], []
        for i in range(len(columns["values"])):
            row = {name: column[i] for name, column in columns.items()}
            if getattr(self.builder, "opening", False) and row.get("start") is None:
                raise ValueError(
                    f"Row {first_row + i} has no `start`, which an opening needs for the part of the day; its columns"
                    f" are {', '.join(rows)}. Add the start, or use opening=False."
                )
            try:
                days.append(SensorDay.from_row(row, self.builder.schema))
            except (ValueError, TypeError) as error:
                raise type(error)(f"Row {first_row + i}: {error}") from error
            names.append(_name_of(row, days[-1]))
        return self.builder.columns(days, self.keys, names)


def _name_of(row: Mapping[str, Any], day: SensorDay) -> str:
    if row.get("sample_id") is not None:
        return str(row["sample_id"])
    if row.get("subject_id") and row.get("start"):
        return day.sample_id
    # With a shared default id, all days would get the same wording.
    return hashlib.blake2b(np.ascontiguousarray(day.values).data, digest_size=16).hexdigest()
