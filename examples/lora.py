"""Fine-tune the demo model on your own labels with LoRA, in about half a minute on a CPU.

    python examples/lora.py --output_dir my-adapter

The label here is whether a synthetic subject exercised outdoors; replace the days and labels with your own. Only the
adapter (a few hundred kB) and the processor are saved; at the end the adapter is loaded into the base model again.
"""

from __future__ import annotations

import argparse

import numpy as np
import peft
import torch
from transformers import AutoProcessor, Trainer, TrainingArguments

from sensorlm_hf import SensorDay, SensorLMForSensorClassification, simulate_days
from sensorlm_hf.checkpoints import demo_checkpoint
from sensorlm_hf.evaluation.tasks import get_task
from sensorlm_hf.training import lora_config


def labelled(days: list[SensorDay]) -> tuple[list[SensorDay], list[int]]:
    """Keeps the days with a label for the task."""
    task = get_task("environment")
    pairs = [(day, label) for day in days if (label := task.class_of(day)) is not None]
    return [day for day, _ in pairs], [label for _, label in pairs]


def main() -> None:
    """Trains and saves an adapter, loads it again, and compares the predictions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", default="lora-adapter")
    parser.add_argument("--model", default=demo_checkpoint())
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--epochs", type=float, default=2)
    options = parser.parse_args()

    torch.manual_seed(0)
    processor = AutoProcessor.from_pretrained(options.model)
    days, labels = labelled(simulate_days(2 * options.people, seed=7))
    inputs = processor(sensor=days)
    rows = [
        {"sensor_values": values, "sensor_mask": mask, "labels": label}
        for values, mask, label in zip(inputs["sensor_values"], inputs["sensor_mask"], labels, strict=True)
    ]
    train, test = rows[: int(0.75 * len(rows))], rows[int(0.75 * len(rows)) :]

    def load() -> SensorLMForSensorClassification:
        torch.manual_seed(0)  # deterministic initialization of the new head
        return SensorLMForSensorClassification.from_pretrained(options.model, num_labels=2, dtype=torch.float32)

    model = load()
    adapted = peft.get_peft_model(model, lora_config(model, parts=("sensor",), rank=8))
    adapted.print_trainable_parameters()

    def accuracy(answer: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
        return {"accuracy": float((answer[0].argmax(-1) == answer[1]).mean())}

    trainer = Trainer(
        model=adapted,
        args=TrainingArguments(
            output_dir=options.output_dir,
            num_train_epochs=options.epochs,
            per_device_train_batch_size=16,
            per_device_eval_batch_size=64,
            learning_rate=2e-3,
            logging_steps=10,
            save_strategy="no",
            report_to="none",
            dataloader_pin_memory=False,
            disable_tqdm=True,
            seed=0,
        ),
        train_dataset=train,
        eval_dataset=test,
        compute_metrics=accuracy,
    )
    majority = np.bincount([row["labels"] for row in test]).max() / len(test)
    before = trainer.evaluate()["eval_accuracy"]
    trainer.train()
    after = trainer.evaluate()["eval_accuracy"]
    adapted.save_pretrained(options.output_dir)
    processor.save_pretrained(options.output_dir)
    print(f"{len(test)} held-out days: accuracy {before:.2f} -> {after:.2f} (majority class: {majority:.2f})")

    again = peft.PeftModel.from_pretrained(load(), options.output_dir)
    batch = {"sensor_values": inputs["sensor_values"][-4:], "sensor_mask": inputs["sensor_mask"][-4:]}
    with torch.no_grad():
        torch.testing.assert_close(again.eval()(**batch).logits, adapted.eval()(**batch).logits)
    print(f"The adapter was saved to {options.output_dir}; reloaded, it gives the same predictions.")


if __name__ == "__main__":
    main()
