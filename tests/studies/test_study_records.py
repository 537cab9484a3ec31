"""Study records: tables, power laws and figures."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from study_records import (
    ABLATION_COLUMNS,
    ablation_record,
    ablation_row,
    recipe_text,
    scaling_laws,
    scaling_record,
    scaling_rows,
    write_study,
)

from sensorlm_hf.evaluation.page import study_figure, study_markdown
from sensorlm_hf.evaluation.results import collect

NAN = math.nan
ABLATIONS = [
    {"kind": "levels", "name": "a < b", "zero_shot_activity": 0.812, "zero_shot_interval": [0.79, 0.834],
     "probe_activity": 0.7, "R@1_summaries": 0.1, "R@1_own": 0.5, "faithfulness": 0.6, "rougeL": 0.4},
    {"kind": "objective", "name": "cap", "zero_shot_activity": NAN, "zero_shot_interval": None,
     "probe_activity": 0.65, "R@1_summaries": NAN, "R@1_own": NAN, "faithfulness": 0.733, "rougeL": 0.4},
]  # fmt: skip


def _model(people: int, width: int) -> dict[str, Any]:
    days, parameters = 7 * people, 1000 * width
    scores = {"auroc": 1 - 0.5 * days**-0.3 * (width / 64) ** -0.1, "R@1": 0.2}
    return {"people": people, "width": width, "train_days": days, "parameters": parameters,
            "compute": 6e6 * parameters * days, **scores}  # fmt: skip


SCALING = [_model(people, 64) for people in (10, 20, 40, 80)] + [_model(80, 32), _model(80, 96)]
"""Models whose error is proportional to the number of training days to the power -0.3."""

UNDEFINED = [{**SCALING[0], "train_days": 5, "people": 5, "auroc": NAN}, *SCALING]


def test_ablation_uses_tasks_supported_by_objective() -> None:
    results = {
        "days": 40,
        "zero_shot": {"activity": {"auroc": 0.8, "intervals": {"auroc": [0.7, 0.9]}}},
        "probes": {"activity": {"auroc": 0.6}},
        "retrieval": {"pool": 30, "sensor_to_text": {"R@1": 0.1}},
    }
    own = {"days": 40, "retrieval": {"pool": 20, "sensor_to_text": {"R@1": 0.5}}}
    row = ablation_row(results, own)
    assert row["zero_shot_interval"] == [0.7, 0.9]
    assert (row["R@1_summaries"], row["R@1_own"], row["pool_summaries"], row["pool_own"]) == (0.1, 0.5, 30, 20)
    assert math.isnan(row["faithfulness"])
    cap = ablation_row({"days": 40}, {"days": 40, "captioning": {"faithfulness": 0.4, "rougeL": 0.3}})
    assert (cap["faithfulness"], cap["rougeL"], cap["pool_own"]) == (0.4, 0.3, 0)
    assert math.isnan(cap["zero_shot_activity"])


def test_ablation_table_shows_dash_for_undefined_scores() -> None:
    record = ablation_record(ABLATIONS, "Small models.")
    levels, objectives = record["tables"]
    assert levels["head"] == ["levels", *(label for _, label in ABLATION_COLUMNS)]
    assert levels["rows"] == [["a < b", "0.812 [0.790, 0.834]", "0.700", "0.100", "0.500", "0.600", "0.400"]]
    assert objectives["rows"] == [["cap", "–", "0.650", "–", "–", "0.733", "0.400"]]
    text = study_markdown(record)
    assert text.startswith("Small models.\n\n| levels | zero-shot AUROC |")
    assert "\n\n| objective | " in text


def test_power_laws_use_models_that_differ_in_one_factor() -> None:
    assert [row["people"] for row in scaling_rows(SCALING, 64, "data")] == [10, 20, 40, 80]
    assert [row["width"] for row in scaling_rows(SCALING, 64, "model size")] == [32, 64, 96]
    assert len(scaling_rows(SCALING, 64, "compute")) == len(SCALING) == 6
    laws = scaling_laws(SCALING, 64)
    assert laws["data"].exponent == pytest.approx(0.3, abs=0.01)
    assert laws["data"].r2 == pytest.approx(1, abs=1e-6)


def test_models_without_score_are_only_in_table() -> None:
    assert scaling_laws(UNDEFINED, 64)["data"] == scaling_laws(SCALING, 64)["data"]
    record = scaling_record(UNDEFINED, 64, "Small models.")
    assert record["tables"][0]["rows"][0][5] == "–"
    assert "| 5 | 5 |" in study_markdown(record)
    assert "5: AUROC –, R@1 0.200; " in record["figures"][0]["alt"]


def test_figure_shows_both_scores_and_power_law() -> None:
    figures = scaling_record(SCALING, 64, "Small models.")["figures"]
    assert [figure["title"] for figure in figures] == ["Scaling in data", "Scaling in model size", "Scaling in compute"]
    for figure, law in zip(figures, scaling_laws(SCALING, 64).values(), strict=True):
        axes = study_figure(figure).axes[0]
        assert len(axes.lines) == 3
        sizes = axes.lines[0].get_xdata()
        assert axes.lines[2].get_ydata() == pytest.approx(1 - law(sizes))
        labels = [label.get_text() for label in axes.get_xticklabels()]
        assert max(map(len, labels)) <= 9, "large numbers should be abbreviated"


def test_single_model_gives_table_without_figures() -> None:
    record = scaling_record(SCALING[:1], 64, "Small models.")
    assert record["figures"] == []
    assert len(record["tables"][0]["rows"]) == 1


def test_study_is_saved_and_added_to_report(tmp_path: Path) -> None:
    report, folder = tmp_path / "report", tmp_path / "study"
    report.mkdir()
    settings = {"model": "m", "objective": "clip", "parameters": 10, "data": "days", "split": "test", "days": 4,
                "people": 2, "seed": 0, "caption_key": "low_level_caption", "max_text_length": 64}  # fmt: skip
    (report / "run.json").write_text(json.dumps(settings))
    text = write_study(folder, "scaling", scaling_record(UNDEFINED, 64, "Small models."), report)
    assert (folder / "scaling.md").read_text(encoding="utf-8") == text
    assert json.loads((folder / "scaling.json").read_text())["rows"][0]["auroc"] is None
    assert collect(report)["studies"]["scaling"]["made"] == "Small models."
    page = (report / "report.html").read_text(encoding="utf-8")
    assert all(f"1 - AUROC over {axis}: " in page for axis in ("data", "model size", "compute"))
    assert page.count("<figure>") == 3


def test_page_describes_training() -> None:
    given = {"size": "tiny", "batch_size": 64, "epochs": 3, "seed": 1}
    assert recipe_text(overrides={}, max_steps=-1, muon_learning_rate=None, **given) == (
        "3 epochs in batches of 64 by AdamW; size tiny; seed 1"
    )
    assert recipe_text(overrides={"hidden_size": 96}, max_steps=4000, muon_learning_rate=4e-3, **given) == (
        "4,000 steps in batches of 64 by Muon (peak learning rate 0.004) and AdamW; size tiny, hidden_size 96; seed 1"
    )
