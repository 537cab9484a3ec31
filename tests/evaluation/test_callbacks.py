"""Zero-shot evaluation during training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sensorlm_hf.data import SensorDayDataset, SensorLMCollator
from sensorlm_hf.data.simulate import iter_simulated_days
from sensorlm_hf.days import SensorDay
from sensorlm_hf.evaluation import ZeroShotCallback, encode_days, evaluate_zero_shot, get_task
from sensorlm_hf.modeling import SensorLMModel
from sensorlm_hf.processing import SensorLMProcessor
from sensorlm_hf.training import SensorLMTrainer, SensorLMTrainingArguments


@pytest.fixture(scope="module")
def parts() -> tuple[SensorLMModel, SensorLMProcessor, list[SensorDay]]:
    from sensorlm_hf.checkpoints import demo_checkpoint

    model = SensorLMModel.from_pretrained(demo_checkpoint()).float()
    return model, SensorLMProcessor.from_pretrained(demo_checkpoint()), list(iter_simulated_days(24, seed=77))


def test_callback_scores_match_evaluation_and_are_logged(parts: Any, tmp_path: Path) -> None:
    model, processor, days = parts
    callback = ZeroShotCallback(processor, days, ["environment", get_task("locomotion")], max_days=20)
    collator = SensorLMCollator(processor, max_length=64, training=False)
    arguments = SensorLMTrainingArguments(
        output_dir=str(tmp_path), per_device_eval_batch_size=8, report_to="none", use_cpu=True, disable_tqdm=True
    )
    trainer = SensorLMTrainer(
        model=model,
        args=arguments,
        eval_dataset=SensorDayDataset(days[:8]),
        data_collator=collator,
        callbacks=[callback],
    )
    model.train()
    metrics = trainer.evaluate()
    model.eval()
    embeddings = encode_days(model, processor, days[:20])
    for name in ("environment", "locomotion"):
        expected = evaluate_zero_shot(model, processor, days[:20], get_task(name), embeddings=embeddings)
        for score in ("auroc", "f1", "balanced_accuracy"):
            assert metrics[f"eval_zero_shot_{name}_{score}"] == pytest.approx(expected[score], abs=1e-4)
    logged = [entry for entry in trainer.state.log_history if "eval_zero_shot_environment_auroc" in entry]
    assert len(logged) == 1


def test_invalid_tasks_raise_at_construction(parts: Any) -> None:
    _, processor, days = parts
    bare = [SensorDay(day.values, day.start, day.subject_id, day.schema) for day in days[:3]]
    with pytest.raises(ValueError, match="None of the 3 held-out days has a label for task 'activity'"):
        ZeroShotCallback(processor, bare)
    with pytest.raises(ValueError, match="Unknown task 'chess'"):
        ZeroShotCallback(processor, days, ["chess"])
