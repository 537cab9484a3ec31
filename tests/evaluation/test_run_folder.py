"""The folder of a run: what belongs into it, and studies that join its report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from evaluation_cases import ABLATIONS, SCALING, Page

from sensorlm_hf.evaluation.run_folder import GROUPS, SUITE_TASKS, add_study, check_run, collect, expand_tasks


def test_groups_are_spelt_out_and_unknown_names_refused() -> None:
    assert expand_tasks(None) == SUITE_TASKS
    assert expand_tasks(["retrieval", "probes"]) == (*GROUPS["probes"], "retrieval")
    with pytest.raises(ValueError, match="'sleepiness'; there are the groups zero_shot"):
        expand_tasks(["sleepiness"])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that has done none of its tasks yet."""
    told = {"model": "models/mine", "objective": "clip", "parameters": 2_000_000, "data": "days", "split": "test",
            "days": 40, "people": 10, "seed": 0, "caption_key": "low_level_caption", "max_text_length": 64}  # fmt: skip
    (tmp_path / "run.json").write_text(json.dumps(told))
    return tmp_path


def test_studies_join_the_report(run: Path) -> None:
    assert "ablations" not in collect(run)
    add_study(run, "ablations", ABLATIONS)
    html = add_study(run, "scaling", SCALING)
    assert json.loads((run / "results.json").read_text())["scaling"] == json.loads(json.dumps(SCALING))
    page, text, markdown = Page(), html.read_text(encoding="utf-8"), (run / "report.md").read_text(encoding="utf-8")
    page.feed(text)
    assert page.open == page.outside == []
    for axis in ("data", "model size", "compute"):
        assert sum(alt.startswith(f"Scores over {axis}. ") for alt in page.alts) >= 1
        assert f"1 - AUROC over {axis}: " in text
        assert f"1 - AUROC over {axis}: " in markdown
    for told in (text, markdown):
        assert "a &lt; b" in told or "a < b" in told
        assert "0.812 [0.790, 0.834]" in told
        assert "0.733" in told
    assert "a < b" not in text, "what is not ours is escaped"


def test_a_study_without_a_curve_is_a_table(run: Path) -> None:
    text = add_study(run, "scaling", {**SCALING, "rows": SCALING["rows"][:1]}).read_text(encoding="utf-8")
    assert "Scaling" in text
    assert "<figure>" not in text


def test_a_model_without_a_score_does_not_break_the_page(run: Path) -> None:
    rows = [{**SCALING["rows"][0], "train_days": 5, "people": 5, "auroc": None}, *SCALING["rows"]]
    text = add_study(run, "scaling", {**SCALING, "rows": rows}).read_text(encoding="utf-8")
    assert "5: AUROC –, R@1 0.200; " in text


def test_studies_of_nothing_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be one of ablations, scaling, got 'widths'"):
        add_study(run, "widths", SCALING)
    with pytest.raises(ValueError, match="holds no evaluation; make it first: sensorlm-hf evaluate"):
        check_run(tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()
