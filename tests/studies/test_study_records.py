"""Tables, laws and pictures of studies of several models."""

from __future__ import annotations

import math

import pytest
from evaluation_cases import ABLATIONS, SCALING

from sensorlm_hf.evaluation.studies import (
    ABLATION_COLUMNS,
    ablation_row,
    ablation_tables,
    recipe_text,
    scaling_cells,
    scaling_figure,
    scaling_laws,
    scaling_rows,
    study_text,
)


def test_an_ablation_takes_what_the_objective_can_do() -> None:
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
    silent = ablation_row({"days": 40}, {"days": 40, "captioning": {"faithfulness": 0.4, "rougeL": 0.3}})
    assert (silent["faithfulness"], silent["rougeL"], silent["pool_own"]) == (0.4, 0.3, 0)
    assert math.isnan(silent["zero_shot_activity"])


def test_the_table_of_an_ablation_has_a_dash_for_what_is_not_there() -> None:
    (head, levels), (_, objectives) = ablation_tables(ABLATIONS["rows"])
    assert head == ["levels", *(label for _, label in ABLATION_COLUMNS)]
    assert levels == [["a < b", "0.812 [0.790, 0.834]", "0.700", "0.100", "0.500", "0.600", "0.400"]]
    assert objectives == [["cap", "–", "0.650", "–", "–", "0.733", "0.400"]]
    text = study_text("ablations", ABLATIONS)
    assert f"\n\n| {' | '.join(head)} |\n|---|" in text
    assert "\n\n| objective | " in text


def test_laws_are_of_models_that_differ_in_one_thing() -> None:
    assert [row["people"] for row in scaling_rows(SCALING, "data")] == [10, 20, 40, 80]
    assert [row["width"] for row in scaling_rows(SCALING, "model size")] == [32, 64, 96]
    assert len(scaling_rows(SCALING, "compute")) == len(SCALING["rows"]) == 6
    laws = scaling_laws(SCALING)
    assert laws["data"].exponent == pytest.approx(0.3, abs=0.01)
    assert laws["data"].r2 == pytest.approx(1, abs=1e-6)


def test_models_without_a_score_are_left_out_of_the_law_but_not_of_the_table() -> None:
    rows = [{**SCALING["rows"][0], "train_days": 5, "people": 5, "auroc": None}, *SCALING["rows"]]
    study = {**SCALING, "rows": rows}
    assert scaling_laws(study)["data"] == scaling_laws(SCALING)["data"]
    assert scaling_cells(study)[1][0][5] == "–"
    assert "| 5 | 5 |" in study_text("scaling", study)


@pytest.mark.parametrize("axis", ["data", "model size", "compute"])
def test_the_picture_has_both_scores_and_the_law(axis: str) -> None:
    axes = scaling_figure(SCALING, axis).axes[0]
    assert len(axes.lines) == 3
    law = scaling_laws(SCALING)[axis]
    sizes = axes.lines[0].get_xdata()
    assert axes.lines[2].get_ydata() == pytest.approx(1 - law(sizes))
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert max(map(len, labels)) <= 9, "large numbers are short"


def test_a_page_says_how_its_models_were_trained() -> None:
    given = {"size": "tiny", "batch_size": 64, "epochs": 3, "seed": 1}
    assert recipe_text(overrides={}, max_steps=-1, muon_learning_rate=None, **given) == (
        "3 passes over its days in batches of 64 by AdamW; size tiny; seed 1"
    )
    assert recipe_text(overrides={"hidden_size": 96}, max_steps=4000, muon_learning_rate=4e-3, **given) == (
        "4,000 steps in batches of 64 by Muon (peak rate 0.004) and AdamW; size tiny, hidden_size 96; seed 1"
    )
