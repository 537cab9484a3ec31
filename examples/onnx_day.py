"""Labels and captions a day with onnxruntime, numpy and tokenizers: neither transformers nor torch is imported.

sensorlm-hf export --output-dir exported
python -c "import numpy, sensorlm_hf; numpy.save('day.npy', sensorlm_hf.simulate_days(1, seed=2024)[0].values)"
python examples/onnx_day.py exported day.npy --labels "running, swimming, yoga"
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer


def read_day(folder: Path, day: np.ndarray, labels: list[str], tokens: int) -> tuple[np.ndarray, str]:
    """Returns the probability of each label, and a caption of a day `(1440, 26)` in physical units, NaN = missing."""
    from onnxruntime import InferenceSession  # here, so that --help works without the extra `export`

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    names = ("sensor_encoder", "text_encoder", "caption_start", "caption_step")
    embed_day, embed_text, start, step = (InferenceSession(folder / f"{name}.onnx") for name in names)
    settings = json.loads((folder / "export.json").read_text(encoding="utf-8"))
    mean, std = (np.array([channel[name] for channel in settings["channels"]]) for name in ("mean", "std"))
    low, high = np.array([channel["valid_range"] for channel in settings["channels"]]).T
    mask = (day >= low) & (day <= high)
    values = np.where(mask, np.clip((day - mean) / std, -settings["clip"], settings["clip"]), 0).astype(np.float32)
    inputs = {"sensor_values": values[None], "sensor_mask": mask[None]}
    texts = tokenizer.encode_batch([f"A day with {label}." for label in labels])
    text_inputs = {"input_ids": [text.ids for text in texts], "attention_mask": [text.attention_mask for text in texts]}
    cosines = embed_day.run(None, inputs)[0] @ embed_text.run(None, text_inputs)[0].T
    odds = np.exp(settings["similarity"]["scale"] * (cosines[0] - cosines.max()))
    ids, eos = [settings["bos_token_id"]], settings["eos_token_id"]
    logits, cache, key_values = start.run(None, {**inputs, "input_ids": [ids]})
    while (token := int(logits.argmax())) != eos and len(ids) <= tokens:
        ids.append(token)
        logits, cache = step.run(None, {"input_ids": [[token]], "cache": cache, "sensor_key_values": key_values})
    return odds / odds.sum(), tokenizer.decode(ids)


def main() -> None:
    """Prints labels and caption."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="Output of `sensorlm-hf export`.")
    parser.add_argument("day", type=Path, help="Array (1440, 26) in physical units, NaN where nothing was observed.")
    parser.add_argument("--labels", default="running, swimming, yoga", help="Comma-separated labels.")
    parser.add_argument("--tokens", type=int, default=128, help="Maximum length of the caption.")
    options = parser.parse_args()
    labels = [label.strip() for label in options.labels.split(",")]
    scores, caption = read_day(options.folder, np.load(options.day), labels, options.tokens)
    for label, score in sorted(zip(labels, scores, strict=True), key=lambda pair: -pair[1]):
        print(f"{score:.3f} {label}")
    print(caption)


if __name__ == "__main__":
    main()
