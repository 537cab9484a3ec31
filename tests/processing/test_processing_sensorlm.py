from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys
from datetime import datetime, timezone

import numpy as np
import pytest
import torch
from transformers import AutoFeatureExtractor, AutoProcessor, AutoTokenizer, BatchFeature

from sensorlm_hf.days import Event, SensorDay
from sensorlm_hf.processing import SensorLMFeatureExtractor, SensorLMProcessor, extend_tokenizer, train_tokenizer

TEXTS = [f"Mean heart rate {rate / 10:.1f} bpm; went running." for rate in range(600, 900, 7)]


def values(days: int = 2) -> np.ndarray:
    extractor = SensorLMFeatureExtractor()
    rng = np.random.default_rng(2)
    array = np.asarray(extractor.channel_means) + 0.3 * np.asarray(extractor.channel_stds) * rng.uniform(
        -1, 1, (days, 1440, 26)
    )
    array = np.clip(array, *np.array([channel["valid_range"] for channel in extractor.channels]).T)
    array[:, 200:300] = np.nan
    return array.astype(np.float32)


@pytest.fixture(scope="module")
def processor() -> SensorLMProcessor:
    return SensorLMProcessor(SensorLMFeatureExtractor(), train_tokenizer(TEXTS, vocab_size=400, max_length=32))


def test_sensor_and_text_together(processor):
    days, texts = values(), ["Running.", "Heart rate 72.5 bpm, running."]
    out = processor(sensor=days, text=texts)
    assert isinstance(out, BatchFeature)
    assert list(out) == ["sensor_values", "sensor_mask", "input_ids", "attention_mask"]
    assert list(out) == processor.model_input_names
    assert out["sensor_values"].shape == (2, 1440, 26)
    torch.testing.assert_close(out["sensor_values"], processor.feature_extractor(days)["sensor_values"])
    assert out["input_ids"].tolist() == processor.tokenizer(texts, padding=True)["input_ids"]
    assert out["attention_mask"].sum(1).tolist() == [len(ids) for ids in processor.tokenizer(texts)["input_ids"]]
    assert processor.batch_decode(out["input_ids"], skip_special_tokens=True) == [text.lower() for text in texts]
    assert processor.decode(out["input_ids"][0], skip_special_tokens=True) == "running."
    assert out.to(torch.bfloat16)["sensor_values"].dtype == torch.bfloat16


def test_sensor_or_text_only(processor):
    assert list(processor(values())) == ["sensor_values", "sensor_mask"]
    out = processor(text="Running.")
    assert list(out) == ["input_ids", "attention_mask"]
    assert out["input_ids"].shape[0] == 1
    many = processor(sensor=values(1), text=["a", "b", "c"])  # zero-shot: one day, three texts
    assert (len(many["sensor_values"]), len(many["input_ids"])) == (1, 3)


def test_options_are_routed_to_components(processor):
    long = " ".join(TEXTS[:4])
    assert processor(text=long)["input_ids"].shape == (1, 32)
    assert processor(text=long, max_length=9)["input_ids"].shape == (1, 9)
    assert processor(text=long, truncation=False)["input_ids"].shape[1] > 32
    assert processor(text="a", padding="max_length", max_length=12)["input_ids"].shape == (1, 12)
    assert processor(text="a", add_special_tokens=False)["input_ids"].shape == (1, 1)
    assert processor(text=["a", "a b"], padding=False, return_tensors=None)["input_ids"][0][-1] == 2
    out = processor(sensor=values(), text=np.array(["a", "b"]), return_tensors="np")
    assert all(isinstance(value, np.ndarray) for value in out.values())
    keys = processor.feature_extractor.channel_keys
    torch.testing.assert_close(
        processor(sensor=values()[..., ::-1], columns=keys[::-1])["sensor_values"],
        processor(sensor=values())["sensor_values"],
    )
    empty = np.full((1440, 26), np.nan)
    assert not processor(sensor=empty, allow_empty=True)["sensor_mask"].any()


def test_tokenizer_keeps_padding_it_was_loaded_with(processor, tmp_path):
    processor.tokenizer.save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path, padding="max_length", max_length=11)
    fixed = SensorLMProcessor(processor.feature_extractor, tokenizer)
    assert fixed(text=["a", "a b"])["input_ids"].shape == (2, 11)
    assert fixed(text=["a", "a b"], max_length=7)["input_ids"].shape == (2, 7)
    shortest = processor(text=["a", "a b"])["input_ids"]
    assert fixed(text=["a", "a b"], padding=True)["input_ids"].tolist() == shortest.tolist()
    assert fixed(text=["a", "a b"], text_kwargs={"padding": "longest"})["input_ids"].tolist() == shortest.tolist()


def test_options_of_texts_may_be_grouped(processor):
    grouped = processor(text=["a b c", "a"], text_kwargs={"max_length": 9, "padding": "max_length"})
    assert grouped["input_ids"].tolist() == (
        processor(text=["a b c", "a"], max_length=9, padding="max_length")["input_ids"].tolist()
    )
    assert processor(text="a", max_length=9, text_kwargs={"max_length": 9})["input_ids"].shape == (1, 3)
    assert "attention_mask" not in processor(text="a", text_kwargs={"return_attention_mask": False})
    arrays = processor(sensor=values(1), text="a", common_kwargs={"return_tensors": "np"})
    assert {type(value) for value in arrays.values()} == {np.ndarray}


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"sensors": np.zeros((1440, 26))}, TypeError, "'sensors' is no argument .* mean 'sensor'"),
        ({"max_lenght": 5}, TypeError, "mean 'max_length'"),
        ({"text_kwargs": {"max_lenght": 5}}, TypeError, "mean 'max_length'"),
        ({"qqqqqq": 5}, TypeError, "There are sensor, text"),
        ({"max_length": 5, "text_kwargs": {"max_length": 6}}, ValueError, "given twice"),
        ({"padding": False, "text_kwargs": {"padding": "max_length"}}, ValueError, "given twice"),
        ({"common_kwargs": {"padding": True}}, TypeError, "'return_tensors' only"),
    ],
)
def test_unknown_or_repeated_options_raise(processor, options, error, words):
    with pytest.raises(error, match=words):
        processor(text="a", **options)


@pytest.mark.parametrize(
    ("inputs", "error", "match"),
    [
        ({}, ValueError, "Give `sensor`, `text` or both"),
        ({"sensor": "Running."}, TypeError, r"pass it as a keyword: processor\(text="),
        ({"sensor": ["Running."]}, TypeError, r"pass it as a keyword"),
        ({"text": []}, ValueError, "`text` is an empty list"),
        ({"text": ["a", 3]}, TypeError, r"text\[1\] must be a string, got int"),
        ({"text": ["a", ["b"]]}, TypeError, r"text\[1\] must be a string, got list"),
        ({"text": b"a"}, TypeError, "got bytes"),
        ({"text": 3}, TypeError, "got int"),
        ({"sensor": np.zeros((26, 1440))}, ValueError, "transposed"),
    ],
)
def test_invalid_input_raises(processor, inputs, error, match):
    with pytest.raises(error, match=match):
        processor(**inputs)


def test_swapped_components_raise(processor):
    with pytest.raises(TypeError, match="feature_extractor"):
        SensorLMProcessor(processor.tokenizer, processor.feature_extractor)


def test_save_and_load_from_one_folder(tmp_path, processor, registered):
    processor.save_pretrained(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "processor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    inputs = {"sensor": values(), "text": TEXTS[:3]}
    expected = processor(**inputs)
    for loaded in (SensorLMProcessor.from_pretrained(tmp_path), AutoProcessor.from_pretrained(tmp_path)):
        assert type(loaded) is SensorLMProcessor
        assert loaded.to_dict() == processor.to_dict()
        for key, value in loaded(**inputs).items():
            torch.testing.assert_close(value, expected[key], rtol=0, atol=0)
    assert type(AutoFeatureExtractor.from_pretrained(tmp_path)) is SensorLMFeatureExtractor
    assert AutoTokenizer.from_pretrained(tmp_path)(TEXTS)["input_ids"] == processor.tokenizer(TEXTS)["input_ids"]


def test_saving_again_overwrites_old_constants(tmp_path, processor, registered):
    processor.feature_extractor.save_pretrained(tmp_path)
    fitted = processor.feature_extractor.fit_normalization(values())
    SensorLMProcessor(fitted, processor.tokenizer).save_pretrained(tmp_path)
    for name in ("preprocessor_config.json", "processor_config.json"):
        saved = json.loads((tmp_path / name).read_text())
        assert saved.get("feature_extractor", saved)["channels"][0]["mean"] == fitted.channel_means[0]
    # Conversely: saving only the feature extractor into the folder of a processor.
    processor.feature_extractor.save_pretrained(tmp_path)
    loaded = AutoProcessor.from_pretrained(tmp_path)
    assert loaded.feature_extractor.channel_means == processor.feature_extractor.channel_means


def test_captions(processor):
    if importlib.util.find_spec("sensorlm_hf.processing.captions.builder") is None:
        pytest.skip("the caption builder is not part of this installation")
    captions = importlib.import_module("sensorlm_hf.processing.captions")
    start = datetime(2024, 3, 1, tzinfo=timezone.utc)
    days = [
        SensorDay(day, start, f"p{i}", "sensorlm-26", [Event("activity", "running", 600, 640)])
        for i, day in enumerate(values())
    ]
    built = processor.build_captions(days, seed=3)
    expected = captions.CaptionBuilder("sensorlm-26", key="high_level_summary_caption", seed=3).batch(days)
    assert built == list(expected)
    assert processor.build_captions(days[0], seed=3) == built[:1]
    assert processor.build_captions([]) == []
    assert processor.build_captions(days, key="low_level_caption") != built


SAVE = """
import sys
from transformers import AutoFeatureExtractor, PreTrainedConfig
from transformers.models.auto.feature_extraction_auto import FEATURE_EXTRACTOR_MAPPING
from sensorlm_hf.processing import SensorLMFeatureExtractor, SensorLMProcessor

if SensorLMFeatureExtractor not in FEATURE_EXTRACTOR_MAPPING._extra_content.values():
    config = type("Config", (PreTrainedConfig,), {"model_type": "sensorlm-processing-test"})
    AutoFeatureExtractor.register(config, SensorLMFeatureExtractor)
SensorLMFeatureExtractor.register_for_auto_class()
SensorLMProcessor.register_for_auto_class()
SensorLMProcessor.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[2])
"""

LOAD = """
import sys
sys.modules["sensorlm_hf"] = None  # from here on, importing the package fails
import numpy as np
from transformers import AutoFeatureExtractor, AutoProcessor
processor = AutoProcessor.from_pretrained(sys.argv[1], trust_remote_code=True)
assert type(processor).__name__ == "SensorLMProcessor", type(processor)
assert type(processor).__module__.startswith("transformers_modules."), type(processor).__module__
alone = AutoFeatureExtractor.from_pretrained(sys.argv[1], trust_remote_code=True)
inputs = np.load(sys.argv[2])
out = processor(sensor=inputs, text=["Mean heart rate 72.4 bpm."], return_tensors="np")
assert (alone(inputs, return_tensors="np")["sensor_values"] == out["sensor_values"]).all()
np.savez(sys.argv[3], **out)
for call in (lambda: type(alone)("sensorlm-26"), lambda: processor.build_captions([])):
    try:
        call()
    except ImportError as error:
        assert "pip install sensorlm-hf" in str(error)
    else:
        raise AssertionError("no ImportError without the package")
"""


def test_remote_code_without_package(tmp_path, processor, registered):
    processor.save_pretrained(tmp_path / "plain")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_MODULES_CACHE": str(tmp_path / "modules")}
    run = {"check": True, "env": environment, "cwd": tmp_path, "timeout": 300}
    subprocess.run([sys.executable, "-c", SAVE, "plain", "remote"], **run)
    assert sorted(path.name for path in (tmp_path / "remote").glob("*.py")) == [
        "feature_extraction_sensorlm.py",
        "plausibility_sensorlm.py",
        "processing_sensorlm.py",
        "sensor_inputs_sensorlm.py",
    ]
    np.save(tmp_path / "inputs.npy", values())
    subprocess.run([sys.executable, "-c", LOAD, "remote", "inputs.npy", "out.npz"], **run)
    expected = processor(sensor=values(), text=["Mean heart rate 72.4 bpm."], return_tensors="np")
    with np.load(tmp_path / "out.npz") as out:
        assert set(out.files) == set(expected)
        for key in out.files:
            np.testing.assert_array_equal(out[key], expected[key])
    # With the package installed and registered, the same folder does not need remote code.
    assert type(AutoProcessor.from_pretrained(tmp_path / "remote", trust_remote_code=False)) is SensorLMProcessor


# A vocabulary that captions only use the first part of


@pytest.fixture(scope="module")
def shared(processor) -> SensorLMProcessor:
    tokenizer = extend_tokenizer(processor.tokenizer, ["Ġkettle", "bell"])
    return SensorLMProcessor(processor.feature_extractor, tokenizer, caption_vocab_size=len(processor.tokenizer))


def test_captions_use_their_own_vocabulary(processor, shared):
    text = "Mean heart rate 72.5 bpm; a kettlebell."
    sentence, caption = (shared(text=text, captions=flag)["input_ids"][0] for flag in (False, True))
    assert sentence.max() >= len(processor.tokenizer)
    assert caption.max() < len(processor.tokenizer)
    for ids in (sentence, caption):
        assert shared.decode(ids, skip_special_tokens=True) == text.lower()
    assert len(shared.caption_tokenizer) == len(processor.tokenizer)


def test_caption_tokenizer_is_the_tokenizer_by_default(processor):
    assert processor.caption_tokenizer is processor.tokenizer
    assert processor.caption_vocab_size is None


def test_caption_vocabulary_is_saved(shared, tmp_path):
    shared.save_pretrained(tmp_path)
    again = AutoProcessor.from_pretrained(tmp_path)
    assert again.caption_vocab_size == shared.caption_vocab_size
    text = "Went running with a kettlebell."
    for flag in (False, True):
        assert torch.equal(again(text=text, captions=flag)["input_ids"], shared(text=text, captions=flag)["input_ids"])


def test_caption_vocabulary_needs_a_longest_match_tokenizer(processor):
    with pytest.raises(ValueError, match="extend_tokenizer"):
        _ = SensorLMProcessor(
            processor.feature_extractor, processor.tokenizer, caption_vocab_size=300
        ).caption_tokenizer
