"""The trainer on several processes, compared with the trainer on one."""

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


# Global batches of six days, as three micro-batches of two; an epoch is three steps, or one and a remainder.
SETTINGS: dict[str, dict[str, Any]] = {
    "coca": {"objective": "coca"},
    "siglip ring": {"objective": "siglip", "loss_exchange": "ring", "loss_chunk_size": 2},
    "coca cached": {"objective": "coca", "contrastive_mini_batch_size": 2},
    "coca accumulated": {"objective": "coca", "gradient_accumulation_steps": 2},
    # Besides the losses, zero-shot scores at evaluations, which require all weights to be gathered.
    "coca FSDP2": {"objective": "coca", "fsdp": True, "zero_shot": True},
    "siglip FSDP2 cached": {"objective": "siglip", "fsdp": True, "contrastive_mini_batch_size": 2},
}
ALONE = ("objective", "gradient_accumulation_steps", "zero_shot")
"""Settings that define the computation, not its distribution over processes."""


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
def test_two_processes_log_same_values_as_one(runs: dict[str, Any], name: str) -> None:
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
def test_final_weights_are_identical_on_both_processes(runs: dict[str, Any], name: str) -> None:
    one, other = (result["weights"] for result in runs[name][2])
    assert all(torch.equal(weight, other[key]) for key, weight in one.items())


def seen(results: list[dict[str, Any]]) -> list[list[Any]]:
    """Global batches: items seen by the ranks at each step, by rank. There are no workers, so calls are in order."""
    return [[item for part in parts for item in part] for parts in zip(*(r["seen"] for r in results), strict=True)]


def test_global_batches_match_single_process(runs: dict[str, Any]) -> None:
    assert seen(runs["coca"][2]) == seen(runs["coca"][1])


def test_subjects_are_unique_per_global_batch_and_days_per_epoch(runs: dict[str, Any]) -> None:
    batches = seen(runs["coca"][2])
    assert len(batches) == 6
    for batch in batches:
        assert len({person for _, person, _ in batch}) == len(batch) == 6
    for epoch in range(2):
        items = [item for batch in batches[3 * epoch : 3 * epoch + 3] for item in batch]
        assert len({day for day, _, _ in items}) == DAYS
        assert {number for _, _, number in items} == {epoch}
    assert seen(runs["coca"][2])[:3] != seen(runs["coca"][2])[3:]


def test_streamed_global_batches_have_unique_subjects(processor: Path, tmp_path: Path) -> None:
    """Several processes, with subjects whose two days are in shards of different processes."""
    rows = days(DAYS, 0)
    write_days([*rows[::2], *rows[1::2]], tmp_path / "days", days_per_shard=3)
    results = train(tmp_path / "run", processor, 2, stream=str(tmp_path / "days"))
    batches = seen(results)
    assert len(batches) == 6
    for batch in batches:
        assert len({person for _, person, _ in batch}) == len(batch) == 6
    assert {len(part) for result in results for part in result["seen"]} == {3}


@pytest.mark.parametrize("name", ["coca", "coca FSDP2"])
def test_two_killed_processes_resume_within_later_epoch(
    runs: dict[str, Any], processor: Path, tmp_path: Path, name: str
) -> None:
    """The epoch must reach the sampler through accelerate's wrappers for several processes."""
    assert train(tmp_path, processor, 2, die=("step", 6), **SETTINGS[name]) == []
    assert (tmp_path / "checkpoint-4").is_dir()
    results = train(tmp_path, processor, 2, resume=True, **SETTINGS[name])
    for result, expected in zip(results, runs[name][2], strict=True):
        assert curve(result) == curve(expected)
        assert all(torch.equal(weight, expected["weights"][key]) for key, weight in result["weights"].items())


@pytest.mark.parametrize("name", ["coca", "coca FSDP2"])
def test_multi_process_checkpoint_has_full_model_and_processor(runs: dict[str, Any], name: str) -> None:
    result = runs[name][2][0]
    checkpoint = last_complete_checkpoint(result["folder"])
    assert checkpoint is not None
    model = AutoModelForMultimodalLM.from_pretrained(checkpoint)
    processor = AutoProcessor.from_pretrained(checkpoint)
    assert set(model.state_dict()) == set(result["weights"])
    assert all(torch.equal(weight, result["weights"][key]) for key, weight in model.state_dict().items())
    inputs = processor(sensor=days(2, 0), text=["a day", "a night"], return_tensors="pt")
    assert model(**inputs).loss.isfinite()


def test_scores_are_logged_on_every_process(runs: dict[str, Any]) -> None:
    for result in runs["coca FSDP2"][2]:
        assert sum("eval_zero_shot_activity_auroc" in entry for entry in result["history"]) == 3


def test_caption_groups_do_not_depend_on_batch(processor: Path) -> None:
    days = list(iter_simulated_days(6, seed=5))
    collator = SensorLMCollator(SensorLMProcessor.from_pretrained(processor), max_length=48)
    together = collator(days)["text_group_ids"]
    apart = torch.cat([collator([day])["text_group_ids"] for day in reversed(days)]).flip(0)
    assert torch.equal(together, apart)
    assert torch.equal(collator([days[0], days[0]])["text_group_ids"], together[:1].expand(2))
    assert len(together.unique()) > 1
    assert (together >= 0).all()
