"""Speed of a training step compared with SigLIP of transformers and CoCa of open_clip at the same size.

    python benchmarks/train_step.py
    python benchmarks/train_step.py --device cuda --size base --batch-sizes 16 32 64 128 --bf16 --compile

A step is forward, loss, backward and AdamW on the same batch. The references get images with as many patches as a day
has tokens, and captions of the same length; widths, depths, heads and vocabulary are equal. Steps are interleaved, so
that all models run under the same load, and medians are compared; a ratio above 1 means that ours is faster. On a CPU
with one thread, CPU time is used instead of wall-clock time, to reduce the effect of other programs. `mfu` is relative
to the measured throughput of large matrix multiplications in the same data type.

open_clip is skipped if it is not installed: pip install --no-deps open_clip_torch ftfy wcwidth
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from statistics import median
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import torch

from sensorlm_hf.modeling import SensorLMConfig, pretraining_class
from sensorlm_hf.training.throughput import ForwardFlops, matmul_rate

LENGTH, VOCAB = 64, 4096

Step = Callable[[], torch.Tensor]


def inputs_of(batch: int, device: torch.device) -> dict[str, torch.Tensor]:
    """Returns random days, a tenth of their values missing, with captions of the full length."""
    return {
        "sensor_values": torch.randn(batch, 1440, 26, device=device),
        "sensor_mask": torch.rand(batch, 1440, 26, device=device) > 0.1,
        "input_ids": torch.randint(3, VOCAB, (batch, LENGTH), device=device),
        "attention_mask": torch.ones(batch, LENGTH, dtype=torch.long, device=device),
    }


def sensorlm(objective: str, size: str, batch: int, device: torch.device, implementation: str) -> Any:
    """Returns our model and its loss function for a batch."""
    config = SensorLMConfig.from_size(objective, size, vocab_size=VOCAB, max_position_embeddings=LENGTH)
    config._attn_implementation = implementation
    model = pretraining_class(config)(config).to(device).train()
    inputs = inputs_of(batch, device)
    return model, lambda net: net(**inputs)["loss"]


def patches_of(config: Any) -> tuple[int, int]:
    """Returns the number of patches per side of an image with about as many patches as the sensor tower has tokens."""
    sensor = config.sensor_config
    tokens = sensor.window_minutes // sensor.patch_minutes * -(-sensor.num_channels // sensor.patch_channels)
    side = round(tokens**0.5)
    return side, tokens


def siglip(size: str, batch: int, device: torch.device) -> Any:
    """Returns SigLIP of transformers with the shape of our `siglip` model, and its loss function."""
    from transformers import SiglipConfig, SiglipModel, SiglipTextConfig, SiglipVisionConfig

    ours = SensorLMConfig.from_size("siglip", size, vocab_size=VOCAB, max_position_embeddings=LENGTH)
    sensor, text = ours.sensor_config, ours.text_config
    side, _ = patches_of(ours)
    shared = {
        name: getattr(sensor, name)
        for name in ("hidden_size", "intermediate_size", "num_attention_heads", "attention_dropout")
    }
    # Two channels, like values and mask: 16 x 16 x 2 numbers per patch.
    vision = SiglipVisionConfig(
        **shared, num_hidden_layers=sensor.num_hidden_layers, num_channels=2, patch_size=16, image_size=16 * side
    )
    words = SiglipTextConfig(
        **shared,
        num_hidden_layers=text.num_hidden_layers,
        vocab_size=VOCAB,
        max_position_embeddings=LENGTH,
        projection_size=text.hidden_size,
    )
    model = SiglipModel(SiglipConfig(vision_config=vision.to_dict(), text_config=words.to_dict())).to(device).train()
    pixels = torch.randn(batch, 2, 16 * side, 16 * side, device=device)
    ids = torch.randint(3, VOCAB, (batch, LENGTH), device=device)
    return model, lambda net: net(input_ids=ids, pixel_values=pixels, return_loss=True)["loss"]


def import_open_clip() -> Any:
    """Imports open_clip, with a stub for torchvision if missing, which it only needs for image files."""
    names = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")
    names += ("torchvision.ops", "torchvision.ops.misc")
    try:
        import torchvision  # noqa: F401

        names = ()
    except ImportError:
        pass
    for name in names:
        module = ModuleType(name)
        module.__getattr__ = lambda attribute: MagicMock(name=attribute)  # type: ignore[method-assign]
        module.__path__ = []
        sys.modules[name] = module
    try:
        import open_clip

        return open_clip
    finally:
        for name in names:
            del sys.modules[name]


def coca(open_clip: Any, size: str, batch: int, device: torch.device) -> Any:
    """Returns CoCa of open_clip with the shape of our `coca` model, and its loss function."""
    from open_clip.loss import CoCaLoss

    ours = SensorLMConfig.from_size("coca", size, vocab_size=VOCAB, max_position_embeddings=LENGTH)
    sensor, text = ours.sensor_config, ours.text_config
    side, _ = patches_of(ours)
    shared = {"width": text.hidden_size, "heads": text.num_attention_heads, "vocab_size": VOCAB}
    # Three channels of 13 x 13: 507 numbers per patch.
    model = open_clip.CoCa(
        embed_dim=text.hidden_size,
        multimodal_cfg={**shared, "context_length": LENGTH, "layers": ours.num_decoder_layers},
        text_cfg={
            **shared,
            "context_length": LENGTH,
            "layers": text.num_hidden_layers,
            "embed_cls": True,
            "output_tokens": True,
        },
        vision_cfg={
            "image_size": 13 * side,
            "patch_size": 13,
            "width": sensor.hidden_size,
            "layers": sensor.num_hidden_layers,
            "head_width": sensor.hidden_size // sensor.num_attention_heads,
            "attentional_pool": True,
            "attn_pooler_queries": ours.num_caption_queries,
            "attn_pooler_heads": sensor.num_attention_heads,
            "output_tokens": True,
        },
    )
    model = model.to(device).train()
    loss = CoCaLoss(ours.caption_loss_weight, ours.contrastive_loss_weight)
    images = torch.randn(batch, 3, 13 * side, 13 * side, device=device)
    ids = torch.randint(3, VOCAB, (batch, LENGTH), device=device)

    def loss_of(net: Any) -> torch.Tensor:
        output = net(images, ids)
        parts = loss(**{key: output[key] for key in ("image_features", "text_features", "logits", "labels")},
                     logit_scale=output["logit_scale"])  # fmt: skip
        return sum(parts)

    return model, loss_of


def step_of(model: Any, loss_of: Callable[[Any], torch.Tensor], options: argparse.Namespace) -> Step:
    """Returns a training step."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    net = torch.compile(model) if options.compile else model
    device = torch.device(options.device)

    def step() -> torch.Tensor:
        optimizer.zero_grad()
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=options.bf16):
            loss = loss_of(net)
        loss.backward()
        optimizer.step()
        return loss

    return step


def clock_of(device: torch.device) -> Callable[[], float]:
    """Returns CPU time with a single thread, wall-clock time otherwise."""
    return time.process_time if device.type == "cpu" and torch.get_num_threads() == 1 else time.perf_counter


def seconds(steps: dict[str, Step], options: argparse.Namespace) -> dict[str, float]:
    """Returns the median time of each step, interleaved, in seconds."""
    device = torch.device(options.device)
    clock = clock_of(device)
    times: dict[str, list[float]] = {name: [] for name in steps}
    for round_number in range(options.steps + 2):
        for name, step in steps.items():
            began = clock()
            step()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if round_number >= 2:
                times[name].append(clock() - began)
    return {name: median(values) for name, values in times.items()}


def peak_memory(device: torch.device) -> str:
    """Formats the peak GPU memory since the last reset."""
    return f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if device.type == "cuda" else "-"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--size", default="tiny")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[32])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--attention", default="sdpa")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    torch.manual_seed(0)
    rate = matmul_rate(device, torch.bfloat16 if options.bf16 else torch.float32, clock_of(device))
    print(f"matrix multiplication: {rate / 1e12:.3f} TFLOP/s, {torch.get_num_threads()} threads, size {options.size}")
    print("| batch | model | parameters | ms per step | days/s | tokens/s | mfu | memory | ratio |")
    print("|---|---|---|---|---|---|---|---|---|")
    try:
        open_clip = import_open_clip()
    except ImportError:
        open_clip = None
        print("open_clip is not installed: skipping the CoCa reference", file=sys.stderr)
    slowest = float("inf")
    for batch in options.batch_sizes:
        pairs = [
            ("siglip", "transformers SigLIP", lambda batch=batch: siglip(options.size, batch, device)),
            (
                "coca",
                "open_clip CoCa",
                None if open_clip is None else lambda batch=batch: coca(open_clip, options.size, batch, device),
            ),
        ]
        for objective, name, make_reference in pairs:
            ours, loss_of = sensorlm(objective, options.size, batch, device, options.attention)
            steps = {f"SensorLM {objective}": step_of(ours, loss_of, options)}
            counts = {f"SensorLM {objective}": sum(p.numel() for p in ours.parameters())}
            if make_reference is not None:
                reference, reference_loss = make_reference()
                steps[name] = step_of(reference, reference_loss, options)
                counts[name] = sum(p.numel() for p in reference.parameters())
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats()
            times = seconds(steps, options)
            flops = 3 * batch * ForwardFlops(ours)(LENGTH)
            tokens = batch * (patches_of(ours.config)[1] + LENGTH)
            for model, value in times.items():
                mine = model.startswith("SensorLM")
                ratio = times[name] / value if mine and name in times else None
                slowest = min(slowest, ratio) if ratio else slowest
                mfu = f"{flops / value / rate:.2f}" if mine else "-"
                print(
                    f"| {batch} | {model} | {counts[model] / 1e6:.1f} M | {1000 * value:.0f} | {batch / value:.1f} |"
                    f" {tokens / value:.0f} | {mfu} | {peak_memory(device) if mine else '-'} |"
                    f" {'-' if ratio is None else f'{ratio:.2f}'} |"
                )
    return 0 if slowest >= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
