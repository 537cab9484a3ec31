"""From a folder of days to the Hub, after a look for what says who its people are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Features
from huggingface_hub import DatasetCard, HfApi

from .privacy import check_identity


def _rows(shards: list[Path]) -> Iterator[dict[str, Any]]:
    """All rows of all shards, without their values."""
    for shard in shards:
        parquet = pq.ParquetFile(shard)
        columns = [name for name in parquet.schema_arrow.names if name != "values"]
        for batch in parquet.iter_batches(columns=columns, batch_size=256):
            yield from batch.to_pylist()


def check_folder(folder: str | os.PathLike, allow: Iterable[str] = ()) -> list[str]:
    """Checks a folder of days before it leaves the machine.

    Args:
        folder: What `sensorlm-hf convert` or [`write_days`] wrote.
        allow: Columns that look like identity and are not, see [`check_identity`].

    Returns:
        The files that belong on the Hub, relative to the folder: the card and the shards.

    Raises:
        FileNotFoundError: If there is no shard or no card.
        ValueError: If a column, or any row's content, looks like identity, or the card does not name a licence.
    """
    root = Path(folder)
    shards = sorted(root.glob("data/*.parquet"))
    if not shards:
        raise FileNotFoundError(f"There are no shards data/*.parquet in {root}; write some with `sensorlm-hf convert`.")
    card = root / "README.md"
    if not card.is_file():
        raise FileNotFoundError(f"{root} has no card README.md; `sensorlm-hf convert` writes one.")
    if not DatasetCard.load(card).data.get("license"):
        raise ValueError(f"{card} names no `license`; say in its YAML under which the data may be used.")
    allowed = tuple(allow)
    for shard in shards:
        try:
            schema = pq.read_schema(shard)
        except (pa.ArrowInvalid, OSError) as error:
            raise ValueError(f"{shard}: not a readable Parquet file: {error}") from None
        check_identity(Features.from_arrow_schema(schema), allow=allowed)
    check_identity({}, _rows(shards), allow=allowed)
    return [path.relative_to(root).as_posix() for path in [card, *shards]]


def push_folder(
    folder: str | os.PathLike,
    repository: str,
    *,
    private: bool = False,
    dry_run: bool = False,
    allow: Iterable[str] = (),
    token: str | None = None,
) -> list[str]:
    """Sends a folder of days to the Hub as a dataset repository; the card and the shards, and nothing else.

    Args:
        folder: What `sensorlm-hf convert` or [`write_days`] wrote.
        repository: Name on the Hub, `"someone/my-days"`.
        private: Whether only its owner may read it.
        dry_run: Whether to check, but send nothing.
        allow: Columns that look like identity and are not.
        token: Access token; the stored one by default.

    Returns:
        The files sent.

    Raises:
        FileNotFoundError: If there is no shard or no card.
        ValueError: If the folder looks like it says who its people are.
    """
    files = check_folder(folder, allow)
    if not dry_run:
        api = HfApi(token=token)
        api.create_repo(repository, repo_type="dataset", private=private, exist_ok=True)
        api.upload_folder(folder_path=str(folder), repo_id=repository, repo_type="dataset", allow_patterns=files)
    return files
