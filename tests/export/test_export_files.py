"""Export to ONNX and torch.export: equal outputs for any batch size and length, and captions token by token."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "modeling"))
from model_cases import days, gaps, small_model, texts

from sensorlm_hf import SensorLMProcessor
from sensorlm_hf.cli import main
from sensorlm_hf.export import (
    CaptionStart,
    CaptionStep,
    example_inputs,
    export_encoders,
    export_model,
    largest_difference,
    run_encoder,
    run_program,
)
from sensorlm_hf.modeling import SensorLMForConditionalGeneration

TINY = Path(__file__).resolve().parents[1] / "fixtures" / "tiny-coca"
ONNX = ("onnx", "onnxruntime", "onnxscript")


@pytest.fixture(params=["torch", "onnx"])
def format(request):
    if request.param == "onnx":
        for name in ONNX:
            pytest.importorskip(name, reason="needs ONNX: pip install 'sensorlm-hf[export]'")
    return request.param


@pytest.mark.parametrize(
    "objective", ["siglip", *(pytest.param(name, marks=pytest.mark.slow) for name in ("cap", "coca"))]
)
def test_exported_encoders_match_model(format, objective, tmp_path):
    model = small_model(objective)
    paths = export_encoders(model, tmp_path / "out", format=format)
    assert set(paths) == ({"sensor"} if objective == "cap" else {"sensor", "text"})
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(p.name for p in paths.values())
    assert max(largest_difference(model, paths).values()) < 1e-5
    values, mask = days(), gaps()
    mask[2] = False  # a day without observations
    with torch.no_grad():
        expected = torch.nn.functional.normalize(model.get_sensor_features(values, mask).pooler_output, dim=-1)
        dirty = values.masked_fill(~mask, float("nan"))
        result = run_encoder(paths["sensor"], {"sensor_values": dirty, "sensor_mask": mask})
        torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-4)
        if objective != "cap":
            ids, attention = texts()
            expected = model(input_ids=ids, attention_mask=attention).text_embeds
            for rows, length in ((4, 9), (1, 9), (1, 1)):
                inputs = {"input_ids": ids[:rows, :length], "attention_mask": attention[:rows, :length]}
                result = run_encoder(paths["text"], inputs)
                wanted = expected[:rows] if length == 9 else model(**inputs).text_embeds
                torch.testing.assert_close(result, wanted, atol=1e-5, rtol=1e-4)


def written_with(
    start: Callable[..., Any], step: Callable[..., Any], inputs: dict[str, torch.Tensor], tokens: int
) -> torch.Tensor:
    """Captions of greedy search with the two programs of a captioner."""
    logits, cache, *encoded = start(inputs)
    names = ("sensor_key_values", "sensor_token_mask")
    ids = inputs["input_ids"]
    for _ in range(tokens - 1):
        ids = torch.cat([ids, logits.argmax(dim=-1, keepdim=True)], dim=1)
        named = {"input_ids": ids[:, -1:], "cache": cache, **dict(zip(names, encoded, strict=False))}
        logits, cache = step(named)
    return torch.cat([ids, logits.argmax(dim=-1, keepdim=True)], dim=1)


def check_captions(model: Any, paths: dict[str, Path], tokens: int) -> None:
    """The programs write what the model writes, for several batch sizes and lengths of the prompt."""
    values, mask = days(), gaps()
    prompts = texts((5, 5, 5, 5))[0][:, :4]
    for rows, length in ((4, 1), (3, 4), (1, 2)):
        inputs = {
            "sensor_values": values[:rows], "sensor_mask": mask[:rows], "input_ids": prompts[:rows, :length],
        }  # fmt: skip
        with torch.no_grad():
            expected = model.generate(**inputs, max_new_tokens=tokens, min_new_tokens=tokens, eos_token_id=None)
        found = written_with(
            lambda given: run_program(paths["caption_start"], given),
            lambda given: run_program(paths["caption_step"], given),
            inputs,
            tokens,
        )
        assert torch.equal(found, expected)


@pytest.mark.parametrize("queries", [5, 0])
@pytest.mark.parametrize("objective", ["coca", "cap"])
def test_programs_of_captioner_write_what_the_model_writes(objective, queries):
    """Not exported: the programs' own arithmetic, the oracle of the files."""
    model = small_model(objective, num_caption_queries=queries)
    start, step = CaptionStart(model), CaptionStep(model)
    assert ("sensor_token_mask" in start.output_names()) == (queries == 0)
    inputs = {"sensor_values": days(), "sensor_mask": gaps(), "input_ids": texts((5, 5, 5, 5))[0][:, :3]}
    with torch.no_grad():
        expected = model.generate(**inputs, max_new_tokens=6, min_new_tokens=6, eos_token_id=None)
        found = written_with(lambda given: start(**given), lambda given: step(**given), inputs, 6)
    assert torch.equal(found, expected)


@pytest.mark.slow
@pytest.mark.parametrize(("objective", "queries"), [("coca", 5), ("coca", 0), ("cap", 5)])
def test_exported_captioner_matches_model(format, objective, queries, tmp_path):
    model = small_model(objective, num_caption_queries=queries)
    paths = export_model(model, tmp_path, format=format)
    assert set(paths) == {"sensor", "caption_start", "caption_step", *(["text"] if objective == "coca" else [])}
    assert max(largest_difference(model, paths).values()) < 1e-4
    check_captions(model, paths, tokens=5)


def test_exported_step_accepts_growing_cache(tmp_path, monkeypatch):
    """One file of the captioner, quickly; the others are in the slow tests."""
    from sensorlm_hf.export import files

    model = small_model("coca")
    monkeypatch.setattr(files, "programs_of", lambda model, captions: {"caption_step": CaptionStep(model)})
    paths = export_model(model, tmp_path, format="torch")
    inputs = example_inputs(model, "caption_step", rows=3, seed=5)
    for _ in range(3):
        with torch.no_grad():
            logits, cache = CaptionStep(model)(**inputs)
        found = run_program(paths["caption_step"], inputs)
        torch.testing.assert_close(found, (logits, cache), atol=1e-5, rtol=1e-4)
        assert cache.shape[4] == inputs["cache"].shape[4] + 1
        inputs |= {"cache": cache, "input_ids": logits.argmax(dim=-1, keepdim=True)}


def test_export_command_writes_and_verifies(tmp_path, capsys):
    model = small_model("siglip")
    model.save_pretrained(tmp_path / "model")
    arguments = ["--model", str(tmp_path / "model"), "--output-dir", str(tmp_path / "out"), "--format", "torch"]
    assert main(["export", *arguments, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result) == {"sensor", "text"}
    for side, entry in result.items():
        assert Path(entry["path"]) == tmp_path / "out" / f"{side}_encoder.pt2"
        assert entry["megabytes"] > 0.01
        assert entry["largest_difference"] < 1e-5


@pytest.mark.slow
def test_export_pretrained_text_tower(format, tmp_path):
    from test_text_backbone_sensorlm import combined

    model = combined("bert", "clip")
    paths = export_encoders(model, tmp_path, format=format)
    assert max(largest_difference(model, paths).values()) < 1e-5


@pytest.mark.slow
def test_export_language_model_decoder(format, tmp_path):
    from test_text_backbone_sensorlm import combined

    model = combined("gpt2", "coca")
    paths = export_model(model, tmp_path, format=format)
    assert max(largest_difference(model, paths).values()) < 1e-4


@pytest.mark.slow
def test_export_of_demo_model(format, tmp_path):
    """With its sentence encoder, for texts shorter and longer than that encoder reads."""
    from sensorlm_hf.checkpoints import demo_checkpoint

    model = SensorLMForConditionalGeneration.from_pretrained(demo_checkpoint(), dtype=torch.float32)
    paths = export_model(model, tmp_path, format=format)
    assert set(paths) == {"sensor", "text", "caption_start", "caption_step"}
    assert max(largest_difference(model, paths).values()) < 1e-4
    generator = torch.Generator().manual_seed(0)
    for rows, length in ((1, 1), (3, 64), (2, 65), (1, 256)):
        ids = torch.randint(3, 1149, (rows, length), generator=generator)
        mask = torch.ones_like(ids)
        mask[0, max(1, length - 3) :] = 0
        with torch.no_grad():
            expected = torch.nn.functional.normalize(model.get_text_features(ids, mask).pooler_output, dim=-1)
        found = run_encoder(paths["text"], {"input_ids": ids, "attention_mask": mask})
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@pytest.mark.slow
def test_int8_is_smaller_and_ranks_alike(tmp_path):
    for name in ONNX:
        pytest.importorskip(name)
    from sensorlm_hf import simulate_days
    from sensorlm_hf.checkpoints import demo_checkpoint

    source = demo_checkpoint()
    model = SensorLMForConditionalGeneration.from_pretrained(source, dtype=torch.float32)
    processor = SensorLMProcessor.from_pretrained(source)
    paths = export_model(model, tmp_path, processor, int8=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "caption_start.onnx", "caption_step.onnx", "export.json", "sensor_encoder.onnx", "text_encoder.onnx",
        "tokenizer.json",
    ]  # fmt: skip
    weights = sum(parameter.numel() for parameter in model.sensorlm.sensor_model.parameters())
    assert paths["sensor"].stat().st_size < 2 * weights
    inputs = processor(sensor=simulate_days(8, seed=3))
    with torch.no_grad():
        expected = torch.nn.functional.normalize(model.get_sensor_features(**inputs).pooler_output, dim=-1)
    found = run_encoder(paths["sensor"], dict(inputs))
    assert float((found * expected).sum(dim=-1).min()) > 0.99


def test_processor_files_replace_the_processor(tmp_path, monkeypatch):
    """`export.json` and `tokenizer.json` prepare the same inputs with numpy and tokenizers alone."""
    from sensorlm_hf.export import files

    model = SensorLMForConditionalGeneration.from_pretrained(TINY, dtype=torch.float32)
    processor = SensorLMProcessor.from_pretrained(TINY)
    processor.feature_extractor.implausible = "mask"  # the default; that of the fixture keeps implausible values
    monkeypatch.setattr(files, "programs_of", lambda model, captions: {})
    export_model(model, tmp_path, processor, format="torch")
    settings = json.loads((tmp_path / "export.json").read_text())
    rng = np.random.default_rng(0)
    channels = settings["channels"]
    mean, std = (np.array([channel[name] for channel in channels]) for name in ("mean", "std"))
    low, high = np.array([channel["valid_range"] for channel in channels]).T
    day = rng.normal(mean, std, (settings["window_minutes"], len(channels))).astype(np.float32)
    day[rng.random(day.shape) < 0.3] = np.nan
    mask = (day >= low) & (day <= high)
    values = np.where(mask, np.clip((day - mean) / std, -settings["clip"], settings["clip"]), 0)
    expected = processor(sensor=day, return_tensors="np")
    assert mask.sum() < np.isfinite(day).sum()  # some values are implausible
    np.testing.assert_array_equal(mask, expected["sensor_mask"][0])
    np.testing.assert_allclose(values, expected["sensor_values"][0], atol=1e-4)
    sentences = ["A day with running.", "72.5 bpm", " ".join(["running"] * 500)]
    encoded = Tokenizer.from_file(str(tmp_path / "tokenizer.json")).encode_batch(sentences)
    texts = processor(text=sentences, return_tensors="np")
    np.testing.assert_array_equal([text.ids for text in encoded], texts["input_ids"])
    np.testing.assert_array_equal([text.attention_mask for text in encoded], texts["attention_mask"])
    embeds = torch.nn.functional.normalize(torch.randn(3, 4, generator=torch.Generator().manual_seed(0)), dim=-1)
    similarity = settings["similarity"]["scale"] * embeds @ embeds.T + settings["similarity"]["bias"]
    torch.testing.assert_close(model.sensorlm.similarity_logits(embeds, embeds), similarity, atol=1e-4, rtol=1e-4)
    assert settings["statement"] is None
    ids = (settings["bos_token_id"], settings["eos_token_id"], settings["pad_token_id"])
    assert ids == tuple(getattr(processor.tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad"))


def test_invalid_arguments_raise(tmp_path):
    model = small_model("siglip")
    with pytest.raises(ValueError, match="`format` must be one of onnx, torch, got 'tflite'"):
        export_encoders(model, tmp_path, format="tflite")
    with pytest.raises(ValueError, match="`int8` is onnxruntime's quantisation and needs format 'onnx', got 'torch'"):
        export_model(model, tmp_path, format="torch", int8=True)
    with pytest.raises(ValueError, match=r"`side` must be one of sensor, text for this model, got 'caption_step'"):
        example_inputs(model, "caption_step")
    tiny, other = SensorLMForConditionalGeneration.from_pretrained(TINY), SensorLMProcessor.from_pretrained(TINY)
    other.feature_extractor = type(other.feature_extractor)("sensorlm-34")
    with pytest.raises(ValueError, match="are not those of the model"):
        export_model(tiny, tmp_path, other)
    few = SensorLMProcessor.from_pretrained(TINY)
    keys = few.feature_extractor.channel_keys
    few.feature_extractor.channels = few.feature_extractor.channels[1:]
    few.feature_extractor.model_channels = keys
    with pytest.raises(ValueError, match="lacks channels of the model: HR"):
        export_model(tiny, tmp_path, few)
    with pytest.raises(ValueError, match="bfloat16 on cpu; export it in float32"):
        export_encoders(model.bfloat16(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_missing_onnx_raises(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"sensorlm-hf\[export\]"):
        export_encoders(small_model("siglip"), tmp_path)
