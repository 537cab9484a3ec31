"""Token budgets: the maximum length of captions, and which sentences are dropped to meet it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

CAPTION_KEYS = (
    "low_level_caption",
    "middle_level_caption",
    "high_level_summary_caption",
    "high_level_all_caption",
    "middle_low_caption",
    "high_low_caption",
    "high_middle_caption",
    "high_middle_low_caption",
)
"""Caption keys: low is statistical, middle structural, high semantic; combinations are ordered from high to low."""

TOKEN_BUDGETS = dict(zip(CAPTION_KEYS, (512, 512, 256, 1024, 1024, 1024, 512, 1024), strict=True))
"""Maximum tokens per caption key, as in the SensorLM release."""

MIN_TOKENS = 16
"""Smallest budget that fits a sentence."""

SPECIAL_TOKENS = 2
"""Tokens reserved for the special tokens added by the tokenizer."""

_WORDS = re.compile(r"[^\W\d_]+|\d|[^\w\s]|_|\s(?=[-−]?\d)")


class Sentence(NamedTuple):
    """A sentence of a caption.

    Attributes:
        section: Position and heading of its group; None for no heading.
        weight: Drop priority; sentences with the highest weight are dropped first.
        cost: Estimated number of tokens.
        text: The sentence.
    """

    section: tuple[int, str | None]
    weight: float
    cost: int
    text: str


def estimate_tokens(text: str) -> int:
    """Returns an upper bound on the number of tokens of a text under a digit-splitting byte-pair tokenizer.

    Each digit, each punctuation mark and the space before a number count as one token; a word counts one token per
    eight letters, or per three bytes if it is not ASCII, rounded up. A vocabulary trained on captions needs fewer.
    """
    count = 0
    for word in _WORDS.findall(text):
        size = len(word)
        if size == 1:
            count += 1 if word.isascii() else len(word.encode("utf-8", "surrogatepass"))
        elif word.isascii():
            count += (size + 7) // 8
        else:
            count += (len(word.encode("utf-8", "surrogatepass")) + 2) // 3
    return count


def token_counter(tokenizer: Any) -> Callable[[str], int] | None:
    """Returns a function that counts the tokens of a text, including special tokens.

    Args:
        tokenizer: A transformers or `tokenizers` tokenizer, a callable `str -> int`, or None.

    Returns:
        The function, or None if there is no tokenizer.

    Raises:
        TypeError: If `tokenizer` is none of these.
    """
    if tokenizer is None:
        return None
    if hasattr(tokenizer, "encode"):
        # Tokenizers of transformers warn about texts beyond the model's length, which are only measured here.
        options = {"verbose": False} if hasattr(tokenizer, "model_max_length") else {}

        def count(text: str) -> int:
            encoded = tokenizer.encode(text, **options)
            return len(getattr(encoded, "ids", encoded))

        return count
    if callable(tokenizer):
        return tokenizer
    raise TypeError(
        "`tokenizer` must be a transformers or tokenizers tokenizer, a function from text to a number of tokens, or"
        f" None, got {type(tokenizer).__name__}."
    )


def compose(sentences: Sequence[Sentence]) -> str:
    """Joins sentences, with a heading before each group."""
    parts = []
    section: tuple[int, str | None] | None = None
    for own, _, _, text in sentences:
        if own != section:
            section = own
            if own[1] is not None:
                parts.append(f"{own[1]}:")
        parts.append(text)
    return " ".join(parts)


def fit(sentences: Sequence[Sentence], budget: int, count: Callable[[str], int] | None = None) -> str:
    """Composes a caption of at most `budget` tokens.

    Complete sentences are dropped, the least important first and the last one among ties. A heading is dropped with the
    last sentence of its group.

    Args:
        sentences: Sentences in caption order.
        budget: Maximum number of tokens, including special tokens.
        count: Counts the tokens of a text; by default, the sentences' estimates are summed.

    Returns:
        The caption; empty if not even the most important sentence fits.
    """
    if count is None:
        if len(sentences) == 1 and sentences[0][0][1] is None and sentences[0][2] + SPECIAL_TOKENS <= budget:
            return sentences[0][3]
        costs = [sentence[2] for sentence in sentences]
        total = sum(costs) + SPECIAL_TOKENS
        sections = {sentence[0] for sentence in sentences}
        if total + sum([_heading_cost(heading) for _, heading in sections]) <= budget:
            return compose(sentences)
        heading_cost: Callable[[str | None], int] = _heading_cost
    else:
        caption = compose(sentences)
        total = count(caption)
        if total <= budget:
            return caption
        bare = count("")
        heading_cost = lambda heading: 0 if heading is None else count(f"{heading}:") - bare  # noqa: E731
        costs = [count(sentence.text) - bare for sentence in sentences]
        total = sum(costs) + bare
    members = Counter(sentence.section for sentence in sentences)
    total += sum(heading_cost(heading) for _, heading in members)
    kept: list[Sentence | None] = list(sentences)
    for last in sorted(range(len(sentences)), key=lambda i: (sentences[i].weight, i), reverse=True):
        section = sentences[last].section
        kept[last] = None
        total -= costs[last]
        members[section] -= 1
        if not members[section]:
            total -= heading_cost(section[1])
        if total <= budget:
            caption = compose([sentence for sentence in kept if sentence is not None])
            # Joined sentences may count for more than the sum of their tokens.
            if count is None or count(caption) <= budget:
                return caption
    return ""


@cache
def _heading_cost(heading: str | None) -> int:
    return 0 if heading is None else estimate_tokens(heading) + 1
