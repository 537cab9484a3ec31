"""Whole sentences that make a claim, as people write them in diaries, messages, notes and searches.

Templates combine words in ways that no person would, and a model that knows only templates learns their frames. These
sentences are independent of them. They are for training; those of evaluations are written independently.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from .activity_diaries_cardio import CARDIO_DIARIES
from .activity_diaries_exercise import EXERCISE_DIARIES
from .claims import Claim
from .statement_diaries_body import BODY_DIARIES
from .statement_diaries_day import DAY_DIARIES
from .statement_diaries_heart import HEART_DIARIES
from .statement_templates import is_held_out

DIARIES: Mapping[str, tuple[str, ...]] = {
    **{f"activity/{name}": sentences for name, sentences in {**CARDIO_DIARIES, **EXERCISE_DIARIES}.items()},
    **HEART_DIARIES,
    **BODY_DIARIES,
    **DAY_DIARIES,
}
"""Sentences by key of the claim; each is true of it and false of the opposite claim."""


@cache
def diary_sentences(claim: Claim, split: str) -> tuple[str, ...]:
    """Returns the sentences of a claim in a split; empty if there are none.

    Args:
        claim: The claim; denials have no sentences.
        split: `"train"` or `"validation"`; one in ten sentences is kept for validation.
    """
    if claim.negated:
        return ()
    wanted = split == "validation"
    return tuple(text for text in DIARIES.get(claim.key, ()) if is_held_out(claim.kind, text) == wanted)
