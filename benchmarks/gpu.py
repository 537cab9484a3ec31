"""Everything that a GPU must show, in one run of at most eight minutes: a table with guard rails.

    python benchmarks/gpu.py --output gpu.json
    python benchmarks/gpu.py --tiny --device cpu     # the same code on a CPU, with tiny models

Sections: equality with the CPU; forward and training step of the base model in bfloat16 with each implementation of
attention, against SigLIP of transformers at the same size; `torch.compile`; memory by batch size; gradient caching;
caption generation; zero-shot classification from arrays to scores; NCCL with one process, and with two where there are
two GPUs. `mfu` is relative to the datasheet's dense bfloat16 rate of the card where it is known, and otherwise to the
measured rate of large matrix products. Sections that no longer fit into the time are left out and named. The exit
status is 1 if a result is wrong or, at full size on a GPU, a measurement misses its guard rail.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.distributed as dist
from distributed_parity import compare, free_port
from gpu_report import Report
from torch.nn.attention import SDPBackend, sdpa_kernel
from train_step import LENGTH, inputs_of, sensorlm, siglip, step_of
from transformers.utils import is_flash_attn_2_available

from sensorlm_hf import simulate_days
from sensorlm_hf.checkpoints import demo_checkpoint
from sensorlm_hf.io import atomic_write_text
from sensorlm_hf.training.distributed import GlobalLosses
from sensorlm_hf.training.grad_cache import cached_backward
from sensorlm_hf.training.losses import compute_losses
from sensorlm_hf.training.throughput import ForwardFlops, matmul_rate

PEAKS = {
    r"B200": 2250e12, r"H200": 989e12, r"H100 PCIe": 756e12, r"H100": 989e12, r"A100": 312e12, r"L40S": 362e12,
    r"\bL4\b": 121e12, r"\bA10\b": 125e12, r"RTX 4090": 165e12,
}  # fmt: skip
"""Dense bfloat16 FLOP/s in NVIDIA's datasheets, by name of the card; the first match counts."""

GOAL_MFU = {r"H100|H200": 0.45}
"""Goals for the training step, by name of the card."""


@dataclass(frozen=True)
class Plan:
    """Sizes of a run.

    Attributes:
        device: The device.
        size: Size of the models.
        batches: Batch sizes of the memory curve; throughput is measured at `batch`.
        batch: Batch size of the other measurements.
        cached: Global batch and mini-batch of gradient caching.
        tokens: Tokens of a generated caption.
        captions: Batch sizes of generation.
        days: Days of zero-shot classification.
        seconds: Least time of a measurement.
        compile_backend: Backend of `torch.compile`.
    """

    device: torch.device
    size: str = "base"
    batches: tuple[int, ...] = (16, 32, 64, 128, 256)
    batch: int = 64
    cached: tuple[int, int] = (1024, 64)
    tokens: int = 128
    captions: tuple[int, ...] = (1, 64)
    days: int = 512
    seconds: float = 2.0
    compile_backend: str = "inductor"


def tiny(device: torch.device) -> Plan:
    """Returns a plan that a CPU runs in a minute."""
    return Plan(device, "tiny", (2, 4), 2, (6, 2), 8, (1, 2), 4, 0.05, "aot_eager")


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(work: Callable[[], Any], plan: Plan) -> float:
    """Returns the median time of a call, after two calls that do not count."""
    for _ in range(2):
        work()
    times: list[float] = []
    while len(times) < 3 or (sum(times) < plan.seconds and len(times) < 50):
        synchronize(plan.device)
        start = time.perf_counter()
        work()
        synchronize(plan.device)
        times.append(time.perf_counter() - start)
    return median(times)


def options_of(plan: Plan, compiled: bool = False) -> argparse.Namespace:
    """Options of `train_step.step_of`."""
    return argparse.Namespace(device=str(plan.device), bf16=True, compile=compiled)


def forward_of(model: Any, loss_of: Callable[[Any], torch.Tensor], plan: Plan) -> Callable[[], torch.Tensor]:
    def forward() -> torch.Tensor:
        with torch.no_grad(), torch.autocast(plan.device.type, dtype=torch.bfloat16):
            return loss_of(model)

    return forward


@contextlib.contextmanager
def exact_products() -> Iterator[None]:
    """Disables TF32, whose error hides others."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def on_device(model: Any, device: torch.device) -> Any:
    """Returns a copy of a model on a device."""
    return copy.deepcopy(model).to(device)


def equality(plan: Plan, report: Report) -> None:
    """Embeddings, logits and gradients in float32 on the device and the CPU; and bfloat16 against float32."""
    reference, _ = sensorlm("coca", plan.size, 2, torch.device("cpu"), "sdpa")
    model = on_device(reference, plan.device)
    generator = torch.Generator().manual_seed(0)
    mask = torch.rand(2, 1440, 26, generator=generator) > 0.2
    mask[0, 300:900] = False
    inputs = {
        "sensor_values": torch.randn(2, 1440, 26, generator=generator),
        "sensor_mask": mask,
        "input_ids": torch.randint(3, 4096, (2, 16), generator=generator),
        "attention_mask": torch.ones(2, 16, dtype=torch.long),
    }
    moved = {name: value.to(plan.device) for name, value in inputs.items()}
    with exact_products():
        expected, found = reference.eval()(**inputs), model.eval()(**moved)
        expected.loss.backward()
        found.loss.backward()
    for name in ("sensor_embeds", "text_embeds", "logits", "loss"):
        difference = (getattr(found, name).detach().cpu() - getattr(expected, name).detach()).abs().max()
        report.add("equality with the CPU", f"{name}, float32", float(difference), "maximum difference", at_most=1e-3)
    largest = max(float(p.grad.abs().max()) for p in reference.parameters() if p.grad is not None)
    pairs = zip(reference.parameters(), model.parameters(), strict=True)
    worst = max(float((b.grad.cpu() - a.grad).abs().max()) for a, b in pairs if a.grad is not None)
    report.add("equality with the CPU", "gradients, float32", worst / largest, "of the largest", at_most=1e-3)
    with torch.no_grad(), torch.autocast(plan.device.type, dtype=torch.bfloat16):
        low = model(**moved).sensor_embeds.float().cpu()
    cosine = torch.nn.functional.cosine_similarity(low, expected.sensor_embeds.detach()).min()
    report.add("equality with the CPU", "sensor_embeds, bfloat16", float(cosine), "least cosine", at_least=0.99)


def attention_kinds() -> dict[str, tuple[str, Any]]:
    """Returns implementations of attention: name of the configuration, and context of every call."""
    kinds: dict[str, tuple[str, Any]] = {
        "sdpa": ("sdpa", contextlib.nullcontext),
        "sdpa, flash kernel": ("sdpa", lambda: sdpa_kernel(SDPBackend.FLASH_ATTENTION)),
        "eager": ("eager", contextlib.nullcontext),
    }
    if is_flash_attn_2_available():
        kinds["flash_attention_2"] = ("flash_attention_2", contextlib.nullcontext)
    return kinds


def throughput(plan: Plan, report: Report) -> None:
    """Forward and training step with each attention, compiled, and against SigLIP of transformers."""
    card = torch.cuda.get_device_name(plan.device) if plan.device.type == "cuda" else "cpu"
    measured = matmul_rate(plan.device, torch.bfloat16)
    peak = next((rate for pattern, rate in PEAKS.items() if re.search(pattern, card)), measured)
    goal = next((value for pattern, value in GOAL_MFU.items() if re.search(pattern, card)), None)
    report.add("device", card, measured / 1e12, "TFLOP/s measured, bfloat16 products")
    report.add("device", "rate that mfu is relative to", peak / 1e12, "TFLOP/s")
    section = f"siglip-{plan.size}, batch {plan.batch}, bfloat16"
    steps: dict[str, float] = {}
    flops = 0.0
    for name, (implementation, context) in attention_kinds().items():
        model = loss_of = None
        try:
            model, loss_of = sensorlm("siglip", plan.size, plan.batch, plan.device, implementation)
            flops = flops or plan.batch * ForwardFlops(model)(LENGTH)
            with context():
                forward = seconds_of(forward_of(model, loss_of, plan), plan)
                steps[name] = seconds_of(step_of(model, loss_of, options_of(plan)), plan)
        except (RuntimeError, ImportError, ValueError) as error:  # out of memory, or no such kernel on this card
            report.add(section, name, None, note=str(error).splitlines()[0][:90])
            continue
        finally:
            release(plan)
        report.add(section, f"{name}: forward", plan.batch / forward, "days/s")
        report.add(section, f"{name}: forward", flops / forward / peak, "mfu")
        report.add(section, f"{name}: step", plan.batch / steps[name], "days/s")
        best = {"at_least": goal} if name == "sdpa" and goal else {}
        report.add(section, f"{name}: step", 3 * flops / steps[name] / peak, "mfu", speed=True, **best)
    if "sdpa" not in steps:
        raise RuntimeError("The model does not run with sdpa; see the rows above.")
    reference, loss_of = siglip(plan.size, plan.batch, plan.device)
    other = seconds_of(step_of(reference, loss_of, options_of(plan)), plan)
    report.add(section, "transformers SigLIP: step", plan.batch / other, "images/s")
    report.add(section, "SigLIP's step / ours", other / steps["sdpa"], "ratio", at_least=0.95, speed=True)
    release(plan)


def compiled(plan: Plan, report: Report) -> None:
    """`torch.compile` against eager: the loss, the time of a step, and the time it takes to compile."""
    model, loss_of = sensorlm("siglip", plan.size, plan.batch, plan.device, "sdpa")
    net = torch.compile(model, backend=plan.compile_backend)
    plain = float(forward_of(model, loss_of, plan)())
    start = time.perf_counter()
    difference = abs(float(forward_of(net, loss_of, plan)()) - plain) / abs(plain)
    report.add("torch.compile", "loss against eager", difference, "relative difference", at_most=0.02)
    eager = seconds_of(step_of(model, loss_of, options_of(plan)), plan)
    fast = seconds_of(step_of(net, loss_of, options_of(plan)), plan)
    report.add("torch.compile", "compilation and warm-up", time.perf_counter() - start, "s")
    report.add("torch.compile", "eager step / compiled step", eager / fast, "ratio", at_least=0.95, speed=True)
    torch.compiler.reset()


def memory(plan: Plan, report: Report) -> None:
    """Peak memory of a training step by batch size: it grows linearly."""
    if plan.device.type != "cuda":
        report.add("memory", "peak of a step", None, note="counted on a GPU only")
        return
    peaks: dict[int, float] = {}
    for batch in plan.batches:
        try:
            model, loss_of = sensorlm("siglip", plan.size, batch, plan.device, "sdpa")
            step = step_of(model, loss_of, options_of(plan))
            step()
            torch.cuda.reset_peak_memory_stats(plan.device)
            step()
            peaks[batch] = torch.cuda.max_memory_allocated(plan.device) / 2**30
            report.add("memory", f"peak of a step, batch {batch}", peaks[batch], "GiB")
        except torch.cuda.OutOfMemoryError:
            report.add("memory", f"peak of a step, batch {batch}", None, note="out of memory")
            break
        finally:
            model = loss_of = step = None
            release(plan)
    if len(peaks) > 2:
        first, second, *_, last = peaks
        slope = (peaks[second] - peaks[first]) / (second - first)
        expected = peaks[first] + slope * (last - first)
        report.add("memory", "largest batch / linear in the batch", peaks[last] / expected, "ratio", at_most=1.15,
                   speed=True)  # fmt: skip


def cached(plan: Plan, report: Report) -> None:
    """Gradient caching: the gradients of the whole batch, with the memory of a mini-batch."""
    rows, mini = plan.cached
    model, _ = sensorlm("siglip", plan.size, 1, plan.device, "sdpa")
    inputs = inputs_of(rows, plan.device)
    few = {name: value[: 3 * mini] for name, value in inputs.items()}
    with exact_products():
        compute_losses(model, few, GlobalLosses()).loss.backward()
        expected = [p.grad.clone() for p in model.parameters() if p.grad is not None]
        model.zero_grad()
        cached_backward(model, few, mini_batch_size=mini)
        found = [p.grad for p in model.parameters() if p.grad is not None]
    largest = max(float(grad.abs().max()) for grad in expected)
    worst = max(float((a - b).abs().max()) for a, b in zip(expected, found, strict=True)) / largest
    report.add("GradCache", f"{3 * mini} rows: gradients of the whole batch", worst, "of the largest", at_most=1e-3)

    def step() -> None:
        model.zero_grad()
        autocast = lambda: torch.autocast(plan.device.type, dtype=torch.bfloat16)  # noqa: E731
        cached_backward(model, inputs, mini_batch_size=mini, context=autocast)

    if plan.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(plan.device)
    step()
    synchronize(plan.device)
    start = time.perf_counter()
    step()
    synchronize(plan.device)
    elapsed = time.perf_counter() - start
    report.add("GradCache", f"{rows} rows in mini-batches of {mini}", rows / elapsed, "days/s")
    if plan.device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(plan.device) / 2**30
        report.add("GradCache", f"{rows} rows in mini-batches of {mini}: peak", peak, "GiB")


def generation(plan: Plan, report: Report) -> None:
    """Greedy captions with the cache."""
    for batch in plan.captions:
        model, _ = sensorlm("coca", plan.size, batch, plan.device, "sdpa")
        model = model.eval().to(torch.bfloat16)
        values = torch.randn(batch, 1440, 26, device=plan.device, dtype=torch.bfloat16)
        length = min(plan.tokens, LENGTH)
        sizes = {"max_new_tokens": length, "min_new_tokens": length}

        def write(model: Any = model, values: torch.Tensor = values, sizes: dict[str, int] = sizes) -> torch.Tensor:
            return model.generate(values, **sizes)

        tokens = write()
        report.add("generation", f"batch {batch}: tokens written", float(tokens[:, 1:].shape[1]), "tokens",
                   at_least=length, at_most=length)  # fmt: skip
        report.add(
            "generation", f"coca-{plan.size}, batch {batch}", batch * length / seconds_of(write, plan), "tokens/s"
        )
        release(plan)


def zero_shot(plan: Plan, report: Report) -> None:
    """The shipped model from arrays in physical units to scores, and the share of it that is the model's own time."""
    from transformers import pipeline

    days = simulate_days(min(plan.days, 64), seed=0)
    values = [days[index % len(days)].values for index in range(plan.days)]
    labels = ["running", "swimming", "yoga", "a quiet day"]
    batch = min(64, plan.days)
    options = {"model": str(demo_checkpoint()), "device": plan.device}
    classify = pipeline("zero-shot-sensor-classification", dtype=torch.float32, **options)
    best = {"candidate_labels": labels, "batch_size": batch}
    elapsed = seconds_of(lambda: classify(values, **best), plan)
    report.add("zero-shot", f"sensorlm-coca, {len(values)} days, batch {batch}", len(values) / elapsed, "days/s")
    on_cpu = pipeline("zero-shot-sensor-classification", dtype=torch.float32, model=options["model"], device="cpu")
    pairs = zip(classify(values[:4], **best), on_cpu(values[:4], **best), strict=True)
    worst = max(
        abs({one["label"]: one["score"] for one in mine}[other["label"]] - other["score"])
        for mine, theirs in pairs
        for other in theirs
    )
    report.add("zero-shot", "scores against the CPU", worst, "maximum difference", at_most=1e-2)


def processes(plan: Plan, report: Report) -> None:
    """The collectives of one process, and of two where there are two GPUs (or on a CPU)."""
    cuda = plan.device.type == "cuda"
    backend = "nccl" if cuda else "gloo"
    model, _ = sensorlm("siglip", plan.size, 1, plan.device, "sdpa")
    inputs = inputs_of(4, plan.device)
    plain = float(compute_losses(model, inputs, GlobalLosses()).loss.detach())
    dist.init_process_group(backend, init_method=f"tcp://127.0.0.1:{free_port()}", rank=0, world_size=1)
    try:
        for exchange in ("gather", "ring"):
            loss = float(compute_losses(model, inputs, GlobalLosses(exchange)).loss.detach())
            report.add(backend, f"one process, {exchange}: loss", abs(loss - plain) / abs(plain),
                       "relative difference", at_most=1e-4)  # fmt: skip
    finally:
        dist.destroy_process_group()
    if cuda and torch.cuda.device_count() < 2:
        report.add(backend, "two processes", None, note="needs two GPUs")
        return
    cases = {
        "siglip gather DDP": ("siglip", "gather", "ddp"),
        "siglip ring DDP": ("siglip", "ring", "ddp"),
        "clip GradCache DDP": ("clip", "cached", "ddp"),
        "coca gather DDP": ("coca", "gather", "ddp"),
    }
    ranks = compare(2, cases, plan.device.type)
    for name in cases:
        worst = max(max(rank[name]["gradients"].values()) for rank in ranks)
        report.add(backend, f"two processes, {name}: gradients", worst, "of the largest, float64", at_most=1e-10)


def release(plan: Plan) -> None:
    """Frees the memory of models that are no longer used."""
    if plan.device.type == "cuda":
        torch.cuda.empty_cache()


SECTIONS: dict[str, tuple[Callable[[Plan, Report], None], float]] = {
    "equality": (equality, 40),
    "throughput": (throughput, 90),
    "memory": (memory, 40),
    "cached": (cached, 45),
    "generation": (generation, 40),
    "zero-shot": (zero_shot, 45),
    "processes": (processes, 60),
    "compiled": (compiled, 90),
}
"""Sections with the seconds that each may need on a GPU; the longest is the last."""


def run(plan: Plan, report: Report, sections: list[str]) -> None:
    """Runs sections as long as there is time; an error in one is a missed rail and does not stop the others."""
    for name in sections:
        section, needed = SECTIONS[name]
        if report.seconds_left() < (needed if plan.device.type == "cuda" else 0):
            report.add(name, "left out", None, note=f"{report.seconds_left():.0f} s left, {needed} s needed")
            continue
        start = time.perf_counter()
        try:
            section(plan, report)
        except Exception as error:
            note = f"{type(error).__name__}: {str(error).splitlines()[0][:90] if str(error) else ''}"
            report.add(name, "failed", float("nan"), at_least=0, note=note)
        release(plan)
        report.add(name, "whole section", time.perf_counter() - start, "s")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="Tiny sizes; speed and memory are then not judged.")
    parser.add_argument("--minutes", type=float, default=7.5, help="Sections that no longer fit are left out.")
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), default=list(SECTIONS), metavar="SECTION")
    parser.add_argument("--output", type=Path, help="JSON file of all rows.")
    options = parser.parse_args(arguments)
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("There is no CUDA device: nothing was measured. `--tiny --device cpu` tests this script on a CPU.")
        return 0
    torch.manual_seed(0)
    report = Report(enforce_speed=device.type == "cuda" and not options.tiny, minutes=options.minutes)
    run(tiny(device) if options.tiny else Plan(device), report, options.only)
    print(report.table())
    if options.output:
        atomic_write_text(options.output, json.dumps(report.to_dict(), indent=2) + "\n")
    for row in report.missed():
        print(f"missed: {row.section}, {row.case}: {row.value} {row.unit}, rail {row.rail} {row.note}", file=sys.stderr)
    return 1 if report.missed() else 0


if __name__ == "__main__":
    sys.exit(main())
