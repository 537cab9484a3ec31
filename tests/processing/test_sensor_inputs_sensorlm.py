"""Detection of single-day inputs."""

from __future__ import annotations

import datasets
import numpy as np
import pandas as pd
import pytest
import torch
from extraction_cases import KEYS, plausible, sensor_day

from sensorlm_hf.processing import SensorLMFeatureExtractor
from sensorlm_hf.processing.sensor_inputs_sensorlm import is_one_day

DAY = plausible(1)[0]

ONE = {
    "SensorDay": sensor_day(DAY),
    "array": DAY,
    "tensor": torch.from_numpy(DAY),
    "table": pd.DataFrame(DAY, columns=KEYS),
    "nested list": DAY.tolist(),
    "list that begins with a missing value": [[None, 1.0], [2.0, 3.0]],
    "list of minutes": list(DAY),
}
OTHER = {
    "several days": plausible(2),
    "tensor of days": torch.zeros(2, 4, 3),
    "list of days": [DAY],
    "list of records": [sensor_day(DAY)],
    "list of nested lists": [DAY.tolist()],
    "empty list": [],
    "minute": DAY[0],
    "row": {"values": DAY},
    "dataset": datasets.Dataset.from_dict({"values": [[1.0]]}),
    "column": pd.Series([1.0, 2.0]),
    "path": "day.csv",
    "generator": (day for day in [DAY]),
    "nothing": None,
}


@pytest.mark.parametrize("name", ONE)
def test_single_days_are_recognised(name: str) -> None:
    assert is_one_day(ONE[name])
    assert SensorLMFeatureExtractor.is_one_day(ONE[name])


@pytest.mark.parametrize("name", OTHER)
def test_other_inputs_are_not_single_days(name: str) -> None:
    assert not is_one_day(OTHER[name])


def test_dataset_with_schema_is_not_a_single_day() -> None:
    class Days(list):
        schema = "sensorlm-26"

        def values(self) -> list:
            return list(self)

    assert not is_one_day(Days([np.zeros((2, 3))]))
