"""The demo model and training records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sensorlm_hf.checkpoints import demo_checkpoint, records_folder, training_options, training_record


def test_model_folder_contains_only_required_files() -> None:
    names = {path.name for path in Path(demo_checkpoint()).iterdir()}
    assert names == {
        "README.md",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "processor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert {path.name for path in records_folder(demo_checkpoint()).iterdir()} == {"evaluation.json", "training.json"}


def test_demo_model_record_is_found_from_folder_or_symlink(tmp_path: Path) -> None:
    assert training_options(demo_checkpoint())["objective"] == "coca"
    (tmp_path / "linked").symlink_to(demo_checkpoint())
    assert training_record(tmp_path / "linked") == training_record(demo_checkpoint())


def test_run_record_is_in_its_folder(tmp_path: Path) -> None:
    model = tmp_path / "mine"
    model.mkdir()
    assert training_record(model) is None
    assert training_record(None) is None
    assert training_record("someone/model-on-the-hub") is None
    published = records_folder(model)
    published.mkdir(parents=True)
    (published / "training.json").write_text(json.dumps({"seed": 1}))
    assert training_record(model) == {"seed": 1}
    (model / "training.json").write_text(json.dumps({"seed": 2}))
    assert training_record(model) == {"seed": 2}
    (model / "training.json").write_text("[]")
    with pytest.raises(ValueError, match=r"training\.json is not a training record"):
        training_record(model)
