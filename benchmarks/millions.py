"""Captions, embeddings and search of many days on a Ray cluster, with an estimate for ten million days.

Days are simulated and written as shards of Parquet; then they are captioned, embedded and searched. The memory is that
of the largest worker. Needs the extra `ray`.

    python benchmarks/millions.py --sizes 1000 10000 --workers 1 2
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sensorlm_hf.data import caption_folder, write_cohort
from sensorlm_hf.evaluation.results import table_markdown
from sensorlm_hf.retrieval import DayIndex, embed_folder

MODEL = "sensorlm-coca"
GOAL = 10_000_000


def resident_mib(pattern: str) -> float:
    """Returns the memory of the largest process whose command line contains a text, in MiB."""
    largest = 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if pattern in (folder / "cmdline").read_text(errors="replace"):
                    pages = int((folder / "statm").read_text().split()[1])
                    largest = max(largest, pages)
            except OSError:  # it has ended
                continue
    return largest * 4096 / 2**20


@contextmanager
def peak_memory(pattern: str) -> Iterator[list[float]]:
    """Measures the memory of the largest process during the block, ten times a second."""
    peak, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            peak[0] = max(peak[0], resident_mib(pattern))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def size_of(folder: Path) -> int:
    """Returns the bytes of the Parquet files of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*.parquet"))


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Returns the result of a run on Ray, its seconds and the peak memory of its largest worker in MiB."""
    begun = time.perf_counter()
    with peak_memory("ray::") as peak:
        result = work()
    return result, time.perf_counter() - begun, peak[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000], help="Numbers of days.")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--days_per_shard", type=int, default=250)
    options = parser.parse_args()
    try:
        import ray
    except ImportError:
        sys.exit("This benchmark needs Ray: pip install -c constraints.txt 'sensorlm-hf[ray]'.")
    rows, cost = [], {}
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            write_cohort(root / "days", people=size, days_per_person=1, days_per_shard=options.days_per_shard)
            for workers in options.workers:
                ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
                captioned, embedded = root / f"captions-{workers}", root / f"embeddings-{workers}"
                run = {"num_proc": workers, "ray_address": "auto"}
                _, captions, memory = timed(partial(caption_folder, root / "days", captioned, drop_values=True, **run))
                _, embeddings, more = timed(partial(embed_folder, root / "days", embedded, MODEL, **run))
                ray.shutdown()
                index = DayIndex.load(embedded)
                index.search("a long run")
                begun = time.perf_counter()
                index.search("a long run in the morning")
                search = 1000 * (time.perf_counter() - begun)
                rows.append(
                    (
                        f"{size:,}",
                        str(workers),
                        f"{size / captions:,.0f}",
                        f"{size / embeddings:,.0f}",
                        f"{max(memory, more):,.0f}",
                        f"{search:.0f}",
                    )
                )
                cost = {
                    "caption": workers * captions / size,
                    "embed": workers * embeddings / size,
                    "days": size_of(root / "days") / size,
                    "captions": size_of(captioned) / size,
                    "embeddings": size_of(embedded) / size,
                }
    head = ("days", "workers", "captions, days/s", "embeddings, days/s", "largest worker, MiB", "search, ms")
    print(table_markdown(head, rows))
    hours = GOAL * (cost["caption"] + cost["embed"]) / 3600
    print(
        f"\n{GOAL:,} days, extrapolated from the last row: {hours:,.0f} core hours"
        f" ({60 * hours / 256:,.0f} minutes on 256 cores); {GOAL * cost['days'] / 1e9:,.0f} GB of days,"
        f" {GOAL * cost['captions'] / 1e9:,.1f} GB of captions and {GOAL * cost['embeddings'] / 1e9:,.1f} GB of"
        " embeddings."
    )


if __name__ == "__main__":
    main()
