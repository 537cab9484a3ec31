"""The trainer on several real processes, against the trainer on one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from run_cases import DAYS, curve, days, make_processor, train
from transformers import AutoModelForMultimodalLM, AutoProcessor

from sensorlm_hf.data import write_days
from sensorlm_hf.data.collator import SensorLMCollator
from sensorlm_hf.data.simulate import iter_simulated_days
from sensorlm_hf.processing import SensorLMProcessor
from sensorlm_hf.training import last_complete_checkpoint


@pytest.fixture(scope="module")
def processor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("processor")
    make_processor(folder)
    return folder


# Batches of six days in all, each made of three micro-batches of two; the epoch is three steps, or one and a remainder.
SETTINGS: dict[str, dict[str, Any]] = {
    "coca": {"objective": "coca"},
    "siglip ring": {"objective": "siglip", "loss_exchange": "ring", "loss_chunk_size": 2},
    "coca cached": {"objective": "coca", "contrastive_mini_batch_size": 2},
    "coca accumulated": {"objective": "coca", "gradient_accumulation_steps": 2},
    # Beside the losses the scores of days that are classified at evaluations, for which all weights must come together.
    "coca FSDP2": {"objective": "coca", "fsdp": True, "zero_shot": True},
    "siglip FSDP2 cached": {"objective": "siglip", "fsdp": True, "contrastive_mini_batch_size": 2},
}
ALONE = ("objective", "gradient_accumulation_steps", "zero_shot")
"""Settings that say what is computed, not how processes share it."""


@pytest.fixture(scope="module")
def runs(processor: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    def run(name: str, world: int) -> list[dict[str, Any]]:
        options = dict(SETTINGS[name])
        if world == 1:
            options = {key: value for key, value in options.items() if key in ALONE}
        folder = tmp_path_factory.mktemp("run")
        return [{**result, "folder": folder} for result in train(folder, processor, world, **options)]

    return {name: {1: run(name, 1), 2: run(name, 2)} for name in SETTINGS}


@pytest.mark.parametrize("name", SETTINGS)
def test_two_processes_log_what_one_logs(runs: dict[str, Any], name: str) -> None:
    """Losses, parts, gradient norms, temperature, evaluation losses and R@1, step by step, on both ranks."""
    (expected,) = runs[name][1]
    for result in runs[name][2]:
        assert len(curve(result)) == len(curve(expected))
        for found, wanted in zip(curve(result), curve(expected), strict=True):
            assert found == pytest.approx(wanted, rel=2e-3, abs=2e-4)
    assert any("eval_loss" in entry for entry in curve(expected))
    assert any("eval_r1_sensor_to_text" in entry for entry in curve(expected))
    assert all(entry["grad_norm"] > 0 for entry in curve(expected) if "loss" in entry)


@pytest.mark.parametrize("name", SETTINGS)
def test_both_processes_end_with_the_same_weights(runs: dict[str, Any], name: str) -> None:
    one, other = (result["weights"] for result in runs[name][2])
    assert all(torch.equal(weight, other[key]) for key, weight in one.items())


def seen(results: list[dict[str, Any]]) -> list[list[Any]]:
    """Global batches: what the ranks saw in a step, in their order. Workers are not used, so calls are in order."""
    return [[item for part in parts for item in part] for parts in zip(*(r["seen"] for r in results), strict=True)]


def test_processes_share_each_global_batch_as_one_process_sees_it(runs: dict[str, Any]) -> None:
    assert seen(runs["coca"][2]) == seen(runs["coca"][1])


def test_a_global_batch_holds_nobody_twice_and_an_epoch_every_day_once(runs: dict[str, Any]) -> None:
    batches = seen(runs["coca"][2])
    assert len(batches) == 6
    for batch in batches:
        assert len({person for _, person, _ in batch}) == len(batch) == 6
    for epoch in range(2):
        items = [item for batch in batches[3 * epoch : 3 * epoch + 3] for item in batch]
        assert len({day for day, _, _ in items}) == DAYS
        assert {number for _, _, number in items} == {epoch}
    assert seen(runs["coca"][2])[:3] != seen(runs["coca"][2])[3:]


def test_a_global_batch_of_a_stream_holds_nobody_twice(processor: Path, tmp_path: Path) -> None:
    """Real processes, and people whose two days lie in shards of different processes."""
    rows = days(DAYS, 0)
    write_days([*rows[::2], *rows[1::2]], tmp_path / "days", days_per_shard=3)
    results = train(tmp_path / "run", processor, 2, stream=str(tmp_path / "days"))
    batches = seen(results)
    assert len(batches) == 6
    for batch in batches:
        assert len({person for _, person, _ in batch}) == len(batch) == 6
    assert {len(part) for result in results for part in result["seen"]} == {3}


@pytest.mark.parametrize("name", ["coca", "coca FSDP2"])
def test_two_killed_processes_go_on_in_the_middle_of_a_later_epoch(
    runs: dict[str, Any], processor: Path, tmp_path: Path, name: str
) -> None:
    """The sampler's epoch must reach it through what accelerate wraps around it on several processes."""
    assert train(tmp_path, processor, 2, die=("step", 6), **SETTINGS[name]) == []
    assert (tmp_path / "checkpoint-4").is_dir()
    results = train(tmp_path, processor, 2, resume=True, **SETTINGS[name])
    for result, expected in zip(results, runs[name][2], strict=True):
        assert curve(result) == curve(expected)
        assert all(torch.equal(weight, expected["weights"][key]) for key, weight in result["weights"].items())


@pytest.mark.parametrize("name", ["coca", "coca FSDP2"])
def test_a_checkpoint_of_several_processes_is_a_whole_model_with_its_processor(runs: dict[str, Any], name: str) -> None:
    result = runs[name][2][0]
    checkpoint = last_complete_checkpoint(result["folder"])
    assert checkpoint is not None
    model = AutoModelForMultimodalLM.from_pretrained(checkpoint)
    processor = AutoProcessor.from_pretrained(checkpoint)
    assert set(model.state_dict()) == set(result["weights"])
    assert all(torch.equal(weight, result["weights"][key]) for key, weight in model.state_dict().items())
    inputs = processor(sensor=days(2, 0), text=["a day", "a night"], return_tensors="pt")
    assert model(**inputs).loss.isfinite()


def test_scores_reach_every_process(runs: dict[str, Any]) -> None:
    for result in runs["coca FSDP2"][2]:
        assert sum("eval_zero_shot_activity_auroc" in entry for entry in result["history"]) == 3


def test_equal_captions_have_equal_groups_in_whichever_batch(processor: Path) -> None:
    days = list(iter_simulated_days(6, seed=5))
    collator = SensorLMCollator(SensorLMProcessor.from_pretrained(processor), max_length=48)
    together = collator(days)["text_group_ids"]
    apart = torch.cat([collator([day])["text_group_ids"] for day in reversed(days)]).flip(0)
    assert torch.equal(together, apart)
    assert torch.equal(collator([days[0], days[0]])["text_group_ids"], together[:1].expand(2))
    assert len(together.unique()) > 1
    assert (together >= 0).all()
