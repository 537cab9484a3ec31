"""Results of a run: available tasks, result files and the score table."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from evaluation_cases import RESULTS

from sensorlm_hf.evaluation import markdown_table, save_results
from sensorlm_hf.evaluation.results import (
    GROUPS,
    RUN_TASKS,
    assemble,
    check_run,
    collect,
    expand_tasks,
    number_text,
    result_rows,
)


def test_task_groups_are_expanded_and_unknown_names_raise() -> None:
    assert expand_tasks(None) == tuple(RUN_TASKS)
    assert expand_tasks(["retrieval", "probes"]) == (*GROUPS["probes"], "retrieval")
    with pytest.raises(ValueError, match="'sleepiness'; available groups are zero_shot"):
        expand_tasks(["sleepiness"])


def test_every_task_has_a_location_in_the_results() -> None:
    results = assemble({"model": "m"}, {name: {"name": name, "seconds": 0.5} for name in RUN_TASKS})
    assert results["model"] == "m"
    assert results["seconds"] == len(RUN_TASKS) / 2
    assert results["zero_shot"]["unseen"]["name"] == "unseen"
    assert results["event_level"]["intensity"]["name"] == "intensity"
    assert results["probes"]["activity"]["name"] == "probe_activity"
    assert results["few_shot"]["anxiety"]["name"] == "few_shot_anxiety"
    assert results["baselines"]["gradient_boosting"]["activity"]["name"] == "gradient_boosting_activity"
    assert results["retrieval"]["name"] == "retrieval"


def test_collected_results_include_separate_baselines(tmp_path: Path) -> None:
    save_results({"model": "m"}, tmp_path / "run.json")
    save_results({"auroc": math.nan, "auroc_per_class": [None], "seconds": 1.0}, tmp_path / "tasks" / "activity.json")
    save_results({"auroc": 0.9}, tmp_path / "tasks" / "simclr_activity.json")
    results = collect(tmp_path)
    assert math.isnan(results["zero_shot"]["activity"]["auroc"])
    assert results["zero_shot"]["activity"]["auroc_per_class"] == [None]
    assert results["baselines"] == {"simclr": {"activity": {"auroc": 0.9}}}
    assert results["seconds"] == 1.0


def test_folder_without_run_raises(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not contain an evaluation; run `sensorlm-hf evaluate"):
        check_run(tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


def test_rows_are_headline_scores_with_chance() -> None:
    rows = [row[:4] for row in result_rows(RESULTS, headline=True)]
    assert len(rows) == 2 * 3 + 2 * 4 + 2
    assert rows[0] == ("zero-shot activity", "AUROC", 0.8437, 0.5)
    assert rows[6] == ("retrieval sensor to text", "R@1", 0.1, 0.01)
    assert rows[13] == ("retrieval text to sensor", "median rank", 8.5, 50.5)
    assert rows[-2:] == [("captioning", "BLEU-4", 31.25, 6.0), ("captioning", "ROUGE-L", 0.5, 0.3)]
    assert list(result_rows({})) == []


def test_table_shows_dash_for_undefined_scores() -> None:
    lines = markdown_table(RESULTS).splitlines()
    assert lines[:2] == ["| task | metric | value | chance |", "|---|---|---|---|"]
    assert lines[2] == "| zero-shot activity | AUROC | 0.844 | 0.500 |"
    assert "| zero-shot gym_cardio | AUROC | – | 0.500 |" in lines
    assert all(line.count("|") == 5 for line in lines)
    assert (number_text(math.inf), number_text(-0.5)) == ("–", "-0.500")


def test_files_are_strict_json(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.json"
    save_results({**RESULTS, "more": (math.inf, [math.nan, 1]), "text": "nan"}, path)
    text = path.read_text(encoding="utf-8")
    saved = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not valid JSON"))
    assert saved["zero_shot"]["gym_cardio"]["auroc"] is None
    assert saved["more"] == [None, [None, 1]]
    assert saved["text"] == "nan"
    assert saved["captioning"] == RESULTS["captioning"]
    assert math.isnan(RESULTS["zero_shot"]["gym_cardio"]["auroc"]), "results must not be modified"


def test_result_file_is_replaced_atomically(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    save_results({"old": 1}, path)
    with pytest.raises(TypeError):
        save_results({"new": object()}, path)
    assert json.loads(path.read_text()) == {"old": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]


def test_additional_rows_for_pools_few_shot_and_baselines() -> None:
    scores = RESULTS["zero_shot"]["activity"]
    retrieval = {**RESULTS["retrieval"], "intervals": {"sensor_to_text": {"R@1": [0.05, 0.15]}}}
    results = {
        **RESULTS,
        "retrieval": {**retrieval, "pools": {"100": retrieval, "1000": retrieval}},
        "probes": {"activity": scores},
        "few_shot": {"activity": {"shots": {"5": {"auroc": 0.7, "classes": 20.0}}, "chance": {"auroc": 0.5}}},
        "baselines": {"gradient_boosting": {"activity": {**scores, "auroc": 0.9}}},
    }
    rows = {(row.task, row.metric): row for row in result_rows(results)}
    assert rows["retrieval sensor to text", "R@1"].interval == [0.05, 0.15]
    assert ("retrieval sensor to text, 1,000 candidates", "R@1") in rows
    assert ("retrieval sensor to text, 100 candidates", "R@1") not in rows
    assert rows["few-shot activity", "AUROC, 5 per class (20 classes)"].value == 0.7
    assert rows["gradient boosting activity", "AUROC"].value == 0.9
    assert rows["zero-shot activity", "AUROC"].supervised == rows["linear probe activity", "AUROC"].supervised == 0.9
    headline = {row.task for row in result_rows(results, headline=True)}
    assert headline == {*(row.task for row in result_rows(RESULTS)), "linear probe activity"}


def test_parts_of_free_english_without_pairs_have_no_row():
    scores = {"auroc": 0.7, "chance": 0.5, "interval": [0.6, 0.8], "pairs": 3}
    empty = {**scores, "auroc": float("nan"), "pairs": 0}
    rows = list(result_rows({"english": {"concepts": {"all": scores, "heart_rate_steps": empty}}}))
    assert [(row.task, row.value) for row in rows] == [("concepts (3 pairs)", 0.7)]
