"""Differences of losses and gradients between several processes and a single process with the global batch.

    python benchmarks/distributed_parity.py --world-sizes 2 3

Several processes (gloo) train a small model in float64 on shares of one batch, with captions of different lengths,
texts shared by recordings on different processes, and two accumulated micro-batches. The table shows the maximum
difference of any gradient, relative to the largest gradient. The last rows show the errors of plain `all_gather`, which
does not propagate gradients to the process an embedding came from, and of losses over local rows only.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel

from sensorlm_hf.modeling import SensorLMConfig, pretraining_class
from sensorlm_hf.modeling.losses_sensorlm import clip_loss, positive_pairs
from sensorlm_hf.training.distributed import GlobalLosses
from sensorlm_hf.training.fsdp import scalars_to_vectors
from sensorlm_hf.training.grad_cache import cached_backward
from sensorlm_hf.training.losses import compute_losses, unwrap_sensorlm, use_global_losses

ROWS, MICRO_BATCHES, MINUTES, CHANNELS, VOCAB, LENGTH = 12, 2, 60, 6, 41, 14
TOLERANCE = 1e-12

# name: objective, loss computation, wrapper. The cases in WRONG are deliberately incorrect.
CASES: dict[str, tuple[str, str, str]] = {
    **{f"{objective} gather DDP": (objective, "gather", "ddp") for objective in ("clip", "siglip", "cap", "coca")},
    "siglip ring DDP": ("siglip", "ring", "ddp"),
    "siglip ring chunked DDP": ("siglip", "ring chunked", "ddp"),
    "clip gather chunked DDP": ("clip", "gather chunked", "ddp"),
    **{f"{objective} gather FSDP2": (objective, "gather", "fsdp2") for objective in ("clip", "siglip", "cap", "coca")},
    "siglip ring FSDP2": ("siglip", "ring", "fsdp2"),
    **{f"{objective} GradCache DDP": (objective, "cached", "ddp") for objective in ("clip", "siglip", "cap", "coca")},
    "coca GradCache FSDP2": ("coca", "cached", "fsdp2"),
    **{f"{objective} forward DDP": (objective, "plain", "ddp") for objective in ("clip", "siglip", "cap", "coca")},
    "siglip forward ring DDP": ("siglip", "plain ring", "ddp"),
    "coca forward FSDP2": ("coca", "plain", "fsdp2"),
}
WRONG: dict[str, tuple[str, str, str]] = {
    "clip plain all_gather": ("clip", "own slice", "ddp"),
    "clip own rows only": ("clip", "own", "ddp"),
    "coca own rows only": ("coca", "own", "ddp"),
}


class OwnSliceOnly(GlobalLosses):
    """A common implementation: gather without gradients, insert the local slice, and compute the global loss."""

    def contrastive(self, sensor: Any, text: Any, scale: Any, bias: Any, groups: Any) -> torch.Tensor:
        """Computes the global loss on every process."""
        gathered = []
        for tensor in (sensor, text, groups):
            parts = [torch.empty_like(tensor) for _ in range(dist.get_world_size())]
            dist.all_gather(parts, tensor.detach())
            parts[dist.get_rank()] = tensor
            gathered.append(torch.cat(parts))
        return clip_loss(gathered[0], gathered[1], scale, positive_pairs(gathered[2]))


def small_model(objective: str, device: str = "cpu") -> Any:
    """Returns a model with 6 x 3 patches, width 16 and one layer per tower, with perturbed initial weights."""
    torch.manual_seed(0)
    config = SensorLMConfig.from_size(
        objective,
        "tiny",
        window_minutes=MINUTES,
        num_channels=CHANNELS,
        patch_channels=2,
        vocab_size=VOCAB,
        max_position_embeddings=LENGTH,
        hidden_size=16,
        intermediate_size=24,
        num_attention_heads=2,
        num_caption_queries=3,
        sensor_config={"num_hidden_layers": 1},
        text_config={"num_hidden_layers": 1},
        num_decoder_layers=1,
    )
    model = pretraining_class(config)(config).double()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
    return model.to(device).train()


def micro_batches(device: str = "cpu") -> list[dict[str, torch.Tensor]]:
    """Returns batches with gaps, captions of 3 to 14 tokens, and texts shared by distant recordings."""
    generator = torch.Generator().manual_seed(1)
    batches = []
    for _ in range(MICRO_BATCHES):
        lengths = torch.randint(3, LENGTH + 1, (ROWS,), generator=generator)
        # Ranks have very different numbers of tokens.
        lengths[: ROWS // 2] = lengths[: ROWS // 2].clamp(max=6)
        attention = (torch.arange(LENGTH)[None] < lengths[:, None]).long()
        ids = torch.randint(3, VOCAB, (ROWS, LENGTH), generator=generator) * attention
        groups = torch.arange(ROWS) + 2**62
        groups[-1] = groups[0]
        groups[ROWS // 2] = groups[1]
        batches.append(
            {
                "sensor_values": torch.randn(ROWS, MINUTES, CHANNELS, generator=generator, dtype=torch.float64),
                "sensor_mask": torch.rand(ROWS, MINUTES, CHANNELS, generator=generator) > 0.2,
                "input_ids": ids,
                "attention_mask": attention,
                "text_group_ids": groups,
            }
        )
    return [{name: tensor.to(device) for name, tensor in batch.items()} for batch in batches]


def part_of(batch: dict[str, torch.Tensor], rank: int, world: int) -> dict[str, torch.Tensor]:
    """Returns the rows of one process, padded to its longest caption."""
    rows = {name: tensor[rank * (ROWS // world) : (rank + 1) * (ROWS // world)] for name, tensor in batch.items()}
    longest = int(rows["attention_mask"].sum(dim=1).max())
    for name in ("input_ids", "attention_mask"):
        rows[name] = rows[name][:, :longest]
    return rows


def loss_of(way: str, model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Returns the loss of this process in a case."""
    if way == "own":
        return model(**batch).loss
    if way == "own slice":
        return compute_losses(model, batch, OwnSliceOnly()).loss
    losses = GlobalLosses("ring" if "ring" in way else "gather", chunk_size=2 if "chunked" in way else None)
    if "plain" in way:
        use_global_losses(model, losses)
        return model(**batch).loss
    return compute_losses(model, batch, losses).loss


def wrap(model: Any, wrapper: str, world: int, device: str = "cpu") -> Any:
    """Wraps the model with DDP or FSDP2."""
    if wrapper == "ddp":
        return DistributedDataParallel(model)
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device, (world,))
    scalars_to_vectors(model)
    for module in model.modules():
        if type(module).__name__ in ("SensorLMEncoderLayer", "SensorLMCrossAttentionLayer"):
            fully_shard(module, mesh=mesh)
    return fully_shard(model, mesh=mesh, reshard_after_forward=True)  # as in `configs/accelerate/fsdp2.yaml`


@contextlib.contextmanager
def unsynchronised(model: Any) -> Iterator[None]:
    """Disables gradient synchronization for a micro-batch."""
    if isinstance(model, DistributedDataParallel):
        with model.no_sync():
            yield
    else:
        model.set_requires_gradient_sync(False)
        yield
        model.set_requires_gradient_sync(True)


def gradients(model: Any) -> dict[str, torch.Tensor]:
    """Returns full gradients by parameter, sharded or not."""
    result = {}
    for name, parameter in unwrap_sensorlm(model).named_parameters():
        grad = parameter.grad
        if grad is not None:
            result[name] = (grad.full_tensor() if hasattr(grad, "full_tensor") else grad).reshape(-1).cpu().clone()
    return result


def one_process(objective: str, device: str = "cpu") -> tuple[float, dict[str, torch.Tensor]]:
    """Returns loss and gradients of a single process with the global batch, computed by the model."""
    model, total = small_model(objective, device), 0.0
    for batch in micro_batches(device):
        loss = model(**batch).loss / MICRO_BATCHES
        loss.backward()
        total += loss.item()
    return total, gradients(model)


def several_processes(objective: str, way: str, wrapper: str, rank: int, world: int, device: str = "cpu") -> Any:
    """Returns the loss (mean over processes) and gradients for the share of this process."""
    model = wrap(small_model(objective, device), wrapper, world, device)
    total = torch.zeros((), dtype=torch.float64, device=device)
    batches = [part_of(batch, rank, world) for batch in micro_batches(device)]
    for number, batch in enumerate(batches):
        last = number == len(batches) - 1
        with contextlib.nullcontext() if last else unsynchronised(model):
            if way == "cached":
                outcome = cached_backward(
                    model,
                    batch,
                    mini_batch_size=1 + number,
                    losses=GlobalLosses(),
                    backward=lambda loss: (loss / MICRO_BATCHES).backward(),
                    no_sync=lambda: unsynchronised(model),
                )
                loss = outcome.loss / MICRO_BATCHES
            else:
                loss = loss_of(way, model, batch) / MICRO_BATCHES
                loss.backward()
        total += loss.detach()
    dist.all_reduce(total)
    return total.item() / world, gradients(model)


def worker(
    rank: int, world: int, port: int, folder: str, cases: dict[str, tuple[str, str, str]], device: str = "cpu"
) -> None:
    """Compares all cases and writes the differences; runs in a separate process, on the GPU of its rank if any."""
    torch.set_num_threads(1)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    if device == "cuda":
        torch.cuda.set_device(rank)
    dist.init_process_group("nccl" if device == "cuda" else "gloo", rank=rank, world_size=world)
    results = {}
    references = {objective: one_process(objective, device) for objective in {case[0] for case in cases.values()}}
    for name, (objective, way, wrapper) in cases.items():
        expected_loss, expected = references[objective]
        loss, found = several_processes(objective, way, wrapper, rank, world, device)
        assert set(found) == set(expected), set(found) ^ set(expected)
        largest = max(grad.abs().max().item() for grad in expected.values())
        results[name] = {
            "loss": abs(loss - expected_loss) / abs(expected_loss),
            "gradients": {key: (found[key] - expected[key]).abs().max().item() / largest for key in expected},
        }
    torch.save(results, Path(folder) / f"{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


def start(function: Any, world: int, *arguments: Any) -> None:
    """Runs `function(rank, *arguments)` in `world` processes, which share one import of the libraries."""
    multiprocessing.set_forkserver_preload(["torch", "sensorlm_hf.training", "distributed_parity"])
    mp.start_processes(function, args=arguments, nprocs=world, start_method="forkserver")


def free_port() -> int:
    """Returns a free local port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def compare(
    world: int, cases: dict[str, tuple[str, str, str]] | None = None, device: str = "cpu"
) -> list[dict[str, Any]]:
    """Runs cases on `world` processes: with gloo on the CPU, or with NCCL and one GPU each (`device="cuda"`).

    Returns:
        For each rank, by case: relative differences of the `loss` and of the `gradients` by parameter.
    """
    if ROWS % world:
        raise ValueError(f"{ROWS} rows cannot be divided evenly among {world} processes.")
    with tempfile.TemporaryDirectory() as folder:
        start(worker, world, world, free_port(), folder, {**CASES, **WRONG} if cases is None else cases, device)
        return [torch.load(Path(folder) / f"{rank}.pt") for rank in range(world)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--world-sizes", type=int, nargs="+", default=[2, 3])
    arguments = parser.parse_args()
    tables = {world: compare(world) for world in arguments.world_sizes}
    heads = " | ".join(f"loss, {world} ranks | gradient, {world} ranks" for world in tables)
    print(f"| objective, exchange, wrapper | {heads} |\n|---|" + "---|" * (2 * len(tables)))
    worst = 0.0
    for name in [*CASES, *WRONG]:
        cells = []
        for ranks in tables.values():
            loss = max(rank[name]["loss"] for rank in ranks)
            gradient = max(max(rank[name]["gradients"].values()) for rank in ranks)
            worst = max(worst, loss, gradient) if name in CASES else worst
            cells.append(f"{loss:.1e} | {gradient:.1e}")
        print(f"| {name}{' (wrong)' if name in WRONG else ''} | {' | '.join(cells)} |")
    return 0 if worst < TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
