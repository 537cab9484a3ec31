"""The HTML report of a run, and studies added to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from evaluation_cases import STUDY, Page

from sensorlm_hf.evaluation.page import _few_shot_range, add_study, study_figure, study_markdown
from sensorlm_hf.evaluation.results import collect


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run without any completed task."""
    settings = {"model": "models/mine", "objective": "clip", "parameters": 2_000_000, "data": "days", "split": "test",
                "days": 40, "people": 10, "seed": 0, "caption_key": "low_level_caption",
                "max_text_length": 64}  # fmt: skip
    (tmp_path / "run.json").write_text(json.dumps(settings))
    return tmp_path


def test_studies_are_added_to_report(run: Path) -> None:
    assert "studies" not in collect(run)
    add_study(run, "ablations", STUDY)
    html = add_study(run, "scaling", {**STUDY, "title": "Scaling", "rows": [1]})
    assert set(json.loads((run / "results.json").read_text())["studies"]) == {"ablations", "scaling"}
    page, text, markdown = Page(), html.read_text(encoding="utf-8"), (run / "report.md").read_text(encoding="utf-8")
    page.feed(text)
    assert page.open == page.outside == []
    assert page.alts.count("Scores over data.") == 2
    for shown in (text, markdown):
        assert "0.812 [0.790, 0.834]" in shown
        assert "1 - AUROC over data: 0.1" in shown
        assert "Scaling" in shown
    assert "a &lt; b" in text
    assert "a < b" not in text, "text from the study should be escaped"
    assert f"## Ablations\n\n{study_markdown(STUDY)}" in markdown


def test_study_with_same_name_is_replaced(run: Path) -> None:
    add_study(run, "ablations", STUDY)
    text = add_study(run, "ablations", {**STUDY, "made": "Larger models.", "figures": []}).read_text(encoding="utf-8")
    assert "Larger models." in text
    assert "Small models." not in text
    assert "<figure>" not in text


def test_undefined_scores_are_omitted_from_figure() -> None:
    axes = study_figure(STUDY["figures"][0]).axes[0]
    assert len(axes.lines) == 2
    assert axes.lines[0].get_ydata()[1] != axes.lines[0].get_ydata()[1]


def test_empty_study_raises(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="The study 'ablations' lacks tables, figures; required keys are title, made"):
        add_study(run, "ablations", {"title": "Ablations", "made": "Small models."})
    with pytest.raises(ValueError, match="does not contain an evaluation; run `sensorlm-hf evaluate"):
        add_study(tmp_path / "elsewhere", "ablations", STUDY)
    assert not (tmp_path / "elsewhere").exists()


def test_few_shot_scores_below_chance_are_visible() -> None:
    assert _few_shot_range({"activity": ([1, 5], [0.6, 0.9])}) == (0.4, 1.0)
    assert _few_shot_range({"activity": ([1], [0.9]), "anxiety": ([1, 5], [0.383, 0.5])}) == (0.3, 1.0)
