"""Monitoring of a run: throughput, retrieval accuracy, progress and TensorBoard."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from rich.console import Console
from run_cases import make_processor, train
from torch.utils.flop_counter import FlopCounterMode

from sensorlm_hf.modeling import SensorLMConfig, SensorLMModel, pretraining_class
from sensorlm_hf.training import SensorLMTrainingArguments
from sensorlm_hf.training.callbacks import RichProgress
from sensorlm_hf.training.throughput import ForwardFlops, matmul_rate


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    processor, folder = tmp_path_factory.mktemp("processor"), tmp_path_factory.mktemp("run")
    make_processor(processor)
    (outcome,) = train(folder, processor, report_to=None)
    return outcome, folder


def test_log_entries_contain_throughput_and_losses(result: tuple[dict[str, Any], Path]) -> None:
    entries = [entry for entry in result[0]["history"] if "loss" in entry]
    for entry in entries:
        assert {"grad_norm", "learning_rate", "logit_scale", "contrastive_loss", "caption_loss"} <= set(entry)
        assert entry["days_per_second"] > 0
        assert 0 < entry["mfu"] < 2
        assert 0 <= entry["data_wait"] < 1
        assert entry["loss"] == pytest.approx(entry["contrastive_loss"] + 2 * entry["caption_loss"], abs=1e-3)


def test_evaluation_logs_r1(result: tuple[dict[str, Any], Path]) -> None:
    entries = [entry for entry in result[0]["history"] if "eval_loss" in entry]
    assert entries
    for entry in entries:
        for name in ("eval_r1_sensor_to_text", "eval_r1_text_to_sensor"):
            # Seven days in batches of six and one; the single day always retrieves itself.
            assert 1 / 7 - 1e-4 <= entry[name] <= 1
            assert entry[name] * 7 == pytest.approx(round(entry[name] * 7), abs=1e-3)


def test_tensorboard_is_default_and_logs_every_value(result: tuple[dict[str, Any], Path], tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    assert SensorLMTrainingArguments(output_dir=str(tmp_path), use_cpu=True).report_to == ["tensorboard"]
    (file,) = result[1].rglob("events.out.tfevents.*")
    events = accumulator.EventAccumulator(str(file))
    events.Reload()
    tags = set(events.Tags()["scalars"])
    wanted = {"loss", "grad_norm", "logit_scale", "days_per_second", "mfu", "data_wait", "contrastive_loss"}
    assert {f"train/{name}" for name in wanted} <= tags
    assert {"eval/loss", "eval/r1_sensor_to_text"} <= tags


@pytest.mark.parametrize("objective", ["siglip", "cap", "coca"])
def test_flops_match_measured_forward_pass(objective: str) -> None:
    config = SensorLMConfig.from_size(objective, "tiny", vocab_size=300, max_position_embeddings=64)
    model = pretraining_class(config)(config).requires_grad_(False).eval()
    flops = ForwardFlops(model)
    model.set_attn_implementation("eager")  # torch does not count fused attention on CPUs
    for length in (5, 33, 64):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(torch.zeros(2, 1440, 26), None, torch.ones(2, length, dtype=torch.long), return_loss=False)
        # Twice as many rows take twice as many operations, except for the similarities between the two rows.
        assert 2 * flops(length) == pytest.approx(counter.get_total_flops(), rel=1e-3)


def test_tower_flops_by_hand() -> None:
    layers = [1, 3]
    totals = []
    for count in layers:
        config = SensorLMConfig.from_size("siglip", "tiny", vocab_size=300, sensor_config={"num_hidden_layers": count})
        totals.append(ForwardFlops(SensorLMModel(config))(16))
    # A layer of width D on K tokens: four projections, two attention products, two MLP layers (width 4 D).
    tokens, width = 144, 192
    layer = 2 * tokens * width * (4 * width + 2 * tokens + 8 * width)
    assert totals[1] - totals[0] == pytest.approx(2 * layer, rel=1e-6)


def test_matmul_rate() -> None:
    before = torch.get_rng_state()
    rate = matmul_rate(torch.device("cpu"), torch.float32)
    assert rate > 1e8
    assert torch.equal(torch.get_rng_state(), before), "measuring must not change the random state of the run"


def test_progress_bar_shows_latest_values() -> None:
    out = io.StringIO()
    bar = RichProgress(Console(file=out, force_terminal=True, width=160))
    state = SimpleNamespace(is_world_process_zero=True, max_steps=4, global_step=1)
    bar.on_train_begin(None, state, None)
    state.global_step = 2
    bar.on_step_end(None, state, None)
    bar.on_log(None, state, None, logs={"loss": 1.2345, "days_per_second": 321.0, "mfu": 0.4})
    bar.on_prediction_step(None, state, None, eval_dataloader=[0, 1])
    bar.on_log(None, state, None, logs={"eval_loss": 2.5, "eval_r1_sensor_to_text": 0.25, "eval_steps_per_second": 1.0})
    bar.on_evaluate(None, state, None)
    bar.on_train_end(None, state, None)
    text = out.getvalue()
    assert "loss 1.234, days/s 321, mfu 0.4" in text or "loss 1.235, days/s 321, mfu 0.4" in text
    assert "step 2: loss 2.5, r1_sensor_to_text 0.25" in text
    assert "2/4" in text


def test_progress_bar_is_hidden_on_other_processes() -> None:
    out = io.StringIO()
    bar = RichProgress(Console(file=out, force_terminal=True))
    state = SimpleNamespace(is_world_process_zero=False, max_steps=4, global_step=0)
    bar.on_train_begin(None, state, None)
    bar.on_step_end(None, state, None)
    bar.on_log(None, state, None, logs={"loss": 1.0})
    bar.on_train_end(None, state, None)
    assert out.getvalue() == ""
