"""Model repositories: complete, loadable with and without the package, and backward compatible."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMultimodalLM,
    AutoModelForSequenceClassification,
    AutoProcessor,
    pipeline,
)

from sensorlm_hf import (
    SensorLMForConditionalGeneration,
    SensorLMForSensorClassification,
    SensorLMModel,
    SensorLMProcessor,
    hub,
)
from sensorlm_hf.modeling import SensorLMConfig, SensorLMSensorModel, SensorLMTextModel

sys.path.insert(0, str(Path(__file__).parent / "fixtures"))
from make_tiny_checkpoint import GOLDEN, TEXTS, golden_days, outputs

TINY = Path(__file__).parent / "fixtures" / "tiny-coca"

EMBED, ZERO_SHOT, CAPTION = "sensor-feature-extraction", "zero-shot-sensor-classification", "sensor-captioning"


@pytest.fixture(scope="module")
def model() -> SensorLMForConditionalGeneration:
    return SensorLMForConditionalGeneration.from_pretrained(TINY, dtype=torch.float32)


@pytest.fixture(scope="module")
def processor() -> SensorLMProcessor:
    return SensorLMProcessor.from_pretrained(TINY)


@pytest.fixture(scope="module")
def repository(model, processor, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("hub") / "repo"
    hub.save_repository(model, processor, folder)
    return folder


def test_committed_checkpoint_matches_golden_outputs(model, processor):
    assert sum(path.stat().st_size for path in TINY.iterdir()) < 100_000
    golden = json.loads((TINY / GOLDEN).read_text(encoding="utf-8"))
    now = outputs(model, processor)
    assert now.keys() == golden.keys()
    for name in ("input_ids", "observed", "generated"):
        assert now[name] == golden[name], name
    for name in golden.keys() - {"input_ids", "observed", "generated"}:
        np.testing.assert_allclose(now[name], golden[name], atol=1e-5, rtol=1e-4, err_msg=name)


def test_repository_is_complete(repository, model):
    names = {path.name for path in repository.iterdir()}
    assert {"README.md", "config.json", "generation_config.json", "model.safetensors", "processor_config.json",
            "tokenizer.json", "tokenizer_config.json", "modeling_sensorlm.py", "text_backbone_sensorlm.py",
            "feature_extraction_sensorlm.py", "sensor_captioning.py"} <= names  # fmt: skip
    assert not any(name.endswith(".partial") for name in names)
    config = json.loads((repository / "config.json").read_text())
    assert config["auto_map"] == {
        "AutoConfig": "configuration_sensorlm.SensorLMConfig",
        "AutoModel": "modeling_sensorlm.SensorLMModel",
        "AutoModelForMultimodalLM": "generation_sensorlm.SensorLMForConditionalGeneration",
    }
    assert set(config["custom_pipelines"]) == {EMBED, ZERO_SHOT, CAPTION}
    assert config["custom_pipelines"][CAPTION]["pt"] == ["AutoModelForMultimodalLM"]
    assert config["custom_pipelines"][EMBED]["pt"][0] == "AutoModel"
    # The model in memory and its classes are unchanged.
    assert not hasattr(model.config, "custom_pipelines")
    assert getattr(model.config, "auto_map", None) is None
    assert SensorLMForConditionalGeneration._auto_class is None
    card = (repository / "README.md").read_text()
    assert card.startswith("---\n")
    assert 'pipeline("zero-shot-sensor-classification", model="repo", trust_remote_code=True)' in card
    assert "`HR`" in card


def test_no_remote_code_needed_with_package(repository, model, processor):
    values = golden_days(processor.feature_extractor)
    loaded = AutoModel.from_pretrained(repository, trust_remote_code=False)
    assert type(loaded) is SensorLMModel
    generative = AutoModelForMultimodalLM.from_pretrained(repository, trust_remote_code=False)
    assert type(generative) is SensorLMForConditionalGeneration
    assert type(AutoProcessor.from_pretrained(repository, trust_remote_code=False)) is SensorLMProcessor
    assert type(AutoConfig.from_pretrained(repository)) is SensorLMConfig
    embed = pipeline(EMBED, model=str(repository))
    inputs = processor(sensor=values)
    with torch.no_grad():
        expected = model(**inputs).sensor_embeds
    np.testing.assert_allclose(np.stack(embed(values)), expected, atol=1e-6)


LOAD = """
import json, sys
sys.modules["sensorlm_hf"] = None  # from here on, importing the package fails
import numpy as np, torch
from transformers import (AutoModel, AutoModelForMultimodalLM, AutoModelForSequenceClassification, AutoProcessor,
                          AutoTokenizer, pipeline)
trust = {"trust_remote_code": True}
model = AutoModelForMultimodalLM.from_pretrained("repo", **trust)
base = AutoModel.from_pretrained("repo", **trust)
for loaded, name in ((model, "SensorLMForConditionalGeneration"), (base, "SensorLMModel")):
    assert type(loaded).__module__.startswith("transformers_modules."), type(loaded).__module__
    assert type(loaded).__name__ == name
processor = AutoProcessor.from_pretrained("repo", **trust)
values, texts = np.load("days.npy"), json.load(open("texts.json"))
inputs = processor(sensor=values, text=texts)
assert AutoTokenizer.from_pretrained("repo")(texts)["input_ids"][0][0] == 1
with torch.no_grad():
    output = model(**inputs)
    assert torch.equal(base(**inputs).logits_per_sensor, output.logits_per_sensor)
    tokens = model.generate(sensor_values=inputs["sensor_values"], sensor_mask=inputs["sensor_mask"], max_new_tokens=6,
                            eos_token_id=None)
embeds = np.stack(pipeline("sensor-feature-extraction", model="repo", **trust)(values))
scores = pipeline("zero-shot-sensor-classification", model="repo", **trust)(values[0], ["running", "rest"])
text = pipeline("sensor-captioning", model="repo", **trust)(values[0], max_new_tokens=6)[0]["generated_text"]
probe = AutoModelForSequenceClassification.from_pretrained("probe", **trust)
assert type(probe).__module__.startswith("transformers_modules."), type(probe).__module__
with torch.no_grad():
    classes = probe(inputs["sensor_values"], inputs["sensor_mask"]).logits
json.dump({"sensor_embeds": output.sensor_embeds.tolist(), "logits": output.logits.tolist(),
           "tokens": tokens.tolist(), "embeds": embeds.tolist(), "text": text, "classes": classes.tolist(),
           "scores": {entry["label"]: entry["score"] for entry in scores}}, open("out.json", "w"))
"""


def test_remote_code_works_without_package(repository, model, processor):
    folder = repository.parent
    values = golden_days(processor.feature_extractor)
    np.save(folder / "days.npy", values)
    (folder / "texts.json").write_text(json.dumps(TEXTS))
    probe = SensorLMForSensorClassification.from_pretrained(TINY, num_labels=3, dtype=torch.float32)
    hub.save_repository(probe, processor, folder / "probe")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_MODULES_CACHE": str(folder / "modules"), "PYTHONPATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", LOAD], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    out = json.loads((folder / "out.json").read_text())
    inputs = processor(sensor=values, text=TEXTS)
    with torch.no_grad():
        expected = model(**inputs)
    np.testing.assert_array_equal(out["sensor_embeds"], expected.sensor_embeds)
    np.testing.assert_array_equal(out["logits"], expected.logits)
    with torch.no_grad():
        classes = probe.eval()(inputs["sensor_values"], inputs["sensor_mask"]).logits
    np.testing.assert_array_equal(out["classes"], classes)
    assert out["tokens"] == json.loads((TINY / GOLDEN).read_text())["generated"]
    embeds = np.stack(pipeline(EMBED, model=str(repository))(values))
    np.testing.assert_array_equal(out["embeds"], embeds.tolist())
    scores = pipeline(ZERO_SHOT, model=str(repository))(values[0], ["running", "rest"])
    assert out["scores"] == {entry["label"]: entry["score"] for entry in scores}
    assert out["text"] == pipeline(CAPTION, model=str(repository))(values[0], max_new_tokens=6)[0]["generated_text"]


def test_registered_models_save_remote_code(model, processor, tmp_path, monkeypatch):
    for kind in hub._AUTO_CLASSES:
        monkeypatch.setattr(kind, "_auto_class", kind._auto_class)
    hub.register_for_auto_class()
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    model.config.__dict__.pop("auto_map", None)
    names = {path.name for path in tmp_path.glob("*.py")}
    sources = Path(hub.__file__).parent
    assert {path.name for path in (sources / "modeling").glob("*_sensorlm.py")} - names == {
        "classification_sensorlm.py",
        "factory_sensorlm.py",
    }
    assert {path.name for path in (sources / "processing").glob("*_sensorlm.py")} <= names


@pytest.mark.parametrize("source", ["before the split", "after"])
@pytest.mark.parametrize(
    ("auto_class", "kind", "absent"),
    [
        (AutoModel, SensorLMModel, set()),
        (AutoModelForMultimodalLM, SensorLMForConditionalGeneration, set()),
        (SensorLMForSensorClassification, SensorLMForSensorClassification, {"classifier.weight", "classifier.bias"}),
        (SensorLMSensorModel, SensorLMSensorModel, set()),
        (SensorLMTextModel, SensorLMTextModel, set()),
    ],
)
def test_every_model_class_loads_from_repository(repository, source, auto_class, kind, absent, tmp_path):
    folder = TINY if source == "before the split" else repository
    loaded, report = auto_class.from_pretrained(folder, output_loading_info=True)
    assert type(loaded) is kind
    assert report["missing_keys"] == absent
    assert not report["unexpected_keys"]
    assert not report["mismatched_keys"]
    # When saved again, weights have the class's own parameter names, prefixed for the base model below a decoder.
    loaded.save_pretrained(tmp_path)
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        names = set(file.keys())
    assert names == set(loaded.state_dict())
    first = {name.split(".")[0] for name in names}
    assert (
        first
        == {
            SensorLMModel: {"sensor_model", "text_model", "logit_scale"},
            SensorLMForConditionalGeneration: {"sensorlm", "decoder"},
            SensorLMForSensorClassification: {"sensor_model", "classifier"},
            SensorLMSensorModel: {"embeddings", "encoder", "post_layernorm", "head"},
            SensorLMTextModel: {"embeddings", "encoder", "final_layer_norm", "head"},
        }[kind]
    )
    again, report = kind.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report[name] for name in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    for name, value in loaded.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name


def test_repository_tasks_match_model(model, processor, tmp_path):
    shape = {"channel_keys": processor.feature_extractor.channel_keys, "vocab_size": len(processor.tokenizer)}
    both = {"AutoConfig": "configuration_sensorlm.SensorLMConfig", "AutoModel": "modeling_sensorlm.SensorLMModel"}
    for objective, kind, tasks, shown in (
        ("siglip", SensorLMModel, {EMBED, ZERO_SHOT}, ZERO_SHOT),
        ("cap", SensorLMModel, {EMBED}, None),
        ("cap", SensorLMForConditionalGeneration, {EMBED, ZERO_SHOT, CAPTION}, CAPTION),
    ):
        folder = tmp_path / f"{objective}-{kind.__name__}"
        hub.save_repository(kind(SensorLMConfig.from_size(objective, "tiny", **shape)), processor, folder)
        config = json.loads((folder / "config.json").read_text())
        assert set(config["custom_pipelines"]) == tasks
        generative = kind is SensorLMForConditionalGeneration
        assert config["auto_map"] == (
            {**both, "AutoModelForMultimodalLM": "generation_sensorlm.SensorLMForConditionalGeneration"}
            if generative
            else both
        )
        card = (folder / "README.md").read_text()
        assert ("AutoModelForMultimodalLM.from_pretrained" if generative else "AutoModel.from_pretrained") in card
        assert card.count("pipeline(") == (shown is not None)
        assert shown is None or f'pipeline("{shown}"' in card


def test_classifiers_and_custom_cards(processor, tmp_path):
    model = SensorLMForSensorClassification.from_pretrained(TINY, num_labels=3, dtype=torch.float32)
    hub.save_repository(model, processor, tmp_path / "probe", card="# Mine\n")
    assert (tmp_path / "probe" / "README.md").read_text() == "# Mine\n"
    hub.save_repository(model, processor, tmp_path / "probe")  # saving again keeps the card
    assert (tmp_path / "probe" / "README.md").read_text() == "# Mine\n"
    config = json.loads((tmp_path / "probe" / "config.json").read_text())
    assert config["auto_map"]["AutoModelForSequenceClassification"].startswith("classification_sensorlm.")
    assert "custom_pipelines" not in config
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path / "probe")
    inputs = processor(sensor=golden_days(processor.feature_extractor))
    with torch.no_grad():
        assert torch.equal(loaded(**inputs).logits, model.eval()(**inputs).logits)
    plain = hub.save_repository(model, processor, tmp_path / "plain", remote_code=False)
    assert not [path for path in plain if path.suffix == ".py"]
    assert "import sensorlm_hf" in (tmp_path / "plain" / "README.md").read_text()


def test_push_uploads_one_folder(model, processor, monkeypatch):
    calls = []

    class Api:
        def __init__(self, token=None):
            calls.append(("token", token))

        def create_repo(self, repo_id, private, exist_ok):
            calls.append((repo_id, private, exist_ok))

        def upload_folder(self, repo_id, folder_path, commit_message):
            calls.append((repo_id, commit_message, {path.name for path in Path(folder_path).iterdir()}))
            return "https://huggingface.co/you/x/commit/1"

    monkeypatch.setattr(hub, "HfApi", Api)
    assert hub.push_repository(model, processor, "you/x", private=True, token="t").endswith("/commit/1")
    assert calls[:2] == [("token", "t"), ("you/x", True, True)]
    assert {"model.safetensors", "tokenizer.json", "README.md", "modeling_sensorlm.py"} <= calls[2][2]


def test_invalid_arguments_raise(model, processor, tmp_path):
    with pytest.raises(TypeError, match=r"SensorLMModel or .* or SensorLMForSensorClassification, got Linear"):
        hub.save_repository(torch.nn.Linear(1, 1), processor, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="must be a folder"):
        hub.save_repository(model, processor, tmp_path / "file")
    other = SensorLMProcessor.from_pretrained(TINY)
    other.feature_extractor = type(other.feature_extractor)("sensorlm-34")
    with pytest.raises(ValueError, match="are not those of the model"):
        hub.save_repository(model, other, tmp_path / "new")
    assert not (tmp_path / "new").exists()
