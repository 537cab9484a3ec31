"""Recordings on Ray Data: people are read on the machines of a cluster and returned in order."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence

import pyarrow as pa

from .ray_session import import_ray, ray_session
from .readers.recordings import PartItem, Recording

ITEMS_PER_BATCH = 16
"""Days per block, 150 kB each."""

BLOCK_BYTES = 16 << 20
"""Target size of Ray blocks. The default would buffer most people's entire recording."""


def read_on_ray(recording: Recording, parts: Sequence[str], address: str, num_proc: int) -> Iterator[PartItem]:
    """Reads the parts of a recording on a Ray cluster and yields their items in the order of a single process.

    Days are streamed while their part is still being read, with back-pressure, so neither a worker nor the caller holds
    a complete part. A single caller rounds and writes the days, which limits the speed-up.

    Args:
        recording: The recording; all machines must have access to its path and to this package.
        parts: Its parts, see [`Recording.parts`].
        address: `"local"` for a cluster on this machine, otherwise `"auto"` or the address of one to join. An existing
            connection is reused and left open.
        num_proc: Maximum number of parts read concurrently.

    Raises:
        ImportError: If Ray is not installed.
        ConnectionError: If there is no cluster at the address.
        ValueError: If a part is damaged, or an argument of its reader wrong.
    """
    ray = import_ray("Converting")
    with ray_session(ray, address, num_proc) as context:
        before = context.target_max_block_size, context.execution_options.preserve_order
        try:
            context.target_max_block_size = BLOCK_BYTES
            context.execution_options.preserve_order = True
            rows = ray.data.from_items([{"part": part} for part in parts], override_num_blocks=len(parts))
            done = rows.map_batches(
                _read_part,
                batch_size=1,
                batch_format="pyarrow",
                zero_copy_batch=True,
                fn_kwargs={"recording": pickle.dumps(recording)},
                compute=ray.data.TaskPoolStrategy(size=min(num_proc, len(parts))),
            )
            for batch in done.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=1):
                for cell in batch.column("items"):
                    for item in pickle.loads(cell.as_py()):
                        if isinstance(item, Exception):
                            raise item
                        yield item
        finally:
            context.target_max_block_size, context.execution_options.preserve_order = before


def _read_part(batch: pa.Table, recording: bytes) -> Iterator[pa.Table]:
    # Data errors are returned as items: Ray would wrap them in its own traceback and retry pointlessly.
    source: Recording = pickle.loads(recording)
    batch_items: list[PartItem | Exception] = []
    for part in batch.column("part").to_pylist():
        try:
            for item in source.items(part):
                batch_items.append(item)
                if len(batch_items) >= ITEMS_PER_BATCH:
                    yield _serialise(batch_items)
                    batch_items = []
        except (ValueError, TypeError, OSError, ImportError) as error:
            batch_items.append(_to_builtin_error(error))
    if batch_items:
        yield _serialise(batch_items)


def _serialise(items: list[PartItem | Exception]) -> pa.Table:
    return pa.table({"items": pa.array([pickle.dumps(items)], type=pa.large_binary())})


def _to_builtin_error(error: Exception) -> Exception:
    """Converts an error to a type that the command line reports in one sentence and that can be serialised."""
    for kind in (FileNotFoundError, ImportError, TypeError, OSError):
        if isinstance(error, kind):
            return kind(str(error))
    return ValueError(str(error))
