"""Uploads a folder of days to the Hub after checking it for identifying information."""

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
    """Yields all rows of all shards, without `values`."""
    for shard in shards:
        parquet = pq.ParquetFile(shard)
        columns = [name for name in parquet.schema_arrow.names if name != "values"]
        for batch in parquet.iter_batches(columns=columns, batch_size=256):
            yield from batch.to_pylist()


def check_folder(folder: str | os.PathLike, allow: Iterable[str] = ()) -> list[str]:
    """Checks a folder of days before it is uploaded.

    Args:
        folder: Output of `sensorlm-hf convert` or [`write_days`].
        allow: Columns that look identifying but are not, see [`check_identity`].

    Returns:
        The files to upload, relative to the folder: the card and the shards.

    Raises:
        FileNotFoundError: If there are no shards or there is no card.
        ValueError: If a column or its content looks identifying, or the card does not specify a licence.
    """
    root = Path(folder)
    shards = sorted(root.glob("data/*.parquet"))
    if not shards:
        raise FileNotFoundError(f"There are no shards data/*.parquet in {root}; write some with `sensorlm-hf convert`.")
    card = root / "README.md"
    if not card.is_file():
        raise FileNotFoundError(f"{root} has no card README.md; `sensorlm-hf convert` writes one.")
    metadata = DatasetCard.load(card).data
    if not metadata.get("license"):
        raise ValueError(f"{card} does not specify a `license`; add one to its YAML header.")
    if metadata.get("license") == "other" and not metadata.get("license_name"):
        raise ValueError(f"{card} has the `license` 'other'; add its name as `license_name` to the YAML header.")
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
    """Uploads a folder of days to the Hub as a dataset repository: only the card and the shards.

    Args:
        folder: Output of `sensorlm-hf convert` or [`write_days`].
        repository: Hub id, such as `"someone/my-days"`.
        private: Whether the repository is private.
        dry_run: Whether to run the checks without uploading.
        allow: Columns that look identifying but are not.
        token: Access token; the stored one by default.

    Returns:
        The uploaded files.

    Raises:
        FileNotFoundError: If there are no shards or there is no card.
        ValueError: If the folder appears to contain identifying information.
    """
    files = check_folder(folder, allow)
    if not dry_run:
        api = HfApi(token=token)
        api.create_repo(repository, repo_type="dataset", private=private, exist_ok=True)
        api.upload_folder(folder_path=str(folder), repo_id=repository, repo_type="dataset", allow_patterns=files)
    return files
