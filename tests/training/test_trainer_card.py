"""The model card of transformers' trainer, as `push_to_hub` writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from training_cases import tiny_model

from hub_cards import check_model_card
from sensorlm_hf.data import SensorDayDataset, SensorLMCollator
from sensorlm_hf.training import SensorLMTrainer, SensorLMTrainingArguments


@pytest.mark.parametrize("lora", [False, True])
def test_card_has_the_metadata_of_the_hub(lora: bool, tmp_path: Path, processor: Any, simulated: Any) -> None:
    model = tiny_model(processor, "siglip")
    if lora:
        peft = pytest.importorskip("peft")
        model = peft.get_peft_model(model, peft.LoraConfig(target_modules=["q_proj"]))
    arguments = SensorLMTrainingArguments(
        str(tmp_path), max_steps=1, per_device_train_batch_size=4, per_device_eval_batch_size=4, report_to=[],
        use_cpu=True, disable_tqdm=True, eval_strategy="steps", eval_steps=1,
    )  # fmt: skip
    trainer = SensorLMTrainer(
        model, arguments, data_collator=SensorLMCollator(processor, max_length=48),
        train_dataset=SensorDayDataset(simulated[:8]), eval_dataset=SensorDayDataset(simulated[6:]),
    )  # fmt: skip
    trainer.train()
    trainer.create_model_card(model_name="my-model", license="cc-by-4.0")
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    card = check_model_card(text)
    assert card.data.license == "cc-by-4.0"
    assert card.data.pipeline_tag == "zero-shot-classification"
    assert "generated_from_trainer" in card.data.tags
    assert "This model was trained from scratch on an unknown dataset." in text
    assert "](https://huggingface.co/)" not in text
    assert [path.name for path in tmp_path.glob("*.partial")] == []
    trainer.create_model_card()  # without a licence there is none: it is the author's decision
    check_model_card((tmp_path / "README.md").read_text(encoding="utf-8"), licensed=False)
