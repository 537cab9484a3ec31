"""Runs that train parts of a model: frozen towers and LoRA."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from sensorlm_hf.checkpoints import demo_checkpoint
from sensorlm_hf.cli import main
from sensorlm_hf.data import write_cohort
from sensorlm_hf.modeling import SensorLMForConditionalGeneration, load_pretrained
from sensorlm_hf.training.pretrain import PretrainOptions, freeze


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cohort") / "days"
    write_cohort(path, people=12, days_per_person=1, seed=4)
    return path


def fine_tune(folder: Path, output: Path, *words: str) -> None:
    common = ["--data", str(folder), "--output-dir", str(output), "--init-from", str(demo_checkpoint())]
    common += ["--batch-size", "4", "--max-text-length", "48", "--max_steps", "2", "--save_strategy", "no"]
    assert main(["train", *common, "--report_to", "none", "--use_cpu", "--disable_tqdm", "true", *words]) == 0


def changed(output: Path) -> set[str]:
    """Names of the weights changed by a run."""
    before = load_pretrained(demo_checkpoint(), dtype=torch.float32).state_dict()
    after = load_pretrained(output, dtype=torch.float32).state_dict()
    assert set(before) == set(after)
    return {name for name, weight in after.items() if not torch.equal(weight, before[name])}


@pytest.mark.parametrize("part", ["sensor", "text"])
def test_frozen_tower_is_unchanged(folder: Path, tmp_path: Path, part: str) -> None:
    fine_tune(folder, tmp_path, f"--freeze-{part}")
    names = changed(tmp_path)
    assert not [name for name in names if name.startswith(f"sensorlm.{part}_model.")]
    other = "text" if part == "sensor" else "sensor"
    assert [name for name in names if name.startswith(f"sensorlm.{other}_model.")]
    assert [name for name in names if name.startswith("decoder.")]


def test_lora_trains_selected_layers_and_saves_adapter_and_merged_model(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("sensorlm_hf.training.lora")
    fine_tune(folder, tmp_path, "--lora", "sensor,decoder")
    names = changed(tmp_path)
    assert names
    assert all(name.startswith(("sensorlm.sensor_model.", "decoder.")) and name.endswith(".weight") for name in names)
    assert {name.split(".")[0] for name in names} == {"sensorlm", "decoder"}
    assert {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json"} <= {
        path.name for path in (tmp_path / "adapter").iterdir()
    }
    # The original model with the adapter matches the merged model.
    original = SensorLMForConditionalGeneration.from_pretrained(demo_checkpoint(), dtype=torch.float32).eval()
    original.load_adapter(str(tmp_path / "adapter"))
    merged = SensorLMForConditionalGeneration.from_pretrained(tmp_path, dtype=torch.float32).eval()
    days = torch.randn(2, 1440, 26)
    torch.testing.assert_close(
        original.get_sensor_features(days), merged.get_sensor_features(days), rtol=1e-4, atol=1e-5
    )
    assert json.loads((tmp_path / "training.json").read_text())["options"]["lora"] == ["sensor", "decoder"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"freeze": ("decoder",)}, "accepts sensor and text, got 'decoder'"),
        ({"freeze": ("sensor", "text"), "objective": "clip"}, "objective 'clip' would only train its temperature"),
        ({"freeze": ("sensor",), "lora": ("text",)}, "`freeze` cannot be combined with it"),
        (
            {"data": "simulated:9", "streaming": True},
            "'simulated:9' is generated in memory and has no shards to stream",
        ),
    ],
)
def test_contradictory_options_raise_before_loading(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PretrainOptions(**options)


def test_freezing_other_modules_raises() -> None:
    model = load_pretrained(demo_checkpoint())
    with pytest.raises(ValueError, match="got 'head'"):
        freeze(model, ["head"])
