"""Export of the encoders to ONNX and torch.export: equal embeddings for any batch size."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent / "modeling"))
from model_cases import days, gaps, small_model, texts

from sensorlm_hf.cli import main
from sensorlm_hf.export import export_encoders, largest_difference, run_encoder


@pytest.fixture(params=["torch", "onnx"])
def format(request):
    if request.param == "onnx":
        for name in ("onnx", "onnxruntime", "onnxscript"):
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


def test_invalid_arguments_raise(tmp_path):
    model = small_model("siglip")
    with pytest.raises(ValueError, match="`format` must be one of onnx, torch, got 'tflite'"):
        export_encoders(model, tmp_path, format="tflite")
    with pytest.raises(ValueError, match="bfloat16 on cpu; export it in float32"):
        export_encoders(model.bfloat16(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_missing_onnx_raises(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"sensorlm-hf\[export\]"):
        export_encoders(small_model("siglip"), tmp_path)
