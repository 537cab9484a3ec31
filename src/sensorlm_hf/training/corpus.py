"""Training corpus of the tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..activities import ACTIVITIES
from ..days import SensorDay
from ..processing.captions import CaptionBuilder
from ..schema import SensorSchema


def tokenizer_corpus(
    days: Iterable[SensorDay],
    keys: Sequence[str],
    *,
    schema: SensorSchema,
    prompts: Iterable[str] = (),
    seed: int = 0,
) -> Iterator[str]:
    """Yields captions of days for each key, the names of all activities, and prompts.

    Class prompts are part of the tokenizer's corpus, not of the training data, so that class names are tokenized well
    even if no caption mentions them.

    Args:
        days: Days; processed in batches, so a generator can be passed.
        keys: Caption keys.
        schema: Schema of the days.
        prompts: Additional texts, such as the prompts of zero-shot tasks.
        seed: Seed of the wording.

    Yields:
        Texts in deterministic order.
    """
    builders = [CaptionBuilder(schema, key=key, seed=seed) for key in keys]
    batch: list[SensorDay] = []
    for day in days:
        batch.append(day)
        if len(batch) == 256:
            yield from _captions(builders, batch)
            batch = []
    if batch:
        yield from _captions(builders, batch)
    for activity in ACTIVITIES:
        yield activity.name
    yield from prompts


def _captions(builders: Sequence[Any], days: list[SensorDay]) -> Iterator[str]:
    for builder in builders:
        yield from builder.batch(days)
