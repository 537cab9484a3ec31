"""BLEU-4, ROUGE-L and CIDEr of generated captions, with METEOR and BERTScore on request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..._extras import requires_extra
from .bertscore import bert_scores
from .cider import cider_scores
from .meteor import meteor_scores

with requires_extra("eval", "Scoring captions"):
    import sacrebleu
    from rouge_score import rouge_scorer


def caption_scores(
    predictions: Sequence[str],
    references: Sequence[str],
    *,
    meteor: bool = False,
    bertscore_model: str | Path | None = None,
) -> dict[str, Any]:
    """Compares generated captions with one reference each.

    Args:
        predictions: Generated captions.
        references: What the caption builder wrote for the same days.
        meteor: Whether to compute METEOR too; see [`meteor_scores`].
        bertscore_model: Folder of a text encoder, for BERTScore; see [`bert_scores`].

    Returns:
        `bleu4`, corpus BLEU with up to 4-grams from 0 to 100 (sacrebleu, 13a tokens, lower-cased); `rougeL`, the
        mean F1 of the longest common subsequence from 0 to 1 (rouge-score, no stemming); and `cider`, the mean CIDEr-D
        from 0 to 10, for two captions or more. If asked for, `meteor` with `meteor_stages`, and `bertscore`.

    Raises:
        ValueError: If the lists differ in length or are empty.
        FileNotFoundError: If `bertscore_model` is no folder.
    """
    if len(predictions) != len(references) or not predictions:
        raise ValueError(
            f"Give as many predictions as references, at least one; got {len(predictions)}, {len(references)}."
        )
    bleu = sacrebleu.corpus_bleu(list(predictions), [list(references)], lowercase=True)
    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
    rouge = [scorer.score(r, p)["rougeL"].fmeasure for p, r in zip(predictions, references, strict=True)]
    scores: dict[str, Any] = {"bleu4": float(bleu.score), "rougeL": float(np.mean(rouge))}
    if len(predictions) > 1:
        scores["cider"] = float(np.mean(cider_scores(predictions, references)))
    if meteor:
        found = meteor_scores(predictions, references)
        scores |= {name: found[name] for name in ("meteor", "meteor_stages")}
    if bertscore_model is not None:
        scores["bertscore"] = bert_scores(predictions, references, bertscore_model)["bertscore"]
    return scores
