"""Model evaluation: measured tasks, resuming, and equal results for one and two processes."""

from __future__ import annotations

import json
import logging
import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.multiprocessing as multiprocessing
from evaluation_cases import Page

from sensorlm_hf import write_days
from sensorlm_hf.checkpoints import demo_checkpoint
from sensorlm_hf.cli import main
from sensorlm_hf.data.collator import SensorDayDataset
from sensorlm_hf.data.folders import load_sensor_days
from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.evaluation import TASKS, evaluate_model, evaluator, write_reports
from sensorlm_hf.evaluation.evaluator import trained_key
from sensorlm_hf.evaluation.page import report_markdown
from sensorlm_hf.evaluation.results import GROUPS, RUN_TASKS, collect, finite, result_rows
from sensorlm_hf.modeling import SensorLMConfig, pretraining_class
from sensorlm_hf.processing import SensorLMFeatureExtractor, SensorLMProcessor, train_tokenizer
from sensorlm_hf.processing.captions import CaptionBuilder

Folder = Callable[[str], Path]


@pytest.mark.parametrize(
    ("objective", "parts"),
    [
        ("clip", {"zero_shot", "retrieval"}),
        ("siglip", {"zero_shot", "retrieval"}),
        ("cap", {"captioning"}),
        ("coca", {"zero_shot", "retrieval", "captioning"}),
    ],
)
def test_tasks_supported_by_objective_are_evaluated(
    folder_of: Folder, cohort: Path, objective: str, parts: set[str]
) -> None:
    result = evaluate_model(folder_of(objective), str(cohort), split="train", caption_days=3)
    assert {"zero_shot", "retrieval", "captioning"} & set(result) == parts
    assert (result["days"], result["people"], result["split"], result["objective"]) == (20, 10, "train", objective)
    assert result["max_text_length"] == 48, "should default to the model's maximum"
    assert json.loads(json.dumps(finite(result), allow_nan=False))
    for task, scores in result.get("zero_shot", {}).items():
        assert 0 < scores["days"] <= 20, task
    if "captioning" in parts:
        assert result["captioning"]["days"] == 3


def test_evaluation_is_deterministic(folder_of: Folder, cohort: Path) -> None:
    def numbers(**options: Any) -> dict[str, Any]:
        result = evaluate_model(folder_of("coca"), str(cohort), split="train", caption_days=4, **options)
        result.pop("seconds")
        return finite(result)

    assert numbers(seed=1) == numbers(seed=1)
    assert numbers(seed=1)["retrieval"] != numbers(seed=2)["retrieval"], "another seed should give other captions"


def test_tasks_without_labelled_days_are_skipped_with_warning(
    folder_of: Folder, tmp_path: Path, cohort: Path, caplog: pytest.LogCaptureFixture
) -> None:
    days = [day for day in simulate_days(40, seed=1) if day.labels["main_activity"] == "yoga"][:2]
    write_days(days, tmp_path / "days", split="test")
    with caplog.at_level(logging.WARNING):
        result = evaluate_model(folder_of("clip"), str(tmp_path / "days"))
    assert "gym_cardio" not in result["zero_shot"]
    assert "activity" in result["zero_shot"]
    assert "Skipping cardio_vs_strength, gym_cardio, outdoor_sports: no day has such a label." in caplog.text
    with pytest.raises(ValueError, match=r"Task 'gym_cardio' is not possible here: no day has such a label\."):
        evaluate_model(folder_of("clip"), str(tmp_path / "days"), tasks=["gym_cardio"])


def test_single_day_skips_retrieval_and_captioning(folder_of: Folder, cohort: Path) -> None:
    result = evaluate_model(folder_of("coca"), str(cohort), split="train", max_days=1)
    assert math.isnan(result["zero_shot"]["activity"]["auroc"])
    assert not {"retrieval", "captioning"} & set(result)


def test_captioned_days_are_spread_over_the_dataset(
    folder_of: Folder, cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen: list[list[str]] = []

    def watched(predictions: Any, references: Any, days: Any, **options: Any) -> dict[str, Any]:
        chosen.append([day.sample_id for day in days])
        return {}

    monkeypatch.setattr(evaluator, "score_captions", watched)
    for output_dir in (None, tmp_path / "run"):
        evaluate_model(folder_of("cap"), str(cohort), output_dir, split="train", tasks=["captioning"], caption_days=5)
    days = SensorDayDataset(load_sensor_days(str(cohort), split="train"))
    assert chosen[0] == chosen[1] == [days[row]["day"].sample_id for row in (0, 4, 8, 12, 16)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tasks": ["sleep"]}, "Unknown task 'sleep'; available groups are zero_shot"),
        ({"max_days": 0}, "`max_days` must be at least 1, got 0"),
        ({"caption_days": -1}, "`caption_days` must be at least 0, got -1"),
        ({"seed": -1}, "`seed` must be at least 0, got -1"),
        ({"device": "gpu"}, "`device` 'gpu' cannot be used here"),
        ({"max_text_length": 49}, "`max_text_length` is 49, but .* supports at most 48 tokens"),
        ({"caption_key": "summary"}, "`key` must be one of low_level_caption"),
        ({"batch_size": 0}, "`batch_size` must be at least 1, got 0"),
        ({"split": "tests"}, "tests"),
    ],
)
def test_invalid_arguments_raise(folder_of: Folder, cohort: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        evaluate_model(folder_of("coca"), str(cohort), **change)


def test_tasks_unsupported_by_model_raise(folder_of: Folder, cohort: Path) -> None:
    with pytest.raises(ValueError, match="'activity' is not possible here: a cap model has no text embedding"):
        evaluate_model(folder_of("cap"), str(cohort), tasks=["activity"])


def test_default_is_all_zero_shot_tasks(folder_of: Folder, cohort: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        result = evaluate_model(folder_of("clip"), str(cohort), split="train")
    left_out = re.findall(r"Skipping (.*): no day", caplog.text)
    assert set(result["zero_shot"]) == set(TASKS) - {name for names in left_out for name in names.split(", ")}
    assert "a clip model does not generate captions" in caplog.text


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
def test_caption_key_matches_training(tmp_path: Path, options: dict[str, Any] | None, key: str) -> None:
    if options is not None:
        (tmp_path / "training.json").write_text(json.dumps({"options": options}))
    assert trained_key(tmp_path) == key
    assert trained_key("somebody/on-the-hub") == "high_level_summary_caption"


def test_demo_model_default_and_explicit_caption_key(cohort: Path) -> None:
    few: dict[str, Any] = {"split": "train", "tasks": ["embedding_map"], "max_days": 4, "caption_days": 0}
    assert evaluate_model(demo_checkpoint(), str(cohort), **few)["caption_key"] == "high_low_caption"
    other = evaluate_model(demo_checkpoint(), str(cohort), caption_key="low_level_caption", **few)
    assert other["caption_key"] == "low_level_caption"


@pytest.mark.parametrize("text", ["not json", "[1, 2]"])
def test_invalid_training_record_raises(tmp_path: Path, text: str) -> None:
    (tmp_path / "training.json").write_text(text)
    with pytest.raises(ValueError, match=r"training\.json is not a training record"):
        trained_key(tmp_path)


# Runs with an output folder

OPTIONS = {"max_text_length": 48, "caption_days": 4, "batch_size": 8}


def make_model(folder: Path, objective: str = "coca", days: list | None = None) -> Path:
    days = days or simulate_days(30, seed=3)
    tokenizer = train_tokenizer(CaptionBuilder().batch(days), vocab_size=400, max_length=48)
    torch.manual_seed(0)
    config = SensorLMConfig.from_size(
        objective,
        "tiny",
        hidden_size=32,
        intermediate_size=64,
        num_attention_heads=2,
        patch_minutes=60,
        patch_channels=13,
        channel_keys=list(SensorLMFeatureExtractor().channel_keys),
        vocab_size=len(tokenizer),
        max_position_embeddings=48,
    )
    pretraining_class(config)(config).save_pretrained(folder)
    SensorLMProcessor(SensorLMFeatureExtractor(), tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("evaluator")
    days = simulate_days(44, seed=3)
    make_model(folder / "model", days=days)
    write_days(days, folder / "days", split="test")
    return folder


@pytest.fixture(scope="module")
def results(root: Path) -> dict:
    return evaluate_model(root / "model", str(root / "days"), root / "out", **OPTIONS)


def test_every_supported_task_has_file_and_result(root: Path, results: dict) -> None:
    files = {path.stem for path in (root / "out" / "tasks").iterdir()}
    assert files == set(RUN_TASKS) - {"unseen"}
    assert set(results["zero_shot"]) == set(GROUPS["zero_shot"])
    assert set(results["event_level"]) == set(GROUPS["events"])
    assert set(results["probes"]) == set(results["few_shot"]) == {"activity", "anxiety", "hypertension"}
    assert set(results["baselines"]["gradient_boosting"]) == {"activity", "anxiety", "hypertension"}
    assert results["captioning"]["days"] == 4
    assert 0 <= results["captioning"]["chance"]["faithfulness"] <= 1, (
        "a random model may make no claims, but the caption builder does"
    )
    assert results["retrieval"]["pool"] == 44
    assert json.loads((root / "out" / "results.json").read_text())["days"] == 44


def test_evaluation_resumes(root: Path, results: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = (root / "out" / "tasks" / "activity.json").stat().st_mtime_ns
    (root / "out" / "tasks" / "intensity.json").unlink()
    again = evaluate_model(root / "model", str(root / "days"), root / "out", **OPTIONS)
    assert (root / "out" / "tasks" / "activity.json").stat().st_mtime_ns == kept
    assert again["event_level"]["intensity"]["auroc"] == results["event_level"]["intensity"]["auroc"]


def test_results_of_another_run_are_not_reused(root: Path, results: dict) -> None:
    with pytest.raises(ValueError, match="seed differs"):
        evaluate_model(root / "model", str(root / "days"), root / "out", **OPTIONS, seed=1)
    with pytest.raises(ValueError, match="meteor differs"):
        evaluate_model(root / "model", str(root / "days"), root / "out", **OPTIONS, meteor=True)
    with pytest.raises(ValueError, match="does not contain a run"):
        evaluate_model(root / "model", str(root / "days"), root / "days", **OPTIONS)


def _rank(rank: int, root: Path, port: int) -> None:
    os.environ.update({"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)})
    torch.set_num_threads(1)
    evaluate_model(
        root / "model", str(root / "days"), root / "two", tasks=["zero_shot", "intensity", "retrieval"], **OPTIONS
    )
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_match_one(root: Path, results: dict) -> None:
    multiprocessing.spawn(_rank, (root, 29571), nprocs=2)
    two = collect(root / "two")
    for name, scores in two["zero_shot"].items():
        assert repr(scores) == repr(results["zero_shot"][name])
    assert two["event_level"]["intensity"]["auroc_per_class"] == results["event_level"]["intensity"]["auroc_per_class"]
    assert two["retrieval"]["pools"] == results["retrieval"]["pools"]


def test_results_do_not_depend_on_output_folder(root: Path, results: dict) -> None:
    again = evaluate_model(root / "model", str(root / "days"), **OPTIONS)
    assert set(again["zero_shot"]) == set(results["zero_shot"])
    for part in ("retrieval", "captioning"):
        assert repr(again[part]) == repr(results[part])
    for name, scores in again["zero_shot"].items():
        stored = {key: value for key, value in results["zero_shot"][name].items() if key != "curves"}
        assert repr(scores) == repr(stored)


def test_page_is_self_contained_and_shows_every_score(root: Path, results: dict) -> None:
    few = ("activity", "locomotion")
    results = {**results, "zero_shot": {name: results["zero_shot"][name] for name in few}}
    results["event_level"] = {"intensity": results["event_level"]["intensity"]}
    markdown, html = write_reports(results, root / "out")
    page = Page()
    page.feed(html.read_text(encoding="utf-8"))
    assert page.open == []
    assert page.outside == []
    assert len(page.alts) >= 2 * (len(results["zero_shot"]) + len(results["event_level"])) + 3
    assert all(page.alts)
    rows = list(result_rows(results))
    for text in (markdown.read_text(encoding="utf-8"), html.read_text(encoding="utf-8")):
        assert all(f"{row.value:.3f}" in text for row in rows if row.value == row.value)
        assert "faithfulness" in text
    activity = next(row for row in rows if row.task == "zero-shot activity")
    assert activity.supervised == results["baselines"]["gradient_boosting"]["activity"]["auroc"]
    assert "| zero-shot activity | AUROC |" in report_markdown(results)


def test_unsupported_tasks_are_skipped_or_raise(root: Path, tmp_path: Path) -> None:
    days = simulate_days(12, seed=3)
    cap, clip = make_model(tmp_path / "cap", "cap", days), make_model(tmp_path / "clip", "clip", days)
    results = evaluate_model(cap, days, tmp_path / "a", tasks=["zero_shot", "captioning"], **OPTIONS)
    assert "zero_shot" not in results
    assert results["captioning"]["days"] == 4
    with pytest.raises(ValueError, match="does not generate captions"):
        evaluate_model(clip, days, tmp_path / "b", tasks=["captioning"], **OPTIONS)
    with pytest.raises(ValueError, match="held out"):
        evaluate_model(clip, days, tmp_path / "b", tasks=["unseen"], **OPTIONS)


def test_evaluate_command_writes_reports(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    arguments = ["evaluate", "--model", str(root / "model"), "--data", str(root / "days"), "--max-text-length", "48"]
    folder = tmp_path / "report"
    assert main([*arguments, "--tasks", "locomotion", "intensity", "--output-dir", str(folder)]) == 0
    assert "report.html" in capsys.readouterr().out
    assert {"report.html", "report.md", "results.json"} <= {path.name for path in folder.iterdir()}
    assert main([*arguments, "--tasks", "sleepiness", "--output-dir", str(tmp_path / "other")]) == 2
    assert "Unknown task" in capsys.readouterr().err
    assert main([*arguments, "--caption-key", "poem", "--output-dir", str(tmp_path / "other")]) == 2
    assert "`key` must be one of low_level_caption" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
