"""Batched encoding of days and texts, and captioning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation_cases import at, embedded_day, stubs

from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.evaluation import caption_days, encode_days, encode_texts
from sensorlm_hf.evaluation.encode import Ranks, batched
from sensorlm_hf.modeling import load_pretrained
from sensorlm_hf.processing import SensorLMProcessor

TEXTS = {"east": [1.0, 0.0], "north": [0.0, 3.0], "west": [-2.0, 0.0]}


def test_batches_are_taken_lazily_from_stream() -> None:
    def endless() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    batches = batched(endless(), 3)
    assert [next(batches), next(batches)] == [[0, 1, 2], [3, 4, 5]]
    assert list(batched("abcde", 2)) == [["a", "b"], ["c", "d"], ["e"]]
    assert list(batched([], 2)) == []
    with pytest.raises(ValueError, match="at least 1, got 0"):
        list(batched([1], 0))


def test_encode_days_in_order_and_batches() -> None:
    model, processor = stubs(TEXTS)
    days = [embedded_day(at(angle), number) for number, angle in enumerate((0, 90, 30, 180, 45))]
    rows = encode_days(model, processor, days, batch_size=2)
    assert processor.batches == [2, 2, 1]
    assert rows.dtype == np.float32
    assert rows == pytest.approx(np.array([at(angle) for angle in (0, 90, 30, 180, 45)]), abs=1e-6)


def test_encode_texts_in_order_and_truncated() -> None:
    model, processor = stubs(TEXTS)
    rows = encode_texts(model, processor, ["west", "east", "north"], batch_size=2)
    assert rows == pytest.approx(np.array([[-1, 0], [1, 0], [0, 1]]), abs=1e-6)
    assert processor.batches == [2, 1]
    assert processor.options["truncation"] is True
    assert processor.options["max_length"] == 16


def test_captions_are_in_order_and_stripped() -> None:
    model, processor = stubs(TEXTS)
    days = [embedded_day(at(angle), number) for number, angle in enumerate((80, 10, 170))]
    assert caption_days(model, processor, days, batch_size=2, num_beams=3) == ["north", "east", "west"]
    assert model.options == {"max_new_tokens": 128, "num_beams": 3}


def test_progress_bar_is_optional(capsys: pytest.CaptureFixture[str]) -> None:
    model, processor = stubs(TEXTS)
    encode_days(model, processor, [embedded_day(at(0))])
    assert capsys.readouterr().err == ""
    encode_days(model, processor, [embedded_day(at(0))] * 3, batch_size=1, progress=True)
    assert "Embedding days" in capsys.readouterr().err


@pytest.mark.parametrize("work", [encode_days, encode_texts, caption_days])
def test_empty_input_and_invalid_batch_size_raise(work: Callable[..., Any]) -> None:
    model, processor = stubs(TEXTS)
    with pytest.raises(ValueError, match="pass at least one"):
        work(model, processor, [])
    items = ["east"] if work is encode_texts else [embedded_day(at(0))]
    with pytest.raises(ValueError, match=r"`batch_size` must be (an integer of )?at least 1, got 0"):
        work(model, processor, items, batch_size=0)


@pytest.mark.parametrize("work", [encode_days, caption_days])
def test_mismatched_processor_raises(work: Callable[..., Any]) -> None:
    model, processor = stubs(TEXTS)
    model.config.sensor_config.patch_minutes = 3  # does not divide the processor's window length
    with pytest.raises(ValueError, match="Use the processor saved with the model"):
        work(model, processor, [embedded_day(at(0))])


def test_embeddings_do_not_depend_on_batch_size(folder_of: Callable[[str], Path]) -> None:
    model = load_pretrained(folder_of("coca")).eval()
    processor = SensorLMProcessor.from_pretrained(folder_of("coca"))
    days = simulate_days(5, seed=9)
    texts = ["a run", "a day with swimming and a nap", "yoga", "sleep. " * 60]
    for work, items in ((encode_days, days), (encode_texts, texts)):
        together, apart = work(model, processor, items), work(model, processor, items, batch_size=1)
        assert together == pytest.approx(apart, abs=1e-5)
        assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-5)
    together = caption_days(model, processor, days, max_new_tokens=6)
    assert together == caption_days(model, processor, days, batch_size=2, max_new_tokens=6)


def test_whole_batches_are_distributed_and_results_reordered() -> None:
    seen = []
    doubled = Ranks().map(lambda batch: seen.append(len(batch)) or [2 * x for x in batch], list(range(7)), 3)
    assert doubled == [0, 2, 4, 6, 8, 10, 12]
    assert seen == [3, 3, 1]
