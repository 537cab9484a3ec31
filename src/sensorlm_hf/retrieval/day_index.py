"""Finds the days nearest to a sentence or to another day in a folder of embeddings."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .._extras import requires_extra
from ..checkpoints import packaged_checkpoint
from ..data.caption_shards import find_shards
from ..embedding import encode_sensor, encode_text
from ..io import atomic_write
from .embed_folder import COLUMN, EMBEDDING, fingerprint, load_for_search

INDEX_FILE = ".nearest-{}.faiss"
"""File with the approximate index, next to the embeddings; it is named after what they were made from."""

_LISTS_PER_ROOT, _PROBED, _TRAINED_ON = 4.0, 48, 60
_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Match:
    """A day that was found.

    Attributes:
        score: Cosine similarity, -1 to 1.
        row: Columns of the day besides the embedding, such as `subject_id`, `start` and `events`.
    """

    score: float
    row: dict[str, Any]


class DayIndex:
    """Embeddings of days, in memory, with the columns that describe the days.

    A search compares a query with all days. For millions of days, [`DayIndex.build_approximate`] adds an index that
    compares it with a few percent of them.

    Attributes:
        embeddings: `(days, D)` float32, rows of unit length.
        rows: The other columns.
        model: Name of the model that embedded the days.

    Example:
        ```python
        index = DayIndex.load("embedded")
        (matches,) = index.search("a long run in the morning", k=3)
        ```
    """

    def __init__(self, embeddings: np.ndarray, rows: pa.Table, model: str) -> None:
        """Checks the embeddings.

        Args:
            embeddings: `(days, D)`, rows of unit length.
            rows: One row for each day.
            model: Folder, packaged name or Hub id of the model that embedded them.

        Raises:
            ValueError: If shapes do not match, there are no days, or a row is not finite or not of unit length.
        """
        embeddings = np.ascontiguousarray(embeddings, dtype=np.float32)
        if embeddings.ndim != 2 or not len(embeddings) or len(embeddings) != rows.num_rows:
            raise ValueError(
                f"`embeddings` must have shape (days, D) with one row for each of the {rows.num_rows} days, got"
                f" {embeddings.shape}."
            )
        lengths = np.linalg.norm(embeddings, axis=1)
        wrong = np.flatnonzero(~(np.abs(lengths - 1) < 1e-3))
        if wrong.size:
            raise ValueError(
                f"Embedding {wrong[0]} has length {lengths[wrong[0]]:g} instead of 1, and so have {wrong.size} of"
                f" {len(lengths)}; embed the days again."
            )
        self.embeddings, self.rows, self.model = embeddings, rows, model
        self._nearest: Any = None
        self._weights: str | None = None
        self._index_file: Path | None = None

    @classmethod
    def load(cls, folder: str | os.PathLike) -> DayIndex:
        """Loads the output of [`embed_folder`].

        Args:
            folder: The folder.

        Raises:
            FileNotFoundError: If it does not exist.
            ValueError: If it is not complete, or its files are damaged.
        """
        folder = Path(folder)
        names = find_shards(folder)
        record = folder / EMBEDDING.manifest
        if not record.is_file():
            raise ValueError(
                f"{str(folder)!r} holds no embeddings; `sensorlm-hf embed` writes them from a folder of days."
            )
        try:
            text = record.read_text(encoding="utf-8")
            manifest = json.loads(text)
            expected, model, weights = manifest["input"], manifest["model"], manifest["weights"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{str(record)!r} is damaged ({error}); embed the days again.") from None
        absent = sorted(set(expected) - set(names))
        if absent:
            raise ValueError(
                f"{len(absent)} of the {len(expected)} files of {str(folder)!r} are missing ({absent[0]}, ...): the run"
                " was interrupted. Start `sensorlm-hf embed` again with the same arguments."
            )
        try:
            table = pa.concat_tables([pq.read_table(folder / name) for name in names], promote_options="permissive")
        except (pa.ArrowInvalid, OSError) as error:
            raise ValueError(f"The embeddings in {str(folder)!r} are damaged: {error}") from None
        column = table.column(COLUMN).combine_chunks()
        embeddings = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)
        index = cls(embeddings, table.drop_columns([COLUMN]), model)
        index._weights = weights
        index._index_file = folder / INDEX_FILE.format(hashlib.blake2b(text.encode(), digest_size=8).hexdigest())
        return index

    def __len__(self) -> int:
        return len(self.embeddings)

    def search(self, queries: Any, k: int = 5, *, model: Any = None, processor: Any = None) -> list[list[Match]]:
        """Returns the days nearest to sentences or to other days.

        Args:
            queries: A sentence, a list of sentences, or an array `(queries, D)` of embeddings.
            k: Number of days for each query.
            model: Model that embeds the sentences; by default the one that embedded the days is loaded.
            processor: Its processor.

        Returns:
            For each query, `k` days, or all if there are fewer, the nearest first.

        Raises:
            ValueError: If there is no query, `k` is below 1, widths differ, or the model has other weights than the one
                that embedded the days.
            TypeError: If a query is not a string.
        """
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ValueError(f"`k` must be an integer of at least 1, got {k!r}.")
        vectors = self._vectors(queries, model, processor)
        scores, found = self._search(vectors, min(k, len(self)))
        columns = self.rows.take(pa.array(found.reshape(-1))).to_pylist()
        matches = [Match(float(score), row) for score, row in zip(scores.reshape(-1), columns, strict=True)]
        size = found.shape[1]
        return [matches[start : start + size] for start in range(0, len(matches), size)]

    def _vectors(self, queries: Any, model: Any, processor: Any) -> np.ndarray:
        width = self.embeddings.shape[1]
        if isinstance(queries, np.ndarray) and queries.dtype.kind == "f":
            vectors = np.atleast_2d(queries).astype(np.float32)
            if vectors.ndim != 2 or vectors.shape[1] != width or not len(vectors):
                raise ValueError(f"Queries must have shape (queries, {width}), got {queries.shape}.")
            return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        if model is None:
            model, processor = self._own_model()
        return encode_text(model, processor, [queries] if isinstance(queries, str) else queries)

    def _own_model(self) -> tuple[Any, Any]:
        """Loads the model that embedded the days, and its processor."""
        model, processor = load_for_search(str(packaged_checkpoint(self.model) or self.model))
        if self._weights is not None and fingerprint(model) != self._weights:
            raise ValueError(
                f"The model {self.model!r} has other weights than when it embedded the days; embed them again."
            )
        return model, processor

    def search_days(self, days: Any, k: int = 5, *, model: Any = None, processor: Any = None) -> list[list[Match]]:
        """Returns the days nearest to other days; see [`DayIndex.search`].

        Args:
            days: Days in any form that [`encode_sensor`] accepts.
            k: Number of days for each query.
            model: Model that embeds the days; by default the one that embedded the folder is loaded.
            processor: Its processor.
        """
        if model is None:
            model, processor = self._own_model()
        return self.search(np.atleast_2d(encode_sensor(model, processor, days)), k)

    def _search(self, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns similarities and row numbers, `(queries, k)`, in descending order; equal ones by row number."""
        if self._nearest is not None:
            scores, found = self._nearest.search(vectors, k)
            if (found >= 0).all():
                return scores, found
        best: list[tuple[np.ndarray, np.ndarray]] = []
        for start in range(0, len(self), _AT_ONCE):
            similarity = vectors @ self.embeddings[start : start + _AT_ONCE].T
            kept = min(k, similarity.shape[1])
            rows = np.argpartition(-similarity, kept - 1, axis=1)[:, :kept]
            best.append((np.take_along_axis(similarity, rows, axis=1), rows + start))
        scores, found = (np.concatenate(parts, axis=1) for parts in zip(*best, strict=True))
        order = np.lexsort((found, -scores), axis=1)[:, :k]
        return np.take_along_axis(scores, order, axis=1), np.take_along_axis(found, order, axis=1)

    def build_approximate(self, probed: int = _PROBED) -> None:
        """Builds an index for fast approximate search, or loads the one stored with the embeddings.

        The days are divided into clusters, and a search compares only those of the nearest clusters (an inverted file
        with 8-bit vectors, of faiss; Douze et al., "The Faiss library", 2024). `python benchmarks/search.py` prints how
        often it finds the nearest days, and how fast.

        Args:
            probed: Number of clusters that a search compares.

        Raises:
            ImportError: If faiss is not installed.
            ValueError: If `probed` is below 1.
        """
        with requires_extra("search", "Approximate search"):
            import faiss
        stored = self._index_file
        index = None
        if stored is not None and stored.is_file():
            try:
                index = faiss.read_index(str(stored))
            except RuntimeError:
                index = None  # damaged or of another version: it is built again
            if index is not None and (index.ntotal, index.d) != self.embeddings.shape:
                index = None
        if index is None:
            index = self._build(faiss)
            if stored is not None:
                with atomic_write(stored) as partial:
                    faiss.write_index(index, str(partial))
        self._nearest = index
        self.probe(probed)

    def probe(self, probed: int) -> None:
        """Sets the number of clusters that an approximate search compares: more are slower and miss fewer days.

        Raises:
            ValueError: If `probed` is below 1, or there is no approximate index.
        """
        if isinstance(probed, bool) or not isinstance(probed, int) or probed < 1:
            raise ValueError(f"`probed` must be an integer of at least 1, got {probed!r}.")
        if self._nearest is None:
            raise ValueError("There is no approximate index yet; call `build_approximate`.")
        self._nearest.nprobe = min(probed, self._nearest.nlist)

    def _build(self, faiss: Any) -> Any:
        count, width = self.embeddings.shape
        lists = max(1, min(round(_LISTS_PER_ROOT * count**0.5), count // 40))
        quantizer = faiss.IndexFlatIP(width)
        kind = faiss.ScalarQuantizer.QT_8bit
        index = faiss.IndexIVFScalarQuantizer(quantizer, width, lists, kind, faiss.METRIC_INNER_PRODUCT)
        index.cp.seed = 0
        rng = np.random.default_rng(0)
        index.train(self.embeddings[rng.permutation(count)[: _TRAINED_ON * lists]])
        for start in range(0, count, _AT_ONCE):
            index.add(self.embeddings[start : start + _AT_ONCE])
        return index


def describe(match: Match) -> str:
    """Returns a line about a day: similarity, person, start and logged events."""
    row = match.row
    logged = ", ".join(dict.fromkeys(event["label"] for event in row.get("events") or ())) or "nothing logged"
    return f"{match.score:.2f}  {row.get('subject_id', '?')}  {row.get('start', '?')}  {logged}"


__all__ = ["DayIndex", "Match", "describe"]
