"""The text from which a tokenizer is trained."""

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


def test_it_holds_captions_of_every_key_all_activities_and_the_prompts(simulated: list[SensorDay]) -> None:
    texts = list(tokenizer_corpus(simulated, KEYS, schema=SCHEMA, prompts=["a prompt"], seed=5))
    captions = [text for key in KEYS for text in CaptionBuilder(key=key, seed=5).batch(simulated)]
    assert texts == [*captions, *(activity.name for activity in ACTIVITIES), "a prompt"]


def test_days_are_taken_as_they_come_and_in_batches(simulated: list[SensorDay]) -> None:
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
    assert taken == 256, "no more than a batch is held"
    assert len(list(texts)) + 1 == 30 * len(simulated) + len(ACTIVITIES)
    assert taken == 360


def test_no_day_is_written_twice_when_the_last_batch_is_full(simulated: list[SensorDay]) -> None:
    days = (simulated * 22)[:256]
    texts = list(tokenizer_corpus(days, KEYS[:1], schema=SCHEMA))
    assert len(texts) == 256 + len(ACTIVITIES)


def test_the_same_arguments_give_the_same_tokenizer(simulated: list[SensorDay]) -> None:
    first, second = (
        train_tokenizer(tokenizer_corpus(simulated, KEYS, schema=SCHEMA, seed=1), vocab_size=400) for _ in range(2)
    )
    assert first.get_vocab() == second.get_vocab()


def test_names_of_activities_get_pieces_though_no_day_has_them() -> None:
    texts = list(tokenizer_corpus([], KEYS, schema=SCHEMA, prompts=["Activities logged: pickleball."] * 2))
    tokenizer = train_tokenizer(texts, vocab_size=2000)
    assert len(tokenizer(" pickleball", add_special_tokens=False)["input_ids"]) <= 2
