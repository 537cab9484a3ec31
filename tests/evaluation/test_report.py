"""A whole evaluation of a model on a dataset, its table and its file."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sensorlm_hf import write_days
from sensorlm_hf.checkpoints import demo_checkpoint
from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.evaluation import TASKS, evaluate_model, markdown_table, save_results
from sensorlm_hf.evaluation.report import finite, number_text, result_rows, trained_key

Folder = Callable[[str], Path]

RESULTS: dict[str, Any] = {
    "zero_shot": {
        "activity": {
            "auroc": 0.8437,
            "f1": 0.25,
            "balanced_accuracy": 0.3,
            "chance": {"auroc": 0.5, "f1": 0.04, "balanced_accuracy": 0.05},
        },
        "gym_cardio": {
            "auroc": math.nan,
            "f1": 1.0,
            "balanced_accuracy": 1.0,
            "chance": {"auroc": 0.5, "f1": 0.4, "balanced_accuracy": 0.25},
        },
    },
    "retrieval": {
        "sensor_to_text": {"R@1": 0.1, "R@5": 0.4, "R@10": 0.6, "median_rank": 7.0},
        "text_to_sensor": {"R@1": 0.2, "R@5": 0.3, "R@10": 0.5, "median_rank": 8.5},
        "chance": {"R@1": 0.01, "R@5": 0.05, "R@10": 0.1, "median_rank": 50.5},
        "pool": 100,
        "days": 200,
    },
    "captioning": {"bleu4": 31.25, "rougeL": 0.5, "chance": {"bleu4": 6.0, "rougeL": 0.3}, "days": 20},
}


@pytest.mark.parametrize(
    ("objective", "parts"),
    [
        ("clip", {"zero_shot", "retrieval"}),
        ("siglip", {"zero_shot", "retrieval"}),
        ("cap", {"captioning"}),
        ("coca", {"zero_shot", "retrieval", "captioning"}),
    ],
)
def test_what_an_objective_can_do_is_measured(folder_of: Folder, cohort: Path, objective: str, parts: set[str]) -> None:
    result = evaluate_model(folder_of(objective), str(cohort), split="train", caption_days=3)
    assert {"zero_shot", "retrieval", "captioning"} & set(result) == parts
    assert (result["days"], result["people"], result["split"], result["objective"]) == (20, 10, "train", objective)
    assert result["max_text_length"] == 48, "as many tokens as the model reads"
    assert json.loads(json.dumps(finite(result), allow_nan=False))
    for task, scores in result.get("zero_shot", {}).items():
        assert 0 < scores["days"] <= 20, task
    if "captioning" in parts:
        assert result["captioning"]["days"] == 3


def test_the_same_arguments_give_the_same_numbers(folder_of: Folder, cohort: Path) -> None:
    def numbers(**options: Any) -> dict[str, Any]:
        result = evaluate_model(folder_of("coca"), str(cohort), split="train", caption_days=4, **options)
        result.pop("seconds")
        return finite(result)

    assert numbers(seed=1) == numbers(seed=1)
    assert numbers(seed=1)["retrieval"] != numbers(seed=2)["retrieval"], "captions of another seed"


def test_tasks_that_label_no_day_are_left_out_and_told(
    folder_of: Folder, tmp_path: Path, cohort: Path, caplog: pytest.LogCaptureFixture
) -> None:
    days = [day for day in simulate_days(40, seed=1) if day.labels["main_activity"] == "yoga"][:2]
    write_days(days, tmp_path / "days", split="test")
    with caplog.at_level(logging.WARNING):
        result = evaluate_model(folder_of("clip"), str(tmp_path / "days"))
    assert "gym_cardio" not in result["zero_shot"]
    assert "activity" in result["zero_shot"]
    assert "No day has a class of cardio_vs_strength, gym_cardio, outdoor_sports; left out." in caplog.text
    with pytest.raises(ValueError, match=r"None of the .* for task 'gym_cardio'"):
        evaluate_model(folder_of("clip"), str(tmp_path / "days"), tasks=["gym_cardio"])


def test_a_single_day_is_classified_but_not_retrieved_or_captioned(folder_of: Folder, cohort: Path) -> None:
    result = evaluate_model(folder_of("coca"), str(cohort), split="train", max_days=1, tasks=["activity"])
    assert set(result["zero_shot"]) == {"activity"}
    assert math.isnan(result["zero_shot"]["activity"]["auroc"])
    assert not {"retrieval", "captioning"} & set(result)


def test_captioned_days_are_spread_over_the_dataset(
    folder_of: Folder, cohort: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sensorlm_hf.evaluation import report

    chosen: list[str] = []

    def watched(model: Any, processor: Any, days: Any, references: Any, **options: Any) -> dict[str, Any]:
        chosen.extend(day.subject_id for day in days)
        return {}

    monkeypatch.setattr(report, "evaluate_captioning", watched)
    evaluate_model(folder_of("cap"), str(cohort), split="train", caption_days=5)
    assert len(chosen) == len(set(chosen)) == 5
    assert chosen[-1] > chosen[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tasks": ["sleep"]}, "Unknown task 'sleep'; there are activity"),
        ({"max_days": 0}, "`max_days` must be at least 1, got 0"),
        ({"caption_days": -1}, "`caption_days` must be at least 0, got -1"),
        ({"seed": -1}, "`seed` must be at least 0, got -1"),
        ({"device": "gpu"}, "`device` 'gpu' cannot be used here"),
        ({"max_text_length": 49}, "`max_text_length` is 49, but .* reads at most 48 tokens"),
        ({"caption_key": "summary"}, "`key` must be one of low_level_caption"),
        ({"batch_size": 0}, "`batch_size` must be a whole number of at least 1"),
        ({"split": "tests"}, "tests"),
    ],
)
def test_what_cannot_be_is_refused(folder_of: Folder, cohort: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        evaluate_model(folder_of("coca"), str(cohort), **change)


def test_tasks_that_the_model_cannot_do_are_refused(folder_of: Folder, cohort: Path) -> None:
    with pytest.raises(ValueError, match=r"objective 'cap' and has no text embedding.* zero-shot tasks activity\."):
        evaluate_model(folder_of("cap"), str(cohort), tasks=["activity"])


def test_all_tasks_are_the_default(folder_of: Folder, cohort: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        result = evaluate_model(folder_of("clip"), str(cohort), split="train")
    told = caplog.text.partition("No day has a class of ")[2].partition(";")[0]
    assert set(result["zero_shot"]) == set(TASKS) - set(filter(None, told.split(", ")))


# Tables and files


def test_the_rows_are_the_headline_numbers_beside_chance() -> None:
    rows = list(result_rows(RESULTS))
    assert len(rows) == 2 * 3 + 2 * 4 + 2
    assert rows[0] == ("zero-shot activity", "AUROC", 0.8437, 0.5)
    assert rows[6] == ("retrieval sensor to text", "R@1", 0.1, 0.01)
    assert rows[13] == ("retrieval text to sensor", "median rank", 8.5, 50.5)
    assert rows[-2:] == [("captioning", "BLEU-4", 31.25, 6.0), ("captioning", "ROUGE-L", 0.5, 0.3)]
    assert list(result_rows({})) == []


def test_the_table_shows_a_dash_for_what_is_not_defined() -> None:
    lines = markdown_table(RESULTS).splitlines()
    assert lines[:2] == ["| task | metric | value | chance |", "|---|---|---|---|"]
    assert lines[2] == "| zero-shot activity | AUROC | 0.844 | 0.500 |"
    assert "| zero-shot gym_cardio | AUROC | – | 0.500 |" in lines
    assert all(line.count("|") == 5 for line in lines)
    assert (number_text(math.inf), number_text(-0.5)) == ("–", "-0.500")


def test_files_are_json_that_every_reader_takes(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.json"
    save_results({**RESULTS, "more": (math.inf, [math.nan, 1]), "text": "nan"}, path)
    text = path.read_text(encoding="utf-8")
    saved = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert saved["zero_shot"]["gym_cardio"]["auroc"] is None
    assert saved["more"] == [None, [None, 1]]
    assert saved["text"] == "nan"
    assert saved["captioning"] == RESULTS["captioning"]
    assert math.isnan(RESULTS["zero_shot"]["gym_cardio"]["auroc"]), "the results themselves are as they were"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    save_results({"old": 1}, path)
    with pytest.raises(TypeError):
        save_results({"new": object()}, path)
    assert json.loads(path.read_text()) == {"old": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"caption_keys": {"low_level_caption": 0.2, "high_low_caption": 0.8}}, "high_low_caption"),
        (
            {
                "caption_keys": {"low_level_caption": 0.2, "high_low_caption": 0.8},
                "contrast_only": ["high_low_caption"],
            },
            "low_level_caption",
        ),
        ({}, "high_level_summary_caption"),
        (None, "high_level_summary_caption"),
    ],
)
def test_captions_are_of_the_kind_that_the_model_writes(
    tmp_path: Path, options: dict[str, Any] | None, key: str
) -> None:
    if options is not None:
        (tmp_path / "training.json").write_text(json.dumps({"options": options}))
    assert trained_key(tmp_path) == key
    assert trained_key("somebody/on-the-hub") == "high_level_summary_caption"


def test_the_demo_model_is_compared_with_names_and_numbers(cohort: Path) -> None:
    few: dict[str, Any] = {"split": "train", "tasks": [], "max_days": 4, "caption_days": 0}
    assert evaluate_model(demo_checkpoint(), str(cohort), **few)["caption_key"] == "high_low_caption"
    other = evaluate_model(demo_checkpoint(), str(cohort), caption_key="low_level_caption", **few)
    assert other["caption_key"] == "low_level_caption"


@pytest.mark.parametrize("text", ["not json", "[1, 2]"])
def test_what_is_no_record_of_training_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "training.json").write_text(text)
    with pytest.raises(ValueError, match=r"training\.json is no record of a training"):
        trained_key(tmp_path)
