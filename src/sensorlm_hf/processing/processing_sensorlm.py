"""Processor: combines the feature extractor for signals and the tokenizer for text, saved in one folder.

This file is uploaded to the Hub as remote code and does not import the package.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from transformers.feature_extraction_utils import BatchFeature
from transformers.processing_utils import ProcessorMixin

_TEXT_INPUTS = ("input_ids", "attention_mask")  # some tokenizers return more, such as BERT's token types


class SensorLMProcessor(ProcessorMixin):
    """Prepares signals and text for SensorLM models.

    Args:
        feature_extractor: A `SensorLMFeatureExtractor`.
        tokenizer: A fast tokenizer, such as that of `train_tokenizer`, or of `load_text_tokenizer` for a model with a
            pretrained language model.

    Raises:
        TypeError: If one of them has the wrong type, for example if they are swapped.
        ValueError: If the tokenizer cannot pad.
    """

    def __init__(self, feature_extractor: Any, tokenizer: Any) -> None:
        super().__init__(feature_extractor, tokenizer)
        if tokenizer.pad_token is None:
            raise ValueError(
                "The tokenizer has no padding token, so texts of different lengths cannot be batched. Load it with"
                " `sensorlm_hf.processing.load_text_tokenizer`, or set `tokenizer.pad_token`."
            )

    def __call__(
        self,
        sensor: Any = None,
        text: str | Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        return_tensors: str | None = "pt",
        padding: bool | str = True,
        truncation: bool | str = True,
        max_length: int | None = None,
        allow_empty: bool | None = None,
        **kwargs: Any,
    ) -> BatchFeature:
        """Prepares days, texts or both; their numbers may differ, as in zero-shot classification.

        Args:
            sensor: Any input of the feature extractor: a `SensorDay`, array, tensor, DataFrame or a list of these.
            text: One text or a list of texts.
            columns: Names of the columns of arrays.
            return_tensors: `"pt"`, `"np"`, or None for arrays and lists.
            padding: Padding of the texts: True to the longest, `"max_length"`, or False.
            truncation: Whether texts are truncated to `max_length`.
            max_length: Maximum tokens per text; by default the tokenizer's `model_max_length`.
            allow_empty: Whether days without any observed value are accepted.
            **kwargs: For the tokenizer, such as `add_special_tokens`.

        Returns:
            `sensor_values` and `sensor_mask` `(days, minutes, channels)` for days, `input_ids` and `attention_mask`
            `(texts, tokens)` for texts.

        Raises:
            ValueError: If neither is given, or one is invalid.
            TypeError: If `text` is not text.
        """
        if sensor is None and text is None:
            raise ValueError("Give `sensor`, `text` or both; both are None.")
        if isinstance(sensor, str) or (isinstance(sensor, (list, tuple)) and sensor and isinstance(sensor[0], str)):
            raise TypeError("`sensor` is text; pass it as a keyword: processor(text=...).")
        data: dict[str, Any] = {}
        if sensor is not None:
            data.update(
                self.feature_extractor(sensor, columns=columns, return_tensors=return_tensors, allow_empty=allow_empty)
            )
        if text is not None:
            encoded = self.tokenizer(
                _check_text(text),
                return_tensors=return_tensors,
                padding=padding,
                truncation=truncation,
                max_length=max_length,
                **kwargs,
            )
            data.update((name, encoded[name]) for name in _TEXT_INPUTS)
        return BatchFeature(data)

    @property
    def model_input_names(self) -> list[str]:
        """Names of the model inputs returned by the processor."""
        return [*self.feature_extractor.model_input_names, *_TEXT_INPUTS]

    def build_captions(
        self, days: Iterable[Any], key: str = "high_level_summary_caption", seed: int = 0, **kwargs: Any
    ) -> list[str]:
        """Writes hierarchical captions of days from their values and events, without a model.

        Args:
            days: `SensorDay` records with the extractor's schema.
            key: Caption key, such as `"low_level_caption"`.
            seed: Determines the wording, together with each day's sample id.
            **kwargs: Further arguments of `CaptionBuilder`.

        Returns:
            One caption per day.

        Raises:
            ImportError: If the package `sensorlm_hf`, which contains the templates, is not installed.
        """
        try:
            captions = importlib.import_module("sensorlm_hf.processing.captions")
        except ImportError as error:
            raise ImportError(
                "Captions are built by the package `sensorlm_hf`, which is not installed here: `pip install"
                " sensorlm-hf`."
            ) from error
        days = [days] if self.feature_extractor.is_one_day(days) else list(days)
        if not days:
            return []
        builder = captions.CaptionBuilder(days[0].schema, key=key, seed=seed, **kwargs)
        return builder.batch(days)

    def save_pretrained(self, save_directory: str | os.PathLike, push_to_hub: bool = False, **kwargs: Any) -> Any:
        """Writes `processor_config.json`, which includes the feature extractor's configuration, and the tokenizer.

        An existing `preprocessor_config.json` in the folder is updated.

        Args:
            save_directory: Folder; created if it does not exist.
            push_to_hub: Whether to upload the folder afterwards.
            **kwargs: For the upload.

        Returns:
            Paths of the configuration files written.
        """
        alone = Path(save_directory) / "preprocessor_config.json"
        if alone.is_file():
            self.feature_extractor.to_json_file(alone)
        return super().save_pretrained(save_directory, push_to_hub=push_to_hub, **kwargs)


def _check_text(text: Any) -> str | list[str]:
    if isinstance(text, str):
        return text
    if isinstance(text, (bytes, dict)) or not isinstance(text, Iterable):
        raise TypeError(f"`text` must be a string or a list of strings, got {type(text).__name__}.")
    texts = list(text)
    if not texts:
        raise ValueError("`text` is an empty list; give at least one text.")
    for position, item in enumerate(texts):
        if not isinstance(item, str):
            raise TypeError(f"text[{position}] must be a string, got {type(item).__name__}.")
    return texts


__all__ = ["SensorLMProcessor"]
