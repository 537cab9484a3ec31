"""Processor: combines the feature extractor for signals and the tokenizer for text, saved in one folder.

This file is uploaded to the Hub as remote code and does not import the package.
"""

from __future__ import annotations

import copy
import difflib
import importlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers.feature_extraction_utils import BatchFeature
from transformers.processing_utils import ProcessorMixin, TextKwargs

_TEXT_INPUTS = ("input_ids", "attention_mask")  # some tokenizers return more, such as BERT's token types


class SensorLMProcessor(ProcessorMixin):
    """Prepares signals and text for SensorLM models.

    Args:
        feature_extractor: A `SensorLMFeatureExtractor`.
        tokenizer: A fast tokenizer, such as that of `train_tokenizer`, or of `load_text_tokenizer` for a model with a
            pretrained language model.
        caption_vocab_size: Number of tokens that captions consist of, the first ones of the tokenizer, for a model
            with a sentence encoder; the other tokens are words that only the encoder knows. By default all.

    Raises:
        TypeError: If one of them has the wrong type, for example if they are swapped.
        ValueError: If the tokenizer cannot pad.
    """

    def __init__(self, feature_extractor: Any, tokenizer: Any, caption_vocab_size: int | None = None) -> None:
        super().__init__(feature_extractor, tokenizer)
        self.caption_vocab_size = caption_vocab_size
        self._caption_tokenizer: tuple[Any, Any] | None = None
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
        padding: bool | str | None = None,
        truncation: bool | str = True,
        max_length: int | None = None,
        allow_empty: bool | None = None,
        captions: bool = False,
        text_kwargs: Mapping[str, Any] | None = None,
        common_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> BatchFeature:
        """Prepares days, texts or both; their numbers may differ, as in zero-shot classification.

        Args:
            sensor: Any input of the feature extractor: a `SensorDay`, array, tensor, DataFrame or a list of these.
            text: One text or a list of texts.
            columns: Names of the columns of arrays.
            return_tensors: `"pt"`, `"np"`, or None for arrays and lists.
            padding: Padding of the texts: True to the longest, `"max_length"`, or False. By default what the tokenizer
                was loaded with, `AutoTokenizer.from_pretrained(..., padding="max_length", max_length=64)`, else True.
            truncation: Whether texts are truncated to `max_length`.
            max_length: Maximum tokens per text; by default the tokenizer's `model_max_length`.
            allow_empty: Whether days without any observed value are accepted.
            captions: Whether the texts are captions, for the decoder: targets of training, beginnings to continue, or
                texts to score. It makes a difference for models with a sentence encoder only; see
                `caption_tokenizer`.
            text_kwargs: Arguments of the tokenizer as a dict, as other processors take them, such as
                `{"max_length": 64}`.
            common_kwargs: `{"return_tensors": ...}`, as other processors take it.
            **kwargs: For the tokenizer, such as `add_special_tokens`.

        Returns:
            `sensor_values` and `sensor_mask` `(days, minutes, channels)` for days, `input_ids` and `attention_mask`
            `(texts, tokens)` for texts.

        Raises:
            ValueError: If neither is given, one is invalid, or an argument is given twice.
            TypeError: If `text` is not text, or an argument is unknown.
        """
        options = {"padding": padding, "truncation": truncation, "max_length": max_length, **kwargs}
        options = _with_text_kwargs(options, text_kwargs or {}, {"truncation": True})
        return_tensors = _common_return_tensors(return_tensors, common_kwargs, options)
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
            tokenizer = self.caption_tokenizer if captions else self.tokenizer
            options = _with_padding(options, tokenizer.init_kwargs)
            encoded = tokenizer(_check_text(text), return_tensors=return_tensors, **options)
            data.update((name, encoded[name]) for name in _TEXT_INPUTS if name in encoded)
        return BatchFeature(data)

    @property
    def caption_tokenizer(self) -> Any:
        """The tokenizer of captions: that of all texts, restricted to the first `caption_vocab_size` tokens.

        Words outside of that vocabulary are divided into shorter tokens, so that the decoder can write them. Token ids
        are the same.
        """
        if self.caption_vocab_size is None:
            return self.tokenizer
        if self._caption_tokenizer is None or self._caption_tokenizer[0] is not self.tokenizer:
            self._caption_tokenizer = (self.tokenizer, _restricted(self.tokenizer, self.caption_vocab_size))
        tokenizer = self._caption_tokenizer[1]
        tokenizer.model_max_length = self.tokenizer.model_max_length
        return tokenizer

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


def _restricted(tokenizer: Any, size: int) -> Any:
    """Returns a copy of a longest-match tokenizer that only uses its first tokens."""
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    if state["model"]["type"] != "WordPiece":
        raise ValueError(
            f"`caption_vocab_size` needs a tokenizer that matches the longest tokens, as `extend_tokenizer` makes them;"
            f" this one is of type {state['model']['type']!r}."
        )
    state["model"]["vocab"] = {token: index for token, index in state["model"]["vocab"].items() if index < size}
    restricted = copy.deepcopy(tokenizer)
    restricted._tokenizer = Tokenizer.from_str(json.dumps(state))
    return restricted


def _with_text_kwargs(options: dict[str, Any], given: Mapping[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Adds `text_kwargs` to the arguments of the tokenizer, all of which must be known and given once."""
    known = set(TextKwargs.__annotations__)
    for name in (*options, *given):
        if name not in known:
            own = ["sensor", "text", "columns", "allow_empty", *sorted(known)]
            close = difflib.get_close_matches(name, own, n=1)
            raise TypeError(
                f"{name!r} is no argument of a SensorLMProcessor or its tokenizer."
                + (f" Did you mean {close[0]!r}?" if close else f" There are {', '.join(own)}.")
            )
    for name, value in given.items():
        if options.get(name, defaults.get(name)) not in (defaults.get(name), value):
            raise ValueError(f"`{name}` is given twice, as {options[name]!r} and in `text_kwargs` as {value!r}.")
    return {**options, **given}


def _with_padding(options: dict[str, Any], of_tokenizer: Mapping[str, Any]) -> dict[str, Any]:
    """Fills in the padding, and the length to pad to, that the tokenizer was loaded with."""
    padding = options["padding"]
    if padding is None:
        padding = of_tokenizer.get("padding", True)
    length = options["max_length"]
    if length is None and padding == "max_length":
        length = of_tokenizer.get("max_length")
    return {**options, "padding": padding, "max_length": length}


def _common_return_tensors(default: Any, common: Mapping[str, Any] | None, options: dict[str, Any]) -> Any:
    """Returns the type of tensors that is asked for; removes it from the tokenizer's arguments."""
    unknown = sorted(set(common or ()) - {"return_tensors"})
    if unknown:
        raise TypeError(f"`common_kwargs` may hold 'return_tensors' only, got {', '.join(unknown)}.")
    return options.pop("return_tensors", (common or {}).get("return_tensors", default))


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
