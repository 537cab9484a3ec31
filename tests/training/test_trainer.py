"""The trainer: optimisation, data order and logging."""

from __future__ import annotations

import copy
import logging
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from training_cases import arguments, captions_of, tiny_model

from sensorlm_hf.data import SensorDayDataset, SensorLMCollator
from sensorlm_hf.days import SensorDay
from sensorlm_hf.processing import SensorLMProcessor
from sensorlm_hf.training import PersonSampler, RsqrtSchedule, SensorLMTrainer, SensorLMTrainingArguments

PLAIN: dict[str, Any] = {"schedule": "transformers", "lr_scheduler_type": "constant", "warmup_steps": 0}


def make_trainer(
    folder: Path,
    processor: SensorLMProcessor,
    days: list[SensorDay],
    objective: str = "coca",
    collator: dict[str, Any] | None = None,
    shape: dict[str, Any] | None = None,
    **changes: Any,
) -> SensorLMTrainer:
    return SensorLMTrainer(
        model=tiny_model(processor, objective, **(shape or {})),
        args=arguments(folder, **changes),
        train_dataset=SensorDayDataset(days),
        eval_dataset=SensorDayDataset(days[:4]),
        data_collator=SensorLMCollator(processor, max_length=64, **(collator or {})),
        evaluation_collator=SensorLMCollator(processor, max_length=64, training=False),
    )


@pytest.mark.parametrize(
    ("objective", "parts"),
    [
        ("clip", {"contrastive_loss", "logit_scale"}),
        ("siglip", {"contrastive_loss", "logit_scale"}),
        ("cap", {"caption_loss"}),
        ("coca", {"contrastive_loss", "caption_loss", "logit_scale"}),
    ],
)
def test_log_contains_loss_components(
    tmp_path: Path, processor: SensorLMProcessor, simulated: list[SensorDay], objective: str, parts: set[str]
) -> None:
    trainer = make_trainer(tmp_path, processor, simulated, objective, max_steps=2, eval_strategy="steps", eval_steps=1)
    trainer.train()
    logs = [entry for entry in trainer.state.log_history if "loss" in entry]
    assert [entry["step"] for entry in logs] == [1, 2]
    for entry in logs:
        assert {"contrastive_loss", "caption_loss", "logit_scale"} & set(entry) == parts
        # The caption loss has twice the weight by default; a single component is the loss itself.
        weight = 2 if objective == "coca" else 1
        expected = entry.get("contrastive_loss", 0) + weight * entry.get("caption_loss", 0)
        assert entry["loss"] == pytest.approx(expected, abs=2e-4)
    evaluations = [entry for entry in trainer.state.log_history if "eval_loss" in entry]
    assert len(evaluations) == 2
    assert all(entry["eval_loss"] > 0 for entry in evaluations)
    assert not any(name in entry for entry in evaluations for name in parts)


def test_logged_loss_components_are_means_since_last_entry(
    tmp_path: Path, processor: SensorLMProcessor, simulated: list[SensorDay]
) -> None:
    each = make_trainer(tmp_path, processor, simulated, max_steps=4, logging_steps=1)
    each.train()
    both = make_trainer(tmp_path, processor, simulated, max_steps=4, logging_steps=2)
    both.train()
    for name in ("contrastive_loss", "caption_loss", "loss"):
        single = [entry[name] for entry in each.state.log_history if "loss" in entry]
        double = [entry[name] for entry in both.state.log_history if "loss" in entry]
        assert double == pytest.approx([sum(single[:2]) / 2, sum(single[2:]) / 2], abs=2e-4)


def test_gradient_accumulation_averages_micro_batches(
    tmp_path: Path, processor: SensorLMProcessor, simulated: list[SensorDay]
) -> None:
    """Compares one step over three micro-batches with the mean of their gradients."""
    rate = 0.5
    trainer = make_trainer(
        tmp_path,
        processor,
        simulated,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=3,
        max_steps=1,
        optim="sgd",
        learning_rate=rate,
        weight_decay=0.0,
        max_grad_norm=0.0,
        **PLAIN,
    )
    model = copy.deepcopy(trainer.model)
    batches = list(trainer.get_train_dataloader())
    assert len(batches) == 3
    for batch in batches:
        (model(**batch).loss / 3).backward()
    trainer.train()
    for (name, before), after in zip(model.named_parameters(), trainer.model.parameters(), strict=True):
        if before.grad is not None:
            torch.testing.assert_close(after, before - rate * before.grad, rtol=1e-4, atol=1e-6, msg=name)


def test_weight_decay_applies_only_to_matrices(
    tmp_path: Path, processor: SensorLMProcessor, simulated: list[SensorDay]
) -> None:
    trainer = make_trainer(tmp_path, processor, simulated, weight_decay=0.1)
    groups = trainer.create_optimizer().param_groups
    names = {id(parameter): name for name, parameter in trainer.model.named_parameters()}
    decayed, plain = ({names[id(p)] for p in group["params"]} for group in groups)
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    assert decayed | plain == set(names.values())
    assert {"sensorlm.logit_scale", "sensorlm.sensor_model.head.probe", "decoder.pooler.query"} <= plain
    assert "sensorlm.sensor_model.embeddings.patch_embedding.weight" in decayed
    assert trainer.create_optimizer() is trainer.optimizer, "the optimiser should be created once"
    assert isinstance(trainer.optimizer, torch.optim.AdamW)
    assert groups[0]["betas"] == (0.9, 0.999)


def test_learning_rate_follows_release_schedule(
    tmp_path: Path, processor: SensorLMProcessor, simulated: list[SensorDay]
) -> None:
    trainer = make_trainer(tmp_path, processor, simulated, max_steps=10, learning_rate=1e-3, schedule_timescale=4.0)
    trainer.train()
    rates = [entry["learning_rate"] for entry in trainer.state.log_history if "loss" in entry]
    schedule = RsqrtSchedule(10, warmup_steps=2, cooldown_steps=2, timescale=4.0)
    assert rates == pytest.approx([1e-3 * schedule(step) for step in range(10)])


def test_transformers_schedule_can_be_used(
    tmp_path: Path, processor: SensorLMProcessor, simulated: list[SensorDay]
) -> None:
    changes = {"schedule": "transformers", "lr_scheduler_type": "linear", "warmup_steps": 0, "max_steps": 4}
    trainer = make_trainer(tmp_path, processor, simulated, learning_rate=1e-3, **changes)
    trainer.train()
    rates = [entry["learning_rate"] for entry in trainer.state.log_history if "loss" in entry]
    assert rates == pytest.approx([1e-3, 7.5e-4, 5e-4, 2.5e-4])


def test_days_of_one_subject_are_in_different_batches(
    tmp_path: Path, processor: SensorLMProcessor, simulated: list[SensorDay]
) -> None:
    trainer = make_trainer(tmp_path, processor, simulated, per_device_train_batch_size=3, data_seed=9)
    trainer.get_train_dataloader()
    sampler = trainer._sampler
    assert isinstance(sampler, PersonSampler)
    assert (sampler.batch_size, sampler.seed) == (3, 9)
    people = [simulated[index].subject_id for index in sampler]
    assert all(len(set(people[i : i + 3])) == 3 for i in range(0, 12, 3))
    plain = make_trainer(tmp_path, processor, simulated, spread_people=False)
    assert isinstance(plain.get_train_dataloader().batch_sampler.sampler, torch.utils.data.RandomSampler)
    assert plain._sampler is None


def test_captions_vary_by_epoch_and_are_reproducible(
    tmp_path: Path, processor: SensorLMProcessor, simulated: list[SensorDay]
) -> None:
    def seen() -> list[list[str]]:
        trainer = make_trainer(tmp_path, processor, simulated, per_device_train_batch_size=12, num_train_epochs=2)
        batches: list[list[str]] = []
        collate = trainer.data_collator

        def watched(items: Any) -> Any:
            batch = collate(items)
            batches.append(sorted(captions_of(processor, batch)))
            return batch

        trainer.data_collator = watched
        trainer.train()
        return batches

    first, second = seen()
    assert first != second
    assert seen() == [first, second]


def test_evaluation_captions_are_deterministic(
    tmp_path: Path, processor: SensorLMProcessor, simulated: list[SensorDay]
) -> None:
    trainer = make_trainer(tmp_path, processor, simulated, collator={"modality_dropout": 0.9, "event_crop": 0.9})
    training = trainer.data_collator
    (one,), (two,) = (list(trainer.get_eval_dataloader()) for _ in range(2))
    assert trainer.data_collator is training
    assert all(torch.equal(one[name], two[name]) for name in one)
    expected = trainer.evaluation_collator(simulated[:4])
    assert torch.equal(one["sensor_mask"], expected["sensor_mask"]), "evaluation days should not be augmented"
    assert captions_of(processor, one) == captions_of(processor, expected)
    assert trainer.evaluate()["eval_loss"] == trainer.evaluate()["eval_loss"]


def test_evaluation_collator_defaults_to_training_collator(
    tmp_path: Path, processor: SensorLMProcessor, simulated: list[SensorDay]
) -> None:
    trainer = make_trainer(tmp_path, processor, simulated)
    trainer.evaluation_collator = None
    assert trainer.get_eval_dataloader().collate_fn is trainer.data_collator


def test_evaluation_does_not_keep_logits(
    tmp_path: Path, processor: SensorLMProcessor, simulated: list[SensorDay]
) -> None:
    trainer = make_trainer(tmp_path, processor, simulated)
    loss, logits, labels = trainer.prediction_step(trainer.model, trainer.data_collator(simulated[:3]), False)
    assert loss.ndim == 0
    assert logits is None
    assert labels is None


def test_time_and_loss_cover_whole_run(
    tmp_path: Path, processor: SensorLMProcessor, simulated: list[SensorDay]
) -> None:
    trainer = make_trainer(tmp_path, processor, simulated)
    assert trainer.run_metrics() == {}, "nothing was logged"
    trainer.train()
    # As restored from a checkpoint: four steps in 100 s, then two more steps.
    trainer.state.log_history = [
        {"loss": 4.0, "step": 3, "seconds": 60.0},
        {"eval_loss": 9.0, "step": 3},
        {"loss": 3.0, "step": 4, "seconds": 100.0},
        {"loss": 1.0, "step": 6, "seconds": 130.0},
    ]
    trainer._seconds_before = None
    told = trainer.run_metrics()
    assert told["train_loss"] == pytest.approx((3 * 4.0 + 1 * 3.0 + 2 * 1.0) / 6)
    assert 130 <= told["train_runtime"] < 190


def test_compute_loss_return_outputs(tmp_path: Path, processor: SensorLMProcessor, simulated: list[SensorDay]) -> None:
    trainer = make_trainer(tmp_path, processor, simulated)
    batch = trainer.data_collator(simulated[:3])
    loss, outputs = trainer.compute_loss(trainer.model, batch, return_outputs=True)
    assert loss is outputs.loss
    assert torch.equal(trainer.compute_loss(trainer.model, batch), loss)


def test_equivalent_captions_are_positives_in_loss(
    tmp_path: Path, processor: SensorLMProcessor, simulated: list[SensorDay]
) -> None:
    trainer = make_trainer(tmp_path, processor, simulated, objective="clip")
    batch = trainer.data_collator(simulated[:4])
    alone = {**batch, "text_group_ids": torch.arange(4)}
    shared = {**batch, "text_group_ids": torch.zeros(4, dtype=torch.long)}
    losses = [trainer.compute_loss(trainer.model, inputs).item() for inputs in (alone, shared)]
    assert losses[0] != pytest.approx(losses[1])


def test_temperature_is_clamped_after_each_step(
    tmp_path: Path, processor: SensorLMProcessor, simulated: list[SensorDay]
) -> None:
    trainer = make_trainer(tmp_path, processor, simulated, "clip", max_steps=2)
    with torch.no_grad():
        trainer.model.logit_scale.fill_(6.0)
    trainer.train()
    assert trainer.model.logit_scale.item() <= math.log(100) + 1e-6
    logged = [entry["logit_scale"] for entry in trainer.state.log_history if "loss" in entry]
    assert max(logged) <= 100.001


def test_model_without_loss_raises(tmp_path: Path, processor: SensorLMProcessor, simulated: list[SensorDay]) -> None:
    captioner = tiny_model(processor, "cap")
    with pytest.raises(ValueError, match="SensorLMModel of objective 'cap' has no loss"):
        SensorLMTrainer(model=captioner.base_model, args=arguments(tmp_path))


@pytest.mark.parametrize("objective", ["clip", "cap", "coca"])
def test_distributed_evaluation_uses_batch_labels(
    tmp_path: Path, processor: SensorLMProcessor, simulated: list[SensorDay], objective: str
) -> None:
    trainer = make_trainer(tmp_path, processor, simulated, objective)
    batch = trainer.data_collator(simulated[:4])
    if objective != "clip":
        batch["labels"] = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        batch["labels"][:2] = -100
    model = trainer.model.eval()
    with torch.no_grad():
        expected, found = model(**batch).loss.item(), trainer._evaluation_loss(model, batch, False).item()
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("workers", [2])
def test_result_does_not_depend_on_num_workers(
    tmp_path: Path, processor: SensorLMProcessor, simulated: list[SensorDay], workers: int
) -> None:
    options = {"modality_dropout": 0.3, "event_crop": 0.3}
    alone = list(make_trainer(tmp_path, processor, simulated, collator=options).get_train_dataloader())
    several = list(
        make_trainer(
            tmp_path, processor, simulated, collator=options, dataloader_num_workers=workers
        ).get_train_dataloader()
    )
    assert len(alone) == len(several) == 3
    for one, other in zip(alone, several, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_sampler_distributes_global_batches(
    tmp_path: Path, processor: SensorLMProcessor, simulated: list[SensorDay], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SensorLMTrainingArguments, "world_size", property(lambda self: 2))
    for objective in ("coca", "cap"):
        trainer = make_trainer(tmp_path, processor, simulated, objective)
        trainer.get_train_dataloader()
        assert trainer._sampler.batch_size == 8


def test_loss_decreases(
    tmp_path: Path, processor: SensorLMProcessor, simulated: list[SensorDay], caplog: pytest.LogCaptureFixture
) -> None:
    trainer = make_trainer(tmp_path, processor, simulated, num_train_epochs=8)
    with caplog.at_level(logging.WARNING):
        trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert sum(losses[-3:]) < 0.8 * sum(losses[:3])
    assert Counter(record.levelname for record in caplog.records)["ERROR"] == 0
