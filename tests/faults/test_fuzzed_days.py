"""Days with extreme numbers and unusual arrays, through captions, processor, models and pipelines."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import pipeline

from sensorlm_hf.data.collator import SensorLMCollator
from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.days import SensorDay
from sensorlm_hf.embedding import encode_sensor
from sensorlm_hf.modeling import load_pretrained
from sensorlm_hf.processing import SensorLMFeatureExtractor, SensorLMProcessor, train_tokenizer
from sensorlm_hf.processing.captions import CAPTION_KEYS, CaptionBuilder
from tiny_models import MAX_TOKENS, tiny_folders

OBJECTIVES = ("clip", "siglip", "cap", "coca")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}

TOLERANCE = {"float32": 2e-5, "bfloat16": 0.04}
"""Largest difference of an entry of a normalized embedding between two compositions of a batch."""


def base_day() -> SensorDay:
    return simulate_days(1, seed=31)[0]


def one_minute(values: np.ndarray) -> np.ndarray:
    changed = np.full_like(values, np.nan)
    changed[700, 0] = 72.0
    return changed


def with_values(values: np.ndarray, *given: float) -> np.ndarray:
    """Puts values in every column, one after another, into minutes 100, 107, ..."""
    changed = values.copy()
    for number, value in enumerate(given):
        changed[100 + 7 * number] = value
    return changed


NUMBERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "half missing": lambda v: np.where(np.arange(v.size).reshape(v.shape) % 2 == 0, np.nan, v),
    "one observed minute": one_minute,
    "constant": lambda v: np.broadcast_to(np.nan_to_num(np.nanmean(v, axis=0)), v.shape).copy(),
    "zeros": np.zeros_like,
    "negative zeros": lambda v: -np.zeros_like(v),
    "subnormal": lambda v: np.full_like(v, 1e-42),
    "huge": lambda v: with_values(v, 1e38, -1e38, 3.4e38),
    "all huge": lambda v: np.full_like(v, 1e38),
    "spikes": lambda v: with_values(v, 1e6, -1e6, 255.0, -1.0, 65535.0),
}
"""Days whose numbers are valid as such, but not plausible."""

REFUSED = ("zeros", "negative zeros", "subnormal", "all huge")
"""Days with a column of which most values are implausible, which the processor refuses unless told to keep them."""

LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "float64": lambda v: v.astype(np.float64),
    "big-endian": lambda v: v.astype(">f4"),
    "read-only": lambda v: _read_only(v.copy()),
    "non-contiguous": lambda v: np.repeat(v, 2, axis=1)[:, ::2],
    "reversed": lambda v: v[::-1].copy()[::-1],
    "Fortran order": np.asfortranarray,
    "objects": lambda v: v.astype(object),
}
"""The same numbers in other arrays."""


def _read_only(values: np.ndarray) -> np.ndarray:
    values.flags.writeable = False
    return values


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    tokenizer = train_tokenizer(CaptionBuilder().batch(simulate_days(8, seed=9)), vocab_size=400, max_length=MAX_TOKENS)
    return tiny_folders(tmp_path_factory.mktemp("models"), tokenizer, patch_minutes=60, patch_channels=13)


def model_and_processor(folder: Path, dtype: str = "float32") -> tuple[Any, SensorLMProcessor]:
    """Returns a model and a processor that keeps implausible values."""
    processor = SensorLMProcessor.from_pretrained(folder)
    processor.feature_extractor.implausible = "keep"
    return load_pretrained(folder, dtype=DTYPES[dtype]).eval(), processor


def changed_day(change: Callable[[np.ndarray], np.ndarray]) -> SensorDay:
    day = base_day()
    return replace(day, values=change(day.values))


def quiet(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Calls a function without its warnings about implausible values, which other tests read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return function(*arguments, **options)


@pytest.mark.parametrize("key", CAPTION_KEYS)
@pytest.mark.parametrize("name", NUMBERS)
def test_captions_have_finite_numbers(name: str, key: str) -> None:
    day = changed_day(NUMBERS[name])
    text = quiet(CaptionBuilder(key=key, opening=True), day)
    assert text.strip()
    assert not re.search(r"(?i)\b(nan|inf|none|null)\b", text), text


@pytest.mark.parametrize("implausible", ["mask", "keep"])
@pytest.mark.parametrize("name", NUMBERS)
def test_extreme_numbers_give_finite_inputs(name: str, implausible: str) -> None:
    extractor, day = SensorLMFeatureExtractor(implausible=implausible), changed_day(NUMBERS[name])
    if implausible == "mask" and name in REFUSED:
        with pytest.raises(ValueError, match=r"Item 0: 1440 of the 1440 observed values of channel 'HR' .*are outside"):
            extractor(day)
        return
    inputs = quiet(extractor, day, return_tensors="np")
    assert np.isfinite(inputs["sensor_values"]).all()
    assert np.abs(inputs["sensor_values"]).max() <= SensorLMFeatureExtractor().clip
    assert (inputs["sensor_values"][~inputs["sensor_mask"]] == 0).all()


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_numbers_are_refused_with_their_place(value: float) -> None:
    values = base_day().values.copy()
    values[321, 4] = value
    with pytest.raises(ValueError, match=r"infinite at minute 321, channel"):
        SensorLMFeatureExtractor()(values)
    with pytest.raises(ValueError, match=r"infinite at minute 321, channel"):
        replace(base_day(), values=values)


@pytest.mark.parametrize("name", LAYOUTS)
def test_arrays_of_any_layout_are_read_alike(name: str) -> None:
    values = base_day().values.copy()
    extractor = SensorLMFeatureExtractor()
    expected, found = (quiet(extractor, v, return_tensors="np") for v in (values, LAYOUTS[name](values)))
    np.testing.assert_array_equal(found["sensor_mask"], expected["sensor_mask"])
    np.testing.assert_array_equal(found["sensor_values"], expected["sensor_values"])
    assert changed_day(LAYOUTS[name]) == base_day()


def test_integers_and_half_precision_are_read() -> None:
    values = np.nan_to_num(base_day().values)
    extractor = SensorLMFeatureExtractor(implausible="keep")
    whole, halves = values.round().astype(np.int64), values.clip(-6e4, 6e4).astype(np.float16)
    for given_values in (whole, whole.astype(np.uint16), halves):
        found = extractor(given_values, return_tensors="np")["sensor_values"]
        np.testing.assert_array_equal(
            found, extractor(given_values.astype(np.float32), return_tensors="np")["sensor_values"]
        )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_models_are_finite_on_every_day(objective: str, dtype: str, folder_of: Callable[[str], Path]) -> None:
    model, processor = model_and_processor(folder_of(objective), dtype)
    days = [base_day(), *(changed_day(change) for change in NUMBERS.values())]
    collator = SensorLMCollator(processor, max_length=MAX_TOKENS, training=False)
    batch = quiet(collator, days)
    output = model.train()(**{name: value.to(model.dtype) if value.is_floating_point() else value
                              for name, value in batch.items()})  # fmt: skip
    output.loss.backward()
    assert torch.isfinite(output.loss)
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert gradients
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    if objective != "cap":
        assert torch.isfinite(output.sensor_embeds).all()
        assert torch.isfinite(output.text_embeds).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_embeddings_do_not_depend_on_the_batch(dtype: str, folder_of: Callable[[str], Path]) -> None:
    model, processor = model_and_processor(folder_of("coca"), dtype)
    days = [base_day(), *(changed_day(change) for change in NUMBERS.values())]
    together = quiet(encode_sensor, model, processor, days)
    assert np.isfinite(together).all()
    for size in (1, 3):
        apart = quiet(encode_sensor, model, processor, days, batch_size=size)
        np.testing.assert_allclose(apart, together, atol=TOLERANCE[dtype], rtol=0)
    backwards = quiet(encode_sensor, model, processor, days[::-1])
    np.testing.assert_allclose(backwards[::-1], together, atol=TOLERANCE[dtype], rtol=0)


def test_four_threads_give_the_results_of_one(folder_of: Callable[[str], Path]) -> None:
    model, processor = model_and_processor(folder_of("coca"))
    days = [*simulate_days(7, seed=5), changed_day(NUMBERS["constant"])]
    builder = CaptionBuilder(seed=0)
    expected = [(builder(day), encode_sensor(model, processor, day)) for day in days]

    def both(day: SensorDay) -> tuple[str, np.ndarray]:
        return builder(day), encode_sensor(model, processor, day)

    with ThreadPoolExecutor(4) as threads:
        for found, wanted in zip(threads.map(both, days * 3), expected * 3, strict=True):
            assert found[0] == wanted[0]
            np.testing.assert_array_equal(found[1], wanted[1])


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    block=st.lists(st.floats(width=32, allow_infinity=False), min_size=26, max_size=26),
    rows=st.lists(st.integers(0, 1439), min_size=1, max_size=9, unique=True),
    minutes=st.integers(1, 1440),
)
def test_any_finite_numbers_are_described_and_embedded(block: list[float], rows: list[int], minutes: int) -> None:
    values = base_day().values.copy()
    values[rows] = block
    values[minutes:] = np.nan
    day = replace(base_day(), values=values)
    for key in CAPTION_KEYS:
        assert not re.search(r"(?i)\b(nan|inf)\b", quiet(CaptionBuilder(key=key, opening=True), day))
    inputs = quiet(SensorLMFeatureExtractor(implausible="keep"), day, return_tensors="np", allow_empty=True)
    assert np.isfinite(inputs["sensor_values"]).all()


LABELS: dict[str, list[str]] = {
    "ten thousand": [f"label {number}" for number in range(10_000)],
    "one": ["running"],
    "right-to-left": ["\u0631\u0643\u0636", "\u05e9\u05d7\u05d9\u05d9\u05d4"],
    "emoji": ["\U0001f3c3", "\U0001f3ca\U0001f3fd\u200d\u2640\ufe0f"],
    "braces": ["{}", "{label}", "{0.__class__}", "100 %s"],
    "control characters": ["run\u0000ning", "a\u202eb", "\u200b."],
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_of_any_kind(name: str, folder_of: Callable[[str], Path]) -> None:
    classify = pipeline("zero-shot-sensor-classification", model=str(folder_of("siglip")))
    answers = quiet(classify, base_day(), candidate_labels=LABELS[name])
    assert sorted(answer["label"] for answer in answers) == sorted(LABELS[name])
    scores = [answer["score"] for answer in answers]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        (["running", "running"], r"candidate_labels\[1\] 'running' repeats candidate_labels\[0\]"),
        (["running", " Running"], r"candidate_labels\[1\] ' Running' repeats candidate_labels\[0\]"),
        (["running", ""], r"candidate_labels\[1\] is empty"),
        ([], "`candidate_labels` is empty"),
        (["running", "very " * 20_000], "tokens, but the model reads at most 48; shorten the label"),
    ],
)
def test_labels_that_no_model_can_rank_raise(
    labels: list[str], complaint: str, folder_of: Callable[[str], Path]
) -> None:
    classify = pipeline("zero-shot-sensor-classification", model=str(folder_of("siglip")))
    with pytest.raises(ValueError, match=complaint) as caught:
        classify(base_day(), candidate_labels=labels)
    assert len(str(caught.value)) < 400
