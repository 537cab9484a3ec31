"""Throughput of the data loader compared with a training step.

    python benchmarks/loader.py --workers 0 1 2

Days are read from Parquet shards (loaded, or streamed), captions are drawn and tokenised in the workers, and batches
are collated, as in training. If the loader is slower than the training step, training waits for data: increase the
number of workers.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from sensorlm_hf.data import write_days
from sensorlm_hf.data.simulate import iter_simulated_days
from sensorlm_hf.training import PretrainOptions, prepare

KEYS = {"high_level_summary_caption": 0.65, "high_low_caption": 0.35}


def loader_of(parts: Any, batch_size: int, workers: int) -> Iterable[Any]:
    """Returns the data loader of a run."""
    streams = isinstance(parts.train, torch.utils.data.IterableDataset)
    return torch.utils.data.DataLoader(
        parts.train,
        batch_size=batch_size,
        shuffle=None if streams else True,
        collate_fn=parts.collator,
        num_workers=workers,
        drop_last=True,
    )


def days_per_second(loader: Iterable[Any], batch_size: int) -> float:
    """Returns the days per second after the first batch."""
    batches = iter(loader)
    next(batches)
    began, count = time.perf_counter(), 0
    for _ in batches:
        count += batch_size
    return count / (time.perf_counter() - began)


def step_days_per_second(parts: Any, batch: dict[str, torch.Tensor], device: torch.device) -> float:
    """Returns the days per second of a training step."""
    model = parts.model.to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    batch = {name: tensor.to(device) for name, tensor in batch.items()}
    times = []
    for _ in range(4):
        began = time.perf_counter()
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
            loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return len(batch["input_ids"]) / min(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--days", type=int, default=512)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--size", default="tiny")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        days, run = Path(folder) / "days", Path(folder) / "run"
        write_days(iter_simulated_days(options.days, seed=0), days, days_per_shard=max(1, options.days // 16))
        what: dict[str, Any] = {
            "objective": "coca",
            "size": options.size,
            "data": str(days),
            "caption_keys": KEYS,
            "tokenizer_days": 200,
        }
        speeds: dict[tuple[str, int], float] = {}
        for streaming in (False, True):
            for workers in options.workers:
                parts = prepare(
                    PretrainOptions(**what, streaming=streaming),
                    run,
                    batch_size=options.batch_size,
                    num_workers=workers,
                    resume=(run / "tokenizer.json").exists(),
                )
                loader = loader_of(parts, options.batch_size, workers)
                speeds["streamed" if streaming else "loaded", workers] = days_per_second(loader, options.batch_size)
        step = step_days_per_second(parts, next(iter(loader)), torch.device(options.device))
    print(f"training step ({options.size}, {options.device}, batch {options.batch_size}): {step:.1f} days/s")
    print("| data | workers | loader days/s | loader / step |\n|---|---|---|---|")
    for (name, workers), speed in speeds.items():
        print(f"| {name} | {workers} | {speed:.0f} | {speed / step:.1f} |")
    return 0 if max(speeds.values()) >= step else 1


if __name__ == "__main__":
    sys.exit(main())
