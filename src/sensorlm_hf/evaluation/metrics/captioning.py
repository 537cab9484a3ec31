"""BLEU-4 and ROUGE-L of generated captions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sacrebleu
from rouge_score import rouge_scorer


def caption_scores(predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """Compares generated captions with one reference each.

    Args:
        predictions: Generated captions.
        references: What the caption builder wrote for the same days.

    Returns:
        `bleu4`, corpus BLEU with up to 4-grams from 0 to 100 (sacrebleu, 13a tokens, lower-cased), and `rougeL`, the
        mean F1 of the longest common subsequence from 0 to 1 (rouge-score, no stemming).

    Raises:
        ValueError: If the lists differ in length or are empty.
    """
    if len(predictions) != len(references) or not predictions:
        raise ValueError(
            f"Give as many predictions as references, at least one; got {len(predictions)}, {len(references)}."
        )
    bleu = sacrebleu.corpus_bleu(list(predictions), [list(references)], lowercase=True)
    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
    rouge = [scorer.score(r, p)["rougeL"].fmeasure for p, r in zip(predictions, references, strict=True)]
    return {"bleu4": float(bleu.score), "rougeL": float(np.mean(rouge))}
