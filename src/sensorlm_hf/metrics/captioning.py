"""Captioning metrics: BLEU-4, ROUGE-L, CIDEr-D, METEOR and BERTScore."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .._extras import requires_extra

with requires_extra("eval", "Scoring captions"):
    import sacrebleu
    from rouge_score import rouge_scorer

_WORDS = re.compile(r"\d+(?:[.,:]\d+)*|\w+")
"""Matches words; a number with decimals is a single word."""

MAX_NGRAM = 4
"""Maximum n-gram length in CIDEr."""

LENGTH_SPREAD = 6.0
"""Standard deviation of the CIDEr length penalty, in words."""


def caption_scores(
    predictions: Sequence[str],
    references: Sequence[str],
    *,
    meteor: bool = False,
    bertscore_model: str | Path | None = None,
) -> dict[str, Any]:
    """Scores generated captions with one reference each.

    Args:
        predictions: Generated captions.
        references: Captions of the caption builder for the same days.
        meteor: Whether to compute METEOR; see [`meteor_scores`].
        bertscore_model: Folder of a text encoder used for BERTScore; see [`bert_scores`].

    Returns:
        `bleu4`, corpus BLEU with up to 4-grams from 0 to 100 (sacrebleu, 13a tokens, lower-cased); `rougeL`, the
        mean F1 of the longest common subsequence from 0 to 1 (rouge-score, no stemming); and `cider`, the mean CIDEr-D
        from 0 to 10, for two or more captions. On request, `meteor` with `meteor_stages`, and `bertscore`.

    Raises:
        ValueError: If the lists differ in length or are empty.
        FileNotFoundError: If `bertscore_model` is not a folder.
    """
    _check_pairs(predictions, references)
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


def _check_pairs(predictions: Sequence[str], references: Sequence[str]) -> None:
    if len(predictions) != len(references) or not predictions:
        raise ValueError(
            f"`predictions` and `references` must have the same length, at least 1, got {len(predictions)} and"
            f" {len(references)}."
        )


def cider_scores(predictions: Sequence[str], references: Sequence[str | Sequence[str]]) -> np.ndarray:
    """Computes CIDEr-D, the variant of CIDEr used by captioning benchmarks.

    Vedantam, Zitnick and Parikh, "CIDEr: Consensus-based Image Description Evaluation", CVPR 2015. For n-grams of 1 to
    4 words, a caption and a reference become vectors of counts, weighted by `log(captions) - log(captions whose
    references contain the n-gram)`; their cosine, with the caption's counts clipped to the reference's, is multiplied
    by `exp(-(difference in words)^2 / (2 * 6^2))`. The result is averaged over n and the references and multiplied by
    10. Case and punctuation are ignored, and words are not stemmed.

    Args:
        predictions: Generated captions.
        references: One or several references per caption.

    Returns:
        `(N,)` scores from 0 to 10. An n-gram that occurs in the references of every caption has zero weight; if a
        caption and its reference share only such n-grams, the score is 0. Texts with fewer than n words have no n-grams
        of that size, so their maximum score is below 10.

    Raises:
        ValueError: If there are fewer than two captions (every n-gram would then have zero weight), `references`
            differs in length, or an entry has no reference.
    """
    several = [[entry] if isinstance(entry, str) else list(entry) for entry in references]
    if len(predictions) != len(several) or len(predictions) < 2:
        raise ValueError(
            "CIDEr weights n-grams by inverse document frequency; pass at least two predictions and as many"
            f" references, got {len(predictions)} and {len(several)}."
        )
    for position, entry in enumerate(several):
        if not entry:
            raise ValueError(f"references[{position}] is empty; pass at least one reference.")
    counted = [[_ngrams(text) for text in entry] for entry in several]
    occurrences: Counter[tuple[str, ...]] = Counter()
    for known in counted:
        occurrences.update({ngram for counts in known for ngram in counts})
    weight = {ngram: np.log(len(several)) - np.log(count) for ngram, count in occurrences.items()}
    unseen = float(np.log(len(several)))
    scores = []
    for text, known in zip(predictions, counted, strict=True):
        own = _vectors(_ngrams(text), weight, unseen)
        scores.append(10 * np.mean([_similarity(own, _vectors(counts, weight, unseen)) for counts in known]))
    return np.array(scores)


_Vectors = tuple[list[dict[tuple[str, ...], float]], list[float], int]


def _ngrams(text: str) -> Counter[tuple[str, ...]]:
    words = _WORDS.findall(text.lower())
    return Counter(tuple(words[i : i + n]) for n in range(1, MAX_NGRAM + 1) for i in range(len(words) - n + 1))


def _vectors(counts: Counter[tuple[str, ...]], weight: dict[tuple[str, ...], float], unseen: float) -> _Vectors:
    """Returns a weighted vector for each n, the norms, and the number of words."""
    vectors: list[dict[tuple[str, ...], float]] = [{} for _ in range(MAX_NGRAM)]
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
    return total / MAX_NGRAM * float(np.exp(-(difference**2) / (2 * LENGTH_SPREAD**2)))


class _NoWordNet:
    """Replacement for WordNet without synonyms, so that METEOR ends after the stem stage."""

    def synsets(self, word: str) -> Iterable[Any]:
        return ()


def meteor_scores(predictions: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    """Computes METEOR (Banerjee and Lavie 2005) with nltk.

    Words are aligned in stages: exact matches, Porter stems, synonyms. The last stage needs the WordNet data of nltk
    (`python -m nltk.downloader wordnet`); without it, only the first two run, and scores are slightly lower.
    `meteor_stages` reports the stages; only compare scores with the same stages.

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

    _check_pairs(predictions, references)
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


def bert_scores(
    predictions: Sequence[str],
    references: Sequence[str],
    model: str | Path,
    *,
    layer: int = -1,
    batch_size: int = 32,
    device: str = "cpu",
) -> dict[str, Any]:
    """Computes BERTScore (Zhang et al., "BERTScore: Evaluating Text Generation with BERT", ICLR 2020).

    Each token of a caption is matched with the most similar token of the reference, by the cosine of their contextual
    embeddings, and vice versa; special tokens are excluded. Scores are neither rescaled with a baseline nor weighted by
    inverse document frequency, so only compare scores of the same model and layer.

    Args:
        predictions: Generated captions.
        references: One reference each.
        model: Folder of a transformers text encoder with its tokenizer. There is no default, since it would have to
            be downloaded.
        layer: Layer of the hidden states; -1 is the last.
        batch_size: Number of texts per batch.
        device: Device to run on.

    Returns:
        `bertscore`, the mean F1; `precision`, `recall`; and `per_caption`, the list of F1s.

    Raises:
        ValueError: If the lists differ in length or are empty, or a text has no tokens.
        FileNotFoundError: If the folder does not exist.
    """
    from transformers import AutoModel, AutoTokenizer

    _check_pairs(predictions, references)
    if not Path(model).is_dir():
        raise FileNotFoundError(
            f"BERTScore needs a folder with a text encoder and its tokenizer; {model} is not a folder."
        )
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
                raise ValueError(f"{text!r} has no tokens other than special tokens, so it cannot be compared.")
            tokens[text] = torch.nn.functional.normalize(own[keep], dim=-1).cpu()
    rows = []
    for predicted, reference in zip(predictions, references, strict=True):
        cosine = tokens[predicted] @ tokens[reference].T
        precision, recall = float(cosine.max(dim=1).values.mean()), float(cosine.max(dim=0).values.mean())
        rows.append((precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0))
    precision, recall, f1 = np.mean(rows, axis=0).tolist()
    return {"bertscore": f1, "precision": precision, "recall": recall, "per_caption": [row[2] for row in rows]}
