"""CIDEr-D: consensus of a generated caption with its references, by n-grams weighted by how telling they are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

_WORDS = re.compile(r"\d+(?:[.,:]\d+)*|\w+")
LONGEST = 4
"""Longest n-grams that are compared."""

LENGTH_SPREAD = 6.0
"""Standard deviation of the penalty on differing lengths, words."""


def cider_scores(predictions: Sequence[str], references: Sequence[str | Sequence[str]]) -> np.ndarray:
    """Scores captions by CIDEr-D (Vedantam, Zitnick and Parikh, "CIDEr: Consensus-based Image Description
    Evaluation", CVPR 2015), the variant that captioning benchmarks report as CIDEr.

    For n-grams of 1 to 4 words, a caption and a reference become vectors of counts, weighted by
    `log(captions) - log(captions whose references hold the n-gram)`; their cosine, with the caption's counts cut at the
    reference's, is multiplied by `exp(-(difference in words)^2 / (2 * 6^2))`. The four are averaged, then the
    references, times 10. Words are runs of letters or digits, a number with its decimals is one word; case and
    punctuation do not count, and nothing is stemmed.

    Args:
        predictions: Generated captions.
        references: For each, a reference or several.

    Returns:
        `(N,)` scores from 0 to 10. An n-gram that every day's references hold has no weight; where a caption and its
        reference share only such, the score is 0. Texts shorter than n words have no n-gram of that size, so they
        reach less than 10.

    Raises:
        ValueError: If there are fewer than two captions (every n-gram would then be in all references and weigh
            nothing), not one entry of references a caption, or an entry without a reference.
    """  # noqa: D205
    several = [[entry] if isinstance(entry, str) else list(entry) for entry in references]
    if len(predictions) != len(several) or len(predictions) < 2:
        raise ValueError(
            "CIDEr weighs n-grams by how few captions they occur in; give at least two predictions and as many"
            f" references, got {len(predictions)} and {len(several)}."
        )
    for position, entry in enumerate(several):
        if not entry:
            raise ValueError(f"references[{position}] is empty; give at least one reference.")
    counted = [[_ngrams(text) for text in entry] for entry in several]
    holders: Counter[tuple[str, ...]] = Counter()
    for known in counted:
        holders.update({ngram for counts in known for ngram in counts})
    weight = {ngram: np.log(len(several)) - np.log(count) for ngram, count in holders.items()}
    unseen = float(np.log(len(several)))
    scores = []
    for text, known in zip(predictions, counted, strict=True):
        own = _vectors(_ngrams(text), weight, unseen)
        scores.append(10 * np.mean([_similarity(own, _vectors(counts, weight, unseen)) for counts in known]))
    return np.array(scores)


_Vectors = tuple[list[dict[tuple[str, ...], float]], list[float], int]


def _ngrams(text: str) -> Counter[tuple[str, ...]]:
    words = _WORDS.findall(text.lower())
    return Counter(tuple(words[i : i + n]) for n in range(1, LONGEST + 1) for i in range(len(words) - n + 1))


def _vectors(counts: Counter[tuple[str, ...]], weight: dict[tuple[str, ...], float], unseen: float) -> _Vectors:
    """Returns a weighted vector for each n, their lengths, and the number of words."""
    vectors: list[dict[tuple[str, ...], float]] = [{} for _ in range(LONGEST)]
    for ngram, count in counts.items():
        vectors[len(ngram) - 1][ngram] = count * weight.get(ngram, unseen)
    norms = [float(np.sqrt(sum(value * value for value in vector.values()))) for vector in vectors]
    return vectors, norms, sum(count for ngram, count in counts.items() if len(ngram) == 1)


def _similarity(own: _Vectors, other: _Vectors) -> float:
    total = 0.0
    for a, b, norm_a, norm_b in zip(own[0], other[0], own[1], other[1], strict=True):
        if norm_a > 0 and norm_b > 0:
            shared = sum(min(value, b[ngram]) * b[ngram] for ngram, value in a.items() if ngram in b)
            total += shared / (norm_a * norm_b)
    difference = own[2] - other[2]
    return total / LONGEST * float(np.exp(-(difference**2) / (2 * LENGTH_SPREAD**2)))
