"""Evaluation of generated captions against those of the caption builder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..days import SensorDay
from ..metrics import caption_scores, fact_faithfulness, opening_faithfulness
from .encode import CAPTION_BATCH, caption_days


def captioned_rows(days: int, count: int) -> np.ndarray:
    """Returns the rows of the days to caption: every n-th day, starting with the first.

    Args:
        days: Number of days.
        count: Number of days to caption.

    Returns:
        `(min(days, count),)` rows, spaced by `days // count`.

    Example:
        >>> captioned_rows(4000, 200)[:3].tolist()
        [0, 20, 40]
    """
    return np.arange(days)[:: max(1, days // count)][:count] if count > 0 else np.arange(0)


def evaluate_captioning(
    model: Any,
    processor: Any,
    days: Sequence[SensorDay],
    references: Sequence[str],
    *,
    seed: int = 0,
    batch_size: int = CAPTION_BATCH,
    max_new_tokens: int = 128,
    progress: bool = False,
    meteor: bool = False,
    bertscore_model: str | Path | None = None,
    language: str = "en",
) -> dict[str, Any]:
    """Scores generated captions.

    Args:
        model: A [`SensorLMModel`] with a decoder, in evaluation mode.
        processor: The processor of the model.
        days: Days.
        references: The builder's caption of each day.
        seed: Seed of the chance scores.
        batch_size: Number of days per batch.
        max_new_tokens: Maximum length of generated captions.
        progress: Whether to show a progress bar.
        meteor: Whether to compute METEOR; see [`meteor_scores`].
        bertscore_model: Folder of a text encoder used for BERTScore; see [`bert_scores`].
        language: Language of the captions.

    Returns:
        The scores of [`caption_scores`] and of [`fact_faithfulness`]; `opening`, those of [`opening_faithfulness`], if
        captions start with a sentence of plain English; `chance`, the same scores for the builder's caption of another
        day drawn at random; and `days`.

    Raises:
        ValueError: If there are fewer than two days, or not exactly one reference per day.
    """
    _check(days, references)
    predictions = caption_days(
        model, processor, days, batch_size=batch_size, max_new_tokens=max_new_tokens, progress=progress
    )
    return score_captions(
        predictions,
        references,
        days,
        seed=seed,
        meteor=meteor,
        bertscore_model=bertscore_model,
        language=language,
    )


def score_captions(
    predictions: Sequence[str],
    references: Sequence[str],
    days: Sequence[SensorDay],
    *,
    seed: int = 0,
    meteor: bool = False,
    bertscore_model: str | Path | None = None,
    language: str = "en",
) -> dict[str, Any]:
    """Scores existing captions; see [`evaluate_captioning`] for the result.

    Args:
        predictions: Generated captions, in lower case.
        references: The builder's caption of each day.
        days: The days.
        seed: Seed of the chance scores.
        meteor: Whether to compute METEOR.
        bertscore_model: Folder of a text encoder used for BERTScore.
        language: Language of the captions.

    Raises:
        ValueError: If there are fewer than two days, or not exactly one reference and caption per day.
    """
    _check(days, references)
    # Captions are compared in lower case, since the tokenizer lowercases.
    lowered = [text.lower() for text in references]
    order = np.random.default_rng(seed).permutation(len(days))
    other_days = np.empty(len(days), dtype=object)
    other_days[order] = [lowered[row] for row in np.roll(order, 1)]

    def score(captions: Sequence[str]) -> dict[str, Any]:
        facts = fact_faithfulness(captions, days, language=language)
        openings = opening_faithfulness(captions, days) if language == "en" else {"openings": 0}
        return {
            **caption_scores(captions, lowered, meteor=meteor, bertscore_model=bertscore_model),
            **facts,
            **({"opening": openings} if openings["openings"] else {}),
        }

    chance = score(other_days.tolist())
    for name in ("confirmed_per_caption", "claims_per_caption"):
        del chance[name]
    return {**score(predictions), "chance": chance, "days": len(days)}


def _check(days: Sequence[SensorDay], references: Sequence[str]) -> None:
    if len(days) != len(references) or len(days) < 2:
        raise ValueError(
            "Pass one reference per day and at least two days (chance is the caption of another day), got"
            f" {len(days)} days and {len(references)} references."
        )
