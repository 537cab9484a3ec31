"""METEOR, with synonyms where WordNet is there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..._extras import requires_extra

_WORDS = re.compile(r"\d+(?:[.,:]\d+)*|\w+")


class _NoWordNet:
    """Stands in for WordNet: no word has synonyms, so METEOR stops after its stem stage."""

    def synsets(self, word: str) -> Iterable[Any]:
        return ()


def meteor_scores(predictions: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    """Scores captions by METEOR (Banerjee and Lavie 2005), as nltk computes it.

    Words are aligned in stages: equal, equal stem (Porter), synonyms. The last stage needs the WordNet data of nltk
    (`python -m nltk.downloader wordnet`); without them only the first two run, which scores somewhat lower, and
    `stages` says so. Compare only numbers of equal stages.

    Args:
        predictions: Generated captions.
        references: One reference each.

    Returns:
        `meteor`, the mean from 0 to 1; `meteor_stages`, `"exact, stem"` or `"exact, stem, synonym"`; and
        `per_caption`, the list of scores.

    Raises:
        ValueError: If the lists differ in length or are empty.
    """
    with requires_extra("eval", "METEOR"):
        from nltk.translate.meteor_score import single_meteor_score

    if len(predictions) != len(references) or not predictions:
        raise ValueError(
            f"Give as many predictions as references, at least one; got {len(predictions)}, {len(references)}."
        )
    wordnet, stages = _wordnet()
    scores = [
        float(single_meteor_score(_WORDS.findall(r.lower()), _WORDS.findall(p.lower()), wordnet=wordnet))
        for p, r in zip(predictions, references, strict=True)
    ]
    return {"meteor": float(np.mean(scores)), "meteor_stages": stages, "per_caption": scores}


def _wordnet() -> tuple[Any, str]:
    from nltk.corpus import wordnet

    try:
        wordnet.synsets("walk")
    except LookupError:
        return _NoWordNet(), "exact, stem"
    return wordnet, "exact, stem, synonym"
