"""Pretraining with the Trainer: a very small model on a few synthetic subjects, in seconds.

    python examples/pretrain.py --output_dir my-sensorlm
    python examples/pretrain.py --output_dir my-sensorlm --people 2000 --epochs 5   # large enough to evaluate

`sensorlm-hf train` does the same with more options; `examples/train_demo.py` trained the demo model.
"""

from __future__ import annotations

import argparse
import sys

import sensorlm_hf
from sensorlm_hf.data import SensorDayDataset
from sensorlm_hf.processing import train_tokenizer
from sensorlm_hf.training import save_model

KEYS = {"high_level_summary_caption": 0.7, "middle_level_caption": 0.3}
LENGTH = 128


def main() -> None:
    """Trains a tokenizer, then a CoCa model, and saves both as one model folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", required=True)
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--epochs", type=float, default=1)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    # Split by person, not by day: days of the same person are similar.
    train_days = sensorlm_hf.simulate_days(4 * options.people, seed=options.seed)
    test_days = sensorlm_hf.simulate_days(64, seed=options.seed + 1)

    captions = [text for key in KEYS for text in sensorlm_hf.CaptionBuilder(key=key).batch(train_days)]
    tokenizer = train_tokenizer(captions, vocab_size=1024, max_length=LENGTH)
    processor = sensorlm_hf.SensorLMProcessor(sensorlm_hf.SensorLMFeatureExtractor(), tokenizer)
    config = sensorlm_hf.SensorLMConfig.from_size(
        "coca",
        "tiny",
        hidden_size=96,
        intermediate_size=384,
        channel_keys=list(processor.feature_extractor.channel_keys),
        vocab_size=len(tokenizer),
        max_position_embeddings=LENGTH,
    )
    model = sensorlm_hf.SensorLMForConditionalGeneration(config)

    collator = sensorlm_hf.SensorLMCollator(processor, KEYS, max_length=LENGTH, modality_dropout=0.1)
    trainer = sensorlm_hf.SensorLMTrainer(
        model=model,
        args=sensorlm_hf.SensorLMTrainingArguments(
            output_dir=options.output_dir,
            num_train_epochs=options.epochs,
            per_device_train_batch_size=options.batch_size,
            per_device_eval_batch_size=options.batch_size,
            eval_strategy="epoch",
            save_strategy="no",
            logging_steps=5,
            report_to="none",
            seed=options.seed,
            disable_tqdm=not sys.stderr.isatty(),
        ),
        train_dataset=SensorDayDataset(train_days),
        eval_dataset=SensorDayDataset(test_days),
        data_collator=collator,
        # Fixed captions, so that the evaluation loss is comparable throughout the run.
        evaluation_collator=sensorlm_hf.SensorLMCollator(processor, KEYS, max_length=LENGTH, training=False),
    )
    trainer.train()
    save_model(model, processor, options.output_dir)
    loss = next(entry["eval_loss"] for entry in reversed(trainer.state.log_history) if "eval_loss" in entry)
    sys.stdout.write(
        f"Evaluation loss {loss:.3f}. SensorLMForConditionalGeneration.from_pretrained({options.output_dir!r}) loads"
        " the model.\n"
    )


if __name__ == "__main__":
    main()
