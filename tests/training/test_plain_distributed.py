"""The plain models on two processes, with tools that know nothing of this package."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from plain_cases import accelerated, idle_parameters, padded_sampler, rows, small_model, stack, trained, worker
from run_cases import free_port, start

from sensorlm_hf.modeling import SensorLMForConditionalGeneration
from sensorlm_hf.training import GlobalLosses, use_global_losses

ADAM = 1e-9
"""Adam divides gradients by their size, which enlarges rounding errors of small ones."""


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Everything on this process."""
    place = tmp_path_factory.mktemp("runs")
    results: dict[str, Any] = {"place": place, "idle": idle_parameters(None)}
    for objective in ("clip", "cap", "coca"):
        results[f"sampler {objective}"] = padded_sampler(objective, 1)
    for objective in ("siglip", "coca"):
        results[f"accelerate {objective}"] = accelerated(objective, 1)
        results[f"Trainer {objective}"] = trained(str(place / f"one {objective}"), 1, objective)
    results["Trainer cap"] = trained(str(place / "one cap"), 1, "cap", labels=True)
    return results


@pytest.fixture(scope="module")
def two(one: dict[str, Any]) -> list[dict[str, Any]]:
    start(worker, 2, 2, free_port(), str(one["place"]))
    return [torch.load(one["place"] / f"{rank}.pt", weights_only=False) for rank in range(2)]


def largest_difference(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> float:
    assert set(found) == set(expected)
    return max((found[name].reshape(-1) - tensor.reshape(-1)).abs().max().item() for name, tensor in expected.items())


@pytest.mark.parametrize("wrapper", ["ddp", "fsdp2"])
def test_parameters_of_statements_need_no_search(one, two, wrapper):
    """DDP raises in the second step if a parameter had no gradient in the first; FSDP2 cannot shard scalars."""
    scalars = {f"sensorlm.statement_logit_{name}" for name in ("scale", "bias")}
    assert set(one["idle"]["without gradient in step 1"]) == scalars  # one process leaves them alone
    for rank in two:
        result = rank[f"idle {wrapper}"]
        assert [result[f"without gradient in step {step}"] for step in range(3)] == [[], [], []]
        assert [result[f"largest of statements in step {step}"] for step in range(2)] == [0.0, 0.0]
        assert result["largest of statements in step 2"] > 1e-3
        assert largest_difference(result["weights"], one["idle"]["weights"]) < 1e-12
        assert result["weights"]["sensorlm.statement_logit_scale"].shape == ()


@pytest.mark.parametrize("objective", ["clip", "cap", "coca"])
def test_sampler_that_repeats_rows(one, two, objective):
    for rank in two:
        assert largest_difference(rank[f"sampler {objective}"], one[f"sampler {objective}"]) < 1e-12


@pytest.mark.parametrize("objective", ["siglip", "coca"])
def test_accelerate_with_accumulation_and_short_last_batch(one, two, objective):
    """`accumulate` skips the synchronisation of all but the last micro-batch (`no_sync`)."""
    assert one[f"accelerate {objective}"]["sizes"] == [4, 4] * 2
    for rank in two:
        assert rank[f"accelerate {objective}"]["sizes"] == [2, 2] * 2
        found = rank[f"accelerate {objective}"]["weights"]
        assert largest_difference(found, one[f"accelerate {objective}"]["weights"]) < ADAM


@pytest.mark.parametrize("objective", ["siglip", "coca", "cap"])
def test_trainer_gives_weights_of_one_process(one, two, objective):
    """`cap` with four days a process and step as two micro-batches of one."""
    for rank in two:
        found = rank[f"Trainer {objective}"]
        assert largest_difference(found["weights"], one[f"Trainer {objective}"]["weights"]) < ADAM
    losses = [
        [entry["loss"] for entry in log if "loss" in entry]
        for log in (one[f"Trainer {objective}"]["log"], two[0][f"Trainer {objective}"]["log"])
    ]
    assert len(losses[0]) == 4
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)


def test_run_goes_on_with_other_number_of_processes(one, two, tmp_path):
    """With the same global batch, data, schedule and optimizer continue where they were."""
    expected = one["Trainer coca"]["weights"]
    for rank in two:
        assert largest_difference(rank["resumed"]["weights"], expected) < ADAM
    checkpoint = one["place"] / "two coca" / "checkpoint-2"
    assert {path.name for path in checkpoint.glob("rng_state*")} == {"rng_state_0.pth", "rng_state_1.pth"}
    resumed = trained(str(tmp_path), 1, "coca", resume=str(checkpoint))
    assert largest_difference(resumed["weights"], expected) < ADAM
    assert [entry["step"] for entry in resumed["log"] if "loss" in entry] == [1, 2, 3, 4]
    saved = SensorLMForConditionalGeneration.from_pretrained(one["place"] / "two coca" / "checkpoint-4")
    assert largest_difference({n: p.double() for n, p in saved.named_parameters()}, expected) < ADAM


def test_uneven_batches_raise_and_evaluation_is_local(two):
    for rank in two:
        assert "same number of rows, got [3, 4] on ranks 0 to 1" in rank["uneven"]["uneven"]
    # Rank 0 evaluated without rank 1.
    assert float(two[0]["uneven"]["alone"]) > 0
    assert "alone" not in two[1]["uneven"]


def test_one_process_is_not_affected(one):
    for objective in ("clip", "siglip", "cap", "coca"):
        plain, told = small_model(objective), small_model(objective)
        use_global_losses(told)
        batch = stack(rows())
        expected, found = plain(**batch), told(**batch)
        assert torch.equal(found.loss, expected.loss)
        chunked = small_model(objective)
        use_global_losses(chunked, GlobalLosses(chunk_size=5))
        torch.testing.assert_close(chunked(**batch).loss, expected.loss, rtol=1e-12, atol=1e-12)


def test_invalid_use_raises():
    with pytest.raises(ValueError, match="supports the sigmoid loss"):
        use_global_losses(small_model("clip"), GlobalLosses("ring"))
    with pytest.raises(ValueError, match="has no loss"):
        use_global_losses(small_model("cap").sensorlm)
    with pytest.raises(TypeError, match="got Linear"):
        use_global_losses(torch.nn.Linear(1, 1))
