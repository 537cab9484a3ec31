"""The combined Muon and AdamW optimiser, compared with two separate optimisers."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from run_cases import curve, make_processor, train
from training_cases import arguments, tiny_model

from sensorlm_hf.data import SensorDayDataset, SensorLMCollator
from sensorlm_hf.days import SensorDay
from sensorlm_hf.processing import SensorLMProcessor
from sensorlm_hf.training import MuonWithAdamW, SensorLMTrainer, SensorLMTrainingArguments, parameter_groups

RATES: dict[str, Any] = {"learning_rate": 1e-2, "muon_learning_rate": 3e-2, "weight_decay": 0.1, "betas": (0.8, 0.9)}


class Network(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.token_embedding = torch.nn.Embedding(7, 6)
        self.layer = torch.nn.Linear(6, 10)
        self.norm = torch.nn.LayerNorm(10)
        self.back = torch.nn.Linear(10, 6)
        self.lm_head = torch.nn.Linear(6, 7, bias=False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.lm_head(self.back(self.norm(self.layer(self.token_embedding(ids))).relu()))


def backward(network: Network, step: int) -> None:
    ids = torch.randint(0, 7, (20,), generator=torch.Generator().manual_seed(step))
    network.zero_grad()
    torch.nn.functional.cross_entropy(network(ids), ids.roll(1)).backward()


def assert_equal(one: torch.nn.Module, other: torch.nn.Module) -> None:
    for (name, a), (_, b) in zip(one.named_parameters(), other.named_parameters(), strict=True):
        assert torch.equal(a, b), name


def optimizer_of(network: Network) -> MuonWithAdamW:
    return MuonWithAdamW(network.named_parameters(), **RATES)


def test_combined_optimizer_matches_separate_optimizers():
    network, twin = Network(), Network()
    optimizer = optimizer_of(network)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (step + 1))
    hidden = [twin.layer.weight, twin.back.weight]
    rest = [(name, p) for name, p in twin.named_parameters() if not any(p is matrix for matrix in hidden)]
    pair = [
        torch.optim.Muon(hidden, lr=3e-2, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(parameter_groups(rest, 0.1), lr=1e-2, betas=(0.8, 0.9)),
    ]
    for step in range(4):
        backward(network, step)
        optimizer.step()
        schedule.step()
        backward(twin, step)
        for part in pair:
            for group in part.param_groups:
                group["lr"] = group.setdefault("first", group["lr"]) / (step + 1)
            part.step()
    assert_equal(network, twin)
    assert schedule.get_last_lr()[0] == pytest.approx(1e-2 / 5)  # the AdamW rate, which the trainer logs


def test_state_dict_round_trips():
    network = Network()
    optimizer = optimizer_of(network)
    for step in range(3):
        backward(network, step)
        optimizer.step()
    twin = copy.deepcopy(network)
    successor = optimizer_of(twin)
    successor.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for group in successor.param_groups:
        assert group["lr"] in (1e-2, 3e-2)
    for step in range(3, 6):
        for model, its in ((network, optimizer), (twin, successor)):
            backward(model, step)
            its.step()
    assert_equal(network, twin)
    for group in successor.param_groups:  # learning rate changes by a scheduler apply to both
        group["lr"] = 0.0
        group["weight_decay"] = 0.0
    before = copy.deepcopy(twin)
    backward(twin, 9)
    successor.step()
    assert_equal(twin, before)


def test_closure_is_called_and_loss_returned():
    network = Network()
    optimizer = optimizer_of(network)

    def closure() -> float:
        backward(network, 0)
        return 1.5

    assert optimizer.step(closure) == 1.5


def test_muon_parameter_selection(processor: SensorLMProcessor):
    model = tiny_model(processor, embed_statistics=True)
    optimizer = MuonWithAdamW(model.named_parameters(), learning_rate=1e-3, muon_learning_rate=2e-3, weight_decay=0.1)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    *adamw, muon = ({names[id(p)] for p in group["params"]} for group in optimizer.param_groups)
    assert set.union(*adamw) | muon == set(names.values())
    assert {
        "sensorlm.sensor_model.encoder.layers.0.self_attn.q_proj.weight",
        "sensorlm.sensor_model.head.mlp.fc1.weight",
        "sensorlm.text_model.encoder.layers.0.mlp.fc2.weight",
        "sensorlm.text_model.head.weight",
        "decoder.cross_layers.0.cross_attn.out_proj.weight",
    } <= muon
    assert not muon & {
        "sensorlm.sensor_model.embeddings.patch_embedding.weight",
        "sensorlm.sensor_model.embeddings.position_embedding.weight",
        "sensorlm.sensor_model.statistics.weight",
        "sensorlm.sensor_model.statistics.bias",
        "sensorlm.text_model.embeddings.token_embedding.weight",
        "decoder.lm_head.weight",
        "decoder.pooler.query",
    }
    model.requires_grad_(False)
    head = model.base_model.text_model.head
    head.requires_grad_(True)
    alone = MuonWithAdamW([("head.weight", head.weight)], learning_rate=1e-3, muon_learning_rate=2e-3, weight_decay=0.0)
    assert [group["lr"] for group in alone.param_groups] == [2e-3]


def test_trainer_uses_muon_with_learning_rate(tmp_path: Path, processor: SensorLMProcessor, simulated: list[SensorDay]):
    trainer = SensorLMTrainer(
        model=tiny_model(processor),
        args=arguments(tmp_path, max_steps=2, muon_learning_rate=5e-3, adam_beta2=0.97, weight_decay=0.2),
        train_dataset=SensorDayDataset(simulated),
        data_collator=SensorLMCollator(processor, max_length=64),
    )
    optimizer = trainer.create_optimizer()
    assert isinstance(optimizer, MuonWithAdamW)
    assert [group["lr"] for group in optimizer.param_groups] == [3e-3, 3e-3, 5e-3]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.2, 0.0, 0.2]
    assert optimizer.param_groups[0]["betas"] == (0.9, 0.97)
    before = copy.deepcopy(trainer.model.state_dict())
    trainer.train()
    assert all(
        not torch.equal(before[name], w) for name, w in trainer.model.state_dict().items() if "fc1.weight" in name
    )


def test_killed_run_resumes_identically(tmp_path: Path):
    make_processor(tmp_path / "processor")
    folder, processor = tmp_path / "run", tmp_path / "processor"
    (expected,) = train(tmp_path / "whole", processor, muon_learning_rate=2e-3)
    assert train(folder, processor, die=("step", 5), muon_learning_rate=2e-3) == []
    (result,) = train(folder, processor, resume=True, muon_learning_rate=2e-3)
    assert curve(result) == curve(expected)
    assert all(torch.equal(weight, expected["weights"][name]) for name, weight in result["weights"].items())


def test_two_processes_match_one(tmp_path: Path):
    make_processor(tmp_path / "processor")
    (expected,) = train(tmp_path / "one", tmp_path / "processor", muon_learning_rate=2e-3)
    results = train(tmp_path / "two", tmp_path / "processor", 2, muon_learning_rate=2e-3)
    losses, told = ([e["loss"] for e in curve(r) if "loss" in e] for r in (results[0], expected))
    assert losses == pytest.approx(told, rel=1e-3)
    for name, weight in expected["weights"].items():
        assert torch.equal(results[0]["weights"][name], results[1]["weights"][name])
        if name.endswith("k_proj.bias"):
            continue  # its gradient is only rounding noise, which Adam scales up: a key bias has no effect
        # Muon orthogonalises its updates in bfloat16, so rounding differences appear in the third digit.
        torch.testing.assert_close(results[0]["weights"][name], weight, atol=1e-3, rtol=1e-3, msg=name)


def test_sharded_matrices_raise(tmp_path: Path):
    make_processor(tmp_path / "processor")
    results = train(tmp_path / "run", tmp_path / "processor", 2, fsdp=True, muon_learning_rate=2e-3)
    assert len(results) == 2
    assert all("needs unsharded matrices on every process" in result["error"] for result in results)


def test_invalid_rates_raise(tmp_path: Path):
    with pytest.raises(ValueError, match="`muon_learning_rate` must be above 0, got 0"):
        SensorLMTrainingArguments(output_dir=str(tmp_path), use_cpu=True, muon_learning_rate=0)
    for name in ("learning_rate", "muon_learning_rate"):
        with pytest.raises(ValueError, match=f"`{name}` must be above 0, got -1"):
            MuonWithAdamW(Network().named_parameters(), **{**RATES, name: -1})
    with pytest.raises(ValueError, match="no hidden matrix"):
        MuonWithAdamW([("bias", torch.nn.Parameter(torch.zeros(3)))], **RATES)


def test_torch_without_muon_raises_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(ValueError, match=r"needs torch 2\.9 or newer, this is"):
        arguments(tmp_path, muon_learning_rate=1e-3)
    assert arguments(tmp_path).muon_learning_rate is None
    with pytest.raises(ValueError, match="Upgrade torch, or leave it unset"):
        MuonWithAdamW([("a", torch.nn.Parameter(torch.ones(2, 2)))], **RATES)
