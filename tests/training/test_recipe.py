"""The release recipe, with each part compared with a hand computation."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from sensorlm_hf.data import SensorDayDataset, SensorLMCollator
from sensorlm_hf.data.simulate import iter_simulated_days
from sensorlm_hf.modeling import SensorLMConfig, SensorLMForConditionalGeneration, SensorLMModel
from sensorlm_hf.processing import SensorLMProcessor
from sensorlm_hf.training import SensorLMTrainer, SensorLMTrainingArguments
from sensorlm_hf.training.arguments import has_bfloat16


def arguments(folder: Path, **values: Any) -> SensorLMTrainingArguments:
    defaults = {"report_to": "none", "use_cpu": True, "disable_tqdm": True, "save_strategy": "no"}
    return SensorLMTrainingArguments(output_dir=str(folder), **{**defaults, **values})


@pytest.fixture(scope="module")
def processor() -> SensorLMProcessor:
    from sensorlm_hf.checkpoints import demo_checkpoint

    return SensorLMProcessor.from_pretrained(demo_checkpoint())


def trainer(processor: SensorLMProcessor, folder: Path, **values: Any) -> SensorLMTrainer:
    torch.manual_seed(0)
    config = SensorLMConfig.from_size(
        "siglip",
        "tiny",
        vocab_size=len(processor.tokenizer),
        max_position_embeddings=48,
        patch_minutes=60,
        channel_keys=list(processor.feature_extractor.channel_keys),
        hidden_size=16,
        intermediate_size=24,
        num_attention_heads=2,
        sensor_config={"num_hidden_layers": 1},
        text_config={"num_hidden_layers": 1},
    )
    return SensorLMTrainer(
        model=SensorLMModel(config),
        args=arguments(folder, **values),
        train_dataset=SensorDayDataset(list(iter_simulated_days(20, seed=1))),
        data_collator=SensorLMCollator(processor, max_length=48),
    )


def test_defaults_match_release(tmp_path: Path) -> None:
    args = arguments(tmp_path)
    assert (args.learning_rate, args.weight_decay, args.max_grad_norm) == (5e-4, 1e-4, 1.0)
    assert (args.adam_beta1, args.adam_beta2, args.adam_epsilon) == (0.9, 0.999, 1e-8)
    assert (args.schedule, args.schedule_timescale) == ("rsqrt", 10_000)
    assert args.get_warmup_steps(1000) == 200
    assert args.cooldown_ratio == 0.2
    assert not args.bf16, "a CPU should use float32 by default"
    assert arguments(tmp_path, use_cpu=False).bf16 == has_bfloat16()
    assert arguments(tmp_path, bf16=True).bf16


def test_two_optimiser_steps_by_hand(processor: SensorLMProcessor, tmp_path: Path) -> None:
    run = trainer(processor, tmp_path, learning_rate=0.01, weight_decay=0.1)
    optimizer = run.create_optimizer()
    model = run.model
    matrix, bias = (
        model.sensor_model.encoder.layers[0].mlp.fc1.weight,
        model.sensor_model.encoder.layers[0].mlp.fc1.bias,
    )
    table = model.text_model.embeddings.token_embedding.weight
    chosen = {"matrix": matrix, "bias": bias, "table": table, "scale": model.logit_scale}
    decay = {"matrix": 0.1, "bias": 0.0, "table": 0.0, "scale": 0.0}
    expected = {name: weight.detach().double().clone() for name, weight in chosen.items()}
    first = {name: torch.zeros_like(weight) for name, weight in expected.items()}
    second = {name: torch.zeros_like(weight) for name, weight in expected.items()}
    generator = torch.Generator().manual_seed(1)
    for step in (1, 2):
        for name, weight in chosen.items():
            grad = torch.randn(weight.shape, generator=generator)
            weight.grad = grad.clone()
            first[name] = 0.9 * first[name] + 0.1 * grad.double()
            second[name] = 0.999 * second[name] + 0.001 * grad.double() ** 2
            expected[name] -= 0.01 * decay[name] * expected[name]
            step_size = (first[name] / (1 - 0.9**step)) / ((second[name] / (1 - 0.999**step)).sqrt() + 1e-8)
            expected[name] -= 0.01 * step_size
        optimizer.step()
    for name, weight in chosen.items():
        torch.testing.assert_close(weight.detach().double(), expected[name], rtol=1e-5, atol=1e-6, msg=name)


def test_gradients_are_clipped_to_norm_one(processor: SensorLMProcessor, tmp_path: Path) -> None:
    norms: list[float] = []

    class Watching(SensorLMTrainer):
        def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
            grads = [p.grad for p in model.parameters() if p.grad is not None]
            norms.append(torch.stack([grad.norm() for grad in grads]).norm().item())
            return super()._get_grad_norm(model, grad_norm)

    run = trainer(processor, tmp_path, max_steps=2, logging_steps=1, per_device_train_batch_size=5)
    run.__class__ = Watching
    run.train()
    logged = [entry["grad_norm"] for entry in run.state.log_history if "grad_norm" in entry]
    assert min(logged) > 1, "the gradient norm should exceed the limit"
    assert norms == pytest.approx([1.0, 1.0], rel=1e-4)


def test_learning_rates_of_a_run_by_hand(processor: SensorLMProcessor, tmp_path: Path) -> None:
    run = trainer(
        processor,
        tmp_path,
        max_steps=10,
        logging_steps=1,
        per_device_train_batch_size=2,
        schedule_timescale=4,
        learning_rate=0.1,
    )
    run.train()
    logged = [entry["learning_rate"] for entry in run.state.log_history if "learning_rate" in entry]
    # Two warm-up steps, constant until step 4, then 1 / sqrt(step), with a linear cool-down over two steps. The logged
    # rate is the one that the step used.
    decay = [math.sqrt(4 / max(4, step)) for step in range(1, 11)]
    factors = [0.5, 1, 1, 1, 1, 1, 1, 1, 1, 0.5]
    assert logged == pytest.approx([0.1 * d * f for d, f in zip(decay, factors, strict=True)])


def test_bfloat16_keeps_float32_weights(processor: SensorLMProcessor, tmp_path: Path) -> None:
    run = trainer(processor, tmp_path, max_steps=1, bf16=True, per_device_train_batch_size=4, logging_steps=1)
    types: set[torch.dtype] = set()
    run.model.sensor_model.encoder.layers[0].mlp.fc1.register_forward_hook(lambda m, i, output: types.add(output.dtype))
    losses: list[torch.dtype] = []
    run.model.register_forward_hook(lambda m, i, output: losses.append(output["loss"].dtype))
    run.train()
    assert types == {torch.bfloat16}
    assert losses == [torch.float32]
    assert {parameter.dtype for parameter in run.model.parameters()} == {torch.float32}
    assert {value.dtype for state in run.optimizer.state.values() for value in state.values()} == {torch.float32}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"loss_exchange": "star"}, "`loss_exchange` must be one of gather, ring, got 'star'"),
        ({"loss_chunk_size": 0}, "`loss_chunk_size` must be at least 1, got 0"),
        ({"contrastive_mini_batch_size": -1}, "`contrastive_mini_batch_size` must be at least 1, got -1"),
        ({"max_hours": 0}, "`max_hours` must be above 0, got 0"),
    ],
)
def test_out_of_range_arguments_raise(tmp_path: Path, values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        arguments(tmp_path, **values)


def test_settings_that_change_the_loss_raise(
    processor: SensorLMProcessor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = arguments(tmp_path, loss_exchange="ring")
    coca = SensorLMForConditionalGeneration(SensorLMConfig.from_size("coca", "tiny", vocab_size=99))
    with pytest.raises(ValueError, match=r"`loss_exchange='ring'` supports the sigmoid loss.*objective 'coca'"):
        SensorLMTrainer(model=coca, args=args)
    monkeypatch.setattr(SensorLMTrainingArguments, "n_gpu", property(lambda self: 2))
    with pytest.raises(ValueError, match="One process drives 2 GPUs"):
        trainer(processor, tmp_path)
