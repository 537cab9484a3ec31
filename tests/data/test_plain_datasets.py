"""The tools of `datasets` on days: nothing here needs more than a folder and `SensorDay.from_row`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from transformers import Trainer, TrainingArguments, pipeline

from sensorlm_hf.data import SensorDayDataset, load_sensor_days, sensor_day_features, write_days
from sensorlm_hf.data.simulate import iter_simulated_days, simulate_days
from sensorlm_hf.days import SensorDay
from sensorlm_hf.modeling import SensorLMConfig, SensorLMModel
from sensorlm_hf.processing import SensorLMFeatureExtractor, SensorLMProcessor, train_tokenizer
from sensorlm_hf.processing.captions import CaptionBuilder

DAYS = simulate_days(6, seed=11, days_per_person=1)
FEATURES = sensor_day_features("sensorlm-26", 1440, DAYS[0].labels)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("days") / "days"
    write_days(DAYS, path, days_per_shard=3)
    return path


@pytest.fixture
def plain(folder: Path) -> datasets.Dataset:
    """The folder as `datasets` alone reads it."""
    return datasets.load_dataset(str(folder), split="train")


def simulated(seed: int = 11) -> Iterator[dict[str, Any]]:
    for day in iter_simulated_days(len(DAYS), seed=seed, days_per_person=1):
        yield day.to_row()


def encode(batch: dict[str, list[Any]]) -> dict[str, np.ndarray]:
    """Rows to model inputs, as in the documentation."""
    days = [SensorDay.from_row(dict(zip(batch, row, strict=True))) for row in zip(*batch.values(), strict=True)]
    inputs = SensorLMFeatureExtractor()(days, return_tensors="np")
    return {name: inputs[name] for name in ("sensor_values", "sensor_mask")}


ENCODED = datasets.Features(
    {
        "sensor_values": datasets.Array2D((1440, 26), "float32"),
        "sensor_mask": datasets.Array2D((1440, 26), "bool"),
    }
)


@pytest.mark.parametrize("kind", [None, "numpy", "torch"])
def test_rows_of_any_format_are_days(folder: Path, plain: datasets.Dataset, kind: str | None) -> None:
    stream = datasets.load_dataset(str(folder), split="train", streaming=True)
    for rows in (plain, stream):
        days = [SensorDay.from_row(row) for row in rows.with_format(kind)]
        if kind == "torch":  # which rounds all numbers to float32
            for found, day in zip(days, DAYS, strict=True):
                assert {
                    key: np.float32(v) if isinstance(v, float) else v for key, v in day.labels.items()
                } == found.labels
            days = [dataclasses.replace(found, labels=day.labels) for found, day in zip(days, DAYS, strict=True)]
        assert days == DAYS


def test_torch_format(plain: datasets.Dataset) -> None:
    rows = plain.with_format("torch", columns=["values"])
    assert rows[:2]["values"].shape == (2, 1440, 26)
    batch = next(iter(torch.utils.data.DataLoader(rows, batch_size=4, num_workers=2)))  # type: ignore[arg-type]
    assert batch["values"].dtype == torch.float32
    np.testing.assert_array_equal(batch["values"].numpy(), np.stack([day.values for day in DAYS[:4]]))


def test_map_in_batches_on_two_processes(plain: datasets.Dataset) -> None:
    encoded = plain.map(
        encode, batched=True, batch_size=2, num_proc=2, remove_columns=plain.column_names, features=ENCODED
    ).with_format("numpy")
    expected = SensorLMFeatureExtractor()(DAYS, return_tensors="np")
    np.testing.assert_array_equal(encoded[:]["sensor_values"], expected["sensor_values"])
    np.testing.assert_array_equal(encoded[:]["sensor_mask"], expected["sensor_mask"])


def test_stream_with_map_shuffle_and_pipeline(folder: Path) -> None:
    stream = datasets.load_dataset(str(folder), split="train", streaming=True)
    encoded = list(stream.map(encode, batched=True, batch_size=2, remove_columns=list(FEATURES)))
    expected = SensorLMFeatureExtractor()(DAYS, return_tensors="np")
    np.testing.assert_array_equal(np.stack([row["sensor_values"] for row in encoded]), expected["sensor_values"])
    shuffled = [SensorDay.from_row(row).sample_id for row in stream.shuffle(seed=1, buffer_size=4)]
    assert sorted(shuffled) == sorted(day.sample_id for day in DAYS)
    embed = pipeline("sensor-feature-extraction", model="sensorlm-coca")
    vectors = list(embed(stream.with_format("torch"), batch_size=4))
    np.testing.assert_allclose(np.stack(vectors), np.stack(embed(DAYS, batch_size=4)), atol=1e-5)


@pytest.mark.parametrize("streaming", [False, True])
def test_interleave_and_concatenate(folder: Path, tmp_path: Path, streaming: bool) -> None:
    other = simulate_days(3, seed=12, days_per_person=1)
    write_days(other, tmp_path / "other")
    parts = [
        datasets.load_dataset(str(path), split="train", streaming=streaming) for path in (folder, tmp_path / "other")
    ]
    days = [SensorDay.from_row(row) for row in datasets.interleave_datasets(parts)]
    assert days == [day for pair in zip(DAYS[:3], other, strict=True) for day in pair]
    mixed = datasets.interleave_datasets(parts, probabilities=[0.5, 0.5], seed=1, stopping_strategy="all_exhausted")
    assert {SensorDay.from_row(row).subject_id for row in mixed} == {day.subject_id for day in [*DAYS, *other]}
    assert [SensorDay.from_row(row) for row in datasets.concatenate_datasets(parts)] == [*DAYS, *other]


def test_generator_of_simulated_days() -> None:
    rows = datasets.Dataset.from_generator(simulated, features=FEATURES)
    assert rows.features == FEATURES
    assert [SensorDay.from_row(row) for row in rows] == DAYS
    assert SensorDayDataset(rows)[1]["day"] == DAYS[1]
    stream = datasets.IterableDataset.from_generator(simulated)
    assert [SensorDay.from_row(row) for row in stream] == DAYS
    # Without features the values are nested lists: slower, but the same.
    nested = datasets.Dataset.from_generator(simulated)
    assert nested.features["values"] != FEATURES["values"]
    assert SensorDay.from_row(nested[2]) == DAYS[2]


def test_filter_sort_split_and_files(plain: datasets.Dataset, tmp_path: Path) -> None:
    running = plain.filter(lambda row: any(event["kind"] == "sleep" for event in row["events"]), num_proc=2)
    assert running.num_rows == sum(bool(day.events_of("sleep")) for day in DAYS)
    parts = plain.sort("subject_id", reverse=True).train_test_split(2, seed=1)
    assert (parts["train"].num_rows, parts["test"].num_rows) == (4, 2)
    plain.save_to_disk(str(tmp_path / "disk"))
    plain.to_parquet(str(tmp_path / "days.parquet"))
    files = datasets.load_dataset("parquet", data_files=str(tmp_path / "days.parquet"), split="train")
    for again in (datasets.load_from_disk(str(tmp_path / "disk")), files):
        assert again.features == plain.features
        assert [SensorDay.from_row(row) for row in again] == DAYS


def test_features_are_ready_for_hub(folder: Path) -> None:
    """What `push_to_hub` writes: features in the YAML of the card, and in the metadata of the Parquet files."""
    assert datasets.load_dataset(str(folder), split="train").features == FEATURES
    assert datasets.Features._from_yaml_list(FEATURES._to_yaml_list()) == FEATURES
    assert datasets.Features.from_dict(FEATURES.to_dict()) == FEATURES
    rows = load_sensor_days(folder)
    assert rows["train"].features == FEATURES
    assert datasets.Features.from_arrow_schema(FEATURES.arrow_schema) == FEATURES


def test_plain_trainer_on_encoded_columns(plain: datasets.Dataset, tmp_path: Path) -> None:
    """A dataset of model inputs needs no collator and keeps its columns by the model's signature."""
    captions = CaptionBuilder().batch(DAYS)
    tokenizer = train_tokenizer(captions, vocab_size=300, max_length=40)
    processor = SensorLMProcessor(SensorLMFeatureExtractor(), tokenizer)
    encoded = plain.map(encode, batched=True, features=datasets.Features({**plain.features, **ENCODED}))
    texts = processor(text=captions, padding="max_length", max_length=40, return_tensors="np")
    for name in ("input_ids", "attention_mask"):
        encoded = encoded.add_column(name, list(texts[name]))
    config = SensorLMConfig.from_size(
        "clip", "tiny", hidden_size=16, intermediate_size=16, num_attention_heads=2, patch_minutes=120,
        vocab_size=len(tokenizer), max_position_embeddings=40, sensor_config={"num_hidden_layers": 1},
        text_config={"num_hidden_layers": 1},
    )  # fmt: skip
    trainer = Trainer(
        SensorLMModel(config),
        TrainingArguments(
            str(tmp_path), max_steps=2, per_device_train_batch_size=3, use_cpu=True, report_to=[], disable_tqdm=True,
            save_strategy="no",
        ),
        train_dataset=encoded.with_format("torch"),
        eval_dataset=encoded.with_format("torch"),
    )  # fmt: skip
    trainer.train()
    assert trainer.evaluate()["eval_loss"] > 0


def test_stream_where_length_is_needed_raises(folder: Path) -> None:
    stream = datasets.load_dataset(str(folder), split="train", streaming=True)
    with pytest.raises(TypeError, match="IterableDataset lacks: load the dataset without `streaming=True`"):
        SensorDayDataset(stream)
