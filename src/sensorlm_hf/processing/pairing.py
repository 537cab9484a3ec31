"""Checks that a model and a processor are compatible."""

from __future__ import annotations

from typing import Any


def check_pair(model: Any, processor: Any) -> None:
    """Checks that a processor prepares the inputs that a model expects.

    Args:
        model: A [`SensorLMModel`].
        processor: A [`SensorLMProcessor`].

    Raises:
        ValueError: If their channels or vocabularies do not match, or the model cannot split the windows into patches.
    """
    sensor, extractor = model.config.sensor_config, processor.feature_extractor
    if sensor.channel_keys is not None:
        extractor.check_channels(sensor.channel_keys)
    if extractor.window_minutes % sensor.patch_minutes:
        raise ValueError(
            f"The processor prepares windows of {extractor.window_minutes} minutes, which the model cannot split into"
            f" patches of {sensor.patch_minutes}. Use the processor saved with the model."
        )
    text = model.config.text_config
    sizes = [(processor.tokenizer, text.vocab_size)]
    if text.has_sentence_encoder:
        sizes = [
            (processor.tokenizer, text.language_model_config.vocab_size),
            (processor.caption_tokenizer, text.vocab_size),
        ]
    for tokenizer, size in sizes:
        if len(tokenizer) > size:
            raise ValueError(
                f"The tokenizer has {len(tokenizer)} tokens, but the model's vocabulary size is {size}. Use the"
                " processor saved with the model."
            )
