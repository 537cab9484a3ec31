from __future__ import annotations

from collections import deque
from datetime import datetime, timezone
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from sensorlm_hf.days import SensorDay
from sensorlm_hf.pipelines.sensor_pipeline_items import DayLoader, ResultStream, classify_inputs, load_items
from sensorlm_hf.processing import SensorLMFeatureExtractor
from sensorlm_hf.schema import get_schema

KEYS = list(get_schema("sensorlm-26").keys)


@pytest.fixture(scope="module")
def loader() -> DayLoader:
    return DayLoader(SensorLMFeatureExtractor())


def values(level: float = 70.0) -> np.ndarray:
    day = np.full((1440, 26), np.nan, dtype=np.float32)
    day[:, 0] = level
    return day


def day(level: float = 70.0) -> SensorDay:
    return SensorDay(values(level), datetime(2024, 3, 1, tzinfo=timezone.utc), "p1")


def z(level: float) -> float:
    """Normalised heart rate, using the constants of the public release."""
    return (level - 75.9586) / 16.1887


class Squares:
    """Neither a list nor an iterable: only indexing and a length, like torch datasets."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> np.ndarray:
        return values(60 + index)


@pytest.mark.parametrize(
    ("inputs", "form"),
    [
        (day(), "item"),
        (values(), "item"),
        (torch.from_numpy(values()), "item"),
        (values().tolist(), "item"),
        (pd.DataFrame(values(), columns=KEYS), "item"),
        ({"values": values()}, "item"),
        ("recording.csv", "item"),
        (np.stack([values()] * 3), "list"),
        (torch.zeros(2, 1440, 26), "list"),
        (np.array([day(), day()], dtype=object), "list"),
        (np.array(["one.csv", "two.csv"]), "list"),
        ([], "list"),
        ([day()], "list"),
        ((day(), values()), "list"),
        ([values().tolist()], "list"),
        (pd.Series([day(), day()], index=["a", "b"]), "list"),
        (Squares(), "stream"),
        ((day() for _ in range(2)), "stream"),
        (deque([day()]), "stream"),
        ({"a": day()}.values(), "stream"),
    ],
)
def test_inputs_are_classified_by_type(inputs, form):
    assert classify_inputs(inputs, SensorLMFeatureExtractor)[0] == form


@pytest.mark.parametrize("wrong", [None, 5, 7.5, b"bytes", True, object()])
def test_unsupported_input_raises_type_error(wrong):
    with pytest.raises(TypeError, match=r"takes a SensorDay.*DataFrame.*got"):
        classify_inputs(wrong, SensorLMFeatureExtractor)


@pytest.mark.parametrize(
    "item",
    [
        day(),
        values(),
        values().astype(np.float64),
        torch.from_numpy(values()),
        torch.from_numpy(values()).to(torch.bfloat16),
        values().tolist(),
        pd.DataFrame(values(), columns=KEYS),
        pd.DataFrame(values()[:, ::-1], columns=KEYS[::-1]),
        {"values": values(), "schema": "sensorlm-26", "subject_id": "p1"},
        {"values": values().tolist()},
        {"values": torch.from_numpy(values())},
    ],
)
@pytest.mark.filterwarnings("ignore:Channels absent")
def test_every_form_of_a_day_gives_same_model_inputs(loader, item):
    features, single = loader(item)
    assert single
    assert len(features) == 1
    assert features[0]["sensor_values"].shape == features[0]["sensor_mask"].shape == (1, 1440, 26)
    assert features[0]["sensor_values"][0, :, 0] == pytest.approx(z(70.0), abs=1e-5)
    assert features[0]["sensor_mask"].sum(axis=(0, 1)).tolist() == [1440] + [0] * 25


def test_multiple_days_keep_their_order(loader):
    levels = [60.0, 70.0, 80.0]
    for item in (
        np.stack([values(level) for level in levels]),
        [day(level) for level in levels],
        {"values": np.stack([values(level) for level in levels])},
    ):
        features, single = loader(item)
        assert not single
        assert [f["sensor_values"][0, 0, 0] for f in features] == pytest.approx(
            [z(level) for level in levels], abs=1e-5
        )


def test_row_with_other_schema_is_matched_by_channel_name():
    schema = get_schema("sensorlm-26").to_dict() | {"name": "turned"}
    turned = SensorLMFeatureExtractor(schema | {"channels": schema["channels"][::-1]})
    features, _ = DayLoader(turned)({"values": values(90.0), "schema": "sensorlm-26"})
    assert features[0]["sensor_mask"].sum(axis=(0, 1)).tolist() == [0] * 25 + [1440]
    assert features[0]["sensor_values"][0, 0, 25] == pytest.approx(z(90.0), abs=1e-5)


@pytest.mark.filterwarnings("ignore:Channels absent")
def test_columns_option_names_array_channels():
    narrow = np.stack([np.full(1440, 4.0), np.full(1440, 90.0)], axis=1)
    features, _ = DayLoader(SensorLMFeatureExtractor(), columns=["steps", "HR"])(narrow)
    assert features[0]["sensor_values"][0, 0, 0] == pytest.approx(z(90.0), abs=1e-5)
    assert features[0]["sensor_mask"].sum(axis=(0, 1)).nonzero()[0].tolist() == [KEYS.index("HR"), KEYS.index("steps")]


def test_allow_empty():
    features, _ = DayLoader(SensorLMFeatureExtractor(), allow_empty=True)(np.full((1440, 26), np.nan))
    assert not features[0]["sensor_mask"].any()
    assert not features[0]["sensor_values"].any()


def test_inputs_are_not_modified(loader):
    mine = values()
    mine[100:200] = np.nan
    before = mine.copy()
    loader(mine)
    assert np.array_equal(mine, before, equal_nan=True)


@pytest.mark.parametrize(
    ("item", "kind", "message"),
    [
        (np.zeros((1440, 5)), ValueError, r"^item 4: .*1440, 26"),
        (np.zeros(1440), ValueError, r"^item 4: .*shape"),
        (np.zeros((1, 2, 1440, 26)), ValueError, r"^item 4: an array must have the shape .* \(1, 2, 1440, 26\)"),
        (np.zeros((0, 1440, 26)), ValueError, r"^item 4: an array .* \(0, 1440, 26\)"),
        ([], ValueError, r"^item 4: the list is empty"),
        ([np.zeros((2, 1440, 26))], ValueError, r"^item 4: part 0 of the list"),
        ([values(), values()[:7]], ValueError, r"^item 4, day 1: .*1440"),
        (np.stack([values(), np.full((1440, 26), np.inf)]), ValueError, r"^item 4, day 1: the day is infinite"),
        ({"subject_id": "p"}, ValueError, r"^item 4: a row must contain a day in `values`.*'subject_id'"),
        ({}, ValueError, r"^item 4: a row must contain.*nothing"),
        (3, TypeError, r"^item 4: a day is a SensorDay.*got int"),
        (None, TypeError, r"^item 4: .*got None"),
        ("no/such/file.csv", FileNotFoundError, r"^item 4: 'no/such/file.csv' does not exist"),
        (np.full((1440, 26), "a"), TypeError, r"^item 4: "),
        (
            np.full((1440, 26), np.nan),
            ValueError,
            r"^item 4: the day has no plausible observed value.*allow_empty=True",
        ),
    ],
)
def test_errors_report_item_and_day(loader, item, kind, message):
    with pytest.raises(kind, match=message):
        loader(item, 4)


def test_error_for_single_item_has_no_index(loader):
    with pytest.raises(ValueError, match=r"^The day has no plausible observed value"):
        loader(np.full((1440, 26), np.nan))
    with pytest.raises(ValueError, match=r"^The list is empty"):
        loader([])
    with pytest.raises(ValueError, match=r"^day 1: "):
        loader([values(), np.zeros((1440, 5))])


@pytest.mark.parametrize("items", [[values(60 + i) for i in range(5)], Squares()])
def test_workers_match_main_process(loader, items):
    def levels(workers: int) -> list[float]:
        return [float(features[0]["sensor_values"][0, 0, 0]) for features, _ in load_items(items, loader, workers)]

    assert levels(2) == levels(0)
    assert levels(0) == pytest.approx([z(60 + i) for i in range(len(items))], abs=1e-5)


def test_iterable_is_read_once_by_one_worker(loader):
    stream = (values(60 + i) for i in range(3))
    assert len(list(load_items(stream, loader, num_workers=2))) == 3


def test_error_in_worker_reports_item(loader):
    items = [values(), np.zeros((3, 3))]
    with pytest.raises(ValueError, match="item 1: "):
        list(load_items(items, loader, num_workers=1))


def test_paths_without_package_raise_with_install_hint(loader, monkeypatch, tmp_path):
    def missing(name: str) -> SimpleNamespace:
        raise ImportError(f"No module named {name!r}")

    np.save(tmp_path / "day.npy", values())
    monkeypatch.setattr("sensorlm_hf.pipelines.sensor_pipeline_items.importlib.import_module", missing)
    with pytest.raises(ImportError, match=r"pip install sensorlm-hf.*array of shape"):
        loader(tmp_path / "day.npy")


def test_result_stream_has_length_only_if_known():
    stream = ResultStream(lambda: iter("ab"), 2)
    assert len(stream) == 2
    assert list(stream) == list(stream) == ["a", "b"]
    endless = ResultStream(lambda: iter("ab"), None)
    assert list(endless) == ["a", "b"]
    with pytest.raises(TypeError, match="not known"):
        len(endless)
