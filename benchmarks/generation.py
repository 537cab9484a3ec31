"""Times captions: with the cache, without it, and with open_clip's CoCa at equal size, in one run.

    python benchmarks/generation.py [--tokens 256] [--days 1] [--layers 6] [--width 384] [--threads 1]

Greedy search of a fixed number of tokens. open_clip's `generate` keeps no cache: it reads the whole text anew for every
token. It gets a model of equal size: the same text side, and our sensor tower in the place of its image tower. The goal
is at least 5 times faster with the cache at 256 tokens. Times are the processor's.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from sensorlm_hf.modeling import SensorLMConfig, SensorLMModel

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "modeling"))
from open_clip_reference import copy_weights, find_open_clip, reference_coca

GOAL = 5


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def generate_with(reference: Any, open_clip: Any, days: torch.Tensor, tokens: int) -> Any:
    """Greedy search by open_clip's `generate`; transformers 5 dropped the beams that its import asks for."""
    import transformers.generation as generation

    coca = sys.modules["open_clip.coca_model"]
    for name in ("LogitsProcessorList", "MinLengthLogitsProcessor", "RepetitionPenaltyLogitsProcessor",
                 "StoppingCriteriaList", "MaxLengthCriteria"):  # fmt: skip
        setattr(coca, name, getattr(generation, name))
    coca.GENERATION_TYPES["top_k"] = generation.TopKLogitsWarper
    coca._has_transformers = True
    return reference.generate(
        days, generation_type="top_k", top_k=1, seq_len=tokens + 1, max_seq_len=tokens + 1, min_seq_len=tokens,
        sot_token_id=1, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--layers", type=int, default=6, help="layers of the text tower and of the decoder, each")
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    layers = {"num_hidden_layers": arguments.layers}
    config = SensorLMConfig.from_size(
        "coca", "tiny", hidden_size=arguments.width, num_attention_heads=arguments.width // 64,
        intermediate_size=4 * arguments.width, vocab_size=4096, max_position_embeddings=arguments.tokens + 1,
        text_config=layers, decoder_config=layers,
    )  # fmt: skip
    model = SensorLMModel(config).eval()
    open_clip = find_open_clip()
    if open_clip is not None:
        reference = reference_coca(open_clip, config, model.sensor_model).eval()
        copy_weights(reference, model)
    days = torch.randn(arguments.days, config.sensor_config.window_minutes, config.sensor_config.num_channels)
    size = sum(p.numel() for p in model.parameters()) / 1e6
    print(f"{arguments.tokens} tokens for {arguments.days} day(s), greedy, {size:.1f} M parameters\n")
    length = {"max_new_tokens": arguments.tokens, "min_new_tokens": arguments.tokens}
    cached, ours = timed(lambda: model.generate(sensor_values=days, **length))
    uncached, same = timed(lambda: model.generate(sensor_values=days, use_cache=False, **length))
    rows = [("cached", cached, ""), ("uncached", uncached, f"equal tokens: {torch.equal(ours, same)}")]
    if open_clip is None:
        rows.append(("open_clip", float("nan"), "not installed: pip install --no-deps open_clip_torch ftfy wcwidth"))
    else:
        theirs, captions = timed(lambda: generate_with(reference, open_clip, days, arguments.tokens))
        # It ends every caption with the end token, whatever the scores say.
        note = f"equal tokens: {torch.equal(ours[:, :-1], captions[:, :-1])}"
        rows.append(("open_clip", theirs, note))
    print(f"{'':12} {'seconds':>8} {'times cached':>13}  goal")
    for name, seconds, note in rows:
        goal = f">= {GOAL}" if name == "uncached" else ""
        print(f"{name:12} {seconds:8.2f} {seconds / cached:13.1f}  {goal:5} {note}")


if __name__ == "__main__":
    main()
