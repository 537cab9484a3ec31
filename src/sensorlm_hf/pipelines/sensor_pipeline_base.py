"""Base class of the sensor pipelines: input handling, batching across items, saving.

This file is uploaded with models as remote code; it only imports files from the same folder.
"""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForMultimodalLM, Pipeline

from .sensor_pipeline_items import DayLoader, ResultStream, classify_inputs, load_items
from .sensor_pipeline_parts import base_of, find_part, has_adapter_source, source_of

logger = logging.getLogger(__name__)


class SensorPipeline(Pipeline):
    """A pipeline over days of wearable data.

    For all tasks, inputs are a `SensorDay`, an array or tensor `(minutes, channels)` or `(days, minutes, channels)` in
    physical units with NaN for missing values, a DataFrame with a column per channel, the path of a recording, a
    `datasets` row, or a list, generator or dataset of these. A single day returns one result; a list or an array of
    days returns a list; a generator or dataset returns a [`ResultStream`], which computes results lazily. An item with
    several days (a folder, an array of days inside a list) returns a nested list, so `pipe([a, b])` is
    `[pipe(a), pipe(b)]`. A file returns a list if it contains more than one day; a folder or a zip always does. Paths
    require the package to be installed.

    Args:
        model: A [`SensorLMModel`] or [`SensorLMForConditionalGeneration`].
        tokenizer: Its tokenizer.
        feature_extractor: Its [`SensorLMFeatureExtractor`].
        processor: A [`SensorLMProcessor`] that provides the parts that are not given themselves. Parts that are still
            missing are loaded from the source of the model: for an adapter from its own folder, or else from that of
            its base model.
        batch_size: Number of days per forward pass, also across items; defaults to 1.
        num_workers: Number of processes that read and normalise items in the background; 0 (default) uses none.
        timezone: IANA time zone of recordings that do not contain one; for paths.
        columns: Channel keys of the columns of arrays, if these are not all channels in the model's order.
        allow_empty: Whether days without any observed value are accepted; by default they are an error.

    Raises:
        TypeError: If the model has no sensor tower.
        ValueError: If the feature extractor or a required tokenizer is neither given nor found, or the feature
            extractor has a channel that is unknown to the model. Channels are matched by name; the model's channels
            that the extractor lacks count as missing.
    """

    _load_processor = None
    _load_image_processor = False
    _load_video_processor = False
    _load_feature_extractor = None
    _load_tokenizer = None

    model: Any
    tokenizer: Any
    feature_extractor: Any
    processor: Any

    _needs_tokenizer = False
    _demo_model: str | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.pop("local_files_only", None)  # `pipeline()` passes on its own loading option
        super().__init__(*args, **kwargs)
        if not hasattr(self.model, "get_sensor_features"):
            raise TypeError(
                f"The task {self.task!r} needs a SensorLMModel, but {type(self.model).__name__} has no sensor tower."
            )
        for name in ("feature_extractor", "tokenizer") if self._needs_tokenizer else ("feature_extractor",):
            part = find_part(name, getattr(self, name), self.processor, self.model, self.task)
            setattr(self, name, part)
        channel_keys = self.model.config.sensor_config.channel_keys
        if channel_keys is not None:
            self.feature_extractor = self.feature_extractor.for_model(channel_keys)
        if self._demo_model is not None and self.model.name_or_path == self._demo_model:
            logger.warning(
                "Using the demo model that ships with sensorlm-hf. It was trained on synthetic subjects only and may"
                " not work well on real recordings; pass your own `model` for real applications."
            )

    def _load_decoder(self) -> Any:
        """Returns a generative model: the pipeline's base model with the decoder loaded from the same source.

        Raises:
            ValueError: If there is no decoder, or the base model has an adapter of unknown source, which may also adapt
                the decoder.
        """
        needs = f"The task {self.task!r} needs the model with its decoder, a SensorLMForConditionalGeneration"
        # PEFT wraps the base model, which contains the adapter.
        base = base_of(self.model)
        adapted = has_adapter_source(base)
        if not adapted and getattr(base, "_hf_peft_config_loaded", False):
            raise ValueError(
                f"{needs}, and the adapter of this model may adapt the decoder as well. Load both with"
                " `SensorLMForConditionalGeneration.from_pretrained` on the folder of the adapter, and give the result"
                " as `model`."
            )
        source, options = source_of(base, adapter=adapted)
        options |= {"dtype": base.dtype, "attn_implementation": base.config._attn_implementation}
        try:
            model = AutoModelForMultimodalLM.from_pretrained(source, **options)
        except Exception as error:
            raise ValueError(f"{needs}: give it as `model`. It could not be loaded from {source!r}: {error}") from error
        # The given base model is kept: its weights, mode or quantisation may differ from the files.
        model.sensorlm = base
        model.tie_weights()
        model.decoder.to(base.device).train(base.training)
        model.training = base.training
        return model

    def _day_parameters(self, timezone: str | None, columns: Any, allow_empty: bool | None) -> dict[str, Any]:
        if allow_empty is not None and not isinstance(allow_empty, bool):
            raise TypeError(f"`allow_empty` must be True or False, got {allow_empty!r}.")
        given = {"timezone": timezone, "columns": columns, "allow_empty": allow_empty}
        return {name: value for name, value in given.items() if value is not None}

    def _prepare(
        self, forward_params: dict[str, Any], postprocess_params: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Runs once per call, before the first day: a hook for subclasses."""
        return forward_params, postprocess_params

    def __call__(
        self, inputs: Any, *, batch_size: int | None = None, num_workers: int | None = None, **kwargs: Any
    ) -> Any:
        """Runs the pipeline on one or more days; see the class for inputs and outputs.

        Raises:
            TypeError: If an input has an unsupported type, or an option is unknown.
            ValueError: If a day or an option is malformed; messages give the item and the day within it.
        """
        batch_size = _check_count("batch_size", batch_size, self._batch_size, default=1, least=1)
        num_workers = _check_count("num_workers", num_workers, self._num_workers, default=0, least=0)
        preprocess_params, forward_params, postprocess_params = self._sanitize_parameters(**kwargs)
        forward_params, postprocess_params = self._prepare(
            {**self._forward_params, **forward_params}, {**self._postprocess_params, **postprocess_params}
        )
        loader = DayLoader(self.feature_extractor, **{**self._preprocess_params, **preprocess_params})
        form, items = classify_inputs(inputs, self.feature_extractor)

        def start() -> Iterator[Any]:
            named = form != "item"
            loaded = load_items(items if named else [items], loader, num_workers if named else 0, named)
            return self._results(loaded, batch_size, forward_params, postprocess_params)

        if form == "item":
            return next(start())
        if form == "list":
            return list(start())
        return ResultStream(start, _length(items))

    def _results(
        self, loaded: Iterator[Any], batch_size: int, forward_params: dict[str, Any], postprocess_params: dict[str, Any]
    ) -> Iterator[Any]:
        """Runs days in full batches across items and regroups the results by item."""
        pending: list[dict[str, np.ndarray]] = []
        open_items: list[tuple[int, bool]] = []  # number of days of each pending item, and whether it is a single day
        done: list[Any] = []
        for features, single in loaded:
            pending.extend(features)
            open_items.append((len(features), single))
            while len(pending) >= batch_size:
                done += self._run(pending[:batch_size], forward_params, postprocess_params)
                del pending[:batch_size]
            while open_items and len(done) >= open_items[0][0]:
                yield _take(done, *open_items.pop(0))
        if pending:
            done += self._run(pending, forward_params, postprocess_params)
        while open_items:
            yield _take(done, *open_items.pop(0))

    def _run(
        self, features: list[dict[str, np.ndarray]], forward_params: dict[str, Any], postprocess_params: dict[str, Any]
    ) -> list[Any]:
        inputs = {key: np.concatenate([day[key] for day in features]) for key in features[0]}
        outputs = self.forward(self._tensors(inputs), **forward_params)
        return [
            self.postprocess({key: value[row : row + 1] for key, value in outputs.items()}, **postprocess_params)
            for row in range(len(features))
        ]

    def _tensors(self, inputs: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
        tensors = {key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in inputs.items()}
        return {key: value.to(self.dtype) if value.is_floating_point() else value for key, value in tensors.items()}

    def preprocess(self, input_: Any, **preprocess_parameters: Any) -> dict[str, torch.Tensor]:
        """Converts one day to model inputs of batch size 1.

        Raises:
            ValueError: If the input is malformed or contains more than one day.
        """
        features, single = DayLoader(self.feature_extractor, **preprocess_parameters)(input_)
        if not single:
            raise ValueError(
                f"`preprocess` takes one day, got an input with {len(features)}; call the pipeline instead."
            )
        return self._tensors(features[0])

    def forward(self, model_inputs: Any, **forward_params: Any) -> Any:
        """Runs the model on a batch in evaluation mode, without gradients, on the pipeline's device."""
        if not self.model.training:
            return super().forward(model_inputs, **forward_params)
        modes = [(module, module.training) for module in self.model.modules()]
        self.model.eval()
        try:
            return super().forward(model_inputs, **forward_params)
        finally:
            for module, training in modes:
                module.training = training

    def save_pretrained(self, save_directory: str | os.PathLike, **kwargs: Any) -> None:
        """Saves the model, feature extractor, tokenizer and processor into one folder.

        Unlike the base class, it writes no `custom_pipelines` entry and copies no code: importing the package registers
        the task, and such an entry would make a plain reload require `trust_remote_code`.

        Args:
            save_directory: Output folder; created if it does not exist.
            kwargs: Passed to the model's `save_pretrained`.

        Raises:
            ValueError: If `save_directory` is a file.
        """
        if os.path.isfile(save_directory):
            raise ValueError(f"`save_directory` must be a folder, but {str(save_directory)!r} is a file.")
        custom = self.model.config.__dict__.pop("custom_pipelines", None)
        try:
            self.model.save_pretrained(save_directory, **kwargs)
        finally:
            if custom is not None:
                self.model.config.custom_pipelines = custom
        if self.processor is not None:
            processor = copy.copy(self.processor)
            processor.feature_extractor = self.feature_extractor
            if self.tokenizer is not None:
                processor.tokenizer = self.tokenizer
            processor.save_pretrained(save_directory)
            return
        self.feature_extractor.save_pretrained(save_directory)
        if self.tokenizer is not None:
            self.tokenizer.save_pretrained(save_directory)


def _length(items: Any) -> int | None:
    try:
        return len(items)
    except (TypeError, NotImplementedError):  # data loaders of streams define `__len__` but raise
        return None


def _take(done: list[Any], size: int, single: bool) -> Any:
    results = done[:size]
    del done[:size]
    return results[0] if single else results


def _check_count(name: str, given: Any, from_constructor: Any, *, default: int, least: int) -> int:
    value = given if given is not None else from_constructor if from_constructor is not None else default
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"`{name}` must be an integer of at least {least}, got {value!r}.")
    return value
