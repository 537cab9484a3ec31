"""Retrieval: find days that match a sentence, and captions that match a day.

python examples/retrieval.py "a day with swimming"
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import torch
from transformers import AutoModel, AutoProcessor

import sensorlm_hf
from sensorlm_hf.checkpoints import demo_checkpoint
from sensorlm_hf.evaluation import encode_days, encode_texts, evaluate_retrieval


def main() -> None:
    """Embeds a library of days, searches it with a sentence, and evaluates retrieval in both directions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sentence", nargs="?", default="a day with swimming")
    parser.add_argument("--model", default=demo_checkpoint(), help="Model folder or Hub id; the demo model by default.")
    parser.add_argument("--days", type=int, default=200, help="Days in the library, one per synthetic subject.")
    parser.add_argument("--pool", type=int, default=50, help="Number of candidates.")
    options = parser.parse_args()

    model = AutoModel.from_pretrained(options.model, dtype=torch.float32).eval()
    processor = AutoProcessor.from_pretrained(options.model)
    days = sensorlm_hf.simulate_days(options.days, seed=2025, days_per_person=1)
    library = encode_days(model, processor, days, progress=sys.stderr.isatty())  # (days, D), normalized

    # Search is a single matrix product; store the embeddings (np.save) to reuse them.
    similarity = library @ encode_texts(model, processor, [options.sentence])[0]
    sys.stdout.write(f"Days nearest to {options.sentence!r}:\n")
    for row in np.argsort(-similarity)[:5]:
        logged = ", ".join(event.label for event in days[row].events) or "nothing"
        sys.stdout.write(f"  {similarity[row]:.2f}  {days[row].sample_id}  logged: {logged}\n")

    captions = sensorlm_hf.CaptionBuilder().batch(days)
    scores = evaluate_retrieval(model, processor, days, captions, pool=options.pool, embeddings=library)
    sys.stdout.write(f"In pools of {options.pool} captions:\n")
    for way in ("sensor_to_text", "text_to_sensor", "chance"):
        sys.stdout.write(f"  {way:15} " + "  ".join(f"{k} {v:.2f}" for k, v in scores[way].items()) + "\n")


if __name__ == "__main__":
    main()
