"""Packaged checkpoints load by name from any folder, without network access."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import AutoConfig, AutoModel, feature_extraction_utils, modeling_utils, pipelines
from transformers.models.auto import auto_factory
from transformers.utils import hub

from sensorlm_hf import SensorLMConfig, SensorLMModel
from sensorlm_hf._registration import register
from sensorlm_hf.checkpoints import demo_checkpoint, packaged_checkpoint, training_record

ROOT = Path(__file__).resolve().parents[1]
TINY = ROOT / "tests/fixtures/tiny-coca"

# A socket that cannot connect: loading must not need the Hub, whatever the environment variables.
USE = """
import json, socket

asked = []
def refuse(*args, **kwargs):
    asked.append(str(args[:2]))
    raise OSError("this test has no network")

socket.socket.connect = socket.socket.connect_ex = socket.create_connection = socket.getaddrinfo = refuse

from transformers import AutoModel, pipeline  # before the package, which must not matter
import sensorlm_hf
from transformers import AutoConfig, AutoFeatureExtractor, AutoProcessor, AutoTokenizer, GenerationConfig
from sensorlm_hf.training import lora_config

name = "sensorlm-coca"
kinds = (AutoConfig, AutoModel, AutoProcessor, AutoFeatureExtractor, AutoTokenizer, GenerationConfig,
         sensorlm_hf.SensorLMConfig, sensorlm_hf.SensorLMModel, sensorlm_hf.SensorLMProcessor)
loaded = [type(kind.from_pretrained(name)).__name__ for kind in kinds]
model, info = AutoModel.from_pretrained(pretrained_model_name_or_path=name, output_loading_info=True)
day = sensorlm_hf.simulate_days(1, seed=2024)[0]
tasks = ("zero-shot-sensor-classification", "sensor-captioning", "sensor-feature-extraction")
pipes = [pipeline(task, model=name) for task in tasks]
label = pipes[0](day, candidate_labels=["running", "yoga"])[0]["label"]
without_adapter = asked[:]

from peft import get_peft_model
get_peft_model(model, lora_config(model, parts=("sensor",))).save_pretrained("adapter")
base = json.load(open("adapter/adapter_config.json"))["base_model_name_or_path"]
asked.clear()
adapted = AutoModel.from_pretrained("adapter")
print(json.dumps({
    "loaded": loaded, "names": [model.name_or_path, model.config.name_or_path], "missing": len(info["missing_keys"]),
    "label": label, "asked": without_adapter, "base": base,
    "adapted": [type(adapted).__name__, adapted.active_adapters()],
    "asked_for_adapter": asked,
}))
"""


def test_documented_usage_works_offline_in_any_folder(tmp_path: Path) -> None:
    paths = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    done = subprocess.run(
        [sys.executable, "-c", USE],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": paths, "HF_HOME": str(tmp_path / "cache")},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    own = ["SensorLMConfig", "SensorLMModel", "SensorLMProcessor"]
    assert result["loaded"][:4] == [*own, "SensorLMFeatureExtractor"]
    assert result["loaded"][5:] == ["GenerationConfig", *own]
    assert result["names"] == ["sensorlm-coca"] * 2
    assert result["missing"] == 0
    assert result["label"] == "yoga"
    assert result["base"] == "sensorlm-coca", "the adapter should not contain a local path"
    assert result["adapted"] == ["SensorLMModel", ["default"]]
    assert result["asked_for_adapter"] == []
    assert [words for words in result["asked"] if "huggingface" in words] == []


def test_local_folder_takes_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert packaged_checkpoint("sensorlm-coca") == demo_checkpoint()
    shipped = AutoConfig.from_pretrained("sensorlm-coca")
    (tmp_path / "sensorlm-coca").symlink_to(TINY, target_is_directory=True)
    assert packaged_checkpoint("sensorlm-coca") is None
    own = AutoConfig.from_pretrained("sensorlm-coca")
    assert own.text_config.hidden_size == SensorLMConfig.from_pretrained(TINY).text_config.hidden_size
    assert own.text_config.hidden_size != shipped.text_config.hidden_size


@pytest.mark.parametrize("name", ["sensorlm-cocoa", "you/sensorlm-coca", "SensorLM-CoCa"])
def test_other_names_are_not_resolved(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert packaged_checkpoint(name) is None
    for kind in (AutoConfig, AutoModel, SensorLMModel):
        with pytest.raises(OSError, match=r"couldn't find them in the cached files|couldn't connect"):
            kind.from_pretrained(name, cache_dir=tmp_path, local_files_only=True)


def test_revision_with_packaged_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert AutoConfig.from_pretrained("sensorlm-coca", revision="main").model_type == "sensorlm"
    with pytest.raises(OSError, match=r"couldn't find them in the cached files|couldn't connect"):
        AutoConfig.from_pretrained("sensorlm-coca", revision="v1", cache_dir=tmp_path, local_files_only=True)


def test_registering_twice_has_no_effect() -> None:
    asking = (pipelines, auto_factory, feature_extraction_utils, modeling_utils)
    places = [(hub, "cached_files"), *((module, "resolve_revision") for module in asking)]
    before = [getattr(module, name) for module, name in places]
    loaders = [kind.from_pretrained.__func__ for kind in (AutoConfig, AutoModel, SensorLMModel)]
    register()
    assert [getattr(module, name) for module, name in places] == before
    assert [kind.from_pretrained.__func__ for kind in (AutoConfig, AutoModel, SensorLMModel)] == loaders
    assert AutoModel.from_pretrained.__doc__ == loaders[1].__wrapped__.__doc__


def test_training_record_is_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert training_record("sensorlm-coca") == training_record(demo_checkpoint())
