"""The comparison of two models' results, which decides whether a model may be replaced."""

from __future__ import annotations

import copy
import json
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from sensorlm_hf.checkpoints import demo_checkpoint, records_folder

SCRIPT = Path(__file__).resolve().parents[1] / "examples" / "compare_models.py"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT), run_name="example")


@pytest.fixture
def results() -> dict[str, Any]:
    return json.loads((records_folder(demo_checkpoint()) / "evaluation.json").read_text(encoding="utf-8"))


def worse(script: dict[str, Any], before: dict[str, Any], after: dict[str, Any], **options: float) -> list[str]:
    return [f"{row.task} {row.metric}" for row in script["compare"](before, after, **options) if row.worse]


def test_same_results_are_not_worse(script, results):
    compared = script["compare"](results, copy.deepcopy(results))
    assert len(compared) > 25
    assert not any(row.worse for row in compared)


def test_score_below_its_interval_is_worse(script, results):
    after = copy.deepcopy(results)
    scores = after["zero_shot"]["activity"]
    low = scores["intervals"]["auroc"][0]
    scores["auroc"] = low + 1e-6
    assert worse(script, results, after) == []
    scores["auroc"] = min(low, scores["auroc"] - 0.01)
    assert worse(script, results, after) == ["zero-shot activity AUROC"]


def test_score_without_interval_may_lose_tolerance(script, results):
    after = copy.deepcopy(results)
    after["captioning"]["faithfulness"] = results["captioning"]["faithfulness"] * 0.98
    assert worse(script, results, after) == ["captioning faithfulness"]
    assert worse(script, results, after, tolerance=0.03) == []


def test_higher_rank_is_worse(script, results):
    after = copy.deepcopy(results)
    after["retrieval"]["sensor_to_text"]["median_rank"] = 2.0
    assert worse(script, results, after) == ["retrieval sensor to text median rank"]
    assert worse(script, after, results) == []


def test_missing_row_is_worse_but_related_results_are_optional(script, results):
    after = copy.deepcopy(results)
    after["related"] = []
    assert worse(script, results, after) == []
    del after["captioning"]["faithfulness"]
    assert worse(script, results, after) == ["captioning faithfulness"]


def test_results_of_other_days_raise(script, results):
    with pytest.raises(ValueError, match=r"`days` is .* after"):
        script["compare"](results, {**results, "days": 3})
    with pytest.raises(ValueError, match="`tolerance` must be at least 0"):
        script["compare"](results, results, tolerance=-1)


def test_exit_code_refuses_worse_model(script, results, tmp_path, monkeypatch, capsys):
    for name, value in (("old", 0.5), ("new", 0.4)):
        results["captioning"]["faithfulness"] = value
        (tmp_path / f"{name}.json").write_text(json.dumps(results))
    monkeypatch.setattr(sys, "argv", ["compare_models.py", str(tmp_path / "old.json"), str(tmp_path / "new.json")])
    assert script["main"]() == 1
    assert "worse in 1 of" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["compare_models.py", str(tmp_path / "new.json"), str(tmp_path / "old.json")])
    assert script["main"]() == 0
