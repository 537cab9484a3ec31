"""Parity of all variants with independent implementations: maximum differences of outputs and gradients.

    python benchmarks/parity.py

The exit status is 1 if a difference is above 1e-5.

The comparisons are those of tests/modeling/test_modeling_parity.py: the SigLIP towers of transformers, and the CoCa
and losses of open_clip if installed, with the same weights; and fast versus slow code paths. Differences are relative
to the largest entry of the reference, or to 1 if that is smaller.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "modeling"))
import parity_cases as parity
from open_clip_reference import find_open_clip

GOAL = 1e-5


def largest(comparisons: Iterable[parity.Comparison]) -> tuple[dict[str, float], int]:
    """Returns the maximum differences of outputs and gradients, and the number of compared tensors."""
    worst: dict[str, float] = {"forward": 0.0, "gradients": float("nan")}
    count = 0
    for name, ours, theirs in comparisons:
        kind = "gradients" if name.startswith("gradient") else "forward"
        ours, theirs = ours.detach(), theirs.detach()
        difference = float((ours - theirs).abs().max() / max(1.0, float(theirs.abs().max())))
        worst[kind] = difference if worst[kind] != worst[kind] else max(worst[kind], difference)
        count += 1
    return worst, count


def main() -> int:
    torch.set_num_threads(1)
    open_clip = find_open_clip()
    rows: list[tuple[str, str, Iterable[parity.Comparison] | None]] = [
        ("all", "sensor tower and pooling = SiglipVisionModel", parity.sensor_tower("sdpa")),
        ("all, eager", "sensor tower and pooling = SiglipVisionModel", parity.sensor_tower("eager")),
        ("clip, siglip", "text tower = SiglipTextModel", parity.text_tower("sdpa")),
        ("clip", "loss = open_clip ClipLoss, float64", open_clip and parity.losses(open_clip, "clip")),
        ("siglip", "loss = open_clip SigLipLoss, float64", open_clip and parity.losses(open_clip, "siglip")),
        ("cap, coca", "text tower, decoder, losses = open_clip CoCa", open_clip and parity.coca(open_clip)),
        ("coca, eager", "text tower, decoder, losses = open_clip CoCa", open_clip and parity.coca(open_clip, "eager")),
        *(
            (name, "missing patches left out = masked", parity.skipped_patches(name))
            for name in ("siglip", "cap", "coca")
        ),
        *((name, "generation with a cache = without", parity.cached_steps(name)) for name in ("cap", "coca")),
    ]
    missed = False
    print("| variant | test | tensors | forward | gradients |\n|---|---|---|---|---|")
    for variant, test, comparisons in rows:
        if comparisons is None:
            print(f"| {variant} | {test} | - | open_clip is not installed | |")
            continue
        worst, count = largest(comparisons)
        missed |= any(difference > GOAL for difference in worst.values())
        gradients = "" if worst["gradients"] != worst["gradients"] else f"{worst['gradients']:.1e}"
        print(f"| {variant} | {test} | {count} | {worst['forward']:.1e} | {gradients} |")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
