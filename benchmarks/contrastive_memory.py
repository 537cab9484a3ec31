"""Memory of contrastive losses: ring exchange versus gathering, and chunking on a single device.

    python benchmarks/contrastive_memory.py

Each row is measured in a separate process that computes loss and gradients for its share of a global batch and reports
the growth of its peak memory. The other processes are simulated with random text embeddings of the right size. The loss
code is the same as in distributed training (`benchmarks/distributed_parity.py` compares it with a single process).
`predicted` is the total size of the tensors that are live at the same time.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
from collections.abc import Sequence
from typing import Any

import torch

from sensorlm_hf.modeling.losses_sensorlm import positive_pairs, siglip_loss
from sensorlm_hf.training.distributed import GlobalLosses, Ring, ring_siglip_loss

MIB = 2**20


class SimulatedRing(Ring):
    """A ring exchange that simulates the other processes with random tensors."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def pass_on(self, tensors: Sequence[torch.Tensor]) -> tuple[list[torch.Tensor], list[Any]]:
        """Returns random tensors of the same shapes."""
        return [torch.randn_like(x) if x.is_floating_point() else torch.randint_like(x, 2**62) for x in tensors], []


def embeddings(rows: int, width: int) -> torch.Tensor:
    """Returns random unit vectors."""
    return torch.nn.functional.normalize(torch.randn(rows, width), dim=1).requires_grad_()


def grown(way: str, world: int, local: int, width: int, chunk: int, pipe: Any) -> None:
    """Sends the growth of peak memory in MiB; runs in a separate process."""
    torch.set_num_threads(1)
    scale, bias = torch.tensor(10.0, requires_grad=True), torch.tensor(-10.0, requires_grad=True)
    warm = embeddings(4, width)
    ring_siglip_loss(warm, embeddings(4, width), scale, bias, torch.arange(4)).backward()
    sensor = embeddings(local, width)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if way == "ring":
        text = embeddings(local, width)
        loss = ring_siglip_loss(sensor, text, scale, bias, torch.arange(local), ring=SimulatedRing(world))
    elif way == "gather":
        # Loss of the rows of one process against the global batch.
        texts, groups = embeddings(local * world, width), torch.arange(local * world)
        loss = siglip_loss(sensor, texts, scale, bias, positive_pairs(groups[:local], groups))
    else:
        objective, _, part = way.partition(", ")
        engine = GlobalLosses(chunk_size=chunk if part == "chunked" else None)
        groups = torch.arange(local)
        loss = engine.contrastive(
            sensor, embeddings(local, width), scale, bias if objective == "siglip" else None, groups
        )
    loss.backward()
    pipe.send((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / MIB)


def on_paper(way: str, world: int, local: int, width: int) -> float:
    """Returns the size in MiB of the live tensors in the backward pass of the sigmoid loss."""
    if way == "ring":
        # Local rows and gradients, current and received texts with gradients, and four square matrices.
        return 4 * (7 * local * width + 4 * local * local) / MIB
    # All texts and gradients; similarities, signs, products and derivatives of the rows, and the mask of positives.
    return (4 * (2 * local * world * width + 4 * local * local * world) + local * local * world) / MIB


def measured(*arguments: Any) -> float:
    """Returns the growth of peak memory in a new process, in MiB."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=grown, args=(*arguments, theirs))
    process.start()
    result = float(ours.recv())
    process.join()
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--local", type=int, default=512, help="Rows per process.")
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--world-sizes", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--one-device", type=int, default=4096, help="Batch size on a single device.")
    parser.add_argument("--chunk", type=int, default=256)
    options = parser.parse_args()
    print("| processes | global batch | method | measured MiB | predicted MiB |\n|---|---|---|---|---|")
    ring: list[float] = []
    for world in options.world_sizes:
        for way in ("ring", "gather"):
            size = (way, world, options.local, options.width)
            grew = measured(*size, options.chunk)
            ring += [grew] if way == "ring" else []
            print(f"| {world} | {world * options.local} | {way} | {grew:.0f} | {on_paper(*size):.0f} |", flush=True)
    for way in ("siglip, unchunked", "siglip, chunked", "clip, unchunked", "clip, chunked"):
        grew = measured(way, 1, options.one_device, options.width, options.chunk)
        print(f"| 1 | {options.one_device} | {way} | {grew:.0f} | - |", flush=True)
    # The memory of the ring must not depend on the number of processes, up to a few MiB of allocator noise.
    return 0 if max(ring) - min(ring) <= 16 else 1


if __name__ == "__main__":
    sys.exit(main())
