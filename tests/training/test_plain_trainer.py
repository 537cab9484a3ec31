"""transformers' own `Trainer`, without this package's subclass and arguments."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from training_cases import tiny_model
from transformers import Trainer, TrainingArguments
from transformers.utils.generic import can_return_loss, find_labels

from sensorlm_hf.data import SensorDayDataset, SensorLMCollator
from sensorlm_hf.days import SensorDay
from sensorlm_hf.modeling import OBJECTIVES, SensorLMForConditionalGeneration, SensorLMModel
from sensorlm_hf.processing import SensorLMProcessor
from sensorlm_hf.training import lora_config


def arguments(folder: Any, **overrides: Any) -> TrainingArguments:
    values: dict[str, Any] = {
        "use_cpu": True,
        "report_to": [],
        "disable_tqdm": True,
        "max_steps": 2,
        "per_device_train_batch_size": 4,
        "per_device_eval_batch_size": 4,
        "eval_strategy": "steps",
        "eval_steps": 1,
        "save_steps": 1,
        "logging_steps": 1,
        "load_best_model_at_end": True,
        "learning_rate": 1e-3,
        "remove_unused_columns": False,
    }
    return TrainingArguments(str(folder), **{**values, **overrides})


def trainer(
    model: Any, folder: Any, processor: SensorLMProcessor, days: list[SensorDay], labels: bool = False, **kwargs: Any
) -> Trainer:
    collator = SensorLMCollator(processor, max_length=48, training=False)

    def collate(items: Any) -> dict[str, torch.Tensor]:
        batch = collator(items)
        if labels:
            batch["labels"] = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        return batch

    return Trainer(
        model,
        arguments(folder, **kwargs.pop("arguments", {})),
        data_collator=collate,
        train_dataset=SensorDayDataset(days[:8]),
        eval_dataset=SensorDayDataset(days[6:]),
        **kwargs,
    )


@pytest.mark.parametrize("adapted", [False, True], ids=["whole", "lora"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_evaluation_loss_and_best_model(
    objective: str, adapted: bool, tmp_path: Any, processor: SensorLMProcessor, simulated: list[SensorDay]
) -> None:
    model = tiny_model(processor, objective)
    if adapted:
        peft = pytest.importorskip("peft")
        model = peft.get_peft_model(model, lora_config(model, parts=("sensor",)))
    run = trainer(model, tmp_path, processor, simulated)
    run.train()
    losses = [entry["eval_loss"] for entry in run.state.log_history if "eval_loss" in entry]
    assert len(losses) == 2
    assert run.state.best_metric == min(losses)
    assert run.evaluate()["eval_loss"] == pytest.approx(min(losses), rel=1e-5)
    batch = run.data_collator([run.eval_dataset[row] for row in range(4)])
    with torch.no_grad():
        first = model.eval()(**batch).loss.item()
        second = model(**run.data_collator([run.eval_dataset[row] for row in (4, 5)])).loss.item()
    assert run.evaluate()["eval_loss"] == pytest.approx((4 * first + 2 * second) / 6, rel=1e-5)


def test_removed_columns_raise(tmp_path: Any, processor: SensorLMProcessor, simulated: list[SensorDay]) -> None:
    run = trainer(
        tiny_model(processor, "clip"), tmp_path, processor, simulated, arguments={"remove_unused_columns": True}
    )
    with pytest.raises(ValueError, match="set `remove_unused_columns=False`"):
        run.evaluate()


def test_signatures_that_trainer_reads() -> None:
    for kind in (SensorLMModel, SensorLMForConditionalGeneration):
        assert find_labels(kind) == []
        assert can_return_loss(kind)
    # Columns of a dataset are kept by the signature of the instance.
    model = object.__new__(SensorLMForConditionalGeneration)
    assert "labels" in inspect.signature(model.forward).parameters
    assert "labels" not in inspect.signature(SensorLMForConditionalGeneration.forward).parameters


@pytest.mark.parametrize("given", [False, True])
def test_compute_metrics_receives_predictions_and_labels(
    given: bool, tmp_path: Any, processor: SensorLMProcessor, simulated: list[SensorDay]
) -> None:
    seen = {}

    def compute(prediction: Any) -> dict[str, float]:
        names = ("logits_per_sensor", "logits_per_text", "sensor_embeds", "text_embeds")
        seen["labels"] = prediction.label_ids
        embeds = [array for array in prediction.predictions if array.shape == (6, 32)]
        assert len(embeds) == 2, names
        return {"aligned": float((embeds[0] * embeds[1]).sum(1).mean())}

    model = tiny_model(processor, "coca")
    run = trainer(
        model,
        tmp_path,
        processor,
        simulated,
        labels=given,
        compute_metrics=compute,
        preprocess_logits_for_metrics=lambda outputs, labels: tuple(o for o in outputs if o.shape[1:] == (32,)),
        arguments={"label_names": ["labels"] if given else None},
    )
    metrics = run.evaluate()
    assert -1 <= metrics["eval_aligned"] <= 1
    assert metrics["eval_loss"] > 0
    assert (seen["labels"].shape[0] == 6) if given else (len(seen["labels"]) == 0)


@pytest.mark.parametrize("objective", ["siglip", "cap"])
def test_accumulation_averages_micro_batches(
    objective: str, tmp_path: Any, processor: SensorLMProcessor, simulated: list[SensorDay]
) -> None:
    model = tiny_model(processor, objective)
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    run = trainer(
        model,
        tmp_path,
        processor,
        simulated,
        arguments={
            "max_steps": 1, "gradient_accumulation_steps": 2, "optim": "sgd", "max_grad_norm": 0.0,
            "lr_scheduler_type": "constant", "eval_strategy": "no", "load_best_model_at_end": False,
            "save_strategy": "no", "train_sampling_strategy": "sequential",
        },
    )  # fmt: skip
    run.train()
    update = {name: (start[name] - p.detach()) / 1e-3 for name, p in model.named_parameters()}
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(start[name])
    model.zero_grad()
    for rows in (range(4), range(4, 8)):
        (model.train()(**run.data_collator([run.train_dataset[row] for row in rows])).loss / 2).backward()
    for name, p in model.named_parameters():
        torch.testing.assert_close(update[name], p.grad, atol=2e-3, rtol=2e-2)


PLAIN_UPDATE: dict[str, Any] = {
    "max_steps": 1, "optim": "sgd", "max_grad_norm": 0.0, "lr_scheduler_type": "constant", "eval_strategy": "no",
    "load_best_model_at_end": False, "save_strategy": "no", "train_sampling_strategy": "sequential",
}  # fmt: skip


@pytest.mark.parametrize(
    ("objective", "labels", "equal"), [("cap", True, True), ("cap", False, False), ("coca", True, False)]
)
def test_accumulation_equals_large_batch_for_captions_with_labels(
    objective: str,
    labels: bool,
    equal: bool,
    tmp_path: Any,
    processor: SensorLMProcessor,
    simulated: list[SensorDay],
) -> None:
    """`Trainer` counts the tokens of all accumulated batches if it finds labels; a contrastive loss has no such sum."""
    weights = {}
    for size, steps in ((8, 1), (2, 4)):
        model = tiny_model(processor, objective).double()
        numbers = {"per_device_train_batch_size": size, "gradient_accumulation_steps": steps, **PLAIN_UPDATE}
        trainer(
            model, tmp_path, processor, simulated, labels=labels, arguments={**numbers, "learning_rate": 1.0}
        ).train()
        weights[size] = {name: p.detach().clone() for name, p in model.named_parameters()}
    difference = max((weights[2][name] - weight).abs().max().item() for name, weight in weights[8].items())
    assert (difference < 1e-10) if equal else (difference > 1e-4), difference


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["siglip", "cap", "coca"])
def test_torch_compile(objective: str, tmp_path: Any, processor: SensorLMProcessor, simulated: list[SensorDay]) -> None:
    """Compiled, a run has the losses of an eager one."""
    losses = {}
    for compiled in (False, True):
        torch._dynamo.reset()
        options = {"torch_compile": compiled, "load_best_model_at_end": False, "save_strategy": "no"}
        if compiled and objective != "siglip":
            options["torch_compile_backend"] = "aot_eager"  # the default backend takes minutes for each objective
        model = tiny_model(processor, objective)
        run = trainer(model, tmp_path / str(compiled), processor, simulated, arguments=options)
        run.train()
        losses[compiled] = [
            entry[key] for entry in run.state.log_history for key in ("loss", "eval_loss") if key in entry
        ]
    assert len(losses[True]) == 4
    assert losses[True] == pytest.approx(losses[False], rel=1e-3)


def test_grouping_by_length_raises(tmp_path: Any, processor: SensorLMProcessor, simulated: list[SensorDay]) -> None:
    """Captions are written by the collator, so their lengths are not known before."""
    grouped = {"train_sampling_strategy": "group_by_length"}
    run = trainer(tiny_model(processor, "coca"), tmp_path, processor, simulated, arguments=grouped)
    with pytest.raises(ValueError, match="input_ids"):
        run.train()


@pytest.mark.parametrize("objective", ["clip", "coca"])
def test_bfloat16(objective: str, tmp_path: Any, processor: SensorLMProcessor, simulated: list[SensorDay]) -> None:
    model = tiny_model(processor, objective)
    run = trainer(model, tmp_path, processor, simulated, arguments={"bf16": True})
    wide = trainer(tiny_model(processor, objective), tmp_path / "wide", processor, simulated)
    assert run.evaluate()["eval_loss"] == pytest.approx(wide.evaluate()["eval_loss"], rel=2e-2)
    run.train()
    assert {p.dtype for p in model.parameters()} == {torch.float32}
