"""Custom channels from a table to a trained and evaluated model, using only the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sensorlm_hf import SensorDay, SensorLMFeatureExtractor, cli, get_schema, load_sensor_days
from sensorlm_hf.data import schema_of
from sensorlm_hf.data.captioning import folder_schema

RING = {
    "name": "ring-3",
    "channels": [
        {"key": "HR", "label": "heart rate", "modality": "PPG", "unit": "bpm", "mean": 68.0, "std": 14.0},
        {"key": "temp", "label": "skin temperature", "modality": "TEMP", "unit": "degC", "mean": 34.0, "std": 1.5},
        {"key": "spo2", "label": "blood oxygen", "modality": "PPG", "unit": "%", "mean": 96.0, "std": 2.0},
    ],
}


@pytest.fixture
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    rng = np.random.default_rng(0)
    minutes = pd.date_range("2024-03-01", periods=2 * 1440, freq="min", tz="UTC")
    wave = np.sin(np.arange(len(minutes)) / 180.0)
    table = pd.concat(
        pd.DataFrame(
            {
                "time": minutes.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "subject_id": f"person-{person}",
                "HR": 68 + 10 * wave + rng.normal(0, 2, len(minutes)),
                "temp": 34 - wave + rng.normal(0, 0.1, len(minutes)),
                "spo2": 96.0,
            }
        )
        for person in range(4)
    )
    table.to_csv(tmp_path / "ring.csv", index=False)
    (tmp_path / "ring-3.json").write_text(json.dumps(RING))
    return tmp_path


def test_train_and_evaluate_with_custom_channels(ring: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, days, model = str(ring / "ring.csv"), str(ring / "days"), str(ring / "model")
    convert = ["convert", "table", table, days, "--schema", str(ring / "ring-3.json"), "--salt", "s"]
    assert cli.main([*convert, "--validation-share", "0.4"]) == 0
    (ring / "ring-3.json").unlink()  # later commands find the schema next to the days
    assert folder_schema(days) == get_schema(RING)
    splits = load_sensor_days(days)
    assert set(splits) == {"train", "validation"}
    for rows in splits.values():
        assert schema_of(rows) == get_schema(RING)
        assert SensorDay.from_row(rows[0]).schema["temp"].std == 1.5

    train = [
        "train",
        "--data",
        days,
        "--output-dir",
        model,
        "--objective",
        "clip",
        "--epochs",
        "1",
        "--batch-size",
        "2",
    ]
    assert cli.main([*train, "--caption-keys", "low_level_caption=1", "--vocab-size", "400"]) == 0
    extractor = SensorLMFeatureExtractor.from_pretrained(model)
    assert extractor.to_schema().channels == get_schema(RING).channels

    assert cli.main(["caption", days, str(ring / "captioned"), "--keys", "low_level_caption"]) == 0
    assert folder_schema(ring / "captioned") == get_schema(RING)
    evaluate = ["evaluate", "--model", model, "--data", days, "--split", "train", "--tasks", "retrieval"]
    evaluate += ["--output-dir", str(ring / "results")]
    capsys.readouterr()
    assert cli.main([*evaluate, "--caption-key", "low_level_caption", "--json"]) == 0
    assert "retrieval" in capsys.readouterr().out
