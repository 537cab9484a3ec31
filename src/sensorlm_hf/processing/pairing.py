"""Whether a model and a processor belong together."""

from __future__ import annotations

from typing import Any


def check_pair(model: Any, processor: Any) -> None:
    """Raises unless a processor prepares what a model was made for.

    Args:
        model: A [`SensorLMModel`].
        processor: A [`SensorLMProcessor`].

    Raises:
        ValueError: If their channels or vocabularies differ, or the model cannot cut the windows into patches.
    """
    sensor, extractor = model.config.sensor_config, processor.feature_extractor
    if sensor.channel_keys is not None:
        extractor.check_channels(sensor.channel_keys)
    if extractor.window_minutes % sensor.patch_minutes:
        raise ValueError(
            f"The processor prepares windows of {extractor.window_minutes} minutes, which the model cannot cut into"
            f" patches of {sensor.patch_minutes}. Use the processor saved with the model."
        )
    if len(processor.tokenizer) > model.config.text_config.vocab_size:
        raise ValueError(
            f"The tokenizer has {len(processor.tokenizer)} pieces, but the model knows"
            f" {model.config.text_config.vocab_size}. Use the processor saved with the model."
        )
