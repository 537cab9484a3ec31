"""The whole evaluation: what it writes, that it resumes, and that two processes get the numbers of one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as multiprocessing
from evaluation_cases import Page

from sensorlm_hf.cli import main
from sensorlm_hf.data.folders import write_days
from sensorlm_hf.data.simulate import simulate_days
from sensorlm_hf.evaluation.page import _few_shot_range, suite_markdown, table_rows, write_reports
from sensorlm_hf.evaluation.parallel import Ranks
from sensorlm_hf.evaluation.run_folder import GROUPS, SUITE_TASKS, collect
from sensorlm_hf.evaluation.suite import run_suite
from sensorlm_hf.modeling import SensorLMConfig, SensorLMModel
from sensorlm_hf.processing import SensorLMFeatureExtractor, SensorLMProcessor, train_tokenizer
from sensorlm_hf.processing.captions import CaptionBuilder

OPTIONS = {"max_text_length": 48, "caption_count": 4, "batch_size": 8}


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
    SensorLMModel(config).save_pretrained(folder)
    SensorLMProcessor(SensorLMFeatureExtractor(), tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("suite")
    days = simulate_days(44, seed=3)
    make_model(folder / "model", days=days)
    write_days(days, folder / "days", split="test")
    return folder


@pytest.fixture(scope="module")
def results(root: Path) -> dict:
    return run_suite(root / "model", str(root / "days"), root / "out", **OPTIONS)


def test_every_possible_task_has_a_file_and_a_result(root: Path, results: dict) -> None:
    files = {path.stem for path in (root / "out" / "tasks").iterdir()}
    assert files == set(SUITE_TASKS) - {"unseen"}
    assert set(results["zero_shot"]) == set(GROUPS["zero_shot"])
    assert set(results["event_level"]) == set(GROUPS["events"])
    assert set(results["probes"]) == set(results["few_shot"]) == {"activity", "anxiety", "hypertension"}
    assert set(results["baselines"]["gradient_boosting"]) == {"activity", "anxiety", "hypertension"}
    assert 0 <= results["captioning"]["faithfulness"] <= 1
    assert results["retrieval"]["pool"] == 44
    assert json.loads((root / "out" / "results.json").read_text())["days"] == 44


def test_a_run_goes_on_where_it_stopped(root: Path, results: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = (root / "out" / "tasks" / "activity.json").stat().st_mtime_ns
    (root / "out" / "tasks" / "intensity.json").unlink()
    again = run_suite(root / "model", str(root / "days"), root / "out", **OPTIONS)
    assert (root / "out" / "tasks" / "activity.json").stat().st_mtime_ns == kept
    assert again["event_level"]["intensity"]["auroc"] == results["event_level"]["intensity"]["auroc"]


def test_results_of_another_run_are_not_taken_over(root: Path, results: dict) -> None:
    with pytest.raises(ValueError, match="seed differs"):
        run_suite(root / "model", str(root / "days"), root / "out", **OPTIONS, seed=1)
    with pytest.raises(ValueError, match="holds no run"):
        run_suite(root / "model", str(root / "days"), root / "days", **OPTIONS)


def _rank(rank: int, root: Path, port: int) -> None:
    import os

    os.environ.update({"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)})
    torch.set_num_threads(1)
    run_suite(
        root / "model", str(root / "days"), root / "two", tasks=["zero_shot", "intensity", "retrieval"], **OPTIONS
    )
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_get_the_numbers_of_one(root: Path, results: dict) -> None:
    multiprocessing.spawn(_rank, (root, 29571), nprocs=2)
    two = collect(root / "two")
    for name, scores in two["zero_shot"].items():
        assert repr({**scores, "seconds": 0}) == repr({**results["zero_shot"][name], "seconds": 0})
    assert two["event_level"]["intensity"]["auroc_per_class"] == results["event_level"]["intensity"]["auroc_per_class"]
    assert two["retrieval"]["pools"] == results["retrieval"]["pools"]


def test_batches_are_shared_out_whole_and_put_together_in_order() -> None:
    seen = []
    doubled = Ranks().map(lambda batch: seen.append(len(batch)) or [2 * x for x in batch], list(range(7)), 3)
    assert doubled == [0, 2, 4, 6, 8, 10, 12]
    assert seen == [3, 3, 1]


def test_the_page_needs_nothing_else_and_holds_every_number(root: Path, results: dict) -> None:
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
    rows = list(table_rows(results))
    for text in (markdown.read_text(encoding="utf-8"), html.read_text(encoding="utf-8")):
        assert all(f"{row.value:.3f}" in text for row in rows if row.value == row.value)
        assert "faithfulness" in text
    activity = next(row for row in rows if row.task == "zero-shot activity")
    assert activity.supervised == results["baselines"]["gradient_boosting"]["activity"]["auroc"]
    assert "| zero-shot activity | AUROC |" in suite_markdown(results)


def test_what_a_model_cannot_do_is_left_out_or_refused(root: Path, tmp_path: Path) -> None:
    days = simulate_days(12, seed=3)
    cap, clip = make_model(tmp_path / "cap", "cap", days), make_model(tmp_path / "clip", "clip", days)
    results = run_suite(cap, days, tmp_path / "a", tasks=["zero_shot", "captioning"], **OPTIONS)
    assert "zero_shot" not in results
    assert results["captioning"]["days"] == 4
    with pytest.raises(ValueError, match="writes no captions"):
        run_suite(clip, days, tmp_path / "b", tasks=["captioning"], **OPTIONS)
    with pytest.raises(ValueError, match="held out"):
        run_suite(clip, days, tmp_path / "b", tasks=["unseen"], **OPTIONS)


def test_the_command_writes_the_reports(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
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


def test_few_shot_below_chance_is_in_the_picture() -> None:
    assert _few_shot_range({"activity": ([1, 5], [0.6, 0.9])}) == (0.4, 1.0)
    assert _few_shot_range({"activity": ([1], [0.9]), "anxiety": ([1, 5], [0.383, 0.5])}) == (0.3, 1.0)
