"""The corpus on which the tokenizer is trained."""

from __future__ import annotations

from collections.abc import Iterator

from sensorlm_hf.activities import ACTIVITIES
from sensorlm_hf.days import SensorDay
from sensorlm_hf.processing import train_tokenizer
from sensorlm_hf.processing.captions import CaptionBuilder
from sensorlm_hf.schema import get_schema
from sensorlm_hf.training.corpus import tokenizer_corpus

KEYS = ["high_level_summary_caption", "low_level_caption"]
SCHEMA = get_schema("sensorlm-26")


def test_corpus_contains_captions_activities_and_prompts(simulated: list[SensorDay]) -> None:
    texts = list(tokenizer_corpus(simulated, KEYS, schema=SCHEMA, prompts=["a prompt"], seed=5))
    captions = [text for key in KEYS for text in CaptionBuilder(key=key, seed=5).batch(simulated)]
    assert texts == [*captions, *(activity.name for activity in ACTIVITIES), "a prompt"]


def test_days_are_streamed_in_batches(simulated: list[SensorDay]) -> None:
    taken = 0

    def stream() -> Iterator[SensorDay]:
        nonlocal taken
        for _ in range(30):
            for day in simulated:
                taken += 1
                yield day

    texts = tokenizer_corpus(stream(), KEYS[:1], schema=SCHEMA)
    assert taken == 0
    next(texts)
    assert taken == 256, "at most one batch should be in memory"
    assert len(list(texts)) + 1 == 30 * len(simulated) + len(ACTIVITIES)
    assert taken == 360


def test_days_are_not_repeated_when_last_batch_is_full(simulated: list[SensorDay]) -> None:
    days = (simulated * 22)[:256]
    texts = list(tokenizer_corpus(days, KEYS[:1], schema=SCHEMA))
    assert len(texts) == 256 + len(ACTIVITIES)


def test_tokenizer_training_is_deterministic(simulated: list[SensorDay]) -> None:
    first, second = (
        train_tokenizer(tokenizer_corpus(simulated, KEYS, schema=SCHEMA, seed=1), vocab_size=400) for _ in range(2)
    )
    assert first.get_vocab() == second.get_vocab()


def test_activity_names_absent_from_days_get_tokens() -> None:
    texts = list(tokenizer_corpus([], KEYS, schema=SCHEMA, prompts=["Activities logged: pickleball."] * 2))
    tokenizer = train_tokenizer(texts, vocab_size=2000)
    assert len(tokenizer(" pickleball", add_special_tokens=False)["input_ids"]) <= 2
