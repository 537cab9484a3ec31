"""BERTScore with a text encoder that lies on the disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch


def bert_scores(
    predictions: Sequence[str],
    references: Sequence[str],
    model: str | Path,
    *,
    layer: int = -1,
    batch_size: int = 32,
    device: str = "cpu",
) -> dict[str, Any]:
    """Scores captions by BERTScore (Zhang et al., "BERTScore: Evaluating Text Generation with BERT", ICLR 2020).

    Each token of a caption is matched with the most similar token of the reference, by the cosine of their contextual
    embeddings, and the other way round; special tokens do not take part. Neither rescaled to a baseline nor weighted by
    rarity, so only numbers of the same model and layer can be compared.

    Args:
        predictions: Generated captions.
        references: One reference each.
        model: Folder of a transformers text encoder with its tokenizer. There is no default: a named model would have
            to be downloaded.
        layer: Which hidden states, as an index; -1 is the last.
        batch_size: Texts embedded at once.
        device: Where to run.

    Returns:
        `bertscore`, the mean F1; `precision`, `recall`; and `per_caption`, the list of F1s.

    Raises:
        ValueError: If the lists differ in length or are empty, or a text has no token.
        FileNotFoundError: If there is no such folder.
    """
    from transformers import AutoModel, AutoTokenizer

    if len(predictions) != len(references) or not predictions:
        raise ValueError(
            f"Give as many predictions as references, at least one; got {len(predictions)}, {len(references)}."
        )
    if not Path(model).is_dir():
        raise FileNotFoundError(f"BERTScore needs a folder with a text encoder and its tokenizer; {model} is none.")
    tokenizer = AutoTokenizer.from_pretrained(model)
    encoder = AutoModel.from_pretrained(model).to(device).eval()
    texts = list(dict.fromkeys([*predictions, *references]))
    tokens: dict[str, torch.Tensor] = {}
    for first in range(0, len(texts), batch_size):
        batch = texts[first : first + batch_size]
        inputs = tokenizer(
            batch, return_tensors="pt", padding=True, truncation=True, return_special_tokens_mask=True
        ).to(device)
        special = inputs.pop("special_tokens_mask").bool()
        with torch.inference_mode():
            states = encoder(**inputs, output_hidden_states=True).hidden_states[layer].float()
        kept = inputs["attention_mask"].bool() & ~special
        for text, own, keep in zip(batch, states, kept, strict=True):
            if not keep.any():
                raise ValueError(f"{text!r} has no token of its own, so it cannot be compared.")
            tokens[text] = torch.nn.functional.normalize(own[keep], dim=-1).cpu()
    rows = []
    for predicted, reference in zip(predictions, references, strict=True):
        cosine = tokens[predicted] @ tokens[reference].T
        precision, recall = float(cosine.max(dim=1).values.mean()), float(cosine.max(dim=0).values.mean())
        rows.append((precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0))
    precision, recall, f1 = np.mean(rows, axis=0).tolist()
    return {"bertscore": f1, "precision": precision, "recall": recall, "per_caption": [row[2] for row in rows]}
