"""`opening_sentence`: one sentence of plain English about a day, to open a caption.

It has no digits: durations, steps and heart rates are rounded and written in words, because the exact numbers follow in
the caption. Activities and sleep come from the log only; the character of the day comes from steps and heart rate.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...days import SensorDay
from .opening_facts import OpeningFacts
from .opening_phrases import OpeningContent, OpeningDetail, opening_content
from .opening_words import with_article
from .sentences import RandomChoices, random_numbers

MAX_WORDS = 40
"""Maximum number of words of an opening."""

_FRACTION = re.compile(r" and (a half|a quarter|three quarters)\b|(?<=hundred) and ")


def opening_sentence(day: SensorDay, *, seed: int = 0, sample_id: str | None = None, shorter: int = 0) -> str:
    """Describes a day in one sentence of plain English, without digits.

    It says, as far as it is known: the character of the day, the main logged activities with rounded durations and the
    part of the day, the sleep and naps inside the window, and long spans without data. Without logged activities it
    gives the steps or the heart rate. Nothing is inferred that was neither logged nor observed.

    Args:
        day: The day, of any schema. Steps and heart rate are used if the schema has them.
        seed: Seed of the wording.
        sample_id: Seeds the wording together with `seed`; defaults to `day.sample_id`.
        shorter: Number of details to omit, starting from the last.

    Returns:
        A sentence of at most [`MAX_WORDS`] words.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If `shorter` is negative.

    Example:
        >>> opening_sentence(day)
        'A calm working day with an hour of weight lifting in the evening and seven hours of sleep.'
    """
    if not isinstance(day, SensorDay):
        raise TypeError(f"`day` must be a SensorDay, which has a start and a log, got {type(day).__name__}.")
    for name, number in (("seed", seed), ("shorter", shorter)):
        if isinstance(number, (bool, np.bool_)) or not isinstance(number, (int, np.integer)):
            raise TypeError(f"`{name}` must be an integer, got {number!r}.")
    if shorter < 0:
        raise ValueError(f"`shorter` must be at least 0, got {shorter}.")
    if sample_id is not None and not isinstance(sample_id, str):
        raise TypeError(f"`sample_id` must be a string or None, got {sample_id!r}.")
    numbers = random_numbers(int(seed), day.sample_id if sample_id is None else sample_id, "opening")
    content = opening_content(OpeningFacts.of(day), RandomChoices(numbers))
    while True:
        # The same choices at every length, so that omitting a detail does not reword the others.
        sentence = _write(content, RandomChoices(numbers[::-1]), int(shorter))
        if len(sentence.split()) <= MAX_WORDS or shorter > len(content.details):
            return sentence
        shorter += 1


def _write(content: OpeningContent, choose: RandomChoices, shorter: int) -> str:
    kept = content.details[: max(len(content.details) - shorter, 0)]
    pick: Any = lambda options: options[choose.next() % len(options)]  # noqa: E731
    items = [detail for detail in kept if detail.kind != "gap"]
    if content.silent:
        if not items:
            return "A day without any recorded signal."
        link = pick(("though the log has", "but the log names", "although the log lists"))
        return f"A day without any recorded signal, {link} {_join(_phrases(items))}."
    shape = choose.next()
    gap = "".join(
        pick((", though nothing was recorded", "; nothing was recorded", ", but nothing was recorded"))
        + f" {detail.text}"
        for detail in kept
        if detail.kind == "gap"
    )
    head = with_article(content.head)
    if not items:
        bare = "a recorded day" if content.plain else head
        return _sentence(f"{bare}{gap}.")
    activities = [detail for detail in items if detail.kind == "activity"]
    texts = _phrases(items)
    listed = _join(texts)
    shapes = [f"{head} with {listed}{gap}.", f"this was {head} with {listed}{gap}."]
    if not content.plain:
        shapes.append(f"{head}, with {listed}{gap}.")
    if len(items) > 1 and not content.plain:
        shapes.append(f"{head}: {listed}{gap}.")
    if (
        len(activities) == 1
        and activities[0].stands_out
        and items[0] is activities[0]
        and (len(items) > 1 or not content.plain)
    ):
        rest = f" with {_join(texts[1:])}" if len(items) > 1 else ""
        shapes.append(f"{texts[0]} stood out on {head}{rest}{gap}.")
    if activities and not content.plain and all(detail.timed for detail in items):
        shapes.append(f"on {head}, there was time for {listed}{gap}.")
    if "recording" in content.head:
        shapes = [shapes[0], shapes[2], *(s for s in shapes if ": " in s)]
    return _sentence(shapes[shape % len(shapes)])


def _phrases(items: Sequence[OpeningDetail]) -> list[str]:
    others = [f"{detail.text} {detail.when}".strip() for detail in items if detail.kind != "activity"]
    return [*_chronicle([detail for detail in items if detail.kind == "activity"]), *others]


def _chronicle(activities: Sequence[OpeningDetail]) -> list[str]:
    """Lists activities by time; those at the same time of day share one adverbial."""
    ordered = sorted(activities, key=lambda detail: detail.start)
    groups: list[list[OpeningDetail]] = []
    for detail in ordered:
        if groups and groups[-1][0].when == detail.when and detail.when.startswith(("in the", "around", "at ")):
            groups[-1].append(detail)
        else:
            groups.append([detail])
    return [f"{_join([detail.text for detail in group])} {group[0].when}".strip() for group in groups]


def _join(items: Sequence[str]) -> str:
    """Joins phrases with "and", after a comma where a phrase has an "and" of its own."""
    if len(items) == 1:
        return items[0]
    nested = any(" and " in _FRACTION.sub("", item) for item in items)
    return f"{', '.join(items[:-1])}{',' if nested else ''} and {items[-1]}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
